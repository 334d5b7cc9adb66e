"""English into SQL: the pairs to train on, the exams, the writer, the grader that runs what was written.

A *pair* is a request, the day on which it was made, and the right query. Exams ask for what training has not seen:
other values, other wordings, other combinations, another schema. A query is graded by what it gives, on five
databases (`sql_databases`): it may be right without being the expected text, and look right without being so.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from course_lib.datasets import Exam, Example, Question, normalise, numbered_rows
from course_lib.errors import CourseError, DataError
from course_lib.models import Answer, ChatModel, Messages
from course_lib.settings import data_dir
from course_lib.sql_databases import (
    FUNCTIONS,
    Database,
    Databases,
    Schema,
    SqlError,
    SqlResult,
    Token,
    load_schema,
    run_sql,
    same_results,
    tokens,
)

__all__ = [
    "Database",
    "Databases",
    "ExecutionGrader",
    "Fault",
    "Schema",
    "SqlAnswer",
    "SqlError",
    "SqlPair",
    "SqlResult",
    "SqlTask",
    "SqlWriter",
    "clean",
    "extract_sql",
    "load_schema",
    "load_sql",
    "run_sql",
    "same_results",
    "sql_prompt",
    "standard_style",
]

INSTRUCTION = "Write one SQLite query."
# The longest right query has 66 tokens.
SQL_TOKENS = 96

KEYWORDS = {
    "ALL", "AND", "AS", "ASC", "BETWEEN", "BY", "CASE", "CAST", "COLLATE", "CROSS", "DESC", "DISTINCT", "ELSE", "END",
    "ESCAPE", "EXCEPT", "EXISTS", "FROM", "FULL", "GLOB", "GROUP", "HAVING", "IN", "INNER", "INTERSECT", "IS", "JOIN",
    "LEFT", "LIKE", "LIMIT", "NATURAL", "NOT", "NULL", "OFFSET", "ON", "OR", "ORDER", "OUTER", "OVER", "PARTITION",
    "RECURSIVE", "RIGHT", "SELECT", "THEN", "UNION", "USING", "VALUES", "WHEN", "WHERE", "WITH",
}  # fmt: skip
# What a row of the data may lack.
OPTIONAL = {"pattern": "", "wording": "", "needs_date": False, "features": [], "planted": ""}
STATEMENTS = (
    "alter|attach|begin|commit|create|delete|detach|drop|explain|insert|pragma|replace|select|update|vacuum|values|with"
)


@dataclass(frozen=True)
class SqlPair:
    """A request and the query that answers it.

    Attributes
    ----------
    pattern, wording
        Ids of the kind of query and of the words that the request was made from; empty in raw data.
    today
        The day of the request, as "2023-11-14".
    needs_date
        Whether the query depends on that day.
    features
        What the query makes use of: "join", "group", "limit", ...
    planted
        In raw data, the fault that was put there; for judging `clean` and for nothing else.
    """

    id: str
    request: str
    sql: str
    today: str
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

    Attributes
    ----------
    train, raw
        Clean pairs, and pairs as colleagues sent them, faults included.
    values, wordings, combinations
        Exams about the shop: values that the pattern was not trained with, wordings and whole patterns not trained on.
    second_schema
        An exam about other tables, `other_schema`.
    validation
        For choosing settings: values and wordings that neither training nor the other exams use.
    """

    train: list[SqlPair]
    validation: Exam
    values: Exam
    wordings: Exam
    combinations: Exam
    second_schema: Exam
    schema: Schema
    other_schema: Schema
    databases: Databases
    other_databases: Databases
    raw: list[SqlPair]

    def __repr__(self) -> str:
        exams = (self.validation, self.values, self.wordings, self.combinations, self.second_schema)
        return f"SqlTask({len(self.train):,} training pairs; {', '.join(f'{exam.name} {len(exam)}' for exam in exams)})"

    def train_pairs(self, n: int | None = None, seed: int = 0) -> list[SqlPair]:
        """`n` training pairs, spread evenly over patterns and wordings; all if None. The first 100 are in the 300.

        Raises
        ------
        CourseError
            If `n` is below 1 or above the number of pairs.
        """
        if n is not None and (isinstance(n, bool) or not isinstance(n, int) or not 1 <= n <= len(self.train)):
            raise CourseError(f"n is {n!r}: there are {len(self.train):,} training pairs, take 1 to that many.")
        return _spread(self.train, random.Random(seed))[:n]

    def train_examples(self, n: int | None = None, seed: int = 0) -> list[Example]:
        """`train_pairs` as training examples; raises as it does."""
        return [pair.as_example(self.schema) for pair in self.train_pairs(n, seed)]


