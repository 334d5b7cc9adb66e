# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 08 · Choosing, costing, shipping
#
# You know them all by now: the model that is only asked, the specialist, the student with the open book, and the one who practised with wrong pages on the desk. On Monday somebody will ask you
# which of them to hire, what that costs, and who looks after them in the second year.
#
# By the end you will have
# - filled the sources' comparison table with numbers, and had advice on twelve cases, with its reasons;
# - trained a specialist in nothing but a voice, and asked which metrics can judge it;
# - worked out memory, hours and money of a training run, and checked the formulas against real runs;
# - served a model over a network, and decided whether the next one may replace it;
# - written one page about a case that claims nothing its numbers do not support.
#
# **Time** 100 minutes; the machine works for about 4 of them (2 cores).
#
# **Claims on trial** from the course's sources: *RAG provides knowledge, fine-tuning a skill or a style* · *fine-tuning is best for stable tasks, RAG for changing or large ones, a hybrid for
# both* · *a chatbot in the voice of Shakespeare* · *a 7B model on 100k examples costs \$500 to \$2,000 with LoRA, over \$20,000 in full* · *a smaller, fine-tuned model is cheaper and faster* ·
# *RAG is cost-effective* · *fine-tuning needs updates as your data changes* · *use multiple metrics and human checks* · *your private workspace secures model and dataset*.

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
# ## Choosing
#
# One table stands in nearly every article about our subject. Here it is in the words of one of the course's sources, and beside each cell what this course measured
# (95% intervals, n, and the lesson): first its column about RAG, then the one about fine-tuning.

# %%
import pandas as pd

from course_lib.lessons import choosing

table = choosing.comparison_table()
table[["RAG", "RAG, measured"]]

# %%
table[["fine-tuning", "fine-tuning, measured"]]

# %% [markdown]
# *"RAG provides knowledge, fine-tuning teaches a skill or a style."* Both halves are in the table. But can fine-tuning not teach *facts*? In lesson 02 it taught some, by heart:

# %% tags=["nbval-ignore-output"]
from course_lib.evaluation.kept import runs
from course_lib.evaluation.reports import Runs
from course_lib.evaluation.stored import find, quoted

best, studied = "RAG at its best", "readers/02/handbook, studied facts"
rows = {"handbook, closed book": "02/handbook/closed book",
        **choosing.readers("handbook, RAG", f"readers/02/handbook/{best}"),
        "24 facts by heart": "02/by_heart/many-wordings/*/exam",
        **choosing.readers("the same 24, RAG", f"{studied}/{best}"),
        "queries, before": "03/desk/before/values",
        "queries, after 300 pairs": "03/desk/desk/values"}
pd.Series({what: quoted("", place).strip() for what, place in rows.items()},
          name="right").to_frame()

# %% tags=["nbval-ignore-output"]
sizes = cl.stored("02/handbook")
cl.verdict("RAG brings facts to a model that never learned them",
           sizes[best, "qwen-0.5b"] - sizes["closed book", "qwen-0.5b"])
cl.verdict("fine-tuning teaches most of the front desk's queries",
           "03/desk/desk/values", above=0.5)

# %% [markdown]
# (*RAG at its best* has a reader who can read, with the settings that did best on other questions. The smallest model, untrained, is no fair rival.) So the sentence describes a habit, not a law: facts can be studied. Against it speak six wordings for each fact, nothing known of the other facts,
# nearly everything else forgotten, and no way to take a fact back. *That* is what the choice is about.
#
# And what did *you* measure? The reports of the lessons that you ran were kept. The newest twelve:

# %% tags=["nbval-ignore-output"]
mine = cl.own_results()
mine.head(12)

# %% [markdown]
# Your figures may differ from the stored ones by a question or two. That is what the intervals are for.
#
# ### Advice, with its reasons
#
# A table does not choose; a case does. Ours has ten fields: knowledge or behaviour, how often it changes, how much there is, who may see it, how fast, and so on. The helper follows
# a few rules. Do the facts go into the prompt, into pages, or into the weights? Where does the behaviour come from? Each rule quotes the rows that it rests on.
#
# Try it yourself first. Our sources give this case as *the* example of fine-tuning:

# %%
cases = {written.id: written for written in choosing.load_cases()}
finance = cases["finance"]
print(finance.story)
cl.predict_choice("finance", "For the bank, build...",
                  ["prompting", "RAG", "fine-tuning", "RAFT", "hybrid"])

# %% [markdown]
# What does the helper say? Read the reasons, and doubt them: each has its numbers below it.

# %%
advice = choosing.advise(finance.case)
cl.reveal("finance", advice.choice)
advice

# %% [markdown]
# The source is right about the bank's *manner*, which its enquiries teach. But its *rules* change every month, which weights follow slowly, and must be cited, which weights cannot do.
#
# Change one thing about a case, and see whether the advice changes:

# %%
choosing.advisor()

# %% [markdown]
# The same without a widget: the HR policies of the sources, but everybody may read everything, the answer must come at once, and somebody has collected questions with their answers. Do
# the facts now go into the weights? No: they change twice a year.

# %%
advice = choosing.advisor(cases["hr"].case, privacy="open", latency="tight",
                          examples=500)

# %% [markdown]
# ### Twelve cases
#
# We wrote down the sources' examples and some others, each with what a thoughtful expert would build, *before* we tried the helper's rules on them:

# %%
advised = {one.title: (one.expert, choosing.advise(one.case).choice, one.why)
           for one in cases.values()}
agreed = sum(expert == helper for expert, helper, _ in advised.values())
cl.say(f"In {agreed} of {len(advised)} cases the helper says what the expert said.")
columns = ["expert", "helper", "why"]
pd.DataFrame.from_dict(advised, orient="index", columns=columns).rename_axis("case")

# %% [markdown]
# That sounds better than it is. Cases and rules come from the same people, and rules can be bent until they fit a dozen stories. The evidence is in the rows.
#
# ### Where each of them loses
#
# An adviser who never says "not here" is a salesman. For each way, a place in this course where it lost, or gained nothing:

# %%
shown, hit = "02/handbook/examples in the prompt", "05/answers/rag/hybrid, k = 1/hit"
by_heart = "02/by_heart/many-wordings/*/general"
losses = {
    "prompting": {"facts, with three other facts as examples": shown,
                  "queries, with three examples": "03/desk/examples/values"},
    "RAG": {"right, though the right page was found": hit,
            "told from the old edition": "05/breaks/stale/all dates/says the old"},
    "fine-tuning": {"common knowledge, before": "02/general_before",
                    "after learning a handbook by heart": by_heart},
}

