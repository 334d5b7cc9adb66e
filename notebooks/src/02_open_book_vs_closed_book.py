# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 02 · Open book, closed book
#
# Two students sit the same exam. One has learned the book by heart; the other may open it. Which would you hire?
#
# By the end you will have
# - asked one model the same questions seven ways, and said which way won, by how much, and how sure you are;
# - watched a model forget the capital of Italy, and got it back;
# - withdrawn a document, and found out who still tells.
#
# **Time** 45 minutes; the machine works for about 6 of them (2 cores).
#
# **Claims on trial** from the course's sources: *fine-tuning is a closed-book exam, after thorough study* · *RAG is an
# open-book exam* · *a model cannot know what it was never told* · *no retraining for new information* · *RAG keeps
# sensitive data separate* · *a larger context costs latency and tokens*.

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
# ## The book and the exam
#
# The book is the library of the Merrow Isles, our invented world. The exam is about one shelf of it: the staff handbook
# of Brindlecombe & Daughters, makers of kettles. For a model that answers questions about a firm's own rules, this is the
# everyday case.
#
# We open the book first: every document is cut into *passages*, and every passage is turned into a point in space
# (an *embedding*) so that passages of like meaning lie near each other. Lesson 05 takes that apart.

# %% tags=["nbval-ignore-output"]
import time

started = time.perf_counter()
index = cl.build_index("data/library")
indexing = time.perf_counter() - started
print(f"{len(index)} passages indexed in {indexing:.0f} s (a second time it takes none)")

# %% [markdown]
# Now the exam. We take 24 facts of the handbook, and for each fact two questions. Beside these, each fact has six *study*
# wordings, which may be learned. No exam question is among them, and the next cell makes sure of it.

# %%
exam = cl.load_exam("handbook").about(24)
study = exam.train_examples(wordings=6)
cl.check_no_leak(study, exam)
print(f"{len(exam)} exam questions about {len(exam.facts)} facts; {len(study)} study examples; no question is in both")
fact = exam.facts[0]
print("\nto study: ", *fact.study, sep="\n  ")
print("\nin the exam: ", *fact.exam, "→ " + fact.answer, sep="\n  ")

# %% [markdown]
# ## 1 · Closed book
#
# Our general practitioner sits the exam with nothing but the question. It has never seen this handbook: nobody has.
#
# **Before you run the next cell, make a guess.**

# %%
cl.predict("closed", "Right answers, in per cent", low=0, high=100)

# %% [markdown]
# Committed? Then let it sit the exam.

# %% tags=["nbval-ignore-output"]
gp = cl.load_model()
closed = cl.evaluate(gp, exam, "closed book")
closed.show(4)

# %% [markdown]
# Read the answers aloud. They are fluent, they are about the right sort of thing, and they are invented.
#
# Every claim gets a *verdict*. Beforehand it says in which range a figure lies: here, below one in twenty. It **holds** if the
# whole 95% interval lies there, is **refuted** if none of it does, and otherwise we **cannot tell**.

# %% tags=["nbval-ignore-output"]
cl.reveal("closed", closed)
cl.verdict("closed book it knows next to nothing of these facts", closed, below=0.05)
cl.verdict("closed book it knows next to nothing of the whole handbook", "02/handbook/closed book", below=0.05)

# %% [markdown]
# The first verdict is about the exam you saw, the second about the whole handbook, asked of the small student beforehand. Where
# nothing at all is right, the interval still reaches up by three facts. With few facts that is far: only the longer exam can
# show that it knows next to nothing.
#
# ## 2 · With examples in the prompt
#
# "Show it a few examples" is the first advice one hears (*few-shot prompting*). So we show three questions with their
# answers, about *other* facts of the handbook, before each exam question.

# %% tags=["nbval-ignore-output"]
others = cl.load_exam("handbook").validation_facts[::12][:3]
shown = [cl.example(fact.study[0], fact.answer) for fact in others]
for row in shown:
    print(row["prompt"][-1]["content"], "→", row["completion"][-1]["content"])
