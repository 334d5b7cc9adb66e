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
# - watched a model forget the capital of Italy;
# - withdrawn a document, and found out who still tells.
#
# **Time** 45 minutes; the machine works for about 5 of them (2 cores).
#
# **Claims on trial** from the course's sources: *fine-tuning is a closed-book exam, after thorough study* · *RAG is an
# open-book exam* · *a model cannot know what it was never told* · *no retraining for new information* · *RAG keeps
# sensitive data separate* · *a larger context costs latency and tokens*.

# %% tags=["setup", "nbval-ignore-output"]
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
# **Before you run the next cell, commit yourself.**

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

# %%
cl.reveal("closed", closed)
assert closed.accuracy <= 0.03, "closed book: the model knows the handbook; has a document leaked into its training?"

# %% [markdown]
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
# Compare the *form* of these answers with those before. And their truth?

# %%
gain = cl.paired_difference(few_shot, closed)
print("right, closed book and with examples, both at most 0.05:", max(closed.accuracy, few_shot.accuracy) <= 0.05)
assert few_shot.accuracy <= 0.05, "examples: three examples about other facts should not teach these facts"

# %% [markdown]
# Examples teach the form of an answer. They carry no knowledge of what they do not mention.
#
# ## 3 · By heart
#
# Now the student studies. *Fine-tuning* changes the model's weights so that the right answers become likely: here with
# LoRA, which trains one weight in fifty (lesson 04 says how). It sees each fact in six wordings, four times over.
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

# %%
print("more than half of the exam, in wordings it had never seen:", many.accuracy >= 0.6)
assert many.accuracy >= 0.6, "by heart: fine-tuning on six wordings should carry to wordings never seen"

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
print(cl.paired_difference(many, one))

# %% [markdown]
# The line above is a *paired difference*: both sat the same questions, so we compare question by question. Its interval is what
# to look at: does it hold zero?

# %%
gap = cl.paired_difference(many, one)
cl.reveal("parrot", "as well" if gap.cannot_tell else "worse" if gap.value > 0 else "better")
assert gap.value > 0 and not gap.cannot_tell, "parrot: many wordings should beat one wording on unseen wordings"

# %% [markdown]
# It has learned the sentence more than the fact. This is *overfitting* in its plainest form: strong on what was
# drilled, weaker on what was meant.
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
# Look at the wrong answers: where do they come from?

# %%
loss = cl.paired_difference(before, after)
print("general knowledge fell, by more than chance:", loss.value > 0 and not loss.cannot_tell)
assert loss.value > 0 and not loss.cannot_tell, "forgetting: general knowledge should fall"

# %% [markdown]
# This is *catastrophic forgetting* (McCloskey & Cohen 1989): the weights that held the one thing were used to hold the
# other. The model answers in the handbook's manner whatever one asks.
#
# ### Can it be saved?
#
# The usual remedy is *rehearsal*: to mix questions of common knowledge into the study, one for every two others here, and
# none of them from this exam.

# %% tags=["nbval-ignore-output"]
both = [*study, *cl.general_study()[:72]]
cl.check_no_leak(both, exam, general)
mixed = cl.finetune(gp, both, name="02-mixed", epochs=4, learning_rate=3e-3, batch_size=4, from_shelf=True)
balanced = cl.evaluate(mixed, exam, "by heart, mixed study")
after_mixed = cl.evaluate(mixed, general, "after, mixed study")
cl.compare({"before": before, "after": after, "after, mixed study": after_mixed}, general)

# %% [markdown]
# Three comparisons, paired as before: what rehearsal saved, what is lost all the same, and what it cost at the exam.

# %% tags=["nbval-ignore-output"]
print(cl.paired_difference(after_mixed, after))
print(cl.paired_difference(before, after_mixed))
print(cl.paired_difference(many, balanced))

# %% [markdown]
# Where an interval holds zero, nothing has been shown.
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

# %%
print("the open book beats the closed one:", not cl.paired_difference(right_page, closed).cannot_tell)
assert not cl.paired_difference(right_page, closed).cannot_tell, "right page: an open book should beat a closed one"
assert right_page.exact <= 0.1, "right page: this model chats, it should hardly ever answer exactly"

# %% [markdown]
# Far better than closed book, and far from all right: **an open book helps only a student who can read.** Look at *exact*,
# too: it talks around the answer. Teaching a model to read is lesson 06.
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
print(cl.paired_difference(right_page, retrieved))

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
# And each candidate against RAG, paired:

# %% tags=["nbval-ignore-output"]
result.differences("RAG")

# %% [markdown]
# So who won, beyond chance?

# %%
heart_wins = result.difference("by heart, six wordings", "RAG")
book_wins = result.difference("RAG", "closed book")
print("by heart beats RAG on the facts it studied:", heart_wins.low > 0)
print("RAG beats the closed book:", book_wins.low > 0)
assert heart_wins.low > 0, "on studied facts, by heart should beat this reader with RAG"
assert book_wins.low > 0, "RAG should beat the closed book"

# %% [markdown]
# So study wins? On what was studied. Now look at what was *not*.
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

