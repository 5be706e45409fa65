// What the app that vends may do in the resource group that the identities are made in, which has nothing else in it.
@description('Object id of the identity that vends.')
param principalId string

var roles = loadJsonContent('../roles.json')

resource maker 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(resourceGroup().id, principalId, roles.managedIdentityContributor.id)
  scope: resourceGroup()
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.managedIdentityContributor.id)
    principalId: principalId
    principalType: 'ServicePrincipal'
    description: 'Rekey makes a user-assigned identity for each connection that it vends, with its federated credential, and deletes it if that fails.'
  }
}
