"""Shows who reads the secret: somebody who is expected to, somebody who isn't, and what the audit log makes of them."""

from typing import Any

from local.company import Company, Mail
from local.demo.calls import calls_of
from local.demo.screen import Screen
from local.judge import Check
from local.onlooker import Onlooker
from local.scenario import INTRUDER, JOB, Scenario
from local.stack import Stack
from local.watching import watched
from rekey.model import NoticeKind

type State = dict[str, Any]

CAUGHT = "an unexpected reader is caught, in one mail"


class Readers:
    """The identities that may read the vault; `unrelated` gets the app's requests that no rotation made, by number."""

    def __init__(self, stack: Stack, screen: Screen, unrelated: set[int]) -> None:
        self._stack, self._scenario, self._screen = stack, stack.scenario, screen
        self._onlooker = Onlooker(stack)
        self._unrelated = unrelated

    def in_grace(self) -> None:
        """Have the job read the new version, and the app look at the log before it asks who still uses the old one."""
        answer = self._onlooker.read_secret(JOB, self._scenario.vault, self._scenario.secret)
        claim = f"{JOB}, one of the secret's readers, gets the new version (HTTP {answer.status})"
        self._screen.witnessed(claim, ok=answer.ok)
        self._look()

    def intrude(self) -> None:
        """Have somebody read it who may, but isn't expected to, and the app look at the log twice."""
        vault, secret = self._scenario.vault, self._scenario.secret
        self._screen.part("Somebody else reads the secret")
        answer = self._onlooker.read_secret(INTRUDER, vault, secret)
        self._screen.event(f"{INTRUDER}, which has the role Key Vault Secrets User, reads {vault}/{secret}")
        self._screen.witnessed(
            f"Key Vault lets it: its tag rekey-readers is no lock (HTTP {answer.status})", ok=answer.ok
        )
        self._look()
        told = alerts(self._stack.control.state())
        for mail in told:
            self._screen.witnessed(f"mail to {', '.join(mail.recipients())}:", ok=True)
            self._screen.quoted(*(f"      {line}" for line in mail.text.partition("\n--")[0].splitlines()))
        self._look()
        more = len(alerts(self._stack.control.state())) - len(told)
        self._screen.witnessed(f"looking again tells {f'{more} MORE' if more else 'nothing more'}", ok=not more)

    def _look(self) -> None:
        self._screen.waiting("Azure Monitor writes the vaults' audit logs, the app looks at them")
        before = {call.n for call in calls_of(self._stack)}
        found = watched(self._stack)
        self._unrelated |= {call.n for call in calls_of(self._stack)} - before
        output = found.get("output") or {}
        counts, failed = output.get("counts", {}), output.get("failed", [])
        new, to_tell = counts.get("lines", 0), counts.get("alerts", 0)
        read = f"new in {output.get('logs', 0)} audit logs: {new}, to tell: {to_tell}"
        self._screen.witnessed(f"watch_vault_access: {read}{f'; failed: {failed}' if failed else ''}", ok=not failed)


def alerts(state: State) -> list[Mail]:
    """Return the mails that told of accesses."""
    return [mail for mail in Company.of(state).email.outbox if mail.kind() == NoticeKind.ALERT]


def caught(scenario: Scenario, state: State) -> Check:
    """Judge what the owner and the operators were told: of the intruder, once, and of nobody who was expected."""
    mails, identities = alerts(state), state["entra"]["identities"]
    sent = sorted(to for mail in mails for to in mail.recipients())
    named = [name for name in (INTRUDER, JOB, "rekey") if any(identities[name]["client_id"] in m.text for m in mails)]
    repeated = sum(mail.duplicates for mail in mails)
    ok = (sent, named, repeated) == (sorted((scenario.owner, scenario.operator)), [INTRUDER], 0)
    told = f"alerts: {len(mails)}, about {', '.join(named) or 'nobody'}, to {', '.join(sent) or 'nobody'}"
    return Check(CAUGHT, ok, f"{told}; sent again: {repeated}")
