"""MFU on one GPU: Llamas of 124M, 350M and 1.3B weights in bf16, ours beside torchtitan and the HF Trainer.

The same model for all: 12 x 768, 24 x 1024, 24 x 2048, vocabulary 32,768, rows of 2,048 random tokens, AdamW,
torch.compile, no activation checkpointing; 30 steps to warm up, 50 timed with the device synchronised. Ours
runs twice: whole rows as one document (`ours`, what the others do) and posts of some 40 tokens packed under a
document mask (`posts`). Two conventions, causal not halved (torchtitan's, nanochat's) and halved, against the
dense peak and against the best matrix product measured in the same call.

A runner that fails (torchtitan 0.2.2 may be missing, or not fit this torch) says so and the others go on.
One size a call fits into ten minutes. `--tiny` proves the script on a CPU in a minute; its figures mean
nothing.

    python -m benchmarks.train_gpu [--sizes 124M,350M,1.3B] [--runners ours,posts,titan,hf] [--peak 989e12]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

SHAPES = {"124M": (12, 768, 12), "350M": (24, 1024, 16), "1.3B": (24, 2048, 16), "tiny": (2, 64, 2)}
MICRO_ROWS = {"124M": 32, "350M": 16, "1.3B": 8, "tiny": 2}
VOCAB, RUNNERS = 32_768, ("ours", "posts", "titan", "hf")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", default="124M,350M,1.3B")
    parser.add_argument("--runners", default=",".join(RUNNERS))
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--warm", type=int, default=30)
    parser.add_argument("--seq", type=int, default=2048)
    parser.add_argument("--rows", type=int, default=0, help="rows of a step [default: by size]")
    parser.add_argument(
        "--peak", type=float, default=989e12, help="dense bf16 FLOP/s of the device: H100, H200"
    )
    parser.add_argument("--limit", type=float, default=180.0, help="seconds a runner may take")
    parser.add_argument("--tiny", action="store_true", help="a tiny model, also on a CPU")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--one", metavar="RUNNER", help="(internal) measure one")
    args = parser.parse_args()
    if args.tiny:
        args.sizes, args.steps, args.warm, args.seq = "tiny", 3, 2, 64
    if not args.tiny and not args.one:
        import torch

        if not torch.cuda.is_available():
            raise SystemExit("there is no GPU here; --tiny proves the script on a CPU")
    if args.one:
        print(json.dumps(measure(args.one, args.sizes, args)))
        return
    if not args.json:
        print(f"{'model':6} {'runner':7} {'tokens/s':>10} {'MFU %':>7} {'halved %':>9} {'of matmul %':>12}")
    for size in args.sizes.split(","):
        for runner in args.runners.split(","):
            told(compare(size, runner, args), args.json)


def told(row: dict[str, Any], as_json: bool) -> None:
    """Print a row as soon as it is measured: what ends the script early costs the rows to come only."""
    if as_json:
        line = json.dumps(row)
    elif "error" in row:
        line = f"{row['size']:6} {row['runner']:7} not measured: {row['error']}"
    else:
        shares = (100 * row[name] for name in ("mfu_full", "mfu_halved", "of_matmul"))
        parts = " ".join(f"{share:{width}.1f}" for share, width in zip(shares, (7, 9, 12), strict=True))
        line = f"{row['size']:6} {row['runner']:7} {row['tokens_per_s']:10,.0f} {parts}"
    print(line, flush=True)


def compare(size: str, runner: str, args: argparse.Namespace) -> dict[str, Any]:
    """Measure one runner in a process of its own, ended when it takes too long."""
    command = [sys.executable, "-m", "benchmarks.train_gpu", "--one", runner, "--sizes", size]
    command += [f"--{name}={getattr(args, name)}" for name in ("steps", "warm", "seq", "rows", "peak")]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=args.limit)
    except subprocess.TimeoutExpired:
        return {"size": size, "runner": runner, "error": f"not done within {args.limit:g} s (--limit)"}
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        return {"size": size, "runner": runner, "error": last[:160]}
    return {"size": size, "runner": runner, **json.loads(done.stdout.splitlines()[-1])}


def shape_of(size: str, seq: int) -> Any:
    from hubbub.model.shape import LlamaShape

    layers, hidden, heads = SHAPES[size]
    return LlamaShape(
        vocab=VOCAB if size != "tiny" else 512, hidden=hidden, num_layers=layers, num_heads=heads,
        num_kv_heads=heads, head_dim=hidden // heads, ffn=round(hidden * 8 / 3 / 64) * 64, seq=seq,
    )  # fmt: skip


def measure(runner: str, size: str, args: argparse.Namespace) -> dict[str, float]:
    """Return tokens a second and what share of the peak they are."""
    from hubbub.train.metrics import matmul_flops

    shape, rows = shape_of(size, args.seq), args.rows or MICRO_ROWS[size]
    marks: list[tuple[float, int]] = []
    run: Callable[..., None] = {"ours": ours, "posts": posts, "titan": titan, "hf": hf}[runner]
    run(shape, rows, args.warm + args.steps, marks)
    (start_s, _), (end_s, _) = marks[-1 - args.steps], marks[-1]
    speed = sum(tokens for _, tokens in marks[-args.steps :]) / (end_s - start_s)
    import torch

    matmul = matmul_flops("cuda:0" if torch.cuda.is_available() else "cpu", is_bf16=True)
    spec = shape.to_spec()
    halved = speed * spec.flops_per_token(args.seq)
    return {
        "tokens_per_s": speed,
        "mfu_full": speed * spec.flops_per_token(args.seq, is_causal=False) / args.peak,
        "mfu_halved": halved / args.peak,
        "of_matmul": halved / matmul,
        "matmul_flops": matmul,
    }


def ours(shape: Any, rows: int, steps: int, marks: list[tuple[float, int]], length: int = 0) -> None:
    import torch

    from hubbub.train.metrics import StepDone
    from hubbub.train.recipe import TrainSettings
    from hubbub.train.run import train
    from hubbub.train.source import CorpusSource

    def tell(told: object) -> None:
        if isinstance(told, StepDone):
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            marks.append((time.perf_counter(), told.tokens))

    corpus, micro = Random(shape, rows, length), rows * shape.seq
    batch = micro if not length else round(micro * 0.97)  # packed rows are not quite full
    with tempfile.TemporaryDirectory() as directory:
        settings = TrainSettings(
            corpus="", run_dir=directory, shape=shape, steps=steps, rate=1e-4, save_every=10**6,
            batch_tokens=batch + (rows if not length else 0), micro_tokens=micro,
            rows="packed" if length else "buckets",
        )  # fmt: skip
        train(settings, source=CorpusSource(corpus, seed=0, batch_tokens=settings.batch_tokens), tell=tell)


def posts(shape: Any, rows: int, steps: int, marks: list[tuple[float, int]]) -> None:
    ours(shape, rows, steps, marks, length=40)


class Random:
    """A corpus of random tokens in memory: whole rows, or posts of about `length`."""

    def __init__(self, shape: Any, rows: int, length: int) -> None:
        rng = np.random.default_rng(0)
        num = 64 * rows if not length else 64 * rows * shape.seq // length
        wanted = np.full(num, shape.seq + 1) if not length else rng.integers(8, 2 * length - 8, num)
        self.lengths = wanted.astype(np.int32)
        self._tokens = rng.integers(6, shape.vocab, 1 << 20).astype(np.uint16)
        self.manifest = SimpleNamespace(id="random")
        self.vocab_size, self.deletion_mark = shape.vocab, 0

    def documents(self, held_out: bool) -> np.ndarray:
        """Return all."""
        return np.arange(len(self.lengths))

    def read(self, document: int) -> np.ndarray:
        """Return a document's tokens."""
        start = document * 997 % ((1 << 20) - 5000)
        return self._tokens[start : start + int(self.lengths[document])].copy()


