// What Rekey may do on a storage account whose keys it rotates.
param name string

@description('Object id of Rekey\'s identity.')
param principalId string

var roles = loadJsonContent('../roles.json')

resource account 'Microsoft.Storage/storageAccounts@2026-04-01' existing = {
  name: name
}

resource keyOperator 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(account.id, principalId, roles.storageAccountKeyOperator.id)
  scope: account
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.storageAccountKeyOperator.id)
    principalId: principalId
    principalType: 'ServicePrincipal'
    description: 'Rekey lists the keys and regenerates the one that is not in use.'
  }
}

resource reader 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(account.id, principalId, roles.reader.id)
  scope: account
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.reader.id)
    principalId: principalId
    principalType: 'ServicePrincipal'
    description: 'Rekey looks whether the account still takes keys, and which rights it has itself; the key operator role may read neither.'
  }
}
