"""Checks of lesson 03: a slip that one database misses, and pairs that teach."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from course_lib.evaluation.grading import normalise
from course_lib.lessons.checks.registry import Right, is_texts, register
from course_lib.lessons.sql.databases import Database
from course_lib.lessons.sql.running import SqlError, run_sql, same_results
from course_lib.lessons.sql.task import SqlTask
from course_lib.lessons.sql.text import normal_form, standard_style

LEAST_PAIRS = 3
# Requests say small numbers in words.
WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


@register("03-caught", names="lucky")
def _caught(attempt: Any, *, right: str, databases: Sequence[Database]) -> str:
    if not isinstance(attempt, str) or not attempt.strip():
        return "Answer with a query as text, in quotation marks."
    if normal_form(attempt) == normal_form(right):
        return "That is the right query itself. Make a mistake that a person in a hurry would make."
    try:
        same = [same_results(attempt, right, [database]) for database in databases]
    except SqlError as error:
        return f"A query that does not run is caught at once: {error}"
    if all(same):
        return "Another text, and right on every database: there is nothing to catch."
    if not same[0]:
        got, wanted = (len(run_sql(sql, databases[0]).rows) for sql in (attempt, right))
        rows = f"{got} rows in place of {wanted}" if got != wanted else "other columns, or other rows"
        return f"The first database alone catches it: {rows}. Look for a slighter slip."
    return Right(f"Yes. Right on the first database, and caught by {same.count(False)} of {len(same)}.")


@register("03-teach", names="mine")
def _teach(attempt: Any, *, task: SqlTask, column: str) -> str:
    pairs = list(attempt) if isinstance(attempt, (list, tuple)) else []
    if not pairs or not all(is_texts(pair) and len(pair) == 2 and all(map(str.strip, pair)) for pair in pairs):
        return 'Answer with a list of pairs of texts: [("a request", "its query"), ...].'
    for number, (request, sql) in enumerate(pairs, 1):
        if hint := _fault(request, sql, task, column):
            return f"Pair {number}: {hint}"
    if len(pairs) < LEAST_PAIRS:
        return f"{len(pairs)} of {LEAST_PAIRS} pairs so far."
    if len({normalise(request) for request, _ in pairs}) < len(pairs):
        return "Two of the requests are the same: a pair twice is a pair."
    if len({_without_numbers(request) for request, _ in pairs}) < len(pairs):
        return "Two of the requests differ in their figures alone: the model would learn one sentence. Reword it."
    return Right(
        f"Yes. {len(pairs)} pairs that run, in one style, in {len(pairs)} wordings, and in no exam. Whether each query "
        "answers its request no program can say: read them once more."
    )


def _fault(request: str, sql: str, task: SqlTask, column: str) -> str | None:
    """What is wrong with one pair, by itself; None if nothing is."""
    try:
        run_sql(sql, task.databases[0])
    except SqlError as error:
        return str(error)
    words = normal_form(sql)
    if not any(kind != "STRING" and text.lower() == column.lower() for kind, text in words):
        return f"its query does not look at {column}: that is the pattern which is missing."
    if standard_style(sql) != sql:
        return "its query runs, in a style of its own: print `sql.standard_style` of it, and compare."
    for exam in (task.validation, task.values, task.wordings, task.combinations, task.stranger):
        if any(normalise(question.question) == normalise(request) for question in exam):
            return f"the {exam.name} exam asks the very same: that would be a leak."
    said = set(normalise(request))
    for number in (text for kind, text in words if kind == "NUMBER"):
        word = WORDS[int(number)] if number.isdigit() and int(number) < len(WORDS) else number
        if not {number, word} & said:
            return f"its query says {number}, its request does not: where would the model take that from?"
    return None


def _without_numbers(request: str) -> tuple[str, ...]:
    return tuple(word for word in normalise(request) if word not in WORDS and not re.fullmatch(r"[\d.,:]+", word))
