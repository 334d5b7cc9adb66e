"""A served model: started, waited for, asked, and stopped whatever happens. Only this machine is asked."""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest
from fake_api import STAND_IN

from course_lib.core import session
from course_lib.core.errors import ModelError
from course_lib.evaluation.reports import Report, Row
from course_lib.shipping import serving
from course_lib.shipping.serving import latency, serve


def test_latency_is_the_median_and_what_one_in_twenty_exceeds():
    rows = tuple(Row(f"q{i}", "?", "a", "a", "exact", 1.0, f"q{i}", seconds=i / 100) for i in range(101))
    assert latency(Report("r", "e", rows)) == {"median": 0.5, "95th percentile": 0.95, "n": 101}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"")
    return tmp_path


@pytest.fixture
def stand_in(monkeypatch):
    """A server that needs no model: what is tested is how it is started, awaited and stopped."""

    def run(script):
        monkeypatch.setattr(serving, "_command", lambda folder, port: [sys.executable, "-c", script, str(port)])

    run(STAND_IN)
    return run


def test_a_server_is_there_inside_the_block_and_gone_after_it(folder, stand_in):
    with serve(folder) as server:
        assert server.running and server.seconds > 0
        assert server.endpoint.model == str(folder)
        assert serving._answers(f"{server.url}/models")
    assert not server.running
    assert not serving._answers(f"{server.url}/models")
    assert "stopped" in repr(server)


def test_a_server_is_stopped_when_the_block_fails_and_can_be_stopped_twice(folder, stand_in):
    with pytest.raises(ZeroDivisionError), serve(folder) as server:
        1 / 0  # noqa: B018
    assert not server.running
    server.stop()


def test_a_server_that_cannot_start_is_quoted(folder, stand_in):
    stand_in("import sys; sys.exit('no such architecture')")
    with pytest.raises(ModelError, match="ended before it answered anything; it said last: no such architecture"):
        serve(folder)


def test_a_server_that_never_answers_is_stopped(folder, stand_in, monkeypatch):
    stand_in("import sys; sys.stdin.buffer.read()")
    started, popen = [], subprocess.Popen
    monkeypatch.setattr(serving.subprocess, "Popen", lambda *a, **k: started.append(popen(*a, **k)) or started[-1])
    monkeypatch.setattr(serving, "START_WITHIN", 0.2)
    with pytest.raises(ModelError, match=r"did not answer within 0\.2 s \(it said nothing\): try again"):
        serve(folder)
    assert started[0].poll() is not None


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ((), "holds no model"),
        (("config.json",), "holds no model"),
        (("config.json", "adapter_config.json"), r"holds an adapter, not a whole model: serve what `cl\.merged"),
    ],
)
def test_a_folder_without_a_whole_model_is_refused(tmp_path, stand_in, files, said):
    for name in files:
        (tmp_path / name).write_text("{}")
    with pytest.raises(ModelError, match=said):
        serve(tmp_path)


@pytest.mark.skipif(os.name != "posix", reason="kills a process the POSIX way")
def test_a_server_ends_even_if_the_python_that_started_it_is_killed(folder, tmp_path):
    parent = f"""
import sys, time
from course_lib.shipping import serving
serving._command = lambda folder, port: [sys.executable, "-c", {STAND_IN!r}, str(port)]
print(serving.serve({str(folder)!r})._process.pid, flush=True)
time.sleep(60)
"""
    command = [sys.executable, "-c", parent]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=session.ROOT)
    child = int(process.stdout.readline())
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    deadline = time.monotonic() + 10
    while _alive(child) and time.monotonic() < deadline:
        pass
    assert not _alive(child)


def _alive(pid):
    try:  # a zombie has ended, and was not collected yet by whoever adopted it
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_transformers_serves_a_saved_model_without_a_network(anywhere, tmp_path):
    """The one test that starts the real server; on a CPU of a model that takes no time."""
    folder = anywhere.save(tmp_path / "model")
    with serve(folder) as server:
        (answer,) = server.endpoint.reply(["Who?"], max_new_tokens=3)
        assert answer.prompt_tokens == len(anywhere.encode("Who?"))
        assert 0 < answer.completion_tokens <= 3
        assert answer.text == anywhere.generate(["Who?"], max_new_tokens=3)[0]
        server.endpoint.model = "another"
        with pytest.raises(ModelError, match="pinned"):
            server.endpoint.generate(["Who?"])
    assert not server.running
