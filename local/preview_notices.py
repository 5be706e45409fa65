"""Every kind of notice as files to look at: `python -m local.preview_notices DIR`."""

import sys
from datetime import UTC, datetime
from pathlib import Path

from msgspec.structs import replace

from local.preview_federations import FEDERATION, federations
from rekey.model import ConsumerResult, CredentialRef, Finding, Notice, NoticeKind, Reason
from rekey.model.notice import Sighting
from rekey.notices.render import render

_HOW_TO_CALL = "usage: python -m local.preview_notices DIR"

_CONNECTION = "azdo-service-connection://contoso/Web Shop/deploy"

_STARTING = Notice(
    kind=NoticeKind.STARTING,
    rotation_id="3f1c2a54-8a57-4f0e-b9c1-6f1f3a8f0c11",
    vault="kv-shop",
    secret="shop-deploy",  # noqa: S106 (a secret's name)
    to=("dana@contoso.example",),
    credential=CredentialRef("entra-app-password", "9d4b7e9e-6b0c-4b52-9a3f-0d1f5f6a7c20"),
    application_name="Shop deployment",
    reason=Reason.EVENT,
    old_valid_until=datetime(2026, 12, 20, 9, 30, tzinfo=UTC),
    consumers=(ConsumerResult(uri=_CONNECTION),),
    remarks=("The owners of the application could not be read: mail goes to the secret's owners only.",),
)
_SWITCHED = replace(
    _STARTING,
    kind=NoticeKind.SWITCHED,
    new_version="0c3f9f6f4e1b4c0f9a2f6d1f4b7f2f10",
    new_expires=datetime(2027, 5, 19, 9, 30, tzinfo=UTC),
    old_valid_until=datetime(2026, 11, 28, 9, 30, tzinfo=UTC),
    consumers=(ConsumerResult(uri=_CONNECTION, confirmed_by="Azure DevOps signed in with it (Verify)"),),
    remarks=(),
)
_PARTNER = ConsumerResult(uri="manual:ada@partner.example", by_hand=True)
_FAILED_CONSUMER = ConsumerResult(
    uri="azdo-service-connection://contoso/Warehouse/deploy",
    code="consumer-forbidden",
    message="Azure DevOps refused the change: the identity may not edit this service connection.",
    what_to_do="Give Rekey's identity the Administrator role on the connection, then choose retry.",
)
_ORPHAN = Finding(
    code="orphaned-password",
    subject="application Shop deployment, password 5b1f0c7e",
    message="Rekey made it in a rotation that is over, and nothing refers to it. It was removed.",
)
_NO_END = Finding(
    code="no-expiry",
    vault="kv-shop",
    secret="shop-deploy",  # noqa: S106 (a secret's name)
    message="The newest version has no expiry date, so that Key Vault never says that it ends.",
    what_to_do="Set the expiry of the credential on the newest version of the secret.",
)
_SWEEP = Notice(
    kind=NoticeKind.SWEEP,
    rotation_id="b7a0f3c2-5f0c-4b6d-8a37-2f1de0a8c1e4",
    vault="",
    secret="",
    to=("ops@contoso.example",),
    counts={"looked at": 1204, "started": 12, "running already": 1},
    findings=(
        Finding(
            code="not-started",
            vault="kv-shop",
            secret="shop-deploy",  # noqa: S106 (a secret's name)
            message="The rotation could not be started: the instance is suspended.",
            what_to_do="Resume or terminate the instance rotate.kv-shop.shop-deploy.",
        ),
        _NO_END,
        replace(_NO_END, secret="shop-search"),  # noqa: S106 (a secret's name)
    ),
)
_DRIFT = Finding(
    code="subject-differs",
    subject="contoso/Web Shop/deploy",
    message="none of its application's 2 federated credentials has both its issuer and its subject",
    what_to_do="Give the application a federated credential with exactly this issuer and subject.",
)
_SECRET = Finding(
    code="secret",
    subject="contoso/Warehouse/deploy",
    message="it signs in with a secret, which Rekey rotates (kv-shop/shop-deploy)",
    what_to_do="Nothing has to be done; converted to workload identity federation it needs no secret at all.",
)
_NEWS = Finding(
    code=NoticeKind.SWITCHED,
    vault="kv-shop",
    secret="shop-deploy",  # noqa: S106 (a secret's name)
    message=(
        "New version 0c3f9f6f4e1b4c0f9a2f6d1f4b7f2f10. The old password works until"
        " Saturday, 28 November 2026, 09:30 UTC."
    ),
)
_DIGEST = Notice(
    kind=NoticeKind.DIGEST,
    rotation_id="c40b8f8c-0f3a-5a55-9d0c-7f0f8f3f1b11",
    vault="",
    secret="",
    to=("dana@contoso.example",),
    findings=(
        _NEWS,
        replace(_NEWS, code=NoticeKind.DONE, secret="shop-search", message="It was retired."),  # noqa: S106 (as above)
        Finding(
            code=NoticeKind.NEEDS_YOU,
            vault="kv-shop",
            secret="warehouse-deploy",  # noqa: S106 (a secret's name)
            message="Step update_consumer: Azure DevOps refused the change (consumer-forbidden).",
            what_to_do="Give Rekey's identity the Administrator role on the connection, then choose retry.",
        ),
    ),
)
_ALERT = Notice(
    kind=NoticeKind.ALERT,
    rotation_id="8d0f2d6e-9a3c-5f52-a3b5-1f5e6c1b7a10",
    vault="kv-shop",
    secret="shop-deploy",  # noqa: S106 (a secret's name)
    to=("dana@contoso.example", "ops@contoso.example"),
    code="unexpected-reader",
    message="Somebody who is not among its readers read, or tried to read, the value of a secret.",
    what_to_do="Find out who it is. If they may read it, add the id to the tag rekey-readers; else rotate the secret.",
    sighting=Sighting(
        severity="high",
        app_id="04b07795-8ddb-461a-bbee-02f9e1bf7b46",
        object_id="5b0c7e9e-6b0c-4b52-9a3f-0d1f5f6a7c20",
        name="erin@contoso.example",
        first=datetime(2026, 11, 21, 9, 30, tzinfo=UTC),
        last=datetime(2026, 11, 21, 11, 5, tzinfo=UTC),
        times=12,
        refused=3,
        addresses=("104.40.82.76",),
        operations=("SecretGet", "SecretGet (403)"),
    ),
)


