"""Where models come from and how they are kept, and what happens when a file, a disk or a hub fails."""

import copy
import json
import pickle
import re
import shutil
import warnings

import httpx
import huggingface_hub.errors
import pytest
import torch
import transformers
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file

from course_lib.core import session
from course_lib.core.chat import example
from course_lib.core.errors import ChoiceError, ModelError
from course_lib.models import loading
from course_lib.models.chatmodel import ChatModel
from course_lib.models.loading import load_model, untrained
from course_lib.models.quantization import compute_dtype
from course_lib.models.scoring import held_out_loss
from course_lib.training.merging import merged, with_adapters
from course_lib.training.sft import finetune

pytestmark = pytest.mark.usefixtures("on_a_laptop")

QUESTIONS = ["Who?", "What is the largest town of Great Merrow, and why?", "When did the ferry leave Pell?"]


@pytest.fixture
def saved(talker, tmp_path):
    """A folder with the tiny model."""
    return talker.save(tmp_path / "saved")


# --- save and load ------------------------------------------------------------------------------------------------


def test_saved_and_loaded_again_a_model_says_the_same_by_whatever_path(talker, saved, monkeypatch):
    monkeypatch.setenv("HOME", str(saved.parent))
    for path in (saved, str(saved), "~/saved"):
        again = load_model(path)
        assert again.generate(QUESTIONS, 12) == talker.generate(QUESTIONS, 12)
        assert again.name == "saved"
    assert not any(p.requires_grad for p in again.model.parameters())
    assert sorted(p.name for p in saved.glob("*.bin")) == []
    assert (saved / "model.safetensors").exists()


@pytest.mark.parametrize("made", ["loaded", "untrained", "trained", "copied"])
def test_the_output_layer_reads_what_lies_in_order(saved, made):
    # What does not is multiplied with a copy of the layer for each prompt of a batch.
    model = load_model(saved)
    if made == "untrained":
        model = untrained(model)
    if made == "trained":
        model = finetune(model, [example("Who?", "Pell.")] * 2, epochs=1, batch_size=2)
    weights = copy.deepcopy(model.model) if made == "copied" else model.model
    seen = []
    plain = torch.nn.functional.linear
    layer = weights.get_output_embeddings()
    layer.forward = lambda read: seen.append(read.is_contiguous()) or plain(read, layer.weight)
    ChatModel(weights, model.tokenizer, "it", "base").generate(QUESTIONS, 2)
    assert seen and all(seen)


def test_a_saved_adapter_is_a_plain_peft_folder_that_loads_and_says_the_same(saved):
    plain = load_model(saved)
    before = plain.generate(QUESTIONS, 12)
    adapted = get_peft_model(plain.model, LoraConfig(r=2, target_modules="all-linear", task_type="CAUSAL_LM"))
    with torch.no_grad():
        for name, weights in adapted.named_parameters():
            if "lora_B" in name:
                weights.normal_(0, 0.3)
    tuned = ChatModel(adapted, plain.tokenizer, "tuned", "tuned")
    folder = tuned.save(saved.parent / "adapter")
    assert {"adapter_config.json", "adapter_model.safetensors"} <= {p.name for p in folder.iterdir()}
    assert load_model(folder).generate(QUESTIONS, 12) == tuned.generate(QUESTIONS, 12) != before
    # What PEFT would look up on the hub, and warn that it cannot: nobody is asked about the base.
    adapted.active_peft_config.base_model_name_or_path = "nobody/here"
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        tuned.save(folder)


def test_two_models_in_folders_of_one_name_are_told_apart(talker, saved, tmp_path):
    with torch.no_grad():
        talker.model.get_input_embeddings().weight.mul_(1.5)
    other = talker.save(tmp_path / "elsewhere" / "saved")
    copied = shutil.copytree(saved, tmp_path / "copied" / "saved")
    first, second, third = (load_model(folder).base for folder in (saved, other, copied))
    assert first != second
    assert first == third, "the same weights are the same base, wherever they lie"


