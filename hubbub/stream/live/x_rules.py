"""The rules of X's filtered stream: those in the address are set, others with our mark are removed."""

from __future__ import annotations

from pathlib import Path

import msgspec

from hubbub.errors import InvalidInput
from hubbub.stream.live.address import Address
from hubbub.stream.live.asking import ask, decode_answer, open_client
from hubbub.stream.live.link import Refused

PATH = "/2/tweets/search/stream/rules"
TAG = "hubbub"
"""Rules that bear it are ours; those that somebody else has set are left alone."""
MAX_RULES = 1000
MAX_RULE_CHARS = 1024


class _Rule(msgspec.Struct):
    id: str
    value: str = ""
    tag: str | None = None


class _Rules(msgspec.Struct):
    data: list[_Rule] = []


class _Meta(msgspec.Struct):
    errors: list[dict[str, object]] = []


def read_rules(address: Address) -> list[str] | None:
    """Return the rules of an address, None if it names none: then those already set at X count.

    Raises:
        InvalidInput: the file cannot be read, or there are more or longer rules than X takes.
    """
    rules = [value for key, value in address.query if key == "rule"]
    if "rules" in address.options:
        try:
            text = Path(address.options["rules"]).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidInput(f"cannot read the rules in {address.options['rules']!r}: {error}") from None
        rules += [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if len(rules) > MAX_RULES or any(len(rule) > MAX_RULE_CHARS for rule in rules):
        raise InvalidInput(f"X takes {MAX_RULES} rules of {MAX_RULE_CHARS} characters each")
    return rules or None


def put_rules(origin: str, token: str, rules: list[str]) -> None:
    """Make X's rules with our mark exactly these.

    Raises:
        Refused: X does not take a rule; the message has its words.
        Disconnected: X does not answer.
    """
    with open_client(origin, token) as client:
        there = decode_answer(ask(client, PATH), _Rules).data
        ours = {rule.value: rule.id for rule in there if rule.tag == TAG}
        surplus = [number for value, number in ours.items() if value not in rules]
        missing = [rule for rule in dict.fromkeys(rules) if rule not in ours]
        if surplus:
            ask(client, PATH, body={"delete": {"ids": surplus}})
        if missing:
            rows = [{"value": rule, "tag": TAG} for rule in missing]
            errors = decode_answer(ask(client, PATH, body={"add": rows}), _Meta).errors
            if errors:
                raise Refused(f"X does not take a rule: {errors[0]}", status=400)