# %%
losses |= {
    "RAFT": {"nothing alike, four passages": "06/plain/no look-alikes/RAFT/4",
             "form alone, one passage": "06/plain/no look-alikes/form only/1"},
    "hybrid": {"form of summaries, both minus specialist alone":
               "06/hybrid/both minus specialist alone/form",
               "tokens a summary, both": "06/hybrid/both/form/tokens",
               "specialist alone": "06/hybrid/specialist alone/form/tokens"},
}
pd.Series({(way, what): quoted("", place).strip() for way, rows in losses.items()
           for what, place in rows.items()}, name="measured").to_frame()

# %% [markdown]
# Prompting taught no facts. RAG, read by the untrained 135M, misread the right page. Fine-tuning paid with common knowledge. Where pages are not alike, RAFT has nothing to repair.
# The hybrid is nowhere shown to be worse; where only the *form* was wanted it gained nothing that we could tell, and read three times as much.
#
# ### The limits of advice
#
# Every rule of this kind has a line in it somewhere. See what one letter more does to the new desk of the twelve cases:

# %%
from dataclasses import replace

new_desk = cases["new-desk"].case
for n in (12, 99, 100):
    choice = choosing.advise(replace(new_desk, examples=n)).choice
    cl.say(f"With {n} sorted letters the advice is *{choice}*.")
pd.Series({f"after {n} letters": quoted("", f"01/few/{n}/*").strip()
           for n in (10, 30, 100, 300)}, name="letters sorted correctly").to_frame()

# %% [markdown]
# The measured rows have no such step: they climb. The line has to stand somewhere, and the rows say where you are on the slope. They come from small models in an invented world, what was trained from the smallest of them: they show which way, not how far. With a larger model everything that needs reading moves in favour of pages.
#
# ### Exercise 1 · Out of the weights
# In one of the twelve cases the helper wants facts learned by heart:

# %%
robot = cases["robot"].case
cl.say(f"{cases['robot'].story} The advice is *{choosing.advise(robot).choice}*.")

# %% [markdown]
# Change **one** thing about it, so that its facts are better kept in pages. (`replace(robot, ...)` makes a case that differs in what you name; `choosing.Case` lists the fields.)

# %% tags=["exercise"]
mine = None  # replace(robot, ...)
cl.check("08-case", mine, case=robot)

# %% tags=["solution"]
mine = replace(robot, cite=True)
cl.check("08-case", mine, case=robot)

# %% [markdown]
# ## A voice
#
# Some wishes need no knowledge at all. Brindlecombe's front desk has its answers. It would like them **as Shakespeare might have given them**, without losing one name or figure. All the facts stand
# in the prompt. What is missing is behaviour, and that is what fine-tuning is for.

# %% tags=["nbval-ignore-output"]
gp = cl.load_model()

# %% [markdown]
# Pairs were written for it: a plain answer, and the same in the voice. No name or figure of the pairs to study is in those that will be asked.

# %%
from course_lib.lessons import voice

study, asked = voice.load_style("train"), voice.load_style("test")
stage = voice.style_exam(asked)
pair = study[0]
print(pair.request, "\n→", pair.voice, "\nmust survive:", ", ".join(pair.keep))
print(f"{len(study)} pairs to study, {len(asked)} to be asked")

# %% [markdown]
# Who judges a voice? Not the author of the pairs, and not the model. A small classifier has read six of Shakespeare's plays and much of today's prose, and **none of our pairs**. Before we trust it, we ask it about
# three plays and some documents that it has not read either.

# %%
from course_lib.lessons.voice import plain_lines, voice_lines

plays, prose = voice_lines("test"), plain_lines("test")
shares = {name: sum(voice.in_the_voice(lines)) / len(lines)
          for name, lines in {**plays, **prose}.items()}
cl.plots.bars([(name, share, share, share) for name, share in shares.items()],
              "Called Shakespeare's voice, never read before", "share of lines")

# %% [markdown]
# A *thou* is easily caught, so what the judge praises may be nonsense in old clothes. Keep that in mind.
#
# **Predict:** the model is *told* the wish, with no training. How many of the 40 replies are in the voice, with every fact?

# %%
cl.predict("told", "Replies in the voice, facts and all, out of 40", low=0, high=40)

# %% tags=["nbval-ignore-output"]
told = cl.evaluate(lambda requests: gp.reply(list(requests), 60), stage, "told")
of_told = voice.grade_style(told, asked)
told.show(3)
cl.reveal("told", of_told["both"])

# %% [markdown]
# (The mark in front is for voice and facts at once; *right* is how we would have said it.)
#
# Now train on every pair, twice. This is the longest cell of the lesson. While it runs: which will be harder to learn, the voice, or to keep every fact?

# %% tags=["nbval-ignore-output"]
rehearsed = [pair.as_example() for pair in study]
actor = cl.finetune(gp, rehearsed, name="08-style", epochs=2, batch_size=8, rank=4)
acted = cl.evaluate(lambda requests: actor.reply(list(requests), 60), stage,
                    "specialist")
of_acted = voice.grade_style(acted, asked)
acted.show(5)
pd.DataFrame({judge: {"told": f"{of_told[judge].accuracy:.2f}", "specialist":
                      "{:.2f} ({:.2f} to {:.2f})".format(report.accuracy, *report.ci)}
              for judge, report in of_acted.items()})

# %% [markdown]
# Five replies of forty say little. All forty, paired with those of the model that was told:

# %% tags=["nbval-ignore-output"]
for judge, what in {"voice": "has the voice", "both": "has voice and facts"}.items():
    cl.say(f"How much more often this actor {what}: {of_acted[judge] - of_told[judge]}")

# %% [markdown]
# That is one actor. To speak of *training* takes several seeds, and a third rival that needs none: three examples *shown* in the prompt. (Stored.)

# %% tags=["nbval-ignore-output"]
def judged(arm, judge):
    """The stored replies of an arm, under one of the judges."""
    seeds = "-seed-*" if arm == "specialist" else ""
    return Runs(tuple(voice.grade_style(report, asked)[judge]
                      for report in runs(f"08/style-{arm}{seeds}", arm).reports))

# %% tags=["nbval-ignore-output"]
more = "a specialist has the voice and every fact more often than a model that was"
for arm in ("told", "shown"):
    cl.verdict(f"{more} {arm}", judged("specialist", "both") - judged(arm, "both"))
cl.verdict("a specialist keeps more facts than a model that was told",
           judged("specialist", "facts") - judged("told", "facts"))
stored = cl.load_results("08")
style = stored["style"]
pd.DataFrame({arm: {judge: find(f"08/style/arms/{arm}/{judge}").told for judge in marks}
              for arm, marks in style["arms"].items()}).T

