"""From a tiny run to a taught, adapted, measured and described one: each step on real files."""

import json
import math
import warnings
from types import SimpleNamespace

import msgspec
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from torch.distributed.checkpoint import FileSystemReader

from hubbub.assistant.prompt import quoting_schema, schema
from hubbub.cli.main import hubbub_command
from hubbub.corpus.deletions import note_deletions
from hubbub.corpus.manifest import About
from hubbub.corpus.reader import open_corpus
from hubbub.corpus.shards import key_of, write_shards
from hubbub.corpus.tokenizer import train_tokenizer
from hubbub.errors import InvalidInput
from hubbub.model.hf import load_hf
from hubbub.model.llama import Llama
from hubbub.posts import Deletion
from hubbub.train.card import make_card
from hubbub.train.evaluate import evaluate
from hubbub.train.lessons import read_lessons, write_lessons
from hubbub.train.lineage import saw, stage, who_saw
from hubbub.train.recipe import TrainSettings
from hubbub.train.run import load_run, train
from hubbub.train.sft import lengthened, sft
from hubbub.train.weeks import Aged, check_trunk, keep_up, split
from tests.corpus.made import documents, tokenizer
from tests.train.conftest import TINY
from tests.train.test_lessons import lesson, made

SHAPE = msgspec.structs.replace(TINY, vocab=tokenizer().vocab_size)
DAY = 20 / 86_400
"""A post a second: twenty posts are a day of this world."""
ABOUT = About(consent_policy="only who allows it", dropped={"too short": 3})


