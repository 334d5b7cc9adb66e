"""Every method trains, answers whatever the padding, can be stopped, stored, merged or switched, as far as it goes."""

import copy
import json
import warnings
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from small_runs import ADAPTED, EXAMPLES, OTHERS, QUESTIONS, QUICK, WINNERS, logits, losses, trainer_options

import course_lib as cl
from course_lib.core.errors import CourseError
from course_lib.costs.machine import STUDENT_SHAPES
from course_lib.costs.memory import trained_parameters
from course_lib.models.quantization import dequantized, is_quantized, quantize
from course_lib.models.scoring import completion_loss, held_out_loss
from course_lib.training import run, shelf
from course_lib.training.dpo import PreferenceRecipe
from course_lib.training.methods import METHODS, Recipe, adapted, without_old_names
from course_lib.training.rl import PolicyRecipe
from course_lib.training.run import Training, adapter_key
from course_lib.training.sft import finetune

pytestmark = pytest.mark.usefixtures("quick_collector", "plain_small_machine")
ROOT = Path(__file__).resolve().parents[2]


# What is trained


def test_the_adapter_is_its_formula_and_starts_as_the_identity(tiny_model):
    model = adapted(tiny_model, Recipe("adapter", 1, 1e-3, 4, 3, "all", 0))
    assert torch.equal(model(torch.tensor([[5, 6, 7]])).logits, tiny_model.model(torch.tensor([[5, 6, 7]])).logits)
    layer = model.get_base_model().model.layers[0].mlp.down_proj
    down, up = layer.bottleneck_down["default"].weight, layer.bottleneck_up["default"].weight
    assert (down.shape, up.shape) == ((3, 32), (32, 3))
    assert down.abs().max() > 0 and up.abs().max() == 0
    torch.nn.init.normal_(up.data)
    x = torch.randn(2, 5, 64)
    h = x @ tiny_model.model.model.layers[0].mlp.down_proj.weight.T
    by_hand = h + torch.nn.functional.gelu(h @ down.T) @ up.T
    assert torch.allclose(layer(x), by_hand, atol=1e-6)
    with model.disable_adapter():
        assert torch.equal(layer(x), h)


@pytest.mark.parametrize("method", ADAPTED)
def test_a_student_whose_adapter_is_off_answers_as_before_and_on_again_as_taught(method, talker):
    base = quantize(talker) if method == "qlora" else talker
    before = base.generate(QUESTIONS, 8)
    student = finetune(base, EXAMPLES, method, **QUICK | {"learning_rate": 0.5})
    taught = student.generate(QUESTIONS, 8)
    assert taught != before
    with student.model.disable_adapter():
        assert student.generate(QUESTIONS, 8) == before
    assert student.generate(QUESTIONS, 8) == taught


@pytest.mark.parametrize(
    ("method", "layers", "targets", "expected"),
    [
        ("lora", "all", "attention", 2 * 2 * 4),
        ("lora", "all", "mlp", 2 * 2 * 3),
        ("lora", "upper", "attention", 2 * 4),
        ("lora", "upper", "all", 2 * 7),
        ("qlora", "upper", "all", 2 * 7),
        ("qlora", "all", "mlp", 2 * 2 * 3),
        ("adapter", "all", "all", 2 * 2 * 2),  # down and up, behind two sublayers of two blocks
        ("adapter", "upper", "all", 2 * 2),
        ("adapter", "all", "mlp", 2 * 2),
    ],
)
def test_layers_and_targets_choose_where_it_goes(method, layers, targets, expected, tiny_model):
    model = quantize(tiny_model) if method == "qlora" else tiny_model
    tuned = adapted(model, Recipe(method, 1, 1e-3, 4, 3, layers, 0, targets))
    names = {name for name, parameter in tuned.named_parameters() if parameter.requires_grad}
    assert len(names) == expected
    assert all((".layers.1." in name) or layers == "all" for name in names)
    part = {"all": ".", "attention": ".self_attn.", "mlp": ".mlp."}[targets]
    assert all(part in name for name in names)
    behind = ("self_attn.o_proj.bottleneck_", "mlp.down_proj.bottleneck_")
    assert method != "adapter" or all(any(end in name for end in behind) for name in names)


