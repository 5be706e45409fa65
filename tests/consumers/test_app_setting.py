"""App settings of App Service and Functions against the contract, and what only they have."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, override

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.azure.arm_access import Assignment
from local.azure.arm_roles import ROLES
from rekey.app_service import AppSettings
from rekey.consumers.app_setting import AppSetting
from rekey.errors import NotYetError
from rekey.model import ConsumerTarget, Rotation
from rekey.secret_value import SecretValue
from tests.consumers.contract import ConsumerContract, Forgotten, Wire
from tests.consumers.handed import Handed
from tests.consumers.hosting import (
    AT,
    FOREIGN_SCOPE,
    SCOPE,
    arm,
    delete,
    hosted,
    no_role,
    only_reader,
    site,
    while_held,
)
from tests.core.binding import Corpus
from tests.core.company import Company

SCHEME = "app-setting"
URI = f"{SCHEME}://{AT}/shop/PASSWORD"
LIST = "/config/appsettings/list"
NAMES = st.text(min_size=1, max_size=20)


@pytest.fixture
async def company(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Company]:
    """Run a company whose secret is in a setting of its shop."""
    async with hosted(tmp_path, monkeypatch, URI) as running:
        yield running


def _without(company: Company) -> None:
    del site(company).settings["PASSWORD"]


def _other_case(company: Company) -> None:
    site(company).settings["Password"] = site(company).settings.pop("PASSWORD")


def _reference(company: Company) -> None:
    site(company).settings["PASSWORD"] = site(company).settings["REFERENCE"]


class TestAppSetting(ConsumerContract):
    """The contract."""

    kind = AppSetting
    corpus = Corpus(
        scope=SCOPE,
        foreign_scope=FOREIGN_SCOPE,
        good={
            URI: URI,
            f"{SCHEME}://{AT.upper()}/Shop/PASSWORD": URI,
            f"{SCHEME}://{AT}/shop/Nested__Key:1?slot=Stage": f"{SCHEME}://{AT}/shop/Nested__Key:1?slot=stage",
            f"{SCHEME}://{AT}/shop.web/a-b.c": f"{SCHEME}://{AT}/shop.web/a-b.c",
        },
        malformed=(
            f"{SCHEME}://{AT}/shop",
            f"{SCHEME}://{AT}/shop/",
            f"{SCHEME}://{AT}//PASSWORD",
            f"{SCHEME}://{AT}/../PASSWORD",
            f"{SCHEME}://{AT}/shop/PASS WORD",
            f"{URI}?slot=",
            f"{URI}?slot=a/b",
            f"{URI}?slot=stage&slot=live",
            f"{URI}?slot=stage#x",
            f"{SCHEME}://shop/PASSWORD",
            f"{SCHEME}:///subscriptions/{AT}/shop/PASSWORD",
        ),
        foreign=f"{SCHEME}://{AT}/theirs/PASSWORD".replace("rekey-sim", "theirs"),
    )
    forgotten = (
        Forgotten(no_role, "forbidden", "--role 'Website Contributor'"),
        Forgotten(only_reader, "not-allowed", "sites/shop"),
        Forgotten(lambda company: delete(company, site(company).id), "no-site", "Correct the secret's tags"),
        Forgotten(_without, "no-setting", "Correct the secret's tags"),
        Forgotten(_other_case, "no-setting", "Correct the secret's tags"),
        Forgotten(_reference, "is-reference", f"key-vault-reference://{AT}/shop/PASSWORD"),
    )
    writes = Wire("arm", "PUT")

    @override
    def uri(self, rotation: Rotation) -> str:
        return next(c.uri for c in rotation.policy.consumers if c.kind == SCHEME)

    @override
    def held(self, company: Company) -> str:
        return site(company).environment()["PASSWORD"]

    @override
    def blank(self, company: Company, state: dict[str, Any]) -> None:
        told = state["arm"]["Microsoft.Web"][site(company).id]
        del told["settings"]["PASSWORD"], told["environment"]["PASSWORD"], told["restarts"]

    @override
    def add_unknown(self, company: Company) -> None:
        site(company).settings["From the future"] = '{"ü": [1, null]}'

    @override
    def delete(self, company: Company) -> None:
        delete(company, site(company).id)


async def _inspected(company: Company, uri: str = URI) -> tuple[AppSetting, Rotation, ConsumerTarget]:
    kind, rotation = AppSetting(company.clients), await company.rotation()
    found = await kind.inspect(rotation, uri)
    return kind, rotation, ConsumerTarget(SCHEME, uri, found.object_id)


async def test_what_holds_the_value_is_not_written(company: Company) -> None:
    """A second attempt writes nothing and restarts the site no second time."""
    kind, rotation, target = await _inspected(company)
    new = Handed("new-value")
    for _ in range(2):
        await kind.update(rotation, target, new)
    assert [method for method, _ in await company.requests("arm")].count("PUT") == site(company).restarts == 1
    assert "new value" in await kind.confirm(rotation, target, new)


async def test_setting_without_the_value_is_not_confirmed(company: Company) -> None:
    """As long as the setting has another value, the consumer isn't done."""
    kind, rotation, target = await _inspected(company)
    with pytest.raises(NotYetError) as caught:
        await kind.confirm(rotation, target, Handed("new-value"))
    assert caught.value.code == "not-confirmed"


