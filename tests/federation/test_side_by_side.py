"""A connection is made beside another, guarded like it, takes its place, or is taken back; one is made for nobody."""

from typing import Any

import pytest

from rekey import names
from rekey.errors import NotYetError, PermanentError, UnclearError
from rekey.federation import access, creating
from rekey.federation.creating import create
from rekey.federation.records import FederationRecord
from rekey.federation.retiring import retire
from rekey.federation.reverting import revert
from rekey.federation.runs import look
from rekey.model.federation import Federation, Identity, Mode
from tests.federation.asking import FEDERATED, Asking

SUBJECT = "workloadIdentityFederationSubject"
APPROVAL = {"type": "Approval", "settings": {"approvers": [{"id": "a"}], "instructions": "look"}, "timeout": 60}
ELSEWHERE = "/subscriptions/99999999-9999-4999-8999-999999999999"
LOCK = {"type": "ExclusiveLock", "settings": {}, "disabled": True}
POST = {"service": "azuredevops", "method": "POST", "path": "/serviceendpoint/endpoints"}

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def beside(here: Asking, connection: str = "", **fields: Any) -> Federation:
    """Return a walk that is on the record."""
    walk = await here.walk(connection, Mode.SIDE_BY_SIDE, **fields)
    record = FederationRecord(federation=walk, deployment="local", opened=walk.started)
    await here.company.desk.federations().open(record)
    return walk


async def made(here: Asking, walk: Federation) -> Federation:
    """Return the walk with its connection made, and trusted."""
    new = await create(here.clients, walk)
    here.trust(new.issuer, new.subject)
    return walk.but(new=new, since=here.now())


def company_application(here: Asking) -> str:
    """Return the client id of the company's application."""
    return here.company.application.app_id


def mark(walk: Federation) -> str:
    """Return what the walk's connection carries."""
    return names.label("local", walk.id)


async def test_a_connection_is_made_for_the_same_scope(here: Asking) -> None:
    """Federated, manual, the same data, as the same application; labelled, and open to nobody."""
    here.endpoint().document["data"] |= {"spnObjectId": "x", "creationMode": "Automatic", "custom": "kept"}
    before = here.document()
    walk = await beside(here, name="better")
    new = await create(here.clients, walk)
    there = here.document("better")
    assert (new.id, new.subject) == (there["id"], there["authorization"]["parameters"][SUBJECT])
    assert there["authorization"]["scheme"] == FEDERATED
    assert there["authorization"]["parameters"]["serviceprincipalid"] == company_application(here)
    assert there["data"] == {
        **{k: v for k, v in before["data"].items() if k != "spnObjectId"},
        "creationMode": "Manual",
    }
    assert there["url"] == before["url"]
    assert mark(walk) in there["description"]
    assert here.endpoint("better").permitted == {}
    assert here.document() == before
    assert await create(here.clients, walk) == new
    assert len(here.connections()) == 2


async def test_a_managed_identity_signs_in_where_that_was_asked_for(here: Asking) -> None:
    """Whoever was found to sign in does, not the old one's application."""
    walk = (await beside(here)).but(signs_in_as=Identity(client_id="33333333-3333-4333-8333-333333333333"))
    new = await create(here.clients, walk)
    assert here.endpoint(new.name).parameters["serviceprincipalid"] == "33333333-3333-4333-8333-333333333333"


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("how", [{"status": 503}, {"malformed": "html"}])
async def test_a_lost_answer_makes_no_second_connection(
    here: Asking, monkeypatch: pytest.MonkeyPatch, how: dict[str, Any], when: str
) -> None:
    """One that was made is found by its label; before another is made, the first gets time to be seen."""
    walk = await beside(here)
    await here.company.fault(**POST, **how, when=when)
    with pytest.raises(UnclearError):
        await create(here.clients, walk)
    if when == "before":
        with pytest.raises(UnclearError, match="asked for just now") as again:
            await create(here.clients, walk)
        assert again.value.seconds
        monkeypatch.setattr(creating, "SETTLED", creating.SETTLED * 0)
    await create(here.clients, walk)
    assert len(here.connections()) == 2


