from uuid import NAMESPACE_URL, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubbub.index.chunks import word_tokens
from hubbub.index.document import decode_post, encode_post, make_document, post_key
from hubbub.index.lexical import post_terms, weigh_terms
from hubbub.index.tokenize import words
from hubbub.posts import Post

FORMS = (
    "Flood, FLOOD (flood) flood! U.S. u.s AT&T 3.5 5. #Nile #nile, @mayor: soooo it's \u00c4rger \u6771\u4eac"
).split()


@given(st.text(max_size=60))
def test_a_key_is_the_uuid_of_the_uri(post_id):
    assert post_key(post_id) == uuid5(NAMESPACE_URL, post_id).hex


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=60))
def test_an_ascii_chunk_gives_the_words_that_the_tokenizer_gives(text):
    plain = [word for chunk in text.split() for word in words(chunk)]
    tokens = word_tokens(text).split()
    assert len(tokens) == len(plain)
    assert all(token == word or token[0] == "Z" for token, word in zip(tokens, plain, strict=True))


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("The FLOOD, (again)!", "the flood again"),
        ("#Bridge @mayor.example U.S. 3.5", "bridge mayor.example us 3.5"),
        ("", ""),
        ("...", ""),
    ],
)
def test_words_become_tokens_in_order(text, tokens):
    given_tokens = word_tokens(text).split()
    assert len(given_tokens) == len(tokens.split())
    for token, word in zip(given_tokens, tokens.split(), strict=True):
        assert token == word if word.isalnum() else token.startswith("Z")


@pytest.mark.parametrize("text", ["a\ud800b", "\udfff", "\ud83d\ude00 split pair", "plain"])
def test_a_lone_surrogate_becomes_one_code_point(text):
    post = Post(id="x://status/1", author="a", text=text, received_us=1)
    decoded = decode_post(encode_post(post))
    assert len(decoded.text) == len(text)
    assert "\ud800" not in decoded.text


@given(
    st.text(max_size=80) | st.lists(st.sampled_from(FORMS), max_size=9).map(" ".join),
    st.sampled_from(["en", "de", "ja", "und"]),
    st.lists(st.sampled_from(["Flood", "BridgeNews", "\u00c4rger", "1"]), max_size=3),
)
def test_a_document_weighs_the_terms_of_its_post(text, lang, tags):
    post = Post(
        id="x://status/1", author="a", handle="mayor.example", name="The Mayor", text=text, received_us=1,
        hashtags=tuple(tags), media=("a #flooded street",), links=("https://n.example/a/the-bridge-is-closed",),
    )  # fmt: skip
    ids, weights = weigh_terms(post_terms(post, lang))
    document = make_document("0" * 32, 1, post, lang, None)
    assert dict(zip(document.term_ids, document.weights, strict=True)) == pytest.approx(
        dict(zip(ids, weights, strict=True))
    )


def test_no_post_can_carry_another_authors_key():
    victim = make_document(
        "0" * 32, 1, Post(id="x://1", author="victim", text="hello", received_us=1), "en", None
    )
    key = victim.tokens.split()[0]
    copier = Post(id="x://2", author="copier", text=f"{key} #{key}", received_us=1)
    assert key not in make_document("1" * 32, 2, copier, "en", None).tokens.split()
