"""Where the services of each Azure cloud are: the only hosts Rekey ever sends a token or a secret to.

Sources: https://learn.microsoft.com/azure/azure-government/compare-azure-government-global-azure and
https://learn.microsoft.com/azure/china/resources-developer-guide. Azure DevOps exists in the public cloud only.
"""

import msgspec

AZURE_DEVOPS_RESOURCE = "499b84ac-1321-427f-aa17-267ca6975798"


class Cloud(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One cloud's endpoints: origins without a slash at the end, suffixes without a dot in front; a port may follow."""

    authority: str
    graph: str
    vault_suffix: str
    vault_resource: str
    resource_manager: str
    azure_devops: str
    mail_suffix: str
    storage_suffix: str = "core.windows.net"
    azure_devops_resource: str = AZURE_DEVOPS_RESOURCE
    azure_devops_release: str = "https://vsrm.dev.azure.com"
    """Classic releases: https://learn.microsoft.com/rest/api/azure/devops/release/releases/create."""
    exchange_audience: str = "api://AzureADTokenExchange"
    """The audience of tokens that Entra exchanges: https://learn.microsoft.com/entra/workload-id/workload-identity-federation-create-trust."""

    def vault_url(self, vault: str) -> str:
        """Return the origin of the Key Vault of that name."""
        return f"https://{vault}.{self.vault_suffix}"

    def blob_url(self, account: str) -> str:
        """Return the origin of the blob service of the storage account of that name."""
        return f"https://{account}.blob.{self.storage_suffix}"


CLOUDS = {
    "public": Cloud(
        authority="https://login.microsoftonline.com",
        graph="https://graph.microsoft.com",
        vault_suffix="vault.azure.net",
        vault_resource="https://vault.azure.net",
        resource_manager="https://management.azure.com",
        azure_devops="https://dev.azure.com",
        mail_suffix="communication.azure.com",
    ),
    "usgovernment": Cloud(
        authority="https://login.microsoftonline.us",
        graph="https://graph.microsoft.us",
        vault_suffix="vault.usgovcloudapi.net",
        vault_resource="https://vault.usgovcloudapi.net",
        resource_manager="https://management.usgovcloudapi.net",
        azure_devops="https://dev.azure.com",
        mail_suffix="communication.azure.us",
        storage_suffix="core.usgovcloudapi.net",
        exchange_audience="api://AzureADTokenExchangeUSGov",
    ),
    "china": Cloud(
        authority="https://login.chinacloudapi.cn",
        graph="https://microsoftgraph.chinacloudapi.cn",
        vault_suffix="vault.azure.cn",
        vault_resource="https://vault.azure.cn",
        resource_manager="https://management.chinacloudapi.cn",
        azure_devops="https://dev.azure.com",
        mail_suffix="communication.azure.cn",
        storage_suffix="core.chinacloudapi.cn",
        exchange_audience="api://AzureADTokenExchangeChina",
    ),
}
