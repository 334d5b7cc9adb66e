"""The full-size measurements behind lesson 05. Resumable; see `--only` for its parts, in order of importance.

    python data/make/measure/results_05.py [--only PART ...] [--n 200] [--seeds 0 1 2]

retrieval  keyword, dense and hybrid search on three exams, and on questions by kind (a minute)
embedder   the embedding model trained on the library's questions: recipes on validation, seeds on held-out documents
answers    RAG at each k: accuracy given hit and miss, faithfulness, citations, tokens, seconds
breaks     stale, missing, look-alike and poisoned pages, questions over two documents
chunks     sizes and overlaps of passages
stores     HNSW against exact search at 1,000, 10,000 and 50,000 vectors

Every report goes to `data/results/05.parquet`, what the lesson and the README quote to `data/results/05.json`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lesson_05.breaking import breaks
from lesson_05.nearest import GRAPH, QUERIES, hnsw_against_exact
from shared.figures import counted, difference, figures
from shared.keeping import kept, kept_data
from shared.scripts import asked_for, measure_parts
from shared.students import untrained

import course_lib as cl
from course_lib.evaluation.exams import questions_of
from course_lib.models.loading import load_embedder
from course_lib.retrieval import embedder as embedder_module
from course_lib.retrieval import grounding as grounding_module
from course_lib.retrieval import index as index_module
from course_lib.retrieval import ranking as ranking_module
from course_lib.retrieval import words as words_module
from course_lib.retrieval.documents import read_documents, split_into_passages
from course_lib.retrieval.embedder import Triple
from course_lib.retrieval.index import Index
from course_lib.retrieval.stores import FaissStore

ORDER = ("retrieval", "embedder", "answers", "breaks", "chunks", "stores")
EXAMS = ("library", "handbook", "cup")
KS = (1, 4, 8, 2, 3, 6)  # in order of importance
SIZES = ((20, 0), (40, 0), (80, 0), (80, 20), (160, 0), (160, 40), (240, 0))
VECTORS, EFS = (1_000, 10_000, 50_000), (10, 100)
# Compared on validation questions, where their intervals overlap; the lesson trains by the best.
EMBEDDER_RECIPES: tuple[dict[str, Any], ...] = (
    {"epochs": 1, "learning_rate": 5e-5, "batch_size": 16},
    {"epochs": 2, "learning_rate": 2e-5, "batch_size": 16},
    {"epochs": 2, "learning_rate": 5e-5, "batch_size": 16},
    {"epochs": 2, "learning_rate": 1e-4, "batch_size": 16},
    {"epochs": 2, "learning_rate": 5e-5, "batch_size": 32},
)
EMBEDDER_RECIPE = EMBEDDER_RECIPES[4]


def retrievers(index: Index) -> dict[str, index_module.Retriever]:
    """The three ways of searching, over the same passages."""
    words = words_module.KeywordIndex(index)
    return {"keyword": words, "dense": index, "hybrid": words_module.HybridIndex(index, words)}


def of_ranking(ranking: ranking_module.Ranking) -> dict[str, Any]:
    """What a lesson quotes of a ranking."""
    rounded = {f"recall@{k}": [ranking.recall(k), *ranking.recall_ci(k)] for k in (1, 2, 4, 10)}
    rounded |= {"mrr": [ranking.mrr, *ranking.mrr_ci], "ndcg@10": [ranking.ndcg(10), *ranking.ndcg_ci(10)]}
    return {name: [round(x, 4) for x in row] for name, row in rounded.items()} | {"n": ranking.n}


def graded(
    index: Index, questions: Any, golden: Mapping[str, Sequence[cl.Passage]]
) -> dict[str, ranking_module.Ranking]:
    return {name: cl.grade_retrieval(r, questions, golden, name=name) for name, r in retrievers(index).items()}


def retrieval(index: Index) -> dict[str, Any]:
    """Each way of searching on each exam, and on the questions of one kind."""
    measured: dict[str, Any] = {}
    for name in EXAMS:
        exam = cl.load_exam(name)
        rankings = graded(index, exam, cl.golden_passages(exam, index))
        measured[name] = {way: of_ranking(ranking) for way, ranking in rankings.items()}
        for other in ("keyword", "dense"):
            gap = difference([rankings["hybrid"].within(1)], [rankings[other].within(1)])
            measured[name][f"hybrid minus {other}"] = gap
    measured["kinds"] = {}
    for name, (questions, golden) in kinds(index).items():
        rankings = graded(index, questions, golden)
        gap = difference([rankings["dense"].within(1)], [rankings["keyword"].within(1)])
        measured["kinds"][name] = {way: of_ranking(r) for way, r in rankings.items()}
        measured["kinds"][name]["dense minus keyword"] = gap
    return measured


def kinds(index: Index) -> dict[str, tuple[list[cl.Question], dict[str, list[cl.Passage]]]]:
    """Kinds of question, each with its golden passages: codes, names, and by how many words page and question share."""
    passages = index.passages()
    lookups = grounding_module.lookup_questions(cl.load_facts(), passages)
    wanted = {q.question: q.question.removeprefix("What is ").removeprefix("Who is ").rstrip("?") for q in lookups}
    pages = {q.question: [p for p in passages if wanted[q.question] in p.searched] for q in lookups}
    exam = cl.load_exam("library")
    golden = cl.golden_passages(exam, index)
    shared = {q.id: grounding_module.shared_words(q.question, golden[q.question][0].searched) for q in exam}
    return {
        "codes": ([q for q in lookups if q.kind == "code"], pages),
        "names": ([q for q in lookups if q.kind == "name"], pages),
        "in other words": ([q for q in exam if shared[q.id] <= 0.5], golden),
        "in the page's words": ([q for q in exam if shared[q.id] > 0.5], golden),
    }


def triples(index: Index) -> list[Triple]:
    """Questions about the facts that are in no exam, each with its page and the page most like it."""
    facts = cl.load_facts("reading")
    questions = [q for fact in facts for q in questions_of(fact, "study")[:1]]
    golden = cl.golden_passages(cl.Exam("reading", tuple(questions), facts=tuple(facts)), index)
    return embedder_module.hard_negatives(questions, index, golden)


def trained(study: Sequence[Triple], recipe: Mapping[str, Any], seed: int) -> tuple[Index, float, list[Any]]:
    """The library embedded by a model that was trained on it; the training's seconds and losses."""
    started = time.perf_counter()
    model = embedder_module.finetune_embedder(study, seed=seed, **recipe)
    seconds = time.perf_counter() - started
    tuned = Index(model, FaissStore())
    tuned.add(*read_documents("data/library"))
    return tuned, seconds, list(model.losses)


