"""Invented events for the tests of the stream room, and hypothesis strategies for any event at all."""

from __future__ import annotations

from hypothesis import strategies as st

from hubbub.posts import AccountEvent, ConsentEvent, Deletion, Edit, Event, Post


def post(number: int, text: str | None = None, author: str | None = None) -> Post:
    return Post(
        id=f"test://post/{number}",
        author=author or f"test://author/{number % 7}",
        text=f"words of post {number}: the ferry is late" if text is None else text,
        received_us=1_700_000_000_000_000 + number,
        handle=f"name{number % 7}",
        hashtags=("ferry",),
        url=f"https://example.org/{number}",
    )


def posts(first: int, last: int) -> list[Event]:
    return [post(number) for number in range(first, last + 1)]


# Everything UTF-8 can hold; lone surrogates are for the decoders to clean.
texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=60)
times = st.integers(0, 2**60)
optional = st.none() | texts
tuples = st.lists(texts, max_size=3).map(tuple)

any_post = st.builds(
    Post,
    id=texts,
    author=texts,
    text=texts,
    received_us=times,
    claimed_us=st.none() | times,
    handle=optional,
    name=optional,
    langs=tuples,
    reply_to=optional,
    root=optional,
    quote_of=optional,
    repost_of=optional,
    links=tuples,
    hashtags=tuples,
    mentions=tuples,
    visibility=st.sampled_from(["public", "unlisted", "followers", "direct"]),
    is_bot=st.booleans(),
    media=tuples,
    url=optional,
)
any_event = st.one_of(
    any_post,
    st.builds(Edit, post=any_post, replaces=texts),
    st.builds(Deletion, id=texts, received_us=times, author=optional, reason=texts),
    st.builds(
        AccountEvent,
        author=texts,
        status=st.sampled_from(["removed", "suspended", "protected", "restored"]),
        received_us=times,
    ),
    st.builds(
        ConsentEvent,
        author=texts,
        scope=st.sampled_from(["index", "show", "prompt", "corpus"]),
        allow=st.sampled_from([True, False, None]),
        received_us=times,
    ),
)