def load_sql() -> SqlTask:
    """Load the data of lesson 03.

    Raises
    ------
    DataError
        If a file is missing, or a line of it malformed; file and line are named.
    """
    shop, library = load_schema("shop"), load_schema("library")
    databases, other = Databases(shop), Databases(library)

    def exam(name: str, on: Databases) -> Exam:
        questions = tuple(pair.as_question() for pair in _read(name))
        return Exam(f"sql {name.replace('_', ' ')}", questions, grader=ExecutionGrader(on))

    return SqlTask(
        train=_read("train"),
        validation=exam("validation", databases),
        values=exam("values", databases),
        wordings=exam("wordings", databases),
        combinations=exam("combinations", databases),
        second_schema=exam("second_schema", other),
        schema=shop,
        other_schema=library,
        databases=databases,
        other_databases=other,
        raw=_read("raw"),
    )


def sql_prompt(request: str, schema: Schema | str, today: str | None = None) -> Messages:
    """What the writer reads: an instruction, the day and the tables, then the request. About 90 tokens.

    Parameters
    ----------
    schema
        A `Schema`, or the name of one.
    today
        "2023-11-14"; None leaves it out, and "last month" can mean any month.
    """
    schema = load_schema(schema) if isinstance(schema, str) else schema
    day = "" if today is None else f" Today is {today}."
    system = f"{INSTRUCTION}{day}\n{schema.lines}"
    return [{"role": "system", "content": system}, {"role": "user", "content": request}]


@dataclass(frozen=True)
class SqlAnswer:
    """A query that a model wrote, and what it gave on the first database.

    Attributes
    ----------
    columns, rows
        The result; empty if the query does not run.
    error
        Why it does not run, in a sentence; None if it does.
    confidence
        Probability of the least certain token, 0 to 1: one wrong name is enough to spoil a query.
    tokens
        The query token by token, each with its probability.
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

    Attributes
    ----------
    schema
        The tables that stand in the prompt.
    dates
        The day of each request: an exam, several exams, or a mapping from request to day. None leaves the day out.
    examples
        Pairs to show before each request, as turns of a chat ("few-shot prompting").
    """

    model: ChatModel
    schema: Schema | str
    dates: Exam | Sequence[Exam] | Mapping[str, str] | None = None
    examples: Sequence[SqlPair] = ()
    name: str = "SQL writer"

    def __post_init__(self) -> None:
        if isinstance(self.schema, str):
            self.schema = load_schema(self.schema)
        self._days = None if self.dates is None else _days(self.dates)

    def prompt(self, request: str, today: str | None = None) -> Messages:
        """The whole chat before the query. An example that depends on its own day says which."""
        system, asked = sql_prompt(request, self.schema, today)
        shown = [
            turn
            for pair in self.examples
            for turn in (
                {"role": "user", "content": f"{f'Today is {pair.today}. ' if pair.needs_date else ''}{pair.request}"},
                {"role": "assistant", "content": pair.sql},
            )
        ]
        return [system, *shown, asked]

    def answer(self, requests: Sequence[str], max_new_tokens: int = SQL_TOKENS) -> list[Answer]:
        """One query for each request of an exam.

        Raises
        ------
        CourseError
            If a request is of no exam that the dates are from.
        """
        if self._days is None:
            return self.model.reply([self.prompt(request) for request in requests], max_new_tokens)
        for request in requests:
            if request not in self._days:
                raise CourseError(
                    f"no day is given for the request {request[:60]!r}: give the writer this exam's dates."
                )
        return self.model.reply([self.prompt(request, self._days[request]) for request in requests], max_new_tokens)

    def ask(self, request: str, today: str | None = None, max_new_tokens: int = SQL_TOKENS) -> SqlAnswer:
        """One request: the query, what it gives on the first database as of `today`, and how sure the model was.

        Whatever goes wrong with the query stands in `error`; nothing is raised for it.
        """
        database = Databases(self.schema)[0].as_of(today)
        written = _with_probabilities(self.model, self.prompt(request, today), max_new_tokens)
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
        """A verdict.

        Returns
        -------
        "exact" (the expected text but for space, case of keywords and semicolon), "right" (gives the same on every
        database), "invalid" (is no SELECT, does not run, or is refused) or "wrong".
        """
        if _written(_words(reply)) == _written(_words(question.answer)):
            return "exact"
        databases = self.databases.as_of(question.source or None)
        try:
            return "right" if same_results(extract_sql(reply), question.answer, databases) else "wrong"
        except SqlError:
            return "invalid"


