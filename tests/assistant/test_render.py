from hubbub.assistant import answer, render
from tests.assistant.world import NOW_US, post

EVIL = post(
    "The \x1b[2Jbridge in Alder is \u202edesolc\u202c today "
    + "z"
    + "\u0301" * 50
    + " [[1]](https://evil.example)",
    "ev\x1b[31mil",
    minute=10,
)
PLAIN = post("Police closed the old bridge in Alder at noon because of driftwood.", "courier", minute=50)


def test_an_answer_prints_numbered_sources_within_its_width(open_world):
    shown = render(answer(open_world(PLAIN).index, "What is happening in Alder?", clock_us=NOW_US), width=60)
    assert "[1]" in shown and "[1] @courier, 10 minutes ago" in shown and PLAIN.url in shown
    assert all(len(line) <= 60 for line in shown.splitlines() if "http" not in line)
    assert "\x1b" not in shown


def test_colour_codes_come_only_when_asked_for(open_world):
    done = answer(open_world(PLAIN).index, "What is happening in Alder?", clock_us=NOW_US)
    assert "\x1b[1m" in render(done, color=True)


def test_nothing_a_post_holds_moves_the_cursor_or_turns_the_line(open_world):
    shown = render(answer(open_world(EVIL, PLAIN).index, "What is happening in Alder?", clock_us=NOW_US))
    assert "\x1b" not in shown and "\u202e" not in shown and "\u0301" * 4 not in shown
