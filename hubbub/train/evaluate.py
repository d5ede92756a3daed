"""How good a model is on the held-out newest posts: bits per byte, and names that are new; kept beside it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from torch import nn

from hubbub.corpus.reader import Corpus, open_corpus
from hubbub.corpus.tokenizer import FILE, Tokenizer, load_tokenizer
from hubbub.disk import refusals
from hubbub.errors import InvalidInput
from hubbub.train.bits import Ids, baselines, byte_table, measure
from hubbub.train.card import EVALUATION, model_dir
from hubbub.train.cloze import POST, blanks, fill_in
from hubbub.train.lineage import origin, stage
from hubbub.units import format_time

_MARK = re.compile(r"<\|(?:begin|end|pad|post)\|>")


def evaluate(
    directory: Path,
    corpus_dir: Path | None = None,
    *,
    limit: int = 4_000,
    citations: Path | None = None,
    also: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Measure a run's newest checkpoint, or a Hugging Face directory, and write `evaluation.json` beside it.

    `corpus_dir` defaults to what it was trained on, `limit` is how many held-out documents are read, spread
    evenly. Bits per byte of models with different tokenizers can be compared. `citations` is what
    `python -m benchmarks.citation_quality --model FILE.gguf --json` printed with this model, `also` what else
    was measured.

    Raises:
        InvalidInput: nothing is held out, or no corpus is known.
    """
    corpus = open_corpus(corpus_dir or _corpus_of(directory), verify=False)
    model, seq, tokenizer_dir = _opened(directory, corpus)
    theirs, own = load_tokenizer(corpus.tokenizer_dir), load_tokenizer(tokenizer_dir)
    held = corpus.documents(True)
    if not len(held):
        raise InvalidInput(f"{str(corpus.directory)!r} holds nothing out; build it with --held-out-days")
    held = held[np.unique(np.linspace(0, len(held) - 1, limit).astype(int))]
    rows = [row for row in (corpus.read(int(number)) for number in held) if len(row)]
    train = (corpus.read(int(number)) for number in corpus.documents(False))
    is_same = (corpus.tokenizer_dir / FILE).read_bytes() == (tokenizer_dir / FILE).read_bytes()
    known = rows if is_same else [recoded(row, theirs, own) for row in rows]
    found = measure(model, known, byte_table(own), seq=seq)
    times = corpus.times_us[held]
    told: dict[str, Any] = {
        "bits per byte": found.per_byte,
        "held out": f"{len(rows):,} documents, {found.num_bytes:,} bytes, received "
        f"{format_time(int(times.min()))} to {format_time(int(times.max()))}",
        "corpus": corpus.manifest.id,
    }
    told |= {
        f"bits per byte, {name}": value for name, value in baselines(train, rows, byte_table(theirs)).items()
    }
    told |= _cloze(model, own, corpus, theirs, rows, seq)
    told |= {**(also or {}), **(_cited(citations) if citations else {})}
    place = model_dir(directory)
    with refusals("write the evaluation", place):
        place.mkdir(parents=True, exist_ok=True)
        (place / EVALUATION).write_bytes(msgspec.json.format(msgspec.json.encode(told), indent=1))
    return told


def recoded(row: Ids, theirs: Tokenizer, own: Tokenizer) -> Ids:
    """Return a document in the tokens of another tokenizer."""
    texts = [text for text in _MARK.split(theirs.decode(row)) if text]
    ids = [number for text in texts for number in (*own.post, *own.encode(text))]
    return np.array([own.begin, *ids, own.end], np.int64)


def _cited(path: Path) -> dict[str, Any]:
    """Return what the citation bench says of the half that nothing was tuned on, over all sets."""
    rows = msgspec.json.decode(path.read_bytes(), type=list[dict[str, Any]])
    for row in rows:
        if str(row.get("writer", "")).endswith(".gguf") and (row.get("half"), row.get("set")) == (
            "held out",
            "all",
        ):
            names = ("precision", "recall", "answer", "abstained")
            return {f"citations, {name}": row[name] for name in names if isinstance(row.get(name), float)}
    raise InvalidInput(
        f"{str(path)!r} tells of no .gguf on the held-out half; run the bench with --model and --json"
    )


def _cloze(
    model: nn.Module, own: Tokenizer, corpus: Corpus, theirs: Tokenizer, rows: Sequence[Ids], seq: int
) -> dict[str, Any]:
    texts = [POST.join(filter(None, _MARK.split(theirs.decode(row)))) for row in rows]
    train = (theirs.decode(corpus.read(int(number))) for number in corpus.documents(False))
    asked = blanks(train, texts)
    if not asked:
        return {}
    found = fill_in(model, own, asked, seq=seq)
    return {
        "cloze of new names": found.accuracy,
        "cloze of new names, where the text has it elsewhere": found.aided,
        "cloze of new names, where it has not": found.unaided,
        "cloze of new names, by chance": found.chance,
        "cloze": f"{found.num_blanks:,} blanks of {found.num_names:,} names that no training text holds, "
        f"{found.num_aided:,} of them with the name elsewhere in the text",
    }


def _corpus_of(directory: Path) -> Path:
    made_by = origin(directory)
    if made_by is None:
        raise InvalidInput(f"no run tells what {str(directory)!r} was trained on; name a corpus")
    return Path(stage(*made_by).run.settings.corpus)


def _opened(directory: Path, corpus: Corpus) -> tuple[nn.Module, int, Path]:
    """Return model, context and where its tokenizer lies."""
    if (directory / "run.json").is_file():
        from hubbub.train.run import load_run

        model, meta = load_run(directory)
        assert meta.shape is not None
        return model.eval(), meta.shape.seq, corpus.tokenizer_dir
    from hubbub.model.hf import load_hf

    loaded, shape = load_hf(directory)
    return loaded, shape.seq, directory