def extract_sql(reply: str) -> str:
    """The query in a chatty reply: out of a fenced block, without prose before and after. A second statement stays."""
    fenced = re.search(r"```[ \t]*\w*[ \t]*\n?(.*?)(?:```|\Z)", reply, re.DOTALL)
    text = fenced[1] if fenced else reply
    start = re.search(r"^[ \t]*(?:select\b|with\s+(?:recursive\s+)?\w+\s*(?:\([^)]*\)\s*)?as\b)", text, re.I | re.M)
    text = text[start.start() :] if start else text
    end = re.search(rf";\s*\n\s*(?!(?:{STATEMENTS})\b)", text, re.IGNORECASE)
    return (text[: end.start() + 1] if end else text).strip()


@dataclass(frozen=True)
class Fault:
    """Something wrong with a raw pair.

    Attributes
    ----------
    kind
        "does not run", "exact duplicate", "near duplicate", "contradiction" (all four: the pair was taken out) or
        "style" (it was rewritten and kept).
    id
        The pair.
    note
        The particulars: an error, the pair that it repeats or contradicts, the query as it was.
    """

    kind: str
    id: str
    note: str


def clean(pairs: Iterable[SqlPair], databases: Databases) -> tuple[list[SqlPair], list[Fault]]:
    """Take out of raw pairs what must not be trained on, and bring the rest into one style.

    Pairs that ask the same (but for case, space and punctuation; on the same day, where it matters) and whose queries
    give different results contradict each other: all of them go, because no program knows which one is right.
    `Counter(fault.kind for fault in faults)` counts the faults. What asks for one thing and answers another, without
    being contradicted, is not found.

    Parameters
    ----------
    pairs
        In any order: of duplicates the first is kept.
    databases
        Where queries are tried and compared.

    Returns
    -------
    The pairs to keep, in their order, and the faults.
    """
    faults: list[Fault] = []
    seen: dict[tuple[str, ...], str] = {}
    groups: dict[tuple[Any, ...], list[SqlPair]] = defaultdict(list)
    for pair in pairs:
        day = pair.today if pair.needs_date else ""
        text = (pair.request, pair.sql, day)
        if text in seen:
            faults.append(Fault("exact duplicate", pair.id, f"the same as {seen[text]}"))
            continue
        seen[text] = pair.id
        try:
            run_sql(pair.sql, databases[0].as_of(pair.today))
        except SqlError as error:
            faults.append(Fault("does not run", pair.id, str(error)))
            continue
        styled = replace(pair, sql=standard_style(pair.sql))
        if styled.sql != pair.sql and _agree(styled, pair, databases):
            faults.append(Fault("style", pair.id, f"was {pair.sql}"))
            pair = styled
        groups[(*normalise(pair.request), day)].append(pair)

    kept: list[SqlPair] = []
    for first, *others in groups.values():
        told_apart = [pair for pair in others if not _agree(first, pair, databases)]
        if told_apart:
            names = ", ".join(pair.id for pair in (first, *others))
            faults += [
                Fault("contradiction", pair.id, f"one request, several results: {names}") for pair in (first, *others)
            ]
            continue
        kept.append(first)
        faults += [Fault("near duplicate", pair.id, f"asks what {first.id} asks") for pair in others]
    return kept, faults


def standard_style(sql: str) -> str:
    """A query in the style of the training data; what it means stays the same.

    Keywords and functions in capitals, names in small letters, strings in single quotes, `=` and `!=`, one space
    between words, no needless alias, INNER or ASC, one semicolon at the end. Comments are dropped.
    """
    found = [_plain_string(token, before) for token, before in _with_history(_words(sql))]
    found = [Token("mark", {"==": "=", "<>": "!="}.get(t.text, t.text)) if t.kind == "mark" else t for t in found]
    found = [token for token in found if not token.says("ASC", "INNER")]
    found = _without_column_aliases(_without_table_aliases(found))
    return f"{_written(found)};"


