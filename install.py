"""Installs the course into the Python that runs it: what requirements.lock pins, torch, the models, the course itself.

    python install.py            (`make install` and `make lab` call it in .venv)

torch stands outside the lock: its build depends on the machine. On Linux without an NVIDIA GPU the CPU build is taken
(200 MB), where plain pip would fetch CUDA (several GB). COURSE_TORCH overrules that: "cpu"; "cuda", which is whatever
pip finds by itself; or the address of an index, such as https://download.pytorch.org/whl/rocm6.4.

uv installs what is pinned: its seconds are pip's minutes. Where it can't, pip does, from the same files.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parent
PINNED = ["--no-deps", "--require-hashes", "-r", "requirements.lock", "-r", "requirements-models.txt"]
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
PIP_INSTALL = [*PIP, "install", "--no-compile"]  # to compile all modules takes a minute, and most are never used
UV_INSTALL = [sys.executable, "-m", "uv", "pip", "install", "--python", sys.executable]
FIRST_IMPORTS = """
import bm25s, chromadb, datasets, faiss, ipykernel.kernelapp, ipywidgets, jupyterlab.labapp, matplotlib.pyplot, nbclient
import nbval, openai, pandas, peft, pypdf, pytest, sentence_transformers, sklearn.decomposition, sqlglot, torch
from transformers import AutoTokenizer, LlamaForCausalLM
from trl import DPOTrainer, GRPOTrainer, RewardTrainer, RLOOTrainer, SFTTrainer
"""
# pip's settings, and the variables by which uv reads the same.
UV_VARIABLES = {
    "index-url": "UV_DEFAULT_INDEX", "extra-index-url": "UV_INDEX", "find-links": "UV_FIND_LINKS",
    "no-index": "UV_NO_INDEX", "cert": "SSL_CERT_FILE", "trusted-host": "UV_INSECURE_HOST", "proxy": "ALL_PROXY",
}  # fmt: skip


def said(command: list[str]) -> str:
    """What a command prints; nothing, if it fails or isn't there."""
    try:
        run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    except OSError:
        return ""
    return run.stdout if run.returncode == 0 else ""


def run(command: list[str], **options) -> bool:
    """Run a command before the user's eyes; whether it went well."""
    return subprocess.run(command, cwd=ROOT, **options).returncode == 0


def torch_arguments() -> tuple[str, list[str]]:
    """Which torch this machine gets: a sentence about it, and what pip is told; [] if it is there already."""
    wanted = re.search(r"^torch\S+", (ROOT / "requirements.txt").read_text(encoding="utf-8"), re.MULTILINE)[0]
    build = os.environ.get("COURSE_TORCH", "")
    if not build and (there := installed_torch(wanted)):
        return f"torch {there} is installed, and stays.", []
    if "://" in build:
        return f"torch: from {build}, as COURSE_TORCH says.", [wanted, "--index-url", build]
    if build not in ("", "cpu", "cuda"):
        raise SystemExit(f'COURSE_TORCH={build}: say "cpu", "cuda" or the address of an index.')
    if build == "cuda" or not sys.platform.startswith("linux"):
        return "torch: the build that pip finds.", [wanted]
    if not build and said(["nvidia-smi", "-L"]).strip():
        return "torch: with CUDA, for this machine's NVIDIA GPU (COURSE_TORCH=cpu takes the small build).", [wanted]
    reason = "as COURSE_TORCH says" if build else "no NVIDIA GPU here (COURSE_TORCH=cuda takes the one with CUDA)"
    for options in ([], ["--index-url", CPU_INDEX]):
        patience = ["--retries", "1", "--timeout", "15"] if options else []
        if version := cpu_build(wanted, said([*PIP, "index", "versions", "torch", *options, *patience])):
            return f"torch: the CPU build {version}; {reason}.", [f"torch=={version}", *options]
    raise SystemExit(
        f"No CPU build of torch for this Python was found, neither where pip looks nor at {CPU_INDEX}. Name another "
        "index by COURSE_TORCH=https://..., or take the build with CUDA, several GB: COURSE_TORCH=cuda make install"
    )


def installed_torch(wanted: str) -> str | None:
    """The version of torch that is installed, if it is a wanted one."""
    try:
        there = metadata.version("torch")
    except metadata.PackageNotFoundError:
        return None
    return there if within(there, wanted) else None


def cpu_build(wanted: str, listed: str) -> str | None:
    """The newest wanted version with a CPU build, out of what `pip index versions torch` lists, newest first."""
    return next((version for version in re.findall(r"[\d.]+\+cpu", listed) if within(version, wanted)), None)


def within(version: str, wanted: str) -> bool:
    """Whether a version lies between the bounds of a requirement such as "torch>=2.9,<2.14"."""
    low, high, here = (
        tuple(int(part) for part in re.findall(r"\d+", re.match(r"[\d.]+", text)[0]))
        for text in (*re.search(r">=([\d.]+),<([\d.]+)", wanted).groups(), version)
    )
    return low <= here < high


def uv_environment() -> dict[str, str]:
    """pip's index, mirrors and certificate, as uv reads them; what is set for uv itself stays."""
    settings: dict[str, str] = {}
    listed = said([*PIP, "config", "list"])
    for section in ("global", "install", ":env:"):  # the last that says something holds
        for name, value in re.findall(rf"^{section}\.([\w-]+)=(.*)$", listed, re.MULTILINE):
            if name in UV_VARIABLES:
                between = "," if name == "find-links" else " "
                settings[UV_VARIABLES[name]] = between.join(ast.literal_eval(value).split())
    return {"UV_INDEX_STRATEGY": "unsafe-best-match", **settings, **os.environ}


def have_uv() -> bool:
    """uv, in the version that the lock pins."""
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        pinned = Path(folder) / "uv.txt"
        pinned.write_text(re.search(r"^uv==.*?(?=^\S|\Z)", lock, re.MULTILINE | re.DOTALL)[0], encoding="utf-8")
        return run([*PIP_INSTALL, "-q", "--no-deps", "--require-hashes", "-r", str(pinned)])


def main() -> int:
    sentence, torch = torch_arguments()
    print(sentence, flush=True)
    print("The packages that requirements.lock pins, and the two models ...", flush=True)
    if not (have_uv() and run([*UV_INSTALL, *PINNED], env=uv_environment())):
        print("uv can't install here, so pip does; it takes some minutes ...", flush=True)
        if not run([*PIP_INSTALL, *PINNED]):
            return 1
    if torch and not run([*PIP_INSTALL, *torch]):
        return 1
    if not run([*PIP_INSTALL, "-q", "--no-deps", "--no-build-isolation", "-e", "."]):
        return 1
    print("The first import, which compiles what the lessons use ...", flush=True)
    writing = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    if not run([sys.executable, "-W", "ignore", "-c", FIRST_IMPORTS], env=writing, stderr=subprocess.DEVNULL):
        run([sys.executable, "-c", FIRST_IMPORTS])  # once more, to be seen
        return 1
    print(f"The course is installed in {sys.prefix}.", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