def embedder(index: Index, seeds: Sequence[int]) -> dict[str, Any]:
    """Before and after training: a recipe chosen on validation questions, then seeds on documents held out."""
    study = triples(index)
    validation = cl.load_exam("library").on_validation()
    pages = cl.golden_passages(validation, index)

    def tried(recipe: Mapping[str, Any]) -> dict[str, Any]:
        tuned, seconds, _ = trained(study, recipe, 0)
        return {**recipe, **of_ranking(cl.grade_retrieval(tuned, validation, pages)), "seconds": round(seconds, 1)}

    def after(seed: int) -> dict[str, Any]:
        tuned, seconds, losses = trained(study, EMBEDDER_RECIPE, seed)
        row: dict[str, Any] = {"seed": seed, "seconds": round(seconds, 1), "losses": losses}
        for name in EXAMS:
            exam = cl.load_exam(name)
            golden = cl.golden_passages(exam, index)
            before, now = graded(index, exam, golden), graded(tuned, exam, golden)
            gap = difference([now["dense"].within(1)], [before["dense"].within(1)])
            joined = difference([now["hybrid"].within(1)], [before["hybrid"].within(1)])
            row[name] = {
                "before": of_ranking(before["dense"]),
                "after": of_ranking(now["dense"]),
                "after minus before": gap,
                "hybrid, after": of_ranking(now["hybrid"]),
                "hybrid, after minus before": joined,
            }
        return row

    runs = [kept_data("05", f"embedder-seed-{s}", lambda s=s: after(s), EMBEDDER_RECIPE) for s in seeds]
    recipes = [
        kept_data("05", f"embedder-recipe-{i}", lambda r=recipe: tried(r), recipe)
        for i, recipe in enumerate(EMBEDDER_RECIPES)
    ]
    return {"triples": len(study), "recipes": recipes, "runs": runs}


