"""A slider on how a document is cut: size and overlap, with the passage that answers a question lit up."""

from __future__ import annotations

import html
from typing import Any

from course_lib.documents import Document, Passage, check_sizes, split_into_passages
from course_lib.errors import CourseError
from course_lib.progress import in_notebook
from course_lib.retrieval import Index
from course_lib.widgets import show_widget

__all__ = ["chunk_slider"]

SIZES = (20, 40, 60, 80, 120, 160, 240)
OVERLAPS = (0, 10, 20, 40)
# Of a passage in plain text.
WIDTH = 76


def chunk_slider(index: Index, document: Document, question: str, size: int | None = None, overlap: int = 0) -> None:
    """Move size and overlap; see how the document is cut, and which passage lies nearest to the question.

    Parameters
    ----------
    index
        Whose embedding model counts the tokens and measures the nearness. Nothing is added to it.
    document
        What is cut.
    size, overlap
        In tokens, as `build_index` takes them. A size says it without a widget, and prints.

    Raises
    ------
    CourseError
        If the question is empty, or size and overlap make no sense.
    """
    if not question.strip():
        raise CourseError("the question is empty: ask something.")
    if size is not None:
        print(_as_text(*_cut(index, document, question, size, overlap)))
        return
    text = (
        "Move size and overlap: the passage nearest to the question lights up. Without widgets: "
        "cl.chunk_slider(index, document, question, size=80, overlap=20)"
    )
    show_widget(_sliders(index, document, question) if in_notebook() else None, text)


def _sliders(index: Index, document: Document, question: str) -> Any:
    import ipywidgets as w

    size = w.SelectionSlider(options=SIZES, value=80, description="size", continuous_update=False)
    overlap = w.SelectionSlider(options=OVERLAPS, value=0, description="overlap", continuous_update=False)
    shown = w.HTML()

    def show(_: Any = None) -> None:
        try:
            shown.value = _as_html(question, *_cut(index, document, question, size.value, overlap.value))
        except CourseError as error:  # an overlap as long as the passage: the sliders stay usable
            shown.value = html.escape(str(error))

    for control in (size, overlap):
        control.observe(show, "value")
    show()
    return w.VBox([w.HBox([size, overlap]), shown])


def _cut(index: Index, document: Document, question: str, size: int, overlap: int) -> tuple[list[Passage], list[float]]:
    """Passages, and the nearness of each to the question (cosine)."""
    check_sizes(size, overlap)
    passages = split_into_passages(document, size, index.count_tokens, overlap)
    asked, *vectors = index.embed([question, *(p.searched for p in passages)])
    return passages, [float(vector @ asked) for vector in vectors]


def _as_text(passages: list[Passage], scores: list[float]) -> str:
    lines = [f"{len(passages)} passages; > marks the nearest"]
    for passage, score in zip(passages, scores):
        words = " ".join(passage.text.split())
        cut = words if len(words) <= WIDTH else words[: WIDTH - 3] + "..."
        lines.append(f"{'>' if score == max(scores) else ' '} {score:.2f}  {cut}")
    return "\n".join(lines)


def _as_html(question: str, passages: list[Passage], scores: list[float]) -> str:
    rows = [f"<p>{len(passages)} passages. <b>{html.escape(question)}</b></p>"]
    for passage, score in zip(passages, scores):
        best = score == max(scores)
        look = "border-left:6px solid #d55e00;background:#fff1e6" if best else "border-left:6px solid #ddd"
        mark = "nearest, " if best else ""  # colour is never the only sign
        text = html.escape(passage.text).replace("\n", "<br>")
        rows.append(f'<div style="{look};margin:4px 0;padding:4px 8px">{text} <i>({mark}{score:.2f})</i></div>')
    return "".join(rows)
