"""A model's own tokenizer files: which ids begin, end and pad, how a chat is laid out, ids back to text."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from hubbub.errors import Corruption, InvalidInput, MissingExtra

TOKENIZER, CONFIG = "tokenizer.json", "tokenizer_config.json"
_TURN_ENDS = ("<|im_end|>", "<|eot_id|>", "<|end_of_turn|>")


class Tokens:
    """What tokenizer.json and tokenizer_config.json of a directory say."""

    def __init__(self, directory: Path) -> None:
        """Read both files; the second may be missing.

        Raises:
            InvalidInput: there is no tokenizer.json, or it names no token that ends a text.
            Corruption: a file is not what it should be.
        """
        self.directory = directory
        self.model = read_json(directory / TOKENIZER, "copy the tokenizer's files beside the weights")
        self.config = read_json(directory / CONFIG, "") if (directory / CONFIG).exists() else {}
        try:
            self.specials = {
                each["content"]: each["id"]
                for each in self.model.get("added_tokens", ())
                if each.get("special")
            }
            vocab = self.model["model"]["vocab"]
            self.vocab: dict[str, int] = {**vocab, **self.specials}
        except (KeyError, TypeError) as error:
            raise Corruption(
                f"{directory / TOKENIZER}: {error!r}; copy it again from where it came"
            ) from None
        self.size = max(self.vocab.values(), default=-1) + 1
        self.begin = self._named("bos_token")
        end = self._named("eos_token")
        if end is None:
            raise InvalidInput(f"{directory / CONFIG} names no eos_token; without one no text ends")
        self.end = end
        self.turn_end = next((self.specials[name] for name in _TURN_ENDS if name in self.specials), end)
        pad = self._named("pad_token")
        self.pad = end if pad is None else pad
        self.template = str(self.config.get("chat_template") or "")
        self._slow: Any = None

    @property
    def stops(self) -> list[int]:
        """The ids after which nothing is to be written."""
        return sorted({self.end, self.turn_end})

    def encode(self, text: str, *, with_begin: bool = True) -> list[int]:
        """Return the ids of a text; names of special tokens in it become those tokens.

        Raises:
            MissingExtra: tokenizers is not installed.
        """
        found: list[int] = self._tokenizer().encode(text, add_special_tokens=with_begin).ids
        return found

    def chat(self, messages: Sequence[Mapping[str, str]]) -> str:
        """Lay out messages and open the assistant's turn, by the model's own template.

        Raises:
            InvalidInput: the model has no template.
        """
        if not self.template:
            raise InvalidInput(
                f"{self.directory / CONFIG} has no chat_template; name a plain --prompt instead"
            )
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        names = {number: name for name, number in self.specials.items()}
        template = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True).from_string(
            self.template
        )
        begin = names.get(self.begin, "") if self.begin is not None else ""
        return template.render(
            messages=messages, add_generation_prompt=True, bos_token=begin, eos_token=names.get(self.end, "")
        )

    def encode_chat(self, messages: Sequence[Mapping[str, str]]) -> list[int]:
        """Return the ids of `chat(messages)`; the template writes the token that begins a text."""
        return self.encode(self.chat(messages), with_begin=False)

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of ids without special tokens."""
        return "".join(self.stream(ids))

    def stream(self, ids: Iterable[int]) -> Iterator[str]:
        """Yield text as ids come; the bytes of half a letter wait for the other half."""
        names = {number: name for name, number in self.vocab.items()}
        letters, decoder = _bytes_of_letters(), codecs.getincrementaldecoder("utf-8")("replace")
        for number in ids:
            name = names.get(int(number), "")
            data = b"" if name in self.specials else bytes(letters.get(each, 63) for each in name)
            if text := decoder.decode(data):
                yield text
        if text := decoder.decode(b"", final=True):
            yield text

    def _named(self, key: str) -> int | None:
        named = self.config.get(key)
        name = named.get("content") if isinstance(named, dict) else named
        return self.vocab.get(name) if name else None

    def _tokenizer(self) -> Any:
        if self._slow is None:
            try:
                import tokenizers
            except ImportError:
                raise MissingExtra("tokenizers is not installed; run: pip install 'hubbub[train]'") from None
            self._slow = tokenizers.Tokenizer.from_file(str(self.directory / TOKENIZER))
        return self._slow


def read_json(path: Path, remedy: str) -> dict[str, Any]:
    """Read a file of one JSON object.

    Raises:
        InvalidInput: there is no such file; the message ends with the remedy.
        Corruption: it is not a JSON object.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except OSError as error:
        raise InvalidInput(f"{str(path)!r}: {error.strerror}; {remedy}") from None
    except msgspec.DecodeError as error:
        raise Corruption(f"{path}: {error}; copy it again from where it came") from None


def _bytes_of_letters() -> dict[str, int]:
    """Map GPT-2's letter for each byte back: itself where it can be seen, else one from 256 on."""
    seen = [*range(33, 127), *range(161, 173), *range(174, 256)]
    unseen = [byte for byte in range(256) if byte not in set(seen)]
    return {chr(byte): byte for byte in seen} | {chr(256 + at): byte for at, byte in enumerate(unseen)}
