"""English into SQL: the pairs to train on, the exams, the writer, the grader that runs what was written.

A *pair* is a request, the day on which it was made, and the right query. Exams ask for what training has not seen:
other values, other wordings, other combinations, another schema. A query is graded by what it gives, on five
databases: it may be right without being the expected text, and look right without being so.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from course_lib.core.chat import Answer, Example, Messages
from course_lib.core.errors import CourseError, choose, listed
from course_lib.core.rows import Text, in_turns, read_rows, shuffled
from course_lib.core.session import data_dir
from course_lib.evaluation.exams import Exam, Question
from course_lib.lessons.sql.databases import Databases, Schema, load_schema
from course_lib.lessons.sql.running import SqlError, run_sql, same_results
from course_lib.lessons.sql.text import extract_sql, normal_form
from course_lib.models.chatmodel import ChatModel

INSTRUCTION = "Write one SQLite query."
SQL_TOKENS = 96  # the longest right query has 66
STRANGER_TOKENS = 256  # of the stranger's exam, where it has nearly as many as that
SHOP_EXAMS = ("values", "wordings", "combinations")
# What is asked at the front desk every day: few enough patterns to learn in minutes.
FRONT_DESK = (
    "users-in-state", "user-names-in-city", "user-count-in-state", "products-in-category", "products-under-price",
    "average-price-of-category", "dearest-products", "orders-with-status", "status-count-since", "orders-last-month",
    "orders-of-person", "users-with-status",
)  # fmt: skip


@dataclass(frozen=True)
class SqlPair:
    """A request, the day on which it was made, and the query that answers it.

    `pattern` and `wording` name the kind of query and the words that the request was made from (raw data has neither);
    `features` what the query makes use of: "join", "group", ... `planted` is the fault that was put into raw data; for
    judging `clean` and for nothing else.
    """

    id: Text
    request: Text
    sql: Text
    today: Text
    pattern: str = ""
    wording: str = ""
    needs_date: bool = False
    features: tuple[str, ...] = ()
    planted: str = field(default="", repr=False)

    def as_example(self, schema: Schema | str) -> Example:
        """The pair as a training example."""
        prompt = sql_prompt(self.request, schema, self.today)
        return {"prompt": prompt, "completion": [{"role": "assistant", "content": self.sql}]}

    def as_question(self) -> Question:
        """The pair as an exam question; its cluster in intervals is the wording."""
        return Question(self.id, self.request, self.sql, source=self.today, fact=self.wording, kind=self.pattern)


@dataclass(frozen=True, repr=False)
class SqlTask:
    """Everything of lesson 03: pairs to train on, exams, schemas, databases.

    `raw` are pairs as colleagues sent them. `values`, `wordings` and `combinations` ask about the shop for what was not
    trained on; `dated` are those of their questions that cannot be answered without the day ("last month");
    `second_schema` is about other tables. `stranger` asks about the shop what people asked who had seen its tables and
    nothing else: neither patterns nor pairs. `validation`, for choosing settings, has values and wordings of its own.
    """

    train: list[SqlPair]
    validation: Exam
    values: Exam
    wordings: Exam
    combinations: Exam
    dated: Exam
    second_schema: Exam
    stranger: Exam
    schema: Schema
    other_schema: Schema
    databases: Databases
    other_databases: Databases
    raw: list[SqlPair]

    def __repr__(self) -> str:
        exams = (self.validation, self.values, self.wordings, self.combinations, self.second_schema, self.stranger)
        return f"SqlTask({len(self.train):,} training pairs; {', '.join(f'{exam.name} {len(exam)}' for exam in exams)})"

    def about(self, patterns: Iterable[str]) -> SqlTask:
        """A smaller task: only these patterns are trained and examined; combinations and other tables stay whole."""
        known = {pair.pattern for pair in self.train}
        wanted = {choose("pattern", pattern, sorted(known)) for pattern in patterns}

        def examined(exam: Exam) -> Exam:
            return replace(exam, test=tuple(question for question in exam if question.kind in wanted))

        kept = {name: examined(getattr(self, name)) for name in ("validation", "values", "wordings", "dated")}
        return replace(self, train=[pair for pair in self.train if pair.pattern in wanted], **kept)

    def train_pairs(self, n: int | None = None, seed: int = 0) -> list[SqlPair]:
        """`n` training pairs, spread evenly over patterns and wordings; all if None. The first 100 are in the 300."""
        if n is not None and (isinstance(n, bool) or not isinstance(n, int) or not 1 <= n <= len(self.train)):
            raise CourseError(f"n is {n!r}: there are {len(self.train):,} training pairs, take 1 to that many.")
        return _spread(self.train, random.Random(seed))[:n]

    def train_examples(self, n: int | None = None, seed: int = 0) -> list[Example]:
        """`train_pairs` as training examples."""
        return [pair.as_example(self.schema) for pair in self.train_pairs(n, seed)]


def load_sql() -> SqlTask:
    """Load the data of lesson 03."""
    databases, other = Databases("shop"), Databases("library")

    def exam(name: str, pairs: Iterable[SqlPair] | None = None, databases: Databases = databases) -> Exam:
        questions = tuple(pair.as_question() for pair in pairs or _read(name))
        return Exam(f"sql {name.replace('_', ' ')}", questions, grader=ExecutionGrader(databases))

    return SqlTask(
        train=_read("train"),
        **{name: exam(name) for name in ("validation", *SHOP_EXAMS)},
        dated=exam("dated", (pair for name in SHOP_EXAMS for pair in _read(name) if pair.needs_date)),
        second_schema=exam("second_schema", databases=other),
        stranger=exam("stranger"),
        schema=databases.schema,
        other_schema=other.schema,
        databases=databases,
        other_databases=other,
        raw=_read("raw"),
    )


def sql_prompt(request: str, schema: Schema | str, today: str | None = None) -> Messages:
    """What the writer reads: an instruction, the day and the tables, then the request. About 90 tokens.

    The day is "2023-11-14"; None leaves it out, and "last month" can mean any month.
    """
    schema = load_schema(schema) if isinstance(schema, str) else schema
    day = "" if today is None else f" Today is {today}."
    system = f"{INSTRUCTION}{day}\n{schema.lines}"
    return [{"role": "system", "content": system}, {"role": "user", "content": request}]


@dataclass(frozen=True)
class SqlAnswer:
    """A query that a model wrote, token by token with their probabilities, and what it gave on the first database.

    `error` says in a sentence why it does not run. `confidence` is the probability of the least certain token, 0 to 1:
    one wrong name is enough to spoil a query.
    """

    sql: str
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[Any, ...], ...] = ()
    error: str | None = None
    confidence: float = 0.0
    tokens: tuple[tuple[str, float], ...] = field(default=(), repr=False)


@dataclass
class SqlWriter:
    """A model that turns requests into SQL: a candidate for the exams, and what a chat box asks.

    `dates` is the exam whose questions say their day; None leaves the day out. `examples` are shown before each
    request, as turns of a chat ("few-shot prompting"). Of no query it writes more than `max_new_tokens`.
    """

    model: ChatModel
    schema: Schema | str
    dates: Exam | None = None
    examples: Sequence[SqlPair] = ()
    name: str = "SQL writer"
    max_new_tokens: int = SQL_TOKENS

    def __post_init__(self) -> None:
        if isinstance(self.schema, str):
            self.schema = load_schema(self.schema)
        if self.dates is not None and not isinstance(self.dates, Exam):
            raise CourseError(f"dates is {self.dates!r:.40}: give an exam, whose questions say their day.")
        asked = () if self.dates is None else (*self.dates.test, *self.dates.validation)
        self._days = {question.question: question.source for question in asked}

    def prompt(self, request: str, today: str | None = None) -> Messages:
        """The whole chat before the query. An example that depends on its own day says which."""
        system, asked = sql_prompt(request, self.schema, today)
        shown = []
        for pair in self.examples:
            day = f"Today is {pair.today}. " if pair.needs_date else ""
            shown.append({"role": "user", "content": f"{day}{pair.request}"})
            shown.append({"role": "assistant", "content": pair.sql})
        return [system, *shown, asked]

    def answer(self, requests: Sequence[str]) -> list[Answer]:
        """One query for each request of an exam."""
        requests = listed("requests", requests)
        for request in requests:
            if self.dates is not None and request not in self._days:
                raise CourseError(
                    f"no day is given for the request {request[:60]!r}: give the writer this exam's dates."
                )
        prompts = [self.prompt(request, self._days.get(request)) for request in requests]
        return self.model.reply(prompts, self.max_new_tokens)

    def ask(self, request: str, today: str | None = None) -> SqlAnswer:
        """One request: the query, what it gives on the first database as of `today`, and how sure the model was.

        Whatever goes wrong with the query stands in `error`; nothing is raised for it.
        """
        database = Databases(self.schema)[0].as_of(today)
        written = _with_probabilities(self.model, self.prompt(request, today), self.max_new_tokens)
        sql = extract_sql("".join(text for text, _ in written))
        kept = {"confidence": min((p for _, p in written), default=0.0), "tokens": tuple(written)}
        try:
            result = run_sql(sql, database)
        except SqlError as error:
            return SqlAnswer(sql, error=str(error), **kept)
        return SqlAnswer(sql, result.columns, result.rows, **kept)


@dataclass(frozen=True)
class ExecutionGrader:
    """Grades a query by running it beside the right one, on every database as it stood on the question's day."""

    databases: Databases = field(repr=False)

    def __call__(self, question: Question, reply: str) -> str:
        """ "exact" (the expected text but for space, case of keywords and semicolon), "right" (gives the same on every
        database), "invalid" (is no SELECT, does not run, or is refused) or "wrong"."""
        if normal_form(reply) == normal_form(question.answer):
            return "exact"
        databases = self.databases.as_of(question.source or None)
        # Further queries below an empty line don't make a wrong one invalid, but a right one is then not the answer.
        sql, *more = re.split(r";[ \t\r]*\n\s*\n", extract_sql(reply), maxsplit=1)
        try:
            same = same_results(sql, question.answer, databases)
            return "wrong" if not same else "invalid" if more else "right"
        except SqlError:
            return "invalid"


def _read(name: str) -> list[SqlPair]:
    return read_rows(data_dir() / "sql" / f"{name}.jsonl", SqlPair)


def _spread(pairs: Sequence[SqlPair], rng: random.Random) -> list[SqlPair]:
    """All pairs in an order of which every beginning is spread evenly over patterns, and in these over wordings."""
    patterns: dict[str, dict[str, list[SqlPair]]] = defaultdict(lambda: defaultdict(list))
    for pair in pairs:
        patterns[pair.pattern][pair.wording].append(pair)
    return in_turns([in_turns([shuffled(p, rng) for p in w.values()], rng) for w in patterns.values()], rng)


def _with_probabilities(model: ChatModel, prompt: Messages, max_new_tokens: int) -> list[tuple[str, float]]:
    """A greedy reply, token by token, each with its probability; without the token that ends it."""
    ids = model.encode(prompt)
    out = model.complete([ids], max_new_tokens, output_scores=True, return_dict_in_generate=True)
    found = []
    for token, scores in zip(out.sequences[0, len(ids) :].tolist(), out.scores):  # scores: (1, V) a step
        if token in model.stops():
            break
        found.append((model.tokenizer.decode([token]), float(scores[0].float().softmax(-1)[token])))
    return found