def test_size_counts_shared_weights_once(tiny_model):
    numbers = sum(p.numel() for p in tiny_model.model.parameters())
    assert tiny_model.size() == 4 * numbers
    tied = tiny_model.model.get_input_embeddings().weight
    tiny_model.model.register_parameter("again", torch.nn.Parameter(tied.data, requires_grad=False))
    assert tiny_model.size() == 4 * numbers


def test_a_full_disk_while_saving_keeps_what_was_saved_before(talker, saved, small_disk):
    before = {path.name: path.read_bytes() for path in saved.iterdir()}
    with torch.no_grad():
        talker.model.get_input_embeddings().weight.mul_(1.5)
    with small_disk(), pytest.raises(ModelError, match="free some disk"):
        talker.save(saved)
    assert {path.name: path.read_bytes() for path in saved.iterdir()} == before


def test_saving_keeps_other_files_of_the_folder_and_refuses_where_a_file_is_in_the_way(talker, saved):
    (saved / "notes.txt").write_text("mine")
    talker.save(saved)
    for below in ("", "folder"):
        with pytest.raises(ModelError, match="another folder"):
            talker.save(saved / "notes.txt" / below)
    assert (saved / "notes.txt").read_text() == "mine"
    assert [p.name for p in saved.iterdir() if p.is_dir()] == []


# --- folders that are not what they should be ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "said"),
    [
        *((odd, "a model is a hub id like .* or a folder") for odd in ("", " ", 7, b"model", ["a"])),
        *((path, f"no folder {path}") for path in ("/nowhere/at/all", "./nothing", "../nothing", "~/none", __file__)),
        ("someone/some-model", "is there a network"),
        ("my models/the best one!", "neither a folder here nor a hub id: those read owner/name"),
    ],
)
def test_a_name_that_leads_nowhere_is_refused_in_one_sentence(name, said):
    with pytest.raises(ModelError, match=said) as error:
        load_model(name)
    assert "\n" not in str(error.value)


def test_an_unknown_quantization_is_refused_with_the_choice(saved):
    with pytest.raises(ChoiceError, match="Did you mean 'nf4'"):
        load_model(saved, quantization="NF-4")


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
@pytest.mark.parametrize("kept", [None, 0, 0.5])
def test_a_folder_with_a_missing_or_damaged_file_is_refused_in_one_sentence(saved, name, kept):
    folder = saved.rename(saved.with_name("gated-401-404"))  # numbers in a name do not decide what is said
    data = (folder / name).read_bytes()
    (folder / name).unlink() if kept is None else (folder / name).write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(ModelError, match="does not hold a causal LM") as error:
        load_model(folder)
    assert "\n" not in str(error.value)


def test_an_adapter_whose_base_is_not_here_is_called_one(saved):
    (saved / "model.safetensors").unlink()
    (saved / "adapter_config.json").write_text('{"base_model_name_or_path": "nobody/here", "peft_type": "LORA"}')
    with pytest.raises(ModelError, match=r"holds an adapter, and the model it was made for .* `cl\.merged\(model\)`"):
        load_model(saved)


def test_a_folder_without_one_of_the_weights_is_refused_not_filled_with_noise(saved):
    weights = load_file(saved / "model.safetensors")
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, saved / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"lacks 1 .*layers.1.mlp.up_proj"):
        load_model(saved)


class Bomb:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return (open, (self.path, "w"))


