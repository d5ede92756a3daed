"""One thing that is rising, by ids and terms; it holds no text of a post."""

from __future__ import annotations

import msgspec

from hubbub.posts import PostId


class Trend(msgspec.Struct, frozen=True, kw_only=True):
    """Terms that rise together, and the posts that carry them."""

    terms: tuple[str, ...]
    """Folded, the steepest first; each carried by several independent living voices."""
    score: float
    """Standard deviations above the term's own past at the peak, decayed since then."""
    num_voices: int
    """Independent authors around the peak: neither one author twice, nor one text twice, nor a program."""
    num_posts: int
    first_seen_us: int
    """When the oldest of its posts was received."""
    peak_us: int
    """End of the half hour in which it rose most."""
    curve: tuple[int, ...]
    """Posts that used its first term in each of the last 48 half hours, oldest first."""
    posts: tuple[PostId, ...]
    """The most telling first."""
