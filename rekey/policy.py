"""Turns a secret's tags into a policy, or into one clear error for each tag that can't be used.

Tags are written by people with fewer rights than Rekey has: whatever a tag names is compared with the app's settings,
and nothing is looked up or fetched here. Tag names count exactly as written, as Key Vault keeps them.
"""

import hashlib
from collections.abc import Callable, Mapping

import msgspec

from rekey import legacy_tags, spans, tag_values
from rekey.errors import InputError, RekeyError, ScopeError, TagError
from rekey.model import ConsumerRef, CredentialRef, Policy, Span
from rekey.names import ROTATION_ID, TAG_KEY_ID, TAG_ROTATION_ID
from rekey.registry import consumer_kind, credential_kind
from rekey.settings import Settings
from rekey.tag_reading import (
    TAG_ADOPT,
    TAG_APPROVAL,
    TAG_CONSUMERS,
    TAG_CREDENTIAL,
    TAG_DISABLE_OLD,
    TAG_GRACE,
    TAG_LEAD,
    TAG_LIFETIME,
    TAG_NOTIFY,
    TAG_OWNERS,
    TAG_READERS,
    TAG_WINDOW,
    TagReading,
)

MOST_TAGS = 15
LONGEST_VALUE = 256
"""Key Vault's limits; https://learn.microsoft.com/azure/key-vault/secrets/about-secrets#secret-tags."""

_NO_CREDENTIAL = CredentialRef("", "")
_DEFAULTS = Policy(credential=_NO_CREDENTIAL)


class Untagged(RekeyError):  # noqa: N818  # it is an answer rather than an error: most secrets are none of ours
    """The tags hold no rotation policy, so that there is nothing to do."""

    def __init__(self) -> None:
        makers = " nor ".join((TAG_CREDENTIAL, *legacy_tags.CREDENTIAL_TAGS))
        super().__init__("untagged", f"no rotation policy: neither {makers} is set", f"Set the tag {TAG_CREDENTIAL}.")


class PolicyError(RekeyError):
    """The tags hold a policy that can't be used; `errors` has one TagError per bad tag."""

    def __init__(self, errors: tuple[TagError, ...]) -> None:
        super().__init__("bad-policy", "; ".join(e.message for e in errors), "Correct these tags; nothing was changed.")
        self.errors = errors


def read_policy(vault: str, tags: Mapping[str, str] | None, settings: Settings) -> Policy:
    """Return the policy in the tags of a secret of that vault; Untagged if there is none, PolicyError if it is bad.

    A vault that settings don't name at all is a ScopeError of the field `vault`.
    """
    settings.scope_of(vault)
    reading = TagReading(vault, tags or {}, settings)
    if not reading.claimed():
        raise Untagged
    reading.refuse_unknown()
    credential = _credential(reading)
    lifetime = _lifetime(reading)

    def addresses(text: str) -> tuple[str, ...]:
        return tag_values.addresses(text, settings)

    policy = Policy(
        credential=credential,
        consumers=_consumers(reading),
        lifetime=lifetime,
        lead=reading.take(TAG_LEAD, tag_values.lead, _DEFAULTS.lead),
        grace=_grace(reading, lifetime),
        owners=reading.take(TAG_OWNERS, addresses, ()),
        notify=reading.take(TAG_NOTIFY, addresses, ()),
        approval=reading.take(TAG_APPROVAL, lambda text: tag_values.choice(text, "required"), default=False),
        adopt=reading.take(TAG_ADOPT, lambda text: tag_values.choice(text, "true"), default=False),
        disable_old="at-retire" if reading.take(TAG_DISABLE_OLD, _at_retire, default=False) else "now",
        window=reading.take(TAG_WINDOW, tag_values.window, ""),
        readers=reading.take(TAG_READERS, tag_values.guids, ()),
        by_age=bool(credential.kind) and credential_kind(credential.kind).never_ends,
    )
    if reading.errors:
        raise PolicyError(tuple(reading.errors))
    return policy


def policy_digest(policy: Policy) -> str:
    """Return what stays the same as long as the policy means the same, for example to bind an approval to it."""
    return hashlib.sha256(msgspec.json.encode(policy, order="deterministic")).hexdigest()


def tags_for_new_version(old_tags: Mapping[str, str] | None, rotation_id: str, key_id: str) -> dict[str, str]:
    """Return the tags of the version that a rotation makes: all the old ones, and which rotation and key it holds.

    TagError if they don't fit in Key Vault: 15 tags, values of at most 256 characters.
    """
    tags = dict(old_tags or {}) | {TAG_ROTATION_ID: rotation_id, TAG_KEY_ID: key_id}
    if legacy_tags.CREDENTIAL_ID in tags:
        tags[legacy_tags.CREDENTIAL_ID] = legacy_tags.key_name(key_id)
    for name, value in tags.items():
        if len(value) > LONGEST_VALUE:
            raise TagError(name, value, f"at most {LONGEST_VALUE} characters, it has {len(value)}")
    if len(tags) > MOST_TAGS:
        spare = len(tags) - MOST_TAGS
        expected = f"at most {MOST_TAGS} tags with {TAG_ROTATION_ID} and {TAG_KEY_ID}: remove {spare}"
        raise TagError("tags", f"{len(tags)} tags", expected)
    return tags


def written_ids(tags: Mapping[str, str] | None) -> tuple[str | None, str | None]:
    """Return the key id and the rotation id that the tags claim; None where there is none that could be true.

    Whoever may edit tags may write these: they are a claim to be proved, never a fact.
    """
    claimed = tags or {}
    key_id = claimed.get(TAG_KEY_ID, claimed.get(legacy_tags.CREDENTIAL_ID))
    rotation_id = claimed.get(TAG_ROTATION_ID, "")
    return key_id or None, rotation_id if ROTATION_ID.fullmatch(rotation_id) else None


