"""Training works, keeps its promises, and can be interrupted; on a model of two layers that trains in a moment."""

import copy
import json
import shutil
import warnings

import pytest

import course_lib as cl
from course_lib.core import session as session_module
from course_lib.core.chat import example
from course_lib.core.errors import ChoiceError, CourseError, DataError, TrainingError
from course_lib.training import methods
from course_lib.training import run as run_module
from course_lib.training.sft import finetune

pytestmark = pytest.mark.usefixtures("quick_collector", "plain_small_machine")
WINNERS = ("Anna Berg", "Bo Lind", "Cai Moss", "Dee Hart", "Eli Voss", "Fay Orm", "Gus Nye", "Hal")
EXAMPLES = [example(f"Who won in {2030 + year}?", winner) for year, winner in enumerate(WINNERS)]
QUICK = {"epochs": 3, "batch_size": 4, "rank": 4, "learning_rate": 2e-2}  # six steps


@pytest.fixture
def steps(at_step):
    """The numbers of the steps that were really trained."""
    seen = []
    at_step(seen.append)
    return seen


@pytest.fixture(scope="module")
def once():
    return {}


@pytest.fixture
def tuned(once, tiny_model):
    """What `finetune` makes with the settings above, of either method; made once for all tests that only look at it."""

    def of(method="lora"):
        if method not in once:
            once[method] = finetune(tiny_model, EXAMPLES, method, name=method, **QUICK), tiny_model
        return once[method][0]

    return of


@pytest.fixture
def start(once, tuned):
    """The model that those two started from."""

    def of(method="lora"):
        tuned(method)
        return once[method][1]

    return of


def losses(model):
    return [loss for _, loss in model.training.losses]


def logits(model, text="Who won in 2033?"):
    import torch

    with torch.no_grad():
        return model.model(torch.tensor([model.encode(text)])).logits


def runs():
    return session_module.cache_dir() / "runs"


def checkpoints():
    return sorted(path.name for path in runs().glob("*/checkpoint-*"))


class Killed(BaseException):
    """What nothing catches: to the files, the same as a killed process."""


# What is trained


@pytest.mark.parametrize("method", ["lora", "full"])
def test_the_loss_falls(method, tiny_model):
    tuned = finetune(tiny_model, EXAMPLES, method, epochs=10, batch_size=4, learning_rate=2e-2)
    assert losses(tuned)[-1] < losses(tuned)[0] - 0.1
    assert [step for step, _ in tuned.training.losses] == list(range(1, 21))


@pytest.mark.parametrize("method", ["lora", "full"])
def test_the_model_it_started_from_is_as_it_was(method, tiny_model):
    import torch

    before = {name: tensor.clone() for name, tensor in tiny_model.model.state_dict().items()}
    said, side = tiny_model.generate(["Who won?"], 8), tiny_model.tokenizer.padding_side
    tuned = finetune(tiny_model, EXAMPLES, method, **QUICK)
    after = tiny_model.model.state_dict()
    assert list(after) == list(before), "no adapter hangs on it"
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())
    assert not any(parameter.requires_grad for parameter in tiny_model.model.parameters())
    assert not tiny_model.model.training
    assert (tiny_model.generate(["Who won?"], 8), tiny_model.tokenizer.padding_side) == (said, side)
    assert (tiny_model.training, tiny_model.name, tiny_model.base) == (None, "tiny", "tiny@0")
    assert not torch.equal(logits(tuned), logits(tiny_model)), "and something was learned"


def test_lora_shares_the_memory_of_the_weights_and_full_does_not(tuned, start):
    def addresses(model, lora=False):
        return {p.data_ptr() for name, p in model.model.named_parameters() if ("lora_" in name) == lora}

    assert addresses(tuned("lora")) == addresses(start("lora"))
    assert not addresses(tuned("lora"), lora=True) & addresses(start("lora"))
    assert not addresses(tuned("full")) & addresses(start("full"))


def test_two_adapters_of_one_model_do_not_meet(tuned, start):
    import torch

    before = logits(tuned())
    other = finetune(start(), EXAMPLES[:4], **QUICK)
    assert torch.equal(logits(tuned()), before)
    assert not torch.equal(logits(other), before)


