"""Places in Azure DevOps: whatever is named survives its URI, and whatever isn't plainly one is refused."""

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rekey.azdo_uri import NAME, Form, parsed
from rekey.errors import InputError

FORM = Form("azdo-thing", "thing", "azdo-thing://<organization>/<project>/<name>/<part>", names=2, options=("branch",))
NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20).filter(
    lambda text: bool(NAME.fullmatch(text)) and text.isprintable() and text == text.strip() and text not in {".", ".."}
)
PIECES = st.sampled_from(
    [
        "azdo-thing:",
        "//",
        "/",
        "contoso",
        "Web%20Shop",
        "a",
        "%2F",
        "%00",
        "..",
        "?branch=x",
        "&",
        "#",
        "@",
        ":80",
        "\n",
        "é",
    ]
)


@given(project=NAMES, name=NAMES, part=NAMES)
def test_names_survive_their_uri(project: str, name: str, part: str) -> None:
    """Names that Azure DevOps allows come out as they went in, and the normal form is its own."""
    place = parsed(f"azdo-thing://Contoso/{quote(project)}/{quote(name)}/{quote(part)}", FORM)
    assert (place.project, place.names) == (project, (name, part))
    assert parsed(place.uri, FORM).uri == place.uri


@given(start=st.sampled_from(["", "azdo-thing://contoso/a/b/c"]), pieces=st.lists(PIECES, max_size=12))
def test_anything_else_is_refused_or_has_a_stable_form(start: str, pieces: list[str]) -> None:
    """No URI is understood in one way now and in another once it was normalised, or leads out of its place."""
    try:
        place = parsed(start + "".join(pieces), FORM)
    except InputError:
        return
    assert place.uri.startswith(f"azdo-thing://{place.organization.lower()}/")
    assert parsed(place.uri, FORM).uri == place.uri
    assert not {".", ".."} & {place.project, *place.names}


@pytest.mark.parametrize(
    "query", ["?", "?branch", "?other=x", "?branch=x&branch=y", "?branch=x&&", "#x", "?branch=x#y"]
)
def test_unknown_or_repeated_options_are_refused(query: str) -> None:
    """Only an option that the kind knows, given once, is one."""
    with pytest.raises(InputError):
        parsed(f"azdo-thing://contoso/a/b/c{query}", FORM)
