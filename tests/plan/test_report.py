import datetime as dt
import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubbub.drawing import linear_axis, nice_ticks, short
from hubbub.errors import StorageError
from hubbub.plan.cost import own
from hubbub.plan.estimate import Estimate, exact, within
from hubbub.plan.failures import expect_goodput
from hubbub.plan.grid import find_region
from hubbub.plan.pictures import GIB, LayoutPoint, layout_picture, memory_picture, step_picture
from hubbub.plan.pictures_of_ramp import ramp_pictures
from hubbub.plan.pictures_of_running import goodput_picture, money_picture, power_picture
from hubbub.plan.power import draw
from hubbub.plan.ramp import compare
from hubbub.plan.scenario import read_scenario
from hubbub.plan.throughput import Speed
from hubbub.plan.wording import tell, tell_time, tell_usd
from hubbub.report import Fact, Report, format_report, write_report


def speed(num_gpus):
    return Speed(tokens_per_s=within(150.0 * num_gpus, 1.1), busy_share=0.85)


@pytest.fixture(scope="module")
def report():
    when, full = dt.date(2024, 9, 2), draw("h100", 100_000, busy_share=0.85)
    layouts = [
        LayoutPoint(
            name=f"tp{tp} pp{pp}", step_s=5 + tp / pp, memory_bytes=400 * GIB / tp / pp, is_fit=tp * pp > 5
        )
        for tp in (1, 2, 4, 8)
        for pp in (1, 2, 4, 8, 16)
    ]
    stages = [{"weights": 20 * GIB, "activations": (8 - n) * 4 * GIB} for n in range(8)]
    pictures = (
        step_picture({"compute": 3.2, "tensor parallel": 0.7, "bubble": 0.5, "idle": 0.0}),
        memory_picture(stages, 80 * GIB),
        layout_picture(layouts, 80 * GIB),
        goodput_picture(expect_goodput(16_384, 405e9)),
        power_picture(full),
        money_picture(own(full, "h100", when, find_region("us-tn")), "h100", when),
        *ramp_pictures(compare(read_scenario("memphis"), speed, 405e9)),
    )
    facts = (Fact(name="Step", value="5.03 s", band="4.7 to 5.4"), Fact(name="<b>", value="a & b"))
    return Report(
        title="405B on <16,384> H100", lead="A lead.", facts=facts, pictures=pictures, sources=("One & two",)
    )


def test_every_picture_is_told_in_words_and_figures(report):
    page = format_report(report)
    assert page.isascii()
    assert "<b>" not in page
    assert "&lt;16,384&gt;" in page
    svgs = re.findall(r"<svg class=\"chart\".*?</svg>", page)
    assert len(svgs) == len(report.pictures) == 9
    for svg, picture in zip(svgs, report.pictures, strict=True):
        ElementTree.fromstring(svg)
        assert picture.finding.endswith(".")
        assert picture.rows
        assert all(len(row) == len(picture.header) for row in picture.rows)
        assert not re.search(r"\b(nan|inf)\b", svg)


def test_findings_name_what_is_seen(report):
    found = {picture.title: picture.finding for picture in report.pictures}
    assert found["Where a step's time goes"] == "A step takes 4.4 s; compute is 73% of it."
    assert found["Memory of each stage"] == "Stage 0 is the fullest: 52.0 of 80.0 GiB; it fits."
    best = "the fastest is tp1 pp16 at 5.062 s."
    assert found["The landscape of layouts"] == f"Of 20 layouts shown 14 fit; {best}"
    assert (
        "16,384 GPUs are interrupted every 3.1 (1.4 to 6.9) h"
        in found["Goodput against the checkpoint interval"]
    )
    assert "need a source of 181 (168 to 194) MW" in found["Speed under a power cap"]
    assert "is paid back after 18 (14 to 23) months" in found["Rent against build"]
    assert found["Tokens by date"].startswith("60T tokens are trained: rent on 2024-1")


def test_a_page_that_cannot_be_written_says_so(report, tmp_path):
    with pytest.raises(StorageError, match=r"cannot be written: .*; name another file"):
        write_report(report, tmp_path)


@pytest.mark.browser
def test_it_opens_in_a_browser_without_a_request_or_a_complaint(report, tmp_path, chromium):
    page = tmp_path / "run.html"
    write_report(report, page)
    for width, dark in ((390, False), (1280, True)):
        chromium.open(page.as_uri(), width=width, dark=dark, is_ours=False)
        assert chromium.complaints() == []
        assert chromium.requests() == {page.as_uri()}
        assert len(chromium.all("figure")) == 9
        assert chromium.run("return document.documentElement.scrollWidth") <= width
        assert chromium.run(
            "return [...document.querySelectorAll('.chart')].every((s) => s.clientHeight > 90)"
        )
        assert chromium.worst_contrast() >= 4.5
    chromium.run("document.querySelectorAll('details').forEach((each) => { each.open = true })")
    assert chromium.run("return document.documentElement.scrollWidth") <= 1280
    assert "stage" in chromium.texts("table")[1]
    chromium.driver.get("about:blank")


@given(low=st.floats(-1e9, 1e9), span=st.floats(1e-3, 1e9))
def test_ticks_are_few_round_and_hold_the_values(low, span):
    ticks = nice_ticks(low, low + span)
    assert 2 <= len(ticks) <= 8
    slack = 1e-6 * max(abs(low), span)
    assert ticks[0] <= low + slack
    assert ticks[-1] >= low + span - slack


def test_an_axis_of_one_value_still_has_a_length():
    axis = linear_axis("x", [0.0])
    assert axis.high > axis.low


def test_numbers_are_short():
    assert [short(v) for v in (0, 0.25, 5000, 1.5e6, 6e13)] == ["0", "0.25", "5k", "1.5M", "60T"]
    assert tell(Estimate(low=0.82, mid=0.91, high=0.96), ".2f") == "0.91 (0.82 to 0.96)"
    assert tell(exact(3.0)) == "3"
    assert tell_usd(Estimate(low=4.3e9, mid=4.7e9, high=5.6e9)) == "4.7 (4.3 to 5.6) billion USD"
    assert [tell_time(s) for s in (2.6, 240, 7200, 864_000)] == ["2.6 s", "4 min", "2 h", "10 days"]
