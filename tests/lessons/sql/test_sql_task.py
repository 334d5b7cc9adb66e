"""The task of lesson 03: what is trained on and asked, the writer, the grader, the cleaning of pairs."""

import subprocess
import sys
from collections import Counter
from dataclasses import replace

import pytest

from course_lib.core.chat import check_examples
from course_lib.core.errors import ChoiceError, CourseError, DataError
from course_lib.core.rows import numbered_rows
from course_lib.core.session import ROOT
from course_lib.evaluation.evaluation import evaluate
from course_lib.evaluation.exams import Exam, Question
from course_lib.lessons.sql import FRONT_DESK, SqlPair, SqlWriter, clean, cleaning, load_sql, run_sql, sql_prompt
from course_lib.lessons.sql import task as task_module
from course_lib.lessons.sql.databases import Databases
from course_lib.lessons.sql.task import SHOP_EXAMS, ExecutionGrader

CALIFORNIA = ("Find all users from California.", "SELECT * FROM users WHERE state = 'CA';")
LAST_MONTH = (
    "Count the number of orders placed last month.",
    "SELECT COUNT(*) FROM orders WHERE order_date >= '2023-10-01' AND order_date < '2023-11-01';",
)


def test_both_pairs_of_the_sources_are_trained_on_word_for_word(task):
    pairs = {(pair.request, pair.sql): pair for pair in task.train}
    assert not pairs[CALIFORNIA].needs_date and pairs[LAST_MONTH].needs_date
    row = pairs[LAST_MONTH].as_example(task.schema)
    assert check_examples([row]) == [row]
    assert row["prompt"] == sql_prompt(LAST_MONTH[0], "shop", "2023-11-14")
    assert row["completion"] == [{"role": "assistant", "content": LAST_MONTH[1]}]


def test_there_is_as_much_as_the_lesson_needs(task):
    assert len(task.train) >= 1500 and len({pair.pattern for pair in task.train}) >= 28
    exams = (task.values, task.wordings, task.combinations, task.validation, task.second_schema, task.stranger)
    assert all(len(exam) >= least for exam, least in zip(exams, (120, 120, 100, 80, 50, 60)))
    assert 380 <= len(task.raw) <= 420
    assert "1,9" in repr(task) and len(repr(task)) < 300 and "grader" not in repr(task.values)


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


def test_an_exam_question_carries_its_day_its_wording_and_its_pattern(task):
    rows = [row for name in SHOP_EXAMS for row, _ in numbered_rows(ROOT / "data" / "sql" / f"{name}.jsonl")]
    assert [q.id for q in task.dated] == [row["id"] for row in rows if row["needs_date"]]
    assert task.dated.grader == task.values.grader
    question = task.wordings[0]
    assert question.source.startswith("20")
    assert question.fact.startswith(f"{question.kind}/test-")
    assert isinstance(task.wordings.grader, ExecutionGrader)


def test_importing_loads_neither_torch_nor_pandas():
    code = """import sys; from course_lib.lessons import adverse, house_rule, sliders, sql, tickets
sql.load_sql(); print({*sys.modules} & {'torch', 'pandas'})"""
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


def test_a_malformed_row_is_named_by_file_and_line(copied):
    with (copied / "wordings.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"id": "x", "request": "r", "sql": "s", "today": "t", "features": [1]}\n')
    with pytest.raises(DataError, match=r"wordings\.jsonl, line 136: features\.0 is 1: put text"):
        load_sql()


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("shop_3.sql", "INSERT INTO x VALUES (1);", r"shop_3\.sql does not fill a database .*no such table: x"),
        ("schema.sql", "CREATE TABEL users (id)", "is not a schema"),
        ("schema.sql", "-- nothing", "creates no table"),
        ("schema.sql", None, "is not a schema"),
    ],
)
def test_missing_or_broken_files_say_how_to_make_them_again(copied, name, text, says):
    (copied / name).unlink() if text is None else (copied / name).write_text(text)
    with pytest.raises(DataError, match=f"{says}.*run `make data`"):
        Databases("shop")


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

    from course_lib.models.students import DEFAULT, weights_folder

    return AutoTokenizer.from_pretrained(weights_folder(DEFAULT))  # before a test has a cache of its own


@pytest.mark.model
def test_prompts_and_queries_are_short(task, real_tokenizer):
    def length(messages):
        row = real_tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=True)
        return len(row["input_ids"])

    exams = (task.validation, task.values, task.wordings, task.combinations)
    asked = [(pair.request, pair.today) for pair in task.train]
    asked += [(question.question, question.source) for exam in exams for question in exam]
    assert max(length(sql_prompt(request, task.schema, today)) for request, today in asked) < 110
    queries = {pair.sql for pair in task.train} | {q.answer for exam in (*exams, task.second_schema) for q in exam}
    lengths = [len(real_tokenizer(query)["input_ids"]) for query in queries]
    assert max(lengths) < task_module.SQL_TOKENS
    assert sum(n < 45 for n in lengths) / len(lengths) > 0.9
    assert max(len(real_tokenizer(request)["input_ids"]) for request, _ in asked) <= 25


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
    then, loans = first.as_of("2022-03-22"), task.other_databases[0].as_of("2023-05-04")
    for database, query, number in (
        (then, "SELECT MAX(order_date) > '2022' FROM orders", 1),
        (then, "SELECT COUNT(*) FROM orders WHERE order_date > '2022-03-22'", 0),
        (then, "SELECT COUNT(*) FROM users WHERE joined > '2022-03-22'", 0),
        (loans, "SELECT COUNT(*) FROM loans WHERE returned_on > '2023-05-04'", 0),
        (loans, "SELECT COUNT(*) > 0 FROM loans WHERE returned_on IS NULL", 1),
    ):
        assert run_sql(query, database).rows == ((number,),), query
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


