"""Makes broken frames of sound ones: JSON is broken as a tree, then anything as bytes; it knows no format."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import cbor2

Tree = Any
"""What `json.loads` returns, with `Object`, `Number` and `Inner` in it."""

GIANT_CHARS = 10 << 20
_MAX_DEPTH, _MAX_TREE_BYTES = 60, 100_000
"""What is deeper or longer is broken as bytes only."""
_SMALL_BYTES = 10_000
"""Nothing longer is repeated."""
_GIANT = 0.001
"""So rarely is anything made gigantic: one such frame costs as much as a thousand others."""
_TEXTS = (
    "",
    " ",
    "\0",
    "a\0b",
    "\ud800",
    "\udc00x",
    "x" * 1001,
    "\U0001f30a" * 30,
    "e\u0301",
    "\u202e\u200d\ufeff",
    "null",
    "0",
    "-1",
    "1e400",
    "9" * 5000,
    "\u0660\u0661",
    "\u00b2",
    "did:plc:",
    "at://",
    "://",
    "http://[::1",
    "https://a b/",
    "javascript:alert(1)",
    "<p>",
    "<a href='",
    "<!--",
    "&#xD800;",
    "&#1114112;",
    "&#" + "9" * 5000 + ";",
    "<![CDATA[",
    "</template>",
    "2011-01-28T18:00:00Z",
    "0000-00-00T00:00:00Z",
    "9999-12-31T23:59:59.999999999+23:59",
    "0001-01-01T00:00:00+14:00",
    "Fri Jan 28 18:00:00 +9999 2011",
    "Fri Jan 99 99:99:99 +0000 99999",
    "\\",
    '"',
    "\n",
    "\r\n\r\n",
    "{}",
    "[1]",
)
_NUMBERS = (
    "0",
    "-0",
    "-1",
    "1",
    "0.5",
    "1e5",
    "1e999",
    "-1e999",
    "1e-400",
    "9007199254740993",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775809",
    "18446744073709551616",
    "253402300799000001",
    "1" + "0" * 400,
    "9" * 5000,
    "NaN",
    "Infinity",
    "00",
    "1.",
    "0x10",
)
_PIECES = (
    b"",
    b"\0",
    b"\xff",
    b"\xc0\x80",
    b"\xed\xa0\x80",
    b"\xf5\x80\x80\x80",
    b"\xef\xbb\xbf",
    b"\\ud800",
    b"\\",
    b'"',
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\n",
    b"\r\n",
    b"data:",
    b"event:",
    b"\x80",
    b"\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\x88\x00",
    b"\x28\xb5\x2f\xfd",
    b"0\r\n\r\n",
    b"ffffffffff\r\n",
    b"\x1b\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\x5f",
    b"\x9f",
    b"\xbf",
    b"\xd8\x1d\x00",
    b"\xc1\xfb\x7f\xf0\0\0\0\0\0\0",
)


class Object(list[tuple[str, Tree]]):
    """A JSON object whose names may repeat."""


class Number(str):
    """A number as it is written, right or wrong."""


class Inner(str):
    """JSON inside a string, broken on its own."""


def parse(frame: bytes) -> Tree:
    """Read JSON into a tree; raises ValueError."""
    return json.loads(frame, object_pairs_hook=Object)


def format_tree(tree: Tree, is_ascii: bool) -> bytes:
    """Write a tree as JSON, or as nearly JSON as it is."""
    return "".join(_write(tree, is_ascii)).encode("utf-8", "surrogatepass")


def _write(tree: Tree, is_ascii: bool) -> Iterator[str]:
    if isinstance(tree, Object):
        parts = (f"{json.dumps(k, ensure_ascii=is_ascii)}:{''.join(_write(v, is_ascii))}" for k, v in tree)
        yield f"{{{','.join(parts)}}}"
    elif isinstance(tree, list):
        yield f"[{','.join(''.join(_write(value, is_ascii)) for value in tree)}]"
    elif isinstance(tree, Number):
        yield tree
    else:
        yield json.dumps(tree.hex() if isinstance(tree, bytes) else tree, ensure_ascii=is_ascii)


class Mutator:
    """Breaks frames, driven by one row of random numbers."""

    def __init__(self, seeds: Sequence[bytes], rng: random.Random) -> None:
        self._seeds, self._rng = seeds, rng
        self._trees = [tree for seed in seeds if (tree := _parse_or_none(seed)) is not None]
        self._cuttings = [value for tree in self._trees for _, value in _places(tree)]

    def frame(self) -> bytes:
        """Return the next frame."""
        rng = self._rng
        if rng.random() < 0.03:
            return rng.randbytes(rng.randrange(200))
        frame = self._broken_tree() if self._trees else rng.choice(self._seeds)
        if not self._trees or rng.random() < 0.2:
            for _ in range(rng.choice((1, 1, 2, 4, 16))):
                frame = self.break_bytes(frame)
        return frame

    def break_cbor(self, tree: object, chance: float) -> bytes:
        """Write a tree as CBOR, by this chance with some of it broken."""
        if self._rng.random() > chance:
            return cbor2.dumps(tree)
        data = cbor2.dumps(_plain(self._break_tree(_of_python(tree))))
        return self.break_bytes(data) if self._rng.random() < 0.4 else data

    def _broken_tree(self) -> bytes:
        tree = self._break_tree(self._rng.choice(self._trees))
        return format_tree(tree, self._rng.random() < 0.7)

    def _break_tree(self, tree: Tree) -> Tree:
        tree = _copy(tree)
        for _ in range(self._rng.choice((0, 1, 1, 1, 2, 3, 6))):
            places = list(_places(tree))
            if not places:
                break
            path, value = self._rng.choice(places)
            path(self._broken(value))
        return tree

    def _broken(self, value: Tree) -> Tree:
        rng = self._rng
        if isinstance(value, Inner) or (isinstance(value, str) and value[:1] == "{" and rng.random() < 0.9):
            inner = _parse_or_none(value.encode("utf-8", "surrogatepass"))
            if inner is not None:
                return Inner(format_tree(self._break_tree(inner), True).decode())
        makers: tuple[Callable[[Tree], Tree], ...] = (
            self._other,
            self._other,
            self._text,
            self._number,
            self._cutting,
            self._cutting,
            self._grown,
            self._repeated,
            self._deep,
        )
        if rng.random() < _GIANT:
            return self._giant()
        return rng.choice(makers)(value)

    def _other(self, _: Tree) -> Tree:
        return self._rng.choice(
            (None, True, False, [], Object(), "", "text", Number("7"), [None], [[]], [7], [""])
        )

    def _text(self, value: Tree) -> Tree:
        piece = self._rng.choice(_TEXTS)
        if not isinstance(value, str) or self._rng.random() < 0.5:
            return piece
        at = self._rng.randint(0, len(value))
        return value[:at] + piece + value[at:]

    def _number(self, _: Tree) -> Tree:
        return Number(self._rng.choice(_NUMBERS))

    def _cutting(self, _: Tree) -> Tree:
        return _copy(self._rng.choice(self._cuttings)) if self._cuttings else None

    def _grown(self, value: Tree) -> Tree:
        """Say a name twice, or leave one out; double a list or a text."""
        if isinstance(value, Object) and value:
            name, inner = self._rng.choice(value)
            return Object(
                [*value, (name, self._other(inner))] if self._rng.random() < 0.5 else list(value[1:])
            )
        return value + _copy(value) if isinstance(value, str | list) else Number("1")

    def _repeated(self, value: Tree) -> Tree:
        is_small = len(format_tree(value, True)) < _SMALL_BYTES
        number = self._rng.choice((2, 50, 300)) if is_small and self._rng.random() < 0.3 else 1
        return [_copy(value) for _ in range(number)]

    def _deep(self, value: Tree) -> Tree:
        opening, closing = self._rng.choice((("[", "]"), ('{"reblog":', "}"), ('{"media":', "}")))
        depth = self._rng.choice((3, 40, 200, 200, 900, 5000, 100_000))
        return Number(opening * depth + format_tree(value, True).decode() + closing * depth)

    def _giant(self) -> Tree:
        piece = (
            self._rng.choice(
                (*_TEXTS, "<b>", "</b>", "<a ", "<p><br>", "#x ", "&amp", "a", "<template>", "\ud800")
            )
            or "x"
        )
        size = self._rng.choice((1 << 17, 1 << 20, GIANT_CHARS))
        if self._rng.random() < 0.7:
            return piece * (size // len(piece))
        value = self._cutting(None)
        text = format_tree(value, True).decode()
        return Number(f"[{','.join([text] * (size // (len(text) + 1) + 1))}]")

    def break_bytes(self, frame: bytes) -> bytes:
        """Flip, cut, splice or repeat something."""
        rng = self._rng
        if not frame:
            return rng.choice(_PIECES)
        at, chance = rng.randrange(len(frame)), rng.random()
        if chance < 0.3:
            return frame[:at] + bytes([frame[at] ^ 1 << rng.randrange(8)]) + frame[at + 1 :]
        if chance < 0.45:
            return frame[:at]
        if chance < 0.6:
            other = rng.choice(self._seeds) if self._seeds else frame
            return frame[:at] + other[rng.randrange(len(other) + 1) :]
        if chance < 0.9:
            return frame[:at] + rng.choice(_PIECES) + frame[at + rng.randrange(3) :]
        if rng.random() < 0.01:
            opening = rng.choice((b"[", b'{"a":', b"<b>", b"\x81", b"\xa1\x61a", b"\xc1", b"\n", b"data:x\n"))
            return frame[:at] + opening * (1 << 18) + frame[at:]
        end = min(len(frame), at + rng.randrange(40))
        return frame[:end] + frame[at:]


def _parse_or_none(frame: bytes) -> Tree | None:
    try:
        tree = parse(frame) if len(frame) < _MAX_TREE_BYTES else None
        return None if _is_deep(tree, _MAX_DEPTH) else tree
    except (ValueError, RecursionError):
        return None


def _is_deep(tree: Tree, left: int) -> bool:
    values = [inner for _, inner in tree] if isinstance(tree, Object) else tree
    return isinstance(tree, list) and (left == 0 or any(_is_deep(value, left - 1) for value in values))


def _places(tree: Tree) -> Iterator[tuple[Callable[[Tree], None], Tree]]:
    """Yield every value inside a tree, each with what puts another in its place."""
    if not isinstance(tree, list):
        return
    for number, item in enumerate(tree):
        value = item[1] if isinstance(tree, Object) else item

        def put(new: Tree, number: int = number, tree: Tree = tree) -> None:
            tree[number] = (tree[number][0], new) if isinstance(tree, Object) else new

        yield put, value
        yield from _places(value)


def _copy(tree: Tree) -> Tree:
    if isinstance(tree, Object):
        return Object((name, _copy(value)) for name, value in tree)
    return [_copy(value) for value in tree] if isinstance(tree, list) else tree


def _of_python(value: object) -> Tree:
    if isinstance(value, dict):
        return Object((name, _of_python(inner)) for name, inner in value.items())
    return [_of_python(inner) for inner in value] if isinstance(value, list) else value


def _plain(tree: Tree) -> object:
    """Turn a tree into what CBOR can write."""
    if isinstance(tree, Object):
        return {name: _plain(value) for name, value in tree}
    if isinstance(tree, list):
        return [_plain(value) for value in tree]
    if isinstance(tree, Number):
        try:
            return int(tree)
        except ValueError:
            return str(tree)
    return tree.encode("utf-8", "surrogatepass") if isinstance(tree, str) and not _is_text(tree) else tree


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