# %% [markdown]
# A model that only repeats the plain answer keeps every fact; one that only declaims may lose them all. So a wish of two parts has to be judged in both at once.
# Here the specialist is ahead in *voice* and in *both*. In *facts* we cannot tell: the model that was told mostly repeats what it was given, and what is not touched is not lost.
#
# ## Evaluation gaps
#
# Read the five replies above again. Does each *mean* what the plain answer meant? No judge has asked that. Here is each candidate by every metric that we have. *Exact match* and *token F1* (shared words) compare with the reply that
# we wrote; *both* is what was wanted.

# %% tags=["nbval-ignore-output"]
measured = {"told": (told, of_told), "specialist": (acted, of_acted)}
voice.metric_table(measured)

# %% [markdown]
# A metric that ranks two models against your wish is worse than none, and one that cannot tell them apart does not help. Are there such metrics here? (Stored answers; the specialist of seed 0.)

# %%
judges = pd.DataFrame.from_dict(style["metrics"], orient="index")
first = {metric: marks.idxmax() if marks.nunique() > 1 else "nobody"
         for metric, marks in judges.items()}
cl.say("\n".join(f"- {found}." for found in style["disagreements"])
       or "Every metric agrees here with the judges.")
cl.say("First is " + ", ".join(f"*{who}* by {metric}" for metric, who in first.items())
       + ".")
judges

# %% [markdown]
# Exact match asks for *our* sentence, and there are a thousand good ones; token F1 rewards copying; *facts* alone likes a model that did nothing about as much. Each answers a question that nobody asked.
#
# What is left is a human being. Read, and count: which of these say what the plain answer said?

# %% tags=["nbval-ignore-output"]
judged_so = {"exact": "✓ both"}
ten = zip(asked[:10], acted.rows, of_acted["both"].rows)
pd.DataFrame([{"the plain answer": pair.plain, "the specialist's reply": row.reply,
               "the judges": judged_so.get(grade.verdict, "✗ not both")}
              for pair, row, grade in ten])

# %% [markdown]
# Your count is what your customers would see. If it differs from the judges', you have found the gap in ours.
#
# ## Costing
#
# Money is time on a machine, times its price. Time is multiplications, over how many the machine does in a second. So count multiplications.
#
# ### Six for each number and token
#
# To read one token, a model of N numbers multiplies and adds once with each: 2 N floating point operations (FLOPs). Going backwards takes 2 N for what the layers below must hear, and 2 N for what the weights must learn. So
# for D tokens
#
# **full: 6 N D  ·  LoRA: 4 N D**
#
# because frozen weights learn nothing (Kaplan et al. 2020, arXiv 2001.08361; Hu et al. 2021, arXiv 2106.09685). The sources' example is a 7B model with 100,000 examples. How long each is, and how
# often it is read, they do not say; we take 500 tokens, three times.

# %%
from course_lib.costs import bills

seven = cl.SHAPES["7B"]
N = seven.linear + seven.vocabulary * seven.hidden  # what multiplies: layers, output
D = 100_000 * 500 * 3
counted = {method: bills.training_flops(seven, D, method)
           for method in ("full", "lora")}
for method, flops in counted.items():
    print(f"{method}: {flops:.2e} FLOPs, that is {flops / (N * D):.2f} N D")

# %% [markdown]
# (What LoRA has above four are its own small matrices.)
#
# ### Prices, and their age
#
# What a card can do and what it costs stands in `data/prices.yaml`, each figure with where and when it was read. Prices grow old, so the file says how old one may be, and **an older one is refused**.
# This page names the day on which they were read, so that it prints the same in years to come.

# %%
from course_lib.costs.prices import load_prices

prices = load_prices(today="2026-11-30")
rows = prices.table()
rows = rows[rows["unit"].str.startswith("USD")].reset_index(drop=True)
rows[["item", "what", "by", "value", "unit", "date"]]

# %% [markdown]
# And today, where you are? Ask without a day:

# %% tags=["nbval-ignore-output"]
try:
    load_prices()
    print("Young enough: all of the prices may be used today.")
except cl.CourseError as error:
    print("CourseError:", error)

# %% [markdown]
# If you were refused, read the sources again (they stand in the file) and write down the new figures with today's date.
#
# ### Hours and dollars
#
# **Predict:** LoRA on that 7B model: 100,000 examples of 500 tokens, read three times, on a rented A100. How many dollars?

# %%
cl.predict("bill", "Dollars for one run", low=0, high=2000)

# %% [markdown]
# No card reaches the peak of its data sheet. Large trainings got between a fifth and a half of it (Chowdhery et al. 2022, arXiv 2204.02311, table 3); we reckon with 0.3.

# %%
a100 = prices.card("A100 SXM 80 GB")
hours = 4 * N * D / (a100.peak * 0.3) / 3600
bill = bills.training_bill(seven, a100, D, "lora")
cl.say(f"By hand, 4 N D: {hours:.1f} hours, {hours * a100.cheapest:.2f} dollars at the "
       "cheapest price. With activation checkpointing, which reads everything once "
       f"more: {bill.hours:.1f} hours, {bill.usd:.2f} dollars.")
cl.reveal("bill", round(bill.usd))

# %% [markdown]
# ### Memory: what has to lie on the card
#
# Lesson 04's formula, in its parts. For each *trained* number the optimizer keeps two of its own and a copy of the weight in 32 bits, 12 bytes, and there is a gradient. *Activations* are what is kept to go
# backwards: with checkpointing 2 · width · tokens for each layer and 34 for one (Korthikanti et al. 2022, arXiv 2205.05198). In GB, 2,048 tokens a step:

# %% tags=["nbval-ignore-output"]
from dataclasses import asdict

parts = {method: asdict(cl.training_memory(seven, method))
         for method in ("full", "lora", "qlora")}
memory = pd.DataFrame(parts).div(1e9)
whole = memory.sum()
share = memory.loc["optimizer", "full"] / whole["full"]
cl.say(f"The optimizer takes {share:.0%} of full fine-tuning's memory.")
cl.verdict("full fine-tuning of a 7B model takes more than a card of 24 GB has",
           round(whole["full"], 1), above=24, unit="GB")
cl.verdict("LoRA on a 7B model fits on a card of 24 GB",
           round(whole["lora"], 1), below=24, unit="GB")
pd.concat([memory, whole.to_frame("total").T]).round(1)

# %% [markdown]
# ### Memory of answering: the cache
#
# To answer, no optimizer is needed. What grows instead is the *KV cache*: the keys and values (what attention looks back at) of all layers, for each token of each conversation, so that nothing is computed twice. In Llama 2 7B each of 32 heads keeps its own;
# in Llama 3.1 8B, whose price we shall need, four heads share one, so 8 are kept.

# %%
from course_lib.costs.memory import Shape