def answers(index: Index, exam: cl.Exam) -> dict[str, Any]:
    """RAG at each k with hybrid search, at k = 1 and 4 with the other two, at k = 1 with a trained embedding model."""
    golden = cl.golden_passages(exam, index)
    n = {"n": len(exam)}
    reports: dict[tuple[str, int], cl.Report] = {}
    for k in KS:
        for way, retriever in retrievers(index).items():
            if way == "hybrid" or k in (1, 4):

                def answered(retriever: Any = retriever, k: int = k) -> cl.Report:
                    return cl.evaluate(cl.RagPipeline(untrained(), retriever, k=k), exam)

                reports[way, k] = kept("05", f"answers-{way}-k-{k}", answered, n)

    def after_training() -> cl.Report:
        tuned, _, _ = trained(triples(index), EMBEDDER_RECIPE, seed=0)
        return cl.evaluate(cl.RagPipeline(untrained(), tuned, k=1), exam)

    reports["trained", 1] = kept("05", "answers-trained-k-1", after_training, EMBEDDER_RECIPE | n)
    measured: dict[str, Any] = {
        f"{way}, k = {k}": {"k": k, "way": way, **read_off(report, index, golden)}
        for (way, k), report in reports.items()
    }
    for way in ("dense", "hybrid"):
        gap = difference([reports["trained", 1]], [reports[way, 1]])
        measured["trained, k = 1"][f"minus {way}"] = gap
    ranking = cl.grade_retrieval(retrievers(index)["hybrid"], exam, golden)
    found = {k: round(ranking.recall(k), 4) for k in sorted(KS)}
    page = kept("05", "answers-right-page", lambda: cl.evaluate(cl.OpenBook(untrained(), golden), exam), n)
    speed = search_milliseconds(index, exam)
    return {"rag": measured, "found": found, "right page": figures(page), "search_ms": speed}


def read_off(report: cl.Report, index: Index, golden: Any) -> dict[str, Any]:
    """Accuracy given hit and miss, faithfulness, citations, tokens, seconds."""
    grounding = cl.ground(report, index.passages(), golden)
    row = figures(report) | {"seconds": round(report.seconds_per_question, 3)}
    row |= {"prompt_tokens": round(sum(r.prompt_tokens for r in report.rows) / report.n, 1)}
    row |= {part: figures(found) for part, found in ranking_module.by_hit(report, golden).items()}
    for name in ("faithful", "cited_right"):
        row[name] = [round(x, 4) for x in (getattr(grounding, name), *getattr(grounding, f"{name}_ci"))]
    row["table"] = grounding.table().to_dict("index")
    return row


