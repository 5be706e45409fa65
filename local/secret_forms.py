"""Knows in which forms a secret may be written down, and finds them, also in what is packed or escaped.

Pure functions. Nothing shorter than `SHORTEST` is looked for: Graph shows the first three characters of a password to
everybody.
"""

import base64
import binascii
import html
import json
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from urllib.parse import quote, quote_plus, unquote_to_bytes

SHORTEST = 8
"""Characters: below this, chance finds them."""
DEEPEST = 4
"""How many packings inside each other are opened."""
LARGEST = 64 * 2**20
"""Bytes that are unpacked at most, from one member."""
TOKEN = "access token"  # noqa: S105 (what is found is called so)

_TOKEN = re.compile(rb"eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{16,}")
_BASE64 = re.compile(rb"(?:[A-Za-z0-9+/_-]{4}(?:\\r|\\n|[\r\n])*){4,}[A-Za-z0-9+/_-]{0,3}")
_KEY = re.compile(r"([A-Za-z0-9+/_-]+)={0,2}")
_LINE_END = re.compile(rb"\\r|\\n|[\r\n]")
_HEX = re.compile(rb"(?:[0-9A-Fa-f]{2}){8,}")
# Of a zlib stream, RFC 1950: deflate with a 32 KiB window, at any level.
_PACKED = re.compile(rb"\x1f\x8b\x08|\x78[\x01\x5e\x9c\xda]")


def find(haystack: bytes, needles: Iterable[str]) -> list[str]:
    """Return the forms in which any of the needles, or any access token, is in the haystack; [] if none is."""
    return sorted({form for _, form in hits(haystack, list(needles))})


@cache
def forms(secret: str) -> Mapping[str, bytes]:
    """Return how a secret of at least `SHORTEST` characters may be written: name of the form -> bytes.

    Forms that change nothing in this secret are left out. The base64 ones lack the characters at either end that
    depend on what stands beside the secret.
    """
    if len(secret) < SHORTEST:
        raise ValueError(f"a secret of {len(secret)} characters can't be told from chance, expected {SHORTEST} or more")
    raw = secret.encode()
    written = {"raw": raw, "utf-16": secret.encode("utf-16-le"), "utf-16-be": secret.encode("utf-16-be")}
    written |= {name: text.encode() for name, text in _escaped(secret)}
    written |= {"hex": raw.hex().encode(), "hex-upper": raw.hex().upper().encode()}
    written |= dict(_base64(raw))
    written |= dict(_meant(secret))
    unique: dict[bytes, str] = {}
    for name, form in written.items():
        unique.setdefault(form, name)
    return {name: form for form, name in unique.items()}


def _escaped(secret: str) -> Iterator[tuple[str, str]]:
    for name, text in (("json", json.dumps(secret)[1:-1]), ("json-utf8", json.dumps(secret, ensure_ascii=False)[1:-1])):
        yield name, text
        yield f"{name}-slash", text.replace("/", "\\/")
        yield f"{name}-twice", json.dumps(text, ensure_ascii=False)[1:-1]
    units = [secret.encode("utf-16-be")[i : i + 2].hex() for i in range(0, len(secret.encode("utf-16-be")), 2)]
    yield "json-codes", "".join(f"\\u{unit}" for unit in units)
    yield "json-codes-upper", "".join(f"\\u{unit.upper()}" for unit in units)
    for safe in ("", "/", "/:?#[]@!$&'()*+,;="):
        yield f"url{safe[:2]}", quote(secret, safe=safe)
        yield f"url-lower{safe[:2]}", _lower_percent(quote(secret, safe=safe))
    yield "url-plus", quote_plus(secret)
    yield "url-twice", quote(quote(secret, safe=""), safe="")
    yield "url-all", "".join(f"%{byte:02X}" for byte in secret.encode())
    yield "url-all-lower", "".join(f"%{byte:02x}" for byte in secret.encode())
    yield "html", html.escape(secret)
    yield "html-text", html.escape(secret, quote=False)
    yield "html-jinja", html.escape(secret).replace("&quot;", "&#34;").replace("&#x27;", "&#39;")
    yield "html-numbers", "".join(f"&#{ord(character)};" for character in secret)
    yield "html-hex", "".join(f"&#x{ord(character):x};" for character in secret)


