"""How `make lab` opens JupyterLab: on lesson 00, on the whole repository, and without what only builds the course."""

from pathlib import Path

c = get_config()  # noqa: F821  (Jupyter gives it)
c.ServerApp.root_dir = str(Path(__file__).resolve().parents[1])  # a lesson's links lead out of its folder
c.LabApp.default_url = "/lab/tree/notebooks/00_start_here.ipynb"
c.ContentsManager.hide_globs = [
    *("__pycache__", "*.pyc", "*~", "*.egg-info", "*.part"),
    *("src", "build.py", "counting.py", "in_colab.py"),  # in notebooks/: what makes the lessons
]
