"""Who is told what: owners always, third parties at the switch, operators when somebody has to act.

Third parties who have to act by hand get notices of their own.
"""

from collections.abc import Iterable

from rekey.model import NoticeKind
from rekey.settings import Settings

_FOR_THIRD_PARTIES = frozenset({NoticeKind.SWITCHED})
_FOR_OPERATORS = frozenset(
    {NoticeKind.NEEDS_YOU, NoticeKind.FAILED, NoticeKind.BAD_POLICY, NoticeKind.NOTHING_LEFT, NoticeKind.ALERT}
)
_FOR_OWNERS_OF_THE_SECRET = frozenset({NoticeKind.ALERT})
_FOR_OPERATORS_ALONE = frozenset({NoticeKind.SWEEP, NoticeKind.RECONCILE, NoticeKind.CONNECTIONS})


def recipients(
    kind: NoticeKind,
    *,
    owners: Iterable[str],
    notify: Iterable[str],
    application_owners: Iterable[str],
    settings: Settings,
    third_parties: Iterable[str] = (),
) -> tuple[str, ...]:
    """Return whom to tell, once each, only addresses that settings allow; never empty.

    `owners` and `notify` are the policy's, `application_owners` what Graph let us read (often nothing).
    Third parties are no substitute for an owner: where no owner is left, the operators are told as well.
    Who reads a secret is for its own owners, not for the application's.
    What names the secrets of many goes to operators alone, whatever else is given. A notice for the `third_parties` who
    have to act by hand goes to nobody else; the operators get it if those may not be written to (any more).
    """
    if kind in _FOR_OPERATORS_ALONE:
        return distinct(settings.operators)
    if acting := distinct(third_parties):
        return allowed(acting, settings) or distinct(settings.operators)
    others = () if kind in _FOR_OWNERS_OF_THE_SECRET else tuple(application_owners)
    responsible = allowed((*owners, *others), settings)
    told = list(responsible)
    if kind in _FOR_THIRD_PARTIES:
        told += allowed(notify, settings)
    if kind in {*_FOR_OPERATORS, NoticeKind.FEDERATION} or not responsible:
        told += settings.operators
    return distinct(told)


def allowed(addresses: Iterable[str], settings: Settings) -> tuple[str, ...]:
    """Return the addresses that mail may be sent to, once each."""
    return tuple(address for address in distinct(addresses) if settings.allows_address(address))


def refused(addresses: Iterable[str], settings: Settings) -> tuple[str, ...]:
    """Return the addresses that REKEY_MAIL_DOMAINS and REKEY_OPERATORS don't allow, once each, for a remark."""
    return tuple(address for address in distinct(addresses) if not settings.allows_address(address))


def distinct(addresses: Iterable[str]) -> tuple[str, ...]:
    """Return the addresses without blanks and repeats; case doesn't count, the first spelling stays."""
    seen: dict[str, str] = {}
    for address in (a.strip() for a in addresses):
        if address:
            seen.setdefault(address.lower(), address)
    return tuple(seen.values())
