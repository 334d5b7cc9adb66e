"""Memory by method: counted as the models count themselves, and as the papers did."""

import pytest

import course_lib as cl
from course_lib.core.errors import ChoiceError, CourseError
from course_lib.costs.memory import (
    PRECISIONS,
    SHAPES,
    Shape,
    memory_table,
    model_shape,
    trained_parameters,
    training_memory,
)
from course_lib.models.quantization import bits_per_weight, quantize
from course_lib.training.methods import METHODS, Recipe, adapted

SMALL = Shape("small", 4, 64, 128, 1000, 4, 2, tied=True)


def test_a_models_shape_counts_its_parameters(tiny_model):
    shape = model_shape(tiny_model)
    assert shape.parameters == sum(p.numel() for p in tiny_model.model.parameters())
    assert shape.name == "tiny"


def test_untied_embeddings_are_counted_twice(tiny_model):
    from transformers import LlamaForCausalLM

    config = tiny_model.model.config
    config.tie_word_embeddings = False
    tiny_model.model = LlamaForCausalLM(config)
    assert model_shape(tiny_model).parameters == sum(p.numel() for p in tiny_model.model.parameters())


@pytest.mark.parametrize(
    ("name", "billions"), [("7B", 6.74), ("13B", 13.02), ("65B", 65.29), ("70B", 68.98), ("GPT-3 175B", 174.6)]
)
def test_the_known_shapes_have_the_parameters_that_their_papers_say(name, billions):
    assert SHAPES[name].parameters / 1e9 == pytest.approx(billions, abs=0.01)


@pytest.mark.parametrize(
    ("method", "rank", "targets", "layers"),
    [
        ("full", 8, "all", "all"),
        ("lora", 3, "all", "all"),
        ("lora", 2, "attention", "all"),
        ("lora", 2, "mlp", "upper"),
        ("qlora", 4, "all", "upper"),
        ("adapter", 5, "all", "all"),
        ("adapter", 5, "attention", "upper"),
        ("prompt", 7, "all", "all"),
        ("prefix", 7, "all", "all"),
    ],
)
def test_what_a_method_trains_is_what_the_formula_says(tiny_model, method, rank, targets, layers):
    start = quantize(tiny_model) if METHODS[method].four_bit else tiny_model
    model = adapted(start, Recipe(method, 1, 1e-3, 4, rank, layers, 0, targets))
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert trained_parameters(model_shape(tiny_model), method, rank, targets, layers) == trained


def test_full_fine_tuning_needs_sixteen_bytes_a_number_in_fp32_as_in_mixed_precision():
    for precision in ("fp32", "mixed"):
        memory = training_memory(SMALL, "full", precision=precision)
        assert memory.total - memory.activations == 16 * SMALL.parameters
    trained = {name: sum(vars(each).values()) for name, each in PRECISIONS.items()}
    assert trained == {"fp32": 16, "mixed": 16, "16-bit": 12, "16-bit states": 6}


def test_lora_saves_gradients_and_optimizer_and_qlora_the_weights_too():
    full, lora, qlora = (training_memory(SMALL, method) for method in ("full", "lora", "qlora"))
    trained = trained_parameters(SMALL, "lora")
    assert (lora.gradients, lora.optimizer) == (2 * trained, 12 * trained)
    assert lora.weights == 2 * (SMALL.parameters + trained)
    assert lora.activations == full.activations
    saved = SMALL.linear * (2 - bits_per_weight("nf4", double=True) / 8)
    assert qlora.weights == pytest.approx(lora.weights - saved)


def test_activations_grow_with_tokens_and_shrink_with_checkpointing_and_with_half_the_layers():
    def held(**options):
        return training_memory(SMALL, "lora", **options).activations

    assert held(tokens=200) == 2 * held(tokens=100)
    assert held(checkpointing=False) == 34 * SMALL.hidden * 2048 * SMALL.layers
    assert held() == 2 * SMALL.hidden * 2048 * SMALL.layers + 34 * SMALL.hidden * 2048
    assert held(layers="upper", checkpointing=False) == held(checkpointing=False) / 2
    assert held(precision="fp32") == 2 * held()


def test_loras_paper_is_met_three_times_less_on_gpt_3():
    """Hu et al. 2021: 1.2 TB to 350 GB."""
    full, lora = (
        training_memory(SHAPES["GPT-3 175B"], method, rank=4, targets="attention", precision="16-bit states")
        for method in ("full", "lora")
    )
    assert lora.gb == pytest.approx(350, rel=0.03)
    assert 2.8 < full.gb / lora.gb < 3.2


def test_qloras_paper_is_met_from_above_780_to_below_48():
    """Dettmers et al. 2023: 65B, rank 64 on all linear layers."""
    full = training_memory(SHAPES["65B"], "full", precision="16-bit", tokens=512)
    qlora = training_memory(SHAPES["65B"], "qlora", rank=64, precision="16-bit", tokens=512)
    assert full.gb > 780 and qlora.gb < 48


def test_a_table_has_a_row_for_each_method_and_a_column_for_each_model():
    table = memory_table([SHAPES["7B"], SHAPES["13B"]])
    assert list(table.index) == ["full", "lora", "qlora"] and list(table.columns) == ["7B", "13B"]
    assert table.loc["full", "7B"] == round(training_memory(SHAPES["7B"], "full").gb, 1)
    assert (table.loc["qlora"] < table.loc["lora"]).all()


@pytest.mark.parametrize(
    "options", [{"method": "lorra"}, {"targets": "heads"}, {"layers": "lower"}, {"precision": "fp8"}]
)
def test_names_that_are_not_among_the_choices_are_refused(options):
    with pytest.raises(ChoiceError):
        training_memory(SMALL, **options)


@pytest.mark.parametrize("options", [{"rank": 0}, {"rank": True}, {"rank": 1.5}, {"tokens": 0}, {"tokens": "many"}])
def test_what_is_counted_must_be_a_whole_number_above_zero(options):
    with pytest.raises(CourseError, match=r"must be a whole number above 0"):
        training_memory(SMALL, **options)


def test_a_model_that_is_not_built_like_llama_has_no_shape(tiny_model):
    with pytest.raises(CourseError, match="model_shape takes a ChatModel"):
        model_shape(tiny_model.model)
    tiny_model.model.config = cl  # a configuration that says nothing
    with pytest.raises(CourseError, match="not built like Llama"):
        model_shape(tiny_model)