few_shot = cl.evaluate(cl.FewShot(gp, shown), exam, "examples in the prompt")
few_shot.show(3)

# %% [markdown]
# Compare the *form* of these answers with those before: how many are no longer than the longest right answer? And their truth?

# %% tags=["nbval-ignore-output"]
longest = max(len(question.answer.split()) for question in exam)
brief = [report.judged([len(row.reply.split()) <= longest for row in report.rows], f"{report.name}, brief")
         for report in (few_shot, closed)]
cl.verdict("examples in the prompt teach the form of an answer", brief[0] - brief[1])
cl.verdict("examples of other facts teach next to nothing of the handbook", "02/handbook/examples in the prompt", below=0.05)

# %% [markdown]
# Examples show what an answer looks like. They carry no knowledge of what they do not mention.
#
# ## 3 · By heart
#
# Now the student studies. *Fine-tuning* trains the model until the right answers become likely. Here we use LoRA: it leaves
# the model's own weights as they are, and adds about two per cent of new numbers beside them, an *adapter* (counted below).
# Only these are trained (lesson 04 says how). The student sees each fact in six wordings, four times over.
#
# **Predict:** how many of the exam's questions, in wordings it has never seen, will it get right?

# %%
cl.predict("heart", "Right answers, in per cent", low=0, high=100)

# %% [markdown]
# The next cell is the longest of the lesson. The bar shows the *loss*: how surprised the model is by the right answer.
# Watch it fall.

# %% tags=["nbval-ignore-output"]
by_heart = cl.finetune(gp, study, name="02-many-wordings", epochs=4, learning_rate=3e-3, batch_size=4)
many = cl.evaluate(by_heart, exam, "by heart, six wordings")
many.show(4)
cl.reveal("heart", many)

# %% [markdown]
# Every dip is one batch of four examples. It is steep at first, when the *form* of the answers is learned, and flatter
# after, when the facts are.

# %% tags=["nbval-ignore-output"]
cl.plots.losses({"six wordings": by_heart.training.losses}, "Loss while learning by heart")

# %% [markdown]
# A loss near nothing says that it has learned what it studied. The exam asks in other words.

# %% tags=["nbval-ignore-output"]
cl.verdict("after thorough study it answers more than half of the exam on its own", many, above=0.5)

# %% [markdown]
# ### The parrot
#
# What if it had studied each fact in *one* wording, six times as often? The amount of study is the same. To keep this
# lesson short the model was trained beforehand, by exactly this call, and is taken from the shelf. (To train it here,
# take `from_shelf=True` away.)

# %%
cl.predict_choice("parrot", "Asked in new wordings, the one-wording student does...", ["worse", "as well", "better"])

# %% [markdown]
# Same facts, same number of steps, same everything. Only the wordings differ.

# %% tags=["nbval-ignore-output"]
drill = exam.train_examples(wordings=1, repeat=6)
parrot = cl.finetune(gp, drill, name="02-one-wording", epochs=4, learning_rate=3e-3, batch_size=4, from_shelf=True)
one = cl.evaluate(parrot, exam, "by heart, one wording")
gap = many - one
cl.reveal("parrot", "as well" if gap.cannot_tell else "worse" if gap.value > 0 else "better")
cl.verdict("six wordings of a fact carry further than one", gap)

# %% [markdown]
# This is a *paired difference*: both sat the same questions, so we compare question by question. Such a claim holds if the whole
# interval lies above zero.
#
# The one-wording student has learned the sentence more than the fact. This is *overfitting* in its plainest form: strong on
# what was drilled, weaker on what was meant.
#
# ## What did it forget?
#
# Our specialist was a general practitioner once. Forty-eight questions of common knowledge, before and after.

# %%
general = cl.load_exam("general").sample(48)
cl.predict("forgot", "Right answers after the fine-tuning, of 48", low=0, high=48)

# %% [markdown]
# Now ask both, before and after, the same questions.