def hf(shape: Any, rows: int, steps: int, marks: list[tuple[float, int]]) -> None:
    import torch
    import transformers

    config = transformers.LlamaConfig(
        vocab_size=shape.vocab, hidden_size=shape.hidden, intermediate_size=shape.ffn,
        num_hidden_layers=shape.num_layers, num_attention_heads=shape.num_heads, head_dim=shape.head_dim,
        num_key_value_heads=shape.num_kv_heads, max_position_embeddings=shape.seq, tie_word_embeddings=True,
        attn_implementation="sdpa", use_cache=False,
    )  # fmt: skip

    class Marks(transformers.TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, *_: object, **__: object) -> None:
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            marks.append((time.perf_counter(), rows * shape.seq))

    is_gpu = torch.cuda.is_available()
    data = torch.randint(6, shape.vocab, (64 * rows, shape.seq))
    with tempfile.TemporaryDirectory() as directory:
        asked = transformers.TrainingArguments(
            output_dir=directory, max_steps=steps, per_device_train_batch_size=rows, bf16=True,
            use_cpu=not is_gpu, optim="adamw_torch_fused", torch_compile=is_gpu,
            report_to=[], save_strategy="no", logging_strategy="no", disable_tqdm=True,
            dataloader_pin_memory=is_gpu,
        )  # fmt: skip
        model = transformers.LlamaForCausalLM(config)
        items = [{"input_ids": row, "labels": row} for row in data]
        transformers.Trainer(model, asked, train_dataset=items, callbacks=[Marks()]).train()


def titan(shape: Any, rows: int, steps: int, marks: list[tuple[float, int]]) -> None:
    """Train torchtitan 0.2.2's own Llama 3, compiled block by block as its trainer does, with fused AdamW."""
    import torch
    from torchtitan.models.llama3.model.args import TransformerModelArgs
    from torchtitan.models.llama3.model.model import Transformer

    device = "cuda" if torch.cuda.is_available() else "cpu"
    told = TransformerModelArgs(
        dim=shape.hidden, n_layers=shape.num_layers, n_heads=shape.num_heads, vocab_size=shape.vocab,
        multiple_of=64, max_seq_len=shape.seq,
    )  # fmt: skip
    model = Transformer(told).to(device)
    model.init_weights()
    for block in model.layers.values():
        block.compile()
    optim = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    for _ in range(steps):
        ids = torch.randint(6, shape.vocab, (rows, shape.seq + 1), device=device)
        with torch.autocast(device, torch.bfloat16):
            logits = model(ids[:, :-1])
        loss = torch.nn.functional.cross_entropy(logits.float().flatten(0, 1), ids[:, 1:].reshape(-1))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optim.step()
        optim.zero_grad()
        loss.item()
        marks.append((time.perf_counter(), rows * shape.seq))


if __name__ == "__main__":
    main()