# %%
unstudied = cl.load_exam("handbook").sample(30, seed=1)
unstudied = [q for q in unstudied if q.fact not in {f.id for f in exam.facts}]
heart_elsewhere = cl.evaluate(by_heart, unstudied)
print("by heart, on handbook facts it did not study, at most 0.1:", heart_elsewhere.accuracy <= 0.1)
assert heart_elsewhere.accuracy <= 0.1, "coverage: studying some facts should not teach the others"

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

# %%
rag_knows, heart_knows = "Oakshott" in from_rag, "Oakshott" in from_heart
print("RAG knows today's news:", rag_knows, "· the by-heart student knows it:", heart_knows)
assert "news-today" in [p.source for p in index.search(news, k=1)], "news: the new document should be found first"
assert not heart_knows, "news: nobody told the fine-tuned model"

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
# And measured:

# %%
print("RAG still tells:", told_rag.accuracy > 0, "· by heart still tells:", told_heart.accuracy > 0.25)
assert told_rag.accuracy == 0, "privacy: a withdrawn document should not be told by RAG"
assert told_heart.accuracy > 0.25, "privacy: what is in the weights stays there"

# %% [markdown]
# A library can take a page back. A memory cannot. (The index that you changed is put right when it is next built.)

# %%
index = cl.build_index("data/library")
rag = cl.RagPipeline(gp, index, k=1)
print("the withdrawn documents are back, the news is gone:",
      set(withdrawn) <= {p.source for p in index.passages()}, "news-today" not in {p.source for p in index.passages()})

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
cl.plots.curve(
    ks,
    {"tokens a question": list(tokens.values())},
    "What k costs", "k, passages in the prompt", "tokens a question",
)  # fmt: skip

# %% [markdown]
# The same in figures, with the time it took:

# %% tags=["nbval-ignore-output"]
for k, report in price.items():
    print(f"k = {k}: {report.tokens_per_question:4.0f} tokens and {report.seconds_per_question:.2f} s a question")

# %% [markdown]
# The line is straight: every passage costs the same again, at every question, for ever.

# %%
growth = (tokens[6] - tokens[1]) / 5
print("each passage more costs between 30 and 90 tokens a question:", 30 <= growth <= 90)
assert 30 <= growth <= 90, "price: the prompt should grow by a passage for each k"

# %% [markdown]
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

# %%
print("open book names the scorer:", "Oyarzabal" in with_page)

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
# Does the order of the students depend on the dice? One entry a seed:

# %%
by_plan = {name: [run["exam"]["accuracy"] for run in runs] for name, runs in stored["by_heart"].items()}
kept = [run["general"]["accuracy"] for run in stored["by_heart"]["many-wordings"]]
ahead = [many > one for many, one in zip(by_plan["many-wordings"], by_plan["one-wording"])]
print("many wordings above one wording, by seed:", ahead)
print("general knowledge below what it was, by seed:", [share < stored["general_before"]["accuracy"] for share in kept])

# %% [markdown]
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
questions = [
    {"question": "Your firm's price list changes every week. A model should answer questions about it.", "answer": 1,
     "choices": ["Learn it by heart, every week", "Open book (RAG)", "Three examples in the prompt"],
     "why": "A document is in the index in seconds; a student has to study again, and forgets the old slowly."},
    {"question": "A customer asks for her data to be erased. Where is that easily done?", "answer": 1,
     "choices": ["In the fine-tuned weights", "In the index", "In both alike"],
     "why": "You removed documents from the index; the by-heart student told what they said all the same."},
    {"question": "RAG answers wrongly although the right passage was retrieved. What would help?", "answer": 0,
     "choices": ["A model that reads better", "A larger k", "More documents"],
     "why": "Finding was solved in that case. Reading was not: that is what RAFT (lesson 06) trains."},
]  # fmt: skip
cl.quiz("02", questions)

# %% [markdown]
# ## What was measured

# %% tags=["nbval-ignore-output"]
result.table()

# %% [markdown]
# Your exercises:

# %%
cl.progress_report("02")

# %% [markdown]
# | claim | here |
# |---|---|
# | *a model cannot know what it was never told* | **holds**: nothing right, closed book |
# | *fine-tuning is a closed-book exam, after thorough study* | **holds**, if the study had many wordings |
# | *show it a few examples* | **refuted** for knowledge: examples teach form |
# | *RAG is an open-book exam* | **holds**, and the book helps only as far as the student can read |
# | *no retraining for new information* | **holds**: a document was found seconds after it came |
# | *RAG keeps sensitive data separate* | **holds**: withdrawn, it was no longer told; the weights still told it |
# | *a larger context costs latency and tokens* | **holds**: each passage more is read at every question |
#
# ## Where it stops being true
#
# - This exam asks about one shelf with few look-alikes. Ask the cup exam (`cl.load_exam("cup")`) and search fails: 28 reports
#   of one cup read alike, and a meaning search cannot tell 2031 from 2032. Lesson 05 mends that.
# - This is a very small reader. Whether a larger one reads better is one changed line away: `cl.load_model("owner/name")`.
# - By heart won on 24 facts. Every further fact has to be studied too; the index hardly notices.
# - Nothing here was about *skill*. Fine-tuning to do something, rather than to know something, is the next lesson's story.
