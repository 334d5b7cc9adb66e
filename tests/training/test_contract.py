"""What every trainer keeps to: the start stays, the seed decides, a kill costs little, a replay is exact."""

import warnings
from dataclasses import asdict

import pytest
import torch
from small_runs import THINGS, TRAINERS, Killed, losses, numbers, stop_at

import course_lib as cl
from course_lib.core.errors import CourseError, TrainingError
from course_lib.core.session import cache_dir
from course_lib.retrieval.embedder import Triple, finetune_embedder

pytestmark = pytest.mark.usefixtures("quick_collector", "plain_small_machine")
TRIPLES = [Triple(f"where is the {thing}", f"here {thing}", f"no {thing} there") for thing in THINGS[:8]]
ADAPTERS = [name for name in TRAINERS if name != "full"]
SAVED = [name for name in TRAINERS if name not in ("rloo", "grpo")]  # these write checkpoints


@pytest.fixture
def made(once, talker):
    """What a trainer makes, made once for all tests that only look at it."""

    def of(name):
        if name not in once:
            once[name] = TRAINERS[name](talker), talker
        return once[name][0]

    return of


def curves(model):
    return {curve: [value for _, value in rows] for curve, rows in model.training.curves.items()}


def near(model, other, **tolerance):
    mine, theirs = numbers(model), numbers(other)
    return list(mine) == list(theirs) and all(torch.allclose(mine[name], theirs[name], **tolerance) for name in mine)


def shown(call, capfd):
    """What a call prints, and that it warns of nothing and writes no error beside."""
    capfd.readouterr()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        result = call()
    out, err = capfd.readouterr()
    assert [str(w.message) for w in caught if not issubclass(w.category, (DeprecationWarning, ImportWarning))] == []
    assert err == ""
    return result, out


@pytest.mark.parametrize("name", TRAINERS)
def test_the_start_is_as_it_was_and_shares_its_weights(name, talker):
    before = {key: tensor.clone() for key, tensor in talker.model.state_dict().items()}
    said, side = talker.generate(["Hello"], 8), talker.tokenizer.padding_side
    model = TRAINERS[name](talker)
    after = talker.model.state_dict()
    assert list(after) == list(before), "no adapter hangs on it"
    assert all(torch.equal(after[key], tensor) for key, tensor in before.items())
    assert "forward" not in vars(talker.model) and not talker.model.training
    assert not any(parameter.requires_grad for parameter in talker.model.parameters())
    assert (talker.generate(["Hello"], 8), talker.tokenizer.padding_side) == (said, side)
    assert (talker.training, talker.name, talker.base) == (None, "tiny", "tiny@0")
    ours, theirs = ({p.data_ptr() for p in m.model.parameters()} for m in (talker, model))
    shared = {"full": set(), "qlora": ours & theirs}.get(name, ours)  # in 4 bits the matrices of layers are others
    assert ours & theirs == shared
    assert (model.model.get_input_embeddings().weight is talker.model.get_input_embeddings().weight) == (name != "full")


@pytest.mark.parametrize("name", TRAINERS)
def test_of_the_trainer_nothing_is_left_on_what_it_made(name, made):
    model, training = made(name), made(name).training
    inner = model.model.get_base_model() if name != "full" else model.model
    assert "forward" not in vars(inner), "TRL's own is gone"
    assert list(getattr(model.model, "peft_config", {"default": None})) == ["default"]
    assert not any(parameter.requires_grad for parameter in model.model.parameters()) and not model.model.training
    assert model.base.startswith("tiny@0+")
    assert [step for step, _ in training.losses] == [1, 2, 3, 4, 5, 6]
    assert all([step for step, _ in rows] == [1, 2, 3, 4, 5, 6] for rows in training.curves.values())
    adapter = sum(tensor.numel() for tensor in numbers(model).values())
    assert training.trainable == (training.parameters if name == "full" else adapter)
    # AdamW in fp32: two moments of 4 bytes each, and for each tensor the number of its step
    assert 0 <= training.optimizer_bytes - 8 * training.trainable < 4 * 100
    assert training.seconds > 0 and training.tokens > 0 and not training.replayed


