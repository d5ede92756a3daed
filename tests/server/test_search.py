"""`/v1/search`: paging while things change, facets, highlights, summary."""

from __future__ import annotations

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubbub.index import parse_query
from hubbub.server.highlights import Highlighter
from hubbub.units import US_PER_DAY
from tests.server.small_house import SmallHouse, make_post


def get(url: str, **params: object) -> dict:
    response = httpx2.get(f"{url}/v1/search", params=params, trust_env=False)
    assert response.status_code == 200, response.text
    return response.json()


def ids(page: dict) -> list[str]:
    return [match["post"]["id"] for match in page["data"]]


@pytest.mark.parametrize("sort", ["relevance", "time"])
def test_pages_stay_put_while_posts_arrive_and_die(house: SmallHouse, url: str, sort: str) -> None:
    many = [make_post(100 + n, f"The ferry leaves pier {n} late tonight.") for n in range(25)]
    house.add(*many)
    whole = ids(get(url, q="ferry", limit=100, sort=sort))
    assert len(whole) >= 25
    found, page = [], get(url, q="ferry", limit=7, sort=sort)
    while True:
        found += ids(page)
        house.add(make_post(500 + len(found), "The ferry is the newest topic: ferry, ferry, ferry."))
        house.delete(found[0], *found[-1:])
        if not page["has_more"]:
            break
        page = get(url, q="ferry", limit=7, sort=sort, cursor=page["next_cursor"])
    assert page["next_cursor"] is None
    assert sorted(found) == sorted(whole)
    assert sort == "relevance" or found == whole


def test_facets_count_authors_days_and_tags(url: str) -> None:
    facets = get(url, q="#flood")["facets"]
    assert facets["hashtags"][0] == {"value": "flood", "count": 3}
    assert facets["days"] == [{"value": "2026-03-14", "count": 3}]
    assert {author["value"] for author in facets["authors"]} == {"author3", "author5", "author8"}


def test_facets_stand_on_the_first_page_unless_left_out_and_on_others_if_asked_for(url: str) -> None:
    first = get(url, q="#flood", limit="1")
    assert first["num_counted"] == 3
    lean = get(url, q="#flood", limit="1", facets="false")
    assert lean["data"] == first["data"] and not {"facets", "timeline", "num_counted"} & lean.keys()
    after = {"q": "#flood", "limit": "1", "cursor": first["next_cursor"]}
    assert "facets" not in get(url, **after)
    assert get(url, **after, facets="true")["facets"] == first["facets"]


def test_facets_count_only_what_says_the_words(url: str) -> None:
    page = get(url, q="soup")
    assert page["num_counted"] == 1 < len(page["data"])
    assert page["facets"]["authors"] == [{"value": "author7", "count": 1}]


def test_highlights_are_code_points_of_what_was_asked(house: SmallHouse, url: str) -> None:
    house.add(
        make_post(60, "\U0001f30a\U0001f30a FLOODED: the #BridgeClosed sign, \u6d2a\u6c34\u6765\u4e86!")
    )
    for query, said in (
        ("flooding", "FLOODED"),
        ("#BridgeClosed", "#BridgeClosed"),
        ("\u6d2a\u6c34", "\u6d2a\u6c34"),
    ):
        (match,) = [m for m in get(url, q=query)["data"] if m["post"]["id"].endswith("/60")]
        text = match["post"]["text"]
        assert [text[h["start"] : h["end"]] for h in match["highlights"]] == [said]


@given(st.text(max_size=60), st.text(max_size=20))
def test_any_highlight_lies_in_the_text(text: str, query: str) -> None:
    ends = [0]
    for span in Highlighter(parse_query(query)).mark(make_post(1, text)):
        assert ends[-1] <= span.start < span.end <= len(text)
        ends.append(span.end)


def test_a_summary_is_an_answer_within_the_bounds(url: str) -> None:
    summary = get(url, q="dam from:author4", summary="true")["summary"]
    cited = {c["author"] for s in summary["sentences"] for c in s["citations"]}
    assert cited == {"https://town.example/@author4"}
    assert "summary" not in get(url, q="dam")


@pytest.mark.parametrize("text", ["-broken", "tulips today", '"the tulips"', "lang:de tulips", "hello"])
def test_a_summary_tells_of_what_the_search_found(house: SmallHouse, url: str, text: str) -> None:
    """Of another day, of a phrase, of one language, without a word, of no topic."""
    old_us = house.now_us() - 40 * US_PER_DAY
    house.add(
        make_post(901, "hello, the tulips of the town park are out", received_us=old_us),
        make_post(902, "hello, die Tulpen sind da, the tulips bloom", received_us=old_us + 1, langs=("de",)),
        make_post(903, "the dam is broken and so are the tulips"),
    )
    found = get(url, q=f"{text} until:1d", summary="true")
    said = [c["post"] for s in found["summary"]["sentences"] for c in s["citations"]]
    assert said and {*said} <= {*ids(found)}


@pytest.mark.parametrize(
    "params",
    [{"cursor": "nonsense"}, {"cursor": "\u00fc"}, {"limit": "0"}, {"sort": "best"}, {"q": "since:soonish"}],
)
def test_bad_parameters_are_named(url: str, params: dict) -> None:
    response = httpx2.get(f"{url}/v1/search", params={"q": "dam"} | params, trust_env=False)
    assert response.status_code == 400
    assert response.json()["error"]["param"] in params


def test_a_cursor_belongs_to_its_query(url: str) -> None:
    page = get(url, q="the", limit=1)
    if page["next_cursor"] is None:
        page = get(url, q="#flood", limit=1)
    response = httpx2.get(
        f"{url}/v1/search", params={"q": "dam", "cursor": page["next_cursor"]}, trust_env=False
    )
    assert response.json()["error"]["code"] == "invalid_cursor"


def test_a_slip_is_offered_as_posts_spell_it_on_the_first_page(house: SmallHouse, url: str) -> None:
    word = "Anneliese"
    house.add(*(make_post(200 + n, f"The ferry {word} is late again, {n} minutes.") for n in range(4)))
    assert get(url, q="Aneliese lang:en -bus")["did_you_mean"] == f"{word} lang:en -bus"
    assert get(url, q=word)["did_you_mean"] is None and get(url, q="")["did_you_mean"] is None
    first = get(url, q="Aneliese ferry", limit=1)
    assert "did_you_mean" not in get(url, q="Aneliese ferry", limit=1, cursor=first["next_cursor"])
