"""How posts and sentences look to a host's model: inert, with who, when and where; nothing is looked up.

Hidden letters are the usual way to talk past a reader, so none of a stranger's pass.
"""

from __future__ import annotations

from hubbub.assistant.answer import Citation, Sentence
from hubbub.assistant.display import inert, safe_url
from hubbub.posts import Post
from hubbub.server.mcp.shapes import NOTICE, Document, Quote, Reply, Result, Said, Seen
from hubbub.trends import Headline
from hubbub.units import format_time

_MAX_TITLE = 100


def show_result(post: Post) -> Result:
    """Name a post; without a page of its own it has an empty `url`, so that no host cites it."""
    return Result(id=post.id, title=_title(post), url=safe_url(post.url) or "")


def show_document(post: Post) -> Document:
    """Show a post whole."""
    metadata = {
        "author": _author(post),
        "received": format_time(post.received_us),
        "langs": " ".join(post.langs),
        "media": inert(" / ".join(post.media)),
        "notice": NOTICE,
    }
    return Document(
        id=post.id,
        title=_title(post),
        text=inert(post.text),
        url=safe_url(post.url) or "",
        metadata={name: value for name, value in metadata.items() if value},
    )


def show_post(post: Post) -> Seen:
    """Show a post among others."""
    return Seen(
        id=post.id,
        author=_author(post),
        time=format_time(post.received_us),
        text=inert(post.text),
        url=safe_url(post.url) or "",
    )


def show_reply(post: Post) -> Reply:
    """Show a reply of a thread."""
    seen = show_post(post)
    return Reply(
        id=seen.id, author=seen.author, time=seen.time, text=seen.text, url=seen.url, to=post.reply_to or ""
    )


def show_quote(citation: Citation | Headline) -> Quote:
    """Show a passage of a post."""
    return Quote(
        id=citation.post,
        author=_author(citation),
        time=format_time(citation.time_us),
        quote=inert(citation.quote),
        url=safe_url(citation.url) or "",
    )


def show_sentence(sentence: Sentence) -> Said:
    """Show a sentence with its quotes."""
    return Said(
        text=inert(sentence.text),
        kind=sentence.kind,
        num_voices=sentence.num_voices,
        is_conflicting=sentence.is_conflicting,
        citations=[show_quote(citation) for citation in sentence.citations],
    )


def _title(post: Post) -> str:
    text = inert(post.text)
    text = text if len(text) <= _MAX_TITLE else text[:_MAX_TITLE].rstrip() + "..."
    return f"{_author(post)}, {format_time(post.received_us)}: {text}"


def _author(post: Post | Citation | Headline) -> str:
    return f"@{inert(post.handle)}" if post.handle else inert(post.name or post.author)
