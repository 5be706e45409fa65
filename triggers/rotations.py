"""Finds one rotation by either of its ids: the record it has, and the instance that walks it."""

from typing import TYPE_CHECKING

from rekey import names
from rekey import operator_view as view
from rekey.clients import clients
from rekey.starting import DurableClient
from triggers.instances import instance

if TYPE_CHECKING:
    from rekey.records import Record, Records


async def found(wanted: str, client: DurableClient) -> "tuple[Record | None, view.Instance | None]":
    """Return record and instance of a rotation's id or an instance's, in lower case; a 404 if there is neither.

    The instance may walk another rotation by now: compare `rotation_id`.
    """
    if names.ROTATION_ID.fullmatch(wanted):
        record = await records().read(wanted)
        walking = await instance(client, record.instance_id) if record else None
    elif view.INSTANCE_ID.fullmatch(wanted):
        walking = await instance(client, wanted)
        record = await records().read(walking.rotation_id) if walking and walking.rotation_id else None
    else:
        raise view.unknown(wanted)
    if record is None and walking is None:
        raise view.unknown(wanted)
    return record, walking


def records() -> "Records":
    """Return the evidence."""
    from rekey.records import Records  # noqa: PLC0415 - azure-core would be a tenth of the app's start

    return Records(clients().container())
