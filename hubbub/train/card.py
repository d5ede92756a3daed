"""The card of a model: what it learnt from, by whose consent, up to which deletions, how good it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from hubbub.corpus.reader import Corpus, open_corpus
from hubbub.disk import refusals
from hubbub.errors import InvalidInput
from hubbub.model.shape import LlamaShape
from hubbub.train.lineage import CARD, Stage, line, origin, saw
from hubbub.units import format_time

EVALUATION = "evaluation.json"
_WEIGHTS = (".safetensors", ".gguf")


class Data(msgspec.Struct, frozen=True, kw_only=True):
    """A corpus that a model was trained on, without what was held out."""

    corpus: str
    corpus_id: str
    first: str
    last: str
    num_posts: int
    num_documents: int
    num_tokens: int
    posts_by_language: dict[str, int]
    consent_policy: str
    left_out: dict[str, int]
    """Posts of the archive that are not in it, by reason."""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One run that the weights went through, the newest first."""

    run: str
    step: int
    rows: str
    """What was read: documents, lessons, or a week."""
    num_batches: int
    batch_tokens: int
    schedule: str
    seed: int
    deletion_mark: int
    num_seen_and_deleted: int
    """Posts that this run was trained on and that have been deleted since."""
    data: Data


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """All that `README.md` tells, as data; `run` and `step` are the newest part's."""

    name: str
    run: str
    step: int
    num_params: int
    shape: LlamaShape | None
    files: dict[str, int]
    deletion_mark: int
    """The archive's number up to which deletions were honoured by every part."""
    parts: tuple[Part, ...]
    evaluation: dict[str, Any] = {}


def make_card(directory: Path) -> Card:
    """Gather a card from a run, or from a model that one exported.

    Raises:
        InvalidInput: no run of ours made it, or a corpus that it was trained on is gone.
    """
    made_by = origin(directory)
    if made_by is None:
        raise InvalidInput(
            f"{str(directory)!r} was made by no run that is still here; name a run, or its model/"
        )
    stages = list(line(*made_by))
    parts = tuple(_part(here) for here in stages)
    place = model_dir(directory)
    measured = place / EVALUATION
    shape = stages[0].run.shape
    return Card(
        name=place.resolve().parent.name if place.name == "model" else place.resolve().name,
        run=str(stages[0].directory.resolve()),
        step=stages[0].step,
        num_params=shape.num_params if shape else 0,
        shape=shape,
        files={file.name: file.stat().st_size for file in sorted(place.glob("*")) if file.suffix in _WEIGHTS},
        deletion_mark=min(part.deletion_mark for part in parts),
        parts=parts,
        evaluation=msgspec.json.decode(measured.read_bytes()) if measured.is_file() else {},
    )


def model_dir(directory: Path) -> Path:
    """Return where a run's exported model lies, or the directory itself; an unfinished run has none yet."""
    return directory / "model" if (directory / "model" / "config.json").is_file() else directory


def write_card(card: Card, directory: Path) -> None:
    """Write `README.md` and `card.json` beside the weights.

    Raises:
        StorageError: the disk refused.
    """
    place = model_dir(directory)
    with refusals("write the card", place):
        place.mkdir(parents=True, exist_ok=True)
        (place / "README.md").write_text("\n".join(_lines(card)) + "\n", encoding="utf-8")
        (place / CARD).write_bytes(msgspec.json.format(msgspec.json.encode(card), indent=1))


def _part(here: Stage) -> Part:
    corpus = open_corpus(Path(here.run.settings.corpus), verify=False)
    return Part(
        run=str(here.directory),
        step=here.step,
        rows=here.run.settings.source or "documents",
        num_batches=here.num_batches,
        batch_tokens=here.run.recipe.batch_tokens,
        schedule=here.run.settings.schedule,
        seed=here.run.settings.seed,
        deletion_mark=here.mark(here.num_batches),
        num_seen_and_deleted=len(saw(here)),
        data=_data(corpus),
    )


