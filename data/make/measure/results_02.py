"""The full-size measurements behind lesson 02. Resumable, about an hour on two AVX2 cores.

    python data/make/measure/results_02.py [--seeds 0 1 2] [--recipes 0 1 ...]

Prompt and k are chosen on validation questions; the untrained candidates sit the whole handbook exam; the by-heart
students are trained with several seeds. Every report goes to `data/results/02.parquet`, what the lesson and the README
quote to `data/results/02.json`; the adapters of seed 0 go on the shelf, where the lesson finds them.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cache
from typing import Any

from shared.figures import counted, figures
from shared.keeping import kept
from shared.scripts import asked_for, write_summary
from shared.students import Students, untrained

import course_lib as cl
from course_lib.models import students

# Chosen between, on validation questions.
INSTRUCTIONS = (
    "Copy the answer from the passages.",
    "Answer the question from the passages, in a few words.",
    "Read the passages, then answer.",
)
KS = (1, 2, 3, 4, 6)
K = 1
# The lesson makes the same calls: were they to differ, its adapters would not be found (COURSE_REPLAY=strict).
FACTS = 24
RECIPES: tuple[dict[str, Any], ...] = (
    {"epochs": 4, "learning_rate": 2e-3, "batch_size": 8},
    {"epochs": 4, "learning_rate": 2e-3, "batch_size": 4},
    {"epochs": 4, "learning_rate": 3e-3, "batch_size": 4},
    {"epochs": 3, "learning_rate": 3e-3, "batch_size": 4},
    {"epochs": 3, "learning_rate": 4e-3, "batch_size": 4},
    {"epochs": 4, "learning_rate": 3e-3, "batch_size": 4, "targets": "mlp"},
    {"epochs": 3, "learning_rate": 4e-3, "batch_size": 4, "targets": "mlp", "rank": 12},
)
# As good as the best of them, beyond what 48 questions can tell apart.
RECIPE = RECIPES[2]
STUDENTS = Students()
PLANS = ("many-wordings", "one-wording", "mixed")


def study(plan: str, exam: cl.Exam) -> list[dict]:
    """The same facts, learned by heart in one of three ways."""
    many = exam.train_examples(wordings=6)
    return {
        "many-wordings": many,
        "one-wording": exam.train_examples(wordings=1, repeat=6),
        "mixed": [*many, *cl.general_study()[:72]],
    }[plan]


@cache
def library() -> cl.Index:
    """The open book, made when something is searched in it."""
    return cl.build_index("data/library")


def right_page(exam: cl.Exam, instruction: str | None = None) -> cl.OpenBook:
    """The page that holds the answer, and how it is to be read."""
    told = [instruction] if instruction else []
    return cl.OpenBook(untrained(), cl.golden_passages(exam, library()), *told)


def few_shot() -> cl.FewShot:
    """Three worked examples about other facts: validation facts, in study wordings."""
    facts = cl.load_exam("handbook").validation_facts[::12][:3]
    return cl.FewShot(untrained(), [cl.example(fact.study[0], fact.answer) for fact in facts])


def choose_on_validation() -> dict[str, Any]:
    """Accuracy on validation questions: of each instruction with the right page, of each k with RAG."""
    exam = cl.load_exam("handbook").on_validation()
    asked = {
        text: kept("02", f"validation-instruction-{i}", lambda text=text: cl.evaluate(right_page(exam, text), exam))
        for i, text in enumerate(INSTRUCTIONS)
    }
    found = {k: kept("02", f"validation-k-{k}", lambda k=k: cl.evaluate(rag(k), exam)) for k in KS}
    return {
        "instructions": {text: figures(report) for text, report in asked.items()},
        "k": {k: figures(report) for k, report in found.items()},
    }


def rag(k: int) -> cl.RagPipeline:
    return cl.RagPipeline(untrained(), library(), k)


def choose_recipe(numbers: Sequence[int]) -> list[dict[str, Any]]:
    """Each recipe by heart on validation facts, in six wordings each, asked in two others."""
    os.environ["COURSE_RECORD"] = ""  # none of these adapters is the lesson's
    exam = cl.load_exam("handbook").on_validation().about(FACTS)
    study = exam.train_examples(wordings=6)
    cl.check_no_leak(study, exam)
    chosen = []
    for i in numbers:
        recipe = RECIPES[i]
        report = kept(
            "02",
            f"validation-recipe-{i}",
            lambda recipe=recipe: cl.evaluate(cl.finetune(untrained(), study, seed=0, **recipe), exam),
            recipe,
        )
        chosen.append({**recipe, **figures(report)})
    return chosen


def student(plan: str, seed: int, exam: cl.Exam, general: cl.Exam) -> dict[str, Any]:
    """One by-heart student: its mark in the exam, and what it kept of general knowledge."""

    def train() -> cl.ChatModel:
        os.environ["COURSE_RECORD"] = "1" if seed == 0 else ""
        return cl.finetune(untrained(), study(plan, exam), name=f"02-{plan}", seed=seed, **RECIPE)

    def sit(asked: cl.Exam) -> cl.Report:
        return cl.evaluate(STUDENTS.trained(f"{plan}-seed-{seed}", train), asked)

    mark = kept("02", f"{plan}-seed-{seed}", lambda: sit(exam), RECIPE)
    common = kept("02", f"{plan}-seed-{seed}-general", lambda: sit(general), RECIPE)
    return {"seed": seed, "exam": figures(mark), "general": figures(common)}


def main(arguments: Sequence[str] | None = None) -> None:
    recipes = {"type": int, "nargs": "+", "help": "only try these recipes on validation facts, by number"}
    options = asked_for(__doc__, arguments, recipes=recipes)
    seeds = options.seeds
    if options.recipes is not None:
        choose_recipe(options.recipes)
        return
    handbook, general = cl.load_exam("handbook"), cl.load_exam("general").sample(100)
    exam = handbook.about(FACTS)
    before = kept("02", "general-before", lambda: cl.evaluate(untrained(), general))
    by_heart: dict[str, list[dict[str, Any]]] = {plan: [] for plan in PLANS}
    for seed in seeds:
        for plan, runs in by_heart.items():
            runs.append(student(plan, seed, exam, general))
    recipes = choose_recipe(range(len(RECIPES)))
    chosen = choose_on_validation()
    whole = {
        "closed book": kept("02", "closed-book", lambda: cl.evaluate(untrained(), handbook)),
        "examples in the prompt": kept("02", "few-shot", lambda: cl.evaluate(few_shot(), handbook)),
        "right page": kept("02", "right-page", lambda: cl.evaluate(right_page(handbook), handbook)),
        "RAG": kept("02", "rag", lambda: cl.evaluate(rag(K), handbook)),
    }
    marks = {plan: [run["exam"]["accuracy"] for run in runs] for plan, runs in by_heart.items()}
    many, one = (sum(marks[plan]) / len(marks[plan]) for plan in ("many-wordings", "one-wording"))
    sizes = cl.stored("02/handbook")
    small, *others = students.STUDENTS
    larger = " and ".join(f"{sizes['right page', student].share()[0]:.2f}" for student in others)
    taught = sizes["trained reader, right page", small].share()[0]
    page, k_one, k_six = whole["right page"], chosen["k"][1], chosen["k"][6]
    write_summary(
        "02",
        {
            "validation": {**chosen, "recipes": recipes},
            "handbook": {name: figures(report) for name, report in whole.items()},
            "general_before": figures(before),
            "by_heart": by_heart,
            "headline": f"closed book {whole['closed book'].accuracy:.2f}, RAG {whole['RAG'].accuracy:.2f}, right page "
            f"{whole['right page'].accuracy:.2f} (n = {len(handbook)}; larger students {larger}, one taught to read "
            f"{taught:.2f}); by heart {many:.2f} from six wordings, "
            f"{one:.2f} from one (n = {len(exam)}, {counted(seeds)})",
            "limits": [
                f"with the right page before it, it answers {page.accuracy:.2f} of the questions right, and "
                f"{page.exact:.2f} of them without talking around it (n = {page.n})",
                f"six passages in the prompt where one was make it answer {k_six['accuracy']:.2f} of the questions "
                f"instead of {k_one['accuracy']:.2f} (n = {k_one['n']})",
            ],
        },
    )


if __name__ == "__main__":
    main()
