import json

import msgspec
import pytest

from hubbub.cli.main import run
from hubbub.errors import InvalidInput
from hubbub.fleet.skypilot import Task, render
from hubbub.fleet.spec import FleetSpec, Pool, Tenant
from hubbub.fleet.strict import check

RENTED = Pool(name="rented", num_nodes=3, is_rented=True, usd_per_gpu_hour=2.0, idle_release_s=601)
PAYS = Tenant(name="xai", priority=20, max_usd_per_gpu_hour=2.5)


def _spec(*tenants, pool=RENTED):
    return FleetSpec(pools=(Pool(name="own", num_nodes=1), pool), tenants=tenants)


def test_a_rented_pool_becomes_a_task_of_who_pays():
    tasks = render(_spec(PAYS, Tenant(name="x", max_usd_per_gpu_hour=1.9), Tenant(name="tesla")))
    assert {name: msgspec.to_builtins(task) for name, task in tasks.items()} == {
        "rented-xai": {
            "name": "rented-xai",
            "num_nodes": 1,
            "resources": {
                "accelerators": {"H100": 8},
                "max_hourly_cost": 20.0,
                "autostop": {"idle_minutes": 11, "down": True},
                "labels": {"hubbub-pool": "rented", "hubbub-tenant": "xai"},
                "priority": 20,
            },
            "envs": {"HUBBUB_POOL": "rented", "HUBBUB_TENANT": "xai", "HUBBUB_MAX_NODES": "3"},
        }
    }


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (_spec(Tenant(name="x")), "nothing to rent"),
        (_spec(PAYS.__class__(name="x", priority=1001, max_usd_per_gpu_hour=9)),
         "resources.priority: expected `int` <= 1000"),
        (_spec(PAYS.__class__(name="x y", max_usd_per_gpu_hour=9)), "tenant 'x y' cannot be named so"),
    ],
)  # fmt: skip
def test_what_skypilot_would_refuse_is_refused_first(spec, message):
    with pytest.raises(InvalidInput, match=message):
        render(spec)


@pytest.mark.parametrize(
    ("resources", "message"),
    [
        ({"accelerator": "H100:8"}, "resources.accelerator: unknown; did you mean accelerators?"),
        ({"accelerators": "H100:many"}, "'H100:many' is not an accelerator and how many"),
        ({"accelerators": ["H100:0"]}, "'H100:0' is not an accelerator"),
        ({"accelerators": {"H100": 0}}, "accelerators.H100 is 0; give the GPUs of a node"),
        ({"infra": "awss/us-east-1"}, "resources.infra: 'awss/us-east-1' is not a place"),
        ({"cloud": "aws", "infra": "aws"}, "infra already tells cloud"),
        ({"autostop": "soon"}, "autostop: 'soon' is not a time"),
        ({"autostop": {"idle_minute": 3}},
         "resources.autostop.idle_minute: unknown; did you mean idle_minutes?"),
        ({"job_recovery": {"recover_on_exit_codes": [1, 256]}}, "256 is not from 0 to 255"),
        ({"any_of": [{"infra": "aws"}, {"use_spt": True}]},
         "resources.any_of[1].use_spt: unknown; did you mean use_spot?"),
        ({"any_of": [], "ordered": []}, "any_of or ordered, not both"),
        ({"max_hourly_cost": 0}, "resources.max_hourly_cost: expected `float` > 0"),
        ({"disk_size": "256QB"}, "resources.disk_size: '256QB' is not a size"),
    ],
)  # fmt: skip
def test_a_wrong_resource_is_told_with_its_path(resources, message):
    with pytest.raises(InvalidInput) as told:
        check({"resources": resources}, Task)
    assert message in str(told.value)


def test_a_user_s_task_is_checked_like_a_rendered_one(tmp_path, capsys):
    task = {
        "name": "train",
        "workdir": {"url": "https://example.org/x.git"},
        "resources": {
            "accelerators": "H100:8",
            "infra": "K8s/my/context",
            "autostop": "2h",
            "disk_size": "1Ti",
            "ordered": [{"infra": "*/us-east-1", "use_spot": True, "job_recovery": {"strategy": None}}],
        },
        "envs": {"A_1": "x", "B": None},
        "secrets": ["token"],
        "run": "python train.py",
    }
    path = tmp_path / "task.yaml"
    path.write_text(json.dumps(task))
    assert run(["fleet", "check", str(path)]) == 0
    assert capsys.readouterr().out == "good: 0 Kueue objects, 1 SkyPilot tasks\n"
    for wrong, message in (
        ({**task, "envs": {"1A": "x"}}, "is not a variable's name"),
        ({**task, "num_node": 2}, "num_node: unknown; did you mean num_nodes?"),
        ({**task, "num_nodes": 0}, "num_nodes: expected `int` >= 1"),
        ({**task, "name": "a b"}, "name: 'a b' is not a name"),
    ):
        path.write_text(json.dumps(wrong))
        assert run(["fleet", "check", str(path)]) == 2
        assert message in capsys.readouterr().err
    fleet = tmp_path / "fleet.toml"
    fleet.write_text(
        '[[tenants]]\nname = "xai"\nmax_usd_per_gpu_hour = 3.0\n'
        '[[pools]]\nname = "rented"\nnum_nodes = 2\nis_rented = true\nusd_per_gpu_hour = 2.0\n'
    )
    assert run(["fleet", "apply", str(fleet), "--to", f"skypilot:{tmp_path / 'out'}", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["done"] == [str(tmp_path / "out" / "rented-xai.yaml")]
