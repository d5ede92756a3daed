"""A byte-level BPE: trained by rustbpe, run by tiktoken, kept as Hugging Face's files, or taken from such."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from hubbub.corpus.tokenizer_json import BEGIN, PATTERN, POST, SPECIALS, config, layout, unspell
from hubbub.disk import refusals
from hubbub.errors import Corruption, InvalidInput, MissingExtra

if TYPE_CHECKING:
    import tiktoken

FILE, CONFIG = "tokenizer.json", "tokenizer_config.json"
SAMPLE_BYTES_PER_TOKEN = 512
"""Training looks at so much text for each token of the vocabulary: more gains nothing (decision 105)."""
_GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_MARK = SPECIALS[POST]
_ENDING = (r"|\s*[\r\n]+|\s+(?!\S)|\s+", r"|\s*[\r\n]+|\s+")
"""Of a pattern, and without the look-ahead that costs a third of the time and matters behind a blank only."""
_CUT = "\0"
_TRAINING_PATTERN = (
    _CUT
    + "|"
    + PATTERN.removesuffix(_ENDING[0]).replace(r"[^\s\p{L}\p{N}]", rf"[^\s\p{{L}}\p{{N}}{_CUT}]")
    + _ENDING[1]
)
"""Cuts texts that `_CUT` joins as `PATTERN` cuts each of them."""
_BLANK = r"[^\S\r\n\x1c-\x1f]"
_BLANKS = re.compile(_BLANK + _BLANK)
_ALL_BUT_ONE = re.compile(rf"({_BLANK}+)(?={_BLANK}[\S\x1c-\x1f])")
_TEXTS_AT_ONCE = 1024
_PROBES = (
    "It's 12345 o'clock, WE'LL see:\n\n  caf\u00e9 \u00fcber \u0434\u043e\u043c \u6771\u4eac #one @two",
    "https://example.org/a?b=c  \t \U0001f525\U0001f525!!! 3.14\r\n'S x",
)


class Tokenizer:
    """Text to ids and back; the special tokens of a document beside them."""

    def __init__(self, model: dict[str, Any], settings: dict[str, Any]) -> None:
        """`model` and `settings` are tokenizer.json and tokenizer_config.json; prefer `load_tokenizer`.

        Raises:
            InvalidInput: it has no token to begin or end a document with.
            MissingExtra: tiktoken or tokenizers is not installed.
        """
        self.model, self.settings = model, settings
        added = self._added = {each["content"]: each["id"] for each in model.get("added_tokens", ())}
        self.vocab_size = max([*added.values(), *_vocab(model).values()]) + 1
        self._fast = _open_tiktoken(model, added)
        self._slow = None
        if model.get("pre_tokenizer") != layout_pre_tokenizer():
            self._slow = _open_tokenizers(model)
            if self._fast and [self._fast.encode_ordinary(each) for each in _PROBES] == self._ids(_PROBES):
                self._slow = None
        self.end = _special(added, settings, "eos_token", SPECIALS[2])
        self.begin = _special(added, settings, "bos_token", SPECIALS[BEGIN], self.end)
        self.pad = _special(added, settings, "pad_token", SPECIALS[0], self.end)
        self.has_mark = _MARK in added
        self.post = (added[_MARK],) if self.has_mark else tuple(self.encode("\n"))
        """What stands before each post; a line break where a tokenizer of others knows no `<|post|>`."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """The smallest unsigned type that holds every id."""
        return np.dtype(np.uint16 if self.vocab_size <= 1 << 16 else np.uint32)

    def encode(self, text: str) -> list[int]:
        """Return a text's ids; what looks like a special token is text."""
        return self._ids([text])[0]

    def encode_batch(self, texts: Sequence[str]) -> list[np.ndarray]:
        """Return the ids of each text."""
        return [np.array(each, self.dtype) for each in self._ids(texts)]

    def encode_joined(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Return the ids of all texts, one after the other, and how many are each one's."""
        joined = _MARK.join(texts)
        if self._slow or not self._fast or not self.has_mark or joined.count(_MARK) >= len(texts):
            found = self._ids(texts)
            return np.fromiter(chain.from_iterable(found), np.uint32), np.array(list(map(len, found)))
        # One call for all: special tokens cut a text as its end does, and no text holds one (or overlaps it).
        encoding = self._fast if any(map(_has_blanks, texts)) else self._faster
        ids = encoding.encode_to_numpy(joined, allowed_special={_MARK}, disallowed_special=())
        is_text = ids != self.post[0]
        cuts = np.concatenate(([-1], np.flatnonzero(~is_text), [len(ids)]))
        return ids[is_text], np.diff(cuts) - 1

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text, special tokens by their names; halves of a letter become U+FFFD."""
        if self._slow:
            return str(self._slow.decode([int(each) for each in ids], skip_special_tokens=False))
        assert self._fast
        return self._fast.decode([int(each) for each in ids])

    def save(self, directory: Path) -> None:
        """Write both files.

        Raises:
            StorageError: the disk refused.
        """
        with refusals("write the tokenizer", directory):
            directory.mkdir(parents=True, exist_ok=True)
            for name, value in ((FILE, self.model), (CONFIG, self.settings)):
                (directory / name).write_bytes(msgspec.json.format(msgspec.json.encode(value), indent=1))

    @cached_property
    def _faster(self) -> tiktoken.Encoding:
        """The same for texts of which none has two blanks in a row."""
        assert self._fast
        return _open_tiktoken(self.model, self._added, _ENDING) or self._fast

    def _ids(self, texts: Sequence[str]) -> list[list[int]]:
        if self._slow:
            found = self._slow.encode_batch_fast(list(texts), add_special_tokens=False)
            return [each.ids for each in found]
        assert self._fast
        return [self._fast.encode_ordinary(each) for each in texts]


def train_tokenizer(texts: Iterable[str], vocab_size: int) -> Tokenizer:
    """Train on the first 512 bytes of text per token of the vocabulary: give a sample in random order.

    The vocabulary is smaller than asked for where the texts have not so many words.

    Raises:
        InvalidInput: there is no room for the bytes and the special tokens, or no text.
        MissingExtra: rustbpe is not installed.
    """
    try:
        import rustbpe
    except ImportError:
        raise _missing("rustbpe") from None
    least = 256 + len(SPECIALS)
    if vocab_size < least:
        raise InvalidInput(f"a vocabulary of {vocab_size} has no room for {least} bytes and special tokens")
    sample = _joined(_first_bytes(texts, SAMPLE_BYTES_PER_TOKEN * vocab_size))
    first = next(sample, None)
    if first is None:
        raise InvalidInput("there is no text to train a tokenizer on; is every post dropped or held out?")
    trainer = rustbpe.Tokenizer()
    trainer.train_from_iterator(chain([first], sample), vocab_size - len(SPECIALS), pattern=_TRAINING_PATTERN)
    ranked = sorted(trainer.get_mergeable_ranks(), key=lambda each: each[1])
    return Tokenizer(layout([bytes(token) for token, _ in ranked]), config())


def load_tokenizer(directory: Path | str) -> Tokenizer:
    """Open a directory with tokenizer.json, one of ours or of any model on Hugging Face.

    Raises:
        Corruption: the file is not JSON of the expected form.
        InvalidInput: there is none, or it cannot begin or end a document.
        MissingExtra: tiktoken or tokenizers is not installed.
    """
    path = Path(directory)
    path = path.parent if path.name == FILE else path
    try:
        model = msgspec.json.decode((path / FILE).read_bytes(), type=dict[str, Any])
        beside = path / CONFIG
        settings = msgspec.json.decode(beside.read_bytes(), type=dict[str, Any]) if beside.exists() else {}
        return Tokenizer(model, settings)
    except OSError as error:
        raise InvalidInput(
            f"{str(path / FILE)!r}: {error.strerror}; name a directory with a tokenizer.json"
        ) from None
    except (msgspec.DecodeError, KeyError, TypeError) as error:
        raise Corruption(f"{path / FILE}: {error!r}; copy it again from where it came") from None


def layout_pre_tokenizer() -> dict[str, Any]:
    """Return how our own tokenizers cut text."""
    found: dict[str, Any] = layout([])["pre_tokenizer"]
    return found


def _first_bytes(texts: Iterable[str], most: int) -> Iterator[str]:
    for text in texts:
        if text:
            yield text
            most -= len(text.encode())
        if most <= 0:
            return


def _joined(texts: Iterator[str]) -> Iterator[str]:
    """Yield many texts in one: a call for each takes as long as the work does."""
    while batch := list(islice(texts, _TEXTS_AT_ONCE)):
        cut = (_ALL_BUT_ONE.sub(rf"\1{_CUT}", each) if _has_blanks(each) else each for each in batch)
        yield _CUT.join(cut)


def _has_blanks(text: str) -> bool:
    """Tell whether two blanks stand in a row, line breaks aside; most texts cannot."""
    return ("  " in text or not text.isprintable()) and _BLANKS.search(text) is not None


def _vocab(model: dict[str, Any]) -> dict[str, int]:
    vocab = model["model"]["vocab"]
    return vocab if isinstance(vocab, dict) else {name: n for n, (name, _) in enumerate(vocab)}


def _special(added: dict[str, int], settings: dict[str, Any], key: str, ours: str, *instead: int) -> int:
    named = settings.get(key)
    names = (ours, named.get("content") if isinstance(named, dict) else named)
    found = [added[name] for name in names if name in added] + list(instead)
    if not found:
        raise InvalidInput(f"the tokenizer has no {key}; name one of its special tokens in {CONFIG}")
    return found[0]


def _open_tiktoken(
    model: dict[str, Any], added: dict[str, int], ending: tuple[str, str] = ("", "")
) -> tiktoken.Encoding | None:
    """Open a byte-level BPE, its pattern's ending replaced; None if it is none, or is cut in ways unknown."""
    try:
        import tiktoken
    except ImportError:
        raise _missing("tiktoken") from None
    pattern = _pattern(model.get("pre_tokenizer") or {})
    if model["model"].get("type") != "BPE" or model.get("normalizer") or pattern is None:
        return None
    ranks: dict[bytes, int] = {}
    for name, number in _vocab(model).items():
        token = unspell(name)
        if name not in added and token is not None:
            ranks[token] = number
    if any(bytes([byte]) not in ranks for byte in range(256)):
        return None
    if pattern.endswith(ending[0]):
        pattern = pattern.removesuffix(ending[0]) + ending[1]
    return tiktoken.Encoding("corpus", pat_str=pattern, mergeable_ranks=ranks, special_tokens=added)


def _pattern(cut: dict[str, Any]) -> str | None:
    """Return the pattern of a cut at one expression, then into bytes."""
    parts = cut.get("pretokenizers", [cut])
    if [each.get("type") for each in parts] == ["Split", "ByteLevel"] and not parts[1].get("use_regex"):
        found = parts[0].get("pattern", {}).get("Regex")
        return found if isinstance(found, str) else None
    return _GPT2 if [each.get("type") for each in parts] == ["ByteLevel"] else None


def _open_tokenizers(model: dict[str, Any]) -> Any:
    try:
        import tokenizers
    except ImportError:
        raise _missing("tokenizers") from None
    return tokenizers.Tokenizer.from_str(msgspec.json.encode(model).decode())


def _missing(name: str) -> MissingExtra:
    return MissingExtra(f"{name} is not installed; run: pip install 'hubbub[corpus]'")
