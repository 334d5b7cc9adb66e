"""What lesson 08 measures of its style specialist, and of the metrics that disagree about it.

A model that is told the wish, one that is shown it in three examples, and specialists of several seeds put the same 40
answers into the voice; each is judged for voice, facts and both. Four to five minutes a seed on two slow cores.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import permutations
from typing import Any

from shared.figures import difference, of_seeds
from shared.keeping import kept

import course_lib as cl
from course_lib.core.chat import Example
from course_lib.evaluation.intervals import interval, span
from course_lib.lessons.voice import STYLE_TOKENS, grade_style, load_style, metric_table, scores, style_exam
from course_lib.retrieval.readers import FewShot

LESSON = "08"
RECIPE = {"method": "lora", "epochs": 2, "learning_rate": 2e-3, "batch_size": 8, "rank": 4}
SHOWN = 3
JUDGES = ("voice", "facts", "both")


def told(model: cl.ChatModel) -> Callable[[Sequence[str]], Any]:
    """What a model that is told the wish replies; each request states it."""
    return lambda questions: model.reply(list(questions), STYLE_TOKENS)


def shown(model: cl.ChatModel, examples: Sequence[Example]) -> Callable[[Sequence[str]], Any]:
    """What a model replies that is shown some examples first."""
    return lambda questions: FewShot(model, examples).answer(questions, STYLE_TOKENS)


def style(model: Callable[[], cl.ChatModel], seeds: Sequence[int] = (0, 1, 2)) -> dict[str, Any]:
    """Every arm's figures by each judge, the differences that count, and where metrics disagree."""
    study, asked = load_style("train"), load_style("test")
    exam = style_exam(asked)
    examples = [pair.as_example() for pair in study]

    def sat(name: str, answer: Callable[[Sequence[str]], Any], **settings: Any) -> cl.Report:
        return kept(LESSON, f"style-{name}", lambda: cl.evaluate(answer, exam, name), {"n": len(exam), **settings})

    def specialist(seed: int) -> Callable[[Sequence[str]], Any]:
        def answer(questions: Sequence[str]) -> Any:
            return told(cl.finetune(model(), examples, seed=seed, name="style", **RECIPE))(questions)

        return answer

    arms = {
        "told": [sat("told", lambda questions: told(model())(questions))],
        "shown": [sat("shown", lambda questions: shown(model(), examples[:SHOWN])(questions), examples=SHOWN)],
        "specialist": [sat(f"specialist-seed-{seed}", specialist(seed), **RECIPE, seed=seed) for seed in seeds],
    }
    graded = {arm: [grade_style(report, asked) for report in reports] for arm, reports in arms.items()}
    measured = {arm: (reports[0], graded[arm][0]) for arm, reports in arms.items()}
    return {
        "arms": {arm: {judge: of_seeds([g[judge] for g in graded[arm]]) for judge in JUDGES} for arm in arms},
        "specialist minus told": _against(graded, "told"),
        "specialist minus shown": _against(graded, "shown"),
        "metrics": metric_table(measured).to_dict("index"),
        "disagreements": disagreements(measured, "both"),
    }


def _against(graded: dict[str, list[dict[str, cl.Report]]], arm: str) -> dict[str, list[float]]:
    return {
        judge: difference([g[judge] for g in graded["specialist"]], [g[judge] for g in graded[arm]]) for judge in JUDGES
    }


def disagreements(measured: Mapping[str, tuple[cl.Report, Mapping[str, cl.Report]]], truth: str) -> list[str]:
    """Where metrics say something else than `truth`, the judge that counts, of each two that this one tells apart.

    A metric *praises the worse* if it puts it above, not by chance; it *cannot tell them apart* if its 95% interval
    holds zero. `measured` is as for `metric_table`, all of the same questions. A sentence for each, with both
    differences and their intervals.
    """
    table = {name: scores(*pair) for name, pair in measured.items()}
    facts = [row.fact for row in next(iter(measured.values()))[0].rows]

    def differs(a: str, b: str, metric: str) -> tuple[float, float, float]:
        deltas = table[a][metric] - table[b][metric]
        return (float(deltas.mean()), *interval(deltas, facts, low=-1.0))

    found = []
    for better, worse in permutations(table, 2):
        wanted = differs(better, worse, truth)
        for metric in table[better] if wanted[1] > 0 else ():
            value = differs(better, worse, metric)
            if value[2] < 0:
                how = "praises the worse"
            elif value[1] <= 0:
                how = "cannot tell them apart"
            else:
                continue
            found.append(f"{better} minus {worse}: {truth} {_told(wanted)}, {metric} {_told(value)}, which {how}")
    return found


def _told(difference: tuple[float, float, float]) -> str:
    value, low, high = difference
    return f"{value:+.2f} ({span(low, high, '+.2f')})"
