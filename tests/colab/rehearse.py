"""A rehearsal of Colab without Colab: its published versions, the setup cell as it stands, then what lessons do.

    python tests/colab/rehearse.py [--image FREEZE] [--python PYTHON]      (make test-colab: minutes, 6 GB at first)

Into a virtual environment, made anew each time, go the versions of `image.txt`: those of Colab's image, with the CPU
build of torch if it can be had. In a kernel of that environment `google.colab` is a stand-in, the folder /content is a
temporary one, and git finds the course's address here: in the last commit of this repository.

Twice: in a fresh session, where one LoRA step, one index and one widget must work; and where pandas was imported before
the setup cell, which must ask for a restart, and work after it.

--image    another list of versions, such as Colab's newest, in the form of `pip freeze`; only packages that image.txt
           or requirements.lock name are taken of it
--python   which Python, by version or path; the image's own unless said otherwise, and this one where that isn't found
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT))
import install  # noqa: E402

IMAGE = HERE / "image.txt"
VENV = ROOT / ".venv-colab"
UV = [sys.executable, "-m", "uv"]
SETUP = (ROOT / "notebooks" / "src" / "_setup.py.txt").read_text(encoding="utf-8")
ADDRESS = re.search(r"https://github\.com/\S+(?= course)", SETUP)[0]
VIEW = "application/vnd.jupyter.widget-view+json"
LORA = """
student = cl.finetune(
    cl.load_model(), [cl.example(f"Say {word}.", word) for word in ("yes", "no")], "lora", epochs=1, batch_size=2
)
print("trained", student.training.losses)
"""
INDEX = """
from pathlib import Path
folder = Path("../../pages"); folder.mkdir()
(folder / "kettle.md").write_text("A kettle is descaled with vinegar.", encoding="utf-8")
(folder / "cup.md").write_text("The cup final was played in the rain.", encoding="utf-8")
print("found", cl.build_index(folder).search("How do I descale my kettle?", k=1))
"""
PREDICT = 'cl.predict("rehearsal", "How many?", 0, 10)'
REVEAL = 'cl.reveal("rehearsal", 7)'


def versions(text: str) -> dict[str, str]:
    """A list in the form of `pip freeze` as {package: version}; what isn't of an index is left out."""
    return {name.lower().replace("_", "-"): version for name, version in re.findall(r"^([\w.-]+)==(\S+)", text, re.M)}


def chosen(image: str) -> dict[str, str]:
    """Of an image's packages those that matter here."""
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    wanted = versions(IMAGE.read_text(encoding="utf-8")).keys() | versions(lock).keys()
    return {name: version for name, version in versions(image).items() if name in wanted}


def make_environment(image: str, python: str) -> Path:
    """The image's versions in VENV; gives its Python."""
    if subprocess.run([*UV, "venv", "-q", "--clear", "--python", python, str(VENV)]).returncode:
        print(f"No Python {python} here: rehearsing on {sys.version.split()[0]}.")
        subprocess.run([*UV, "venv", "-q", "--clear", "--python", sys.executable, str(VENV)], check=True)
    command = [*UV, "pip", "install", "-q", "--python", str(VENV)]
    environment = install.uv_environment()
    pins = chosen(image)
    (VENV / "image.txt").write_text("".join(f"{name}=={pins[name]}\n" for name in pins), encoding="utf-8")
    torch = [f"{name}=={pins.pop(name).partition('+')[0]}" for name in ("torch", "torchvision") if name in pins]
    plain = [f"{name}=={version}" for name, version in pins.items()]
    subprocess.run([*command, "--no-deps", *plain], check=True, env=environment)
    small = [f"{one}+cpu" for one in torch]
    small += ["--index", install.CPU_INDEX]
    if subprocess.run([*command, *small], env=environment, capture_output=True).returncode:
        print("The CPU build of torch can't be had here: taking the one with CUDA, several GB.", flush=True)
        subprocess.run([*command, *torch], check=True, env=environment)
    return VENV / "bin" / "python"