def _data(corpus: Corpus) -> Data:
    manifest, about = corpus.manifest, corpus.manifest.about
    train = corpus.documents(False)
    times = corpus.times_us[train]
    counts = np.zeros(len(manifest.langs), np.int64)
    for shard in corpus.shards():
        bounds = shard.columns["first_piece"]
        is_train = np.repeat(shard.columns["is_held_out"] == 0, np.diff(bounds))
        alive = is_train & (shard.flags() == 0)
        counts += np.bincount(shard.columns["lang"][alive], minlength=len(counts))[: len(counts)]
    by_count = sorted(zip(manifest.langs, counts.tolist(), strict=True), key=lambda pair: -pair[1])
    return Data(
        corpus=str(corpus.directory.resolve()),
        corpus_id=manifest.id,
        first=format_time(int(times.min())) if len(times) else "",
        last=format_time(int(times.max())) if len(times) else "",
        num_posts=int(counts.sum()),
        num_documents=len(train),
        num_tokens=int(corpus.lengths[train].sum()),
        posts_by_language={lang: count for lang, count in by_count if count},
        consent_policy=about.consent_policy or "not recorded",
        left_out=about.dropped,
    )


def _lines(card: Card) -> Iterator[str]:
    """Write the card as Hugging Face has it: YAML in front, then what people read."""
    langs = list(dict.fromkeys(lang for part in card.parts for lang in part.data.posts_by_language))
    yield from ("---", "library_name: transformers", "pipeline_tag: text-generation", "tags: [hubbub, posts]")
    yield f"language: [{', '.join(lang for lang in langs if len(lang) == 2)}]"
    yield from ("---", f"# {card.name}", "")
    yield f"{card.num_params:,} weights, step {card.step} of {card.run}; written by `hubbub model card`."
    yield from ("", "| file | bytes |", "|---|---|")
    yield from (f"| {name} | {size:,} |" for name, size in card.files.items())
    yield from ("", "## What it learnt from", "")
    for part in card.parts:
        yield from _of_part(part)
    yield from ("", "## Deletions", "")
    num_seen = sum(part.num_seen_and_deleted for part in card.parts)
    yield f"Deletions up to number {card.deletion_mark} of the archive were honoured: those posts were in no"
    yield f"batch after it. {num_seen:,} posts that it was trained on have been deleted since; weights do not"
    yield "forget, so train anew in time. `hubbub model card --saw POST_URL DIR` tells whether it saw a post."
    yield from ("", "## What it can and cannot do", "", *_abilities(card))
    yield from ("", "## How good it is", "")
    if not card.evaluation:
        yield "Not evaluated: `hubbub train evaluate`."
    for name, value in card.evaluation.items():
        yield f"- {name}: {value:.4g}" if isinstance(value, float) else f"- {name}: {value}"


def _abilities(card: Card) -> Iterator[str]:
    """Say plainly what it was taught, and how well that went on posts that it had not seen."""
    if not any(part.rows.startswith("lessons") for part in card.parts):
        yield "It goes on writing as posts do. Nothing taught it to answer: see `hubbub train sft`."
        return
    yield "It was taught to choose a record for a question, to quote it, and to be silent where none answers."
    yield "It sums nothing up and knows nothing beyond the records. `hubbub ask` holds a small model's words"
    yield "to the records that it may choose from, and shows a sentence only when it passes the check."
    told = card.evaluation
    for name, what in (
        ("chosen", "chose a right record"),
        ("passed", "wrote what passes the check"),
        ("abstained", "was silent where nothing answers"),
    ):
        shares = {key.rpartition(", ")[2]: told[key] for key in told if key.startswith(f"replies, {name},")}
        if shares:
            yield f"- {what}: " + "; ".join(f"{100 * share:.0f} % ({how})" for how, share in shares.items())


def _of_part(part: Part) -> Iterator[str]:
    data = part.data
    langs = ", ".join(f"{lang} {count:,}" for lang, count in data.posts_by_language.items())
    yield f"- **{part.rows}** ({part.run}, step {part.step}): {part.num_batches:,} batches of about"
    yield f"  {part.batch_tokens:,} tokens, schedule {part.schedule}, seed {part.seed}"
    yield f"  - corpus {data.corpus_id}: {data.num_posts:,} living posts ({langs}) in {data.num_documents:,}"
    yield f"    documents, received {data.first} to {data.last}"
    yield f"  - consent: {data.consent_policy}"
    if data.left_out:
        yield "  - left out: " + ", ".join(f"{why} {count:,}" for why, count in data.left_out.items())