@pytest.mark.parametrize("name", TRAINERS)
def test_the_seed_decides_every_loss(name, made, talker):
    torch.manual_seed(99)  # the session's own dice do not matter
    again, other = (TRAINERS[name](talker, seed=seed) for seed in (0, 2))
    assert losses(again) == losses(made(name))
    assert again.training.samples == made(name).training.samples
    assert near(again, made(name), rtol=0, atol=0)
    assert losses(other) != losses(made(name))


@pytest.mark.parametrize(
    ("name", "fault"),
    [*((name, KeyboardInterrupt) for name in SAVED), ("lora", Killed), ("dpo", Killed), ("reward model", Killed)],
)
def test_a_run_that_was_stopped_goes_on_and_ends_as_it_would_have(name, fault, made, talker, at_step, capsys):
    at_step(stop_at(5, fault))
    with pytest.raises((TrainingError, Killed)) as raised:
        TRAINERS[name](talker, checkpoint_every=2)
    if fault is KeyboardInterrupt:
        assert "was interrupted at step 5. Run the cell again: it goes on" in str(raised.value)
    assert [path.name for path in cache_dir().glob("runs/*/checkpoint-*")] == ["checkpoint-4"]
    steps = []
    at_step(steps.append)
    capsys.readouterr()
    resumed = TRAINERS[name](talker, checkpoint_every=2)
    assert "Going on from checkpoint-4" in capsys.readouterr().out
    whole = made(name)
    assert steps == [5, 6]
    assert losses(resumed) == pytest.approx(losses(whole), abs=1e-5)
    assert near(resumed, whole, atol=1e-5)
    assert curves(resumed) == {curve: pytest.approx(values, abs=1e-4) for curve, values in curves(whole).items()}
    for what in ("tokens", "trainable", "optimizer_bytes"):
        assert getattr(resumed.training, what) == getattr(whole.training, what), what
    assert not list((cache_dir() / "runs").iterdir()), "a run that is done leaves nothing"


@pytest.mark.parametrize("name", ["rloo", "grpo"])
def test_a_policy_that_was_stopped_begins_anew_and_says_so(name, talker, at_step):
    at_step(stop_at(1, KeyboardInterrupt))
    with pytest.raises(TrainingError, match=rf"'policy by {name}' was interrupted at step 1. Run the cell again\.$"):
        TRAINERS[name](talker)


@pytest.mark.parametrize("name", TRAINERS)
def test_one_line_is_printed_and_nothing_beside_it(name, talker, capfd):
    model, out = shown(lambda: TRAINERS[name](talker), capfd)
    assert out == f"{model.training}\n"


@pytest.mark.parametrize("name", ADAPTERS)
def test_what_was_recorded_is_replayed_after_three_real_steps(name, made, talker, session, at_step, capfd):
    base = made(name).base
    session(COURSE_RECORD="1")
    recorded = TRAINERS[name](talker, name="kept for good")
    (stored,) = cl.stored_adapters()
    assert stored.folder.name == "kept-for-good" and stored.card["recipe"] == asdict(recorded.training.recipe)
    assert sum(path.stat().st_size for path in stored.folder.iterdir()) < 50_000
    steps = []
    at_step(steps.append)
    session(COURSE_REPLAY="strict")
    replayed, out = shown(lambda: TRAINERS[name](talker, name="another name"), capfd)
    assert steps == [1, 2, 3]
    assert out.startswith("Replaying 'kept-for-good', trained in 0.0 minutes on ") and out.count("\n") == 1
    assert out.endswith("; 3 real steps run here, their losses finite.\n")
    assert replayed.model.get_input_embeddings().weight is talker.model.get_input_embeddings().weight, "shared"
    assert near(replayed, recorded, rtol=0.01, atol=1e-4), "stored in bf16, which keeps three digits"
    assert not any(parameter.requires_grad for parameter in replayed.model.parameters())
    assert (replayed.name, replayed.base, recorded.base) == ("another name", base, base)
    found, first = replayed.training, recorded.training
    assert found.replayed and losses(replayed) == pytest.approx(losses(recorded), abs=1e-4)
    assert curves(replayed) == {curve: pytest.approx(values, abs=1e-4) for curve, values in curves(recorded).items()}
    for what in ("trainable", "parameters", "optimizer_bytes", "tokens", "samples"):
        assert getattr(found, what) == getattr(first, what), what
    for changed in TRAINERS[name].others:
        with pytest.raises(CourseError, match=r"no stored adapter was made by exactly this call .*`make adapters`"):
            TRAINERS[name](talker, **changed)
    assert steps == [1, 2, 3], "nothing was trained for those"
    session()
    taken, out = shown(lambda: TRAINERS[name](talker, from_shelf=True), capfd)
    assert out.startswith("From the shelf: 'kept-for-good', trained in") and out.count("\n") == 1
    assert taken.training.replayed and len(steps) == 3


