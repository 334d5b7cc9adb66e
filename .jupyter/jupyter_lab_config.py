"""How `make lab` opens JupyterLab: on lesson 00, on the whole repository, and without what only builds the course.

In `labconfig/` the arrow keys, which Lab takes to go from cell to cell, are left to a slider or a choice that has the
focus. `custom/` says, of a page that is opened again, what to run where a widget was, and breaks printed text at words.
"""

from pathlib import Path

HERE = Path(__file__).resolve().parent

c = get_config()  # noqa: F821  (Jupyter gives it)
c.ServerApp.root_dir = str(HERE.parent)  # a lesson's links lead out of its folder
c.LabApp.default_url = "/lab/tree/notebooks/00_start_here.ipynb"
c.LabApp.custom_css, c.ServerApp.tornado_settings = True, {"static_custom_path": [str(HERE / "custom")]}
c.ContentsManager.hide_globs = [
    *("__pycache__", "*.pyc", "*~", "*.egg-info", "*.part"),
    *("src", "build.py", "counting.py", "in_colab.py"),  # in notebooks/: what makes the lessons
]
