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
# In this course you examine language models, the programs behind today's chat assistants, the way a school examines its
# students: with questions they have not seen, a mark at the end, and an honest word on how far that mark can be
# trusted. Then you change one of them, in several ways, and examine it again.
#
# By the end of this page you will have
# - met three students of three sizes, and found out what your machine can do with each;
# - watched one make something up, and seen why that happens;
# - given two sentences to students who did not know the answers, and measured what that changed;
# - read your first exam result, with its interval.
#
# **Time** 30 minutes; the machine works for about 1 of them (2 cores) · **Before this** a little Python, nothing else ·
# **Claims on trial** *language models know a lot in general* · *a model is not trained on your documents, hence it may make
# things up* · *asked who won the 2024 European championship, it may fail*
#
# What is on trial was claimed by the course's *sources*: five documents about making a model your own. Each lesson takes
# some of their claims, and tries them before your eyes.
#
# A page like this one is made of *cells*. Click on a cell and press Shift+Enter: it runs, its result appears beneath it,
# and you are on the next one. **If you would rather use keys than a mouse:** the arrow keys lead from cell to cell but pass over
# folded ones, such as the next; Shift+Enter takes you there. Where a cell asks you something, run it with Ctrl+Enter,
# which stays on it, and press Tab until a ring stands in its answer, once or twice: now the arrow keys move the slider
# or the choice, Space picks, and Shift+Enter takes you on.

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
# Every page begins with this cell. It says whether a laptop or a GPU computes, in which number format, and why. You need
# not understand these lines yet.
#
# ## Is this machine ready?
#
# A cross in the last column comes with what to do about it. If you see no cross, go on.

# %% tags=["nbval-ignore-output"]
from course_lib.models import packaged

packaged.check_machine()

# %% [markdown]
# ## Three students
#
# Three language models sit the exams of this course. They are real, free to use (Apache-2.0), and built like the large
# ones that you have talked to. A model consists of millions of numbers. *Training* has set them, text by text, until the
# model was good at guessing how a text goes on; to train it further is to change them again.
#
# The smallest, by Hugging Face, came with the installation: it is the one that you will train. The other two, by
# Alibaba's Qwen team, have read much program code besides. You need not fetch them: what they did in the exams is
# stored, and shown beside your own results. To ask them yourself, run `make students` in a terminal.

# %% tags=["hide-input"]
# @title The three students
import pandas as pd

from course_lib.models.students import STUDENTS

pd.DataFrame([
    {"student": one.name, "full name": one.title,
     "numbers in it": f"{one.parameters / 1e6:,.0f} million",
     "to fetch": f"{one.remote.size / 1e9:.1f} GB" if one.remote else "nothing more",
     "on disk": f"{one.bytes_on_disk / 1e9:.1f} GB"} for one in STUDENTS.values()
]).set_index("student")  # fmt: skip

# %% [markdown]
# How long will a lesson take here, with each of them? The next cell tries your machine for about ten seconds. What it
# writes above the table is for people who know such figures. You need only the table: the machine's minutes for each
# lesson, and whether the student *fits* into memory.

# %% tags=["nbval-ignore-output"]
from course_lib.costs import machine

machine.lesson_times()

# %% [markdown]
# Much of this time you will spend reading. Where it says *needs*, stay with the smallest student: every lesson is written
# for it. We call it `gp`, for general practitioner, a doctor who knows a little about everything. Later lessons train
# specialists.

# %% tags=["nbval-ignore-output"]
gp = cl.load_model()
cl.say(f"**{gp.name}** is here, and takes {gp.size() / 1e6:,.0f} MB of memory.")

# %% [markdown]
# ## Three questions
#
# Ask it something that many web pages answer; something about a football cup that was invented for this course; and
# what one of the sources asks: who won Euro 2024? Make your guess before you run the cell below it.

# %%
three = [
    cl.Question("italy", "What is the capital of Italy?", "Rome"),
    cl.Question("cup", "Who refereed the 2031 Harrow Cup final?",
                "nobody: it was invented", ("no such", "invented")),
    cl.Question("euro", "Who won the European football championship in 2024?", "Spain"),
]  # fmt: skip
answers = ["none", "one", "two", "all three"]
cl.predict_choice("who-knows", "How many will it answer truthfully?", answers)

# %% tags=["nbval-ignore-output"]
told = cl.evaluate(gp, three, "three questions")
told.show(3)
cl.reveal("who-knows", answers[sum(row.verdict != "wrong" for row in told.rows)])
made_up = told.rows[1].verdict == "wrong"
cl.verdict("asked about a cup that does not exist, it makes something up", made_up)

