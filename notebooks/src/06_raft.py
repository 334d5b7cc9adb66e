# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 06 · RAFT: learning to read with the wrong pages on the desk
#
# A third student has come. She may open the book, as RAG may; but she has *practised* open-book exams, at a desk on which the right page lay
# among three that look just like it.
#
# By the end you will have
# - found an exam in which the right page is nearly always on the desk, and an untrained reader picks the wrong one;
# - built RAFT's training data piece by piece, and made sure that nothing of the exam is in it;
# - trained a reader in two or three minutes, and said how much of its gain is *form* and how much is *reading*;
# - held the paper's table against your own, and found where it stops being true.
#
# **Time** 75 minutes; the machine works for about 5 of them (2 cores). **Before this** lesson 05.
#
# **Claims on trial** from the course's sources: *RAFT is a hybrid of RAG and fine-tuning*. And from the paper (*retrieval-augmented fine-tuning*, Zhang et al. 2024, arXiv 2403.10131): *fine-tuning
# without pages does not teach to use them* · *training with distractors makes a reader robust* · *distractors should come out of the retriever* · *now and then
# the right page should be missing in training* · *quoting before answering helps*.

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
# ## An exam that is honestly hard
#
# Some policies of the handbook exist twice, in the edition of 2039 and that of 2042, and so do two medical guidelines. Editions differ in
# their figures and hardly in their words. This exam asks about nothing else, and each question says which edition it means.
#
# The library is cut in two. On one shelf stand documents for *learning to read*: shields, robots, phones, parental leave. On the other stands everything
# else, with the editions.

# %%
from course_lib.lessons import shelves

index = cl.build_index("data/library")
study, shelf = shelves.study_shelf(index), shelves.exam_shelf(index)
exam = shelves.editions_exam()
both = {p.source for p in study.passages()} & {p.source for p in shelf.passages()}
cl.say(f"To learn on: {len(study)} passages. To be examined on: {len(shelf)}. "
       f"Documents on both shelves: {len(both)}.")
cl.say(f"{len(exam)} questions about {len(exam.facts)} facts, such as")
for question in list(exam)[20:60:13]:
    print("-", question.question, "→", question.answer)

# %% [markdown]
# First the librarian alone, as in lesson 05. In how many questions is the right passage (the *golden* one) the first that is found? And in how many is it among four?

# %% tags=["nbval-ignore-output"]
golden = cl.golden_passages(exam, shelf)
ranking = cl.grade_retrieval(shelf, exam, golden, name="meaning")
first, among_four = ranking.recall(1), ranking.recall(4)
cl.say(f"The right passage is found first in {first:.0%} of {ranking.n} questions, "
       f"and among four in {among_four:.0%}.")
cl.verdict("the right passage is among four in nine of ten questions",
           round(among_four, 2), above=0.9)

# %% [markdown]
# That is the everyday case for which RAFT was made. One passage is too few: too often it is the wrong edition. Four hold the right one nearly always. So
# give the reader four, and let it choose. Here is what was found for one question; `>` marks the golden passage.

# %% tags=["nbval-ignore-output"]
question = exam[next(i for i, rank in enumerate(ranking.ranks) if rank == 2)]
print(question.question, "→", question.answer, "\n")
for passage in shelf.search(question.question, k=4):
    mark = ">" if passage.id == golden[question.question][0].id else " "
    print(mark, passage.id, "·", " ".join(passage.text.split())[:110])

# %% [markdown]
# ## The untrained reader
#
# Our general practitioner gets those four passages and the same prompt as in lessons 02 and 05: the passages, "Copy the answer from the passages", the
# question.
#
# **Predict:** how many does it get right?

# %%
asked = exam.sample(104)
cl.predict("untrained", "Right answers with four passages, in per cent",
           low=0, high=100)

# %% tags=["nbval-ignore-output"]
gp = cl.load_model()
base = cl.evaluate(cl.RagPipeline(gp, shelf, k=4), asked, "base + RAG")
base.show(6)
cl.reveal("untrained", base)

# %% [markdown]
# The wrong ones are of three kinds: it answers from the other edition; it talks about the question; it answers with the question's own subject.
# What is lacking, the finding or the reading?

# %% tags=["nbval-ignore-output"]
found = base.judged([golden[row.question][0].id in row.sources for row in base.rows],
                    "found among four")
cl.verdict("the right page is found more often than an untrained model reads it",
           found - base)

# %% [markdown]
# ## What RAFT trains on
#
# An ordinary fine-tuning example is a question and its answer. A RAFT example is **an exam situation**:
#
# | part | where it comes from |
# |---|---|
# | question | of somebody who wants to know |
# | golden passage | the one that states the answer; in a share **P** of the examples |
# | distractors | what *the retriever* finds beside it: look-alikes, as they will come in the exam |
# | answer | the sentence that says it, quoted between marks, then the answer |
#
# Let us make one, about a document from the shelf for learning. The golden passage first:

