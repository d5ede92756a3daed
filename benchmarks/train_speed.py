"""Tokens a CPU second of our trainer, a plain loop and the Hugging Face Trainer, in turns, on one thread.

One Llama of 10.06 million weights (6 x 320, vocabulary 4,096) and one of about 3 million, steps of 4 rows
of 256 tokens from a corpus on disk. Ours is the whole trainer: order, deletions looked up at each read,
clipping, the judge of losses, figures. The plain loop trains the same module on rows prepared in memory:
forward, backward, clip, fused AdamW. Each measurement is a process of its own; they take turns, and the
median round counts. CPU seconds are the whole process's, after warm-up steps.

    python -m benchmarks.train_speed [--peer-python /tmp/venv_hf/bin/python] [--rounds 3]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

ROWS, LENGTH, VOCAB, WARM = 4, 256, 4096, 3
RUNNERS = ("ours", "plain", "hf")


def shape_of(size: str):  # noqa: ANN201
    from hubbub.model.shape import LlamaShape, shape_for

    if size == "10M":
        return LlamaShape(
            vocab=VOCAB,
            hidden=320,
            num_layers=6,
            num_heads=5,
            num_kv_heads=5,
            head_dim=64,
            ffn=896,
            seq=LENGTH,
        )
    return shape_for(size, vocab=VOCAB, seq=LENGTH)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--peer-python", default=sys.executable, help="with transformers and accelerate")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=12, help="timed steps a round")
    parser.add_argument("--sizes", default="10M,3M")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--runner", choices=RUNNERS, help="(internal) measure one")
    parser.add_argument("--size", default="10M", help="(internal)")
    parser.add_argument("--precision", default="bf16", help="(internal)")
    args = parser.parse_args()
    if args.runner:
        print(json.dumps(measure(args.runner, args.size, args.precision, args.steps)))
        return
    found = []
    for size in args.sizes.split(","):
        for precision in ("fp32", "bf16"):
            found.append(compare(size, precision, args))
    if args.json:
        print(json.dumps(found))
        return
    print(f"{'tokens a CPU second':20} {'ours':>8} {'plain':>8} {'HF':>8} {'ours/plain':>11} {'ours/HF':>8}")
    for row in found:
        ours_s, plain_s, hf_s = (row[name] for name in RUNNERS)
        told, ratios = f"{row['size']} {row['precision']}", f"{ours_s / plain_s:11.3f} {ours_s / hf_s:8.3f}"
        print(f"{told:20} {ours_s:8,.0f} {plain_s:8,.0f} {hf_s:8,.0f} {ratios}")


def compare(size: str, precision: str, args: argparse.Namespace) -> dict[str, float | str]:
    """Let the runners take turns; return the median of each."""
    speeds: dict[str, list[float]] = {runner: [] for runner in RUNNERS}
    for number in range(args.rounds):
        for runner in RUNNERS[number % 3 :] + RUNNERS[: number % 3]:
            python = args.peer_python if runner == "hf" else sys.executable
            command = [python, "-m", "benchmarks.train_speed", "--runner", runner, "--size", size]
            command += ["--precision", precision, "--steps", str(args.steps)]
            env = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
            done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
            if done.returncode:
                raise SystemExit(done.stderr)
            speeds[runner].append(json.loads(done.stdout.splitlines()[-1]))
    return {"size": size, "precision": precision, **{k: statistics.median(v) for k, v in speeds.items()}}


def measure(runner: str, size: str, precision: str, steps: int) -> float:
    """Return the tokens a CPU second of one runner."""
    import torch

    torch.set_num_threads(1)
    marks: list[float] = []
    {"ours": ours, "plain": plain, "hf": hf}[runner](size, precision, WARM + steps, marks)
    return ROWS * LENGTH * steps / (marks[-1] - marks[-1 - steps])


def documents() -> np.ndarray:
    return np.random.default_rng(0).integers(6, VOCAB, (400, LENGTH + 1)).astype(np.int64)


def ours(size: str, precision: str, steps: int, marks: list[float]) -> None:
    from hubbub.corpus.reader import open_corpus
    from hubbub.train.metrics import StepDone
    from hubbub.train.recipe import TrainSettings
    from hubbub.train.run import train
    from hubbub.train.source import CorpusSource

    def tell(told: object) -> None:
        if isinstance(told, StepDone):
            assert told.tokens == ROWS * LENGTH, told
            marks.append(time.process_time())

    with tempfile.TemporaryDirectory() as directory:
        corpus = open_corpus(write_corpus(Path(directory) / "corpus"))
        tokens = int(corpus.lengths[0]) * ROWS
        train(
            TrainSettings(
                corpus="",
                run_dir=f"{directory}/run",
                shape=shape_of(size),
                steps=steps,
                batch_tokens=tokens,
                micro_tokens=ROWS * LENGTH,
                rate=1e-3,
                precision=precision,
                save_every=10**6,
            ),
            source=CorpusSource(corpus, seed=0, batch_tokens=tokens),
            tell=tell,
        )


def write_corpus(directory: Path) -> Path:
    """Write documents of 257 tokens: a word is a token in this corpus's tokenizer."""
    from hubbub.corpus.document import Document, Piece
    from hubbub.corpus.shards import write_shards
    from hubbub.corpus.tokenizer import train_tokenizer

    texts = ["".join(f" w{n}" for n in row) for row in np.random.default_rng(1).integers(0, 9, (400, 400))]
    tokenizer = train_tokenizer(texts, 300)

    def made() -> Iterator[Document]:
        for number, text in enumerate(texts):
            ids = tokenizer.encode(text)[: LENGTH + 1 - 3]
            piece = Piece(f"p{number}", "a", number, "en", tokenizer.decode(ids))
            yield Document(pieces=(piece,), is_held_out=False)

    write_shards(made(), directory, tokenizer)
    return directory


