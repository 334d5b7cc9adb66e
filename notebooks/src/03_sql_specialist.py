# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 03 · The SQL specialist
#
# Everybody in the house has questions for the shop's database. One person in the house writes SQL, and is on holiday. Can a model
# that fits on a memory stick stand in?
#
# By the end you will have
# - cleaned four hundred pairs that colleagues sent in, and counted what was wrong with them;
# - graded SQL the only honest way: by running it, on more than one database;
# - trained a specialist in minutes, and found out where its skill ends;
# - asked a database in English, and been told how sure the answer is.
#
# **Time** 60 minutes; the machine works for about 4 of them (2 cores).
#
# **Claims on trial** from the course's sources: *fine-tuned on prompt-completion pairs, a model is an expert at turning English into
# SQL* · *you would need hundreds or even thousands of high-quality examples* · *a few examples in the prompt might do* ·
# *the result is a new model file*.

# %% tags=["setup", "nbval-ignore-output"]
# @title Run this cell first (Shift+Enter)
import importlib.util
import subprocess
import sys

if "google.colab" in sys.modules and importlib.util.find_spec("course_lib") is None:  # once, some minutes
    clone = "test -d course || git clone -q --depth 1 https://github.com/open-book-closed-book/course course"
    subprocess.run(clone, shell=True, check=True, cwd="/content")
    sys.path.append("/content/course/notebooks")
    import in_colab  # installs what is missing, removes what our libraries refuse, and says so

    in_colab.install()
import course_lib as cl

session = cl.start()

# %% [markdown]
# ## The shop
#
# Three tables: who buys, what there is, what was ordered. These three lines stand in every prompt.

# %%
from course_lib.lessons import sql

task = sql.load_sql()
print(task.schema.lines)

# %% [markdown]
# And this lies in the first of them. There are five such databases, with the same tables and other rows; you will soon see why.

# %%
first = task.databases[0]
first.head("users", 4)

# %% [markdown]
# ## Pairs
#
# A specialist learns from *prompt-completion pairs*: a request, and the query that was wanted. Here are the two pairs that the
# course's sources give, word for word. They are among those that it will study.

# %%
wanted = {"Find all users from California.": "2024-02-27", "Count the number of orders placed last month.": "2023-11-14"}
for pair in task.train:
    if wanted.get(pair.request) == pair.today:
        print(f"today {pair.today}: {pair.request}\n    {pair.sql}")
print(f"\n{len(task.train):,} pairs, {len({pair.pattern for pair in task.train})} patterns of query, "
      f"{len({pair.wording for pair in task.train})} wordings of the requests")

# %% [markdown]
# "Last month" is no date. So the day of the request stands in the prompt, above the tables. This is all that the model reads:

# %%
for message in sql.sql_prompt("Count the number of orders placed last month.", task.schema, "2023-11-14"):
    print(f"[{message['role']}]\n{message['content']}\n")

# %% [markdown]
# ### First the broom
#
# Pairs come from colleagues, and colleagues are in a hurry. Some of what came in:

# %%
for pair in (task.raw[0], *task.raw[4:7], task.raw[15], task.raw[23]):
    print(f"{pair.request}\n    {pair.sql}")

# %% [markdown]
# A program can find: the same pair twice; the same request in other capitals; a query that does not run; two queries for one
# request that give different results; a style of one's own. **Predict:** how many of the pairs have one of these?

# %%
cl.predict("dirt", f"Pairs with a fault, of {len(task.raw)}", low=0, high=len(task.raw))

# %% [markdown]
# `sql.clean` takes out what must not be learned, and rewrites what may in one style.

# %%
from collections import Counter

import pandas as pd

clean, faults = sql.clean(task.raw, task.databases)
cl.reveal("dirt", len({fault.id for fault in faults}))
found, planted = (Counter(names) for names in ([f.kind for f in faults], [p.planted for p in task.raw if p.planted]))
pd.DataFrame({"found": found, "planted": planted}).rename_axis("fault")

