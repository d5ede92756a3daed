import msgspec
import numpy as np
import pytest

from hubbub.plan import network
from hubbub.plan.cases import cases_of
from hubbub.plan.hardware import find_cluster
from hubbub.plan.models import find_model
from hubbub.plan.stacks import tuning_of
from hubbub.specs import Layout, RunSpec

MIB = 2.0**20


def world(cluster="h100", **layout):
    spec = find_cluster(cluster) if isinstance(cluster, str) else cluster
    run = RunSpec(
        model=find_model("llama3-8b"), cluster=spec, layout=Layout(**layout), global_batch=layout.get("dp", 1)
    )
    return cases_of([run]), tuning_of([run])


def one(value):
    return np.array([float(value)])


@pytest.mark.parametrize(
    ("cluster", "busbw_gb_s"), [("a100", 215.27), ("h100", 350.9), ("b200", 641.14)]
)  # nccl-tests, 512 MiB, 8 GPUs (aiconfigurator-core)
def test_all_reduce_inside_a_server_is_the_measured_one(cluster, busbw_gb_s):
    c, t = world(cluster, tp=8)
    found = network.all_reduce(c, t, one(512 * MIB), one(8), one(1))
    assert found[0] == pytest.approx(2 * 7 / 8 * 512 * MIB / (busbw_gb_s * 1e9), rel=0.1)


def test_a_group_of_whole_servers_drives_all_their_nics_and_a_lone_rank_one():
    c, t = world(dp=64)
    speed = 400e9 / 8 * t.wire[0]
    assert network.rate(c, t, one(64), one(1), c.gather_rate)[0] == min(8 * speed, c.gather_rate[0])
    assert network.rate(c, t, one(64), one(8), c.gather_rate)[0] == pytest.approx(speed)
    assert network.rate(c, t, one(64), one(2), c.gather_rate)[0] == pytest.approx(4 * speed)


def test_a_gather_by_hand():
    c, t = world(dp=64)
    found = network.all_gather(c, t, one(1e9), one(64), one(8))
    speed = 50e9 * t.wire[0]
    alpha = c.gather_alpha[0] + network.HOP_S * 6
    assert found[0] == pytest.approx(alpha + 63 / 64 * 1e9 / speed)
    assert network.all_gather(c, t, one(1e9), one(1), one(8))[0] == 0


def test_a_domain_of_72_keeps_what_8_must_send():
    near, far = (
        network.all_to_all(*world(name, dp=64), one(1e9), one(64), one(1), one(8))
        for name in ("gb200", "b200")
    )
    assert far[0] > 5 * near[0]


def test_tokens_sent_once_to_a_domain_leave_less():
    c, t = world(dp=64)
    often = network.all_to_all(
        c, msgspec.structs.replace(t, is_deduplicated=one(0)), one(1e9), one(64), one(1), one(8)
    )
    once = network.all_to_all(
        c, msgspec.structs.replace(t, is_deduplicated=one(1)), one(1e9), one(64), one(1), one(8)
    )
    # 8 domains, 8 copies: 8 (1 - (7/8)^8) = 5.25 of 8 leave.
    assert (once[0] - 1e-4) / (often[0] - 1e-4) == pytest.approx(8 * (1 - (7 / 8) ** 8) / 8, rel=0.05)


def test_replicas_across_pods_share_the_thin_tier_only_where_few_lie_in_a_pod():
    cluster = msgspec.structs.replace(find_cluster("llama3"), num_gpus=0)
    c, t = world(cluster, tp=8, pp=16, dp=128)
    open_, _ = world("h100", tp=8, pp=16, dp=128)
    # 24 replicas of 128 GPUs lie in a pod of 3,072: more than the 7 that would share one link.
    assert network.rate(c, t, one(128), one(8), c.gather_rate) == network.rate(
        open_, t, one(128), one(8), c.gather_rate
    )
    c, t = world(cluster, tp=8, pp=64, dp=128)
    # Six of 512 GPUs: each gets 6/7.
    assert network.rate(c, t, one(128), one(8), c.gather_rate)[0] == pytest.approx(50e9 * t.wire[0] * 6 / 7)


def test_stages_in_one_domain_send_over_the_link():
    near, far = world("gb200", pp=8, dp=8), world("b200", pp=8, dp=8)
    assert network.send(*near, one(1e9), one(8))[0] < network.send(*far, one(1e9), one(8))[0] / 5
    assert network.send(*world(dp=8), one(1e9), one(8))[0] == 0


def test_half_the_link_is_half_the_rate():
    h800, h100 = world("h800", tp=8)[0], world("h100", tp=8)[0]
    assert h800.reduce_rate[0] == pytest.approx(h100.reduce_rate[0] * 200 / 450)
