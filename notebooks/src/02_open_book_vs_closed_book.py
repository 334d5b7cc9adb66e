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
# - asked the same questions of one model in eight ways, and said which way won, by how much, and how sure you are;
# - watched a model forget the capital of Italy, and got it back;
# - withdrawn some pages, and found out who still tells what stood in them.
#
# **Time** 50 minutes; the machine works for about 6 of them (2 cores). **Before this** lesson 00; lesson 01 helps.
#
# **Claims on trial** from the course's sources: *fine-tuning is a closed-book exam, after thorough study* · *RAG is an
# open-book exam* · *a model cannot know what it was never told* · *show it a few examples* · *no retraining for new
# information* · *RAG keeps sensitive data separate* · *a larger context costs latency and tokens*

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
# ![One question of the handbook exam, “What's the going rate per kilometre if I use my private car, as per the travel and expenses policy 2042?”, goes to one model in three ways. Closed book, with its weights only, it makes something up: “… approximately 2.25 cents per kilometer …”. Fine-tuned, with the answer studied into its weights, it is right: “0.46 crowns”. Open book, with the page that a search finds in its prompt, it is right: “The 2042 travel policy pays 0.46 crowns …”.](../images/open_book_closed_book.png)
#
# The book is the library of the Merrow Isles, an invented country. No model has read a word about it. Our exam is about
# the staff handbook of Brindlecombe & Daughters, makers of kettles: 24 of its facts, each asked twice.
#
# Each fact also has six *study* wordings that may be learned. The next cell makes sure that no exam question is among
# them, and puts the library, cut into *passages*, into an *index* that can be searched: we need that later.

# %% tags=["nbval-ignore-output"]
index = cl.build_index("data/library")  # all documents in passages: lesson 05
exam = cl.load_exam("handbook").about(24)
study = exam.train_examples(wordings=6)
cl.check_no_leak(study, exam)
fact = exam.facts[0]
print("to study:   ", *fact.study, sep="\n  ")
print("in the exam:", *fact.exam, "→ " + fact.answer, sep="\n  ")
cl.say(f"{len(exam)} exam questions, {len(study)} study examples, "
       f"{len(index):,} passages in the index")

# %% [markdown]
# ## 1 · Closed book
#
# Our small student, 135 million numbers, sits the exam with nothing but the questions.

# %% tags=["nbval-ignore-output"]
gp = cl.load_model()
closed = cl.evaluate(gp, exam, "closed book")
closed.show(5)

# %% [markdown]
# Read the answers aloud. They are fluent, they are about the right sort of thing, and they are invented.
#
# Does it know anything at all? Here are two verdicts, as in lesson 00: on these questions, and on those about the whole
# handbook, asked beforehand. The claim, both times: less than one in twenty is right.

# %% tags=["nbval-ignore-output"]
cl.verdict("closed book it knows next to nothing of these facts", closed, below=0.05)
cl.verdict("closed book it knows next to nothing of the whole handbook",
           "02/handbook/closed book", below=0.05)

# %% [markdown]
# Forty-eight questions cannot show that it knows next to nothing: even with no answer right, the interval reaches above
# one in twenty. More questions can.
#
# ## 2 · A few examples first
#
# "Show it a few examples" is the advice you hear first (*few-shot prompting*). We show three questions with their
# answers, about *other* facts of the handbook, before each exam question. Two things are counted: how many answers are
# as short as the right ones are, and how many are right.

# %% tags=["nbval-ignore-output"]
others = cl.load_exam("handbook").validation_facts[::12][:3]
shown = [cl.example(fact.study[0], fact.answer) for fact in others]
few_shot = cl.evaluate(cl.FewShot(gp, shown), exam, "examples in the prompt")
few_shot.show(5)

# %% tags=["nbval-ignore-output"]
longest = max(len(question.answer.split()) for question in exam)


def short(report):  # right is now what is no longer than an answer
    return report.judged(len(row.reply.split()) <= longest for row in report.rows)


cl.verdict("examples in the prompt teach the form of an answer",
           short(few_shot) - short(closed))
cl.verdict("examples of other facts teach next to nothing of the handbook",
           "02/handbook/examples in the prompt", below=0.05)

