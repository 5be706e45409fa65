"""Somebody outside who holds a copy and has to change it by hand (`manual:ada@partner.example`).

There is nothing to update: they are told at the switch, and the old credential is kept until an operator has put down
that they use the new one (an `acknowledge` decision), at most until its own end.
"""

import re
from typing import ClassVar

from rekey.clients import Clients
from rekey.errors import InputError, PermanentError, ScopeError
from rekey.model import ConsumerTarget, Rotation, When
from rekey.ports import ConsumerFacts, Handover, Permission
from rekey.settings import Settings

SCHEME = "manual"
# Less than mail allows: the URI is part of a command that people copy, and no letter of it may mean something there.
_URI = re.compile(rf"{SCHEME}:(?P<local>[A-Za-z0-9._+-]{{1,64}})@(?P<domain>[A-Za-z0-9.-]{{1,190}})")


class Manual:
    """People. They are told by the notices of the rotation; this kind only says who they are."""

    permissions: ClassVar[tuple[Permission, ...]] = ()
    when: ClassVar[When] = When.BY_HAND

    def __init__(self, clients: Clients) -> None:
        del clients

    @staticmethod
    def check_uri(uri: str, vault: str, settings: Settings) -> str:
        """Return the URI with the domain in lower case; ScopeError if settings allow no mail to that address."""
        settings.scope_of(vault)
        found = _URI.fullmatch(uri)
        if not found or not _is_domain(found["domain"]):
            expected = f"{SCHEME}:<one mail address>, of letters, digits and . _ + - before the @"
            raise InputError("consumer", uri, expected)
        address = f"{found['local']}@{found['domain'].lower()}"
        if not settings.allows_address(address):
            domains = ", ".join(settings.mail_domains)
            raise ScopeError("consumer", uri, f"an address in REKEY_MAIL_DOMAINS ({domains})")
        return f"{SCHEME}:{address}"

    async def inspect(self, rotation: Rotation, uri: str) -> ConsumerFacts:
        """Return whom to tell; nobody is asked."""
        del rotation
        address = uri.removeprefix(f"{SCHEME}:")
        return ConsumerFacts(object_id=address, third_parties=(address,))

    async def update(self, rotation: Rotation, target: ConsumerTarget, handover: Handover) -> None:
        """Refuse: no value is ever sent to people."""
        del rotation, handover
        raise _by_hand(target)

    async def confirm(self, rotation: Rotation, target: ConsumerTarget, handover: Handover) -> str:
        """Refuse: only somebody who knows can say so."""
        del rotation, handover
        raise _by_hand(target)


def _is_domain(text: str) -> bool:
    labels = text.split(".")
    return len(labels) > 1 and all(0 < len(x) <= 63 and x[0] != "-" and x[-1] != "-" for x in labels)


def _by_hand(target: ConsumerTarget) -> PermanentError:
    return PermanentError("by-hand", f"{target.uri} is changed by people, not by Rekey", "Have it acknowledged.")