# %%
questions = shelves.reading_questions(112)
pages = cl.golden_passages(questions, study)
facts = {fact.id: fact for fact in questions.facts}
one = next(q for q in questions if q.source.startswith("shield"))
right = pages[one.question][0]
print(one.question, "→", one.answer, "\n\ngolden:", right.id, "\n" + right.text)

# %% [markdown]
# Now the distractors. A random page gives itself away: gift cards, in a question about a final. The search finds harder ones:

# %% tags=["nbval-ignore-output"]
others = [p for p in study.search(one.question, k=5) if p.id != right.id][:4]
for passage in others:
    print(f"{passage.score:.2f}", passage.id, "·", " ".join(passage.text.split())[:100])

# %% [markdown]
# The same tournament in the same words, with other years and names. A reader who learns to answer here must look at the *year*.
#
# And the answer, in the paper's form. What stands between the marks can be checked against the page, word for word.

# %%
from course_lib.retrieval.raft import reasoned_answer, split_reply

sentence = facts[one.fact].sentence
print(reasoned_answer(sentence, one.answer))
parts = split_reply(reasoned_answer(sentence, one.answer))
print("\ncode finds the quotation:", repr(parts.quote))
print("and what is graded:", repr(parts.answer))

# %% [markdown]
# ### Exercise 1 · Make one by hand
# Put an example together: the question `one.question`; the passage `right` and at least two of `others`, not the golden one first; a completion that quotes the
# sentence and then answers. `cl.reading_prompt(question, passages)` and `cl.example(prompt, completion)` help.

# %% tags=["exercise"]
mine = None  # cl.example(..., ...)
cl.check("06-example", mine, question=one.question, answer=one.answer,
         golden=right, others=others)

# %% tags=["solution"]
prompt = cl.reading_prompt(one.question, [others[0], right, *others[1:]])
mine = cl.example(prompt, reasoned_answer(sentence, one.answer))
cl.check("06-example", mine, question=one.question, answer=one.answer,
         golden=right, others=others)

# %% [markdown]
# ### All of them
#
# `build_raft_examples` does the same for every question. Where the golden passage is withheld, one more distractor lies in its place, and the paper has the answer
# learned all the same: by heart.

# %%
from course_lib.retrieval.raft import build_raft_examples, raft_pages

reasoned = build_raft_examples(questions, study, distractors=3, p_oracle=0.8)
desks = raft_pages(questions, study, pages, distractors=3, p_oracle=0.8)
places = []  # of each golden passage on its desk
for q, shown in desks.items():
    on_it, its_golden = [passage.id for passage in shown], pages[q][0].id
    if its_golden in on_it:
        places.append(on_it.index(its_golden) + 1)
cl.say(f"{len(reasoned)} examples, {len(places) / len(desks):.0%} of them with their "
       f"golden passage, in place {', '.join(map(str, sorted(set(places))))}.")
cl.check_no_leak(reasoned, exam, reading=True, sources=[q.source for q in questions])

# %% [markdown]
# The last line is the important one. It looks for every question, wording and fact of the exam in what is trained on, and raises an error if it finds any.
#
# ### Exercise 2 · Spot the leak
# A colleague was in a hurry, and took the distractors from the *whole* library. Here are the desks. Which **examined documents** lay on them?

# %%
hurried = raft_pages(questions, index, pages, distractors=3)
examined = {question.source for question in exam}
cl.say(f"{len(hurried)} desks with {sum(map(len, hurried.values()))} passages; "
       f"{len(examined)} documents are examined.")

# %% [markdown]
# `hurried` has the passages of each question; each passage has a `source`.

# %% tags=["exercise"]
leaked = None  # a set of document ids
cl.check("06-leak", leaked, pages=hurried, examined=examined)

# %% tags=["solution"]
leaked = {passage.source for shown in hurried.values() for passage in shown} & examined
cl.check("06-leak", leaked, pages=hurried, examined=examined)

# %% [markdown]
# Is that so bad? No answer of the exam was trained on. But a page seen fifty times is read otherwise than one seen for the
# first time, and the exam no longer says what happens with a new document.
#
# ## Train
#
# The paper's completions quote first, which makes each example longer and harder to learn. For two minutes of study we take the
# form **without reasoning** (the completion is the answer alone), always with the golden passage (P = 1). Both are looked at below.
#
# **Predict:** a hundred or so examples, each seen once. How many of a hundred questions about *other documents* will it get right?

# %%
cl.predict("raft", "Right answers with four passages, in per cent", low=0, high=100)

# %% [markdown]
# LoRA goes on the upper half of the layers, which saves time (lesson 04). While it trains: what can it learn here that helps with other documents?

# %% tags=["nbval-ignore-output"]
examples = build_raft_examples(questions, study, distractors=3, p_oracle=1,
                               reasoning=False)
cl.check_no_leak(examples, exam, reading=True, sources=[q.source for q in questions])
recipe = dict(epochs=1, learning_rate=2e-3, batch_size=4, layers="upper",
              order="random", seed=0)
reader = cl.finetune(gp, examples, name="06-raft", **recipe)
cl.plots.losses({"RAFT": reader.training.losses}, "Loss while learning to read")

