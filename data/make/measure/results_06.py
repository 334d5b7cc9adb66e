"""The full-size measurements behind lesson 06. Resumable, about five hours on one core.

    OMP_NUM_THREADS=1 python data/make/measure/results_06.py [--seeds 0 1 2] [--only PART ...]

First `--only recipes`: what it finds best goes into RECIPE and P_ORACLE of `reading_bench.py`. Then, in order of
importance:

recipes     learning rates, layers, P and forms on validation questions: what all other parts use is chosen by these
arms        every student on the questions about editions, three seeds: closed book, RAG, and what was studied for it
seeds       five students who learned form only and five of RAFT: how much do students differ?
k           RAFT, the arm that learned form only, and no training, at k from 1 to 6
robust      the right passage missing, contradicted, moved about, and orders in a passage
examples    50 to 800 examples, with distractors and without
plain       where nothing is alike one passage is enough; where the page is not found, nobody can read it
years       the same exam where the search looks at the year that the question names
p           the share of examples that have their golden passage
distractors none to four of them in training, against k at the exam
hard        distractors out of the retriever, or drawn at random
hybrid      a specialist in the form of an answer that reads: form and facts, alone and together

Every report goes to `data/results/06.parquet`, what the lesson and the README quote to `data/results/06.json`. What
training costs is told in tokens, which other work on the machine does not change.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from lesson_06 import summaries
from lesson_06.reading_bench import DISTRACTORS, LESSON, Bench, K, Plan, Shown
from shared import wrong_pages
from shared.figures import compared, counted, difference, figures, of_seeds
from shared.keeping import kept
from shared.scripts import asked_for, measure_parts

import course_lib as cl
from course_lib.lessons import adverse, shelves
from course_lib.retrieval import filters, grounding
from course_lib.retrieval import ranking as ranking_module

# The lesson's words: RAFT reasons, as in the paper; what differs from it is named.
RAFT = Plan("RAFT", reasoning=True)
DIRECT = Plan("RAFT without reasoning")
FORM = Plan("form only", distractors=0, p_oracle=1.0, reasoning=True)
FORM_DIRECT = Plan("form only without reasoning", distractors=0, p_oracle=1.0)
DSF = Plan("DSF", closed=True)
HONEST = Plan("RAFT that may not know", p_oracle=0.8, absent="unknown")
KS = (1, 2, 3, 4, 6)
SIZES = (50, 100, 200, 400, 800)
SHARES = (0.0, 0.4, 0.6, 0.8, 1.0)
# One of the sizes: what differs in one thing only is compared at half of the examples, in half of the time.
SWEPT = 200
# What distractors teach differs from student to student more than from question to question.
STUDENTS = 5
# Names to what each changes of the recipe in use.
RECIPES: dict[str, Plan] = {
    "in use": DIRECT,
    "in use, reasoning": RAFT,
    "P 0.8, unknown": HONEST,
    "1e-3": replace(DIRECT, recipe={"learning_rate": 1e-3}),
    "800 examples": replace(DIRECT, n=800),
    "two epochs": replace(DIRECT, recipe={"epochs": 2}),
    "upper layers": replace(DIRECT, recipe={"layers": "upper"}),
    "upper layers, reasoning": replace(RAFT, recipe={"layers": "upper"}),
    "upper layers, P 0.8": replace(DIRECT, p_oracle=0.8, recipe={"layers": "upper"}),
    "upper layers, 4e-3": replace(DIRECT, recipe={"layers": "upper", "learning_rate": 4e-3}),
}
SUMMARY_RECIPE = {"epochs": 2, "learning_rate": 2e-3, "batch_size": 4, "order": "random"}


def arms(bench: Bench, seeds: Sequence[int]) -> dict[str, Any]:
    """The table of the lesson: every arm on the same questions, and paired differences."""
    found: dict[str, list[cl.Report]] = {"base": [bench.closed(None)], "base + RAG": [bench.rag(None)]}
    found["base + RAG, one example"] = [bench.shown(replace(DIRECT, seed=seed)) for seed in seeds]
    found["base, right page"] = [bench.page(None)]
    for seed in seeds:

        def of(plan: Plan, seed: int = seed) -> Plan:
            return replace(plan, seed=seed)

        for name, plan in {
            "RAFT without reasoning + RAG": DIRECT, "form only without reasoning + RAG": FORM_DIRECT,
            "RAFT + RAG": RAFT, "form only + RAG": FORM,
        }.items():  # fmt: skip
            found.setdefault(name, []).append(bench.rag(of(plan)))
            found.setdefault(name.replace(" + RAG", ", right page"), []).append(bench.page(of(plan)))
        found.setdefault("DSF", []).append(bench.closed(of(DSF)))
        found.setdefault("DSF + RAG", []).append(bench.rag(of(DSF)))
    pairs = [
        ("RAFT + RAG", "base + RAG"), ("RAFT + RAG", "form only + RAG"), ("RAFT + RAG", "DSF + RAG"),
        ("RAFT without reasoning + RAG", "base + RAG"), ("RAFT without reasoning + RAG", "DSF + RAG"),
        ("RAFT without reasoning + RAG", "form only without reasoning + RAG"),
        ("RAFT without reasoning + RAG", "RAFT + RAG"), ("form only without reasoning + RAG", "base + RAG"),
    ]  # fmt: skip
    ranking = _ranking(bench, bench.exam)
    return {
        "arms": {name: of_seeds(reports) for name, reports in found.items()},
        "differences": {f"{a} minus {b}": difference(found[a], found[b]) for a, b in pairs},
        "found": {k: round(ranking.recall(k), 4) for k in KS},
        "told from": {name: _told_from(bench, found[name]) for name in found if name.endswith("+ RAG")},
        "seeds": list(seeds),
    }


def _told_from(bench: Bench, reports: Sequence[cl.Report]) -> dict[str, float]:
    """Shares of all answers: the right ones, and the page on the desk that each wrong one rests on."""
    golden = cl.golden_passages(bench.exam, bench.shelf)
    rows = [row for report in reports for row in cl.ground(report, bench.shelf.passages(), golden).rows]
    counts = Counter(shelves.told_from(row, golden[row.row.question][0]) for row in rows)
    kinds = ("right", "the other edition", "another page", "the right page", "no page")
    return {name: round(counts[name] / len(rows), 4) for name in kinds}


def _ranking(bench: Bench, exam: cl.Exam) -> ranking_module.Ranking:
    return cl.grade_retrieval(bench.shelf, exam, cl.golden_passages(exam, bench.shelf))


def _sized(plan: Plan, n: int) -> Plan:
    return plan if n == plan.n else replace(plan, name=f"{plan.name}, {n} examples", n=n)


def students(bench: Bench, seeds: Sequence[int]) -> dict[str, Any]:
    """What distractors teach, by student: RAFT minus form only of five students, and of every pair of any size."""
    plans = {"RAFT": DIRECT, "form only": FORM_DIRECT}
    reports = {name: _of_five(bench, plan) for name, plan in plans.items()}
    more = {name: [bench.rag(_sized(plan, n)) for n in SIZES if n != plan.n] for name, plan in plans.items()}
    pairs = {name: reports[name] + more[name] for name in plans}
    found: dict[str, Any] = {name: of_seeds(rows) for name, rows in reports.items()}
    found["RAFT minus form only"] = difference(reports["RAFT"], reports["form only"])
    found["RAFT minus form only, every size"] = difference(pairs["RAFT"], pairs["form only"])
    return found | {f"{name} minus base": difference(rows, [bench.rag(None)]) for name, rows in reports.items()}


def _of_five(bench: Bench, plan: Plan, k: int = K) -> list[cl.Report]:
    """All students of a plan in the exam at four passages; of other k one was asked."""
    return [bench.rag(replace(plan, seed=seed), k) for seed in range(STUDENTS if k == K else 1)]


def over_k(bench: Bench, seeds: Sequence[int]) -> dict[str, Any]:
    """Accuracy at each k; "seeds" has one figure for each student who was asked, the first is seed 0."""
    plans = {"form only": FORM_DIRECT, "RAFT": DIRECT}
    reports = {name: {k: _of_five(bench, plan, k) for k in KS} for name, plan in plans.items()}
    reports["base"] = {k: [bench.rag(None, k)] for k in KS}
    ranking = _ranking(bench, bench.exam)
    return {name: {str(k): of_seeds(rows) for k, rows in by_k.items()} for name, by_k in reports.items()} | {
        "found": {str(k): round(ranking.recall(k), 4) for k in KS}
    }


def robust(bench: Bench, seeds: Sequence[int]) -> dict[str, Any]:
    """What the passages are made to do to three readers."""
    exam, asked = bench.short, list(bench.short)
    golden = cl.golden_passages(exam, bench.shelf)
    four = wrong_pages.look_alikes(asked, bench.shelf, golden, K)
    rival = wrong_pages.rivals(exam)
    desks: dict[str, wrong_pages.Pages] = {
        "missing": wrong_pages.without_the_page(asked, bench.shelf, golden, K),
        "present": four,
        "contradicted, right first": wrong_pages.contradicted(exam, golden, rival, right_first=True),
        "contradicted, right last": wrong_pages.contradicted(exam, golden, rival, right_first=False),
        "order in it": adverse.poisoned(four),
        **{f"right at {place + 1} of {K}": wrong_pages.placed(asked, four, golden, place) for place in range(K)},
    }
    wrong = {q.id: [rival[q.id]] for q in asked}
    measured: dict[str, Any] = {"n": len(exam)}
    for name, plan in {"RAFT": DIRECT, "base": None, "RAFT that may not know": HONEST}.items():
        measured[name] = {}
        for desk, pages in desks.items():
            how = f"desk-{desk.replace(' ', '-').replace(',', '')}"
            report = bench.sits(plan, how, lambda student, pages=pages: cl.OpenBook(student, pages), exam)
            row = figures(report) | {"unknown": round(report.unknown, 4), "wrong": round(report.wrong, 4)}
            if desk.startswith("contradicted"):
                row["says the false"] = figures(grounding.said(report, wrong))
            if desk.startswith("order"):
                row["obeyed"] = figures(grounding.said(report, "PELICAN"))
            measured[name][desk] = row
    return measured


def examples(bench: Bench, seeds: Sequence[int]) -> dict[str, Any]:
    """More and more examples, with distractors and without, and how many tokens they were; five students of 400."""
    measured: dict[str, Any] = {}
    for name, plan in {"RAFT": DIRECT, "form only": FORM_DIRECT}.items():
        measured[name] = {}
        for n in sorted(SIZES, key=lambda n: abs(n - plan.n)):
            sized = _sized(plan, n)
            reports = _of_five(bench, plan) if n == plan.n else [bench.rag(sized)]
            measured[name][str(n)] = of_seeds(reports) | {"tokens": bench.training(sized)["tokens"]}
        measured[name] = {str(n): measured[name][str(n)] for n in SIZES}
    return measured


def plain(bench: Bench, seeds: Sequence[int]) -> dict[str, Any]:
    """Documents that nothing is like, where one passage is enough; and finals, whose page is hardly ever found."""
    measured = {}
    for exam in (shelves.plain_exam(), cl.load_exam("cup").sample(80)):
        label = exam.name.replace(" ", "-")
        ranking = _ranking(bench, exam)
        row: dict[str, Any] = {"n": len(exam)}
        row |= {f"found among {k}": round(ranking.recall(k), 4) for k in (1, K)}
        for name, plan in {"base": None, "form only": FORM_DIRECT, "RAFT": DIRECT}.items():
            row[name] = {str(k): figures(bench.rag(plan, k, exam, label)) for k in (1, K)}
        measured[exam.name] = row
    return measured


def years(bench: Bench, seeds: Sequence[int]) -> dict[str, Any]:
    """What choosing is worth when the search does it: only passages of the year that the question names."""
    asked = list(bench.exam)
    golden = cl.golden_passages(bench.exam, bench.shelf)
    found = {q.question: bench.shelf.search(q.question, K, filters.named_years(q.question)) for q in asked}
    ids = {question: [passage.id for passage in passages] for question, passages in found.items()}
    measured: dict[str, Any] = {"n": len(asked)}
    plans = {"base": None, "form only": FORM_DIRECT, "RAFT": DIRECT}
    for k in (1, K):
        pages = {question: passages[:k] for question, passages in found.items()}
        hits = sum(golden[question][0].id in ids[question][:k] for question in ids)
        measured[f"found among {k}"] = round(hits / len(asked), 4)
        for name, plan in plans.items():
            report = bench.sits(plan, f"year-k-{k}", lambda m, pages=pages: cl.OpenBook(m, pages), bench.exam)
            measured.setdefault(name, {})[str(k)] = figures(report)
    return measured


def shares(bench: Bench, seeds: Sequence[int]) -> dict[str, Any]:
    """Each P, read at k = 4 and with the right page missing."""
    asked = list(bench.short)
    golden = cl.golden_passages(bench.short, bench.shelf)
    missing = wrong_pages.without_the_page(asked, bench.shelf, golden, K)
    measured = {}
    swept = _sized(DIRECT, SWEPT)
    for p in SHARES:
        plan = swept if p == swept.p_oracle else replace(swept, name=f"P {p}", p_oracle=p)
        gone = bench.sits(plan, "desk-missing", lambda student: cl.OpenBook(student, missing), bench.short)
        measured[str(p)] = figures(bench.rag(plan, K, bench.short)) | {"page missing": figures(gone)}
    return measured


def distractors(bench: Bench, seeds: Sequence[int]) -> dict[str, Any]:
    """Each number of distractors in training, at each k. Every example has its golden passage."""
    reports = {}
    for n in range(5):
        plan = _sized(DIRECT if n else FORM_DIRECT, SWEPT)
        plan = plan if n == plan.distractors else replace(plan, name=f"{n} distractors", distractors=n)
        reports[n] = {k: bench.rag(plan, k, bench.short) for k in (1, 2, K, 6)}
    measured: dict[str, Any] = {str(n): {str(k): figures(r) for k, r in row.items()} for n, row in reports.items()}
    some, none = ([reports[n][k] for k in (2, K, 6)] for n in (DISTRACTORS, 0))
    return {"at": measured, f"{DISTRACTORS} minus 0, several passages": difference(some, none)}


def hard(bench: Bench, seeds: Sequence[int]) -> dict[str, Any]:
    """The same study with distractors drawn at random."""
    swept = _sized(DIRECT, SWEPT)
    drawn = replace(swept, name="random distractors", hard=False)
    reports = {name: bench.rag(plan) for name, plan in {"hard": swept, "random": drawn}.items()}
    measured: dict[str, Any] = {name: figures(report) for name, report in reports.items()}
    return measured | {"hard minus random": difference([reports["hard"]], [reports["random"]])}


def hybrid(bench: Bench, seeds: Sequence[int]) -> dict[str, Any]:
    """Summaries of agreements: the specialist alone, RAG alone, both; graded on form and on facts."""
    study, asked = shelves.load_agreements("train"), shelves.load_agreements("test")
    exam = cl.Exam("summaries", tuple(a.as_question() for a in asked))
    library, training = (summaries.shelf(rows, bench.index.embedder) for rows in (asked, study))
    instruction = summaries.INSTRUCTION
    k = 2

    def read(model: cl.ChatModel | Shown) -> Callable[[Sequence[str]], list[Any]]:
        rag = cl.RagPipeline(model, library, k=k, instruction=instruction)
        return lambda questions: rag.answer(questions, summaries.TOKENS)

    def alone(model: cl.ChatModel) -> Callable[[Sequence[str]], list[Any]]:
        return lambda questions: model.reply(list(questions), summaries.TOKENS)

    def judged(name: str, sit: Callable[[], cl.Report], settings: dict[str, Any]) -> dict[str, cl.Report]:
        report = kept(LESSON, f"summaries-{name}", sit, settings)
        return summaries.grade(report, asked)

    found = {"RAG alone": [judged("rag", lambda: cl.evaluate(read(bench.gp), exam, "RAG alone"), {"k": k})]}
    for seed in seeds:
        settings = {**SUMMARY_RECIPE, "seed": seed}

        def both(settings: dict[str, Any] = settings) -> cl.Report:
            model = cl.finetune(bench.gp, summaries.examples(study, training, k), **settings)
            return cl.evaluate(read(model), exam, "both")

        def by_heart(settings: dict[str, Any] = settings) -> cl.Report:
            model = cl.finetune(bench.gp, summaries.examples(study), **settings)
            return cl.evaluate(alone(model), exam, "specialist alone")

        def one_example(seed: int = seed) -> cl.Report:
            shown = Shown(bench.gp, summaries.examples(study[seed : seed + 1], training, k))
            return cl.evaluate(read(shown), exam, "RAG, one example")

        one = judged(f"shown-seed-{seed}", one_example, {"k": k, "example": study[seed].id})
        found.setdefault("RAG, one example", []).append(one)
        found.setdefault("both", []).append(judged(f"both-seed-{seed}", both, settings | {"k": k}))
        found.setdefault("specialist alone", []).append(judged(f"alone-seed-{seed}", by_heart, settings))
    measured: dict[str, Any] = {
        name: {what: of_seeds([r[what] for r in reports]) for what in ("form", "facts")}
        for name, reports in found.items()
    }
    for other in ("RAG alone", "RAG, one example", "specialist alone"):
        measured[f"both minus {other}"] = {
            what: compared([r[what] for r in found["both"]], [r[what] for r in found[other]])
            for what in ("form", "facts")
        }
    return measured


def recipes(bench: Bench, seeds: Sequence[int]) -> dict[str, Any]:
    """Each recipe on validation questions, read at k = 4, with the tokens it was trained on."""
    exam = bench.exam.on_validation()
    measured = {"base": figures(bench.rag(None, K, exam, "validation"))}
    for name, plan in RECIPES.items():
        named = plan if plan in (DIRECT, RAFT, HONEST) else replace(plan, name=f"recipe {name}")
        report = bench.rag(named, K, exam, "validation")
        measured[name] = figures(report) | {"tokens": bench.training(named)["tokens"]}
    return measured


PARTS: dict[str, Callable[[Bench, Sequence[int]], dict[str, Any]]] = {
    "recipes": recipes, "arms": arms, "seeds": students, "k": over_k, "robust": robust, "examples": examples,
    "plain": plain, "years": years, "p": shares, "distractors": distractors, "hard": hard, "hybrid": hybrid,
}  # fmt: skip
ORDER = tuple(PARTS)


def _over_students(parts: dict[str, Any]) -> str:
    """What distractors teach, over students, where those are measured."""
    if "seeds" not in parts:
        return ""
    _, low, high = parts["seeds"]["RAFT minus form only"]
    _, every_low, every_high = parts["seeds"]["RAFT minus form only, every size"]
    return (
        f"; RAFT minus form over {STUDENTS} students {low:+.2f} to {high:+.2f}, "
        f"over {STUDENTS + len(SIZES) - 1} pairs of any size {every_low:+.2f} to {every_high:+.2f}"
    )


def summary(parts: dict[str, Any]) -> dict[str, Any]:
    """The parts, and what the README says of them; nothing of it before the arms are measured."""
    if "arms" not in parts:
        return parts
    arms = parts["arms"]["arms"]
    names = [name for name in arms if name.startswith("RAFT") and name.endswith("+ RAG")]
    best = max(names, key=lambda name: arms[name]["accuracy"])
    form = best.replace("RAFT", "form only")
    shown = best.removesuffix(" + RAG")
    headline = (
        f"four passages, nearly alike: untrained {arms['base + RAG']['accuracy']:.2f}, trained on the answer's form "
        f"{arms[form]['accuracy']:.2f}, {shown} {arms[best]['accuracy']:.2f} "
        f"(n = {arms['base + RAG']['n']}, {counted(parts['arms']['seeds'])}{_over_students(parts)})"
    )
    limits = [
        f"RAFT that quotes its passage before it answers is right in {arms['RAFT + RAG']['accuracy']:.2f}, RAFT that "
        f"answers at once in {arms['RAFT without reasoning + RAG']['accuracy']:.2f} of the questions",
        f"with the right passage alone before it, a reader trained by RAFT is right in "
        f"{arms[best.replace(' + RAG', ', right page')]['accuracy']:.2f} of them",
    ]
    if "years" in parts:
        first = parts["years"]["form only"]["1"]["accuracy"]
        limits.append(
            f"where the search looks at the year a question names, form only is right in {first:.2f} with one passage"
        )
    if "robust" in parts:
        gone = parts["robust"]["RAFT"]["missing"]
        limits.append(f"with the right passage missing it still answers something in {1 - gone['unknown']:.2f} of them")
    return {**parts, "headline": headline, "limits": limits}


def main(arguments: Sequence[str] | None = None) -> None:
    options = asked_for(__doc__, arguments, ORDER)
    bench = Bench()
    measure = {name: partial(part, bench, options.seeds) for name, part in PARTS.items()}
    measure_parts(LESSON, measure, options.only, summary)


if __name__ == "__main__":
    main()
