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
# Everybody in the house has questions for the shop's database. One person in the house writes SQL, and is on holiday. Can a
# model that fits on a memory stick stand in?
#
# By the end you will have
# - trained a specialist in minutes, and held it against larger models that nobody trained: who is right, and what does a
#   query cost;
# - graded SQL the only honest way: by running it, on more than one database;
# - seen where the skill ends, and let strangers set the exam;
# - asked a database in English, and learned when to believe the answer.
#
# **Time** 45 minutes; the machine works for about 6 of them (2 cores). **Before this**
# [lesson 01](01_what_is_fine_tuning.ipynb): what training does, and what held-out questions are for. No SQL.
#
# **Claims on trial** from the course's sources: *fine-tuned, a model is an expert at turning English into SQL* · *you would
# need hundreds or even thousands of examples* · *a few examples in the prompt might do* · *cheaper and faster: fine-tune a
# smaller model instead of using an expensive general-purpose one*.

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
first = task.databases[0]
print(task.schema.lines)
first.head("users", 3)

# %% [markdown]
# > **SQL in one minute.** `SELECT name FROM users WHERE state = 'CA'` means: from the table of users, take the rows whose
# > state is CA, and show their names. `*` means all columns. `COUNT(*)` counts rows. `GROUP BY state` makes a pile of rows
# > for each state, and then `COUNT(*)` counts each pile. `ORDER BY price DESC LIMIT 3` sorts, the highest first, and keeps
# > three. `JOIN users ON orders.user_id = users.id` puts beside each order the user who placed it.
#
# All of it in one query: *from which three states do most orders come?*

# %%
most = """SELECT users.state, COUNT(*)
          FROM orders JOIN users ON orders.user_id = users.id
          GROUP BY users.state ORDER BY COUNT(*) DESC LIMIT 3;"""
sql.run_sql(most, first)

# %% [markdown]
# ## Pairs
#
# A specialist learns from *prompt-completion pairs*: a request, and the query that was wanted. Here are the two pairs that
# the course's sources give, word for word; both are among ours. A *pattern* is a query whose values are left open: the users
# of *some* state. At the end stands all that the model reads. "Last month" is not a date, so the prompt says which day it is.

# %%
california, last_month = task.train[0], task.train[1415]
for pair in (california, last_month):
    print(f"today {pair.today}: {pair.request}\n    {pair.sql}\n")
patterns = {pair.pattern for pair in task.train}
cl.say(f"In all there are {len(task.train):,} pairs, of {len(patterns)} patterns.")
for message in sql.sql_prompt(last_month.request, task.schema, last_month.today):
    print(f"[{message['role']}]\n{message['content']}\n")

# %% [markdown]
# ## How to grade a query
#
# By its text? Many texts are right. By reading it? Not hundreds. We *run* it, and compare what comes back with what the
# right query gives. On *one* database, though, a wrong query can be lucky:
#
# ![Run on five databases beside the wanted query, SELECT name FROM products WHERE price > 100: SELECT name FROM products WHERE price >= 100 gives the same rows on 1 of 5: caught; SELECT name FROM products WHERE NOT price <= 100 gives the same rows on 5 of 5: right.](../images/five_databases.png)
#
# So from here on *right* means: the same result on all five. (The idea is from Zhong, Yu & Klein 2020, "distilled test
# suites".) And what a model has just written, nobody has checked. So its query runs in a copy of the database, for a second
# at most, and only if it is one SELECT and nothing else.

# %% tags=["nbval-ignore-output"]
right = "SELECT name FROM products WHERE price > 100;"
lucky = "SELECT name FROM products WHERE price >= 100;"
same = [sql.same_results(lucky, right, [database]) for database in task.databases]
cl.verdict("one database takes this wrong query for right, five do not",
           same[0] and not all(same))
try:
    sql.run_sql("DROP TABLE users;", first)
except sql.SqlError as refusal:
    print(refusal)

# %% [markdown]
# ### Exercise 1 · Get past one guard, not past five
#
# "Which different cities in Florida do our users live in?" Below is the right query. Write a *wrong* one that the first
# database takes for right, and the five do not. What would a person in a hurry forget?

# %% tags=["exercise"]
slip = "SELECT DISTINCT city FROM users WHERE state = 'FL';"
attempt = None  # a query, as text
cl.check("03-caught", attempt, right=slip, databases=task.databases)

