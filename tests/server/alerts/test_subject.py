"""One standing question by its clock: how often it may disturb, and what it remembers of the dead."""

from __future__ import annotations

import msgspec

from hubbub.server.alerts.novelty import LEVELS, Level
from hubbub.server.alerts.standing import Standing
from hubbub.server.alerts.subject import Alert, Subject
from hubbub.units import US_PER_DAY, US_PER_MINUTE
from tests.server.small_house import SmallHouse, make_post

NEWS = (
    (
        "captain",
        "The ferry captain was arrested this morning.",
        "Ferry captain arrested, police say, this morning.",
    ),
    ("tickets", "Ferry tickets cost double from Monday.", "From Monday tickets for the ferry cost double."),
    (
        "strike",
        "The ferry crew goes on strike over pay.",
        "Strike over pay: the crew of the ferry walks out.",
    ),
    (
        "whale",
        "A whale swims beside the ferry off Hollin.",
        "Off Hollin a whale is swimming beside the ferry.",
    ),
)


def watch(house: SmallHouse, level: Level = LEVELS["low"]) -> Subject:
    subject = Subject(house.index, Standing("ferry", house.now_us(), house.index), level)
    subject.learn()
    return subject


def tell(house: SmallHouse, subject: Subject, number: int, at_us: int) -> None:
    """Two voices say one of the news."""
    for n, text in enumerate(NEWS[number][1:]):
        post = make_post(100 + 10 * number + n, text, received_us=at_us)
        house.add(post)
        subject.take(post)


def test_alerts_keep_their_distance_and_none_is_lost(house: SmallHouse) -> None:
    subject, start_us = watch(house), house.now_us()
    found: dict[int, Alert] = {}
    for number in range(len(NEWS)):
        tell(house, subject, number, start_us)
    for minute in range(12):
        if alert := subject.look(start_us + minute * US_PER_MINUTE):
            found[minute] = alert
    told = " ".join(alert.sentence.text for alert in found.values()).lower()
    assert all(word in told for word, *_ in NEWS)
    gaps = [later - earlier for earlier, later in zip(found, [*found][1:], strict=False)]
    assert len(found) == len(NEWS) and gaps == sorted(gaps) and gaps[0] >= 1


def test_a_day_has_its_maximum(house: SmallHouse) -> None:
    level = msgspec.structs.replace(LEVELS["low"], a_day=1)
    subject, start_us = watch(house, level), house.now_us()
    tell(house, subject, 0, start_us)
    tell(house, subject, 1, start_us)
    assert subject.look(start_us) is not None
    assert subject.next_us == start_us + US_PER_DAY
    assert subject.look(start_us + US_PER_DAY - 1) is None


def test_what_was_told_and_died_may_be_told_again_by_others(house: SmallHouse) -> None:
    subject, at_us = watch(house), house.now_us()
    tell(house, subject, 0, at_us)
    first = subject.look(at_us)
    assert first is not None
    posts = {citation.post for citation in first.sentence.citations}
    house.delete(*posts)
    subject.forget(posts)
    assert not posts & subject.memory.posts().keys()
    for n, text in enumerate(NEWS[0][1:]):
        post = make_post(200 + n, text, received_us=at_us)
        house.add(post)
        subject.take(post)
    again = subject.look(at_us + 10 * US_PER_MINUTE)
    assert again is not None and "captain" in again.sentence.text


def test_a_post_that_died_while_it_waited_is_no_voice(house: SmallHouse) -> None:
    subject, at_us = watch(house), house.now_us()
    tell(house, subject, 0, at_us)
    house.delete(make_post(100, "").id)
    assert subject.look(at_us) is None


def test_a_handle_that_is_none_is_not_told(house: SmallHouse) -> None:
    level = msgspec.structs.replace(LEVELS["low"], min_voices=1)
    subject, at_us = watch(house, level), house.now_us()
    post = make_post(300, NEWS[0][1], received_us=at_us, handle="free at www.town.example [x](http://y)")
    house.add(post)
    subject.take(post)
    alert = subject.look(at_us)
    assert alert is not None and "town.example" not in alert.sentence.text
