"""How the news of a service connection that comes to need no secret are put: title, rows, sentences, commands."""

import re
from collections.abc import Iterator

import msgspec

from rekey.model import Finding, Notice
from rekey.model.federation import Mode, PipelineUse
from rekey.model.federation_news import FederationNews, Stage
from rekey.notices.findings import FEDERATION_WAITS
from rekey.notices.wording import moment

_ID = re.compile(r"[0-9a-f-]{36}")

_TITLES: dict[Stage, str] = {
    Stage.APPROVE: "needs approval: {name}",
    Stage.STARTING: "starting: {name} is to need no secret",
    Stage.CONVERTED: "converted: {name} needs no secret",
    Stage.STILL_USED: "still used: {name}",
    Stage.NEEDS_YOU: "needs you: {name}",
    Stage.DONE: "done: {name} needs no secret",
    Stage.REVERTED: "reverted: {name} is as it was",
    Stage.FAILED: "failed: {name}",
}
_TITLES_OF_MODE: dict[tuple[Stage, Mode], str] = {
    (Stage.STARTING, Mode.REPAIR): "starting: {name} is to be trusted again",
    (Stage.DONE, Mode.REPAIR): "done: {name} is trusted again",
    (Stage.CONVERTED, Mode.SIDE_BY_SIDE): "replaced: {name} has a successor without a secret",
    (Stage.DONE, Mode.SIDE_BY_SIDE): "done: {name} is gone, its successor needs no secret",
    (Stage.DONE, Mode.VEND): "done: {name} is made and has no secret",
}
_TONES = {Stage.APPROVE: "needs-you", Stage.CONVERTED: "switched", Stage.REVERTED: "needs-you"}

_PLANS: dict[Mode, str] = {
    Mode.IN_PLACE: "Rekey is going to have Azure DevOps convert this service connection to workload identity "
    "federation. It keeps its name and its permissions, and can be converted back for seven days.",
    Mode.SIDE_BY_SIDE: "Rekey is going to make a second service connection that signs in by workload identity "
    "federation. The old one stays as it is until nothing runs through it any more.",
    Mode.REPAIR: "Microsoft Entra doesn't trust what this service connection presents. Rekey is going to make the "
    "federated credential that fits.",
    Mode.VEND: "Rekey is going to make this service connection with a managed identity of its own; there will be no "
    "secret, and no pipeline may use it before somebody permits that.",
}
_PROVEN: dict[Mode, str] = {
    Mode.IN_PLACE: "This service connection signs in without a secret now, and that was tried. Pipelines that use it "
    "need no change.",
    Mode.SIDE_BY_SIDE: "A second service connection, {new}, signs in without a secret, and that was tried. What may "
    "use the old one may use the new one.",
}
_ENDS: dict[Mode, str] = {
    Mode.IN_PLACE: "This service connection signs in without a secret, and goes on doing so: it can't be put back any "
    "more.",
    Mode.SIDE_BY_SIDE: "The old service connection was deleted. {new} has its place and needs no secret.",
    Mode.REPAIR: "Microsoft Entra trusts this service connection again.",
    Mode.VEND: "The service connection is made. It signs in without a secret, and that was tried.",
}
_TASKS: dict[Mode, str] = {
    Mode.IN_PLACE: "Nothing, if your pipelines run. If one can't sign in any more, say so to the operators before "
    "{until}: until then everything can be put back as it was.",
    Mode.SIDE_BY_SIDE: "Let the pipelines below use {new} in place of {old} before {until}. After that the old service "
    "connection and its secret go, once nothing has run through it for long enough.",
}
_OPERATORS = "Ask the operators of Rekey to look at it."


class Pipeline(msgspec.Struct, frozen=True):
    """One line of the list of pipelines."""

    name: str
    known: str


def title(notice: Notice, room: int) -> str:
    """Return the mail's title in at most `room` characters, a long name shortened."""
    news = _news(notice)
    pattern = _TITLES_OF_MODE.get((news.stage, news.mode), _TITLES[news.stage])
    if news.stage is Stage.NEEDS_YOU and notice.failed_step:
        pattern += f", {notice.failed_step[:40]}"
    left = room - len(pattern.format(name=""))
    return pattern.format(name=news.name if len(news.name) <= left else news.name[: left - 3] + "...")


def tone(notice: Notice) -> str:
    """Return the kind of notice that a mail has the colour of."""
    stage = notice.federation.stage if notice.federation else None
    return _TONES.get(stage, stage.value) if stage else notice.kind.value


