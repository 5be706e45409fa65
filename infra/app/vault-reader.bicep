// What the app that vends may do on a vault: see which secrets there are, and whose.
@description('The vault\'s name; it is in this module\'s resource group.')
param name string

@description('Object id of the identity that vends.')
param principalId string

var roles = loadJsonContent('../roles.json')

resource vault 'Microsoft.KeyVault/vaults@2023-07-01' existing = {
  name: name
}

resource reader 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(vault.id, principalId, roles.keyVaultReader.id)
  scope: vault
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.keyVaultReader.id)
    principalId: principalId
    principalType: 'ServicePrincipal'
    description: 'Rekey finds out by their tags which managed secrets a service connection has its key from, and whose they are.'
  }
}