def _read(name: str) -> list[SqlPair]:
    return [_pair(row, place) for row, place in numbered_rows(data_dir() / "sql" / f"{name}.jsonl")]


def _pair(row: dict[str, Any], place: str) -> SqlPair:
    row = OPTIONAL | row
    known = SqlPair.__dataclass_fields__
    faults = [f"unknown key {key}" for key in sorted(set(row) - set(known))]
    for name in known:
        value = row.get(name)
        if name not in OPTIONAL and (not isinstance(value, str) or not value.strip()):
            faults.append(f"{name} is missing, empty or not text")
        elif name in OPTIONAL and not isinstance(value, type(OPTIONAL[name])):
            faults.append(f"{name} is not {type(OPTIONAL[name]).__name__}")
    if not faults and not all(isinstance(feature, str) for feature in row["features"]):
        faults.append("features is not a list of texts")
    if faults:
        raise DataError(f"{place}: {'; '.join(faults)}.")
    return SqlPair(**row | {"features": tuple(row["features"])})


def _spread(pairs: Sequence[SqlPair], rng: random.Random) -> list[SqlPair]:
    """All pairs in an order of which every beginning is spread evenly over patterns, and in these over wordings."""
    patterns: dict[str, dict[str, list[SqlPair]]] = defaultdict(lambda: defaultdict(list))
    for pair in pairs:
        patterns[pair.pattern][pair.wording].append(pair)
    return _in_turns([_in_turns([_shuffled(p, rng) for p in w.values()], rng) for w in patterns.values()], rng)


def _in_turns(rows: list[list[SqlPair]], rng: random.Random) -> list[SqlPair]:
    """One of each row, then a second of each, and so on; the order within a turn is drawn anew."""
    found = []
    for turn in range(max(map(len, rows))):
        found += _shuffled([row[turn] for row in rows if turn < len(row)], rng)
    return found


def _shuffled(items: Sequence[Any], rng: random.Random) -> list[Any]:
    return rng.sample(items, len(items))


def _days(dates: Exam | Sequence[Exam] | Mapping[str, str]) -> dict[str, str]:
    if isinstance(dates, Mapping):
        return dict(dates)
    days: dict[str, str] = {}
    for exam in [dates] if isinstance(dates, Exam) else dates:
        if not isinstance(exam, Exam):
            raise CourseError(f"dates are an exam, exams, or a mapping from request to day, not {exam!r:.40}.")
        for question in (*exam.test, *exam.validation):
            if days.setdefault(question.question, question.source) != question.source:
                raise CourseError(
                    f"two exams ask {question.question!r} on different days: make a writer for each exam."
                )
    return days


def _with_probabilities(model: ChatModel, prompt: Messages, max_new_tokens: int) -> list[tuple[str, float]]:
    """A greedy reply, token by token, each with its probability; without the token that ends it."""
    import torch

    ids = torch.tensor([model.encode(prompt)], device=model.model.device)  # (1, T)
    with torch.inference_mode():
        out = model.model.eval().generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=max_new_tokens,
            pad_token_id=model.tokenizer.pad_token_id,
            do_sample=False,
            output_scores=True,
            return_dict_in_generate=True,
        )
    found = []
    for token, scores in zip(out.sequences[0, ids.shape[1] :].tolist(), out.scores):  # scores: (1, V) a step
        if token in (model.tokenizer.eos_token_id, model.tokenizer.pad_token_id):
            break
        found.append((model.tokenizer.decode([token]), float(scores[0].float().softmax(-1)[token])))
    return found


def _agree(one: SqlPair, other: SqlPair, databases: Databases) -> bool:
    on = databases.as_of(one.today)
    try:
        return one.sql == other.sql or (same_results(one.sql, other.sql, on) and same_results(other.sql, one.sql, on))
    except SqlError:  # ran on the first database, and goes beyond a limit on another
        return False


