"""Text to SQL: what a query from a stranger may do, when it is right, and what the writer is asked."""

import contextlib
import itertools
import json
import random
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.core.chat import Answer, check_examples
from course_lib.core.errors import ChoiceError, CourseError, DataError
from course_lib.core.rows import numbered_rows
from course_lib.core.session import ROOT
from course_lib.evaluation.evaluation import evaluate
from course_lib.evaluation.exams import Exam, Question
from course_lib.lessons.sql import cleaning
from course_lib.lessons.sql import task as task_module
from course_lib.lessons.sql.cleaning import clean
from course_lib.lessons.sql.databases import Databases, load_schema
from course_lib.lessons.sql.running import SqlError, run_sql, same_results
from course_lib.lessons.sql.task import FRONT_DESK, ExecutionGrader, SqlPair, SqlWriter, load_sql, sql_prompt
from course_lib.lessons.sql.text import extract_sql, order_terms, standard_style

CALIFORNIA = ("Find all users from California.", "SELECT * FROM users WHERE state = 'CA';")
LAST_MONTH = (
    "Count the number of orders placed last month.",
    "SELECT COUNT(*) FROM orders WHERE order_date >= '2023-10-01' AND order_date < '2023-11-01';",
)


@pytest.fixture(scope="module")
def task():
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("COURSE_DATA", raising=False)
        return load_sql()


@pytest.fixture(scope="module")
def shop(task):
    return task.databases


@pytest.fixture(scope="module")
def first(shop):
    return shop[0]


# --- the task -----------------------------------------------------------------------------------------------------


def test_both_pairs_of_the_sources_are_trained_on_word_for_word(task):
    pairs = {(pair.request, pair.sql): pair for pair in task.train}
    assert not pairs[CALIFORNIA].needs_date
    assert pairs[LAST_MONTH].needs_date
    assert pairs[LAST_MONTH].today.startswith("2023-11")


def test_there_is_as_much_as_the_lesson_needs(task):
    assert len(task.train) >= 1500
    assert len({pair.pattern for pair in task.train}) >= 28
    sizes = {exam.name: len(exam) for exam in (task.values, task.wordings, task.combinations, task.validation)}
    assert sizes["sql values"] >= 120
    assert sizes["sql wordings"] >= 120
    assert sizes["sql combinations"] >= 100
    assert sizes["sql validation"] >= 80
    assert len(task.second_schema) >= 50
    assert 380 <= len(task.raw) <= 420


def test_a_training_example_is_the_prompt_of_its_day_and_the_query(task):
    pair = next(pair for pair in task.train if (pair.request, pair.sql) == LAST_MONTH)
    row = pair.as_example(task.schema)
    assert check_examples([row]) == [row]
    assert row["prompt"] == sql_prompt(pair.request, "shop", "2023-11-14")
    assert row["completion"] == [{"role": "assistant", "content": LAST_MONTH[1]}]


def test_a_small_training_set_is_spread_over_patterns_and_lies_within_a_larger_one(task):
    hundred, three_hundred = task.train_pairs(100), task.train_pairs(300)
    assert three_hundred[:100] == hundred
    patterns = Counter(pair.pattern for pair in hundred)
    assert len(patterns) == len({pair.pattern for pair in task.train})
    assert max(patterns.values()) - min(patterns.values()) <= 1
    of_one = Counter(pair.wording for pair in three_hundred if pair.pattern == "users-in-state")
    assert max(of_one.values()) == 1, "wordings take turns"
    assert sorted(pair.id for pair in task.train_pairs()) == sorted(pair.id for pair in task.train)
    assert task.train_pairs(100, seed=1) != hundred
    assert task.train_examples(3) == [pair.as_example(task.schema) for pair in hundred[:3]]


@pytest.mark.parametrize("n", [0, -1, 10**6, True, 2.0])
def test_a_training_set_of_an_impossible_size_is_refused(task, n):
    with pytest.raises(CourseError, match="training pairs, take 1 to that many"):
        task.train_examples(n)


def test_a_task_about_some_patterns_trains_and_examines_no_others(task):
    wanted = {"orders-last-month", "users-in-state"}
    small = task.about(wanted)
    assert {pair.pattern for pair in small.train} == wanted
    for exam in (small.validation, small.values, small.wordings, small.dated):
        assert len(exam) and {question.kind for question in exam} <= wanted and exam.grader
    assert [q.id for q in small.wordings] == [q.id for q in task.wordings if q.kind in wanted]
    assert small.combinations == task.combinations and small.second_schema == task.second_schema
    assert len(task.about(pair.pattern for pair in task.train).values) == len(task.values)
    with pytest.raises(ChoiceError, match="Did you mean 'users-in-state'"):
        task.about(["users-in-stat"])


def test_the_front_desk_has_the_patterns_of_the_sources_and_enough_to_train_and_to_examine(task):
    desk = task.about(FRONT_DESK)
    assert {CALIFORNIA, LAST_MONTH} <= {(pair.request, pair.sql) for pair in desk.train}
    assert len(desk.train) > 500 and len(desk.values) >= 40 and len(desk.wordings) == 3 * len(FRONT_DESK)
    assert {"join", "day", "distinct", "count", "avg", "limit"} <= {f for pair in desk.train for f in pair.features}