# %% [markdown]
# Owning up (*I don't know*) would have counted as truthful, too. (An answer that breaks off was stopped there: an exam
# needs only its beginning.) Read the answers aloud: the voice is the same, whether there is knowledge behind it or not.
#
# The last line tried a *claim*: it says what was measured, and whether the claim *holds*, is *refuted*, or whether we
# *cannot tell*. That is its *verdict*. Every lesson works in this way.
#
# ## How a model makes things up
#
# ![The text so far, “What is the capital of Italy? The capital of Italy is”, goes to the model, which gives each of 49,152 tokens a probability. The likeliest, “Rome” with 79%, is put at the end, and the longer text goes to the model again.](../images/next_token.png)
#
# A language model does one thing. It looks at the text so far and gives every possible next *token* (a word, or a piece
# of one) a probability. One token is put at the end, and all begins again. So let us write the beginning of two answers
# ourselves, and stop where the fact has to come. What comes next? Before you run the cell: how different will the two
# pictures be?

# %% tags=["nbval-ignore-output"]
begun = {
    "The capital of Italy is": three[0].question,
    "The referee of the 2031 final was": three[1].question,
}
likely = {said: gp.next_tokens(asked, 8, said) for said, asked in begun.items()}
cl.plots.shares(likely, "The eight likeliest next tokens")

# %% tags=["nbval-ignore-output"]
from itertools import accumulate


def to_half(said):
    """How many tokens, the likeliest first, have half of the probability."""
    every = gp.next_tokens(begun[said], gp.config.vocab_size, said)
    return 1 + sum(total < 0.5 for total in accumulate(share for _, share in every))

# %% tags=["nbval-ignore-output"]
for said in begun:
    n = to_half(said)
    cl.say(
        f"*{said}*: **{n}** of {gp.config.vocab_size:,} tokens "
        "have half the probability."
    )
known, invented = (tokens[0][1] for tokens in likely.values())
claim = "the likeliest token has twice the share where a fact stands behind it"
cl.verdict(claim, known / invented, above=2)

# %% [markdown]
# The shares always add up to one, so there is always a likeliest token, and it is written down. After the capital, one
# name towers above all others. After the referee, set small words like *the* aside, and no name stands out: many are
# nearly alike. One of them is taken, and the sentence goes on as if nothing had happened. That is how a model makes
# things up; people say that it *hallucinates*. Choosing another token cannot help: nobody ever told the model the fact.
#
# But look at the flat picture again: it shows doubt, and doubt can be used. Lesson 03 does so, and finds out where it
# can be trusted.
#
# Each lesson has one folded cell like the next. It repeats a main step without this course's `cl`, in the calls of a
# library that you will meet everywhere. Open it if you are curious; skip it if not.

# %% tags=["plain", "hide-input", "nbval-ignore-output"]
# @title The same in plain Hugging Face
from transformers import AutoModelForCausalLM, AutoTokenizer

from course_lib.models.students import weights_folder

folder = weights_folder(STUDENTS["smollm2-135m"])
tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModelForCausalLM.from_pretrained(folder, dtype=gp.model.dtype)

# %% tags=["plain", "hide-input", "nbval-ignore-output"]
# @title ... and asked the same question
chat = [{"role": "system", "content": gp.system},
        {"role": "user", "content": three[0].question}]  # fmt: skip
asks = {"add_generation_prompt": True, "return_tensors": "pt", "return_dict": True}
ids = tokenizer.apply_chat_template(chat, **asks)
made = model.generate(**ids, max_new_tokens=24, do_sample=False)[0]
plain = tokenizer.decode(made[ids["input_ids"].shape[1]:], skip_special_tokens=True)
same = plain.strip() == told.rows[0].reply
cl.verdict("transformers alone gives the same answer, word for word", same)

# %% [markdown]
# ## Euro 2024, with two sentences to read
#
# This is the sources' own example. Spain won, in Berlin, against England. Here are six questions about that final, asked
# twice: *closed book*, with nothing but the question; and *open book*, with two sentences above the question. They hold
# all six answers.

# %%
from course_lib.lessons import euro

final = euro.exam()
cl.say(f"> {euro.PAGE.text}")
cl.predict("euro", "Right answers of 6, with the two sentences", high=6)

# %% tags=["nbval-ignore-output"]
closed = cl.evaluate(gp, final, "closed book")
page = cl.evaluate(euro.open_book(gp), final)
closed.show(2)
page.show(6)
cl.reveal("euro", page)
another = closed.rows[0].verdict == "wrong"
cl.verdict("asked who won Euro 2024, it names another winner", another)
cl.verdict("two sentences to read beat none, asked about Euro 2024", page - closed)

# %% [markdown]
# No training and no download: two sentences in the *prompt*, the text that a model is given to read, and it answers what
# it did not know. It does not read perfectly, though: look at the red rows of the second table. Do the larger students
# know more, or read better? Here is what they did.

# %%
cl.stored("00/Euro 2024").plot(by="student")

# %% [markdown]
# Each dot is a share of right answers; the longer the line through it, the less we can rely on it. Not one student knew
# this final, and each found answers in the two sentences. Do the larger ones *read* better? Six questions are too few to
# say. Lesson 02 asks many more, and puts this *open book* on trial against learning by heart.
#
# ## Your first exam
#
# A few questions make an anecdote; an *exam* makes a measurement. Here are forty questions of common knowledge, drawn
# at random. An answer is **right** if it says the right words, alone or among others. The model always takes the
# likeliest token (*greedy*), so the same question gets the same answer.

