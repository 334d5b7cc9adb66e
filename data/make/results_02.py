"""The full-size measurements behind lesson 02; resumable, about an hour on two AVX2 cores.

    python data/make/results_02.py [--summary-only]

Chooses prompt and k on validation questions; sits the whole handbook exam closed book, with examples, with the right page
and with RAG; trains the three by-heart students with three seeds each. Every report goes to `data/results/02/`, what
the lesson and the README quote to `data/results/02.json`; the adapters of seed 0 go on the shelf, for the lesson.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["COURSE_REPLAY"] = "never"

import course_lib as cl
from course_lib.models import ChatModel
from course_lib.settings import data_dir

FOLDER = data_dir() / "results" / "02"
SEEDS = (0, 1, 2)

# Chosen between, on validation questions. The first of each is what the lesson uses if none is better by more than 0.02.
INSTRUCTIONS = (
    "Answer the question from the passages, in a few words.",
    "Copy the answer from the passages.",
    "Read the passages, then answer.",
)
KS = (1, 2, 3, 4, 6)
K = 3
# The lesson makes these calls too: were they to differ, its adapters would not be found (see test_notebooks).
FACTS = 24
RECIPE = {"epochs": 4, "learning_rate": 2e-3}


def study_plans(exam: cl.Exam) -> dict[str, list[dict]]:
    """The same facts, learned by heart three ways."""
    many = exam.train_examples(wordings=6)
    return {
        "many-wordings": many,
        "one-wording": exam.train_examples(wordings=1, repeat=6),
        "many-wordings-mixed": [*many, *cl.general_study()],
    }


def few_shot(gp: ChatModel) -> cl.FewShot:
    """Three worked examples about other facts: validation facts, in study wordings."""
    facts = cl.load_exam("handbook").validation_facts[::12][:3]
    return cl.FewShot(gp, [cl.example(fact.study[0], fact.answer) for fact in facts])


def kept(name: str, make: Callable[[], cl.Report]) -> cl.Report:
    """A report made once: read back if an earlier run has made it."""
    path = FOLDER / f"{name}.json"
    if not path.exists():
        make().save(path)
    report = cl.Report.load(path)
    print(f"{name}: {report}", flush=True)
    return report


def choose_on_validation(gp: ChatModel, index: cl.Index) -> dict[str, Any]:
    """Instruction (right page) and k (RAG), each by accuracy on validation questions."""
    exam = cl.load_exam("handbook").on_validation()
    pages = cl.golden_passages(exam, index)
    instructions = {
        text: kept(f"validation-instruction-{i}", lambda text=text: cl.evaluate(cl.OpenBook(gp, pages, text), exam))
        for i, text in enumerate(INSTRUCTIONS)
    }
    ks = {k: kept(f"validation-k-{k}", lambda k=k: cl.evaluate(cl.RagPipeline(gp, index, k), exam)) for k in KS}
    return {
        "n": len(exam),
        "instructions": {text: report.accuracy for text, report in instructions.items()},
        "k": {k: {"accuracy": r.accuracy, "tokens": r.tokens_per_question} for k, r in ks.items()},
    }


def students(gp: ChatModel, exam: cl.Exam, general: cl.Exam) -> dict[str, list[dict[str, float]]]:
    """Each by-heart student with three seeds: the exam, and what it forgot."""
    found: dict[str, list[dict[str, float]]] = {}
    for name, examples in study_plans(exam).items():
        for seed in SEEDS:
            own, common = f"{name}-seed-{seed}", f"{name}-seed-{seed}-general"
            if not all((FOLDER / f"{part}.json").exists() for part in (own, common)):
                # Only seed 0 goes on the shelf: it is the call that the lesson makes.
                os.environ["COURSE_RECORD"] = "1" if seed == 0 else "0"
                model = cl.finetune(gp, examples, name=f"02-{name}", seed=seed, **RECIPE)
            report = kept(own, lambda: cl.evaluate(model, exam))  # noqa: B023
            forgotten = kept(common, lambda: cl.evaluate(model, general))  # noqa: B023
            found.setdefault(name, []).append(
                {"seed": seed, "exam": report.accuracy, "exact": report.exact, "general": forgotten.accuracy}
            )
    return found


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    cl.start(seed=0)
    gp = cl.load_model()
    index = cl.build_index("data/library")
    handbook, general = cl.load_exam("handbook"), cl.load_exam("general")
    chosen = choose_on_validation(gp, index)
    whole = {
        "closed book": kept("closed-book", lambda: cl.evaluate(gp, handbook)),
        "examples in the prompt": kept("few-shot", lambda: cl.evaluate(few_shot(gp), handbook)),
        "right page": kept("right-page", lambda: cl.evaluate(cl.OpenBook(gp, cl.golden_passages(handbook, index)), handbook)),
        "RAG": kept("rag", lambda: cl.evaluate(cl.RagPipeline(gp, index, K), handbook)),
    }
    before = kept("general-before", lambda: cl.evaluate(gp, general))
    by_heart = students(gp, handbook.about(FACTS), general)
    summary = {
        "validation": chosen,
        "handbook": {
            name: {"accuracy": r.accuracy, "ci": r.ci, "exact": r.exact, "n": r.n} for name, r in whole.items()
        },
        "general_before": {"accuracy": before.accuracy, "ci": before.ci, "n": before.n},
        "by_heart": by_heart,
    }
    path = Path(FOLDER).with_suffix(".json")
    path.write_text(json.dumps(summary, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
