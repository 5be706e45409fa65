#!/usr/bin/env bash
# Registers the Entra application that stands for Rekey's operator API.
set -euo pipefail
# shellcheck source=infra/scripts/graph.sh
. "$(dirname "${BASH_SOURCE[0]}")/graph.sh"

usage() {
  cat <<'TEXT'
Usage: register-operator-api.sh [--name NAME] [--what-if]

Registers the Entra application that callers of Rekey's operator API get tokens for: one scope, tokens of version 2, and
the Azure CLI needs nobody's consent for it. It has no secret and no rights. Any member of the directory that may register
applications runs this, signed in with az login. Run again, it changes nothing and says the client id.

  --name NAME   what the application is called (default: rekey-operator-api)
  --what-if     say what would be done, and change nothing
  --help        this text

Exit code: 0 done, or nothing to do; 1 refused or failed, the messages say what; 2 a wrong argument.
TEXT
}

name=rekey-operator-api
azure_cli=04b07795-8ddb-461a-bbee-02f9e1bf7b46
scope=0b7a3a0e-6f0c-4c55-9d0b-5d1f3e2a9c41 # has to be the only one in its application, and in nothing else
# What was made by hand isn't changed: it may stand for something else.
mark=rekey-operator-api
needed="the directory may let only some register applications: needed is the directory role Application Developer, and
  for one that exists its ownership or the role Application Administrator."

while [ $# -gt 0 ]; do
  case "$1" in
    --name)
      require_value "$1" $#
      [[ "$2" =~ ^[[:alnum:]][[:alnum:]\ ._-]{0,119}$ ]] || wrong "--name: got '$2', expected letters, digits, blanks, . _ -"
      name="$2"
      shift
      ;;
    --what-if) what_if=true ;;
    -h | --help)
      usage
      exit 0
      ;;
    *) wrong "got '$1', expected --name, --what-if or --help" ;;
  esac
  shift
done

# change <what it is> <arguments of ask>: a request that changes something.
change() {
  if ! ask "${@:2}"; then
    refused_with
    stop "$1: refused; $needed"
  fi
  echo "- $1: done"
}

# Sets `app`, empty if there is none of this name.
find_application() {
  ask GET "applications?\$filter=displayName eq '$name'&\$select=appId,tags" \
    --query "value[].join(' ', [appId, to_string(contains(tags, '$mark'))])" ||
    { refused_with; stop "applications could not be looked for."; }
  [ "$(grep -c . <<<"$answer")" -le 1 ] || stop "--name: several applications are called '$name'; expected a name of its own"
  read -r app marked <<<"$answer" || true
  [ -z "$app" ] || [ "$marked" = true ] ||
    stop "--name: the application $app is called '$name' and wasn't made by this script; expected a name of its own"
}

offered() {
  printf '"requestedAccessTokenVersion": 2, "oauth2PermissionScopes": [{"id": "%s", "value": "user_impersonation",
    "type": "User", "isEnabled": true, "adminConsentDisplayName": "Call Rekey",
    "adminConsentDescription": "Call the operator API of Rekey as the signed-in person"}]' "$scope"
}

create() {
  change "the application $name" POST applications --query appId --body "{\"displayName\": \"$name\",
    \"signInAudience\": \"AzureADMyOrg\", \"tags\": [\"$mark\"], \"api\": {$(offered)}}"
  app="$answer"
}

# Sets `uri`, `client` and `principal` to how many there are of what there has to be one of.
look() {
  ask GET "applications(appId='$app')?\$select=identifierUris,api" \
    --query "[length(identifierUris), length(api.preAuthorizedApplications[?appId=='$azure_cli'])]" ||
    { refused_with; stop "the application $app can't be read yet: run this again in a minute."; }
  { read -r uri && read -r client; } <<<"$answer"
  principal=1
  ask GET "servicePrincipals(appId='$app')?\$select=id" --query id || principal=0
}

complete() {
  local path="applications(appId='$app')"
  look
  [ "$uri" -ge 1 ] || change "its address api://$app" PATCH "$path" --body "{\"identifierUris\": [\"api://$app\"]}"
  # A scope has to be there before a client is authorised for it, so this isn't part of making the application.
  [ "$client" -ge 1 ] || change "the Azure CLI as its client" PATCH "$path" --body "{\"api\": {$(offered),
    \"preAuthorizedApplications\": [{\"appId\": \"$azure_cli\", \"delegatedPermissionIds\": [\"$scope\"]}]}}"
  [ "$principal" -ge 1 ] || change "its service principal" POST servicePrincipals --body "{\"appId\": \"$app\"}" --query id
}

sign_in
find_application
if [ -n "$app" ]; then
  echo "- the application $name: exists"
elif $what_if; then
  echo "- would register the application $name, with an address, a scope and a service principal, for the Azure CLI"
else
  create
fi
if $what_if; then
  if [ -n "$app" ]; then
    look
    echo "- of address, client and service principal, $((uri > 0)), $((client > 0)) and $principal are there; the rest would be made"
  fi
  echo "Nothing was changed (--what-if)."
  exit 0
fi
complete
cat <<TEXT

Tokens are for api://$app. For main.bicepparam and later steps:
  export REKEY_OPERATOR_API_CLIENT_ID=$app
To undo:
  az rest --method DELETE --url "$graph/applications(appId='$app')"
TEXT
