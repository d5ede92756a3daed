"""The tokenizer.json and tokenizer_config.json of Hugging Face that we write for a byte-level BPE.

The pattern that cuts text before merging is llama.cpp's "llama-bpe" to the letter (llama-vocab.cpp,
LLAMA_VOCAB_PRE_TYPE_LLAMA3), with `ignore_merges`, as there, so that all three programs give the same ids.
"""

from __future__ import annotations

from typing import Any

SPECIALS = ("<|pad|>", "<|begin|>", "<|end|>", "<|post|>", "<|im_start|>", "<|im_end|>")
"""Ids 0 to 5 of every tokenizer that we train."""
PAD, BEGIN, END, POST, IM_START, IM_END = range(6)

PATTERN = (
    r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)

CHAT_TEMPLATE = (
    "{{- bos_token }}{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
"""ChatML."""


def _letters() -> list[str]:
    """GPT-2's letter for each byte: itself where it can be seen, else one from 256 on."""
    seen = {*range(33, 127), *range(161, 173), *range(174, 256)}
    unseen = [byte for byte in range(256) if byte not in seen]
    return [chr(byte if byte in seen else 256 + unseen.index(byte)) for byte in range(256)]


LETTERS = _letters()
_BYTES = {letter: byte for byte, letter in enumerate(LETTERS)}


def spell(token: bytes) -> str:
    """Write a token's bytes as the letters that stand for them in the file."""
    return "".join(LETTERS[byte] for byte in token)


def unspell(text: str) -> bytes | None:
    """Read a token's letters; None if they are not those of a byte-level vocabulary."""
    try:
        return bytes(_BYTES[letter] for letter in text)
    except KeyError:
        return None


def layout(tokens: list[bytes]) -> dict[str, Any]:
    """Return tokenizer.json for tokens in the order of their merging, single bytes first."""
    ids = {token: number + len(SPECIALS) for number, token in enumerate(tokens)}
    vocab = {name: number for number, name in enumerate(SPECIALS)}
    vocab |= {spell(token): number for token, number in ids.items()}
    added = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    split = {"type": "Split", "pattern": {"Regex": PATTERN}, "behavior": "Isolated", "invert": False}
    begin, name = {"SpecialToken": {"id": SPECIALS[BEGIN], "type_id": 0}}, SPECIALS[BEGIN]
    first, second = ({"Sequence": {"id": part, "type_id": n}} for n, part in enumerate("AB"))
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": n, "content": each, **added} for n, each in enumerate(SPECIALS)],
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, byte_level]},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [begin, first],
            "pair": [begin, first, second],
            "special_tokens": {name: {"id": name, "ids": [BEGIN], "tokens": [name]}},
        },
        "decoder": byte_level,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": True,
            "vocab": vocab,
            "merges": [[spell(part) for part in _split(token, ids)] for token in tokens[256:]],
        },
    }


def config() -> dict[str, Any]:
    """Return tokenizer_config.json."""
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": SPECIALS[BEGIN],
        "eos_token": SPECIALS[END],
        "pad_token": SPECIALS[PAD],
        "add_bos_token": True,
        "clean_up_tokenization_spaces": False,
        "chat_template": CHAT_TEMPLATE,
    }


def _split(token: bytes, ids: dict[bytes, int]) -> list[bytes]:
    """Return the two tokens that were merged into this one: what merging leaves that stops short of it."""
    limit = ids[token]
    halves = [
        at for at in range(1, len(token)) if ids.get(token[:at], limit) < limit > ids.get(token[at:], limit)
    ]
    if len(halves) == 1:
        return [token[: halves[0]], token[halves[0] :]]
    parts = [token[at : at + 1] for at in range(len(token))]
    while len(parts) > 2:
        joined = [ids.get(a + b, limit) for a, b in zip(parts, parts[1:], strict=False)]
        at = joined.index(min(joined))
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
    return parts
