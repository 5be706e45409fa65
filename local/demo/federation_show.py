"""The demo of a connection that comes to need no secret: audit, plan, conversion, soak, and the audit again."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import msgspec
from azure.storage.blob import ContainerClient

from local.answer import Answer
from local.demo.course import Course
from local.demo.federation_story import Federating
from local.demo.follow import Follower, Step
from local.federation_judge import FederationSeen, checks
from local.federation_scenario import FederationScenario
from local.leaks import scan, secrets_of, sinks
from local.onlooker import Onlooker
from local.passes import done
from local.seen import retired
from rekey import names
from rekey.federation.records import FederationRecord
from rekey.model.rotation import NOTHING_LEFT

_ENDED = frozenset({"Completed", "Failed", "Terminated"})


class FederationShow(Course):
    """One run of the demo."""

    walk = "federation"
    title = "a connection that needs no secret"
    ended_well = "Without a secret"

    @classmethod
    def where(cls, walk_id: str) -> Sequence[str]:
        """Say where evidence and status are."""
        return (
            f"evidence    blob rekey/federations/{walk_id}.json (a copy is evidence.json)",
            "status      <host>/runtime/webhooks/durabletask/instances/federate.<organization>.<project>.<connection>",
            f"            <host>/api/federations/{walk_id}",
        )

    @property
    def place(self) -> FederationScenario:
        """The company."""
        assert isinstance(self.scenario, FederationScenario)  # noqa: S101 - the command pairs the two
        return self.scenario

    def play(self) -> None:
        """Show it all and judge it; what comes out is in the outcome."""
        self.started()
        self.reported: list[Mapping[str, Any]] = []
        self.ran: list[Answer] = []
        self.rotated = "nothing: it was not asked"
        self.introduce()
        self.audit("The audit: which connections have a secret")
        self.plan()
        self.follow()
        self.count_requests()
        self.afterwards()
        self.look_back()
        self.judge()

    def introduce(self) -> None:
        """Name who and what is there, and prove that it works before anything happens."""
        place = self.place
        self.onlooker = Onlooker(self.stack)
        self.screen.part("The company (new names and secrets in every run)")
        self.screen.lines(
            f"secret      {place.vault}/{place.secret}, ends in {place.expires_in_days:g} days: nothing is due",
            f"issued for  application {place.application}, which has one password, made by Rekey",
            f"copy in     {place.connected.shown()}",
            f"used by     pipeline {place.pipeline}, made by {place.developer}",
            f"people      {place.owner} (owner)",
        )
        (password,) = self.company().entra.applications[place.application].passwords
        azure_devops = self.stack.control.description["urls"]["azuredevops"]
        self.stack.control.seed(place.rotated_secret(self.stack.client_id, azure_devops, password.key_id))
        self.before = self.stack.control.state()
        self.old = place.credential.held(self.company())
        self.sign_in("its password signs in at Entra")
        self.test("Azure DevOps signs in through the connection, with the password that it stores")
        self.run_pipeline()

    def audit(self, title: str) -> None:
        """Have the app look at all connections, and show what it says of them."""
        place = self.place
        self.screen.part(title)
        self.screen.waiting("audit_service_connections")
        with self.aside():
            done(self.stack, names.AUDIT_SERVICE_CONNECTIONS)
            _, report = self.stack.get("/api/service-connections?top=1000")
        rows = {row["connection"]: row for row in report.get("connections", ())}
        for name, row in sorted(rows.items()):
            managed = f"managed by {row['managed_by']}" if row.get("managed_by") else "not managed"
            findings = ", ".join(row["findings"]) or "nothing to say"
            ok = name != place.connection or bool(row["managed_by"]) or row["way"] == "federated"
            self.screen.witnessed(f"{name}: {row['way']}, {managed}: {findings}", ok=ok)
        self.reported.append(rows.get(place.connection, {}))

    def plan(self) -> None:
        """Ask what would be done, which changes nothing."""
        self.screen.part("The plan (python -m rekey federate ORGANIZATION/PROJECT/CONNECTION --plan)")
        with self.aside():
            status, answer = self.stack.call("POST", "/api/service-connections/plan", self._request())
        plan = (answer.get("plans") or [{}])[0]
        said = plan.get("verdict", answer)
        self.screen.witnessed(f"{said}: {plan.get('why', '')}", ok=(status, said) == (200, "federates"))
        if gap := plan.get("gap"):
            self.screen.witnessed(f"gap {'possible' if gap['possible'] else 'impossible'}: {gap['why']}", ok=True)
        self.screen.lines(*(f"{step['step']:24}{step['does']}" for step in plan.get("steps", ())))

    def follow(self) -> None:
        """Ask for it and show it as it happens."""
        self.screen.part("The conversion")
        status, answer = self.stack.call("POST", "/api/service-connections/federate", self._request())
        self.screen.event(f"an operator asks for it: HTTP {status}, {answer.get('instance', answer)}")
        self.follow_walk(Follower(self.stack, Federating(self.place)), self.try_out)

    def try_out(self, step: Step) -> None:
        """Try for oneself what a step claims."""
        if step.outcome != "ok":
            return
        match step.step:
            case names.PROVE_CONNECTION if len(self.ran) == 1:
                self.test("Azure DevOps signs in through the connection, and stores no password")
                self.run_pipeline()
                self.sign_in("the old password still signs in: the way back is open")
            case names.RETIRE_SECRETS:
                company, old = self.company(), self.old
                answer = retired(self.onlooker, company, self.place.credential, old)
                self._say("the old password is refused", answer, ok=self.place.credential.refuses(answer))
                self.test("Azure DevOps signs in through the connection without it")

    def afterwards(self) -> None:
        """Look what is left to do."""
        self.audit("The audit again")
        self.run_pipeline()
        if not self.outcome.trouble:
            self.rotate()

    def rotate(self) -> None:
        """Ask for a rotation of the managed secret, which has nothing to rotate any more."""
        self.screen.part("The managed secret")
        with self.aside():
            self.rotated = self._rotated()
        self.screen.witnessed(f"asked to rotate it, Rekey says: {self.rotated}", ok=self.rotated == NOTHING_LEFT)

    def judge(self) -> None:
        """Judge what is left, by the services' own state."""
        self.screen.part("What the simulated services themselves say now")
        self.screen.waiting("looking everywhere")
        company, place = self.company(), self.place
        printed = {"what the demo printed": self.screen.printed().encode()}
        leaks = tuple(scan({**sinks(self.stack), **printed}, secrets_of(self.stack)))
        seen = FederationSeen(
            scenario=place,
            before=self.before,
            after=self.stack.control.state(),
            tested=self._tested(),
            ran=tuple(self.ran),
            old_password=retired(self.onlooker, company, place.credential, self.old),
            reported=tuple(self.reported),
            rotated=self.rotated,
            records=self._records(),
            leaks=leaks,
        )
        self.outcome.checks, self.outcome.leaks = checks(seen), list(leaks)
        self.screen.checks(self.outcome.checks)

    def sign_in(self, claim: str) -> None:
        """Sign in with the old password."""
        answer = self.place.credential.tried(self.onlooker, self.company(), self.old)
        self._say(claim, answer, ok=answer.ok)

    def test(self, claim: str) -> None:
        """Do what the portal's Verify button does."""
        answer = self._tested()
        self._say(claim, answer, ok=answer.ok)

    def run_pipeline(self) -> None:
        """Run the pipeline that deploys through the connection."""
        place = self.place
        pipeline = self.company().project(place.organization, place.project).pipelines[place.pipeline]
        answer = self.onlooker.run_pipeline(place.organization, place.project, pipeline.id)
        self.ran.append(answer)
        self._say(f"pipeline {place.pipeline} runs through it", answer, ok=answer.ok)

    def _tested(self) -> Answer:
        place = self.place
        endpoint = self.company().endpoint(place.organization, place.project, place.connection)
        return self.onlooker.test_connection(place.organization, place.project, endpoint.id)

    def _say(self, claim: str, answer: Answer, *, ok: bool) -> None:
        self.screen.witnessed(f"{'' if ok else 'NOT SO: '}{claim} ({answer.text})", ok=ok)

    def _request(self) -> dict[str, str]:
        place = self.place
        named = {"organization": place.organization, "project": place.project, "connection": place.connection}
        return {**named, "mode": "in-place", "soak": place.soak}

    def _rotated(self) -> str:
        """Ask for a rotation of the secret and return what came of it."""
        place = self.place
        instance = names.instance_id(place.vault, place.secret)
        asked = {"vault": place.vault, "secret": place.secret, "reason": "manual"}
        durable = "/runtime/webhooks/durabletask"
        self.stack.call("POST", f"{durable}/orchestrators/rotate_secret/{quote(instance)}", asked)

        def status() -> dict[str, Any]:
            _, found = self.stack.get(f"{durable}/instances/{quote(instance)}")
            return found if isinstance(found, dict) else {}

        self.stack.host.wait_for(lambda: status().get("runtimeStatus") in _ENDED, "the rotation has ended")
        output = status().get("output")
        return str(output.get("result", output) if isinstance(output, dict) else output)

    def _records(self) -> tuple[FederationRecord, ...]:
        """Read the evidence out of Azurite, past the app."""
        connection_string = self.stack.storage.connection_string
        with ContainerClient.from_connection_string(connection_string, names.CONTAINER) as container:
            found = [blob.name for blob in container.list_blobs(name_starts_with=names.FEDERATIONS)]
            blobs = [container.download_blob(name).readall() for name in found]
        return tuple(msgspec.json.decode(blob, type=FederationRecord) for blob in blobs)
