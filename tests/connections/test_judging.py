"""What is said of a service connection: each finding's hit and near miss."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from rekey.connections.federation import AUDIENCE, RETIRED
from rekey.connections.flaws import Severity
from rekey.connections.found import UNKNOWN, Connection, FederatedCredential, Pool, Principal, Standing, Way
from rekey.connections.judging import MANY, SOON, UNUSED, Around, ManagedBy, judge

NOW = datetime(2026, 11, 21, 5, 0, tzinfo=UTC)
DAY = timedelta(days=1)
ISSUER = "https://login.microsoftonline.com/7d2e/v2.0"
SUBJECT = "/eid1/c/pub/t/x/a/y/sc/0c1d/5b0c"
OLD = "https://vstoken.dev.azure.com/0c1d"
FEDERATED = Connection(
    organization="contoso",
    project="Shop",
    id="5b0c",
    name="deploy",
    way=Way.FEDERATED,
    environment="AzureCloud",
    application="9d4b",
    issuer=ISSUER,
    subject=SUBJECT,
    projects=("Shop",),
    history_read=True,
    last_used=NOW - DAY,
)
SECRET = replace(FEDERATED, way=Way.SECRET, issuer="", subject="")
MANAGED = ManagedBy(vault="kv-shop", secret="shop-deploy", expires=NOW + 200 * DAY)


def credential(issuer: str = ISSUER, subject: str = SUBJECT, audience: str = AUDIENCE) -> FederatedCredential:
    """Return a federated credential that fits FEDERATED unless told otherwise."""
    return FederatedCredential(issuer=issuer, subject=subject, audiences=(audience,))


def application(*credentials: FederatedCredential, ends: tuple[datetime, ...] = (), audience: str = "") -> Principal:
    """Return an application of the own tenant."""
    return Principal(
        standing=Standing.APPLICATION, name="Shop", credentials=credentials, secrets_end=ends, audience=audience
    )


def said(connection: Connection, principal: Principal | None = None, **around: object) -> dict[str, Severity]:
    """Return the codes and severities of what is said."""
    known = Around(now=NOW, principal=principal, allowed=frozenset({"shop"}))
    return {flaw.code: flaw.severity for flaw in judge(connection, replace(known, **around))}


def test_a_federated_connection_that_fits_is_well() -> None:
    """Issuer, subject and audience are those of one of the application's credentials: nothing is said."""
    other = credential(subject="somebody else's")
    assert said(FEDERATED, application(other, credential())) == {}


@pytest.mark.parametrize(
    ("credentials", "code"),
    [
        ((), "no-federated-credential"),
        ((credential(subject=SUBJECT.upper()),), "subject-case-differs"),
        ((credential(issuer=ISSUER.replace("login", "Login")),), "subject-case-differs"),
        ((credential(issuer=f"{ISSUER}/"),), "subject-differs"),
        ((credential(subject="x"), credential(issuer="https://x.example")), "subject-differs"),
        ((credential(audience="api://other"),), "audience-differs"),
    ],
)
def test_what_entra_would_refuse_is_wrong(credentials: tuple[FederatedCredential, ...], code: str) -> None:
    """Both have to be of one credential, to the letter; the finding says how they differ."""
    assert said(FEDERATED, application(*credentials)) == {code: Severity.WRONG}


@given(st.text(min_size=1, max_size=30), st.text(min_size=1, max_size=30))
def test_only_the_very_same_subject_fits(ours: str, theirs: str) -> None:
    """Whatever the two are: they fit if they are equal, and in no other case."""
    connection = replace(FEDERATED, subject=ours)
    assert (said(connection, application(credential(subject=theirs))) == {}) == (ours == theirs)
    assert said(connection, application(credential(subject=ours))) == {}


@pytest.mark.parametrize(
    "principal",
    [
        None,
        Principal(standing=Standing.MANAGED_IDENTITY),
        Principal(standing=Standing.MANAGED_IDENTITY, identity="/subscriptions/1/x", hidden="not looked at"),
        Principal(standing=Standing.ELSEWHERE),
    ],
)
def test_what_cannot_be_looked_at_is_not_judged(principal: Principal | None) -> None:
    """Credentials of a managed identity, of another tenant, or that nobody could read are no finding."""
    assert said(FEDERATED, principal) == {}