def _lower_percent(text: str) -> str:
    return re.sub("%[0-9A-F]{2}", lambda match: match[0].lower(), text)


def _base64(raw: bytes) -> Iterator[tuple[str, bytes]]:
    """The three alignments in both alphabets, without the characters that the neighbours have a part in."""
    for shift in range(3):
        whole = base64.b64encode(b"\0" * shift + raw)
        first = -(-shift * 8 // 6)
        last = (shift + len(raw)) * 8 // 6
        yield f"base64+{shift}", whole[first:last]
        yield f"base64url+{shift}", whole[first:last].translate(bytes.maketrans(b"+/", b"-_"))


def _meant(secret: str) -> Iterator[tuple[str, bytes]]:
    """The bytes that a key in base64 stands for: written anew, they may look unlike the key."""
    if found := _KEY.fullmatch(secret):
        text = found[1].translate(str.maketrans("-_", "+/"))
        meant = base64.b64decode(text + "A" * (-len(text) % 4))[: len(text) * 6 // 8]
        if len(meant) >= SHORTEST:
            yield "decoded", meant


def hits(haystack: bytes, needles: list[str]) -> Iterator[tuple[str, str]]:
    """Yield needle and form of everything found; for an access token, TOKEN stands for the needle."""
    for path, content in _opened(haystack):
        for needle in needles:
            yield from ((needle, path + name) for name, form in forms(needle).items() if form in content)
        if _TOKEN.search(content):
            yield TOKEN, f"{path}raw"


def _opened(haystack: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the haystack, and what is packed in it, each with how it was packed."""
    seen: set[bytes] = set()
    waiting = [("", haystack)]
    while waiting:
        path, content = waiting.pop()
        if content in seen:
            continue
        seen.add(content)
        yield path, content
        if path.count(" > ") < DEEPEST:
            waiting += [(f"{path}{packing} > ", inner) for packing, inner in _unpacked(content)]


def _unpacked(content: bytes) -> Iterator[tuple[str, bytes]]:
    for escaping, sign, unescape in _ESCAPINGS:
        if sign in content:
            yield escaping, unescape(content)
    for match in _PACKED.finditer(content):
        if inner := _inflated(content[match.start() :]):
            yield ("gzip" if match[0].startswith(b"\x1f") else "zlib"), inner
    for match in _BASE64.finditer(content):
        for inner in _base64_decoded(_LINE_END.sub(b"", match[0])):
            yield "base64", inner
    for match in _HEX.finditer(content):
        yield "hex", bytes.fromhex(match[0].decode())


def _json_unescaped(content: bytes) -> bytes:
    return re.sub(rb"\\([\"\\/])", rb"\1", re.sub(rb"(?:\\u[0-9A-Fa-f]{4})+", _characters, content))


def _characters(codes: re.Match[bytes]) -> bytes:
    """Return what a run of JSON's backslash-u codes stands for, of which two may be one character."""
    units = bytes.fromhex(codes[0].decode().replace("\\u", ""))
    return units.decode("utf-16-be", "surrogatepass").encode("utf-8", "surrogatepass")


def _html_unescaped(content: bytes) -> bytes:
    return html.unescape(content.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")


_ESCAPINGS: tuple[tuple[str, bytes, Callable[[bytes], bytes]], ...] = (
    ("url-escaped", b"%", unquote_to_bytes),
    ("json-escaped", b"\\", _json_unescaped),
    ("html-escaped", b"&", _html_unescaped),
)


def _inflated(packed: bytes) -> bytes:
    """Return as much as can be unpacked: a member may be cut off, and what stands before the cut leaks all the same."""
    unpack = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
    inner = bytearray()
    try:
        for start in range(0, len(packed), 4096):
            inner += unpack.decompress(packed[start : start + 4096], LARGEST)
            if unpack.eof or len(inner) >= LARGEST:
                break
    except zlib.error:
        pass
    return bytes(inner)


def _base64_decoded(run: bytes) -> Iterator[bytes]:
    """Decode at every alignment: what stands before a run may look as if it belonged to it."""
    plain = run.translate(bytes.maketrans(b"-_", b"+/"))
    for start in range(4):
        part = plain[start:] if len(plain[start:]) % 4 != 1 else plain[start:-1]
        yield binascii.a2b_base64(part + b"=" * (-len(part) % 4))