llama_31 = Shape("Llama 3.1 8B", 32, 4096, 14336, 128256, 32, 8)  # its config.json
cache = {}
for name, shape in {"Llama 2 7B": seven, "Llama 3.1 8B": llama_31}.items():
    width = shape.kv_heads * shape.hidden // shape.heads
    each = 2 * shape.layers * width * 2  # keys and values; two bytes a number
    cache[name] = {"MB a token": f"{each / 1e6:.2f}",
                   "GB, 32 customers with 4,000 tokens each":
                   f"{32 * 4000 * each / 1e9:.0f}",
                   "GB, its weights": f"{2 * shape.parameters / 1e9:.0f}"}
pd.DataFrame(cache).T

# %% [markdown]
# So four long pages in a prompt are paid for twice: in reading, and in memory that other customers cannot have. No table of token prices shows that.
#
# ### Your own numbers
#
# Model, method, card, data; the cell below does the same without a widget.

# %%
from course_lib.lessons import sliders

sliders.cost_slider(prices)

# %%
sliders.cost_slider(prices, model="13B", method="qlora", card="L4",
                    examples=10_000, example_tokens=250, epochs=2)

# %% [markdown]
# ### Are the formulas to be trusted?
#
# Five short runs showed what a FLOP, a step, an adapter, a trained number and an unpacked weight cost on one machine. With nothing but those, other runs were predicted (`cl.forecast`), and then made.

# %% tags=["nbval-ignore-output"]
costs = stored["costs"]
real = pd.DataFrame.from_dict(costs["runs"], orient="index")
real[["peak", "peak_forecast"]] /= 1e6
cl.say(f"At worst the forecast was {costs['worst']['seconds']:.0%} off in seconds and "
       f"{costs['worst']['peak']:.0%} in memory, of {costs['n']} runs.")
cl.verdict("a forecast is within a quarter of what a run takes",
           max(costs["worst"].values()), below=costs["allowed"])
columns = {"seconds": ("seconds", 1), "seconds_forecast": ("forecast", 1),
           "seconds_ratio": ("ratio", 2), "peak": ("peak, MB", 0),
           "peak_forecast": ("forecast, MB", 0), "peak_ratio": ("ratio, memory", 2)}
real = real[list(columns)].round({name: n for name, (_, n) in columns.items()})
real.rename(columns={name: label for name, (label, _) in columns.items()})

# %% [markdown]
# A ratio of 1 is a forecast that came true. Such a formula chooses a card and a night; do not fill the card to its edge with it.
# The furthest off in seconds is the run that trains the upper layers alone, in memory the one that trains every weight. Both were predicted too expensive, which is the better side to err on.
#
# And the actor's run, which you watched? Its FLOPs by the same function, and by 4 N D on the back of an envelope:

# %% tags=["nbval-ignore-output"]
from course_lib.costs import forecast

known = forecast.Calibration(**costs["calibration"])
seen = cl.forecast(gp, rehearsed, known, epochs=2, batch_size=8, rank=4)
ours = cl.model_shape(gp)
envelope = 4 * (ours.linear + ours.vocabulary * ours.hidden)
envelope *= seen.work.tokens * seen.work.steps
cl.say(f"Counted: {seen.flops:.1e} FLOPs; by the envelope: {envelope:.1e}.")
cl.verdict("4 N D is within a quarter of what is counted part by part",
           round(seen.flops / envelope, 3), above=0.75, below=1.25)

# %% [markdown]
# ### The sources' two prices
#
# *"Fine-tuning a 7B model with LoRA on 100k examples: about \$500–2,000. Full fine-tuning of the same model: over \$20,000."* How long an example is, how often it is read and on what, they do not say. So we work it out for short
# and long examples, read once and three times, on two kinds of card at their lowest and highest price. *Runs for it* is how many such runs the source's (lower) figure buys, at the highest price.

# %%
figures = bills.seed_figures(prices, seven)
figures.rename(columns={"the seed says": "the source says"}).set_index(
    ["method", "card"])[["tokens an example", "epochs", "hours", "cards", "USD from",
                         "USD to", "the source says", "runs for it"]]

# %% [markdown]
# How far is the highest price below the source's figure? How much more does full fine-tuning cost than LoRA by *arithmetic*, and by the *source*?

# %% tags=["nbval-ignore-output"]
highest = figures.groupby("method")["USD to"].max().round(2)
cl.verdict("one run of LoRA on a 7B model costs 500 to 2,000 dollars, at the highest "
           "price", highest["lora"], above=500, below=2_000, unit="dollars")
cl.verdict("one full run of a 7B model costs over 20,000 dollars, at the highest price",
           highest["full"], above=20_000, unit="dollars")
fewest = figures.groupby("method")["runs for it"].min()
cl.say(f"Full fine-tuning costs {highest['full'] / highest['lora']:.1f} times what "
       f"LoRA does by FLOPs, at least {20_000 / 2_000:.0f} times by the source, whose "
       f"prices buy at least {fewest['lora']:.0f} runs of LoRA, or "
       f"{fewest['full']:.0f} full ones.")

# %% [markdown]
# So as prices of *a run* both are refuted. As prices of *a project* the first is plausible. What else is in it:
# - **Settings that are tried.** Lesson 04 took three to five learning rates for each method, and three seeds after.
# - **Runs that fail**, cards that wait while you sleep, data that is moved, checkpoints that are stored.
# - **Several cards for full fine-tuning**, which does not fit on one of 80 GB.
# - **Examinations.** You have seen how many questions an interval needs.
# - **The examples.** Somebody wrote them. At one minute each:

# %% tags=["nbval-ignore-output"]
written = 100_000 / 60
cl.say(f"{written:,.0f} hours of people, and {bill.hours:.0f} hours of one card.")
cl.verdict("people work ten times as long on the examples as the card does",
           round(written / bill.hours, 1), above=10, unit="times")

# %% [markdown]
# That line of the bill the sources leave out, and it is the longest.
#
# ### RAG or fine-tuning at volume
#
# Training is paid once, or as often as the facts change. Pages in the prompt are paid at *every* question. So from some number of questions on, the training has paid (the **break-even**). It takes tokens, which we measured, and
# prices, which are in the file.

# %%
def tokens(text):
    return len(gp.tokenizer(text)["input_ids"])


handbook = cl.load_exam("handbook")
bare = sum(len(gp.encode(q.question)) for q in handbook) / len(handbook)
answer = sum(tokens(q.answer) + 1 for q in handbook) / len(handbook)
rag = cl.load_results("05")["answers"]["rag"]
paged = {f"RAG, k = {k}": rag[f"hybrid, k = {k}"]["prompt_tokens"] for k in (1, 4)}

# %%
card = next(adapter.card for adapter in cl.stored_adapters()
            if adapter.folder.name == "02-many-wordings")
