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
LOCK = {"type": "ExclusiveLock", "settings": {}, "disabled": True}
POST = {"service": "azuredevops", "method": "POST", "path": "/serviceendpoint/endpoints"}


async def beside(asking: Asking, connection: str = "", **fields: Any) -> Federation:
    """Return a walk that is on the record."""
    walk = await asking.walk(connection, Mode.SIDE_BY_SIDE, **fields)
    record = FederationRecord(federation=walk, deployment="local", opened=walk.started)
    await asking.company.desk.federations().open(record)
    return walk


async def made(asking: Asking, walk: Federation) -> Federation:
    """Return the walk with its connection made, and trusted."""
    new = await create(asking.clients, walk)
    asking.trust(new.issuer, new.subject)
    return walk.but(new=new, since=asking.now())


def company_application(asking: Asking) -> str:
    """Return the client id of the company's application."""
    return asking.company.application.app_id


def mark(walk: Federation) -> str:
    """Return what the walk's connection carries."""
    return names.label("local", walk.id)


async def test_a_connection_is_made_for_the_same_scope(asking: Asking) -> None:
    """Federated, manual, the same data, as the same application; labelled, and open to nobody."""
    asking.endpoint().document["data"] |= {"spnObjectId": "x", "creationMode": "Automatic", "custom": "kept"}
    before = asking.document()
    walk = await beside(asking, name="better")
    new = await create(asking.clients, walk)
    there = asking.document("better")
    assert (new.id, new.subject) == (there["id"], there["authorization"]["parameters"][SUBJECT])
    assert there["authorization"]["scheme"] == FEDERATED
    assert there["authorization"]["parameters"]["serviceprincipalid"] == company_application(asking)
    assert there["data"] == {
        **{k: v for k, v in before["data"].items() if k != "spnObjectId"},
        "creationMode": "Manual",
    }
    assert there["url"] == before["url"]
    assert mark(walk) in there["description"]
    assert asking.endpoint("better").permitted == {}
    assert asking.document() == before
    assert await create(asking.clients, walk) == new
    assert len(asking.connections()) == 2


async def test_a_managed_identity_signs_in_where_that_was_asked_for(asking: Asking) -> None:
    """Whoever was found to sign in does, not the old one's application."""
    walk = (await beside(asking)).but(signs_in_as=Identity(client_id="33333333-3333-4333-8333-333333333333"))
    new = await create(asking.clients, walk)
    assert asking.endpoint(new.name).parameters["serviceprincipalid"] == "33333333-3333-4333-8333-333333333333"


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("how", [{"status": 503}, {"malformed": "html"}])
async def test_a_lost_answer_makes_no_second_connection(
    asking: Asking, monkeypatch: pytest.MonkeyPatch, how: dict[str, Any], when: str
) -> None:
    """One that was made is found by its label; before another is made, the first gets time to be seen."""
    walk = await beside(asking)
    await asking.company.fault(**POST, **how, when=when)
    with pytest.raises(UnclearError):
        await create(asking.clients, walk)
    if when == "before":
        with pytest.raises(UnclearError, match="asked for just now") as again:
            await create(asking.clients, walk)
        assert again.value.seconds
        monkeypatch.setattr(creating, "SETTLED", creating.SETTLED * 0)
    await create(asking.clients, walk)
    assert len(asking.connections()) == 2


async def test_a_name_that_was_taken_meanwhile_is_told(asking: Asking) -> None:
    """By a connection that this walk didn't make, which is left alone."""
    walk = await beside(asking, name="late")
    taken = await asking.connection("late")
    with pytest.raises(PermanentError) as refused:
        await create(asking.clients, walk)
    assert refused.value.code == "name-taken"
    assert asking.endpoint("late") is taken
    await revert(asking.clients, walk)
    assert asking.endpoint("late") is taken


async def test_checks_and_permissions_are_copied(asking: Asking) -> None:
    """Each check with its settings, each pipeline that may, nobody else; doing it again adds nothing."""
    await asking.seed(pipelines={"deploy": {}, "test": {}, "stranger": {}})
    await asking.connection("guarded", checks=[APPROVAL, LOCK], pipelines=["deploy", "test"])
    walk = await made(asking, await beside(asking, "guarded"))
    copied = await access.copy(asking.clients, walk)
    assert (copied.checks, copied.pipelines) == (2, 2)
    assert any("User permissions" in one for one in copied.remarks)
    assert asking.guards("guarded-federated") == asking.guards("guarded")
    assert asking.permitted("guarded-federated") == (False, {"deploy", "test"})
    await access.copy(asking.clients, walk)
    assert asking.guards("guarded-federated") == asking.guards("guarded")
    assert asking.permitted("guarded") == (False, {"deploy", "test"})


