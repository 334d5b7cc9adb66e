"""The SQL data: split so that nothing leaks, and gradable by its databases."""

import re
from collections import Counter, defaultdict
from dataclasses import replace

import pytest
import sql as make
from datasheet import filled

from course_lib.core.errors import LeakError
from course_lib.core.session import ROOT
from course_lib.evaluation.exams import check_no_leak
from course_lib.evaluation.grading import normalise
from course_lib.lessons.sql import task as task_module
from course_lib.lessons.sql.databases import Databases, load_schema
from course_lib.lessons.sql.running import run_sql
from course_lib.lessons.sql.task import SqlPair, load_sql
from course_lib.lessons.sql.text import normal_form, order_terms

EXAMS = ("validation", "values", "wordings", "combinations", "second_schema")


@pytest.fixture(scope="module")
def task():
    return load_sql()


@pytest.fixture(scope="module")
def rows(task):
    """Name of a file to its pairs."""
    return {name: task_module._read(name) for name in ("train", *EXAMS, "stranger")}


def test_the_counts_in_the_datasheet_are_those_of_the_files(task, rows):
    page = (ROOT / "data" / "sql" / "README.md").read_text(encoding="utf-8")
    assert filled(page, make.counts({**rows, "raw": task.raw})) == page, "run `python data/make/sets/sql.py`"
    with pytest.raises(SystemExit, match="lacks its markers"):
        filled("no markers", "")


# Splits


def seen_values(train, exam):
    """Ids of pairs whose query training has for the same pattern."""
    trained = {(pair.pattern, pair.sql) for pair in train}
    return [pair.id for pair in exam if (pair.pattern, pair.sql) in trained]


def seen_wordings(train, exam):
    """Ids of pairs whose wording training has."""
    trained = {pair.wording for pair in train}
    return [pair.id for pair in exam if pair.wording in trained]


def seen_combinations(train, exam):
    """Ids of pairs that ask together for nothing that one training pattern does not ask for, or that ask for more."""
    patterns = {pair.pattern for pair in train}
    together = {frozenset(pair.features) for pair in train}
    apart = set().union(*together)
    return [
        pair.id
        for pair in exam
        if pair.pattern in patterns
        or any(set(pair.features) <= features for features in together)
        or not set(pair.features) <= apart
    ]


def test_each_exam_asks_for_what_is_new_in_its_way_and_for_nothing_else(rows):
    trained = {pair.pattern for pair in rows["train"]}
    assert seen_values(rows["train"], rows["values"]) == []
    assert len(seen_wordings(rows["train"], rows["values"])) == len(rows["values"])
    assert seen_wordings(rows["train"], rows["wordings"]) == []
    assert {pair.pattern for pair in rows["wordings"]} == trained
    assert seen_combinations(rows["train"], rows["combinations"]) == []
    patterns = {pair.pattern for pair in rows["combinations"]}
    assert len(patterns) >= 14 and len(patterns) / (len(patterns) + len(trained)) > 0.3


def test_validation_is_of_values_and_wordings_that_no_exam_uses(rows):
    for pair in rows["validation"]:
        known = "/train-" in pair.wording
        assert known or "/validation-" in pair.wording
        assert not known or seen_values(rows["train"], [pair]) == []
    examined = {(pair.pattern, pair.sql) for pair in rows["values"]}
    assert [pair.id for pair in rows["validation"] if (pair.pattern, pair.sql) in examined] == []
    assert not {pair.wording for pair in rows["validation"]} & {pair.wording for pair in rows["wordings"]}


def test_planted_leaks_of_each_kind_are_found(rows):
    train = rows["train"]
    value, wording, combination = (rows[name][0] for name in ("values", "wordings", "combinations"))
    assert value.id in seen_values([*train, replace(value, id="leak")], rows["values"])
    assert wording.id in seen_wordings([*train, replace(wording, id="leak")], rows["wordings"])
    leaked = seen_combinations([*train, replace(combination, id="leak", pattern="other")], rows["combinations"])
    assert combination.id in leaked
    new = replace(combination, features=(*combination.features, "window"))
    assert seen_combinations(train, [new]) == [new.id]


def test_no_request_of_an_exam_is_in_the_training_data_or_asked_twice(task, rows):
    exams = (task.validation, task.values, task.wordings, task.combinations, task.second_schema, task.stranger)
    check_no_leak(task.train_examples(), *exams)
    leak = replace(task.train[0], request=f"Quickly: {task.values[5].question}").as_example(task.schema)
    with pytest.raises(LeakError, match=task.values[5].id):
        check_no_leak([leak], task.values)
    asked = Counter(normalise(pair.request) for name in EXAMS for pair in rows[name])
    assert [words for words, n in asked.items() if n > 1] == []