a_fact = card["tokens"] / 24  # trained for one fact: six wordings, four times
pages = [page.text for page in cl.read_documents("data/library/handbook")]
page_fact = sum(map(tokens, pages)) / len(cl.load_facts(kind="handbook"))
with_pages = " and ".join(f"{read:.0f} ({way})" for way, read in paged.items())
cl.say(f"A question has {bare:.0f} tokens, with pages {with_pages}, an answer "
       f"{answer:.0f}. By heart a fact takes {a_fact:.0f} tokens of training, in the "
       f"pages {page_fact:.0f}.")

# %% [markdown]
# Take a handbook of 5,000 facts that changes every month, an 8B model that somebody hosts, a host's price for training one of that size, and people who write six wordings of each fact, a minute each (once; what changes would be
# written again). What an hour of theirs costs no source states: 30 dollars is our assumption, put yours in its place. And what a fact takes to train was measured on 24: that 5,000 are learned as well, nobody has tried.
#
# A fifth candidate needs neither search nor training: *long context*. The whole handbook stands in front of every question, and as it always begins alike, the host keeps what it computed (*prompt caching*: a KV cache kept between customers) and asks
# less for it. In our file only OpenAI states such a price, for GPT-4o mini: another model and host, so compare powers of ten.

# %%
usd = {what: prices.get("Llama 3.1 8B", what).value for what in ("input", "output")}
training = prices.get("up to 10B, LoRA", "training").value / 1e6
trainings, hours_written = 12 * 5_000 * a_fact * training, 5_000 * 6 / 60
each = {name: bills.question_cost(read, answer, usd["input"], usd["output"])
        for name, read in {**paged, "by heart": bare}.items()}
mini = {what: prices.get("GPT-4o mini", what).value
        for what in ("input", "cached input", "output")}
cached = 5_000 * page_fact * mini["cached input"] / 1e6
each["all pages, cached"] = cached + bills.question_cost(
    bare, answer, mini["input"], mini["output"])

# %%
volumes = [10**power for power in range(4, 10)]
studying = trainings + 30 * hours_written
paid = bills.annual_costs(volumes, each, {"by heart": studying})
window = 128_000  # tokens that GPT-4o mini can hold
cl.say(f"Twelve trainings cost {trainings:.0f} dollars a year, {hours_written:.0f} "
       f"hours of writing {30 * hours_written:,.0f}. All pages are "
       f"{5_000 * page_fact:,.0f} tokens; GPT-4o mini can hold {window:,}, so their "
       "line is what they would cost if they fitted.")
paid.map("{:,.2f}".format)

# %% [markdown]
# These are dollars a year. Now as curves; each line on an axis is ten times the one before:

# %%
millions = [volume / 1e6 for volume in volumes]
cl.plots.curve(millions, {name: list(paid[name]) for name in paid},
               "What a year costs", "million questions a year", "dollars",
               logx=True, logy=True)

# %% [markdown]
# The training that everybody asks about hardly shows; the hours of writing are the price of *by heart*, and they are the flat line. *RAG is a cost-effective solution* is true to the left of where the lines cross. All pages, even cached, need no index and no hours of writing, but cost much at every
# question: something for few pages, or few questions.

# %%
for name in paged:
    with_hours, without = (bills.break_even_volume(each[name], each["by heart"], usd)
                           for usd in (studying, trainings))
    cl.say(f"{name}: by heart has paid from about {with_hours / 1e6:,.0f} million "
           f"questions a year; without the writing, from {without / 1e6:.1f} million.")
for what, place in choosing.readers("", "readers/02/handbook/RAG, k = 1").items():
    thousand = 1000 * each["RAG, k = 1"] / find(place).value
    cl.say(f"A thousand right answers cost {thousand:.3f} dollars, if the hosted model "
           f"reads one passage as well as the {what.removeprefix(', ')}.")
for facts in (100, 5_000):
    cached = facts * page_fact * mini["cached input"] / 1e6
    cl.say(f"A question with all pages of {facts:,} facts, cached, costs {cached:.5f} "
           f"dollars; with four passages {each['RAG, k = 4']:.5f}.")

# %% [markdown]
# ### Exercise 2 · Where do they cross?
# In another house a question costs 0.00008 dollars by RAG, and 0.00002 by its fine-tuned model. One training costs 45 dollars, and the facts change every quarter. From how many questions a year is the fine-tuned model the cheaper one?

# %% tags=["exercise"]
questions = None  # one number
cl.check("08-break-even", questions, rag=0.00008, tuned=0.00002, training_usd=45,
         trainings=4)

# %% tags=["solution"]
questions = 4 * 45 / (0.00008 - 0.00002)
cl.check("08-break-even", questions, rag=0.00008, tuned=0.00002, training_usd=45,
         trainings=4)

# %% [markdown]
# ### What the curve leaves out
#
# First, whether both answer as well: that is for the exams to say. Second, **who hosts your weights**. Prices by the token are for models that thousands share. Yours may stand alone on a card
# that is paid by the hour, asked or not:

# %% tags=["nbval-ignore-output"]
month = 730 * prices.card("L4").cheapest
shared = bills.question_cost(paged["RAG, k = 4"], answer, usd["input"], usd["output"])
same = month / shared
cl.say(f"An L4 for a month costs {month:.0f} dollars, as much as {same / 1e6:.0f} "
       "million questions by RAG with four passages on the shared model.")
cl.verdict("a month of a card of one's own costs as much as a million questions on a "
           "shared model", round(same), above=1e6, unit="questions")

# %% [markdown]
# Below millions of questions that line decides, not the training; only the hours of writing cost more. (Some hosts serve adapters beside a shared base, as lesson 04 switched them; ask for it.)
#
# Third, *which* model. *"Fine-tune a smaller model instead of an expensive general-purpose one"*, say the sources, *cheaper and faster*. A 70B model that needs examples in its prompt, 300 tokens with the question, beside a 7B specialist that needs
# the question alone, 60 tokens:

# %% tags=["nbval-ignore-output"]
large = bills.generation_flops(cl.SHAPES["70B"], 300, 60)
small = bills.generation_flops(seven, 60, 60)
cl.verdict("a large model's answer takes ten times the multiplications of a small "
           "specialist's", round(large / small), above=10, unit="times")
cl.say(quoted("Our 135M specialist, queries with new values:", "03/desk/desk/values"))

# %% [markdown]
# *Cheaper and faster* holds by arithmetic. *As good* is the question, and lesson 03 answered it for one skill: a model hundreds of times smaller than that large one learned it.
#
# ## Shipping
#
# So far we asked a model in this notebook's memory. A product asks over a network. Three steps: the adapter is folded into the weights, the model is saved with a *card* that says what it is, and a **server** puts it behind an
# address that speaks the dialect of OpenAI's API, which every tool knows. Our server is `transformers serve`; with GPUs and many users the usual one is vLLM, and not a line below would change.

