"""The query in what models write, and every other statement that stands beside it."""

import html
import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.evaluation.exams import Question
from course_lib.lessons.sql.task import ExecutionGrader
from course_lib.lessons.sql.text import extract_sql

QUERY = "SELECT users.name FROM users WHERE users.city = 'Reno'"
LINES = "SELECT users.name\nFROM users\n\nWHERE users.city = 'Reno'"
WITH = "WITH few AS (\n  SELECT * FROM users WHERE city = 'Reno'\n)\nSELECT few.name FROM few"
SCHEMA = "CREATE TABLE users (\n  id INTEGER, -- one a row\n  name TEXT\n)"
REPLIES = (
    # fences
    "```{q};```", "```sql {q}```", "```SQL\n{q};\n```", "~~~sql\n{q}\n~~~", "~~~{q}~~~", "````sqlite\r\n{q};\r\n````",
    "``` sql\n{q};\n", "```\n{q}", "{q};\n```", "{q}\n```\nThis lists the names.", "SQL Query: ```{q}``` is it.",
    "```json\n{{\"sql\": \"{q};\"}}\n```", "```bash\nls\n```\n{q}", "```python\ncursor.execute(\"{q}\")\n```",
    # marks of other kinds
    "`{q};`", "`{q}`", "The query is `{q}`.", "Use `{q}` to list them.", 'The query is "{q}".', "**Answer:** `{q}`",
    "**{q};**", "<sql>{q}</sql>", "[SQL] {q};", "\\boxed{{{q}}}",
    "({q})", "({q});", "The query: ( {q} ).", "```sql\n({q};)\n```", "[{q}]", "[SQL: {q}]", "“{q};”", "‘{q}’",
    "« {q} »", "$${q}$$", "$\\boxed{{\\text{{{q}}}}}$", 'db.execute("{q};")', "\u200b{q}\u200b;", "\ufeff{q}",
    "{q};\x0b",
    # labels and lists
    "SQL: {q}", "SQLQuery: {q}\nSQLResult: [('Ann',)]\nAnswer: Ann", "Answer: {q};", "**SQL:** {q};", "sqlite> {q};",
    "1. {q};", "1. Look at the table.\n2. {q};\n3. Done.", "- {q}", "> {q};",
    "### SQL\n{q};\n### Explanation\nIt lists.",
    # prose
    "The query is: {q};", "{q}; It lists the names.", "{q}. This lists the names.", "{q} lists the names.", "{q}.",
    "{q}\nThe end.", "{q}\nDone", "{q}\n\nThe COUNT(*) isn't needed.", "{q}\n\nusers.city is compared.",
    "{q}\n---\nDone", "{q}\n\n(2 rows)", "{q} [END]", "{q}[/INST]",
    "{q}\n\nThe WHERE clause filters; the end.", "{q}\nThis uses ORDER BY.", "{q}\n\nHere, LIKE isn't needed.",
    "{q}, which lists the names.", "{q}\n152", "{q}\n[('Ann',), ('Bob',)]", "{q}%", "{q};%", "{q}\n/", "{q}\nGO",
    "{q};\ngo", "{q}；", "{q}。", "以下：{q}。它列出名字。", "{q} 👍",
    "{q}\n\nThis query lists the names.", "{q}\nIn this query, we filter.", "{q}\nI hope it's right; tell me.",
    "{q};\nWith this query you get the names.", "{q}\n\n| name |\n|---|\n| Ann |", "{q}\n\nOutput:\nAnn",
    "{q};\n\nUse your own city; it may be another.", "{q};\nSet the city.", "{q};\nTruncate the list, or call us.",
    "{q}\n\nSELECT name: the column\nFROM users: the table", "{q}\n+------+\n| name |",
    "Select the names like this:\n{q};", "Select users in Reno.\n\n{q};", "Select from users:\n{q}", "With joy! {q};",
    "You should SELECT the name.\n{q}", "Use SELECT COUNT(*) to count, but here:\n\n{q};",
    "{q};\nReplace 'Reno' with another city.", "{q};\nUpdate the city.\nNever drop tables, never delete rows.",
    "We analyze it and commit: {q}; End.", "这个查询：{q};", "{q}\n这个查询列出名字。",
    # thoughts
    "<think>\nPerhaps\nSELECT * FROM users\nno.\n</think>\n{q};", "Perhaps SELECT * FROM users;\n</think>\n{q};",
    "<think>\nPerhaps\nSELECT * FROM users;\nno.\n\n{q};", "<think></think>{q}",
    "[THINK]SELECT * FROM orders[/THINK]{q}", "<reflection>SELECT * FROM orders</reflection>{q}",
    "<thinking>DROP TABLE users;</thinking>\n```sql\n{q}\n```",
    "<reasoning>SELECT * FROM orders;</reasoning>\n{q}", "I'd say SELECT * FROM users would list all. So:\n\n{q};",
    "<|channel|>analysis<|message|>SELECT * FROM orders<|end|><|channel|>final<|message|>{q}<|return|>",
    # semicolons, stop tokens, comments
    "{q};;", "{q}; ;\n;", "{q};</s>", "{q}</s>", "{q};<|im_end|>", "{q}\n<|endoftext|>", "<s>{q}<end_of_turn>",
    "{q};<｜end▁of▁sentence｜>", "{q}; -- lists; the names", "-- the names\n{q};", "/* Select; the names */ {q}",
    "{q};\x00", "{q} // lists names", "'{q}", "{q}\"", "| SQL | {q} |",
    "-- SELECT name FROM people;\n{q};", "{q}\n/* lists names */",
    # other SQL
    "CREATE INDEX city ON users (city);\n{q};",
    SCHEMA + ";\n\n{q};", SCHEMA + "\n\n{q}", "```sql\n" + SCHEMA + ";\n```\n\n```sql\n{q};\n```",
    "```sql\n{q};\n```\nAlternatively:\n```sql\nSELECT 1 FROM orders;\n```",
    "We could use `SELECT * FROM users`.\n```\n{q}\n```",
    # steps towards it
    "1. Take `SELECT * FROM orders`.\n2. Filter.\n\nFinal query:\n{q};",
    "### Step 1\n```sql\nSELECT * FROM orders;\n```\n### Final SQL Query\n```sql\n{q};\n```\nFinal answer: Ann",
    "```sql\nSELECT * FROM orders;\n```\n**Corrected query:**\n```sql\n{q};\n```",
    "```sql\n{q};\n```\nThe complete query reads one table.",
)  # fmt: skip
INVALID = (
    "", ";", "```", "The users in Reno.", "SELECT the names", "<think>no idea", "<think>{q}</think>\nI don't know.",
    # broken: what can be read of it isn't the query
    "{q} LIMI 5", "{q} LIMIT BY 5", "{q}\nLIMIT BY 5", "{q} AND WHERE 1", "{q} order name desc", "{q}\norder name desc",
    "{q} UNION SELEC 1", "{q} UNION SELECT name FROM users WHERE", "SELECT name FROM users WHER city = 'Reno'",
    "{q} AND id NOT IN (SELECT user_id FROM", "SELECT name FROM users WHERE city = 'Reno", "{q}) x", "`{q} AND (",
    "SELECT id FROM orders WHERE user_id IN (\n{q}\n) ORDR BY 1", "WITH a AS (\n{q}\n) SELEC * FROM a",
    "```sql\nSELECT name FROM\n```\nIt is like `{q}`.",
    # the query is a part of something else
    "EXPLAIN {q}", "EXPLAIN QUERY PLAN {q};", "CREATE VIEW v AS {q};", "CREATE TABLE v AS {q}", "INSERT INTO x {q}",
    # more than a query
    "DROP TABLE users;\n{q};", "```sql\nDROP TABLE users;\n```\n```sql\n{q};\n```", "{q}; AND 1",
    "({q}); SELECT 1 FROM users", "({q}) UNION ({q})", "({q}) LIMIT",
    "SELECT id FROM orders WHERE id IN\n({q})\nORDR BY 1",
    "{q}\nGO\nSELECT 1 FROM users\nGO", "{q};\u200bSELECT 1 FROM users", "{q}；SELECT 1 FROM users",
    "> {q};\n> SELECT 1;",
    '{{"sql": "{q};\\nSELECT 1"}}', "{q};\nGRANT ALL ON users TO x;", "{q};\n\nCALL f(1);", "SET x = 1;\n{q};",
    "{q};\n\nTRUNCATE users;", "{q} Limt", "{q} 5", "{q}\n,", "{q};\n{q};",
    "{q};\n\nSELECT * FROM users;", "{q};\nSELECT * FROM", "{q};\r\n\r\nvalues (1)",
    "{q};\n-- and\n\nselect 2 from users", "{q};\n" + SCHEMA, "BEGIN;\n{q};\nCOMMIT;", "{q};\nEND", "{q};\nCOMMIT",
)  # fmt: skip
WRITES = (
    "DROP TABLE users", "Drop table users", "delete from users", "UPDATE users SET name = 'x'",
    "PRAGMA user_version = 9", "INSERT INTO users (id) VALUES (1)", "ATTACH 'x' AS y", "VACUUM INTO 'x'",
    "ALTER TABLE users ADD more",
    "WITH x AS (SELECT 1) DELETE FROM users", "REPLACE INTO users (id) VALUES (1)", "PRAGMA user_version=9",
    "TRUNCATE TABLE users", "MERGE INTO users USING x",
)  # fmt: skip
BETWEEN = (
    "", " ", "\n", "\r\n", "\n\n", "\n  ", "\r\n\r\n", "\t", " ;\n", "\n-- and now\n", " /* now */ ", " -- x\n\n",
    "\nThen clean up:\n", "\n```\n\n```sql\n", " and then: ", " then, ", " (",
    "\n**Second:** ", "\n1. ", "\n\nIt lists names.\n\n`",
    "\nGO\n", "\n> ", "\\n", "\u200b", "\x00", "\xa0", "\u2028", "；", "<br>", "</sql><sql>", "&#59;", "\n% ",
    '", "then": "',
)  # fmt: skip


