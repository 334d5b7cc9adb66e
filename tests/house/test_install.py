"""What is installed: the lock fits what is asked for, on every machine; which torch; pip's settings for uv."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
import install  # noqa: E402

MACHINES = {
    f"{system} {python}": {
        "python_version": python, "python_full_version": f"{python}.9", "sys_platform": system, "os_name": os_name,
        "platform_system": name, "platform_machine": machine, "implementation_name": "cpython",
        "platform_python_implementation": "CPython", "extra": "",
    }
    for python in ("3.11", "3.12", "3.13")
    for system, os_name, name, machine in (
        ("linux", "posix", "Linux", "x86_64"),
        ("darwin", "posix", "Darwin", "arm64"),
        ("win32", "nt", "Windows", "AMD64"),
    )
}  # fmt: skip
WANTED = [
    Requirement(line.partition("#")[0])
    for line in (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    if line.partition("#")[0].strip()
]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
ENTRIES = re.split(r"\n(?=\w)", LOCK[re.search(r"^\w", LOCK, re.MULTILINE).start() :])
PINS = [Requirement(entry.partition(" \\\n")[0]) for entry in ENTRIES]


def pinned(machine: dict[str, str]) -> dict[str, list[str]]:
    """Versions that the lock gives a machine, by package."""
    found: dict[str, list[str]] = {}
    for pin in PINS:
        if pin.marker is None or pin.marker.evaluate(machine):
            found.setdefault(canonicalize_name(pin.name), []).append(str(pin.specifier).removeprefix("=="))
    return found


@pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES)
def test_the_lock_fits_requirements_txt(machine):
    versions = pinned(machine)
    assert all(len(found) == 1 for found in versions.values()), "one version a package"
    wanted = {canonicalize_name(one.name): one.specifier for one in WANTED if one.name != "torch"}
    unfit = [name for name, bounds in wanted.items() if not list(bounds.filter(versions.get(name, [])))]
    assert not unfit, "requirements.txt no longer fits requirements.lock: run `make lock`"


def test_the_lock_holds_nothing_that_requirements_txt_no_longer_names():
    named = {canonicalize_name(PINS[i].name) for i, entry in enumerate(ENTRIES) if "-r requirements.txt" in entry}
    assert named == {canonicalize_name(one.name) for one in WANTED} - {"torch"}, "run `make lock`"


def test_every_pin_has_its_hashes_and_torch_is_none_of_them():
    assert all("--hash=sha256:" in entry for entry in ENTRIES)
    assert not {"torch", "triton"} & {pin.name for pin in PINS} and "nvidia" not in LOCK


def test_the_lock_is_for_the_pythons_that_the_course_runs_on():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    runs = SpecifierSet(project["requires-python"])
    assert [minor for minor in range(8, 20) if f"3.{minor}" in runs] == [11, 12, 13]
    lock = tomllib.loads((ROOT / ".ci" / "lock.toml").read_text(encoding="utf-8"))
    assert lock["pip"]["python-version"] == "3.11" and lock["pip"]["universal"]


def test_every_requirement_stands_once_and_is_bounded_on_both_sides():
    assert len(WANTED) == len({canonicalize_name(one.name) for one in WANTED})
    assert all({part.operator for part in one.specifier} == {">=", "<"} for one in WANTED)


PLAIN, CPU = "2.15.0, 2.13.0, 2.12.1", "torch (2.13.0)\nAvailable versions: 2.15.0+cpu, 2.13.0+cpu, 2.13.0, 2.12.1+cpu"


@pytest.fixture
def on(monkeypatch):
    """Which torch a machine gets, by COURSE_TORCH, system, GPUs, what pip finds and what PyTorch's index has."""

    def choose(build="", system="linux", gpus="", pip=PLAIN, index=CPU, installed=None):
        answers = {"-L": gpus, "torch": pip, "15": index}
        monkeypatch.setattr(install, "said", lambda command: answers[command[-1]])
        monkeypatch.setattr(install, "installed_torch", lambda wanted: installed)
        monkeypatch.setattr(install.sys, "platform", system)
        monkeypatch.setenv("COURSE_TORCH", build)
        return install.torch_arguments()

    return choose


