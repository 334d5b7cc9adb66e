"""Checks of lesson 08: a case, where two prices cross, verdicts of a gate, and a conclusion."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from course_lib.core.errors import is_number
from course_lib.costs.bills import break_even_volume
from course_lib.evaluation.release import Gate
from course_lib.evaluation.reports import Difference, Report
from course_lib.lessons.capstone import check_conclusion
from course_lib.lessons.checks.registry import Right, register, told
from course_lib.lessons.choosing import Case, advise

VERDICTS = ("passes", "fails", "cannot tell")
# Why a change of one field does not move facts that are better learned by heart.
STAYS = {
    "need": "Behaviour to learn besides is learned in the same training.",
    "knowledge_tokens": "There is still not too much of it to be studied.",
    "privacy": "That says who holds the weights, and not where the facts go.",
    "examples": "There are still enough to learn from.",
    "look_alikes": "Look-alikes matter where pages are searched, and none are.",
    "questions": "How many ask does not bring a fact out of the weights while they cannot wait.",
}


@register("08-case", names="mine")
def _case(attempt: Any, *, case: Case) -> str:
    if not isinstance(attempt, Case):
        return "Answer with a case: replace(robot, ...) makes one of the machine's."
    changed = [field.name for field in fields(Case) if getattr(attempt, field.name) != getattr(case, field.name)]
    if not changed:
        return "That is the machine's case as it was: change one thing about it."
    if len(changed) > 1:
        return f"You changed {len(changed)} things ({', '.join(changed)}): which of them does it? One is enough."
    (name,) = changed
    before, after = advise(case), advise(attempt)
    if after.choice == before.choice:
        return f"The advice is still {after.choice}. {STAYS.get(name, 'Look at the reasons.')}"
    if after.choice == "prompting":
        return "Now the advice is prompting: no page is looked up there either."
    change = f"{name} from {getattr(case, name)!r} to {getattr(attempt, name)!r}"
    return Right(f"Yes: {change}, and the advice is {after.choice}. {after.reasons[-1].text}")


@register("08-break-even", names="questions")
def _break_even(attempt: Any, *, rag: float, tuned: float, training_usd: float, trainings: int) -> str:
    """Questions from which a fine-tuned model has paid for its trainings, from USD of a question and of a training."""
    if not is_number(attempt):
        return "One number is wanted: how many questions."
    fixed = training_usd * trainings
    right = break_even_volume(rag, tuned, fixed)
    answers = [
        (right, Right(f"Yes. From {right:,.0f} questions on the short prompt has paid for the trainings.")),
        (right / trainings, f"That is for one training, and the facts are studied {trainings} times."),
        (right / 1000, "A thousand times too few: are those prices of a thousand questions, or of one?"),
        (right * 1000, "A thousand times too many: are those prices of a thousand questions, or of one?"),
        (fixed / rag, "You have left out that a question to the fine-tuned model costs something too."),
        (fixed / tuned, "That divides by what a question costs. Divide by what a question *saves*."),
        (fixed / (rag + tuned), "The two prices are not paid together: what does one save against the other?"),
        (-right, "The difference the other way round: RAG's question is the dearer one."),
    ]
    other = "Not that: what all trainings cost, over what one question saves."
    return told(answers, lambda answer: math.isclose(float(attempt), answer, rel_tol=0.01), other)


@register("08-gate", names="verdicts")
def _gate(attempt: Any, *, releases: Mapping[str, Sequence[float]], at_most: float) -> str:
    """What a gate says to some releases, each given as (new minus old, low, high)."""
    if not isinstance(attempt, Mapping) or set(attempt) != set(releases):
        return f"Write a dict with a verdict for each of: {', '.join(releases)}."
    given = {name: str(verdict).strip().lower() for name, verdict in attempt.items()}
    if strange := [verdict for verdict in given.values() if verdict not in VERDICTS]:
        return f"{strange[0][:40]!r} is no verdict: say {', '.join(VERDICTS)}."
    right = {name: Gate(Difference("new", "old", *d, n=1), at_most, "").verdict for name, d in releases.items()}
    passes, fails, open_ = VERDICTS
    by_value = {name: passes if value >= -at_most else fails for name, (value, _, _) in releases.items()}
    by_chance = {name: passes if high >= 0 else fails for name, (_, _, high) in releases.items()}
    by_zero = {name: passes if low >= 0 else fails if high < 0 else open_ for name, (_, low, high) in releases.items()}
    answers = [
        (right, Right("Yes. What goes out has its whole interval above the loss that is allowed.")),
        (by_value, "You looked at the difference alone. Its interval says how far off it may be."),
        (
            by_chance,
            "You asked whether anything is lost beyond chance. The gate asks whether more is lost than may be.",
        ),
        (by_zero, f"You held the intervals against zero: the line is at -{at_most:g}."),
    ]
    wrong = sum(given[name] != right[name] for name in right)
    other = f"{wrong} of {len(right)} are wrong. Where does each interval lie: above, below, or across?"
    return told(answers, lambda answer: answer == given, other)


@register("08-conclusion", names="conclusion")
def _conclusion(attempt: Any, *, reports: Mapping[str, Report]) -> str:
    if not isinstance(attempt, str):
        return "Write your conclusion as a text: a few sentences in quotes."
    claims = check_conclusion(attempt, reports)
    if false := [claim for claim in claims if not claim.holds]:
        return f"{len(false)} of {len(claims)} claims do not hold. {str(false[0]).removeprefix('✗ ')}."
    said = attempt.lower()
    if silent := [name for name in reports if not re.search(rf"(?<!\w){re.escape(name.lower())}(?!\w)", said)]:
        return f"Nothing false in it, and nothing about {', '.join(silent)}: call each by its name."
    if not any(" minus " in claim.why for claim in claims):
        return "It compares nothing: say of two who is better, or that they cannot be told apart."
    return Right(f"Yes. It claims {len(claims)} things, and the numbers bear all of them out.")
