#!/usr/bin/env bash
# Makes an identity of Rekey's a user of an Azure DevOps organization and a member of groups of its projects.
set -euo pipefail
# shellcheck source=infra/scripts/graph.sh
. "$(dirname "${BASH_SOURCE[0]}")/graph.sh"

usage() {
  cat <<'TEXT'
Usage: join-azure-devops.sh --identity OBJECT_ID --organization NAME --project NAME... [--group NAME]... [--what-if]

Makes an identity of Rekey's a user of an Azure DevOps organization, with the access level Basic, which takes a licence,
and a member of groups of its projects. The organization must be connected to the identity's tenant. A member of the
organization's group Project Collection Administrators runs this, signed in with az login. Run again, it changes nothing.

  --identity OBJECT_ID   the identity's service principal: main.bicep's output azureDevOpsPrincipalId, or
                         vendingPrincipalId for the app that vends
  --organization NAME    the organization's name, as in https://dev.azure.com/NAME
  --project NAME         a project; may be given several times
  --group NAME           a group of each project, by default Readers; may be given several times. The app that vends needs
                         Readers and 'Endpoint Administrators'
  --what-if              say what would be done, and change nothing
  --help                 this text

Exit code: 0 done, or nothing to do; 1 refused or failed, the messages say what; 2 a wrong argument.
TEXT
}

identity="" organization=""
projects=() groups=()
devops=499b84ac-1321-427f-aa17-267ca6975798 # Azure DevOps in every tenant
needed="needed is membership of the organization's group Project Collection Administrators."

while [ $# -gt 0 ]; do
  case "$1" in
    --identity)
      require_value "$1" $#
      require_guid "$1" "$2" "the object id of the identity's service principal"
      identity="$(lower "$2")"
      shift
      ;;
    --organization)
      require_value "$1" $#
      [[ "$2" =~ ^[A-Za-z0-9]([A-Za-z0-9-]{0,48}[A-Za-z0-9])?$ ]] ||
        wrong "$1: got '$2', expected the organization's name, not its address"
      organization="$2"
      shift
      ;;
    --project)
      require_value "$1" $#
      [[ "$2" =~ ^[^]/\\:*?\"\<\>\|\;#\$\&{}%+,@\'[]+$ ]] || wrong "$1: got '$2', expected a project's name"
      projects+=("$2")
      shift
      ;;
    --group)
      require_value "$1" $#
      [[ "$2" =~ ^[A-Za-z0-9][A-Za-z0-9\ _.-]*$ ]] || wrong "$1: got '$2', expected the name of a project's group"
      groups+=("$2")
      shift
      ;;
    --what-if) what_if=true ;;
    -h | --help)
      usage
      exit 0
      ;;
    *) wrong "got '$1', expected --identity, --organization, --project, --group, --what-if or --help" ;;
  esac
  shift
