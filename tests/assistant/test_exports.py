import hubbub.assistant


def test_the_public_names_are_these():
    assert sorted(hubbub.assistant.__all__) == [
        "Answer",
        "AnswerEvent",
        "ChatModel",
        "Citation",
        "Done",
        "Found",
        "Report",
        "Retraction",
        "Sentence",
        "Shown",
        "answer",
        "ask",
        "open_model",
        "render",
        "still_alive",
    ]
    assert all(hasattr(hubbub.assistant, name) for name in hubbub.assistant.__all__)