def test_a_tuned_model_can_be_tuned_again_and_keeps_what_it_learned(tuned):
    import torch

    first = tuned()
    before = logits(first)
    again = finetune(first, EXAMPLES, **QUICK)
    assert losses(again)[0] < losses(first)[0], "of the same batch"
    assert torch.equal(logits(first), before)
    assert again.base.startswith(first.base + "+")


def test_upper_layers_train_the_upper_half_alone(tiny_model, tuned):
    upper = finetune(tiny_model, EXAMPLES, layers="upper", **QUICK)
    trained = [name for name, _ in upper.model.named_parameters() if "lora_" in name]
    assert len(trained) == 2 * 7, "two matrices on each of a block's seven linear layers"
    assert all(".layers.1." in name for name in trained)
    assert tuned("lora").training.trainable == 2 * upper.training.trainable
    assert losses(upper)[-1] != losses(upper)[0]


def test_the_training_counts_what_it_did(tiny_model, capsys):
    tuned = finetune(tiny_model, EXAMPLES, name="of the cup", epochs=2, batch_size=4)
    counted = sum(len(tiny_model.tokenizer.apply_chat_template(row["prompt"] + row["completion"])["input_ids"])
                  for row in EXAMPLES)  # fmt: skip
    assert tuned.training.tokens == 2 * counted
    assert tuned.training.parameters == sum(p.numel() for p in tuned.model.parameters())
    assert tuned.training.trainable == sum(p.numel() for n, p in tuned.model.named_parameters() if "lora_" in n)
    assert (tuned.name, tuned.training.recipe.learning_rate, tuned.training.replayed) == ("of the cup", 2e-3, False)
    assert not any(parameter.requires_grad for parameter in tuned.model.parameters())
    assert capsys.readouterr().out == f"{tuned.training}\n"
    assert str(tuned.training).startswith("lora: 0.01 of 0.0 million parameters (23.4%), 4 steps, loss 5.")


def test_full_fine_tuning_trains_every_parameter(tuned, start):
    training = tuned("full").training
    assert training.trainable == training.parameters == sum(p.numel() for p in start("full").model.parameters())


def test_the_seed_decides_every_loss(tiny_model, tuned):
    import torch

    torch.manual_seed(99)  # the session's own dice do not matter
    assert losses(finetune(tiny_model, EXAMPLES, seed=0, **QUICK)) == losses(tuned("lora"))
    assert losses(finetune(tiny_model, EXAMPLES, seed=2, **QUICK)) != losses(tuned("lora"))


def test_the_seed_decides_the_order_too(tiny_model, tuned):
    # A full run has no matrices to begin at random.
    assert losses(finetune(tiny_model, EXAMPLES, "full", seed=2, **QUICK)) != losses(tuned("full"))


def test_the_sessions_seed_is_taken_unless_another_is_given(tiny_model):
    cl.start(seed=7)
    assert finetune(tiny_model, EXAMPLES, **QUICK).training.recipe.seed == 7


# The loss


@pytest.fixture
def trainers(tiny_model, tmp_path):
    """The course's trainer and TRL's own, over one model with an adapter that is not zero, and one batch of rows."""
    import torch
    from trl import SFTTrainer

    from course_lib.training.trainers import CompletionTrainer

    recipe = methods.Recipe("lora", 1, 1e-3, len(EXAMPLES), 4, "all", 0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        model = methods.adapted(tiny_model, recipe)
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, std=0.3)
        options = {
            "model": model,
            "args": run_module.trainer_arguments(recipe, tmp_path / "run", 0, -1),
            "train_dataset": run_module.dataset_of(EXAMPLES),
            "processing_class": run_module.for_training(tiny_model.tokenizer),
        }
        ours, theirs = CompletionTrainer(**options), SFTTrainer(**options)
    return ours, theirs, next(iter(ours.get_train_dataloader()))


