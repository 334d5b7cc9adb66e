"""What a query from a stranger may do, and when it gives what the right one gives."""

import itertools
import subprocess
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.core.session import ROOT
from course_lib.lessons.sql import text
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


HOSTILE = (
    "DROP TABLE users", "ALTER TABLE users RENAME TO gone", "CREATE TABLE t AS SELECT 1", "EXPLAIN SELECT 1", "REINDEX",
    "ATTACH 'x' AS y", "PRAGMA hard_heap_limit = 1", "VACUUM INTO 'x'", "SAVEPOINT x", "ＳＥＬＥＣＴ 1",
    "WITH a AS (SELECT 1) UPDATE users SET name = 'x'", "WITH a AS (SELECT 1) REPLACE INTO users (id) SELECT 1",
    "WITH a AS (DELETE FROM users RETURNING id) SELECT * FROM a", "SELECT 1;\n\n-- x\nPRAGMA user_version = 9",
    "SELECT 1 -- ;\n; DROP TABLE users", "sElEcT 1;dRoP TABLE users", "SELECT 1\u037e DROP TABLE users",
    "SELECT readfile('/etc/passwd')", "SELECT writefile('x', 'y')", "SELECT fts3_tokenizer('x', x'00')",
    "SELECT random()", "SELECT sqlite_version()", "SELECT 1 UNION SELECT sql FROM main.[sqlite_master]",
    "SELECT (SELECT sql FROM temp.sqlite_master)", "WITH sqlite_master AS (SELECT 1) SELECT * FROM main.sqlite_master",
    "SELECT * FROM pragma_hard_heap_limit", "SELECT * FROM generate_series(1, 1000000000)", "SELECT * FROM dbstat",
    "SELECT * FROM json_each('[1]')", "SELECT * FROM users WHERE name REGEXP '(a+)+$'", "SELECT edit('x')",
)  # fmt: skip


@pytest.mark.parametrize("query", HOSTILE)
def test_no_hostile_statement_gets_through(first, query):
    with pytest.raises(SqlError):
        run_sql(query, first)
    with pytest.raises(SqlError):
        run_sql(extract_sql(f"Here it is:\n```sql\n{query};\n```"), first)
    standard_style(query)
    assert run_sql("SELECT COUNT(*) FROM users", first).rows == ((152,),), "nothing has changed"


CELL = (  # x is as long as a cell may be, y all letters that `trim` can take
    "WITH RECURSIVE n(x, i) AS (SELECT 'a', 0 UNION ALL SELECT x || x, i + 1 FROM n WHERE i < 14), "
    "big AS (SELECT x, replace(substr(x, 1, 1600), 'a', 'b') || 'a' AS y FROM n WHERE i = 14) SELECT SUM({}) FROM big, "
    "orders o, orders p"
)


def doubled(first, step, last):
    """Forty tables that double one another."""
    return f"WITH t0 AS ({first})" + "".join(f", t{i} AS ({step.format(i - 1)})" for i in range(1, 40)) + last


BOMBS = {
    "without end": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT COUNT(*) FROM n",
    "ever more rows": "WITH RECURSIVE n(x, i) AS (SELECT 'a', 0 UNION SELECT substr(x || i || x, 1, 9000), i + 1"
    " FROM n) SELECT COUNT(*) FROM n",
    "a large product": "SELECT COUNT(*) FROM orders a, orders b, orders c, orders d",
    "62 tables": f"SELECT COUNT(*) FROM {', '.join(f'users a{i}' for i in range(62))}",
    "rows to sort": "SELECT COUNT(*) FROM (SELECT DISTINCT a.id, b.id, c.id, a.name || b.name"
    " FROM users a, users b, users c)",
    "a window over all": "SELECT SUM(id) OVER (ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING"
    " EXCLUDE CURRENT ROW) FROM (SELECT a.id FROM orders a, orders b)",
    "dates without end": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
    " SELECT SUM(julianday('now', i || ' days')) FROM n",
    "trim": CELL.format("trim(x, y)"),
    "instr": CELL.format("instr(x, substr(x, 1, 8000) || o.id)"),
    "like": CELL.format(f"x || o.id LIKE '%{'a' * 92}b%'"),
    "glob": CELL.format(f"x || o.id GLOB '{'*a' * 40}b'"),
    "tables doubled": doubled("SELECT 1", "SELECT 1 FROM t{0} a, t{0} b", " SELECT COUNT(*) FROM t39"),
    "columns doubled": doubled("SELECT id AS v FROM users", "SELECT v + v AS v FROM t{0}", " SELECT v FROM t39"),
    "subqueries doubled": "SELECT v FROM " + f"(SELECT {'+'.join('v' * 16)} AS v FROM " * 9
    + "(SELECT id AS v FROM users)" + ")" * 9 + " LIMIT 1",
    "a long text": "SELECT group_concat(a.name || b.name) FROM orders o, users a, users b",
    "a text without end": "WITH RECURSIVE n(x) AS (SELECT 'x' UNION ALL SELECT x || x FROM n) SELECT x FROM n",
}  # fmt: skip


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_is_stopped_in_time_and_memory(first, bomb):
    started = time.thread_time()
    with pytest.raises(SqlError, match=r"stopped after 0.05 s|more memory than it may|too big"):
        run_sql(BOMBS[bomb], first.as_of("2023-11-14"), max_seconds=0.05)
    assert time.thread_time() - started < 8
    assert run_sql("SELECT COUNT(*) FROM users", first).rows == ((152,),)


