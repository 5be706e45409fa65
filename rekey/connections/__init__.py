"""Service connections of Azure DevOps: how each signs in to Azure, and what is wrong with that. Nothing is changed."""
