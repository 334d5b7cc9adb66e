# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 01 · What is fine-tuning?
#
# A general practitioner goes back to school and comes out a cardiologist. What happened in between, and in which part of
# the head?
#
# By the end you will have
# - tried what needs no training, so that you know what training has to beat;
# - written the loop that trains a language model, and watched one of its weights take one step;
# - turned a model that chats into one that sorts letters to eight desks, and measured how well;
# - seen three common mistakes, made on purpose, and how to recognize each of them.
#
# **Time** 45 minutes; the machine works for about 4 of them (2 cores). **Before this:** lesson 00, and some Python.
#
# **Claims on trial** from the course's sources: *fine-tuning retrains a generalist into a specialist* · *it adjusts the
# model's internal parameters* · *we only change the parameters that are required* · *overfitting and data leakage are
# common pitfalls* · *the result is a new model file*.

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
# ## A job for a specialist
#
# Brindlecombe & Daughters make kettles in the Merrow Isles, and get letters. Each letter belongs to one of eight desks; the
# house has rules for that. A new clerk learns them from examples. So will our model.

# %%
from course_lib.lessons import tickets

cl.say("\n".join(f"- **{desk}**: {rule}" for desk, rule in tickets.DESKS.items()))

# %% [markdown]
# Three people write about each *issue*, which is one thing that happened. The letters are split **by issue**: all three
# are for study, or all three are held out for the exam. So the exam asks about nothing that was studied.

# %%
study, held_out = tickets.load_tickets("train"), tickets.load_tickets("test")
tickets.check_issues_apart(study, held_out)
exam = tickets.ticket_exam(held_out)
few = tickets.few(study, 192)  # as evenly as possible over desks and issues
print(len(study), "letters to study,", len(exam), "held out for the exam")
for ticket in study[:120:40]:
    print(f"\n{ticket.message}\n   → {ticket.desk}")

# %% [markdown]
# ## First, without training
#
# Training takes time, and telling takes none. So first we simply tell: the whole book of rules, above each letter.
# **Your guess:** of twenty letters, how many will go to the right desk?

# %%
twenty = list(exam)[::10]
cl.predict("told", "Right desks of 20, told the rules", low=0, high=20)

# %% tags=["nbval-ignore-output"]
gp = cl.load_model()
rules = "\n".join(f"{desk}: {rule}" for desk, rule in tickets.DESKS.items())
wish = "Name the desk that this letter belongs to. Answer with one word."
before = cl.evaluate(cl.Instructed(gp, f"{rules}\n\n{wish}"), twenty, "told the rules")
before.show(4)
cl.reveal("told", before)

# %% [markdown]
# It was made to chat, and it chats. But perhaps we did not ask well, or a much simpler program would do? These were tried
# beforehand, on all the letters of the exam:
#
# | | what it is given |
# |---|---|
# | told the rules | the rules, as above |
# | few-shot | 8 or 16 letters with their desks, whichever did better on other letters |
# | likeliest of the eight names | the same two prompts; the answer is the *name* that the model finds likeliest, so it cannot chat |
# | TF-IDF with logistic regression | all 576 letters to study; no language model: it weighs words, rare ones most |

# %% tags=["nbval-ignore-output"]
prompts = cl.stored("01/letters")
names = [arm for arm in prompts.arms if not arm.endswith((" 8 letters", " 16 letters"))]
prompts.only(*names).plot(title=f"Right desks without fine-tuning, n = {len(exam)}")

# %% [markdown]
# The last one sets the bar: a language model that was trained should beat a program that weighs words. Here that program
# learns in a moment, from the 192 letters that our student will get. Is it ahead of the best prompt for that student?

# %% tags=["nbval-ignore-output"]
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

weigher = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
sorter = make_pipeline(weigher, LogisticRegression(C=10, max_iter=1000))
sorter.fit([ticket.message for ticket in few], [ticket.desk for ticket in few])
words = cl.evaluate(lambda letters: map(str, sorter.predict(letters)), exam, "words")
best = prompts["few-shot, likeliest of the eight names", prompts.students[0]]
cl.verdict("a program that weighs words beats the best prompt", words - best)