def test_the_dated_exam_asks_every_question_of_the_shop_that_needs_the_day_and_no_other(task):
    folder = ROOT / "data" / "sql"
    rows = [
        row for name in ("values", "wordings", "combinations") for row, _ in numbered_rows(folder / f"{name}.jsonl")
    ]
    assert [q.id for q in task.dated] == [row["id"] for row in rows if row["needs_date"]]
    assert task.dated.grader == task.values.grader


def test_an_exam_question_carries_its_day_its_wording_and_its_pattern(task):
    question = task.wordings[0]
    assert question.source.startswith("20")
    assert question.fact.startswith(f"{question.kind}/test-")
    assert isinstance(task.wordings.grader, ExecutionGrader)


def test_importing_loads_neither_torch_nor_pandas():
    code = "import sys; from course_lib.lessons import sql; sql.load_sql(); print({*sys.modules} & {'torch', 'pandas'})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout == "set()\n"


@pytest.fixture
def copied(tmp_path, monkeypatch):
    """A data folder of one's own, to break."""
    folder = tmp_path / "data" / "sql"
    folder.mkdir(parents=True)
    for path in (ROOT / "data" / "sql").glob("*.*"):
        (folder / path.name).write_bytes(path.read_bytes())
    monkeypatch.setenv("COURSE_DATA", str(folder.parent))
    return folder


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{", "is not JSON"),
        ('{"id": "x"}', "request is missing. sql is missing"),
        ('{"id": "x", "request": "r", "sql": "s", "today": "t", "colour": "red"}', "colour is unknown"),
        (
            '{"id": "x", "request": "r", "sql": "s", "today": "t", "needs_date": "yes"}',
            "needs_date is 'yes': write true or false",
        ),
        ('{"id": "x", "request": "r", "sql": "s", "today": "t", "features": [1]}', "features.0 is 1: put text"),
        ('{"id": "x", "request": " ", "sql": "s", "today": "t"}', "request is empty"),
    ],
)
def test_a_malformed_row_is_named_by_file_and_line(copied, line, says):
    with (copied / "wordings.jsonl").open("a", encoding="utf-8") as file:
        file.write(line + "\n")
    with pytest.raises(DataError, match=r"wordings\.jsonl, line \d+") as caught:
        load_sql()
    assert says in str(caught.value)


def test_missing_or_broken_files_say_how_to_make_them_again(copied):
    (copied / "shop_3.sql").write_text("INSERT INTO buyers VALUES (1);")
    with pytest.raises(DataError, match=r"shop_3\.sql does not fill a database .*no such table: buyers"):
        Databases("shop")
    (copied / "schema.sql").write_text("CREATE TABEL users (id)")
    with pytest.raises(DataError, match="is not a schema"):
        load_schema("shop")
    (copied / "schema.sql").write_text("-- nothing")
    with pytest.raises(DataError, match="creates no table"):
        load_schema("shop")
    (copied / "schema.sql").unlink()
    with pytest.raises(DataError, match="make data"):
        load_schema("shop")


def test_an_unknown_schema_is_refused_with_the_choices():
    with pytest.raises(ChoiceError, match=r"schema 'shopp' is not one of shop, library. Did you mean 'shop'"):
        sql_prompt("Who?", "shopp")
    with pytest.raises(ChoiceError, match="shop, library"):
        Databases("bakery")


# --- the prompt ---------------------------------------------------------------------------------------------------


def test_the_prompt_holds_the_day_and_one_line_a_table():
    system, user = sql_prompt("Who lives in Reno?", "shop", "2023-11-14")
    assert system["content"].splitlines() == [
        "Write one SQLite query. Today is 2023-11-14.",
        "users(id, name, email, city, state, joined)",
        "products(id, name, category, price, stock)",
        "orders(id, user_id, product_id, quantity, total, order_date, status)",
    ]
    assert user == {"role": "user", "content": "Who lives in Reno?"}
    assert "2023" not in sql_prompt("Who?", "shop")[0]["content"]


@pytest.fixture(scope="module")
def real_tokenizer():
    from transformers import AutoTokenizer

    from course_lib.models.packaged import dequantized_folder

    return AutoTokenizer.from_pretrained(dequantized_folder())  # before a test has a cache of its own


@pytest.mark.model
def test_prompts_and_queries_are_short(task, real_tokenizer):
    def length(messages):
        return len(
            real_tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=True)["input_ids"]
        )

    exams = (task.validation, task.values, task.wordings, task.combinations)
    asked = [(pair.request, pair.today) for pair in task.train]
    asked += [(question.question, question.source) for exam in exams for question in exam]
    assert max(length(sql_prompt(request, task.schema, today)) for request, today in asked) < 110
    queries = {pair.sql for pair in task.train} | {q.answer for exam in (*exams, task.second_schema) for q in exam}
    lengths = [len(real_tokenizer(query)["input_ids"]) for query in queries]
    assert max(lengths) < task_module.SQL_TOKENS
    assert sum(n < 45 for n in lengths) / len(lengths) > 0.9
    assert max(len(real_tokenizer(request)["input_ids"]) for request, _ in asked) <= 25