def test_an_application_that_is_gone_is_wrong() -> None:
    """Whatever way it signs in: nobody is there to sign in as."""
    gone = Principal(standing=Standing.GONE)
    assert said(FEDERATED, gone) == {"application-gone": Severity.WRONG}
    assert "application-gone" in said(SECRET, gone)


@pytest.mark.parametrize(
    ("changes", "audience", "now", "severity"),
    [
        ({}, "AzureADMyOrg", NOW, Severity.ADVICE),
        ({}, "AzureADMyOrg", RETIRED - 10 * DAY, Severity.WRONG),
        ({}, "AzureADMultipleOrgs", NOW, None),
        ({"environment": "AzureUSGovernment"}, "AzureADMyOrg", NOW, None),
        ({"issuer": "https://vstoken.dev.azure.com.evil.example/x"}, "AzureADMyOrg", NOW, None),
        ({"issuer": ISSUER}, "AzureADMyOrg", NOW, None),
    ],
)
def test_the_retired_issuer_is_told_where_it_retires(
    changes: dict[str, str], audience: str, now: datetime, severity: Severity | None
) -> None:
    """In the public cloud, for applications of one tenant; wrong once the day is near."""
    connection = replace(
        FEDERATED, **{"issuer": OLD, "subject": "sc://contoso/Shop/deploy", "last_used": now, **changes}
    )
    fitting = credential(issuer=connection.issuer, subject=connection.subject)
    found = said(connection, application(fitting, audience=audience), now=now)
    assert found == ({"retired-issuer": severity} if severity else {})


@pytest.mark.parametrize(
    ("principal", "told"),
    [
        (None, True),
        (Principal(standing=Standing.MANAGED_IDENTITY), True),
        (Principal(standing=Standing.ELSEWHERE), False),
    ],
)
def test_the_issuer_retires_for_managed_identities_too(principal: Principal | None, told: bool) -> None:  # noqa: FBT001
    """An application that is registered in another tenant is one of many tenants."""
    assert ("retired-issuer" in said(replace(FEDERATED, issuer=OLD), principal)) == told


@pytest.mark.parametrize(
    ("ends", "managed", "codes"),
    [
        ((NOW + SOON + DAY,), None, {"secret-by-hand"}),
        ((NOW + SOON - DAY,), None, {"secret-by-hand", "secret-expires"}),
        ((NOW - DAY, NOW + SOON + DAY), None, {"secret-by-hand"}),
        ((NOW - DAY, NOW - 2 * DAY), None, {"secret-by-hand", "secret-expired"}),
        ((NOW - DAY,), MANAGED, {"secret"}),
        ((), replace(MANAGED, expires=NOW + DAY), {"secret"}),
        ((), replace(MANAGED, expires=NOW - DAY), {"secret", "secret-expired"}),
    ],
)
def test_a_secret_is_told_with_its_end(ends: tuple[datetime, ...], managed: ManagedBy | None, codes: set[str]) -> None:
    """One that Rekey rotates is no trouble until it has ended; of several nobody knows which it is: the last counts."""
    assert said(SECRET, application(ends=ends), managed=managed).keys() == codes


def test_nobody_is_advised_what_cannot_be() -> None:
    """The secret of a connection that Azure DevOps made by itself can't be rotated by Rekey: it is to be converted."""
    around = Around(now=NOW, principal=application(ends=(NOW + DAY,)))
    advised = {flaw.what_to_do for flaw in judge(replace(SECRET, automatic=True), around)}
    assert not [advice for advice in advised if "have Rekey" in advice]
    assert [flaw for flaw in judge(SECRET, around) if "have Rekey" in flaw.what_to_do]


@pytest.mark.parametrize("way", [Way.CERTIFICATE, Way.PUBLISH_PROFILE])
def test_other_keys_are_advice(way: Way) -> None:
    """A certificate and a publish profile work, and could be better."""
    assert said(replace(SECRET, way=way)) == {way: Severity.ADVICE}


@pytest.mark.parametrize("way", Way)
@pytest.mark.parametrize("before", [None, *Way])
def test_back_on_a_secret_is_wrong(way: Way, before: Way | None) -> None:
    """It is told of what has a key and once had none."""
    worse = way in {Way.SECRET, Way.CERTIFICATE, Way.PUBLISH_PROFILE} and before in {
        Way.FEDERATED,
        Way.MANAGED_IDENTITY,
    }
    assert ("back-on-a-secret" in said(replace(SECRET, way=way), before=before)) == worse


