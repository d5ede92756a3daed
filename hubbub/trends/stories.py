"""Terms that rise in the same posts become one story; it scores nothing and reads no text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from hubbub.posts import PostId
from hubbub.trends.burst import SHARED, Burst
from hubbub.trends.held import Held, HeldPosts
from hubbub.trends.past import WINDOW_US
from hubbub.trends.sketch import count_voices
from hubbub.trends.trend import Trend

NUM_TERMS = 6
NUM_POSTS = 20
NUM_WINDOWS = 48
"""Of a trend's curve: a day."""


def gather(
    held: HeldPosts, peaks: Mapping[str, Burst], first: Mapping[str, int], at_us: int, min_voices: int
) -> list[Trend]:
    """Group rising terms, the steepest leading; `first` is where the first window of each began."""
    stories: list[list[str]] = []
    carriers: dict[str, list[Held]] = {term: [] for term in peaks}
    for post in held.between(min(first.values(), default=at_us), at_us):
        for term in peaks.keys() & post.terms:
            if post.at_us > first[term]:
                carriers[term].append(post)
    ids = {term: {post.id for post in posts} for term, posts in carriers.items()}
    living = [term for term in peaks if ids[term]]  # posts may have died since their half hour was looked at
    for term in sorted(living, key=lambda term: (-peaks[term].score, -len(term), term)):
        story = next((story for story in stories if _is_one(ids[term], ids[story[0]])), None)
        if story is None:
            stories.append([term])
        else:
            story.append(term)
    curves = {story[0]: held.past.curve(story[0], at_us, NUM_WINDOWS) for story in stories}
    told = (_tell(carriers, story, peaks[story[0]], curves[story[0]]) for story in stories)
    return [trend for trend in told if trend.num_voices >= min_voices]


def _is_one(one: set[PostId], other: set[PostId]) -> bool:
    return len(one & other) >= SHARED * min(len(one), len(other))


def _tell(carriers: Mapping[str, list[Held]], story: list[str], peak: Burst, curve: tuple[int, ...]) -> Trend:
    said = {(post.at_us, post.id): post for term in story for post in carriers[term]}
    posts = [post for _, post in sorted(said.items())]
    return Trend(
        terms=tuple(_without_parts(story)[:NUM_TERMS]),
        score=round(peak.score, 2),
        num_voices=count_voices((post.author, post.marks) for post in posts),
        num_posts=len(posts),
        first_seen_us=posts[0].at_us,
        peak_us=peak.end_us,
        curve=curve,
        posts=_most_telling(posts, story, peak),
    )


def _without_parts(story: list[str]) -> list[str]:
    """Leave out words that a pair of the same story holds: `super bowl` says `super` and `bowl`."""
    pairs = {part for term in story if " " in term for part in term.split(" ")}
    return [term for term in story if term not in pairs]


def _most_telling(posts: list[Held], story: list[str], peak: Burst) -> tuple[PostId, ...]:
    """Return posts with most of the story's terms, near the peak, one an author and text."""
    steep = Counter({term: len(story) - place for place, term in enumerate(story)})
    ordered = sorted(
        posts,
        key=lambda post: (
            not peak.end_us - WINDOW_US < post.at_us <= peak.end_us,
            -sum(steep[term] for term in post.terms),
            post.at_us,
            post.id,
        ),
    )
    seen: set[object] = set()
    chosen: list[PostId] = []
    for post in ordered:
        if post.author not in seen and post.marks not in seen:
            chosen.append(post.id)
        seen |= {post.author, post.marks}
    return tuple(chosen[:NUM_POSTS])