# --- what a query may do ------------------------------------------------------------------------------------------

NO_SELECT = "is no SELECT"
REFUSED = "is refused"


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("", NO_SELECT),
        ("-- nothing but a comment", NO_SELECT),
        ("I cannot write this query.", NO_SELECT),
        ("INSERT INTO users VALUES (999, 'x', 'x', 'x', 'CA', '2020-01-01')", NO_SELECT),
        ("UPDATE users SET state = 'CA'", NO_SELECT),
        ("DELETE FROM orders", NO_SELECT),
        ("DROP TABLE users", NO_SELECT),
        ("/* SELECT */ DROP TABLE users", NO_SELECT),
        ("ATTACH DATABASE 'stolen.db' AS stolen", NO_SELECT),
        ("PRAGMA table_info(users)", NO_SELECT),
        ("EXPLAIN SELECT 1", NO_SELECT),
        ("VALUES (1)", NO_SELECT),
        ("VACUUM INTO 'stolen.db'", NO_SELECT),
        ("SELECT 1; DROP TABLE users", "second statement"),
        ("SELECT 1; -- and now\nDELETE FROM users", "second statement"),
        ("SELECT 1 /* ; */; SELECT 2", "second statement"),
        ("WITH gone AS (SELECT 1) DELETE FROM users", REFUSED + ".*DELETE"),
        ("WITH more AS (SELECT 1) INSERT INTO users (id) SELECT * FROM more", REFUSED + ".*INSERT"),
        ("SELECT * FROM sqlite_master", "sqlite_master is not a table of the schema"),
        ("SELECT COUNT(*) FROM sqlite_schema", "not a table of the schema"),
        ("SELECT * FROM pragma_table_info('users')", REFUSED),
        ("SELECT COUNT(*) FROM pragma_database_list", REFUSED),
        ("SELECT load_extension('evil.so')", "load_extension is not on the list"),
        ("SELECT randomblob(1000000000)", "randomblob is not on the list"),
        ("SELECT hex(zeroblob(1000000000))", "is not on the list"),
        ("SELECT printf('%.*c', 1000000000, 'x')", "printf is not on the list"),
        ("SELECT region FROM users", "no such column: region"),
        ("SELECT * FROM customers", "no such table: customers"),
        ("SELECT FROM users", "does not run"),
        ("SELECT 'unfinished", "does not run"),
        ("SELECT \x00", "does not run"),
        ("SELECT '\ud800'", "does not run"),
        ("SELECT " + "(" * 300 + "1" + ")" * 300, "does not run"),
        ("SELECT '" + "x" * 3000 + "'", "at most 2,000 characters"),
        (None, "at most 2,000 characters"),
    ],
)
def test_a_query_that_does_more_than_read_the_tables_is_refused_in_one_sentence(first, query, says):
    with pytest.raises(SqlError, match=says) as caught:
        run_sql(query, first)
    assert "\n" not in str(caught.value)
    assert run_sql("SELECT COUNT(*) FROM users", first).rows == ((152,),), "nothing has changed"


@pytest.mark.parametrize(
    "query",
    [
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT COUNT(*) FROM n",
        "SELECT COUNT(*) FROM orders a, orders b, orders c, orders d",
    ],
)
def test_a_query_without_end_is_stopped_in_time(first, query):
    started = time.thread_time()
    with pytest.raises(SqlError, match=r"stopped after 0.2 s"):
        run_sql(query, first, max_seconds=0.2)
    assert time.thread_time() - started < 2


def test_a_query_is_not_stopped_because_the_machine_was_busy_with_something_else(first, monkeypatch):
    clock = itertools.count(0, 60)  # a minute passes whenever somebody looks
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(time, "time", lambda: next(clock))
    assert run_sql("SELECT COUNT(*) FROM orders a, users b", first).rows[0][0] > 10_000


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("SELECT * FROM orders a, users b", "more than 1,000 rows"),
        (
            "WITH RECURSIVE n(x) AS (SELECT 'xxxxxxxxxx' UNION ALL SELECT x || x FROM n) SELECT x FROM n",
            "does not run .*too big",
        ),
        ("SELECT replace(group_concat(name), 'a', group_concat(name)) FROM users", "does not run .*too big"),
        ("SELECT group_concat(name), id FROM (SELECT u.name, o.id FROM users u, orders o) GROUP BY id", "characters"),
    ],
)
def test_a_huge_result_is_refused_before_it_fills_the_memory(first, query, says):
    with pytest.raises(SqlError, match=says):
        run_sql(query, first)


def test_what_a_reader_needs_is_allowed(first):
    for query in (
        "SELECT 1",
        " \n select Name from USERS limit 1 ; -- done",
        "/* all */ SELECT COUNT(*) FROM users",
        "WITH few AS (SELECT * FROM users LIMIT 3) SELECT COUNT(*) FROM few",
        "SELECT UPPER(name), ROUND(price, 1), COALESCE(stock, 0) FROM products WHERE name LIKE 'T%'",
        "SELECT name FROM users EXCEPT SELECT name FROM users WHERE state = 'CA'",
        "SELECT name, RANK() OVER (ORDER BY price) FROM products",
        "SELECT strftime('%Y', order_date), COUNT(*) FROM orders GROUP BY 1",
    ):
        assert run_sql(query, first).rows
    assert run_sql("SELECT name AS n, price FROM products LIMIT 1", first).columns == ("n", "price")


