// Where telemetry goes, and the workbook that shows the rotations in it. Telemetry is taken from identities only.
param environmentName string
param location string
param tags object
param retentionDays int

@description('Object ids of the function apps\' identities.')
param principalIds string[]

var roles = loadJsonContent('../roles.json')

resource workspace 'Microsoft.OperationalInsights/workspaces@2025-02-01' = {
  name: 'log-rekey-${environmentName}'
  location: location
  tags: tags
  properties: {
    sku: {
      name: 'PerGB2018'
    }
    retentionInDays: retentionDays
    features: {
      disableLocalAuth: true
    }
  }
}

resource insights 'Microsoft.Insights/components@2020-02-02' = {
  name: 'appi-rekey-${environmentName}'
  location: location
  tags: tags
  kind: 'web'
  properties: {
    Application_Type: 'web'
    WorkspaceResourceId: workspace.id
    DisableLocalAuth: true
  }
}

resource publisher 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for principalId in principalIds: {
    name: guid(insights.id, principalId, roles.monitoringMetricsPublisher.id)
    scope: insights
    properties: {
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.monitoringMetricsPublisher.id)
      principalId: principalId
      principalType: 'ServicePrincipal'
      description: 'The host sends logs and metrics; without local authentication it needs an identity that may.'
    }
  }
]

resource workbook 'Microsoft.Insights/workbooks@2023-06-01' = {
  name: guid(resourceGroup().id, environmentName, 'rotations')
  location: location
  tags: tags
  kind: 'shared'
  properties: {
    displayName: 'Rekey rotations (${environmentName})'
    category: 'workbook'
    version: '1.0'
    sourceId: insights.id
    serializedData: replace(loadTextContent('../workbook/rotations.json'), '{applicationInsightsId}', insights.id)
  }
}

output connectionString string = insights.properties.ConnectionString