def settings(place, name, **changes):
    told = {
        "corpus": str(place / "corpus"),
        "run_dir": str(place / name),
        "shape": SHAPE,
        "steps": 6,
        "batch_tokens": 600,
        "rate": 3e-3,
        "precision": "fp32",
    }
    return TrainSettings(**(told | changes))


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A corpus, a run on it, lessons of it, and what they taught."""
    place = tmp_path_factory.mktemp("world")
    write_shards(documents(60), place / "corpus", tokenizer(), about=lambda: ABOUT)
    train(settings(place, "run"))
    made(place, [lesson(n, n + 1, is_answerable=n % 4 > 0) for n in range(0, 24)])
    losses = []
    report = sft(
        place / "run",
        place / "lessons",
        place / "taught",
        epochs=4,
        rate=6e-3,
        batch_tokens=1500,
        precision="fp32",
        tell=lambda told: losses.append(getattr(told, "loss", None)),
    )
    return SimpleNamespace(place=place, report=report, losses=[each for each in losses if each])


def cli(*arguments):
    result = CliRunner().invoke(hubbub_command, [str(each) for each in arguments])
    assert result.exit_code == 0, result.output
    return result.output


def test_a_run_is_taught_in_a_longer_context_and_exported(world):
    model, shape = load_hf(world.place / "taught" / "model")
    assert shape.seq > SHAPE.seq and shape.rope_theta > SHAPE.rope_theta
    assert world.losses[-1] < 0.8 * world.losses[0]
    saved, _ = load_run(world.place / "taught")
    for name, weight in saved.state_dict().items():
        assert torch.equal(weight, model.state_dict()[name])


def test_rotations_slow_down_so_that_the_slowest_covers_the_new_length():
    longer = lengthened(SHAPE, 200)
    assert longer.seq == 256 and lengthened(SHAPE, 60) is SHAPE

    def slowest(shape):
        return shape.seq * shape.rope_theta ** -((shape.head_dim - 2) / shape.head_dim)

    assert slowest(longer) == pytest.approx(slowest(SHAPE), rel=1e-3)
    assert longer.rope_theta**-0.0 == SHAPE.rope_theta**-0.0  # the fastest stays


def test_the_card_tells_data_consent_deletions_and_descent(world):
    told = json.loads(cli("model", "card", world.place / "taught", "--json"))
    assert [part["rows"].partition(":")[0] for part in told["parts"]] == ["lessons", "documents"]
    data = told["parts"][0]["data"]
    assert data["consent_policy"] == "only who allows it" and data["left_out"] == {"too short": 3}
    assert data["num_posts"] == 108 and data["posts_by_language"] == {"en": 72, "de": 36}
    readme = (world.place / "taught" / "model" / "README.md").read_text()
    assert readme.startswith("---\nlibrary_name: transformers") and "only who allows it" in readme
    assert json.loads((world.place / "taught" / "model" / "card.json").read_text()) == told
    assert told["files"]["model.safetensors"] > 10_000


def test_the_card_of_an_unfinished_run_does_not_stand_in_its_exports_way(world, tmp_path):
    directory = tmp_path / "unfinished"
    train(settings(world.place, "", run_dir=str(directory)), model=Llama(SHAPE))
    cli("model", "card", directory)
    assert (directory / "README.md").is_file() and not (directory / "model").exists()


def test_who_saw_a_post_is_listed_and_who_came_after_its_deletion_is_not(world):
    """The run saw it, its taught child began with that; a run that began after the deletion did not."""
    note_deletions(world.place / "corpus", [(5, Deletion(id="at://p/1", received_us=1))], 5)
    train(settings(world.place, "later"))
    told = json.loads(cli("model", "card", "--saw", "at://p/1", world.place, "--json"))
    runs = {each["path"].removeprefix(f"{world.place}/").partition("/")[0] for each in told}
    assert runs == {"run", "taught"}
    assert {each["kind"] for each in told} == {"checkpoint", "export"}
    assert "later/" in str([each.path for each in who_saw("at://p/2", [world.place])])
    assert make_card(world.place / "run").parts[0].num_seen_and_deleted == 1
    assert make_card(world.place / "later").parts[0].num_seen_and_deleted == 0
    (world.place / "stray.gguf").write_bytes(b"GGUF")
    asked = ["model", "card", "--saw", "at://p/none", str(world.place)]
    output = CliRunner().invoke(hubbub_command, asked).output
    assert "none of the models" in output and "stray.gguf: no run is known" in output


def test_evaluation_is_kept_beside_the_model_and_on_its_card(world):
    told = json.loads(
        cli("train", "evaluate", world.place / "taught" / "model", world.place / "corpus", "--json")
    )
    assert all(0 < told[key] < 16 for key in told if key.startswith("bits per byte"))
    assert told["held out"].startswith("6 documents")
    assert make_card(world.place / "taught").evaluation == told
    figures = {"set": "all", "precision": 0.5, "recall": 0.25, "answer": "-"}
    rows = [figures | {"writer": "m.gguf", "half": half} for half in ("tuned on", "held out")]
    bench = world.place / "bench.json"
    bench.write_text(json.dumps(rows))
    own = json.loads(cli("train", "evaluate", world.place / "run", "--citations", bench, "--json"))
    assert own["citations, recall"] == 0.25 and "citations, answer" not in own
    bench.write_text("[]")
    with pytest.raises(InvalidInput, match="tells of no .gguf"):
        evaluate(world.place / "run", citations=bench)
    assert own["bits per byte, gzip"] == pytest.approx(told["bits per byte, gzip"])


def test_the_assistant_takes_it_for_small_and_its_reply_follows_the_schema(world):
    pytest.importorskip("xllamacpp", reason="xllamacpp is not installed (extra local-llm)")
    from hubbub.assistant.gguf import open_gguf

    cli("model", "export", world.place / "taught", world.place / "taught.gguf", "--kind", "F32")
    model = open_gguf(world.place / "taught.gguf", num_threads=1)
    assert model.is_small
    asked = lesson(2, 3).messages[:2]
    reply = json.loads("".join(model.stream(asked, schema(2, 1))))
    quotes = ['She said: "No \u00e9clair!"', "The old bridge \\ is closed."]
    form = quoting_schema(quotes, 2)
    form["properties"]["sentences"]["minItems"] = 1
    held = json.loads("".join(model.stream(asked, form)))["sentences"]
    model.close()
    assert held and all(each["text"] == quotes[each["evidence"][0] - 1] for each in held)
    assert all(set(each["evidence"]) <= {1, 2} and each["text"] is not None for each in reply["sentences"])
    kinds = {seen.kind for seen in who_saw("at://p/3", [world.place / "taught"])}
    assert kinds == {"checkpoint", "export"}


def test_replies_to_lessons_held_out_are_measured_and_the_card_tells_of_them(world):
    pytest.importorskip("xllamacpp", reason="xllamacpp is not installed (extra local-llm)")
    about, _ = read_lessons(world.place / "lessons")
    asked = [lesson(50, 51), lesson(52, 53, is_answerable=False)]
    write_lessons(world.place / "held", asked, msgspec.structs.replace(about, is_held_out=True))
    ask = ("train", "evaluate", world.place / "taught", world.place / "corpus", "--lessons")
    told = json.loads(cli(*ask, world.place / "held", "--json"))
    shares = {key: value for key, value in told.items() if key.startswith("replies, ")}
    assert len(shares) == 15 and all(0 <= share <= 1 for share in shares.values())
    assert (
        shares["replies, passed, as hubbub ask has it"] == shares["replies, answered, as hubbub ask has it"]
    )
    with pytest.raises(InvalidInput, match="held-out"):
        CliRunner().invoke(
            hubbub_command, [*map(str, ask), str(world.place / "lessons")], catch_exceptions=False
        )
    assert "was silent where nothing answers: " in cli("model", "card", world.place / "taught")


def test_a_model_of_another_vocabulary_is_refused(world):
    small = msgspec.structs.replace(SHAPE, vocab=64)
    with pytest.raises(InvalidInput, match="vocabulary"):
        train(settings(world.place, "small", shape=small))


def test_low_rank_matrices_are_saved_as_peft_has_them_and_merge(world):
    peft = pytest.importorskip("peft", reason="peft is not installed (extra hf)")
    transformers = pytest.importorskip("transformers")
    from hubbub.train.lora import lora

    base = world.place / "run" / "model"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # their own
        report = lora(
            base, world.place / "lessons", world.place / "adapted", epochs=1, batch_tokens=1500,
            rate=1e-2, seq=600, precision="fp32", is_merged=True,
        )  # fmt: skip
        plain = transformers.AutoModelForCausalLM.from_pretrained(base)
        ids = torch.arange(6, 40)[None]
        before = plain(ids).logits.detach()
        adapted = peft.PeftModel.from_pretrained(plain, world.place / "adapted" / "adapter")
        merged = transformers.AutoModelForCausalLM.from_pretrained(report.model_dir)
    saved = FileSystemReader(max((world.place / "adapted" / "checkpoints").iterdir())).read_metadata()
    weights = [name for name in saved.state_dict_metadata if name.startswith("model.")]
    assert weights and all("lora_" in name for name in weights)
    told = adapted(ids).logits.detach()
    assert (told - merged(ids).logits.detach()).abs().max() <= 1e-5
    assert (told - before).abs().max() > 1e-3
    weights = {name for name, _ in adapted.named_parameters() if "lora_" in name}
    assert len(weights) == 2 * 7 * SHAPE.num_layers
    kinds = {seen.kind for seen in who_saw("at://p/3", [world.place / "adapted"])}
    assert kinds == {"checkpoint", "adapter", "export"}
    keys = {key_of(f"at://p/{post}"): post for post in range(30, 100)}  # in no lesson
    post = keys[next(iter(saw(stage(world.place / "run"), keys.keys())))]
    assert all(seen.is_inherited for seen in who_saw(f"at://p/{post}", [world.place / "adapted"]))
    assert len(who_saw(f"at://p/{post}", [world.place / "adapted" / "adapter"])) == 1


def test_an_adapter_that_was_stopped_goes_on_from_its_checkpoint(world):
    pytest.importorskip("peft", reason="peft is not installed (extra hf)")
    from hubbub.train.lora import lora

    steps = []
    for epochs in (1, 2):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            lora(
                world.place / "run" / "model", world.place / "lessons", world.place / "longer", epochs=epochs,
                batch_tokens=3000, rate=1e-2, seq=600, precision="fp32",
                tell=lambda told: steps.append(getattr(told, "norm", 0) and told.step),
            )  # fmt: skip
    done = [step for step in steps if step]
    assert done == list(range(1, len(done) + 1))


def test_a_base_without_a_chat_template_is_refused(world):
    pytest.importorskip("transformers")
    from hubbub.train.lora import template

    with pytest.raises(InvalidInput, match="no chat template"):
        template(SimpleNamespace(chat_template=None), world.place)


@pytest.fixture(scope="module")
def released(world):
    """Three weeks of the world's corpus, a release each."""
    with pytest.raises(InvalidInput, match="too short"):
        split(open_corpus(world.place / "corpus"), 5.0)
    place = world.place / "weeks"
    found = keep_up(
        world.place / "corpus", place, params="50K", first_days=3 * DAY, days=2 * DAY, epochs=2.0,
        precision="fp32", seq=64,
    )  # fmt: skip
    return place, found