def test_now_is_the_day_on_which_the_database_stands(first):
    then = first.as_of("2023-11-14")
    query = "SELECT date('now'), date(), current_date, date('now', 'start of month', '-1 month'), strftime('%Y', 'now')"
    assert run_sql(query, then).rows == (("2023-11-14", "2023-11-14", "2023-11-14", "2023-10-01", "2023"),)
    gold = "SELECT COUNT(*) FROM orders WHERE order_date = '2023-11-13'"
    assert same_results("SELECT COUNT(*) FROM orders WHERE order_date = date('now', '-1 day')", gold, [then])


# --- databases ----------------------------------------------------------------------------------------------------


def test_five_databases_differ_and_are_the_same_every_time(shop, first):
    rows = [run_sql("SELECT name, price FROM products ORDER BY name", database).rows for database in shop]
    assert len(set(rows)) == len(shop) == 5
    again = Databases(replace(shop.schema, ddl=shop.schema.ddl + "\n"))  # not the cached ones
    assert again[0] is not first
    assert [run_sql("SELECT name, price FROM products ORDER BY name", database).rows for database in again] == rows
    assert Databases("shop")[0] is Databases("shop")[0], "loaded once a process"


def test_the_first_database_looks_like_a_shop(first):
    assert repr(first) == "Database('shop 1')"
    days = [row[5] for row in first.head("orders", 400).rows]
    assert days == sorted(days)
    users = first.head("users").table()
    assert list(users.columns) == ["id", "name", "email", "city", "state", "joined"]
    assert len(users) == 5
    assert "<table" in first.head("users")._repr_html_()
    with pytest.raises(ChoiceError, match="users, products, orders"):
        first.head("customers")


def test_a_database_as_it_stood_on_a_day_holds_nothing_later(task, first):
    then = first.as_of("2022-03-22")
    assert run_sql("SELECT MAX(order_date) <= '2022-03-22', MAX(order_date) > '2022' FROM orders", then).rows == (
        (1, 1),
    )
    assert run_sql("SELECT COUNT(*) FROM users WHERE joined > '2022-03-22'", then).rows == ((0,),)
    loans = task.other_databases[0].as_of("2023-05-04")
    assert run_sql("SELECT COUNT(*) FROM loans WHERE returned_on > '2023-05-04'", loans).rows == ((0,),)
    assert run_sql("SELECT COUNT(*) > 0 FROM loans WHERE returned_on IS NULL", loans).rows == ((1,),)
    assert first.as_of(None) is first
    with pytest.raises(CourseError, match="give a date like 2023-11-14"):
        first.as_of("yesterday")


def test_nobody_orders_before_joining_and_every_order_is_somebodys(shop):
    for database in shop:
        joined = "SELECT COUNT(*) FROM orders JOIN users ON orders.user_id = users.id"
        assert run_sql(f"{joined} WHERE order_date < joined", database).rows == ((0,),)
        every = run_sql("SELECT COUNT(*) FROM orders", database)
        assert run_sql(joined, database).rows == every.rows
        assert run_sql("SELECT COUNT(DISTINCT total) FROM orders", database).rows == every.rows


# --- the same results ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gold", "wrong"),
    [
        ("SELECT COUNT(*) FROM orders WHERE total > 150", "SELECT COUNT(*) FROM orders WHERE total >= 150"),
        (
            "SELECT COUNT(*) FROM users WHERE joined >= '2021-01-01'",
            "SELECT COUNT(*) FROM users WHERE joined > '2021-01-01'",
        ),
        ("SELECT name FROM products WHERE price < 200", "SELECT name FROM products WHERE price <= 200"),
        (
            "SELECT name FROM users WHERE id NOT IN (SELECT user_id FROM orders WHERE order_date >= '2022-05-31')",
            "SELECT name FROM users WHERE id NOT IN (SELECT user_id FROM orders WHERE order_date > '2022-05-31')",
        ),
    ],
)
def test_a_query_that_is_right_by_luck_on_one_database_is_caught_by_five(shop, gold, wrong):
    lucky = [same_results(wrong, gold, [database]) for database in shop]
    assert any(lucky)
    assert not all(lucky)
    assert not same_results(wrong, gold, shop)


def test_another_text_with_the_same_results_is_right(shop):
    gold = "SELECT name FROM users WHERE id NOT IN (SELECT user_id FROM orders);"
    other = "select u.name from users u left join orders o on o.user_id = u.id where o.id is null"
    assert same_results(other, gold, shop)
    assert same_results(gold, other, shop)


def test_order_counts_where_the_right_query_orders_the_whole_result(shop):
    ordered, unordered = "SELECT name FROM products ORDER BY name", "SELECT name FROM products"
    upside_down = "SELECT name FROM products ORDER BY name DESC"
    assert not same_results(upside_down, ordered, shop)
    assert not same_results(unordered, ordered, shop)
    assert same_results(upside_down, unordered, shop)
    nested = "SELECT name FROM products WHERE id IN (SELECT id FROM products ORDER BY price LIMIT 5)"
    assert same_results(f"{nested} ORDER BY name DESC", nested, shop), "an ORDER BY within brackets orders nothing"


