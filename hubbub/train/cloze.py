"""Does a model know names that came up after its training? A choice among such names, by likelihood."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Sequence
from itertools import chain

import msgspec
import numpy as np
from torch import nn

from hubbub.corpus.tokenizer import Tokenizer
from hubbub.train.bits import Ids, nats

_NAME = re.compile(r"(?<=[\w,;:'\")] )[A-Z\u00c0-\u00de][\w'\u2019-]{2,}|(?<=#)\w{3,}")
"""A capitalised word that opens no sentence, or a tag."""
_WORD = re.compile(r"[\w'\u2019-]{3,}")
MIN_DOCUMENTS = 3
"""Held-out documents that a name must stand in: one may be a slip."""
MIN_CHOICES, MAX_CHOICES = 4, 10
_MAX_PER_NAME = 3
POST = "\x1e"
"""What stands between the posts of a text."""


class Blank(msgspec.Struct, frozen=True, kw_only=True):
    """A text with a name taken out, and names to choose from; the first is right."""

    before: str
    after: str
    choices: tuple[str, ...]


class Cloze(msgspec.Struct, frozen=True, kw_only=True):
    """How often the right name was the likeliest, and how often it is by chance.

    `unaided` counts the blanks whose text has the name nowhere else: only a model that learnt the name can
    be better than chance there. Of the others, `aided`, the text itself tells: it takes reading.
    """

    accuracy: float
    aided: float
    unaided: float
    chance: float
    num_aided: int
    num_blanks: int
    num_names: int


def blanks(train: Iterable[str], held: Sequence[str], *, seed: int = 0, limit: int = 500) -> list[Blank]:
    """Take out of held-out texts the names that no training text holds."""
    stands: dict[str, list[tuple[int, int]]] = {}
    for number, text in enumerate(held):
        for found in _NAME.finditer(text):
            stands.setdefault(found[0], []).append((number, found.start()))
    spread = {name: at for name, at in stands.items() if len({number for number, _ in at}) >= MIN_DOCUMENTS}
    unknown = {name.lower() for name in spread}
    for text in train:
        unknown -= {word.lower() for word in _WORD.findall(text)}
    names = sorted(name for name in spread if name.lower() in unknown)
    rng, made = random.Random(seed), []
    for name in names:
        others = [other for other in names if other.lower() != name.lower()]
        for number, start in rng.sample(spread[name], min(_MAX_PER_NAME, len(spread[name]))):
            text = held[number]
            absent = [other for other in others if other not in text]
            if len(absent) >= MIN_CHOICES - 1:
                choices = (name, *rng.sample(absent, min(len(absent), MAX_CHOICES - 1)))
                made.append(Blank(before=text[:start], after=text[start + len(name) :], choices=choices))
    return rng.sample(made, limit) if len(made) > limit else made


def fill_in(model: nn.Module, tokenizer: Tokenizer, asked: Sequence[Blank], *, seq: int) -> Cloze:
    """Choose for each blank the name that the text makes likelier than it is without the text.

    log P(name and what follows | what precedes) - log P(name | nothing): without the second part short and
    frequent names would always win (Holtzman et al., arXiv 2104.08315).
    """
    head = [tokenizer.begin, *tokenizer.post]

    def row(text: str) -> Ids:
        posts = ([*tokenizer.post, *tokenizer.encode(post)] for post in text.split(POST))
        return np.array([tokenizer.begin, *chain.from_iterable(posts)])

    texts = [blank.before + name + blank.after for blank in asked for name in blank.choices]
    whole = nats(model, [row(text) for text in texts], seq=seq)
    alone = sorted({name for blank in asked for name in blank.choices})
    costs = nats(model, [row(f" {name}") for name in alone], seq=seq)
    plain = {name: float(cost[len(head) - 1 :].sum()) for name, cost in zip(alone, costs, strict=True)}
    place = 0
    right: dict[bool, list[bool]] = {True: [], False: []}
    for blank in asked:
        gains = []
        for name in blank.choices:
            gains.append(plain[name] - float(whole[place].sum()))
            place += 1
        right[blank.choices[0] in blank.before + blank.after].append(int(np.argmax(gains)) == 0)
    return Cloze(
        accuracy=_share(right[True] + right[False]),
        aided=_share(right[True]),
        unaided=_share(right[False]),
        num_aided=len(right[True]),
        chance=sum(1 / len(blank.choices) for blank in asked) / max(len(asked), 1),
        num_blanks=len(asked),
        num_names=len({blank.choices[0] for blank in asked}),
    )


def _share(found: Sequence[bool]) -> float:
    return sum(found) / max(len(found), 1)
