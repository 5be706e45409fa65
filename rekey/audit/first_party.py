"""Applications of Microsoft's own that Azure lets read customers' vaults on the customer's behalf.

Only those whose documentation asks for the right to get secrets, and that hand what they read to no person: they load
certificates. Azure Databricks and Azure Batch aren't among them: whoever uses a workspace or a pool gets the values.
"""

READERS = {
    # https://learn.microsoft.com/azure/app-service/configure-ssl-certificate#authorize-app-service-to-read-from-the-vault
    "abfa0a7c-a6b6-4736-8310-5855508787cd": "Microsoft Azure App Service",
    "6a02c803-dafd-4136-b4c3-5a6f318b4714": "Microsoft Azure App Service (US Government)",
    "f3c21649-0979-4721-ac85-b0216b2cf413": "Microsoft.Azure.CertificateRegistration",
    # https://learn.microsoft.com/azure/frontdoor/standard-premium/how-to-configure-https-custom-domain
    "205478c0-bd83-4e1b-a9d6-db63a3e1e1c8": "Microsoft.AzureFrontDoor-Cdn (Standard)",
    "d4631ece-daab-479b-be77-ccb713491fc0": "Microsoft.AzureFrontDoor-Cdn (Premium)",
    # https://learn.microsoft.com/azure/frontdoor/front-door-custom-domain-https
    "ad0e1c7e-6d38-4ba4-9efd-0bc77ba9f037": "Microsoft.Azure.Frontdoor (classic)",
}
"""Names by application id, lower case."""
