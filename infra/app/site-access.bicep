// What Rekey may do on an App Service, function app or Logic App (Standard) that holds or refers to a credential.
param name string

@description('Object id of Rekey\'s identity.')
param principalId string

var roles = loadJsonContent('../roles.json')

resource site 'Microsoft.Web/sites@2025-03-01' existing = {
  name: name
}

resource contributor 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(site.id, principalId, roles.websiteContributor.id)
  scope: site
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.websiteContributor.id)
    principalId: principalId
    principalType: 'ServicePrincipal'
    description: 'Rekey lists and writes the settings, slots included, and has Key Vault references resolved anew.'
  }
}
