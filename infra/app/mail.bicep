// Communication Services Email. The domain that Azure manages is always there: it sends until a domain of your own is verified.
param name string
param tags object
param dataLocation string

@description('A mail domain of your own; empty: none.')
param customDomain string

@description('Whether it is verified: an unverified domain can\'t be linked.')
param customDomainVerified bool

@description('Object ids of the function apps\' identities.')
param principalIds string[]

var roles = loadJsonContent('../roles.json')
var sendsFromCustom = !empty(customDomain) && customDomainVerified

resource emailService 'Microsoft.Communication/emailServices@2025-09-01' = {
  name: name
  location: 'global'
  tags: tags
  properties: {
    dataLocation: dataLocation
  }
}

resource managed 'Microsoft.Communication/emailServices/domains@2025-09-01' = {
  parent: emailService
  name: 'AzureManagedDomain'
  location: 'global'
  tags: tags
  properties: {
    domainManagement: 'AzureManaged'
    userEngagementTracking: 'Disabled'
  }
}

resource custom 'Microsoft.Communication/emailServices/domains@2025-09-01' = if (!empty(customDomain)) {
  parent: emailService
  name: empty(customDomain) ? 'none' : customDomain
  location: 'global'
  tags: tags
  properties: {
    domainManagement: 'CustomerManaged'
    userEngagementTracking: 'Disabled'
  }
}

resource communication 'Microsoft.Communication/communicationServices@2025-09-01' = {
  name: name
  location: 'global'
  tags: tags
  properties: {
    dataLocation: dataLocation
    disableLocalAuth: true
    linkedDomains: sendsFromCustom ? [custom!.id] : [managed.id]
  }
}

resource sender 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for principalId in principalIds: {
    name: guid(communication.id, principalId, roles.communicationAndEmailServiceOwner.id)
    scope: communication
    properties: {
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.communicationAndEmailServiceOwner.id)
      principalId: principalId
      principalType: 'ServicePrincipal'
      description: 'Rekey tells owners and third parties by mail; there is no smaller built-in role that may send.'
    }
  }
]

output endpoint string = 'https://${communication.properties.hostName}'
output sender string = sendsFromCustom ? 'DoNotReply@${customDomain}' : 'DoNotReply@${managed.properties.fromSenderDomain}'
output customDomainRecords object = empty(customDomain) ? {} : custom!.properties.verificationRecords
