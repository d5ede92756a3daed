"""Invented posts and a plain dictionary that says what an index must hold; used by several tests."""

import random

from hubbub.posts import Post

WORDS = (
    "flood bridge river mayor closed school rescue boat rain warning water street shelter power train "
    "hospital volunteer cellar dam siren market square evening morning rumour photo crowd police"
).split()
GERMAN = (
    "Hochwasser Bruecke gesperrt Schule Wasser Strasse Keller Feuerwehr Regen Warnung heute Abend".split()
)
START_US = 1_700_000_000_000_000
STEP_US = 60_000_000


def invented_post(number: int, rng: random.Random) -> Post:
    """Make a post that carries the word `onlyNUMBER`, which no other has."""
    is_german = rng.random() < 0.25
    words = rng.choices(GERMAN if is_german else WORDS, k=rng.randint(3, 14))
    tags = tuple(rng.sample(("Flood", "BridgeNews", "help"), rng.randint(0, 2)))
    author = rng.randint(0, 19)
    return Post(
        id=f"x://status/{number}",
        author=f"did:plc:author{author}",
        handle=f"person{author}.example",
        text=" ".join([*words, f"only{number}", *("#" + tag for tag in tags)]),
        received_us=START_US + number * STEP_US,
        langs=("de",) if is_german else ("en-GB",),
        hashtags=tags,
        reply_to=f"x://status/{number - 1}" if rng.random() < 0.3 else None,
    )


def invented_posts(count: int, seed: int = 7) -> list[Post]:
    """Make posts, one a minute."""
    rng = random.Random(seed)
    return [invented_post(number, rng) for number in range(count)]