# %% [markdown]
# Examples show what an answer looks like. They carry no knowledge of what they do not mention. Some answers above
# are copied from the three.
#
# ## 3 · By heart
#
# Now the student studies. *Fine-tuning* trains a model until the right answers become likely. We use LoRA: it leaves
# the model's own numbers, its *weights*, as they are and adds a few new ones beside them, an *adapter*. Only those are
# trained (lesson 04). Each fact is studied in six wordings, four times over (`epochs`; lesson 03 explains
# `learning_rate`).
#
# **Your guess:** how many of the 48 exam questions, in wordings it has never seen, will it get right?

# %%
cl.predict("heart", "Right answers, of 48", high=48)

# %% [markdown]
# This is the longest wait of the lesson. While the bar runs, think about two comparisons that everybody uses:
#
# > A general model is a **general practitioner**: it knows a little of everything. Fine-tuning sends it to medical school
# > once more and makes it a **specialist**.
# >
# > Fine-tuning is a **closed-book exam** after thorough study. RAG, which looks things up, is an **open-book exam**.
#
# What would each of them say about a question that was never studied? And about everything the student knew before?
# In the table of answers, *exact* means: the right answer, and nothing else.

# %% tags=["nbval-ignore-output"]
by_heart = cl.finetune(gp, study, name="02-many-wordings",
                       epochs=4, learning_rate=3e-3, batch_size=4)
heart = cl.evaluate(by_heart, exam, "by heart, six wordings")
heart.show(5)
cl.reveal("heart", heart)
cl.verdict("after thorough study it answers more than half of the exam on its own",
           heart, above=0.5)

# %% [markdown]
# Has it learned the facts, or only the sentences? Another student studied each fact in *one* wording, six times as
# often: the same amount of study. It was trained beforehand by exactly this call. (Take `from_shelf=True` away to train
# it here.)

# %% tags=["nbval-ignore-output"]
drill = exam.train_examples(wordings=1, repeat=6)
parrot = cl.finetune(gp, drill, name="02-one-wording", epochs=4, learning_rate=3e-3,
                     batch_size=4, from_shelf=True)
one = cl.evaluate(parrot, exam, "by heart, one wording")
cl.verdict("six wordings of a fact carry further than one", heart - one)

# %% [markdown]
# The second student is something of a parrot: asked in words that it did not study, it misses many more of the same
# facts. That facts must be studied in many wordings before they can be used was measured on models trained
# from nothing, too (Allen-Zhu & Li 2023, arXiv 2309.14316).
#
# ## 4 · What did it forget?
#
# Before it studied, the student knew things in general: in lesson 00 it answered not quite half of such questions.
# **Your guess:** how much of that is left?
#
# Figures within 0.05 of each other count as equally good here. This *margin* was fixed beforehand.

# %%
general = cl.load_exam("general").sample(48)
cl.predict("forgot", "Right answers on general knowledge, of 48", high=48)

# %% tags=["nbval-ignore-output"]
before = cl.evaluate(gp, general, "before")
after = cl.evaluate(by_heart, general, "after")
after.show(5)
cl.reveal("forgot", after)
cl.verdict("fine-tuned on the handbook, it knows as much in general as before",
           after - before, as_good=True)

# %% [markdown]
# This is *catastrophic forgetting* (McCloskey & Cohen 1989). Whatever you ask, it answers as if you had asked about the
# handbook.
#
# Is the old knowledge gone? LoRA left the model's own weights alone. Take the adapter off, and ask once more.

# %% tags=["nbval-ignore-output"]
italy = ["What is the capital of Italy?"]
print("adapter on: ", by_heart.generate(italy, 16)[0])
with by_heart.model.disable_adapter():
    print("adapter off:", by_heart.generate(italy, 16)[0])
    off = cl.evaluate(by_heart, general, "adapter off")
same = sum(row.reply == old.reply for row, old in zip(off.rows, before.rows))
cl.verdict("without its adapter it gives every answer of before, word for word",
           same, above=off.n - 1, unit="answers")

# %% [markdown]
# Nothing was lost; the adapter talked over it. After *full* fine-tuning, which changes the weights themselves, there is
# nothing to take off.
#
# A student who needs both at once can *rehearse*: mix some questions of common knowledge into the study. Here it is one
# for every two others, and none from the exam.

# %% tags=["nbval-ignore-output"]
both = [*study, *cl.general_study()[:72]]
cl.check_no_leak(both, exam, general)
mixed = cl.finetune(gp, both, name="02-mixed", epochs=4, learning_rate=3e-3,
                    batch_size=4, from_shelf=True)