@pytest.mark.parametrize(
    ("others", "allowed", "told"),
    [(MANY - 1, True, False), (MANY, True, True), (1, False, True), (0, False, False)],
)
def test_a_connection_of_many_projects_is_told(others: int, allowed: bool, told: bool) -> None:  # noqa: FBT001
    """Of too many, or of one that settings don't know."""
    names = [f"P{n}" for n in range(others)]
    connection = replace(FEDERATED, projects=("Shop", *names))
    known = frozenset({"shop", *(name.lower() for name in names if allowed)})
    assert ("shared" in said(connection, allowed=known)) == told


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"last_used": NOW - UNUSED - DAY}, True),
        ({"last_used": NOW - UNUSED + DAY, "created": NOW - 9 * UNUSED}, False),
        ({"last_used": None, "created": NOW - UNUSED - DAY}, True),
        ({"last_used": None, "created": NOW - DAY}, False),
        ({"last_used": None, "created": None}, False),
        ({"last_used": NOW - UNUSED - DAY, "history_read": False}, False),
        ({"last_used": NOW - UNUSED - DAY, "disabled": True}, False),
    ],
)
def test_a_connection_that_nobody_uses_is_told(changes: dict[str, object], told: bool) -> None:  # noqa: FBT001
    """By its newest run, or its age if there was none; not while nobody could look, nor once it is disabled."""
    assert ("unused" in said(replace(FEDERATED, **changes))) == told


def test_what_is_wrong_comes_first() -> None:
    """A reader sees first what has to be repaired."""
    flaws = judge(
        replace(SECRET, projects=("Shop", "Theirs")), Around(now=NOW, principal=Principal(standing=Standing.GONE))
    )
    assert [flaw.severity for flaw in flaws] == sorted((flaw.severity for flaw in flaws), reverse=True)
    assert {flaw.severity for flaw in flaws} == set(Severity)


def test_a_subject_is_shown_as_text() -> None:
    """What somebody wrote into a connection is quoted and cut: no control character, no page of it."""
    (flaw,) = judge(replace(FEDERATED, subject="\x1b[31m\n" + "x" * 9_000), Around(now=NOW, principal=application()))
    assert flaw.what_to_do.isprintable()
    assert len(flaw.what_to_do) < 700


OWN, HOSTED = Pool("own agents", hosted=False), Pool("Azure Pipelines", hosted=True)


@pytest.mark.parametrize(
    ("way", "pools", "told"),
    [
        (Way.SECRET, (OWN,), True),
        (Way.CERTIFICATE, (OWN, OWN), True),
        (Way.SECRET, (OWN, HOSTED), False),
        (Way.SECRET, (OWN, UNKNOWN), False),
        (Way.SECRET, (), False),
        (Way.FEDERATED, (OWN,), False),
        (Way.MANAGED_IDENTITY, (OWN,), False),
        (Way.PUBLISH_PROFILE, (OWN,), False),
    ],
)
def test_own_agents_could_be_an_identity(way: Way, pools: tuple[Pool, ...], told: bool) -> None:  # noqa: FBT001
    """Only where every pipeline is known to run on agents of one's own, and only what has a key."""
    flaws = {flaw.code: flaw for flaw in judge(replace(SECRET, way=way, pools=pools), Around(now=NOW))}
    assert ("could-use-managed-identity" in flaws) == told
    assert not told or "'own agents'" in flaws["could-use-managed-identity"].message


@pytest.mark.parametrize(
    ("connection", "around", "command"),
    [
        (FEDERATED, Around(now=NOW, principal=application()), "federate 'contoso/Shop/deploy' --mode repair"),
        (
            replace(FEDERATED, name="$(id) `x`"),
            Around(now=NOW, principal=application()),
            "federate ORGANIZATION/PROJECT/CONNECTION --mode repair",
        ),
        (
            replace(SECRET, project="Web Shop"),
            Around(now=NOW, before=Way.FEDERATED),
            "federate 'contoso/Web Shop/deploy'",
        ),
        (SECRET, Around(now=NOW), "federate ORGANIZATION/PROJECT/CONNECTION --plan"),
    ],
)
def test_advice_names_the_command(connection: Connection, around: Around, command: str) -> None:
    """What Rekey can do about it is a command to copy; a name that could mean something to a shell isn't in it."""
    flaw = judge(connection, around)[0]
    assert f"python -m rekey {command}" in flaw.what_to_do
    assert "$(" not in flaw.what_to_do
