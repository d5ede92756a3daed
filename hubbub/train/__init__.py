"""Trains, tunes and evaluates the model on a corpus, through failures; posts reach it as tokens only."""

import hubbub.model  # noqa: F401  (before torch: it says how threads wait)
