import copy
import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import inspect

from hubbub.cli.main import run
from hubbub.errors import InvalidInput, MissingExtra
from hubbub.fleet.kubernetes import amount
from hubbub.fleet.kueue import GPU, WATTS, check_against, check_together, render, render_configuration
from hubbub.fleet.kueue_schema import Kueue
from hubbub.fleet.skypilot import Task
from hubbub.fleet.skypilot import render as render_tasks
from hubbub.fleet.spec import FleetSpec, Pool, Site, Tenant, read_fleet
from hubbub.fleet.strict import check, read_documents

POOLS = (
    Pool(name="hall", num_nodes=10, site="hall", busy_kw_per_gpu=1.4, idle_kw_per_gpu=0.45),
    Pool(name="annex", num_nodes=5, site="hall", busy_kw_per_gpu=1.0, idle_kw_per_gpu=0.4),
    Pool(name="rented", num_nodes=3, is_rented=True, usd_per_gpu_hour=2.0),
)
TENANTS = (
    Tenant(name="xai", priority=20, guaranteed_gpus=90, max_usd_per_gpu_hour=2.5),
    Tenant(name="tesla", priority=10, guaranteed_gpus=20),
)


def _spec(tenants=TENANTS, pools=POOLS, cap_kw=120.0):
    return FleetSpec(pools=pools, tenants=tenants, sites=(Site(name="hall", cap_kw=cap_kw),))


def _json(value):
    return json.loads(msgspec.json.encode(value))


def _plain(spec):
    return _json(render(spec))


def _of(objects, kind, name):
    return next(each for each in objects if each["kind"] == kind and each["metadata"]["name"] == name)


def _quotas(objects, kind, name):
    (group,) = _of(objects, kind, name)["spec"]["resourceGroups"]
    return {f["name"]: {r["name"]: r["nominalQuota"] for r in f["resources"]} for f in group["flavors"]}


def test_guarantees_become_quotas_and_the_rest_the_cohorts():
    objects = _plain(_spec())
    xai, tesla, shared = (
        _quotas(objects, "ClusterQueue", "xai"),
        _quotas(objects, "ClusterQueue", "tesla"),
        _quotas(objects, "Cohort", "fleet"),
    )
    gpus = [
        [quotas.get(pool, {}).get(GPU) for pool in ("hall", "annex", "rented")]
        for quotas in (xai, tesla, shared)
    ]
    assert gpus == [[80, 10, 0], [0, 20, None], [0, 10, 24]]
    # 120 kW less 52 kW of idling leave 68: two thirds for 80 of 120 GPUs, who would take 76.
    assert xai["hall"][WATTS] == 45_333 and shared["hall"][WATTS] == 0
    watts = [each[pool][WATTS] for each in (xai, tesla, shared) for pool in ("hall", "annex") if pool in each]
    assert 67_990 <= sum(watts) <= 68_000
    assert xai["rented"][WATTS] == 0 and shared["rented"][WATTS] == 24 * 950
    rule = _json(render_configuration(_spec()))["resources"]["transformations"]
    assert rule == [{"input": GPU, "strategy": "Retain", "outputs": {WATTS: 950}}]


def test_rights_and_priorities_become_rules_of_preemption():
    objects = _plain(_spec())
    spec = _of(objects, "ClusterQueue", "tesla")["spec"]
    assert spec["preemption"] == {
        "reclaimWithinCohort": "Any",
        "borrowWithinCohort": {"policy": "LowerPriority"},
        "withinClusterQueue": "LowerPriority",
    }
    assert spec["queueingStrategy"] == "StrictFIFO"
    assert spec["namespaceSelector"] == {"matchLabels": {"kubernetes.io/metadata.name": "tesla"}}
    assert [_of(objects, "WorkloadPriorityClass", name)["value"] for name in ("xai", "tesla")] == [20, 10]
    cold = FleetSpec(pools=(Pool(name="a", num_nodes=1),), tenants=(Tenant(name="t"),))
    assert render_configuration(cold) is None
    assert _quotas(_plain(cold), "Cohort", "fleet") == {"a": {GPU: 8}}


