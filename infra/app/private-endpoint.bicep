// One service of one resource, as an address inside a network.
param name string
param location string
param tags object

@description('ARM id of the subnet that the address is in.')
param subnetId string

@description('ARM id of the resource.')
param targetId string

@description('What of the resource: blob, queue, table, vault or sites.')
param service string

@description('ARM id of the private DNS zone that gets the address; empty: DNS is looked after elsewhere.')
param dnsZoneId string

resource endpoint 'Microsoft.Network/privateEndpoints@2025-05-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    subnet: {
      id: subnetId
    }
    privateLinkServiceConnections: [
      {
        name: service
        properties: {
          privateLinkServiceId: targetId
          groupIds: [
            service
          ]
        }
      }
    ]
  }
}

resource address 'Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2025-05-01' = if (!empty(dnsZoneId)) {
  parent: endpoint
  name: 'default'
  properties: {
    privateDnsZoneConfigs: [
      {
        name: service
        properties: {
          privateDnsZoneId: dnsZoneId
        }
      }
    ]
  }
}
