"""What `results_08.py` measures of keeping fresh: a handbook gets new editions, and students are asked what holds.

Five policies of the handbook exist in an edition of 2039 and one of 2042. At first the library holds the old editions,
and a student has learned them by heart. Then the new ones come. RAG gets them by an update of its index, whoever reads
it; the student by heart is trained again, on the new editions, from the model as it was. People ask as they do: without
naming a year.

Each student by heart is two trainings of four to five minutes a seed on two slow cores. Single reports are kept in
`data/results/08.parquet`.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

from shared.figures import difference, of_seeds
from shared.keeping import kept, kept_data
from shared.stepping import where_and_when
from shared.students import Students, shelf_of_its_own

import course_lib as cl
from course_lib.core import session
from course_lib.core.chat import Example
from course_lib.evaluation.exams import Fact, questions_of
from course_lib.lessons.adverse import undated_questions
from course_lib.retrieval import stores
from course_lib.retrieval.grounding import said

LESSON = "08"
OLD, NEW = "2039", "2042"
# Lesson 02's, for learning by heart, and its k.
RECIPE: dict[str, Any] = {"epochs": 4, "learning_rate": 3e-3, "batch_size": 4}
K = 1


def editions() -> dict[str, list[Fact]]:
    """Year -> the facts of the policies that have an edition of both years."""
    facts = cl.load_facts(kind="handbook")
    stems = {year: {f.source[:-5] for f in facts if f.source.endswith(f"-{year}")} for year in (OLD, NEW)}
    both = stems[OLD] & stems[NEW]
    return {year: [f for f in facts if f.source[-4:] == year and f.source[:-5] in both] for year in (OLD, NEW)}


def study(facts: Sequence[Fact]) -> list[Example]:
    """Every fact in each of its study wordings."""
    return [cl.example(wording, fact.answer) for fact in facts for wording in fact.study]


def without(index: cl.Index, sources: Collection[str], folder: Path) -> cl.Index:
    """The same index without some documents, on disk in a folder of its own; its vectors are taken over."""
    held, store = index.passages(), stores.ChromaStore(folder)
    chosen = [i for i, passage in enumerate(held) if passage.source not in sources]
    store.add([held[i] for i in chosen], index.store.vectors()[chosen], [""] * len(chosen))
    return cl.Index(index.embedder, store, index.passage_tokens, index.overlap)


def update(index: cl.Index, old: Sequence[str], new: Sequence[cl.Document]) -> dict[str, Any]:
    """Take old editions out of an index and put new ones in; how long it took, and how many passages came."""
    index.embed(["Whatever is loaded when it is first needed is loaded by this."])
    started = time.perf_counter()
    index.remove(*old)
    passages = index.add(*new)
    return {"index_seconds": round(time.perf_counter() - started, 2), "passages": passages}


class ByHeart:
    """Students of the handbook by edition and seed, each trained when it is first asked, or taken from the shelf."""

    def __init__(self, model: Callable[[], cl.ChatModel]) -> None:
        self.model, self.students = model, Students()

    def student(self, year: str, seed: int) -> cl.ChatModel:
        """One student; the one before is let go."""
        name = f"08-fresh-{year}-seed-{seed}"
        options = {"name": name, "seed": seed, "from_shelf": True, **RECIPE}
        return self.students.trained(name, lambda: cl.finetune(self.model(), study(editions()[year]), **options))

    def training(self, year: str, seed: int) -> dict[str, Any]:
        """Seconds and tokens of a student's training."""

        def make() -> dict[str, Any]:
            training = self.student(year, seed).training
            return {"seconds": round(training.seconds, 1), "tokens": training.tokens, **where_and_when()}

        return kept_data(LESSON, f"fresh-{year}-seed-{seed}-training", make, {**RECIPE, "seed": seed})