# --- cleaning -------------------------------------------------------------------------------------------------------


def test_cleaning_finds_what_was_planted_and_nothing_else_without_looking_at_it(task):
    kept, faults = clean([replace(pair, planted="") for pair in task.raw], task.databases)
    planted = {(pair.planted, pair.id) for pair in task.raw if pair.planted}
    found = {(fault.kind, fault.id) for fault in faults}
    assert found == planted, "precision and recall are both 1"
    assert Counter(kind for kind, _ in found)["contradiction"] == 30
    assert len(kept) == len(task.raw) - sum(fault.kind != "style" for fault in faults)
    trained = {(pair.request, pair.sql) for pair in task.train}
    assert {(pair.request, pair.sql) for pair in kept} <= trained


def test_a_query_that_the_style_would_change_is_left_as_it_is(shop, monkeypatch):
    monkeypatch.setattr(cleaning, "standard_style", lambda query: "SELECT COUNT(*) FROM orders;")
    pair = SqlPair("a", "How many users?", "select count(*) from users", "2023-11-14")
    assert clean([pair], shop) == ([pair], [])


ON = "SELECT COUNT(*) FROM orders WHERE order_date = '2023-11-{}';"
YESTERDAY = [("Yesterday?", ON.format(13), "2023-11-14"), ("Yesterday?", ON.format(12), "2023-11-13")]
ALL = ("How many users?", "SELECT COUNT(*) FROM users;", "2023-11-14")
USERS = [ALL, ("how many users", "SELECT COUNT(id) FROM users;", "2023-11-14"), ALL]


@pytest.mark.parametrize(
    ("written", "needs_date", "kept", "faults"),
    [
        (YESTERDAY, True, [0, 1], []),
        (YESTERDAY, False, [], [("contradiction", 0), ("contradiction", 1)]),
        (USERS, False, [0], [("exact duplicate", 2), ("near duplicate", 1)]),
    ],
)
def test_one_request_contradicts_itself_where_neither_day_nor_wording_explains_two_results(
    shop, written, needs_date, kept, faults
):
    pairs = [SqlPair(str(number), *texts, needs_date=needs_date) for number, texts in enumerate(written)]
    found = clean(pairs, shop)
    assert found[0] == [pairs[number] for number in kept]
    assert [(fault.kind, int(fault.id)) for fault in found[1]] == faults


# --- the writer ---------------------------------------------------------------------------------------------------


def test_the_writer_gets_each_requests_day_from_the_exam(task, recording_model):
    evaluate(SqlWriter(recording_model, task.schema, task.values), task.values)
    assert recording_model.prompts == [sql_prompt(q.question, task.schema, q.source) for q in task.values]
    SqlWriter(recording_model, "shop").answer(iter(["Orders yesterday?"]))
    assert "Today" not in recording_model.prompts[-1][0]["content"], "no dates, no day"


def test_a_request_of_another_exam_and_dates_that_are_no_exam_are_refused(task, recording_model):
    with pytest.raises(CourseError, match="no day is given for the request 'Orders yesterday"):
        SqlWriter(recording_model, task.schema, task.values).answer(["Orders yesterday?"])
    with pytest.raises(CourseError, match=r"dates is \['2023-01-02'\]: give an exam"):
        SqlWriter(recording_model, task.schema, ["2023-01-02"])


def test_examples_are_shown_as_turns_and_say_their_day_where_it_matters(task, recording_model):
    dated, plain = (next(pair for pair in task.train if pair.needs_date is needed) for needed in (True, False))
    exam = Exam("one", (Question("q", "Who?", "SELECT 1", source="2023-11-14"),))
    SqlWriter(recording_model, task.schema, exam, examples=[dated, plain]).answer(["Who?"])
    (system, *shown) = recording_model.prompts[0]
    assert system["content"].startswith("Write one SQLite query. Today is 2023-11-14.")
    assert [(turn["role"], turn["content"]) for turn in shown] == [
        ("user", f"Today is {dated.today}. {dated.request}"), ("assistant", dated.sql),
        ("user", plain.request), ("assistant", plain.sql), ("user", "Who?"),
    ]  # fmt: skip


def test_asking_gives_the_query_its_rows_and_how_sure_the_model_was(tiny_model, task, monkeypatch):
    written = [("SELECT name", 0.9), (" FROM users", 0.5), (" LIMIT 2", 0.8)]
    monkeypatch.setattr(task_module, "_with_probabilities", lambda *_: written)
    answer = SqlWriter(tiny_model, task.schema).ask("Two names, please.", "2023-11-14")
    assert (answer.sql, answer.columns, len(answer.rows)) == ("SELECT name FROM users LIMIT 2", ("name",), 2)
    assert (answer.error, answer.confidence, answer.tokens) == (None, 0.5, tuple(written))


def test_asking_a_model_that_knows_nothing_gives_an_error_and_no_exception(tiny_model, task):
    answer = SqlWriter(tiny_model, task.schema, max_new_tokens=6).ask("Who lives in Reno?", "2023-11-14")
    assert answer.rows == () and answer.error and "\n" not in answer.error
    assert 0 < len(answer.tokens) <= 6 and 0 < answer.confidence == min(p for _, p in answer.tokens) <= 1


def test_the_confidence_is_the_probability_of_greedy_decoding(tiny_model, task):
    writer = SqlWriter(tiny_model, task.schema, max_new_tokens=1)
    token, probability = writer.ask("Who lives in Reno?").tokens[0]
    best = tiny_model.next_tokens(writer.prompt("Who lives in Reno?"), 1)[0]
    assert (token, pytest.approx(probability, abs=1e-5)) == best
