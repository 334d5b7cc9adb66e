"""A browser, and JupyterLab served as `make lab` does; without either the tests say why they are skipped."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Generator, Iterator
from typing import Any

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Of what fails a picture is kept, too."""
    report = yield
    if report.failed and (learner := getattr(item, "funcargs", {}).get("learner")):
        with contextlib.suppress(Exception):  # the browser may be gone
            learner.keep("failed-" + re.sub(r"[^-\w]+", "-", item.name))
    return report


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """The Chromium that is installed (`COURSE_BROWSER` names another); nothing is downloaded."""
    from classroom import is_root
    from playwright.sync_api import Error, sync_playwright

    path = os.environ.get("COURSE_BROWSER") or next(filter(None, map(shutil.which, BROWSERS)), None)
    how = {"executable_path": path} if path else {"channel": "chrome"}
    with sync_playwright() as playwright:
        try:
            chromium = playwright.chromium.launch(
                **how, chromium_sandbox=not is_root(), args=["--disable-dev-shm-usage"]
            )
        except Error as error:
            pytest.skip(f"no Chromium that can be started: {str(error).splitlines()[0]}")
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def address(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where Lab is served, with its token; the pictures of an earlier run are gone."""
    from classroom import SHOTS, served

    shutil.rmtree(SHOTS, ignore_errors=True)
    SHOTS.mkdir(parents=True)
    with served(tmp_path_factory.mktemp("lab")) as there:
        yield there


@pytest.fixture(scope="module")
def learner(browser: Any, address: str) -> Iterator[Any]:
    """Somebody with a new window of 1,280 pixels, on the page that Lab opens with."""
    from classroom import Learner

    page = browser.new_page(viewport={"width": 1280, "height": 800})
    yield Learner(page, address)
    page.close()