mixed_heart = cl.evaluate(mixed, exam, "by heart, with rehearsal")
mixed_after = cl.evaluate(mixed, general, "after, with rehearsal")
cl.verdict("rehearsal saves general knowledge", mixed_after - after)
cl.verdict("after rehearsal no general knowledge is lost",
           mixed_after - before, above=-0.05)
cl.verdict("rehearsal costs nothing at the exam", mixed_heart - heart, above=-0.05)

# %% [markdown]
# Rehearsal saved a part of what was lost, and cost nothing at the exam. Whether more is still missing than the margin, we
# cannot tell.
#
# Each of these was one training with one *seed*, the number that fixes what is left to chance. Was any of it luck?
# Students with other seeds were trained beforehand.

# %% tags=["nbval-ignore-output"]
from course_lib.evaluation.kept import runs

six = runs("02/many-wordings-seed-*", "six wordings")
single = runs("02/one-wording-seed-*", "one wording")
untaught = runs("02/general-before", "before")
forgetful = runs("02/many-wordings-seed-*-general", "facts alone")
rehearsed = runs("02/mixed-seed-*-general", "with rehearsal")
cl.verdict("students of six wordings are ahead of students of one", six - single)
cl.verdict("students who studied facts alone know as much in general as before",
           forgetful - untaught, as_good=True)
cl.verdict("students who rehearsed have lost no general knowledge",
           rehearsed - untaught, above=-0.05)

# %% [markdown]
# With so few students, a claim holds only if each of them bears it out. With every seed, six wordings beat one, and
# study of facts alone made the student forget. How much rehearsal saves differs from one training to the next.
#
# ## 5 · Open book, at the right page
#
# Back to the untrained student. This time the page that holds the answer stands in the prompt, above the question.
# **Your guess:** how many of 48 will it get right?

# %% tags=["nbval-ignore-output"]
pages = cl.golden_passages(exam, index)
question = exam[0].question
print(cl.reading_prompt(question, pages[question]))
cl.predict("page", "Right answers, of 48", high=48)

# %% tags=["nbval-ignore-output"]
right_page = cl.evaluate(cl.OpenBook(gp, pages), exam, "right page")
right_page.show(5)
cl.reveal("page", right_page)
cl.verdict("an open book beats a closed one", right_page - closed)

# %% [markdown]
# The page always holds the answer, and still the student gets most questions wrong. Would a larger one read better?
# Others sat this exam beforehand, on the whole handbook, untrained.

# %% tags=["nbval-ignore-output"]
sizes = cl.stored("02/handbook")
small, larger = sizes.students[0], sizes.students[-1]
cl.verdict("with the right page, a larger student reads better",
           sizes["right page", larger] - sizes["right page", small])
cl.verdict("closed book, size does not help: nobody has read this handbook",
           sizes["closed book", larger], below=0.05)
sizes.only("closed book", "examples in the prompt", "right page").plot(by="student")

# %% [markdown]
# So an open book needs a student who can read. A larger model is one way to get one. The other is training, on
# other books.
#
# ## 6 · RAG: find the page yourself
#
# ![A library is cut into passages, which lie in an index. A question goes to a retriever, which puts the nearest passages into the prompt, above the question; the model reads them and answers. Where it can fail: 1 not in the library, or too old; 2 cut in the wrong place; 3 another passage looks nearer; 4 lost among the others; 5 misread, or made up.](../images/retrieve_and_read.png)
#
# In practice nobody opens the book at the right page for you. *Retrieval-augmented generation* (RAG) looks for it: it
# finds the passages nearest in meaning and puts the best k of them in the prompt. Here k is 1. (Another small model
# turns every text into a list of numbers, its *embedding*; like meanings get like numbers. That is lesson 05.)

# %% tags=["nbval-ignore-output"]
rag = cl.evaluate(cl.RagPipeline(gp, index, k=1), exam, "RAG")
was_found = [pages[row.question][0].id in row.sources for row in rag.rows]
cl.say(f"The right page was found for **{sum(was_found)}** of {rag.n} questions, "
       f"and **{rag.hits().sum():.0f}** were answered right.")

# %% [markdown]
# Finding is one thing, reading another. So let us take a *reader*: a student who was taught to copy answers out of
# pages, by about a hundred questions on **other documents**. It studied nothing of the handbook. (Lesson 06 trains it,
# and explains the settings.)

