// An example: edit it, or copy it for each environment.
using 'main.bicep'

param environmentName = readEnvironmentVariable('AZURE_ENV_NAME', 'prod')

param vaults = [
  {
    name: 'kv-shop'
    resourceGroup: 'rg-shop'
    location: 'westeurope'
    applications: [
      '11111111-1111-1111-1111-111111111111'
    ]
    organizations: {
      contoso: [
        'Shop'
      ]
    }
    resources: [
      '/subscriptions/22222222-2222-2222-2222-222222222222/resourceGroups/rg-shop/providers/Microsoft.Storage/storageAccounts/shopdata'
    ]
  }
]

param operators = [
  'platform@contoso.example'
]

param mailDomains = [
  'contoso.example'
]

param operatorApiClientId = readEnvironmentVariable('REKEY_OPERATOR_API_CLIENT_ID', '33333333-3333-3333-3333-333333333333')

param operatorApiPrincipals = [
  '44444444-4444-4444-4444-444444444444'
]
