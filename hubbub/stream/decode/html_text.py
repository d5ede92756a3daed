"""Turns the HTML of a post into plain text and its links; tags, scripts and styles never survive."""

from __future__ import annotations

import re
from html.parser import HTMLParser

_BREAKS = {"br": "\n", "p": "\n\n", "div": "\n", "blockquote": "\n\n", "ul": "\n", "ol": "\n", "pre": "\n\n"}
_SILENT = {"script", "style", "template", "head", "title"}
_SPACES = re.compile(r"[ \t\r\f\v\n]+")
_MANY_BREAKS = re.compile(r"\n{3,}")


def read_html(html: str) -> tuple[str, list[str]]:
    """Return the text, an empty line between paragraphs, and the links that are no mentions or hashtags."""
    if "<" not in html and "&" not in html:
        return html.strip(), []
    reader = _Reader()
    reader.feed(html)
    reader.close()
    text = _MANY_BREAKS.sub("\n\n", "".join(reader.parts))
    return "\n".join(line.rstrip() for line in text.split("\n")).strip(), reader.links


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.links: list[str] = []
        self._silent: list[str] = []
        self._num_pre = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "br":
            self._emit("\n")
            return
        classes = (dict(attrs).get("class") or "").split()
        # Servers that know quotes repeat the address so for those that do not.
        if tag in _SILENT or self._silent or "quote-inline" in classes:
            self._silent.append(tag)
            return
        self._num_pre += tag == "pre"
        self._emit("\n- " if tag == "li" else _BREAKS.get(tag, ""))
        href = dict(attrs).get("href")
        if tag == "a" and href and not {"mention", "hashtag"}.intersection(classes):
            self.links.append(href)

    def handle_endtag(self, tag: str) -> None:
        if self._silent:
            if tag in self._silent:
                while self._silent.pop() != tag:
                    pass
            return
        self._num_pre -= tag == "pre" and self._num_pre > 0
        if tag != "br":
            self._emit(_BREAKS.get(tag, ""))

    def handle_data(self, data: str) -> None:
        if not self._num_pre:
            data = _SPACES.sub(" ", data)
            if not self.parts or self.parts[-1].endswith(("\n", " ")):
                data = data.removeprefix(" ")
        self._emit(data)

    def _emit(self, text: str) -> None:
        if text and not self._silent:
            self.parts.append(text)
