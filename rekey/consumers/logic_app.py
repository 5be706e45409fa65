"""Puts a value into a parameter of a Logic App (`logic-app://<subscription>/<group>/<workflow>/<parameter>`).

Consumption: the workflow is written back whole with the new value. The service tells neither the value nor, as far as
was ever recorded, an ETag; it gives the workflow a new version with every change, by which a change is confirmed.
Standard is a site, and the parameter an app setting of it: https://learn.microsoft.com/azure/logic-apps/parameterize-workflow-app.
"""

from typing import Any, ClassVar

from rekey import app_service, logic_workflow
from rekey.arm_uri import Place, bound, parsed
from rekey.clients import Clients
from rekey.errors import PermanentError
from rekey.model import ConsumerTarget, Rotation, When
from rekey.ports import ConsumerFacts, Handover, Permission
from rekey.resource_manager import Answer, ResourceManager, granting, right
from rekey.settings import Settings
from rekey.site_setting import SiteSetting

SCHEME = "logic-app"
TYPE = "Microsoft.Logic/workflows"
API = "2019-05-01"
ROLE = "Logic App Contributor"
TYPES = (TYPE, app_service.TYPE)


class LogicApp:
    """A secure parameter of a Consumption workflow, or an app setting of a Standard one."""

    permissions: ClassVar[tuple[Permission, ...]] = (
        right(ROLE, "Consumption: reading and writing the workflow"),
        right(app_service.ROLE, "Standard: listing and writing the app's settings"),
    )
    when: ClassVar[When] = When.WITH_OTHERS

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._arm = ResourceManager(clients)

    @staticmethod
    def check_uri(uri: str, vault: str, settings: Settings) -> str:
        """Return the URI's normal form; InputError if it is malformed, ScopeError if the vault may not name it."""
        return bound(_place(uri), TYPES, vault, settings).uri

    async def inspect(self, rotation: Rotation, uri: str) -> ConsumerFacts:
        """Find the workflow or the Standard app, and check that the parameter can be given a value."""
        place = _place(uri)
        allowed = place.allowed_ids(TYPES, rotation.vault, self._clients.settings)
        refused: PermanentError | None = None
        if TYPE in allowed:
            try:
                return await self._inspected(await self._arm.get(allowed[TYPE], API, role=ROLE), place)
            except PermanentError as error:
                # Rights are looked at first: without any on workflows, one that isn't there is forbidden too.
                if error.code not in {"not-found", "forbidden"}:
                    raise
                refused = error
        if app_service.TYPE in allowed and await self._is_standard(place, refused):
            return await self._setting(place).inspect()
        if refused and refused.code == "forbidden":
            raise refused
        raise PermanentError("no-workflow", f"there is no Logic App for {uri}", "Correct the secret's tags.")

    async def update(self, rotation: Rotation, target: ConsumerTarget, handover: Handover) -> None:  # noqa: ARG002 - the port's signature
        """Read the workflow, change the parameter's value, write all back, compare what is told of it."""
        place = _place(target.uri)
        if _is_site(target):
            await self._setting(place).update(handover)
            return
        value = await handover.value()
        read = await self._arm.get(place.arm_id(TYPE), API, role=ROLE)
        logic_workflow.require_replaceable(read.body, place.item, place.uri)
        wanted = logic_workflow.replaced(read.body, place.item, value)
        path = place.arm_id(TYPE)
        written = await self._arm.write("PUT", path, API, wanted, role=ROLE, if_match=read.etag)
        await handover.keep(logic_workflow.version(written.body))
        if changed := logic_workflow.differing(read.body, written.body, place.item):
            raise PermanentError(
                "not-as-sent",
                f"{place.uri} has the new value, but the service changed more of the workflow: {', '.join(changed)}",
                "Look at these parts of the workflow. The next attempt takes them as they are.",
            )

    async def confirm(self, rotation: Rotation, target: ConsumerTarget, handover: Handover) -> str:  # noqa: ARG002 - the port's signature
        """Check that nobody has changed the workflow since it was given the value."""
        place = _place(target.uri)
        if _is_site(target):
            return await self._setting(place).confirm(handover)
        found = logic_workflow.version((await self._arm.get(place.arm_id(TYPE), API, role=ROLE)).body)
        if found != await handover.recall():
            raise PermanentError(
                "changed-since",
                f"somebody changed the workflow of {place.uri} after it was given the value, which nobody can see",
                "Nothing, if the change was meant: Rekey gives the workflow as it is now the value once more.",
            )
        return (
            f"the workflow is at version {found}, made by writing the value, and all else that the service shows is as "
            "before; the value itself it never shows"
        )

    async def _inspected(self, read: Answer, place: Place) -> ConsumerFacts:
        arm_id = place.arm_id(TYPE)
        missing = await self._arm.may(arm_id, [f"{TYPE}/read", f"{TYPE}/write"], role=ROLE)
        if missing:
            what = f"the app's identity lacks {', '.join(missing)} on {arm_id}"
            raise PermanentError("not-allowed", what, granting(ROLE, arm_id))
        logic_workflow.require_replaceable(read.body, place.item, place.uri)
        return ConsumerFacts(object_id=arm_id, remarks=_remarks(read.body, place.uri))

    async def _is_standard(self, place: Place, refused: PermanentError | None) -> bool:
        """Tell whether there is a Standard app of that name; if that is forbidden too, the first refusal is told."""
        try:
            site = await self._setting(place).site.described()
        except PermanentError as error:
            if error.code == "forbidden":
                raise refused or error from None
            raise
        return site is not None and "workflowapp" in str(site.get("kind"))

    def _setting(self, place: Place) -> SiteSetting:
        return SiteSetting(self._clients, place.arm_id(app_service.TYPE), place)


def _place(uri: str) -> Place:
    return parsed(uri, SCHEME, "parameter", slots=False)


def _is_site(target: ConsumerTarget) -> bool:
    return f"/{app_service.TYPE}/".lower() in target.object_id.lower()


def _remarks(document: dict[str, Any], uri: str) -> tuple[str, ...]:
    """Return what writing the workflow brings with it."""
    remarks = []
    if used := logic_workflow.linked(document):
        remarks.append(
            f"{uri} uses {' and '.join(used)}: the app's identity needs the right to use them too, or the write is "
            "refused (LinkedAuthorizationFailed)."
        )
    if started := logic_workflow.started_by_writing(document):
        remarks.append(
            f"{uri}: a recurrence without a start time runs at once when its workflow is written: {', '.join(started)}."
        )
    return tuple(remarks)
