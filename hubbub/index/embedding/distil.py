"""Make a static table from a teacher: each piece's own vector first, then a fit to whole texts.

The recipe of the table that hubbub ships (licences in docs/decisions/031); about 20 minutes on one core:

    python -m hubbub.index.embedding.distil --posts A.ndjson.gz B.ndjson.gz --wordnet DIR --out static.npz
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from hubbub.index.embedding.embedder import Embedder, Vectors, unit_rows
from hubbub.index.embedding.fitting import fit
from hubbub.index.embedding.minilm import VOCABULARY, MiniLm
from hubbub.index.embedding.pieces import Pieces
from hubbub.index.embedding.static import StaticEmbedder, write_table
from hubbub.index.folding import fold
from hubbub.index.tokenize import words

FITTED_DIM = 256
DIM = 128
"""What ships: after the fit half the axes go, those of least moment. MAP and R@5 stay within .006, and each
post costs half the memory, a third less time to embed, and half the time to scan (decision 031)."""
RARITY = 1e-3
"""A piece of share p of all pieces has length a / (a + p) before the fit (Arora et al., ICLR 2017, SIF)."""
# Letters that the teacher reads: Latin with its accents, Greek, Cyrillic. Of other scripts it knows single
# letters only, and no vector is better than a misleading one.
_READ = re.compile("[0-9a-z\u00c0-\u024f]+|[\u0370-\u03ff\u0400-\u052f]{2,}")


def distil(
    teacher: Embedder, names: Sequence[str], texts: Sequence[str], epochs: int = 4
) -> tuple[Vectors, Vectors]:
    """Return the table of the pieces and the projection from the teacher's vectors to the table's."""
    pieces = Pieces(names)
    alone = teacher.embed([name.removeprefix("##") for name in names])
    taught = teacher.embed(texts)
    projection = principal_axes(np.concatenate([alone, taught]), FITTED_DIM)
    ids = [pieces.ids(text) for text in texts]
    counts = np.bincount(np.array([number for found in ids for number in found]), minlength=len(names)) + 0.1
    lengths = RARITY / (RARITY + counts / counts.sum())
    table = (unit_rows(alone @ projection) * lengths[:, None]).astype(np.float32)
    table = fit(table, ids, unit_rows(taught @ projection), epochs)
    return shortened(pieces, table, projection, texts)


def shortened(
    pieces: Pieces, table: Vectors, projection: Vectors, texts: Sequence[str]
) -> tuple[Vectors, Vectors]:
    """Return table and projection on the `DIM` axes along which the texts differ most."""
    axes = principal_axes(StaticEmbedder(pieces, table).embed(texts), DIM)
    return table @ axes, projection @ axes


def principal_axes(vectors: Vectors, dim: int) -> Vectors:
    """Return the directions of greatest second moment, shape (teacher's dim, dim); no mean is taken away."""
    _, axes = np.linalg.eigh((vectors.T @ vectors).astype(np.float64))
    return np.ascontiguousarray(axes[:, ::-1][:, :dim], np.float32)


def piece_names() -> list[str]:
    """Return the teacher's pieces that our words can hold."""
    found = []
    for name in VOCABULARY.read_text(encoding="utf-8").split("\n"):
        plain = name.removeprefix("##")
        if _READ.fullmatch(plain) and fold(plain) == plain:
            found.append(name)
    return found


def read_texts(paths: Sequence[Path], limit: int) -> list[str]:
    """Read up to `limit` distinct post texts from each file, without links, in random order."""
    chosen = []
    for path in paths:
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            texts = [re.sub(r"https?:\S*", " ", json.loads(line)["text"]) for line in lines]
        distinct = {" ".join(words(text)): text for text in texts if len(text) >= 15}
        chosen += random.Random(0).sample(sorted(distinct.values()), min(limit, len(distinct)))
    return chosen


def read_wordnet(directory: Path, limit: int) -> list[str]:
    """Read up to `limit` glosses and examples of WordNet (data.noun and its fellows)."""
    found = [text for path in sorted(directory.glob("data.*")) for text in _glosses(path)]
    return random.Random(0).sample(found, min(limit, len(found)))


def snippets(texts: Sequence[str], limit: int) -> list[str]:
    """Cut runs of two to five words out of texts: what queries look like."""
    chance = random.Random(0)
    found = []
    for text in chance.sample(list(texts), min(limit, len(texts))):
        spoken = re.findall(r"[^\W_]{2,}", re.sub(r"@\w+", " ", text))
        if len(spoken) >= 5:
            start = chance.randrange(len(spoken) - 4)
            found.append(" ".join(spoken[start : start + chance.choice((2, 2, 3, 3, 4, 5))]))
    return found


def _glosses(path: Path) -> Iterator[str]:
    for line in path.read_text(encoding="latin-1").splitlines():
        if line.startswith("  "):
            continue
        fields, _, gloss = line.partition("|")
        parts = fields.split()
        lemmas = [parts[4 + 2 * n].replace("_", " ").partition("(")[0] for n in range(int(parts[3], 16))]
        meaning, *examples = re.split(r';\s*(?=")', gloss.strip())
        yield f"{', '.join(lemmas[:3])}: {meaning}"
        yield from (example.strip('" ') for example in examples)


def main() -> None:
    """Make the table that the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--posts", type=Path, nargs="+", required=True, help="NDJSON files, gzipped")
    parser.add_argument("--wordnet", type=Path, required=True, help="directory with data.noun (wordnet-base)")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=24_000, help="texts from each file and from WordNet")
    args = parser.parse_args()
    posts = read_texts(args.posts, args.limit)
    texts = [*posts, *read_wordnet(args.wordnet, args.limit), *snippets(posts, args.limit)]
    names = piece_names()
    table, projection = distil(MiniLm(), names, texts)
    write_table(args.out, names, table, projection)


if __name__ == "__main__":
    main()
