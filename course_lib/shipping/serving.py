"""A customized model put to use: served behind an OpenAI-compatible address, where its `Endpoint` asks it.

`transformers serve` serves here, on a CPU and without a network. On GPUs vLLM is its usual successor: it answers many
at once, and to an `Endpoint` it is only another address.
"""

from __future__ import annotations

import atexit
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from course_lib.core.errors import ModelError
from course_lib.core.progress import Progress
from course_lib.core.secrets import without_secrets
from course_lib.core.session import ROOT, current
from course_lib.core.text import as_path
from course_lib.evaluation.reports import Report
from course_lib.shipping.endpoint import HOST, Endpoint, openai_client

START_WITHIN = 120  # seconds


class Server:
    """A running server; made by `serve`. Ends with its `with` block, with `stop()`, or with Python.

    Ask it by its `endpoint`: `cl.evaluate(server.endpoint, exam)`. It took `seconds` to start.
    """

    def __init__(self, command: Sequence[str], endpoint: Endpoint) -> None:
        self.endpoint, self.seconds = endpoint, 0.0
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 (closed by stop)
        # A session of its own: who interrupts a cell means the question, not the server.
        self._process = subprocess.Popen(
            list(command), stdin=subprocess.PIPE, stdout=self._log, stderr=subprocess.STDOUT, env=_environment(),
            start_new_session=True,
        )  # fmt: skip
        atexit.register(self.stop)
        try:
            with Progress("Starting the server", 0):
                self._wait()
        except BaseException:  # interrupted as well
            self.stop()
            raise

    @property
    def url(self) -> str:
        """Where the API begins."""
        return self.endpoint.url

    @property
    def running(self) -> bool:
        """Whether the process is alive."""
        return self._process.poll() is None

    def stop(self) -> None:
        """End the server; again does nothing."""
        atexit.unregister(self.stop)
        if self.running:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if self._process.stdin and not self._process.stdin.closed:
            self._process.stdin.close()
        self._log.close()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: Any) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"{self.endpoint.name} at {self.url}, {'running' if self.running else 'stopped'}"

    def _wait(self) -> None:
        started = time.perf_counter()
        while not _answers(f"{self.url}/models"):
            self.seconds = time.perf_counter() - started
            if not self.running:
                raise ModelError(f"the server ended before it answered anything; it said last: {self._last_line()}")
            if self.seconds > START_WITHIN:
                raise ModelError(
                    f"the server did not answer within {START_WITHIN:g} s ({self._last_line()}): try again when the "
                    "machine has less to do."
                )
            time.sleep(0.05)
        self.seconds = time.perf_counter() - started

    def _last_line(self) -> str:
        self._log.seek(0)
        lines = self._log.read().decode("utf-8", "replace").split("\n")
        return next(
            (without_secrets(line).strip()[:200] for line in reversed(lines) if line.strip()), "it said nothing"
        )


def serve(folder: str | Path) -> Server:
    """Start `transformers serve` on a saved model, wait until it answers, and say where.

        with cl.serve(folder) as server:
            report = cl.evaluate(server.endpoint, exam)

    It listens on this machine only. It ends with the block, or with `.stop()`, and in any case with Python, even if
    that is killed.

    The folder is what `cl.merged(model).save(folder)` wrote: a plain transformers folder, with config.json and
    safetensors. A server that does not start is quoted.
    """
    folder = as_path(folder).resolve()
    _check_folder(folder)
    openai_client()  # the server needs it too, and would say so at greater length
    port = _free_port()
    return Server(_command(folder, port), Endpoint(f"http://{HOST}:{port}/v1", str(folder)))


def latency(report: Report) -> dict[str, float]:
    """Seconds from question to answer: the median, and what one question in twenty exceeds.

    Of an `Endpoint` each is measured by itself; of a `ChatModel` they are shares of a batch.
    """
    import numpy as np

    median, slow = np.percentile([row.seconds for row in report.rows], [50, 95])
    return {"median": float(median), "95th percentile": float(slow), "n": report.n}


def _command(folder: Path, port: int) -> list[str]:
    session = current()
    where = ["--host", HOST, "--port", str(port), "--device", session.device, "--dtype", session.dtype]
    return [sys.executable, "-m", "course_lib.shipping._server", str(folder), *where]


def _environment() -> dict[str, str]:
    """The session's own, without a network for model files; course_lib is found wherever Python was started."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "HF_HUB_OFFLINE": "1", "PYTHONUNBUFFERED": "1"}


def _check_folder(folder: Path) -> None:
    if (folder / "adapter_config.json").is_file():
        raise ModelError(
            f"{folder} holds an adapter, not a whole model: serve what `cl.merged(model).save(...)` wrote."
        )
    if not (folder / "config.json").is_file() or not any(folder.glob("*.safetensors")):
        raise ModelError(f"{folder} holds no model (config.json and safetensors): save one with `model.save(folder)`.")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


def _answers(url: str) -> bool:
    try:
        # No proxy: it would look for this machine's own address elsewhere.
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=5) as response:
            return response.status == 200
    except OSError:  # URLError is one
        return False