# %% tags=["solution"]
slip = "SELECT DISTINCT city FROM users WHERE state = 'FL';"
attempt = "SELECT city FROM users WHERE state = 'FL';"
cl.check("03-caught", attempt, right=slip, databases=task.databases)

# %% [markdown]
# ## Before
#
# Most of what the house asks comes through the front desk, and follows twelve patterns. We begin there. The untrained model
# gets the tables and the day; in a second round, also three pairs as examples before each request.
#
# **Predict:** of 16 requests, how many does it get right with the examples?

# %%
desk = task.about(sql.FRONT_DESK)
cl.predict("shots", "Right queries of 16, with three examples", low=0, high=16)

# %% [markdown]
# `✓` is right, `✗` runs and gives something else, `!` does not run.

# %% tags=["nbval-ignore-output"]
gp = cl.load_model()
sixteen = desk.values.sample(16)
shown = task.train_pairs(3)
bare = sql.SqlWriter(gp, desk.schema, sixteen, name="no example")
helped = sql.SqlWriter(gp, desk.schema, sixteen, shown, name="three examples")
before, few = (cl.evaluate(writer, sixteen) for writer in (bare, helped))
few.show(4)
cl.reveal("shots", few)
cl.verdict("the generalist gets fewer than half of the front desk's queries right",
           before, below=0.5)
cl.verdict("shown three examples, it gets more than half of them right", few, above=0.5)

# %% [markdown]
# It knows what SQL looks like. Look at what it makes of the tables' names.
#
# ## Three hundred pairs
#
# Now it studies: one pass over 300 pairs, spread evenly over the twelve patterns. The completion is the query and nothing
# else. The exam asks for values that were not studied: another town, another price.
#
# **Predict:** of all the questions of that exam, how many will it get right?

# %%
n = len(desk.values)
cl.predict("live", f"Right queries of {n}, with values never seen", low=0, high=n)

# %% [markdown]
# The longest cell of the lesson: about three minutes. **While it studies,** be the examiner. *"Which of our users in Texas have
# no email address? Names only."* One of these is right:
#
# 1. `SELECT name FROM users WHERE state = 'TX' AND email = NULL;`
# 2. `SELECT name FROM users WHERE state = 'Texas' AND email IS NULL;`
# 3. `SELECT name FROM users WHERE state = 'TX' AND email IS NULL;`
# 4. `SELECT * FROM users WHERE state = 'TX' AND email IS NULL;`
#
# <details><summary>Which, and what is wrong with the others?</summary>
#
# The third. In the first, nothing is ever *equal* to NULL, so no row comes back. The second spells
# the state out, and the table does not. The fourth gives all columns. All four run, and none complains: a wrong query is
# worse than one that breaks.
# </details>

# %% tags=["nbval-ignore-output"]
study = desk.train_examples(300)
recipe = dict(epochs=1, learning_rate=2e-3, batch_size=2, order="random")
specialist = cl.finetune(gp, study, name="03-front-desk", **recipe)
on_values, on_wordings = (
    cl.evaluate(sql.SqlWriter(specialist, desk.schema, exam, name="300 pairs"), exam)
    for exam in (desk.values, desk.wordings)
)
on_wordings.show(5)
cl.reveal("live", on_values)

# %% [markdown]
# Is that better than three examples, on the same requests? And did it learn what is meant, or only our words for it? The
# table above is from a second exam: the patterns that it studied, asked in words that it did not.

# %% tags=["nbval-ignore-output"]
answered = {row.id: row for row in on_values.rows}
same_requests = cl.Report("300 pairs", few.exam, [answered[row.id] for row in few.rows])
cl.verdict("300 pairs studied beat three examples shown", same_requests - few)
cl.verdict("asked in words it never studied, it is right more often than not",
           on_wordings, above=0.5)

# %% [markdown]
# ## Small and trained, or large and not?
#
# *"Cheaper and faster: fine-tune a smaller model instead of using an expensive general-purpose one."* In its place we take
# larger students of lesson 00, several times the size and made for code. Those in the table below sat the same exam
# beforehand, untrained, without examples and with three; the better try counts. Against them: three specialists that
# studied 300 pairs, as yours did.
#
# **Predict:** how many of the front desk's requests does the largest one get right, untrained?

# %%
cl.predict("larger", "The largest, untrained: right, in per cent", low=0, high=100)