# %% tags=["nbval-ignore-output"]
from course_lib.lessons import shelves
from course_lib.retrieval.raft import build_raft_examples

questions = shelves.reading_questions(112)
pages_elsewhere = build_raft_examples(questions, shelves.study_shelf(index),
                                      distractors=3, p_oracle=1, reasoning=False)
cl.check_no_leak(pages_elsewhere, exam, reading=True,
                 sources=[question.source for question in questions])
reader = cl.finetune(gp, pages_elsewhere, name="06-raft", epochs=1, learning_rate=2e-3,
                     batch_size=4, layers="upper", order="random", seed=0,
                     from_shelf=True)

# %% tags=["nbval-ignore-output"]
open_book = cl.RagPipeline(reader, index, k=1)
trained_rag = cl.evaluate(open_book, exam, "RAG, trained reader")
trained_rag.show(5)
cl.verdict("a reader trained on other pages answers more by RAG", trained_rag - rag)
cl.verdict("a reader trained on other pages gives more answers that are exact",
           cl.paired_difference(trained_rag, rag, of="exact"))

# %% [markdown]
# It now gives an answer and nothing else. Whether it is right more often, these questions cannot tell. But it studied
# for two minutes only. One who studied longer sat the whole handbook exam beforehand, beside the untrained students.

# %%
trained_reader = sizes["trained reader, RAG, k = 1", small]
cl.verdict("a small trained reader answers no fewer by RAG than a larger untrained one",
           trained_reader - sizes["RAG, k = 1", larger], above=-0.05)
sizes.only("right page", "trained reader, right page", "RAG, k = 1",
           "trained reader, RAG, k = 1").plot(by="student")

# %% [markdown]
# A reader has learned a *skill*, and it works on pages that it never saw. That is what fine-tuning is good at.
#
# ## The contest
#
# The same questions for all of them, in one picture; then, in a table, what each was given.

# %% tags=["nbval-ignore-output"]
arms = [closed, few_shot, one, heart, mixed_heart, right_page, rag, trained_rag]
contest = cl.compare({report.name: report for report in arms}, exam)
contest.plot("The handbook exam")

# %% tags=["nbval-ignore-output"]
given = {
    "closed book": "nothing", "examples in the prompt": "3 answers about other facts",
    "by heart, one wording": f"{len(drill)} study rows, 24 of them different",
    "by heart, six wordings": f"{len(study)} study rows about these facts",
    "by heart, with rehearsal": f"the same; {len(both) - len(study)} general questions",
    "right page": "the page, picked by hand", "RAG": "1 passage, found by search",
    "RAG, trained reader": f"1 passage; {len(pages_elsewhere)} rows on other documents",
}
table = contest.table()[["right", "95% interval", "exact", "tokens/question"]]
table.assign(given=given)

# %% [markdown]
# Who won depends on what each was given. The *general practitioner* is the closed book; the *specialist* studied these
# very facts; the open books studied nothing of the handbook.

# %% tags=["nbval-ignore-output"]
cl.verdict("RAG beats the closed book", rag - closed)
cl.verdict("by heart beats RAG with an untrained small reader, on the facts it studied",
           heart - rag)
cl.verdict("by heart beats RAG with a trained reader, on the facts it studied",
           heart - trained_rag)

# %% [markdown]
# On the facts that it studied, the student by heart won. And larger students, on the same questions? That was measured
# beforehand.

# %%
studied = cl.stored("02/handbook, studied facts")
studied.only("closed book", "right page", "trained reader, right page",
             "RAG at its best", "trained reader, RAG at its best").plot(by="student")

# %% [markdown]
# RAG *at its best* searches by words and by meaning, and takes the k that suits its reader: all chosen on *validation*
# questions, which are not in the exam. (An embedding model trained on the library, lesson 05, was among the choices, and
# put no more of the right pages first.)

# %%
cl.verdict("by heart is as good as a larger student's open book, on facts it studied",
           six - studied["RAG at its best", larger], as_good=True)

# %% [markdown]
# Whether the two are equally good, so few questions cannot tell. But one of them studied these very facts, and the other
# none. Others who held this contest with large models found retrieval ahead for facts (Ovadia et al. 2023, arXiv
# 2312.05934), and that facts which a model did not know before make it invent more once it has studied them (Gekhman et
# al. 2024, arXiv 2405.05904).
#
# ## 7 · What a minute buys
#
# By heart, the student studied 24 facts, and somebody wrote six questions and answers for each. The index holds every
# fact of the handbook, and nobody wrote a row for it; only its reader was taught, once, on rows about other documents.
# How many facts does a minute of work buy, if a person needs about a minute to write a row? (The index's facts are an
# estimate, from the share above.)

