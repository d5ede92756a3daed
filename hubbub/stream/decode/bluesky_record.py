"""Bluesky's records: what a post, a profile and a declaration of intents say; events are `jetstream.py`'s."""

from __future__ import annotations

import msgspec

from hubbub.posts import AuthorId, Post, PostId, Visibility
from hubbub.stream.decode.claimed_time import read_time_us

PROFILE = "app.bsky.actor.profile"
_HIDDEN = "!no-unauthenticated"


class _Reference(msgspec.Struct):
    uri: str | None = None
    record: _Reference | None = None
    """Of a quote with pictures, the reference is one deeper."""


class _Reply(msgspec.Struct):
    parent: _Reference
    root: _Reference


class _Feature(msgspec.Struct):
    type: str = msgspec.field(name="$type", default="")
    uri: str = ""
    did: str = ""
    tag: str = ""


class _Index(msgspec.Struct, rename={"start": "byteStart", "end": "byteEnd"}):
    start: int
    end: int


class _Facet(msgspec.Struct):
    index: _Index
    features: list[_Feature] = []


class _Picture(msgspec.Struct):
    alt: str | None = None


class _External(msgspec.Struct):
    uri: str = ""
    description: str = ""


class _Embed(msgspec.Struct):
    images: list[_Picture] = []
    external: _External | None = None
    record: _Reference | None = None
    media: _Embed | None = None
    alt: str | None = None


class _Label(msgspec.Struct):
    val: str = ""


class _Labels(msgspec.Struct):
    values: list[_Label] = []


class _Plain(msgspec.Struct):
    """What a post cannot do without; the rest may be broken by a careless client and is then left out."""

    text: str = ""
    created_at: str | None = msgspec.field(name="createdAt", default=None)
    langs: list[str] | None = None


class _Record(_Plain):
    reply: _Reply | None = None
    facets: list[_Facet] | None = None
    embed: _Embed | None = None
    tags: list[str] | None = None
    labels: _Labels | None = None


class _Profile(msgspec.Struct):
    labels: _Labels | None = None


class _Intent(msgspec.Struct):
    allow: bool | None = None


_record_decoder = msgspec.json.Decoder(_Record)
_plain_decoder = msgspec.json.Decoder(_Plain)
_profile_decoder = msgspec.json.Decoder(_Profile)
_fields_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])
_intent_decoder = msgspec.json.Decoder(_Intent)


def read_post(identity: PostId, did: AuthorId, rkey: str, data: msgspec.Raw, received_us: int) -> Post:
    """Read a record of `app.bsky.feed.post`; raises msgspec.DecodeError if even its text is none."""
    try:
        record = _record_decoder.decode(data)
    except msgspec.ValidationError:
        plain = _plain_decoder.decode(data)
        record = _Record(text=plain.text, created_at=plain.created_at, langs=plain.langs)
    links, mentions, hashtags = _read_facets(record)
    media: list[str] = []
    quote_of = _read_embed(record.embed, links, media) if record.embed else None
    labels = {label.val for label in record.labels.values} if record.labels else ()
    visibility: Visibility = "followers" if _HIDDEN in labels or "!hide" in labels else "public"
    return Post(
        id=identity,
        author=did,
        text=record.text,
        received_us=received_us,
        claimed_us=read_time_us(record.created_at),
        langs=tuple(record.langs) if record.langs else (),
        reply_to=record.reply.parent.uri if record.reply else None,
        root=record.reply.root.uri if record.reply else None,
        quote_of=quote_of,
        links=tuple(dict.fromkeys(links)),
        hashtags=tuple(dict.fromkeys((*hashtags, *(record.tags or ())))),
        mentions=tuple(dict.fromkeys(mentions)),
        visibility=visibility,
        is_bot="bot" in labels,
        media=tuple(media),
        url=f"https://bsky.app/profile/{did}/post/{rkey}",
    )


def _read_facets(record: _Record) -> tuple[list[str], list[str], list[str]]:
    """Return links, mentions (the handle as written, else the DID) and hashtags."""
    links: list[str] = []
    mentions: list[str] = []
    hashtags: list[str] = []
    if not record.facets:
        return links, mentions, hashtags
    text = record.text.encode("utf-8", "replace")
    for facet in record.facets:
        for feature in facet.features:
            if feature.uri:
                links.append(feature.uri)
            elif feature.tag:
                hashtags.append(feature.tag)
            elif feature.did:
                mentions.append(_read_handle(text, facet.index) or feature.did)
    return links, mentions, hashtags


def _read_handle(text: bytes, index: _Index) -> str | None:
    """Return the handle that stands at a facet's place, which counts UTF-8 bytes; None if none does."""
    if not 0 <= index.start < index.end <= len(text):
        return None
    written = text[index.start : index.end]
    if not written.startswith(b"@") or not written.isascii() or b" " in written:
        return None
    return written[1:].decode() or None


def _read_embed(embed: _Embed, links: list[str], media: list[str]) -> PostId | None:
    """Add an embed's links and picture descriptions; return the post it quotes."""
    media += [picture.alt for picture in embed.images if picture.alt]
    if embed.alt:
        media.append(embed.alt)
    if embed.external:
        links.append(embed.external.uri)
        # Animated pictures travel as links, their description marked like this by the app.
        kind, _, description = embed.external.description.partition(": ")
        if kind.upper() == "ALT" and description:
            media.append(description)
    if embed.media:
        _read_embed(embed.media, links, media)
    if not embed.record:
        return None
    uri = embed.record.uri or (embed.record.record.uri if embed.record.record else None)
    return uri if uri and "/app.bsky.feed.post/" in uri else None


def is_hidden_from_guests(data: msgspec.Raw) -> bool:
    """Whether a profile says that logged-out readers must not see its owner's posts."""
    try:
        profile = _profile_decoder.decode(data)
    except msgspec.ValidationError:
        return False
    return profile.labels is not None and any(label.val == _HIDDEN for label in profile.labels.values)


def read_intents(data: msgspec.Raw) -> dict[str, bool | None]:
    """Read a declaration of intents: intent to allowed, refused or (None) undefined."""
    intents: dict[str, bool | None] = {}
    for name, raw in _fields_decoder.decode(data).items():
        try:
            intents[name] = _intent_decoder.decode(raw).allow
        except msgspec.ValidationError:
            intents[name] = None
    return intents