@pytest.mark.parametrize("bomb", ["tables doubled", "columns doubled"])
def test_a_bomb_is_found_in_a_reply_and_read_in_bounded_memory(bomb):
    code = f"""import resource
resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
from course_lib.lessons.sql.text import extract_sql, standard_style
extract_sql({BOMBS[bomb]!r} + ';')
standard_style({BOMBS[bomb]!r})"""
    if sys.platform.startswith("linux"):
        subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_reading_a_text_changes_nothing_in_the_process(first):
    standard_style("PRAGMA hard_heap_limit = 1000")
    extract_sql("```sql\nPRAGMA hard_heap_limit = 1000;\n```")
    assert run_sql("SELECT COUNT(*) FROM users", first).rows == ((152,),)


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
        "SELECT LAG(price) OVER w, LEAD(price, 2, 0) OVER w, NTILE(4) OVER w, FIRST_VALUE(name) OVER w,"
        " LAST_VALUE(name) OVER w, NTH_VALUE(id, 2) OVER w, PERCENT_RANK() OVER w, CUME_DIST() OVER w"
        " FROM products WINDOW w AS (PARTITION BY category ORDER BY price)",
        "SELECT CURRENT_TIMESTAMP, CURRENT_TIME, CURRENT_DATE, time('now')",
        "SELECT SIGN(price - 5), date(joined, 'localtime') FROM products, users LIMIT 5",
        "SELECT strftime('%Y', order_date), COUNT(*) FROM orders GROUP BY 1",
    ):
        assert run_sql(query, first).rows
    assert run_sql("SELECT name AS n, price FROM products LIMIT 1", first).columns == ("n", "price")


