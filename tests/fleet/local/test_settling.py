import pytest

from hubbub.fleet.local.journal import Row
from hubbub.fleet.local.ranks import RankState
from hubbub.fleet.local.settling import MAX_RESTARTS, observations, settle

LIVES, NEVER, LOST = (RankState(phase=phase) for phase in ("lives", "never", "lost"))
DONE, BAD = RankState(phase="ended"), RankState(phase="ended", code=3)
TOLD = RankState(phase="ended", code=-15, was_told=True)
MISSING = RankState(phase="ended", code=127, why="No such file or directory: nosuch")


def _row(leave="", **fields):
    return Row(
        id="1", tenant="x", gpus=16, name="job", submitted_s=1.0, started_s=10.0, pool="hall", attempt=1,
        shares=((0, 8), (1, 8)), gpu_numbers=((), ()), phase="leaving" if leave else "running", leave=leave,
        **fields,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("leave", "ranks", "phase", "told"),
    [
        ("", (LIVES, LIVES), "running", ""),
        ("", (LIVES, NEVER), "running", ""),
        ("", (DONE, LIVES), "running", ""),
        ("", (BAD, LIVES), "leaving", "left with code 3"),
        ("", (LIVES, LOST), "leaving", "its keeper was killed"),
        ("failed", (BAD, LIVES), "leaving", ""),
        ("failed", (BAD, TOLD), "waiting", "it left with code 3, and is tried again (1 of 3)"),
        ("", (DONE, DONE), "ended", "is done"),
        ("", (MISSING, MISSING), "ended", "could not be started: No such file or directory: nosuch"),
        ("failed", (BAD, LOST), "waiting", "its keeper was killed, and it starts again"),
        ("preempted", (TOLD, LIVES), "leaving", ""),
        ("preempted", (TOLD, TOLD), "waiting", ""),
        ("preempted", (DONE, DONE), "ended", "is done"),
        ("preempted", (NEVER, NEVER), "waiting", ""),
        ("preempted", (BAD, BAD), "waiting", "it left with code 3, and is tried again (1 of 3)"),
        ("cancelled", (TOLD, BAD), "ended", ""),
        ("cancelled", (NEVER, LOST), "ended", ""),
    ],
)
def test_what_becomes_of_a_job(leave, ranks, phase, told):
    row = _row(leave)
    after = settle(row, ranks, 100.0)
    assert (after.phase, after.reason) == (phase, told)
    assert (after is row) == (after.phase == row.phase)
    if phase in ("waiting", "ended"):
        assert (after.shares, after.leave) == ((), "")
        assert after.submitted_s == 1.0, "it waits at its old place"
    assert after.num_preempted == (phase == "waiting" and not told)


def test_a_job_that_fails_again_and_again_is_given_up_after_longer_and_longer_pauses():
    row, pauses = _row(), []
    for _ in range(MAX_RESTARTS):
        after = settle(row, (BAD, BAD), 100.0)
        pauses.append(after.not_before_s - 100.0)
        row = _row(num_failures=after.num_failures)
    assert pauses == [1, 2, 4]
    after = settle(row, (BAD, BAD), 100.0)
    assert (after.phase, after.reason) == ("ended", "failed 4 times; at last it left with code 3")


def test_what_is_lost_without_its_own_fault_is_tried_however_often():
    after = settle(_row(num_lost=50), (BAD, LOST), 100.0)
    assert (after.phase, after.num_lost, after.num_failures, after.not_before_s) == ("waiting", 51, 0, 160.0)


def test_health_is_told_of_every_node_and_not_of_a_mistyped_command():
    told = observations(_row(), (TOLD, DONE), 5.0)
    assert [(each.node, each.code, each.job) for each in told] == [("hall-1", 143, "1"), ("hall-2", 0, "1")]
    (told,) = observations(_row(), (MISSING, LOST), 5.0)
    assert (told.node, told.kind) == ("hall-2", "node_fail")