# A bottleneck or a prompt alone, however large, is normalised away in the next layer.
@pytest.mark.parametrize("name", [name for name in SAVED if name not in ("adapter", "prompt")])
def test_a_learning_rate_that_explodes_is_stopped_with_advice(name, talker):
    with pytest.raises(TrainingError, match=r"the loss is nan at step \d+: .* 1e\+30 is too high. Try a tenth"):
        TRAINERS[name](talker, learning_rate=1e30, epochs=10)


@pytest.mark.parametrize("name", ["lora", "dpo", "rloo"])
def test_what_was_tuned_before_is_where_the_next_run_starts(name, made):
    first = made(name)
    before = {key: tensor.clone() for key, tensor in numbers(first).items()}
    again = TRAINERS[name](first)
    assert again.base.startswith(first.base + "+")
    assert all(torch.equal(tensor, before[key]) for key, tensor in numbers(first).items())
    if name == "lora":
        assert losses(again)[0] < losses(first)[0], "of the same batch"
    else:
        from_start = curves(again)["margin" if name == "dpo" else "kl"]
        assert from_start[0] == pytest.approx(0, abs=1e-4), "measured from where this run started"


@pytest.mark.parametrize("name", ["dpo", "reward model", "rloo"])
def test_a_model_in_four_bits_stays_in_four_bits(name, talker):
    from course_lib.models.quantization import is_quantized, quantize

    model = TRAINERS[name](quantize(talker))
    assert is_quantized(model.model) and model.training.recipe.method == "qlora"
    assert {tensor.dtype for tensor in numbers(model).values()} == {torch.float32}, "not what a CPU is slow in"


@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), "8", [8], True, 2.5])
@pytest.mark.parametrize("name", ["lora", "dpo", "reward model", "rloo"])
def test_a_setting_that_is_no_number_above_zero_and_half_of_what_is_counted_are_refused(name, value, talker):
    for what in set(TRAINERS[name].quick) - ({"epochs", "learning_rate"} if value == 2.5 else set()):
        meant = "number" if what in ("epochs", "learning_rate") else "whole number"
        with pytest.raises(CourseError, match=f"{what} is .*: it must be a {meant} above 0"):
            TRAINERS[name](talker, **{what: value})


@pytest.mark.parametrize("start", ["SmolLM2", None])
@pytest.mark.parametrize("name", TRAINERS)
def test_what_is_no_chat_model_is_refused(name, start):
    with pytest.raises(CourseError, match=f"{TRAINERS[name].learn.__name__} takes a ChatModel"):
        TRAINERS[name](start)


# The embedder's tuning is sentence-transformers', and has neither checkpoints nor adapters


def test_the_embedders_tuning_keeps_to_the_same_as_far_as_it_goes(capfd):
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = Tokenizer(models.WordLevel({word: i for i, word in enumerate(["?", "no", *THINGS])}, unk_token="?"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    start = SentenceTransformer(modules=[StaticEmbedding(words, embedding_dim=8)], device="cpu")
    before = {key: tensor.clone() for key, tensor in start.state_dict().items()}
    quick = {"epochs": 3, "batch_size": 4}
    first, out = shown(lambda: finetune_embedder(TRIPLES, start, seed=3, **quick), capfd)
    assert out == ""
    assert all(torch.equal(tensor, before[key]) for key, tensor in start.state_dict().items())
    torch.manual_seed(99)
    again, other = (finetune_embedder(TRIPLES, start, seed=seed, **quick) for seed in (3, 4))
    assert first.losses == again.losses != other.losses
    with pytest.raises(TrainingError, match=r"the loss is nan at step \d+: .* is too high"):
        finetune_embedder(TRIPLES, start, learning_rate=1e38, epochs=10, batch_size=4)
