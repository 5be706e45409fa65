// One deployment of Rekey into one resource group, and what it needs beside the vaults and resources it works on.
// What no template can grant (Graph permissions, ownership, Azure DevOps) is in docs/deploy.md.
targetScope = 'resourceGroup'

@description('An existing Key Vault whose tagged secrets Rekey rotates, and what their tags may name. The vault must use Azure RBAC.')
type targetVault = {
  @description('The vault\'s name.')
  name: string

  @description('The vault\'s resource group.')
  resourceGroup: string

  @description('The vault\'s subscription; left out: the one of this deployment.')
  subscriptionId: string?

  @description('The vault\'s region: its event topic and the storage account of its audit log have to be there too.')
  location: string

  @description('The vault\'s Event Grid system topic, if it has one already, for a vault can have only one. It needs a system-assigned identity.')
  existingSystemTopicName: string?

  @description('The resource group of that topic; left out: the vault\'s.')
  existingSystemTopicResourceGroup: string?

  @description('Client ids of the Entra applications that secrets of this vault may name.')
  applications: string[]?

  @description('Azure DevOps organizations and their projects that secrets of this vault may name: {contoso: [\'Shop\']}.')
  organizations: object?

  @description('ARM ids of the storage accounts, workflows and sites that secrets of this vault may name, and of the user-assigned identities of service connections. Rekey is granted its role on each; an id of anything else, such as a resource group, is only allowed.')
  resources: string[]?
}

@description('An existing user-assigned identity for one plane. Rekey\'s own storage has none: the host reads it by the app\'s identity anyway.')
type planeIdentity = {
  @description('The plane that it is for.')
  plane: 'vault' | 'graph' | 'azure-devops' | 'resource-manager' | 'mail'

  @description('ARM id: it is attached to the function app.')
  id: string

  @description('Client id: it signs in as that.')
  clientId: string

  @description('Object id: the plane\'s roles are its.')
  principalId: string
}

@description('What a second function app may vend: service connections without a secret, and roles for what they sign in as.')
type vendingTerms = {
  @description('The role definitions that it may grant, by GUID. With one that can grant all others (Owner, User Access Administrator, Role Based Access Control Administrator) the deployment fails.')
  @minLength(1)
  roles: string[]

  @description('ARM ids of the resource groups, or subscriptions, that it may grant them at and below. Its right to do so is granted there, limited to these roles and to service principals; an id of anything else is only allowed.')
  @minLength(1)
  scopes: string[]

  @description('ARM id of the resource group that it makes user-assigned identities in: one that exists, with nothing else in it.')
  identities: string

  @description('The region of those identities, by its short name; left out: the one of this deployment.')
  location: string?

  @description('What it may do; left out: both.')
  federation: ('side-by-side' | 'vend')[]?

  @description('Object ids of those who may call its operator API; left out: operatorApiPrincipals. Whoever asks can\'t approve, so there have to be two.')
  operatorApiPrincipals: string[]?
}

@description('The deployment\'s name, in every resource\'s name and in the label of every credential that Rekey makes: 1 to 20 of a-z, 0-9 and -.')
@minLength(1)
@maxLength(20)
param environmentName string

@description('The region of everything that is Rekey\'s own.')
param location string = resourceGroup().location

@description('The vaults whose secrets are rotated.')
@minLength(1)
param vaults targetVault[]

@description('Mail addresses of those who are told when nobody else can be.')
@minLength(1)
param operators string[]

@description('The domains that mail may go to, such as contoso.com.')
@minLength(1)
param mailDomains string[]

@description('Client id of the Entra application that stands for the operator API; docs/deploy.md says how to register it.')
param operatorApiClientId string

@description('Object ids of the users and service principals that may call the operator API. App Service takes 500 characters of them.')
@minLength(1)
@maxLength(13)
param operatorApiPrincipals string[]

@description('Client ids of the applications that they may call it through; by default the Azure CLI alone.')
@minLength(1)
param operatorApiClients string[] = [
  '04b07795-8ddb-461a-bbee-02f9e1bf7b46'
]

