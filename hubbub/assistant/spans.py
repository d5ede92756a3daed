"""Cuts a post into sentence-like spans with code-point offsets; it judges none of them."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of a text, `text[start:end]`, code points, without blanks at its ends."""

    start: int
    end: int
    is_part: bool = False
    """A clause of a sentence that also stands whole in the list."""
    first_end: int | None = None
    """Where the first of two joined sentences ends; by it the span is judged."""
    is_cut: bool = False
    """The text broke off inside it, as headlines of feeds do."""


MAX_TEXT = 5_000
"""Code points of a post that are cut into spans: the opening of a long text says what it is about."""
_MAX_SPANS = 24
_MAX_QUOTATION = 280

# X's exports end posts with a second, bare link to their picture
_LINK = re.compile(r"(?:https?://|www\.|\bpic\.twitter\.com/)\S+", re.IGNORECASE)
_ABBREVIATIONS = frozenset(
    """mr mrs ms dr prof st jr sr vs etc eg e.g ie i.e u.s u.k u.n a.m p.m inc ltd co corp gen col lt sgt
    capt gov sen rep rev hon cpl cst insp supt maj lieut pres adm pvt v.a u.v.m
     approx dept est no nr str bzw z.b d.h u.a ca usw ggf inkl evtl vgl sog
    bspw mio mrd tel abs art jan feb mar apr jun jul aug sep sept oct nov dec okt dez mo di mi do fr
    sa so hbf""".split()
)
# A stop, what closes with it, then blank or the end; CJK stops need no blank.
_STOP = re.compile(
    '(?P<mark>[.!?\u2026]+)["\'\u201d\u2019\u00bb)\\]]*(?=\\s|$)|(?P<cjk>[\u3002\uff01\uff1f]+[\u300d\u300f"\u201d]*)|(?P<line>\\s*\\n\\s*)'
)
# Where a headline joins clauses: "egypt: police ...", "a | b", "a - b".
_JOINT = re.compile(
    '(?i:\\s+rt\\s*@\\w+\\s*:?\\s*)|(?<=[^\\s\\d]):\\s+(?!["\u201c\u201e\u00ab])|\\s+(?:[|\u2022\u00b7]|//|--?|\u2013|\u2014|>>?)\\s+'
)
_RUNS_ON = re.compile(r"[.!?]\s+[A-Z\u00c4\u00d6\u00dc\"\u201c\u201e]")
_JOINT_MARKS = (": ", " |", " -", "//", "\u2022", "\u00b7", "\u2013", "\u2014", " >", "rt @", "RT @", "Rt @")
# A dateline, a thread's number, a repost's mark, "copy and paste", a label, a bullet.
_OPENING = re.compile(
    "(?:\\s|[\\w .,/]{0,40}\\((?:reuters|ap|afp|dpa)\\)\\s*[-:\u2013\u2014]+"
    "|\\(?\\d{1,2}(?:/(?:\\d{1,2}|x|n)?\\)?|\\))(?=\\s)"
    '|copy\\s*(?:&|and)\\s*paste\\b|rt\\s*@[\\w.]+\\s*:?|rt\\b|["\u201c\u201d]?@[\\w.]+\\s*:'
    "|(?:breaking(?:\\s+news)?|eilmeldung|eil|update|news|video|photo|just in|exclusive|live)\\s*[:!|-]+"
    "|[-\u2013\u2014>*|\u2022:,.;!)\u2026]+)+",
    re.IGNORECASE,
)
_ENDING = re.compile(
    "(?:\\s|(?:https?://|www\\.|\\bpic\\.twitter\\.com/)\\S+|\\(?(?:via|by|from|h/t|cc)\\s+@\\w+\\)?|\\b(?:via|cont|rt)$"
    "|[(\\[](?:cont|more|via|video|photo|pics?)\\.*[)\\]]"
    "|[-\u2013\u2014>*|\u2022:;,(\\[]|\\bread more\\b|\\bmehr\\b(?=\\W*$))+$",
    re.IGNORECASE,
)
# Tags before a sentence: "#egypt #jan25 Police ...", "#egypt egyptian police ..."; one may be its subject.
_LABEL = re.compile(r"(?P<tags>(?:#\w+\s+)*#(?P<word>\w+)\s+)(?P<next>[^\W_]\w+)")
_TAGS = re.compile(r"(?:\s+(?:[#@]\w+|[\u2600-\u27bf\U0001f300-\U0001faff\ufe0f\u200d]+))+$")
# A hashtag after one of these is a word of its sentence ("nobody in #alexandria").
_DRESSING = re.compile(r"[#@]\w+|https?://\S+|[\W_]")
_NEEDS_NEXT = re.compile(
    r"\b(?:in|at|of|the|on|for|to|from|with|by|a|an|and|or|near|im|am|der|die|das|den|dem|des|von|vom"
    r"|zum|zur|mit|und|aus|bei|f\u00fcr|is|are)$",
    re.IGNORECASE,
)
_TAIL = 120
_LOOSE_ENDS = frozenset(" \t\n->*|:;,([)]")
_ENTITY_TAIL = re.compile("(?:\\.{2,}|\u2026)\\W*$")


def cut(text: str) -> list[Span]:
    """Return the sentences of a text and, after each, the clauses of it that can stand alone; at most 24."""
    text = text[:MAX_TEXT]
    shadow = _LINK.sub(lambda match: "x" * len(match[0]), text)
    found: list[Span] = []
    for start, end, inside in _whole_quotes(text, _sentences(shadow)):
        whole = _trim(text, start, end)
        if whole is None:
            continue
        found.append(whole)
        found += _clauses(text, shadow, whole)
        parts = (_trim(text, *piece) for piece in inside)
        found += [Span(start=part.start, end=part.end, is_part=True) for part in parts if part]
        if len(found) >= _MAX_SPANS:
            break
    return found[:_MAX_SPANS]