def test_rows_that_the_right_order_leaves_tied_may_come_in_any_order(shop):
    gold = "SELECT name, category FROM products ORDER BY category"
    assert same_results("SELECT name, category FROM products ORDER BY category, name DESC", gold, shop)
    assert not same_results("SELECT name, category FROM products ORDER BY category DESC", gold, shop)
    hidden = "SELECT name FROM products ORDER BY category"
    assert not same_results("SELECT name FROM products ORDER BY category, name DESC", hidden, shop), "no one can tell"


def test_repeated_rows_and_columns_count_but_names_and_fractions_of_a_penny_do_not(shop):
    cities = "SELECT city FROM users"
    assert not same_results("SELECT DISTINCT city FROM users", cities, shop)
    assert not same_results("SELECT city, state FROM users", cities, shop)
    assert not same_results("SELECT state, city FROM users", "SELECT city, state FROM users", shop)
    assert same_results("SELECT city AS town FROM users", cities, shop)
    assert same_results("SELECT COUNT(*) * 1.0 FROM users", "SELECT COUNT(*) FROM users", shop)
    assert same_results("SELECT AVG(price) + 0.0000000001 FROM products", "SELECT AVG(price) FROM products", shop)
    assert not same_results("SELECT ROUND(AVG(price)) FROM products", "SELECT AVG(price) FROM products", shop)


@pytest.mark.parametrize(
    ("query", "terms"),
    [
        ("SELECT name FROM products", None),
        ("SELECT a FROM (SELECT a FROM t ORDER BY a)", None),
        ("SELECT a FROM t ORDER BY b DESC, COUNT(a, b) ASC LIMIT 3;", ["b", "COUNT(a, b)"]),
        ("SELECT ' ORDER BY x' FROM t", None),
        ("SELECT a FROM t /* ORDER BY x */", None),
        ("SELECT a FROM t WHERE b IN (SELECT c FROM u ORDER BY d) ORDER BY e.f", ["e.f"]),
    ],
)
def test_the_order_of_the_whole_result_is_told_from_that_of_a_part(query, terms):
    assert order_terms(query) == terms


# --- the grader ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "verdict"),
    [
        ("SELECT name FROM users WHERE city = 'Reno';", "exact"),
        ("select  name\nfrom users where city='Reno'", "exact"),
        ("SELECT users.name FROM users WHERE users.city = 'Reno'", "right"),
        ('SELECT name FROM users WHERE city == "Reno";', "right"),
        ("```sql\nSELECT name FROM users WHERE city = 'Reno';\n```", "right"),
        ("Here it is:\nSELECT name FROM users WHERE city = 'Reno';\n\nIt lists the names.", "right"),
        ("SELECT name FROM users WHERE city = 'reno';", "wrong"),
        ("SELECT * FROM users WHERE city = 'Reno';", "wrong"),
        ("SELECT name FROM people WHERE city = 'Reno';", "invalid"),
        ("SELECT name FROM users WHERE city = 'Reno'; DROP TABLE users;", "invalid"),
        ("SELECT name FROM users WHERE city = 'Reno';\nDELETE FROM users;", "invalid"),
        ("The users in Reno.", "invalid"),
        ("", "invalid"),
    ],
)
def test_a_reply_is_graded_by_what_it_gives(shop, reply, verdict):
    question = Question("q", "Who lives in Reno?", "SELECT name FROM users WHERE city = 'Reno';", source="2024-11-06")
    assert ExecutionGrader(shop)(question, reply) == verdict


def test_a_question_is_graded_on_the_day_that_it_was_asked(shop):
    this_year = "SELECT SUM(total) FROM orders WHERE order_date >= '2022-01-01' AND order_date < '2023-01-01';"
    since = "SELECT SUM(total) FROM orders WHERE order_date >= '2022-01-01';"
    grader = ExecutionGrader(shop)
    assert grader(Question("q", "This year?", this_year, source="2022-06-15"), since) == "right"
    assert grader(Question("q", "In 2022?", this_year, source="2023-06-21"), since) == "wrong"


def test_an_exam_is_sat_and_graded_by_running(task):
    right = {question.question: question.answer for question in task.combinations}
    report = evaluate(lambda questions: [right[question] for question in questions], task.combinations)
    assert report.exact == 1
    nonsense = evaluate(lambda questions: ["SELECT 1;"] * (len(questions) - 1) + ["no"], task.combinations)
    assert nonsense.accuracy == 0
    assert Counter(row.verdict for row in nonsense.rows)["invalid"] == 1
    assert "grader" not in repr(task.combinations)
    assert "1,9" in repr(task)
    assert len(repr(task)) < 300


