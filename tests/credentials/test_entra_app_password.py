"""Passwords of Entra applications against the contract, and what only they have."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from rekey.credentials.entra_app_password import EntraAppPassword
from rekey.entra_graph import EntraGraph
from rekey.errors import NotYetError, PermanentError, RekeyError, UnclearError
from rekey.inspection import Before
from rekey.model import Facts
from rekey.ports import NewCredential
from rekey.secret_value import SecretValue
from tests.core.binding import Corpus
from tests.core.company import Company
from tests.credentials.any_kind import Forgotten
from tests.credentials.attempts import Asked
from tests.credentials.contract import CredentialContract

OURS = "aaaaaaaa-0000-4000-8000-000000000001"
THEIRS = "aaaaaaaa-0000-4000-8000-000000000002"


def _no_owner(company: Company) -> None:
    company.application.owners.clear()


def _no_room(company: Company) -> None:
    company.application.audience = "AzureADandPersonalMicrosoftAccount"
    directory, now = company.azure.cloud.directory, datetime.now(UTC)
    directory.add_password(company.application, "another", now, now + timedelta(days=9))


class TestEntraAppPassword(CredentialContract):
    """The contract."""

    kind = EntraAppPassword
    corpus = Corpus(
        scope={"applications": [OURS.upper()]},
        foreign_scope={"applications": [THEIRS]},
        good={OURS: OURS, OURS.upper(): OURS},
        malformed=(
            "billing",
            OURS[:-1],
            f"{{{OURS}}}",
            OURS.replace("-", ""),
            OURS.replace("0", "\u0660"),
            f"{OURS}/x",
        ),
        foreign=THEIRS,
    )
    forgotten = (
        Forgotten(_no_owner, "not-owner", "az ad app owner add --id {target} --owner-object-id "),
        Forgotten(_no_room, "no-room", "Remove a password"),
    )

    def live(self, company: Company) -> dict[str, str]:
        """Return the passwords that were not removed."""
        return {p.key_id: p.value for p in company.application.live()}

    def ruin(self, company: Company) -> None:
        """Let every password expire."""
        company.settle(timedelta(days=400).total_seconds())

    def disown(self, company: Company) -> None:
        """Let the app's identity own the application no more."""
        _no_owner(company)


async def _facts(company: Company, **changes: object) -> Facts:
    rotation = msgspec.structs.replace(await company.rotation(), **changes)
    return await EntraAppPassword(company.clients).inspect(rotation, Before(company.clients, rotation))


async def _add(company: Company, label: str = "rekey/local/x", days: float = 30) -> NewCredential:
    rotation = (await company.rotation()).knowing(await _facts(company))
    end = (datetime.now(UTC) + timedelta(days=days)).replace(microsecond=0)
    return await EntraAppPassword(company.clients).generate(rotation, label, end, Asked())


async def _restrict(company: Company, *restrictions: dict[str, str]) -> None:
    passwords = {"passwordCredentials": list(restrictions)}
    await company.azure.seed({"policy": {"isEnabled": True, "applicationRestrictions": passwords}})


@pytest.mark.parametrize(
    ("fault", "error", "code", "seconds"),
    [
        ({"status": 429, "retry_after": 17}, NotYetError, "throttled", 17.0),
        ({"status": 429}, NotYetError, "throttled", None),
        ({"status": 500}, UnclearError, "answer-unclear", None),
        ({"status": 503, "when": "after"}, UnclearError, "answer-unclear", None),
        ({"status": 504, "when": "after"}, UnclearError, "answer-unclear", None),
    ],
    ids=["throttled", "throttled-unsaid", "broken", "lost", "timed-out"],
)
async def test_add_password_is_sent_once(
    company: Company, fault: dict[str, object], error: type[RekeyError], code: str, seconds: float | None
) -> None:
    """Whatever the answer, a password is asked for by one request, and what may have been made is unclear."""
    await company.fault("graph", method="POST", path="addPassword", count=None, **fault)
    with pytest.raises(error) as caught:
        await _add(company)
    assert (caught.value.code, getattr(caught.value, "seconds", None)) == (code, seconds)
    sent = [path for _, path in await company.requests("graph") if path.endswith("/addPassword")]
    assert len(sent) == 1


