"""How `make lab` opens JupyterLab: on the whole repository, without news, and without what only builds the course."""

import json
import sys
from pathlib import Path

import pytest
from jupyterlab_server.settings_utils import _get_overrides
from traitlets.config.loader import PyFileConfigLoader

ROOT = Path(__file__).resolve().parents[2]
ARROWS = ("ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight")


def test_lab_serves_the_repository_opens_lesson_00_and_hides_what_builds():
    config = PyFileConfigLoader("jupyter_lab_config.py", str(ROOT / ".jupyter")).load_config()
    assert config.ServerApp.root_dir == str(ROOT)
    assert (ROOT / config.LabApp.default_url.removeprefix("/lab/tree/")).is_file()
    assert (Path(config.ServerApp.tornado_settings["static_custom_path"][0]) / "custom.css").is_file()
    assert {"src", "build.py"} <= set(config.ContentsManager.hide_globs)


@pytest.fixture
def settings(monkeypatch, tmp_path):
    """What is set for Lab's own parts."""
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", str(ROOT / ".jupyter"))
    settings, error = _get_overrides(str(tmp_path))
    assert not error
    return settings


def test_no_news_is_asked_for_and_long_lines_of_code_are_wrapped(settings):
    assert settings["@jupyterlab/apputils-extension:notification"] == {"fetchNews": "false", "checkForUpdates": False}
    assert settings["@jupyterlab/notebook-extension:tracker"]["codeCellConfig"]["lineWrap"]


def test_the_glossary_opens_to_be_read_and_not_to_be_edited(settings):
    assert settings["@jupyterlab/docmanager-extension:plugin"]["defaultViewers"] == {"markdown": "Markdown Preview"}


def test_the_arrow_keys_are_left_to_a_widget_and_else_do_what_lab_has_them_do(settings):
    bound = settings["@jupyterlab/shortcuts-extension:shortcuts"]["shortcuts"]
    schema = Path(sys.prefix, "share/jupyter/lab/schemas/@jupyterlab/notebook-extension/tracker.json")
    labs = json.loads(schema.read_text(encoding="utf-8"))["jupyter.lab.shortcuts"]
    arrows = [shortcut for shortcut in labs if shortcut["keys"] in [[key] for key in ARROWS]]
    assert len(arrows) == 4 and len(bound) == 8
    for shortcut in arrows:
        assert {**shortcut, "disabled": True} in bound
        assert {**shortcut, "selector": shortcut["selector"] + ":not(.jupyter-widgets *)"} in bound


def test_make_lab_opens_it_so():
    (line,) = (line for line in (ROOT / "Makefile").read_text(encoding="utf-8").splitlines() if "/jupyter lab" in line)
    assert 'JUPYTER_CONFIG_PATH="$(CURDIR)/.jupyter"' in line
