// A user-assigned identity for one Azure DevOps service connection, trusted by what the connection itself shows. It stands
// alone: no part of Rekey is needed, and Rekey makes the same when it vends one.
@description('The identity\'s name.')
@minLength(3)
@maxLength(128)
param name string
param location string = resourceGroup().location
param tags object = {}

@description('Issuer, as the connection shows it: copy it, never build it.')
@minLength(1)
param issuer string

@description('Subject identifier, as the connection shows it: Entra compares it to the letter.')
@minLength(1)
param subject string

@description('ARM id of the resource group that it may work in: verifying the connection reads something there.')
param scope string

@description('The role that it gets there, by GUID: the smallest that its pipelines can do with. By default Reader.')
param role string = loadJsonContent('../roles.json').reader.id

var refusedRoles = map(loadJsonContent('../refused-roles.json'), one => one.id)
var granted = contains(refusedRoles, toLower(role)) ? fail('role: Owner, User Access Administrator and Role Based Access Control Administrator can grant all other roles, and are never granted.') : toLower(role)

// https://learn.microsoft.com/entra/workload-id/workload-identity-federation-create-trust#important-considerations-and-restrictions
var audiences = {
  AzureCloud: 'api://AzureADTokenExchange'
  AzureUSGovernment: 'api://AzureADTokenExchangeUSGov'
  AzureChinaCloud: 'api://AzureADTokenExchangeChina'
}
var audience = audiences[environment().name]

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: name
  location: location
  tags: tags
}

resource trust 'Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials@2024-11-30' = {
  parent: identity
  name: 'azure-devops'
  properties: {
    issuer: issuer
    subject: subject
    audiences: [
      audience
    ]
  }
}

module access 'connection-role.bicep' = {
  name: 'connection-role-${uniqueString(name)}'
  scope: resourceGroup(split(scope, '/')[2], split(scope, '/')[4])
  params: {
    principalId: identity.properties.principalId
    role: granted
  }
}

@description('The connection\'s service principal id.')
output clientId string = identity.properties.clientId
output principalId string = identity.properties.principalId
output tenantId string = subscription().tenantId

@description('The subscription that the connection names, which is that of the scope.')
output subscriptionId string = split(scope, '/')[2]
output subscriptionName string = access.outputs.subscriptionName