# %% [markdown]
# We had planted these faults ourselves, so we can grade the broom, too. One specimen of each, with what the broom said:

# %%
pairs = {pair.id: pair for pair in task.raw}
for kind in found:
    fault = next(fault for fault in faults if fault.kind == kind)
    said = sql.standard_style(pairs[fault.id].sql) if kind == "style" else fault.note
    print(f"{kind}: {pairs[fault.id].request}\n    {pairs[fault.id].sql}\n    → {said}")

# %% [markdown]
# "high-quality examples", says the source. This is what the word costs: did the broom find all that was planted, and what is left?

# %% tags=["nbval-ignore-output"]
print(f"{len(clean)} of {len(task.raw)} pairs are left, all in one style")
cl.verdict("the broom finds every fault that was planted, and no other", found == planted)

# %% [markdown]
# One fault no broom finds: a query that runs, in style, contradicted by nobody, which answers *another question*. For that,
# somebody has to read.
#
# ### Exercise 1 · A pattern that is missing
# None of the pairs looks at `quantity`, the pieces of an order. Write three pairs that teach it: three *wordings*, and queries in the
# style of the house.

# %% tags=["exercise"]
mine = None  # [("a request", "its query"), ...]
cl.check("03-teach", mine, task=task, column="quantity")

# %% tags=["solution"]
mine = [
    ("Find all orders of more than 3 pieces.", "SELECT * FROM orders WHERE quantity > 3;"),
    ("How many orders are for more than five pieces?", "SELECT COUNT(*) FROM orders WHERE quantity > 5;"),
    ("orders, quantity above 12", "SELECT * FROM orders WHERE quantity > 12;"),
]
cl.check("03-teach", mine, task=task, column="quantity")

# %% [markdown]
# ## What is it to have learned a query?
#
# Three exams ask for more and more, and a fourth for more still. One question of each, with the right answer:

# %%
exams = {"values": task.values, "wordings": task.wordings, "combinations": task.combinations, "second schema": task.second_schema}
for name, exam in exams.items():
    print(f"{name} ({len(exam)} questions): {exam[40].question}\n    {exam[40].answer}")

# %% [markdown]
# - **values**: a pattern and a wording that were studied, with values that were not: another town, another price.
# - **wordings**: a pattern that was studied, asked in words that were not.
# - **combinations**: parts that were studied, put together as never before: joins and groups were seen apart, and are asked together.
# - **second schema**: another database altogether, a lending library. Nothing of it was studied.
#
# No exam question is among what is studied. We make sure:

# %%
cl.check_no_leak(task.train_examples(), *exams.values())
print("no leak")

# %% [markdown]
# ## How to grade a query
#
# By its text? Many texts are right. By reading it? Not hundreds. We *run* it, beside the right one, and compare what
# comes back. On *one* database, though, a wrong query can be lucky:

# %% tags=["nbval-ignore-output"]
right = "SELECT name FROM products WHERE price > 100;"
lucky = "SELECT name FROM products WHERE price >= 100;"


def on_each(query):
    return [sql.same_results(query, right, [database]) for database in task.databases]


same = on_each(lucky)
print("the same result, database by database:", *("✗✓"[hit] for hit in same))
cl.verdict("one database takes this wrong query for right, five do not", same[0] and not all(same))

# %% [markdown]
# In the first database nothing costs exactly 100. In the others something does: they were filled to be crowded at the edges. So
# *right* means, from here on: the same result on all five. (The idea is from Zhong, Yu & Klein 2020, "distilled test suites".)
# And a query may be right without being the text that we expected:

# %%
other = "select p.name from products p where not p.price <= 100"
print("the same result, database by database:", *("✗✓"[hit] for hit in on_each(other)))

# %% [markdown]
# ### Exercise 2 · Get past one guard, not past five
# "Which different cities in Florida do our users live in?" Below is the right query. Write a *wrong* one that the first database
# takes for right, and the five do not. What would a person in a hurry forget?

# %% tags=["exercise"]
slip = "SELECT DISTINCT city FROM users WHERE state = 'FL';"
lucky = None  # a query, as text
cl.check("03-caught", lucky, right=slip, databases=task.databases)

