import math

import pytest

from hubbub.fleet.health import Observation, Rules, failure_counts, lemon_score, verdicts

HOUR, DAY = 3_600.0, 86_400.0


def _told(*rows):
    return [
        Observation(at_s=at_s, node=node, kind=kind, code=code, job=job)
        for at_s, node, kind, code, job in rows
    ]


def _say(*rows, num_nodes=100, now_s=30 * DAY, **options):
    said = verdicts(_told(*rows), num_nodes=num_nodes, now_s=now_s, **options)
    return [(each.node, each.do, each.job) for each in said], [each.reason for each in said]


@pytest.mark.parametrize(
    ("xid", "expected"),
    [
        (79, [("n1", "drain", ""), ("n1", "elsewhere", "j")]),
        (48, [("n1", "drain", ""), ("n1", "elsewhere", "j")]),
        (147, [("n1", "drain", ""), ("n1", "elsewhere", "j")]),
        (94, [("n1", "elsewhere", "j")]),
        (31, []),  # a wild pointer: most often the job's own
        (63, []),  # a row was replaced, as it should be
    ],
)
def test_an_xid_is_answered_as_nvidias_catalogue_does(xid, expected):
    assert _say((29.9 * DAY, "n1", "xid", xid, "j"))[0] == expected


def test_a_node_that_was_repaired_is_not_drained_again_for_what_was_before():
    rows = [(20 * DAY, "n1", "xid", 79, "j"), (21 * DAY, "n1", "back", 0, "")]
    assert _say(*rows) == ([], [])
    said, reasons = _say(*rows, (22 * DAY, "n1", "heartbeat", 3, "k"))
    assert said == [("n1", "drain", ""), ("n1", "elsewhere", "k")]
    assert reasons[0] == "3 heartbeats in a row are missing"
    assert _say(*rows, (22 * DAY, "n1", "heartbeat", 2, "k"))[0] == []


def test_a_node_that_ends_job_after_job_is_drained_and_a_job_that_fails_everywhere_is_at_fault_itself():
    three = [(20 * DAY + n, "n1", "exit", 1, f"j{n}") for n in range(3)]
    said, reasons = _say(*three)
    assert (
        said[0] == ("n1", "drain", "") and "3 different jobs in a row failed on it: j0, j1, j2" in reasons[0]
    )
    assert _say(*three[:2], (20 * DAY + 1.5, "n1", "exit", 0, "good"), three[2])[0] == []
    assert _say(*three, (20 * DAY + 9, "n2", "exit", 1, "j1"))[0] == []
    assert _say(*[(20 * DAY + n, "n1", "exit", 143, f"j{n}") for n in range(9)])[0] == []


def test_what_fails_for_one_owner_is_one_opinion():
    at_s, code = 29 * DAY, {"kind": "exit", "code": 1, "node": "n1"}
    same = [Observation(at_s=at_s + n, job=f"j{n}", owner="ann", **code) for n in range(9)]
    others = [
        Observation(at_s=at_s + n, job=f"j{n}", owner=who, **code) for n, who in enumerate(("bob", "eve"))
    ]
    now = {"num_nodes": 100, "now_s": 30 * DAY}
    assert verdicts(same, **now) == [] and failure_counts(same) == {"n1": 1}
    (drained, moved) = verdicts([*same, *others], **now)
    assert (drained.do, moved.do) == ("drain", "elsewhere") and "3 different jobs in a row" in drained.reason
    away = Observation(at_s=at_s, job="x", owner="ann", kind="exit", code=1, node="n2")
    assert verdicts([*same, *others, away], **now) == []  # ann's fail everywhere


def test_one_incident_counts_once_and_one_job_too():
    at_s = 20 * DAY
    rows = [
        (at_s, "a", "xid", 79, "j"),
        (at_s + 30, "a", "heartbeat", 5, ""),
        (at_s + 60, "a", "node_fail", 0, "j"),
    ]
    rows += [(at_s + n * 2 * HOUR, "b", "exit", 1, "again") for n in range(5)]
    rows += [(at_s, "c", "node_fail", 0, ""), (at_s + 2 * HOUR, "c", "node_fail", 0, "")]
    assert failure_counts(_told(*rows)) == {"a": 1, "b": 1, "c": 2}
    assert "c" not in failure_counts(_told(*rows, (at_s + 3 * HOUR, "c", "mended", 0, "")))


def test_the_score_is_that_of_the_poisson_law_summed_by_hand():
    expected = (19 + 1) / 200
    below = sum(math.exp(-expected) * expected**k / math.factorial(k) for k in range(4))
    assert lemon_score(4, 19, 200) == pytest.approx(-math.log10(1 - below), rel=1e-6)
    assert lemon_score(0, 5, 10) == 0 and lemon_score(3, 0, 0) == 0
    assert lemon_score(2_000, 10, 10) > 1_000  # far out: neither 0 nor infinite


def test_a_lemon_is_drained_a_suspect_is_placed_last_and_a_usual_fleet_has_none():
    usual = [(DAY * (2 + n % 28), f"n{n % 97}", "node_fail", 0, "") for n in range(40)]
    assert _say(*usual)[0] == []
    lemon = [(DAY * (3 + 4 * n), "lemon", "node_fail", 0, "") for n in range(6)]
    said, reasons = _say(*usual, *lemon)
    assert (
        said == [("lemon", "drain", "")]
        and "6 failures in 28 days where a node like the others has 0.41" in reasons[0]
    )
    assert [do for _, do, _ in _say(*usual, *lemon[:4])[0]] == ["avoid"]
    assert float(reasons[0].rpartition("score ")[2].rstrip(")")) > 5
    assert _say(*usual, *lemon, now_s=300 * DAY)[0] == []  # long ago


def test_where_all_nodes_fail_the_fleet_is_not_drained_away():
    rows = [(20 * DAY + n, f"n{n % 40:02d}", "exit", 1, f"j{n}") for n in range(120)]
    said, reasons = _say(*rows, num_nodes=40)
    assert [do for _, do, _ in said].count("drain") == 2 and len(
        [do for _, do, _ in said if do == "avoid"]
    ) == 38
    assert any("not drained, as 5% of the nodes are out already" in reason for reason in reasons)
    assert "drain" not in [do for _, do, _ in _say(*rows, num_nodes=40, drained=("n00", "n01"))[0]]
    assert _say((29 * DAY, "n1", "xid", 79, ""), num_nodes=40, drained=("n2", "n3"))[0] == [
        ("n1", "drain", "")
    ]


def test_lines_can_be_drawn_elsewhere():
    rows = [(29 * DAY, "n1", "heartbeat", 2, "")]
    assert _say(*rows, rules=Rules(heartbeats=2))[0] == [("n1", "drain", "")]
