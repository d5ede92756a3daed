from datetime import datetime

from hubbub.fleet.slurm.config import RIGHT
from hubbub.fleet.slurm.observing import drains, lemons, observations
from hubbub.fleet.slurm.truth import SlurmTruth
from hubbub.fleet.spec import FleetSpec, Pool
from hubbub.fleet.state import FleetState

LINE = (
    "JobId={job} UserId={user}(1) GroupId=g(1) Name={name} JobState={state} Partition=tesla{right} "
    "TimeLimit=5 StartTime=2026-11-22T21:50:01 EndTime=2026-11-22T21:50:{at:02d} NodeList={nodes} "
    "NodeCnt={count} ProcCnt=1 WorkDir=/w ReservationName= Tres=cpu=1,node=1 Account= QOS= WcKey= "
    "Cluster=unknown SubmitTime=x EligibleTime=x DerivedExitCode=0:0 ExitCode={code} \n"
)
CONTROL = """[2026-11-22T21:40:00.100] Running as primary controller
[2026-11-22T21:41:00.200] error: Nodes hall-[2-3] not responding, setting DOWN
[2026-11-22T21:42:00.300] update_node: node hall-2 reason set to: looked at
[2026-11-22T21:42:00.300] update_node: node hall-2 state set to IDLE
"""


def line(job, user="ann", name="job", state="FAILED", at=10, nodes="hall-1", count=1, code="3:0"):
    return LINE.format(**locals(), right=RIGHT)


def _logs(tmp_path, ended, control=CONTROL):
    (tmp_path / "log").mkdir(exist_ok=True)
    (tmp_path / "log" / "jobcomp.txt").write_text(ended)
    (tmp_path / "log" / "slurmctld.log").write_text(control)
    return tmp_path


def test_logs_become_observations_and_gangs_blame_no_node(tmp_path):
    ended = line(1) + line(2, name="a b JobState=x", state="COMPLETED", at=11, code="0:0")
    ended += line(3, nodes="hall-[1-2]", count=2) + line(4, at=12, code="0:11") + line(5)[:150]
    told = [
        (each.node, each.kind, each.code, each.job, each.owner)
        for each in observations(_logs(tmp_path, ended))
    ]
    assert told == [
        ("hall-2", "node_fail", 0, "", ""),
        ("hall-3", "node_fail", 0, "", ""),
        ("hall-2", "mended", 0, "", ""),
        ("hall-1", "exit", 3, "1", "ann(1) of tesla"),
        ("hall-1", "exit", 0, "2", "ann(1) of tesla"),
        ("hall-1", "exit", 139, "4", "ann(1) of tesla"),
    ]
    assert observations(tmp_path / "nowhere") == []


def test_a_node_that_ends_the_jobs_of_three_owners_is_drained_until_somebody_lets_it_in_again(tmp_path):
    truth = SlurmTruth(FleetState(FleetSpec(pools=(Pool(name="hall", num_nodes=4),))), {}, {})
    truth.state.now_s = datetime(2026, 11, 22, 22, 0).timestamp()
    ended = "".join(line(n, user=user, at=n) for n, user in enumerate(("ann", "bob", "eve")))
    (drain,) = drains(_logs(tmp_path, ended), truth)
    assert lemons(tmp_path, truth) == {("hall", 0): drain.reason}
    assert (drain.pool, drain.node) == ("hall", 0) and "3 different jobs in a row" in drain.reason
    assert drains(_logs(tmp_path, "".join(line(n, at=n) for n in range(9))), truth) == []  # all of them ann's
    again = "[2026-11-22T21:55:00.300] update_node: node hall-1 state set to IDLE\n"
    assert drains(_logs(tmp_path, ended, CONTROL + again), truth) == []
    truth.out["hall", 0] = "drained: x"
    assert drains(_logs(tmp_path, ended), truth) == []
