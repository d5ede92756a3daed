"""A deletion's receipt through its stages, a restart and a kill; it never claims what has not happened."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import httpx2

from hubbub.config import Config
from hubbub.posts import AccountEvent, ConsentEvent, Deletion
from hubbub.server.app import create_app
from hubbub.server.house import House
from hubbub.server.receipts import Receipt, read_ledger
from hubbub.stream import open_archive
from hubbub.stream.archive.marks import path_of
from hubbub.units import now_us
from hubbub.web.run import serve_in_thread
from tests.server.reading import open_stream
from tests.server.small_house import flood, make_post


def open_house(directory: Path, erase_s: int = 3600, index: str = "sqlite") -> House:
    return House(
        Config(data=str(directory), index=index, embedder="none", erase_s=erase_s, flush_ms=0), is_writer=True
    )


def delete(house: House, *posts: str) -> None:
    house.archive.append([Deletion(id=post, received_us=now_us()) for post in posts])
    assert house.wait_until_folded(house.archive.last_seq, timeout_s=10)


def receipts_in(directory: Path, erase_s: float = 3600) -> list[Receipt]:
    with open_archive(directory / "archive", "r") as archive:
        return read_ledger(archive, erase_s).receipts


def test_a_receipt_goes_through_its_stages_until_the_text_is_off_the_disk(tmp_path: Path) -> None:
    with open_house(tmp_path, erase_s=2, index="edge") as house:
        house.archive.append([make_post(1, "unspeakable words"), make_post(2, "harmless words")])
        house.wait_until_folded(2, timeout_s=10)
        house.index.flush()
        post = make_post(1, "").id
        delete(house, post)
        (receipt,) = house.stamps.read(10).receipts
        assert (receipt.post, receipt.kind, receipt.is_gone) == (post, "deletion", True)
        assert receipt.gone_us is not None and receipt.archived_us is not None
        assert receipt.received_us <= receipt.archived_us <= receipt.gone_us
        waiting = house.stamps.read(10).summary
        while not (receipt := house.stamps.read(1).receipts[0]).is_erased:
            assert time.time() * 1e6 < receipt.erase_by_us + 20e6
            time.sleep(0.02)
        assert not [p for p in tmp_path.rglob("*") if p.is_file() and b"unspeakable" in p.read_bytes()]
        assert (waiting.num_unerased, waiting.num_gone) == (1, 1)
        assert receipt.archive_erased_us is not None and receipt.index_erased_us is not None
        assert receipt.index_erased_us > (receipt.gone_us or 0)
        assert house.stamps.waits().oldest_unerased_us is None
    assert receipts_in(tmp_path, erase_s=2)[0] == receipt


def test_a_restart_changes_no_time_and_forgets_no_debt(tmp_path: Path) -> None:
    with open_house(tmp_path) as house:
        house.archive.append([make_post(number, "words") for number in range(5)])
        delete(house, make_post(1, "").id, make_post(2, "").id)
        before = house.stamps.read(10).receipts
    with open_house(tmp_path) as house:
        delete(house, make_post(3, "").id)
        after = house.stamps.read(10).receipts
        assert after[1:] == before
        assert [r.seq for r in after] == [8, 7, 6]
        assert not any(r.is_erased or r.index_erased_us or r.archive_erased_us for r in after)


def test_a_kill_can_cost_a_time_and_claims_nothing(tmp_path: Path) -> None:
    dead = tmp_path / "dead"
    with open_house(tmp_path / "house") as house:
        house.archive.append([make_post(1, "unspeakable words"), make_post(2, "others")])
        house.wait_until_folded(2, timeout_s=10)
        house.index.flush()
        delete(house, make_post(1, "").id)
        shutil.copytree(tmp_path / "house", dead)
    (dead / "index").rename(tmp_path / "late")  # the kill came before the index had heard of it
    path_of(dead / "archive", "gone").unlink()
    (receipt,) = receipts_in(dead)
    assert (receipt.is_gone, receipt.gone_us, receipt.is_erased) == (False, None, False)
    (tmp_path / "late").rename(dead / "index")  # or after, and before its time was written
    with open_house(dead) as house:
        assert house.wait_until_folded(3, timeout_s=10)
        (receipt,) = house.stamps.read(10).receipts
        assert (receipt.is_gone, receipt.is_erased) == (True, False)
        house.archive.compact(0)
        (receipt,) = house.stamps.read(10).receipts
        assert receipt.archive_erased_us is not None
        assert not receipt.is_erased, "its words may be in the index's files"


def test_accounts_and_withdrawn_consent_have_receipts_and_hiding_has_none(tmp_path: Path) -> None:
    with open_house(tmp_path) as house:
        house.archive.append(
            [
                AccountEvent(author="a", status="removed", received_us=1),
                AccountEvent(author="b", status="suspended", received_us=2),
                ConsentEvent(author="c", scope="index", allow=False, received_us=3),
                ConsentEvent(author="d", scope="prompt", allow=False, received_us=4),
            ]
        )
        house.wait_until_folded(4, timeout_s=10)
        found = house.stamps.read(10).receipts
    assert [(r.kind, r.author, r.post) for r in found] == [("refusal", "c", None), ("removal", "a", None)]


def test_what_is_late_is_overdue(tmp_path: Path) -> None:
    with open_house(tmp_path) as house:
        delete(house, "x:1")
        with open_archive(tmp_path / "archive", "r") as archive:
            late = read_ledger(archive, 0.0)
            assert (late.summary.is_overdue, late.summary.num_overdue) == (True, 1)
            # Also where the overdue one is not among those that are looked at.
            assert read_ledger(archive, 0.0, post="x:2").summary.is_overdue
            assert not read_ledger(archive, 60.0).summary.is_overdue


def test_of_many_the_newest_are_read_and_one_post_is_found(tmp_path: Path) -> None:
    with open_archive(tmp_path / "archive", flush_ms=0) as archive:
        for number in range(60):
            archive.append([make_post(n, "w") for n in range(100)])
            archive.append([Deletion(id=f"x:{number}", received_us=number)])
        assert [r.post for r in read_ledger(archive, 60, limit=3).receipts] == ["x:59", "x:58", "x:57"]
        assert [r.seq for r in read_ledger(archive, 60, post="x:7").receipts] == [808]
        assert len(read_ledger(archive, 60, since_us=50).receipts) == 10
        assert len(read_ledger(archive, 60).receipts) == 60


def test_the_api_tells_receipts_retractions_and_metrics(tmp_path: Path) -> None:
    with open_house(tmp_path) as house:
        app = create_app(house, archive=house.archive.directory, stamps=house.stamps)
        with serve_in_thread(app) as url, httpx2.Client(base_url=url, trust_env=False) as client:
            assert client.get("/api/deletions").json()["receipts"] == []
            house.archive.append(flood())
            house.wait_until_folded(house.archive.last_seq, timeout_s=10)
            question = {"q": "Where is the school gym open?", "clock": str(flood()[-1].received_us)}
            with open_stream(url, "/api/ask", **question) as stream:
                sentences = [data["sentence"] for name, data in stream.until("done") if name == "sentence"]
                cited = sentences[0]["citations"][0]
                delete(house, cited["post"])
                stream.next("retraction")
                _wait(lambda: client.get("/api/deletions").json()["receipts"][0]["num_retracted"] > 0)
            told = client.get("/api/deletions", params={"post": cited["post"]})
            (receipt,) = told.json()["receipts"]
            assert receipt["gone_us"] <= receipt["retracted_us"]
            assert cited["quote"] not in told.text
            scraped = client.get("/metrics").text
            assert 'hubbub_deletion_seconds_bucket{le="+Inf"} 1.0' in scraped
            assert "hubbub_deletion_oldest_unerased_seconds" in scraped
            assert client.get("/api/deletions", params={"since": "yesterday"}).status_code == 400
            assert client.get("/api/deletions", params={"limit": "1001"}).json()["error"]["param"] == "limit"


def test_a_removed_account_s_receipt_counts_what_was_taken_back(tmp_path: Path) -> None:
    with open_house(tmp_path) as house:
        removed = AccountEvent(author="a", status="removed", received_us=5)
        house.archive.append([removed])
        house.wait_until_folded(1, timeout_s=10)
        house.stamps.note_retracted([removed], [("x:1", "a"), ("x:2", "a"), ("x:3", "b")])
        (receipt,) = house.stamps.read(10).receipts
        assert receipt.num_retracted == 2


def _wait(is_so: Callable[[], bool], timeout_s: float = 20) -> None:
    end_s = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < end_s, "waited in vain"
        time.sleep(0.02)
