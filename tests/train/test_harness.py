"""The adapter to lm-eval: what the harness asks, from a model of ours, and on a small task that lies here."""

import json
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import torch

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    pytest.importorskip("lm_eval", reason="lm_eval is not installed (pip install lm_eval)")

from hubbub.model.hf import save_hf
from hubbub.model.llama import Llama
from hubbub.model.shape import LlamaShape
from hubbub.train.harness import HubbubLM
from tests.corpus.made import tokenizer

TASK = """
task: bridges
dataset_path: json
dataset_kwargs: {{data_files: {{test: {data}}}}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{{{question}}}}"
doc_to_choice: [" open", " closed"]
doc_to_target: label
metric_list: [{{metric: acc}}]
"""


@pytest.fixture(scope="module")
def lm(tmp_path_factory):
    place = tmp_path_factory.mktemp("lm")
    tokenizer().save(place / "tokenizer")
    shape = LlamaShape(
        vocab=tokenizer().vocab_size,
        hidden=32,
        num_layers=2,
        num_heads=2,
        num_kv_heads=1,
        head_dim=16,
        ffn=64,
        seq=64,
    )
    save_hf(place / "model", shape, Llama(shape, 3).state_dict(), place / "tokenizer")
    return HubbubLM(place / "model")


def ask(*arguments):
    return SimpleNamespace(args=arguments)


def test_likelihoods_of_parts_add_up_to_the_whole(lm):
    whole = lm.loglikelihood_rolling([ask("the bridge is closed tonight")])[0]
    first = lm.loglikelihood_rolling([ask("the bridge is")])[0]
    rest, _ = lm.loglikelihood([ask("the bridge is", " closed tonight")])[0]
    assert whole == pytest.approx(first + rest, abs=1e-3)
    assert lm.loglikelihood([ask("the bridge is ", "closed tonight")])[0][0] == pytest.approx(rest, abs=1e-4)


def test_greedy_is_told_of_what_the_model_itself_writes(lm):
    context = "the river water"
    written = lm.generate_until([ask(context, {"until": [], "max_gen_toks": 3})])[0]
    assert lm.loglikelihood([ask(context, written)])[0][1] or "\ufffd" in written
    assert not lm.loglikelihood([ask(context, " zzz qqq")])[0][1]


def test_writing_ends_before_a_stop_word(lm):
    text = lm.generate_until([ask("the river", {"until": [], "max_gen_toks": 12})])[0]
    stop = text[3:6]
    cut = lm.generate_until([ask("the river", {"until": [stop], "max_gen_toks": 12})])[0]
    assert cut == text[: text.index(stop)]


def test_long_texts_are_read_in_windows(lm):
    text = "the old mill bridge is closed tonight " * 20
    assert np.isfinite(lm.loglikelihood_rolling([ask(text)])[0])
    assert np.isfinite(lm.loglikelihood([ask(text, " again")])[0][0])


@pytest.mark.filterwarnings("ignore")
def test_the_harness_runs_a_task_that_lies_here(lm, tmp_path):
    lm_eval = pytest.importorskip("lm_eval")
    rows = [
        {"question": f"the {name} bridge is", "label": n % 2} for n, name in enumerate(("old", "new", "iron"))
    ]
    data = tmp_path / "bridges.jsonl"
    data.write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "bridges.yaml").write_text(TASK.format(data=data))
    from lm_eval.tasks import TaskManager

    manager = TaskManager(include_path=str(tmp_path), include_defaults=False)
    with torch.no_grad():
        found = lm_eval.simple_evaluate(lm, tasks=["bridges"], task_manager=manager, bootstrap_iters=0)
    right = 0
    for row in rows:
        scores = [lm.loglikelihood([ask(row["question"], choice)])[0][0] for choice in (" open", " closed")]
        right += int(np.argmax(scores)) == row["label"]
    assert found["results"]["bridges"]["acc,none"] == pytest.approx(right / len(rows))