@description('Where Communication Services keeps data at rest.')
param mailDataLocation string = 'Europe'

@description('A mail domain of your own to send from; empty: a domain that Azure manages, which sends 10 mails an hour.')
param mailDomain string = ''

@description('Whether that domain is verified. Deploy once with false, set its DNS records (output mailDomainRecords), verify it, then deploy with true.')
param mailDomainVerified bool = false

@description('Identities for single planes; the others use the one that is made here.')
param identities planeIdentity[] = []

@description('Limits of services that differ from the public ones, {\'vault-creates\': {count: 300, seconds: 10}}.')
param limits object = {}

@description('Timers that shall fire at another time than by default, {rotate_due: \'0 0 1 * * *\'} (UTC).')
param schedules object = {}

@description('Days that the history of ended instances is kept; records are kept for ever.')
@minValue(1)
param historyDays int = 90

@description('Whether the nightly check says that all is well.')
@allowed([
  'mail'
  'silent'
])
param whenWell string = 'mail'

@description('Days that telemetry is kept.')
@minValue(30)
@maxValue(730)
param logRetentionDays int = 90

@description('Days that the vaults\' audit logs are kept.')
@minValue(1)
param auditRetentionDays int = 180

@description('Who may read each secret of a vault that has no tag rekey-readers, {vault: [application or object ids]}.')
param readers object = {}

@description('Rules of the audit log that are switched off, {rule: \'off\'}.')
param auditRules object = {}

@description('What may be done to service connections so that they need no secret: repair mends the trust of those that have none, in-place converts by an operation that Azure DevOps does not document (docs/federation.md).')
param federation ('repair' | 'in-place')[] = [
  'repair'
]

@description('Makes a second function app with an identity of its own, for connections side by side and new ones; left out: there is none.')
param vending vendingTerms?

@description('Redundancy of Rekey\'s storage account, which holds the evidence; Standard_LRS where a region has no zones.')
param storageSku string = 'Standard_ZRS'

@description('Instances that are always there for the durable engine: Microsoft recommends 1 against cold starts, which no rotation minds.')
@minValue(0)
param alwaysReadyInstances int = 0

@description('A subnet delegated to Microsoft.App/environments, by its ARM id, for outbound traffic; empty: none.')
param subnetId string = ''

@description('A subnet for private endpoints of Rekey\'s storage account, staging vault and function app, by its ARM id; empty: none are made.')
param privateEndpointSubnetId string = ''

@description('ARM ids of the private DNS zones that get their addresses, {blob: \'...\'}, for blob, queue, table, vault and sites.')
param privateDnsZoneIds object = {}

@description('Whether the function app answers from public networks. Disabled needs a private endpoint, for deployments too.')
@allowed([
  'Enabled'
  'Disabled'
])
param apiPublicNetworkAccess string = 'Enabled'

@description('Whether Rekey\'s storage accounts and staging vault answer from public networks. Disabled needs subnetId and private endpoints.')
@allowed([
  'Enabled'
  'Disabled'
])
param dataPublicNetworkAccess string = 'Enabled'

@description('Tags of every resource.')
param tags object = {}

var allTags = union(tags, { 'azd-env-name': environmentName })
var suffix = uniqueString(resourceGroup().id, environmentName)
var clouds = {
  AzureCloud: 'public'
  AzureUSGovernment: 'usgovernment'
  AzureChinaCloud: 'china'
}

var ownRegion = toLower(location)
var regions = union([ownRegion], map(vaults, entry => toLower(entry.location)))
var auditAccounts = map(regions, region => 'rkaudit${uniqueString(resourceGroup().id, environmentName, region)}')

// A slot's site stands for it: nine segments are /subscriptions/<id>/resourceGroups/<name>/providers/<type>/<kind>/<name>.
var namedResources = flatten(map(vaults, entry => entry.?resources ?? []))
var resources = union(map(namedResources, id => join(take(split(toLower(id), '/'), 9), '/')), [])
var storageAccounts = filter(resources, id => contains(id, '/providers/microsoft.storage/storageaccounts/'))
var workflows = filter(resources, id => contains(id, '/providers/microsoft.logic/workflows/'))
var sites = filter(resources, id => contains(id, '/providers/microsoft.web/sites/'))
var connectionIdentities = filter(resources, id => contains(id, '/providers/microsoft.managedidentity/userassignedidentities/'))

