"""How `make lab` opens JupyterLab: on the whole repository, without news, and without what only builds the course."""

import json
from pathlib import Path

from jupyterlab_server.settings_utils import _get_overrides
from traitlets.config.loader import PyFileConfigLoader

ROOT = Path(__file__).resolve().parents[2]


def test_lab_serves_the_repository_opens_lesson_00_and_hides_what_builds():
    config = PyFileConfigLoader("jupyter_lab_config.py", str(ROOT / ".jupyter")).load_config()
    assert config.ServerApp.root_dir == str(ROOT)
    assert (ROOT / config.LabApp.default_url.removeprefix("/lab/tree/")).is_file()
    assert {"src", "build.py"} <= set(config.ContentsManager.hide_globs)


def test_no_news_is_asked_for_and_widgets_are_saved_with_a_notebook(monkeypatch, tmp_path):
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", str(ROOT / ".jupyter"))
    settings, error = _get_overrides(str(tmp_path))
    assert not error
    assert settings["@jupyterlab/apputils-extension:notification"] == {"fetchNews": "false", "checkForUpdates": False}
    assert settings["@jupyter-widgets/jupyterlab-manager:plugin"] == {"saveState": True}
    assert settings == json.loads((ROOT / ".jupyter/labconfig/default_setting_overrides.json").read_text())


def test_make_lab_opens_it_so():
    (line,) = (line for line in (ROOT / "Makefile").read_text(encoding="utf-8").splitlines() if "/jupyter lab" in line)
    assert 'JUPYTER_CONFIG_PATH="$(CURDIR)/.jupyter"' in line