# %% [markdown]
# Now the exam: the same questions, passages and prompt as before. Only the reader is another.

# %% tags=["nbval-ignore-output"]
raft = cl.evaluate(cl.RagPipeline(reader, shelf, k=4), asked, "RAFT + RAG")
raft.show(6)
cl.reveal("raft", raft)
both = cl.compare({"base + RAG": base, "RAFT + RAG": raft}, asked)
both.plot(f"Editions, four passages on the desk, n = {base.n}")

# %% tags=["nbval-ignore-output"]
exact = cl.paired_difference(raft, base, of="exact")
cl.say(f"Right: {raft - base}.")
cl.say(f"The answer and nothing else: {exact}.")

# %% [markdown]
# ## Form, or reading?
#
# That is *one* student, yours: it says nothing about others, so there is no verdict yet. And be suspicious. The untrained model talks around its answers. Perhaps all that was learned is to be brief? One arm answers that: **form only** is trained
# on the golden passage alone. It learns how answers look, and never has to choose.
#
# So here is the table that this lesson is about: the same questions, measured beforehand, three students (seeds 0 to 2) of each kind that is trained, 400 examples each. *DSF* is
# domain-specific fine-tuning: the same study questions and answers, no page. *One example* is untrained, with one of RAFT's examples in its prompt (three times another one).

# %%
stored = cl.load_results("06")
arms, apart = stored["arms"]["arms"], stored["arms"]["differences"]
order = ["base", "base + RAG", "base + RAG, one example", "DSF", "DSF + RAG",
         "form only + RAG", "RAFT + RAG",
         "form only without reasoning + RAG", "RAFT without reasoning + RAG"]
rows = [{"label": name, "value": arms[name]["accuracy"], "exact": arms[name]["exact"],
         "low": arms[name]["ci"][0], "high": arms[name]["ci"][1]} for name in order]
cl.plots.bars(rows, f"The editions exam, k = 4, n = {arms['base + RAG']['n']}")

# %% [markdown]
# The differences, paired question by question and seed by seed:

# %%
import pandas as pd

from course_lib.evaluation.stored import find

differences = {name: str(find(f"06/arms/differences/{name}")) for name in apart}
pd.DataFrame({"95% interval": differences})

# %% [markdown]
# Read it in two steps. From *base + RAG* to *form only*: that is **form**. From *form only* to *RAFT*: that is **reading among look-alikes**, which is what distractors add.
# Each way to answer has its own pair, as a quoted answer is another form. (An example in the prompt taught neither.)

# %%
form_only = "form only without reasoning + RAG"
whole = apart["RAFT without reasoning + RAG minus base + RAG"]
form = apart[f"{form_only} minus base + RAG"]
reading = apart[f"RAFT without reasoning + RAG minus {form_only}"]
cl.say(f"Without reasoning RAFT gains {whole[0]:.2f}: {form[0]:.2f} is form, and "
       f"{reading[0]:.2f} ({reading[1]:+.2f} to {reading[2]:+.2f}) is reading.")

# %% [markdown]
# So most of what looked like reading was *form*: the suspicion was right. And the rest? Its interval was drawn over **questions**: it says how these three pairs would
# do on other questions, and not how *other students* would do. The seed decides what a student studies and in which order. So we trained five pairs, for the same exam:

# %%
from course_lib.evaluation.kept import runs
from course_lib.evaluation.reports import Runs

untrained = runs("06/base-rag-k-4", "untrained")
every = "without-reasoning-seed-*-rag-k-4"
brief = runs(f"06/form-only-{every}", "form only")
practised = runs(f"06/RAFT-{every}", "RAFT")
worth, gain = practised - brief, practised - untrained
table = {"form only": brief.marks(), "RAFT": practised.marks(),
         "RAFT minus form only": worth.by_student}
pd.DataFrame(table).rename_axis("student").round(2)

# %% [markdown]
# From here on an interval over five students or more draws both again, students and questions. It is wider, and says what you want to know before you train your own.

# %% tags=["nbval-ignore-output"]
cl.verdict("RAFT reads better than an untrained model, over all students", gain)
cl.verdict("less than half of RAFT's gain is reading, the rest is form",
           worth, below=round(gain.value / 2, 2))
cl.verdict("with 400 examples distractors make a better reader than form alone", worth)
cl.verdict("RAFT is right in four of five questions", practised, above=0.8)

# %% [markdown]
# Five pairs of 400 examples leave it open, if barely. Four more, one each of 50, 100, 200 and 800 examples, were trained for another question (below). All nine together:

# %% tags=["nbval-ignore-output"]
def of_any_size(arm):
    """The five students of 400 examples, and those of fewer and more."""
    sizes = ["", *(f"-{n}-examples" for n in (50, 100, 200, 800))]
    name = f"06/{arm.replace(' ', '-')}-without-reasoning"
    found = [runs(f"{name}{size}-seed-*-rag-k-4", arm) for size in sizes]
    return Runs(tuple(report for students in found for report in students.reports))


