"""How a notice becomes a mail: subject, HTML and text from the templates beside this file."""

import functools
import re
from pathlib import Path

import jinja2
import msgspec

from rekey.model import ConsumerResult, Notice, NoticeKind, Reason
from rekey.notices import by_hand, federations, sightings
from rekey.notices.findings import groups, urgent
from rekey.notices.wording import moment, noun, presentable, wrapped

LONGEST_SUBJECT = 150

_TEMPLATES = Path(__file__).parent / "templates"
_NAME_FOR_A_SHELL = re.compile(r"[0-9A-Za-z-]{1,127}")

_SUBJECTS = {
    NoticeKind.STARTING: "starting: {name} gets a new {noun}",
    NoticeKind.SWITCHED: "switched: {name} has a new {noun}",
    NoticeKind.DONE: "done: {name}, rotation finished",
    NoticeKind.FAILED: "failed: {name} was not rotated",
    NoticeKind.NEEDS_YOU: "needs you: {name}",
    NoticeKind.STILL_USED: "still used: the old {noun} of {name}",
    NoticeKind.BAD_POLICY: "bad policy: {name} is not rotated until its tags are corrected",
    NoticeKind.NOTHING_LEFT: "nothing left to rotate: {name}",
    NoticeKind.ALERT: "alert: {name}",
}
_DIGESTS = frozenset({NoticeKind.SWEEP, NoticeKind.RECONCILE, NoticeKind.DIGEST, NoticeKind.CONNECTIONS})
"""Kinds that are about no single secret."""

_REASONS: dict[str, str] = {
    Reason.EVENT: "Key Vault said that it expires soon",
    Reason.SCHEDULE: "the daily check found that it expires soon",
    Reason.MANUAL: "somebody asked for it",
    Reason.LEAK: "it was reported as leaked",
}


class Mail(msgspec.Struct, frozen=True):
    """A mail without its recipients. `subject` is one line of at most LONGEST_SUBJECT characters."""

    subject: str
    html: str
    text: str


class Fact(msgspec.Struct, frozen=True):
    """One line of the mail's summary."""

    label: str
    value: str


def render(notice: Notice) -> Mail:
    """Return the mail for `notice`. Strings of the notice are shown as text, whatever is in them.

    In a `done` notice, `old_valid_until` says that the old credential was left to expire; None says it was retired.
    """
    shown = presentable(notice)
    words = {
        "notice": shown,
        "title": _title(shown),
        "noun": noun(shown),
        "facts": _facts(shown),
        "groups": groups(shown),
        "consumers": [(c, _state(c, shown.kind)) for c in shown.consumers],
        "read_command": _read_command(shown),
        "acknowledge_commands": by_hand.commands(shown),
        "waits_for_people": bool(by_hand.waiting(shown)),
        "contacts": by_hand.contacts(shown),
        "tone": federations.tone(shown),
        "lead": federations.lead(shown),
        "what_next": federations.what_next(shown),
        "commands": federations.commands(shown),
        "pipelines": federations.pipelines(shown),
        "old_until": moment(shown.old_valid_until) if shown.old_valid_until else "",
    }
    html = _environment().get_template(f"{shown.kind}.html").render(words)
    text = _environment().get_template(f"{shown.kind}.txt").render(words)
    return Mail(subject=f"[Rekey] {_title(shown)}", html=html, text=wrapped(text))


@functools.cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=jinja2.select_autoescape(enabled_extensions=("html",), default=False),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )


def _title(notice: Notice) -> str:
    if notice.kind is NoticeKind.FEDERATION:
        return federations.title(notice, LONGEST_SUBJECT - len("[Rekey] "))
    return _title_of_many(notice) if notice.kind in _DIGESTS else _title_of_one(notice)