# %% [markdown]
# What a query costs is worked out from its tokens: billions of multiplications and additions (GFLOP), seconds on two slow
# cores, and dollars for a million queries on a rented card that is never idle. The last row is priced only, as a host would
# charge it.

# %% tags=["nbval-ignore-output"]
from course_lib.costs.prices import load_prices

at_home = sql.contest("front desk values", "300 pairs")
cl.reveal("larger", round(100 * at_home.larger.share()[0]))
cl.verdict("at its desk the specialist beats the largest untrained student",
           at_home.specialist - at_home.larger)
costs = at_home.costs(load_prices(today="2026-11-30"))
ours, theirs = costs["GFLOP"].iloc[[0, -2]]
cl.verdict("its query takes less than half of the computing (of the largest's)",
           ours / theirs, below=0.5)
costs

# %% [markdown]
# So the sources are right, at the desk, as far as we could examine: the small specialist is right more often than a larger
# student, faster, and cheaper. How often a host's model would be right, the table does not say: it sat no exam of ours. Nor
# does it say that somebody has to write three hundred pairs. [Lesson 08](08_shipping.ipynb) puts those hours on the bill.
#
# ## How many pairs?
#
# "Hundreds or even thousands", says the source. Specialists for the desk were trained beforehand on more and more pairs, three
# of each: the lines are their means, the star is yours.

# %% tags=["nbval-ignore-output"]
from statistics import mean

curve = cl.load_results("03")["desk_curve"]
lines = {f"new {exam}": [mean(marks[exam]) for marks in curve.values()]
         for exam in ("values", "wordings")}
live = {"yours, new values": (300, on_values.accuracy)}
cl.plots.curve([int(n) for n in curve], lines, "The desk: how many pairs?",
               "pairs studied", "share right", logx=True, live=live)

# %% [markdown]
# Let us call a specialist an expert if it is right nine times out of ten. On average, hundreds of pairs make one for the
# desk: both lines end above that. And for the whole house, with all its patterns, in new words?

# %% tags=["nbval-ignore-output"]
from course_lib.evaluation.kept import runs

few_pairs = runs("03/house-seed-*-wordings", "300 pairs")
home = sql.contest("house wordings", "1,940 pairs")
cl.verdict("300 pairs make an expert of the whole house", few_pairs, above=0.9)
cl.verdict("all the pairs make an expert of the whole house",
           home.specialist, above=0.9)

# %% [markdown]
# What seems to count is how many pairs each *pattern* gets: "hundreds or even thousands" depends on how much there is to
# learn.
# (The [appendix](appendix/03_pairs_and_recipes.ipynb) shows dirty pairs and how they are cleaned, which patterns are hard,
# and how the recipe was chosen.)
#
# ## Home and abroad
#
# An expert, then. At what? Here is one question from each of three exams, with the right query:

# %%
for exam in (task.wordings, task.combinations, task.second_schema):
    asked = exam[40]
    print(f"{exam.name}, n = {len(exam)}\n    {asked.question}\n    {asked.answer}")

# %% [markdown]
# - **wordings**: patterns that were studied, in words that were not. This is home.
# - **combinations**: what was studied apart is asked together, a join *and* a group, say.
# - **second schema**: a lending library. (A *schema* says which tables and columns there are.) Its tables stand in the
#   prompt, and were never studied.
#
# From here on we work with a specialist of all the pairs. It was trained beforehand by exactly this call, and comes from the
# shelf. (Without `from_shelf=True` it trains here, for some time.) What does it make of the last two?

# %% tags=["nbval-ignore-output"]
pairs = task.train_examples()
whole = cl.finetune(gp, pairs, name="03-whole", from_shelf=True, **recipe)
for exam, schema in ((task.combinations, task.schema),
                     (task.second_schema, task.other_schema)):
    asked = exam.sample(6)
    cl.evaluate(sql.SqlWriter(whole, schema, asked), asked).show(4)

# %% [markdown]
# Often it writes *one* of the queries that it knows, and in the library it may ask for the shop's tables. Now three such
# specialists in all three exams, beside the untrained students:

# %% tags=["nbval-ignore-output"]
combined = sql.contest("house combinations", "1,940 pairs")
abroad = sql.contest("second schema", "1,940 pairs")
for where, one in (("in new combinations", combined), ("about other tables", abroad)):
    cl.verdict(f"the expert is right more often than not {where}",
               one.specialist, above=0.5)
    cl.verdict(f"{where} the largest untrained student beats the expert",
               one.larger - one.specialist)
