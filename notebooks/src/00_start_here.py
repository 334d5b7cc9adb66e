# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 00 · Start here
#
# In this course you will examine a language model, the way a school examines a student: with questions it has not seen,
# a mark at the end, and an honest word on how far that mark can be trusted. Then you will change the model, four
# different ways, and examine it again.
#
# By the end of this page you will have
# - met the model, asked it something it knows, and something that nobody can know;
# - caught it making something up, and looked at how that comes about;
# - read your first exam result, and its interval.
#
# **Time** 15 minutes; the machine works for about 1 of them (2 cores).
#
# **Claims on trial** from the course's sources: *language models know a lot in general* · *a model is not trained on
# your documents, hence it may make things up* · *asked who won the 2024 European championship, it may fail*.

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
# Three lines: which *profile* runs (a laptop or a GPU), which number format the arithmetic is done in and why, and the
# versions. Every notebook of the course begins with this cell. It also runs in Colab, where it installs the course first.
#
# ## Is this machine ready?
#
# Nothing will be downloaded from here on, no account is needed, and nothing reports home. What is needed is below.

# %% tags=["nbval-ignore-output"]
from course_lib.models import packaged

packaged.check_machine()

# %% [markdown]
# A cross in the last column comes with what to do about it. If there is none, go on.
#
# How long will the lessons take here? Machines differ by a factor of ten and more, so the next cell tries yours: for
# some ten seconds it multiplies, reads and writes. Then it works out the minutes of each lesson, and whether there is
# memory enough, for the student of this course and for two larger ones, which you may call in later.

# %% tags=["nbval-ignore-output"]
from course_lib.costs import machine

machine.lesson_times()

# %% [markdown]
# In these minutes the machine works while you read. In JupyterLab the first cell of each lesson says them from now on.
# A cell that says *needs* is no obstacle: every lesson is written for the smallest student.
#
# ## Meet the model
#
# The student of this course is **SmolLM2-135M-Instruct**, made by Hugging Face and given to everybody (Apache-2.0). It is
# a real language model, built like the large ones you have talked to, and several hundred times smaller, which is why
# it can be trained in front of you, in minutes, on this machine.
#
# Its weights arrived inside a Python package, packed into about 4 bits a number to save space. The first time you load
# it they are unpacked to 32 bits and kept on disk. (Rounding to 4 bits loses a little. Lesson 04 measures how much.)

# %% tags=["nbval-ignore-output"]
gp = cl.load_model()
parameters = sum(p.numel() for p in gp.model.parameters())
print(f"{gp.name}: {parameters / 1e6:.1f} million numbers, {gp.size() / 1e6:.0f} MB in memory")

# %% [markdown]
# We call it `gp`, for general practitioner: a doctor who has read a little about everything. Later lessons train
# specialists.
#
# ## Three questions
#
# One that many pages on the web answer. One from a world that we invented for this course, where there is a
# football cup called the Harrow Cup. And one that a source of this course asks: who won the European championship in 2024?

# %%
questions = [
    "What is the capital of Italy?",
    "Who refereed the 2031 Harrow Cup final?",
    "Who won the European football championship in 2024?",
]
cl.predict_choice("who-knows", "How many of the three will it answer truthfully?", ["none", "one", "two", "all three"])

# %% [markdown]
# Have you made your guess? Then ask.

# %% tags=["nbval-ignore-output"]
told = gp.generate(questions, max_new_tokens=32)
for question, answer in zip(questions, told):
    print(f"{question}\n    {answer}\n")

# %% [markdown]
# Read the second and the third answer once more. There is no Harrow Cup. Did it say so? Spain won in 2024, in Berlin,
# against England. Whatever your copy said, look at *how* it said it: in the same even voice as the first answer.
#
# The next cell looks only for the words that would make each of them right; an answer that owns up to not knowing is
# truthful, too. Then it tries a claim. Every lesson does that: the claim stands in words, and beside it whether it
# *holds*, is *refuted*, or whether we *cannot tell*.