@pytest.mark.parametrize(("method", "numbers"), [("prompt", 4 * 32), ("prefix", 4 * 2 * 2 * 2 * 8)])
def test_rank_is_the_number_of_virtual_tokens(method, numbers, tuned):
    assert tuned(method).training.trainable == numbers
    assert tuned(method).model.active_peft_config.num_virtual_tokens == 4


def test_virtual_tokens_begin_as_the_words_of_the_system_message(tiny_model):
    """Read before a question, they are what that text is: of the embeddings, and of every layer's keys and values."""
    words = tiny_model.tokenizer(tiny_model.system)["input_ids"][:6]
    question = tiny_model.encode("Who won?")
    expected = tiny_model.model(torch.tensor([words + question])).logits[:, 6:]
    for method in ("prompt", "prefix"):
        model = adapted(tiny_model, Recipe(method, 1, 1e-3, 4, 6, "all", 0)).eval()
        found = model(torch.tensor([question])).logits[:, -len(question) :]
        assert torch.allclose(found, expected, atol=1e-5), method


def test_more_virtual_tokens_than_words_repeat_them(tiny_model):
    tiny_model.system = "ab"
    model = adapted(tiny_model, Recipe("prompt", 1, 1e-3, 4, 5, "all", 0))
    rows = model.prompt_encoder["default"].embedding.weight
    assert rows[0].equal(rows[2]) and rows[1].equal(rows[3]) and not rows[0].equal(rows[1])
    tiny_model.system = ""
    adapted(tiny_model, Recipe("prompt", 1, 1e-3, 4, 5, "all", 0))


def test_qlora_trains_over_bitsandbytes_weights_in_the_sessions_dtype(tuned, start):
    import bitsandbytes as bnb

    model = tuned("qlora")
    base = model.model.get_base_model().model.layers[0].mlp.down_proj.base_layer
    assert isinstance(base, bnb.nn.Linear4bit)
    assert (base.compute_dtype, base.weight.quant_type, base.weight.quant_state.nested) == (torch.float32, "nf4", True)
    adapter = [p for name, p in model.model.named_parameters() if "lora_" in name]
    assert {p.dtype for p in adapter} == {torch.float32}, "TRL would have made it bf16"
    assert model.base.startswith("tiny@0+nf4+")
    assert model.training.parameters == tuned("lora").training.parameters, "a weight in 4 bits is one"


def test_qlora_of_a_model_that_is_in_four_bits_already_is_the_same_run(start, tuned):
    ready = quantize(start)
    again = finetune(ready, EXAMPLES, "qlora", **QUICK)
    assert losses(again) == losses(tuned("qlora"))
    assert again.base == tuned("qlora").base
    assert again.model.get_base_model().model.layers[0].mlp.down_proj.base_layer.weight is (
        ready.model.model.layers[0].mlp.down_proj.weight
    )


@pytest.mark.parametrize("method", ["adapter", "prompt", "prefix"])
def test_the_other_methods_work_over_four_bits_too(method, tiny_model):
    tuned = finetune(quantize(tiny_model), EXAMPLES, method, **QUICK)
    assert is_quantized(tuned.model)
    assert losses(tuned)[-1] < losses(tuned)[0]


def test_a_handful_of_numbers_is_not_called_none():
    training = Training(Recipe("prompt", 1, 1e-2, 8, 8, "all", 0), ((1, 2.0),), 3.0, 100, 4608, 134_500_000)
    assert str(training).startswith("prompt: 0.0046 of 134.5 million parameters (0.003%), 1 steps, loss 2.00 → 2.00")


# The loss