@pytest.mark.parametrize(
    ("reply", "query"),
    [
        ("SELECT 1;", "SELECT 1;"),
        ("```\nSELECT 1\n```\nDone.", "SELECT 1"),
        ("```sql SELECT 1", "SELECT 1"),
        ("With pleasure.\n  WITH a AS (SELECT 1) SELECT * FROM a", "WITH a AS (SELECT 1) SELECT * FROM a"),
        ("SELECT 1;\nThis selects one.", "SELECT 1;"),
        ("SELECT 1;\nSELECT 2;", "SELECT 1;\nSELECT 2;"),
        ("No query.", "No query."),
    ],
)
def test_the_query_is_taken_out_of_a_chatty_reply(reply, query):
    assert extract_sql(reply) == query


# --- style and cleaning -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "styled"),
    [
        ("select * from users where state='CA'", "SELECT * FROM users WHERE state = 'CA';"),
        ('SELECT name FROM users WHERE state == "CA" ;', "SELECT name FROM users WHERE state = 'CA';"),
        ('SELECT "name" FROM "users" WHERE city IN ("a", "b")', "SELECT name FROM users WHERE city IN ('a', 'b');"),
        ("SELECT u.name FROM users AS u WHERE u.city <> 'X'", "SELECT name FROM users WHERE city != 'X';"),
        ("SELECT users.* FROM users", "SELECT * FROM users;"),
        ("SELECT Count( * ) AS n FROM Orders", "SELECT COUNT(*) FROM orders;"),
        ("SELECT state, COUNT(*) AS n FROM users GROUP BY state ORDER BY n DESC",
         "SELECT state, COUNT(*) AS n FROM users GROUP BY state ORDER BY n DESC;"),
        ("SELECT o.* FROM orders o INNER JOIN users u ON o.user_id=u.id",
         "SELECT orders.* FROM orders JOIN users ON orders.user_id = users.id;"),
        ("SELECT name FROM products ORDER BY price ASC LIMIT 3 -- cheapest",
         "SELECT name FROM products ORDER BY price LIMIT 3;"),
        ('SELECT name FROM products WHERE price BETWEEN "1" AND "2"',
         "SELECT name FROM products WHERE price BETWEEN '1' AND '2';"),
        ("SELECT a.name FROM users a JOIN users b ON a.city = b.city",
         "SELECT a.name FROM users AS a JOIN users AS b ON a.city = b.city;"),
        ("SELECT o.id FROM orders o, users u WHERE o.user_id = u.id",
         "SELECT orders.id FROM orders, users WHERE orders.user_id = users.id;"),
        ("SELECT orders.id FROM orders, users", "SELECT orders.id FROM orders, users;"),
        ("SELECT x.name FROM users x WHERE x.id IN (SELECT x.user_id FROM orders x)",
         "SELECT x.name FROM users AS x WHERE x.id IN (SELECT x.user_id FROM orders AS x);"),
        ("SELECT UPPER(u.name) AS name FROM users u ORDER BY u.name",
         "SELECT UPPER(users.name) AS name FROM users ORDER BY users.name;"),
        ('SELECT id FROM "users" where "State" NOT IN ("CA") and email is not null',
         "SELECT id FROM users WHERE state NOT IN ('CA') AND email IS NOT NULL;"),
        ("SELECT 'What SQLite cannot read' FORM users ;", "SELECT 'What SQLite cannot read' FORM users;"),
        ("SELECT , name FROM users", "SELECT , name FROM users;"),
        ("SELECT 1 AS one", "SELECT 1 AS one;"),
        ("SELECT name FROM users WHERE city = 'select x from y'",
         "SELECT name FROM users WHERE city = 'select x from y';"),
    ],
)  # fmt: skip
def test_queries_are_brought_into_one_style(query, styled):
    assert standard_style(query) == styled
    assert standard_style(styled) == styled


COLUMNS = {
    "users": ("id", "name", "email", "city", "state", "joined"),
    "products": ("id", "name", "category", "price", "stock"),
    "orders": ("id", "user_id", "product_id", "quantity", "total", "order_date", "status"),
}
KEYS = {"users": "user_id", "products": "product_id"}
CONDITIONS = (
    "{} = 'CA'", '{} == "CA"', "{} <> 20", "not {} = 3", "{} not in ('CA', \"paid\", 5)", "NOT {} IN (1, 2)",
    "{} isnull", "{} is not null", "{} BETWEEN 3 and 200", "{} not between '2022-01-01' and \"2023\"", "{} Like 'T%'",
    "{} NOT LIKE '%e'", "({} > 5 or 1 = 2)", "ifnull({}, 0) >= 10", "length({}) <= 6", "-{} < +3 * 2 % 4",
    "{} IN (select id from products where price < 60)", "{} || '' != 'it''s -- none'",
    "case when {} > 3 then 1 else 0 end", "exists (select 1 from users)",
)  # fmt: skip
SHOWN = (
    "{}",
    "COUNT({})",
    "count(*)",
    "Max({})",
    "upper({})",
    "substr({}, 1, 3)",
    "round({} / 3, 1)",
    "cast({} as text)",
)


