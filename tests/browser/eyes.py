"""What can be seen to be wrong with a page: what scrolls sideways, pictures without words, what axe finds."""

from __future__ import annotations

import re

from axe_playwright_python.sync_playwright import Axe
from classroom import Learner

IN_FRONT = ".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Notebook"
OURS = [f"{IN_FRONT} .jp-OutputArea-output", f"{IN_FRONT} .jp-MarkdownOutput"]  # what a cell shows; not Lab's own bars
GRAVE = ("serious", "critical")
EXCUSED = (  # a rule, and what it may be said of
    ("aria-input-field-name", "noUi-handle"),  # ipywidgets names a slider beside its knob, and no setting moves that
    ("scrollable-region-focusable", "jp-RenderedHTML"),  # a wide table: browsers let Tab and the arrows scroll it
)
HIGHEST = 600  # pixels of a picture

SIDEWAYS = """front => [front, ...front.querySelectorAll('*')].filter(element =>
  ['auto', 'scroll'].includes(getComputedStyle(element).overflowX) && element.scrollWidth > element.clientWidth + 1
  && ![...element.querySelectorAll('table')].some(table => table.scrollWidth > element.clientWidth)
).map(element => `${element.scrollWidth} > ${element.clientWidth}: ${element.textContent.trim().slice(0, 80)}`)"""
PICTURES = "images => images.map(image => [image.getAttribute('alt'), image.getBoundingClientRect().height])"


def sideways(learner: Learner) -> list[str]:
    """What must be scrolled sideways to be read, but for tables that are wider than the page."""
    return learner.page.locator(IN_FRONT).evaluate(SIDEWAYS)


def pictures(learner: Learner) -> list[str]:
    """Pictures that say nothing to those who cannot see them, or are higher than a window."""
    found = learner.page.locator(f"{IN_FRONT} img").evaluate_all(PICTURES)
    return [f"{alt!r:.60}, {height:.0f} pixels" for alt, height in found if not alt or height > HIGHEST + 1]


def hindrances(learner: Learner) -> list[str]:
    """What axe calls serious or critical in what the cells show."""
    found = []
    for violation in Axe().run(learner.page, {"include": OURS}).response["violations"]:
        for node in violation["nodes"] if violation["impact"] in GRAVE else ():
            if not any(rule == violation["id"] and what in node["html"] for rule, what in EXCUSED):
                found.append(f"{violation['id']}: {node['html'][:160]}")
    return found


def set_as_formulas(learner: Learner) -> list[str]:
    """Text between two dollars that Lab took for mathematics; the course has none."""
    return learner.page.locator(f"{IN_FRONT} mjx-container").all_text_contents()


def dead_widgets(learner: Learner) -> list[str]:
    """What Lab says, to be seen, where a widget was."""
    return re.findall("Error displaying widget[^\n]*", learner.page.locator(IN_FRONT).inner_text())


def instead_of_widgets(learner: Learner) -> str:
    """What stands there, by our own style sheet."""
    place = learner.page.locator(f"{IN_FRONT} .jupyter-widgets:not(:has(*))").first
    return place.evaluate("place => getComputedStyle(place, '::before').content")