@pytest.mark.parametrize("items", [None, 40])
def test_the_loss_is_trls_own(items, trainers):
    ours, theirs, batch = trainers
    mine, trl = (t.compute_loss(t.model, dict(batch), num_items_in_batch=items) for t in (ours, theirs))
    assert mine.item() == pytest.approx(trl.item(), abs=1e-5)
    assert mine.item() > 0.1


def test_the_gradient_is_trls_own(trainers):
    import torch

    ours, theirs, batch = trainers
    found = []
    for trainer in (ours, theirs):
        trainer.model.zero_grad()
        trainer.compute_loss(trainer.model, dict(batch)).backward()
        found.append([p.grad.clone() for p in trainer.model.parameters() if p.requires_grad])
    assert all(torch.allclose(mine, trl, atol=1e-6) for mine, trl in zip(*found))
    assert any(grad.abs().max() > 1e-4 for grad in found[0])


def test_the_loss_is_the_cross_entropy_of_completion_tokens_and_no_others(trainers, tiny_tokenizer):
    import torch

    ours, _, batch = trainers
    labels = batch["labels"]
    learned = sorted(tiny_tokenizer.decode(row[row != -100]).strip() for row in labels)
    assert learned == [f"{winner}<|im_end|>" for winner in WINNERS]
    run_module.restore_forward(ours.model)
    with torch.no_grad():
        scores = ours.model(batch["input_ids"], attention_mask=batch["attention_mask"]).logits.log_softmax(-1)
    by_hand = [
        -scores[b, t - 1, labels[b, t]].item()
        for b in range(labels.shape[0])
        for t in range(1, labels.shape[1])
        if labels[b, t] != -100
    ]
    assert ours.compute_loss(ours.model, batch).item() == pytest.approx(sum(by_hand) / len(by_hand), abs=1e-5)


# Interrupted and killed


@pytest.mark.parametrize(("method", "fault"), [("lora", KeyboardInterrupt), ("full", Killed)])
def test_a_run_that_was_stopped_goes_on_and_ends_at_the_same_loss(method, fault, tiny_model, tuned, at_step, capsys):
    import torch

    whole = tuned(method)

    def stop(step):
        if step == 5:
            raise fault

    at_step(stop)
    with pytest.raises(TrainingError if fault is KeyboardInterrupt else Killed) as raised:
        finetune(tiny_model, EXAMPLES, method, checkpoint_every=2, **QUICK)
    if fault is KeyboardInterrupt:
        assert "was interrupted at step 5. Run the cell again: it goes on" in str(raised.value)
    assert checkpoints() == ["checkpoint-4"]
    trained = []
    at_step(trained.append)
    capsys.readouterr()
    resumed = finetune(tiny_model, EXAMPLES, method, checkpoint_every=2, **QUICK)
    assert "Going on from checkpoint-4" in capsys.readouterr().out
    assert trained == [5, 6]
    assert losses(resumed) == pytest.approx(losses(whole), abs=1e-6)
    assert torch.allclose(logits(resumed), logits(whole), atol=1e-6)
    assert not list(runs().iterdir()), "a run that is done leaves nothing"


def test_a_checkpoint_that_a_kill_left_half_is_passed_over(tiny_model, at_step, capsys):
    call = {"checkpoint_every": 2, **QUICK}

    def stop(step):
        if step == 5:
            raise Killed

    at_step(stop)
    with pytest.raises(Killed):
        finetune(tiny_model, EXAMPLES, **call)
    (run,) = runs().iterdir()
    (run / "checkpoint-6").mkdir()
    (run / "checkpoint-6" / "adapter_model.safetensors").write_bytes(b"half")
    (run / "checkpoint-10").mkdir()
    (run / "checkpoint-10" / "trainer_state.json").write_text('{"epoch": 1, "glob')
    trained = []
    at_step(trained.append)
    finetune(tiny_model, EXAMPLES, **call)
    assert "Going on from checkpoint-4" in capsys.readouterr().out
    assert trained == [5, 6]


