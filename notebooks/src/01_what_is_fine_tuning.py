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
# - written the loop that trains a language model, and watched one of its weights take one step;
# - turned a model that chats into one that sorts letters to eight desks, and measured how well;
# - looked inside: which weights moved, how far, and in how few directions;
# - made the five usual mistakes on purpose, and seen what each one costs.
#
# **Time** 60 minutes; the machine works for about 4 of them (2 cores).
#
# **Claims on trial** from the course's sources: *fine-tuning retrains a generalist into a specialist* · *it adjusts the
# model's internal parameters* · *we only change the parameters that are required* · *it saves time, because you do not
# start from scratch* · *overfitting, data leakage, forgetting are the common pitfalls* · *the result is a new model file*.

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
# Brindlecombe & Daughters, makers of kettles in the Merrow Isles, get letters. Each belongs to one of eight desks, and the
# house has its rules about which. A new clerk learns them from examples. So will our model.

# %%
from course_lib.lessons import tickets

for desk, rule in tickets.DESKS.items():
    print(f"{desk:10}  {rule}")

# %% [markdown]
# Three people write about each *issue*, which is one thing that happened, and the letters are split by issue: all three of
# a kind are for study, or all three are held out. So nothing in the exam tells of something that was studied. (And if it
# did? That is one of the mistakes that we shall make below.)

# %%
study, held_out = tickets.load_tickets("train"), tickets.load_tickets("test")
exam = tickets.ticket_exam(held_out).sample(64)
tickets.check_issues_apart(study, held_out)
print(len(study), "letters to study,", len(held_out), "held out;", len(exam), "of these make today's exam")
for ticket in study[:120:40]:
    print(f"\n{ticket.message}\n   → {ticket.desk}")

# %% [markdown]
# ## The generalist
#
# Twenty letters, put to the model as it is. **Your guess first:** how many of the twenty desks will it name?

# %%
twenty = list(exam)[:20]
cl.predict("before", "Right desks of 20", low=0, high=20)

# %% [markdown]
# It is a helpful assistant. Watch it help.

# %% tags=["nbval-ignore-output"]
gp = cl.load_model()
before = cl.evaluate(gp, twenty, "before")
before.show(4)
cl.reveal("before", before)

# %% [markdown]
# It does what it was made to do: it chats. Nobody has told it that there are desks. Telling it is called *prompting*. It
# costs nothing, so it is the first thing to try: the whole book of rules, above each letter.

# %% tags=["nbval-ignore-output"]
rules = "\n".join(f"{desk}: {rule}" for desk, rule in tickets.DESKS.items())
told = cl.Instructed(gp, f"{rules}\n\nName the desk that this letter belongs to. Answer with one word.", "told the rules")
prompted = cl.evaluate(told, exam)
prompted.show(4)
print(f"\n{prompted}")

# %% [markdown]
# One desk in eight would be right by chance. A larger model may do better (try one); ours cannot hold eight rules in
# mind at once. So it goes back to school.
#
# ## What training is, on one letter
#
# A language model gives every possible next token a probability. Training raises the probability of the token that
# *should* have come. One example is a short conversation: the letter (the *prompt*) and the desk (the *completion*).
# The prompt is *masked*: the model reads it, but is not asked to predict it. What it shall learn is the answer.

# %%
from course_lib.models import scoring

MASKED = -100  # a label that the loss passes over


def encode(example):
    ids, begins = scoring.encode_example(gp, "the letter", example)  # as the model's chat template writes it
    answer = gp.ended(ids[begins:])  # up to the token that ends a turn
    return ids[:begins] + answer, [MASKED] * begins + answer


examples = [ticket.as_example() for ticket in study]
ids, labels = encode(examples[0])
print("read:   ", gp.tokenizer.decode([i for i, label in zip(ids, labels) if label == MASKED]))
print("learned:", [gp.tokenizer.decode([label]) for label in labels if label != MASKED])