def test_neither_pickled_weights_nor_code_of_a_model_folder_are_run(saved, tmp_path):
    config = json.loads((saved / "config.json").read_text())
    strange = {"model_type": "strange", "auto_map": {"AutoConfig": "code.C", "AutoModelForCausalLM": "code.M"}}
    (saved / "code.py").write_text(f"open({str(tmp_path / 'exploded')!r}, 'w')")
    (saved / "pytorch_model.bin").write_bytes(pickle.dumps(Bomb(tmp_path / "exploded")))
    weights = (saved / "model.safetensors").rename(tmp_path / "weights")
    for settings in (config, config | strange):
        (saved / "config.json").write_text(json.dumps(settings))
        with pytest.raises(ModelError):
            load_model(saved)
        shutil.copy(weights, saved / "model.safetensors")
    assert not (tmp_path / "exploded").exists()


def test_a_model_without_a_chat_template_is_refused_before_its_weights_are_read(saved, monkeypatch):
    (saved / "chat_template.jinja").unlink()
    read = []
    monkeypatch.setattr(transformers.AutoModelForCausalLM, "from_pretrained", lambda *a, **k: read.append(a))
    with pytest.raises(ModelError, match="no chat template"):
        load_model(saved)
    assert read == []


def test_a_model_without_a_pad_token_is_padded_with_its_stop_token(talker, tmp_path):

    talker.tokenizer = copy.deepcopy(talker.tokenizer)
    talker.tokenizer.pad_token = None
    loaded = load_model(talker.save(tmp_path / "padless"))
    assert loaded.tokenizer.pad_token == loaded.tokenizer.eos_token
    assert len(loaded.generate(QUESTIONS, 4)) == len(QUESTIONS)


# --- the hub ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "status", "wrapped", "said"),
    [
        ("GatedRepoError", 401, "You are trying to access a gated repo.", "a/b is gated: accept its licence"),
        ("GatedRepoError", 403, "You are trying to access a gated repo.", "hf auth login"),
        # Without a token the hub answers 401 for a name that is only misspelt.
        ("RepositoryNotFoundError", 401, "a/b is not a local folder", "no model a/b, or it is private"),
        ("RepositoryNotFoundError", 404, "a/b is not a local folder", "check the spelling"),
        ("RevisionNotFoundError", 404, "v9 is not a valid git identifier", "no such revision"),
        ("HfHubHTTPError", 503, "There was a specific connection error", "is there a network"),
    ],
)
def test_what_the_hub_says_becomes_what_to_do(monkeypatch, kind, status, wrapped, said):
    error = getattr(huggingface_hub.errors, kind)
    response = httpx.Response(status, request=httpx.Request("GET", "https://huggingface.co/a/b"))

    def fail(*_, **__):  # as transformers does
        try:
            raise error(f"{status} Client Error.", response=response)
        except error as cause:
            raise OSError(wrapped) from cause

    monkeypatch.setattr(transformers.AutoTokenizer, "from_pretrained", fail)
    with pytest.raises(ModelError, match=said):
        load_model("a/b")


def test_a_missing_package_is_said_to_be_missing(saved, monkeypatch):
    def fail(*_, **__):
        raise ImportError("Using `bitsandbytes` 4-bit quantization requires bitsandbytes")

    monkeypatch.setattr(transformers.AutoModelForCausalLM, "from_pretrained", fail)
    with pytest.raises(ModelError, match=r"bitsandbytes.*requirements\.txt"):
        load_model(saved, quantization="nf4")


@pytest.fixture
def asked_of_the_hub(talker, monkeypatch):
    """What is asked of the hub, (source, options) for the tokenizer and for the weights; the hub has everything."""
    asked = []

    def give(thing):
        def from_pretrained(source, **options):
            asked.append((source, options))
            return thing

        return from_pretrained

    monkeypatch.setattr(transformers.AutoTokenizer, "from_pretrained", give(talker.tokenizer))
    whole = (talker.model, {"missing_keys": set()})
    monkeypatch.setattr(transformers.AutoModelForCausalLM, "from_pretrained", give(whole))
    return asked