def _types(node, seen):
    """Every type within a type, once."""
    if isinstance(node, inspect.Type) and id(node) not in seen:
        seen[id(node)] = node
        for field in node.__struct_fields__:
            value = getattr(node, field)
            for each in value if isinstance(value, tuple) else (value,):
                _types(each.type if isinstance(each, inspect.Field) else each, seen)
    return seen.values()


def test_no_type_is_one_that_crashes_msgspec():
    """See decision 131: a text with a pattern beside a map, an array or a struct."""
    unions = [t for kind in (Kueue, Task) for t in _types(inspect.type_info(kind), {}) if hasattr(t, "types")]
    assert len(unions) > 30
    for union in unions:
        parts = [each.type if isinstance(each, inspect.Metadata) else each for each in union.types]
        if any(isinstance(each, inspect.StrType) and each.pattern for each in parts):
            large = (inspect.DictType, inspect.VarTupleType, inspect.StructType)
            assert not any(isinstance(each, large) for each in parts), union


def _places(value, path=""):
    """Every struct of an object, with its path; maps of the user's own keys are none."""
    if isinstance(value, dict):
        if path.rsplit(".", 1)[-1] not in ("labels", "nodeLabels", "matchLabels", "outputs"):
            yield path, value
        for key, each in value.items():
            yield from _places(each, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from _places(each, f"{path}[{number}]")


def test_an_unknown_field_anywhere_is_refused_with_its_path():
    num = 0
    for each in [*_plain(_spec()), _json(render_configuration(_spec()))]:
        for path, _ in list(_places(each)):
            changed = copy.deepcopy(each)
            dict(_places(changed))[path]["qouta"] = 1
            with pytest.raises(InvalidInput) as told:
                check(changed, Kueue)
            assert str(told.value).startswith(f"{path}.qouta: unknown; " if path else "qouta: unknown; ")
            num += 1
    assert num > 60


DOCUMENTS = [*_plain(_spec()), *_json(list(render_tasks(_spec()).values()))]
ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=4,
)


@settings(max_examples=150)
@given(st.data())
def test_whatever_stands_in_a_file_is_taken_or_refused_with_words(data):
    document = data.draw(st.sampled_from(DOCUMENTS))
    changed = copy.deepcopy(document)
    place = dict(_places(changed))[data.draw(st.sampled_from([path for path, _ in _places(document)]))]
    place[data.draw(st.sampled_from([*place, "x"]))] = data.draw(ANY)
    try:
        check(changed, Kueue if "apiVersion" in document else Task)
    except InvalidInput as error:
        assert ": " in str(error)


def _queue(**spec):
    return {
        "apiVersion": "kueue.x-k8s.io/v1beta2",
        "kind": "ClusterQueue",
        "metadata": {"name": "a"},
        "spec": spec,
    }


def _group(*resources, **more):
    flavor = {"name": "own", "resources": list(resources)}
    return {"coveredResources": [each["name"] for each in resources], "flavors": [flavor], **more}


