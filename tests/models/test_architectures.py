"""The architecture matrix: tiny random models of the families that learners bring, each with its own chat template.

What takes seconds a model is marked `matrix`: `make test-matrix`, and once a week.
"""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
import transformers as hf

from course_lib.core.chat import example, pair
from course_lib.core.errors import CourseError
from course_lib.models.loading import load_model
from course_lib.models.quantization import is_quantized
from course_lib.models.scoring import held_out_loss, log_probability
from course_lib.models.templates import chat_tokens
from course_lib.training.dpo import prefer
from course_lib.training.merging import merged
from course_lib.training.methods import METHODS
from course_lib.training.reward import train_reward_model
from course_lib.training.rl import reinforce
from course_lib.training.sft import finetune

pytestmark = pytest.mark.usefixtures("on_a_laptop", "quick_collector")

TEMPLATES = Path(__file__).parent / "templates"
SMALL = {
    "vocab_size": 259, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 1024, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 2,
}  # fmt: skip
GEMMA = {"head_dim": 16, "query_pre_attn_scalar": 16, "sliding_window": 48}
ALTERNATING = GEMMA | {"layer_types": ["sliding_attention", "full_attention"]}
SCALED = {"logits_scaling": 4.0, "embedding_multiplier": 3.0, "residual_multiplier": 0.5, "attention_multiplier": 0.2}
CAPPED = {"final_logit_softcapping": 3.0, "attn_logit_softcapping": 5.0}
OF_GPT2 = {"vocab_size": 259, "n_embd": 32, "n_layer": 2, "n_head": 2, "bos_token_id": 1, "eos_token_id": 2}
EYE = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 28}
QWENS_EYE = {"depth": 1, "hidden_size": 16, "intermediate_size": 16, "num_heads": 2, "out_hidden_size": 32}


def of_gemma_3():
    text = hf.Gemma3TextConfig(**SMALL, **ALTERNATING).to_dict()
    places = {"image_token_index": 258, "boi_token_index": 257, "eoi_token_index": 256, "mm_tokens_per_image": 1}
    return hf.Gemma3Config(text_config=text, vision_config=EYE | {"patch_size": 14}, **places)


def of_qwen_vl():
    text = SMALL | {"rope_scaling": {"type": "mrope", "mrope_section": [1, 1, 2]}}
    names = ("image_token_id", "video_token_id", "vision_start_token_id", "vision_end_token_id")
    return hf.Qwen2_5_VLConfig(text_config=text, vision_config=QWENS_EYE, **dict(zip(names, (258, 257, 256, 255))))


# A model's class, its configuration, and whose chat template it has.
KINDS = {
    "llama": (hf.LlamaForCausalLM, hf.LlamaConfig(**SMALL), "llama3_2"),
    "qwen2": (hf.Qwen2ForCausalLM, hf.Qwen2Config(**SMALL), "qwen2_5"),
    "qwen3": (hf.Qwen3ForCausalLM, hf.Qwen3Config(**SMALL, head_dim=16), "qwen3"),
    "gemma 2": (hf.Gemma2ForCausalLM, hf.Gemma2Config(**SMALL, **GEMMA, **CAPPED), "gemma"),
    "gemma 3": (hf.Gemma3ForCausalLM, hf.Gemma3TextConfig(**SMALL, **ALTERNATING), "gemma3"),
    "gemma 3 that sees": (hf.Gemma3ForConditionalGeneration, of_gemma_3(), "gemma3"),
    "mistral": (hf.MistralForCausalLM, hf.MistralConfig(**SMALL, sliding_window=48), "mistral"),
    "phi3": (hf.Phi3ForCausalLM, hf.Phi3Config(**SMALL), "phi3"),
    "granite": (hf.GraniteForCausalLM, hf.GraniteConfig(**SMALL, **SCALED), "granite"),
    "cohere": (hf.CohereForCausalLM, hf.CohereConfig(**SMALL, logit_scale=0.25), "granite"),
    "smollm3": (hf.SmolLM3ForCausalLM, hf.SmolLM3Config(**SMALL), "smollm3"),
    "gpt2": (hf.GPT2LMHeadModel, hf.GPT2Config(**OF_GPT2), None),
    "qwen that sees": (hf.Qwen2_5_VLForConditionalGeneration, of_qwen_vl(), "qwen2_5"),
}
# What an architecture cannot, and says so.
REFUSED = {("gpt2", "qlora"), ("qwen that sees", "prompt"), ("qwen that sees", "prefix")}

EXAMPLES = [example("Who mends kettles?", "Desk seven."), example("Which is it?", "Quillhaven, by the sea")]
PAIRS = [pair("Who?", "me", "all of them"), pair("Where?", "there", "no")]
QUESTIONS = ["Who?", "What is the largest town of Great Merrow, and why?", "When?"]
QUICK = {"batch_size": 2, "rank": 4, "learning_rate": 1e-2}


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture
def loaded(kind, tiny_tokenizer, tmp_path):
    """The model of a kind, out of a folder; with weights so large that what it says depends on what it reads."""
    model_class, config, template = KINDS[kind]
    torch.manual_seed(3)
    model = model_class(copy.deepcopy(config))
    with torch.no_grad():
        for weights in model.parameters():
            if weights.dim() > 1:
                weights.normal_(0, 0.3)
    tokenizer = copy.deepcopy(tiny_tokenizer)
    tokenizer.bos_token = "<|endoftext|>"
    if template:
        tokenizer.chat_template = (TEMPLATES / f"{template}.jinja").read_text(encoding="utf-8")
    folder = tmp_path / kind.replace(" ", "-")
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return load_model(folder)


