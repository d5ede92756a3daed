"""Masks what a model must not learn by heart of a text: addresses, numbers, links; mentions stay for later.

Masks are `<email> <phone> <ip> <iban> <card> <link>`. IBANs and cards go by their check digits, so that other
long numbers stay; a phone number needs a plus sign, a leading zero or a grouping to be taken for one.
"""

from __future__ import annotations

import html
import ipaddress
import re
import unicodedata
from collections.abc import Callable

# The engine skips to what an expression begins with: nearly all links, then the others.
_LINK = re.compile(r"https?://\S+")
_OTHER_LINK = re.compile(r"(?:[hH][tT][tT][pP][sS]?://|[wW]{3}\.)\S+")
MENTION = re.compile(r"@(?<![\w@/.]@)(\w(?:[\w.\-]*\w)?)(?:@\w[\w.\-]*\w)?")
MASKS = ("<link>", "<email>", "<phone>", "<ip>", "<iban>", "<card>")
_EMAIL = re.compile(
    r"(?<![\w@.+%-])[\w.+%-]+(?:@|\s?[\[(]at[\])]\s?)[\w-]+(?:\.[\w-]+)*\.[a-z]{2,}\b", re.IGNORECASE
)
# What is in every match of _EMAIL with an @, and of _IP6: quick to look for.
_ADDRESS = re.compile(r"@(?<=[\w.+%-]@)[\w-]+(?:\.[\w-]+)*\.[a-z]{2}", re.IGNORECASE)
_COLONS = re.compile(r":[0-9a-fA-F]{0,4}:")
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b", re.IGNORECASE)
_CARD = re.compile(r"(?<![\d.,])\d(?:[ \u2010\u2011-]?\d){12,18}(?![\d.,]?\d)")
_IP4 = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.]*\d)")
_IP6 = re.compile(r"(?<![\w:])[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7}(?![\w:])", re.IGNORECASE)
_PHONE = re.compile(
    r"(?=[+(\d])(?<![\w.,/$#%-])(?<!\d:)(?:"
    r"(?:\+|00)[1-9]\d{0,2}(?:[ ./\u2010\u2011-]?\(?\d{1,5}\)?){2,6}"  # +49 30 1234567
    # 030 / 1234567; no part of 1 030 123 456, and the next number's area code is not a part of this one
    r"|(?<!\d )\(?0[1-9]\d{0,4}\)?(?:[ /\u2010\u2011-]{1,3}(?!0\d{2,4}[ /-])\d{2,9}){1,5}"
    r"|0[1-9]\d{7,11}"  # 03012345678
    r"|0[1-9](?:\.\d\d){4}"  # 06.12.34.56.78
    r"|(?:1[ .-])?\(?\d{3}\)?[ .-]{1,2}\d{3}[ .-]\d{4}"  # (212) 555-0123
    r")(?![\w%])"
)
_BETWEEN = re.compile(r"[ \u2010\u2011-]")
_MIN_PHONE_DIGITS, _MAX_PHONE_DIGITS = 7, 15
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u2060\ufeff]")
_BLANKS = re.compile(r"[^\S\n]{2,}|[\t\v\f\r\xa0\u2007\u202f]")
_LINES = re.compile(r"\s*\n\s*\n\s*")
_DATE = re.compile(r"\d{1,2}[ ./-]\d{1,2}[ ./-](?:19|20)\d\d|(?:19|20)\d\d[ ./-]\d{1,2}[ ./-]\d{1,2}")


def clean_text(text: str) -> str:
    """Return a text with entities, control characters and blanks in order, and its private data masked."""
    text = mask_links(tidy(text))
    return mask_persons(text, num_digits=sum(map(str.isdigit, text)))


def tidy(text: str) -> str:
    """Resolve HTML entities, compose accents, drop control characters, close up blanks and empty lines."""
    if "&" in text:
        text = html.unescape(text)
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    is_odd = not text.isprintable() and not text.replace("\n", "").isprintable()
    if is_odd:
        text = _CONTROL.sub("", text.replace("\r\n", "\n"))
    if text.count("\n") > 1:
        text = _LINES.sub("\n\n", text)
    if is_odd or "  " in text:
        text = _BLANKS.sub(" ", text)
    return text.strip()


def mask_links(text: str) -> str:
    """Mask links: they are many, name persons and documents, and cost ten tokens each."""
    if "://" in text:
        text = _LINK.sub("<link>", text)
    if "://" in text or "www." in text or "WWW." in text:
        text = _OTHER_LINK.sub("<link>", text)
    return text


def mask_persons(text: str, num_digits: int) -> str:
    """Mask private data of a text without links that has `num_digits` digits; the fewer, the faster."""
    if "@" in text and _ADDRESS.search(text) or "[at]" in text or "(at)" in text:
        text = _EMAIL.sub("<email>", text)
    if text.count(":") > 1 and _COLONS.search(text):
        text = _IP6.sub(_mask_ip, text)
    if num_digits >= 4:
        text = _mask_numbers(text, num_digits)
    return text


def _mask_numbers(text: str, num_digits: int) -> str:
    if text.count(".") >= 3:
        text = _IP4.sub(_mask_ip, text)
    if num_digits >= 10:
        text = _IBAN.sub(_mask_iban, text)
        text = _CARD.sub(_mask_card, text)
    if num_digits >= _MIN_PHONE_DIGITS:
        text = _PHONE.sub(_mask_phone, text)
    return text


def _mask_ip(found: re.Match[str]) -> str:
    try:
        address = ipaddress.ip_address(found[0])
    except ValueError:
        return found[0]
    return found[0] if address.is_unspecified else "<ip>"


def _mask_iban(found: re.Match[str]) -> str:
    return _mask_groups(found[0], is_iban, "<iban>")


def _mask_card(found: re.Match[str]) -> str:
    return _mask_groups(found[0], is_card, "<card>")


def _mask_groups(text: str, is_right: Callable[[str], bool], mask: str) -> str:
    """Mask the longest run of groups whose check digits are right: an amount or a date may stand beside."""
    cuts = [found.span() for found in _BETWEEN.finditer(text)]
    spans = [(a, b) for _, a in [(0, 0), *cuts] for b, _ in [*cuts, (len(text), 0)] if a < b]
    for start, end in sorted(spans, key=lambda span: span[0] - span[1]):
        if is_right(text[start:end]):
            return text[:start] + mask + text[end:]
    return text


def _mask_phone(found: re.Match[str]) -> str:
    num_digits = sum(map(str.isdigit, found[0]))
    is_phone = _MIN_PHONE_DIGITS <= num_digits <= _MAX_PHONE_DIGITS and not _DATE.fullmatch(found[0])
    return "<phone>" if is_phone else found[0]


def is_iban(text: str) -> bool:
    """Tell whether the check digits of an IBAN are right (ISO 7064, mod 97-10)."""
    plain = text.replace(" ", "")
    if not (15 <= len(plain) <= 34 and plain.isascii() and plain.isalnum()):
        return False
    return int("".join(str(int(char, 36)) for char in plain[4:] + plain[:4])) % 97 == 1


def is_card(text: str) -> bool:
    """Tell whether a number may be a payment card's: 13 to 19 digits from 2 to 6, right by Luhn's formula."""
    digits = [int(char) for char in text if char.isdigit()]
    if not 13 <= len(digits) <= 19 or not 2 <= digits[0] <= 6:
        return False
    doubled = (sum(divmod(2 * digit, 10)) for digit in digits[-2::-2])
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0
