#!/usr/bin/env bash
# Makes Rekey's identity an owner of the applications whose passwords it shall rotate.
set -euo pipefail
# shellcheck source=infra/scripts/graph.sh
. "$(dirname "${BASH_SOURCE[0]}")/graph.sh"

usage() {
  cat <<'TEXT'
Usage: own-applications.sh --identity OBJECT_ID (--application CLIENT_ID | --applications-file FILE)... [--what-if]

Makes Rekey's identity an owner of Entra applications, so that with the permission Application.ReadWrite.OwnedBy it may
add and remove their passwords and federated credentials, and those of no other application. The identity can't do it by
itself: OwnedBy doesn't let it add owners. Whoever owns the applications runs this, or somebody with one of the directory
roles Application Administrator or Cloud Application Administrator; signed in with az login. Run again, it changes
nothing.

  --identity OBJECT_ID        the identity's service principal: main.bicep's output identityPrincipalId
  --application CLIENT_ID     an application, by its application (client) id; may be given several times
  --applications-file FILE    the same, one client id a line; # begins a comment
  --what-if                   say what would be done, and change nothing
  --help                      this text

Exit code: 0 done, or nothing to do; 1 refused or failed, the messages say what; 2 a wrong argument.
TEXT
}

identity=""
applications=()
# https://learn.microsoft.com/entra/identity/role-based-access-control/permissions-reference
administrators=(
  9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3 # Application Administrator
  158c047a-c907-4556-b7ef-446551a6b5f7 # Cloud Application Administrator
  62e90394-69f5-4237-9190-012177145e10 # Global Administrator
)
needed="needed is ownership of the application, or the directory role Application Administrator or Cloud Application
  Administrator: active, not only eligible (Privileged Identity Management activates it). An application that is signed
  in needs Application.ReadWrite.All."

add_application() {
  require_guid "$1" "$2" "an application (client) id, such as 11111111-1111-1111-1111-111111111111"
  applications+=("$(lower "$2")")
}

read_applications() {
  local line
  [ -f "$1" ] && [ -r "$1" ] || wrong "--applications-file: got '$1', expected a file that can be read"
  while IFS= read -r line || [ -n "$line" ]; do
    line="${line%%#*}"
    line="${line//[[:space:]]/}"
    [ -z "$line" ] || add_application --applications-file "$line"
  done <"$1"
}

while [ $# -gt 0 ]; do
  case "$1" in
    --identity)
      require_value "$1" $#
      require_guid "$1" "$2" "the object id of the identity's service principal (main.bicep's output identityPrincipalId)"
      identity="$(lower "$2")"
      shift
      ;;
    --application)
      require_value "$1" $#
      add_application "$1" "$2"
      shift
      ;;
    --applications-file)
      require_value "$1" $#
      read_applications "$2"
      shift
      ;;
    --what-if) what_if=true ;;
    -h | --help)
      usage
      exit 0
      ;;
    *) wrong "got '$1', expected --identity, --application, --applications-file, --what-if or --help" ;;
  esac
  shift
done
[ -n "$identity" ] || wrong "--identity: got nothing, expected the object id of the identity's service principal"
[ ${#applications[@]} -gt 0 ] || wrong "--application: got nothing, expected at least one application (client) id"

# look <client id>: says how things are; sets `object`, `name`, `owned` and `mine`.
look() {
  if ! ask GET "applications(appId='$1')?\$select=id,displayName" --query '[id, displayName]'; then
    refused Request_ResourceNotFound || refused_with
    echo "- $1: this tenant has no application with this client id, or it can't be read" >&2
    return 1
  fi
  { read -r object && read -r name; } <<<"$answer"
  owned=false mine=false
  if ! ask GET "applications/$object/owners?\$select=id&\$top=999" --query 'value[].id'; then
    refused_with
    echo "- $name ($1): its owners can't be read" >&2
    return 1
  fi
  if answered "$identity"; then owned=true; fi
  if [ -n "$me" ] && answered "$me"; then mine=true; fi
}

add_owner() {
  local body="{\"@odata.id\": \"$graph/directoryObjects/$identity\"}"
  if ask POST "applications/$object/owners/\$ref" --body "$body"; then
    undo+=("az rest --method DELETE --url '$graph/applications/$object/owners/$identity/\$ref'")
    echo "- $name ($1): $identity_name is an owner now"
  elif refused "added object references already exist"; then
    echo "- $name ($1): $identity_name is an owner already"
  else
    refused_with
    echo "- $name ($1): refused; $needed" >&2
    return 1
  fi
}

# take_care_of <client id>: 0 when the identity owns it, or would.
take_care_of() {
  look "$1" || return 1
  if $owned; then
    echo "- $name ($1): $identity_name is an owner already"
  elif $what_if; then
    echo "- $name ($1): would make $identity_name an owner"
    $administrator || $mine || echo "  This will probably be refused: $needed"
    left=$((left + 1))
  else
    add_owner "$1"
  fi
}

sign_in
find_identity "$identity"
administrator=true # as long as the contrary isn't known; a role of the tenant's own may allow it too
holds_role "${administrators[@]}" || { [ $? -eq 2 ] || administrator=false; }
me=""
if ! $administrator && ask GET "me?\$select=id" --query id; then me="$answer"; fi

failed=0 left=0
undo=()
for application in "${applications[@]}"; do
  take_care_of "$application" || failed=$((failed + 1))
done

echo
if [ ${#undo[@]} -gt 0 ]; then
  echo "Made the identity an owner of ${#undo[@]} application(s). To undo:"
  printf '  %s\n' "${undo[@]}"
elif [ "$left" -gt 0 ]; then
  echo "Nothing was changed (--what-if); $left application(s) would get an owner."
else
  echo "Nothing was changed."
fi
cat <<TEXT

For Azure DevOps:
  1. join-azure-devops.sh makes the identity a user, with the access level Basic (it takes a licence; the organization
     must be connected to this tenant).
  2. On each service connection and each variable group: Security, the role Administrator for it.
  3. On each pipeline that Rekey shall run: Security, Queue builds and View builds.
TEXT
[ "$failed" -eq 0 ] || stop "$failed of ${#applications[@]} application(s) could not be taken care of; see above."