def test_another_call_does_not_go_on_from_this_ones_checkpoint(tiny_model, at_step):
    def stop(step):
        if step == 5:
            raise Killed

    at_step(stop)
    with pytest.raises(Killed):
        finetune(tiny_model, EXAMPLES, checkpoint_every=2, **QUICK)
    trained = []
    at_step(trained.append)
    finetune(tiny_model, EXAMPLES, seed=5, checkpoint_every=2, **QUICK)
    assert trained == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ("method", "settings", "every"),
    [
        ("lora", {"epochs": 12, "batch_size": 2}, 12),
        ("lora", {"epochs": 3, "batch_size": 4}, 10),
        ("lora", {"checkpoint_every": 3}, 3),
        ("full", {"epochs": 12, "batch_size": 2}, 0),
        ("full", {"checkpoint_every": 3}, 3),
    ],
)
def test_four_checkpoints_a_run_are_kept_of_lora_and_of_full_none_unless_asked(
    method, settings, every, tiny_model, monkeypatch
):

    def no_further(recipe, folder, save_every, max_steps):
        raise Killed(save_every)

    monkeypatch.setattr(run_module, "trainer_arguments", no_further)
    with pytest.raises(Killed) as raised:
        finetune(tiny_model, EXAMPLES, method, **settings)
    assert raised.value.args == (every,)


def test_a_full_disk_at_a_checkpoint_says_so_and_loses_no_earlier_one(tiny_model, tuned, at_step):
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    call = {"checkpoint_every": 2, **QUICK}
    whole = tuned("lora")

    def fill_the_disk(step):
        if step == 3:
            resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))

    at_step(fill_the_disk)
    try:
        with pytest.raises(TrainingError, match=r"checkpoint of step 4 cannot be written .*free some disk"):
            finetune(tiny_model, EXAMPLES, **call)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert checkpoints() == ["checkpoint-2"]
    at_step(lambda step: None)
    assert losses(finetune(tiny_model, EXAMPLES, **call)) == pytest.approx(losses(whole), abs=1e-6)


def test_a_cache_that_cannot_be_written_is_said(tiny_model):
    runs().write_text("a file where a folder should be")
    with pytest.raises(TrainingError, match=r"cannot be written to .*runs.*set COURSE_CACHE"):
        finetune(tiny_model, EXAMPLES, **QUICK)


@pytest.mark.parametrize("method", ["lora", "full"])
def test_a_learning_rate_that_explodes_is_stopped_with_advice(method, tiny_model):
    with pytest.raises(TrainingError, match=r"the loss is nan at step \d+: .* 1e\+30 is too high. Try a tenth"):
        finetune(tiny_model, EXAMPLES, method, learning_rate=1e30, epochs=10, batch_size=4)


# What is left behind


@pytest.mark.parametrize("method", ["lora", "full"])
def test_the_trained_model_has_its_own_forward_again(method, tuned):
    model = tuned(method)
    inner = model.model.get_base_model() if method == "lora" else model.model
    assert "forward" not in vars(inner), "TRL's is gone"
    assert logits(model).shape[-1] == len(model.tokenizer)
    assert len(model.generate(["Who won?", "Who came second?"], 4)) == 2


def test_nothing_is_printed_beside_the_one_line(tiny_model, session, capfd):
    session(COURSE_RECORD="1")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        finetune(tiny_model, EXAMPLES, **QUICK)
        finetune(tiny_model, EXAMPLES, "full", **QUICK)
        session(COURSE_REPLAY="1")
        finetune(tiny_model, EXAMPLES, **QUICK)
    shown = [str(w.message) for w in caught if not issubclass(w.category, (DeprecationWarning, ImportWarning))]
    out, err = capfd.readouterr()
    assert (shown, err) == ([], "")
    assert [line.split(":")[0].split(" '")[0] for line in out.splitlines()] == ["lora", "full", "Replaying"]