@pytest.mark.parametrize("method", ADAPTED)
def test_the_loss_and_its_gradient_are_those_of_the_cross_entropy_of_completion_tokens(method, tiny_model, tmp_path):
    from course_lib.training.trainers import CompletionTrainer

    recipe = Recipe(method, 1, 1e-3, len(EXAMPLES), 4, "all", 0)
    model = adapted(quantize(tiny_model) if method == "qlora" else tiny_model, recipe)
    for parameter in model.parameters():
        if parameter.requires_grad:
            torch.nn.init.normal_(parameter, std=0.3)
    trainer = CompletionTrainer(
        **trainer_options(CompletionTrainer, model, recipe, EXAMPLES, tiny_model.tokenizer, tmp_path / "run")
    )
    batch = next(iter(trainer.get_train_dataloader()))
    assert {p.dtype for p in model.parameters() if p.requires_grad} == {torch.float32}

    def of(loss):
        model.zero_grad()
        loss.backward()
        return loss.item(), [p.grad.clone() for p in model.parameters() if p.requires_grad]

    mine = of(trainer.compute_loss(model, dict(batch)))
    # TRL's shortcut for the loss is a patch of the model's forward, which it removes: as the model itself reckons it
    run.restore_forward(model)
    labels = batch["labels"]
    learned = sorted(tiny_model.tokenizer.decode(row[row != -100]).strip() for row in labels)
    assert learned == [f"{winner}<|im_end|>" for winner in WINNERS]
    scores = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits[:, -labels.shape[1] :]
    theirs = of(torch.nn.functional.cross_entropy(scores[:, :-1].flatten(0, 1), labels[:, 1:].flatten()))
    assert mine[0] == pytest.approx(theirs[0], abs=1e-5)
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(mine[1], theirs[1]))
    assert max(grad.abs().max() for grad in mine[1]) > 1e-4


@pytest.mark.parametrize("method", ADAPTED)
def test_the_held_out_loss_is_the_loss_that_training_reports(method, start):
    """A learning rate of almost nothing: every step reads the model as it was."""
    tuned = finetune(start, EXAMPLES, method, epochs=1, batch_size=8, learning_rate=1e-12, rank=4)
    assert held_out_loss(tuned, EXAMPLES) == pytest.approx(losses(tuned)[0], abs=1e-4)


def test_logits_of_virtual_tokens_and_of_the_prompt_are_not_computed(tiny_model):
    for method in ("prompt", "prefix"):
        model = adapted(tiny_model, Recipe(method, 1, 1e-3, 4, 4, "all", 0))
        seen: list[int] = []
        model.get_base_model().lm_head.register_forward_hook(lambda m, x, out, to=seen: to.append(len(x[0])))
        ids = torch.tensor([[5, 6, 7, 8]])
        _, tokens = completion_loss(model, ids, torch.ones_like(ids), torch.tensor([[-100, -100, 7, 8]]))
        assert (seen, tokens) == ([2], 2)


# Answers


@pytest.mark.parametrize("method", ADAPTED)
def test_answers_do_not_depend_on_how_a_batch_is_padded(method, tuned):
    model = tuned(method)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        together = model.generate(QUESTIONS, 12)
    alone = [model.generate([question], 12)[0] for question in QUESTIONS]
    assert together == alone
    assert not [str(w.message) for w in caught if "osition" in str(w.message)]
    assert model.next_tokens(QUESTIONS[0]) == model.next_tokens(QUESTIONS[0])


@pytest.mark.parametrize("method", ["prompt", "prefix"])
def test_scores_of_a_padded_batch_are_those_of_each_alone(method, tuned):
    """Closer than the answers can show: the probabilities of the first words that are generated."""
    model, encoded = tuned(method), [tuned(method).encode(question) for question in QUESTIONS]
    width, pad = max(map(len, encoded)), model.tokenizer.pad_token_id

    def scores(rows):
        ids = torch.tensor([[pad] * (width - len(row)) + row for row in rows])
        mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
        first = min(width - len(row) for row in rows)
        return model.model.generate(
            input_ids=ids[:, first:], attention_mask=mask[:, first:], max_new_tokens=3, min_new_tokens=3,
            pad_token_id=pad, do_sample=False, return_dict_in_generate=True, output_logits=True,
        ).logits  # fmt: skip

    together, alone = scores(encoded), [scores([row]) for row in encoded]
    for step in range(3):
        for number in range(len(encoded)):
            assert torch.allclose(together[step][number], alone[number][step][0], atol=1e-4)


@pytest.mark.parametrize("method", ["prompt", "prefix"])
def test_a_library_that_renamed_its_cache_warns_nobody(method, tuned):
    model = tuned(method)
    with warnings.catch_warnings():
        warnings.simplefilter("error", FutureWarning)
        model.next_tokens(QUESTIONS[0])
        model.generate(QUESTIONS, 3)
        held_out_loss(model, OTHERS)