# %% tags=["solution"]
slip = "SELECT DISTINCT city FROM users WHERE state = 'FL';"
lucky = "SELECT city FROM users WHERE state = 'FL';"
cl.check("03-caught", lucky, right=slip, databases=task.databases)

# %% [markdown]
# ### With gloves
#
# A query that a model wrote is a stranger's. It runs in a copy, for a second at most, and only if it is one SELECT and nothing else:

# %%
for attempt in ("DROP TABLE users;", "SELECT 1; SELECT 2;", "PRAGMA table_info(users);", "SELECT load_extension('x');"):
    try:
        sql.run_sql(attempt, first)
    except sql.SqlError as refusal:
        print(f"{attempt}\n    {refusal}")

# %% [markdown]
# ## The front desk
#
# Forty-five kinds of query are much for one lesson. Most of what the house asks comes through the front desk, and it is twelve kinds.
# We begin there: with their pairs, and with the questions of the exams that are about them.

# %%
desk = sql.load_sql().about(sql.FRONT_DESK)
print(f"{len(desk.train)} pairs; exams: {len(desk.values)} questions with new values, {len(desk.wordings)} in new wordings")
for pair in desk.train_pairs(4, seed=2):
    print(f"{pair.request}\n    {pair.sql}")

# %% [markdown]
# ### Before
#
# The generalist, with the tables and the day in its prompt. And once more with three worked pairs shown before each request.
#
# **Predict:** of 16 requests, how many will it answer with a right query when it is shown the examples?

# %%
cl.predict("shots", "Right queries of 16, with three examples", low=0, high=16)

# %% [markdown]
# `✓` is right, `✗` runs and gives something else, `!` does not run.

# %% tags=["nbval-ignore-output"]
gp = cl.load_model()
sixteen = desk.values.sample(16)
before = cl.evaluate(sql.SqlWriter(gp, desk.schema, sixteen, name="before"), sixteen)
before.show(2)
shown = task.train_pairs(3)
few = cl.evaluate(sql.SqlWriter(gp, desk.schema, sixteen, shown, name="three examples"), sixteen)
few.show(3)
cl.reveal("shots", few)

# %% [markdown]
# It knows what SQL looks like. Look at what it makes of the tables' names, and of the request. Two claims of the sources: a
# generic model may not perform well at a special task, and a few examples might do. Both are tried at one half.

# %% tags=["nbval-ignore-output"]
cl.verdict("the generalist gets fewer than half of the front desk's queries right", before, below=0.5)
cl.verdict("shown three examples, it gets more than half of them right", few, above=0.5)

# %% [markdown]
# ### Three hundred pairs
#
# Now it studies: one pass over 300 pairs, spread evenly over the twelve patterns and their wordings. The completion is the query and
# nothing else. *LoRA* leaves the model's weights as they are and trains new numbers beside them, about two per cent more (lesson
# 04 is about it).
#
# **Predict:** of all its questions with new values, how many will it get right?

# %%
cl.predict("live", f"Right queries of {len(desk.values)}, with values never seen", low=0, high=len(desk.values))

# %% [markdown]
# The longest cell of the lesson.

# %% tags=["nbval-ignore-output"]
study = desk.train_examples(300)
recipe = dict(epochs=1, learning_rate=2e-3, batch_size=2, order="random")
specialist = cl.finetune(gp, study, name="03-front-desk", **recipe)
on_values = cl.evaluate(sql.SqlWriter(specialist, desk.schema, desk.values, name="300 pairs"), desk.values)
on_wordings = cl.evaluate(sql.SqlWriter(specialist, desk.schema, desk.wordings, name="300 pairs"), desk.wordings)
on_values.show(3)
cl.reveal("live", on_values)
print(on_wordings)

# %% [markdown]
# Compare one of the answers with those before: the chatter is gone, and so is the fence around the code. Then the loss:

# %% tags=["nbval-ignore-output"]
cl.plots.losses({"300 pairs": specialist.training.losses}, "Loss on the queries, while studying")

