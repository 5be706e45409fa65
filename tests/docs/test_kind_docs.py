"""The documentation has every kind there is: a row in README, a section with tags to copy and the rights it needs."""

import json
import re
from pathlib import Path

import pytest

from rekey.policy import read_policy
from rekey.ports import ConsumerKind, CredentialKind, Permission
from rekey.registry import CONSUMER_KINDS, CREDENTIAL_KINDS, consumer_kind, credential_kind
from rekey.settings import read_partial

ROOT = Path(__file__).parents[2]
PAGES = {"credential": "kinds.md", "consumer": "consumers.md"}
KINDS = [*(("credential", kind) for kind in CREDENTIAL_KINDS), *(("consumer", kind) for kind in CONSUMER_KINDS)]
ROW = re.compile(
    r"^\| (?P<what>credential|consumer) \| \[`(?P<kind>[a-z-]+)`\]\(docs/(?P<page>[a-z.]+)#(?P<anchor>[a-z-]+)\) "
    r"\| .+ \|$",
    re.MULTILINE,
)
TAGS = re.compile(r"^```json tags\n(?P<tags>.*?)^```$", re.MULTILINE | re.DOTALL)
RIGHTS = "| right | where | what for | granted by |\n|---|---|---|---|\n"


def sections(page: str) -> dict[str, str]:
    """Return the sections of a page of docs by their headings."""
    _, *parts = re.split(r"^## ", (ROOT / "docs" / page).read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {part.partition("\n")[0]: part for part in parts}


def used(tags: dict[str, str]) -> set[tuple[str, str]]:
    """Return the kinds that a secret with these tags has."""
    policy = read_policy("kv-shop", tags, read_partial({}))
    return {("credential", policy.credential.kind), *(("consumer", consumer.kind) for consumer in policy.consumers)}


def row(right: Permission) -> str:
    """Return the row a section has for a right; who grants one without a command is said in other words."""
    grant = f"`{right.grant}`" if right.grant.startswith("az ") else right.grant
    return f"| {right.name} | {right.plane} | {right.needed_for} | {grant}"


def class_of(what: str, kind: str) -> type[CredentialKind] | type[ConsumerKind]:
    """Return the kind's class."""
    return credential_kind(kind) if what == "credential" else consumer_kind(kind)


def test_the_table_of_kinds_is_the_registry() -> None:
    """README names each kind once, with a link to its section, and none that isn't there."""
    found = [*ROW.finditer((ROOT / "README.md").read_text(encoding="utf-8"))]
    assert [(r["what"], r["kind"]) for r in found] == list(dict.fromkeys((r["what"], r["kind"]) for r in found))
    assert {(r["what"], r["kind"]) for r in found} == set(KINDS)
    assert all((r["page"], r["anchor"]) == (PAGES[r["what"]], r["kind"]) for r in found)


@pytest.mark.parametrize("what", PAGES)
def test_the_pages_have_the_registrys_kinds(what: str) -> None:
    """Each kind has its section, and no section is of a kind that isn't there."""
    named = {kind for of, kind in KINDS if of == what}
    found = set(sections(PAGES[what]))
    assert named <= found, f"docs/{PAGES[what]} has no section on {', '.join(sorted(named - found))}"
    assert {heading for heading in found - named if " " not in heading} == set()


@pytest.mark.parametrize(("what", "kind"), KINDS)
def test_a_section_has_tags_to_copy(what: str, kind: str) -> None:
    """At least one example of tags in a kind's section uses that kind."""
    examples = [json.loads(found["tags"]) for found in TAGS.finditer(sections(PAGES[what])[kind])]
    assert any((what, kind) in used(tags) for tags in examples), f"no tags of {kind} in docs/{PAGES[what]}"


@pytest.mark.parametrize(("what", "kind"), KINDS)
def test_a_section_has_the_rights_that_the_kind_declares(what: str, kind: str) -> None:
    """The table of rights is what the class declares: nobody grants more or less than what is used."""
    section = sections(PAGES[what])[kind]
    declared = [row(right) for right in class_of(what, kind).permissions]
    assert (RIGHTS in section) == bool(declared), f"docs/{PAGES[what]}, {kind}: a table of rights, where there are any"
    written = section.partition(RIGHTS)[2].partition("\n\n")[0].splitlines()
    for one in declared:
        assert any(line.startswith(one) for line in written), f"docs/{PAGES[what]}, {kind}: there is no row\n{one} |"
    assert len(written) == len(declared)