def test_a_revision_is_asked_of_weights_and_tokenizer_alike(asked_of_the_hub):
    loaded = load_model("a/b", revision="0123abc")
    assert [source for source, _ in asked_of_the_hub] == ["a/b", "a/b"]
    for _, options in asked_of_the_hub:
        assert options["revision"] == "0123abc"
        assert options["trust_remote_code"] is False
    assert asked_of_the_hub[1][1]["use_safetensors"] is True
    assert (loaded.name, loaded.base) == ("b", "a/b@0123abc")


@pytest.mark.parametrize("hub_id", sorted(loading.REVISIONS))
def test_the_siblings_are_pinned_unless_another_revision_is_given(asked_of_the_hub, hub_id):
    assert re.fullmatch("[0-9a-f]{40}", loading.REVISIONS[hub_id])
    assert load_model(hub_id).base == f"{hub_id}@{loading.REVISIONS[hub_id]}"
    assert load_model(hub_id, revision="0123abc").base == f"{hub_id}@0123abc"
    assert [options["revision"] for _, options in asked_of_the_hub] == [loading.REVISIONS[hub_id]] * 2 + ["0123abc"] * 2


@pytest.mark.parametrize(("profile", "device", "dtype"), [("laptop", "cpu", "float32"), ("gpu", "cuda", "float16")])
def test_the_default_student_is_the_same_on_every_device_unless_the_environment_names_another(
    profile, device, dtype, saved, monkeypatch
):
    monkeypatch.setattr(session, "_current", session.Settings(profile, device, dtype, 0, "off", "a test"))
    monkeypatch.setattr(loading, "_load_student", lambda student, *_: student.name)
    for name in (None, "smollm2-135m", "SmolLM2-135M-Instruct"):
        assert load_model(name) == "smollm2-135m"
    for name in ("qwen-0.5b", "qwen-1.5b"):
        assert load_model(name) == name
        monkeypatch.setenv("COURSE_MODEL", name)
        assert load_model() == name
    monkeypatch.setattr(session, "_current", session.Settings("laptop", "cpu", "float32", 0, "off", "a test"))
    monkeypatch.setenv("COURSE_MODEL", str(saved))
    assert load_model().name == "saved"
    assert load_model("smollm2-135m") == "smollm2-135m", "what is asked for by name comes first"
    monkeypatch.setenv("COURSE_MODEL", "/nowhere/at/all")
    with pytest.raises(ModelError, match="no folder /nowhere/at/all"):
        load_model()


# --- no model at all ----------------------------------------------------------------------------------------------


def test_an_untrained_model_has_the_same_shape_and_other_weights_by_its_seed(tiny_model):
    first, again, other = untrained(tiny_model, 1), untrained(tiny_model, 1), untrained(tiny_model, 2)
    weights = [m.model.model.layers[0].mlp.up_proj.weight for m in (tiny_model, first, again, other)]
    assert len({weight.shape for weight in weights}) == 1
    assert torch.equal(weights[1], weights[2])
    assert not torch.equal(weights[1], weights[3])
    assert not torch.equal(weights[0], weights[1])
    assert first.base != other.base != tiny_model.base
    assert isinstance(first.generate(["Hello?"], 4)[0], str)


def test_making_an_untrained_model_leaves_the_sequence_of_random_numbers_alone(tiny_model):
    def drawn(meanwhile):
        torch.manual_seed(5)
        meanwhile()
        return torch.rand(3).tolist()

    assert drawn(lambda: untrained(tiny_model)) == drawn(lambda: None)


# --- models of other makes ----------------------------------------------------------------------------------------


def changed(folder, name="config.json", **settings):
    """One of a folder's files of settings, with some of them changed; None takes one out."""
    found = json.loads((folder / name).read_text()) | settings
    (folder / name).write_text(json.dumps({key: value for key, value in found.items() if value is not None}))


def emptied(folder):
    for path in folder.iterdir():
        path.unlink()


def only_gguf(folder):
    emptied(folder)
    (folder / "model-q4_k_m.gguf").write_bytes(b"GGUF")


