"""Turns a secret's tags into a policy, or into one clear error for each tag that can't be used.

Tags are written by people with fewer rights than Rekey has: whatever a tag names is compared with the app's settings,
and nothing is looked up or fetched here. Tag names count exactly as written, as Key Vault keeps them.
"""

import difflib
import hashlib
import re
from collections.abc import Callable, Mapping

import msgspec

from rekey import legacy_tags, spans, tag_values
from rekey.errors import InputError, RekeyError, ScopeError, TagError
from rekey.model import ConsumerRef, CredentialRef, Policy, Span
from rekey.names import ROTATION_ID, TAG_KEY_ID, TAG_ROTATION_ID
from rekey.registry import consumer_kind, credential_kind
from rekey.settings import Settings

TAG_CREDENTIAL = "rekey-credential"
TAG_CONSUMERS = tuple(f"rekey-consumer-{number}" for number in range(1, 9))
TAG_LIFETIME = "rekey-lifetime"
TAG_LEAD = "rekey-lead"
TAG_GRACE = "rekey-grace"
TAG_OWNERS = "rekey-owners"
TAG_NOTIFY = "rekey-notify"
TAG_APPROVAL = "rekey-approval"
TAG_ADOPT = "rekey-adopt"
TAG_DISABLE_OLD = "rekey-disable-old"
TAG_WINDOW = "rekey-window"
TAG_READERS = "rekey-readers"

TAG_SETTERS = (TAG_LIFETIME, TAG_LEAD, TAG_GRACE, TAG_OWNERS, TAG_NOTIFY, TAG_APPROVAL, TAG_ADOPT, TAG_DISABLE_OLD)
POLICY_TAGS = (TAG_CREDENTIAL, *TAG_CONSUMERS, *TAG_SETTERS, TAG_WINDOW, TAG_READERS)
WRITTEN_TAGS = (TAG_ROTATION_ID, TAG_KEY_ID)
LIFETIME_TAGS = (TAG_LIFETIME, legacy_tags.MONTHS, legacy_tags.DAYS)

MOST_TAGS = 15
LONGEST_VALUE = 256
"""Key Vault's limits; https://learn.microsoft.com/azure/key-vault/secrets/about-secrets#secret-tags."""

_KNOWN = frozenset((*POLICY_TAGS, *WRITTEN_TAGS, *legacy_tags.NAMES))
_LEGACY_BY_CASE = {name.lower(): name for name in legacy_tags.NAMES}
_NO_CREDENTIAL = CredentialRef("", "")
_DEFAULTS = Policy(credential=_NO_CREDENTIAL)
_OURS = re.compile(r"rekey[-_. :]", re.IGNORECASE)


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
    reading = _Reading(vault, tags or {}, settings)
    if not reading.claimed():
        raise Untagged
    reading.refuse_unknown()
    credential = _credential(reading)
    lifetime = _lifetime(reading)
    policy = Policy(
        credential=credential,
        consumers=_consumers(reading),
        lifetime=lifetime,
        lead=reading.take(TAG_LEAD, tag_values.lead, _DEFAULTS.lead),
        grace=_grace(reading, lifetime),
        owners=reading.take(TAG_OWNERS, reading.addresses, ()),
        notify=reading.take(TAG_NOTIFY, reading.addresses, ()),
        approval=reading.take(TAG_APPROVAL, lambda text: tag_values.choice(text, "required"), default=False),
        adopt=reading.take(TAG_ADOPT, lambda text: tag_values.choice(text, "true"), default=False),
        disable_old="at-retire" if reading.take(TAG_DISABLE_OLD, _at_retire, default=False) else "now",
        window=reading.take(TAG_WINDOW, tag_values.window, ""),
        readers=reading.take(TAG_READERS, tag_values.guids, ()),
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
        tags[legacy_tags.CREDENTIAL_ID] = key_id
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


class _Reading:
    """One pass over one secret's tags: remembers every error, so that people are told all of them at once."""

    def __init__(self, vault: str, tags: Mapping[str, str], settings: Settings) -> None:
        self.vault = vault
        self.tags = tags
        self.settings = settings
        self.errors: list[TagError] = []
        self.meant: set[str] = set()
        """The tags that a misspelled one was probably meant to be: those aren't called missing as well."""

    def claimed(self) -> bool:
        """Tell whether somebody meant to have this secret rotated, be the tag well spelled or not."""
        makers = {name.lower() for name in legacy_tags.CREDENTIAL_TAGS}
        return any(
            name not in WRITTEN_TAGS and (_OURS.match(name.strip()) or name.strip().lower() in makers)
            for name in self.tags
        )

    def refuse_unknown(self) -> None:
        """Refuse every tag that looks like one of Rekey's and isn't, suggesting the nearest that is."""
        for name, value in self.tags.items():
            bare = name.strip().lower()
            if name in _KNOWN or not (_OURS.match(bare) or bare in _LEGACY_BY_CASE):
                continue
            near = difflib.get_close_matches(bare, POLICY_TAGS, n=1) if _OURS.match(bare) else [_LEGACY_BY_CASE[bare]]
            self.meant.update(near)
            self.refuse(name, value, f"a known tag: unknown tag{f', did you mean {near[0]}?' if near else ''}")

    def refuse(self, tag: str, value: str, expected: str, code: str = "") -> None:
        """Remember that a tag can't be used; the first error of a tag is the one that is told."""
        if all(error.field != tag for error in self.errors):
            error = TagError(tag, value, expected)
            error.code = ScopeError.code_prefix if code == ScopeError.code_prefix else error.code
            self.errors.append(error)

    def take[T](self, tag: str, parse: Callable[[str], T], default: T) -> T:
        """Return what `parse` makes of the tag; the default if there is no such tag, or if it was refused."""
        if tag not in self.tags:
            return default
        try:
            return parse(self.tags[tag])
        except InputError as error:
            part = "" if error.field == tag_values.WHOLE else f" ({error.field})"
            self.refuse(tag, self.tags[tag], error.expected + part, error.code)
            return default

    def addresses(self, text: str) -> tuple[str, ...]:
        """Return the mail addresses in `text` that settings allow."""
        return tag_values.addresses(text, self.settings)


def _at_retire(text: str) -> bool:
    return tag_values.choice(text, "at-retire")


def _credential(reading: _Reading) -> CredentialRef:
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


def _consumers(reading: _Reading) -> tuple[ConsumerRef, ...]:
    """Return the consumers, the one of the older tags first; one that is named twice is refused."""
    found: dict[ConsumerRef, str] = {}
    connection = _connection(reading)
    if connection:
        found[connection] = legacy_tags.CONNECTION
    for tag in TAG_CONSUMERS:
        ref = reading.take(tag, lambda text: _consumer(text, reading), None)
        if ref in found:
            reading.refuse(tag, reading.tags[tag], f"another consumer than {found[ref]} names already")
        elif ref:
            found[ref] = tag
    return tuple(found)


def _consumer(uri: str, reading: _Reading) -> ConsumerRef:
    kind = tag_values.uri_kind(uri)
    return ConsumerRef(kind, consumer_kind(kind).check_uri(uri, reading.vault, reading.settings))


def _connection(reading: _Reading) -> ConsumerRef | None:
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
    # The organization is known to be allowed, so that what a kind can still object to is the project.
    return reading.take(legacy_tags.PROJECT, lambda _: _consumer(uri, reading), None)


def _lifetime(reading: _Reading) -> Span:
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


def _grace(reading: _Reading, lifetime: Span) -> Span:
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
        return tag_values.addresses((tags or {}).get("rekey-owners", ""), settings)
    except (RekeyError, ValueError):
        return ()
