"""Works out expressions as Bicep does, as far as main.bicep needs: what a deployment hands to the app can be tested.

Source: https://learn.microsoft.com/azure/azure-resource-manager/bicep/operators and bicep-functions.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

type Names = Mapping[str, Any]
type Compiled = Callable[[Names], Any]

INFRA = Path(__file__).parents[2] / "infra"
_TOKEN = re.compile(
    r"(?P<space>[ \t]+|//[^\n]*)|(?P<line>\n)|(?P<text>'(?:[^'\\]|\\.)*')|(?P<number>\d+)|(?P<name>[A-Za-z_]\w*)"
    r"|(?P<sign>=>|\?\?|==|!=|\.\?|\[\?|[][(){}.,:?!-])"
)
_WORDS = MappingProxyType({"true": True, "false": False, "null": None})


def worked_out(expression: str, names: Names) -> Any:
    """Return the value of an expression; KeyError for a name or function that isn't known."""
    reader = _Reader(expression)
    compiled = reader.expression()
    assert reader.left() == "", f"{expression} goes on with {reader.left()!r}"
    return compiled(names)


class _Reader:
    """Reads one expression into a function of the names it uses. New lines part the items of lists and objects."""

    def __init__(self, text: str) -> None:
        found = [m for m in _TOKEN.finditer(text) if m.lastgroup != "space"]
        assert sum(len(m[0]) for m in _TOKEN.finditer(text)) == len(text), f"{text} has signs that aren't known"
        self._tokens = [m[0] for m in found]

    def left(self) -> str:
        """Return the next sign, "" at the end; new lines before it are skipped."""
        while self._tokens and self._tokens[0] == "\n":
            self._tokens.pop(0)
        return self._tokens[0] if self._tokens else ""

    def expression(self) -> Compiled:
        """Read a lambda, or a choice of two, or less."""
        self.left()
        if self._tokens[1:2] == ["=>"]:
            name = self._take()
            self._take()
            body = self.expression()
            return lambda names: lambda value: body({**names, name: value})
        return self._choice()

    def _choice(self) -> Compiled:
        asked = self._otherwise()
        if not self._next("?"):
            return asked
        yes = self.expression()
        self._expect(":")
        no = self.expression()
        return lambda names: yes(names) if asked(names) else no(names)

    def _otherwise(self) -> Compiled:
        first = self._same()
        if not self._next("??"):
            return first
        second = self._otherwise()
        return lambda names: second(names) if (found := first(names)) is None else found

    def _same(self) -> Compiled:
        left = self._access()
        for sign, same in (("==", True), ("!=", False)):
            if self._next(sign):
                right = self._access()
                return lambda names: (left(names) == right(names)) is same
        return left

    def _access(self) -> Compiled:
        found = self._one()
        while self._tokens and self._tokens[0] in {".", ".?", "[", "[?", "!"}:
            sign = self._take()
            if sign == "!":
                continue
            key = _constant(self._take()) if sign.startswith(".") else self._index()
            found = _reached(found, key, optional=sign.endswith("?"))
        return found

    def _index(self) -> Compiled:
        key = self.expression()
        self._expect("]")
        return key

    def _one(self) -> Compiled:
        sign = self._take()
        if sign == "(":
            inner = self.expression()
            self._expect(")")
            return inner
        if sign == "[":
            items = self._items("]", self.expression)
            return lambda names: [item(names) for item in items]
        if sign == "{":
            pairs = self._items("}", self._pair)
            return lambda names: {key(names): one(names) for key, one in pairs}
        if sign.startswith("'"):
            return _text(sign[1:-1])
        if sign.isdigit():
            return _constant(int(sign))
        if sign in _WORDS:
            return _constant(_WORDS[sign])
        if self._next("("):
            arguments = self._items(")", self.expression)
            return lambda names: (names.get(sign) or FUNCTIONS[sign])(*(a(names) for a in arguments))
        return lambda names: names[sign]

    def _pair(self) -> tuple[Compiled, Compiled]:
        key = self._take()
        self._expect(":")
        return _text(key[1:-1]) if key.startswith("'") else _constant(key), self.expression()

    def _items[T](self, end: str, read: Callable[[], T]) -> list[T]:
        found = []
        while self.left() != end:
            found.append(read())
            self._next(",")
        self._take()
        return found

    def _next(self, sign: str) -> bool:
        taken = bool(self._tokens) and self._tokens[0] == sign
        if taken:
            self._tokens.pop(0)
        return taken

    def _expect(self, sign: str) -> None:
        assert self._take() == sign

    def _take(self) -> str:
        self.left()
        return self._tokens.pop(0)


def _constant(value: Any) -> Compiled:
    return lambda _names: value


def _text(written: str) -> Compiled:
    """Parts in `${}` are expressions of their own; none of ours has a brace inside."""
    pieces = re.split(r"\$\{([^}]*)\}", written)
    compiled = [_Reader(p).expression() if i % 2 else _constant(p.replace("\\'", "'")) for i, p in enumerate(pieces)]
    return lambda names: "".join(str(piece(names)) for piece in compiled)


def _reached(of: Compiled, key: Compiled, *, optional: bool) -> Compiled:
    def reach(names: Names) -> Any:
        whole, wanted = of(names), key(names)
        return whole.get(wanted) if optional and whole is not None else None if optional else whole[wanted]

    return reach


class RefusedError(Exception):
    """The deployment fails with this message."""


def _fail(message: str) -> None:
    raise RefusedError(message)


def _union(*given: Any) -> Any:
    if isinstance(given[0], dict):
        merged: dict[str, Any] = {}
        for one in given:
            merged |= one
        return merged
    found: list[Any] = []
    for item in (item for one in given for item in one):
        found += [] if item in found else [item]
    return found


FUNCTIONS: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {
        "contains": lambda whole, part: part in whole,
        "empty": lambda whole: not whole,
        "fail": _fail,
        "filter": lambda items, keep: [i for i in items if keep(i)],
        "flatten": lambda lists: [i for items in lists for i in items],
        "guid": lambda *parts: hashlib.sha256("".join(parts).encode()).hexdigest()[:32],
        "indexOf": lambda items, item: items.index(item),
        "join": lambda items, between: between.join(items),
        "length": len,
        "loadJsonContent": lambda path: json.loads((INFRA / path.removeprefix("../")).read_text()),
        "map": lambda items, change: [change(i) for i in items],
        "readEnvironmentVariable": lambda _name, default: default,
        "split": lambda text, between: text.split(between),
        "string": lambda value: value if isinstance(value, str) else json.dumps(value, separators=(",", ":")),
        "take": lambda items, count: items[:count],
        "toLower": str.lower,
        "toObject": lambda items, key, value: {key(i): value(i) for i in items},
        "union": _union,
        "uniqueString": lambda *parts: hashlib.sha256("".join(parts).encode()).hexdigest()[:13],
    }
)
"""Objects are merged one level deep, which is all that is asked of `union` here."""
