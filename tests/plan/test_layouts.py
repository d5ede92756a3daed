"""Searches: every layout that is returned can be and fits, and better hardware never finds less."""

from __future__ import annotations

import math

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubbub.errors import InvalidInput
from hubbub.plan.candidates import candidates, divisors
from hubbub.plan.hardware import find_cluster
from hubbub.plan.layouts import LayoutSearch, default_batch, search, survey
from hubbub.plan.models import find_model
from hubbub.plan.predict import predict
from hubbub.plan.wording import tell_layout
from hubbub.specs import ClusterSpec, Layout, ModelSpec, RunSpec

H100 = find_cluster("h100")
GPT3 = find_model("gpt3-175b")
TINY = ModelSpec(
    name="tiny", num_layers=4, hidden=1024, num_heads=8, num_kv_heads=4, head_dim=128, ffn=4096, vocab=32000
)


def with_gpu(cluster: ClusterSpec, **changed: float) -> ClusterSpec:
    return msgspec.structs.replace(cluster, gpu=msgspec.structs.replace(cluster.gpu, **changed))


def is_legal(model: ModelSpec, cluster: ClusterSpec, num_gpus: int, run: RunSpec, layout: Layout) -> bool:
    """Say whether a layout can be: an own account of the rules, one size at a time."""
    per_stage = math.ceil(model.num_layers / layout.pp)
    micro_batches = run.global_batch / (layout.dp * layout.micro_batch)
    return all(
        (
            layout.tp * layout.pp * layout.cp * layout.dp <= num_gpus,
            layout.tp <= cluster.link_domain,
            model.num_heads % layout.tp == 0,
            model.ffn % layout.tp == 0,
            model.num_layers > (layout.pp - 1) * per_stage,
            per_stage % layout.vpp == 0,
            layout.vpp == 1 or (layout.pp > 1 and micro_batches % layout.pp == 0),
            run.seq_len % (layout.cp * layout.tp) == 0,
            micro_batches == int(micro_batches) >= 1,
            layout.ep == 1 or model.num_experts % layout.ep == 0,
            layout.tp * layout.cp * layout.dp % (layout.ep * layout.etp) == 0,
            layout.zero < 3 or layout.shard == 0 or layout.dp * layout.cp % layout.shard == 0,
        )
    )


def test_one_gpu_has_one_layout() -> None:
    found = search(TINY, H100, 1, global_batch=1)
    assert [each.layout for each in found.ranked][:1] == [Layout(zero=0, micro_batch=1)]
    assert found.num_tried == 2, "with and without recompute, and nothing else can differ"
    assert found.num_fit == 2


def test_two_gpus_have_these_layouts_and_no_others() -> None:
    run = RunSpec(model=TINY, cluster=H100, layout=Layout(), global_batch=2, seq=128)
    tried = candidates(run, 2)
    shapes = {
        (x.tp, x.pp, x.vpp, x.cp, x.dp, x.micro_batch, x.zero, x.recompute)
        for x in map(tried.layout, range(tried.count))
    }
    kinds = {(2, 1, 1, 1, 1, m, 0) for m in (1, 2)} | {(1, 2, v, 1, 1, 1, 0) for v in (1, 2)}
    kinds |= {(1, 2, 1, 1, 1, 2, 0)} | {(1, 1, 1, 1, 2, 1, z) for z in (1, 2, 3)}
    assert shapes == {(*kind, mode) for kind in kinds for mode in ("none", "full")}
    assert len(shapes) == tried.count, "none twice"


def test_the_search_says_what_predict_says() -> None:
    found = search(GPT3, H100, 4096, global_batch=1536)
    prediction = predict(found.run)
    assert prediction.fits
    assert prediction.step_s.mid == pytest.approx(found.ranked[0].prediction.step_s.mid)
    assert min(p.step_s for p in found.points if p.is_fit) == pytest.approx(prediction.step_s.mid)