FROM_INDEX = ["torch==2.13.0+cpu", "--index-url", install.CPU_INDEX]
PIPS_OWN = [re.search(r"^torch\S+", (ROOT / "requirements.txt").read_text(encoding="utf-8"), re.MULTILINE)[0]]


@pytest.mark.parametrize(
    ("machine", "arguments", "sentence"),
    [
        ({"installed": "2.12.1+rocm"}, [], "2.12.1.rocm is installed, and stays"),
        ({"pip": CPU}, ["torch==2.13.0+cpu"], "no NVIDIA GPU here .COURSE_TORCH=cuda"),
        ({}, FROM_INDEX, "CPU build 2.13.0.cpu; no NVIDIA GPU here"),
        ({"gpus": "GPU 0: NVIDIA T4"}, PIPS_OWN, "CUDA.*COURSE_TORCH=cpu"),
        ({"gpus": "GPU 0: NVIDIA T4", "build": "cpu"}, FROM_INDEX, "as COURSE_TORCH says"),
        ({"build": "cuda", "installed": "2.13.0+cpu"}, PIPS_OWN, "that pip finds"),
        ({"build": "https://there/rocm"}, [*PIPS_OWN, "--index-url", "https://there/rocm"], "from https://there/rocm"),
        ({"system": "darwin"}, PIPS_OWN, "that pip finds"),
        ({"system": "win32", "gpus": "GPU 0: NVIDIA T4"}, PIPS_OWN, "that pip finds"),
    ],
)
def test_torch_is_small_where_there_is_no_gpu(on, machine, arguments, sentence):
    said, given = on(**machine)
    assert given == arguments
    assert re.search(sentence, said)


@pytest.mark.parametrize(
    ("machine", "message"),
    [
        ({"index": ""}, "No CPU build of torch.*COURSE_TORCH=cuda"),
        ({"build": "gpu"}, 'say "cpu", "cuda" or the address'),
    ],
)
def test_nothing_large_is_fetched_unasked(on, machine, message):
    with pytest.raises(SystemExit, match=message):
        on(**machine)


@pytest.mark.parametrize(
    ("version", "fits"),
    [("2.9.0", True), ("2.13.1+cu130", True), ("2.10.0a0+50eac811.nv25.09", True), ("2.8.1", False), ("2.14.0", False)],
)
def test_an_installed_torch_stays_if_it_is_within_the_bounds(version, fits, monkeypatch):
    monkeypatch.setattr(install.metadata, "version", lambda name: version)
    assert install.installed_torch("torch>=2.9,<2.14") == (version if fits else None)


def test_uv_reads_pips_index_and_mirrors(monkeypatch):
    listed = [
        ":env:.find-links='/a /b'", "global.cert='/c.pem'", "global.extra-index-url='file:///one\\nfile:///two'",
        "global.index-url='https://global/simple'", ":env:.index-url='https://own/simple'", "global.timeout='9'",
    ]  # fmt: skip
    monkeypatch.setattr(install, "said", lambda command: "\n".join(listed))
    monkeypatch.setattr(install.os, "environ", {"SSL_CERT_FILE": "/own.pem"})
    assert install.uv_environment() == {
        "UV_FIND_LINKS": "/a,/b", "UV_INDEX": "file:///one file:///two", "UV_DEFAULT_INDEX": "https://own/simple",
        "SSL_CERT_FILE": "/own.pem", "UV_INDEX_STRATEGY": "unsafe-best-match",
    }  # fmt: skip


@pytest.mark.parametrize("broken", [None, "uv", "pip"])
def test_pip_takes_over_where_uv_cannot_install(broken, monkeypatch, capsys):
    """Every command is seen, and one that fails ends the installation unless another can do its work."""
    commands = []

    def run(command, **options):
        commands.append(" ".join(command))
        return SimpleNamespace(returncode=int(broken is not None and f"-m {broken} " in commands[-1]), stdout="")

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(install, "torch_arguments", lambda: ("torch: small.", ["torch==2.13.0+cpu"]))
    assert install.main() == (1 if broken == "pip" else 0)
    by_pip = [command for command in commands if "-m pip" in command and "requirements.lock" in command]
    assert bool(by_pip) == (broken is not None)
    assert ("uv can't install here" in capsys.readouterr().out) == (broken is not None)
    assert all("--require-hashes" in command for command in commands if "requirements" in command)
