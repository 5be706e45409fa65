"""Finds one federation by either of its ids: the record it has, and the instance that is at work on it."""

from typing import TYPE_CHECKING

from rekey import names
from rekey.clients import clients
from rekey.starting import DurableClient
from triggers.instances import instance

if TYPE_CHECKING:
    from rekey.federation.records import FederationRecord, FederationRecords
    from rekey.operator_view import Instance


async def found(wanted: str, client: DurableClient) -> "tuple[FederationRecord | None, Instance | None]":
    """Return record and instance of a federation's id or an instance's, in lower case; a 404 if there is neither.

    An instance's id means the newest federation of its connection.
    """
    from rekey.federation.view import INSTANCE_ID, unknown  # noqa: PLC0415 - as below

    if names.ROTATION_ID.fullmatch(wanted):
        record = await records().read(wanted)
        at_work = record.federation.instance if record else ""
    elif INSTANCE_ID.fullmatch(wanted):
        record = next((one for one in await records().all() if one.federation.instance == wanted), None)
        at_work = wanted
    else:
        raise unknown(wanted)
    walking = await instance(client, at_work) if at_work else None
    if record is None and walking is None:
        raise unknown(wanted)
    return record, walking


async def decided_with(record: "FederationRecord") -> "FederationRecord":
    """Return the record that decisions about this federation are put down in: a twin's are its first's."""
    first = record.federation.approved_with
    return (await records().read(first) if first else None) or record


def records() -> "FederationRecords":
    """Return the evidence."""
    from rekey.federation.records import FederationRecords  # noqa: PLC0415 - azure-core would be a tenth of the start

    return FederationRecords(clients().container())