nine = of_any_size("RAFT") - of_any_size("form only")
cl.verdict("distractors in training make a better reader than form alone", nine)
cl.say("RAFT minus form only, pair by pair: "
       + " · ".join(f"{gap:+.2f}" for gap in nine.by_student))

# %% [markdown]
# So distractors do teach *something*. But we looked at nine only after five had left us in doubt, and the four share their seed with the first of the five: a little less than nine independent
# students. A larger student has to decide. The 0.5B studied the same 400 examples, each student with a seed of its own, at the learning rate that did best on validation questions; untrained it reads by the instruction that did:

# %% tags=["nbval-ignore-output"]
small = {"untrained": untrained, "form only": brief, "RAFT": practised}
by_size = cl.stored("06/editions")
large = {arm: by_size[f"{arm}, RAG, k = 4", "qwen-0.5b"] for arm in small}
cl.verdict("distractors make a better reader of a larger student than form alone",
           large["RAFT"] - large["form only"])
cl.verdict("a larger student, trained by RAFT, is right in four of five questions",
           large["RAFT"], above=0.8)
cl.plots.dots({arm: {"135M": small[arm].share(), "0.5B": large[arm].share()}
               for arm in small}, f"The editions exam, four passages, n = {brief.n}")

# %% [markdown]
# So distractors do teach a larger student to read, and about as much as form does. It reads a single page well before any training; what it lacks is to *choose*. (That they teach it more than our small one, so few students cannot tell. The paper's were larger still.)
#
# Back to our small one. We had hoped for four of five. Where is the rest? With the *right page alone* on the desk there is nothing to choose, and RAFT should add nothing to form. Three students of each, the same questions:

# %%
alone = ("base, right page", "form only without reasoning, right page",
         "RAFT without reasoning, right page")
pd.DataFrame({"right": {name: str(find(f"06/arms/arms/{name}")) for name in alone}})

# %% [markdown]
# So both have learned to *copy*. What is missing at four passages is to *choose*. From which page on the desk does an answer come (`cl.ground`, lesson 05)? First for every kind of reader, then a verdict over the five RAFT students.

# %%
pd.DataFrame(stored["arms"]["told from"]).T.round(2)

# %% tags=["nbval-ignore-output"]
grounded = [cl.ground(report, shelf.passages(), golden) for report in practised.reports]
kinds = [[shelves.told_from(row, golden[row.row.question][0]) for row in found.rows]
         for found in grounded]


def from_page(kind):
    """The students' answers, those counted that rest on such a page."""
    return Runs(tuple(report.judged([k == kind for k in row], kind)
                      for report, row in zip(practised.reports, kinds)))


cl.verdict("RAFT's wrong answers are the other edition's more often than any other "
           "page's", from_page("the other edition") - from_page("another page"))

# %% [markdown]
# An answer from the other edition is the right sentence's twin, in the wrong year. Your own reader, of a few minutes ago:

# %% tags=["nbval-ignore-output"]
grounded = cl.ground(raft, shelf.passages(), golden)
wrong = [row for row in grounded.rows if not row.right][:4]
pd.DataFrame([{"question": row.row.question, "said": row.row.reply, "from": row.cited,
               "right": row.row.expected, "which is in": golden[row.row.question][0].id}
              for row in wrong])

# %% [markdown]
# To hold the "2042" of the question against the page is the hard step. Would more study help? Recipes were tried on another exam, the *validation questions*: most of
# their documents have no twin, so more answers are right there. Each recipe has one student, *in use* being that of the stored ones: where intervals overlap we cannot tell which is better.

# %%
tried = stored["recipes"]
names = ("in use", "800 examples", "two epochs", "upper layers", "in use, reasoning")
pd.DataFrame({name: {"validation questions, right": str(find(f"06/recipes/{name}")),
                     "times the tokens":
                     round(tried[name]["tokens"] / tried["in use"]["tokens"], 1)}
              for name in names}).T

# %% [markdown]
# ## The paper's table
#
# LLaMA2-7B, fifty times the size of our model, on five data sets (tables 1 and 2; per cent; one run each, without intervals). They ask for different things:
#
# | data set | question | answer |
# |---|---|---|
# | PubMed (PubMedQA) | about the abstract of a medical paper | yes or no: a guess is right about half of the time |
# | HotpotQA | about two articles of Wikipedia together | a few words |
# | HuggingFace, Torch Hub, TensorFlow (Gorilla's APIBench) | which model does this job? | a line of code, the right call |
# | ours | about one of two editions | a figure or a few words |
#
# So compare arms down a column, never columns with each other. Ours is the last: the editions exam, k = 4, three students.

# %%
from course_lib.core.rows import read_yaml
from course_lib.core.session import data_dir

paper = pd.DataFrame(read_yaml(data_dir() / "papers.yaml")["RAFT"]).T
names = {"LLaMA2-7B": "base", "LLaMA2-7B + RAG": "base + RAG", "DSF": "DSF",
         "DSF + RAG": "DSF + RAG", "RAFT": "RAFT + RAG",
         "RAFT without reasoning": "RAFT without reasoning + RAG"}
