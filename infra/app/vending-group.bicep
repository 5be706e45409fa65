// What the app that vends may do in a resource group: grant a few roles, by a condition that Azure holds it to.
targetScope = 'resourceGroup'

@description('Object id of the identity that vends.')
param principalId string

@description('Which role assignments it may make and delete.')
@minLength(1)
param condition string

var roles = loadJsonContent('../roles.json')

resource granter 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(resourceGroup().id, principalId, roles.roleBasedAccessControlAdministrator.id)
  scope: resourceGroup()
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.roleBasedAccessControlAdministrator.id)
    principalId: principalId
    principalType: 'ServicePrincipal'
    condition: condition
    conditionVersion: '2.0'
    description: 'Rekey grants what it vends a role here: one of those in its condition, and to service principals only.'
  }
}
