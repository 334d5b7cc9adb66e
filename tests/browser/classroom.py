"""A learner at JupyterLab, for tests: served as `make lab` does, with what they do there and what they see."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jupytext
from playwright.sync_api import ConsoleMessage, Locator, Page, expect

ROOT = Path(__file__).resolve().parents[2]
SHOTS = ROOT / "runs" / "browser"  # pictures of what was seen
# Folders that a learner writes into, that say where it lies, and that are shown: Jupyter serves nothing through a link.
COPIED = ("notebooks", ".jupyter", "images")
HIGH_WINDOW = 2000  # pixels, while a picture of one thing is taken
PATIENCE = 60  # seconds that Lab, or a click, may take on a slow machine
WHOLE_LESSON = 3600  # seconds that all cells of a lesson may take there
# What Lab says on its own in any notebook.
NOT_OURS = re.compile(r"ResizeObserver loop|Failed to load resource.*\b40[04]\b|widget model not found")
ERRORS = '[data-mime-type="application/vnd.jupyter.error"], [data-mime-type="application/vnd.jupyter.stderr"]'
# How long nothing new is shown while a cell runs; it is called by the first of those that wait, and a folded one, which
# shows no star, by the next.
WATCH = """() => {
  const quiet = {}, front = '.jp-NotebookPanel:not(.lm-mod-hidden) .jp-CodeCell';
  const waits = cell => cell.querySelector('.jp-InputPrompt')?.textContent.includes('[*]');
  let last = null, changed = performance.now();
  const observer = new MutationObserver(changes => {
    const shows = ({target}) => (target.closest ? target : target.parentElement)?.closest('.jp-Cell-outputWrapper');
    if (changes.some(shows)) changed = performance.now();
  });
  observer.observe(document.body, {subtree: true, childList: true, characterData: true, attributes: true});
  const timer = setInterval(() => {
    const running = [...document.querySelectorAll(front)].find(waits);
    if (running !== last) changed = performance.now();
    if (last = running) {
      const code = running.querySelector('.jp-Cell-inputWrapper').textContent;
      quiet[code] = Math.max(quiet[code] || 0, (performance.now() - changed) / 1000);
    }
  }, 200);
  window.silences = () => { observer.disconnect(); clearInterval(timer); return quiet; };
}"""
expect.set_options(timeout=1000 * PATIENCE)


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """JupyterLab on a copy of the course in `folder`, replayed, its learner new; gives its address with the token."""
    course = copied(folder / "course")
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(16)
    # Nothing of what this machine's own Lab keeps is read or written.
    own = {f"JUPYTER_{name}_DIR": str(folder / name.lower()) for name in ("CONFIG", "DATA", "RUNTIME")}
    own |= {f"JUPYTERLAB_{name}_DIR": str(folder / name.lower()) for name in ("SETTINGS", "WORKSPACES")}
    environment = {
        **os.environ, **own, "JUPYTER_CONFIG_PATH": str(course / ".jupyter"), "PYTHONPATH": str(ROOT),
        "COURSE_REPLAY": "1", "COURSE_PROGRESS": str(folder / "progress.json"), "COURSE_PAGE": "",
    }  # fmt: skip
    options = ["--no-browser", f"--port={port}", f"--IdentityProvider.token={token}", *["--allow-root"] * is_root()]
    with (folder / "lab.log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *options],
            cwd=course, env=environment, stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        wait_until(lambda: answers(f"http://localhost:{port}/api"), "JupyterLab does not answer")
        yield f"http://localhost:{port}/lab/tree/notebooks/00_start_here.ipynb?reset&token={token}"
    finally:
        server.terminate()  # shuts the kernels down, too
        server.wait(60)


def copied(course: Path) -> Path:
    """The course as a learner has it: files and some folders as copies, the rest as links; and a page of every kind."""
    course.mkdir()
    for path in ROOT.iterdir():
        if path.name in COPIED:
            shutil.copytree(path, course / path.name, ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
        elif not path.name.startswith("."):
            put = shutil.copy if path.is_file() else os.symlink
            put(path, course / path.name)
    page = jupytext.read(Path(__file__).with_name("every_kind.py"), fmt="py:percent")
    page.metadata.kernelspec = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    jupytext.write(page, course / "notebooks" / "every_kind.ipynb")
    return course


def is_root() -> bool:
    """Whom Chromium gives no sandbox, and Jupyter no server unless asked."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


