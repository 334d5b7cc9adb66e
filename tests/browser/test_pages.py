"""The pages to be read, with every output, as they look in JupyterLab: nothing runs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest.importorskip("playwright", reason="no Playwright: `make test-browser` installs it")
pytest.importorskip("axe_playwright_python", reason="no axe: `make test-browser` installs it")

import eyes
from classroom import ROOT, Learner

PAGES = [path.stem for path in sorted((ROOT / "notebooks" / "solutions").glob("[0-9][0-9]_*.ipynb"))]
pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def reader(learner: Learner) -> Learner:
    """Somebody in the folder of the pages to be read."""
    learner.enter("solutions")
    return learner


@pytest.fixture(scope="module", params=PAGES)
def page(request: pytest.FixtureRequest, reader: Learner) -> Iterator[Learner]:
    """One of them, open."""
    reader.open(request.param)
    yield reader
    reader.close()


@pytest.mark.parametrize(("width", "theme"), [(1280, "Light"), (1024, "Dark")])
def test_a_page_is_readable(page, width, theme):
    page.look(width, theme)
    assert not eyes.sideways(page)
    assert not eyes.hindrances(page, ran=False)


def test_no_page_has_a_formula(page):
    assert not eyes.set_as_formulas(page)
