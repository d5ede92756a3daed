"""The vocabulary of the stream: posts, edits, deletions, account and consent events; no I/O, no platform.

Every id is a URI that the platform itself uses (`at://did/app.bsky.feed.post/key`,
`https://host/@name/1`, `x://status/1`), so that two platforms can never collide.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

PostId: TypeAlias = str
"""URI of a post."""

AuthorId: TypeAlias = str
"""URI, DID or other stable id of an account; never a display name."""

Cursor: TypeAlias = str
"""A source's own mark of how far it was read; opaque outside the source."""

Visibility: TypeAlias = Literal["public", "unlisted", "followers", "direct"]
AccountStatus: TypeAlias = Literal["removed", "suspended", "protected", "restored", "named"]
ConsentScope: TypeAlias = Literal["index", "show", "prompt", "corpus"]


class Post(msgspec.Struct, frozen=True, kw_only=True, tag="post", tag_field="type", omit_defaults=True):
    """One post as it stood when we received it."""

    id: PostId
    author: AuthorId
    text: str
    received_us: int
    """When *we* received it: the time that ranks. Microseconds since 1970 UTC."""
    claimed_us: int | None = None
    """When its author says it was written: shown, clamped, never trusted."""
    handle: str | None = None
    """The author's readable name, without @."""
    name: str | None = None
    """The author's display name: free text, so never trusted."""
    langs: tuple[str, ...] = ()
    """Languages that the platform declared, BCP 47, most likely first; empty if it declared none."""
    reply_to: PostId | None = None
    root: PostId | None = None
    quote_of: PostId | None = None
    repost_of: PostId | None = None
    """Set on a bare repost; its text then is empty or the reposted post's."""
    links: tuple[str, ...] = ()
    hashtags: tuple[str, ...] = ()
    """Without #, as written."""
    mentions: tuple[str, ...] = ()
    """Handles or author ids, without @."""
    visibility: Visibility = "public"
    is_bot: bool = False
    media: tuple[str, ...] = ()
    """Descriptions (alt texts) of pictures and films."""
    url: str | None = None
    """Where a person can open it: http(s) only; written by the source's decoder, never by a model."""


class Edit(msgspec.Struct, frozen=True, kw_only=True, tag="edit", tag_field="type"):
    """A new version of a post; where the platform gives edits a new id, `replaces` is the old one."""

    post: Post
    replaces: PostId

    @property
    def received_us(self) -> int:
        """When we received the new version, microseconds since 1970 UTC."""
        return self.post.received_us


class Deletion(
    msgspec.Struct, frozen=True, kw_only=True, tag="deletion", tag_field="type", omit_defaults=True
):
    """A post is gone, by its author or by the platform; final for this id."""

    id: PostId
    received_us: int
    author: AuthorId | None = None
    reason: str = "deleted"


class AccountEvent(
    msgspec.Struct, frozen=True, kw_only=True, tag="account", tag_field="type", omit_defaults=True
):
    """An account changed: removed erases its posts; suspended and protected hide them until restored."""

    author: AuthorId
    status: AccountStatus
    received_us: int
    handle: str | None = None
    """With `named`: the readable name from now on, where posts do not carry it; None: it has none."""


class ConsentEvent(msgspec.Struct, frozen=True, kw_only=True, tag="consent", tag_field="type"):
    """An author allowed, refused or (None) withdrew a word on one use of all of their posts."""

    author: AuthorId
    scope: ConsentScope
    allow: bool | None
    received_us: int


Event: TypeAlias = Post | Edit | Deletion | AccountEvent | ConsentEvent