# %% [markdown]
# A skill came out of three hundred examples and a few minutes. All three side by side; seconds are those of this machine, a query each:

# %% tags=["nbval-ignore-output"]
reports = {"before": before, "three examples": few, "300 pairs": on_values, "300 pairs, new wordings": on_wordings}
pd.DataFrame({name: {"right": r.accuracy, "the expected text": r.exact, "does not run": r.invalid, "n": r.n,
                     "s a query": r.seconds_per_question, "tokens a query": r.tokens_per_question}
              for name, r in reports.items()}).T.round(2)

# %% [markdown]
# The specialist is quicker, too: it reads no examples, and it stops where the query ends. Is it better than three examples, on
# those same requests? And was it words that it learned, or queries?

# %% tags=["nbval-ignore-output"]
answered = {row.id: row for row in on_values.rows}
same_requests = cl.Report("300 pairs", few.exam, [answered[row.id] for row in few.rows])
cl.verdict("300 pairs studied beat three examples shown", same_requests - few)
cl.verdict("asked in words it never studied, it is right more often than not", on_wordings, above=0.5)

# %% [markdown]
# ### What goes wrong?
#
# A query can be of the right *shape* with a wrong value in it ('FLA' for 'FL'), or be another query altogether. Blank out values and
# compare:

# %% tags=["nbval-ignore-output"]
import re


def shape(query):
    return re.sub(r"'[^']*'|\b\d+\b", "?", sql.standard_style(query))


missed = [row for report in (on_values, on_wordings) for row in report.rows if row.verdict in ("wrong", "invalid")]
kinds = Counter("does not run" if row.verdict == "invalid" else "right shape, wrong value"
                if shape(row.reply) == shape(row.expected) else "another query" for row in missed)
on_wordings.show(3, "wrong")
pd.Series(kinds, name="answers", dtype=int).to_frame()

# %% [markdown]
# Where the shape is wrong, the *request* was misunderstood. Where it is right, the value is: a state abbreviated wrongly, a name or a date
# that was not copied out of the request letter by letter.
#
# ## How many pairs?
#
# "Hundreds or even thousands", says the source. Beforehand, specialists for the desk were trained on more and more pairs, three of
# each, everything else alike. **Predict:** and with only 50?

# %%
cl.predict("fifty", "After 50 pairs: right queries with new values, in per cent", low=0, high=100)

# %% [markdown]
# The lines are stored: means of three seeds, with a band from the worst to the best. The stars are yours, of a moment ago.

# %% tags=["nbval-ignore-output"]
from statistics import mean

stored = cl.load_results("03")
sizes = sorted(map(int, stored["desk_curve"]))
lines = {f"new {exam}": [stored["desk_curve"][str(n)][exam] for n in sizes] for exam in ("values", "wordings")}
cl.reveal("fifty", round(100 * mean(stored["desk_curve"]["50"]["values"])))
cl.plots.curve(
    sizes, {name: list(map(mean, marks)) for name, marks in lines.items()}, "The desk: how many pairs? (lines stored, stars live)",
    "pairs studied", "share right", {name: [(min(m), max(m)) for m in marks] for name, marks in lines.items()}, logx=True,
    live={"yours, values": (300, on_values.accuracy), "yours, wordings": (300, on_wordings.accuracy)},
)  # fmt: skip

# %% [markdown]
# What did each step bring?

# %%
gains = pd.DataFrame({name: list(map(mean, marks)) for name, marks in lines.items()}, index=sizes).diff().round(2)
gains.iloc[1:].rename_axis("more right, with pairs up to")

# %% [markdown]
# For one desk, "hundreds" is right, and each doubling still pays at the end of the line. Fifty pairs teach what a query looks like; the values
# and words that they did not hold are what the next hundreds bring.

# %% [markdown]
# ### The whole house
#
# Twelve patterns were a desk. What do 300 pairs do when they are spread over all 45, and what do all pairs? The same recipe, the
# questions of the whole house:

# %%
of_the_house = {f"new {exam}, {stored['pairs'][arm]:,} pairs": stored["house"][arm][exam]
                for exam in ("values", "wordings") for arm in ("house", "whole")}
cl.plots.bars([(label, figures["accuracy"], *figures["ci"]) for label, figures in of_the_house.items()],
              "The whole house: right queries (stored, three seeds)")

# %% [markdown]
# The same 300 pairs, spread over almost four times as many patterns, teach each of them less: what counts is how many pairs a *pattern*
# gets. Let an expert be one who is right nine times of ten, in words that were not studied. Do hundreds make an expert of this
# house?

# %% tags=["nbval-ignore-output"]
from course_lib.evaluation.kept import runs

cl.verdict("300 pairs make an expert of the whole house", runs("03/house-seed-*-wordings", "300 pairs"), above=0.9)
cl.verdict("all the pairs make an expert of the whole house", runs("03/whole-seed-*-wordings", "all pairs"), above=0.9)

# %% [markdown]
# So "hundreds or even thousands" is a statement about how much there is to learn.
#
# Which patterns are hard? Three specialists of 300 pairs, and three of all pairs; the dozen hardest of the patterns
# that both exams ask about:

# %%
by_pattern = stored["patterns"]
shares = pd.DataFrame({
    f"{exam}, {stored['pairs'][arm]:,} pairs": {pattern: right / asked for pattern, (right, asked) in by_pattern[arm][exam].items()}
    for arm in ("house", "whole") for exam in ("values", "wordings")
}).dropna()  # fmt: skip
hardest = shares.loc[shares.iloc[:, :2].sum(axis=1).sort_values(kind="stable").index[:12]]
cl.plots.heatmap(hardest.values.tolist(), list(hardest.index), list(shares.columns), "The hardest patterns", "share right")

# %% [markdown]
# The weakest are mostly queries over two tables: they need the most to be right at once, and each pattern had about seven pairs to teach
# it. With all pairs, hardly a cell is pale.
#
# ### Exercise 3 · Where would more pairs help most?
# Below: for each pattern, right answers and questions, over three specialists of 300 pairs, in words that were never studied. Name the
# weakest pattern.

# %%
counts = by_pattern["house"]["wordings"]
table = pd.DataFrame(counts, index=["right", "asked"]).T.rename_axis("pattern")
table.sort_values("right").head(8)

# %% [markdown]
# If several are equally weak, any of them will do.

# %% tags=["exercise"]
weakest = None  # the name of a pattern
cl.check("03-weakest", weakest, counts=counts)

# %% tags=["solution"]
weakest = min(counts, key=lambda pattern: counts[pattern][0] / counts[pattern][1])
cl.check("03-weakest", weakest, counts=counts)

# %% [markdown]
# ## All the pairs
#
# From here on we work with the specialist that studied all of them. It was trained beforehand by exactly this call, and comes from the
# shelf. (To train it here, take `from_shelf=True` away, and some time.)

# %% tags=["nbval-ignore-output"]
whole = cl.finetune(gp, task.train_examples(), name="03-whole", from_shelf=True, **recipe)
asked = task.combinations.sample(24)
together = cl.evaluate(sql.SqlWriter(whole, task.schema, asked, name="all pairs"), asked)
together.show(3)

# %% [markdown]
# These were *combinations*: it has seen joins, and it has seen groups, and never the two together. Read what it got wrong: is the join
# there? Is the group?

# %% tags=["nbval-ignore-output"]
together.show(4, "wrong")
print(together)

# %% [markdown]
# ### All candidates, all exams
#
# Every candidate at full size, stored: the generalist with and without examples, and the specialists of 300 pairs and of all
# (three seeds each).

# %%
names = ["values", "wordings", "combinations", "second_schema"]
labels = {"before": "before", "examples": "three examples", "house": "300 pairs", "whole": "all pairs"}
marks = {labels[arm]: [stored["house"][arm][exam]["accuracy"] for exam in names] for arm in labels}
asked_of = [f"{name.replace('_', ' ')}, n = {stored['house']['before'][name]['n']}" for name in names]
cl.plots.heatmap(list(marks.values()), list(marks), asked_of, "The whole house: right queries, by candidate and exam", "share right")