var privateServices = empty(privateEndpointSubnetId) ? [] : ['blob', 'queue', 'table', 'vault', 'sites']

var principals = toObject(identities, entry => entry.plane, entry => entry.principalId)

var scopes = map(vaults, entry => {
  vaults: [entry.name]
  applications: entry.?applications ?? []
  organizations: entry.?organizations ?? {}
  resources: entry.?resources ?? []
})

// https://learn.microsoft.com/azure/communication-services/concepts/service-limits#email
var managedDomainLimits = {
  'mail-minute': { count: 5, seconds: 60 }
  'mail-hour': { count: 10, seconds: 3600 }
}

// Those of both function apps.
var sharedSettings = {
  REKEY_CLOUD: clouds[environment().name]
  REKEY_DEPLOYMENT: environmentName
  REKEY_TENANT_ID: subscription().tenantId
  REKEY_SCOPES: string(scopes)
  REKEY_STAGING_VAULT: stagingVault.outputs.name
  REKEY_OPERATORS: join(operators, ',')
  REKEY_MAIL_DOMAINS: join(mailDomains, ',')
  REKEY_MAIL_ENDPOINT: mail.outputs.endpoint
  REKEY_MAIL_SENDER: mail.outputs.sender
  REKEY_LIMITS: string(union(mailDomainVerified ? {} : managedDomainLimits, limits))
  REKEY_SCHEDULES: string(schedules)
  REKEY_HISTORY_DAYS: string(historyDays)
  REKEY_WHEN_WELL: whenWell
  REKEY_READERS: string(readers)
  REKEY_AUDIT_RULES: string(auditRules)
}

var vends = vending != null
var refusedRoles = map(loadJsonContent('refused-roles.json'), role => role.id)
var askedRoles = map(vending.?roles ?? [], id => toLower(id))
var vendedRoles = empty(filter(askedRoles, id => contains(refusedRoles, id))) ? askedRoles : fail('vending.roles: Owner, User Access Administrator and Role Based Access Control Administrator can grant all other roles, and are never granted.')

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: 'id-rekey-${environmentName}'
  location: location
  tags: allTags
}

resource vendingIdentity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = if (vends) {
  name: 'id-rekey-${environmentName}-vending'
  location: location
  tags: allTags
}

module storage 'app/storage.bicep' = {
  name: 'rekey-${environmentName}-storage'
  params: {
    name: 'rekey${suffix}'
    location: location
    tags: allTags
    sku: storageSku
    publicNetworkAccess: dataPublicNetworkAccess
    principalId: identity.properties.principalId
  }
}

module auditStorage 'app/audit-storage.bicep' = [
  for (region, i) in regions: {
    name: 'rekey-${environmentName}-audit-${region}'
    params: {
      name: auditAccounts[i]
      location: region
      tags: allTags
      publicNetworkAccess: dataPublicNetworkAccess
      retentionDays: auditRetentionDays
      principalId: principals.?storage ?? identity.properties.principalId
    }
  }
]

module stagingVault 'app/staging-vault.bicep' = {
  name: 'rekey-${environmentName}-staging'
  params: {
    name: 'kv-rekey-${suffix}'
    location: location
    tags: allTags
    publicNetworkAccess: dataPublicNetworkAccess
    principalId: principals.?vault ?? identity.properties.principalId
    auditStorageId: auditStorage[indexOf(regions, ownRegion)].outputs.id
  }
}

module monitoring 'app/monitoring.bicep' = {
  name: 'rekey-${environmentName}-monitoring'
  params: {
    environmentName: environmentName
    location: location
    tags: allTags
    retentionDays: logRetentionDays
    principalIds: union([identity.properties.principalId], vends ? [vendingIdentity!.properties.principalId] : [])
  }
}

