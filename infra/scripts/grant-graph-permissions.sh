#!/usr/bin/env bash
# Grants Rekey's identity its permissions in Microsoft Graph.
set -euo pipefail
# shellcheck source=infra/scripts/graph.sh
. "$(dirname "${BASH_SOURCE[0]}")/graph.sh"

usage() {
  cat <<'TEXT'
Usage: grant-graph-permissions.sh --identity OBJECT_ID [--also PERMISSION]... [--what-if]

Grants Rekey's identity the application permission Application.ReadWrite.OwnedBy in Microsoft Graph: it may then add and
remove passwords and federated credentials of the applications that it owns, and of no other. Somebody with the directory
role Privileged Role Administrator runs this, signed in with az login. Run again, it changes nothing.

  --identity OBJECT_ID   the identity's service principal: main.bicep's output identityPrincipalId, or
                         vendingPrincipalId for the app that vends
  --also PERMISSION      a permission that Rekey can do without:
                         Policy.Read.All: the tenant's limit on the lifetime of passwords is known beforehand, instead of
                         being met when a password is made
  --what-if              say what would be done, and change nothing
  --help                 this text

Exit code: 0 done, or nothing to do; 1 refused or failed, the messages say what; 2 a wrong argument.
TEXT
}

identity=""
permissions=(Application.ReadWrite.OwnedBy)
optional=(Policy.Read.All)
graph_app=00000003-0000-0000-c000-000000000000
# https://learn.microsoft.com/entra/identity/role-based-access-control/permissions-reference
administrators=(
  e8611ab8-c189-46e8-94e1-60213ab1f814 # Privileged Role Administrator
  62e90394-69f5-4237-9190-012177145e10 # Global Administrator
)
needed="needed is the directory role Privileged Role Administrator: active, not only eligible (Privileged Identity
  Management activates it). An application that is signed in needs AppRoleAssignment.ReadWrite.All."

add_permission() {
  local known
  for known in "${optional[@]}"; do
    if [ "$1" = "$known" ]; then
      permissions+=("$1")
      return
    fi
  done
  wrong "--also: got '$1', expected one of: ${optional[*]}"
}

while [ $# -gt 0 ]; do
  case "$1" in
    --identity)
      require_value "$1" $#
      require_guid "$1" "$2" "the object id of the identity's service principal (main.bicep's output identityPrincipalId)"
      identity="$(lower "$2")"
      shift
      ;;
    --also)
      require_value "$1" $#
      add_permission "$2"
      shift
      ;;
    --what-if) what_if=true ;;
    -h | --help)
      usage
      exit 0
      ;;
    *) wrong "got '$1', expected --identity, --also, --what-if or --help" ;;
  esac
  shift
done
[ -n "$identity" ] || wrong "--identity: got nothing, expected the object id of the identity's service principal"

# By name, in this tenant: the ids of some permissions differ between clouds.
find_role() {
  local offered="appRoles[?value=='$1' && contains(allowedMemberTypes, 'Application')].id | [0]"
  ask GET "servicePrincipals(appId='$graph_app')?\$select=id,appRoles" --query "[id, $offered || '']" ||
    { refused_with; stop "the permissions that Microsoft Graph offers could not be read."; }
  { read -r resource && read -r role; } <<<"$answer" || true
  [ -n "$role" ] || stop "Microsoft Graph offers no application permission called $1 in this cloud."
}

is_granted() {
  ask GET "servicePrincipals/$identity/appRoleAssignments?\$top=999" \
    --query "value[?resourceId=='$resource' && appRoleId=='$role'].id" ||
    { refused_with; stop "what $identity_name was granted could not be read."; }
  [ -n "$answer" ]
}

assign() {
  local body="{\"principalId\": \"$identity\", \"resourceId\": \"$resource\", \"appRoleId\": \"$role\"}"
  if ask POST "servicePrincipals/$identity/appRoleAssignments" --body "$body" --query id; then
    undo+=("az rest --method DELETE --url '$graph/servicePrincipals/$identity/appRoleAssignments/$answer'")
    echo "- $1: granted now; a token that Azure cached before lacks it for up to 24 hours"
  elif refused "Permission being assigned already exists"; then
    echo "- $1: granted already"
  else
    refused_with
    stop "$1: refused; $needed"
  fi
}

# take_care_of <permission>
take_care_of() {
  find_role "$1"
  if is_granted; then
    echo "- $1: granted already"
  elif $what_if; then
    echo "- $1: would grant it"
    $administrator || echo "  This will probably be refused: $needed"
    left=$((left + 1))
  else
    assign "$1"
  fi
}

sign_in
find_identity "$identity"
administrator=true # as long as the contrary isn't known; a role of the tenant's own may allow it too
holds_role "${administrators[@]}" || { [ $? -eq 2 ] || administrator=false; }

left=0
undo=()
echo "Permissions of $identity_name ($identity) in Microsoft Graph:"
for permission in "${permissions[@]}"; do
  take_care_of "$permission"
done

echo
if [ ${#undo[@]} -gt 0 ]; then
  echo "Granted ${#undo[@]} permission(s). To undo:"
  printf '  %s\n' "${undo[@]}"
elif [ "$left" -gt 0 ]; then
  echo "Nothing was changed (--what-if); $left permission(s) would be granted."
else
  echo "Nothing was changed."
fi
echo "It works on the applications that the identity owns: own-applications.sh makes it an owner."
