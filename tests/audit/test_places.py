"""Holds that the audit logs of the vaults that settings name are found, in whatever case, and no others."""

from azure.storage.blob.aio import ContainerClient

from local.storage import Azurite
from rekey.audit.places import places
from rekey.model.audit import Place
from tests.audit.log_world import append, prefix

HOUR = "y=2026/m=11/d=21/h=14/m=00/PT1H.json"


async def test_the_vaults_of_settings_are_found(logs: ContainerClient) -> None:
    """Every folder of a vault that was asked for is a place, also of one vault in two groups or in another case."""
    mine = [prefix("kv-a"), prefix("kv-b", "OTHER"), prefix("kv-b").lower()]
    others = [
        prefix("kv-c"),
        prefix("kv-a").replace("VAULTS", "MANAGEDHSMS"),
        prefix("kv-a").replace("MICROSOFT.KEYVAULT", "MICROSOFT.LOGIC"),
        "resourceId=/SUBSCRIPTIONS/S/",
        "tenantId=/T/",
    ]
    for one in (*mine, *others):
        await append(logs, f"{one}{HOUR}", b" ")
    found = await places(logs, 3, {"kv-a", "kv-b"})
    assert sorted(found, key=lambda place: place.prefix) == sorted(
        (Place(account=3, prefix=one, vault=name) for one, name in zip(mine, ("kv-a", "kv-b", "kv-b"), strict=True)),
        key=lambda place: place.prefix,
    )


async def test_a_blob_of_the_vaults_name_is_no_place(logs: ContainerClient) -> None:
    """Only a folder is a vault's."""
    await append(logs, prefix("kv-a").removesuffix("/"), b" ")
    assert await places(logs, 0, {"kv-a"}) == ()


async def test_an_account_without_logs_has_none(azurite: Azurite) -> None:
    """Where no vault has ever had a log there isn't even a container, which is no error."""
    async with ContainerClient.from_connection_string(azurite.connection_string, "nobody-made-this") as none:
        assert await places(none, 0, {"kv-a"}) == ()