def test_a_stranger_asks_what_nobody_wrote_a_pair_or_a_pattern_for(task, rows):
    trained = {tuple(normal_form(pair.sql)) for pair in rows["train"]}
    assert [pair.id for pair in rows["stranger"] if tuple(normal_form(pair.sql)) in trained] == []
    assert {pair.pattern for pair in rows["stranger"]} == {"easy", "middling", "hard"}
    requests = [normalise(pair.request) for pair in rows["stranger"]]
    assert len(set(requests)) == len(requests)


def test_a_strangers_queries_give_something_on_most_databases_each_time(task, rows):
    for pair in rows["stranger"]:
        found = [run_sql(pair.sql, database).rows for database in task.databases.as_of(pair.today)]
        assert sum(bool(some) and some != ((None,),) for some in found) >= 3, pair.id
        assert len(set(found)) >= 2, f"{pair.id}: any database would do"


def test_no_training_request_has_two_queries_but_where_the_day_matters(rows):
    queries = defaultdict(set)
    for pair in rows["train"]:
        queries[(*normalise(pair.request), pair.today if pair.needs_date else "")].add(pair.sql)
    assert [words for words, found in queries.items() if len(found) > 1] == []


def test_the_day_matters_in_training_and_every_exam(rows):
    dated = {pair.pattern for pair in rows["train"] if pair.needs_date}
    assert len(dated) >= 4
    assert all(any(pair.needs_date for pair in rows[name]) for name in EXAMS)
    on_days = defaultdict(set)
    for pair in rows["train"]:
        on_days[pair.request].add(pair.sql)
    assert max(map(len, on_days.values())) >= 4, "without the day one request has several right queries"


def test_ids_are_unique_and_rows_say_what_they_are_raw_ones_not_where_they_come_from(task, rows):
    everything = [pair for name in rows for pair in rows[name]]
    assert len({pair.id for pair in everything}) == len(everything)
    assert len({pair.id for pair in task.raw}) == len(task.raw)
    for pair in everything:
        assert pair.wording.startswith(f"{pair.pattern}/") and pair.planted == ""
    assert {(pair.pattern, pair.wording, pair.features) for pair in task.raw} == {("", "", ())}


# Wordings


@pytest.fixture(scope="module")
def patterns():
    source = make.written.read_yaml((make.SOURCES / "shop_values.yaml").read_text(encoding="utf-8"))
    return make.read_patterns("shop_patterns", source)


def test_every_pattern_has_wordings_for_every_use(patterns):
    for pattern in patterns:
        counts = [len(pattern.wordings[use]) for use in ("train", "validation", "test")]
        assert all(n >= least for n, least in zip(counts, (6, 1, 2))) and sum(counts) >= 10, pattern.id


def test_every_wording_names_every_value_of_its_query_and_stands_once(patterns):
    texts = Counter(normalise(text) for pattern in patterns for use in make.USES for text in pattern.wordings[use])
    assert [text for text, n in texts.items() if n > 1] == []
    for pattern in patterns:
        named = {slot for slot in pattern.slots if make.kind(slot) not in make.DAYS}
        for text in (text for use in make.USES for text in pattern.wordings[use]):
            assert {slot.split(".")[0] for slot in re.findall(r"\{([^}]+)\}", text)} == named, text


def test_the_values_of_a_pattern_are_split_before_pairs_are_made(patterns):
    maker = make.Maker(None)
    for pattern in patterns:
        if pattern.slots:
            parts = [
                {tuple(value["text"] for value in chosen.values()) for chosen in maker.assignments(pattern, use, "a")}
                for use in make.USES
            ]
            assert not parts[0] & parts[2], f"{pattern.id}: the same values in training and test"
            assert not parts[1] & (parts[0] | parts[2]), f"{pattern.id}: validation has values of another use"


@pytest.mark.parametrize(
    ("query", "features"),
    [
        ("SELECT * FROM users WHERE state = 'CA';", ("filter",)),
        ("SELECT a FROM t WHERE b > 3 GROUP BY a HAVING COUNT(*) > 2;", ("comparison", "count", "group", "having")),
        ("SELECT a FROM t GROUP BY a HAVING a > 2 ORDER BY a LIMIT 1;", ("group", "having", "order", "limit")),
        ("SELECT a FROM t WHERE b NOT IN (SELECT c FROM u);", ("nested", "not in")),
        ("SELECT a FROM t WHERE b IN ('x', 'y') AND c IS NULL;", ("in", "null")),
        ("SELECT DISTINCT t.a FROM t JOIN u ON t.b = u.b JOIN v ON v.c = t.c;", ("distinct", "join", "two joins")),
    ],
)  # fmt: skip
def test_features_are_read_off_the_query(query, features):
    assert make.features(query, False) == features
    assert make.features(query, True) == (*features, "day")