async def test_a_check_comes_before_any_pipeline_may(asking: Asking) -> None:
    """A check that Azure DevOps doesn't take: no pipeline is permitted, and the remark says what to do."""
    await asking.seed(pipelines={"deploy": {}})
    await asking.connection("guarded", checks=[APPROVAL], pipelines=["deploy"], all_pipelines=True)
    asking.spoil_checks()
    walk = await made(asking, await beside(asking, "guarded"))
    copied = await access.copy(asking.clients, walk)
    assert (copied.checks, copied.pipelines) == (0, 0)
    assert any("add them by hand" in one for one in copied.remarks)
    assert asking.permitted("guarded-federated") == (False, set())


@pytest.mark.parametrize("everybody", [True, False])
async def test_all_pipelines_may_only_where_they_might_before(asking: Asking, *, everybody: bool) -> None:
    """It is opened to all if the old one was, and closed if it came open and the old one wasn't."""
    await asking.connection("old", all_pipelines=everybody)
    walk = await made(asking, await beside(asking, "old"))
    asking.open_to_all("old-federated")
    await access.copy(asking.clients, walk)
    assert asking.permitted("old-federated") == (everybody, set())


async def test_a_lost_answer_adds_no_check_twice(asking: Asking) -> None:
    """What was added before is found by what it does."""
    await asking.connection("guarded", checks=[APPROVAL])
    walk = await made(asking, await beside(asking, "guarded"))
    await asking.company.fault("azuredevops", method="POST", path="/checks/", status=503, when="after")
    with pytest.raises(UnclearError):
        await access.copy(asking.clients, walk)
    assert (await access.copy(asking.clients, walk)).checks == 1
    assert asking.guards("guarded-federated") == asking.guards("guarded")


async def test_a_pipeline_that_is_gone_keeps_no_other_from_being_permitted(asking: Asking) -> None:
    """Permissions outlive pipelines: those that Azure DevOps doesn't know any more are counted in a remark."""
    await asking.seed(pipelines={"deploy": {}, "gone": {}})
    await asking.connection("old", pipelines=["deploy", "gone"])
    asking.delete_pipeline("gone")
    walk = await made(asking, await beside(asking, "old"))
    copied = await access.copy(asking.clients, walk)
    assert copied.pipelines == 1
    assert any("1 pipelines could not be permitted" in one for one in copied.remarks)
    assert asking.permitted("old-federated") == (False, {"deploy"})


async def test_a_shared_connection_is_replaced_in_all_its_projects(asking: Asking) -> None:
    """Made, guarded, looked at and deleted in each of them."""
    scenario = asking.company.scenario
    other: dict[str, Any] = {"projects": {"Other": {"pipelines": {"theirs": {}}}}}
    members = {"members": {"rekey": {"projects": {"Other": ["administer", "view-builds"]}}}}
    await asking.company.azure.seed({"organizations": {scenario.organization: {**other, **members}}})
    asking.bind(organizations={scenario.organization: [scenario.project, "Other"]})
    await asking.connection("shared", shared_with=["Other"])
    asking.permit("theirs", name="shared", project="Other")
    walk = await made(asking, await beside(asking, "shared"))
    assert len(asking.endpoint("shared-federated").project_ids) == 2
    await access.copy(asking.clients, walk)
    assert asking.permitted("shared-federated", "Other") == (False, {"theirs"})
    await retire(asking.clients, walk)
    assert "shared" not in asking.connections()


async def test_the_old_one_is_deleted_once_nothing_goes_through_it(asking: Asking) -> None:
    """Its application stays; what is gone is found so; nothing else is touched."""
    await asking.connection("bystander")
    await asking.connection("old")
    walk = await made(asking, await beside(asking, "old"))
    assert "was deleted" in (await retire(asking.clients, walk)).proof
    assert asking.connections() == {asking.company.scenario.connection, "bystander", "old-federated"}
    assert asking.endpoint("bystander").updates == []
    assert (await asking.signs_in("old-federated"))[0]
    assert "is gone" in (await retire(asking.clients, walk)).proof


async def test_an_old_one_that_is_used_is_left(asking: Asking) -> None:
    """A run since then, or one that goes on: the pipeline is named."""
    await asking.connection("old")
    walk = await made(asking, await beside(asking, "old"))
    asking.runs_now("old")
    with pytest.raises(PermanentError, match="nightly") as refused:
        await retire(asking.clients, walk)
    assert refused.value.code == "still-used"
    assert "old" in asking.connections()


