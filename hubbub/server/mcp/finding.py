"""`search`, `fetch`, `thread` and `trends`: posts as they stand, and only those that a model may be given."""

from __future__ import annotations

from hubbub.assistant.display import inert
from hubbub.posts import Post
from hubbub.server.addresses import candidate_ids
from hubbub.server.desk import Desk, check_length
from hubbub.server.lookup import DEFAULT_HITS, MAX_ID_CHARS, find_hits, find_post
from hubbub.server.mcp.shapes import (
    Document,
    FetchArguments,
    PostArguments,
    Results,
    Rising,
    SearchArguments,
    ThreadShown,
    Trends,
    TrendsArguments,
)
from hubbub.server.mcp.views import show_document, show_post, show_quote, show_reply, show_result
from hubbub.server.thread import read_thread
from hubbub.units import format_time
from hubbub.web.wire import Refusal

MAX_TRENDS = 10


async def search(desk: Desk, given: SearchArguments) -> Results:
    """Search.

    Raises:
        Refusal: the query is too long or cannot be read.
    """
    text = check_text(given.query, "query", desk.limits.max_question_chars)
    hits = await find_hits(desk, text, DEFAULT_HITS, None, desk.house.now_us(), for_prompt=True)
    return Results(results=[show_result(hit.post) for hit in hits])


async def fetch(desk: Desk, given: FetchArguments) -> Document:
    """Give one living post.

    Raises:
        Refusal: it is deleted, hidden, refused to models or unknown.
    """
    return show_document(await find_named(desk, given.id, "id"))


async def thread(desk: Desk, given: PostArguments) -> ThreadShown:
    """Give a post, those above it and the replies below it.

    Raises:
        Refusal: it is deleted, hidden, refused to models or unknown.
    """
    post = await find_named(desk, given.url_or_id, "url_or_id")
    found = await desk.look_up(read_thread, desk.house.index, post, True)
    if found is None:
        raise Refusal(410, f"post {post.id[:200]!r} was deleted", code="post_deleted")
    return ThreadShown(
        post=show_post(found.post),
        above=[show_post(above) for above in found.above],
        quoted=show_post(found.quoted) if found.quoted else None,
        num_missing=found.num_missing,
        below=[show_reply(reply) for reply in found.below],
        has_more_below=found.has_more_below or found.is_below_unsure,
    )


async def trends(desk: Desk, given: TrendsArguments) -> Trends:
    """Give what is rising.

    Raises:
        Refusal: this house keeps no trends.
    """
    if desk.trending is None:
        raise Refusal(404, "this house keeps no trends", code="not_found")
    now_us = desk.house.now_us()
    stories = await desk.look_up(desk.trending.stories, now_us, given.hours, MAX_TRENDS, None, True)
    rising = [
        Rising(
            label=inert(story.label),
            num_voices=story.num_voices,
            num_posts=story.num_posts,
            first_seen=format_time(story.first_seen_us),
            peak=format_time(story.peak_us),
            headline=show_quote(story.headline),
            more=list(story.more),
        )
        for story in stories
    ]
    return Trends(trends=rising)


async def find_named(desk: Desk, name: str, param: str) -> Post:
    """Fetch the post of an id or an address.

    Raises:
        Refusal: it is deleted, hidden, refused to models or unknown.
    """
    return await find_post(desk, candidate_ids(check_text(name, param, MAX_ID_CHARS)), for_prompt=True)


def check_text(text: str, param: str, max_chars: int) -> str:
    """Return an argument without blanks around it.

    Raises:
        Refusal: it is empty or too long.
    """
    text = check_length(text, param, max_chars)
    if not text:
        raise Refusal(400, f"{param} is empty", code="empty", param=param)
    return text
