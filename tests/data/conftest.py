"""What tests of measurements share."""

import pytest
from shared import keeping


@pytest.fixture
def kept_here(monkeypatch, tmp_path):
    """What is measured is kept in a folder of the test's own, while the shipped data are read; returns the folder."""
    monkeypatch.setattr(keeping, "data_dir", lambda: tmp_path)
    return tmp_path / "results"
