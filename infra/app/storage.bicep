// Rekey's own storage account: the Functions host, the durable engine, the evidence, the events and the code.
// Whoever reads it reads all of that, so it has no keys: every access is an identity's.
param name string
param location string
param tags object
param sku string
param publicNetworkAccess string

@description('Object id of Rekey\'s identity.')
param principalId string

var roles = loadJsonContent('../roles.json')

resource account 'Microsoft.Storage/storageAccounts@2026-04-01' = {
  name: name
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: {
    name: sku
  }
  properties: {
    allowSharedKeyAccess: false
    defaultToOAuthAuthentication: true
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    isLocalUserEnabled: false
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    publicNetworkAccess: publicNetworkAccess
    networkAcls: {
      // Event Grid is a trusted service: it delivers by its own identity past a closed network.
      bypass: 'AzureServices'
      defaultAction: publicNetworkAccess == 'Enabled' ? 'Allow' : 'Deny'
    }
  }
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2026-04-01' = {
  parent: account
  name: 'default'
  properties: {
    // No soft delete of blobs: leases and the host's locks are overwritten all day, and each would leave a snapshot.
    containerDeleteRetentionPolicy: {
      enabled: true
      days: 30
    }
  }
}

resource records 'Microsoft.Storage/storageAccounts/blobServices/containers@2026-04-01' = {
  parent: blobs
  name: 'rekey'
}

resource deployments 'Microsoft.Storage/storageAccounts/blobServices/containers@2026-04-01' = {
  parent: blobs
  name: 'deployments'
}

resource deadLetters 'Microsoft.Storage/storageAccounts/blobServices/containers@2026-04-01' = {
  parent: blobs
  name: 'event-dead-letters'
}

resource queues 'Microsoft.Storage/storageAccounts/queueServices@2026-04-01' = {
  parent: account
  name: 'default'
}

resource events 'Microsoft.Storage/storageAccounts/queueServices/queues@2026-04-01' = {
  parent: queues
  name: 'kv-secrets-near-expiry'
}

resource poison 'Microsoft.Storage/storageAccounts/queueServices/queues@2026-04-01' = {
  parent: queues
  name: 'kv-secrets-near-expiry-poison'
}

resource blobOwner 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(account.id, principalId, roles.storageBlobDataOwner.id)
  scope: account
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.storageBlobDataOwner.id)
    principalId: principalId
    principalType: 'ServicePrincipal'
    description: 'The Functions host keeps locks and keys here, the durable engine large messages, Rekey its records, leases and outbox, Flex Consumption the package.'
  }
}

resource queueContributor 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(account.id, principalId, roles.storageQueueDataContributor.id)
  scope: account
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.storageQueueDataContributor.id)
    principalId: principalId
    principalType: 'ServicePrincipal'
    description: 'The queue trigger takes the events, the host puts away what is poison, the durable engine makes and works on its own queues.'
  }
}

resource tableContributor 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(account.id, principalId, roles.storageTableDataContributor.id)
  scope: account
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.storageTableDataContributor.id)
    principalId: principalId
    principalType: 'ServicePrincipal'
    description: 'The durable engine keeps instances, histories and partitions in tables that it makes itself.'
  }
}

output id string = account.id
output name string = account.name
output deploymentContainer string = deployments.name
output queueName string = events.name
output deadLetterContainer string = deadLetters.name