CPU = {"name": "cpu", "nominalQuota": "500m"}


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (_queue(resourceGroups=[{"coveredResources": ["cpu"], "flavor": []}]),
         "spec.resourceGroups[0].flavor: unknown; did you mean flavors?"),
        (_queue(cohort="all"), "spec.cohort: unknown; did you mean cohortName?"),
        (_queue(resourceGroups=[{"coveredResources": ["cpu"]}]), "spec.resourceGroups[0].flavors: missing"),
        (_queue(preemption={"reclaimWithinCohort": "Anyy"}),
         "spec.preemption.reclaimWithinCohort: 'Anyy' is not allowed; did you mean Any?"),
        (_queue(preemption={"borrowWithinCohort": {"policy": "LowerPriority"}}),
         "spec.preemption: borrowWithinCohort.policy must be Never"),
        (_queue(cohortName="All"), "spec.cohortName: 'All' is not a name that Kubernetes takes"),
        (_queue(cohortName="all\n"), "is not a name that Kubernetes takes"),
        (_queue(resourceGroups=[_group({"name": "cpu", "nominalQuota": "12 GPUs"})]),
         "nominalQuota: '12 GPUs' is not an amount"),
        (_queue(resourceGroups=[_group({"name": "cpu", "nominalQuota": "-2"})]),
         "nominal quota -2 of cpu is below 0"),
        (_queue(resourceGroups=[_group({"name": "cpu", "nominalQuota": 1.5})]), "got `float`"),
        (_queue(resourceGroups=[_group({**CPU, "borrowingLimit": 1})]), "there is no cohort above"),
        (_queue(resourceGroups=[_group(CPU, coveredResources=["cpu", "memory"])]),
         "flavor 'own' must list cpu, memory, in this order"),
        (_queue(resourceGroups=[_group(CPU), _group({**CPU, "name": "memory"})]),
         "flavor 'own' stands in it 2 times"),
        (_queue(resourceGroups=[_group({**CPU, "nominalQuota": "10E"})]), "beyond what Kubernetes counts"),
        (_queue(resourceGroups=[_group({**CPU, "nominalQuota": "1e9999999"})]), "no amount that can"),
        (_queue(resourceGroups=[_group({**CPU, "nominalQuota": "1e.5"})]), "no amount that can be counted"),
        (_queue(resourceGroups=[_group(CPU)] * 17), "length <= 16"),
        ({**_queue(), "apiVersion": "kueue.x-k8s.io/v1beta1"},
         "apiVersion: 'kueue.x-k8s.io/v1beta1' is not allowed; did you mean kueue.x-k8s.io/v1beta2?"),
        ({**_queue(), "kind": "ClusterQeue"},
         "kind: 'ClusterQeue' is not allowed; did you mean ClusterQueue?"),
        ({**_queue(), "metadata": {"name": "a", "namespace": "b"}}, "this kind belongs to no namespace"),
        ({**_queue(), "metadata": {"name": "a", "labels": {"x": "no blanks"}}}, "is not a label's value"),
        ([1], "the document: expected `object`, got `array`"),
    ],
)  # fmt: skip
def test_what_kueue_refuses_is_refused_with_path_and_hint(document, message):
    with pytest.raises(InvalidInput) as told:
        check(document, Kueue)
    assert message in str(told.value)


def _cohort(name, parent):
    meta = {"apiVersion": "kueue.x-k8s.io/v1beta2", "kind": "Cohort", "metadata": {"name": name}}
    return check({**meta, "spec": {"parentName": parent}}, Kueue)


def test_amounts_are_read_as_kubernetes_reads_them():
    told = {"500m": 0.5, "8Gi": 2**33, "2k": 2000, "1E": 10**18, "1E3": 1000, ".5": 0.5, "+3": 3, 7: 7}
    assert {text: float(amount(text)) for text in told} == told


def test_circles_doubles_and_quotas_above_the_fleet_are_refused():
    with pytest.raises(InvalidInput, match="lend in a circle: b -> c -> b; Kueue would admit nothing"):
        check_together([_cohort("a", "b"), _cohort("b", "c"), _cohort("c", "b")])
    check_together([_cohort("a", "b"), _cohort("b", "c")])
    with pytest.raises(InvalidInput, match="Cohort 'a' is given twice"):
        check_together([_cohort("a", "b")] * 2)
    objects = render(_spec())
    check_against(objects, _spec())
    with pytest.raises(InvalidInput, match="'tesla' is no tenant of the fleet"):
        check_against(objects, _spec(tenants=TENANTS[:1]))
    smaller = (POOLS[0], Pool(name="annex", num_nodes=4, site="hall"), POOLS[2])
    with pytest.raises(
        InvalidInput, match=r"nvidia.com/gpu in flavor 'annex' sum up to 40; the fleet has 32"
    ):
        check_against(objects, _spec(pools=smaller, tenants=TENANTS))
    with pytest.raises(InvalidInput, match="names ResourceFlavor 'annex', which is not described"):
        check_together([each for each in objects if getattr(each.metadata, "name", "") != "annex"])