few_abroad = runs("03/house-seed-*-second_schema", "300 pairs")
cl.verdict("about other tables, all pairs are better than 300",
           abroad.specialist - few_abroad)
cl.plots.dots({one.exam: one.shares() for one in (home, combined, abroad)},
              "The expert at home and abroad")

# %% [markdown]
# At home no untrained student comes near it. Outside it is the other way round: the largest, which nobody trained, is far
# ahead. And after all the pairs of one shop, the expert does worse in the library than after 300. So train on the
# combinations that your users will ask for; and if your tables change, train on many schemas (the Spider collection, Yu et
# al. 2018, has two hundred databases for this reason), or take a larger model and do not train it.
#
# ## The stranger's exam
#
# All these exams were written by the same hand as the pairs. So we asked others. Two writers saw the shop's tables, but no
# pattern and no pair, and wrote down what people in a shop would type.
#
# **Predict:** how many of their requests does the expert answer with a right query?

# %%
n = len(task.stranger)
cl.predict("stranger", f"Right queries of {n}, asked by strangers", low=0, high=n)

# %% [markdown]
# It answers them now, in a minute or two. **Meanwhile,** write down two requests of your own to this shop.

# %% tags=["nbval-ignore-output"]
writer = sql.SqlWriter(whole, task.schema, task.stranger, name="all pairs",
                       max_new_tokens=256)  # some right answers are long
on_strangers = cl.evaluate(writer, task.stranger)
on_strangers.show(6)
cl.reveal("stranger", on_strangers)
strangers = sql.contest("stranger", "1,940 pairs", on_strangers)
cl.verdict("asked by strangers, the expert is right more often than not",
           on_strangers, above=0.5)
cl.verdict("strangers are served better by the largest untrained student",
           strangers.larger - strangers.specialist)
cl.plots.dots({one.exam: one.shares() for one in (home, strangers)},
              "One shop, two examiners")

# %% [markdown]
# Read the requests once more: a greeting, "how many different customers", "leave out those with no email". None of these is
# exotic, and none stood in our pairs. They are hard for the untrained students, too; but the largest, which saw none of our
# pairs, serves these people better than our expert. The expert passed *our* exam, and that is all we knew. **A test written
# by the hand that wrote the training pairs shows how well the two agree, not what users will get.** So let those who will
# use your specialist set its exam, and keep what they ask: those are the pairs to write next.
#
# ## "Last month" is a date
#
# The same request, on three days, and with no day at all:

# %% tags=["nbval-ignore-output"]
dated = sql.SqlWriter(whole, task.schema)
days = ("2022-08-15", "2023-03-02", "2024-01-10", None)
queries = [dated.ask(last_month.request, day).sql for day in days]
for day, query in zip(days, queries):
    print(f"{day or 'no day'}\n    {query}")
cl.verdict("three days in the prompt give three different queries",
           len(set(queries[:3])), above=2)
with_day = runs("03/whole-seed-*-with-the-day", "with the day")
without = runs("03/whole-seed-*-without-the-day", "without the day")
cl.verdict("where a request needs the day, the prompt must tell it", with_day - without)

# %% [markdown]
# Three different queries need not be three right ones. January is the hard day, as the month before lies in another year: did
# it get that right? Without a day it does not say that it cannot know; it names *some* time. A model has no clock: what it
# has to know of the moment, the prompt has to say.
#
# ## Ask the shop
#
# Type a request of your own. You get the query, its result, and the *confidence*: the probability of the token that the
# model was least sure of. One wrong name spoils a query, so the weakest link counts. Below is one answer without typing.

# %% tags=["nbval-ignore-output"]
from course_lib.lessons import sliders

day, request = "2024-03-06", "Which lamps cost less than 80 crowns? Names only."
sliders.sql_chat(dated, today=day)
sliders.sql_chat(dated, today=day, ask=request)

# %% [markdown]
# Is the confidence worth anything? For one expert we kept how sure it was of each query. Suppose it answers only when it is
# at least so sure: how many of those answers are right?

# %% tags=["nbval-ignore-output"]
sure = sql.how_sure()
for exam in ("new wordings", "new combinations"):
    cl.verdict(f"where it is 0.9 sure of a query in {exam}, nine of ten are right",
               sure[exam].at_least(0.9), above=0.9)