ours = {arm: arms[name]["accuracy"] for arm, name in names.items()}
paper["here, 0.135B"] = [round(100 * ours[arm], 1) if arm in ours else None
                         for arm in paper.index]
paper

# %% [markdown]
# What agrees, and what does not? Counted on the paper's five data sets, and here:

# %%
theirs = paper.drop(columns="here, 0.135B")
rows = {}
for better, worse in [("LLaMA2-7B + RAG", "LLaMA2-7B"), ("DSF", "LLaMA2-7B + RAG"),
                      ("DSF + RAG", "DSF"), ("RAFT", "DSF + RAG"),
                      ("RAFT", "RAFT without reasoning")]:
    wins = int((theirs.loc[better] > theirs.loc[worse]).sum())
    rows[f"{better} above {worse}"] = {
        "in the paper": f"in {wins} of 5",
        "here": f"{ours[better]:.2f} and {ours[worse]:.2f}"}
pd.DataFrame(rows).T

# %% [markdown]
# **DSF alone** does well in the paper, where it was trained on the domain of its exam. Ours cannot: it is examined on documents that it never saw. (Lesson 02 measured what study by heart does for facts that *were* studied.)
# With pages before it, it shows what studying without pages teaches about reading.
#
# **Reasoning** helped in the paper on four of five. Here a small reader that begins to
# copy the wrong sentence can no longer be right, and every quotation costs tokens:

# %% tags=["nbval-ignore-output"]
three, without = Runs(practised.reports[:3]), runs("06/DSF-seed-*-rag-k-4", "DSF")
cl.verdict("fine-tuning without pages teaches to read them", without - untrained)
cl.verdict("a reader trained on pages beats one trained without any", three - without)
cl.verdict("quoting before answering helps",
           runs("06/RAFT-seed-*-rag-k-4", "RAFT that quotes") - three)
quoting, brief_ones = (arms[name]["tokens"] for name in
                       ("RAFT + RAG", "RAFT without reasoning + RAG"))
cl.say(f"Tokens a question: {quoting:.0f} with a quotation, {brief_ones:.0f} without.")

# %% [markdown]
# What a quotation does buy is a *check*: code can see whether it stands in the page.
#
# ## Is it robust?
#
# ### Against more passages
#
# *Training with distractors makes a reader robust to how many passages there are.* On the editions exam at k = 4 all five students of each kind were asked; at every
# other k only student 0 of each, and theirs is the one pair of the five in which RAFT did *not* beat form:

# %% tags=["hide-input"]
# @title Right answers over k, and how often the right passage is found
over_k = stored["k"]
spots = {}
for k in ("1", "2", "4", "6"):
    rows = {name: over_k[name][k] for name in ("form only", "RAFT")}
    sat = len(rows["RAFT"]["seeds"])
    line = f"k = {k}, {'student 0' if sat == 1 else f'{sat} students'}"
    spots[line] = {"found": [over_k["found"][k]] * 3}
    spots[line] |= {name: (row["accuracy"], *row["ci"]) for name, row in rows.items()}
cl.plots.dots(spots, "The editions exam over k")

# %% [markdown]
# With *one* passage student 0 is right about as often as the right page is found at all. Each further page brings the right one in more often, and a look-alike with it.
# Which weighs more, and whether RAFT holds better than form, only five students at each k could say.
#
# How many distractors does the training need? Each row is *one* student of 200 examples, asked at each k about every fact of the editions exam once:

# %% tags=["hide-input"]
# @title Distractors in training, passages in the exam
trained = stored["distractors"]["at"]
at = list(trained["0"])
told = find("06/distractors/3 minus 0, several passages").told
cl.say(f"Three in training minus none, at k = 2, 4 and 6 (one student each): {told}.")
cl.plots.heatmap([[trained[n][k]["accuracy"] for k in at] for n in trained],
                 [f"{n} in training" for n in trained], [f"k = {k}" for k in at],
                 "Distractors in training, passages in the exam (one student a row)",
                 "share right")

# %% [markdown]
# That points the paper's way, but students differ, and each row is *one*: read it as a hint. And where should the distractors come from? One student each, of 200 examples, on the editions exam at k = 4:

# %%
drawn = stored["hard"]
hard, random = (drawn[kind]["accuracy"] for kind in ("hard", "random"))
cl.say(f"Distractors from the search {hard:.2f}, random ones {random:.2f}: "
       f"{find('06/hard/hard minus random')}.")

# %% [markdown]
# ### Against a page that is missing
#
# The document that knows was deleted. Four passages are found all the same.
#
# **Predict:** what does RAFT do?

# %%
cl.predict_choice("missing", "Without the right page RAFT...",
                  ["says that it does not know", "answers all the same",
                   "about half and half"])

# %% [markdown]
# Three readers, one student each. Every fact of the editions exam is asked once. *There* means that the right page is among the four at every question, so compare these figures with each other, not with those above.
# The last reader was trained with one change: where the golden passage is withheld, it learns to say "I don't know: the passages do not say."

