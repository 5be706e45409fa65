"""What waits and what was told survive in storage, once each, on a real blob service."""

import asyncio
import logging

import pytest
from azure.core.exceptions import HttpResponseError, ServiceRequestError
from azure.storage.blob.aio import ContainerClient
from msgspec.structs import replace

from local.preview_notices import samples
from local.processes import free_port
from rekey.blobs import translated
from rekey.errors import NotYetError, PermanentError, RekeyError
from rekey.model import NoticeKind
from rekey.notices.outbox import SET_ASIDE, Outbox
from rekey.notices.told import Told

NOTICE = samples()[NoticeKind.NEEDS_YOU]


async def test_a_notice_waits_until_it_is_removed(container: ContainerClient) -> None:
    """What is put is found as it was, with its reason, and gone once removed."""
    outbox = Outbox(container)
    waiting = await outbox.put(NOTICE, "mail-throttled")
    (found,) = await outbox.pending()
    assert (found.id, found.notice, found.reason) == (waiting, NOTICE, "mail-throttled")
    await outbox.remove(waiting)
    await outbox.remove(waiting)
    assert await outbox.pending() == []


async def test_a_notice_put_twice_waits_once(container: ContainerClient) -> None:
    """An activity that is executed twice leaves one notice, with the first reason and date."""
    outbox = Outbox(container)
    first = await outbox.put(NOTICE, "mail-throttled")
    since = (await outbox.pending())[0].since
    assert await outbox.put(NOTICE, "mail-unreachable") == first
    (found,) = await outbox.pending()
    assert (found.reason, found.since) == ("mail-throttled", since)


async def test_notices_wait_in_order(container: ContainerClient) -> None:
    """Different notices wait side by side, the oldest first; other blobs of the container are no notices."""
    outbox = Outbox(container)
    await container.upload_blob("records/one.json", b"{}")
    ids = [await outbox.put(replace(NOTICE, key=str(number)), "mail-throttled") for number in range(3)]
    found = await outbox.pending()
    assert {w.id for w in found} == set(ids)
    assert found == sorted(found, key=lambda w: (w.since, w.id))


async def test_a_broken_blob_blocks_nobody(container: ContainerClient, caplog: pytest.LogCaptureFixture) -> None:
    """What can't be read is named in the log without its content, stays, and its neighbours are found."""
    outbox = Outbox(container)
    await container.upload_blob("outbox/broken.json", b'{"notice": "CANARY"}')
    await container.upload_blob("outbox/binary.json", b"\xff\xfe CANARY")
    waiting = await outbox.put(NOTICE, "mail-throttled")
    with caplog.at_level(logging.WARNING, "rekey"):
        assert [w.id for w in await outbox.pending()] == [waiting]
    assert "outbox/broken.json" in caplog.text
    assert "CANARY" not in caplog.text


async def test_many_askers_one_first_time(container: ContainerClient) -> None:
    """Of callers at the same moment exactly one is the first."""
    told = Told(container)
    answers = await asyncio.gather(*(told.first_time("bad-policy|kv-shop|shop-deploy|v1") for _ in range(8)))
    assert sorted(answers) == [False] * 7 + [True]


async def test_keys_are_told_apart(container: ContainerClient) -> None:
    """A marked key was told before, another one wasn't, and a key may hold anything."""
    told = Told(container)
    key = "../outbox/ü\n" + "x" * 3000
    assert not await told.before(key)
    assert await told.first_time(key)
    assert await told.before(key)
    assert not await told.before(key + "x")
    assert [b.name.count("/") async for b in container.list_blobs(name_starts_with="told/")] == [1]


async def test_a_missing_container_says_what_to_do(container: ContainerClient) -> None:
    """A container that isn't there is a matter of set-up for every verb, even where a missing blob is fine."""
    await container.delete_container()
    outbox, told = Outbox(container), Told(container)
    for verb in (outbox.put(NOTICE, "x"), outbox.pending(), outbox.remove("x"), told.first_time("x")):
        with pytest.raises(PermanentError, match="storage answered 404") as caught:
            await verb
        assert "container" in caught.value.what_to_do