# %% [markdown]
# ## What training is, on one letter
#
# ![An example: a prompt, “Unpacked my new Tern just now. Kettle yes, base yes, lid no.”, which is masked and only read, and a completion, “Deliveries”, in 4 tokens. The model reads; what it expected is compared with the completion, loss 6.6; its weights are moved a little; once more, loss 1.3.](../images/training_step.png)
#
# A language model gives every possible next token a probability. Training raises the probability of the token that
# *should* have come. One example is a short conversation: the letter (the *prompt*) and the desk (the *completion*).
# The prompt is *masked*: the model reads it, but is not asked to predict it. What it should learn is the answer.

# %%
from course_lib.models import scoring

MASKED = -100  # a label that the loss passes over


def encode(example):
    ids, begins = scoring.encode_example(gp, "a letter", example)  # its chat template
    answer = gp.ended(ids[begins:])  # up to the token that ends a turn
    return ids[:begins] + answer, [MASKED] * begins + answer


ids, labels = encode(study[0].as_example())
begins = labels.count(MASKED)
print("read:   ", gp.tokenizer.decode(ids[:begins]))
print("learned:", [gp.tokenizer.decode([label]) for label in labels[begins:]])

# %% [markdown]
# The marks in `<|...|>` are the model's *chat template*: they say who speaks, and where a turn ends. The end is learned, too:
# a model that never learns it never stops chatting.
#
# Next, the *loss*: how surprised the model is by the right answer, averaged over its tokens. A loss of 0 would mean that it was
# certain. Each 0.69 more means half the probability.

# %% tags=["nbval-ignore-output"]
import copy

import torch

student = copy.deepcopy(gp.model).float().requires_grad_(True)

def surprise():
    read, wanted = (torch.tensor(row, device=student.device) for row in (ids, labels))
    logits = student(read[None]).logits[0, :-1]  # (T - 1, V): expected after each token
    return torch.nn.functional.cross_entropy(logits, wanted[1:])


loss = surprise()
odds = loss.exp().item()
cl.say(f"Loss {loss.item():.1f}: each right token had about 1 chance in {odds:,.0f}.")

# %% [markdown]
# (The drawing shows another letter, so its loss is another.) `loss.backward()` works out for each weight which way to nudge
# it, and how strongly, to make the loss smaller: the *gradient*. A step moves each weight by its gradient times a small
# number, the *learning rate*. There are more than a hundred million weights. Let us follow one.

# %% tags=["nbval-ignore-output"]
loss.backward()
layer = 2 * len(student.model.layers) // 3  # two thirds of the way up
weights = student.model.layers[layer].mlp.up_proj.weight
spot = divmod(int(weights.grad.abs().argmax()), weights.shape[1])  # the steepest
was, slope = weights[spot].item(), weights.grad[spot].item()
torch.optim.SGD(student.parameters(), lr=0.002).step()  # w ← w - 0.002 · gradient
now = weights[spot].item()
print(f"weight {spot} in layer {layer}: {was:.5f} - 0.002 · {slope:.3f} = {now:.5f}")
once_more, first = (round(one.item(), 2) for one in (surprise(), loss))
cl.verdict("one small step makes this letter less surprising", once_more, below=first)

# %% [markdown]
# All the other weights took their step at the same moment. That is the whole idea; the rest is repetition.
#
# ## The loop
#
# To train on several letters at once, they are brought to one length:

# %%
def batch(rows):
    pairs = [encode(row) for row in rows]
    width, pad = max(len(ids) for ids, _ in pairs), gp.tokenizer.pad_token_id
    ids = [ids + [pad] * (width - len(ids)) for ids, _ in pairs]
    labels = [labels + [MASKED] * (width - len(labels)) for _, labels in pairs]
    return [torch.tensor(one, device=gp.model.device) for one in (ids, labels)]


order = [ticket.as_example() for ticket in few]

# %% [markdown]
# And the loop. Read it line by line: some letters; what the model expects; how surprised it is; which way each weight should
# go; one step; forget the gradients; again. *AdamW* chooses the size of each weight's step from its earlier gradients.

