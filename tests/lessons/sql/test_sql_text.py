"""SQL as text: brought into one style that means the same, told whether it is ordered."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.lessons.sql.running import SqlError, run_sql
from course_lib.lessons.sql.text import normal_form, order_terms, standard_style


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


@pytest.mark.parametrize(
    ("query", "same"),
    [
        ("select count( name ) from users where city='Reno' -- there\n;;", True),
        ("SELECT COUNT(name) FROM users WHERE city = 'reno'", False),
        ("SELECT COUNT(Name) FROM users WHERE city = 'Reno'", False),
        ("SELECT COUNT(name) FROM users WHERE city == 'Reno'", False),
        ('SELECT COUNT(name) FROM users WHERE city = "Reno"', False),
        ("SELECT COUNT(name) FROM users WHERE city = 'Reno", False),
    ],
)
def test_texts_that_differ_in_space_comments_and_capitals_of_keywords_have_one_normal_form(query, same):
    assert (normal_form(query) == normal_form("SELECT COUNT(name) FROM users WHERE city = 'Reno';")) is same


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
    "{}", "COUNT({})", "count(*)", "Max({})", "upper({})", "substr({}, 1, 3)", "round({} / 3, 1)", "cast({} as text)",
)  # fmt: skip


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

    names = pick(["", " AS n0"], ["", " AS name"], [" n1"], [""])
    shown = [pick(*SHOWN).format(column()) + name for name in names]
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
    with contextlib.suppress(SqlError):  # names that are ambiguous, too many rows
        given = [run_sql(query, database).rows for database in shop[:2]]
        try:
            assert [run_sql(styled, database).rows for database in shop[:2]] == given, styled
        except SqlError as error:
            pytest.fail(f"{styled}: {error}")


def test_every_right_query_is_in_the_standard_style(task):
    exams = (task.validation, task.values, task.wordings, task.combinations, task.second_schema)
    queries = {pair.sql for pair in task.train} | {question.answer for exam in exams for question in exam}
    assert [query for query in queries if standard_style(query) != query] == []