@pytest.mark.parametrize(
    ("tenants", "message"),
    [
        ((), "names no tenants"),
        ((Tenant(name="X_Corp"),), "tenant 'X_Corp' cannot be named so in Kubernetes.*such as 'x-corp'"),
        ((Tenant(name="x" * 64),), "up to 63"),
        ((Tenant(name="x\n"),), "cannot be named"),
        ((Tenant(name="x", guaranteed_gpus=121),), "guaranteed 121 GPUs, and the fleet owns 120"),
        ((Tenant(name="x", priority=2**31),), "value: expected `int` <= 2147483647"),
    ],
)
def test_a_fleet_that_kubernetes_would_refuse_is_refused_first(tenants, message):
    with pytest.raises(InvalidInput, match=message):
        render(_spec(tenants=tenants))


FLEET = """
[[tenants]]
name = "xai"
priority = 20
guaranteed_gpus = 8
[[tenants]]
name = "tesla"
[[pools]]
name = "hall"
num_nodes = 4
site = "hall"
busy_kw_per_gpu = 1.0
[[pools]]
name = "rented"
num_nodes = 4
is_rented = true
[[sites]]
name = "hall"
cap_kw = 16.0
"""


def test_files_are_written_and_read_back_without_any_package(tmp_path, capsys):
    fleet, there = tmp_path / "fleet.toml", tmp_path / "there"
    fleet.write_text(FLEET)
    assert run(["fleet", "apply", str(fleet), "--to", f"kueue:{there}"]) == 0
    out, err = capsys.readouterr()
    assert out.split() == [str(there / "objects.yaml"), str(there / "configuration.yaml")]
    assert "kubectl apply" in err and sorted(p.name for p in there.iterdir()) == [
        "configuration.yaml",
        "objects.yaml",
    ]
    assert read_documents(there / "objects.yaml") == _plain(read_fleet(fleet))
    files = [str(there / "objects.yaml"), str(there / "configuration.yaml")]
    assert run(["fleet", "check", *files, "--fleet", str(fleet), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["kueue_objects"] == 12
    text = (there / "objects.yaml").read_text()
    (there / "objects.yaml").write_text(text.replace('"flavors"', '"flavor"', 1))
    assert run(["fleet", "check", *files]) == 2
    assert "objects.yaml, document 5: spec.resourceGroups[0].flavor: unknown" in capsys.readouterr().err
    for goal, message in (
        ("kueu:x", "kueue:rendered"),
        ("kueue:", "KIND:DIR"),
        ("slurm:/none", "no Slurm of"),
    ):
        assert run(["fleet", "apply", str(fleet), "--to", goal]) == 2
        assert message in capsys.readouterr().err


YAML = """# a comment
apiVersion: kueue.x-k8s.io/v1beta2
kind: Cohort
metadata: {name: a}
spec: {parentName: b}
"""


def test_yaml_of_a_user_is_read_and_its_tricks_are_not(tmp_path):
    pytest.importorskip("yaml")
    path = tmp_path / "user.yaml"
    path.write_text(YAML)
    (document,) = read_documents(path)
    assert check(document, Kueue).spec.parent_name == "b"
    for text, message in (
        (YAML + "kind: Cohort\n", "'kind' is given twice"),
        ("a: &x [1]\nb: *x\n", "aliases"),
        ("a: [1\n", "no YAML"),
        ("a: !!python/object/apply:os.getcwd []\n", "no YAML"),
        ('{"a": 1, "a": 2}', "'a' is given twice"),
        ("? [a]\n: 1\n? [a]\n: 2\n", "no YAML"),
        ("[" * 100_000, "no "),
    ):
        path.write_text(text)
        with pytest.raises((InvalidInput, MissingExtra), match=message):
            read_documents(path)