def test_now_is_the_day_on_which_the_database_stands(first):
    then = first.as_of("2023-11-14")
    assert run_sql("SELECT CURRENT_TIMESTAMP, current_time, time('now'), datetime('NOW', 'localtime')", then).rows == (
        ("2023-11-14 00:00:00", "00:00:00", "00:00:00", "2023-11-14 00:00:00"),
    )
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
BY_COUNT = "SELECT city, COUNT(*){} FROM users GROUP BY city ORDER BY {}"
BOTH = "SELECT city, 1 AS k FROM users UNION ALL SELECT category, 2 FROM products ORDER BY {}"
SAME = (
    ("select u.name from users u left join orders o on o.user_id = u.id where o.id is null",
     "SELECT name FROM users WHERE id NOT IN (SELECT user_id FROM orders);"),
    ("SELECT name FROM products ORDER BY name DESC", "SELECT name FROM products"),
    (f"{NESTED} ORDER BY name DESC", NESTED),  # an ORDER BY within brackets orders nothing
    (f"{BY_CATEGORY}, name DESC", BY_CATEGORY),  # tied rows may come in any order
    (BY_COUNT.format("", "COUNT(*) DESC, city"), BY_COUNT.format("", "COUNT(*) DESC")),
    (BY_COUNT.format("", "2 DESC, city"), BY_COUNT.format("", "2 DESC")),
    (BY_COUNT.format("", "2 DESC, city DESC"), BY_COUNT.format(' AS "n"', '"n" DESC')),
    (BY_COUNT.format("", "2 DESC, city"), BY_COUNT.format(" AS n", "[N] DESC")),
    (BY_COUNT.format("", "2 DESC, city"), BY_COUNT.format(" AS n", "-n * 2")),  # an alias within an expression
    (BY_COUNT.format("", "2, city DESC"), BY_COUNT.format(" AS n", "(SELECT n)")),
    # By what is not shown.
    ("SELECT name FROM products ORDER BY category, name DESC", "SELECT name FROM products ORDER BY category"),
    ("SELECT name FROM products ORDER BY length(name), name DESC", "SELECT name FROM products ORDER BY LENGTH(name)"),
    ("SELECT * FROM users ORDER BY state, name DESC", "SELECT * FROM users ORDER BY users.state"),
    ("SELECT name, email FROM users ORDER BY email IS NULL, email DESC, name DESC",
     "SELECT name, email FROM users ORDER BY email DESC NULLS LAST"),
    ("SELECT city FROM users ORDER BY LOWER(city), name DESC", "SELECT city FROM users ORDER BY city COLLATE NOCASE"),
    ("SELECT name FROM products ORDER BY category, id DESC",
     "SELECT name FROM products ORDER BY RANK() OVER (ORDER BY category)"),
    ("SELECT name, RANK() OVER (ORDER BY category) FROM products ORDER BY 2, name DESC",
     "SELECT name, RANK() OVER (ORDER BY category) AS r FROM products ORDER BY r"),
    ("WITH t AS (SELECT * FROM users) SELECT name FROM t ORDER BY state, name DESC",
     "WITH t AS (SELECT * FROM users) SELECT name FROM t ORDER BY state"),
    ("SELECT DISTINCT city FROM users ORDER BY LENGTH(city), city DESC",
     "SELECT DISTINCT city FROM users ORDER BY LENGTH(city)"),
    ("SELECT category, AVG(price) FROM products GROUP BY 1 ORDER BY SUM(price) / COUNT(*)",
     "SELECT category, AVG(price) AS mean FROM products GROUP BY 1 ORDER BY mean"),
    (BOTH.format("2, 1 DESC"), BOTH.format("k")),
    # A LIMIT that cuts through a tie leaves open which rows.
    (f"{BY_CATEGORY}, name DESC LIMIT 7", f"{BY_CATEGORY} LIMIT 7"),
    (f"{BY_CATEGORY}, price LIMIT 7 OFFSET 3", f"{BY_CATEGORY} LIMIT 3, 7"),
    ("SELECT name FROM products ORDER BY category, id DESC LIMIT 7",
     "SELECT name FROM products ORDER BY 1 = 1, category LIMIT 7"),
    (BOTH.format("2, 1 DESC LIMIT 9"), BOTH.format("k LIMIT 9")),
    ("SELECT name FROM users ORDER BY name DESC LIMIT 3", "SELECT name FROM users LIMIT 3"),
    ("SELECT city AS town FROM users", "SELECT city FROM users"),
    ("SELECT COUNT(*) * 1.0 FROM users", "SELECT COUNT(*) FROM users"),
    ("SELECT AVG(price) + 0.0000000001 FROM products", "SELECT AVG(price) FROM products"),
)  # fmt: skip
OTHER = (
    ("SELECT name FROM products ORDER BY name DESC", "SELECT name FROM products ORDER BY name"),
    ("SELECT name FROM products", "SELECT name FROM products ORDER BY name"),
    (f"{BY_CATEGORY} DESC", BY_CATEGORY),
    (BY_COUNT.format("", "COUNT(*), city"), BY_COUNT.format("", "COUNT(*) DESC")),
    (BY_COUNT.format("", "2, city"), BY_COUNT.format(" AS n", "-n")),
    ("SELECT name FROM products ORDER BY category DESC", "SELECT name FROM products ORDER BY category"),
    ("SELECT name, email FROM users ORDER BY email DESC", "SELECT name, email FROM users ORDER BY email NULLS LAST"),
    (BOTH.format("2 DESC, 1"), BOTH.format("k")),
    (f"{BY_CATEGORY} DESC LIMIT 7", f"{BY_CATEGORY} LIMIT 7"),
    (f"{BY_CATEGORY} LIMIT 6", f"{BY_CATEGORY} LIMIT 7"),
    (f"{BY_CATEGORY} LIMIT 7 OFFSET 60", f"{BY_CATEGORY} LIMIT 7"),
    ("SELECT 'nobody' FROM users LIMIT 3", "SELECT name FROM users LIMIT 3"),
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


def test_where_no_one_can_tell_what_is_tied_the_order_is_the_right_ones(shop, monkeypatch):
    monkeypatch.setattr(text, "query_tree", lambda sql: None)  # as of a query that sqlglot cannot read
    name = "SELECT name FROM users -- {}"
    assert same_results("SELECT name FROM users ORDER BY name", name.format("any"), shop)
    ordered = "SELECT name, state FROM users ORDER BY state -- {}"
    assert same_results(ordered, ordered.format("unread"), shop)
    assert not same_results("SELECT name, state FROM users ORDER BY state, name DESC", ordered.format("unread"), shop)


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
