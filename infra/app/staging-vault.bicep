// Rekey's own vault, for values that their issuer shows a single time: they are purged as soon as they are published.
param name string
param location string
param tags object
param publicNetworkAccess string

@description('Object id of Rekey\'s identity.')
param principalId string

@description('ARM id of the storage account that takes the audit log; in the vault\'s region.')
param auditStorageId string

var roles = loadJsonContent('../roles.json')

resource vault 'Microsoft.KeyVault/vaults@2023-07-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    tenantId: subscription().tenantId
    sku: {
      family: 'A'
      name: 'standard'
    }
    enableRbacAuthorization: true
    enableSoftDelete: true
    softDeleteRetentionInDays: 7
    // No purge protection, on purpose: it can't be taken back, and a value that was published has to be gone at once.
    publicNetworkAccess: publicNetworkAccess
    networkAcls: {
      bypass: 'None'
      defaultAction: publicNetworkAccess == 'Enabled' ? 'Allow' : 'Deny'
    }
  }
}

resource secretsOfficer 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(vault.id, principalId, roles.keyVaultSecretsOfficer.id)
  scope: vault
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.keyVaultSecretsOfficer.id)
    principalId: principalId
    principalType: 'ServicePrincipal'
    description: 'Rekey stages a value, reads it once to publish it, then deletes and purges it: the role has the data action secrets/purge as well.'
  }
}

resource audit 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'rekey-audit'
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

output id string = vault.id
output name string = vault.name
