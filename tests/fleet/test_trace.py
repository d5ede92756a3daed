import gzip
from pathlib import Path

import pytest

from hubbub.errors import InvalidInput, StorageError
from hubbub.fleet.spec import FleetSpec, Pool, Tenant
from hubbub.fleet.trace import read_trace

SHARED = Path(__file__).parents[2] / "../shared/data/fleet"


OURS = "job_id,submit_s,tenant,gpus,run_s\n"
HELIOS = "job_id,user,vc,gpu_num,submit_time,duration\n"
ACME = "job_id,user,node_num,gpu_num,type,state,submit_time,duration,queue\n"
ALIBABA = "name,num_gpu,gpu_milli,qos,pod_phase,creation_time,deletion_time,scheduled_time\n"
PAI = "job_id,num_inst,submit_time,num_cpu,num_gpu,gpu_type,duration,user\n"
SPOT = "job_name,organization,gpu_model,cpu_request,gpu_request,worker_num,submit_time,duration,job_type\n"
PHILLY = """
[{"status": "Pass", "vc": "6214e9", "jobid": "a", "user": "u", "submitted_time": "2017-10-07 01:12:52",
  "attempts": [{"start_time": "2017-10-07 01:13:00", "end_time": "2017-10-07 01:13:20", "detail": [
    {"ip": "m1", "gpus": ["gpu2"]}, {"ip": "m2", "gpus": ["gpu7"]}]},
    {"start_time": "2017-10-07 01:13:50", "end_time": "2017-10-07 01:14:30",
     "detail": [{"ip": "m1", "gpus": []}]}]}]
""".lstrip()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("ours.csv", OURS + "a,5,6214e9,2,60\n"),
        ("bom.csv", "\ufeff" + OURS.replace("\n", "\r\n") + "a,5,6214e9,2,60\r\n"),
        ("helios.csv", HELIOS + "a,u,6214e9,2,2020-04-01 00:00:05,60.0\n"),
        ("acme.csv", ACME + "a,u,1,2.0,6214e9,COMPLETED,2023-03-01 00:00:00+08:00,60,0\n"),
        ("alibaba.csv", ALIBABA + "a,2,1000,6214e9,Succeeded,100,180,120\n"),
        ("pai.csv", PAI + "a,2,5,6,1,V100,60.0,6214e9\n"),
        ("spot.csv", SPOT + "a,6214e9,A10,8.0,0.5,4,7,60.0,Spot\n"),
        ("cluster_job_log", PHILLY),
        ("work.swf", "; UnixStartTime: 0\n\na 10 -1 60 2 -1 -1 4 -1 -1 1 7 6214e9 -1 -1 -1 -1 -1\n"),
    ],
)
def test_names_of_columns_tell_the_format_and_a_tenant_that_looks_like_a_number_stays_text(
    tmp_path, name, text
):
    path = tmp_path / name
    path.write_text(text)
    (job,) = read_trace(path).jobs
    assert (job.id, job.tenant.removeprefix("group-"), job.gpus, job.submit_s, job.run_s) == (
        "a", "6214e9", 2, 0, 60,
    )  # fmt: skip


