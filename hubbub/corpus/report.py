"""The page of a corpus: its pictures, each with a finding and a table, and samples; it counts nothing."""

from __future__ import annotations

from hubbub import drawing
from hubbub.corpus.manifest import About, Manifest
from hubbub.corpus.statistics import CorpusStats
from hubbub.drawing import Axis, Bar, Line, linear_axis, short
from hubbub.report import Fact, Picture, Report
from hubbub.units import US_PER_DAY, format_time, to_datetime

_MOST_BARS = 14
_NAMES_WIDTH = 150.0
_NOTE = (
    "Figures are of posts that lived when this was written. No deletion reaches into this page: the one "
    "in the corpus's own directory is removed by the next compaction; copies are yours to remove."
)


def report_of(manifest: Manifest, stats: CorpusStats) -> Report:
    """Return the page of a corpus."""
    about = manifest.about
    pictures = [_fates(manifest, stats), _duplicates(manifest), _languages(stats), _authors(stats)]
    pictures += [_lengths(stats), _days(stats), _deletions(manifest, stats)]
    return Report(
        title=f"Corpus {manifest.id}",
        lead=f"Posts received {format_time(manifest.first_us)} to {format_time(manifest.last_us)}, "
        f"archive read up to event {about.archive_position:,}, deletions up to {stats.deletion_mark:,}.",
        facts=(
            Fact(name="Posts", value=short(stats.num_alive), band=f"of {about.num_posts:,} in the archive"),
            Fact(name="Tokens", value=short(stats.num_tokens), band=f"vocabulary {manifest.vocab_size:,}"),
            Fact(
                name="Documents",
                value=short(manifest.num_documents),
                band=f"{manifest.num_held_out:,} held out for evaluation",
            ),
            Fact(name="Authors", value=short(stats.num_authors)),
            Fact(name="Languages", value=str(len(stats.languages))),
            Fact(name="Deleted since", value=f"{stats.num_dead:,}"),
        ),
        pictures=tuple(each for each in pictures if each),
        samples=stats.samples,
        sources=tuple(each for each in (about.consent_policy, _settings(about)) if each),
        note=_NOTE,
    )


def _settings(about: About) -> str:
    told = (f"{name} {value}" for name, value in about.settings.items() if value not in (None, [], ()))
    return ", ".join(told)


def _bars(
    title: str, finding: str, label: str, rows: list[tuple[str, int]], whole: int, note: str = ""
) -> Picture:
    """Show counts by name, largest first as they come; what does not fit is summed up."""
    shown = rows if len(rows) <= _MOST_BARS else rows[: _MOST_BARS - 1]
    rest = sum(number for _, number in rows[len(shown) :])
    drawn = [*shown, ("all others", rest)] if rest else shown
    bars = [Bar(label=name, parts=((0, number),), text=short(number)) for name, number in drawn]
    return Picture(
        title=title,
        finding=finding,
        svg=drawing.stacked_bars(bars, _axis(label, bars), left=_NAMES_WIDTH),
        header=("what", label, "share"),
        rows=tuple((name, f"{number:,}", f"{number / max(whole, 1):.1%}") for name, number in rows),
        is_lines=False,
        note=note,
    )


def _axis(label: str, bars: list[Bar]) -> Axis:
    """Leave room for what stands behind the longest bar."""
    return linear_axis(label, [0, 1.12 * max(bar.parts[0][1] for bar in bars)])


def _fates(manifest: Manifest, stats: CorpusStats) -> Picture:
    about = manifest.about
    dropped = sorted(about.dropped.items(), key=lambda each: -each[1])
    whole = max(about.num_posts, manifest.num_posts)
    finding = f"{manifest.num_posts / whole:.0%} of {whole:,} posts are in the corpus"
    if dropped:
        finding += f'; most of the others are out for "{dropped[0][0]}"'
    rows = [("in the corpus", manifest.num_posts), *dropped]
    return _bars("What became of the posts", f"{finding}.", "posts", rows, whole)


def _duplicates(manifest: Manifest) -> Picture | None:
    found = {kind: number for kind, number in manifest.about.duplicates.items() if number}
    if not found:
        return None
    copies = sum(found.values())
    rows = [("kept", manifest.num_posts), *((f"{kind} copies", number) for kind, number in found.items())]
    share = copies / (copies + manifest.num_posts)
    return _bars(
        "Copies",
        f"{share:.1%} of the posts that passed all other rules say what another one says.",
        "posts",
        rows,
        copies + manifest.num_posts,
        "Of each group of copies the first is kept.",
    )