# What the databases can tell


def _something(result):
    if len(result.rows) == 1 and len(result.columns) == 1:
        return result.rows[0][0] not in (None, 0)
    return bool(result.rows)


@pytest.fixture
def databases(task, name):
    return task.other_databases if name == "second_schema" else task.databases


@pytest.mark.parametrize("name", ["train", *EXAMS])
def test_every_right_query_runs_everywhere_and_gives_something_on_three_databases(rows, name, databases):
    for query, today in {(pair.sql, pair.today) for pair in rows[name]}:
        results = [run_sql(query, database) for database in databases.as_of(today)]
        assert sum(map(_something, results)) >= 3, (query, today)


@pytest.mark.parametrize("name", EXAMS)
def test_near_misses_of_every_exam_query_are_told_from_it(rows, name, databases):
    passed = {pair.id: list(make.survivors(pair.sql, pair.today, databases)) for pair in rows[name]}
    assert {id: found for id, found in passed.items() if found} == {}
    assert sum(len(make.near_misses(pair.sql, pair.today)) for pair in rows[name]) >= 2 * len(rows[name])


def test_no_two_patterns_give_the_same_anywhere(task, rows):
    for names, databases in ((("train", *EXAMS[:-1]), task.databases), (EXAMS[-1:], task.other_databases)):
        gives = defaultdict(set)
        for pattern, query in {(pair.pattern, pair.sql) for name in names for pair in rows[name]}:
            results = [run_sql(query, database).rows for database in databases]
            if order_terms(query) is None:
                results = [tuple(sorted(map(repr, found))) for found in results]
            gives[tuple(results)].add((pattern, query))
        alike = [sorted(found) for found in gives.values() if len({pattern for pattern, _ in found}) > 1]
        assert alike == []
        within = sum(len(found) > 1 for found in gives.values())
        assert within / len(gives) < 0.02, "two figures with no product between them, at most"


def test_a_pair_that_cannot_be_graded_is_not_kept():
    databases = Databases("shop")
    nothing = "SELECT * FROM users WHERE city = 'Atlantis';"
    tied = "SELECT category FROM products ORDER BY category LIMIT 1;"
    too_many = "SELECT name FROM products ORDER BY price LIMIT 500;"
    fine = "SELECT name FROM products ORDER BY price LIMIT 5;"
    graded = [make.can_be_graded(query, "2024-11-06", databases) for query in (nothing, tied, too_many, fine)]
    assert graded == [False, False, False, True]


def test_near_misses_are_the_slips_of_a_careless_writer():
    query = "SELECT DISTINCT city FROM users WHERE state = 'CA' AND joined >= '2021-01-01' AND joined < '2022-01-01';"
    slips = {"DISTINCT ": "", ">=": ">", "<": "<=", " AND ": " OR ", "state = 'CA' AND ": ""}
    missed = make.near_misses(query, "2023-11-14")
    assert not [slip for slip in slips if query.replace(slip, slips[slip]) not in missed]
    assert not any("'2022-01-01'" in miss for miss in make.near_misses(query, "2021-11-11")), "it bounds nothing yet"


def test_an_edge_is_where_the_databases_look(task):
    """The others are crowded with figures that requests name, the first is not."""
    edges = "SELECT COUNT(*) FROM users WHERE joined IN ('2020-01-01', '2021-01-01', '2022-01-01', '2023-01-01')"
    first, *others = (run_sql(edges, database).rows[0][0] for database in task.databases)
    assert min(others) > first


def test_the_schemas_agree_with_the_lines_of_the_prompt():
    for name in ("shop", "library"):
        schema = load_schema(name)
        assert len(schema.lines.splitlines()) == 3
        for table, columns in schema.tables.items():
            assert f"{table}({', '.join(columns)})" in schema.lines
    assert not set(load_schema("shop").tables) & set(load_schema("library").tables)


def test_a_broken_pair_does_not_run_and_a_mumbled_one_asks_the_same(task):
    rng = make.seeded("a test")
    pair = SqlPair("x", "Names of users, please.", "SELECT name FROM users WHERE state = 'CA';", "2023-11-14")
    for _ in range(20):
        broken = make.broken(pair, rng)
        assert not make._runs(broken, task.databases)
        if mumbled := make.mumbled(pair, rng):
            assert mumbled.request != pair.request
            assert normalise(mumbled.request) == normalise(pair.request)