# %% tags=["nbval-ignore-output"]
def train(model, rows, steps, size=4, learning_rate=1e-4):
    optimizer = torch.optim.AdamW(model.parameters(), learning_rate)
    losses = []
    for step in range(steps):
        ids, labels = batch(rows[step * size : (step + 1) * size])
        logits = model(ids).logits[:, :-1].flatten(0, 1)  # (B · (T - 1), V)
        loss = torch.nn.functional.cross_entropy(logits, labels[:, 1:].flatten())
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append((step, loss.item()))
    return losses

# %% [markdown]
# Sixteen steps of four letters. Every weight may move; this is *full fine-tuning*.

# %% tags=["nbval-ignore-output"]
student = copy.deepcopy(gp.model).float().requires_grad_(True)
by_hand = train(student, order, steps=16)
cl.plots.losses({"by hand": by_hand}, "Sixteen steps by hand")

# %% [markdown]
# The curve jumps, because some letters are harder than others; look at where it is going. What does our student say now to
# the same twenty letters, with no rules above them? Before we ask for the right desk: is the *form* right, the name of any
# desk and nothing else?

# %% tags=["nbval-ignore-output"]
from dataclasses import replace

beginner = replace(gp, model=student.eval(), name="trained by hand", base="by hand")
after = cl.evaluate(beginner, twenty)
after.show(4)
cl.say(f"Right desks, of {after.n}: {before.hits().sum():.0f} told the rules, "
       f"{after.hits().sum():.0f} after sixteen steps.")
was, now = (report.judged(row.reply in tickets.DESKS for row in report.rows)
            for report in (before, after))
cl.verdict("sixteen steps teach the form of the answer", now - was)

# %% [markdown]
# Form comes first, and fast. *Which* desk is the harder part: compare the last two columns.
#
# ## The same, by the library
#
# Nobody writes this loop twice. `cl.finetune` calls the trainer of the library TRL, which also shows a progress bar and can
# go on after a power cut. And it trains by *LoRA*, which leaves all the weights as they are and *adds* narrow matrices,
# A and B, beside them:
#
# ![One model three times: embeddings, 30 times a norm, attention, a norm and an MLP, each half with a way around it, a last norm, the output layer. Before training it has 134.5 million numbers. Full fine-tuning trains 134.5 million. LoRA leaves them frozen, in grey, and trains 2.4 million new ones, B·A of rank 8, beside the matrices of attention and MLP.](../images/transformer.png)
#
# A token goes through the drawing from top to bottom. In each layer, *attention* looks back at the tokens before it, the
# *MLP* works on each token alone, and a *norm* keeps the numbers in range. Here only the second half of the layers gets its
# B·A (the code calls it `upper`), so fewer numbers are added than in the drawing. Lesson 04 says more.
#
# **Predict:** it reads 192 letters, three times each. How many of the exam's 192 letters, about issues that it has never
# heard of, will go to the right desk?

# %%
cl.predict("specialist", "Right desks of 192", low=0, high=192)

# %% [markdown]
# > **While it trains** (a minute or two): sort these yourself. The rules are above.
# >
# > 1. *The kettle drips from below, right where it sits on the electric ring of the base.*
# > 2. *The inn's guests steal lids. We need three, Tern 2.*
# > 3. *The kettle has been with you again for five weeks, and my money has too.*
# >
# > <details><summary>The house says</summary>Safety, Trade, Accounts. Somebody new might have said Repairs, Parts, Returns:
# > about a quarter of the letters lie on such a border.</details>

# %% tags=["nbval-ignore-output"]
watch = [ticket.as_example() for ticket in tickets.load_tickets("validation")[::3]]
recipe = dict(epochs=3, learning_rate=2e-3, batch_size=4, layers="upper")
specialist = cl.finetune(gp, order, name="01-desks", **recipe, held_out=watch, every=24)
sorts = cl.evaluate(specialist, exam, "specialist")
sorts.show(8)  # one letter a desk
cl.reveal("specialist", sorts)