module mail 'app/mail.bicep' = {
  name: 'rekey-${environmentName}-mail'
  params: {
    name: 'rekey-${suffix}'
    tags: allTags
    dataLocation: mailDataLocation
    customDomain: mailDomain
    customDomainVerified: mailDomainVerified
    principalIds: union([principals.?mail ?? identity.properties.principalId], vends ? [vendingIdentity!.properties.principalId] : [])
  }
}

module functionApp 'app/function-app.bicep' = {
  name: 'rekey-${environmentName}-function-app'
  params: {
    name: 'func-rekey-${suffix}'
    location: location
    tags: allTags
    service: 'rekey'
    identityId: identity.id
    moreIdentityIds: map(identities, entry => entry.id)
    identityClientId: identity.properties.clientId
    storageAccountName: storage.outputs.name
    deploymentContainer: storage.outputs.deploymentContainer
    applicationInsightsConnectionString: monitoring.outputs.connectionString
    alwaysReadyInstances: alwaysReadyInstances
    subnetId: subnetId
    publicNetworkAccess: apiPublicNetworkAccess
    authClientId: operatorApiClientId
    authPrincipals: operatorApiPrincipals
    authClients: operatorApiClients
    rekeySettings: union(sharedSettings, {
      REKEY_IDENTITY_CLIENT_ID: identity.properties.clientId
      REKEY_IDENTITIES: string(toObject(identities, entry => entry.plane, entry => entry.clientId))
      REKEY_AUDIT_STORAGE: join(map(auditAccounts, account => 'https://${account}.blob.${environment().suffixes.storage}'), ',')
      REKEY_DUTY: 'rotation'
      REKEY_FEDERATION: join(federation, ',')
      REKEY_VENDING: ''
    })
  }
}

module vendingApp 'app/vending.bicep' = if (vends) {
  name: 'rekey-${environmentName}-vending'
  params: {
    environmentName: environmentName
    location: location
    tags: allTags
    suffix: suffix
    identityId: vendingIdentity!.id
    identityClientId: vendingIdentity!.properties.clientId
    principalId: vendingIdentity!.properties.principalId
    storageSku: storageSku
    dataPublicNetworkAccess: dataPublicNetworkAccess
    apiPublicNetworkAccess: apiPublicNetworkAccess
    applicationInsightsConnectionString: monitoring.outputs.connectionString
    subnetId: subnetId
    privateEndpointSubnetId: privateEndpointSubnetId
    privateDnsZoneIds: privateDnsZoneIds
    authClientId: operatorApiClientId
    authPrincipals: vending.?operatorApiPrincipals ?? operatorApiPrincipals
    authClients: operatorApiClients
    roleIds: vendedRoles
    scopes: vending.?scopes ?? []
    identities: vending.?identities ?? ''
    rekeySettings: union(sharedSettings, {
      REKEY_IDENTITY_CLIENT_ID: vendingIdentity!.properties.clientId
      REKEY_IDENTITIES: '{}'
      REKEY_AUDIT_STORAGE: ''
      REKEY_DUTY: 'vending'
      REKEY_FEDERATION: join(vending.?federation ?? ['side-by-side', 'vend'], ',')
      REKEY_VENDING: string({
        roles: vendedRoles
        scopes: vending.?scopes ?? []
        identities: vending.?identities ?? ''
        location: toLower(vending.?location ?? location)
      })
    })
  }
}

module privateEndpoint 'app/private-endpoint.bicep' = [
  for service in privateServices: {
    name: 'rekey-${environmentName}-private-${service}'
    params: {
      name: 'pe-rekey-${environmentName}-${service}'
      location: location
      tags: allTags
      subnetId: privateEndpointSubnetId
      targetId: service == 'vault' ? stagingVault.outputs.id : service == 'sites' ? functionApp.outputs.id : storage.outputs.id
      service: service
      dnsZoneId: privateDnsZoneIds[?service] ?? ''
    }
  }
]

