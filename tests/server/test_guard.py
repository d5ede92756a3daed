from __future__ import annotations

import httpx2
import pytest

from hubbub.errors import InvalidInput
from hubbub.server.app import create_app
from hubbub.server.embed import check_origins, frame_policy
from hubbub.server.surface import Limits
from hubbub.web.run import serve_in_thread
from tests.server.small_house import SmallHouse
from tests.server.test_lookup import error_of

EVERYWHERE = [
    "/",
    "/page/main.js",
    "/page/page.css",
    "/api/status",
    "/api/post?id=x",
    "/api/ask?q=",
    "/nothing",
]


@pytest.mark.parametrize("path", EVERYWHERE)
def test_every_response_is_hardened(reader: httpx2.Client, path: str) -> None:
    headers = reader.get(path).headers
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data:",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
        "form-action": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "server" not in headers


FORUM = "https://forum.example"


@pytest.mark.parametrize("embed", [(), (FORUM, "http://localhost:8080")])
def test_only_the_answer_can_be_framed_and_only_by_those_named(
    house: SmallHouse, embed: tuple[str, ...]
) -> None:
    with serve_in_thread(create_app(house, embed=embed)) as url:
        frame, script, page = (
            httpx2.get(url + path, headers={"Sec-Fetch-Site": "cross-site"}, trust_env=False)
            for path in ("/embed", "/widget.js", "/")
        )
        asked = httpx2.get(url + "/api/ask?q=dam", headers={"Sec-Fetch-Site": "cross-site"}, trust_env=False)
        from_there = httpx2.get(url + "/api/status", headers={"Origin": FORUM}, trust_env=False)
    policy = dict(part.split(" ", 1) for part in frame.headers["content-security-policy"].split("; "))
    host = url.removeprefix("http://")
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self'",
        "connect-src": f"{host}/api/ask {host}/api/posts",
        "base-uri": "'none'",
        "frame-ancestors": " ".join(embed) or "'none'",
        "form-action": "'none'",
        "sandbox": "allow-scripts allow-same-origin allow-popups allow-popups-to-escape-sandbox",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }
    assert "x-frame-options" not in frame.headers and "cross-origin-opener-policy" not in frame.headers
    shared = "cross-origin" if embed else "same-origin"
    assert frame.headers["cross-origin-resource-policy"] == shared
    assert script.headers["cross-origin-resource-policy"] == shared
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert page.headers["x-frame-options"] == script.headers["x-frame-options"] == "DENY"
    assert (asked.status_code, from_there.status_code) == (403, 403)


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("https://forum.example", "https://forum.example"),
        ("HTTPS://Forum.Example:8443/", "https://forum.example:8443"),
        ("http://localhost:3000", "http://localhost:3000"),
    ],
)
def test_origins_are_taken_as_browsers_write_them(given: str, taken: str) -> None:
    assert check_origins([given]) == (taken,)


@pytest.mark.parametrize(
    "text",
    [
        "*",
        "https://*.example",
        "forum.example",
        "https://forum.example/page",
        "https://a b",
        "data:x",
        "",
        "https://forum.example; script-src *",
        "https://me@forum.example",
        "https://forum.example:x",
        "'self'",
    ],
)
def test_what_is_no_origin_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="--embed"):
        check_origins([text])


@pytest.mark.parametrize("host", ["[::1]:8888", "a b", "x; script-src *"])
def test_a_host_that_fits_no_policy_stays_out_of_it(host: str) -> None:
    assert "connect-src 'self';" in frame_policy(host, ())


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example:80", "localhost.evil.example", "[::2]:1", ""]
)
def test_a_foreign_host_name_is_turned_away(reader: httpx2.Client, host: str) -> None:
    refused = reader.get("/api/status", headers={"Host": host})
    assert (refused.status_code, error_of(refused)["code"]) == (403, "foreign_host")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:9", "127.0.0.1:1", "[::1]:8888"])
def test_this_machines_own_names_are_welcome(reader: httpx2.Client, host: str) -> None:
    assert reader.get("/api/status", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:1", "http://127.0.0.1"])
def test_a_page_of_another_origin_is_turned_away(reader: httpx2.Client, origin: str) -> None:
    refused = reader.get("/api/status", headers={"Origin": origin})
    assert (refused.status_code, error_of(refused)["code"]) == (403, "foreign_origin")


def test_our_own_page_is_welcome(reader: httpx2.Client, standing_url: str) -> None:
    headers = {"Origin": standing_url, "Sec-Fetch-Site": "same-origin"}
    assert reader.get("/api/status", headers=headers).status_code == 200


def test_another_site_may_link_to_the_page_but_not_ask(reader: httpx2.Client) -> None:
    headers = {"Sec-Fetch-Site": "cross-site"}
    assert reader.get("/", headers=headers).status_code == 200
    assert reader.get("/api/ask?q=dam", headers=headers).status_code == 403


def test_a_house_for_others_answers_to_any_name(house: SmallHouse) -> None:
    with serve_in_thread(create_app(house, hosts=None)) as url:
        response = httpx2.get(url + "/api/status", headers={"Host": "house.example"}, trust_env=False)
    assert response.status_code == 200


def test_a_request_body_is_not_read(reader: httpx2.Client) -> None:
    refused = reader.request("GET", "/api/status", content=b"x" * 20_000)
    assert (refused.status_code, error_of(refused)["code"]) == (413, "body_too_large")
    endless = reader.request("GET", "/api/status", content=iter([b"x"]))
    assert endless.status_code == 413


@pytest.mark.parametrize("path", ["/mcp", "/api/ask"])
def test_a_posted_body_has_its_own_limit(house: SmallHouse, path: str) -> None:
    with serve_in_thread(create_app(house, limits=Limits(max_post_bytes=1_000))) as url:
        announced = httpx2.post(url + path, content=b"x" * 1_001, trust_env=False)
        foreign = httpx2.post(url + path, headers={"Sec-Fetch-Site": "cross-site"}, trust_env=False)
        taken = httpx2.post(url + path, content=b"x" * 1_000, trust_env=False, timeout=30)
    assert (announced.status_code, error_of(announced)["code"]) == (413, "body_too_large")
    assert (foreign.status_code, error_of(foreign)["code"]) == (403, "foreign_origin")
    assert taken.status_code not in (403, 413)