async def test_a_name_that_was_taken_meanwhile_is_told(here: Asking) -> None:
    """By a connection that this walk didn't make, which is left alone."""
    walk = await beside(here, name="late")
    taken = await here.connection("late")
    with pytest.raises(PermanentError) as refused:
        await create(here.clients, walk)
    assert refused.value.code == "name-taken"
    assert here.endpoint("late") is taken
    await revert(here.clients, walk)
    assert here.endpoint("late") is taken


async def test_checks_and_permissions_are_copied(here: Asking) -> None:
    """Each check with its settings, each pipeline that may, nobody else; doing it again adds nothing."""
    await here.seed(pipelines={"deploy": {}, "test": {}, "stranger": {}})
    await here.connection("guarded", checks=[APPROVAL, LOCK], pipelines=["deploy", "test"])
    walk = await made(here, await beside(here, "guarded"))
    copied = await access.copy(here.clients, walk)
    assert (copied.checks, copied.pipelines) == (2, 2)
    assert any("User permissions" in one for one in copied.remarks)
    assert here.guards("guarded-federated") == here.guards("guarded")
    assert here.permitted("guarded-federated") == (False, {"deploy", "test"})
    await access.copy(here.clients, walk)
    assert here.guards("guarded-federated") == here.guards("guarded")
    assert here.permitted("guarded") == (False, {"deploy", "test"})


async def test_a_check_comes_before_any_pipeline_may(here: Asking) -> None:
    """A check that Azure DevOps doesn't take: no pipeline is permitted, and the remark says what to do."""
    await here.seed(pipelines={"deploy": {}})
    await here.connection("guarded", checks=[APPROVAL], pipelines=["deploy"], all_pipelines=True)
    here.spoil_checks()
    walk = await made(here, await beside(here, "guarded"))
    copied = await access.copy(here.clients, walk)
    assert (copied.checks, copied.pipelines) == (0, 0)
    assert any("add them by hand" in one for one in copied.remarks)
    assert here.permitted("guarded-federated") == (False, set())


@pytest.mark.parametrize("everybody", [True, False])
async def test_all_pipelines_may_only_where_they_might_before(here: Asking, *, everybody: bool) -> None:
    """It is opened to all if the old one was, and closed if it came open and the old one wasn't."""
    await here.connection("old", all_pipelines=everybody)
    walk = await made(here, await beside(here, "old"))
    here.open_to_all("old-federated")
    await access.copy(here.clients, walk)
    assert here.permitted("old-federated") == (everybody, set())


async def test_a_lost_answer_adds_no_check_twice(here: Asking) -> None:
    """What was added before is found by what it does."""
    await here.connection("guarded", checks=[APPROVAL])
    walk = await made(here, await beside(here, "guarded"))
    await here.company.fault("azuredevops", method="POST", path="/checks/", status=503, when="after")
    with pytest.raises(UnclearError):
        await access.copy(here.clients, walk)
    assert (await access.copy(here.clients, walk)).checks == 1
    assert here.guards("guarded-federated") == here.guards("guarded")


async def test_a_pipeline_that_is_gone_keeps_no_other_from_being_permitted(here: Asking) -> None:
    """Permissions outlive pipelines: those that Azure DevOps doesn't know any more are counted in a remark."""
    await here.seed(pipelines={"deploy": {}, "gone": {}})
    await here.connection("old", pipelines=["deploy", "gone"])
    here.delete_pipeline("gone")
    walk = await made(here, await beside(here, "old"))
    copied = await access.copy(here.clients, walk)
    assert copied.pipelines == 1
    assert any("1 pipelines could not be permitted" in one for one in copied.remarks)
    assert here.permitted("old-federated") == (False, {"deploy"})


