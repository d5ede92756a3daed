"""What is private is masked, and what only looks like it stays."""

import pytest

from hubbub.corpus.pii import MENTION, clean_text, is_card, is_iban

MASKED = {
    "write to a.b+c@mail.example.org!": "write to <email>!",
    "jo [at] mail.example or jo(at)mail.example": "<email> or <email>",
    "call +49 30 1234 5678 now": "call <phone> now",
    "call +1 (212) 555-0123": "call <phone>",
    "0049 171 2345678, 030/1234567, 03012345678": "<phone>, <phone>, <phone>",
    "(212) 555-0123 or 212-555-0123": "<phone> or <phone>",
    "\u0660 call +44 20 7946 0958": "\u0660 call <phone>",
    "from 192.168.0.17:8080": "from <ip>:8080",
    "at 2001:db8::8a2e:370:7334": "at <ip>",
    "IBAN DE89 3704 0044 0532 0130 00.": "IBAN <iban>.",
    "GB82WEST12345698765432": "<iban>",
    "card 4111 1111 1111 1111 ok": "card <card> ok",
    "5500-0000-0000-0004": "<card>",
    "4111 1111 1111 1111 12/26 123": "<card> 12/26 123",
    "no. 12 4111111111111111 06/27": "no. 12 <card> 06/27",
    "BE68 5390 0754 7034 500 EUR": "<iban> 500 EUR",
    "be68 5390 0754 7034 from me": "<iban> from me",
    "Tel:+4930123456, Tel.: 030 1234567 / 0171 7654321": "Tel:<phone>, Tel.: <phone> / <phone>",
    "+49\u00a0176\u00a012345678 or 0176\u201112345678": "<phone> or <phone>",
    "06.12.34.56.78 or 06 12 34 56 78": "<phone> or <phone>",
    "see https://a.example/x?mail=b@c.example and www.example.org/y": "see <link> and <link>",
}
KEPT = [
    "@noor@town.example and @omar.bsky.social were there",
    "the flood of 21.11.2026, 2026-11-21 and 11/21/2026",
    "12:30:45 or 10:20:30",
    "version 1.2.3.4.5 and 300.1.2.3",
    "DE88370400440532013000 is no account",
    "4111 1111 1111 1112 is no card",
    "1,000,000 people; 3.14159265358979; 50000000 votes",
    "2,500,000-3,000,000 or $1000000000",
    "5 000 000 000 or 1 050 000 000 people",
    "order 00012345678 of v1.2.3.4 at 12:00123456",
    "dinner @ joes",
]


@pytest.mark.parametrize("text", MASKED)
def test_private_data_is_masked(text):
    assert clean_text(text) == MASKED[text]


@pytest.mark.parametrize("text", KEPT)
def test_what_only_looks_like_it_stays(text):
    assert clean_text(text) == text


def test_check_digits():
    assert is_iban("DE89 3704 0044 0532 0130 00") and not is_iban("DE98 3704 0044 0532 0130 00")
    assert not is_iban("DE\u0660\u0660 3704 0044 0532 0130 00")
    assert is_card("378282246310005") and not is_card("378282246310006") and not is_card("0000000000000000")


def test_entities_accents_and_blanks():
    assert clean_text(" A &amp; B\t\u200bcafe\u0301  x\r\n\r\n\r\n\x07y ") == "A & B caf\u00e9 x\n\ny"


def test_mentions():
    text = "@Noor, see @omar@town.example. not a@b nor /@c but (@d.bsky.social)"
    assert [found[1] for found in MENTION.finditer(text)] == ["Noor", "omar", "d.bsky.social"]