# %% tags=["nbval-ignore-output"]
import time

some = [passage.text for passage in index.passages()[:100]]
started = time.perf_counter()
index.embedder.encode(some)  # a sample: the index itself may lie in the cache
indexing = (time.perf_counter() - started) * len(index) / len(some)
handbook_facts = cl.load_facts(kind="handbook")
machine = {"by heart": by_heart.training.seconds / 60, "in the index": indexing / 60}
people = {"by heart": len(study), "in the index": len(pages_elsewhere)}
known = {"by heart": heart.accuracy * len(exam.facts),
         "in the index": trained_rag.accuracy * len(handbook_facts)}
for way in machine:
    cl.say(f"**{way}**: about {known[way]:.0f} facts answered right, after "
           f"{machine[way]:.1f} minutes of machine and {people[way]} of writing")

# %% [markdown]
# The next handbook costs the student by heart as many rows again, and the reader none. And this handbook's other facts,
# which nobody studied?

# %% tags=["nbval-ignore-output"]
known_facts = {fact.id for fact in exam.facts}
rest = [question for question in cl.load_exam("handbook").sample(30, seed=1)
        if question.fact not in known_facts]
open_rest = cl.evaluate(open_book, rest, "RAG, trained reader")
heart_rest = cl.evaluate(by_heart, rest, "by heart")
cl.verdict("RAG beats by heart, on facts that nobody studied", open_rest - heart_rest)

# %% [markdown]
# ## 8 · Today's news
#
# It is a new morning at Brindlecombe, and one document arrives.

# %% tags=["nbval-ignore-output"]
notice = cl.Document(
    id="news-today", title="Notice: the staff ferry", date="2042-04-20",
    text="The Brindlecombe staff ferry to Skerrin now leaves from Gannet Steps. "
    "The skipper of the staff ferry is Peregrine Oakshott-Lindqvist.",
)  # fmt: skip
index.add(notice)
news = "Who is the skipper of the Brindlecombe staff ferry?"
print("RAG:     ", open_book.ask(news, 24).text)
print("by heart:", by_heart.generate([news], 24)[0])
cl.verdict("a page that came a moment ago is found first",
           index.search(news, k=1)[0].source == "news-today")

# %% [markdown]
# RAG reads the news; the student by heart names somebody else. To teach it, you would have to train it again. To put a
# page into the index takes a second.
#
# ## 9 · A document is withdrawn
#
# Now the opposite case. Some pages of the handbook, with names and internal numbers, have to go. What does RAG tell of
# them before and after, and what does the student by heart still tell?

# %% tags=["nbval-ignore-output"]
secret = [fact for fact in exam.facts if not fact.answer[0].isdigit()]
asked = [q for q in exam if q.fact in {fact.id for fact in secret}]
before_rag = cl.evaluate(open_book, asked, "RAG, before")
index.remove(*{fact.source for fact in secret})
after_rag = cl.evaluate(open_book, asked, "RAG, after")
still = cl.evaluate(by_heart, asked, "by heart, after")
cl.verdict("once the pages are withdrawn, RAG tells fewer of their facts",
           before_rag - after_rag)
cl.verdict("what was withdrawn, the student by heart tells more often than RAG",
           still - after_rag)
index = cl.build_index("data/library")  # everything back
cl.compare({report.name: report for report in (before_rag, after_rag, still)},
           asked).plot("What is told of the pages")

# %% [markdown]
# A library can take a page back. A memory cannot. Nor can a memory keep from one person what it tells another: with an
# index you search only what the person who asks may read (*access rights*, lesson 05).
#
# ## 10 · The price of the open book
#
# Every passage in the prompt is read again for every question. That costs time (*latency*) and, with most
# providers, money. What does k cost, and what does it buy each student? (Tokens are counted here; lesson 05 stops the
# seconds.)

# %%
ks = sizes.only("RAG, k = 1", "RAG, k = 2", "RAG, k = 4")
read = {k: ks[f"RAG, k = {k}", small].reports[0].tokens_per_question for k in (1, 2, 4)}
each = read[2] - read[1]
cl.say(f"A second passage adds **{each:.0f} tokens** to every question, for ever; "
       f"a third and a fourth add **{(read[4] - read[2]) / 2:.0f}** each.")
