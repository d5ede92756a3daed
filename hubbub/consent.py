"""What each signal of consent allows at five stages, as one table; pure, and no platform's format.

Decoders turn a signal into events, index and archive keep to them; `tests/test_consent.py` sends every
signal of the table through all of them. Sources: `org.user-intents.declaration` draft 0008, Bluesky's label
`!no-unauthenticated`, Mastodon's `indexable`, `noindex` and #nobot, X's compliance streams and policy.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from hubbub.posts import PostId


class Uses(msgspec.Struct, frozen=True, kw_only=True):
    """What may become of a post; as it stands, for an author who has said nothing."""

    stored: bool = True
    """Its text stays in the archive."""
    indexed: bool = True
    shown: bool = True
    prompted: bool = True
    """Put in a prompt, or quoted by an answer that a model writes."""
    collected: bool = False
    """Put in a corpus for training or for others."""


UNDEFINED = Uses()
COLLECTED = Uses(collected=True)
UNPROMPTED = Uses(prompted=False)
UNSEEN = Uses(shown=False, prompted=False)
UNINDEXED = Uses(indexed=False, shown=False, prompted=False)
ERASED = Uses(stored=False, indexed=False, shown=False, prompted=False)

SIGNALS: Mapping[str, Uses] = {
    "nothing said": UNDEFINED,
    "bluesky: generation refused": UNPROMPTED,
    "bluesky: generation allowed": UNDEFINED,
    "bluesky: generation refused, then withdrawn": UNDEFINED,
    "bluesky: data sets refused": UNDEFINED,
    "bluesky: data sets allowed": COLLECTED,
    "bluesky: data sets allowed, then withdrawn": UNDEFINED,
    "bluesky: data sets allowed, generation refused": Uses(prompted=False, collected=True),
    "bluesky: data sets allowed, account suspended": UNSEEN,
    # hubbub makes neither a public archive nor a bridge.
    "bluesky: archives and bridges refused": UNDEFINED,
    "bluesky: profile !no-unauthenticated": UNSEEN,
    "bluesky: post !no-unauthenticated": UNINDEXED,
    "label: account !no-unauthenticated": UNSEEN,
    "label: profile !no-unauthenticated": UNSEEN,
    "label: account taken down": UNSEEN,
    "label: account taken down, then not": UNDEFINED,
    "label: post taken down": ERASED,
    "label: an opinion": UNDEFINED,
    "mastodon: nothing said": UNDEFINED,
    "mastodon: indexable": UNDEFINED,
    # Who refuses the index has no text kept either.
    "mastodon: not indexable": ERASED,
    "mastodon: noindex": ERASED,
    "mastodon: #nobot": ERASED,
    "mastodon: #nobot, server without indexable": ERASED,
    "mastodon: unlisted": UNINDEXED,
    "x: nothing said": UNDEFINED,
    "x: corpus allowed": UNDEFINED,
    "x: user protected": UNSEEN,
    "x: user protected, then not": UNDEFINED,
    "x: protected when received": UNINDEXED,
    "x: user withheld everywhere": UNSEEN,
    "x: post withheld everywhere": ERASED,
    "x: post withheld in one country": UNDEFINED,
    "x: post says withheld everywhere": ERASED,
    "x: post says withheld for copyright": ERASED,
    "x: post says withheld where it is read": ERASED,
    "x: post says withheld elsewhere": UNDEFINED,
    "x: user says withheld everywhere": UNSEEN,
    "x: user deleted": ERASED,
    "operator: blocked": UNSEEN,
    "operator: blocked, then not": UNDEFINED,
}
"""What holds of a post once both it and the signal are there, whichever came first."""

_NEVER_COLLECTED = ("x://",)
"""X's developer policy forbids training on its posts, whatever their authors say."""


def may_be_collected(post_id: PostId) -> bool:
    """Tell whether the platform lets its posts into a corpus at all; their authors must still allow it."""
    return not post_id.startswith(_NEVER_COLLECTED)
