// The function app that makes service connections and grants roles: the same package as the one that rotates, which has
// no such right. Its identity, its storage account and those who may call it are its own.
param environmentName string
param location string
param tags object

@description('What its resources\' names end with.')
param suffix string

@description('ARM id of its identity.')
param identityId string
param identityClientId string

@description('Object id of its identity.')
param principalId string
param storageSku string
param dataPublicNetworkAccess string
param apiPublicNetworkAccess string
param applicationInsightsConnectionString string
param subnetId string
param privateEndpointSubnetId string
param privateDnsZoneIds object

@description('Client id of the Entra application that stands for the operator API.')
param authClientId string

@description('Object ids of those who may call it.')
@minLength(1)
@maxLength(13)
param authPrincipals string[]

@description('Client ids of the applications that they may call it through.')
param authClients string[]

@description('The role definitions (GUIDs) that it may grant.')
@minLength(1)
param roleIds string[]

@description('ARM ids that it may grant them at or below.')
@minLength(1)
param scopes string[]

@description('ARM id of the resource group that identities are made in.')
param identities string

@description('The settings that Rekey\'s own code reads.')
param rekeySettings object

var privateServices = empty(privateEndpointSubnetId) ? [] : ['blob', 'queue', 'table', 'sites']

// A resource's own id is allowed in the settings, but no right is granted there: /subscriptions/<id> has three segments,
// a resource group's id five.
var subscriptions = filter(scopes, id => length(split(id, '/')) == 3)
var groups = filter(scopes, id => length(split(id, '/')) == 5)

// https://learn.microsoft.com/azure/role-based-access-control/delegate-role-assignments-examples#example-constrain-roles-and-principal-types
var assignments = 'Microsoft.Authorization/roleAssignments'
var granted = join(roleIds, ', ')
var making = '(!(ActionMatches{\'${assignments}/write\'})) OR (@Request[${assignments}:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals {${granted}} AND @Request[${assignments}:PrincipalType] ForAnyOfAnyValues:StringEqualsIgnoreCase {\'ServicePrincipal\'})'
var deleting = '(!(ActionMatches{\'${assignments}/delete\'})) OR (@Resource[${assignments}:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals {${granted}} AND @Resource[${assignments}:PrincipalType] ForAnyOfAnyValues:StringEqualsIgnoreCase {\'ServicePrincipal\'})'
var condition = '(${making}) AND (${deleting})'

module storage 'storage.bicep' = {
  name: 'rekey-${environmentName}-vending-storage'
  params: {
    name: 'rekeyv${suffix}'
    location: location
    tags: tags
    sku: storageSku
    publicNetworkAccess: dataPublicNetworkAccess
    principalId: principalId
  }
}

module functionApp 'function-app.bicep' = {
  name: 'rekey-${environmentName}-vending-function-app'
  params: {
    name: 'func-rekey-vending-${suffix}'
    location: location
    tags: tags
    service: 'rekey-vending'
    identityId: identityId
    moreIdentityIds: []
    identityClientId: identityClientId
    storageAccountName: storage.outputs.name
    deploymentContainer: storage.outputs.deploymentContainer
    applicationInsightsConnectionString: applicationInsightsConnectionString
    alwaysReadyInstances: 0
    subnetId: subnetId
    publicNetworkAccess: apiPublicNetworkAccess
    authClientId: authClientId
    authPrincipals: authPrincipals
    authClients: authClients
    rekeySettings: rekeySettings
  }
}

module privateEndpoint 'private-endpoint.bicep' = [
  for service in privateServices: {
    name: 'rekey-${environmentName}-vending-private-${service}'
    params: {
      name: 'pe-rekey-${environmentName}-vending-${service}'
      location: location
      tags: tags
      subnetId: privateEndpointSubnetId
      targetId: service == 'sites' ? functionApp.outputs.id : storage.outputs.id
      service: service
      dnsZoneId: privateDnsZoneIds[?service] ?? ''
    }
  }
]

module subscriptionAccess 'vending-subscription.bicep' = [
  for id in subscriptions: {
    name: 'rekey-${environmentName}-vending-${uniqueString(id)}'
    scope: subscription(split(id, '/')[2])
    params: {
      principalId: principalId
      condition: condition
    }
  }
]

module groupAccess 'vending-group.bicep' = [
  for id in groups: {
    name: 'rekey-${environmentName}-vending-${uniqueString(id)}'
    scope: resourceGroup(split(id, '/')[2], split(id, '/')[4])
    params: {
      principalId: principalId
      condition: condition
    }
  }
]

module identitiesAccess 'vending-identities.bicep' = {
  name: 'rekey-${environmentName}-vending-identities'
  scope: resourceGroup(split(identities, '/')[2], split(identities, '/')[4])
  params: {
    principalId: principalId
  }
}

output functionAppName string = functionApp.outputs.name
output address string = functionApp.outputs.address
