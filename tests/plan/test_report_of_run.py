import datetime as dt

import pytest

from hubbub.plan.hardware import find_cluster
from hubbub.plan.layouts import search
from hubbub.plan.models import find_model
from hubbub.plan.outlook import Circumstances, outlook
from hubbub.plan.report_of_run import report_of_run
from hubbub.plan.throughput import Speed
from hubbub.report import format_report


@pytest.fixture(scope="module")
def found():
    return search(find_model("llama3-8b"), find_cluster("h100"), 64, top=3)


def test_a_run_with_tokens_tells_all_of_it(found):
    told = found.ranked[0].prediction
    speed = Speed(tokens_per_s=told.tokens_per_s, busy_share=told.busy_share)
    where = Circumstances(region="us-tn", when=dt.date(2025, 1, 1))
    ahead = outlook("h100", told.num_gpus, found.run.model.num_params, 1e11, speed, where)
    report = report_of_run(found.run, told, ahead, found.points)
    assert report.title == "llama3-8b on 64 H100"
    names = [fact.name for fact in report.facts]
    assert names[0] == "Step"
    assert {"MFU", "Memory", "Wall time", "Goodput", "Mean power", "Carbon", "Rented", "Owned"} <= set(names)
    assert [picture.title for picture in report.pictures] == [
        "Where a step's time goes",
        "Memory of each stage",
        "The landscape of layouts",
        "Goodput against the checkpoint interval",
        "Speed under a power cap",
        "Rent against build",
    ]
    assert any(source.startswith("region us-tn: carbon:") for source in report.sources)
    assert any(source.startswith("rent, 2025, 8 quotes") for source in report.sources)
    assert format_report(report).count('<svg class="chart"') == 6


def test_a_step_alone_tells_time_and_memory(found):
    report = report_of_run(found.run, found.ranked[0].prediction, None)
    assert [fact.name for fact in report.facts] == ["Step", "Million tokens a second", "MFU", "Memory"]
    assert len(report.pictures) == 2