def adapter_of(folder, **settings):
    emptied(folder)
    about = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "base_model_name_or_path": "nobody/here"} | settings
    (folder / "adapter_config.json").write_text(json.dumps(about))


ODD_FOLDERS = {
    "empty": (emptied, "does not hold a causal LM .*: it is empty"),
    "no configuration": (lambda f: (f / "config.json").unlink(), "does not hold a causal LM .*: it has no config.json"),
    "a GGUF file": (only_gguf, "does not hold a causal LM .*: it has a GGUF file: .* take the folder with safetensors"),
    "GPTQ": (lambda f: changed(f, quantization_config={"quant_method": "gptq", "bits": 4}), r"already \(GPTQ\).*'nf4'"),
    "AWQ": (lambda f: changed(f, quantization_config={"quant_method": "awq", "bits": 4}), r"already \(AWQ\).*'nf4'"),
    "8 bits": (
        lambda f: changed(f, quantization_config={"load_in_8bit": True}),
        r"already \(BITSANDBYTES, IN 8 BITS\)",
    ),
    "encoder only": (
        lambda f: changed(f, model_type="bert", architectures=["BertForMaskedLM"]),
        "is no causal LM but BertForMaskedLM: choose",
    ),
    "encoder and decoder": (
        lambda f: changed(f, model_type="t5", architectures=["T5ForConditionalGeneration"], is_encoder_decoder=True),
        "is no causal LM but T5ForConditionalGeneration",
    ),
    "a classifier": (
        lambda f: changed(f, architectures=["LlamaForSequenceClassification"]),
        "is no causal LM but LlamaForSequenceClassification",
    ),
    "an adapter without its base's name": (lambda f: adapter_of(f, base_model_name_or_path=None), "does not name the"),
    "an adapter whose base is gone": (
        lambda f: adapter_of(f, with_weights=True),
        "holds an adapter, and the model it was made for cannot be loaded",
    ),
    "a reward model's adapter": (lambda f: adapter_of(f, task_type="SEQ_CLS"), "an adapter for SEQ_CLS, not one that"),
    "virtual tokens": (lambda f: adapter_of(f, peft_type="PREFIX_TUNING"), "of the kind PREFIX_TUNING: make the call"),
}


@pytest.mark.parametrize(("spoil", "said"), ODD_FOLDERS.values(), ids=ODD_FOLDERS)
def test_a_folder_that_is_no_model_of_ours_says_what_it_is_in_one_sentence(spoil, said, saved):
    spoil(saved)
    with pytest.raises(ModelError, match=said) as error:
        load_model(saved)
    assert "\n" not in str(error.value) and len(str(error.value)) < 400


def test_a_gguf_file_is_called_one(tmp_path):
    (tmp_path / "model.gguf").write_bytes(b"GGUF")
    with pytest.raises(ModelError, match="is a GGUF file: the course reads only its own"):
        load_model(tmp_path / "model.gguf")


def test_an_adapter_without_a_tokenizer_takes_its_bases(saved):
    plain = load_model(saved)
    adapted = get_peft_model(plain.model, LoraConfig(r=2, target_modules="all-linear", task_type="CAUSAL_LM"))
    adapted.save_pretrained(folder := saved.parent / "alone")
    assert not (folder / "tokenizer.json").exists()
    assert load_model(folder).generate(QUESTIONS, 6) == load_model(saved).generate(QUESTIONS, 6)