def _title_of_many(notice: Notice) -> str:
    found, act = _counted(len(notice.findings), "finding"), urgent(notice)
    match notice.kind:
        case NoticeKind.SWEEP:
            started = notice.counts.get("started", 0)
            done = f"{_counted(started, 'rotation')} started" if started else "nothing was started"
            return f"nightly sweep: {done}, {found}" if notice.findings else f"nightly sweep: {done}"
        case NoticeKind.RECONCILE:
            return f"nightly check: {found}" if notice.findings else "nightly check: all is well"
        case NoticeKind.CONNECTIONS:
            return f"service connections: {found}" if notice.findings else "service connections: findings are gone"
        case _:
            secrets = len({(f.vault, f.secret, f.subject) for f in notice.findings})
            news = f"news: {_counted(secrets, 'secret')}"
            return f"{news}, {act} to act on" if act else news


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _title_of_one(notice: Notice) -> str:
    name = f"{notice.vault}/{notice.secret}" if notice.secret else notice.vault
    pattern, word = _SUBJECTS[notice.kind], noun(notice)
    room = LONGEST_SUBJECT - len("[Rekey] ") - len(pattern.format(name="", noun=word))
    title = pattern.format(name=name if len(name) <= room else name[: room - 3] + "...", noun=word)
    which = _which(notice)
    fits = len(title) + len(f", {which}") <= LONGEST_SUBJECT - len("[Rekey] ")
    return f"{title}, {which}" if which and fits else title


def _which(notice: Notice) -> str:
    match notice.kind:
        case NoticeKind.NEEDS_YOU:
            return notice.failed_step
        case NoticeKind.ALERT:
            return notice.code if notice.sighting else f"{len(notice.findings)} at once"
        case _:
            return ""


def _facts(notice: Notice) -> list[Fact]:
    word, old = noun(notice), notice.old_valid_until
    counts = ((label[:1].upper() + label[1:], str(number)) for label, number in notice.counts.items())
    rows = (
        ("Secret", f"{notice.vault}/{notice.secret}" if notice.secret else ""),
        ("Issued for", _issued_for(notice)),
        ("Why now", _REASONS.get(notice.reason, notice.reason)),
        ("New version", notice.new_version),
        (f"New {word} expires", moment(notice.new_expires) if notice.new_expires else ""),
        (f"Old {word} works until", moment(old) if old else ""),
        ("Step", notice.failed_step),
        ("What happened", "" if notice.sighting else notice.message),
        ("Rule" if notice.sighting else "Code", notice.code),
        *sightings.rows(notice),
        *federations.rows(notice),
        *counts,
    )
    return [Fact(label, value) for label, value in rows if value]


def _issued_for(notice: Notice) -> str:
    if notice.credential is None:
        return notice.application_name
    target = f"{notice.credential.target} ({notice.credential.kind})"
    return f"{notice.application_name}, {target}" if notice.application_name else target


def _state(consumer: ConsumerResult, kind: NoticeKind) -> str:
    if consumer.code:
        return f"failed ({consumer.code}): {consumer.message}"
    if consumer.confirmed_by:
        return f"confirmed by: {consumer.confirmed_by}"
    if consumer.keyless:
        return f"needs no key any more: {consumer.keyless}"
    if consumer.by_hand:
        return by_hand.state(kind)
    return "will be updated" if kind is NoticeKind.STARTING else "not confirmed"


def _read_command(notice: Notice) -> str:
    """Return the command that reads the newest version, "" if a name could mean something to a shell.

    Who has to act gets exactly the version that the notice is about.
    """
    if not (_NAME_FOR_A_SHELL.fullmatch(notice.vault) and _NAME_FOR_A_SHELL.fullmatch(notice.secret)):
        return ""
    version = notice.new_version if notice.to_act and _NAME_FOR_A_SHELL.fullmatch(notice.new_version) else ""
    which = f"{notice.secret} --version {version}" if version else notice.secret
    return f"az keyvault secret show --vault-name {notice.vault} --name {which} --query value --output tsv"
