// What one existing vault gets: Rekey's role, an audit log, and events about secrets that near their end.
param environmentName string

@description('The vault\'s name; it is in this module\'s resource group.')
param name string

@description('The vault\'s region.')
param location string
param tags object

@description('The system topic that the vault has already; empty: one is made.')
param existingSystemTopicName string

@description('The resource group of the topic, in the vault\'s subscription.')
param topicResourceGroup string

@description('Object id of Rekey\'s identity.')
param principalId string

@description('ARM id of the storage account that takes the audit log; in the vault\'s region.')
param auditStorageId string

@description('Where Rekey itself is.')
param rekeySubscriptionId string
param rekeyResourceGroup string
param storageAccountName string
param queueName string
param deadLetterContainer string

var roles = loadJsonContent('../roles.json')
var topicName = empty(existingSystemTopicName) ? 'evgt-${name}' : existingSystemTopicName

resource vault 'Microsoft.KeyVault/vaults@2023-07-01' existing = {
  name: name
}

resource secretsOfficer 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(vault.id, principalId, roles.keyVaultSecretsOfficer.id)
  scope: vault
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.keyVaultSecretsOfficer.id)
    principalId: principalId
    principalType: 'ServicePrincipal'
    description: 'Rekey reads tags and values, writes new versions and disables old ones; there is no built-in role that may write and not delete.'
  }
}

resource audit 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'rekey-${environmentName}'
  scope: vault
  properties: {
    storageAccountId: auditStorageId
    logs: [
      {
        category: 'AuditEvent'
        enabled: true
      }
    ]
  }
}

resource newTopic 'Microsoft.EventGrid/systemTopics@2025-02-15' = if (empty(existingSystemTopicName)) {
  name: topicName
  location: location
  tags: tags
  identity: {
    type: 'SystemAssigned'
  }
  properties: {
    source: vault.id
    topicType: 'Microsoft.KeyVault.vaults'
  }
}

module topic 'topic-identity.bicep' = {
  name: 'rekey-${environmentName}-vault-${name}-topic'
  scope: resourceGroup(topicResourceGroup)
  params: {
    name: topicName
  }
  dependsOn: [
    newTopic
  ]
}

module delivery 'event-delivery.bicep' = {
  name: 'rekey-${environmentName}-vault-${name}-roles'
  scope: resourceGroup(rekeySubscriptionId, rekeyResourceGroup)
  params: {
    storageAccountName: storageAccountName
    queueName: queueName
    deadLetterContainer: deadLetterContainer
    principalId: topic.outputs.principalId
  }
}

module eventSubscription 'event-subscription.bicep' = {
  name: 'rekey-${environmentName}-vault-${name}-events'
  scope: resourceGroup(topicResourceGroup)
  params: {
    name: 'rekey-${environmentName}'
    topicName: topicName
    storageAccountId: delivery.outputs.storageAccountId
    queueName: queueName
    deadLetterContainer: deadLetterContainer
  }
}