def search_milliseconds(index: Index, exam: cl.Exam) -> dict[str, float]:
    """Median milliseconds of one search, asked one at a time, as a chat would."""

    def timed() -> dict[str, Any]:
        measured = {}
        for way, retriever in retrievers(index).items():
            seconds = []
            for question in list(exam)[:60]:
                started = time.perf_counter()
                retriever.search(question.question, 4)
                seconds.append(time.perf_counter() - started)
            measured[way] = round(1000 * sorted(seconds)[len(seconds) // 2], 2)
        return measured

    return {way: ms for way, ms in kept_data("05", "search-milliseconds", timed).items() if way != "settings"}


def chunks() -> dict[str, Any]:
    """Passages of other sizes: which hold the fact whole, what is found, what has to be read."""
    exam, documents = cl.load_exam("library"), read_documents("data/library")
    sentences = {f.id: " ".join(f.sentence.split()) for f in exam.facts}
    model = load_embedder()

    def measured(size: int, overlap: int) -> dict[str, Any]:
        index = Index(model, FaissStore(), size, overlap)
        index.add(*documents)
        found = index.search_many([q.question for q in exam], 4)
        holds = [
            [p.source == q.source and sentences[q.fact] in " ".join(p.text.split()) for p in passages]
            for q, passages in zip(exam, found)
        ]
        pieces = [p for d in documents for p in split_into_passages(d, size, index.count_tokens, overlap)]
        tokens = [index.count_tokens(p.text) for passages in found for p in passages]
        return {
            "passages": len(pieces),
            "recall@1": round(sum(row[0] for row in holds) / len(holds), 4),
            "recall@4": round(sum(any(row) for row in holds) / len(holds), 4),
            "tokens@4": round(4 * sum(tokens) / len(tokens), 1),
        }

    return {
        f"{size}, overlap {overlap}": kept_data(
            "05", f"chunks-{size}-{overlap}", lambda s=size, o=overlap: measured(s, o)
        )
        for size, overlap in SIZES
    }


def stores(index: Index) -> dict[str, Any]:
    """HNSW against exact search."""
    asked = index.embed([q.question for q in cl.load_exam("library").sample(QUERIES)])
    seeds = index.store.vectors()
    return {
        f"{n:,}": kept_data("05", f"nearest-{n}", lambda n=n: hnsw_against_exact(seeds, asked, n, EFS), GRAPH)
        for n in VECTORS
    }


def summary(parts: dict[str, Any]) -> dict[str, Any]:
    """The parts, and what the README says of them; nothing of it before all is measured."""
    if not {"retrieval", "embedder", "answers"} <= set(parts):
        return parts
    search, runs, rag = parts["retrieval"]["library"], parts["embedder"]["runs"], parts["answers"]["rag"]
    after = sum(run["library"]["after"]["recall@1"][0] for run in runs) / len(runs)
    best, most = rag["hybrid, k = 1"], rag["hybrid, k = 8"]
    first = ", ".join(f"{way} {search[way]['recall@1'][0]:.2f}" for way in ("keyword", "dense", "hybrid"))
    headline = (
        f"right passage first: {first} (n = {search['dense']['n']}); dense with the embedding model trained on the "
        f"library {after:.2f} ({counted(runs)})"
    )
    limits = [
        f"given the right passage the model answers {best['hit']['accuracy']:.2f} right, without it "
        f"{best['miss']['accuracy']:.2f} (k = 1, n = {best['n']})",
        f"eight passages instead of one: {most['accuracy']:.2f} right instead of {best['accuracy']:.2f}, for "
        f"{most['prompt_tokens'] / best['prompt_tokens']:.1f} times the tokens (n = {best['n']})",
    ]
    return {**parts, "headline": headline, "limits": limits}


def main(arguments: Sequence[str] | None = None) -> None:
    n = {"type": int, "default": 200, "help": "questions of the library exam that the model answers"}
    options = asked_for(__doc__, arguments, ORDER, n=n)
    cl.start(seed=0)
    index = cl.build_index("data/library")
    exam = cl.load_exam("library").sample(options.n)
    measure: dict[str, Callable[[], dict[str, Any]]] = {
        "retrieval": lambda: retrieval(index),
        "embedder": lambda: embedder(index, options.seeds),
        "answers": lambda: answers(index, exam),
        "breaks": lambda: breaks(index, exam.sample(100)),
        "chunks": chunks,
        "stores": lambda: stores(index),
    }
    measure_parts("05", measure, options.only, summary)


if __name__ == "__main__":
    main()
