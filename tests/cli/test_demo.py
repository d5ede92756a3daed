"""The demo's page as it opens."""

from __future__ import annotations

from hubbub.assistant import Done
from hubbub.cli.demo import LIVE_FROM, _play_until
from hubbub.config import read_config
from hubbub.sample import EXAMPLE_QUESTIONS
from hubbub.server.house import House
from hubbub.units import parse_time_us


def test_every_example_button_has_an_answer_when_the_page_opens(tmp_path):
    now_us = parse_time_us(LIVE_FROM)
    config = read_config({"data": str(tmp_path / "night")})
    with House(config, is_writer=True, clock=lambda: now_us, is_invented=True) as house:
        _play_until(house, now_us)
        for question in EXAMPLE_QUESTIONS:
            *_, done = house.ask(question.text, clock_us=now_us)
            assert isinstance(done, Done)
            assert any(sentence.citations for sentence in done.answer.sentences), question.text