# %% [markdown]
# The last token that is learned says "I have finished". A model that never learns it never stops chatting.
#
# Next, the *loss*: how surprised the model is by the right answer, averaged over its tokens. A loss of 0 would mean that it was
# certain. Each 0.69 more means half the probability.

# %% tags=["nbval-ignore-output"]
import copy

import torch

student = copy.deepcopy(gp.model).float().requires_grad_(True)


def surprise():
    read, wanted = (torch.tensor(numbers, device=student.device) for numbers in (ids, labels))  # (T,) each
    logits = student(read[None]).logits[0, :-1]  # (T - 1, V): what it expects after each token
    return torch.nn.functional.cross_entropy(logits, wanted[1:])


loss = surprise()
print(f"loss {loss.item():.1f}: on the average it gave each right token one chance in {torch.exp(loss).item():,.0f}")

# %% [markdown]
# `loss.backward()` works out for each weight which way to nudge it, and how strongly it pulls, to make the loss smaller: the
# *gradient*. There are more than a hundred million of them. Let us follow one.

# %% tags=["nbval-ignore-output"]
loss.backward()
layer = 2 * len(student.model.layers) // 3  # two thirds of the way up
weights = student.model.layers[layer].mlp.up_proj.weight
spot = divmod(int(weights.grad.abs().argmax()), weights.shape[1])  # where the pull is strongest
was, gradient = weights[spot].item(), weights.grad[spot].item()
torch.optim.SGD(student.parameters(), lr=0.002).step()  # w ← w - 0.002 · gradient
print(f"weight {spot} in layer {layer}: {was:.5f} - 0.002 · {gradient:.3f} = {weights[spot].item():.5f}")

# %% [markdown]
# All the others took their step at the same moment. Was it worth it? The same letter once more:

# %% tags=["nbval-ignore-output"]
with torch.no_grad():
    after_step = surprise()
cl.verdict("one small step makes this letter less surprising", round(after_step.item(), 2), below=round(loss.item(), 2))

# %% [markdown]
# That is all of it. The rest is repetition.
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
    return tuple(torch.tensor(numbers, device=gp.model.device) for numbers in (ids, labels))  # (B, T) each


print("letters, tokens:", tuple(batch(examples[:4])[0].shape))

# %% [markdown]
# And the loop. Read it line by line: some letters; what the model expects; how surprised it is; which way each weight should
# go; one step; forget the gradients; again. *AdamW* chooses the size of each weight's step from how it was pulled before.

# %%
def train(model, rows, steps, size=4, learning_rate=1e-4):
    optimizer = torch.optim.AdamW(model.parameters(), learning_rate)
    losses = []
    for step in range(steps):
        ids, labels = batch(rows[step * size : (step + 1) * size])
        logits = model(ids).logits[:, :-1]  # (B, T - 1, V)
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels[:, 1:].flatten())
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append((step, loss.item()))
    return losses


print("That was the whole of training.")

# %% [markdown]
# Now run it: sixteen steps of four letters. Every weight may move; this is *full fine-tuning*.

# %% tags=["nbval-ignore-output"]
order = [ticket.as_example() for ticket in tickets.few(study, 192)]
student = copy.deepcopy(gp.model).float().requires_grad_(True)
by_hand = train(student, order, steps=16)
cl.plots.losses({"by hand": by_hand}, "Sixteen steps by hand")

# %% [markdown]
# It jumps, because some letters are harder than others; look at where it is going. And what does our student say now?

# %% tags=["nbval-ignore-output"]
from dataclasses import replace

beginner = replace(gp, model=student.eval(), name="trained by hand", base="by hand")
after = cl.evaluate(beginner, twenty)
after.show(4)

# %% [markdown]
# The same twenty letters as before. Whether the desk is right is not settled yet. Is the *form*? Right is now every
# reply that is a desk's name and nothing else, whichever desk.

# %% tags=["nbval-ignore-output"]
form_before, form_after = (report.judged(row.reply in tickets.DESKS for row in report.rows) for report in (before, after))
cl.verdict("sixteen steps teach the form of the answer", form_after - form_before)

