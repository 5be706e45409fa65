#!/usr/bin/env bash
# Prints the path of a Python 3.13 that really runs, or one sentence on stderr saying what to install.
set -u
cd "$(dirname "$0")/.." || exit 1

# A pyenv shim may exist and yet answer 127, and a distribution's Python may lack venv: only running it tells.
works() {
  [ -n "$1" ] && "$1" -c 'import sys, ensurepip, sqlite3, ssl, venv; sys.exit(sys.version_info[:2] != (3, 13))' >/dev/null 2>&1
}

offer() {
  if works "$1"; then
    "$1" -c 'import sys; print(sys.executable)'
    exit 0
  fi
}

# Versions are digits and dots: nothing that ls could garble.
newest_in() {
  local found
  # shellcheck disable=SC2012
  for found in $(ls -d "$1"/versions/3.13*/bin/python3.13 2>/dev/null | sort -rV); do offer "$found"; done
}

offer "$(command -v python3.13)"
offer "$(command -v python3)"
if command -v pyenv >/dev/null 2>&1; then newest_in "$(pyenv root 2>/dev/null)"; fi
newest_in "${PYENV_ROOT:-$HOME/.pyenv}"
newest_in "$HOME/.pyenv"

if command -v uv >/dev/null 2>&1; then
  offer "$(uv python find --no-project 3.13 2>/dev/null)"
  echo "setup: downloading Python 3.13 into .python (through uv)" >&2
  UV_PYTHON_INSTALL_BIN=0 uv python install --quiet --install-dir "$PWD/.python" 3.13 >&2
  for found in "$PWD"/.python/cpython-3.13*/bin/python3.13; do offer "$found"; done
fi

echo "setup: Python 3.13 with venv, ssl and sqlite3 is missing: install it with 'pyenv install 3.13', or with your" \
  "system's packages (Debian: python3.13 python3.13-venv), or install uv, which fetches it by itself." >&2
exit 1
