"""The learner's own case on one page: a table, a plot, a conclusion held against both, and a split that was checked."""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from course_lib.conclusions import Claim, check_conclusion
from course_lib.datasets import Exam, Example, check_no_leak
from course_lib.errors import CourseError, disk_explained
from course_lib.evaluation import Comparison
from course_lib.pictures import Picture
from course_lib.reports import Report

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Page", "one_page_report"]

UNCHECKED = "The split was not checked: no training examples were given."
CSS = """
body { font: 16px/1.5 Georgia, serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
th, td { border-bottom: 1px solid #ccc; padding: 0.3rem 0.5rem; text-align: left; }
img { max-width: 100%; }
@media print { body { margin: 0; font-size: 12px; } img { max-height: 38vh; } }
""".strip()


@dataclass(frozen=True)
class Page:
    """A written report: where it is, and what was found about its conclusion.

    Attributes
    ----------
    markdown, html, picture
        The files; the HTML holds its picture, the Markdown page shows the PNG beside it.
    claims
        What the conclusion says, held against the numbers.
    """

    markdown: Path
    html: Path
    picture: Path
    claims: tuple[Claim, ...]

    @property
    def sound(self) -> bool:
        """Whether the conclusion claims something, and all of it is borne out."""
        return bool(self.claims) and all(claim.holds for claim in self.claims)

    def __str__(self) -> str:
        found = "\n".join(map(str, self.claims)) or "✗ the conclusion claims nothing that could be checked"
        return f"{found}\nWritten to {self.html.name} and {self.markdown.name}."

    def _repr_html_(self) -> str:
        return self.html.read_text(encoding="utf-8").partition("<body>")[2].partition("</body>")[0]


def one_page_report(
    folder: str | Path,
    title: str,
    reports: Mapping[str, Report],
    conclusion: str,
    *,
    case: str,
    baseline: str | None = None,
    exam: Exam | None = None,
    examples: Sequence[Example] = (),
    reading: bool = False,
) -> Page:
    """Write a capstone's report as one page of HTML and of Markdown.

    It is written whether the conclusion holds or not: what does not is marked on the page.

    Parameters
    ----------
    folder
        Gets `report.html`, `report.md` and `report.png`.
    title, case
        What the page is called; the case in a sentence or more: whose question, whose documents, what counts.
    reports
        Name -> report of the same exam: base, RAG, fine-tuned, hybrid.
    conclusion
        A few sentences, checked by `check_conclusion`.
    baseline
        Whom all others are compared with; the first of the reports unless said otherwise.
    exam, examples, reading
        The exam, and what was trained on: `check_no_leak` is asked whether the split is clean.

    Raises
    ------
    LeakError
        If something of the exam is among the examples: there is no page about a leak.
    CourseError
        If title, case or conclusion is empty, there are fewer than two reports, or they are of different questions; if
        there are examples and no exam.
    ModelError
        If the folder cannot be written.
    """
    for what, text in (("title", title), ("case", case)):
        if not isinstance(text, str) or not text.strip():
            raise CourseError(f"{what} is empty: say it in a sentence.")
    split = _split(exam, examples, reading)
    claims = tuple(check_conclusion(conclusion, reports))
    named = {name: Report(name, report.exam, report.rows) for name, report in reports.items()}
    sat = Comparison(next(iter(named.values())).exam, named)
    tables = {
        "What was measured": sat.table(),
        "What differs, question by question": sat.differences(baseline or next(iter(named))),
    }
    picture = sat.plot()
    folder = Path(folder)
    page = Page(folder / "report.md", folder / "report.html", folder / "report.png", claims)
    with disk_explained(folder, "choose another folder"):
        folder.mkdir(parents=True, exist_ok=True)
        page.picture.write_bytes(picture.png)
        for path, text in (
            (page.markdown, _markdown(title, case, tables, picture, conclusion, claims, split)),
            (page.html, _html(title, case, tables, picture, conclusion, claims, split)),
        ):
            path.write_text(text, encoding="utf-8", newline="\n")
    return page


def _split(exam: Exam | None, examples: Sequence[Example], reading: bool) -> str:
    if not examples:
        return UNCHECKED
    if exam is None:
        raise CourseError("examples were given without their exam: the split can be checked against an exam only.")
    check_no_leak(examples, exam, reading=reading)
    return f"The split is clean: none of the {len(exam)} questions is among the {len(examples)} training examples."


def _marks(claims: Sequence[Claim]) -> list[str]:
    return [str(claim) for claim in claims] or ["✗ the conclusion claims nothing that could be checked"]


def _markdown(
    title: str, case: str, tables: Mapping[str, pd.DataFrame], picture: Picture, conclusion: str,
    claims: Sequence[Claim], split: str,
) -> str:  # fmt: skip
    parts = [f"# {title}", case]
    for heading, table in tables.items():
        parts += [f"## {heading}", _markdown_table(table)]
    parts += [f"![{picture.alt.replace(']', ')').replace('[', '(')}](report.png)", "## Conclusion", conclusion.strip()]
    parts += ["## Held against the numbers", "\n".join(f"- {mark}" for mark in _marks(claims)), split]
    return "\n\n".join(parts) + "\n"


def _markdown_table(table: pd.DataFrame) -> str:
    rows = [[table.index.name or "", *table.columns], ["---"] * (len(table.columns) + 1)]
    rows += [[name, *values] for name, values in zip(table.index, table.to_numpy(dtype=object))]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |" for row in rows)


def _html(
    title: str, case: str, tables: Mapping[str, pd.DataFrame], picture: Picture, conclusion: str,
    claims: Sequence[Claim], split: str,
) -> str:  # fmt: skip
    safe = html.escape
    image = base64.b64encode(picture.png).decode("ascii")
    parts = [f"<h1>{safe(title)}</h1>", f"<p>{safe(case)}</p>"]
    for heading, table in tables.items():
        parts += [f"<h2>{safe(heading)}</h2>", table.reset_index().to_html(index=False, border=0)]
    parts.append(f'<img src="data:image/png;base64,{image}" alt="{safe(picture.alt)}">')
    parts += ["<h2>Conclusion</h2>", f"<p>{safe(conclusion.strip())}</p>", "<h2>Held against the numbers</h2>"]
    parts += ["<ul>", *(f"<li>{safe(mark)}</li>" for mark in _marks(claims)), "</ul>", f"<p>{safe(split)}</p>"]
    head = f'<meta charset="utf-8"><title>{safe(title)}</title><style>{CSS}</style>'
    return "\n".join(
        [f'<!DOCTYPE html>\n<html lang="en"><head>{head}</head>', "<body>", *parts, "</body>", "</html>", ""]
    )