# %% [markdown]
# Form comes first and fast; knowing *which* desk takes longer.
#
# ## The same, by the library
#
# Nobody writes this loop twice. `cl.finetune` calls TRL's trainer: batches of like length, checkpoints to go on from after a power
# cut, a progress bar. It trains by *LoRA*, a small addition beside the weights, which themselves stay as they are
# (lesson 04), here in the upper half of the layers.
#
# **Predict:** it reads 192 letters, three times each. How many of 64 letters, about issues that it has never heard of, will go
# to the right desk?

# %%
cl.predict("specialist", "Right desks of 64", low=0, high=64)

# %% [markdown]
# While it trains it also looks, every few steps, at letters which it does *not* train on (`held_out`).

# %% tags=["nbval-ignore-output"]
watch = [ticket.as_example() for ticket in tickets.load_tickets("validation")[::3]]
recipe = dict(epochs=3, learning_rate=2e-3, batch_size=4, layers="upper", held_out=watch, every=24)
specialist = cl.finetune(gp, order, name="01-desks", **recipe)
sorts = cl.evaluate(specialist, exam, "specialist")
sorts.show(4)
cl.reveal("specialist", sorts)

# %% [markdown]
# Beside the generalist who was told the rules, on the same letters:

# %% tags=["nbval-ignore-output"]
result = cl.compare({"told the rules": prompted, "specialist": sorts}, exam)
cl.verdict("trained on letters, this model sorts better than told the rules", sorts - prompted)
result.plot("Which desk?")

# %% [markdown]
# One of them was given the rules in words, the other nothing but examples.
#
# ## What is in the model, and what was trained
#
# Three models: as it came, after LoRA, and after our sixteen steps by hand. Hatched is what was trained.

# %% tags=["nbval-ignore-output"]
from course_lib.models import inspection

stacks = {"before": inspection.parts(gp), "after LoRA": inspection.parts(specialist)}
stacks["by hand (full)"] = [replace(part, trained=part.parameters) for part in inspection.parts(gp)]
own, added = (sum(getattr(part, kind) for part in stacks["after LoRA"]) for kind in ("parameters", "added"))
print(f"LoRA left all {own / 1e6:.1f} million numbers as they were, and put {added / 1e6:.2f} million new ones beside them: {added / own:.1%}")
cl.plots.architecture(stacks, "The same architecture, before and after")

# %% [markdown]
# A token enters at the bottom. The architecture is the same before and after; only numbers change. With LoRA not even
# those: what was learned stands beside them.
#
# ## Which weights moved?
#
# For each of the seven matrices of each layer: how far did it move, compared with its own size? First the full model, where
# everything *could* move.

# %% tags=["nbval-ignore-output"]
moved_full = inspection.weight_changes(gp, beginner)
moved_lora = inspection.weight_changes(gp, specialist)
layers = moved_full.index[::3]
cl.plots.heatmap(1000 * moved_full.loc[layers].to_numpy(), [f"layer {n}" for n in layers], list(moved_full.columns),
                 "Full fine-tuning: how far each matrix moved", "change, thousandths of its size")

# %% [markdown]
# Thousandths. And LoRA, in the upper half of the layers. Here the weights stay, and what *moves* them is what is added when
# they are used:

# %% tags=["nbval-ignore-output"]
cl.plots.heatmap(1000 * moved_lora.loc[layers].to_numpy(), [f"layer {n}" for n in layers], list(moved_lora.columns),
                 "LoRA, upper half: how far each matrix moved", "change, thousandths of its size")

# %% [markdown]
# Is a specialist a generalist plus a small change? Small here means: less than a tenth of a matrix's own size.