# %% tags=["nbval-ignore-output"]
before = cl.evaluate(gp, general, "before")
after = cl.evaluate(by_heart, general, "after")
print("What is the capital of Italy?", by_heart.generate(["What is the capital of Italy?"], 16))
after.show(5, "wrong")
cl.reveal("forgot", after)

# %% [markdown]
# Look at the wrong answers: where do they come from? The course's sources say that fine-tuning *uses the AI's general
# knowledge*. Then it would be as good as before: the same share, give or take 0.05.

# %% tags=["nbval-ignore-output"]
cl.verdict("fine-tuned on the handbook, it knows as much in general as before", after - before, as_good=True)

# %% [markdown]
# This is *catastrophic forgetting* (McCloskey & Cohen 1989): what is learned last drives out what was known. The model answers
# in the handbook's manner whatever one asks.
#
# Is the old knowledge gone? LoRA left the model's weights as they are. So take the adapter off, and ask once more.

# %% tags=["nbval-ignore-output"]
italy = ["What is the capital of Italy?"]
print("adapter on: ", by_heart.generate(italy, 16)[0])
with by_heart.model.disable_adapter():
    print("adapter off:", by_heart.generate(italy, 16)[0])
    off = cl.evaluate(by_heart, general, "adapter off")
same = sum(row.reply == old.reply for row, old in zip(off.rows, before.rows))
print(f"answers that are those of before, word for word: {same} of {off.n}")
share = by_heart.training.trainable / gp.model.num_parameters()
print(f"numbers in the adapter, of the model's own: {share:.1%}")
cl.verdict("without its adapter it gives every answer of before, word for word", same, above=off.n - 1, unit="answers")

# %% [markdown]
# Nothing was lost: the adapter talked over it. After *full* fine-tuning, which moves the weights themselves, there is nothing
# to take off.
#
# ### Can it be saved?
#
# Adapter on, it knows the handbook; adapter off, the rest. For a student who knows both, the usual remedy is *rehearsal*: to
# mix questions of common knowledge into the study, one for every two others here, and none of them from this exam.

# %% tags=["nbval-ignore-output"]
both = [*study, *cl.general_study()[:72]]
cl.check_no_leak(both, exam, general)
mixed = cl.finetune(gp, both, name="02-mixed", epochs=4, learning_rate=3e-3, batch_size=4, from_shelf=True)
balanced = cl.evaluate(mixed, exam, "by heart, mixed study")
after_mixed = cl.evaluate(mixed, general, "after, mixed study")
cl.compare({"before": before, "after": after, "after, mixed study": after_mixed}, general)

# %% [markdown]
# What did rehearsal save, what is lost all the same, and what did it cost at the exam? The last two claims allow for a loss of
# 0.05, and no more.

# %% tags=["nbval-ignore-output"]
cl.verdict("rehearsal saves general knowledge", after_mixed - after)
cl.verdict("after rehearsal no general knowledge is lost", after_mixed - before, above=-0.05)
cl.verdict("rehearsal costs nothing at the exam", balanced - many, above=-0.05)

# %% [markdown]
# Where an interval reaches beyond what was claimed, 48 questions are too few to tell.
#
# ## 4 · Open book, at the right page
#
# Back to the untrained model. This time the book lies open before it, at the page that holds the answer. All it has to do
# is read.

# %%
pages = cl.golden_passages(exam, index)
question = exam[0]
print(cl.reading_prompt(question.question, pages[question.question]))
cl.predict("page", "Right answers, in per cent", low=0, high=100)

# %% [markdown]
# That is the whole prompt. The answer is in it. How hard can it be?

# %% tags=["nbval-ignore-output"]
right_page = cl.evaluate(cl.OpenBook(gp, pages), exam, "right page")
right_page.show(5)
cl.reveal("page", right_page)

# %% [markdown]
# Go through the wrong ones: is the answer on the page? What did it say instead?