@pytest.mark.parametrize("name", ["gpt3-175b", "deepseek-v3", "llama3-405b"])
def test_columns_and_single_predictions_agree(name: str) -> None:
    model = find_model(name)
    run = RunSpec(model=model, cluster=H100, layout=Layout(), global_batch=240, seq=4096)
    tried = candidates(run, 512)
    seen = survey(run, tried)
    for row in range(0, tried.count, tried.count // 12):
        one = predict(msgspec.structs.replace(run, layout=tried.layout(row)))
        assert seen.step_s[row] == pytest.approx(one.step_s.mid)
        assert seen.memory_bytes[row] / 1024**3 == pytest.approx(one.memory_gib), tell_layout(
            tried.layout(row)
        )


def test_ranks_by_time_and_counts_every_layout() -> None:
    found = search(GPT3, H100, 1024, global_batch=1536, top=30)
    times = [each.prediction.step_s.mid for each in found.ranked]
    assert times == sorted(times)
    large = sum(each.count for each in found.refused if each.reason.startswith("do not fit"))
    assert found.num_tried == found.num_fit + large
    assert any(each.reason == "TP 12, 16, 24, 32, 48 leaves the NVLink domain of 8" for each in found.refused)
    lacking = [each.prediction for each in found.misses]
    assert lacking, "some lack little"
    assert not any(each.fits or each.memory_gib > 1.25 * each.capacity_gib for each in lacking)


def test_a_wide_domain_takes_wider_groups() -> None:
    found = search(
        find_model("llama3-405b"), find_cluster("gb200"), 2304, global_batch=1152, fixed={"tp": 16}
    )
    assert found.ranked[0].layout.tp == 16, "groups of 16 use 64 GPUs of a domain of 72"
    assert {each.reason for each in found.refused if each.reason.startswith("TP")} == set()


def test_where_nothing_fits_the_nearest_are_shown() -> None:
    found = search(GPT3, H100, 8, global_batch=8)
    assert found.ranked == ()
    assert found.num_fit == 0
    need = [each.prediction.memory_gib for each in found.misses]
    assert need == sorted(need)
    assert "nothing fits" in found.notes[0]


@pytest.mark.parametrize(("num_gpus", "batch"), [(4099, 1536), (100_000, 65_536), (9, 64)])
def test_odd_numbers_leave_spares_and_say_so(num_gpus: int, batch: int) -> None:
    model = TINY if num_gpus < 10 else GPT3
    best = search(model, H100, num_gpus, global_batch=batch)
    idle = best.ranked[0].num_idle
    assert 0 < idle < num_gpus / 8
    assert f"{idle:,} of {num_gpus:,} GPUs stay idle" in best.notes[0]


def test_fewer_gpus_may_be_faster_and_the_fullest_is_told() -> None:
    found = search(find_model("llama3-405b"), H100, 100_000, global_batch=2048)
    best = found.ranked[0]
    assert best.num_idle > 10_000, "16M tokens are little work for 100,000 GPUs"
    assert found.notes[1].startswith("the fewest idle are 1,696: tp8 pp12")


def test_a_batch_smaller_than_the_replicas_names_one_that_feeds_them() -> None:
    found = search(TINY, H100, 512, global_batch=3, fixed={"cp": 1})
    assert found.ranked[0].num_idle > 0
    assert "the nearest batch that feeds 512 GPUs in this shape has" in found.notes[-1]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"fixed": {"tp": 7}}, "tp is 7; no legal layout has it, the nearest that one has is 8"),
        ({"fixed": {"pp": 97}}, "pp is 97; no legal layout has it, the nearest that one has is 96"),
        ({"fixed": {"zero": 4}}, "zero is 4; no legal layout has it, the nearest that one has is 3"),
        (
            {"fixed": {"dp": 5}, "global_batch": 8},
            "dp is 5; no legal layout has it, the nearest that one has is 4",
        ),
        ({"fixed": {"recompute": "ful"}}, "recompute 'ful' is not known; the nearest is 'full'"),
        ({"fixed": {"tensor": 8}}, "fixed field 'tensor' is not known"),
        (
            {"fixed": {"pp": 96, "dp": 64}, "global_batch": 64},
            "no legal layout on 4096 GPUs has pp 96, dp 64; leave one of them free",
        ),
        ({"global_batch": -1}, "global_batch is -1; it must be 1 or more"),
        ({"seq": -5}, "seq is -5; it must be 1 or more"),
        ({"precision": "fp4"}, "precision 'fp4' is not known; the nearest is 'nvfp4'"),
        ({"stack": "nemo"}, "stack 'nemo' is not known"),
        ({"top": 0}, "top is 0; it must be 1 or more"),
    ],
)
def test_what_cannot_be_is_told_with_what_can(wrong: dict[str, object], told: str) -> None:
    with pytest.raises(InvalidInput) as error:
        search(GPT3, H100, 4096, **wrong)  # type: ignore[arg-type]
    assert told in str(error.value)


