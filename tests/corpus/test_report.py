import re
from xml.etree import ElementTree

import pytest

from hubbub.corpus.compaction import compact_corpus
from hubbub.corpus.deletions import note_deletions
from hubbub.corpus.manifest import About
from hubbub.corpus.reader import open_corpus
from hubbub.corpus.report import report_of
from hubbub.corpus.shards import write_shards
from hubbub.corpus.statistics import gather
from hubbub.posts import AccountEvent, Deletion
from hubbub.report import format_report, write_report
from hubbub.units import US_PER_DAY
from tests.corpus.made import document, documents, piece, text_of, tokenizer

ABOUT = About(
    archive_position=300,
    num_events=300,
    num_posts=250,
    dropped={"too short": 100, "exact duplicate": 20, "near duplicate": 10},
    duplicates={"exact": 20, "near": 10},
    consent_policy="Only who <allows> it.",
    settings={"min_words": 4},
)


def write(path, docs=None):
    write_shards(
        documents(60) if docs is None else docs, path, tokenizer(), about=lambda: ABOUT, shard_tokens=900
    )
    return open_corpus(path)


def test_figures_are_those_of_the_living(tmp_path):
    day = [
        piece(n, received_us=US_PER_DAY * (n // 3) + 5, author="did:loud" if n < 4 else f"did:{n}")
        for n in range(9)
    ]
    corpus = write(tmp_path, [document(*day[:4]), document(*day[4:8]), document(day[8])])
    found = gather(corpus)
    assert found.num_alive == 9
    assert found.days == ((0, 3), (US_PER_DAY, 3), (2 * US_PER_DAY, 3))
    assert [(each.lang, each.num_posts) for each in found.languages] == [("en", 6), ("de", 3)]
    assert sum(each.num_documents for each in found.lengths) == 3
    assert sum(each.num_tokens for each in found.lengths) == found.num_tokens == corpus.lengths.sum()
    assert found.num_authors == 6
    assert found.author_shares[0] == (1 / 6, 4 / 9)
    assert found.author_shares[-1] == (1.0, 1.0)
    events = [
        (301, Deletion(id="at://p/8", received_us=1)),
        (302, AccountEvent(author="did:loud", status="removed", received_us=1)),
    ]
    note_deletions(tmp_path, events, 302)
    for _ in range(2):
        left = gather(corpus)
        assert (left.num_alive, left.num_dead, left.num_authors) == (4, 5, 4)
        assert left.dead == {"deleted": 1, "account": 4}
        assert sum(each.num_documents for each in left.lengths) == 1
        assert left.num_tokens == len(corpus.read(1))
        compact_corpus(tmp_path)


def test_all_dead_leaves_a_page_without_figures(tmp_path):
    corpus = write(tmp_path)
    gone = [(400, AccountEvent(author=f"did:{n}", status="removed", received_us=1)) for n in range(7)]
    note_deletions(tmp_path, gone, 400)
    compact_corpus(tmp_path)
    found = gather(corpus)
    assert (found.num_alive, found.days, found.samples, found.languages) == (0, (), (), ())
    assert "120 posts (100.00%) were taken away since." in format_report(report_of(corpus.manifest, found))


def test_samples_are_living_documents_post_by_post(tmp_path):
    corpus = write(tmp_path)
    samples = gather(corpus, num_samples=200).samples
    assert len(samples) == 60
    assert f"{text_of(6)}\n{text_of(7)}" in samples
    note_deletions(tmp_path, [(301, Deletion(id="at://p/6", received_us=1))], 301)
    assert f"{text_of(7)}" in gather(corpus, num_samples=200).samples
    assert not any(text_of(6) + "\n" in each for each in gather(corpus, num_samples=200).samples)


def test_every_picture_has_a_finding_figures_and_a_drawing(tmp_path):
    corpus = write(tmp_path)
    note_deletions(tmp_path, [(301, Deletion(id="at://p/6", received_us=1))], 301)
    report = report_of(corpus.manifest, gather(corpus))
    page = format_report(report)
    svgs = re.findall(r"<svg class=\"chart\".*?</svg>", page)
    assert len(svgs) == len(report.pictures) == 7
    for svg, picture in zip(svgs, report.pictures, strict=True):
        ElementTree.fromstring(svg)
        assert picture.finding.endswith(".")
        assert all(len(row) == len(picture.header) for row in picture.rows)
        assert not re.search(r"\b(nan|inf)\b", svg)
    found = {picture.title: picture.finding for picture in report.pictures}
    assert found["What became of the posts"].startswith("48% of 250 posts are in the corpus; most")
    assert found["Copies"].startswith("20.0% of the posts")
    assert "Only who &lt;allows&gt; it." in page


def test_compaction_removes_the_page_with_samples(tmp_path):
    corpus = write(tmp_path)
    write_report(report_of(corpus.manifest, gather(corpus)), tmp_path / "report.html")
    compact_corpus(tmp_path)
    assert (tmp_path / "report.html").exists()
    note_deletions(tmp_path, [(301, Deletion(id="at://p/6", received_us=1))], 301)
    compact_corpus(tmp_path)
    assert not (tmp_path / "report.html").exists()


@pytest.mark.browser
def test_it_opens_on_a_phone_and_on_a_desk(tmp_path, chromium):
    corpus, page = write(tmp_path / "corpus"), tmp_path / "page.html"
    write_report(report_of(corpus.manifest, gather(corpus)), page)
    for width, dark in ((390, False), (1280, True)):
        chromium.open(page.as_uri(), width=width, dark=dark, is_ours=False)
        assert chromium.complaints() == []
        assert chromium.requests() == {page.as_uri()}
        assert chromium.run("return document.documentElement.scrollWidth") <= width
        assert len(chromium.all(".samples li")) == 12
        assert chromium.worst_contrast() >= 4.5
    chromium.driver.get("about:blank")
