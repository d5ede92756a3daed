from __future__ import annotations

import pytest

from hubbub.server.addresses import candidate_ids


@pytest.mark.parametrize(
    ("pasted", "post"),
    [
        ("https://x.com/somebody/status/42", "x://status/42"),
        ("https://twitter.com/i/status/42?s=20&t=a", "x://status/42"),
        ("http://mobile.twitter.com/some_body/status/42/photo/1", "x://status/42"),
        (
            "https://bsky.app/profile/did:plc:abc234/post/3kz?ref=a",
            "at://did:plc:abc234/app.bsky.feed.post/3kz",
        ),
        ("https://town.example/@mayor/117", "https://town.example/users/mayor/statuses/117"),
    ],
)
def test_the_address_of_a_page_names_a_post(pasted: str, post: str) -> None:
    assert candidate_ids(f" {pasted}\n") == (pasted, post)


@pytest.mark.parametrize(
    "text",
    [
        "x://status/42",
        "https://x.com.evil.example/a/status/42",
        "https://evil.example/https://x.com/a/status/42",
        "https://x.com/a/status/42abc",
        "https://bsky.app/profile/alice.example/post/3kz",
        "https://town.example/@mayor",
        "a\nhttps://x.com/a/status/42",
    ],
)
def test_anything_else_stands_for_itself_alone(text: str) -> None:
    assert candidate_ids(text) == (text,)
