"""People who have to act by hand against the part of the contract that fits them, and what only they have."""

from typing import Any

import pytest

from rekey import tag_values
from rekey.consumers.manual import Manual
from rekey.errors import InputError, PermanentError, ScopeError
from rekey.model import ConsumerTarget, Rotation, When
from tests.consumers.contract import InspectedContract
from tests.consumers.handed import Handed
from tests.core.binding import OURS, UNKNOWN, Corpus
from tests.core.company import Company

ADA = "manual:ada@contoso.example"
ODD = (
    *("ada", "@contoso.example", "ada@", "ada@contoso", "ada@contoso..example", "ada@.contoso.example"),
    *(
        "ada@contoso.example.",
        "ada@-contoso.example",
        "ada@contoso-.example",
        "ada@[127.0.0.1]",
        "ada@contoso.example:25",
    ),
    *("//ada@contoso.example", "/ada@contoso.example", "ada@contoso.example/x", "ada@contoso.example?subject=x"),
    *("ada@contoso.example#x", "ada@evil.example@contoso.example", "ada%40evil.example@contoso.example"),
    *("Ada <ada@contoso.example>", "<ada@contoso.example>", "ada@contoso.example,eve@contoso.example"),
    *(
        "ada@contoso.example;eve@contoso.example",
        "ada@contoso.example\nBcc: eve@contoso.example",
        "ada @contoso.example",
    ),
    *(
        "$(id)@contoso.example",
        "a&b@contoso.example",
        "a;b@contoso.example",
        "a|b@contoso.example",
        "`a`@contoso.example",
    ),
    *(
        "a'b@contoso.example",
        'a"b@contoso.example',
        "a$b@contoso.example",
        "a*b@contoso.example",
        "a!b@contoso.example",
    ),
    *("ada@c\u043entoso.example", "\u202eada@contoso.example", "ada@contoso.example\0", f"{'a' * 65}@contoso.example"),
)


class TestManual(InspectedContract):
    """The contract."""

    kind = Manual
    corpus = Corpus(
        scope={},
        foreign_scope={},
        good={
            "manual:ada@contoso.example": "manual:ada@contoso.example",
            "manual:Ada.Lovelace+rekey@Contoso.EXAMPLE": "manual:Ada.Lovelace+rekey@contoso.example",
            "manual:on-call_2@shop.contoso.example": "manual:on-call_2@shop.contoso.example",
        },
        malformed=tuple(f"manual:{odd}" for odd in ODD),
        foreign="manual:eve@evil.example",
    )

    def uri(self, rotation: Rotation) -> str:
        """Return somebody whom nobody has to look up."""
        del rotation
        return ADA

    def disfigured(self, uri: str) -> list[str]:
        """Return what looks like one address in a good URI and isn't."""
        address = uri.partition(":")[2]
        other = [f"{scheme}:{address}" for scheme in ("mailto", "MANUAL", "Manual", "https", "", " manual")]
        other += [f"manual://{address}", f"manual:{uri}", f"manual::{address}", f"manual:mailto:{address}", address]
        return [*other, f" {uri}", f"{uri} ", f"{uri}\n", f"\t{uri}", f"{uri}\0", f"{uri},{uri}", f"{uri} {uri}"]


@pytest.mark.parametrize("uri", ["manual:eve@evil.example", "manual:eve@contoso.example.evil.example"])
def test_an_address_that_settings_do_not_allow_is_refused(uri: str) -> None:
    """A tag can't have mail sent to a domain beyond REKEY_MAIL_DOMAINS, and nobody is named in an unknown vault."""
    settings = TestManual.corpus.settings()
    with pytest.raises(ScopeError) as refused:
        Manual.check_uri(uri, OURS, settings)
    assert "REKEY_MAIL_DOMAINS" in refused.value.expected
    with pytest.raises(ScopeError):
        Manual.check_uri(ADA, UNKNOWN, settings)


@pytest.mark.parametrize("odd", [f"manual:{odd}" for odd in ODD])
def test_what_is_no_consumers_form_is_no_uri(odd: str) -> None:
    """What tags in general may say lets nothing through that this kind refuses."""
    settings = TestManual.corpus.settings()
    with pytest.raises(InputError):
        Manual.check_uri(f"{tag_values.uri_kind(odd)}:{odd.partition(':')[2]}", OURS, settings)


@pytest.mark.parametrize("uri", TestManual.corpus.good)
def test_the_kind_of_a_person_is_read_without_slashes(uri: str) -> None:
    """An address is written as people write it."""
    assert tag_values.uri_kind(uri) == "manual"


async def test_the_person_is_the_one_to_tell(company: Company) -> None:
    """Inspection says who has to be told of the switch, and that it is done by hand."""
    found = await Manual(company.clients).inspect(await company.rotation(), ADA)
    assert (found.third_parties, Manual.when) == (("ada@contoso.example",), When.BY_HAND)


async def test_no_value_is_ever_handed_to_people(company: Company) -> None:
    """Whatever would update or confirm one is refused without a look at the value."""

    class Untouchable(Handed):
        async def value(self) -> Any:
            raise AssertionError("the value was read")

    kind, rotation = Manual(company.clients), await company.rotation()
    target = ConsumerTarget("manual", ADA, "ada@contoso.example", When.BY_HAND)
    for verb in (kind.update, kind.confirm):
        with pytest.raises(PermanentError) as refused:
            await verb(rotation, target, Untouchable("new"))
        assert refused.value.code == "by-hand"
