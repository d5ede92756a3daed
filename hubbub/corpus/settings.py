"""What may be chosen about a corpus; the same settings and events give the same bytes."""

from __future__ import annotations

from hashlib import blake2b

import msgspec

from hubbub.errors import InvalidInput


class CorpusSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Defaults fit posts of some twenty words; decision 101 says where each comes from."""

    languages: tuple[str, ...] = ()
    """ISO 639-1 codes to keep, `und` for those that cannot be told; empty: all."""
    blocked: tuple[str, ...] = ()
    """Authors whose posts the operator leaves out, whatever they allow."""
    min_words: int = 4
    """Shorter posts are kept in threads only."""
    max_hashtags: int = 5
    min_letters: float = 0.5
    """Share of letters among the characters that are no space, link or mention."""
    active_share: float = 0.01
    """At most this share of authors is cut down to as many posts as the next most active one has."""
    active_floor: int = 100
    """Nobody is cut down to fewer posts."""
    similarity: float = 0.5
    """Jaccard similarity of two posts' pairs of words from which the later one is a near duplicate."""
    document_chars: int = 4000
    """A thread is cut into documents of up to this many characters."""
    held_out_share: float = 0.02
    """Share of posts, the newest, that is held out for evaluation."""
    held_out_from_us: int | None = None
    """The time from which posts are held out, in place of the share."""
    evaluation: tuple[str, ...] = ()
    """Texts of evaluation sets: no post that shares eight words in a row with one is collected."""
    vocab_size: int = 8192
    tokenizer: str | None = None
    """Directory of a tokenizer to use; None: trained on the corpus."""
    shard_tokens: int = 1 << 24

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        for name in ("min_letters", "active_share", "similarity", "held_out_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise InvalidInput(
                    f"corpus settings: {name} is {getattr(self, name)!r}; it is a share, 0 to 1"
                )
        for name in ("active_floor", "document_chars", "shard_tokens"):
            if getattr(self, name) < 1:
                raise InvalidInput(f"corpus settings: {name} is {getattr(self, name)!r}; give 1 or more")

    @property
    def digest(self) -> str:
        """Name these settings in 16 hex digits, the same in every process."""
        return blake2b(msgspec.json.encode(self), digest_size=8).hexdigest()