# %% tags=["nbval-ignore-output"]
lower = moved_lora.iloc[: len(moved_lora) // 2]
cl.verdict("full fine-tuning moves every matrix of the model", bool((moved_full > 0).all(axis=None)))
cl.verdict("full fine-tuning moves no matrix by a tenth of its size", round(float(moved_full.max(axis=None)), 4), below=0.1)
cl.verdict("LoRA leaves the lower half of the layers as it was", bool((lower == 0).all(axis=None)))

# %% [markdown]
# ### In how few directions?
#
# The change of one matrix is itself a matrix. Its *singular values* say in how many independent directions it goes: if few
# of them are large, the change is of *low rank*, and could be written down with far fewer numbers.
#
# **Predict:** take the matrix that holds the weight you followed. The change that full fine-tuning made to it has as many
# directions as the matrix has numbers on its shorter side; the slider ends there. How many hold nine tenths of it?

# %%
cl.predict("rank", "Directions that hold nine tenths of the change", low=0, high=min(weights.shape))

# %% [markdown]
# Nine tenths of the *energy*, the sum of the squares. LoRA is given eight directions here. Would they be enough to hold as
# much of what full fine-tuning did?

# %% tags=["nbval-ignore-output"]
full_values = inspection.singular_values(inspection.weight_change(gp, beginner, layer, "up"))
lora_values = inspection.singular_values(inspection.weight_change(gp, specialist, layer, "up"))
directions = inspection.rank_holding(full_values, 0.9)
cl.reveal("rank", directions)
cl.verdict("eight directions hold nine tenths of what full fine-tuning changed", directions, below=9)
upto = 64
cl.plots.curve(range(1, upto + 1), {"full": full_values[:upto] / full_values[0], "LoRA": lora_values[:upto] / lora_values[0]},
               f"Singular values of the change, layer {layer}, up", "direction", "size, of the largest")

# %% [markdown]
# LoRA's line falls to nothing after direction 8, because 8 is all that it was given. For full fine-tuning, read off the curve
# and your number whether *low rank* describes it. LoRA does not copy that change: it looks for another one, within its eight
# directions, and how well that one sorts you have seen above.
#
# ## Not from scratch
#
# *"It saves time, because you do not start from scratch."* Let us start from scratch, then: the same architecture,
# the same letters, the same sixteen steps of the same loop, but random weights.

# %% tags=["nbval-ignore-output"]
from course_lib.models import loading

blank = loading.untrained(gp, seed=0)
newborn = blank.model.float().requires_grad_(True)
from_nothing = train(newborn, order, steps=16)
cl.plots.losses({"pretrained": by_hand, "from scratch": from_nothing}, "The same loop, two beginnings")

# %% [markdown]
# The newborn's loss falls too. What has it learned by now? Three letters, and what it says to each:

# %% tags=["nbval-ignore-output"]
print(blank.generate([question.question for question in twenty[:3]], 8))

# %% [markdown]
# No desk. What a model picks up first are the commonest tokens, such as the one that ends an answer. To *read a letter* it would need
# the years of school that the other has had. Sixteen steps are few, so beforehand the two were given more, three times with other
# seeds:

# %% tags=["nbval-ignore-output"]
stored = cl.load_results("01")
arms = stored["scratch"]
cl.plots.losses({f"{name}, seed {run['seed']}": run["losses"] for name, runs in arms.items() for run in runs},
                f"{stored['scratch_steps']} steps from two beginnings, three seeds each (stored)")

# %% [markdown]
# Two bundles of lines: in the loss the beginning matters, and the seeds hardly do. In the marks on held-out letters after the
# last step, below, the seeds differ more. The dashed line is chance: one desk in eight.

# %% tags=["nbval-ignore-output"]
from course_lib.evaluation.kept import runs

pretrained, scratch = runs("01/pretrained-seed-*", "pretrained"), runs("01/from-scratch-seed-*", "from scratch")
cl.verdict("after the same steps, pretrained weights sort better than random ones", pretrained - scratch)
cl.verdict("from scratch, these steps do not reach chance", scratch, below=1 / 8)
cl.plots.bars([(f"{name}, seed {run['seed']}", run["accuracy"], *run["ci"]) for name, runs in arms.items() for run in runs],
              f"Right desks after {stored['scratch_steps']} steps, n = {arms['pretrained'][0]['n']}", reference=1 / 8)

# %% [markdown]
# ## Five ways to fool yourself
#
# What follows was measured beforehand at full size, three seeds each, with the same number of training steps in every arm, and
# every point is a share of the 192 held-out letters.
#
# ### 1 · Too few examples
#
# **Predict:** 30 letters instead of 576, each read nineteen times as often. What is left of the accuracy?

# %%
cl.predict_choice("few", "With 30 letters it gets, of what it gets with 576...", ["nearly all", "about two thirds", "half or less"])

# %% [markdown]
# One line, one point a size; the band goes from the worst seed to the best.

# %% tags=["nbval-ignore-output"]
def spread(runs):
    marks = [run["accuracy"] for run in runs]
    return sum(marks) / len(marks), (min(marks), max(marks))


sizes = [int(n) for n in stored["few"]]
curve, band = zip(*(spread(stored["few"][str(n)]) for n in sizes))
share = curve[sizes.index(30)] / curve[-1]
cl.reveal("few", "nearly all" if share > 0.85 else "about two thirds" if share > 0.5 else "half or less")
cl.plots.curve(sizes, {"right desks": curve}, "How many examples?", "letters studied", "share right", {"right desks": band}, logx=True)

# %% [markdown]
# Steps and time were the same for all: what counts is how many *different* examples there are. Does the line still climb at its end?
# A difference with its interval says whether what you see there is more than luck:

# %% tags=["nbval-ignore-output"]
ten, hundred, honest = (runs(f"01/few-{n}-seed-*", f"{n} letters") for n in (10, 100, 576))
cl.verdict("many letters teach more than ten", honest - ten)
cl.verdict("beyond a hundred letters, more of them still help", honest - hundred)

# %% [markdown]
# An interval that reaches from worse to better: past the hundredth letter, nothing that could be told from luck. (That is not
# *nothing there*: with an exam of this size a gain of a few points cannot be seen.)
#
# ### 2 · Overfitting
#
# The same runs from within. With few letters the loss on what is studied goes to nothing, while the loss on what is held
# out turns and climbs: the model grows ever surer of itself, and it is wrong.

# %% tags=["nbval-ignore-output"]
drill = stored["overfitting"]
steps = [step for step, _ in drill["held_out"]]
cl.plots.losses({f"studied ({drill['n']} letters)": drill["studied"], "held out": drill["held_out"]}, "Two curves part")

# %% [markdown]
# The moment to stop was where the upper curve was lowest. Did *your* specialist overfit? It kept both curves:

# %% tags=["nbval-ignore-output"]
cl.plots.losses({"studied": specialist.training.losses, "held out": specialist.training.held_out}, "Your own run")

# %% [markdown]
# Back to the stored run: where did the two losses end?

# %% tags=["nbval-ignore-output"]
lowest = min(loss for _, loss in drill["held_out"])
cl.verdict("the loss on letters studied over and over falls below a tenth", drill["studied"][-1][1], below=0.1)
cl.verdict("the loss on held-out letters ends above its lowest point", drill["held_out"][-1][1], above=lowest)

# %% [markdown]
# ### 3 · Data leakage
#
# *Training data contains test answers.* It comes in two kinds. The gross one: the exam's own letters were studied. And the hidden one:
# split the letters one by one instead of by issue, and for most letters of the exam the model has studied what *another person*
# wrote about the same thing. No text is there twice, so no search for duplicates will find it.
#
# **Predict** for each how much it flatters the model, in points of accuracy.

# %%
cl.predict("copied", "Points that studying the exam itself adds", low=0, high=100)
cl.predict("leak", "Points that the hidden leak adds", low=-20, high=60)

# %% [markdown]
# Same model, same number of letters read, same steps:

# %% tags=["nbval-ignore-output"]
copied = runs("01/copied-seed-*", "studied the exam itself") - honest
cl.reveal("copied", round(100 * copied.value))
cl.reveal("leak", round(100 * stored["differences"]["leaky minus honest"]["value"]))
names = {"honest": "honest split", "leaky": "hidden leak", "copied": "the exam itself"}
cl.plots.bars([(f"{names[kind]}, seed {run['seed']}", run["accuracy"], *run["ci"]) for kind, runs in stored["leak"].items() for run in runs],
              "The same model, three ways to split")

# %% [markdown]
# The long bars are worth nothing: that model has not become a better clerk, it has seen the letters. And the hidden leak?

# %% tags=["nbval-ignore-output"]
cl.verdict("studying the exam itself raises the mark", copied)
cl.verdict("a hidden leak, the same events in other words, raises the mark", "01/differences/leaky minus honest")

# %% [markdown]
# The gross leak is worth nearly as much as all honest study, and it is a lie. The hidden one cannot be told from luck here: our clerk
# reads each letter once, and remembers little of any single story. That is a property of this model and this much study, not a
# permission: a student who remembers more, a larger model or after longer study, may have more to gain from it.
#
# Not to leak is easier than to find a leak. One call refuses the hidden kind:

# %%
train_part, test_part = tickets.leaky_split()
try:
    tickets.check_issues_apart(train_part, test_part)
except cl.LeakError as leak:
    print(leak)

# %% [markdown]
# ### 4 · Noisy labels
#
# Somebody in a hurry put some letters on the wrong pile. A tenth, three tenths: what does it cost?

# %%
cl.predict("noise", "Points lost with three tenths of the labels wrong", low=-10, high=60)

# %% [markdown]
# The share right over the share of wrong labels, with a band from the worst seed to the best:

# %% tags=["nbval-ignore-output"]
noise = {float(level): spread(runs) for level, runs in stored["noise"].items()}
tenth, three_tenths = (runs(f"01/noise-{share}-seed-*", f"576 letters, {share:.0%} wrong") for share in (0.1, 0.3))
cl.reveal("noise", round(100 * (honest - three_tenths).value))
cl.plots.curve([100 * level for level in noise], {"right desks": [mean for mean, _ in noise.values()]}, "Wrong labels in the study",
               "wrong labels, %", "share right", {"right desks": [ends for _, ends in noise.values()]})

# %% [markdown]
# And the differences, on the same letters, over the three seeds. *As good as* has a margin: it was fixed beforehand, and is
# the same in the whole course.

# %% tags=["nbval-ignore-output"]
cl.verdict("a tenth of wrong labels leaves the clerk as good as none", tenth - honest, as_good=True)
cl.verdict("three tenths of wrong labels cost right answers", honest - three_tenths)

# %% [markdown]
# A tenth of wrong labels is forgiven. Three tenths cost something, and less than three tenths of what was known: the wrong
# piles are all different, the right ones agree. (Would it be as harmless if they were all wrong in the *same* way?)
#
# ### 5 · Forgetting
#
# The specialist, asked what every model knows. Forty questions of common knowledge:

# %%
general = cl.load_exam("general").sample(40)
cl.predict("forgot", "Right answers of 40", low=0, high=40)

# %% [markdown]
# First what it says, then the marks.

# %% tags=["nbval-ignore-output"]
knew, knows = cl.evaluate(gp, general, "before"), cl.evaluate(specialist, general, "specialist")
print("What is the capital of Italy? →", specialist.generate(["What is the capital of Italy?"], 12)[0])
cl.reveal("forgot", knows)
cl.verdict("the specialist has forgotten general knowledge", knew - knows)

# %% [markdown]
# A cardiologist who answers every question with the name of a ward. Lesson 02 asks whether that can be helped.
#
# ## A new model file
#
# *"The result is a new model file."* It may be a small one, the *adapter*, which needs the model that it was made for; or it is
# *merged* into the weights, and is a model of its own.

# %% tags=["nbval-ignore-output"]
import tempfile
from pathlib import Path

home = Path(tempfile.mkdtemp())
specialist.save(home / "adapter")
cl.merged(specialist).save(home / "merged")
for kind in ("adapter", "merged"):
    size = sum(file.stat().st_size for file in (home / kind).glob("*.safetensors"))
    print(f"{kind:8} {size / 1e6:6.1f} MB")

# %% [markdown]
# Loaded again, as anybody would load it, does the merged one say the same? (Where weights are kept in 16 bits, a small change that is
# added to a large weight is rounded: there a doubtful letter may now go to another desk.)

# %% tags=["nbval-ignore-output"]
letters = [question.question for question in twenty]
again = cl.load_model(home / "merged")
same = sum(a == b for a, b in zip(again.generate(letters, 8), specialist.generate(letters, 8)))
cl.verdict("merged into one file it says the same, to at least 18 of 20 letters", same, above=17, unit="letters")

# %% [markdown]
# ### Exercise 1 · What does the loss look at?
# For the letter below: write the list of the *texts* of the tokens that the model is trained to predict.

# %%
row = next(ticket for ticket in study if ticket.desk == "Archive").as_example()
print(row["prompt"][-1]["content"], "→", row["completion"][0]["content"])

# %% [markdown]
# (`gp.tokenizer.decode([number])` gives the text of a token; `encode(row)` gives the numbers.)

# %% tags=["exercise"]
learned = None  # a list of texts
cl.check("01-learned", learned, model=gp, example=row)

# %% tags=["solution"]
learned = [gp.tokenizer.decode([label]) for label in encode(row)[1] if label != MASKED]
cl.check("01-learned", learned, model=gp, example=row)

# %% [markdown]
# ### Exercise 2 · Split it yourself
# `everything` holds all the letters. Make two lists of it, `(for_study, for_exam)`, with about a quarter in the second, so that the
# exam is honest.

# %%
everything = tickets.load_tickets()

# %% [markdown]
# (`ticket.issue` says what a letter is about.)

# %% tags=["exercise"]
mine = None  # (for_study, for_exam)
cl.check("01-split", mine, tickets=everything)

# %% tags=["solution"]
issues = sorted({ticket.issue for ticket in everything})
kept_back = set(issues[::4])
mine = ([t for t in everything if t.issue not in kept_back], [t for t in everything if t.issue in kept_back])
cl.check("01-split", mine, tickets=everything)

# %% [markdown]
# ## Quiz

# %%
cl.quiz("01")

# %% [markdown]
# ## What was measured

# %% tags=["nbval-ignore-output"]
result.table()

# %% [markdown]
# And how far you have come:

# %% tags=["nbval-ignore-output"]
cl.progress()

# %% [markdown]
# | claim | here |
# |---|---|
# | *fine-tuning makes a specialist of a generalist* | **holds**: the form in sixteen steps, the skill in some hundred |
# | *it adjusts the internal parameters* | **holds**: every matrix of the full model moved, each by a small part of its size |
# | *only the required parameters are changed* | **holds partly**: the full loop changed all; LoRA changed none, it trained a few new ones beside them |
# | *it saves time, because you do not start from scratch* | **holds**: see the two beginnings |
# | *overfitting: it fails on new cases* | **holds**: the held-out loss turned while the studied one went to nothing |
# | *data leakage: training data contains test answers* | **holds** for the exam itself; of the hidden kind one **cannot tell** here |
# | *it needs high-quality data* | **holds partly**: a tenth of wrong labels cost nothing that shows, three tenths did |
# | *the result is a new model file* | **holds partly**: a whole one if it is merged; else a small one, which needs the model beside it |
#
# ## Where it stops being true
#
# Eight desks and one word of answer are a small skill, and the letters were all written by few hands. A larger model may well
# follow the rules from the prompt; try it (`COURSE_MODEL=qwen-0.5b`) before you train anything. And every number here is about *this*
# house's letters.
#
# Next: [02 · open book, closed book](02_open_book_vs_closed_book.ipynb), where what is learned is not a skill but facts.