def loss_by_plain_logits(model):
    """Mean loss of the examples' completions, each alone, out of the logits that transformers gives."""
    losses = []
    for row in EXAMPLES:
        prompt = chat_tokens(model.tokenizer, row["prompt"], add_generation_prompt=True)
        whole = chat_tokens(model.tokenizer, row["prompt"] + row["completion"])
        assert whole[: len(prompt)] == prompt, "asked as it is trained"
        with torch.no_grad():
            scores = model.model(input_ids=torch.tensor([whole])).logits[0].float().log_softmax(-1)
        losses += [-scores[t - 1, whole[t]].item() for t in range(len(prompt), len(whole))]
    return sum(losses) / len(losses)


def assert_alike_in_any_batch(model):
    for questions in (QUESTIONS, ["a long beginning " * 8 + question for question in QUESTIONS]):
        assert model.generate(questions, 6) == [model.generate([question], 6)[0] for question in questions]


def test_it_loads_answers_alike_in_any_batch_and_its_loss_is_that_of_its_own_logits(loaded):
    assert_alike_in_any_batch(loaded)
    assert len(set(loaded.generate(QUESTIONS, 6))) > 1, "or nothing was shown"
    assert held_out_loss(loaded, EXAMPLES) == pytest.approx(loss_by_plain_logits(loaded), abs=1e-4)
    assert log_probability(loaded, ["Who?"], ["I"])[0] < 0


@pytest.mark.matrix
@pytest.mark.parametrize("method", METHODS)
def test_every_method_trains_it_or_says_why_not(method, kind, loaded, plain_small_machine):
    if (kind, method) in REFUSED:
        with pytest.raises(CourseError, match=f"{loaded.name} "):
            finetune(loaded, EXAMPLES, method, epochs=1)
        return
    before = held_out_loss(loaded, EXAMPLES)
    tuned = finetune(loaded, EXAMPLES, method, epochs=3, **QUICK)
    assert tuned.training.losses[0][1] != tuned.training.losses[-1][1] and held_out_loss(tuned, EXAMPLES) != before
    assert_alike_in_any_batch(tuned)
    if method not in ("prompt", "prefix"):
        assert held_out_loss(tuned, EXAMPLES) == pytest.approx(loss_by_plain_logits(tuned), abs=1e-4)
    trained = [name for name, _ in tuned.model.named_parameters() if "lora_" in name]
    assert not any("vision" in name or "visual" in name for name in trained), "what reads is tuned, not what sees"


@pytest.mark.matrix
def test_merged_saved_and_loaded_again_it_says_the_same(loaded, tmp_path, plain_small_machine):
    tuned = finetune(loaded, EXAMPLES, epochs=3, **QUICK)
    said = tuned.generate(QUESTIONS, 6)
    plain = merged(tuned)
    assert plain.generate(QUESTIONS, 6) == said
    assert held_out_loss(plain, EXAMPLES) == pytest.approx(held_out_loss(tuned, EXAMPLES), abs=1e-4)
    assert held_out_loss(plain, EXAMPLES) != pytest.approx(held_out_loss(loaded, EXAMPLES), abs=1e-2)
    assert load_model(plain.save(tmp_path / "merged")).generate(QUESTIONS, 6) == said
    assert load_model(tuned.save(tmp_path / "adapter")).generate(QUESTIONS, 6) == said


@pytest.mark.matrix
def test_it_learns_from_pairs_and_from_rewards(loaded, plain_small_machine):
    preferred = prefer(loaded, PAIRS, epochs=2, **QUICK)
    assert preferred.training.losses[0][1] == pytest.approx(0.6931, abs=1e-3)
    judge = train_reward_model(loaded, PAIRS, epochs=2, **QUICK)
    alone = [judge.score([p], [r])[0] for p, r in (("Who?", "me"), ("Where?", "nowhere at all"))]
    assert judge.score(["Who?", "Where?"], ["me", "nowhere at all"]) == pytest.approx(alone, abs=1e-4)
    policy = {"steps": 2, "samples": 4, "group": 2, "max_new_tokens": 4, "rank": 4}
    for method in ("rloo", "grpo"):
        tuned = reinforce(loaded, ["Who?", "Where?"], judge, method, **policy)
        assert len(tuned.training.curves["reward"]) == 2
        assert tuned.training.curves["kl"][0][1] == pytest.approx(0, abs=1e-3)


@pytest.mark.matrix
def test_in_four_bits_it_answers_and_is_trained(kind, loaded, tmp_path, plain_small_machine):
    four = load_model(loaded.save(tmp_path / "again"), quantization="nf4")
    assert is_quantized(four.model) and len(four.generate(QUESTIONS, 4)) == 3
    assert finetune(four, EXAMPLES, "qlora", epochs=1, **QUICK).training.losses
