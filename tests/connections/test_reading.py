"""Whatever Azure DevOps answers: it is read, or said to be unreadable."""

from typing import Any

from azure.core import AsyncPipelineClient
from hypothesis import given
from hypothesis import strategies as st

from rekey.azure_devops import Page
from rekey.azure_devops_connections import Connections, _Holder, _Record
from rekey.connections.document import Endpoint, connection
from rekey.errors import NotYetError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
NAMES = ("serviceprincipalid", "tenantid", "workloadIdentityFederationIssuer", "authenticationType", "other")
ENDPOINT = st.fixed_dictionaries(
    {"id": st.text(max_size=5)},
    optional={
        "name": st.none() | st.text(max_size=5),
        "data": st.none() | st.dictionaries(st.sampled_from(("creationMode", "revertSchemeDeadline")), JSON),
        "authorization": st.none()
        | st.fixed_dictionaries(
            {"scheme": st.none() | st.text(max_size=20), "parameters": st.dictionaries(st.sampled_from(NAMES), JSON)}
        ),
        "serviceEndpointProjectReferences": st.none()
        | st.lists(st.just({"projectReference": None}) | st.just({"projectReference": {"name": None}}), max_size=2),
        "creationDate": st.none()
        | st.sampled_from(("0001-01-01T00:00:00", "2026-01-05T01:32:01.267Z", "2026-01-05T01:32:01")),
    },
)


def read[T](items: list[Any], kind: type[T]) -> list[T] | None:
    """Return what is read of an answer with these items, None if it is said to be unreadable; nobody is asked."""
    service = Connections(AsyncPipelineClient("https://x.example", policies=[]), "https://x.example", "contoso", "")
    try:
        return service._read(Page(tuple(items), "", 0.0), kind)
    except NotYetError:
        return None


@given(st.lists(ENDPOINT | st.dictionaries(st.sampled_from(("id", "name", "data", "authorization")), JSON), max_size=3))
def test_any_endpoint_is_read_or_refused(items: list[Any]) -> None:
    """Fields that are missing, null or of another kind: a connection with what there is, or an answer to ask again."""
    for one in read(items, Endpoint) or ():
        found = connection("contoso", "Shop", one)
        assert len(found.application) in {0, 36}
        assert found.created is None or found.created.tzinfo is not None


@given(
    st.lists(st.dictionaries(st.sampled_from(("name", "variables", "data")), JSON), max_size=3),
    st.sampled_from((_Holder, _Record)),
)
def test_any_list_is_read_or_refused(items: list[Any], kind: Any) -> None:
    """The same of variable groups, pipelines and runs."""
    found = read(items, kind)
    assert found is None or len(found) == len(items)
