// What Rekey may do on a Logic App (Consumption) that holds a copy of a credential.
param name string

@description('Object id of Rekey\'s identity.')
param principalId string

var roles = loadJsonContent('../roles.json')

resource workflow 'Microsoft.Logic/workflows@2019-05-01' existing = {
  name: name
}

resource contributor 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(workflow.id, principalId, roles.logicAppContributor.id)
  scope: workflow
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.logicAppContributor.id)
    principalId: principalId
    principalType: 'ServicePrincipal'
    description: 'Rekey reads the workflow and writes it back with the new value of one parameter.'
  }
}
