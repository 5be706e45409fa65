"""Options that switch a protection off: challenge verification, TLS verification, bodies kept out of logs."""

import ast
from collections.abc import Iterator

from tools.lints.source import PRODUCT, Finding, Source, keyword

RULE = "unsafe-option"

UNSAFE = {
    "verify_challenge_resource": (False, "lets a rogue vault ask for a token"),
    "logging_enable": (True, "logs bodies and tokens at DEBUG"),
    "connection_verify": (False, "accepts any certificate"),
    "verify": (False, "accepts any certificate"),
    "verify_ssl": (False, "accepts any certificate"),
    "ssl": (False, "accepts any certificate"),
    "check_hostname": (False, "accepts any host's certificate"),
}
UNVERIFIED = ("ssl.CERT_NONE", "ssl._create_unverified_context")


def check(source: Source) -> Iterator[Finding]:
    """Find those options in the product: as arguments, as keys of a dict of arguments, as attributes set."""
    if not source.within(*PRODUCT):
        return
    for node, name, value in _settings(source):
        unsafe, reason = UNSAFE.get(name, (None, ""))
        if unsafe is not None and isinstance(value, ast.Constant) and value.value is unsafe:
            yield source.finding(node, RULE, f"{name}={unsafe} {reason}")
    for node in source.nodes:
        if isinstance(node, ast.Attribute) and source.origin(node) in UNVERIFIED:
            yield source.finding(node, RULE, f"{source.origin(node)} accepts any certificate")


def _settings(source: Source) -> Iterator[tuple[ast.AST, str, ast.expr]]:
    for node in source.nodes:
        if isinstance(node, ast.Call):
            yield from ((node, name, value) for name in UNSAFE if (value := keyword(node, name)))
        elif isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Constant) and isinstance(key.value, str):
                    yield node, key.value, value
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Attribute):
                    yield node, target.attr, node.value
