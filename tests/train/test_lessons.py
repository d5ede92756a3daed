"""Lessons as rows: the loss lies on the reply, and a lesson falls the moment one of its posts does."""

import shutil
import tempfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubbub.corpus.compaction import compact_corpus
from hubbub.corpus.deletions import note_deletions
from hubbub.corpus.reader import open_corpus
from hubbub.corpus.shards import write_shards
from hubbub.errors import Corruption, InvalidInput
from hubbub.model.tokens import Tokens
from hubbub.posts import ConsentEvent, Deletion
from hubbub.train.data import Batches
from hubbub.train.lessons import Lesson, Lessons, LessonSource, chatml, read_lessons, write_lessons
from tests.corpus.made import documents, text_of, tokenizer

NUM_POSTS = 40


def lesson(*posts, is_answerable=True):
    records = "\n".join(f'{{"n": {n}, "text": "{text_of(post)}"}}' for n, post in enumerate(posts, 1))
    reply = f'{{"sentences": [{{"evidence": [1], "text": "{text_of(posts[0])}"}}]}}'
    return Lesson(
        messages=(
            {"role": "system", "content": "Answer."},
            {"role": "user", "content": f"{records}\nQuestion: post {posts[0]}?"},
            {"role": "assistant", "content": reply if is_answerable else '{"sentences": []}'},
        ),
        posts=tuple(f"at://p/{post}" for post in posts),
        is_answerable=is_answerable,
        records=tuple(map(text_of, posts)),
    )


def made(directory, lessons, **changes):
    corpus_id = open_corpus(directory / "corpus").manifest.id
    about = Lessons(
        corpus=str(directory / "corpus"),
        corpus_id=corpus_id,
        is_brief=True,
        seed=0,
        num_lessons=0,
        num_unanswerable=0,
        sha256="",
    )
    about = msgspec.structs.replace(about, **changes)
    return write_lessons(directory / "lessons", lessons, about)


def opened(directory, **options):
    return LessonSource(
        directory / "lessons",
        open_corpus(directory / "corpus"),
        chatml(tokenizer()),
        **{"seed": 1, "batch_tokens": 400} | options,
    )


@pytest.fixture
def place(tmp_path):
    write_shards(documents(NUM_POSTS // 2), tmp_path / "corpus", tokenizer(), shard_tokens=300)
    return tmp_path


def test_the_loss_lies_on_the_reply_and_its_end_alone(place):
    made(place, [lesson(3, 5), lesson(4, is_answerable=False)])
    source = opened(place)
    told = [tokenizer().decode(row.ids[row.is_loss]) for row in source.rows]
    assert told == [lesson(3, 5).messages[2]["content"] + "<|im_end|>", '{"sentences": []}<|im_end|>']
    whole = tokenizer().decode(source.rows[1].ids)
    assert whole.startswith("<|begin|><|im_start|>system\nAnswer.<|im_end|>\n<|im_start|>user\n")
    assert whole.endswith('<|im_start|>assistant\n{"sentences": []}<|im_end|>\n')


def test_the_targets_of_a_batch_are_the_replies(place):
    made(place, [lesson(3, 5), lesson(4, 6)])
    source = opened(place, batch_tokens=2000)
    targets = [
        micro.targets for micro in Batches(source, seq=2000, micro_tokens=4000).micros(0) if micro.num_targets
    ]
    assert (
        sum(int((each >= 0).sum()) for each in targets) % sum(row.is_loss.sum() for row in source.rows) == 0
    )


def test_a_chat_reads_as_the_template_lays_it_out_for_an_answer(place):
    """What is learnt and what the assistant will ask are the same ids up to the reply."""
    row = chatml(tokenizer())(lesson(3, 5).messages)
    tokenizer().save(place)
    asked = Tokens(place).encode_chat(lesson(3, 5).messages[:2])
    assert row.ids[: len(asked)].tolist() == asked and not row.is_loss[: len(asked)].any()


def test_marks_of_turns_are_never_made_of_text(place):
    row = chatml(tokenizer())([{"role": "user", "content": "a <|im_end|> b"}])
    assert (row.ids == tokenizer().model["added_tokens"][5]["id"]).sum() == 1


EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("post"), st.integers(0, NUM_POSTS - 1)),
        st.tuples(st.just("author"), st.integers(0, 6)),
        st.just(("compact", 0)),
        st.tuples(st.just("batch"), st.integers(0, 30)),
    ),
    max_size=12,
)


@settings(max_examples=12)
@given(EVENTS)
def test_no_batch_after_a_deletion_holds_a_lesson_of_that_post(events):
    directory = Path(tempfile.mkdtemp())
    try:
        write_shards(documents(NUM_POSTS // 2), directory / "corpus", tokenizer(), shard_tokens=300)
        made(
            directory, [lesson(n, (n * 7 + 1) % NUM_POSTS, (n * 3 + 2) % NUM_POSTS) for n in range(NUM_POSTS)]
        )
        source, dead, seq = opened(directory), set(), 0
        for kind, number in events:
            seq += 1
            if kind == "post":
                note_deletions(
                    directory / "corpus", [(seq, Deletion(id=f"at://p/{number}", received_us=seq))], seq
                )
                dead.add(number)
            elif kind == "author":
                refusal = ConsentEvent(author=f"did:{number}", scope="corpus", allow=None, received_us=seq)
                note_deletions(directory / "corpus", [(seq, refusal)], seq)
                dead |= {post for post in range(NUM_POSTS) if post % 7 == number}
            elif kind == "compact":
                compact_corpus(directory / "corpus")
            else:
                for key in source.plan(number)[0].tolist():
                    hurt = any(f"at://p/{post}" in source.lessons[key].posts for post in dead)
                    assert (len(source.row(key).ids) == 0) == hurt
    finally:
        shutil.rmtree(directory)


def test_lessons_of_another_corpus_are_refused(place):
    made(place, [lesson(1)])
    write_shards(documents(9), place / "other", tokenizer())
    with pytest.raises(InvalidInput, match="make them again"):
        LessonSource(
            place / "lessons", open_corpus(place / "other"), chatml(tokenizer()), seed=0, batch_tokens=100
        )


def test_lessons_of_posts_held_out_only_measure(place):
    made(place, [lesson(1)], is_held_out=True)
    with pytest.raises(InvalidInput, match="only measure"):
        opened(place)


def test_changed_missing_and_empty_lessons_are_named(place):
    with pytest.raises(InvalidInput, match="holds no lessons"):
        read_lessons(place)
    with pytest.raises(InvalidInput, match="no post gave a lesson"):
        made(place, [])
    made(place, [lesson(1), lesson(2, is_answerable=False)])
    assert read_lessons(place / "lessons")[0].num_unanswerable == 1
    path = place / "lessons" / "lessons.ndjson"
    path.write_bytes(path.read_bytes().replace(b"Answer", b"Insist"))
    with pytest.raises(Corruption, match=r"lessons\.ndjson"):
        read_lessons(place / "lessons")


def test_lessons_that_are_too_long_are_left_out_and_counted(place):
    made(place, [lesson(1), lesson(*range(1, 12))])
    assert opened(place, seq=200).num_left_out == 1
    with pytest.raises(InvalidInput, match="make brief ones"):
        opened(place, seq=20)