@st.composite
def queries(draw):
    """A SELECT about the shop, as any of many hands might write it."""

    def pick(*choices):
        return draw(st.sampled_from(choices))

    table, alias = pick(*COLUMNS), pick("", "", "t", "name")
    source = f"{table}{pick(' ', ' AS ', ' as ')}{alias}" if alias else table
    known = [(alias or table, column) for column in COLUMNS[table]]
    kind = pick("alone", "itself", "joined") if table in KEYS else "alone"
    if kind == "itself":
        source += f", {table} o"
        known += [("o", column) for column in COLUMNS[table]]
    elif kind == "joined":
        source += f" {pick('', 'inner ', 'LEFT ')}join orders o ON o.{KEYS[table]} = {alias or table}.id"
        known += [("o", column) for column in COLUMNS["orders"]]

    def column():
        owner, name = pick(*known)
        name = pick(name, name.upper(), f'"{name}"', f"`{name}`")
        return f"{owner}.{name}" if kind != "alone" or draw(st.booleans()) else name

    shown = [
        pick(*SHOWN).format(column()) + pick("", "", " AS n{}", " AS name").format(i) for i in range(pick(1, 2, 3))
    ]
    query = f"{pick('SELECT', 'select')} {pick('', 'DISTINCT ')}{pick('*', ', '.join(shown))} {pick('FROM', 'from')} "
    query += source
    if conditions := draw(st.lists(st.sampled_from(CONDITIONS), max_size=3)):
        query += " WHERE " + f" {pick('and', 'OR')} ".join(condition.format(column()) for condition in conditions)
    query += pick("", "", f" group  by {column()}")
    order = pick("n0", "name", "id", "1")
    query += pick("", f" ORDER BY {column()}{pick('', ' ASC', ' desc')}, 1", f"\norder\tby {order}")
    if kind == "alone":
        inside = f"WITH x AS ({query}) select x.* from x as x"
        query = pick(query, query, f"SELECT * FROM ({query}) x", inside, f"{query} UNION {query}")
    return query + pick("", " LIMIT 7", " -- that is all") + pick("", ";")


@settings(max_examples=80, deadline=None)
@given(queries())
def test_style_keeps_what_a_query_gives_whoever_wrote_it(shop, query):
    styled = standard_style(query)
    assert standard_style(styled) == styled
    for database in shop[:2]:
        with contextlib.suppress(SqlError):  # ambiguous names, too many rows
            wanted = run_sql(query, database).rows
            assert run_sql_or_fail(styled, database) == wanted, styled


def run_sql_or_fail(query, database):
    try:
        return run_sql(query, database).rows
    except SqlError as error:
        pytest.fail(f"{query}: {error}")


def test_every_right_query_is_in_the_standard_style(task):
    exams = (task.validation, task.values, task.wordings, task.combinations, task.second_schema)
    queries = {pair.sql for pair in task.train} | {question.answer for exam in exams for question in exam}
    assert [query for query in queries if standard_style(query) != query] == []


def test_style_does_not_change_what_a_query_gives(task):
    for pair in task.raw:
        if pair.planted == "style":
            assert same_results(standard_style(pair.sql), pair.sql, task.databases[:2]), pair.sql


def test_cleaning_finds_what_was_planted_and_nothing_else(task):
    kept, faults = clean(task.raw, task.databases)
    planted = {(pair.planted, pair.id) for pair in task.raw if pair.planted}
    found = {(fault.kind, fault.id) for fault in faults}
    assert found == planted, "precision and recall are both 1"
    assert Counter(kind for kind, _ in found)["contradiction"] == 30
    assert len(kept) == len(task.raw) - sum(fault.kind != "style" for fault in faults)


def test_what_is_kept_after_cleaning_is_what_training_holds(task):
    kept, _ = clean(task.raw, task.databases)
    trained = {(pair.request, pair.sql) for pair in task.train}
    assert {(pair.request, pair.sql) for pair in kept} <= trained


def test_a_query_that_the_style_would_change_is_left_as_it_is(shop, monkeypatch):
    monkeypatch.setattr(cleaning, "standard_style", lambda query: "SELECT COUNT(*) FROM orders;")
    pair = SqlPair("a", "How many users?", "select count(*) from users", "2023-11-14")
    assert clean([pair], shop) == ([pair], [])


def test_cleaning_does_not_look_at_what_was_planted(task):
    blind = [replace(pair, planted="") for pair in task.raw]
    assert clean(blind, task.databases)[1] == clean(task.raw, task.databases)[1]


def test_one_request_on_two_days_is_no_contradiction_where_the_day_matters(shop):
    def pair(id, request, day, query, needs_date=True):
        return SqlPair(id, request, query, day, needs_date=needs_date)

    one = pair("a", "Orders yesterday?", "2023-11-14", "SELECT COUNT(*) FROM orders WHERE order_date = '2023-11-13';")
    two = pair("b", "Orders yesterday?", "2023-11-06", "SELECT COUNT(*) FROM orders WHERE order_date = '2023-11-05';")
    assert clean([one, two], shop) == ([one, two], [])
    careless = [replace(one, needs_date=False), replace(two, needs_date=False)]
    kept, faults = clean(careless, shop)
    assert kept == []
    assert [(fault.kind, fault.id) for fault in faults] == [("contradiction", "a"), ("contradiction", "b")]


