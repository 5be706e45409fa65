"""What is told of service connections that come to need no secret, to look at: for `local.preview_notices`."""

from datetime import UTC, datetime
from typing import Any

from msgspec.structs import replace

from rekey.model import Notice, NoticeKind
from rekey.model.federation import Mode, PipelineUse
from rekey.model.federation_news import FederationNews, Stage

_NEWS = FederationNews(
    stage=Stage.CONVERTED,
    mode=Mode.IN_PLACE,
    organization="contoso",
    project="Web Shop",
    connection="deploy",
    requested_by="erin@contoso.example",
    soak_until=datetime(2026, 11, 27, 21, 30, tzinfo=UTC),
    revertible=True,
    revert_until=datetime(2026, 11, 28, 9, 30, tzinfo=UTC),
    changed=True,
    proof="Azure DevOps signed in with it twice (Verify)",
    pipelines=(
        PipelineUse(
            id="12",
            name="Shop release",
            owner="dana@contoso.example",
            last_run=datetime(2026, 11, 20, 16, 5, tzinfo=UTC),
            known_by="execution history",
        ),
    ),
    more_pipelines=3,
)
FEDERATION = Notice(
    kind=NoticeKind.FEDERATION,
    rotation_id="2b8e0f3c-7d41-4c0e-9b5a-6a1d2c3e4f50",
    vault="",
    secret="",
    to=("dana@contoso.example", "ops@contoso.example"),
    remarks=("The secret kv-shop/shop-deploy stops rotating; its last password goes when the way back is closed.",),
    federation=_NEWS,
)


def federations() -> dict[str, Notice]:
    """Return what is told of a service connection at each stage, by stage and way."""

    def told(stage: Stage, mode: Mode, **more: Any) -> Notice:
        names = {"new_connection": "deploy-federated"} if mode in {Mode.SIDE_BY_SIDE, Mode.VEND} else {}
        left = {"revertible": stage in {Stage.APPROVE, Stage.CONVERTED, Stage.STILL_USED, Stage.NEEDS_YOU}}
        old = {"connection": ""} if mode is Mode.VEND else {}
        return replace(FEDERATION, federation=replace(_NEWS, stage=stage, mode=mode, **names, **old, **left), **more)

    failed = {"failed_step": "prove_connection", "code": "AADSTS70021", "message": "Entra refused what it presents."}
    return {
        f"federation-{stage}-{mode}": told(stage, mode, **(failed if stage in {Stage.NEEDS_YOU, Stage.FAILED} else {}))
        for stage in Stage
        for mode in Mode
    }
