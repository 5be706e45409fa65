"""What a test says of itself: one sentence."""

import ast
import re
from collections.abc import Iterator

from tools.lints.source import Finding, Source

RULE = "test-sentence"
ANOTHER_SENTENCE = re.compile(r"(?<!e\.g)(?<!i\.e)[.!?]\s+[A-Z]")


def check(source: Source) -> Iterator[Finding]:
    """Find tests without a docstring, and docstrings of tests that are more or less than one sentence."""
    if not source.within("tests"):
        return
    for node in source.nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            said = " ".join((ast.get_docstring(node) or "").split())
            if not said:
                yield source.finding(node, RULE, f"{node.name} has no docstring: say in one sentence what holds")
            elif not said.endswith((".", "!", "?")) or ANOTHER_SENTENCE.search(said):
                yield source.finding(node, RULE, f"the docstring of {node.name} is not one sentence")
