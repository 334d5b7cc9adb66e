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


# Of widgets: a knob's way too short to aim at, a name cut short, and what is pushed over the page's edge.
CRUSHED = """(fronts, narrowest) => fronts.flatMap(front => {
  const edge = front.closest('.jp-OutputArea').getBoundingClientRect().right;
  const wrong = {
    '.noUi-target': slider => slider.getBoundingClientRect().width < narrowest,
    'button, .widget-label': name => name.scrollWidth > name.clientWidth + 1,
    '*': thing => thing.getBoundingClientRect().right > edge + 1,
  };
  return Object.entries(wrong).flatMap(([kind, holds]) => [...front.querySelectorAll(kind)]
    .filter(thing => thing.getBoundingClientRect().width && holds(thing))
    .map(thing => `${kind}: ${thing.className.slice(0, 60)} ${thing.textContent.slice(0, 60)}`));
})"""
NARROWEST = 100  # pixels of a slider's way
# Text that was to be set: Markdown's marks where none are obeyed any more.
MARKS = """fronts => fronts.flatMap(front => {
  const copy = front.cloneNode(true);
  copy.querySelectorAll('code, pre, style').forEach(element => element.remove());
  return copy.textContent.match(/[^\\n]{0,30}\\*\\*[^\\n]{0,30}/g) || [];
})"""
WITHIN_WORDS = """texts => texts.filter(text => getComputedStyle(text).wordBreak === 'break-all')
  .map(text => text.textContent.slice(0, 60))"""
LINKS = "links => links.map(link => [link.textContent, link.href])"


def sideways(learner: Learner) -> list[str]:
    """What must be scrolled sideways to be read, but for tables that are wider than the page."""
    return learner.page.locator(IN_FRONT).evaluate(SIDEWAYS)


def pictures(learner: Learner) -> list[str]:
    """Pictures that say nothing to those who cannot see them, or are higher than a window."""
    found = learner.page.locator(f"{IN_FRONT} img").evaluate_all(PICTURES)
    return [f"{alt!r:.60}, {height:.0f} pixels" for alt, height in found if not alt or height > HIGHEST + 1]


def hindrances(learner: Learner, ran: bool = True) -> list[str]:
    """What axe calls serious or critical in what the cells show.

    Lab leaves out the words that a stored picture brings along, which GitHub shows: once it `ran` here, it has them.
    """
    found = []
    for violation in Axe().run(learner.page, {"include": OURS}).response["violations"]:
        for node in violation["nodes"] if violation["impact"] in GRAVE else ():
            if not any(rule == violation["id"] and what in node["html"] for rule, what in EXCUSED):
                found.append(f"{violation['id']}: {node['html'][:160]}")
    return [hindrance for hindrance in found if ran or not hindrance.startswith("image-alt")]


def crushed(learner: Learner) -> list[str]:
    """Controls too narrow for their use or their name, or cut off at the page's edge."""
    return learner.page.locator(f"{IN_FRONT} .jp-OutputArea-output.jupyter-widgets").evaluate_all(CRUSHED, NARROWEST)


def bare_marks(learner: Learner) -> list[str]:
    """Stars that were meant to make something bold, and stand there as stars."""
    set_text = (".jp-RenderedHTMLCommon", ".jupyter-widgets", ".jp-MarkdownOutput")
    return learner.page.locator(", ".join(f"{IN_FRONT} {what}" for what in set_text)).evaluate_all(MARKS)


def broken_within_words(learner: Learner) -> list[str]:
    """Printed text whose long lines would be broken anywhere."""
    return learner.page.locator(f"{IN_FRONT} .jp-OutputArea-output pre").evaluate_all(WITHIN_WORDS)


def dead_links(learner: Learner) -> list[str]:
    """What leads, within the course, to nothing that Lab serves."""
    links = learner.page.locator(f"{IN_FRONT} .jp-MarkdownOutput a[href]").evaluate_all(LINKS)
    origin = learner.page.evaluate("location.origin")
    own = [(text, href) for text, href in links if href.startswith(origin) and not text.startswith("¶")]
    return [f"{text}: {href}" for text, href in own if not learner.page.request.get(href).ok]


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
