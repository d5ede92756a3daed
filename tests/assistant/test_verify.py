import msgspec
import pytest

from hubbub.assistant.draft import Draft
from hubbub.assistant.evidence import Evidence
from hubbub.assistant.verify import failure
from hubbub.assistant.voices import collapse
from tests.assistant.world import post

SOURCE = post(
    "Mayor Ammerling said 112 people were evacuated from Weir Lane, and nobody is missing.", "courier"
)
CALM = post(
    "The dam at Hollin holds after the storm of Saturday, engineers of the waterworks report.", "works"
)


def evidence(source) -> Evidence:
    (voice,) = collapse([source], [1.0])
    return Evidence(
        post=source, voice=voice, start=0, end=len(source.text), quality=1.0, relevance=1.0, terms=frozenset()
    )


def check(claim: str, *sources) -> str | None:
    sources = sources or (SOURCE,)
    draft = Draft(text=claim, kind="story", evidence=tuple(map(evidence, sources)), claim=claim)
    return failure(draft, {source.id: source for source in sources}, "en")


@pytest.mark.parametrize(
    "claim",
    [
        "112 people were evacuated from Weir Lane and nobody is missing, Mayor Ammerling said.",
        "Nobody is missing, said Ammerling.",
        "Mayor Ammerling said that \u201cnobody is missing\u201d.",
    ],
)
def test_what_the_evidence_says_passes(claim):
    assert check(claim) is None


@pytest.mark.parametrize(
    ("claim", "reason"),
    [
        ("120 people were evacuated from Weir Lane and nobody is missing.", "number"),
        ("112 hamsters danced while nobody is missing in Weir Lane, people said.", "number"),
        ("112 people were evacuated from Tanner Row and nobody is missing.", "name"),
        ("Mayor Miller said that nobody is missing in Weir Lane.", "name"),
        ("Obama said that nobody is missing in Weir Lane.", "name"),
        ("112 people were evacuated from Weir Lane.", "negation"),
        ("Ammerling said \u201cnobody will ever be missing\u201d in Weir Lane.", "quoted"),
        ("Nobody knows whether aliens built secret tunnels below.", "unsupported"),
        ("Nobody is missing, see https://evil.example/x", "markup"),
        ("Nobody is missing, see evil.example.com now", "markup"),
        ("Nobody is missing [1](evil)", "markup"),
        ("Nobody is missing ![x](y)", "markup"),
        ("<b>Nobody</b> is missing", "markup"),
        ("**Nobody** is missing", "markup"),
        ("Nobody is missing, says at://did:plc:x/post/1", "markup"),
        ("Nobody is missing &#60;script", "markup"),
    ],
)
def test_what_the_evidence_does_not_say_is_dropped_with_its_reason(claim, reason):
    assert check(claim) == reason


def test_a_negation_of_one_source_does_not_excuse_its_loss_in_another():
    assert check("The dam at Hollin does not hold after the storm, engineers report.", CALM) == "negation"


def test_a_sentence_without_evidence_never_passes():
    assert failure(Draft(text="x", kind="story"), {}, "en") == "no_evidence"


def test_a_post_that_is_gone_or_reads_otherwise_fails_the_sentence():
    draft = Draft(text="x", kind="story", evidence=(evidence(SOURCE),))
    assert failure(draft, {}, "en") == "gone"
    edited = msgspec.structs.replace(SOURCE, text="x" + SOURCE.text)
    assert failure(draft, {SOURCE.id: edited}, "en") == "changed"


def test_a_note_claims_nothing_and_needs_no_evidence():
    assert failure(Draft(text="Nothing was found.", kind="note"), {}, "en") is None