# %% [markdown]
# With their intervals. An expert at turning English into SQL, says the source. Then it is right more often than not in new
# combinations, too, and about other tables.

# %% tags=["nbval-ignore-output"]
def told(row):
    return f"{row['accuracy']:.2f} ({row['ci'][0]:.2f} to {row['ci'][1]:.2f})"


few_pairs, all_pairs = (runs(f"03/{arm}-seed-*-second_schema", labels[arm]) for arm in ("house", "whole"))
combined = runs("03/whole-seed-*-combinations", "all pairs")
cl.verdict("the expert is right more often than not in new combinations", combined, above=0.5)
cl.verdict("the expert is right more often than not about other tables", all_pairs, above=0.5)
cl.verdict("about other tables, all pairs are better than 300", all_pairs - few_pairs)
intervals = pd.DataFrame({labels[arm]: {exam: told(stored["house"][arm][exam]) for exam in names} for arm in labels}).T
intervals.rename_axis("candidate")

# %% [markdown]
# Four exams, and as many answers:
# - **Examples in the prompt** hardly help a model of this size. *"A few examples might do"* fails here; with a larger model it need not.
# - **New wordings** are almost as good as new values, once the pairs are many. That is what fine-tuning is for.
# - **Combinations** are hardly ever right: it learned queries, and not how queries are put together. Train on the combinations
#   that your users will ask for.
# - **Another schema** is worse after *all* pairs than after 300. One who has studied one shop longest is at home there, and nowhere else.
#
# ### LoRA or every weight?
#
# At the desk, the same 300 pairs were also studied by *full* fine-tuning, which moves every weight. Its learning rate was chosen as LoRA's
# was, on validation questions.

# %%
on_exam = "values"
arms = {"before": "before", "examples": "three examples", "desk": "LoRA, 300 pairs", "full": "full, 300 pairs", "whole": "LoRA, all pairs"}
bars = [(label, stored["desk"][arm][on_exam]["accuracy"], *stored["desk"][arm][on_exam]["ci"]) for arm, label in arms.items()]
cl.plots.bars(bars, f"The front desk, new {on_exam}: right queries (stored)")

# %% [markdown]
# *Exact*: the expected text, word for word. *Fails*: does not run. And what the study cost, in minutes of one core and in millions of trained numbers.

# %%
counted = {"accuracy": "right", "exact": "exact", "invalid": "fails"}
rows = {label: {(f"new {exam}", name): f"{stored['desk'][arm][exam][key]:.2f}" for exam in ("values", "wordings")
                for key, name in counted.items()} for arm, label in arms.items()}
for arm in ("desk", "full", "whole"):
    took = stored["training"][arm]
    rows[arms[arm]] |= {("study", "minutes"): f"{mean([run['processor_seconds'] / 60 for run in took]):.1f}",
                        ("study", "trained, M"): f"{took[0]['trainable'] / 1e6:.1f}"}
pd.DataFrame(rows).T.fillna("")

# %% [markdown]
# *Right* and *exact* lie close together: a specialist writes the query in the house's own style, or it writes another.
# Is LoRA as good as training every weight? Paired, question by question, three seeds:

# %% tags=["nbval-ignore-output"]
for exam in ("values", "wordings"):
    lora, full = (runs(f"03/{arm}-seed-*-{exam}", name) for arm, name in [("desk", "LoRA"), ("full", "full")])
    cl.verdict(f"LoRA is as good as training every weight, with new {exam}", lora - full, as_good=True)

# %% [markdown]
# The intervals reach beyond 0.05 on one side: with so few questions we cannot tell, though full is not behind in either line. The bill
# *can* be told apart, in the table's last two columns. Why so few new numbers are enough is the subject of lesson 04.

# %% [markdown]
# ## "Last month" is a date
#
# The same request, on three days. The specialist knows the day from its prompt, and only from there.