async def test_concurrent_change_is_repeated_after_a_pause(company: Company) -> None:
    """Directory_ConcurrencyViolation is waited for, as the service asks."""
    made = await _add(company)
    company.azure.cloud.switches.set({"service": "graph", "propagation": {"seconds": 0, "conflict_seconds": 60}})
    rotation = (await company.rotation()).knowing(await _facts(company))
    with pytest.raises(NotYetError) as caught:
        await EntraAppPassword(company.clients).remove(rotation, made.key_id)
    assert (caught.value.code, caught.value.seconds) == ("concurrent-change", 5.0)


async def test_tenants_policy_caps_the_lifetime(company: Company) -> None:
    """What the tenant allows is known before anything is asked for."""
    await _restrict(company, {"restrictionType": "passwordLifetime", "maxLifetime": "P10D", "state": "enabled"})
    longest = (await _facts(company)).longest
    assert longest is not None
    assert abs(longest - datetime.now(UTC) - timedelta(days=10)) < timedelta(minutes=5)


async def test_lifetime_beyond_the_policy_is_refused_for_good(company: Company) -> None:
    """A policy that came in between is named, not retried."""
    await _facts(company)
    await _restrict(company, {"restrictionType": "passwordLifetime", "maxLifetime": "P10D", "state": "enabled"})
    with pytest.raises(PermanentError) as caught:
        await _add(company)
    assert caught.value.code == "lifetime-forbidden"
    assert "rekey-lifetime" in caught.value.what_to_do


@pytest.mark.parametrize("path", ["/applications", "/policies/"])
async def test_answer_without_a_body_proves_nothing(company: Company, path: str) -> None:
    """A success whose body got lost is asked for again: the application is not gone, the policy not without rules."""
    await company.fault("graph", method="GET", path=path, malformed="empty")
    with pytest.raises(NotYetError, match="Graph answered with"):
        await _facts(company)
    assert (await _facts(company)).object_id == company.application.object_id


async def test_policy_against_passwords_stops_before_anything(company: Company) -> None:
    """A tenant that forbids new passwords is found out by looking."""
    await _restrict(company, {"restrictionType": "passwordAddition", "state": "enabled"})
    with pytest.raises(PermanentError) as caught:
        await _facts(company)
    assert caught.value.code == "passwords-forbidden"
    assert "federation" in caught.value.what_to_do


async def test_unread_policy_is_said(company: Company) -> None:
    """Without the right to read the tenant's policy the rotation goes on and says so."""
    company.azure.cloud.directory.identity("rekey").app_roles -= {"Policy.Read.All"}
    facts = await _facts(company)
    assert facts.longest is None
    assert any("Policy.Read.All" in remark for remark in facts.remarks)


async def test_role_for_all_applications_needs_no_ownership(company: Company) -> None:
    """Whoever may write every application needs to own none."""
    company.application.owners.clear()
    company.azure.cloud.directory.identity("rekey").app_roles |= {"Application.ReadWrite.All"}
    assert (await _facts(company)).object_id == company.application.object_id


async def test_owners_whose_address_is_hidden_are_left_out(company: Company) -> None:
    """With OwnedBy alone Graph shows no addresses: nobody is made up."""
    assert (await _facts(company)).owners == ()


async def test_password_made_by_hand_is_adopted_by_hint_and_date(company: Company) -> None:
    """With the owners' consent the one password that fits the old value is the old one."""
    assert (await _facts(company)).old_key_id == company.application.passwords[0].key_id


async def test_two_that_fit_are_none(company: Company) -> None:
    """Two passwords with that hint and date prove nothing, and that is said."""
    first = company.application.passwords[0]
    company.azure.cloud.directory.add_password(company.application, "twin", first.start, first.end)
    facts = await _facts(company)
    assert facts.old_key_id is None
    assert any("rekey-adopt" in remark for remark in facts.remarks)


async def test_other_end_date_is_another_password(company: Company) -> None:
    """A password that ends more than a day apart from the version isn't the version's."""
    company.application.passwords[0].end += timedelta(days=2)
    assert (await _facts(company)).old_key_id is None