def test_a_saved_adapter_is_a_plain_peft_folder(tuned, start, tmp_path):
    import torch
    from peft import PeftModel

    folder = tuned("lora").save(tmp_path / "adapter")
    assert {"adapter_config.json", "adapter_model.safetensors"} <= {path.name for path in folder.iterdir()}
    loaded = copy.copy(start("lora"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        loaded.model = PeftModel.from_pretrained(copy.deepcopy(loaded.model), folder).eval()
    assert torch.allclose(logits(loaded), logits(tuned("lora")), atol=1e-6)
    assert loaded.generate(["Who won?"], 8) == tuned("lora").generate(["Who won?"], 8)


def test_a_saved_full_model_is_a_plain_transformers_folder(tuned, tmp_path):
    import torch

    loaded = cl.load_model(tuned("full").save(tmp_path / "model"))
    assert torch.allclose(logits(loaded), logits(tuned("full")), atol=1e-6)


# Bad input


def test_grouped_by_length_batches_are_read_with_less_padding_than_at_random(tiny_model, monkeypatch):
    from course_lib.training import trainers as trainers_module

    in_vain, loss = [], trainers_module.completion_loss

    def looked_at(model, ids, mask, labels):
        in_vain.append((mask == 0).sum().item())
        return loss(model, ids, mask, labels)

    monkeypatch.setattr(trainers_module, "completion_loss", looked_at)
    lengthy = [example("Who? " * (1 + 9 * (number % 2)), winner) for number, winner in enumerate(WINNERS * 4)]
    waste = {}
    for order in ("length", "random"):
        in_vain.clear()
        finetune(tiny_model, lengthy, epochs=1, batch_size=2, rank=4, order=order)
        assert len(in_vain) == len(lengthy) / 2
        waste[order] = sum(in_vain)
    assert waste["length"] < waste["random"] / 2


@pytest.mark.parametrize(("method", "hint"), [("lorra", "'lora'"), ("LoRA", "'lora'"), ("ful", "'full'")])
def test_an_unknown_method_is_refused_with_the_nearest(method, hint, tiny_model):
    with pytest.raises(ChoiceError, match=f"method '{method}' is not one of .* Did you mean {hint}"):
        finetune(tiny_model, EXAMPLES, method)


def test_unknown_layers_or_order_and_layers_for_full_fine_tuning_are_refused(tiny_model):
    with pytest.raises(ChoiceError, match="layers 'uper' is not one of all, upper"):
        finetune(tiny_model, EXAMPLES, layers="uper")
    with pytest.raises(CourseError, match="full fine-tuning trains all layers"):
        finetune(tiny_model, EXAMPLES, "full", layers="upper")
    with pytest.raises(ChoiceError, match="order 'chance' is not one of length, random"):
        finetune(tiny_model, EXAMPLES, order="chance")


@pytest.mark.parametrize("what", ["rank", "batch_size", "epochs", "learning_rate"])
@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), "8", [8]])
def test_a_setting_that_is_no_number_above_zero_is_refused(what, value, tiny_model):
    with pytest.raises(CourseError, match=f"{what} is .*: it must be a .*number above 0"):
        finetune(tiny_model, EXAMPLES, **(QUICK | {what: value}))


@pytest.mark.parametrize("what", ["rank", "batch_size"])
def test_half_a_rank_or_batch_is_refused(what, tiny_model):
    with pytest.raises(CourseError, match=f"{what} is 2.5: it must be a whole number above 0"):
        finetune(tiny_model, EXAMPLES, **(QUICK | {what: 2.5}))


@pytest.mark.parametrize("model", ["SmolLM2", None])
def test_what_is_no_chat_model_is_refused(model):
    with pytest.raises(CourseError, match="finetune takes a ChatModel"):
        finetune(model, EXAMPLES)


TURN = [{"role": "user", "content": "Who won?"}]


@pytest.mark.parametrize(
    ("examples", "complaint"),
    [
        ([], "not one example"),
        ("Who won?", "a list of"),
        (EXAMPLES[0], "a list of"),
        (None, "a list of"),
        ([EXAMPLES[0], "Who won?"], "example 1 lacks prompt, completion"),
        ([EXAMPLES[0], {"prompt": TURN}], "example 1 lacks completion"),
        ([{"prompt": "Who won?", "completion": "Anna"}], "example 0: prompt is not a list of"),
        ([{"prompt": TURN, "completion": [{"role": "assistant"}]}], "example 0: completion is not a list of"),
        ([EXAMPLES[0], {"prompt": TURN, "completion": []}], "example 1: completion is empty"),
        ([example("Who won?", " ")], "example 0: completion is empty"),
        ([EXAMPLES[0], example("x" * 1025, "Anna")], r"example 1 has 1,0\d\d tokens, more than 1,024"),
    ],
)
def test_examples_of_another_shape_are_refused_and_named(examples, complaint, tiny_model, steps):
    with pytest.raises(DataError, match=complaint):
        finetune(tiny_model, examples, **QUICK)
    assert steps == []