# %% tags=["nbval-ignore-output"]
dated = sql.SqlWriter(whole, task.schema)
request = "Count the number of orders placed last month."
last_month = {"2022-08-15": "2022-07", "2023-03-02": "2023-02", "2024-01-10": "2023-12"}
queries = {day: dated.ask(request, day).sql for day in last_month}
for day, query in queries.items():
    print(f"{day} (last month: {last_month[day]})\n    {query}")

# %% [markdown]
# The query follows the day. January is the hard one, as the month before lies in another year: did it get that right? A wrong month
# runs as well as a right one, and gives a number that nobody doubts. Now without the day in the prompt. What is left to it?

# %% tags=["nbval-ignore-output"]
print("no day: ", dated.ask(request).sql)

# %% [markdown]
# It does not say that it cannot know. It names *some* time, as sure of it as ever. Over all questions that need the day, with it and without
# (questions of three seeds):

# %% tags=["nbval-ignore-output"]
cl.verdict("three days in the prompt give three different queries", len(set(queries.values())), above=2)
with_day, without = (runs(f"03/whole-seed-*-{how}-the-day", f"{how} the day") for how in ("with", "without"))
cl.verdict("where a request needs the day, the prompt must tell it", with_day - without)
learned = {pair.pattern for pair in task.train}
for what in stored["day"]:
    right, of = (sum(counts) for counts in zip(*(n for kind, n in by_pattern["whole"][what].items() if kind in learned)))
    print(f"{what.replace('_', ' '):16} of studied patterns {right / of:.2f} right (n = {of})")

# %% [markdown]
# The rest are combinations, which fail either way. What is right without the day was a lucky year. A model has no clock. What it must know of the moment, the prompt has to say.
#
# ## Another database
#
# The lending library: other tables, other columns, given in the prompt and never studied. What carries over?

# %%
print(task.other_schema.lines)
cl.predict("library", "Right queries about the library, in per cent", low=0, high=100)

# %% [markdown]
# Three requests, and then the whole exam as it was measured:

# %% tags=["nbval-ignore-output"]
librarian = sql.SqlWriter(whole, task.other_schema)
for question in (task.second_schema[0], task.second_schema[24], task.second_schema[40]):
    print(f"{question.question}\n    said:  {librarian.ask(question.question, question.source).sql}\n    right: {question.answer}")
cl.reveal("library", round(100 * stored["house"]["whole"]["second_schema"]["accuracy"]))

# %% [markdown]
# Which kinds of query came through, and which did not? Over three seeds:

# %%
carried = by_pattern["whole"]["second_schema"]
print("right at least every other time:", *(pattern for pattern, (right, asked) in carried.items() if 2 * right >= asked), sep="\n  ")
print("never right:", ", ".join(pattern for pattern, (right, asked) in carried.items() if right == 0))

# %% [markdown]
# What came through looks like the shop's own queries: one table, and a filter whose column the request names. What did not: anything
# about *members* and *loans*, which it takes for its users and its orders. Long study of one shop made it deaf to the tables
# in its prompt. If your tables change, train on many schemas, so that reading them is what is learned: the Spider collection (Yu et al. 2018)
# has two hundred databases for this reason.

# %% [markdown]
# ## Ask the shop
#
# Type a request of your own. You get the query, its table, and the *confidence*: the probability of the token that the
# model was least sure of. One wrong name spoils a query, so the weakest link counts.

# %%
from course_lib.lessons import sliders

sliders.sql_chat(dated, today="2024-03-06")

# %% [markdown]
# The same box without widgets, once for something that it has studied, and once for something that nobody ever asked:

# %% tags=["nbval-ignore-output"]
sliders.sql_chat(dated, today="2024-03-06", ask="Which lamps cost less than 80 crowns? Names only.")
print()
sliders.sql_chat(dated, today="2024-03-06", ask="Which state has the users with the longest names?")

# %% [markdown]
# Is the confidence worth anything? For all requests in new wordings and new combinations we kept how sure it was, and whether it was
# right. Answer only when sure: how many requests are answered then, and how many of those answers are right?

