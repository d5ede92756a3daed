"""From a question to sentences that quote living posts."""

from hubbub.assistant.answer import (
    Answer,
    AnswerEvent,
    Citation,
    Done,
    Found,
    Report,
    Retraction,
    Sentence,
    Shown,
)
from hubbub.assistant.ask import answer, ask
from hubbub.assistant.model import ChatModel, open_model
from hubbub.assistant.render import render
from hubbub.assistant.verify import still_alive

__all__ = [
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