def test_two_texts_that_give_the_same_are_a_near_duplicate_not_a_contradiction(shop):
    pairs = [
        SqlPair("a", "How many users?", "SELECT COUNT(*) FROM users;", "2023-11-14"),
        SqlPair("b", "how many users", "SELECT COUNT(id) FROM users;", "2023-11-14"),
        SqlPair("c", "How many users?", "SELECT COUNT(*) FROM users;", "2023-11-14"),
    ]
    kept, faults = clean(pairs, shop)
    assert kept == pairs[:1]
    assert [(fault.kind, fault.id) for fault in faults] == [("exact duplicate", "c"), ("near duplicate", "b")]


# --- the writer ---------------------------------------------------------------------------------------------------


class RecordingModel:
    """Stands in for ChatModel: remembers what it was asked."""

    def __init__(self):
        self.prompts = []

    def reply(self, prompts, max_new_tokens=64):
        self.prompts += prompts
        return [Answer("SELECT 1;") for _ in prompts]


def test_the_writer_gets_each_requests_day_from_the_exam(task):
    model = RecordingModel()
    evaluate(SqlWriter(model, task.schema, task.values), task.values)
    expected = [sql_prompt(q.question, task.schema, q.source) for q in task.values]
    assert model.prompts == expected


def test_without_dates_the_prompt_has_no_day(task):
    model = RecordingModel()
    SqlWriter(model, "shop").answer(["Orders yesterday?"])
    assert "Today" not in model.prompts[0][0]["content"]


def test_a_request_of_another_exam_and_dates_that_are_no_exam_are_refused(task):
    with pytest.raises(CourseError, match="no day is given for the request 'Orders yesterday"):
        SqlWriter(RecordingModel(), task.schema, task.values).answer(["Orders yesterday?"])
    with pytest.raises(CourseError, match=r"dates is \['2023-01-02'\]: give an exam"):
        SqlWriter(RecordingModel(), task.schema, ["2023-01-02"])


def test_examples_are_shown_as_turns_and_say_their_day_where_it_matters(task):
    pairs = [next(p for p in task.train if p.needs_date), next(p for p in task.train if not p.needs_date)]
    exam = Exam("one", (Question("q", "Who?", "SELECT 1", source="2023-11-14"),))
    writer = SqlWriter(RecordingModel(), task.schema, exam, examples=pairs)
    writer.answer(["Who?"])
    shown = writer.model.prompts[0]
    assert [turn["role"] for turn in shown] == ["system", "user", "assistant", "user", "assistant", "user"]
    assert shown[1]["content"] == f"Today is {pairs[0].today}. {pairs[0].request}"
    assert shown[3]["content"] == pairs[1].request
    assert shown[2]["content"] == pairs[0].sql
    assert shown[0]["content"].startswith("Write one SQLite query. Today is 2023-11-14.")


def test_asking_gives_the_query_its_rows_and_how_sure_the_model_was(tiny_model, task, monkeypatch):
    written = [("SELECT name", 0.9), (" FROM users", 0.5), (" LIMIT 2", 0.8)]
    monkeypatch.setattr(task_module, "_with_probabilities", lambda *_: written)
    answer = SqlWriter(tiny_model, task.schema).ask("Two names, please.", "2023-11-14")
    assert answer.sql == "SELECT name FROM users LIMIT 2"
    assert answer.columns == ("name",)
    assert len(answer.rows) == 2
    assert answer.error is None
    assert answer.confidence == 0.5
    assert answer.tokens == tuple(written)


def test_asking_a_model_that_knows_nothing_gives_an_error_and_no_exception(tiny_model, task):
    answer = SqlWriter(tiny_model, task.schema).ask("Who lives in Reno?", "2023-11-14", max_new_tokens=6)
    assert answer.rows == ()
    assert answer.error
    assert "\n" not in answer.error
    assert 0 < answer.confidence <= 1
    assert 0 < len(answer.tokens) <= 6
    assert answer.confidence == min(p for _, p in answer.tokens)


def test_the_confidence_is_the_probability_of_greedy_decoding(tiny_model, task):
    writer = SqlWriter(tiny_model, task.schema)
    token, probability = writer.ask("Who lives in Reno?", max_new_tokens=1).tokens[0]
    best = tiny_model.next_tokens(writer.prompt("Who lives in Reno?"), 1)[0]
    assert (token, pytest.approx(probability, abs=1e-5)) == best


def test_requests_of_any_kind_do_not_break_the_safe_runner(first):
    rng = random.Random(0)
    pieces = [
        "SELECT",
        "*",
        "(",
        ")",
        "'",
        '"',
        ";",
        "--",
        "/*",
        "FROM",
        "users",
        "x",
        "1",
        ",",
        "DROP",
        "\n",
        "é",
        "`",
    ]
    for _ in range(300):
        text = " ".join(rng.choices(pieces, k=rng.randrange(1, 12)))
        try:
            run_sql(text, first, max_seconds=0.5)
        except SqlError as error:
            assert str(error)
        standard_style(text)
        extract_sql(text)


def test_rows_are_written_as_the_module_reads_them(task):
    for name in ("train", "raw"):
        lines = (ROOT / "data" / "sql" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
        assert len(lines) == len(getattr(task, name))
        assert set(json.loads(lines[0])) >= {"id", "request", "sql", "today", "needs_date"}