async def test_an_old_one_is_left_unless_the_new_one_signs_in(asking: Asking) -> None:
    """Not trusted any more, its label gone, deleted: the old one is the only way in that is left."""
    await asking.connection("old")
    walk = await made(asking, await beside(asking, "old"))
    asking.company.application.federated.every.clear()
    with pytest.raises(NotYetError, match="old-federated"):
        await retire(asking.clients, walk)
    asking.endpoint("old-federated").document["description"] = "mine now"
    for reference in asking.endpoint("old-federated").document["serviceEndpointProjectReferences"]:
        reference["description"] = ""
    with pytest.raises(PermanentError) as refused:
        await retire(asking.clients, walk)
    assert refused.value.code == "no-new-connection"
    assert "old" in asking.connections()


async def test_an_old_one_that_is_another_now_is_left(asking: Asking) -> None:
    """Somebody federated it, or gave it another application: it isn't what was to be deleted."""
    await asking.connection("old")
    walk = await made(asking, await beside(asking, "old"))
    asking.endpoint("old").document["authorization"]["scheme"] = FEDERATED
    with pytest.raises(PermanentError, match="signs in otherwise"):
        await retire(asking.clients, walk)


async def test_an_old_one_that_is_not_shown_is_not_taken_for_gone(asking: Asking) -> None:
    """Azure DevOps answers alike for what is deleted and what may not be seen: its password may still be used."""
    await asking.connection("old")
    walk = await made(asking, await beside(asking, "old"))
    await asking.seed(rights=[])
    for step in (retire, look):
        with pytest.raises(PermanentError) as refused:
            await step(asking.clients, walk)
        assert refused.value.code == "not-seen"
    await asking.seed()
    asking.delete("old")
    assert (await look(asking.clients, walk)).finished == 0
    assert "is gone" in (await retire(asking.clients, walk)).proof


async def test_the_new_one_is_taken_back(asking: Asking) -> None:
    """By its label and nothing else, whether its answer was lost or not; the old one is as it was."""
    await asking.connection("bystander", scheme=FEDERATED, description="rekey/local/another")
    before = asking.document()
    walk = await made(asking, await beside(asking))
    assert "is as it was" in (await revert(asking.clients, walk.but(new=None))).proof
    assert asking.connections() == {asking.company.scenario.connection, "bystander"}
    assert asking.document() == before
    assert "no new connection" in (await revert(asking.clients, walk)).proof


async def test_what_lost_its_label_or_is_the_last_is_not_deleted(asking: Asking) -> None:
    """Somebody made it theirs; or the old one is gone, and without this one there would be none."""
    await asking.connection("old")
    walk = await made(asking, await beside(asking, "old"))
    asking.endpoint("old-federated").document["description"] = "mine"
    for reference in asking.endpoint("old-federated").document["serviceEndpointProjectReferences"]:
        reference["description"] = ""
    with pytest.raises(PermanentError) as refused:
        await revert(asking.clients, walk)
    assert refused.value.code == "not-ours"
    asking.endpoint("old-federated").document["description"] = mark(walk)
    await retire(asking.clients, walk)
    with pytest.raises(PermanentError) as refused:
        await revert(asking.clients, walk)
    assert refused.value.code == "old-one-gone"
    assert "old-federated" in asking.connections()


async def test_who_may_make_none_is_told_how_to(asking: Asking) -> None:
    """A 403 is final, and says which role is missing."""
    walk = await beside(asking)
    await asking.seed(rights=["use"])
    with pytest.raises(PermanentError) as refused:
        await create(asking.clients, walk)
    assert (refused.value.code, "Administrator" in refused.value.what_to_do) == ("forbidden", True)


async def test_a_connection_is_made_for_nobodys_place(asking: Asking) -> None:
    """Vended: for the walk's scope and identity, in its project; reverted it is gone."""
    scope = "/subscriptions/22222222-2222-4222-8222-222222222222/resourceGroups/shop"
    walk = (await asking.walk()).but(
        mode=Mode.VEND, connection="", old=None, new_name="vended", scope=scope, role="Reader"
    )
    record = FederationRecord(federation=walk, deployment="local", opened=walk.started)
    await asking.company.desk.federations().open(record)
    new = await create(asking.clients, walk)
    there = asking.document("vended")
    assert there["data"]["subscriptionId"] == "22222222-2222-4222-8222-222222222222"
    assert there["data"]["creationMode"] == "Manual"
    assert there["authorization"]["parameters"]["scope"] == scope
    assert there["authorization"]["parameters"]["tenantid"] == asking.clients.settings.tenant_id
    assert asking.permitted("vended") == (False, set())
    assert new.subject
    assert "vended was deleted" in (await revert(asking.clients, walk.but(new=new))).proof
    assert asking.connections() == {asking.company.scenario.connection}