# %% tags=["nbval-ignore-output"]
from course_lib.evaluation.grading import grade

right_words = [["Rome"], ["does not exist", "there is no", "no such"], ["Spain"]]
truthful = [grade(answer, words) != "wrong" for answer, words in zip(told, right_words)]
cl.reveal("who-knows", ["none", "one", "two", "all three"][sum(truthful)])
cl.verdict("asked about a cup that does not exist, it makes something up", not truthful[1])

# %% [markdown]
# ## How does it make things up?
#
# A language model does one thing: it looks at the text so far and gives every possible next *token* (a word, or a piece
# of one) a probability. Then a token is chosen, put at the end, and the same is done again. Here are the five likeliest
# first tokens of each answer; and, for the cup that does not exist, the probabilities of *all* tokens added up.

# %% tags=["nbval-ignore-output"]
for question in questions:
    shown = ", ".join(f"{token!r} {share:.0%}" for token, share in gp.next_tokens(question, k=5))
    print(f"{question}\n    {shown}\n")
total = sum(share for _, share in gp.next_tokens(questions[1], k=gp.model.config.vocab_size))
cl.verdict("the probabilities of all next tokens sum to one, even where nothing is known", round(total, 3), above=0.99, below=1.01)

# %% [markdown]
# There is always a likeliest next token, whether anything is known or not. That is all that *hallucination* means: no
# fact is there, a next word still is. Choosing more carefully among the tokens cannot help, because the fact is not
# among them.
#
# ## Your first exam
#
# Three questions make an anecdote. An *exam* makes a measurement. Here are forty questions of common knowledge, drawn
# by a seed. An answer counts as **right** if it says the right answer in whole words, and as **exact** if it
# says that and nothing else.

# %%
general = cl.load_exam("general").sample(40)
print(general[3].question, "→", general[3].answer)
cl.predict("first-exam", "Right answers of 40", low=0, high=40)

# %% [markdown]
# `cl.evaluate` asks every question, greedily (always the likeliest token, so that the same question gets the same answer),
# and grades the answers.

# %% tags=["nbval-ignore-output"]
report = cl.evaluate(gp, general)
report.show(5)
cl.reveal("first-exam", report)

# %% [markdown]
# Those were five of the forty. Here is the whole exam in one line: the share that was right, how sure that is, and what it
# cost.

# %% tags=["nbval-ignore-output"]
report

# %% [markdown]
# The share is printed with a **95% interval**. Had we drawn forty other questions, the share would have come out a
# little different; the interval says how different it may well be. With forty questions it is wide. Whenever you read "model A beats
# model B" and no interval stands beside it, ask for one.
#
# *A language model knows a lot in general*, says the source. Take "a lot" to be more than half of these questions:

# %% tags=["nbval-ignore-output"]
cl.verdict("it answers more than half of a simple general exam", report, above=0.5)

# %% [markdown]
# If the interval lies above one half, the claim holds; if it lies below, the claim is refuted. If it reaches to both
# sides, the verdict is *cannot tell*. That is an honest answer, and not an empty one: more questions would make the
# interval narrower, until one can tell.
#
# It knows many things in general, and hardly ever says just the answer: see the column *exact*. It chats. That will
# matter.
#
# ## The world we invented
#
# To examine what a model learns, we need facts that it cannot have met. So there is a small world: the Merrow Isles,
# with a football cup, a company with a handbook, manuals, contracts, guidelines. Every document of it was written for this
# course. Here is one.

# %%
library = cl.read_documents("data/library")
document = next(d for d in library if d.id == "en-candlemas-gale")
print(document.title, "\n")
print(document.text[:420], "...")

# %% [markdown]
# How many such pages are there, and of how many kinds? Every fact in them comes with questions, and those were set aside
# by use *before* anything was trained: some wordings for study, others for the exam, and never the same ones.
#
# Does the model know any of it already? The handbook exam was put to it beforehand, with no page to read from.