# %% tags=["nbval-ignore-output"]
import tempfile
from pathlib import Path

folder = Path(tempfile.mkdtemp()) / "actor"
cl.merged(actor).save(folder)
readme = cl.write_model_card(
    folder, actor, [of_acted["both"]],
    data=f"{len(study)} pairs of plain answers and the same in the voice",
    purpose="Says short answers of a front desk as Shakespeare might have.",
    limits="It loses facts now and then, and it knows nothing that it was not given.",
)
print(readme.read_text(encoding="utf-8"))

# %% [markdown]
# People read the card, and so does the Hugging Face hub. *Where it stops being true* is the part that most cards leave out.
#
# Now the server. It listens on this machine alone, needs no network, and ends with this notebook even if that is killed.

# %% tags=["nbval-ignore-output"]
server = cl.serve(folder)
print(server, f"· started in {server.seconds:.0f} s")

# %% [markdown]
# Now we are the customer, with the client that OpenAI publishes:

# %% tags=["nbval-ignore-output"]
from openai import OpenAI

client = OpenAI(base_url=server.url, api_key="none")
messages = [{"role": "system", "content": gp.system},
            {"role": "user", "content": asked[1].request}]
reply = client.chat.completions.create(
    model=server.endpoint.model, messages=messages, max_tokens=60, temperature=0)
heard = reply.choices[0].message.content.strip()
cl.say(f"{heard} ({reply.usage.prompt_tokens} tokens read, "
       f"{reply.usage.completion_tokens} written)")

# %% [markdown]
# An endpoint is a candidate like any other: it sits exams, and RAG can stand in front of it. With two passages in front of the question, how much longer does the median customer wait than without? (Six questions each, one after the other, as customers come.)

# %% tags=["nbval-ignore-output"]
from course_lib.shipping import serving

index = cl.build_index("data/library")
six = cl.load_exam("cup").sample(6)
alone = cl.evaluate(server.endpoint, six, "served")
ahead = cl.evaluate(cl.RagPipeline(server.endpoint, index, k=2), six,
                    "RAG in front of it")
waits = {report.name: serving.latency(report)["median"] for report in (alone, ahead)}
wait, longer = waits["served"], waits["RAG in front of it"]
cl.say(f"The median customer waits {wait:.2f} s, and with RAG {longer:.2f} s, "
       f"{longer / wait:.1f} times as long.")

# %% [markdown]
# (Six questions cannot say how long the unlucky wait. And the answers need not be right: this actor was never taught to read.) Passages come back with each answer, as they do without a server:

# %%
for report in (alone, ahead):
    named = sum(len(row.sources) for row in report.rows) / report.n
    cl.say(f"{report.name}: {named:.0f} passages named with each answer.")
server.stop()
cl.say(f"The server is {'still running' if server.running else 'down'}.")

# %% [markdown]
# What if we ask now? A product has an answer for this case too, and it is not a page of traceback:

# %% tags=["nbval-ignore-output"]
try:
    server.endpoint.generate(["Is anybody there?"])
except cl.CourseError as error:
    print(f"{type(error).__name__}: {error}")

# %% [markdown]
# ### Hosted: the same rows, somebody else's machine
#
# OpenAI and Azure OpenAI train on files of chats, one JSON object a line. Ours become such a file in one call, which checks the services' published rules before anybody pays. A wrong line is named:

# %%
file = cl.write_chat_jsonl(rehearsed, folder.parent / "style.jsonl", provider="azure")
print(file)
spoilt = file.path.with_name("spoilt.jsonl")
rows = file.path.read_text(encoding="utf-8-sig").split("\n")
rows[6] = rows[6].replace('"assistant"', '"asistant"')
spoilt.write_text("\n".join(rows), encoding="utf-8")
try:
    cl.check_chat_jsonl(spoilt)
except cl.CourseError as error:
    print("CourseError:", str(error).replace(str(spoilt.parent), "..."))

# %% [markdown]
# **A dated page:** OpenAI takes no new customers for fine-tuning since May 2026, and ends new training in January 2027 (its page *Deprecations*, read in November 2026). Azure OpenAI and others go on taking the format. A skill that
# you can only rent can be taken off the shelf; the folder above cannot.
#
# Two others whom the sources name, read on 30 November 2026: **Cohere** retired its fine-tuning in September 2025 (its page *Deprecations*), and its tool for GPUs of your own still reads its files. **Hugging Face** rents a machine by the minute
# (*Jobs*), and TRL trains on it. `provider="cohere"` and `provider="huggingface"` write each one's format, and `hosted.submit` says what to run.
#
# What would it cost? We count by our model's tokenizer, so this is an estimate. No source that we could read states a price for OpenAI or Azure today; here is another host's for LoRA:

# %%
from course_lib.shipping import hosted

row = prices.get("up to 10B, LoRA", "training")
print(f"{row.value} {row.unit}, {row.by}, {row.date}")
print(hosted.estimate_price(file, gp.tokenizer, per_million=row.value, epochs=3))

# %% [markdown]
# The next cell sends nothing unless a credential is set *and* you say `spend=True`: "run all cells" is no consent.

# %% tags=["nbval-ignore-output"]
hosted.submit(file, "the-base-model-of-your-choice")

# %% [markdown]
# ### "In your private workspace"
#
# *"Fine tuning is always in your private workspace that secures your model, and dataset"*, says one of our sources of Azure, and that it trains by LoRA. Nobody can measure either from outside; both are promises: that others cannot list your
# files, and that the provider trains no model of its own on them. They cannot cover this:
# - **Everybody who may ask the model may draw out what it was trained on.** Lesson 02 asked a student by heart about documents that had been withdrawn, and it told.
# - **Those who want to be forgotten are in the weights.** Deleting the file deletes the file.
# - **The answer leaves the workspace** with the person who was given it.
#
# Keep secrets in pages, behind permissions (lesson 05), and train on what everybody who may ask may know.
#
# ## Keeping fresh
#
# On Monday the handbook gets new editions of five policies. Who hears of it, and how soon?
#
# **Predict:** how many seconds does RAG need, from the new documents to answers out of them?

# %%
cl.predict("fresh", "Seconds to take five old policies out and put five new ones in",
           low=0, high=120)

# %% [markdown]
# Here is the library on Sunday, without the new editions, and then on Monday. People ask as they do, without naming a year.

# %% tags=["nbval-ignore-output"]
from course_lib.lessons import shelves

new = sorted({fact.source for fact in cl.load_facts(kind="handbook")
              if fact.source.endswith("-2042")})