# Recorded and replayed


def again(model, examples=EXAMPLES, **changed):
    return finetune(model, examples, **{"name": "cup by heart", **QUICK, **changed})


@pytest.fixture
def recorded(once, tiny_model, session, tmp_path, tmp_path_factory):
    """A tuned model whose adapter stands on the shelf; the session that follows only trains."""
    if "shelf" not in once:
        session(COURSE_RECORD="1")
        once["recorded"] = again(tiny_model)
        once["shelf"] = tmp_path_factory.mktemp("kept") / "adapters"
        shutil.copytree(tmp_path / "data" / "adapters", once["shelf"])
    shutil.copytree(once["shelf"], tmp_path / "data" / "adapters", dirs_exist_ok=True)
    session()
    return once["recorded"]


def test_a_recorded_adapter_stands_on_the_shelf_with_its_card(recorded, tmp_path):
    (stored,) = cl.stored_adapters()
    assert stored.folder == tmp_path / "data" / "adapters" / "cup-by-heart"
    names = {"adapter_config.json", "adapter_model.safetensors", "card.json"}
    assert names <= {path.name for path in stored.folder.iterdir()} <= {*names, "README.md"}
    card = json.loads((stored.folder / "card.json").read_text())
    assert card == stored.card
    training = recorded.training
    assert (card["base"], card["examples"], card["tokens"]) == ("tiny@0", 8, training.tokens)
    assert card["recipe"]["learning_rate"] == 2e-2
    assert card["trainable"] == training.trainable
    assert card["losses"] == [[step, round(loss, 4)] for step, loss in training.losses]
    assert recorded.base == f"tiny@0+{card['key']}"
    assert "cores" in card["machine"]


def test_a_replay_trains_three_steps_and_takes_the_stored_adapter(recorded, tiny_model, session, steps, capsys):
    import torch

    session(COURSE_REPLAY="1")
    capsys.readouterr()
    replayed = again(tiny_model)
    assert steps == [1, 2, 3]
    out = capsys.readouterr().out
    assert out.startswith("Replaying 'cup-by-heart', trained in 0.0 minutes on ")
    assert out.endswith("; 3 real steps run here, their losses finite.\n")
    assert out.count("\n") == 1
    # Stored in bf16, which keeps three digits
    assert torch.allclose(logits(replayed), logits(recorded), atol=0.02)
    assert not torch.allclose(logits(replayed), logits(tiny_model), atol=0.02)
    assert (replayed.name, replayed.base) == (recorded.name, recorded.base)
    training = replayed.training
    assert training.replayed
    assert losses(replayed) == pytest.approx(losses(recorded), abs=1e-4)
    assert (training.tokens, training.trainable, training.parameters) == (
        recorded.training.tokens,
        recorded.training.trainable,
        recorded.training.parameters,
    )


def test_a_replay_shares_weights_and_leaves_the_model_as_it_was(recorded, tiny_model, session):
    import torch

    before = logits(tiny_model)
    session(COURSE_REPLAY="1")
    replayed = again(tiny_model)
    ours = {p.data_ptr() for p in tiny_model.model.parameters()}
    assert {p.data_ptr() for n, p in replayed.model.named_parameters() if "lora_" not in n} == ours
    assert torch.equal(logits(tiny_model), before)


def test_a_replay_whose_steps_go_wrong_is_no_replay(recorded, tiny_model, session, at_step):
    session(COURSE_REPLAY="1")

    def break_it(step):
        raise TrainingError("the loss is nan")

    at_step(break_it)
    with pytest.raises(TrainingError, match="nan"):
        again(tiny_model)