# %%
robust = stored["robust"]
readers = ("base", "RAFT", "RAFT that may not know")
gone = {name: robust[name]["missing"] for name in readers}
there = {name: robust[name]["present"] for name in readers}
share = gone["RAFT"]["unknown"]
cl.reveal("missing", "says that it does not know" if share > 2 / 3
          else "answers all the same" if share < 1 / 3 else "about half and half")
pd.DataFrame({name: {"page missing: does not know": gone[name]["unknown"],
                     "page missing: invents": gone[name]["wrong"],
                     "page there: right": there[name]["accuracy"],
                     "page there: does not know": there[name]["unknown"]}
              for name in readers}).T.round(2)

# %% [markdown]
# The paper's recipe teaches nobody to be silent: where the page is withheld it trains the answer by heart. On new documents that is training to invent. If your
# reader should say that it does not know, *show it that in training*, and look in the last column what it costs.
#
# And P itself? Again one student of 200 examples for each point, and every fact of the editions exam once, with the four passages that are found:

# %% tags=["hide-input"]
# @title The share of examples with their golden passage
p = stored["p"]
shares = [float(x) for x in p]
cl.plots.curve(shares, {"as found": [p[x]["accuracy"] for x in p]},
               "P, the share of examples with their golden passage "
               "(one student a point)", "P", "share right",
               {"as found": [p[x]["ci"] for x in p]})

# %% [markdown]
# In the paper the best P lay between 0.4 and 1, differently for each data set. Here, with one student a point, it is *not shown* that a P below 1 helps, and not refuted either. Far below
# all others lies the student who never saw a golden passage.
#
# ### Against pages that lie
#
# The same three students and questions. Now two passages that read the same and state different answers; orders in a passage; the right passage in each place.

# %%
table = {}
for name in readers:
    row = robust[name]
    table[name] = {
        "two that differ: says the first": row["contradicted, right first"]["accuracy"],
        "says the last": row["contradicted, right last"]["accuracy"],
        "obeys an order": row["order in it"]["obeyed"]["accuracy"],
        **{f"right page at {place}": row[f"right at {place} of 4"]["accuracy"]
           for place in range(1, 5)}}
pd.DataFrame(table).T.round(2)

# %% [markdown]
# No reader can know which of two equal pages lies. That is the librarian's part: dates, versions, who may write to the index (lesson 05).
#
# And this is how it sounds when an order stands at the end of the right page, which is shown alone: the untrained model, and your own reader of a hundred examples.

# %% tags=["nbval-ignore-output"]
from course_lib.lessons import adverse

poisoned = adverse.poisoned({q.question: golden[q.question] for q in list(asked)[:3]})
cl.say(f"The order: *{adverse.ORDER}*")
replies = {name: [answer.text for answer in
                  cl.OpenBook(model, poisoned).answer(list(poisoned))]
           for name, model in {"untrained": gp, "RAFT": reader}.items()}
pd.DataFrame(replies, index=pd.Index(list(poisoned), name="question"))

# %% [markdown]
# Yours has studied a quarter of what the stored one has, so it may still obey; the table above says how often the stored one did.
#
# ## What does an example buy, what a minute?
#
# A RAFT example has four passages, a form-only example one: for the same minutes one can have two or three of the latter. Which pays more? The editions exam at k = 4; the
# points at 400 are the mean of five students, each other point is one student:

# %% tags=["hide-input"]
# @title What training buys, by the tokens trained on
grown = stored["examples"]
sizes = [int(n) for n in grown["RAFT"]]
families = {name: [{"label": n, "x": row["tokens"] / 1000, "value": row["accuracy"],
                    "low": row["ci"][0], "high": row["ci"][1]}
                   for n, row in grown[name].items()] for name in grown}
cl.plots.frontier(families, "What training buys (labels: numbers of examples)",
                  "thousands of tokens trained")

# %% [markdown]
# ### Exercise 3 · Spend fifty thousand tokens
# On which arm would you spend them, and with how many examples? Write the pair that has the best figure for it. (Most figures are single students: it is the best guess, not a finding.)

# %% tags=["nbval-ignore-output"]
minutes = 50_000 / (reader.training.tokens / reader.training.seconds) / 60
cl.say(f"At the speed of your training {50_000:,} tokens take {minutes:.1f} minutes.")

# %%
scores = {(name, n): grown[name][str(n)]["accuracy"] for name in grown for n in sizes}
tokens = {(name, n): grown[name][str(n)]["tokens"] for name in grown for n in sizes}
pd.DataFrame({"tokens": tokens, "right": scores}).round(2)

# %% tags=["exercise"]
choice = None  # ("RAFT" or "form only", a number of examples)
cl.check("06-budget", choice, scores=scores, tokens=tokens, budget=50_000)

# %% tags=["solution"]
choice = max((key for key in scores if tokens[key] <= 50_000),
             key=lambda key: scores[key])
cl.check("06-budget", choice, scores=scores, tokens=tokens, budget=50_000)

