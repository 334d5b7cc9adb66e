"""The checks of lesson 03: right answers are accepted, and each usual wrong one gets its own hint."""

import pytest

from course_lib.lessons.sql.task import load_sql

TASK = load_sql()
RIGHT = "SELECT DISTINCT city FROM users WHERE state = 'FL';"
COUNTS = {"orders-today": (2, 9), "users-per-state": (9, 9), "price-of-product": (5, 6), "latest-orders": (22, 30)}
CONTEXT = {
    "03-caught": {"right": RIGHT, "databases": TASK.databases},
    "03-teach": {"task": TASK, "column": "quantity"},
    "03-weakest": {"counts": COUNTS},
}
MINE = [
    ("Find all orders of more than 3 pieces.", "SELECT * FROM orders WHERE quantity > 3;"),
    ("Which orders are for over five pieces? Show everything.", "SELECT * FROM orders WHERE quantity > 5;"),
    ("orders, quantity above 12", "SELECT * FROM orders WHERE quantity > 12;"),
]


@pytest.mark.parametrize(("key", "name"), [("03-caught", "lucky"), ("03-teach", "mine"), ("03-weakest", "weakest")])
def test_an_untouched_exercise_says_which_variable_is_none(key, name, said):
    assert said(key, None) == f"· Not attempted yet: `{name}` is None."


@pytest.mark.parametrize(
    ("key", "attempt"),
    [
        ("03-caught", "SELECT city FROM users WHERE state = 'FL';"),
        ("03-caught", "select city from users where state = 'FL'"),
        ("03-teach", MINE),
        ("03-teach", tuple(list(pair) for pair in MINE)),
        ("03-teach", [*MINE, ("What is the sum of all quantities?", "SELECT SUM(quantity) FROM orders;")]),
        ("03-weakest", "orders-today"),
    ],
)
def test_a_right_answer_is_accepted(key, attempt, said):
    assert said(key, attempt).startswith("✓ ")


def test_the_lucky_query_is_told_how_many_databases_caught_it(said):
    assert said("03-caught", "SELECT city FROM users WHERE state = 'FL';").endswith("caught by 4 of 5.")


def changed(number, request=None, sql=None):
    """The right pairs, one of them changed."""
    pairs = list(MINE)
    pairs[number] = (request or pairs[number][0], sql or pairs[number][1])
    return pairs


WRONG = [
    ("03-caught", ["SELECT 1;"], "as text"),
    ("03-caught", " ", "as text"),
    ("03-caught", RIGHT.lower().replace("fl", "FL"), "the right query itself"),
    ("03-caught", RIGHT, "the right query itself"),
    ("03-caught", "SELECT town FROM users;", "does not run is caught at once: the query does not run (no such column"),
    ("03-caught", "DROP TABLE users;", "caught at once: the query is no SELECT"),
    ("03-caught", "SELECT city FROM users WHERE state = 'FL' GROUP BY city;", "right on every database"),
    ("03-caught", "SELECT DISTINCT city FROM users;", "rows in place of"),
    ("03-caught", "SELECT DISTINCT state, city FROM users WHERE state = 'FL';", "other columns, or other rows"),
    ("03-teach", "Find all orders of more than 3 pieces.", "a list of pairs"),
    ("03-teach", [], "a list of pairs"),
    ("03-teach", [sql for _, sql in MINE], "a list of pairs"),
    ("03-teach", [("", ""), *MINE], "a list of pairs"),
    ("03-teach", MINE[:2], "2 of 3 pairs so far"),
    ("03-teach", changed(1, sql="SELECT * FROM orders WHERE amount > 5;"), "Pair 2: the query does not run (no such"),
    (
        "03-teach",
        changed(1, sql="SELECT * FROM orders WHERE total > 5;"),
        "Pair 2: its query does not look at qu",
    ),
    ("03-teach", changed(1, sql="select * from orders where quantity > 5"), "Pair 2: its query runs, in a style"),
    ("03-teach", changed(2, sql="SELECT * FROM orders WHERE quantity > 7;"), "Pair 3: its query says 7"),
    ("03-teach", changed(1, request=TASK.wordings[0].question), "Pair 2: the sql wordings exam asks the very same"),
    ("03-teach", [*MINE, MINE[0]], "Two of the requests are the same"),
    ("03-teach", [*MINE[:2], ("Find all orders of more than nine pieces.", MINE[0][1].replace("3", "9"))], "reword it"),
    ("03-weakest", "users", "Name one pattern"),
    ("03-weakest", ["orders-today"], "Name one pattern"),
    ("03-weakest", "users-per-state", "that is the strongest"),
    ("03-weakest", "latest-orders", "the most wrong answers, and was asked most"),
    ("03-weakest", "price-of-product", "5 of 6 right: there is one that fares worse"),
]


@pytest.mark.parametrize(("key", "attempt", "hint"), WRONG)
def test_a_usual_wrong_answer_gets_its_hint(key, attempt, hint, said):
    line = said(key, attempt)
    assert line.startswith("✗ ") and hint.lower() in line.lower()


@pytest.mark.parametrize("key", CONTEXT)
def test_an_answer_of_any_kind_is_met_with_a_hint_and_never_an_error(key, odd, said):
    assert said(key, odd).startswith("✗ ")