# %% tags=["nbval-ignore-output"]
print(len(library), "documents of", len({d.kind for d in library}), "kinds")
print(len(cl.load_facts()), "facts,", len(cl.load_exam("handbook").test), "of them examined in the handbook exam")
cl.verdict("the 135M model knows next to nothing of the handbook that we invented", "00/exams/handbook", below=0.05)

# %% [markdown]
# ## How the rest works
#
# **Predictions.** Before each result you are asked for a guess. Make one: being wrong is how this sticks. Without widgets
# write the number in the call: `cl.predict("first-exam", "...", high=40, guess=20)`.
#
# **Exercises.** A cell ends in `cl.check(...)`, which says what is right or gives a hint. An exercise that you leave
# alone breaks nothing below it. Solutions are in the folder `solutions/`.
#
# **Quizzes.** A few questions at the end. Nobody sees your score.
#
# What you guess, solve and answer is kept on this machine alone, and is there again when you come back.
#
# **Verdicts.** `cl.verdict` tries a claim, and says with its numbers what came of it. It speaks of the model in front of
# you: with a larger one some verdicts are others, and nothing breaks.
#
# ### Exercise 1 · Ask it yourself
# Put three questions of your own in a list: one it should know, one it cannot know, one where you are not sure.

# %% tags=["exercise"]
mine = None  # a list of three questions
cl.check("00-answer", mine)

# %% tags=["solution"]
mine = [
    "What is the boiling point of water in degrees Celsius?",
    "What did I have for breakfast today?",
    "Who was the first woman to climb Mount Everest?",
]
cl.check("00-answer", mine)

# %% [markdown]
# And what does it say? (Nothing happens here until the list is filled.)

# %% tags=["nbval-ignore-output"]
for question, answer in zip(mine or [], gp.generate(mine or [], max_new_tokens=40)):
    print(f"{question}\n    {answer}\n")

# %% [markdown]
# ### Exercise 2 · Read the interval
# Look at the table of your first exam. What are the two ends of the 95% interval, as shares of 1?

# %% tags=["exercise"]
interval = None  # {"low": ..., "high": ...}
cl.check("00-read-interval", interval, report=report)

# %% tags=["solution"]
interval = {"low": round(report.ci[0], 2), "high": round(report.ci[1], 2)}
cl.check("00-read-interval", interval, report=report)

# %% [markdown]
# ## Quiz

# %%
cl.quiz("00")

# %% [markdown]
# ## What was measured

# %% tags=["nbval-ignore-output"]
report.table()

# %% [markdown]
# And this is how far you have come.

# %% tags=["nbval-ignore-output"]
cl.progress()

# %% [markdown]
# | claim | here |
# |---|---|
# | *language models know a lot in general* | **cannot tell**, if a lot is more than half: at this size it knows some of what everybody knows, and misses much |
# | *it may make things up about what it was never told* | **holds**: it spoke of a cup that does not exist |
# | *asked about the 2024 championship, it may fail* | see your own answer above; ask it for the score and the scorers |
#
# ## Where it stops being true
#
# This is a very small model. A larger one knows far more and chats less; it too has never read your handbook. Set
# `COURSE_MODEL=qwen-0.5b` and run this page again to see how much changes, and what does not.
#
# ## What each lesson holds
#
# | lesson | you will |
# |---|---|
# | 01 What is fine-tuning? | train a model line by line, and look at what moved inside |
# | **02 Open book, closed book** | let one model sit one exam many ways (**go there next**) |
# | 03 The SQL specialist | turn plain English into database queries, graded by running them |
# | 04 LoRA, QLoRA and their family | put a few new numbers beside the weights, train those alone, and see what is lost |
# | 05 RAG taken apart | build retrieval, measure it, break it |
# | 06 RAFT | teach a model to read with distracting pages on the table |
# | 07 Preferences | teach manners: RLHF and DPO |
# | 08 Choosing, costing, shipping | decide with your own numbers, price it, put it to use |