async def test_change_by_somebody_else_is_noticed_and_kept(company: Company) -> None:
    """A setting that changes after the write is told, and the next attempt leaves it as it is then."""
    kind, rotation, target = await _inspected(company)
    new, shop = Handed("new-value"), site(company)

    def change() -> None:
        shop.replace({**shop.settings, "COLOUR": "blue", "MORE": "1"})

    with pytest.raises(NotYetError) as caught:
        await while_held(company, lambda: kind.update(rotation, target, new), change, "POST", LIST, skip=1)
    assert caught.value.code == "changed-meanwhile"
    assert "COLOUR, MORE" in caught.value.message
    await kind.update(rotation, target, new)
    assert shop.settings["COLOUR"] == "blue"
    assert shop.settings["MORE"] == "1"
    assert shop.settings["PASSWORD"] == "new-value"


async def test_stale_list_of_somebody_else_is_noticed_and_mended(company: Company) -> None:
    """Somebody who writes an older list back takes the value away: told, written again, and his change is kept."""
    kind, rotation, target = await _inspected(company)
    new, shop = Handed("new-value"), site(company)
    stale = {**shop.settings, "COLOUR": "blue"}
    with pytest.raises(NotYetError):
        await while_held(
            company, lambda: kind.update(rotation, target, new), lambda: shop.replace(stale), "POST", LIST, skip=1
        )
    with pytest.raises(NotYetError):
        await kind.confirm(rotation, target, new)
    await kind.update(rotation, target, new)
    assert shop.settings == {**stale, "PASSWORD": "new-value"}


async def test_slot_is_a_place_of_its_own(company: Company) -> None:
    """A slot's setting changes and the site's stays; that the value would leave with a swap is said."""
    uri = f"{URI}?slot=stage"
    kind, rotation, target = await _inspected(company, uri)
    before = dict(site(company).settings)
    await kind.update(rotation, target, Handed("new-value"))
    assert site(company).slots["stage"].settings == {
        **{k: v for k, v in before.items() if k != "REFERENCE"},
        "PASSWORD": "new-value",
    }
    assert site(company).settings == before
    assert "swap" in " ".join((await kind.inspect(rotation, uri)).remarks)
    site(company).sticky.append("PASSWORD")
    assert "swap" not in " ".join((await kind.inspect(rotation, uri)).remarks)


async def test_rights_on_a_slot_alone_are_enough(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who may write a slot's settings may rotate them; what only the site tells is said to be unknown."""
    monkeypatch.setitem(ROLES, "Slots", ("Microsoft.Authorization/*/read", "Microsoft.Web/sites/slots/*"))
    object_id = company.azure.cloud.directory.identity("rekey").object_id
    arm(company).access.assignments[:] = [Assignment(object_id, "Slots", site(company).slots["stage"].id)]
    kind, rotation, target = await _inspected(company, f"{URI}?slot=stage")
    assert "may not read" in (await kind.inspect(rotation, target.uri)).remarks[1]
    await kind.update(rotation, target, Handed("new-value"))
    assert site(company).slots["stage"].settings["PASSWORD"] == "new-value"


async def test_settings_of_one_site_share_its_lease(company: Company) -> None:
    """Two settings of one site are one object, and a slot is another: what is written whole is written in turn."""
    kind, rotation, target = await _inspected(company)
    other = await kind.inspect(rotation, f"{SCHEME}://{AT}/shop/COLOUR")
    slot = await kind.inspect(rotation, f"{URI}?slot=stage")
    assert target.object_id == other.object_id != slot.object_id
    assert "restarts the site" in other.remarks[0]


async def test_answer_without_settings_is_never_written_back(company: Company) -> None:
    """A list that isn't one would delete every setting if it were taken for empty."""
    kind, rotation, target = await _inspected(company)
    before = dict(site(company).settings)
    for shape in ("html", "empty", "text"):
        await company.fault("arm", method="POST", path=LIST, malformed=shape)
        with pytest.raises(NotYetError) as caught:
            await kind.update(rotation, target, Handed("new-value"))
        assert caught.value.code == "malformed-answer"
    assert site(company).settings == before


@given(st.dictionaries(NAMES, st.text(max_size=20), min_size=1), st.data())
def test_merge_changes_one_setting_and_drops_none(values: dict[str, str], data: st.DataObject) -> None:
    """Whatever the settings, after the merge one has the new value and all others what they had."""
    name = data.draw(st.sampled_from(sorted(values)))
    before = AppSettings(values)
    after = before.but(name, SecretValue("new-value"))
    assert after.reveal() == {**values, name: "new-value"}
    assert before.reveal() == values
    assert after.differing(before) == ([] if values[name] == "new-value" else [name])
    assert after.holds(name, SecretValue("new-value"))


@given(st.dictionaries(NAMES, st.text(max_size=20)), st.dictionaries(NAMES, st.text(max_size=20)))
def test_every_difference_is_found(ours: dict[str, str], theirs: dict[str, str]) -> None:
    """Two maps differ in exactly the names that one lacks or holds with another value, from either side."""
    names = sorted(n for n in {*ours, *theirs} if ours.get(n) != theirs.get(n))
    assert AppSettings(ours).differing(AppSettings(theirs)) == names == AppSettings(theirs).differing(AppSettings(ours))


def test_settings_show_their_names_only() -> None:
    """No value of any setting is in what is shown of them."""
    assert repr(AppSettings({"NAME": "hidden-value"})) == "AppSettings(['NAME'])"