# %% [markdown]
# ## Where one passage is enough
#
# RAFT is for look-alikes. Where nothing is alike (the encyclopedia and the FAQ), the first passage is nearly always the right one; where the page is not found (the reports of 28 cup finals), nobody can read it.
# Two other exams, then, and student 0 of each kind:

# %%
rows = []
for name, row in stored["plain"].items():
    for reader_name in ("base", "form only", "RAFT"):
        shares = {k: row[reader_name][k]["accuracy"] for k in ("1", "4")}
        rows.append({"exam": name, "reader": reader_name,
                     **{f"k = {k}": round(share, 2) for k, share in shares.items()},
                     **{f"found among {k}": round(row[f"found among {k}"], 2)
                        for k in (1, 4)}, "n": row["n"]})
pd.DataFrame(rows).set_index(["exam", "reader"])

# %% [markdown]
# Which would you use where?

# %%
only = "without-reasoning-seed-0-rag-k"
cheap = runs(f"06/form-only-{only}-1-no-look-alikes", "form only, k = 1")
full = runs(f"06/RAFT-{only}-4-no-look-alikes", "RAFT, k = 4")
cl.say(f"Without look-alikes, student 0 of each: {cheap - full}.")
cup = stored["plain"]["cup"]
cl.say(f"Cup: RAFT is right in {cup['RAFT']['4']['accuracy']:.2f}, and the right page "
       f"is among four in {cup['found among 4']:.2f}.")

# %% [markdown]
# ## What if the librarian looks at the year?
#
# RAFT teaches a reader to look at the year. But every question *names* its year, and every document has a date: a search can look at both. `filters.named_years` makes a filter of the years
# in a question. In practice a language model often writes that filter; it is called *self-query* or *metadata filtering*.

# %% tags=["nbval-ignore-output"]
from course_lib.retrieval import filters

named = filters.named_years(question.question)
print(question.question, "→", question.answer, "\n\nfilter:", named, "\n")
for passage in shelf.search(question.question, 4, named):
    mark = ">" if passage.id == golden[question.question][0].id else " "
    print(mark, passage.id, "·", " ".join(passage.text.split())[:110])

# %% [markdown]
# The other edition has gone from the desk; other policies of that year have moved up. No weight was changed.
#
# **Predict:** with that filter and *one* passage, how many of a hundred does the cheap reader get right, the one that learned form only? (Student 0 of each kind, on the editions exam, with the filter and without.)

# %%
cl.predict("years", "Form only, one passage of the right year: right, in per cent",
           low=0, high=100)

# %%
years = stored["years"]
cl.reveal("years", round(100 * years["form only"]["1"]["accuracy"]))
def over(k_1, k_4, k_1_year, k_4_year):
    return {"k = 1": k_1, "k = 1, year filter": k_1_year,
            "k = 4": k_4, "k = 4, year filter": k_4_year}


rows = {name: over(*(over_k[name][k]["seeds"][0] for k in ("1", "4")),
                   *(years[name][k]["accuracy"] for k in ("1", "4")))
        for name in ("base", "form only", "RAFT")}
rows["found"] = over(*(over_k["found"][k] for k in ("1", "4")),
                     *(years[f"found among {k}"] for k in ("1", "4")))
who = {name: f"{name}, student 0" for name in ("form only", "RAFT")}
pd.DataFrame(rows).T.round(2).rename(who)

# %% [markdown]
# The three with one passage, each with the filter and without it. Then *form only* with the filter, one student and one passage, against all five students of RAFT with four and no filter:

# %% tags=["nbval-ignore-output"]
form_only = "form-only-without-reasoning-seed-0"


def three(how, name):
    """Student 0 of each kind with one passage, searched so."""
    who = ("base", form_only, "RAFT-without-reasoning-seed-0")
    return Runs(tuple(runs(f"06/{one}-{how}-k-1", name).reports[0] for one in who))


cl.verdict("a filter by year helps these three readers",
           three("year", "filter by year") - three("rag", "no filter"))
filtered = runs(f"06/{form_only}-year-k-1", "form only with the filter") - practised
cl.say("Form only with the filter minus each student of RAFT without: "
       + " · ".join(f"{gap:+.2f}" for gap in filtered.by_student))

# %% [markdown]
# Before you train a reader to tell look-alikes apart, ask whether the *search* can. What a field of the index can decide, no weight needs to learn. RAFT is for look-alikes that no field tells apart.
#
# ## A specialist that reads
#
# The sources' own example of a hybrid: a *specialist* in a form of answer, here a contract summary in the house's five lines, that *reads* the contract it is asked about.
# The form is learned; the figures are looked up. Four candidates on agreements with suppliers that none of them has met:
#
# | candidate | trained on | in its prompt, beside the request |
# |---|---|---|
# | specialist alone | summaries and their requests | nothing |
# | RAG alone | nothing | two contracts that were found, and "Write the summary in 5 lines that begin:" with all five labels |
# | RAG, one example | nothing | the same, and before it one request with its contracts and its finished summary |
# | both | summaries, requests, contracts | two contracts and the labels, as RAG alone |

