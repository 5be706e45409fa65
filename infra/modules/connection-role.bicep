// The role of a service connection's identity in one resource group.
param principalId string

@description('The role, by GUID.')
param role string

resource assignment 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(resourceGroup().id, principalId, role)
  scope: resourceGroup()
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role)
    principalId: principalId
    principalType: 'ServicePrincipal'
    description: 'What pipelines do here through the service connection that signs in as this identity.'
  }
}

output subscriptionName string = subscription().displayName