def samples() -> dict[NoticeKind, Notice]:
    """Return one plausible notice of every kind."""
    return {
        NoticeKind.STARTING: _STARTING,
        NoticeKind.SWITCHED: _SWITCHED,
        NoticeKind.DONE: replace(
            _SWITCHED,
            kind=NoticeKind.DONE,
            old_valid_until=None,
            remarks=("Not checked: whether somebody still used the old password (no permission to look).",),
        ),
        NoticeKind.FAILED: replace(
            _STARTING,
            kind=NoticeKind.FAILED,
            failed_step="preflight",
            code="not-an-owner",
            message="Rekey's identity is not an owner of the application Shop deployment.",
            what_to_do="Make Rekey's service principal an owner of the application.",
        ),
        NoticeKind.NEEDS_YOU: replace(
            _SWITCHED,
            kind=NoticeKind.NEEDS_YOU,
            failed_step="update_consumer",
            code="consumer-forbidden",
            message="1 of 2 consumers could not be updated.",
            what_to_do="Decide: retry, skip-consumer, rollback or abandon.",
            consumers=(*_SWITCHED.consumers, _FAILED_CONSUMER),
        ),
        NoticeKind.STILL_USED: replace(
            _SWITCHED,
            kind=NoticeKind.STILL_USED,
            code="old-version-enabled",
            message="refused because the old version is disabled: application 9f0d6a4e-11c2-4f6e-8a53-0a5a3f6f9f10",
        ),
        NoticeKind.BAD_POLICY: replace(
            _STARTING,
            kind=NoticeKind.BAD_POLICY,
            credential=None,
            application_name="",
            consumers=(),
            code="bad-tag",
            message="rekey-lifetime: got 'half a year', expected an ISO 8601 duration such as P180D",
            what_to_do="Correct rekey-lifetime and start again.",
            remarks=(),
        ),
        NoticeKind.NOTHING_LEFT: replace(
            _STARTING,
            kind=NoticeKind.NOTHING_LEFT,
            consumers=(replace(_STARTING.consumers[0], keyless="it signs in by workload identity federation"),),
            what_to_do="Remove Rekey's tags from the newest version, or delete the secret if nobody else reads it.",
        ),
        NoticeKind.SWEEP: _SWEEP,
        NoticeKind.RECONCILE: replace(
            _SWEEP, kind=NoticeKind.RECONCILE, findings=(_ORPHAN, _NO_END), counts={"records looked at": 88}
        ),
        NoticeKind.DIGEST: _DIGEST,
        NoticeKind.CONNECTIONS: replace(
            _SWEEP,
            kind=NoticeKind.CONNECTIONS,
            findings=(_DRIFT, _SECRET),
            counts={"connections": 214, "without a key": 180, "with a key": 34},
        ),
        NoticeKind.ALERT: _ALERT,
        NoticeKind.FEDERATION: FEDERATION,
    }


def by_hand() -> dict[str, Notice]:
    """Return what is told when somebody has to act by hand, to them and to the owners."""
    told = replace(_SWITCHED, consumers=(*_SWITCHED.consumers, _PARTNER))
    to_act = replace(_SWITCHED, consumers=(_PARTNER,), to_act=True, contacts=("dana@contoso.example",))
    reminded = replace(told, kind=NoticeKind.NEEDS_YOU, old_valid_until=_STARTING.old_valid_until)
    return {
        "switched-by-hand": told,
        "switched-to-act": to_act,
        "needs-you-by-hand": replace(
            reminded,
            consumers=(_PARTNER,),
            failed_step="grace",
            code="not-acknowledged",
            message=f"nobody has said yet that these have the new credential: {_PARTNER.uri}",
            what_to_do="Once they have it, put that down: python -m rekey acknowledge <rotation> <consumer>.",
        ),
        "needs-you-to-act": replace(
            to_act, kind=NoticeKind.NEEDS_YOU, code="not-acknowledged", old_valid_until=_STARTING.old_valid_until
        ),
    }


def write(folder: Path) -> list[Path]:
    """Write the HTML and the text of every sample into `folder` (created) and return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, notice in (*samples().items(), *by_hand().items(), *federations().items()):
        mail = render(notice)
        for suffix, content in (("html", mail.html), ("txt", f"Subject: {mail.subject}\n\n{mail.text}")):
            path = folder / f"{name}.{suffix}"
            path.write_text(content, encoding="utf-8")
            written.append(path)
    return written


def main(arguments: list[str]) -> int:
    """Write the previews and print where they are; exit code 2 for a wrong call."""
    if len(arguments) != 1:
        print(_HOW_TO_CALL, file=sys.stderr)
        return 2
    for path in write(Path(arguments[0])):
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
