"""Other programs' files, checked field by field, and written; it knows no format.

Kubernetes drops unknown fields in silence, and a default then does what nobody asked for. Here every field
that the structs of a format do not name is refused, with its path and the name that was probably meant.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

from hubbub.disk import refusals, replace_durably
from hubbub.errors import InvalidInput, MissingExtra

T = TypeVar("T")
_MAX_BYTES = 16 << 20
_TOLD = re.compile(r"(?P<what>.*?)(?: - at (?P<key>`key` in )?`\$(?P<path>.*)`)?\Z", re.DOTALL)
_FIELD = re.compile(r"Object (?P<how>contains unknown|missing required) field `(?P<name>.*)`\Z", re.DOTALL)
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+|\.\.\.)\]")


def check(data: object, wanted: type[T] | Any) -> T:
    """Return plain data as a format's struct.

    Raises:
        InvalidInput: a field is unknown, missing or wrong; its path and a hint are given.
    """
    try:
        found: T = msgspec.convert(data, wanted)
    except msgspec.ValidationError as error:
        raise InvalidInput(_explain(str(error), wanted, data)) from None
    return found


def _explain(told: str, wanted: object, data: object) -> str:
    match = _TOLD.match(told)
    assert match is not None
    what, path = match["what"], match["path"] or ""
    node, value = _at(inspect.type_info(wanted), data, path)
    if match["key"] and isinstance(node := _plain(node, value), inspect.DictType):
        node, value = node.key_type, "a key"
    path = path.removeprefix(".")
    if field := _FIELD.match(what):
        where = f"{path}.{field['name']}" if path else field["name"]
        if field["how"].startswith("missing"):
            return f"{where}: missing; it must be given"
        return f"{where[:200]}: unknown; {_hint(field['name'], _names(_plain(node, value)))}"
    said = f"{path or 'the document'}: "
    if what.startswith("Invalid"):
        return f"{said}{value!r:.80} is not allowed; {_hint(str(value), _values(node))}"
    if "matching regex" in what:
        return f"{said}{value!r:.80} is not {_description(node)}"
    return f"{said}{what[:1].lower()}{what[1:]}"


def _hint(given: str, known: Sequence[str]) -> str:
    near = get_close_matches(given, known, n=1, cutoff=0.6)
    return f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"


def _types(node: inspect.Type) -> list[inspect.Type]:
    """Return what a type may be, each without its constraints' wrapping."""
    if isinstance(node, inspect.Metadata):
        return _types(node.type)
    if isinstance(node, inspect.UnionType):
        return [found for each in node.types for found in _types(each)]
    return [node]


def _plain(node: inspect.Type, value: object) -> inspect.Type:
    """Return the one of a union's types that a value can be: the struct of its tag, the only one, the map."""
    kind: Any = inspect.VarTupleType if isinstance(value, list | tuple) else inspect.StructType
    found: list[Any] = [each for each in _types(node) if isinstance(each, kind)]
    if isinstance(value, dict):
        tagged = [each for each in found if each.tag in value.values()]
        found = found if len(found) == 1 else tagged
        found = found or [each for each in _types(node) if isinstance(each, inspect.DictType)]
    return next(iter(found), node)


def _at(node: inspect.Type, value: Any, path: str) -> tuple[inspect.Type, Any]:
    """Follow a path as msgspec writes it; of a map it does not tell the key."""
    for name, index in _STEP.findall(path):
        within = _plain(node, value)
        if isinstance(within, inspect.StructType):
            node = next((f.type for f in within.fields if f.encode_name == name), node)
        elif isinstance(within, inspect.VarTupleType):
            node = within.item_type
        elif isinstance(within, inspect.DictType):
            node = within.value_type
        if isinstance(value, dict):
            value = value.get(name) if name else "a value"
        elif isinstance(value, list | tuple) and index:
            value = value[int(index)]
    return node, value


def _names(node: inspect.Type) -> list[str]:
    if not isinstance(node, inspect.StructType):
        return []
    return [*([node.tag_field] if node.tag_field else []), *(f.encode_name for f in node.fields)]


def _values(node: inspect.Type) -> list[str]:
    found = _types(node)
    tags = [str(each.tag) for each in found if isinstance(each, inspect.StructType) and each.tag]
    return tags or [str(v) for each in found if isinstance(each, inspect.LiteralType) for v in each.values]


def _description(node: inspect.Type) -> str:
    for each in node.types if isinstance(node, inspect.UnionType) else (node,):
        if isinstance(each, inspect.Metadata) and each.extra_json_schema:
            return str(each.extra_json_schema["description"])
    return "of the form that is asked for"


def read_documents(path: Path) -> list[Any]:
    """Return a file's documents as plain data; JSON needs no package, other YAML takes PyYAML.

    Raises:
        StorageError: it cannot be read.
        InvalidInput: it is no YAML, is too large, names a key twice, or uses aliases.
        MissingExtra: it is YAML that is not JSON, and PyYAML is not installed.
    """
    with refusals("read", path):
        data = path.read_bytes()
    if len(data) > _MAX_BYTES:
        raise InvalidInput(f"{str(path)!r} has {len(data):,} bytes; at most {_MAX_BYTES:,} are read")
    try:
        text = data.decode()
        parts = [part for part in re.split(r"(?m)^---[ \t]*$", text) if part.strip()]
        if all(part.lstrip().startswith(("{", "[")) for part in parts):
            return [json.loads(part, object_pairs_hook=_once) for part in parts]
    except json.JSONDecodeError:
        pass
    except (UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(f"{str(path)!r} is no text of this kind: {error}") from None
    return _read_yaml(text, path)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise InvalidInput(f"key {key!r:.80} is given twice; keep one")
        found[key] = value
    return found


def _read_yaml(text: str, path: Path) -> list[Any]:
    try:
        import yaml  # type: ignore[import-untyped,unused-ignore]
    except ModuleNotFoundError:
        raise MissingExtra(
            f"{str(path)!r} is not JSON; for other YAML: pip install 'hubbub[fleet]'"
        ) from None
    try:
        for node in yaml.compose_all(text, yaml.SafeLoader):
            _refuse_tricks(node, set())
        return [document for document in yaml.safe_load_all(text) if document is not None]
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise InvalidInput(f"{str(path)!r} is no YAML that can be used: {error}") from None


def _refuse_tricks(node: Any, seen: set[int]) -> None:
    """Refuse aliases (a kilobyte of them can stand for a billion values) and keys given twice."""
    if id(node) in seen:
        raise InvalidInput("aliases (*name) are not followed; write out what they stand for")
    seen.add(id(node))
    children = getattr(node, "value", None)
    if not isinstance(children, list):
        return
    _once([(str(child[0].value), None) for child in children if isinstance(child, tuple)])
    for child in children:
        for part in child if isinstance(child, tuple) else (child,):
            _refuse_tricks(part, seen)


def write_documents(path: Path, documents: Iterable[object]) -> None:
    """Write structs as YAML, each document in its JSON form, wholly or not at all.

    Raises:
        StorageError: the disk refuses.
    """
    texts = (msgspec.json.format(msgspec.json.encode(each), indent=2).decode() for each in documents)
    with refusals("write", path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(path.name + ".new")
        temporary.write_text("".join(f"---\n{text}\n" for text in texts))
        replace_durably(temporary, path)