@pytest.fixture
def grade(shop):
    question = Question("q", "Who lives in Reno?", "SELECT name FROM users WHERE city = 'Reno';", source="2024-11-06")
    return lambda reply: ExecutionGrader(shop)(question, reply)


@pytest.mark.parametrize("query", [QUERY, LINES, WITH])
@pytest.mark.parametrize("reply", REPLIES)
def test_the_query_is_found_in_what_models_write(grade, reply, query):
    assert grade(reply.format(q=query)) == "right"


@pytest.mark.parametrize(
    "query", [QUERY, LINES, WITH, 'SELECT "name" FROM users WHERE city >= \'Reno\' AND city < "Renp"']
)
@pytest.mark.parametrize(
    "wrap",
    [
        lambda query: json.dumps({"sql": query, "why": "It selects the names; done."}),
        lambda query: f"```json\n{json.dumps([{'name': 'run', 'arguments': {'query': query + ';'}}], indent=2)}\n```",
        lambda query: f"<pre><code>{html.escape(query)};</code></pre>",
        lambda query: "So:\n\n> ```sql\n> " + query.replace("\n", "\n> ") + "\n> ```",
        lambda query: "1. So:\n\n   ```sql\n   " + query.replace("\n", "\n   ") + ";\n   ```\n2. Done.",
        lambda query: query.replace("\n", "\r\n").replace(" ", "\xa0") + ";\r\n\r\nThis is it.",
    ],
)
def test_the_query_is_found_however_its_text_is_written_down(grade, wrap, query):
    assert grade(wrap(query)) == "right"