def test_a_loaded_adapter_is_saved_merged_and_trained_on_like_one_that_was_just_made(saved, plain_small_machine):
    rows = [example("Who?", "Nobody"), example("Why?", "Because")]
    tuned = finetune(load_model(saved), rows, epochs=8, learning_rate=3e-2, batch_size=2)
    again = load_model(tuned.save(saved.parent / "adapter"))
    learnt = held_out_loss(tuned, rows)
    assert learnt < held_out_loss(load_model(saved), rows) - 0.5
    shutil.copytree(saved.parent / "adapter", pickled := saved.parent / "pickled")
    (pickled / "adapter_model.safetensors").rename(pickled / "adapter_model.bin")
    with pytest.raises(ModelError, match="holds an adapter"):
        load_model(pickled)
    for model in (again, merged(again), load_model(again.save(saved.parent / "second"))):
        assert held_out_loss(model, rows) == pytest.approx(learnt, abs=1e-4)
    on = finetune(again, rows, epochs=1, learning_rate=1e-6, batch_size=2)
    assert held_out_loss(on, rows) == pytest.approx(learnt, abs=1e-2), "nothing that was learnt is lost"
    assert with_adapters(load_model(saved), {"it": again}).generate(QUESTIONS, 6) == tuned.generate(QUESTIONS, 6)


def test_the_tokens_that_end_a_reply_are_all_that_tokenizer_template_and_settings_name(saved):
    changed(saved, "generation_config.json", eos_token_id=[70, 71])
    loaded = load_model(saved)
    assert loaded.stops() == {2, 70, 71} == set(loaded.model.generation_config.eos_token_id)
    assert loaded.ended([5, 71, 2, 2]) == [5, 71] and loaded.ended([5, 6]) == [5, 6]
    changed(saved, "generation_config.json", eos_token_id=None)
    changed(saved, eos_token_id=None)
    changed(saved, "tokenizer_config.json", eos_token=None, pad_token=None)
    loaded = load_model(saved)
    assert loaded.stops() == {2}, "the template ends each turn with it"
    assert loaded.tokenizer.eos_token == loaded.tokenizer.pad_token == "<|im_end|>"
    (saved / "chat_template.jinja").write_text("{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}")
    with pytest.raises(ModelError, match=r"names no token that ends a reply: give its tokenizer_config\.json"):
        load_model(saved)


def test_a_reply_stops_at_any_of_them_and_is_counted_up_to_there(saved):
    endless = load_model(saved)
    written = endless.complete([endless.encode("Who?")], 12)[0, -12:].tolist()
    changed(saved, "generation_config.json", eos_token_id=[2, written[2]])
    answer = load_model(saved).reply(["Who?", "Why is that so?"], 12)[0]
    assert answer.completion_tokens == written.index(written[2]) + 1


def test_weights_that_do_not_fit_the_tokenizer_are_refused_and_a_token_that_nobody_uses_is_not(talker, tmp_path):
    talker.model.resize_token_embeddings(len(talker.tokenizer) - 40)
    with pytest.raises(ModelError, match="knows 259 tokens and its weights 219: they do not belong together"):
        load_model(talker.save(tmp_path / "small"))
    talker.model.resize_token_embeddings(259)
    talker.tokenizer = copy.deepcopy(talker.tokenizer)
    talker.tokenizer.add_special_tokens({"pad_token": "<image>"})  # as Gemma 3's smallest has one
    loaded = load_model(talker.save(tmp_path / "one"))
    assert loaded.tokenizer.pad_token == loaded.tokenizer.eos_token
    assert len(loaded.generate(QUESTIONS, 4)) == 3


def test_a_model_that_fp16_cannot_hold_is_loaded_in_fp32_and_trained_so(talker, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(session, "_current", session.Settings("laptop", "cpu", "float16", 0, "off", "a test"))
    fits = load_model(talker.save(tmp_path / "fits"))
    assert fits.model.dtype == torch.float16 and capsys.readouterr().out == ""
    with torch.no_grad():
        talker.model.model.layers[1].mlp.down_proj.weight.mul_(1e6)
    loaded = load_model(talker.save(tmp_path / "large"))
    assert loaded.model.dtype == torch.float32
    assert (
        capsys.readouterr().out
        == "large computes numbers that fp16 cannot hold: it is loaded in fp32, twice as large.\n"
    )
    assert (compute_dtype(fits.model), compute_dtype(loaded.model)) == (torch.float16, torch.float32)