def _at_retire(text: str) -> bool:
    return tag_values.choice(text, "at-retire")


def _credential(reading: TagReading) -> CredentialRef:
    """Return the one credential that all tags agree on."""

    def of(kind: str, target: str) -> CredentialRef:
        checked = credential_kind(kind).check_target(target, reading.vault, reading.settings)
        return CredentialRef(kind, checked)

    found = {
        TAG_CREDENTIAL: reading.take(TAG_CREDENTIAL, lambda text: of(*tag_values.credential(text)), _NO_CREDENTIAL),
        legacy_tags.APP_ID: reading.take(
            legacy_tags.APP_ID, lambda text: of(legacy_tags.APP_KIND, text), _NO_CREDENTIAL
        ),
        legacy_tags.PROVIDER: reading.take(
            legacy_tags.PROVIDER, lambda text: of(legacy_tags.provider_kind(text), text), _NO_CREDENTIAL
        ),
    }
    reading.take(legacy_tags.CREDENTIAL_ID, tag_values.key_id, "")
    named = {tag: ref for tag, ref in found.items() if ref != _NO_CREDENTIAL}
    if not named:
        if not any(tag in reading.tags or tag in reading.meant for tag in found):
            reading.refuse(TAG_CREDENTIAL, "", "<credential kind>:<target>: the tag is missing")
        return _NO_CREDENTIAL
    first, *others = named
    for tag in others:
        if named[tag] != named[first]:
            reading.refuse(tag, reading.tags[tag], f"the credential that {first} names, {reading.tags[first]}")
    return named[first]


def _consumers(reading: TagReading) -> tuple[ConsumerRef, ...]:
    """Return the consumers, the one of the older tags first; one that is named twice is refused.

    Azure's names hardly ever differ in case only: two tags that do are taken for the same consumer.
    """
    found: dict[str, tuple[str, ConsumerRef]] = {}
    connection = _connection(reading)
    if connection:
        found[connection.uri.lower()] = legacy_tags.CONNECTION, connection
    for tag in TAG_CONSUMERS:
        ref = reading.take(tag, lambda text: _consumer(text, reading), None)
        if ref and ref.uri.lower() in found:
            reading.refuse(tag, reading.tags[tag], f"another consumer than {found[ref.uri.lower()][0]} names already")
        elif ref:
            found[ref.uri.lower()] = tag, ref
    return tuple(ref for _, ref in found.values())


def _consumer(uri: str, reading: TagReading) -> ConsumerRef:
    kind = tag_values.uri_kind(uri)
    return ConsumerRef(kind, consumer_kind(kind).check_uri(uri, reading.vault, reading.settings))


def _connection(reading: TagReading) -> ConsumerRef | None:
    """Return the service connection that three tags name together; none of them means none is wanted."""
    given = [tag for tag in legacy_tags.DEVOPS_TAGS if tag in reading.tags]
    if not given:
        return None
    for tag in (tag for tag in legacy_tags.DEVOPS_TAGS if tag not in {*given, *reading.meant}):
        reading.refuse(tag, "", f"a value, since {given[0]} is set: the tag is missing")

    def account(url: str) -> str:
        return legacy_tags.organization(url, reading.vault, reading.settings)

    parts = (
        reading.take(legacy_tags.ACCOUNT_URL, account, ""),
        reading.take(legacy_tags.PROJECT, legacy_tags.project, ""),
        reading.take(legacy_tags.CONNECTION, legacy_tags.connection, ""),
    )
    if not all(parts):
        return None
    uri = legacy_tags.connection_uri(*parts)
    # Organization and project are known to be well-formed: the project's scope and the name are left to judge.
    try:
        return _consumer(uri, reading)
    except InputError as error:
        tag = legacy_tags.PROJECT if isinstance(error, ScopeError) else legacy_tags.CONNECTION
        reading.refuse(tag, reading.tags[tag], error.expected, error.code)
        return None


def _lifetime(reading: TagReading) -> Span:
    """Return the lifetime that all tags agree on."""
    parsers: Mapping[str, Callable[[str], Span]] = {
        TAG_LIFETIME: tag_values.lifetime,
        legacy_tags.MONTHS: lambda text: Span(months=tag_values.whole_number(text, 24, "months")),
        legacy_tags.DAYS: lambda text: Span(seconds=86400 * tag_values.whole_number(text, 731, "days")),
    }
    found = {tag: reading.take(tag, parse, None) for tag, parse in parsers.items()}
    given = {tag: span for tag, span in found.items() if span}
    if not given:
        return _DEFAULTS.lifetime
    first, *others = given
    for tag in others:
        if given[tag] != given[first]:
            reading.refuse(tag, reading.tags[tag], f"the lifetime that {first} says, {reading.tags[first]}")
    return given[first]


def _grace(reading: TagReading, lifetime: Span) -> Span:
    """Return the grace; one longer than the lifetime would keep more than two credentials alive."""

    def parse(text: str) -> Span:
        span = tag_values.grace(text)
        if spans.length(span) > spans.length(lifetime):
            raise InputError(tag_values.WHOLE, text, f"at most the lifetime, {spans.render(lifetime)}")
        return span

    return reading.take(TAG_GRACE, parse, _DEFAULTS.grace)


def policy_owners(tags: Mapping[str, str] | None, settings: Settings) -> tuple[str, ...]:
    """Return the owners of a policy that may be bad otherwise: none if that tag is bad too."""
    try:
        return tag_values.addresses((tags or {}).get(TAG_OWNERS, ""), settings)
    except (RekeyError, ValueError):
        return ()