async def test_a_shared_connection_is_replaced_in_all_its_projects(here: Asking) -> None:
    """Made, guarded, looked at and deleted in each of them."""
    scenario = here.company.scenario
    other: dict[str, Any] = {"projects": {"Other": {"pipelines": {"theirs": {}}}}}
    members = {"members": {"rekey": {"projects": {"Other": ["administer", "view-builds"]}}}}
    await here.company.azure.seed({"organizations": {scenario.organization: {**other, **members}}})
    here.bind(organizations={scenario.organization: [scenario.project, "Other"]})
    await here.connection("shared", shared_with=["Other"])
    here.permit("theirs", name="shared", project="Other")
    walk = await made(here, await beside(here, "shared"))
    assert len(here.endpoint("shared-federated").project_ids) == 2
    await access.copy(here.clients, walk)
    assert here.permitted("shared-federated", "Other") == (False, {"theirs"})
    await retire(here.clients, walk)
    assert "shared" not in here.connections()


async def test_the_old_one_is_deleted_once_nothing_goes_through_it(here: Asking) -> None:
    """Its application stays; what is gone is found so; nothing else is touched."""
    await here.connection("bystander")
    (there,) = (await here.connection("old")).project_ids
    walk = await made(here, await beside(here, "old"))
    assert "was deleted" in (await retire(here.clients, walk)).proof
    assert here.connections() == {here.company.scenario.connection, "bystander", "old-federated"}
    assert here.endpoint("bystander").updates == []
    assert (await here.signs_in("old-federated"))[0]
    assert await here.asked("DELETE") == [f"api-version=7.1&projectIds={there}&deep=false"]
    assert "is gone" in (await retire(here.clients, walk)).proof


async def test_an_answer_that_was_lost_is_looked_into(here: Asking) -> None:
    """Deleted it is gone, even for whom only the old one's own rights showed it."""
    await here.connection("old")
    walk = await made(here, await beside(here, "old"))
    await here.company.fault("azuredevops", method="DELETE", status=503, when="after")
    with pytest.raises(NotYetError):
        await retire(here.clients, walk)
    await here.seed(rights=["create"])
    assert "is gone" in (await retire(here.clients, walk)).proof


async def test_an_old_one_that_is_used_is_left(here: Asking) -> None:
    """A run since then, or one that goes on: the pipeline is named."""
    await here.connection("old")
    walk = await made(here, await beside(here, "old"))
    here.runs_now("old")
    with pytest.raises(PermanentError, match="nightly") as refused:
        await retire(here.clients, walk)
    assert refused.value.code == "still-used"
    assert "old" in here.connections()


async def test_an_old_one_is_left_unless_the_new_one_signs_in(here: Asking) -> None:
    """Not trusted any more, its label gone, deleted: the old one is the only way in that is left."""
    await here.connection("old")
    walk = await made(here, await beside(here, "old"))
    here.company.application.federated.every.clear()
    with pytest.raises(NotYetError, match="old-federated"):
        await retire(here.clients, walk)
    here.endpoint("old-federated").document["description"] = "mine now"
    for reference in here.endpoint("old-federated").document["serviceEndpointProjectReferences"]:
        reference["description"] = ""
    with pytest.raises(PermanentError) as refused:
        await retire(here.clients, walk)
    assert refused.value.code == "no-new-connection"
    assert "old" in here.connections()


async def test_roles_for_less_than_the_subscription_are_enough(here: Asking) -> None:
    """What the test of a connection reads its identity may never be allowed to read: it has signed in all the same."""
    await here.connection("old")
    walk = await made(here, await beside(here, "old"))
    role = {"identity": here.company.scenario.application, "role": "Reader", "scope": ELSEWHERE}
    await here.company.azure.seed({"role_assignments": [role]})
    assert not (await here.signs_in("old-federated"))[0]
    assert "was deleted" in (await retire(here.clients, walk)).proof