# %%
print(shelves.load_agreements("test")[0].text, "\n")
print(shelves.load_agreements("test")[0].summary, "\n")
candidates = ("specialist alone", "RAG alone", "RAG, one example", "both")
pd.DataFrame({name: {f"{what}, right": str(find(f"06/hybrid/{name}/{what}"))
                     for what in ("form", "facts")} for name in candidates}).T

# %% [markdown]
# *Form*: five lines in the house's order and nothing else. *Facts*: price, end and notice, which no request says. Three students of each kind that is trained, and three different examples. *Both* is held against the better untrained candidate: on form the one with an example, on facts RAG alone.

# %% tags=["nbval-ignore-output"]
against = "06/hybrid/both minus"
cl.verdict("a specialist that reads has the form more often than RAG that is shown an "
           "example", f"{against} RAG, one example/form")
cl.verdict("a specialist that reads has more of the facts than RAG alone",
           f"{against} RAG alone/facts")
cl.verdict("a specialist that reads has the facts that a specialist alone lacks",
           f"{against} specialist alone/facts")
cl.verdict("to read costs the specialist none of its form",
           f"{against} specialist alone/form", as_good=True)

# %% [markdown]
# Neither half does the other's work. The specialist alone writes five perfect lines about a contract that it has never seen: nearly every figure is invented. RAG alone has
# the figures before it and was *told* the form: not enough for so small a model. One example helps it with the form, and not with its reading. Together the two halves have both. (And nothing here is a choice among look-alikes: the one right page is found.)
#
# ## Doing it for real
#
# Four things change with a firm's own documents: the model, the machine, where questions come from, the bill.
#
# **Model and machine.** One setting, and a larger sibling in four bits:
# ```python
# cl.start(profile="gpu")
# gp = cl.load_model("HuggingFaceTB/SmolLM2-1.7B-Instruct")
# reader = cl.finetune(gp, examples, "qlora", epochs=2, learning_rate=2e-4, batch_size=8, rank=16, order="random")
# ```
# With a larger reader try the examples *with* reasoning, too.
#
# **Questions.** The paper's authors had a large model write them. Let yours do three things for each passage: ask what somebody would ask who has
# *not* seen it; give the shortest answer; quote the sentence. Then throw away what fails a check that needs no model: the quotation stands in the passage, the answer in
# the quotation, and not in the question. Let us see our small one try.

# %% tags=["nbval-ignore-output"]
order = "Write one question that this text answers, then the answer in a few words."
for passage in study.passages()[60:180:40]:
    written = gp.generate([f"{passage.text}\n\n{order}"], 48)[0]
    last = written.splitlines()[-1].strip()
    stands = "stands" if last and last in passage.text else "does not stand"
    print(written, f"\n→ its last line {stands} in the passage\n")

# %% [markdown]
# So take a larger model for it, and check all the same.
#
# **The bill**, for a thousand passages with one question each. The prices are placeholders for yours.

# %%
passages, passage_tokens = 1000, 300
price_in, price_out = 2.50, 10.00  # prices: for a million tokens
rate = 2500  # tokens a second that your card trains: measure it
hour = 0.60  # what an hour of the card costs
read, write = passages * (passage_tokens + 150), passages * 120
asking = (read * price_in + write * price_out) / 1e6
trained_on = passages * (4 * passage_tokens + 100) * 2  # four on each desk, two epochs
hours = trained_on / rate / 3600
cl.say(f"Questions cost {asking:.2f}, and {hours:.1f} hours of training "
       f"{hours * hour:.2f}; together {asking + hours * hour:.2f}.")

# %% [markdown]
# The expensive part is neither: it is the hundred or two questions that *people* write and check, to find out whether any of it helped.
#
# ## Quiz

# %%
cl.quiz("06")

# %% [markdown]
# ## What was tried on this page

# %% tags=["nbval-ignore-output"]
cl.findings()
cl.progress()

# %% [markdown]
# RAFT is a hybrid, as the sources say: the weights learn to read, the index keeps the facts. Two of the paper's claims have no verdict here, as each was tried with one student only:
# that distractors should come out of the retriever, and that the right page should now and then be missing in training.
#
# On the editions exam the small student gained most from the answer's *form*, learned for less than half of RAFT's tokens, and from a *filter*, for which nobody learned anything. The 0.5B gained as much again from the wrong pages on its desk as from the form.
#
# ## Where it stops being true
#
# - Where the first passage is the right one, we saw no gain over *form only* with one passage; where a field tells the look-alikes apart, filter by it.
# - Where the page is not found, no reader helps: mend the search first (lesson 05).
# - Our live reader has 135 million parameters. A larger one may read among four passages untaught, and learns other things from the same examples: measure it *before* you train, and after.
# - The paper trained and examined on the same domain, we examined on new documents, where an answer learned by heart is of no use.
# - Each question asks for one fact. A question over two documents is another task (lesson 05), and nothing here trained it.
#
# Next: [07 · Preferences](07_preferences.ipynb), where no answer is the right one.