# %% tags=["nbval-ignore-output"]
asked_for = [0, 0.2, 0.4, 0.6, 0.8, 0.9]
kept = [[right for sure, right in stored["confidence"] if sure >= least] for least in asked_for]
cl.plots.curve(asked_for, {"right, of those": [mean(marks) for marks in kept],
                           "answered at all": [len(marks) / len(kept[0]) for marks in kept]},
               f"Answer only when sure? (stored, n = {len(kept[0])})", "confidence asked for", "share")

# %% [markdown]
# The more sure you ask it to be, the fewer requests it answers, and the more of those are right: its confidence is worth something. It is no
# promise. A line that never reaches the top means that some queries were wrong and *sure*: read on.

# %%
sure, unsure = ([right for p, right in stored["confidence"] if (p >= 0.9) == high] for high in (True, False))
print(f"right where the confidence was 0.9 or more: {mean(sure):.2f} (n = {len(sure)}); elsewhere: {mean(unsure):.2f} (n = {len(unsure)})")

# %% [markdown]
# ## How the recipe was chosen
#
# Learning rate, batch size, layers and order were not chosen on any of these exams, but on validation questions, which nothing else
# uses: 300 pairs of all patterns, one pass, a recipe each. *Order* says how pairs are put into batches: at random, or pairs of about
# one *length* together, which saves padding. Minutes are those of one core.

# %%
tried = pd.DataFrame([{**row, "minutes": round(row["training"]["processor_seconds"] / 60, 1),
                       "right": told(row)} for row in (*stored["validation"]["lora"], *stored["validation"]["full"])])
print(f"n = {tried['n'][0]} validation questions, after {stored['pairs']['house']} pairs")
tried["method"] = tried["method"].fillna("lora")
tried[["method", "learning_rate", "batch_size", "layers", "order", "right", "minutes"]].fillna("")

# %% [markdown]
# Grouped by length, the short pairs share their batches, and where a long batch comes late or early matters in a run of one pass: at random it
# did better. Smaller batches mean more steps with the same pairs, and more steps paid. Many of these intervals overlap: so few questions
# pick a good recipe, and do not prove it best. Full fine-tuning's three are as good as equal, and its first was kept.
#
# **If you'd rather measure than believe:** take the recipe's second row, train the desk with it, and let `cl.compare` say whether it differs.

# %% [markdown]
# ## Quiz

# %%
cl.quiz("03")

# %% [markdown]
# ## What was measured

# %%
print("The whole house; at the desk, after 300 pairs: new values", told(stored["desk"]["desk"]["values"]),
      "· new wordings", told(stored["desk"]["desk"]["wordings"]))
intervals

# %% [markdown]
# How far you have come, and what is next:

# %% tags=["nbval-ignore-output"]
cl.progress()

# %% [markdown]
# | claim | here |
# |---|---|
# | *fine-tuned on prompt-completion pairs, a model is an expert at turning English into SQL* | **holds for what it studied**, in new words too; **refuted** for new combinations and new tables |
# | *you would need hundreds or even thousands of high-quality examples* | **holds**: hundreds for a desk, thousands for a house; "high-quality" was work for a broom and a person |
# | *a few examples in the prompt might do* | **refuted** at this size: three examples gave hardly a right query |
# | *the result is a new model file* | **holds partly**: a small one, which you took from the shelf; it needs the model beside it |

# %% [markdown]
# ## Where it stops being true
#
# - One shop, and wordings that few hands wrote. Your colleagues will find words that nobody here thought of: keep what they ask, and study it.
# - Databases of some dozens of rows say whether a query is *right*, not whether it is fast.
# - A right query is not a permitted one. What somebody may see belongs into the database's rights, not into a prompt.
# - A larger model does better with examples alone (`COURSE_PROFILE=gpu`, or `cl.load_model("owner/name")`): try that first.
#
# Next: [04 · LoRA, QLoRA and their family](04_lora_qlora.ipynb), where we find out why so few new numbers were enough.