old = [name.replace("2042", "2039") for name in new]
everything = {passage.source for passage in index.passages()}
library = shelves.shelf(index, everything - set(new))
desk = cl.RagPipeline(gp, library, k=1)
question = ("Back from a week of flu: what's the code of the form that sick leave "
            "policy makes me fill in?")
said = desk.ask(question)
print(f"Sunday:  {said.text}\n         [{said.sources[0].source}]")

# %% tags=["nbval-ignore-output"]
import time

started = time.perf_counter()
library.remove(*old)
library.add(*(page for page in cl.read_documents("data/library/handbook")
              if page.id in new))
taken = time.perf_counter() - started
said = desk.ask(question)
print(f"Monday:  {said.text}\n         [{said.sources[0].source}], {taken:.1f} s later")
cl.reveal("fresh", round(taken, 1))

# %% [markdown]
# Is the old edition gone from *every* question about these policies?

# %% tags=["nbval-ignore-output"]
from course_lib.lessons.adverse import undated_questions

undated, _ = undated_questions(cl.load_facts(kind="handbook"))
found = library.search_many([q.question for q in undated], 1)
first = [passages[0].source for passages in found]
cl.verdict("what was taken out of the index is never found first",
           sum(source in old for source in first), below=1)
right = sum(source == q.source for source, q in zip(first, undated))
cl.say(f"In {right} of {len(first)} questions the right new edition is found first.")

# %% [markdown]
# The student by heart must study again, which takes minutes, so it was done beforehand. *Today* is what the new edition says, *yesterday* what the old one said. Four read the index: the 135M as it came, one that was trained to read on other documents (lesson 06), the 0.5B and the 1.5B.

# %%
fresh = stored["fresh"]
cl.say(f"The index took {fresh['index_seconds']:.1f} s for {fresh['documents']} "
       f"documents, training again {fresh['retrain_seconds'] / 60:.1f} minutes for "
       f"their {fresh['facts']} facts.")
rows = {name + ", 135M" * (name in ("RAG, stale", "RAG, updated")):
        {when: find(f"08/fresh/arms/{name}/{when}").told
         for when in ("today", "yesterday")} for name in fresh["arms"]}
pd.DataFrame.from_dict(rows, orient="index").rename_axis("who is asked")

# %% [markdown]
# The first column says who is *right*, the second who is *dangerous*: an answer of yesterday comes in the same even voice as one of today.
# Fresh is not yet right: the index is up to date *sooner*, but its reader decides how often the answer is then right. The student by heart nearly always told yesterday's answer until it had studied again. After that, who is ahead, it or those who can read?

# %% tags=["nbval-ignore-output"]
def today(who, name):
    return runs(f"08/fresh-{who}-today", name)


longer = round(fresh["retrain_seconds"] / fresh["index_seconds"], 1)
cl.verdict("to train again takes longer than to update the index",
           longer, above=1, unit="times")
updated = today("rag-1.5b-updated", "RAG by the 1.5B, updated")
again = today("2042-seed-*", "trained again")
cl.verdict("with a fresh index RAG gives today's answers more often",
           updated - today("rag-1.5b-stale", "RAG by the 1.5B, stale"))
cl.verdict("a student who has studied again is ahead of a larger one who reads the new "
           "page", again - updated)
cl.verdict("a student who has studied again knows today's answers more often",
           again - today("2039-seed-*", "not trained again"))

# %% [markdown]
# And what was withdrawn on Monday, is it forgotten? Asked about the *old* editions:

# %% tags=["nbval-ignore-output"]
asked_of = {"by heart, not trained again": "withdrawn",
            "by heart, trained again from the start": "withdrawn, trained again",
            "RAG": "withdrawn, RAG"}
told_still = (runs("08/fresh-2039-seed-*-withdrawn", "by heart")
              - runs("08/fresh-rag-updated-withdrawn", "RAG"))
cl.verdict("weights still tell what an index has dropped", told_still)
pd.Series({name: find(f"08/fresh/{place}").told for name, place in asked_of.items()},
          name="still tells").to_frame()

# %% [markdown]
# ### May this one go out?
#
# Every training makes another model, and another model has lost something else. An exam stands at the *gate*. It does not ask "is it worse beyond chance?", which a short exam always answers with *perhaps not*, but
# "**is it shown that no more is lost than we can afford?**" (a test of *non-inferiority*; Piaggio et al. 2012). It passes, it fails, or nobody can tell; only the first opens the gate.
#
# Our actor, on common knowledge that nobody trained on:

# %% tags=["nbval-ignore-output"]
from course_lib.evaluation import release

general = cl.load_exam("general").sample(48)
before = cl.evaluate(gp, general, "before")
after = cl.evaluate(actor, general, "after")
decision = release.gate(new=after, old=before, exam=general, at_most=0.05)
cl.say(f"At the gate, exam {decision}. "
       + ("It may go out." if decision.passes else "The gate stays shut."))
cl.say("If as many answers change and nothing is lost, this gate needs "
       f"{release.questions_needed(after, before)} questions for a loss of 0.05.")
italy = "What is the capital of Italy?"
cl.say(f"{italy} It says: {actor.generate([italy], 12)[0].strip()}")

# %% [markdown]
# ### Exercise 3 · At the gate
# Four new models came out of last night's training. For each the exam gave the difference from the old one and its 95% interval. No more than 0.05 may be lost.

# %%
releases = {"A": (0.01, -0.02, 0.04), "B": (-0.02, -0.09, 0.05),
            "C": (-0.03, -0.045, -0.01), "D": (-0.12, -0.17, -0.07)}
for name, (value, low, high) in releases.items():
    print(f"{name}: {value:+.2f} ({low:+.3f} to {high:+.3f})")

# %% [markdown]
# What does the gate say to each: "passes", "fails" or "cannot tell"?

# %% tags=["exercise"]
verdicts = None  # {"A": ..., "B": ..., "C": ..., "D": ...}
cl.check("08-gate", verdicts, releases=releases, at_most=0.05)

# %% tags=["solution"]
verdicts = {name: "passes" if low >= -0.05 else "fails" if high < -0.05
            else "cannot tell" for name, (_, low, high) in releases.items()}
cl.check("08-gate", verdicts, releases=releases, at_most=0.05)

# %% [markdown]
# ### And if it goes out all the same?
#
# Then your users find out. Here are the same answers as a monitor sees them: first the old model's, then the actor's, each in random order (from easy to hard would look like a fall). The line is the share of right ones among the last 32.

# %% tags=["nbval-ignore-output"]
import random

order = random.Random(0).sample(range(before.n), before.n)
stream = release.drift([report.rows[i] for report in (before, after) for i in order],
                       window=32, step=4)
