"""Turns the HTML of a post into plain text and its links; tags, scripts and styles never survive.

The standard library's parser takes time in the square of the length of broken HTML: 20 KB could stop a stream
for minutes. Here every step is bounded (decision 062).
"""

from __future__ import annotations

import re
from collections import Counter
from html import unescape

MAX_HTML_CHARS = 400_000
"""So much of a post's HTML is read: four times the longest text that is kept."""
_MAX_TAG_CHARS = 4096
"""No longer tag is one; this bounds what a `<` without its `>` can cost."""
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9:-]*+)((?:[^<>\"']++|\"[^\"]*+\"|'[^']*+')*+)>")
_ATTRIBUTE = re.compile(
    r"(?<![^\s\"'])(href|class)\s*+=\s*+(?:\"([^\"]*+)\"|'([^']*+)'|([^\s\"'>]++))", re.IGNORECASE
)
_BREAKS = {"br": "\n", "p": "\n\n", "div": "\n", "blockquote": "\n\n", "ul": "\n", "ol": "\n", "pre": "\n\n"}
_SILENT = {"script", "style", "template", "head", "title"}
_SPACES = re.compile(r"[ \t\r\f\v\n]+")
_MANY_BREAKS = re.compile(r"\n{3,}")
_NO_CHARACTER = re.compile(r"&#[0-9]{8,};?")
"""Python refuses to read numbers of thousands of digits; no character has so high a one."""


def read_html(html: str) -> tuple[str, list[str]]:
    """Return the text, an empty line between paragraphs, and the links that are no mentions or hashtags."""
    html = html[:MAX_HTML_CHARS]
    if "<" not in html and "&" not in html:
        return html.strip(), []
    reader = _Reader()
    reader.read(html)
    text = _MANY_BREAKS.sub("\n\n", "".join(reader.parts))
    return "\n".join(line.rstrip() for line in text.split("\n")).strip(), reader.links


def _plain(text: str) -> str:
    return unescape(_NO_CHARACTER.sub("\ufffd", text)) if "&" in text else text


class _Reader:
    def __init__(self) -> None:
        self.parts: list[str] = []
        self.links: list[str] = []
        self._silent: list[str] = []
        self._num_silent: Counter[str] = Counter()
        self._num_pre = 0
        self._missing: set[str] = set()
        """Ends of comments of which there are no more."""

    def read(self, html: str) -> None:
        at = 0
        while (start := html.find("<", at)) >= 0:
            self._add(html[at:start])
            tag = _TAG.match(html, start, start + _MAX_TAG_CHARS)
            if tag:
                self._read_tag(tag[1], tag[2].lower(), tag[3])
                at = tag.end()
            else:
                at = self._pass_comment(html, start)
                self._add(html[start:at] if at == start + 1 else "")
        self._add(html[at:])

    def _pass_comment(self, html: str, start: int) -> int:
        """Return where a comment ends that begins here; right behind the `<` if none does."""
        if html[start + 1 : start + 2] not in ("!", "?", "/"):
            return start + 1
        ending = "-->" if html.startswith("<!--", start) else ">"
        end = -1 if ending in self._missing else html.find(ending, start)
        if end < 0:
            self._missing.add(ending)
            return start + 1
        return end + len(ending)

    def _read_tag(self, slash: str, tag: str, rest: str) -> None:
        if slash:
            self._end(tag)
            return
        found = {name.lower(): _plain(a or b or c) for name, a, b, c in _ATTRIBUTE.findall(rest)}
        self._start(tag, found.get("class", "").split(), found.get("href", ""))
        if rest.endswith("/"):
            self._end(tag)

    def _start(self, tag: str, classes: list[str], href: str) -> None:
        if tag == "br":
            self._emit("\n")
            return
        # Servers that know quotes repeat the address so for those that do not.
        if tag in _SILENT or self._silent or "quote-inline" in classes:
            self._silent.append(tag)
            self._num_silent[tag] += 1
            return
        self._num_pre += tag == "pre"
        self._emit("\n- " if tag == "li" else _BREAKS.get(tag, ""))
        if tag == "a" and href and not {"mention", "hashtag"}.intersection(classes):
            self.links.append(href)

    def _end(self, tag: str) -> None:
        if self._silent:
            while self._num_silent[tag]:
                last = self._silent.pop()
                self._num_silent[last] -= 1
                if last == tag:
                    break
            return
        self._num_pre -= tag == "pre" and self._num_pre > 0
        if tag != "br":
            self._emit(_BREAKS.get(tag, ""))

    def _add(self, html: str) -> None:
        if not html or self._silent:
            return
        data = _plain(html)
        if not self._num_pre:
            data = _SPACES.sub(" ", data)
            if not self.parts or self.parts[-1].endswith(("\n", " ")):
                data = data.removeprefix(" ")
        self._emit(data)

    def _emit(self, text: str) -> None:
        if text and not self._silent:
            self.parts.append(text)