def is_last(text: str, span: Span) -> bool:
    """Tell whether nothing but tags, links and marks follows a span: a length limit may have cut it."""
    return not _DRESSING.sub("", text[span.end : span.end + MAX_TEXT])


def _sentences(shadow: str) -> Iterator[tuple[int, int]]:
    start = 0
    for match in _STOP.finditer(shadow):
        if match.lastgroup == "mark" and not _is_stop(shadow, match):
            continue
        end = match.start() if match.lastgroup == "line" else match.end()
        if end > start:
            yield start, end
        start = match.end()
    if start < len(shadow):
        yield start, len(shadow)


def _whole_quotes(
    text: str, sentences: Iterator[tuple[int, int]]
) -> Iterator[tuple[int, int, list[tuple[int, int]]]]:
    """Join the sentences of one quotation to the one that opens it, where it closes soon; and name them."""
    pieces = list(sentences)
    place = 0
    while place < len(pieces):
        start, end = pieces[place]
        step = 1
        if _is_open(text[start:end]):
            near = [other for _, other in pieces[place:] if other - start <= _MAX_QUOTATION]
            closed = [size for size, other in enumerate(near, 1) if not _is_open(text[start:other])]
            step = closed[0] if closed else 1
        yield start, pieces[place + step - 1][1], pieces[place + 1 : place + step]
        place += step


def _is_open(piece: str) -> bool:
    return piece.count('"') % 2 == 1 or piece.count("\u201e") > piece.count("\u201c") + piece.count("\u201d")


def _is_stop(shadow: str, match: re.Match[str]) -> bool:
    """Tell a full stop from an abbreviation's, an ordinal's, or dots in the middle of a sentence."""
    mark = match["mark"]
    after = shadow[match.end() :].lstrip()
    if "!" in mark or "?" in mark or not after:
        return True
    if after[0].islower() and shadow != shadow.lower():  # who writes no capitals begins sentences without
        return False
    if mark != ".":
        return True
    before = shadow[: match.start()].rsplit(None, 1)
    word = before[-1].lower().lstrip("(\"'") if before else ""
    return not (
        word in _ABBREVIATIONS or (len(word) == 1 and word.isalpha()) or (word.isdigit() and len(word) <= 2)
    )


def _clauses(text: str, shadow: str, whole: Span) -> Iterator[Span]:
    sentence = shadow[whole.start : whole.end]
    if not any(mark in sentence for mark in _JOINT_MARKS):
        return
    joints = list(_JOINT.finditer(shadow, whole.start, whole.end))
    if not joints or len(joints) > 6:
        return
    edges = [whole.start, *(edge for joint in joints for edge in joint.span()), whole.end]
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        part = _trim(text, start, end)
        # a clause that runs over a full stop is torn out of a quotation
        if part and _RUNS_ON.search(text, part.start, part.end - 1):
            continue
        if part and (part.start, part.end) != (whole.start, whole.end):
            yield Span(start=part.start, end=part.end, is_part=True, is_cut=part.is_cut)


def _trim(text: str, start: int, end: int) -> Span | None:
    """Cut the dressing off both ends: repost marks, labels, links, trailing tags."""
    opening = _OPENING.match(text, start, end)
    if opening:
        start = opening.end()
    label = _LABEL.match(text, start, end)
    if label and (
        label["tags"].count("#") > 1 or label["word"].casefold()[:4] == label["next"].casefold()[:4]
    ):
        start = label.start("next")
    is_cut = bool(_ENTITY_TAIL.search(text, max(start, end - 12), end))
    for _ in range(4):
        before = end
        tail = _tail(text, start, end)
        if _may_end_dressed(text, tail, end):
            end = tail + len(_ENDING.sub("", text[tail:end]))
            tags = _TAGS.search(text, tail, end)
            if tags and not _NEEDS_NEXT.search(text, tail, tags.start()):
                end = tags.start()
        if end == before:
            break
    return _unquoted(text, start, end, is_cut) if end > start else None


def _tail(text: str, start: int, end: int) -> int:
    """Return where the last words of a span begin; the dressing of an end is looked for only there."""
    return max(text.rfind(" ", start, max(end - _TAIL, start)), start)


def _may_end_dressed(text: str, tail: int, end: int) -> bool:
    """Tell cheaply whether a span may end in a link, a tag, a mark or "via"; patterns cost far more."""
    if end <= tail:
        return False
    last = text[tail:end].rsplit(None, 1)
    if not last or text[end - 1] in _LOOSE_ENDS or not text[end - 1].isascii():
        return True
    word = last[-1].lower()
    return (
        word[0] in "#@("
        or word.startswith(("http", "www.", "pic."))
        or word in {"via", "rt", "cont", "more", "mehr"}
    )


def _unquoted(text: str, start: int, end: int, is_cut: bool) -> Span | None:
    """Leave out one pair of quotation marks around the whole, and a lone one at an end."""
    marks = '"\u201c\u201d\u201e\u201f'
    inside = text[start:end]
    if sum(inside.count(mark) for mark in marks) <= 2:
        if inside[0] in marks and not any(mark in inside[1:-1] for mark in marks):
            start += 1
        if (
            end - start > 1
            and text[end - 1] in marks
            and not any(mark in text[start : end - 1] for mark in marks)
        ):
            end -= 1
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return Span(start=start, end=end, is_cut=is_cut) if start < end else None
