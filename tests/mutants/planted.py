"""Bugs to plant: each takes one promise about deletion or consent away; nothing here is ever applied here."""

from __future__ import annotations

from typing import NamedTuple

SCHEDULES = "tests/test_schedules.py::test_nothing_leaks_and_nothing_is_lost[sqlite]"
EDGE = "tests/test_schedules.py::test_nothing_leaks_and_nothing_is_lost[edge]"
CONSENT = "tests/test_consent.py"
FOLDING = "tests/index/test_folding_events.py"
REBUILDING = f"{FOLDING}::test_what_happens_during_a_rebuilding_holds_after_the_swap"
TOLD_AGAIN = f"{FOLDING}::test_what_came_while_an_author_was_removed_stays_away_when_told_again"


class Mutant(NamedTuple):
    """One bug: `was` stands once in the file and becomes `now`; one of the tests must fail."""

    name: str
    path: str
    was: str
    now: str
    tests: tuple[str, ...]


MUTANTS = (
    Mutant(
        "a delete is read as an update",
        "hubbub/stream/decode/jetstream.py",
        '{POST}/{commit.rkey}"\n    if commit.operation == "delete":\n'
        "        return (Deletion(id=identity, author=did, received_us=received_us),)",
        '{POST}/{commit.rkey}"\n    if commit.operation == "delete":\n'
        '        post = Post(id=identity, author=did, text="", received_us=received_us)\n'
        "        return (Edit(post=post, replaces=identity),)",
        ("tests/stream/decode/test_jetstream.py",),
    ),
    Mutant(
        "a deletion may be taken back by a later edit",
        "hubbub/index/fold.py",
        'self._bury(chain, Burial(seq, "deleted", successor))',
        'self._bury(chain, Burial(seq, "withdrawn", successor))',
        (SCHEDULES,),
    ),
    Mutant(
        "a deletion does not reach the new ids",
        "hubbub/index/fold.py",
        "            chain = successor\n",
        "            chain = None\n",
        (SCHEDULES,),
    ),
    Mutant(
        "no tombstone is remembered",
        "hubbub/index/index.py",
        "self._state.remember(changes.burials, changes.authors, changes.names)",
        "self._state.remember({}, changes.authors, changes.names)",
        (SCHEDULES,),
    ),
    Mutant(
        "a tombstone is not asked",
        "hubbub/index/fold.py",
        "return grave is not None and grave.bars(seq)",
        "return False",
        (SCHEDULES,),
    ),
    Mutant(
        "an edit with a new id leaves the old version",
        "hubbub/index/fold.py",
        '                self._bury(last, Burial(seq, "replaced", key))',
        "                pass",
        (SCHEDULES,),
    ),
    Mutant(
        "a restored author brings back what came while they were removed",
        "hubbub/authors.py",
        "erased = max(state.erased_before, seq) if state.removed > state.restored else state.erased_before",
        "erased = state.erased_before",
        (TOLD_AGAIN,),
    ),
    Mutant(
        "refusing the index erases nothing",
        "hubbub/index/fold.py",
        'return event.scope == "index" and event.allow is False',
        "return False",
        (CONSENT,),
    ),
    Mutant(
        "the journal is not applied at the swap",
        "hubbub/index/edge/slices.py",
        "for change in self._journal or []:",
        "for change in ():",
        (REBUILDING, EDGE),
    ),
    Mutant(
        "what was deleted is not deleted again after a kill",
        "hubbub/index/index.py",
        "        if gone:\n            self._backend.delete(gone)\n",
        "",
        (EDGE, "tests/index/test_crash.py"),
    ),
    Mutant(
        "the index says that it is further than it is",
        "hubbub/index/index.py",
        'notes = {"position": str(self._applied)}',
        'notes = {"position": str(self._applied + 1)}',
        (SCHEDULES,),
    ),
    Mutant(
        "an edited post stays in its old slice",
        "hubbub/index/edge/backend.py",
        "            for one in self._loaded()[:-1]:\n                self._delete_from(one, keys)\n",
        "",
        (REBUILDING, EDGE),
    ),
    Mutant(
        "a deletion does not wait for the slice that may hold its post",
        "hubbub/index/edge/loading.py",
        "if not self._is_done.is_set() and self._may_hold(keys):",
        "if False:",
        ("tests/index/test_merging.py",),
    ),
    Mutant(
        "a deletion reaches only the last slice",
        "hubbub/index/edge/backend.py",
        "for one in self._loaded():\n                    self._delete_from(one, asked)\n",
        "for one in self._loaded()[-1:]:\n                    self._delete_from(one, asked)\n",
        (REBUILDING, EDGE),
    ),
    Mutant(
        "consent to prompts is not asked in fetch",
        "hubbub/index/index.py",
        "if not for_prompt or self._reader.may_prompt(post.author)",
        "",
        (CONSENT,),
    ),
    Mutant(
        "silence lets posts into a corpus",
        "hubbub/authors.py",
        'if event.allow is False or (scope == "corpus" and not event.allow):',
        "if event.allow is False:",
        (CONSENT,),
    ),
    Mutant(
        "posts of X enter a corpus",
        "hubbub/consent.py",
        "return not post_id.startswith(_NEVER_COLLECTED)",
        "return True",
        (CONSENT,),
    ),
    Mutant(
        "a platform's word lifts the operator's ban",
        "hubbub/authors.py",
        "return msgspec.structs.replace(self, allowed=allowed, erased_before=erased)",
        "return msgspec.structs.replace(self, allowed=allowed, erased_before=erased, is_banned=False)",
        (CONSENT,),
    ),
    Mutant(
        "#nobot is not read",
        "hubbub/stream/decode/mastodon.py",
        ' and "nobot" not in (account.note or "").lower()',
        "",
        (CONSENT,),
    ),
    Mutant(
        "!no-unauthenticated is not read",
        "hubbub/stream/decode/jetstream.py",
        "allow = False if is_hidden else None",
        "allow = None",
        (CONSENT,),
    ),
    Mutant(
        "a retraction is not sent",
        "hubbub/server/watch.py",
        "                fallen.append(Retraction(sentence=sentence.id, post=broken[0]))\n",
        "",
        ("tests/server/test_watch.py", SCHEDULES),
    ),
    Mutant(
        "a quote outlives the deletion of the post's first id",
        "hubbub/server/feed.py",
        "return change.id == post or change.author in (None, author)",
        "return change.id == post",
        ("tests/server/test_watch.py", SCHEDULES),
    ),
    Mutant(
        "a sentence is not checked before it is shown",
        "hubbub/server/watch.py",
        "if all(_holds(citation, living) for citation in sentence.citations):",
        "if sentence:",
        ("tests/server/test_watch.py",),
    ),
    Mutant(
        "an answer does not look again at its end",
        "hubbub/assistant/ask.py",
        "            if not due:\n                return\n",
        "            return\n",
        ("tests/assistant/test_ask.py",),
    ),
    Mutant(
        "a model is given a text that was edited since",
        "hubbub/assistant/compose.py",
        "if post and post.text[item[0].start : item[0].end] == item[0].quote:",
        "if post:",
        ("tests/assistant/test_composed.py",),
    ),
    Mutant(
        "the archive keeps a version between two edits",
        "hubbub/stream/archive/erasure.py",
        "                self._replaced.add(last)\n",
        "",
        ("tests/stream/archive/test_compaction.py",),
    ),
    Mutant(
        "the archive erases what came after a return",
        "hubbub/stream/archive/erasure.py",
        "        until[author] = seq\n",
        "        pass\n",
        (SCHEDULES,),
    ),
    Mutant(
        "a cursor is kept of events that were refused",
        "hubbub/stream/archive/writer.py",
        "            after = {**self.cursors, **cursors}",
        "            after = self.cursors = {**self.cursors, **cursors}",
        ("tests/stream/archive/test_log.py", "tests/stream/archive/test_refusals.py"),
    ),
    Mutant(
        "a cursor is written apart from its events",
        "hubbub/stream/archive/writer.py",
        "            self._add_frame(events, after if is_due else cursors, has_all_cursors=is_due)\n",
        "            self._add_frame([], cursors, has_all_cursors=False)\n"
        "            self._add_frame(events, {}, has_all_cursors=False)\n",
        ("tests/stream/archive/test_log.py", "tests/stream/archive/test_refusals.py"),
    ),
    Mutant(
        "a frame says that it has all cursors, and has only its own",
        "hubbub/stream/archive/writer.py",
        "self._add_frame(events, after if is_due else cursors, has_all_cursors=is_due)",
        "self._add_frame(events, cursors, has_all_cursors=is_due)",
        ("tests/stream/archive/test_log.py",),
    ),
    Mutant(
        "an erased author takes another's edit with them",
        "hubbub/index/index.py",
        "                del owned[key]\n",
        "                pass\n",
        (FOLDING,),
    ),
    Mutant(
        "a refused edit leaves what it replaces",
        "hubbub/index/fold.py",
        "        elif not self._bars(key, seq):",
        "        elif not self._is_document(edit.post) and not self._bars(key, seq):",
        (FOLDING,),
    ),
    Mutant(
        "an id told again by another author is erased with them",
        "hubbub/index/fold.py",
        "        is_stored = key in self._stored and key not in self._changes.removed",
        "        is_stored = False",
        (FOLDING,),
    ),
)
