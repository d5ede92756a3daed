"""X's API v2: posts with their includes, edits, and the compliance streams.

X renames its words from tweet to post by and by; both spellings of every field are read. A line is
`{"data": {...} or [...], "includes": {...}}`, a bare post, or a compliance event in `data`.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from hubbub.errors import InvalidEvent
from hubbub.posts import AccountEvent, Deletion, Edit, Event, Post
from hubbub.stream.decode.claimed_time import read_time_us, snowflake_time_us
from hubbub.stream.decode.outcome import EMPTY, Dropped, Outcome
from hubbub.stream.decode.x2_compliance import Countries, Withheld, read_compliance
from hubbub.stream.decode.x_ids import status_uri, status_url, unescape, unknown_user_uri, user_uri


class _Reference(msgspec.Struct):
    type: str
    id: str


class _Url(msgspec.Struct):
    unwound_url: str | None = None
    expanded_url: str | None = None
    url: str | None = None


class _Hashtag(msgspec.Struct):
    tag: str = ""


class _Mention(msgspec.Struct):
    username: str | None = None


class _Entities(msgspec.Struct):
    urls: list[_Url] = []
    hashtags: list[_Hashtag] = []
    mentions: list[_Mention] = []


class _Note(msgspec.Struct):
    """A long post; the short text beside it is cut off."""

    text: str
    entities: _Entities | None = None


class _Attachments(msgspec.Struct):
    media_keys: list[str] = []


class _Tweet(msgspec.Struct):
    id: str | None = None
    text: str | None = None
    author_id: str | None = None
    created_at: str | None = None
    lang: str | None = None
    conversation_id: str | None = None
    attachments: _Attachments | None = None
    entities: _Entities | None = None
    referenced_tweets: list[_Reference] = []
    referenced_posts: list[_Reference] = []
    edit_history_tweet_ids: list[str] = []
    edit_history_post_ids: list[str] = []
    note_tweet: _Note | None = None
    note_post: _Note | None = None
    withheld: Withheld | None = None


class _User(msgspec.Struct):
    id: str
    username: str | None = None
    name: str | None = None
    protected: bool | None = None
    withheld: Withheld | None = None


class _Media(msgspec.Struct):
    media_key: str | None = None
    alt_text: str | None = None


class _Includes(msgspec.Struct):
    users: list[_User] = []
    tweets: list[_Tweet] = []
    posts: list[_Tweet] = []
    media: list[_Media] = []


class _Line(_Tweet):
    # msgspec has no optional raw fields; these are empty where they are not there.
    data: msgspec.Raw = msgspec.Raw()
    includes: _Includes | None = None
    errors: msgspec.Raw = msgspec.Raw()
    meta: msgspec.Raw = msgspec.Raw()


_MAX_VERSIONS = 20
"""X allows five edits; each earlier version costs an event with the whole post."""

_line_decoder = msgspec.json.Decoder(_Line)
_tweet_decoder = msgspec.json.Decoder(_Tweet)
_tweets_decoder = msgspec.json.Decoder(list[_Tweet])


def decode_x2(line: bytes, received_us: int | None = None, countries: Countries = ()) -> Outcome:
    """Decode one line of API v2; without `received_us` the time of the post counts.

    `countries`: where the posts are read; what X withholds in one of them is left out and erased.

    Raises:
        InvalidEvent: the line is not JSON, or nothing that v2 sends.
    """
    try:
        found = _line_decoder.decode(line)
        if not found.data:
            return _read_bare(found, received_us, countries)
        includes = found.includes or _Includes()
        if bytes(found.data)[:1] == b"[":
            return _read_all(_tweets_decoder.decode(found.data), includes, received_us, countries)
        tweet = _tweet_decoder.decode(found.data)
        if tweet.id is None:
            return read_compliance(found.data, received_us, countries)
        return _read_all([tweet], includes, received_us, countries)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidEvent(f"not a v2 post: {error}") from None


def _read_bare(found: _Line, received_us: int | None, countries: Countries) -> Outcome:
    if found.id is not None and found.text is not None:
        return _read_all([found], _Includes(), received_us, countries)
    if found.errors:
        return Dropped("an error notice of the stream")
    if found.meta:
        return EMPTY
    raise InvalidEvent("not a v2 post: it has neither `data` nor `id` and `text`")


def _read_all(
    tweets: list[_Tweet], includes: _Includes, received_us: int | None, countries: Countries
) -> Outcome:
    """Read posts and those they carry; other objects with ids (users, lists, spaces) have no text."""
    events: list[Event] = []
    for tweet in tweets:
        if tweet.id is not None and tweet.text is not None:
            at_us = received_us if received_us is not None else _read_time(tweet) or 0
            referred = {reference.id for reference in tweet.referenced_tweets + tweet.referenced_posts}
            for carried in includes.tweets + includes.posts:
                if carried.id in referred and carried.text is not None:
                    events += _read_allowed(carried, includes, at_us, countries)
            events += _read_allowed(tweet, includes, at_us, countries)
    return events or (Dropped("not posts") if tweets else EMPTY)


def _read_time(tweet: _Tweet) -> int | None:
    claimed_us = read_time_us(tweet.created_at)
    return snowflake_time_us(tweet.id or "") if claimed_us is None else claimed_us


def _read_allowed(
    tweet: _Tweet, includes: _Includes, received_us: int, countries: Countries
) -> Iterator[Event]:
    """Yield a post with its versions; in place of one that is withheld from us the order to erase it."""
    if tweet.withheld is not None and tweet.withheld.binds(countries):
        for number in {*tweet.edit_history_tweet_ids, *tweet.edit_history_post_ids, tweet.id or ""}:
            yield Deletion(id=status_uri(number), received_us=received_us, reason="withheld")
        return
    user = _author_of(tweet, includes)
    if user and user.withheld is not None and user.withheld.binds(countries):
        yield AccountEvent(author=user_uri(user.id), status="suspended", received_us=received_us)
    yield from _read_versions(tweet, includes, received_us)


def _author_of(tweet: _Tweet, includes: _Includes) -> _User | None:
    return next((user for user in includes.users if user.id == tweet.author_id), None)


def _read_versions(tweet: _Tweet, includes: _Includes, received_us: int) -> Iterator[Event]:
    """Yield a post; or, where it has earlier versions, its replacing each of them (any may be here)."""
    post = _read_post(tweet, includes, received_us)
    chain = tweet.edit_history_tweet_ids or tweet.edit_history_post_ids
    earlier = chain[: chain.index(tweet.id)][-_MAX_VERSIONS:] if tweet.id in chain else []
    if not earlier:
        yield post
    for version in earlier:
        yield Edit(post=post, replaces=status_uri(version))


def _read_post(tweet: _Tweet, includes: _Includes, received_us: int) -> Post:
    number = tweet.id or ""
    user = _author_of(tweet, includes)
    note = tweet.note_tweet or tweet.note_post
    entities = (note and note.entities) or tweet.entities or _Entities()
    reference = {ref.type: ref.id for ref in tweet.referenced_tweets + tweet.referenced_posts}
    reposted = reference.get("retweeted") or reference.get("reposted")
    handle = user.username if user else None
    media_keys = tweet.attachments.media_keys if tweet.attachments else ()
    return Post(
        id=status_uri(number),
        author=user_uri(tweet.author_id) if tweet.author_id else unknown_user_uri(number),
        # A repost's own text is the other's, cut off.
        text="" if reposted else unescape(note.text if note else tweet.text or ""),
        received_us=received_us,
        claimed_us=_read_time(tweet),
        handle=handle,
        name=unescape(user.name) if user and user.name else None,
        langs=(tweet.lang,) if tweet.lang and tweet.lang not in ("und", "zxx") else (),
        reply_to=status_uri(reference["replied_to"]) if "replied_to" in reference else None,
        root=status_uri(tweet.conversation_id) if tweet.conversation_id not in (None, number) else None,
        quote_of=status_uri(reference["quoted"]) if "quoted" in reference else None,
        repost_of=status_uri(reposted) if reposted else None,
        links=tuple(
            link for url in entities.urls if (link := url.unwound_url or url.expanded_url or url.url)
        ),
        hashtags=tuple(hashtag.tag for hashtag in entities.hashtags if hashtag.tag),
        mentions=tuple(name for mention in entities.mentions if (name := mention.username)),
        visibility="followers" if user and user.protected else "public",
        media=tuple(
            each.alt_text for each in includes.media if each.alt_text and each.media_key in media_keys
        ),
        url=status_url(number, handle),
    )
