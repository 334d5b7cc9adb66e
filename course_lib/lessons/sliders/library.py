"""The library looked at: a slider on how a document is cut, and all passages as a map in two dimensions."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from course_lib.core.errors import CourseError
from course_lib.display import plots
from course_lib.display.playground import panel, rich, show
from course_lib.retrieval.documents import Document, Passage, check_sizes, split_into_passages
from course_lib.retrieval.index import Index

SIZES, OVERLAPS = (20, 40, 60, 80, 120, 160, 240), (0, 10, 20, 40)
WIDTH = 76  # of a passage in plain text
GROUPS = 7  # as many as there are looks that can be told apart


def chunk_slider(index: Index, document: Document, question: str, size: int | None = None, overlap: int = 0) -> None:
    """Move size and overlap; see how the document is cut, and which passage lies nearest to the question.

    The index's embedding model counts the tokens and measures the nearness; nothing is added to it. A `size` says it
    without a widget. Size and overlap are in tokens, as `build_index` takes them.
    """
    if not question.strip():
        raise CourseError("the question is empty: ask something.")

    def cut(size: int, overlap: int) -> _Cut:
        check_sizes(size, overlap)
        passages = split_into_passages(document, size, index.count_tokens, overlap)
        asked, *vectors = index.embed([question, *(p.searched for p in passages)])
        return _Cut(question, passages, [float(vector @ asked) for vector in vectors])

    text = (
        "Move size and overlap: the passage nearest to the question lights up. Without widgets: "
        "sliders.chunk_slider(index, document, question, size=80, overlap=20)"
    )
    controls = {"size": (SIZES, 80), "overlap": (OVERLAPS, 0)}

    def bounds(size: int, _: int) -> dict[str, list[int]]:
        return {"overlap": [overlap for overlap in OVERLAPS if overlap < size]}

    show(lambda: panel(controls, cut, 2, bounds=bounds), text, None if size is None else cut(size, overlap))


@dataclass(frozen=True)
class _Cut:
    """The passages of a document, and the nearness of each to a question (cosine)."""

    question: str
    passages: list[Passage]
    scores: list[float]

    def __str__(self) -> str:
        lines = [f"{len(self.passages)} passages; > marks the nearest"]
        for passage, score in zip(self.passages, self.scores):
            words = " ".join(passage.text.replace("**", "").split())
            cut = words if len(words) <= WIDTH else words[: WIDTH - 3] + "..."
            lines.append(f"{'>' if score == max(self.scores) else ' '} {score:.2f}  {cut}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows = [f"<p>{len(self.passages)} passages. <b>{html.escape(self.question)}</b></p>"]
        for passage, score in zip(self.passages, self.scores):
            best = score == max(self.scores)
            # Two colours or none: a dark page's own ink could not be read on the light ground.
            look = "#d55e00;background:#fff1e6;color:#262626" if best else "#999"
            mark = "nearest, " if best else ""  # colour is never the only sign
            text = f"{rich(passage.text)} <i>({mark}{score:.2f})</i>".replace("\n", "<br>")
            rows.append(f'<div style="border-left:6px solid {look};margin:4px 0;padding:4px 8px">{text}</div>')
        return "".join(rows)


def library_map(index: Index, questions: Sequence[str] = ()) -> plots.Picture:
    """Every passage as a point, by kind of document; questions as stars.

    Two of some hundred dimensions are a shadow: the alt text says how much of the spread is left.
    """
    from sklearn.decomposition import PCA

    passages = index.passages()
    if len(passages) < 3:
        raise CourseError(f"{len(passages)} passages make no map: at least 3 are needed.")
    vectors = index.store.vectors()
    plane = PCA(2, svd_solver="full").fit(vectors)  # the two directions in which they are spread widest
    kinds = Counter(passage.kind or "documents" for passage in passages)
    common = {kind for kind, _ in kinds.most_common(GROUPS if len(kinds) <= GROUPS else GROUPS - 1)}
    labels = [kind if (kind := passage.kind or "documents") in common else "other kinds" for passage in passages]
    spots = plane.transform(vectors).tolist()
    if questions:
        spots += plane.transform(index.embed(list(questions))).tolist()
        labels += ["your question"] if len(questions) == 1 else [f"question {i}" for i in range(1, len(questions) + 1)]
    drawn = plots.points(spots, labels, "The library, flattened", highlight=range(len(passages), len(spots)))
    drawn.alt += "".join(f" {label}: {text}" for label, text in zip(labels[len(passages) :], questions))
    drawn.alt += f" Two dimensions keep {plane.explained_variance_ratio_.sum():.0%} of the spread."
    return drawn
