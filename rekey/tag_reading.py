"""Knows every policy tag by name, and gathers all that is wrong with a secret's tags before anybody is told."""

import difflib
import re
from collections.abc import Callable, Mapping

from rekey import legacy_tags, tag_values
from rekey.errors import InputError, ScopeError, TagError
from rekey.names import TAG_KEY_ID, TAG_ROTATION_ID
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

_KNOWN = frozenset((*POLICY_TAGS, *WRITTEN_TAGS, *legacy_tags.NAMES))
_LEGACY_BY_CASE = {name.lower(): name for name in legacy_tags.NAMES}
_OURS = re.compile(r"rekey[-_. :]", re.IGNORECASE)


class TagReading:
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