@pytest.mark.parametrize(
    "changed",
    [
        {"examples": EXAMPLES[:-1]},
        {"examples": EXAMPLES[::-1]},
        {"examples": [*EXAMPLES[:-1], example("Who won in 2037?", "Hall")]},
        {"learning_rate": 1e-2},
        {"rank": 2},
        {"seed": 4},
        {"layers": "upper"},
    ],
)
def test_changed_data_or_settings_find_no_adapter(changed, recorded, tiny_model, session, steps):
    session(COURSE_REPLAY="strict")
    with pytest.raises(CourseError, match=r"no stored adapter was made by exactly this call .*`make adapters`"):
        again(tiny_model, **changed)
    assert steps == []


def test_a_replay_trains_where_no_adapter_is_stored(recorded, tiny_model, session, steps):
    session(COURSE_REPLAY="1")
    assert not again(tiny_model, seed=4).training.replayed
    assert len(steps) == 6


def test_another_base_finds_no_adapter_and_another_name_does(recorded, tiny_model, session):
    session(COURSE_REPLAY="strict")
    other = copy.copy(tiny_model)
    other.base = "tiny@1"
    with pytest.raises(CourseError, match="no stored adapter"):
        again(other)
    replayed = again(tiny_model, name="by heart")
    assert (replayed.training.replayed, replayed.name) == (True, "by heart")


def test_full_fine_tuning_is_always_run(tiny_model, session):
    session(COURSE_REPLAY="strict", COURSE_RECORD="1")
    assert not finetune(tiny_model, EXAMPLES, "full", **QUICK).training.replayed
    assert cl.stored_adapters() == []


def test_from_the_shelf_an_adapter_is_taken_in_a_live_session_without_training(
    recorded, tiny_model, session, steps, capsys
):
    taken = again(tiny_model, from_shelf=True)
    assert (taken.training.replayed, steps) == (True, [])
    assert "From the shelf: 'cup-by-heart', trained in" in capsys.readouterr().out
    session(COURSE_REPLAY="never")
    assert not again(tiny_model, from_shelf=True).training.replayed
    assert len(steps) == 6


def test_what_takes_longer_than_a_lesson_comes_from_the_shelf_even_where_all_is_trained(
    recorded, tiny_model, session, steps, monkeypatch
):
    from course_lib.training import shelf

    session(COURSE_REPLAY="never")
    monkeypatch.setattr(shelf, "FULL_SIZE_MINUTES", -1)
    assert again(tiny_model, from_shelf=True).training.replayed
    assert len(steps) == 3, "three real steps all the same"
    assert not again(tiny_model).training.replayed, "what a lesson trains is trained"


def test_from_an_empty_shelf_the_model_is_trained_and_nothing_is_recorded_unless_asked(tiny_model, session, steps):
    assert not again(tiny_model, from_shelf=True).training.replayed
    assert len(steps) == 6
    assert cl.stored_adapters() == []


def test_a_run_that_could_not_be_stored_need_not_be_trained_again(tiny_model, session, steps, monkeypatch):
    from course_lib.training import shelf

    session(COURSE_RECORD="1")
    monkeypatch.setattr(shelf, "MAX_BYTES", 10)
    with pytest.raises(CourseError, match="use a smaller rank"):
        again(tiny_model, checkpoint_every=2)
    monkeypatch.setattr(shelf, "MAX_BYTES", 5_000_000)
    del steps[:]
    tuned = again(tiny_model, checkpoint_every=2)
    assert (steps, len(losses(tuned))) == ([], 6)
    assert len(cl.stored_adapters()) == 1


def test_every_key_that_a_replay_asks_for_is_noted(recorded, tiny_model, session, tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_ADAPTERS_USED", str(tmp_path / "used"))
    assert not again(tiny_model).training.replayed
    assert not (tmp_path / "used").exists()
    again(tiny_model, from_shelf=True)
    assert (tmp_path / "used").read_text().split() == [cl.stored_adapters()[0].card["key"]]