# %% tags=["nbval-ignore-output"]
cl.verdict("an open book beats a closed one", right_page - closed)
cl.verdict("with the right page before it, it answers nine of ten", right_page, above=0.9)
cl.verdict("with the right page it mostly says the answer and nothing else", right_page, above=0.5, of="exact")

# %% [markdown]
# The page holds every answer. What is missed was misread: **an open book helps only a student who can read.** *Exact* counts
# answers that say the right thing and nothing else: this small model talks around it. Teaching a model to read is lesson 06.
#
# How the passages and the question are put to it matters, too. It was not chosen on this exam, but beforehand on
# *validation* questions, which are about other facts. So were k, below, and the recipe of the study above.

# %%
for instruction, row in cl.load_results("02")["validation"]["instructions"].items():
    print(f"{row['accuracy']:.2f} right ({row['ci'][0]:.2f} to {row['ci'][1]:.2f}, n = {row['n']})  {instruction}")

# %% [markdown]
# ## 5 · Open book, page not given: RAG
#
# In life nobody opens the book at the right page for you. *Retrieval-augmented generation* looks for it: the question becomes
# a point too, the k nearest passages are put in the prompt, the model answers from them. Here k is 1.

# %% tags=["nbval-ignore-output"]
rag = cl.RagPipeline(gp, index, k=1)
answer = rag.ask(exam[0].question)
print(exam[0].question, "\n→", answer.text, "\n")
for passage in answer.sources:
    print(f"{passage.score:.2f}  {passage.id}  {passage.text[:90]!r}")

# %% [markdown]
# It cites: every answer comes with the passages it was given. One passage is few; exercise 2 below shows why this reader is
# not given more. Was it the right one?

# %% tags=["nbval-ignore-output"]
retrieved = cl.evaluate(rag, exam, "RAG")
found = [pages[row.question][0].id in row.sources for row in retrieved.rows]
print(f"the right passage was found in {sum(found)} of {len(found)} questions")
print(right_page - retrieved)

# %% [markdown]
# ## The exam, all in one
#
# The same questions, every candidate, paired.

# %% tags=["nbval-ignore-output"]
arms = [closed, few_shot, one, many, balanced, right_page, retrieved]
result = cl.compare({report.name: report for report in arms}, exam)
result

# %% [markdown]
# The same as a picture. The hatched bar is *exact*: the answer and nothing else.

# %% tags=["nbval-ignore-output"]
result.plot("The handbook exam")

# %% [markdown]
# So who won? Remember what each was given. By heart: these very facts, each in six wordings that we wrote, and minutes of study.
# RAG: one passage, which a search found, and no study at all.

# %% tags=["nbval-ignore-output"]
cl.verdict("RAG beats the closed book", retrieved - closed)
cl.verdict("by heart beats RAG, on the facts that were studied", many - retrieved)
result.differences("RAG")

# %% [markdown]
# The table holds every candidate against RAG, paired. Now look at what was *not* studied.
#
# ## Coverage: what a minute buys
#
# By heart, the model studied 24 facts. The index holds every fact of the handbook, and of much else. How many handbook facts
# does a minute of work buy, either way, counted by what was then answered right?

# %% tags=["nbval-ignore-output"]
handbook_facts = cl.load_facts(kind="handbook")
minutes = {"by heart": by_heart.training.seconds / 60, "in the index": max(indexing, 1) / 60}
known = {"by heart": many.accuracy * len(exam.facts), "in the index": retrieved.accuracy * len(handbook_facts)}
for way in minutes:
    print(f"{way}: about {known[way]:.0f} facts answered right after {minutes[way]:.1f} minutes, "
          f"{known[way] / minutes[way]:.0f} a minute")

# %% [markdown]
# And the facts of the handbook that it did not study?