def answers(address: str) -> bool:
    """Whether somebody serves it."""
    with contextlib.suppress(OSError):
        return urllib.request.urlopen(address, timeout=5).status == 200
    return False


def wait_until(holds: Callable[[], Any], otherwise: str, seconds: float = PATIENCE) -> None:
    """Look until something holds; an AssertionError says what does not."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"{otherwise}, {seconds:.0f} s long"
        time.sleep(0.2)


class Learner:
    """Somebody at Lab with a lesson in front: what they do, what they see, what their browser complains of."""

    def __init__(self, page: Page, address: str) -> None:
        self.page, self.complaints = page, []
        page.set_default_timeout(1000 * PATIENCE)
        page.on("console", self._listen)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.goto(address, wait_until="load")
        self._settle()

    def _listen(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not NOT_OURS.search(message.text):
            self.complaints.append(f"{message.text} ({message.location.get('url', '')})")

    # What is in front.

    @property
    def book(self) -> Locator:
        """The notebook."""
        return self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")

    def _cells(self, *texts: str, having: str = "") -> Locator:
        wanted = re.compile("|".join(map(re.escape, texts)))
        cells = self.book.locator(".jp-CodeCell")
        cells = cells.filter(has=self.page.locator(".jp-Cell-inputWrapper", has_text=wanted))
        return cells.filter(has=self.page.locator(f".jp-OutputArea {having}")) if having else cells

    def cells(self, *texts: str, having: str = "") -> list[Locator]:
        """The code cells with one of the texts in their source, or all; of these, whose output has such a thing."""
        return self._cells(*texts, having=having).all()

    def cell(self, text: str) -> Locator:
        """The first with this text, once it is there."""
        self._cells(text).first.wait_for(state="attached")
        return self._cells(text).first

    def said(self, cell: Locator) -> str:
        """What stands beneath a cell, as one text."""
        return "\n".join(cell.locator(".jp-OutputArea-output").all_text_contents())

    # What one does.

    def enter(self, folder: str) -> None:
        """A folder of the file list."""
        self.page.locator(".jp-DirListing-item", has_text=folder).dblclick()
        expect(self.page.locator(".jp-FileBrowser-crumbs", has_text=folder)).to_be_visible()

    def open(self, name: str) -> None:
        """A double click in the file list."""
        self.page.locator(".jp-DirListing-item", has_text=name).dblclick()
        expect(self.page.locator(".lm-TabBar-tab.lm-mod-current", has_text=name).first).to_be_visible()
        self._settle()

    def follow(self, link: Locator) -> None:
        """A link to another page, by a click."""
        name = link.get_attribute("href").partition("?")[0].rpartition("/")[2]
        link.click()
        expect(self.page.locator(".lm-TabBar-tab.lm-mod-current", has_text=name).first).to_be_visible()
        self._settle()

    def close(self) -> None:
        """Save, shut down and close, as the File menu does."""
        panels = self.page.locator(".jp-NotebookPanel")
        left = panels.count() - 1
        self.menu("File", "Save Notebook")
        self.menu("File", "Close and Shut Down Notebook")
        self.agree()
        expect(panels).to_have_count(left)

    def agree(self) -> None:
        """To what Lab asks."""
        self.page.locator(".jp-Dialog .jp-mod-accept").click()

    def menu(self, first: str, *names: str) -> None:
        """Through a menu of the bar: `menu("Run", "Run All Cells")`."""
        self.page.locator(".lm-MenuBar-item", has_text=re.compile(f"^{first}$")).click()
        for name in names:
            entry = self.page.locator(".lm-Menu-itemLabel", has_text=re.compile(f"^{re.escape(name)}"))
            entry.first.click()

    def run(self, cell: Locator, wait: bool = True) -> None:
        """One cell, by its keys."""
        prompt = cell.locator(".jp-InputPrompt")
        before = prompt.text_content()
        self.select(cell)
        self.page.keyboard.press("Control+Enter")
        wait_until(lambda: prompt.text_content() != before, "the cell does not run")
        if wait:
            self.wait(WHOLE_LESSON)

    def select(self, cell: Locator) -> None:
        cell.scroll_into_view_if_needed()
        cell.locator(".jp-InputPrompt").click()

    def to_top(self) -> None:
        """To the title."""
        title = self.book.locator(".jp-MarkdownCell").first
        title.scroll_into_view_if_needed()
        title.locator(".jp-InputPrompt").first.click()

    def run_setup(self) -> None:
        """The first code cell, by keys from the title: a click unfolds it, and arrows pass over what is folded."""
        self.to_top()
        self.page.keyboard.press("Shift+Enter")
        folded = self.book.locator(".jp-CodeCell.jp-mod-active")
        folded.wait_for()
        self.page.keyboard.press("Control+Enter")
        wait_until(lambda: not self._idle(), "the first cell does not run")
        self.wait()

    def run_all(self) -> None:
        self.page.evaluate(WATCH)
        self.menu("Run", "Run All Cells")
        self.wait(WHOLE_LESSON)
        self.silences = self.page.evaluate("window.silences()")

    def restart(self) -> None:
        """The kernel, as the Kernel menu does."""
        self.menu("Kernel", "Restart Kernel")
        self.agree()
        wait_until(lambda: not self._idle(), "the kernel does not restart")
        self.wait()

    def wait(self, seconds: float = PATIENCE) -> None:
        """Until no cell waits and the kernel is idle."""
        waiting = self.book.locator(".jp-InputPrompt", has_text="[*]")
        wait_until(lambda: self._idle() and not waiting.count(), "the kernel is not idle", seconds)

    def _idle(self) -> int:
        return self.page.locator("#jp-main-statusbar", has_text="| Idle").count()

    def _settle(self) -> None:
        expect(self.book.locator(".jp-Cell").first).to_be_visible()
        wait_until(self._idle, "no kernel has started")
        self._skim()

    def _skim(self) -> None:
        """Down the whole page and back: Lab makes the cells below the window when it has time, or somebody looks."""
        cells, seen = self.book.locator(".jp-Cell"), 0
        place = self.page.locator("#jp-main-statusbar", has_text=re.compile(r"Cell \d+/\d+"))
        while seen < int(re.search(r"Cell \d+/(\d+)", place.inner_text()).group(1)):
            expect(cells.nth(seen)).to_be_attached()
            for cell in cells.all()[seen:]:
                cell.scroll_into_view_if_needed()
                seen += 1
        self.to_top()

    def look(self, width: int, theme: str) -> None:
        """Make the window so wide, and its theme "Light" or "Dark"."""
        self.page.set_viewport_size({"width": width, "height": 800})
        if self.page.locator(f"body[data-jp-theme-name='JupyterLab {theme}']").count() == 0:
            self.menu("Settings", "Theme", f"JupyterLab {theme}")
            self.page.locator(f"body[data-jp-theme-name='JupyterLab {theme}']").wait_for(state="attached")

    def keep(self, name: str, what: Locator | None = None) -> None:
        """A picture of the window, or of one thing, in a window high enough for it."""
        if what is None:
            self.page.screenshot(path=SHOTS / f"{name}.png")
            return
        size = self.page.viewport_size
        self.page.set_viewport_size({**size, "height": HIGH_WINDOW})
        self.come_to(what)
        what.screenshot(path=SHOTS / f"{name}.png")
        self.page.set_viewport_size(size)

    def come_to(self, what: Locator) -> None:
        """Scroll there, until it stays: the page moves while Lab makes the cells above."""
        before = None

        def stays() -> bool:
            nonlocal before
            what.scroll_into_view_if_needed()
            last, before = before, what.bounding_box()
            return last == before

        wait_until(stays, "the page does not come to rest")
