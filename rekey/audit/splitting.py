"""Cuts the bytes of an audit log into records, whatever pieces they come in: JSON lines, or the older list of records.

https://learn.microsoft.com/azure/azure-monitor/platform/resource-logs-blob-format: each record a line of an append
blob; before, one object {"records": [...]} that grows in place before its end.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

LONGEST = 1024 * 1024
"""Bytes a record may have; Key Vault's have about one thousand."""

_BOM = b"\xef\xbb\xbf"
_BLANK = b" \t\r\n" + _BOM
_BETWEEN = b" \t\r\n,"
_HEAD = re.compile(rb'(?:\xef\xbb\xbf)?\s*\{\s*"records"\s*:\s*\[')
_LONGEST_HEAD = 1024
_TOKEN = re.compile(rb'\\(?:.|\Z)|["{}\]]', re.DOTALL)


class Piece(NamedTuple):
    """What should be one record: where it begins in the blob, and its bytes, of a longer one the first LONGEST + 1."""

    start: int
    raw: bytes
    overlong: bool = False


class Splitter:
    """Cuts one blob, from `done` on; `records` is its form, which its beginning tells.

    `done` is the offset of the first byte that was not handed out: what comes before it need never be read again.
    """

    def __init__(self, done: int = 0, *, records: bool = False, longest: int = LONGEST) -> None:
        self._longest = longest
        self._beginning = b""
        self._form = _form(done, records=records, longest=longest) if done else None

    @property
    def done(self) -> int:
        """How far records were handed out, in bytes of the blob."""
        return self._form.done if self._form else 0

    @property
    def records(self) -> bool:
        """Tell whether it is the older form."""
        return isinstance(self._form, _Listed)

    def feed(self, chunk: bytes) -> Iterator[Piece]:
        """Hand out what is complete with this chunk; the blob's next byte is the next chunk's first."""
        if not self._form:
            chunk = self._beginning = self._beginning + chunk
            head = _HEAD.match(chunk[:_LONGEST_HEAD])
            if not head and _may_become_head(chunk):
                return
            begin = head.end() if head else 0
            self._form, self._beginning = _form(begin, records=bool(head), longest=self._longest), b""
            chunk = chunk[begin:]
        yield from self._form.feed(chunk)

    def last(self) -> Piece | None:
        """Return what is left at the blob's end: a line that lacks only its end of line, or one that is torn."""
        return self._form.last() if isinstance(self._form, _Lines) else None

    def accept_last(self) -> None:
        """Take what `last` returned for done."""
        if isinstance(self._form, _Lines):
            self._form.drop_rest()


def _form(done: int, *, records: bool, longest: int) -> "_Lines | _Listed":
    return _Listed(done, longest) if records else _Lines(done, longest)


def _may_become_head(beginning: bytes) -> bool:
    compact = b"".join(beginning[:_LONGEST_HEAD].removeprefix(_BOM).split())
    return len(beginning) < _LONGEST_HEAD and (_BOM.startswith(beginning) or b'{"records":['.startswith(compact))


class _Lines:
    """JSON lines; blank ones are nothing, and so is a mark of the byte order."""

    def __init__(self, done: int, longest: int) -> None:
        self.done = done
        self._longest = longest
        self._rest = b""
        self._inside = False  # an overlong line, whose beginning was handed out

    def feed(self, chunk: bytes) -> Iterator[Piece]:
        if self._inside:
            chunk = self._after_overlong(chunk)
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            start, self.done = self.done, self.done + len(line) + 1
            if len(line) > self._longest:
                yield Piece(start, line[: self._longest + 1], overlong=True)
            elif raw := line.strip(_BLANK):
                yield Piece(start, raw)
        if len(self._rest) > self._longest:
            piece = Piece(self.done, self._rest[: self._longest + 1], overlong=True)
            self.drop_rest()
            self._inside = True
            yield piece

    def last(self) -> Piece | None:
        raw = self._rest.strip(_BLANK)
        return Piece(self.done, raw) if raw else None

    def drop_rest(self) -> None:
        self.done += len(self._rest)
        self._rest = b""

    def _after_overlong(self, chunk: bytes) -> bytes:
        end = chunk.find(b"\n") + 1
        self._inside = not end
        self.done += end or len(chunk)
        return chunk[end:] if end else b""


class _Listed:
    """The objects of a list; what stands between them and should not spoils the one after it.

    Nothing but braces and quotes is understood here; whether an object is a record is for whoever decodes it.
    """

    def __init__(self, done: int, longest: int) -> None:
        self.done = done
        self._longest = longest
        self._rest = b""
        self._scanned = 0  # bytes of the rest
        self._depth = 0
        self._quoted = False
        self._inside = False  # an overlong object, whose beginning was handed out
        self._ended = False

    def feed(self, chunk: bytes) -> Iterator[Piece]:
        if not self._ended:
            self._rest += chunk
            yield from self._objects()

    def _objects(self) -> Iterator[Piece]:
        begin, scan, self._scanned = 0, self._scanned, len(self._rest)
        for token in _TOKEN.finditer(self._rest, scan):
            if token.group() == b"\\":  # what it escapes comes with the next chunk
                self._scanned = token.start()
            elif end := self._end_at(token):
                yield from self._object(self._rest[begin:end], self.done + begin)
                begin = end
            if self._ended:
                break
        self._drop(begin)
        if len(self._rest) > self._longest and not self._ended:
            if not self._inside:
                yield Piece(self.done, self._rest[: self._longest + 1], overlong=True)
            self._inside = True
            self._drop(self._scanned)

    def _end_at(self, token: re.Match[bytes]) -> int:
        """Return where in the rest an object ends, or the list does; 0 if nothing ends here."""
        match token.group():
            case b'"':
                self._quoted = not self._quoted
            case b"{" if not self._quoted:
                self._depth += 1
            case b"}" if not self._quoted and self._depth:
                self._depth -= 1
                return 0 if self._depth else token.end()
            case b"]" if not self._quoted and not self._depth:
                self._ended = True
                return token.start()  # there the list goes on when it has grown
        return 0

    def _object(self, unit: bytes, start: int) -> Iterator[Piece]:
        if self._inside:
            self._inside = False
        elif len(unit) > self._longest:
            yield Piece(start, unit[: self._longest + 1], overlong=True)
        elif raw := unit.strip(_BETWEEN):
            yield Piece(start, raw)

    def _drop(self, length: int) -> None:
        self.done += length
        self._scanned -= length
        self._rest = self._rest[length:]