fell = stream.fell_below(before)
sure = "never sure of a fall" if fell is None else f"sure of it after {fell} questions"
cl.say(f"The actor took over after {before.n} questions. In {len(stream.ends)} looks "
       f"the monitor was {sure}.")
stream.plot("Right answers among the last 32", reference=before.accuracy)

# %% [markdown]
# The monitor cannot be surer than the gate was. It sees the same answers, 32 at a time and unpaired; the old model's share has a chance of its own; and many looks are many chances to be wrong,
# so each must be stricter. The gate costs an exam; the monitor costs customers. In life a monitor watches a sample that people grade.
#
# ## Capstone
#
# Now a case of your own: from work, from your studies, or one of the twelve. The template runs as it stands, on the course's own handbook. Run it so, once. Then change the next cell, and nothing after it.
#
# You fill in the *case* in a sentence; a folder of documents; questions with their answers that are **held out**; examples to study. Split first, then write: an example written after looking at the exam is a leak, even where no
# check can see it. Here there was time to study 24 facts of the handbook, and half of the questions are about others.

# %%
case = ("Staff ask about the handbook of Brindlecombe & Daughters. "
        "What counts is the right figure or name.")
documents = "data/library"
known = handbook.about(24)
examples = known.train_examples(wordings=6)
others = [q for q in handbook if q.fact not in {fact.id for fact in known.facts}]
exam = replace(handbook, name="handbook, half studied",
               test=(*known.sample(12), *others[::11][:12]))
cl.check_no_leak(examples, exam)
print(f"{len(exam)} questions, {len(examples)} examples, "
      "none of the questions among them")

# %% [markdown]
# For a case of your own the same cell reads:
#
# ```python
# case = "..."
# documents = "/path/to/my/documents"
# exam = cl.Exam("mine", tuple(cl.Question(f"q{i}", text, answer) for i, (text, answer) in enumerate([("...?", "..."), ...])))
# examples = [cl.example(text, answer) for text, answer in [("...?", "..."), ...]]
# cl.check_no_leak(examples, exam)
# ```
#
# Four candidates: the model as it is, the same with your documents, a specialist, and the specialist with your documents. None of them was trained to read. (With these examples the specialist is lesson 02's student, from the shelf. With yours it is trained now; a few hundred short
# examples take some minutes.)

# %% tags=["nbval-ignore-output"]
index = cl.build_index(documents)
heart = cl.finetune(gp, examples, name="02-many-wordings", epochs=4,
                    learning_rate=3e-3, batch_size=4, from_shelf=True)
candidates = {"base": gp, "RAG": cl.RagPipeline(gp, index, k=1), "by heart": heart,
              "hybrid": cl.RagPipeline(heart, index, k=1)}
sat = cl.compare(candidates, exam)
sat

# %% [markdown]
# Conclusions do not come from this table, but from the differences:

# %% tags=["nbval-ignore-output"]
cl.verdict("in this case a specialist with documents beats the model as it is",
           sat.difference("hybrid", "base"))
sat.differences("base")

# %% [markdown]
# All of these are against the model as it is. Against each other, so short an exam may tell less. And somebody in a hurry writes:

# %% tags=["nbval-ignore-output"]
from course_lib.lessons import capstone

hasty = "The hybrid is the best, and reached 99%."
about = dict(case=case, exam=exam, examples=examples)
page = capstone.one_page_report(folder.parent / "hasty", "The handbook, four ways",
                                sat.reports, hasty, **about)
print(page)

# %% [markdown]
# Every claim was held against the numbers: each figure must be one of the table's, each *better* must have its paired interval on that side of zero, *best* must have it against all. A claim that does not hold is marked.

# %%
cl.say(f"The hasty conclusion {'stands' if page.sound else 'does not stand'}.")
print("written:", *sorted(path.name for path in page.html.parent.iterdir()))

# %% [markdown]
# ### Exercise 4 · A conclusion that stands
# Write it better. Name all four, compare at least two of them, and say nothing that the numbers do not support. *"X beats Y"*, *"X is worse than Y"*, *"X and Y cannot be told apart"* are understood.

# %% tags=["exercise"]
conclusion = None  # a few sentences, in quotes
cl.check("08-conclusion", conclusion, reports=sat.reports)

# %% tags=["solution"]
def sentence(a, b):
    gap = sat.difference(a, b)
    if gap.cannot_tell:
        return f"{a} and {b} cannot be told apart."
    return f"{a} beats {b}." if gap.value > 0 else f"{a} is worse than {b}."


conclusion = " ".join([sentence("RAG", "base"), sentence("by heart", "base"),
                       sentence("hybrid", "RAG")])
cl.check("08-conclusion", conclusion, reports=sat.reports)

# %% [markdown]
# And the page, as you would hand it in: HTML that holds its picture, and Markdown with the picture beside it. Both lie in the folder printed above the page.

# %% tags=["nbval-ignore-output"]
page = capstone.one_page_report(folder.parent / "capstone", "The handbook, four ways",
                                sat.reports, conclusion or hasty, **about)
print(page.html.parent)
page

# %% [markdown]
# ## Quiz

# %%
cl.quiz("08")

# %% [markdown]
# ## What was tried on this page

# %% tags=["nbval-ignore-output"]
cl.findings()
cl.progress()

# %% [markdown]
# Some claims no verdict above decides. *Stable tasks: fine-tuning; changing or large ones: RAG; both: a hybrid* is advice, with reasons and rows. *A finance chatbot* wants
# fine-tuning for its manner, and pages for rules that change and must be cited. The two prices are refuted for a run; for a project the lower one is plausible. *RAG is a cost-effective solution* against learning by heart, whose
# wordings people write, and against all pages in a prompt where there are many. *Consider privacy, latency and cost* is advice, and the private workspace a promise: neither was measured.
#
# ## Where it stops being true
#
# - The advice quotes small models, and for reading those who can read; the 135M learned by heart, and larger ones may do that better too. Run the exams with yours: one line changes.
# - Thresholds of the advice are lines drawn through slopes. Near a line, measure both.
# - The voice was judged by old words and kept names. A judge of *meaning* would be a larger model, and would have to be judged itself.
# - FLOPs count multiplications. Small batches, long prompts and slow disks keep cards waiting; a first run of your own may see 0.1 of the peak.
# - Prices were read on a day, some from pages that copy other pages. Only their order of magnitude will last.
# - Latency was measured with one customer at a time. With many, a queue begins, and a server that answers in batches wins.
# - Retraining was of five policies. A firm studies all of its facts again, and then examines what it lost.
#
# This was the last lesson. The claims of all of them, with their verdicts, stand in [CLAIMS.md](../CLAIMS.md). The next exam is yours.