least = [0, 0.2, 0.4, 0.6, 0.8, 0.9]
right = {exam: [one.at_least(p).accuracy for p in least] for exam, one in sure.items()}
cl.plots.curve(least, right, "Of the queries it was so sure of, how many were right?",
               "confidence", "share right")

# %% [markdown]
# At home you can trust it: where it is very sure, it is nearly always right. Abroad it is so sure less often, and even then
# it is mostly wrong: the same number is worth very little there. So choose such a threshold with requests like those that
# will come, not with your own exam.

# %% tags=["plain", "nbval-ignore-output"]
# @title The same in plain transformers and sqlite3
import sqlite3

model, tokenizer = whole.model, whole.tokenizer  # PEFT's and transformers' own
shop = sqlite3.connect(":memory:")
for file in ("schema", "shop_1"):
    with open(f"../data/sql/{file}.sql", encoding="utf-8") as lines:
        shop.executescript(lines.read())
shop.execute("PRAGMA query_only = ON")  # from here on it can only be read

# %% tags=["plain", "nbval-ignore-output"]
# @title ... asked in plain transformers
chat = [
    {"role": "system",
     "content": f"Write one SQLite query. Today is {day}.\n{task.schema.lines}"},
    {"role": "user", "content": request},
]
read = tokenizer.apply_chat_template(chat, add_generation_prompt=True,
                                     return_tensors="pt", return_dict=True)
wrote = model.generate(**read, max_new_tokens=96, do_sample=False)[0]
query = tokenizer.decode(wrote[read.input_ids.shape[1]:], skip_special_tokens=True)
rows, ours = shop.execute(query).fetchall(), dated.ask(request, day)
cl.verdict("plain transformers and sqlite3 give our query and our rows",
           (query, rows) == (ours.sql, [*ours.rows]))

# %% [markdown]
# ### Exercise 2 · Teach it a pattern, and send the bill to the others
#
# None of the pairs looks at `quantity`, the pieces of an order. Write three pairs that teach it: three *wordings*, and
# queries in the style of the house. The next cell trains the desk's specialist further, on nothing but your pairs.

# %% tags=["exercise"]
mine = None  # [("a request", "its query"), ...]
cl.check("03-teach", mine, task=task, column="quantity")

# %% tags=["solution"]
mine = [
    ("Find all orders of more than 3 pieces.",
     "SELECT * FROM orders WHERE quantity > 3;"),
    ("How many orders are for more than five pieces?",
     "SELECT COUNT(*) FROM orders WHERE quantity > 5;"),
    ("orders, quantity above 12", "SELECT * FROM orders WHERE quantity > 12;"),
]
cl.check("03-teach", mine, task=task, column="quantity")

# %% [markdown]
# Does it write the new pattern, with other figures and words than yours? And what became of the patterns that it knew? (This
# is full fine-tuning, of every weight, and takes a minute or two: no adapter can lie ready for what you write yourself.)

# %% tags=["nbval-ignore-output"]
rows = [sql.SqlPair("mine", asked, query, day).as_example(task.schema)
        for asked, query in mine or []]
if rows:
    taught = cl.finetune(specialist, rows * 8, "full", epochs=1, batch_size=2,
                         learning_rate=5e-5, order="random")
    writer = sql.SqlWriter(taught, task.schema, sixteen, name="taught yours")
    for asked in ("Which orders are of more than 7 pieces?", "orders, quantity over 4"):
        print(writer.ask(asked, day).sql)
    cl.verdict("taught your pattern alone, it knows the others as well as before",
               cl.evaluate(writer, sixteen) - same_requests, as_good=True)
else:
    cl.say("Write your pairs in the cell above first.")

# %% [markdown]
# **If you have three minutes:** mix your pairs with the others, `[*study, *rows * 8]`, and train `gp` on all of them with
# `**recipe`. Which of the two specialists would you hire?
#
# ## Quiz

# %%
cl.quiz("03")

# %% [markdown]
# ## What was tried on this page

# %% tags=["nbval-ignore-output"]
cl.findings()
cl.progress()

# %% [markdown]
# ## Where it stops being true
#
# - One small shop, three tables with honest names. Real shops have hundreds, with names that only their makers understand.
# - Databases of some hundred rows say whether a query is *right*, not whether it is fast.
# - A right query is not a permitted one. What somebody may see belongs in the database's permissions, not in a prompt.
# - The larger students here are small, too.
