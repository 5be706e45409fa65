"""Who is told what at which point of a federation: facts about its walk, to the owners that it knows of."""

from datetime import datetime
from typing import Any

from orchestrators.attempts import StepFailed, Steps
from orchestrators.clock import now
from orchestrators.sending import Sender, of_failure
from rekey.model import Notice, NoticeKind, Telling
from rekey.model.federation import STILL_USED, Federation, Mode, Runs
from rekey.model.federation_news import MOST_PIPELINES, FederationNews, Stage

LISTED = frozenset({Stage.APPROVE, Stage.STARTING, Stage.CONVERTED, Stage.STILL_USED})
"""Where the pipelines that use the connection are named."""


class FederationTeller(Sender):
    """Writes the notices of one walk."""

    opened = False
    """Its record is there, so that what is told is on it."""

    def unread(self, id_: str, request: FederationNews, failure: StepFailed) -> Steps[None]:
        """Tell the operators that a request came to nothing before anything could be read."""
        yield from self.send(Telling(notice=_notice(id_, request, **of_failure(failure)), has_record=False))

    def told(self, walk: Federation, stage: Stage, *, also: tuple[str, ...] = (), **news: Any) -> Steps[None]:
        """Say how far it has come; `also` are remarks of this notice alone."""
        yield from self._tell(walk, stage, {"remarks": (*self.remarks, *also)}, news)

    def still_used(self, walk: Federation, runs: Runs, until: datetime) -> Steps[None]:
        """Say which pipelines still run through the old connection."""
        words = {"code": STILL_USED, "message": "; ".join(runs.by) or "a pipeline whose name isn't known"}
        yield from self._tell(walk, Stage.STILL_USED, words, {"soak_until": until, "revertible": True})

    def failed(self, walk: Federation, failure: StepFailed, **news: Any) -> Steps[None]:
        """Say that it was given up, what is left of it, and what to do."""
        yield from self._tell(walk, Stage.FAILED, of_failure(failure), news)

    def needs_you(self, walk: Federation, failure: StepFailed, **news: Any) -> Steps[None]:
        """Say that it can't go on without somebody; it keeps trying. The same step may need somebody more than once."""
        key = f"{failure.step} {now(self._ctx).isoformat()}"
        yield from self._tell(walk, Stage.NEEDS_YOU, {"key": key, **of_failure(failure)}, news)

    def _tell(self, walk: Federation, stage: Stage, words: dict[str, Any], news: dict[str, Any]) -> Steps[None]:
        notice = _notice(walk.id, _news(walk, stage, news), **{"remarks": tuple(self.remarks), **words})
        yield from self.send(Telling(notice=notice, owners=_owners(walk), has_record=self.opened))


def _notice(id_: str, news: FederationNews, *, key: str = "", **words: Any) -> Notice:
    return Notice(
        kind=NoticeKind.FEDERATION,
        rotation_id=id_,
        vault="",
        secret="",
        to=(),
        key=" ".join(filter(None, (news.stage, key))),
        federation=news,
        **words,
    )


def _owners(walk: Federation) -> tuple[str, ...]:
    """Return the owners of the managed secrets and of the pipelines, once each."""
    known = walk.checked
    found = (*known.owners, *(one.owner for one in known.pipelines)) if known else ()
    return tuple(dict.fromkeys(filter(None, found)))


def _news(walk: Federation, stage: Stage, more: dict[str, Any]) -> FederationNews:
    pipelines = walk.checked.pipelines if walk.checked and stage in LISTED else ()
    made = walk.mode in {Mode.SIDE_BY_SIDE, Mode.VEND}
    return FederationNews(
        stage=stage,
        mode=walk.mode,
        organization=walk.organization,
        project=walk.project,
        connection=walk.connection,
        new_connection=(walk.new.name if walk.new else walk.new_name) if made else "",
        requested_by=walk.requested_by,
        identity=walk.identity or (walk.signs_in_as.arm_id if walk.signs_in_as else ""),
        role=walk.role,
        scope=walk.scope,
        revert_until=walk.new.revert_until if walk.new and more.get("revertible") else None,
        pipelines=pipelines[:MOST_PIPELINES],
        more_pipelines=max(0, len(pipelines) - MOST_PIPELINES),
        **more,
    )