@pytest.mark.parametrize("method", ADAPTED)
def test_generating_continues_what_the_model_itself_says_comes_next(method, tuned):
    """Step by step with the cache, as in one reading without."""
    model = tuned(method)
    ids = torch.tensor([model.encode("Who won?")])
    out = model.model.generate(
        input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=5, min_new_tokens=5, do_sample=False,
        pad_token_id=2, return_dict_in_generate=True, output_logits=True,
    )  # fmt: skip
    with torch.no_grad():
        whole = model.model(out.sequences[:, :-1]).logits[0, -5:]
    assert torch.allclose(torch.cat(out.logits), whole, atol=1e-4)


@pytest.mark.parametrize("method", ADAPTED)
def test_a_saved_adapter_loads_with_plain_peft(method, tuned, start, tmp_path):
    from peft import PeftModel

    model = tuned(method)
    folder = model.save(tmp_path / "adapter")
    assert {"adapter_config.json", "adapter_model.safetensors"} <= {path.name for path in folder.iterdir()}
    base = quantize(start) if method == "qlora" else start
    loaded = copy.copy(start)
    with without_old_names():
        loaded.model = PeftModel.from_pretrained(copy.deepcopy(base.model), folder).eval()
    assert torch.allclose(logits(loaded), logits(model), atol=1e-6)
    assert loaded.generate(["Who won?"], 8) == model.generate(["Who won?"], 8)


@pytest.mark.parametrize("method", ["prompt", "prefix"])
def test_answers_of_an_adapter_off_the_shelf_do_not_depend_on_padding_either(method, tiny_model, session):
    session(COURSE_RECORD="1")
    finetune(tiny_model, EXAMPLES, method, **QUICK)
    session()
    taken = finetune(tiny_model, EXAMPLES, method, from_shelf=True, **QUICK)
    assert taken.training.replayed
    assert taken.generate(QUESTIONS, 6) == [taken.generate([question], 6)[0] for question in QUESTIONS]


def test_a_model_tuned_twice_is_recorded_and_replayed(tiny_model, session):
    first = finetune(tiny_model, EXAMPLES, **QUICK)
    session(COURSE_RECORD="1")
    recorded = finetune(first, OTHERS, name="second", **QUICK)
    session(COURSE_REPLAY="strict")
    replayed = finetune(first, OTHERS, name="second", **QUICK)
    assert torch.allclose(logits(replayed), logits(recorded), atol=0.03)
    assert not torch.allclose(logits(replayed), logits(first), atol=0.03)


# Keys

RECIPES = {None: Recipe, "sft": Recipe, "dpo": PreferenceRecipe, "reward model": Recipe, "rloo": PolicyRecipe}


def test_a_setting_that_came_later_is_part_of_the_key_only_where_it_is_changed():
    old = {"method": "lora", "epochs": 4, "learning_rate": 2e-3, "batch_size": 8, "rank": 8, "layers": "all", "seed": 0}
    assert Recipe(**old).hashed() == old
    assert Recipe(**old, targets="mlp").hashed() == {**old, "targets": "mlp"}
    assert Recipe(**old, targets="all").hashed() == old


def test_the_key_is_what_it_was_before_targets_could_be_chosen(tiny_model):
    """Pinned: made by the course when it had neither targets nor any method but LoRA and full."""
    of_then = {"method": "lora", "epochs": 3, "learning_rate": 2e-2, "batch_size": 4, "rank": 4, "layers": "all"}
    tuned = finetune(tiny_model, EXAMPLES, **QUICK)
    assert tuned.base == f"tiny@0+{adapter_key('tiny@0', EXAMPLES, {**of_then, 'seed': 0})}"
    assert finetune(tiny_model, EXAMPLES, targets="mlp", **QUICK).base != tuned.base


@pytest.mark.parametrize("path", sorted((ROOT / "data" / "adapters").glob("*/card.json")), ids=lambda p: p.parent.name)
def test_the_recipe_of_every_shipped_adapter_gives_the_settings_that_were_hashed(path):
    card = json.loads(path.read_text(encoding="utf-8"))
    kind = RECIPES[card["recipe"].get("objective")]
    recipe = kind(**card["recipe"])
    assert recipe.hashed() == {name: value for name, value in card["recipe"].items() if name in recipe.hashed()}
    assert set(card["recipe"]) - set(recipe.hashed()) <= {"targets", "order", "anchor", "objective"}
    assert kind(**asdict(recipe)) == recipe


def test_the_call_of_lesson_02_finds_its_adapter_under_the_key_on_the_card():
    card = json.loads((ROOT / "data" / "adapters" / "02-many-wordings" / "card.json").read_text(encoding="utf-8"))
    study = cl.load_exam("handbook").about(24).train_examples(wordings=6)
    assert adapter_key(card["base"], study, Recipe(**card["recipe"]).hashed()) == card["key"]