def _languages(stats: CorpusStats) -> Picture | None:
    if not stats.languages:
        return None
    first = stats.languages[0]
    rows = [(each.lang, each.num_posts) for each in stats.languages]
    finding = (
        f'{first.num_posts / stats.num_alive:.0%} of the posts are in "{first.lang}"; '
        f"{len(rows)} languages in all."
    )
    return _bars("Languages", finding, "posts", rows, stats.num_alive, "ISO 639-1; und: cannot be told.")


def _authors(stats: CorpusStats) -> Picture | None:
    if not stats.author_shares:
        return None
    tenth = min(stats.author_shares, key=lambda each: abs(each[0] - 0.1))
    ticks = tuple((n / 4, f"{n * 25}%") for n in range(5))
    points = ((0.0, 0.0), *stats.author_shares)
    lines = [Line(name="posts", points=points), Line(name="equal", points=((0.0, 0.0), (1.0, 1.0)))]
    return Picture(
        title="Who wrote it",
        finding=f"The most active {tenth[0]:.0%} of {stats.num_authors:,} authors wrote {tenth[1]:.0%}.",
        svg=drawing.line_chart(
            lines,
            Axis(label="share of authors, the most active first", low=0, high=1, ticks=ticks),
            Axis(label="share of posts", low=0, high=1, ticks=ticks),
        ),
        header=("authors", "posts"),
        rows=tuple((f"{authors:.1%}", f"{posts:.1%}") for authors, posts in stats.author_shares),
        keys=("as it is", "if all wrote the same"),
    )


def _lengths(stats: CorpusStats) -> Picture | None:
    if not stats.lengths:
        return None
    names = [f"{each.most // 2 + 1:,} to {each.most:,}" for each in stats.lengths]
    most = max(range(len(names)), key=lambda n: stats.lengths[n].num_tokens)
    bars = [
        Bar(label=name, parts=((0, each.num_tokens),), text=short(each.num_tokens))
        for name, each in zip(names, stats.lengths, strict=True)
    ]
    return Picture(
        title="How long documents are",
        finding=f"Most tokens stand in documents of {names[most]} tokens.",
        svg=drawing.stacked_bars(bars, _axis("tokens", bars), left=_NAMES_WIDTH),
        header=("tokens", "documents", "tokens in them"),
        rows=tuple(
            (name, f"{each.num_documents:,}", f"{each.num_tokens:,}")
            for name, each in zip(names, stats.lengths, strict=True)
        ),
        is_lines=False,
    )


def _days(stats: CorpusStats) -> Picture | None:
    if not stats.days:
        return None
    known = dict(stats.days)
    first, last = stats.days[0][0], stats.days[-1][0]
    num_days = (last - first) // US_PER_DAY + 1
    step = max(1, -(-num_days // 120))  # one point for so many days, that the line can be read
    points = []
    for start in range(0, num_days, step):
        span = range(start, min(start + step, num_days))
        posts = sum(known.get(first + n * US_PER_DAY, 0) for n in span)
        points.append((float(start), posts / len(span)))
    if len(points) == 1:
        points.append((1.0, points[0][1]))
    at = sorted({round(n * (points[-1][0]) / 3) for n in range(4)})
    ticks = tuple((float(n), f"{to_datetime(first + n * US_PER_DAY):%d %b %y}") for n in at)
    busiest = max(stats.days, key=lambda each: each[1])
    return Picture(
        title="When they were received",
        finding=f"{num_days:,} days; most on {to_datetime(busiest[0]):%d %B %Y}: {busiest[1]:,} posts.",
        svg=drawing.line_chart(
            [Line(name="posts a day", points=tuple(points))],
            Axis(label="day (UTC)", low=0, high=points[-1][0], ticks=ticks),
            linear_axis("posts a day", [0, *(posts for _, posts in points)]),
        ),
        header=("day", "posts"),
        rows=tuple((f"{to_datetime(day):%Y-%m-%d}", f"{posts:,}") for day, posts in stats.days[-60:]),
        note="" if step == 1 else f"Means of {step} days.",
    )


def _deletions(manifest: Manifest, stats: CorpusStats) -> Picture | None:
    if not stats.dead:
        return None
    rows = sorted(stats.dead.items(), key=lambda each: -each[1])
    finding = f"{stats.num_dead:,} posts ({stats.num_dead / manifest.num_posts:.2%}) were taken away since."
    return _bars("Taken away since the build", finding, "posts", rows, manifest.num_posts)
