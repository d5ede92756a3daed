"""The figures of a source as other processes read them."""

from hubbub.stream import Counts
from hubbub.stream.report import Reporter, SourceReport, read_reports
from hubbub.units import now_us

S = 1_000_000


def test_a_report_is_replaced_whole_and_read_back(tmp_path):
    counts = Counts(num_events=3)
    reporter = Reporter(tmp_path, "jetstream:host/subscribe?wantedDids=did:plc:a", counts)
    reporter.tick("17")
    counts.num_events = 4
    reporter.tick("18")
    (report,) = read_reports(tmp_path)
    assert (report.cursor, report.counts.num_events) == ("17", 3), "written once a second at most"
    reporter.end("18")
    (report,) = read_reports(tmp_path)
    assert (report.cursor, report.counts.num_events, report.is_followed) == ("18", 4, False)
    assert report.state(now_us() + 3600 * S) == "ended"


def test_a_follower_that_was_killed_is_lost():
    counts = Counts()
    counts.vitals.enter("live", 1)
    report = SourceReport(name="x", updated_us=100 * S, pid=1, is_followed=True, cursor=None, counts=counts)
    assert report.state(105 * S) == "live"
    assert report.state(111 * S) == "lost"


def test_a_report_that_is_not_whole_is_left_out(tmp_path):
    Reporter(tmp_path, "one", Counts()).tick(None)
    (tmp_path / "sources" / "broken.json").write_bytes(b'{"name": "tw')
    assert [report.name for report in read_reports(tmp_path)] == ["one"]
    assert list(read_reports(tmp_path / "nowhere")) == []
