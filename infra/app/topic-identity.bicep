// The identity that a system topic delivers with. Asked of the topic itself, for it may be older than Rekey.
param name string

resource topic 'Microsoft.EventGrid/systemTopics@2025-02-15' existing = {
  name: name
}

@description('Object id; a topic without a system-assigned identity fails the deployment here.')
output principalId string = topic.identity.principalId