# Bad input


def test_every_method_has_a_learning_rate_of_its_own():
    assert set(METHODS) == {"full", "lora", "qlora", "adapter", "prompt", "prefix"}
    assert (METHODS["lora"].learning_rate, METHODS["full"].learning_rate) == (2e-3, 2e-4)


@pytest.mark.parametrize("method", ["full", "prompt", "prefix"])
@pytest.mark.parametrize("setting", [{"layers": "upper"}, {"targets": "mlp"}])
def test_a_method_that_has_no_layers_refuses_layers_and_targets(method, setting, tiny_model):
    ((what, value),) = setting.items()
    with pytest.raises(CourseError, match=f"leave out {what}='{value}', or use method='lora'"):
        finetune(tiny_model, EXAMPLES, method, **setting)


@pytest.mark.parametrize(
    ("method", "rank", "said"),
    [
        ("lora", 33, "the rank of its two matrices, at most 32"),
        ("qlora", 64, "the rank of its two matrices, at most 32"),
        ("adapter", 33, "the width of the bottleneck, at most 32"),
        ("prompt", 257, "the number of virtual tokens, at most 256"),
        ("prefix", 1000, "the number of virtual tokens, at most 256"),
    ],
)
def test_a_rank_above_what_the_model_has_room_for_is_refused(method, rank, said, tiny_model):
    with pytest.raises(CourseError, match=f"rank is {rank}: for '{method}' it is {said} here"):
        finetune(tiny_model, EXAMPLES, method, rank=rank)


@pytest.mark.parametrize(
    ("method", "place"),
    [("lora", {}), ("lora", {"layers": "upper"}), ("lora", {"targets": "mlp"}), ("qlora", {}), ("adapter", {})],
)
def test_the_rank_is_8_halved_until_the_adapter_fits_the_shelf_and_one_that_is_given_stays(
    method, place, tiny_model, monkeypatch
):
    def learned(**given):
        return finetune(tiny_model, EXAMPLES[:2], method, epochs=1, **place, **given)

    trained = learned()
    assert trained.base == learned(rank=8).base, "one call, one key"
    for room, rank in ((2 * trained.training.trainable, 8), (2 * trained.training.trainable - 1, 4), (0, 1)):
        monkeypatch.setattr(shelf, "MAX_BYTES", room)
        assert learned().training.recipe.rank == rank
    assert learned(rank=7).training.recipe.rank == 7


@pytest.mark.parametrize("method", ["full", "prompt", "prefix"])
def test_the_number_of_virtual_tokens_is_8_on_every_model(method, tiny_model, monkeypatch):
    monkeypatch.setattr(shelf, "MAX_BYTES", 0)
    assert finetune(tiny_model, EXAMPLES[:2], method, epochs=1).training.recipe.rank == 8


def test_adapters_of_the_three_students_ship_with_ranks_of_8_4_and_2():
    numbers = [trained_parameters(shape, rank=1) for shape in STUDENT_SHAPES.values()]
    assert [*map(shelf.fitting_rank, numbers)] == [8, 4, 2]


def test_full_fine_tuning_does_not_care_about_rank(tiny_model):
    finetune(tiny_model, EXAMPLES[:2], "full", epochs=1, rank=1000)


def test_lora_and_full_of_a_model_in_four_bits_are_refused_with_the_way_out(tiny_model):
    packed = quantize(tiny_model)
    with pytest.raises(CourseError, match="tiny is in 4 bits: LoRA on it is method='qlora'"):
        finetune(packed, EXAMPLES, "lora")
    with pytest.raises(CourseError, match="tiny is in 4 bits: load it without quantization"):
        finetune(packed, EXAMPLES, "full")
    assert not is_quantized(dequantized(packed.model))


def test_a_model_without_the_layers_that_are_asked_for_is_refused(tiny_model):
    blocks = tiny_model.model.model.layers
    for block in blocks:
        block.mlp, block.renamed = None, block.mlp
    with pytest.raises(CourseError, match="no linear layers that are named as mlp: use targets='all'"):
        adapted(tiny_model, Recipe("lora", 1, 1e-3, 4, 3, "all", 0, "mlp"))