def fresh(
    model: Callable[[], cl.ChatModel],
    readers: Mapping[str, Callable[[], cl.ChatModel]],
    index: Callable[[], cl.Index],
    seeds: Sequence[int] = (0, 1, 2),
) -> dict[str, Any]:
    """What is true today, asked of RAG and by heart, stale and brought up to date; what each took; and who still tells.

    `index_seconds` and `retrain_seconds` (the mean over seeds); for each arm its answers by the new edition
    (`today`) and by the old (`yesterday`); `withdrawn`, the share of the old edition that the student who learned it
    still tells when its documents are gone, and what RAG and the one who was trained again tell of it. The `readers` by
    their names only read pages, beside the untrained model.
    """
    shelf_of_its_own(LESSON)
    facts = editions()
    sources = {year: sorted({fact.source for fact in facts[year]}) for year in facts}
    today, outdated = undated_questions([*facts[OLD], *facts[NEW]])
    gone = [question for fact in facts[OLD] for question in questions_of(fact, "exam")]
    for year in facts:
        cl.check_no_leak(study(facts[year]), cl.Exam("fresh", (*today, *gone)))
    by_heart = ByHeart(model)

    def sat(name: str, candidate: Callable[[], Any], asked: Sequence[cl.Question], **settings: Any) -> cl.Report:
        wanted = {"n": len(asked), **settings}
        return kept(LESSON, f"fresh-{name}", lambda: cl.evaluate(candidate(), asked, name), wanted)

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:

        @cache
        def stale() -> cl.Index:
            return without(index(), sources[NEW], Path(folder) / "stale")

        @cache
        def updated() -> tuple[cl.Index, dict[str, Any]]:
            made = without(index(), sources[NEW], Path(folder) / "updated")
            library = cl.read_documents(session.data_dir() / "library")
            return made, update(made, sources[OLD], [document for document in library if document.id in sources[NEW]])

        def old_rag(reader: Callable[[], cl.ChatModel] = model) -> cl.RagPipeline:
            return cl.RagPipeline(reader(), stale(), k=K)

        def new_rag(reader: Callable[[], cl.ChatModel] = model) -> cl.RagPipeline:
            return cl.RagPipeline(reader(), updated()[0], k=K)

        took = kept_data(LESSON, "fresh-update", lambda: {**updated()[1], **where_and_when()})
        arms = {}
        for who, reader in {"": model, **readers}.items():
            for when, rag in {"stale": old_rag, "updated": new_rag}.items():
                slug = "-".join(["rag", *who.lower().split(), when, "today"])
                arms[", ".join(filter(None, ["RAG", when, who]))] = [sat(slug, partial(rag, reader), today, k=K)]
        told = [sat("rag-updated-withdrawn", new_rag, gone, k=K)]
    heard: dict[tuple[str, str], list[cl.Report]] = {}
    for year, seed in ((year, seed) for year in (OLD, NEW) for seed in seeds):
        for what, asked in {"today": today, "withdrawn": gone}.items():
            name = f"{year}-seed-{seed}-{what}"
            report = sat(name, lambda year=year, seed=seed: by_heart.student(year, seed), asked, **RECIPE)
            heard.setdefault((year, what), []).append(report)
    arms |= {"by heart, stale": heard[OLD, "today"], "by heart, trained again": heard[NEW, "today"]}
    trained = [by_heart.training(NEW, seed) for seed in seeds]
    return {
        "documents": len(sources[NEW]), "facts": len(facts[NEW]), "examples": len(study(facts[NEW])),
        "index_seconds": took["index_seconds"], "passages": took["passages"],
        "retrain_seconds": round(sum(run["seconds"] for run in trained) / len(trained), 1),
        "retrain_tokens": trained[0]["tokens"],
        "arms": {
            name: {"today": of_seeds(reports), "yesterday": of_seeds([said(r, outdated) for r in reports])}
            for name, reports in arms.items()
        },
        "differences": {
            f"{a} minus {b}": difference(arms[a], arms[b])
            for a, b in (
                ("RAG, updated", "RAG, stale"), ("by heart, trained again", "by heart, stale"),
                *(("by heart, trained again", arm) for arm in arms if arm.startswith("RAG, updated")),
            )
        },
        "withdrawn": of_seeds(heard[OLD, "withdrawn"]), "withdrawn, RAG": of_seeds(told),
        "withdrawn, trained again": of_seeds(heard[NEW, "withdrawn"]), "seeds": list(seeds),
        **{what: took[what] for what in where_and_when()},
    }  # fmt: skip