async def test_an_old_one_that_is_another_now_is_left(here: Asking) -> None:
    """Somebody federated it, or gave it another application: it isn't what was to be deleted."""
    await here.connection("old")
    walk = await made(here, await beside(here, "old"))
    here.endpoint("old").document["authorization"]["scheme"] = FEDERATED
    with pytest.raises(PermanentError, match="signs in otherwise"):
        await retire(here.clients, walk)


async def test_an_old_one_that_is_not_shown_is_not_taken_for_gone(here: Asking) -> None:
    """Azure DevOps answers alike for what is deleted and what may not be seen: its password may still be used."""
    await here.connection("old")
    walk = await made(here, await beside(here, "old"))
    await here.seed(rights=[])
    for step in (retire, look):
        with pytest.raises(PermanentError) as refused:
            await step(here.clients, walk)
        assert refused.value.code == "not-seen"
    await here.seed()
    here.delete("old")
    assert (await look(here.clients, walk)).finished == 0
    assert "is gone" in (await retire(here.clients, walk)).proof


async def test_the_new_one_is_taken_back(here: Asking) -> None:
    """By its label and nothing else, whether its answer was lost or not; the old one is as it was."""
    await here.connection("bystander", scheme=FEDERATED, description="rekey/local/another")
    before = here.document()
    walk = await made(here, await beside(here))
    assert "is as it was" in (await revert(here.clients, walk.but(new=None))).proof
    assert here.connections() == {here.company.scenario.connection, "bystander"}
    assert here.document() == before
    assert "no new connection" in (await revert(here.clients, walk)).proof


async def test_what_lost_its_label_or_is_the_last_is_not_deleted(here: Asking) -> None:
    """Somebody made it theirs; or the old one is gone, and without this one there would be none."""
    await here.connection("old")
    walk = await made(here, await beside(here, "old"))
    here.endpoint("old-federated").document["description"] = "mine"
    for reference in here.endpoint("old-federated").document["serviceEndpointProjectReferences"]:
        reference["description"] = ""
    with pytest.raises(PermanentError) as refused:
        await revert(here.clients, walk)
    assert refused.value.code == "not-ours"
    here.endpoint("old-federated").document["description"] = mark(walk)
    await retire(here.clients, walk)
    with pytest.raises(PermanentError) as refused:
        await revert(here.clients, walk)
    assert refused.value.code == "old-one-gone"
    assert "old-federated" in here.connections()


async def test_who_may_make_none_is_told_how_to(here: Asking) -> None:
    """A 403 is final, and says which role is missing."""
    walk = await beside(here)
    await here.seed(rights=["use"])
    with pytest.raises(PermanentError) as refused:
        await create(here.clients, walk)
    assert (refused.value.code, "Administrator" in refused.value.what_to_do) == ("forbidden", True)


async def test_a_connection_is_made_for_nobodys_place(here: Asking) -> None:
    """Vended: for the walk's scope and identity, in its project; reverted it is gone."""
    scope = "/subscriptions/22222222-2222-4222-8222-222222222222/resourceGroups/shop"
    walk = (await here.walk()).but(
        mode=Mode.VEND, connection="", old=None, new_name="vended", scope=scope, role="Reader"
    )
    record = FederationRecord(federation=walk, deployment="local", opened=walk.started)
    await here.company.desk.federations().open(record)
    new = await create(here.clients, walk)
    there = here.document("vended")
    assert there["data"]["subscriptionId"] == "22222222-2222-4222-8222-222222222222"
    assert there["data"]["creationMode"] == "Manual"
    assert there["authorization"]["parameters"]["scope"] == scope
    assert there["authorization"]["parameters"]["tenantid"] == here.clients.settings.tenant_id
    assert here.permitted("vended") == (False, set())
    assert new.subject
    assert "vended was deleted" in (await revert(here.clients, walk.but(new=new))).proof
    assert here.connections() == {here.company.scenario.connection}
