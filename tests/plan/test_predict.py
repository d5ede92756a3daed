import time

import msgspec
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hubbub.errors import InvalidInput
from hubbub.plan.hardware import clusters, find_cluster
from hubbub.plan.models import find_model, models
from hubbub.plan.predict import predict, predict_layouts
from hubbub.plan.stacks import stacks
from hubbub.specs import Layout, RunSpec
from tests.plan.invented import a_run


@st.composite
def runs(draw):
    """A run that can be: every size divides what it must."""
    model = find_model(draw(st.sampled_from(sorted(models()))))
    cluster = msgspec.structs.replace(find_cluster(draw(st.sampled_from(sorted(clusters())))), num_gpus=0)
    tp = draw(st.sampled_from([t for t in (1, 2, 4, 8) if model.num_heads % t == 0]))
    pp = draw(
        st.sampled_from([p for p in (1, 2, 4, 8) if (p - 1) * -(-model.num_layers // p) < model.num_layers])
    )
    vpp = draw(st.sampled_from([1, 2])) if pp > 1 else 1
    cp = draw(st.sampled_from([1, 2, 4]))
    dp = draw(st.sampled_from([1, 2, 8, 64]))
    ep = draw(
        st.sampled_from([e for e in (1, 2, 8) if model.num_experts and model.num_experts % e == 0] or [1])
    )
    assume(ep <= tp * cp * dp)
    micro = draw(st.integers(1, 4))
    precision = "bf16" if cluster.gpu.gemm == "tpu-v5p" else draw(st.sampled_from(["bf16", "fp16"]))
    if "fp8" in cluster.gpu.peak_flops and draw(st.booleans()):
        precision = "fp8"
    return RunSpec(
        model=model,
        cluster=cluster,
        layout=Layout(
            tp=tp, pp=pp, vpp=vpp, cp=cp, ep=ep, dp=dp, zero=draw(st.integers(0, 3)), micro_batch=micro,
            recompute=draw(st.sampled_from(["none", "selective", "full"])),
            is_sequence_parallel=draw(st.booleans()),
        ),
        global_batch=dp * micro * draw(st.integers(1, 64)),
        precision=precision,
        stack=draw(st.sampled_from(sorted(stacks()))),
        seq=draw(st.sampled_from([512, 2048, 8192, 65536])),
        attention=draw(st.sampled_from(["flash", "unfused"])),
    )  # fmt: skip


def with_layout(run, **changes):
    return msgspec.structs.replace(run, layout=msgspec.structs.replace(run.layout, **changes))


@settings(max_examples=60)
@given(runs())
def test_any_run_that_can_be_has_a_time_and_a_size(run):
    told = predict(run)
    parts = list(told.parts_s.values())
    assert all(np.isfinite(part) and part >= 0 for part in parts)
    assert told.step_s.low <= told.step_s.mid <= told.step_s.high
    assert sum(parts) == pytest.approx(told.step_s.mid)
    assert 0 < told.mfu.mid < 1
    assert 0 < told.busy_share <= 1
    assert all(stage.total_gib > 0 for stage in told.memory)
    assert told.fits == (told.memory_gib <= told.capacity_gib)


@settings(max_examples=40)
@given(runs(), st.integers(2, 4))
def test_memory_grows_with_the_micro_batch_and_time_with_the_tokens(run, times):
    more = msgspec.structs.replace(
        with_layout(run, micro_batch=run.layout.micro_batch * times), global_batch=run.global_batch * times
    )
    assert predict(more).memory_gib >= predict(run).memory_gib
    longer = msgspec.structs.replace(run, global_batch=run.global_batch * times)
    assert predict(longer).step_s.mid > predict(run).step_s.mid
    # Where traffic between replicas rules, a longer micro batch only hides more of it (zero 0 on two GPUs).
    slower = predict(msgspec.structs.replace(run, seq=run.seq * times * 4)).step_s.mid
    assert slower >= predict(run).step_s.mid * (1 - 1e-9)


@settings(max_examples=40)
@given(runs(), st.sampled_from(["nic", "link", "hbm"]), st.floats(1.01, 10))
def test_more_bandwidth_is_never_slower(run, what, times):
    cluster, gpu = run.cluster, run.cluster.gpu
    if what == "nic":
        cluster = msgspec.structs.replace(cluster, nic_bytes_per_s=cluster.nic_bytes_per_s * times)
    else:
        field = "link_bytes_per_s" if what == "link" else "memory_bytes_per_s"
        gpu = msgspec.structs.replace(gpu, **{field: getattr(gpu, field) * times})
        cluster = msgspec.structs.replace(cluster, gpu=gpu)
    faster = msgspec.structs.replace(run, cluster=cluster)
    assert predict(faster).step_s.mid <= predict(run).step_s.mid * (1 + 1e-9)


@settings(max_examples=25)
@given(runs())
def test_one_formula_serves_one_run_and_many(run):
    fields = ("tp", "pp", "vpp", "cp", "ep", "etp", "dp", "zero", "shard", "micro_batch")
    columns = {name: np.full(3, float(getattr(run.layout, name))) for name in fields}
    sweep = predict_layouts(run, columns)
    told = predict(run)
    assert sweep.step_s == pytest.approx([told.step_s.mid] * 3)
    assert sweep.memory_bytes / 2**30 == pytest.approx([told.memory_gib] * 3)


def test_many_layouts_know_that_the_first_stage_of_experts_may_be_the_fullest():
    run = a_run(model="deepseek-v3", tp=1, pp=16, dp=4, ep=4, batch=64)
    told = predict(run)
    assert told.memory_gib > max(told.memory[0].total_gib, told.memory[-1].total_gib)
    columns = {name: np.full(2, float(getattr(run.layout, name))) for name in ("pp", "dp", "ep")}
    assert predict_layouts(run, columns).memory_bytes / 2**30 == pytest.approx([told.memory_gib] * 2)


def test_the_bubble_of_1f1b_and_of_interleaving_by_hand():
    # (p-1)/m of the ideal time, and v times less (arXiv 2104.04473, section 2.2); equal stages, m = 32.
    plain = predict(a_run(tp=8, pp=4, batch=32)).parts_s
    chunks = predict(a_run(tp=8, pp=4, vpp=5, batch=32)).parts_s
    ideal = sum(v for k, v in plain.items() if k not in ("bubble", "data", "optimizer"))
    assert plain["bubble"] == pytest.approx(3 / 32 * ideal, rel=0.06)  # the last stage has the logits too
    assert chunks["bubble"] == pytest.approx(plain["bubble"] / 5, rel=0.2)


def test_uneven_stages_wait_for_the_fullest():
    def step_s(layers):
        run = a_run(tp=8, pp=8, batch=512)
        model = msgspec.structs.replace(run.model, num_layers=layers)
        return predict(msgspec.structs.replace(run, model=model)).step_s.mid

    # Ten layers in seven stages rule, whether the eighth has four or seven.
    assert step_s(77) == pytest.approx(step_s(74), rel=0.01)
    assert step_s(64) < 0.95 * step_s(74)


def test_host_bound_layers_take_the_hosts_time():
    told = predict(a_run("qwen3-30b-a3b", "b200", ep=8, dp=8, batch=64, stack="bridge-25.11"))
    assert told.parts_s["host"] > 0.3 * told.step_s.mid


def test_cost_does_not_grow_with_the_number_of_micro_batches():
    def cpu_s(batch):
        run = a_run(pp=8, tp=8, batch=batch)
        start = time.process_time()
        predict(run)
        return time.process_time() - start

    predict(a_run(pp=8, tp=8))
    assert min(cpu_s(2**20) for _ in range(5)) < 3 * min(cpu_s(64) for _ in range(5)) + 0.01


def test_what_does_not_fit_is_named():
    told = predict(a_run("llama3-405b", tp=8, dp=1))
    assert not told.fits
    assert "optimizer" in told.verdict and "does not fit: stage 0" in told.verdict
    assert predict(a_run("llama3-8b", dp=8, zero=1, recompute="full")).verdict.startswith("fits")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"tp": 7}, "tp 7 does not divide num_heads 64; the nearest that does is 8"),
        ({"pp": 81}, "the most is 80"),
        ({"pp": 32}, "pp 32 leaves a stage of num_layers 80 empty; the nearest is 40"),
        ({"vpp": 2}, "vpp 2 interleaves nothing"),
        ({"pp": 8, "vpp": 11}, "the most is 10"),
        ({"ep": 2}, "has none; it must be 1"),
        ({"dp": 3}, "the nearest that is: 63"),
        ({"cp": 3}, "cp 3 does not divide seq 8192; the nearest that does is 2"),
        ({"tp": 0}, "tp is 0; it must be 1 or more"),
        ({"zero": 4}, "zero is 4"),
        ({"recompute": "some"}, "the nearest is"),
    ],
)
def test_layouts_that_cannot_be_are_refused_with_the_nearest_that_works(changes, told):
    with pytest.raises(InvalidInput, match=told):
        predict(a_run(**changes))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"precision": "fp8", "cluster": "a100"}, "does not exist on 'a100-80'; it has fp16, bf16"),
        ({"precision": "fp6"}, "the nearest is"),
        ({"stack": "nemo-2023"}, "the nearest is 'nemo-202"),
        ({"tokens": float("nan")}, "num_tokens is nan"),
        ({"batch": 0}, "global_batch is 0"),
        ({"cluster": "h800", "dp": 4096, "batch": 4096}, "the most is 2048"),
    ],
)
def test_runs_that_cannot_be_are_refused(changes, told):
    with pytest.raises(InvalidInput, match=told):
        predict(a_run(**changes))
