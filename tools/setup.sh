#!/usr/bin/env bash
# Makes .venv and local/azurite/node_modules match their locks; silent, offline and quick when they already do.
set -u
cd "$(dirname "$0")/.." || exit 1
python=.venv/bin/python
azurite=local/azurite

stop() {
  echo "setup: $*" >&2
  exit 1
}

fingerprint() {
  cat "$@" | { sha256sum 2>/dev/null || shasum -a 256; } | cut -d ' ' -f 1
}

# The stamps hold what was installed, not when: a checkout changes times and not contents.
stamped() {
  [ "$(cat "$1" 2>/dev/null)" = "$2" ]
}

is_python_313() {
  "$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))' 2>/dev/null
}

make_venv() {
  local base
  is_python_313 && return
  base="$(tools/find_python.sh)" || exit 1
  echo "setup: making .venv with $base"
  rm -rf .venv
  "$base" -m venv .venv || stop "$base could not make .venv; its message is above."
}

# uv installs several times faster than pip; pip brings it, held to the same lock as everything else.
# The system's certificates are what a network with a proxy of its own is known by; pip reads them by itself.
bring_uv() {
  "$python" -m uv --version >/dev/null 2>&1 && return
  awk '/^uv==/ {on = 1} on {print} on && !/\\$/ {exit}' requirements-dev.txt >.venv/uv.txt
  "$python" -m pip install --quiet --disable-pip-version-check --require-hashes -r .venv/uv.txt
}

install_python_packages() {
  "$python" -m uv pip install --quiet --system-certs --python "$python" --require-hashes -r requirements-dev.txt && return
  echo "setup: uv could not install the Python packages (its message is above); trying pip" >&2
  "$python" -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
}

set_up_python() {
  local wanted
  wanted="$(fingerprint requirements-dev.txt)"
  is_python_313 && stamped .venv/installed "$wanted" && return
  make_venv
  echo "setup: installing Python packages (requirements-dev.txt, by hash)"
  { bring_uv && install_python_packages; } ||
    stop "the Python packages of requirements-dev.txt could not be installed; is the package registry reachable?"
  echo "$wanted" >.venv/installed
}

# So that `.venv/bin/python -m local.host start` runs in any function app's folder, as `func start` does.
put_project_on_path() {
  pwd >.venv/lib/python3.13/site-packages/rekey-local.pth
}

require_node() {
  local version
  version="$(node --version 2>/dev/null)" ||
    stop "node is missing: install Node.js 20 or newer (https://nodejs.org), it runs Azurite, the local storage account."
  version="${version#v}"
  [ "${version%%.*}" -ge 20 ] 2>/dev/null || stop "node $version is too old: install Node.js 20 or newer (https://nodejs.org)."
  npm --version >/dev/null 2>&1 || stop "npm is missing: install it along with Node.js 20 or newer (https://nodejs.org)."
}

set_up_azurite() {
  local wanted
  require_node
  wanted="$(fingerprint "$azurite/package.json" "$azurite/package-lock.json" "$azurite/.npmrc")"
  stamped "$azurite/node_modules/.installed" "$wanted" && return
  echo "setup: installing Azurite (local/azurite, npm ci)"
  (cd "$azurite" && npm ci --loglevel=error --no-audit --no-fund --no-progress --no-update-notifier >/dev/null) ||
    stop "npm could not install local/azurite (its message is above); is the npm registry reachable?"
  echo "$wanted" >"$azurite/node_modules/.installed"
}

set_up_python
put_project_on_path
set_up_azurite