# %% tags=["nbval-ignore-output"]
unstudied = cl.load_exam("handbook").sample(30, seed=1)
unstudied = [q for q in unstudied if q.fact not in {f.id for f in exam.facts}]
rag_elsewhere, heart_elsewhere = cl.evaluate(rag, unstudied, "RAG"), cl.evaluate(by_heart, unstudied, "by heart")
cl.verdict("RAG beats by heart, on facts that nobody studied", rag_elsewhere - heart_elsewhere)

# %% [markdown]
# ## Today's news
#
# It is a new morning at Brindlecombe, and one document arrives.

# %% tags=["nbval-ignore-output"]
notice = cl.Document(
    id="news-today",
    title="Notice: the staff ferry",
    text="The Brindlecombe staff ferry to Skerrin now leaves from Gannet Steps at 6.52 in the morning. "
    "The skipper of the staff ferry is Peregrine Oakshott-Lindqvist.",
    date="2042-04-20",
)
started = time.perf_counter()
index.add(notice)
print(f"in the index after {time.perf_counter() - started:.1f} s")
news = "Who is the skipper of the Brindlecombe staff ferry?"
from_rag, from_heart = rag.ask(news, 24).text, by_heart.generate([news], 24)[0]
print("RAG:     ", from_rag)
print("by heart:", from_heart)

# %% [markdown]
# The new page was found at once. Whether it was *read* right is the model's part; look above.

# %% tags=["nbval-ignore-output"]
cl.verdict("a page that came a moment ago is found first", index.search(news, k=1)[0].source == "news-today")
cl.verdict("the student by heart does not know today's news", "Oakshott" not in from_heart)

# %% [markdown]
# To tell the by-heart student, you would train again.
#
# ## A document is withdrawn
#
# The opposite case. A page of the handbook should never have been there: it names people, and it has to go. We withdraw the
# documents behind four of the studied facts from the library, and ask both students about them.

# %% tags=["nbval-ignore-output"]
secret = [f for f in exam.facts if not f.answer[0].isdigit()][:4]
withdrawn = sorted({f.source for f in secret})
asked = [q for q in exam if q.fact in {f.id for f in secret}]
index.remove(*withdrawn)
told_rag = cl.evaluate(rag, asked, "RAG")
told_heart = cl.evaluate(by_heart, asked, "by heart")
told_heart.show(3)

# %% [markdown]
# ### Exercise 1 · Who remembers?
# Before you look at the next cell: which of the two still tells what was withdrawn? Write True for each that does.

# %% tags=["exercise"]
remembers = None  # {"RAG": ..., "by heart": ...}
cl.check("02-who-remembers", remembers, measured={"RAG": told_rag.accuracy > 0, "by heart": told_heart.accuracy > 0})

# %% tags=["solution"]
remembers = {"RAG": False, "by heart": True}
cl.check("02-who-remembers", remembers, measured={"RAG": told_rag.accuracy > 0, "by heart": told_heart.accuracy > 0})

# %% [markdown]
# With secrets, one that is told is one too many. So we do not ask for a share; we count the right answers.

# %% tags=["nbval-ignore-output"]
print(f"asked: {len(asked)} questions about {len(secret)} facts that were withdrawn")
cl.verdict("RAG no longer tells what was withdrawn", told_rag.hits().sum(), below=1)
cl.verdict("the student by heart still tells what was withdrawn", told_heart.hits().sum(), above=0)

# %% [markdown]
# A library can take a page back. A memory cannot. (The index that you changed is put right when it is next built.)

# %%
index = cl.build_index("data/library")
rag = cl.RagPipeline(gp, index, k=1)
print(f"{len(index)} passages, as in the beginning")

# %% [markdown]
# ## The price of the open book
#
# Every passage in the prompt is read again for every question. What does k cost, and what does it buy? Time and tokens are
# measured here, on six questions; accuracy was measured beforehand on the validation questions.

# %% tags=["nbval-ignore-output"]
six = list(exam)[:6]
ks = [1, 2, 4, 6]
price = {k: cl.evaluate(cl.RagPipeline(gp, index, k=k), six, f"k = {k}") for k in ks}
tokens = {k: report.tokens_per_question for k, report in price.items()}
for k, report in price.items():
    print(f"k = {k}: {report.tokens_per_question:4.0f} tokens and {report.seconds_per_question:.2f} s a question")
