"""A session on a laptop without a hub."""

import pytest

from course_lib.core import session


@pytest.fixture
def on_a_laptop(monkeypatch):
    """Settings as on a CPU without bf16, and a hub that cannot be reached."""
    import huggingface_hub.constants

    monkeypatch.setattr(session, "_current", session.Settings("laptop", "cpu", "float32", 0, "off", "a test"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)  # read once, when it was imported