def plain(size: str, precision: str, steps: int, marks: list[float]) -> None:
    import torch

    from hubbub.model.llama import Llama

    model = Llama(shape_of(size))
    optim = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.95), fused=True)
    rows = torch.from_numpy(documents())
    for step in range(steps):
        batch = rows[(step * ROWS) % 400 : (step * ROWS) % 400 + ROWS]
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            loss = model(batch[:, :-1], batch[:, 1:])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optim.step()
        optim.zero_grad()
        loss.item()
        marks.append(time.process_time())


def hf(size: str, precision: str, steps: int, marks: list[float]) -> None:
    import torch
    import transformers

    shape = shape_of(size)
    config = transformers.LlamaConfig(
        vocab_size=shape.vocab, hidden_size=shape.hidden, intermediate_size=shape.ffn,
        num_hidden_layers=shape.num_layers, num_attention_heads=shape.num_heads, head_dim=shape.head_dim,
        num_key_value_heads=shape.num_kv_heads, max_position_embeddings=shape.seq, tie_word_embeddings=True,
        attn_implementation="sdpa", use_cache=False,
    )  # fmt: skip

    class Marks(transformers.TrainerCallback):
        def on_step_end(self, *args: object, **kwargs: object) -> None:
            marks.append(time.process_time())

    rows = torch.from_numpy(documents())[:, :-1]
    with tempfile.TemporaryDirectory() as directory:
        asked = transformers.TrainingArguments(
            output_dir=directory, max_steps=steps, per_device_train_batch_size=ROWS, use_cpu=True,
            bf16=precision == "bf16", optim="adamw_torch_fused", adam_beta2=0.95, learning_rate=1e-3,
            lr_scheduler_type="constant", report_to=[], save_strategy="no", logging_strategy="no",
            disable_tqdm=True, dataloader_pin_memory=False,
        )  # fmt: skip
        model = transformers.LlamaForCausalLM(config)
        data = [{"input_ids": row, "labels": row} for row in rows]
        transformers.Trainer(model, asked, train_dataset=data, callbacks=[Marks()]).train()


if __name__ == "__main__":
    main()