async def test_without_consent_nothing_is_adopted(company: Company) -> None:
    """A fitting password alone is no reason to remove it."""
    rotation = await company.rotation()
    assert (await _facts(company, policy=msgspec.structs.replace(rotation.policy, adopt=False))).old_key_id is None


async def test_key_id_in_a_tag_needs_the_issuers_label(company: Company) -> None:
    """A tag is believed only where the password it names carries the label of the rotation it names."""
    earlier, directory, now = "22222222-2222-4222-8222-222222222222", company.azure.cloud.directory, datetime.now(UTC)
    end = now + timedelta(days=90)
    ours = directory.add_password(company.application, f"rekey/local/{earlier}", now, end)
    foreign = directory.add_password(company.application, f"rekey/elsewhere/{earlier}", now, end)
    by_hand = directory.add_password(company.application, "important", now, end)
    policy = msgspec.structs.replace((await company.rotation()).policy, adopt=False)

    async def believed(key_id: str, rotation_id: str | None = earlier) -> str | None:
        found = await _facts(company, policy=policy, tagged_key_id=key_id, tagged_rotation_id=rotation_id)
        return found.old_key_id

    assert await believed(ours.key_id) == ours.key_id
    assert await believed(foreign.key_id) is None
    assert await believed(by_hand.key_id) is None
    assert await believed(ours.key_id, None) is None


@pytest.mark.parametrize(("status", "code"), [(429, "throttled"), (503, "service-unavailable")])
async def test_sign_in_that_is_not_answered_is_tried_again(company: Company, status: int, code: str) -> None:
    """Throttling and outages of the token endpoint say nothing about the value."""
    await company.fault("entra", status=status, retry_after=7)
    rotation = await company.rotation()
    _, value = await company.desk.vault(rotation.vault).current(rotation.secret)
    with pytest.raises(NotYetError) as caught:
        await EntraAppPassword(company.clients).verify(rotation, value)
    assert (caught.value.code, caught.value.seconds) == (code, 7.0)


async def test_policy_for_newer_applications_leaves_this_one_alone(company: Company) -> None:
    """A restriction for applications made since a date doesn't stop older ones."""
    since = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    newer = {"state": "enabled", "restrictForAppsCreatedAfterDateTime": since}
    await _restrict(
        company,
        {"restrictionType": "passwordAddition", **newer},
        {"restrictionType": "passwordLifetime", "maxLifetime": "P10D", **newer},
    )
    assert (await _facts(company)).longest is None


async def test_switched_off_restrictions_are_none(company: Company) -> None:
    """A restriction whose state is disabled restricts nothing."""
    await _restrict(company, {"restrictionType": "passwordAddition", "state": "disabled"})
    assert (await _facts(company)).longest is None


async def test_rotations_at_once_each_look_at_their_own_application(company: Company) -> None:
    """Many that ask for the first time at once, and wait for the same token, each get their own application."""
    owned: dict[str, Any] = {"owners": ["rekey"], "passwords": [{"display_name": "by hand", "days": 20}]}
    seeded = await company.azure.seed({"applications": {f"at-once-{number}": owned for number in range(5)}})
    asked = {name: told["client_id"] for name, told in seeded["applications"].items() if name.startswith("at-once-")}
    graph = EntraGraph(company.clients.graph())
    found = await asyncio.gather(*(graph.application(client_id) for client_id in asked.values()))
    assert len(asked) == 5
    assert [application.display_name for application in found] == list(asked)


async def test_sign_in_that_is_refused_for_good_says_what_to_do(company: Company) -> None:
    """Without a service principal no password helps: the refusal names the code, and what it means is said with it."""
    kind, rotation = EntraAppPassword(company.clients), await company.rotation()
    value = SecretValue(company.new_password())
    company.application.service_principal = None
    with pytest.raises(PermanentError, match="AADSTS7000229") as refused:
        await kind.verify(rotation, value)
    assert "no service principal" in refused.value.what_to_do
    assert "az ad sp create" in refused.value.what_to_do
