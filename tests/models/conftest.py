"""A session on a laptop without a hub, and a disk that is nearly full."""

import contextlib

import pytest

from course_lib.core import session


@pytest.fixture
def on_a_laptop(monkeypatch):
    """Settings as on a CPU without bf16, and a hub that cannot be reached."""
    import huggingface_hub.constants

    monkeypatch.setattr(session, "_current", session.Settings("laptop", "cpu", "float32", 0, "off", "a test"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)  # read once, when it was imported


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