class Session:
    """A kernel in the environment, as Colab would start it: cells in, what they print and show out."""

    def __init__(self, python: Path, content: Path) -> None:
        from jupyter_client.manager import KernelManager

        self.setup = SETUP.replace("/content", str(content))
        self.manager = KernelManager()
        self.manager.kernel_spec.argv[0] = str(python)
        here = f"url.{ROOT.as_uri()}.insteadOf"
        git = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": here, "GIT_CONFIG_VALUE_0": ADDRESS}
        own = {"PYTHONPATH": str(HERE / "stand_in"), "COURSE_CACHE": str(content / "cache"), "HF_HUB_OFFLINE": "1"}
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("COURSE_", "VIRTUAL_ENV"))}
        self.start = {"cwd": str(content), "env": kept | git | own | {"PYDEVD_DISABLE_FILE_VALIDATION": "1"}}

    def __enter__(self) -> Session:
        self.manager.start_kernel(**self.start)
        self.client = self.manager.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=120)
        self.run("import google.colab")
        return self

    def __exit__(self, *_: object) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)

    def run(self, code: str, may_fail: bool = False) -> tuple[str, list[dict[str, Any]]]:
        """What a cell prints, an error too if it may fail, and the contents of all messages that it sends."""
        sent: list[dict[str, Any]] = []
        self.client.execute_interactive(
            code, output_hook=lambda m: sent.append(m["content"] | {"is": m["msg_type"]}), timeout=1200
        )
        said = "".join(one.get("text", "") + "\n".join(one.get("traceback", ())) for one in sent)
        if said.strip():
            print("    " + said.strip().replace("\n", "\n    "), flush=True)
        if not may_fail and any(one["is"] == "error" for one in sent):
            raise SystemExit(f"This cell failed:\n{code}")
        return said, sent

    def move_slider(self, sent: list[dict[str, Any]], value: int) -> None:
        """Do what the front end does when a learner moves the slider that a cell has shown."""
        opened = {one["comm_id"]: one["data"]["state"] for one in sent if one["is"] == "comm_open"}
        shown = next(one["data"][VIEW]["model_id"] for one in sent if VIEW in one.get("data", {}))
        must(shown in opened, "the widget that is shown has a model")
        slider = next(comm for comm, state in opened.items() if state["_model_name"] == "IntSliderModel")
        content = {"comm_id": slider, "data": {"method": "update", "state": {"value": value}, "buffer_paths": []}}
        self.client.shell_channel.send(self.client.session.msg("comm_msg", content))


def must(true: bool, what: str) -> None:
    """A step of the rehearsal, said; it ends there if it isn't true."""
    print(f"  {'ok' if true else 'NOT'}: {what}", flush=True)
    if not true:
        raise SystemExit("The rehearsal failed.")


def unchanged(package: str) -> bool:
    """Whether a package is as the image had it, or had it not."""
    version = versions((VENV / "image.txt").read_text(encoding="utf-8")).get(package)
    return version is None or any(VENV.glob(f"lib/*/site-packages/{package}-{version}.dist-info"))


def fresh(python: Path, content: Path) -> None:
    """A session in which nothing ran before the setup cell."""
    with Session(python, content) as session:
        said, _ = session.run(session.setup)
        must("profile laptop" in said, "the session starts, without a restart")
        must(("Removed torchao" in said) != unchanged("torchao"), "what is removed is said")
        must("trained ((1," in session.run(LORA)[0], "a LoRA step, which nothing refuses")
        must("kettle" in session.run(INDEX)[0], "an index finds its page")
        _, sent = session.run(PREDICT)
        session.move_slider(sent, 7)
        must("You predicted 7" in session.run(REVEAL)[0], "a widget takes a learner's prediction")
        must("Installing" not in session.run(session.setup)[0], "a second time nothing is installed")


def pandas_first(python: Path, content: Path) -> None:
    """A session in which pandas, and with it pyarrow, was imported before the setup cell."""
    with Session(python, content) as session:
        session.run("import pandas")
        for _ in range(2):
            said, _ = session.run(session.setup, may_fail=True)
            asked = "pyarrow" in said and "Restart session" in said and "Traceback" not in said
            must(asked != unchanged("pyarrow"), "a restart is asked for, in a sentence, if pyarrow changed")
    with Session(python, content) as session:
        session.run("import pandas")
        must("profile laptop" in session.run(session.setup)[0], "after a restart the session starts")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--image", type=Path, default=IMAGE)
    parser.add_argument("--python")
    options = parser.parse_args(arguments)
    image = options.image.read_text(encoding="utf-8")
    own = re.search(r"Python (\d+\.\d+)", IMAGE.read_text(encoding="utf-8"))[1]
    for number, scene in enumerate((fresh, pandas_first), 1):
        started = time.monotonic()
        print(f"{number}. {scene.__doc__}", flush=True)
        python = make_environment(image, options.python or own)
        with tempfile.TemporaryDirectory() as folder:
            scene(python, Path(folder).resolve())
        print(f"  {(time.monotonic() - started) / 60:.1f} minutes", flush=True)
    print("The rehearsal went well.")


if __name__ == "__main__":
    main()
