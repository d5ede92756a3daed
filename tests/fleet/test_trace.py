import gzip
from pathlib import Path

import pytest

from hubbub.errors import InvalidInput, StorageError
from hubbub.fleet.trace import read_trace

SHARED = Path(__file__).parents[2] / "../shared/data/fleet"


def test_names_of_columns_tell_the_format(tmp_path):
    path = tmp_path / "helios.csv"
    path.write_text(
        "job_id,user,vc,gpu_num,submit_time,duration\n"
        "b,u,6214e9,2,2017-10-01 00:01:00,7.0\n"
        "a,u,x,8,2017-10-01 00:00:00,5\n"
        "c,u,x,0,2017-10-01 00:02:00,5\n"
        "d,u,x,0.5,2017-10-01 00:03:00,5\n"
        "e,u,x,1,2017-10-01 00:04:00,0\n"
    )
    trace = read_trace(path)
    rows = [(job.id, job.tenant, job.gpus, job.submit_s, job.run_s) for job in trace.jobs]
    assert rows == [("a", "x", 8, 0, 5), ("b", "6214e9", 2, 60, 7), ("d", "x", 1, 180, 5)]
    assert (trace.num_without_gpu, trace.num_never_ran, trace.num_shares_rounded) == (1, 1, 1)


def test_the_standard_workload_format(tmp_path):
    path = tmp_path / "small.swf.gz"
    line = "1 10 -1 60 4 -1 -1 4 -1 -1 1 7 3 -1 -1 -1 -1 -1"
    path.write_bytes(gzip.compress(f"; comment\n{line}\n".encode()))
    (job,) = read_trace(path).jobs
    assert (job.tenant, job.gpus, job.run_s) == ("group-3", 4, 60)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no column for id"),
        ("job_id,submit_s,tenant,gpus\n", "no column for run: one of run_s"),
        ("job_id,submit_s,tenant,gpus,run_s\n", "holds no job"),
        ("job_id,submit_s,tenant,gpus,run_s\na,-5,t,1,9\n", "line 2, column 'submit_s': '-5' must be 0"),
        ("job_id,submit_s,tenant,gpus,run_s\na,1,t,1,inf\n", "column 'run_s': 'inf' must be 0 or more"),
        ("job_id,submit_s,tenant,gpus,run_s\na,1,t,one,9\n", "column 'gpus': 'one' is not a number"),
        ("job_id,submit_s,tenant,gpus,run_s\na,1,t\n", "line 2: 3 columns; its header has 5"),
    ],
)
def test_a_bad_trace_is_refused_with_its_place(tmp_path, text, message):
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(InvalidInput, match=message):
        read_trace(path)


def test_a_file_that_cannot_be_read(tmp_path):
    with pytest.raises(StorageError, match="nowhere.csv"):
        read_trace(tmp_path / "nowhere.csv")
    (tmp_path / "cut.csv.gz").write_bytes(
        gzip.compress(b"job_id,submit_s,tenant,gpus,run_s\n" + b"a,1,b,1,5\n" * 999)[:-20]
    )
    with pytest.raises(StorageError, match="cut.csv.gz"):
        read_trace(tmp_path / "cut.csv.gz")


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared")
def test_the_published_traces_are_read_whole():
    philly = read_trace(SHARED / "philly_2017.csv.gz")
    assert len(philly.jobs) + philly.num_never_ran == 82_247
    assert len({job.tenant for job in philly.jobs}) == 15
    openb = read_trace(SHARED / "alibaba_openb_2023.csv.gz")
    assert len(openb.jobs) + openb.num_without_gpu + openb.num_never_ran == 8_152