# %% [markdown]
# How does it compare with what needed no language model, and with what needed no training? All sat the same exam.

# %% tags=["nbval-ignore-output"]
told = prompts["told the rules", prompts.students[0]]
larger = prompts["few-shot, likeliest of the eight names", "qwen-1.5b"]  # its best
trained = "trained on letters, this model sorts better than"
cl.verdict(f"{trained} told the rules", sorts - told)
cl.verdict(f"{trained} with its best prompt", sorts - best)
cl.verdict(f"{trained} the largest student with its best prompt", sorts - larger)
cl.verdict(f"{trained} a program that weighs words", sorts - words)
added, everything = specialist.training.trainable, specialist.training.parameters
cl.say(f"LoRA left {everything - added:,} numbers as they were, and added {added:,}.")

# %% [markdown]
# A prompt holds the rules, or a handful of letters. The largest student makes more of those than ours does; trained, ours is
# ahead of it. The program that weighs words had the same 192 letters as ours, and the one that had learned to read before
# went further. And *we only change the parameters that are required*? By hand, every weight was free to move;
# LoRA changed none, and added its own. Neither looked for those that are required.
#
# The whole training in the libraries' own calls, and five steps of it beside ours:

# %% tags=["plain", "hide-input", "nbval-ignore-output"]
# @title The same in plain Hugging Face: PEFT adapts, TRL trains
import tempfile
import warnings

from datasets import Dataset
from peft import LoraConfig
from trl import SFTConfig, SFTTrainer

