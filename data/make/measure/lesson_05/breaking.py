"""What breaks RAG, measured for lesson 05: each case's pages are read by the same model."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from shared import wrong_pages
from shared.figures import compared, figures
from shared.keeping import kept
from shared.students import untrained

import course_lib as cl
from course_lib.core.errors import CourseError
from course_lib.evaluation.exams import Fact, Question, questions_of
from course_lib.lessons import adverse
from course_lib.retrieval import filters, grounding, words
from course_lib.retrieval.index import Index

HONEST = "Copy the answer from the passages. If they do not say it, answer: I don't know."
# Where the right page lies among five; the others are those that search ranks best beside it.
PLACES = {"first": 0, "middle": 2, "last": 4}

Desk = tuple[wrong_pages.Pages, str | None]


def desks(index: Index, exam: cl.Exam) -> dict[str, Desk]:
    """What lies before the reader in each case, and how it is told to read, if not as usual."""
    search = words.HybridIndex(index, words.KeywordIndex(index))
    golden = cl.golden_passages(exam, index)
    asked = list(exam)
    alone = {q.question: golden[q.question][:1] for q in asked}
    four = wrong_pages.look_alikes(asked, search, golden)
    gone = wrong_pages.without_the_page(asked, search, golden)
    five = wrong_pages.look_alikes(asked, search, golden, k=5)
    places = {name: (wrong_pages.placed(asked, five, golden, place), None) for name, place in PLACES.items()}
    return {
        "page": (alone, None),
        "order": (adverse.poisoned(alone), None),
        "order-fenced": (adverse.fenced(adverse.poisoned(alone)), adverse.FENCED),
        "order-four": (adverse.poisoned(four), None),
        "order-four-fenced": (adverse.fenced(adverse.poisoned(four)), adverse.FENCED),
        "missing": (gone, None),
        "missing-honest": (gone, HONEST),
        "present-honest": (alone, HONEST),
        "strangers": (wrong_pages.strangers(asked, index.passages(), golden), None),
        "look-alikes": (four, None),
        **{f"place-{name}": desk for name, desk in places.items()},
    }


def breaks(index: Index, exam: cl.Exam) -> dict[str, Any]:
    """Orders in a page, a page that is gone, pages that look alike, two editions, two documents."""
    n, measured = {"n": len(exam)}, {}

    def read(name: str, pages: Any, instruction: str | None) -> cl.Report:
        options = {"instruction": instruction} if instruction else {}
        return kept("05", f"breaks-{name}", lambda: cl.evaluate(cl.OpenBook(untrained(), pages, **options), exam), n)

    said = {name: read(name, *desk) for name, desk in desks(index, exam).items()}
    hit = said["page"]
    orders = {
        "plain": said["order"],
        "fenced": said["order-fenced"],
        "plain, among four": said["order-four"],
        "fenced, among four": said["order-four-fenced"],
    }
    measured["orders"] = {
        name: {"obeyed": figures(grounding.said(report, "PELICAN")), "right": figures(report)}
        for name, report in orders.items()
    }
    measured["missing"] = {
        name: figures(report) | {"unknown": round(report.unknown, 4)}
        for name, report in {
            "page gone": said["missing"],
            "page gone, told to say so": said["missing-honest"],
            "page there, told to say so": said["present-honest"],
            "page there": hit,
        }.items()
    }
    reports = {"alone": hit, "three strangers": said["strangers"], "three look-alikes": said["look-alikes"]}
    measured["distractors"] = {name: figures(report) for name, report in reports.items()}
    for one, other in (("alone", "three strangers"), ("three strangers", "three look-alikes")):
        measured["distractors"][f"{one} minus {other}"] = compared([reports[one]], [reports[other]])
    measured["places"] = {name: figures(said[f"place-{name}"]) for name in PLACES}
    for end in ("first", "last"):
        gap = compared([said[f"place-{end}"]], [said["place-middle"]])
        measured["places"][f"{end} minus middle"] = gap
    return measured | {"stale": stale(index), "two documents": two_documents(index)}


def stale(index: Index) -> dict[str, Any]:
    """Two editions, and a question that names no year: which comes first, and what is said; then with a date filter."""
    questions, old = adverse.undated_questions(cl.load_facts())
    search = words.HybridIndex(index, words.KeywordIndex(index))
    measured: dict[str, Any] = {"n": len(questions)}
    for name, where in {"all dates": None, "since 2042": filters.only(since="2042-01-01")}.items():
        found = search.search_many([q.question for q in questions], 1, where)
        first = [passages[0].source if passages else "" for passages in found]
        stems = [q.source.rsplit("-", 1)[0] for q in questions]

        def asked(where: Any = where) -> cl.Report:
            return cl.evaluate(cl.RagPipeline(untrained(), search, k=1, where=where), questions)

        report = kept("05", f"stale-{name.replace(' ', '-')}", asked, {"n": len(questions)})
        measured[name] = {
            "new first": sum(a == q.source for a, q in zip(first, questions)) / len(questions),
            "old first": sum(a != q.source and a.startswith(f"{s}-") for a, q, s in zip(first, questions, stems))
            / len(questions),
            "right": figures(report),
            "says the old": figures(grounding.said(report, old)),
        }
    return measured


def two_documents(index: Index) -> dict[str, Any]:
    """A question that needs a page of each of two documents: asked whole, and each half by itself."""
    facts = cl.load_facts()
    questions = two_document_questions(facts)
    search = words.HybridIndex(index, words.KeywordIndex(index))
    measured: dict[str, Any] = {"n": len(questions)}
    n = {"n": len(questions)}
    for k in (2, 4, 8):
        found = search.search_many([q.question for q in questions], k)
        both = [set(q.source.split()) <= {p.source for p in passages} for q, passages in zip(questions, found)]

        def asked(k: int = k) -> cl.Report:
            return cl.evaluate(cl.RagPipeline(untrained(), search, k=k), questions)

        report = kept("05", f"two-documents-k-{k}", asked, n)
        measured[f"k = {k}"] = {"both found": sum(both) / len(both), **of_both(questions, report)}
    of_fact = {fact.id: questions_of(fact, "study")[0] for fact in facts}
    halved = list({id: of_fact[id] for q in questions for id in q.id.split("+")}.values())

    def asked_apart() -> cl.Report:
        return cl.evaluate(cl.RagPipeline(untrained(), search, k=1), halved)

    report = kept("05", "two-documents-halves", asked_apart, {"n": len(halved)})
    said = {row.fact: hit for row, hit in zip(report.rows, report.hits())}
    first_found = {q.fact: search.search(q.question, 1)[0].source == q.source for q in halved}
    pairs = [q.id.split("+") for q in questions]
    measured["each half by itself, k = 1"] = {
        "both found": sum(all(first_found[id] for id in pair) for pair in pairs) / len(pairs),
        "one said": sum(any(said[id] for id in pair) for pair in pairs) / len(pairs),
        "both said": sum(all(said[id] for id in pair) for pair in pairs) / len(pairs),
    }
    return measured


def of_both(questions: Sequence[Question], report: cl.Report) -> dict[str, float]:
    """Shares of the `two_document_questions` in which one answer at least is said, and both are."""
    halves = {q.id: q.answer.split(" and ") for q in questions}
    first, second = (grounding.said(report, {id: [pair[i]] for id, pair in halves.items()}).hits() for i in (0, 1))
    return {"one said": float(((first + second) >= 1).mean()), "both said": float((first * second).mean())}


def two_document_questions(facts: Sequence[Fact], each: int = 12, seed: int = 0) -> list[Question]:
    """Two questions in one, about the same thing of two documents: "What does the Wren 5 cost, and the Wren 6?"

    Facts go together that are asked in the same words but for a name at the end. At most `each` questions in the same
    words are drawn by a seed. `answer` is both answers with " and " between, `source` both documents with a space.
    """
    alike: dict[str, list[Question]] = {}
    for i, first in enumerate(facts):
        for second in facts[i + 1 :]:
            name = _differing_name(first.study[0], second.study[0])
            if not name or first.source == second.source or first.kind != second.kind or first.answer == second.answer:
                continue
            text = f"{first.study[0].rstrip('?')}, and {name}?"
            both = f"{first.answer} and {second.answer}"
            source = f"{first.source} {second.source}"
            asked = Question(f"{first.id}+{second.id}", text, both, (), source, first.id, first.kind)
            alike.setdefault(second.study[0].rstrip("?").removesuffix(name), []).append(asked)
    if not alike:
        raise CourseError("no two of these facts are asked alike: give facts of a series, such as kind 'sheets'.")
    rng = random.Random(seed)
    return [q for group in alike.values() for q in rng.sample(group, min(each, len(group)))]


def _differing_name(first: str, second: str) -> str:
    """What the second question says in the one place where it differs from the first, if that is its end."""
    a, b = first.rstrip("?").split(), second.rstrip("?").split()
    shared = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), 0)
    if shared < 4 or not all(word[0].isupper() or word[0].isdigit() for word in (*a[shared:], *b[shared:])):
        return ""
    # "the Wren", which both have, is of the name.
    while shared and (a[shared - 1][0].isupper() or a[shared - 1] == "the"):
        shared -= 1
    return " ".join(b[shared:])