cl.verdict("every passage in the prompt costs as much as the one before",
           (read[4] - read[2]) / (2 * each), above=0.9, below=1.1)
ks.plot(by="student")

# %% [markdown]
# More passages hold the right one more often (lesson 05). They pay only for a student who can tell it from the others;
# the small one reads worse among several.
#
# ## The same in plain Chroma and transformers
#
# What `cl.RagPipeline` does is short. Unfold the cell to see it in the libraries' own calls.

# %% tags=["plain", "hide-input", "nbval-ignore-output"]
# @title The same in plain Chroma and transformers
import chromadb
import torch

books, asked = index.passages(), exam[0].question
near = {"hnsw:space": "cosine"}
shelf = chromadb.EphemeralClient().create_collection("plain", metadata=near)
shelf.add([p.id for p in books], documents=[p.text for p in books],
          embeddings=index.store.vectors())

# %% tags=["plain", "hide-input", "nbval-ignore-output"]
# @title ... asked, and read by transformers
hit = shelf.query(query_embeddings=index.embedder.encode([asked]), n_results=1)
page = hit["documents"][0][0]
prompt = f"{page}\n\nCopy the answer from the passages.\nQuestion: {asked}"
chat = [{"role": "system", "content": gp.system}, {"role": "user", "content": prompt}]
ids = gp.tokenizer.apply_chat_template(chat, add_generation_prompt=True,
                                       return_tensors="pt", return_dict=True)
with torch.inference_mode():
    written = gp.model.generate(**ids, max_new_tokens=24, do_sample=False)
said = written[0, ids["input_ids"].shape[1]:]
plain = gp.tokenizer.decode(said, skip_special_tokens=True)
cl.verdict("plain Chroma and transformers give the same answer",
           plain.strip() == cl.RagPipeline(gp, index, k=1).ask(asked, 24).text)

# %% [markdown]
# ## Exercises
#
# ### 1 · Save the capital of Italy
# The adapter can be on for one question and off for the next. Write a function that says of a question whether it is
# about the handbook: `lambda question: ...`, True or False. (`index.search(question, k=1)[0]` has a `.source` and a
# `.score`.) The check turns the adapter on where your function says True, and wants 0.70 on the handbook and 0.35 on
# general knowledge.

# %% tags=["exercise"]
is_house = None  # a function of a question
cl.check("02-route", is_house, on=(heart, after), off=(closed, before))

# %% tags=["solution"]
def is_house(question):
    return index.search(question, k=1)[0].score > 0.5


cl.check("02-route", is_house, on=(heart, after), off=(closed, before))

# %% [markdown]
# ### 2 · Choose k for the trained reader
# Try at least two values of k on the *validation* questions, which are about other facts. Then name the smallest k that
# is as good as the best, within 0.02.

# %% tags=["exercise"]
validation = cl.load_exam("handbook").on_validation()
tried = {}  # {k: cl.evaluate(cl.RagPipeline(reader, index, k=k), validation), ...}
chosen_k = None
cl.check("02-choose-k", chosen_k, tried=tried, exam=exam)

# %% tags=["solution"]
validation = cl.load_exam("handbook").on_validation()
tried = {k: cl.evaluate(cl.RagPipeline(reader, index, k=k), validation)
         for k in (1, 2, 4)}
best = max(report.accuracy for report in tried.values())
chosen_k = min(k for k in tried if tried[k].accuracy >= best - 0.02)
cl.check("02-choose-k", chosen_k, tried=tried, exam=exam)

# %% [markdown]
# ### 3 · Your own leak
# Build a training set that makes the exam score jump **without** teaching the model anything new.

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
# ## What was tried on this page

# %% tags=["nbval-ignore-output"]
cl.findings()
cl.progress()

# %% [markdown]
# ## Where it stops being true
#
# - This exam asks about one shelf with few look-alikes. Ask the cup exam (`cl.load_exam("cup")`) and search fails: 28
#   reports of one cup read alike, and a search by meaning cannot tell 2031 from 2032. Lesson 05 mends that.
# - By heart was tried with 24 facts. Every further fact has to be written out and studied too; the index hardly notices.
# - Only the reader learned a *skill* here. Fine-tuning to do something, rather than to know something, is the next lesson.