async def test_storage_that_doesnt_answer_is_tried_again_later() -> None:
    """No connection is NotYetError: whoever called may try again."""
    url = f"http://127.0.0.1:{free_port()}/account/rekey"
    async with ContainerClient.from_container_url(url, retry_total=0) as unreachable:
        with pytest.raises(NotYetError):
            await Told(unreachable).first_time("x")


def test_a_storage_error_quotes_nothing() -> None:
    """The SDK's own text, which may hold the request, doesn't get through."""
    with pytest.raises(NotYetError) as caught, translated("outbox"):
        raise ServiceRequestError("CANARY")
    assert "CANARY" not in str(caught.value)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(("code", "kind"), [("BlobNotFound", PermanentError), ("", NotYetError)])
def test_a_refusal_without_storages_own_code_is_not_storages(code: str, kind: type[RekeyError]) -> None:
    """What came torn, or from whoever stands in front, is asked for again; what storage itself refuses is not."""
    refused = HttpResponseError("404")
    refused.status_code = 404
    refused.error_code = code  # type: ignore[attr-defined] # as the storage SDK does
    with pytest.raises(kind), translated("outbox"):
        raise refused


async def test_who_was_told_is_not_told_again(container: ContainerClient) -> None:
    """A notice waits for those it hasn't reached yet, keeps its date meanwhile, and is gone with the last of them."""
    outbox = Outbox(container)
    await outbox.put(replace(NOTICE, to=("a@contoso.example", "b@contoso.example")), "digest")
    (before,) = await outbox.pending()
    await outbox.settle(before, ("A@contoso.example",))
    (found,) = await outbox.pending()
    assert found.left() == ("b@contoso.example",)
    assert found.reason == "digest"
    await outbox.settle(found, ("b@contoso.example",))
    assert await outbox.pending() == []


async def test_a_digest_that_got_out_takes_along_what_it_told(container: ContainerClient) -> None:
    """What a digest told its reader waits for that reader no longer, for others it does."""
    outbox = Outbox(container)
    both = replace(NOTICE, key="both", to=("a@contoso.example", "b@contoso.example"))
    ids = [await outbox.put(one, "digest") for one in (both, replace(NOTICE, key="one", to=("a@contoso.example",)))]
    digest = replace(samples()[NoticeKind.DIGEST], to=("a@contoso.example",))
    made = await outbox.read(await outbox.put(digest, "digest", tuple(ids)))
    assert made is not None
    for _ in range(2):  # a repeated step
        await outbox.settle(made, made.left())
    (left,) = await outbox.pending()
    assert (left.notice.key, left.left()) == ("both", ("b@contoso.example",))


async def test_many_told_at_once_are_all_noted(container: ContainerClient) -> None:
    """Of people who are told at the same moment none is forgotten, and none told keeps the notice waiting."""
    outbox, people = Outbox(container), tuple(f"p{number}@contoso.example" for number in range(8))
    waiting = await outbox.read(await outbox.put(replace(NOTICE, to=people), "digest"))
    assert waiting is not None
    await asyncio.gather(*(outbox.settle(waiting, (person,)) for person in people))
    assert await outbox.pending() == []


async def test_what_is_set_aside_waits_no_more_but_is_kept(container: ContainerClient) -> None:
    """A notice that nobody can be sent is kept as it was where nothing is sent from."""
    outbox = Outbox(container)
    waiting = await outbox.read(await outbox.put(NOTICE, "undelivered"))
    assert waiting is not None
    await outbox.set_aside(waiting, NOTICE.to)
    await outbox.settle(waiting, NOTICE.to)
    assert await outbox.pending() == []
    (kept,) = [blob.name async for blob in container.list_blobs(name_starts_with=SET_ASIDE)]
    assert NOTICE.secret.encode() in await (await container.download_blob(kept)).readall()
