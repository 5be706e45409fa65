# shellcheck shell=bash
# What the scripts beside this one share: asking Microsoft Graph through the Azure CLI, and answering people.
# Sourced, never run: `graph`, `kind`, `refusal` and `answer` are read by them.
# shellcheck disable=SC2034

script="${0##*/}"
what_if=false
refusal="$(mktemp)"
trap 'rm -f "$refusal"' EXIT

# A wrong argument: exit code 2, and nothing was asked yet.
wrong() {
  printf '%s: %s\nSee %s --help.\n' "$script" "$*" "$script" >&2
  exit 2
}

# Anything else that keeps the script from its end: exit code 1.
stop() {
  printf '%s: %s\n' "$script" "$*" >&2
  exit 1
}

# require_guid <option> <value> <what was expected>
require_guid() {
  [[ "$2" =~ ^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$ ]] || wrong "$1: got '$2', expected $3"
}

# require_value <option> <number of arguments left>
require_value() {
  [ "$2" -ge 2 ] || wrong "$1: got nothing, expected a value after it"
}

lower() {
  tr '[:upper:]' '[:lower:]' <<<"$1"
}

# Says who acts, and where: the wrong tenant is the mistake that is easiest made.
sign_in() {
  local account name tenant
  command -v az >/dev/null || stop "az is missing: install the Azure CLI (https://aka.ms/azure-cli) and sign in: az login"
  account="$(az account show --query "join(' ', [user.type, user.name, tenantId])" --output tsv 2>"$refusal")" ||
    stop "nobody is signed in to the Azure CLI: az login --tenant <tenant id>"
  read -r kind name tenant <<<"$account"
  graph="$(az cloud show --query endpoints.microsoftGraphResourceId --output tsv)"
  graph="${graph%/}/v1.0"
  echo "Signed in as $name ($kind) in tenant $tenant; asking $graph."
}

# ask <method> <path below v1.0> [arguments of az rest]: puts what --query chooses into `answer`, a line each.
# The Azure CLI knows the cloud's own Graph by its address and sends a token to no other.
ask() {
  answer="$(az rest --method "$1" --url "$graph/$2" "${@:3}" --output tsv 2>"$refusal")"
}

# Tells whether the last refusal holds this text.
refused() {
  grep -qF "$1" "$refusal"
}

refused_with() {
  sed -n '/[^[:space:]]/p' "$refusal" | tail -n 3 >&2
}

# Tells whether `answer` has this line.
answered() {
  grep -qixF "$1" <<<"$answer"
}

# find_identity <object id>: sets `identity_name`.
find_identity() {
  if ask GET "servicePrincipals/$1?\$select=displayName" --query displayName; then
    identity_name="$answer"
    return
  fi
  refused Request_ResourceNotFound || { refused_with; stop "the identity $1 could not be read."; }
  if ask GET "servicePrincipals(appId='$1')?\$select=id" --query id; then
    wrong "--identity: got '$1', which is a client id; expected the object id of that service principal: $answer"
  fi
  stop "--identity: this tenant has no service principal with the object id '$1'; expected main.bicep's output" \
    "identityPrincipalId. One that was made minutes ago may not be everywhere yet: run this again."
}

# holds_role <role template id>...: 0 if the person signed in has one of these directory roles active, 1 if none, 2 if
# that can't be known: an application is signed in, or the roles can't be read.
holds_role() {
  local role
  [ "$kind" = user ] || return 2
  ask GET me/transitiveMemberOf/microsoft.graph.directoryRole --query 'value[].roleTemplateId' || return 2
  for role in "$@"; do
    if answered "$role"; then return 0; fi
  done
  return 1
}