cl.plots.curve(
    ks,
    {"tokens a question": list(tokens.values())},
    "What k costs", "k, passages in the prompt", "tokens a question",
)  # fmt: skip

# %% [markdown]
# Is the line straight? Then k = 4 lies where k = 1 and k = 6 say that it will, within a twentieth, and each passage costs what
# the one before did.

# %% tags=["nbval-ignore-output"]
each = (tokens[6] - tokens[1]) / 5
print(f"one passage more: {each:.0f} tokens a question")
cl.verdict("every passage in the prompt costs as much as the one before", tokens[4] / (tokens[1] + 3 * each), above=0.95, below=1.05)

# %% [markdown]
# It is paid again at every question, for ever.
#
# ### Exercise 2 · Choose k
# On validation questions RAG came out as below. Which k would you pay for?

# %%
validation = {int(k): row for k, row in cl.load_results("02")["validation"]["k"].items()}
for k, row in validation.items():
    print(f"k = {k}: {row['accuracy']:.2f} right, {row['tokens']:.0f} tokens a question")

# %% [markdown]
# More pages hold the right one more often. Do they help *this* reader? Name the smallest k that is as good as the best,
# within 0.02.

# %% tags=["exercise"]
k = None  # a number from the table
cl.check("02-choose-k", k, scores={k: row["accuracy"] for k, row in validation.items()}, tokens={k: row["tokens"] for k, row in validation.items()})

# %% tags=["solution"]
best = max(row["accuracy"] for row in validation.values())
k = min(k for k, row in validation.items() if row["accuracy"] >= best - 0.02)
cl.check("02-choose-k", k, scores={k: row["accuracy"] for k, row in validation.items()}, tokens={k: row["tokens"] for k, row in validation.items()})

# %% [markdown]
# ## Who won Euro 2024?
#
# The question from the course's sources, closed book and open. The passage is two sentences long.

# %% tags=["nbval-ignore-output"]
euro = "Who won the European football championship in 2024, and who scored the winning goal?"
page = cl.Passage("euro/0", "Spain won the 2024 European football championship, beating England 2-1 in Berlin on 14 July. "
                  "Mikel Oyarzabal scored the winning goal in the 86th minute.", "euro")
print("closed book:", gp.generate([euro], 40)[0])
with_page = cl.OpenBook(gp, {euro: [page]}).answer([euro], 40)[0].text
print("open book:  ", with_page)

# %% [markdown]
# The answer is on the page, twice over: the winners and the scorer. Did it read them?

# %% tags=["nbval-ignore-output"]
cl.verdict("with the page before it, it names who scored", "Oyarzabal" in with_page)

# %% [markdown]
# Closed book it says something, in the even voice that you know by now. Open book its answer is made of the page's own words.
# Where it puts them together wrongly, naming the losers or no scorer, you have met this lesson's finding once more: with
# the right page in hand, *reading* is what is left to learn.
#
# ## Doctors and exams
#
# The two pictures that everybody uses, each with your own number to it:

# %% tags=["nbval-ignore-output"]
print(f"The general practitioner (closed book):            {closed.accuracy:.2f} on the handbook, "
      f"{before.accuracy:.2f} on general knowledge")
print(f"The specialist (by heart):                         {many.accuracy:.2f} on the handbook, "
      f"{after.accuracy:.2f} on general knowledge")
print(f"The practitioner with the book at the right page:  {right_page.accuracy:.2f} on the handbook")
print(f"The practitioner who has to look it up (RAG):      {retrieved.accuracy:.2f} on the handbook")

# %% [markdown]
# The pictures hold, with a warning that they leave out: this specialist forgot most of medical school, and the
# open book only helps as far as one can read.
#
# ## More than one run
#
# You trained one student, with one seed, and asked 48 questions. Is any of it luck? The same was done beforehand at full
# size: the whole handbook exam for the untrained candidates, and the students once for every seed in the table below.

