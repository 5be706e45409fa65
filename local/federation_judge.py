"""Judges a connection that came to need no secret by what the simulated services hold and answer, not by the app."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from local.answer import Answer
from local.changes import ONLOOKER, beyond
from local.company import Application, Company, Endpoint
from local.federation_scenario import FederationScenario
from local.judge import Check
from local.leaks import Leak
from rekey.federation.records import CLOSED, FederationRecord
from rekey.model.rotation import NOTHING_LEFT

SCHEME = "WorkloadIdentityFederation"
STAGES = ("starting", "converted", "done")
"""What owner, developer and operators are mailed."""
_REFUSED = "AADSTS7000215"


@dataclass(frozen=True)
class FederationSeen:
    """Everything the judgement rests on: states before and now, what services answered, what was reported and kept."""

    scenario: FederationScenario
    before: dict[str, Any]
    after: dict[str, Any]
    tested: Answer
    """TestConnection."""
    ran: tuple[Answer, ...]
    """The pipeline's runs: before, in the soak, at the end."""
    old_password: Answer
    """A sign-in with it, at the end."""
    reported: tuple[Mapping[str, Any], ...]
    """The connection's row in the audit's report: before, and at the end."""
    rotated: str
    """What came of asking for a rotation of the secret."""
    records: tuple[FederationRecord, ...]
    leaks: tuple[Leak, ...]

    @property
    def connection(self) -> Endpoint:
        """The connection as it is now."""
        scenario, company = self.scenario, Company.of(self.after)
        return company.endpoint(scenario.organization, scenario.project, scenario.connection)

    @property
    def application(self) -> Application:
        """The application as it is now."""
        return Company.of(self.after).entra.applications[self.scenario.application]


def checks(seen: FederationSeen) -> list[Check]:
    """Judge."""
    judged = {
        "the audit saw its secret, and then none": _reported,
        "Azure DevOps holds no secret for it": _no_secret,
        "Entra trusts exactly what it presents": _trusted,
        "it signs in without a secret": _signs_in,
        "the pipeline works all the way": _pipeline,
        "its old password is removed and refused": _refused,
        "the managed secret stops rotating": _nothing_left,
        "each mail went once, to the right people": _mails,
        "nothing else in the company changed": _nothing_else,
        "the evidence is stored, closed as done": _closed,
        "no secret leaked anywhere": _no_leak,
    }
    return [Check(name, *judgement(seen)) for name, judgement in judged.items()]


def _reported(seen: FederationSeen) -> tuple[bool, str]:
    ways = [str(row.get("way")) for row in seen.reported]
    findings = [", ".join(row.get("findings", ())) or "no finding" for row in seen.reported]
    told = "; then ".join(f"{way} ({found})" for way, found in zip(ways, findings, strict=True))
    return (ways, findings[-1:]) == (["secret", "federated"], ["no finding"]), told


def _no_secret(seen: FederationSeen) -> tuple[bool, str]:
    scheme, secrets = seen.connection.document["authorization"]["scheme"], seen.connection.secrets
    return (scheme, secrets) == (SCHEME, {}), f"scheme {scheme}, secrets stored: {len(secrets)}"


def _trusted(seen: FederationSeen) -> tuple[bool, str]:
    presents = seen.connection.document["authorization"]["parameters"]
    wanted = tuple(presents.get(f"workloadIdentityFederation{part}") for part in ("Issuer", "Subject"))
    known = {name: (one.issuer, one.subject) for name, one in seen.application.federated_credentials.items()}
    return list(known.values()) == [wanted], f"federated credentials: {', '.join(known) or 'none'}"


def _signs_in(seen: FederationSeen) -> tuple[bool, str]:
    return seen.tested.ok, f"TestConnection: {seen.tested.text}"


def _pipeline(seen: FederationSeen) -> tuple[bool, str]:
    return bool(seen.ran) and all(answer.ok for answer in seen.ran), ", ".join(answer.text for answer in seen.ran)


def _refused(seen: FederationSeen) -> tuple[bool, str]:
    left = len(seen.application.live())
    return left == 0 and _REFUSED in seen.old_password.text, f"{left} passwords left; {seen.old_password.text}"


def _nothing_left(seen: FederationSeen) -> tuple[bool, str]:
    return seen.rotated == NOTHING_LEFT, f"asked to rotate it, Rekey said: {seen.rotated}"


def _mails(seen: FederationSeen) -> tuple[bool, str]:
    people = (seen.scenario.owner, seen.scenario.developer, seen.scenario.operator)
    due = Counter((stage, to) for stage in STAGES for to in people)
    about = [mail for mail in Company.of(seen.after).email.outbox if seen.scenario.connection in mail.subject]
    sent = Counter((mail.kind(), to) for mail in about for to in mail.recipients())
    repeated = sum(mail.duplicates for mail in about)
    told = ", ".join(f"{stage} to {to}{f' {n} times' if n > 1 else ''}" for (stage, to), n in sent.items())
    return sent == due and not repeated, f"{told or 'no mail'}; sent again: {repeated}"


def _nothing_else(seen: FederationSeen) -> tuple[bool, str]:
    changed = beyond(_may_change(seen.scenario), seen.before, seen.after)
    return not changed, f"changed: {', '.join(changed)}" if changed else "all other objects are as before"


def _may_change(scenario: FederationScenario) -> Iterator[str]:
    """Yield regular expressions of the paths that the walk, and whoever looks on, may change.

    Asked to rotate, Rekey reads the secret and writes its attributes as they are: that is how it finds that it may.
    """
    project = f"azuredevops/organizations/{scenario.organization}/projects/{scenario.project}"
    endpoint = f"{project}/endpoints/{re.escape(scenario.connection)}"
    yield f"{endpoint}/(secrets/|updates/|document/(authorization|data|modificationDate|modifiedBy))"
    yield f"{project}/pipelines/{re.escape(scenario.pipeline)}/runs/"
    yield f"entra/applications/{re.escape(scenario.application)}/(passwords/0/removed$|federated_credentials/)"
    yield f"keyvault/vaults/{scenario.vault}/secrets/{scenario.secret}/versions/0/(reads/|updated$)"
    yield from ONLOOKER
    yield "email/outbox/"


def _closed(seen: FederationSeen) -> tuple[bool, str]:
    told = [f"{record.federation.id} {record.state} {record.result}".strip() for record in seen.records]
    return [(r.state, r.result) for r in seen.records] == [(CLOSED, "done")], "; ".join(told) or "no record"


def _no_leak(seen: FederationSeen) -> tuple[bool, str]:
    return not seen.leaks, "; ".join(map(str, seen.leaks)) or "nothing found"
