"""Who asked for roles is who the operator API heard, and nobody grants any without the approval on the record."""

from datetime import UTC, datetime, timedelta

import pytest
from azure.storage.blob.aio import ContainerClient
from msgspec.structs import replace

from rekey.errors import PermanentError
from rekey.federation import asked_here
from rekey.federation.asked_here import believed, keep
from rekey.federation.records import FederationRecord, FederationRecords
from rekey.federation.resolving import require_approved
from rekey.model.federation import Federation, FederationDecision, FederationDecisionKind
from rekey.model.federation_request import FederationRequest, Mode, Target, VendingRequest

ADA, BOB = "ada@contoso.example", "bob@contoso.example"
VEND = VendingRequest(
    organization="contoso", project="Shop", name="new", scope="/subscriptions/s", role="Contributor", requested_by=ADA
)
BESIDE = FederationRequest(
    organization="contoso",
    project="Shop",
    connection="deploy",
    mode=Mode.SIDE_BY_SIDE,
    target=Target.MANAGED_IDENTITY,
    identity="/subscriptions/s/identity",
    requested_by=ADA,
)


@pytest.mark.parametrize("request_", [VEND, BESIDE])
async def test_a_name_that_the_api_did_not_hear_is_nobodys(
    container: ContainerClient, request_: VendingRequest | FederationRequest
) -> None:
    """Whoever starts an instance by itself can't claim that somebody else asked, not for one word of it."""
    assert (await believed(container, request_)).requested_by == ""
    await keep(container, request_)
    assert await believed(container, request_) == request_
    assert (await believed(container, replace(request_, requested_by=BOB))).requested_by == ""
    assert (await believed(container, replace(request_, project="Till"))).requested_by == ""


async def test_what_grants_nothing_is_believed(container: ContainerClient) -> None:
    """A name beside a conversion is for the evidence alone: nobody approves it."""
    request = FederationRequest(organization="contoso", project="Shop", connection="deploy", requested_by=ADA)
    assert await believed(container, request) == request


async def test_a_request_is_good_for_an_hour(container: ContainerClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """An instance that somebody restarts days later was asked for by nobody."""
    await keep(container, VEND)
    monkeypatch.setattr(asked_here, "WITHIN", timedelta(0))
    assert (await believed(container, VEND)).requested_by == ""


async def test_roles_are_granted_by_the_record_alone(container: ContainerClient) -> None:
    """Whatever the runbook believes, the step reads who approved it: not who asked."""
    records, now = FederationRecords(container), datetime.now(UTC)
    walk = Federation(
        id="vend-1", instance="i", mode=Mode.VEND, organization="o", project="p", started=now, requested_by=ADA
    )
    await records.open(FederationRecord(federation=walk, deployment="prod", opened=now))
    with pytest.raises(PermanentError, match="nobody approved"):
        await require_approved(records, walk)
    await records.decide(walk.id, FederationDecision(kind=FederationDecisionKind.APPROVE, by=BOB, at=now))
    await require_approved(records, walk)