def test_jobs_come_in_order_and_what_is_left_out_is_counted(tmp_path):
    path = tmp_path / "helios"
    rows = "b,u,y,2,2017-10-01 00:01:00,7.0\na,u,x,8,2017-10-01 00:00:00,5\nc,u,x,0,2017-10-01 00:02:00,5\n"
    rows += "d,u,x,0.5,2017-10-01 00:03:00,5\ne,u,x,1,2017-10-01T00:04:00,0\n"
    path.write_bytes(gzip.compress((HELIOS + rows).encode()))  # packed, whatever its name says
    trace = read_trace(path)
    told = [(job.id, job.tenant, job.gpus, job.submit_s, job.run_s) for job in trace.jobs]
    assert told == [("a", "x", 8, 0, 5), ("b", "y", 2, 60, 7), ("d", "x", 1, 180, 5)]
    assert (trace.num_without_gpu, trace.num_never_ran, trace.num_shares_rounded) == (1, 1, 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no column for id"),
        ("job_id,submit_s,tenant,gpus\n", "no column for run: one of run_s"),
        (OURS, "holds no job; give a file with a line for each"),
        (OURS + "a,1,t,0,9\nb,1,t,1,0\n", "holds no job to run: 1 ask for no GPU, 1 never ran"),
        (
            OURS + "a,-5,t,1,9\n",
            "line 2, column 'submit_s': '-5' must be 0 or more; correct the line or leave it",
        ),
        (OURS + "a,1,t,1,inf\n", "column 'run_s': 'inf' must be 0 or more"),
        (OURS + "a,1,t,1,nan\n", "column 'run_s': 'nan' must be 0 or more"),
        (OURS + "a,1,t,one,9\n", "column 'gpus': 'one' is not a number"),
        (
            OURS + "a,yesterday,t,1,9\n",
            "column 'submit_s': 'yesterday' is no time in seconds and no date like 2026",
        ),
        (OURS + "a,1700000000000,t,1,9\n", "is more than 100,000,000,000 seconds; are these milliseconds"),
        (OURS + "a,1,t,1,1e300\n", "column 'run_s': '1e300' is more than 1,000,000,000 seconds"),
        (OURS + "a,1,t,1e9,9\n", "column 'gpus': '1e9' is more than 10,000,000 GPUs"),
        (OURS + f"a,1,t,{'9' * 400},9\n", r"column 'gpus': '9{40}\.\.\.' must be 0 or more"),
        (OURS + "a,1,t\n", "line 2: 3 columns; its header has 5"),
        (OURS + " ,1,t,1,9\n", "line 2, column 'job_id': the job has no id"),
        (
            OURS + "a,1,t,1,9\nb,1,t,1,9\na,2,u,1,9\n",
            "line 4: job 'a' is on line 2 already; give each its own",
        ),
        (OURS + f'a,1,"{"t" * 200_000}",1,9\n', "is no table of columns: field larger"),
        (HELIOS + "a,u,v,1,1969-12-31 23:00:00,5\n", "column 'submit_time': '1969-12-31 23:00:00' must be 0"),
        (
            ACME + "a,u,1,-2,t,FAILED,2023-03-01 00:00:00+08:00,60,0\n",
            "line 2, column 'gpu_num': '-2' must be 0",
        ),
        (
            ALIBABA + "a,2,1000,q,Failed,100,110,120\n",
            "column 'deletion_time': '110' is before the start, '120'",
        ),
    ],
)
def test_a_bad_table_is_refused_with_line_column_value_and_remedy(tmp_path, text, message):
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(InvalidInput, match=message):
        read_trace(path)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1 10 -1 -60 4", "line 1, field 4 .run time.: '-60' must be 0 or more"),
        ("1 x -1 60 4", "field 2 .submit time.: 'x' is not a number"),
        ("1 10 -1 60 -1", "1 ask for no GPU"),
        ("1 10 -1 60", "17 fields; the Standard Workload Format has 18"),
    ],
)
def test_a_bad_workload_is_refused_with_its_field(tmp_path, line, message):
    path = tmp_path / "bad.swf"
    path.write_text(line + " -1 -1 4 -1 -1 1 7 3 -1 -1 -1 -1 -1\n")
    with pytest.raises(InvalidInput, match=message):
        read_trace(path)


def test_a_fleet_that_could_never_run_a_job_or_does_not_know_its_tenant_is_told_the_line(tmp_path):
    path = tmp_path / "trace.csv"
    path.write_text(OURS + "a,0,xai,8,9\nb,1,lab,17,9\n")
    small = FleetSpec(pools=(Pool(name="hall", num_nodes=2),))
    with pytest.raises(
        InvalidInput, match="line 3: job 'b' asks for 17 GPUs; the fleet's largest pool has 16: leave"
    ):
        read_trace(path, small)
    named = FleetSpec(pools=(Pool(name="hall", num_nodes=3),), tenants=(Tenant(name="xai"),))
    with pytest.raises(InvalidInput, match=r"line 3: tenant 'lab' is none of the fleet's \(xai\); add it"):
        read_trace(path, named)
    assert len(read_trace(path, FleetSpec(pools=named.pools)).jobs) == 2


def test_a_file_that_cannot_be_read(tmp_path):
    with pytest.raises(InvalidInput, match="nowhere.csv"):
        read_trace(tmp_path / "nowhere.csv")
    packed = bytearray(gzip.compress((OURS + "".join(f"a{n},1,b,1,{n}\n" for n in range(999))).encode()))
    (tmp_path / "cut.csv.gz").write_bytes(packed[:-20])
    packed[10] |= 6  # a kind of block that there is not
    (tmp_path / "bent.csv.gz").write_bytes(packed)
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00j")
    for name in ("cut.csv.gz", "bent.csv.gz", "binary.csv"):
        with pytest.raises(StorageError, match=f"cannot read trace .*{name}.*; copy it again"):
            read_trace(tmp_path / name)


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared")
def test_the_published_traces_are_read_whole():
    philly = read_trace(SHARED / "philly_2017.csv.gz")
    assert len(philly.jobs) + philly.num_never_ran == 82_247
    assert len({job.tenant for job in philly.jobs}) == 15
    openb = read_trace(SHARED / "alibaba_openb_2023.csv.gz")
    assert len(openb.jobs) + openb.num_without_gpu + openb.num_never_ran == 8_152