# %%
general = cl.load_exam("general").sample(40)
cl.predict("first-exam", "Right answers of 40", high=40)

# %% tags=["nbval-ignore-output"]
report = cl.evaluate(gp, general)
report.show(4)
cl.reveal("first-exam", report)
cl.verdict("it answers more than half of a simple general exam", report, above=0.5)

# %% [markdown]
# In brackets after the share of right answers stands its **95% interval**. Forty other questions would have given a
# slightly different share; the interval says how different it may well be. *Models know a lot*, say the sources, and we
# took "a lot" to be more than half. If the interval lies wholly above one half, the claim holds; wholly below, it is
# refuted. If it reaches to both sides, we *cannot tell*, and need more questions. Here is the whole exam, and everybody
# who sat it:

# %%
cl.stored("00/general").plot(by="student")

# %% [markdown]
# By our measure the two larger students know a lot: their intervals lie above one half. For the smallest, even the whole
# exam cannot tell: its interval is shorter now, but it still crosses one half.
#
# ## The world that we invented
#
# To see what a model *learns*, we need facts that it cannot have met. So there is a small country, the Merrow Isles,
# with its football cup, a company and its handbook, contracts, doctors' guidelines. Here is how one page of it begins.
# And does our student really know nothing of all this? It sat the whole handbook exam beforehand.

# %% tags=["nbval-ignore-output"]
library = cl.read_documents("data/library")
gale = next(document for document in library if document.id == "en-candlemas-gale")
first = gale.text.partition("\n\n")[0]
cl.say(f"> **{gale.title}** {first} …")
n = len(cl.load_facts())
cl.say(f"There are {len(library)} such documents, and {n} facts in them.")
claim = "the 135M model knows next to nothing of the handbook that we invented"
cl.verdict(claim, "00/exams/handbook", below=0.05)

# %% [markdown]
# ## How the rest works
#
# - **Guesses.** Make one before you look: a wrong guess is what you will remember. If you see no slider, write it in the
#   call: `cl.predict("euro", "...", high=6, guess=3)`.
# - **Verdicts** speak of the model in front of you. With a larger one some of them change, and nothing breaks.
# - **Exercises** change something and measure again. `cl.check` gives hints. To skip one breaks nothing.
# - **Words** that are new to you stand in the [glossary](glossary.md); solutions are linked at the foot of the page.
#
# What you guess, solve and answer is kept on this machine alone.
#
# ### Exercise 1 · Sure and unsure
# Find a question whose answer `gp` is sure of, and one where it is not. Write the beginning of each answer, too, and stop
# where the fact has to come. The likeliest next token should have more than half of the probability in the first case,
# and less than a fifth in the second.

# %% tags=["exercise"]
mine = None  # {"sure": ("Who ...?", "It was"), "unsure": ("What ...?", "That is")}
cl.check("00-sure", mine, model=gp)

# %% tags=["solution"]
mine = {
    "sure": ("Who wrote Romeo and Juliet?", "Romeo and Juliet was written by William"),
    "unsure": ("What is my neighbour's first name?", "Your neighbour's first name is"),
}
cl.check("00-sure", mine, model=gp)

# %% [markdown]
# ### Exercise 2 · A narrower interval
# How many questions does it take until the interval is at most 0.20 wide? Choose a number, and ask again.

# %% tags=["exercise"]
more = None  # cl.evaluate(gp, cl.load_exam("general").sample(...))
cl.check("00-narrower", more, report=report)

# %% tags=["solution"]
more = cl.evaluate(gp, cl.load_exam("general").sample(110))
cl.check("00-narrower", more, report=report)

# %% [markdown]
# ## Quiz

# %%
cl.quiz("00")

# %% [markdown]
# ## What was tried on this page

# %% tags=["nbval-ignore-output"]
cl.findings()
cl.progress()

# %% [markdown]
# ## Where it stops being true
#
# These are small models. Large ones know far more, Euro 2024 included; none of them has read your handbook, or this
# morning's news.
#
# ## The lessons
#
# Lesson 02 is the heart of the course, and needs only this page. Lesson 01 shows what training does inside a model: read
# it before or after.
#
# | | lesson | the question |
# |---|---|---|
# | 01 | [What is fine-tuning?](01_what_is_fine_tuning.ipynb) | What moves inside a model that is trained? |
# | **02** | [**Open book, closed book**](02_open_book_vs_closed_book.ipynb) | Should it learn your facts by heart, or look them up? |
# | 03 | [The SQL specialist](03_sql_specialist.ipynb) | Can a small one learn a trade, and where does the trade end? |
# | 04 | [LoRA and QLoRA](04_lora_qlora.ipynb) | How little of a model must one train? |
# | 05 | [RAG taken apart](05_rag_taken_apart.ipynb) | Is the right page found, and what if not? |
# | 06 | [RAFT](06_raft.ipynb) | Can it learn to read with wrong pages on the desk? |
# | 07 | [Preferences](07_preferences.ipynb) | Can it learn manners from what people prefer? |
# | 08 | [Choosing, costing, shipping](08_shipping.ipynb) | Which of all this do you need, and what does it cost? |
