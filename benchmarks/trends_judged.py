"""Stories that trends showed and nobody had listed, read one by one and found to be news of their day."""

from __future__ import annotations

JUDGED: dict[tuple[str, str], tuple[str, ...]] = {}
"""Leading terms by stream and day; what is not here counts as false."""