def test_weeks_go_on_from_the_trunk_and_each_release_is_measured_on_each_week(world, released):
    place, found = released
    assert found is not None and len(found.bits) == 3
    assert all(0 < value < 16 for row in found.bits for value in row)
    assert found.staleness[0] == 0.0
    for week in (0, 1, 2):
        run = json.loads((place / f"week-0{week}" / "trunk" / "run.json").read_text())
        start = f"{place}/week-0{week - 1}/trunk/" if week else None
        assert (run["started_from"] is None) if week == 0 else run["started_from"][0].startswith(start)
        assert (place / f"week-0{week}" / "release" / "model" / "config.json").is_file()
    with pytest.raises(InvalidInput, match="is annealed at step"):
        check_trunk(place / "week-00" / "release", 2)
    told = []
    again = keep_up(
        world.place / "corpus", place, params="9M", first_days=1.0, precision="fp32", tell=told.append
    )
    assert again == found and not told  # what is there is not trained again
    write_shards(documents(70), world.place / "other", train_tokenizer(["another text"] * 9, 270))
    with pytest.raises(InvalidInput, match="another tokenizer"):
        keep_up(world.place / "other", place, params="50K")


def test_who_saw_a_post_is_told_of_weeks_too(world, released):
    place, _ = released
    weeks = split(open_corpus(world.place / "corpus"), 3 * DAY, 2 * DAY, 1_000_000)
    last, tested = int(weeks.fresh[2][0]), int(weeks.tests[1][0])
    runs = {
        seen.path.removeprefix(f"{place}/").split("/")[0] for seen in who_saw(f"at://p/{2 * last}", [place])
    }
    assert runs == {"week-02"}
    assert who_saw(f"at://p/{2 * tested}", [place]) == []
    sets = [set(np.concatenate(each).tolist()) for each in (weeks.fresh, weeks.tests)]
    assert not sets[0] & sets[1] and len(sets[0] | sets[1]) == 60


def test_staleness_is_what_waiting_costs():
    aged = Aged(
        starts_us=(0, 1, 2), releases=("", "", ""), bits=((2.0, 2.5, 3.0), (2.0, 2.2, 2.6), (2.0, 2.2, 2.4))
    )
    assert aged.staleness == pytest.approx((0.0, math.fsum((0.3, 0.2)) / 2, 0.6))


def test_the_page_of_weeks_shows_the_matrix(tmp_path):
    from hubbub.train.weeks_page import write_page

    aged = Aged(starts_us=(0, 10**12), releases=("", ""), bits=((2.0, 2.5), (2.1, 2.2)))
    write_page(aged, tmp_path / "weeks.html")
    page = (tmp_path / "weeks.html").read_text()
    assert page.count("<svg") >= 2 and "2.5000" in page and "1970-01-12" in page