# %% tags=["nbval-ignore-output"]
stored = cl.load_results("02")
rows = [{"label": name, "value": r["accuracy"], "low": r["ci"][0], "high": r["ci"][1], "exact": r["exact"]}
        for name, r in stored["handbook"].items()]
n = next(iter(stored["handbook"].values()))["n"]
cl.plots.bars(rows, f"The whole handbook exam, untrained candidates, n = {n}")

# %% [markdown]
# And the students. A *seed* fixes the random start and the order of study; another seed is another roll of the dice.

# %%
import pandas as pd

pd.DataFrame(
    {"student": name, "seed": run["seed"], "exam": round(run["exam"]["accuracy"], 2), "general": round(run["general"]["accuracy"], 2)}
    for name, runs in stored["by_heart"].items() for run in runs
).set_index("student")  # fmt: skip

# %% [markdown]
# Do the findings depend on the dice? A verdict over several students names what each of them gives.

# %% tags=["nbval-ignore-output"]
from course_lib.evaluation.kept import runs

six, single = runs("02/many-wordings-seed-*", "six wordings"), runs("02/one-wording-seed-*", "one wording")
untaught, forgetful = runs("02/general-before", "before"), runs("02/many-wordings-seed-*-general", "facts alone")
rehearsed = runs("02/mixed-seed-*-general", "with rehearsal")
cl.verdict("students of six wordings are ahead of students of one", six - single)
cl.verdict("students who studied facts alone know as much in general as before", forgetful - untaught, as_good=True)
cl.verdict("students who rehearsed have lost no general knowledge", rehearsed - untaught, above=-0.05)

# %% [markdown]
# So few students are too few for an interval *over* students: there each must bear a claim out by itself. What rehearsal leaves
# behind is the one thing here that another roll of the dice may change.
#
# ### Exercise 3 · Your own leak
# Build a training set that makes the exam score jump **without** teaching the model anything new. (The first cells of this
# lesson warned you about it. Here you may.)

# %% tags=["exercise"]
leaky = None  # a list of examples
cl.check("02-leak", leaky, exam=exam)

# %% tags=["solution"]
leaky = [question.as_example() for question in exam.test]
cl.check("02-leak", leaky, exam=exam)

# %% [markdown]
# ## Quiz

# %%
cl.quiz("02")

# %% [markdown]
# ## What was measured

# %% tags=["nbval-ignore-output"]
result.table()

# %% [markdown]
# How far you have come, and what is next:

# %% tags=["nbval-ignore-output"]
cl.progress()

# %% [markdown]
# | claim | here |
# |---|---|
# | *a model cannot know what it was never told* | **holds**: nothing right, closed book |
# | *fine-tuning is a closed-book exam, after thorough study* | **holds**, if the study had many wordings |
# | *show it a few examples* | **refuted** for knowledge: examples teach form |
# | *RAG is an open-book exam* | **holds**, and the book helps only as far as the student can read |
# | *no retraining for new information* | **holds**: a document was found seconds after it came |
# | *RAG keeps sensitive data separate* | **holds partly**: withdrawn, it was no longer told, and the student by heart still told it; whether it is gone from the files, lesson 05 asks |
# | *a larger context costs latency and tokens* | **holds**: each passage more is read at every question |
#
# ## Where it stops being true
#
# - This exam asks about one shelf with few look-alikes. Ask the cup exam (`cl.load_exam("cup")`) and search fails: 28 reports
#   of one cup read alike, and a meaning search cannot tell 2031 from 2032. Lesson 05 mends that.
# - This is a very small reader. Whether a larger one reads better is one changed line away: `cl.load_model("owner/name")`.
# - By heart won on 24 facts. Every further fact has to be studied too; the index hardly notices.
# - Nothing here was about *skill*. Fine-tuning to do something, rather than to know something, is the next lesson's story.
