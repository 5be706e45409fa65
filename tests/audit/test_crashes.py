"""Holds that whoever dies in a turn, at whichever request, leaves nothing skipped and nothing counted twice."""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest
from azure.storage.blob.aio import ContainerClient

from local.storage import Azurite
from rekey.audit.access import Access
from rekey.audit.ports import Hit
from rekey.audit.unreadable import PREFIX as UNREADABLE
from rekey.errors import NotYetError
from rekey.model.audit import Read
from tests.audit.log_world import NOW, ago, append, blob_name, everything_hits, hits, lines, put, record, turn
from tests.audit.struck import KilledError, Strike, struck

ETAG = re.compile(rb',"etag":"(?:[^"\\\\]|\\\\.)*"')
HOURS = (blob_name(ago(hours=1)), blob_name(NOW))


async def before(logs: ContainerClient, own: ContainerClient) -> None:
    """Have one turn behind us, and for the next one news of every sort."""
    await put(logs, HOURS[0], lines(record("a"), record("b")))
    await put(logs, HOURS[1], lines(record("a")))
    await turn(logs, own)
    await append(logs, HOURS[0], lines(record("a")) + b"garbage\n")
    await put(logs, HOURS[1], lines(record("c")))


async def kept(own: ContainerClient) -> dict[str, bytes]:
    """Return all that Rekey keeps, but ETags; what was unreadable goes by its content, for its name has one in it."""
    found = {}
    for name, body in (await stored(own)).items():
        plain = ETAG.sub(b"", body)
        found[UNREADABLE + plain.decode() if name.startswith(UNREADABLE) else name] = plain
    return found


async def stored(own: ContainerClient) -> dict[str, bytes]:
    """Return every blob."""
    return {name: await (await own.download_blob(name)).readall() async for name in own.list_blob_names()}


@asynccontextmanager
async def copied(azurite: Azurite, blobs: dict[str, bytes]) -> AsyncIterator[ContainerClient]:
    """Return a container that has these."""
    async with ContainerClient.from_connection_string(azurite.connection_string, f"c{uuid4().hex}") as made:
        await made.create_container()
        for name, body in blobs.items():
            await made.upload_blob(name, body)
        yield made


async def test_a_turn_that_dies_anywhere_is_as_if_it_had_not_been(
    azurite: Azurite, logs: ContainerClient, container: ContainerClient
) -> None:
    """A turn that dies at any request, before it or once it was carried out, and the next one leave what one leaves."""
    await before(logs, container)
    begun, never = await stored(container), Strike()
    async with struck(azurite, never, logs.container_name, container.container_name) as (source, own):
        await turn(source, own)
    expected = await kept(container)
    assert await hits(container) == {"a": 3, "b": 1, "c": 1}
    assert [method for method in never.methods if method != "GET"] == ["PUT"] * 3
    for number, method in enumerate(never.methods):
        for after in (False, True) if method == "PUT" else (True,):
            async with (
                copied(azurite, begun) as fresh,
                struck(azurite, Strike(number, after), logs.container_name, fresh.container_name) as (source, own),
            ):
                with pytest.raises(KilledError):
                    await turn(source, own)
                await turn(logs, fresh)
                assert await kept(fresh) == expected, (number, method, after)


async def test_of_two_turns_at_once_one_counts(logs: ContainerClient, container: ContainerClient) -> None:
    """A turn that is overtaken while it judges fails, having done nothing; the other one stands."""
    await append(logs, HOURS[1], lines(record("a")) + b"garbage\n")
    everything = everything_hits(container)

    async def overtaken(accesses: Sequence[Access]) -> Sequence[Hit]:
        await append(logs, HOURS[1], lines(record("b")) + b"more of it\n")
        await turn(logs, container)
        return await everything(accesses)

    with pytest.raises(NotYetError) as refused:
        await turn(logs, container, weigh=overtaken)
    assert refused.value.code == "audit-overtaken"
    assert await hits(container) == {"a": 1, "b": 1}
    (side,) = [body for name, body in (await kept(container)).items() if name.startswith(UNREADABLE)]
    assert b"more of it" in side
    assert (await turn(logs, container)).read == 0


async def test_turns_that_race_count_each_line_once(logs: ContainerClient, container: ContainerClient) -> None:
    """Whatever the order in which turns read and write, each line counts once, and one gets through."""
    for number in range(3):
        await append(logs, HOURS[1], lines(record(f"s{number}"), record("all")))
        raced = await asyncio.gather(*(turn(logs, container) for _ in range(4)), return_exceptions=True)
        assert {type(one) for one in raced} <= {NotYetError, Read}
        assert Read in {type(one) for one in raced}
    assert await hits(container) == {"all": 3, "s0": 1, "s1": 1, "s2": 1}