warnings.filterwarnings("ignore", category=FutureWarning)
linear = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
upper = list(range(gp.config.num_hidden_layers // 2, gp.config.num_hidden_layers))
lora = LoraConfig(r=8, lora_alpha=16, target_modules=linear, layers_to_transform=upper)

# %% tags=["plain", "hide-input", "nbval-ignore-output"]
# @title ... and trained for five steps
settings = SFTConfig(
    tempfile.mkdtemp(), max_steps=5, learning_rate=2e-3, seed=0, save_strategy="no",
    per_device_train_batch_size=4, train_sampling_strategy="group_by_length",
    bf16=session.dtype == "bfloat16", use_cpu=session.device == "cpu", warmup_steps=8,
    activation_checkpointing=False, logging_steps=1, report_to="none")
torch.manual_seed(0)
model, rows = copy.deepcopy(gp.model), Dataset.from_list(order)
trainer = SFTTrainer(model, settings, train_dataset=rows, peft_config=lora,
                     processing_class=gp.tokenizer)
trainer.train()  # num_train_epochs=3 in place of max_steps=5: the whole training
plain = [row["loss"] for row in trainer.state.log_history if "loss" in row]
apart = max(abs(a / b - 1) for a, (_, b) in zip(plain, specialist.training.losses))
cl.verdict("five steps in plain TRL have our losses, to a tenth", apart, below=0.1)

# %% [markdown]
# ### One job, three figures
#
# You will meet this job again, below and in lesson 04. The marks are not quite the same, and here is why:

# %% tags=["nbval-ignore-output"]
from course_lib.evaluation.kept import runs

whole = runs("01/few-576-seed-*", "576 letters").share()
lora = cl.load_results("04")["pooled"]["lora"]["test"]
cl.say(f"The same {len(exam)} letters, the same student: **{sorts.accuracy:.2f}** here "
       f"(192 letters, three times, 1 run), **{whole[0]:.2f}** below (576, once, "
       f"3 runs), **{lora['accuracy']:.2f}** in lesson 04 (192, twice, 3 runs): "
       "other letters, read more or less often, and other seeds.")

# %% [markdown]
# ## Three ways to fool yourself
#
# What follows was measured beforehand, with the same number of training steps in every run, and with three *seeds* each:
# another seed is another roll of the dice.
#
# ### 1 · Too few examples
#
# **Predict:** 30 letters instead of 576, each read nineteen times as often. What is left?

# %%
choices = ["nearly all", "about two thirds", "half or less"]
cl.predict_choice("few", "With 30 letters, of what 576 give, it gets...", choices)

# %% tags=["nbval-ignore-output"]
sizes = (10, 30, 100, 300, 576)
few_runs = {n: runs(f"01/few-{n}-seed-*", f"{n} letters") for n in sizes}
marks = [few_runs[n].marks() for n in sizes]
curve, band = [sum(m) / 3 for m in marks], [(min(m), max(m)) for m in marks]
kept = curve[1] / curve[-1]
cl.reveal("few", choices[(kept < 0.85) + (kept < 0.5)])
ten, hundred, many = (few_runs[n] for n in (10, 100, 576))
cl.verdict("many letters teach more than ten", many - ten)
cl.verdict("beyond a hundred letters, more of them still help", many - hundred)
cl.plots.curve(sizes, {"right desks": curve}, "How many examples?", "letters studied",
               "share right", {"right desks": band}, logx=True)

# %% [markdown]
# The band goes from the worst seed to the best. All runs took equally many steps: what counts is how many *different*
# examples there are. Beyond a hundred, the gain cannot be told from luck, which is not the same as *no gain*.
#
# ### 2 · Overfitting
#
# To *overfit* is to learn the examples themselves, and not what they have in common. Here are the three runs with 30 letters
# from within: every 24 steps they were shown letters that they do not study, and this is how surprised they were. Your own
# run stands beside them, on a third of the same letters. (The look before training is left out.)

# %% tags=["nbval-ignore-output"]
stored = cl.load_results("01")
drilled = stored["watched"]["30"]
lines = {f"30 letters, seed {run['seed']}": run["held_out"][1:] for run in drilled}
climb = min(line[-1][1] - min(loss for _, loss in line) for line in lines.values())
cl.verdict("the loss on held-out letters ends above its lowest point", climb, above=0)
lines["192 letters, your run"] = specialist.training.held_out[1:]
cl.plots.losses(lines, "Loss on letters that are not studied")

# %% [markdown]
# Going by this loss, you would stop at the first look. And do fewer of those letters now go to the right desk, or more?

# %% tags=["nbval-ignore-output"]
gains = []
for run in drilled:
    lowest = min((loss, look) for look, (_, loss) in enumerate(run["held_out"]))[1]
    gains.append(run["right"][-1][1] - run["right"][lowest][1])
cl.verdict("as that loss climbs, letters go to wrong desks", min(gains), below=0)
right = {f"seed {run['seed']}": [y for _, y in run["right"][1:]] for run in drilled}
steps = [step for step, _ in drilled[0]["right"][1:]]
title = f"30 letters studied: right desks of {drilled[0]['n']} others"
cl.plots.curve(steps, right, title, "training step", "share right")

# %% [markdown]
# No seed has fewer right desks at the end than where its loss was lowest, and yet the loss is worse: the model must be
# surer than before where it is wrong. *That* is what overfitting does here. If you use the desk alone, you may train on; if a
# person looks at the doubtful letters, you need doubt that can be trusted. So watch the number that you will use. More
# letters help with both.
#
# ### 3 · A leak
#
# *Training data contains test answers.* The plain kind: the exam's own letters were studied. The hidden kind: the
# letters were split one by one instead of by issue, so that what *another person* wrote about the same thing was studied.
# No text is there twice, and no search for duplicates finds it.
#
# **Predict** how much the plain kind flatters the model, in points of a hundred.

# %%
cl.predict("copied", "Points that studying the exam itself adds", low=0, high=100)

# %% tags=["nbval-ignore-output"]
copied = runs("01/copied-seed-*", "studied the exam itself") - many
cl.reveal("copied", round(100 * copied.value))
cl.verdict("studying the exam itself raises the mark", copied)
cl.verdict("a hidden leak, the same events in other words, raises the mark",
           "01/differences/leaky minus honest")
kinds = {"honest": "honest split", "leaky": "hidden leak", "copied": "the exam itself"}
bars = [(f"{kinds[kind]}, seed {run['seed']}", run["accuracy"], *run["ci"])
        for kind, each in stored["leak"].items() for run in each]
cl.plots.bars(bars, "The same model and steps, three ways to split")

# %% [markdown]
# The long bars are worth nothing: that model is no better clerk, it has seen the letters. The effect of the hidden leak cannot
# be told from luck here; perhaps our clerk remembers little of any single story. A larger model, or longer study, may gain
# more by it.
#
# A leak is easier to prevent than to find: split by what the texts are about. `check_issues_apart`, above, refuses any other
# split.
#
# ## A new model file
#
# *"The result is a new model file."* It may be a small one, the *adapter*, which needs the model that it was made for; or it is
# *merged* into the weights, and is a model of its own. Loaded again, does the merged one say the same?

# %% tags=["nbval-ignore-output"]
import tempfile
from pathlib import Path

home = Path(tempfile.mkdtemp())
specialist.save(home / "adapter")
cl.merged(specialist).save(home / "merged")
for kind in ("adapter", "merged"):
    size = sum(file.stat().st_size for file in (home / kind).glob("*.safetensors"))
    print(f"{kind:8} {size / 1e6:6.1f} MB")
letters = [question.question for question in twenty]
again = cl.load_model(home / "merged").generate(letters, 8)
same = sum(reply == row.reply for reply, row in zip(again, sorts.rows[::10]))
claim = "merged into one file it says the same, to at least 18 of 20 letters"
cl.verdict(claim, same, above=17, unit="letters")

# %% [markdown]
# (Where weights are kept in 16 bits, a small change to a large one is rounded: a doubtful letter may go to another desk.)
#
# What moved inside the model, what wrong labels cost, and what becomes of the same loop from random weights:
# [the appendix](appendix/01_inside.ipynb).
#
# ### Exercise 1 · Split it yourself
# `tickets.load_tickets()` gives all the letters. Make two lists of them, `(for_study, for_exam)`, with about a quarter in the
# second, so that the exam is honest. (`ticket.issue` says what a letter is about.)

# %% tags=["exercise"]
mine = None  # (for_study, for_exam)
cl.check("01-split", mine, tickets=tickets.load_tickets())

# %% tags=["solution"]
letters = tickets.load_tickets()
kept_back = set(sorted({ticket.issue for ticket in letters})[::4])
mine = ([letter for letter in letters if letter.issue not in kept_back],
        [letter for letter in letters if letter.issue in kept_back])
cl.check("01-split", mine, tickets=tickets.load_tickets())

# %% [markdown]
# ### Exercise 2 · A ninth desk
# The house opens a desk for people who want to work there: *Careers*. `new` holds letters to it. `extended(rows)` trains the
# specialist further on rows of your choice, by the loop above, a step for every four rows. Add the desk, and keep the other
# eight: the check asks 12 new letters and 64 old ones. Begin with `extended(new)`, see what it costs the others, and mend it.

# %%
import random

new = [ticket.as_example() for ticket in tickets.ninth_desk("train")]


def extended(rows):
    clerk, rows = cl.merged(specialist), random.Random(0).sample(rows, len(rows))
    taught = copy.deepcopy(clerk.model).float().requires_grad_(True)
    train(taught, rows, steps=len(rows) // 4)
    return replace(clerk, model=taught.eval(), name="nine desks", base="nine desks")

# %% tags=["exercise"]
nine = None  # extended(...)
cl.check("01-ninth", nine, before=sorts)

# %% tags=["solution"]
nine = extended([*new, *order[:144]])  # eighteen letters of every desk
cl.check("01-ninth", nine, before=sorts)

# %% [markdown]
# ## Quiz

# %%
cl.quiz("01")

# %% [markdown]
# ## What was tried on this page

# %% tags=["nbval-ignore-output"]
cl.findings()
cl.progress()

# %% [markdown]
# ## Where it stops being true
#
# Eight desks and one word of answer are a small skill, and few hands wrote all the letters. A larger model may get further
# with a prompt (`COURSE_MODEL=qwen-0.5b`): try one before you train anything. Lesson 02 asks what a specialist has forgotten
# of everything else. And every number here is about *this* house's letters.