def test_more_gpus_than_the_cluster_has() -> None:
    with pytest.raises(InvalidInput, match="num_gpus 4096 is more than cluster 'h800' has; the most is 2048"):
        search(GPT3, find_cluster("h800"), 4096)
    with pytest.raises(InvalidInput, match="num_gpus is 0"):
        search(GPT3, H100, 0)


def test_the_usual_batch() -> None:
    assert default_batch(16384, 8192) == 2048, "Llama 3 405B: 16M tokens on 16,384 GPUs (arXiv 2407.21783)"
    assert default_batch(100_000, 8192) == 2048
    assert default_batch(4096, 2048) == 2048
    assert default_batch(1, 8192) == 1


def test_divisors() -> None:
    assert divisors(96) == (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 96)
    assert divisors(49) == (1, 7, 49)
    assert divisors(1) == (1,)


SMALL = st.builds(
    lambda layers, heads, groups, experts: ModelSpec(
        name="made",
        num_layers=layers,
        hidden=128 * heads,
        num_heads=heads,
        num_kv_heads=heads // groups if heads % groups == 0 else heads,
        head_dim=128,
        ffn=512 * heads,
        vocab=32000,
        seq=2048,
        num_experts=experts,
        top_k=min(experts, 2),
        moe_ffn=128 * heads if experts else 0,
        num_dense_layers=1 if experts and layers > 1 else 0,
    ),
    st.integers(1, 24),
    st.sampled_from([8, 16, 20, 24, 64]),
    st.sampled_from([1, 4]),
    st.sampled_from([0, 0, 8, 12]),
)
SEARCHES = st.tuples(
    SMALL, st.integers(1, 300), st.integers(1, 100), st.sampled_from(["h100", "gb200", "a100"])
)


@settings(max_examples=30)
@given(SEARCHES)
def test_every_layout_that_is_returned_can_be_and_fits(asked: tuple[ModelSpec, int, int, str]) -> None:
    model, num_gpus, batch, name = asked
    cluster = find_cluster(name)
    found = search(model, cluster, num_gpus, global_batch=batch, top=5)
    for each in found.ranked:
        assert is_legal(model, cluster, num_gpus, found.run, each.layout), each.name
        assert each.prediction.fits
        assert each.prediction.step_s.mid > 0
        assert each.num_idle == num_gpus - each.layout.num_gpus >= 0
    assert found.num_fit <= found.num_tried
    assert bool(found.ranked) == (found.num_fit > 0)


def best_s(found: LayoutSearch) -> float:
    return found.ranked[0].prediction.step_s.mid if found.ranked else math.inf


@settings(max_examples=25)
@given(SEARCHES, st.floats(1.0, 4.0))
def test_more_memory_never_shrinks_the_set(asked: tuple[ModelSpec, int, int, str], more: float) -> None:
    model, num_gpus, batch, name = asked
    cluster = with_gpu(find_cluster(name), memory_bytes=12e9)
    larger = with_gpu(cluster, memory_bytes=12e9 * more)
    before = search(model, cluster, num_gpus, global_batch=batch, top=1)
    after = search(model, larger, num_gpus, global_batch=batch, top=1)
    assert after.num_fit >= before.num_fit
    assert best_s(after) <= best_s(before)


@settings(max_examples=25)
@given(SEARCHES, st.floats(1.0, 8.0), st.sampled_from(["nic", "link", "memory"]))
def test_more_bandwidth_is_never_slower(
    asked: tuple[ModelSpec, int, int, str], more: float, what: str
) -> None:
    model, num_gpus, batch, name = asked
    cluster = find_cluster(name)
    if what == "nic":
        faster = msgspec.structs.replace(cluster, nic_bytes_per_s=cluster.nic_bytes_per_s * more)
    else:
        field = "link_bytes_per_s" if what == "link" else "memory_bytes_per_s"
        faster = with_gpu(cluster, **{field: getattr(cluster.gpu, field) * more})
    before = search(model, cluster, num_gpus, global_batch=batch, top=1)
    after = search(model, faster, num_gpus, global_batch=batch, top=1)
    assert best_s(after) <= best_s(before) * (1 + 1e-9)
