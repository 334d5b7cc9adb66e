"""Lesson 03: a slip that one database misses, and pairs that teach."""

from course_lib.lessons.sql.task import load_sql

TASK = load_sql()
QUERY = "SELECT DISTINCT city FROM users WHERE state = 'FL';"
MINE = [
    ("Find all orders of more than 3 pieces.", "SELECT * FROM orders WHERE quantity > 3;"),
    ("Which orders are for over five pieces? Show everything.", "SELECT * FROM orders WHERE quantity > 5;"),
    ("orders, quantity above 12", "SELECT * FROM orders WHERE quantity > 12;"),
]


def changed(number, request=None, sql=None):
    """The right pairs, one of them changed."""
    pairs = list(MINE)
    pairs[number] = (request or pairs[number][0], sql or pairs[number][1])
    return pairs


EXERCISES = {
    "03-caught": ("lucky", {"right": QUERY, "databases": TASK.databases}),
    "03-teach": ("mine", {"task": TASK, "column": "quantity"}),
}
RIGHT = {
    "03-caught": ["SELECT city FROM users WHERE state = 'FL';", "select city from users where state = 'FL'"],
    "03-teach": [
        MINE,
        tuple(list(pair) for pair in MINE),
        [*MINE, ("What is the sum of all quantities?", "SELECT SUM(quantity) FROM orders;")],
    ],
}
WRONG = {
    "03-caught": [
        (["SELECT 1;"], "as text"),
        (" ", "as text"),
        (QUERY.lower().replace("fl", "FL"), "the right query itself"),
        (QUERY, "the right query itself"),
        ("SELECT town FROM users;", "does not run is caught at once: the query does not run (no such column"),
        ("DROP TABLE users;", "caught at once: the query is no SELECT"),
        ("SELECT city FROM users WHERE state = 'FL' GROUP BY city;", "right on every database"),
        ("SELECT DISTINCT city FROM users;", "rows in place of"),
        ("SELECT DISTINCT state, city FROM users WHERE state = 'FL';", "other columns, or other rows"),
    ],
    "03-teach": [
        ("Find all orders of more than 3 pieces.", "a list of pairs"),
        ([], "a list of pairs"),
        ([sql for _, sql in MINE], "a list of pairs"),
        ([("", ""), *MINE], "a list of pairs"),
        (MINE[:2], "2 of 3 pairs so far"),
        (changed(1, sql="SELECT * FROM orders WHERE amount > 5;"), "Pair 2: the query does not run (no such"),
        (changed(1, sql="SELECT * FROM orders WHERE total > 5;"), "Pair 2: its query does not look at qu"),
        (changed(1, sql="select * from orders where quantity > 5"), "Pair 2: its query runs, in a style"),
        (changed(2, sql="SELECT * FROM orders WHERE quantity > 7;"), "Pair 3: its query says 7"),
        (changed(1, request=TASK.wordings[0].question), "Pair 2: the sql wordings exam asks the very same"),
        (changed(1, request=TASK.stranger[0].question), "Pair 2: the sql stranger exam asks the very same"),
        ([*MINE, MINE[0]], "Two of the requests are the same"),
        ([*MINE[:2], ("Find all orders of more than nine pieces.", MINE[0][1].replace("3", "9"))], "reword it"),
    ],
}
