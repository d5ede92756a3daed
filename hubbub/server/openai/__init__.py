"""The house as OpenAI's and xAI's clients know such services, under `/v1`; it verifies as ever."""

from hubbub.server.openai.responses import Threads
from hubbub.server.openai.routes import ROUTES

__all__ = ["ROUTES", "Threads"]