@pytest.mark.parametrize("reply", INVALID)
def test_what_is_no_query_or_more_than_one_is_invalid(grade, reply):
    assert grade(reply.format(q=QUERY)) == "invalid"


@pytest.mark.parametrize("between", BETWEEN)
def test_a_statement_that_writes_is_seen_wherever_it_stands(grade, between):
    for written in WRITES:
        for before, after in (("", ";"), ("```sql\n", ";\n```"), ("Here: ", "\nDone.")):
            assert grade(f"{before}{QUERY};{between}{written}{after}") == "invalid", written


@pytest.mark.parametrize(
    ("reply", "query"),
    [
        ("SELECT 1;", "SELECT 1;"),
        ("```\nSELECT 1\n```\nDone.", "SELECT 1"),
        ("With pleasure.\n  WITH a AS (SELECT 1) SELECT * FROM a", "WITH a AS (SELECT 1) SELECT * FROM a"),
        ("SELECT 1;\nThis selects one.", "SELECT 1;"),
        ("SELECT 1;\n\nSELECT 2;", "SELECT 1;\n\nSELECT 2;"),
        ("SELECT 1;\nDone.\n```\nDELETE FROM t\n```", "SELECT 1;\nDELETE FROM t"),
        ("SELECT 1, or:\nSELECT a FROM t", "SELECT a FROM t"),
        ("SELECT a FROM t;\nAnother way:\nSELECT b FROM t;", "SELECT a FROM t;"),
        ("SELECT a FROM t;\n```\nSELECT b FROM t\n```", "SELECT b FROM t"),
        ("Sure: ```sql\nSELECT a FROM t WHERE\n```", "SELECT a FROM t WHERE"),
        ("No query.", "No query."),
    ],
)
def test_of_several_queries_the_first_that_is_fenced_or_else_the_first_is_meant(reply, query):
    assert extract_sql(reply) == query


def test_a_wrong_query_stays_wrong_whatever_queries_follow_below(grade):
    assert grade("SELECT * FROM orders;\n\nSELECT * FROM users;") == "wrong"


PIECES = (
    "SELECT", " name ", " FROM ", " users ", "'", '"', "`", "```", "\n", ";", "--", "/*", "DROP TABLE users", "with",
    "END", "COMMIT", "<think>", "</think>", "(", ")", "This lists", "é", "\x00", "\ud800", "1", "=", "explain ", "；",
)  # fmt: skip


@settings(deadline=None, max_examples=300)
@given(st.lists(st.sampled_from(PIECES), max_size=25).map("".join))
def test_no_reply_is_too_odd_to_be_read(reply):
    assert isinstance(extract_sql(reply), str)


@pytest.mark.parametrize(
    "part",
    [
        "select ",
        "with the names of users. ",
        "select `",
        "select ';",
        "drop table a b ",
        "/*",
        '\\"select ',
        "[select ",
    ],
)
def test_a_long_reply_is_read_in_time(part):
    started = time.thread_time()
    assert extract_sql(part * 2_000)
    assert time.thread_time() - started < 5