done
[ -n "$identity" ] || wrong "--identity: got nothing, expected the object id of the identity's service principal"
[ -n "$organization" ] || wrong "--organization: got nothing, expected the name of an Azure DevOps organization"
[ ${#projects[@]} -gt 0 ] || wrong "--project: got nothing, expected at least one project"
[ ${#groups[@]} -gt 0 ] || groups=(Readers)

# ask_devops <method> <host> <path below _apis> [arguments of az rest]: as `ask`, of Azure DevOps.
ask_devops() {
  answer="$(az rest --method "$1" --url "https://$2/$organization/_apis/$3" --resource "$devops" "${@:4}" \
    --output tsv 2>"$refusal")"
}

# https://learn.microsoft.com/rest/api/azure/devops/graph/service-principals/list
find_member() {
  ask_devops GET vssps.dev.azure.com "graph/serviceprincipals?api-version=7.1-preview.1" \
    --query "value[?originId=='$identity'].descriptor | [0] || ''" ||
    { refused_with; stop "who uses $organization could not be read; $needed"; }
  member="$answer"
}

# https://learn.microsoft.com/rest/api/azure/devops/memberentitlementmanagement/service-principal-entitlements/add
add_member() {
  local body="{\"accessLevel\": {\"accountLicenseType\": \"express\"}, \"servicePrincipal\": {\"origin\": \"aad\",
    \"originId\": \"$identity\", \"subjectKind\": \"servicePrincipal\"}}"
  ask_devops POST vsaex.dev.azure.com "serviceprincipalentitlements?api-version=7.1-preview.1" --body "$body" \
    --query "[to_string(isSuccess), operationResult.errors[0].value || '']" ||
    { refused_with; stop "$identity_name could not be added to $organization; $needed"; }
  { read -r added && read -r why; } <<<"$answer" || true
  [ "$added" = true ] || stop "$identity_name could not be added to $organization: ${why:-no reason was given}"
  find_member
  [ -n "$member" ] || stop "$identity_name was added to $organization, and isn't listed yet: run this again in a minute"
  undo+=("Organization settings, Users: remove $identity_name")
}

join_organization() {
  find_member
  if [ -n "$member" ]; then
    echo "- $organization: $identity_name is a user already"
  elif $what_if; then
    echo "- $organization: would make $identity_name a user with the access level Basic"
    left=$((left + 1))
  else
    add_member
    echo "- $organization: $identity_name is a user now, with the access level Basic"
  fi
}

# find_scope <project>: sets `scope`, what the project's groups belong to.
find_scope() {
  ask_devops GET dev.azure.com "projects/${1// /%20}?api-version=7.1" --query id ||
    { refused_with; echo "- $1: $organization has no such project, or you may not see it" >&2; return 1; }
  ask_devops GET vssps.dev.azure.com "graph/descriptors/$answer?api-version=7.1-preview.1" --query value ||
    { refused_with; echo "- $1: its groups could not be read; $needed" >&2; return 1; }
  scope="$answer"
}

# join_group <project> <group>: https://learn.microsoft.com/rest/api/azure/devops/graph/memberships/add
join_group() {
  local group at="$1, $2" memberships="graph/memberships/$member"
  ask_devops GET vssps.dev.azure.com "graph/groups?scopeDescriptor=$scope&api-version=7.1-preview.1" \
    --query "value[?displayName=='$2'].descriptor | [0] || ''" ||
    { refused_with; echo "- $at: the project's groups could not be read; $needed" >&2; return 1; }
  group="$answer"
  if [ -z "$group" ]; then
    echo "- $at: there is no such group. Azure DevOps makes those of service connections when somebody first opens
  Project settings, Service connections, Security" >&2
    return 1
  fi
  answer=""
  [ -z "$member" ] || ask_devops GET vssps.dev.azure.com "$memberships?direction=up&api-version=7.1-preview.1" \
    --query 'value[].containerDescriptor' ||
    { refused_with; echo "- $at: its members could not be read; $needed" >&2; return 1; }
  if answered "$group"; then
    echo "- $at: $identity_name is a member already"
  elif $what_if; then
    echo "- $at: would make $identity_name a member"
    left=$((left + 1))
  elif ask_devops PUT vssps.dev.azure.com "$memberships/$group?api-version=7.1-preview.1"; then
    echo "- $at: $identity_name is a member now"
    undo+=("az rest --method DELETE --resource $devops --url 'https://vssps.dev.azure.com/$organization/_apis/$memberships/$group?api-version=7.1-preview.1'")
  else
    refused_with
    echo "- $at: refused; $needed" >&2
    return 1
  fi
}

sign_in
find_identity "$identity"
failed=0 left=0
undo=()
join_organization
for project in "${projects[@]}"; do
  find_scope "$project" || { failed=$((failed + 1)); continue; }
  for group in "${groups[@]}"; do
    join_group "$project" "$group" || failed=$((failed + 1))
  done
done

echo
if [ ${#undo[@]} -gt 0 ]; then
  echo "Did ${#undo[@]} thing(s). To undo:"
  printf '  %s\n' "${undo[@]}"
elif [ "$left" -gt 0 ]; then
  echo "Nothing was changed (--what-if); $left thing(s) would be done."
else
  echo "Nothing was changed."
fi
[ "$failed" -eq 0 ] || stop "$failed thing(s) could not be done; see above."