module vaultAccess 'app/vault.bicep' = [
  for target in vaults: {
    name: 'rekey-${environmentName}-vault-${target.name}'
    scope: resourceGroup(target.?subscriptionId ?? subscription().subscriptionId, target.resourceGroup)
    params: {
      environmentName: environmentName
      name: target.name
      location: target.location
      tags: allTags
      existingSystemTopicName: target.?existingSystemTopicName ?? ''
      topicResourceGroup: target.?existingSystemTopicResourceGroup ?? target.resourceGroup
      principalId: principals.?vault ?? identity.properties.principalId
      auditStorageId: auditStorage[indexOf(regions, toLower(target.location))].outputs.id
      rekeySubscriptionId: subscription().subscriptionId
      rekeyResourceGroup: resourceGroup().name
      storageAccountName: storage.outputs.name
      queueName: storage.outputs.queueName
      deadLetterContainer: storage.outputs.deadLetterContainer
    }
  }
]

module vaultReading 'app/vault-reader.bicep' = [
  for target in vaults: if (vends) {
    name: 'rekey-${environmentName}-reader-${target.name}'
    scope: resourceGroup(target.?subscriptionId ?? subscription().subscriptionId, target.resourceGroup)
    params: {
      name: target.name
      principalId: vendingIdentity!.properties.principalId
    }
  }
]

module storageAccountAccess 'app/storage-account-access.bicep' = [
  for id in storageAccounts: {
    name: 'rekey-${environmentName}-${uniqueString(id)}'
    scope: resourceGroup(split(id, '/')[2], split(id, '/')[4])
    params: {
      name: split(id, '/')[8]
      principalId: principals[?'resource-manager'] ?? identity.properties.principalId
    }
  }
]

module workflowAccess 'app/workflow-access.bicep' = [
  for id in workflows: {
    name: 'rekey-${environmentName}-${uniqueString(id)}'
    scope: resourceGroup(split(id, '/')[2], split(id, '/')[4])
    params: {
      name: split(id, '/')[8]
      principalId: principals[?'resource-manager'] ?? identity.properties.principalId
    }
  }
]

module siteAccess 'app/site-access.bicep' = [
  for id in sites: {
    name: 'rekey-${environmentName}-${uniqueString(id)}'
    scope: resourceGroup(split(id, '/')[2], split(id, '/')[4])
    params: {
      name: split(id, '/')[8]
      principalId: principals[?'resource-manager'] ?? identity.properties.principalId
    }
  }
]

module identityAccess 'app/identity-access.bicep' = [
  for id in connectionIdentities: {
    name: 'rekey-${environmentName}-${uniqueString(id)}'
    scope: resourceGroup(split(id, '/')[2], split(id, '/')[4])
    params: {
      name: split(id, '/')[8]
      principalIds: union([principals[?'resource-manager'] ?? identity.properties.principalId], vends ? [vendingIdentity!.properties.principalId] : [])
    }
  }
]

@description('Object id of the identity that the set-up scripts make owner of the applications and grant Graph permissions.')
output identityPrincipalId string = principals.?graph ?? identity.properties.principalId

@description('Object id of the identity that has to be a user of the Azure DevOps organizations.')
output azureDevOpsPrincipalId string = principals[?'azure-devops'] ?? identity.properties.principalId

@description('Client id of the identity.')
output identityClientId string = identity.properties.clientId

@description('Name of the function app.')
output functionAppName string = functionApp.outputs.name

@description('Address of the operator API.')
output operatorApi string = functionApp.outputs.address

@description('Name of Rekey\'s storage account.')
output storageAccountName string = storage.outputs.name

@description('Name of the staging vault.')
output stagingVaultName string = stagingVault.outputs.name

@description('Whom mails come from.')
output mailSender string = mail.outputs.sender

@description('DNS records that verify mailDomain; empty without one.')
output mailDomainRecords object = mail.outputs.customDomainRecords

@description('Object id of the identity that vends, a user of the Azure DevOps organizations as well; empty without vending.')
output vendingPrincipalId string = vends ? vendingIdentity!.properties.principalId : ''

@description('Name of the function app that vends; empty without vending.')
output vendingFunctionAppName string = vends ? vendingApp!.outputs.functionAppName : ''

@description('Address of its operator API; empty without vending.')
output vendingOperatorApi string = vends ? vendingApp!.outputs.address : ''
