"""What became of an account: what it may no longer show, decided by sequence numbers; pure."""

from __future__ import annotations

import msgspec

from hubbub.posts import AccountEvent, ConsentEvent

NEVER = 0  # archives number events from 1


class AuthorState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The last event of each kind for one author; merging is by maximum, so replays change nothing."""

    changed: int = NEVER
    removed: int = NEVER
    hidden: int = NEVER
    """Last suspended or protected."""
    restored: int = NEVER
    refused: dict[str, int] = {}
    """Consent refused, by scope."""
    allowed: dict[str, int] = {}
    """Consent given, or a refusal withdrawn, by scope."""
    granted: int = NEVER
    """Corpus expressly allowed: silence is a refusal there."""
    is_banned: bool = False
    """The operator lists this author among those never shown."""
    erased_before: int = NEVER
    """Posts with lower numbers were erased and never come back."""

    @property
    def is_blocked(self) -> bool:
        """Whether no post of this author is indexed."""
        return self.removed > self.restored or self._refuses("index")

    @property
    def is_hidden(self) -> bool:
        """Whether this author's posts are neither found nor fetched."""
        return self.is_banned or self.hidden > self.restored or self._refuses("show")

    @property
    def is_unpromptable(self) -> bool:
        """Whether this author's posts stay out of prompts."""
        return self._refuses("prompt")

    @property
    def is_collectable(self) -> bool:
        """Whether this author has expressly allowed their posts in a corpus."""
        return self.granted > self.refused.get("corpus", NEVER)

    @property
    def is_restricted(self) -> bool:
        """Whether anything at all is held back now."""
        return self.is_blocked or self.is_hidden or self.is_unpromptable

    def accepts(self, seq: int) -> bool:
        """Tell whether a post that arrived as event `seq` may be indexed."""
        return not self.is_blocked and seq >= self.erased_before

    def after(self, seq: int, event: AccountEvent | ConsentEvent) -> AuthorState:
        """Return the state after one event."""
        state = msgspec.structs.replace(self, changed=max(self.changed, seq))
        if isinstance(event, ConsentEvent):
            return state._after_consent(seq, event)
        if event.status == "restored":
            erased = max(state.erased_before, seq) if state.removed > state.restored else state.erased_before
            return msgspec.structs.replace(state, restored=max(state.restored, seq), erased_before=erased)
        if event.status == "removed":
            return msgspec.structs.replace(
                state, removed=max(state.removed, seq), erased_before=max(state.erased_before, seq)
            )
        return msgspec.structs.replace(state, hidden=max(state.hidden, seq))

    def _after_consent(self, seq: int, event: ConsentEvent) -> AuthorState:
        scope = event.scope
        if event.allow is False or (scope == "corpus" and not event.allow):
            refused = {**self.refused, scope: max(self.refused.get(scope, NEVER), seq)}
            erased = max(self.erased_before, seq) if scope == "index" else self.erased_before
            return msgspec.structs.replace(self, refused=refused, erased_before=erased)
        if scope == "corpus":
            return msgspec.structs.replace(self, granted=max(self.granted, seq))
        allowed = {**self.allowed, scope: max(self.allowed.get(scope, NEVER), seq)}
        erased = self.erased_before
        if scope == "index" and self._refuses("index"):
            erased = max(erased, seq)
        return msgspec.structs.replace(self, allowed=allowed, erased_before=erased)

    def _refuses(self, scope: str) -> bool:
        return self.refused.get(scope, NEVER) > self.allowed.get(scope, NEVER)