def rows(notice: Notice) -> Iterator[tuple[str, str]]:
    """Return the labels and values of the mail's summary; a value may be empty."""
    news = notice.federation
    if news is None:
        return
    yield "Service connection", news.name
    yield "New service connection", news.new_connection if news.connection else ""
    yield "How", news.mode.value
    yield "Asked for by", news.requested_by
    yield "Role", news.role
    yield "For", news.scope
    yield "Managed identity", news.identity
    yield "Approved by", news.approved_by
    yield "Reverted by", news.reverted_by
    yield "Known to work by", news.proof
    yield "The way back is open until", moment(news.soak_until) if news.soak_until else ""
    yield "Azure DevOps converts back until", moment(news.revert_until) if news.revert_until else ""


def lead(notice: Notice) -> str:
    """Return in a sentence or two what has happened."""
    news = notice.federation
    if news is None:
        return ""
    match news.stage:
        case Stage.APPROVE:
            return f"{_PLANS[news.mode]} This grants roles in Azure: somebody else than who asked has to approve it."
        case Stage.STARTING:
            return _PLANS[news.mode]
        case Stage.CONVERTED:
            return _PROVEN.get(news.mode, _PROVEN[Mode.IN_PLACE]).format(new=news.new_connection)
        case Stage.STILL_USED:
            return "Pipelines still run through the old service connection: it is kept, and looked at again every day."
        case Stage.NEEDS_YOU:
            step = f" at the step {notice.failed_step}" if notice.failed_step else ""
            return f"It waits{step}, and is tried again. Meanwhile nothing that works is taken away."
        case Stage.DONE:
            return _ENDS[news.mode].format(new=news.new_connection)
        case Stage.REVERTED | Stage.FAILED:
            return _undone(news)


def what_next(notice: Notice) -> str:
    """Return what the reader is asked to do, the advice aside that the failure itself has."""
    news = notice.federation
    if news is None:
        return ""
    until = moment(news.soak_until) if news.soak_until else "the next mail"
    match news.stage:
        case Stage.APPROVE:
            return "If this is meant to be so, approve it; if nobody does within 30 days, nothing is done."
        case Stage.CONVERTED:
            task = _TASKS.get(news.mode, _TASKS[Mode.IN_PLACE])
            return task.format(new=news.new_connection, old=news.connection, until=until)
        case Stage.STILL_USED:
            return f"Let these pipelines use {news.new_connection} in place of {news.connection}."
        case Stage.NEEDS_YOU if news.revertible:
            return "It goes on by itself once that is repaired. Or have everything put back as it was:"
        case Stage.NEEDS_YOU | Stage.FAILED:
            return "" if notice.what_to_do else _OPERATORS
        case Stage.DONE if news.mode is Mode.VEND:
            return "Permit the pipelines that are to use it, in the service connection's security settings."
        case Stage.DONE:
            return "Nothing, if your pipelines run."
        case _:
            return "Nothing."


def finding(notice: Notice) -> Finding:
    """Return the news as one line of a digest."""
    news = _news(notice)
    said = f"{notice.message} ({notice.code})." if notice.message else ""
    shown = (f"{label}: {value}." for label, value in rows(notice) if value and label != "Service connection")
    waits = news.stage in {Stage.APPROVE, Stage.NEEDS_YOU, Stage.FAILED, Stage.STILL_USED}
    return Finding(
        code=FEDERATION_WAITS if waits else notice.kind,
        subject=news.name,
        message=" ".join(filter(None, (lead(notice), said, *shown, *notice.remarks))),
        what_to_do=" ".join(filter(None, (notice.what_to_do, what_next(notice), *commands(notice)))),
    )


def commands(notice: Notice) -> list[str]:
    """Return the commands that decide about it, none where nothing can be decided."""
    news = notice.federation
    if news is None or not _ID.fullmatch(notice.rotation_id):
        return []
    decisions = ["approve"] if news.stage is Stage.APPROVE else []
    decisions += ["revert"] if news.revertible else []
    return [f"python -m rekey {decision} {notice.rotation_id}" for decision in decisions]


def pipelines(notice: Notice) -> list[Pipeline]:
    """Return the pipelines that are known to use the connection, and how that is known."""
    return [Pipeline(one.name, _known(one)) for one in notice.federation.pipelines] if notice.federation else []


def _known(one: PipelineUse) -> str:
    ran = f"last run {moment(one.last_run)}" if one.last_run else ""
    return ", ".join(filter(None, (one.known_by, ran, f"owner {one.owner}" if one.owner else "")))


def _undone(news: FederationNews) -> str:
    if not news.changed:
        return "Nothing was changed."
    if news.undone:
        return f"What had been changed is undone: {news.undone}."
    if news.proof:
        return "The new way in works and stays; what was to follow was given up, so that the old one is still there."
    return "Something had been changed, and it could not all be undone: look at it."


def _news(notice: Notice) -> FederationNews:
    if notice.federation is None:
        raise ValueError("a notice of a federation has none")
    return notice.federation
