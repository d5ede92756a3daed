import msgspec
import pytest

from hubbub.errors import InvalidInput
from hubbub.fleet.launch import expect
from hubbub.plan import find_cluster, find_model, search
from hubbub.plan.power import find_server
from hubbub.plan.predict import predict


def _run(num_tokens=1e9):
    found = search(find_model("llama3-8b"), find_cluster("h100"), 8, fixed={"tp": 1, "pp": 1})
    return msgspec.structs.replace(found.run, layout=found.ranked[0].layout, num_tokens=num_tokens)


def test_a_run_takes_the_time_of_its_steps_and_a_server_s_power():
    run = _run()
    told, step = expect(run), predict(run)
    assert told.gpus == 8 and told.fits
    assert told.run_s.mid == pytest.approx(step.step_s.mid * 1e9 / run.tokens_per_step)
    assert told.run_s.low < told.run_s.mid < told.run_s.high
    rated_kw = find_server(run.cluster.gpu.name).rated_w / 1e3
    assert 0.4 * rated_kw < told.kw.mid < 1.5 * rated_kw


def test_a_run_without_end_is_refused():
    with pytest.raises(InvalidInput, match="num_tokens is 0"):
        expect(_run(num_tokens=0.0))