def _words(sql: str) -> list[Token]:
    """Tokens with keywords and functions in capitals, without comments and closing semicolons."""
    found = tokens(sql)
    while found and found[-1].text == ";":
        found.pop()
    capitals = {
        i
        for i, token in enumerate(found)
        if token.kind == "word"
        and (
            token.text.upper() in KEYWORDS
            or (token.text.lower() in FUNCTIONS and found[i + 1 : i + 2] == [Token("mark", "(")])
        )
    }
    return [Token(t.kind, t.text.upper()) if i in capitals else t for i, t in enumerate(found)]


def _written(found: Sequence[Token]) -> str:
    """Tokens as text, spaced as in the training data."""
    text = ""
    for before, token in zip([None, *found], found):
        tight = before is None or before.text in ("(", ".") or token.text in (",", ")", ";", ".")
        if token.text == "(" and before is not None and before.kind == "word" and before.text not in KEYWORDS:
            tight = True  # a function's
        text += token.text if tight else f" {token.text}"
    return text


def _with_history(found: list[Token]) -> list[tuple[Token, list[Token]]]:
    return [(token, found[:i]) for i, token in enumerate(found)]


def _plain_string(token: Token, before: list[Token]) -> Token:
    """Double quotes where a value stands, as many write them, as single ones; a quoted name without quotes."""
    if token.kind == "word" and not (token.text in KEYWORDS or token.text in {f.upper() for f in FUNCTIONS}):
        return Token("word", token.text.lower())
    if token.kind != "quoted":
        return token
    inside = token.text[1:-1]
    previous = before[-1] if before else Token("mark", "")
    opened = [i for i, t in enumerate(before) if t.text == "("]
    in_list = previous.text in ("(", ",") and bool(opened) and before[opened[-1] - 1].says("IN")
    upper_bound = previous.says("AND") and len(before) > 2 and before[-3].says("BETWEEN")
    is_value = previous.text in ("=", "==", "!=", "<>", "<", ">", "<=", ">=") or previous.says("LIKE", "BETWEEN")
    if token.text[0] == '"' and (is_value or in_list or upper_bound):
        return Token("string", "'" + inside.replace("'", "''") + "'")
    return Token("word", inside.lower()) if re.fullmatch(r"[A-Za-z_]\w*", inside) else token


def _without_table_aliases(found: list[Token]) -> list[Token]:
    """`FROM users AS u WHERE u.state` as `FROM users WHERE state`.

    Left alone: a table joined to itself, tables listed with commas, one alias for two tables.
    """
    tables: list[str] = []
    aliases: dict[str, str] = {}
    dropped: set[int] = set()
    named, listed = 0, False
    for i, token in enumerate(found):
        if not token.says("FROM", "JOIN") or i + 1 >= len(found) or found[i + 1].kind != "word":
            continue
        tables.append(found[i + 1].text)
        j = i + 2
        j += j < len(found) and found[j].says("AS")
        if j < len(found) and found[j].kind == "word" and found[j].text not in KEYWORDS:
            aliases[found[j].text] = tables[-1]
            named += 1
            dropped |= set(range(i + 2, j + 1))
            j += 1
        listed |= j < len(found) and found[j].text == ","  # FROM orders, users
    if aliases and (listed or len(aliases) < named or len(set(tables)) < len(tables)):
        return found
    qualifiers = {i for i, t in enumerate(found[:-1]) if t.kind == "word" and found[i + 1].text == "."}
    if len(tables) == 1 and not listed:
        # With one table every name is its own; `users.*` is `*`.
        dropped |= {j for i in qualifiers if found[i].text in {*tables, *aliases} for j in (i, i + 1)}
    return [
        Token("word", aliases.get(t.text, t.text)) if i in qualifiers else t
        for i, t in enumerate(found)
        if i not in dropped
    ]


def _without_column_aliases(found: list[Token]) -> list[Token]:
    """`COUNT(*) AS n` as `COUNT(*)`, unless `n` is used again."""
    dropped: set[int] = set()
    for i, token in enumerate(found[:-1]):
        name = found[i + 1]
        follows = found[i + 2] if i + 2 < len(found) else Token("mark", "")
        once = sum(t.text == name.text for t in found) == 1
        if token.says("AS") and name.kind == "word" and once and (follows.text == "," or follows.says("FROM")):
            dropped |= {i, i + 1}
    return [token for i, token in enumerate(found) if i not in dropped]
