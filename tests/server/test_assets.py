from __future__ import annotations

import re
from importlib.resources import files

import httpx2

from hubbub.server.embed import PLACES

PAGE = [
    file for package in ("hubbub.server", "hubbub.web") for file in files(package).joinpath("page").iterdir()
]


def test_every_file_of_the_page_is_served_with_its_type(reader: httpx2.Client) -> None:
    types = {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml", "html": "text/html"}
    names = [file.name for file in PAGE]
    assert len(names) > 10
    for name in names:
        served = reader.get(PLACES.get(name, f"/page/{name}"))
        assert served.status_code == 200
        assert served.headers["content-type"].startswith(types[name.rpartition(".")[2]])


def test_an_unchanged_file_is_not_sent_again(reader: httpx2.Client) -> None:
    tag = reader.get("/page/main.js").headers["etag"]
    again = reader.get("/page/main.js", headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")


def test_the_page_names_nothing_outside_itself_and_parses_no_markup() -> None:
    for file in PAGE:
        text = file.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://(?!\$)", text), file.name
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text
        )
        assert not re.search(r"""<[^>]+\s(on\w+|style)=""", text), file.name


def test_words_and_uses_of_words_agree() -> None:
    page = files("hubbub.server").joinpath("page")
    english, german = (
        set(re.findall(r"[{,]?\s(\w+): \"", page.joinpath(f"{name}.js").read_text("utf-8")))
        for name in ("english", "german")
    )
    assert german == english
    used = set()
    for file in page.iterdir():
        text = file.read_text("utf-8")
        used |= set(re.findall(r'say\("(\w+)"', text)) | set(re.findall(r'data-word(?:-\w+)?="(\w+)"', text))
    assert used and used <= english
