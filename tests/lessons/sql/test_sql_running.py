"""What a query from a stranger may do, and when it gives what the right one gives."""

import itertools
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.lessons.sql.running import SqlError, run_sql, same_results
from course_lib.lessons.sql.text import extract_sql, standard_style

REFUSED = {
    "is no SELECT": (
        "", "-- nothing but a comment", "I cannot write this query.", "UPDATE users SET state = 'CA'",
        "DROP TABLE users",
        "INSERT INTO users VALUES (999, 'x', 'x', 'x', 'CA', '2020-01-01')", "DELETE FROM orders", "VALUES (1)",
        "/* SELECT */ DROP TABLE users", "ATTACH DATABASE 'stolen.db' AS stolen", "PRAGMA table_info(users)",
        "EXPLAIN SELECT 1", "VACUUM INTO 'stolen.db'", "/*" * 900, "SELECTED",
    ),
    "second statement": (
        "SELECT 1; DROP TABLE users", "SELECT 1; -- and now\nDELETE FROM users", "SELECT 1 /* ; */; SELECT 2",
    ),
    "is refused.*DELETE": ("WITH gone AS (SELECT 1) DELETE FROM users",),
    "is refused.*INSERT": ("WITH more AS (SELECT 1) INSERT INTO users (id) SELECT * FROM more",),
    "is refused": ("SELECT * FROM pragma_table_info('users')", "SELECT COUNT(*) FROM pragma_database_list"),
    "sqlite_master is not a table of the schema": ("SELECT * FROM sqlite_master",),
    "not a table of the schema": ("SELECT COUNT(*) FROM sqlite_schema",),
    "load_extension is not on the list": ("SELECT load_extension('evil.so')",),
    "randomblob is not on the list": ("SELECT randomblob(1000000000)",),
    "is not on the list": ("SELECT hex(zeroblob(1000000000))", "SELECT printf('%.*c', 1000000000, 'x')"),
    "no such column: region": ("SELECT region FROM users",),
    "no such table: customers": ("SELECT * FROM customers",),
    "does not run": (
        "SELECT FROM users", "SELECT 'unfinished", "SELECT \x00", "SELECT '\ud800'",
        "SELECT " + "(" * 300 + "1" + ")" * 300,
    ),
    "at most 2,000 characters": ("SELECT '" + "x" * 3000 + "'", None),
    "more than 1,000 rows": ("SELECT * FROM orders a, users b",),
    "does not run .*too big": (
        "WITH RECURSIVE n(x) AS (SELECT 'xxxxxxxxxx' UNION ALL SELECT x || x FROM n) SELECT x FROM n",
        "SELECT replace(group_concat(name), 'a', group_concat(name)) FROM users",
    ),
    "more than 1,000,000 characters": (
        "SELECT group_concat(name), id FROM (SELECT u.name, o.id FROM users u, orders o) GROUP BY id",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("says", "query"), [(says, query) for says in REFUSED for query in REFUSED[says]])
def test_a_query_that_does_more_than_read_or_gives_too_much_is_refused_in_one_sentence(first, says, query):
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


# --- the same results ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gold", "right", "wrong"),
    [
        ("SELECT COUNT(*) FROM orders WHERE total > 150", ">", ">="),
        ("SELECT COUNT(*) FROM users WHERE joined >= '2021-01-01'", ">=", ">"),
        ("SELECT name FROM products WHERE price < 200", "<", "<="),
        ("SELECT name FROM users WHERE id NOT IN (SELECT user_id FROM orders WHERE order_date >= '2022-05-31')",
         ">=", ">"),
    ],
)  # fmt: skip
def test_a_query_that_is_right_by_luck_on_one_database_is_caught_by_five(shop, gold, right, wrong):
    slip = gold.replace(right, wrong)
    lucky = [same_results(slip, gold, [database]) for database in shop]
    assert any(lucky) and not all(lucky)
    assert not same_results(slip, gold, shop)


BY_CATEGORY = "SELECT name, category FROM products ORDER BY category"
NESTED = "SELECT name FROM products WHERE id IN (SELECT id FROM products ORDER BY price LIMIT 5)"
SAME = (
    ("select u.name from users u left join orders o on o.user_id = u.id where o.id is null",
     "SELECT name FROM users WHERE id NOT IN (SELECT user_id FROM orders);"),
    ("SELECT name FROM products ORDER BY name DESC", "SELECT name FROM products"),
    (f"{NESTED} ORDER BY name DESC", NESTED),  # an ORDER BY within brackets orders nothing
    (f"{BY_CATEGORY}, name DESC", BY_CATEGORY),  # tied rows may come in any order
    ("SELECT city AS town FROM users", "SELECT city FROM users"),
    ("SELECT COUNT(*) * 1.0 FROM users", "SELECT COUNT(*) FROM users"),
    ("SELECT AVG(price) + 0.0000000001 FROM products", "SELECT AVG(price) FROM products"),
)  # fmt: skip
OTHER = (
    ("SELECT name FROM products ORDER BY name DESC", "SELECT name FROM products ORDER BY name"),
    ("SELECT name FROM products", "SELECT name FROM products ORDER BY name"),
    (f"{BY_CATEGORY} DESC", BY_CATEGORY),
    # By a column that is not shown: no one can tell what is tied.
    ("SELECT name FROM products ORDER BY category, name DESC", "SELECT name FROM products ORDER BY category"),
    ("SELECT DISTINCT city FROM users", "SELECT city FROM users"),
    ("SELECT city, state FROM users", "SELECT city FROM users"),
    ("SELECT state, city FROM users", "SELECT city, state FROM users"),
    ("SELECT ROUND(AVG(price)) FROM products", "SELECT AVG(price) FROM products"),
)


@pytest.mark.parametrize(
    ("query", "gold", "same"), [*((*pair, True) for pair in SAME), *((*pair, False) for pair in OTHER)]
)
def test_rows_count_and_their_order_where_the_right_query_orders_the_whole_result(shop, query, gold, same):
    assert same_results(query, gold, shop) is same


PIECES = ("SELECT", "*", "(", ")", "'", '"', ";", "--", "/*", "FROM", "users", "x", "1", ",", "DROP", "\n", "é", "`")


@settings(deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=12).map(" ".join) | st.text())
def test_nothing_breaks_the_safe_runner_or_the_reading_of_its_text(first, text):
    try:
        run_sql(text, first, max_seconds=0.5)
    except SqlError as error:
        assert str(error)
    standard_style(text)
    extract_sql(text)
