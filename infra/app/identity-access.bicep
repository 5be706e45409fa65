// What Rekey may do on a user-assigned identity that a service connection signs in as.
param name string

@description('Object ids of the identities that may: of the app that rotates, and of the one that vends.')
param principalIds string[]

var roles = loadJsonContent('../roles.json')

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = {
  name: name
}

resource truster 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for principalId in principalIds: {
    name: guid(identity.id, principalId, roles.federatedIdentityCredentialContributor.id)
    scope: identity
    properties: {
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.federatedIdentityCredentialContributor.id)
      principalId: principalId
      principalType: 'ServicePrincipal'
      description: 'Rekey compares whom the identity trusts with its service connection, and makes the credential that is missing.'
    }
  }
]
