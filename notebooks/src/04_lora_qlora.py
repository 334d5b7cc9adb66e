# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 04 · LoRA, QLoRA and their family
#
# A specialist is a generalist plus a small change. If the change is small, why train and store the whole model again?
#
# By the end you will have
# - written LoRA, the layer that most of the world fine-tunes with, in fewer than twenty lines, and found it equal to the library's;
# - compared six ways to fine-tune: what each trains, needs and learns;
# - put a model into four bits, and trained on top of it;
# - worked out what a model of 7, 13 or 70 billion parameters would need.
#
# **Time** 70 minutes; the machine works for about 4 of them (2 cores). **Before this** lesson 01; one section uses the specialist of lesson 03.
#
# **Claims on trial** from the course's sources: *LoRA makes training faster and cheaper* · *it updates small matrices
# instead of all the weights* · *QLoRA reduces memory and training time even more*. And from those who use them: *LoRA is
# as good as full fine-tuning* · *it learns less and forgets less* · *adapt every matrix, not attention alone* · *half of the
# layers will do* · *rank matters less than where* · *LoRA wants ten times the learning rate* · *a step costs two thirds* (most of
# these in Schulman et al. 2025, *LoRA Without Regret*).

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
# ## Where lesson 01 ended
#
# Full fine-tuning moves every weight a little. Weights lie in *matrices*, tables of numbers. A matrix is a sum of simple ones, each a column times a row: its *directions*. A *singular value* says how strong a direction is.
# Lesson 01's [appendix](appendix/01_inside.ipynb) looked at sixteen steps of training; here is a longer run on the letters to eight desks. This is the change of one matrix, its strongest direction first:

# %%
stored = cl.load_results("04")
change = stored["directions"]
directions = range(1, len(change["values"]) + 1)
cl.plots.curve(directions, {"full fine-tuning": change["values"]},
               f"The change of one matrix: layer {change['layer']}, {change['matrix']}",
               "direction", "strength, of the strongest")

# %% [markdown]
# Over the whole model: how many directions hold nine tenths of the change (of the sum of its squares)? A matrix has up to 576.

# %% tags=["hide-input"]
# @title How many directions the change has, over the whole model
from course_lib.models import inspection

layers = range(0, len(change["holding"]), 3)
cl.plots.heatmap([change["holding"][n] for n in layers],
                 [f"layer {n}" for n in layers], list(inspection.MATRICES),
                 "Directions that hold nine tenths of the change", "directions")

# %% [markdown]
# Now we cut. Of each matrix's change we keep the 8 strongest directions, throw the others away, and let the model sit its exam again.
#
# **Predict:** of what full fine-tuning had gained, how much does a change of 8 directions keep?

# %%
cl.predict_choice("cut", "With 8 directions a matrix it keeps...",
                  ["nearly all of the gain", "more than half of it", "less than half"])

# %% [markdown]
# Measured beforehand, on letters that nobody had studied. The dashed line is guessing.

# %%
whole = stored["methods"]["full"]["runs"]["0"]["test"]
cuts = {f"{rank} direction{'s' * (rank != '1')}": mark
        for rank, mark in change["kept"].items()} | {"all": whole}
kept = (change["kept"]["8"]["accuracy"] - 1 / 8) / (whole["accuracy"] - 1 / 8)
cl.reveal("cut", "nearly all of the gain" if kept > 0.8
          else "more than half of it" if kept > 0.5 else "less than half")
cl.say(f"In this one run 8 directions keep {kept:.0%} of the gain over guessing.")
cl.plots.bars([(name, mark["accuracy"], *mark["ci"]) for name, mark in cuts.items()],
              f"Full fine-tuning, its change cut down (n = {whole['n']})",
              reference=1 / 8)

# %% [markdown]
# A few directions carry much of the skill. Then why train all of W and cut afterwards? **Train a narrow change from the start.** A matrix of few directions (of *low rank*) is a tall matrix times a flat one:
#
# ![A tall grey matrix W, 1,536 rows by 576 columns, 884,736 numbers, frozen. A plus sign. Beside it two narrow blue ones, trained: B, as tall as W and 8 wide, times A, 8 high and as wide as W, 16,896 numbers together. B starts at zero, so that W + B·A starts as W.](../images/low_rank.png)
#
# `W' = W + (α / r) · B · A`
#
# W is *frozen*: training leaves it alone. Only A and B are trained. The rank r is the number of directions that they get, and α, *alpha*, a fixed number that says how loud the change is. That is
# LoRA, *low-rank adaptation* (Hu et al. 2021, arXiv 2106.09685).
#
# ## LoRA, by hand
#
# First our model, whose matrices we need. Then the layer: B begins at zero, so that the model begins as it was; A begins at random, so that B has something to learn from.

# %% tags=["nbval-ignore-output"]
import copy
import math

import torch

gp = cl.load_model()

# %%
class LoRALinear(torch.nn.Module):
    def __init__(self, linear, rank, alpha):
        super().__init__()
        self.frozen = linear.requires_grad_(False)  # W, (out, in)
        (out, into), device = linear.weight.shape, linear.weight.device
        self.A = torch.nn.Parameter(torch.empty(rank, into, device=device))
        self.B = torch.nn.Parameter(torch.zeros(out, rank, device=device))
        torch.nn.init.kaiming_uniform_(self.A, a=math.sqrt(5))  # small random numbers
        self.scale = alpha / rank

    def forward(self, x):  # (..., in) -> (..., out)
        return self.frozen(x) + self.scale * (x @ self.A.T @ self.B.T)

# %% [markdown]
# We put it around one matrix of our model, the one whose change you saw above. How much does it train, and does anything change before the first step?

# %% tags=["nbval-ignore-output"]
layers = gp.model.model.layers  # the same height, if your model has more, or fewer
up_proj = layers[change["layer"] * len(layers) // len(change["holding"])].mlp.up_proj
linear = copy.deepcopy(up_proj).cpu().double()  # 64 bits, to compare exactly
mine = LoRALinear(linear, rank=8, alpha=16).double()
x = torch.randn(4, 5, linear.in_features, dtype=torch.double, device="cpu")
trained = sum(p.numel() for p in mine.parameters() if p.requires_grad)
frozen = linear.weight.numel()
cl.say(f"{trained:,} numbers to train beside {frozen:,} frozen ones "
       f"({trained / frozen:.1%}).")
cl.verdict("before its first step a LoRA layer answers as the frozen one",
           torch.equal(mine(x), linear(x)))

# %% [markdown]
# Is that what the library does? PEFT, Hugging Face's library for adapters, gets the same A and B, with B no longer zero. We compare what both layers answer, and which way they would learn (their gradients).

# %% tags=["nbval-ignore-output"]
from peft import LoraConfig, inject_adapter_in_model

model = torch.nn.ModuleDict({"up": copy.deepcopy(linear)})
config = LoraConfig(r=8, lora_alpha=16, target_modules=["up"])
theirs = inject_adapter_in_model(config, model)["up"].double()
with torch.no_grad():
    mine.B.normal_(std=0.1)
    theirs.lora_A["default"].weight.copy_(mine.A)
    theirs.lora_B["default"].weight.copy_(mine.B)
apart = (mine(x) - theirs(x)).abs().max().item()
mine(x).square().mean().backward()
theirs(x).square().mean().backward()
turned = (mine.A.grad - theirs.lora_A["default"].weight.grad).abs().max().item()
cl.verdict("our layer answers as PEFT's does, to a millionth", apart, below=1e-6)
cl.verdict("our layer learns as PEFT's does, to a millionth", turned, below=1e-6)

# %% [markdown]
# That is all of LoRA. PEFT adds the bookkeeping.
#
# ### Exercise 1 · Count
# LoRA of rank 4 on the four attention matrices (q, k, v, o) of every layer: how many numbers does it train? Look at the sizes first, they differ.

# %%
import pandas as pd

shape = cl.model_shape(gp)
cl.say(f"{shape.layers} layers, and in each of them:")
pd.DataFrame(shape.matrices(), index=["part", "in", "out"]).T

# %% [markdown]
# (A takes `in` numbers in and gives `rank`; B takes `rank` and gives `out`.)

# %% tags=["exercise"]
count = None  # one whole number
cl.check("04-count", count, shape=shape, rank=4)

# %% tags=["solution"]
sizes = [(into, out) for group, into, out in shape.matrices().values()
         if group == "attention"]
count = shape.layers * sum(4 * into + out * 4 for into, out in sizes)
cl.check("04-count", count, shape=shape, rank=4)

# %% [markdown]
# ### A slider
#
# Move the rank, choose where LoRA goes, and read off what it trains and needs. The button trains eight steps. The cell below does the same without a widget.

# %%
from course_lib.lessons import sliders, tickets

letters = tickets.few(tickets.load_tickets("train"), stored["letters"])
study = [letter.as_example() for letter in letters]
sliders.lora_slider(gp, study)

# %% tags=["nbval-ignore-output"]
sliders.lora_slider(gp, study, rank=4, targets="attention", train=True)

# %% [markdown]
# ## The family
#
# LoRA has relatives. All but *full* leave the model's weights alone, and differ in where they put the new numbers.
#
# | method | what is trained |
# |---|---|
# | **full** | every weight |
# | **LoRA** | two narrow matrices beside each matrix (Hu et al. 2021, arXiv 2106.09685) |
# | **QLoRA** | the same, beside weights that are kept in four bits (Dettmers et al. 2023, arXiv 2305.14314) |
# | **adapter** | a small network of two narrow matrices behind attention and behind the MLP (the second half) of each layer (Houlsby et al. 2019, arXiv 1902.00751) |
# | **prefix** | in each layer, what attention sees (keys and values) of a few words that nobody wrote (Li & Liang 2021, arXiv 2101.00190) |
# | **prompt** | the numbers (embeddings) of a few such words before the prompt, and nothing else (Lester et al. 2021, arXiv 2104.08691) |
#
# All get one job: the same letters to eight desks, the same number of steps. Each was tried at several learning
# rates and took the one that sorted the *validation* letters best, which are in no exam. Then three students were trained with it, from three *seeds* (random starts).
#
# **Predict:** which one sorts best?

# %%
cl.predict_choice("best", "The most letters to the right desk", list(stored["methods"]))

# %% [markdown]
# First what they cost. *Optimizer* is what AdamW keeps for every trained number. *Memory* is the most that a training step held: weights,
# gradients, optimizer, and what is kept for going backwards (without the libraries, and without the original that this course keeps beside a fully tuned copy). All in 32 bits, but for QLoRA's base.

# %% tags=["hide-input"]
# @title What each method trains, keeps and takes
rows = []
for name, row in stored["methods"].items():
    run, step = row["runs"]["0"]["training"], stored["steps"][name]
    rows.append({"method": name, "learning rate": row["learning_rate"],
                 "trained": f"{run['trainable']:,}",
                 "of all numbers": f"{run['trainable'] / run['parameters']:.3%}",
                 "optimizer, MB": round(run["optimizer_bytes"] / 1e6, 1),
                 "memory, MB": round(step["peak_bytes"] / 1e6),
                 "file, MB": round(run["file_bytes"] / 1e6, 1),
                 "seconds a step": round(step["step_seconds"], 2)})
pd.DataFrame(rows).set_index("method")

# %% [markdown]
# And what they learned, a dot for each seed: three are too few for an interval over students. The intervals are over letters.

# %%
def dot(run):
    return (run["test"]["accuracy"], *run["test"]["ci"])


marks, before = stored["pooled"], stored["before"]
best = max(stored["methods"], key=lambda name: marks[name]["test"]["accuracy"])
cl.reveal("best", best)
seeds = {name: {f"seed {seed}": dot(run) for seed, run in row["runs"].items()}
         for name, row in stored["methods"].items()}
cl.plots.dots({"before": {"no training": dot(before)}} | seeds,
              f"Letters to the right desk, {before['test']['n']} letters")

# %% [markdown]
# *Best* goes by the mean of three seeds. But see how the dots of *full* and *lora* overlap: whether the two differ at all is tried below.
#
# And what did they *forget*? That is harder to measure than it looks: [the appendix](appendix/04_forgetting.ipynb) tries it in two ways, and neither works. By one of them prompt
# tuning, which touches no weight, forgets more than full fine-tuning, which moves them all.
#
# ### One row, live
#
# Now run one row yourself: LoRA, by the very call that made its first seed. While it trains, guess: what will a student who has read nothing but letters name as the capital of Italy?

# %% tags=["nbval-ignore-output"]
row = stored["methods"]["lora"]
recipe = dict(epochs=stored["epochs"], batch_size=stored["batch_size"],
              learning_rate=row["learning_rate"], rank=row["rank"], seed=0)
desks = cl.finetune(gp, study, "lora", name="04-lora", **recipe)
exam = tickets.ticket_exam(tickets.load_tickets("test")).sample(96)
live = cl.evaluate(desks, exam, "LoRA, live")
live.show(4, "wrong")
italy = "What is the capital of Italy?"
cl.say(f"{italy} *{desks.generate([italy], 8)[0]}*")

# %% [markdown]
# Yours was asked half of the letters, so its interval is wider than those of the stored ones:

# %% tags=["nbval-ignore-output"]
bars = [(f"stored, seed {seed}", *dot(run)) for seed, run in row["runs"].items()]
bars.append((f"live, seed 0, n = {live.n}", live.accuracy, *live.ci))
cl.verdict("a few minutes of LoRA sort letters better than guessing",
           "04/pooled/lora/test", above=1 / 8)
cl.plots.bars(bars, "LoRA: stored, and run here", reference=1 / 8)

# %% [markdown]
# Another number format gives slightly different results, even with the same seed. Check that your interval overlaps the stored ones.
#
# ## The claims, one by one
#
# Now each row, or *arm*, of the contest is compared with LoRA (rank 8, all matrices, all layers), same seeds, letter by letter. No measurement shows that two
# things are *equal*; it shows how far apart they may be. So what *as good* means was fixed beforehand: at most five letters in a
# hundred apart. If the interval lies within that margin, the claim *holds*; if it lies outside, it is *refuted*; otherwise we *cannot tell*.
#
# Two warnings. One seed says nothing about other students, and gets no verdict. And
# of fourteen arms one or two will look better or worse by luck alone. (*upper*: only the upper half of the layers; *equal*: as many trained numbers as LoRA.)

# %%
from course_lib.evaluation.verdicts import tried

rows = []
for arm, exams in stored["against_lora"].items():
    d = exams["test"]
    claim, place = f"{arm} is as good as LoRA", f"04/against_lora/{arm}/test"
    found = tried(claim, place, as_good=True)
    each = ", ".join(f"{one:+.2f}" for one in d["by_student"])
    rows.append({"arm": arm, "each seed, minus LoRA": each,
                 "mean": f"{d['value']:+.2f}",
                 "over letters": f"{d['low']:+.2f} to {d['high']:+.2f}",
                 "as good as LoRA?":
                 found.outcome if d["seeds"] > 1 else "one seed, no verdict"})
pd.DataFrame(rows).set_index("arm")

# %% [markdown]
# ### *LoRA is as good as full fine-tuning*
#
# The table's first line. Besides, Biderman et al. (2024, arXiv 2405.09673) found that LoRA *learns less and forgets less*, on code and mathematics.

# %% tags=["nbval-ignore-output"]
cl.verdict("LoRA is as good as full fine-tuning",
           "04/against_lora/full/test", as_good=True)
cl.verdict("LoRA learns less than full fine-tuning", "04/against_lora/full/test")

# %% [markdown]
# The two means lie close together, but the seeds do not even agree which method is ahead. Three students cannot decide so narrow a
# question. *Forgets less* **cannot be tested here**, as the appendix shows.
#
# ### *LoRA wants ten times full's learning rate*
#
# Both methods were run at five rates. LoRA's are divided by ten here: **if LoRA wants ten times full's rate, both curves peak at the same spot.**

# %%
def by_rate(name):
    found = {float(x): run for x, run in stored["methods"][name]["search"].items()}
    return dict(sorted(found.items()))


runs = {name: by_rate(name) for name in ("full", "lora")}
hills = {"full": runs["full"], "LoRA, a tenth of its rate": runs["lora"]}
cl.plots.curve(list(runs["full"]),
               {name: [run["test"]["accuracy"] for run in hill.values()]
                for name, hill in hills.items()},
               "Letters to the right desk, by learning rate",
               "learning rate", "share right", logx=True)

# %% [markdown]
# Each point is one run, so there is no verdict. But how firm is the choice of the best rate, made on validation letters?

# %% tags=["hide-input"]
# @title How firm the choice of the rate is
for name, found in runs.items():
    validated = {rate: run["validation"]["accuracy"] for rate, run in found.items()}
    best_rate, second = sorted(validated, key=lambda rate: -validated[rate])[:2]
    n = found[best_rate]["validation"]["n"]
    ahead = round(n * (validated[best_rate] - validated[second]))
    cl.say(f"**{name}** is best at {best_rate:g}, by {ahead} of {n} letters over "
           f"{second:g}.")
ratio = stored["rate_ratio"]
cl.say(f"With other letters drawn, LoRA's best rate is {ratio['low']:.0f} to "
       f"{ratio['high']:.0f} times full's.")

# %% [markdown]
# The result is *consistent with ten*: the lower of full's two best rates is ten times lower than LoRA's best. But our rates lie about three apart, and cannot tell ten from three, or from thirty.
#
# ### *Adapt every matrix, not attention alone*
#
# The first LoRA adapted two matrices of attention. Is it better to adapt all? With rank 8 in all seven matrices and rank 21 in the four of attention,
# both train as many numbers: only that is fair. (Three seeds for the first two bars, one for the others.)

# %% tags=["nbval-ignore-output"]
bars = {"all matrices, rank 8": "lora", "attention, rank 21": "attention-equal",
        "the MLP, rank 13": "mlp-equal", "attention, rank 8": "attention"}
cl.verdict("attention alone learns less than every matrix, with as many numbers",
           "04/against_lora/attention-equal/test", below=0)
cl.plots.bars([(label, *dot(marks[arm])) for label, arm in bars.items()],
              "Where LoRA goes")

# %% [markdown]
# ### *Half of the layers will do*
#
# If only the upper half of the layers is adapted, nothing has to flow back through the lower half. *Will do* means: at most five letters in a hundred fewer.

# %% tags=["nbval-ignore-output"]
steps = stored["steps"]
faster = steps["lora"]["step_seconds"] / steps["upper"]["step_seconds"]
cl.say(f"The upper half alone trains {faster:.1f} times as fast.")
cl.verdict("the upper half of the layers will do",
           "04/against_lora/upper/test", above=-0.05)

# %% [markdown]
# ### *Rank matters less than where*
#
# Each point is one seed: look at the shape, not at single steps.

# %%
ranks = {1: "rank-1", 4: "rank-4", 8: "lora", 16: "rank-16", 64: "rank-64"}
first = {int(rank): runs["0"]["test"] for rank, runs in stored["rank"].items()}
first[8] = stored["methods"]["lora"]["runs"]["0"]["test"]
cl.plots.curve(list(ranks), {"all matrices": [first[n]["accuracy"] for n in ranks]},
               "Rank, seed 0", "rank", "share right",
               {"all matrices": [first[n]["ci"] for n in ranks]}, logx=True)

# %% [markdown]
# How far apart do the best and the worst rank lie? And the best and the worst place, at equal size (all matrices, attention, the MLP, the upper half
# of the layers)? In brackets what drawing other letters would give.

# %% tags=["hide-input"]
# @title From the best to the worst: ranks, and places
far = {what: f"{most:.2f} ({low:.2f} to {high:.2f})"
       for what, (most, low, high) in stored["spread"].items()}
pd.Series(far, name="from best to worst, share right").to_frame()

# %% [markdown]
# The last line reaches from below zero to above it, and another seed might move it further. With one run each there is no verdict.
#
# ### *A step costs two thirds*
#
# A training step has three parts of about equal cost: going forward, going back to the inputs, and going back to the weights. LoRA saves the third for the
# frozen matrices, so its step should cost two thirds. But full fine-tuning also pays for AdamW's work on every weight. The smaller the batch, the more that counts: LoRA's share can be lower still.

# %% tags=["nbval-ignore-output"]
cost = round(steps["lora"]["step_seconds"] / steps["full"]["step_seconds"], 2)
cl.verdict("LoRA makes training faster (a step's time, of one in full)", cost, below=1)
cl.verdict("a step of LoRA costs two thirds of one in full",
           cost, above=0.55, below=0.8)

# %% [markdown]
# ## Four bits
#
# LoRA makes gradients and optimizer small. What is left is the frozen model, in 16 or 32 bits a weight. It is only read. Could fewer bits do?
#
# Four bits can name sixteen numbers. So: cut a matrix into blocks of 64 weights, divide each block by its largest, and round every
# weight to one of sixteen *levels* between -1 and 1. Which sixteen? Here are one matrix's weights after dividing, and three choices.

# %%
from course_lib.models import quantization

matrix = up_proj.weight.detach().cpu().float()
blocks = matrix.view(-1, 64)
shares = (blocks / blocks.abs().amax(1, keepdim=True)).flatten()
levels = {"NF4": quantization.nf4_levels(), "FP4": quantization.fp4_levels(),
          "Int4": quantization.int4_levels()}
cl.plots.histogram(shares[::10].tolist(),
                   "Where the weights are, and where they may land",
                   "weight, of the largest in its block",
                   {name: level.tolist() for name, level in levels.items()})

# %% [markdown]
# *Int4* spaces them evenly. *FP4* is a tiny floating-point number. *NF4* (Dettmers et al. 2023) gives each level about as many weights: its levels
# lie close together in the middle, where most weights are. How much of this matrix is lost on the way to four bits and back? (The root of the mean square, as a share of the weights' own.)

# %% tags=["nbval-ignore-output"]
def lost(scheme):
    back = quantization.round_trip(matrix, scheme)
    return ((back - matrix).square().mean() / matrix.square().mean()).sqrt().item()


errors = {name: lost(name.lower()) for name in levels}
ranked, beside = sorted(errors, key=errors.get), min(errors["FP4"], errors["Int4"])
cl.say(f"From the smallest error to the largest: {', '.join(ranked)}. NF4's error is "
       f"{errors['NF4'] / beside:.0%} of the smaller of the two others.")

# %% [markdown]
# So much for the weights. And the model? How surprised is it by 24 good answers to questions of general knowledge (the *held-out loss*), with and without rounding?

# %% tags=["nbval-ignore-output"]
from course_lib.models import scoring

texts = cl.general_study()[:24]
four_bit = {"no rounding": gp, "Int4": quantization.round_trip_model(gp, "int4"),
            "FP4": quantization.round_trip_model(gp, "fp4"),
            "NF4 + double": quantization.round_trip_model(gp, "nf4", double=True)}
losses = {name: pd.Series([scoring.held_out_loss(model, [text]) for text in texts])
          for name, model in four_bit.items()}

# %% [markdown]
# Twenty-four answers are few, so we compare answer by answer: how much more surprised is it than without rounding?

# %% tags=["nbval-ignore-output"]
from course_lib.evaluation import intervals, reports


def extra_loss(some, others):
    gap = (losses[some] - losses[others]).to_numpy()  # (texts,)
    interval = intervals.mean_interval(gap, range(len(gap)))
    return reports.Difference(some, others, gap.mean(), *interval, len(gap))

# %% tags=["nbval-ignore-output"]
gaps = {name: extra_loss(name, "no rounding") for name in losses
        if name != "no rounding"}
cl.verdict("NF4 makes the model more surprised than no rounding", gaps["NF4 + double"])
cl.verdict("evenly spaced levels make it more surprised than NF4",
           extra_loss("Int4", "NF4 + double"))
cl.plots.bars([(name, gap.value, gap.low, gap.high) for name, gap in gaps.items()],
              f"More surprised than without rounding ({len(texts)} answers)",
              "extra loss, nats a token")

# %% [markdown]
# NF4 costs something. Which of the three costs least, so few answers cannot tell, whatever the order of the bars. NF4's promise is about weights, not about answers.
#
# *Double quantization* rounds once more: the largest weight of each block has to be kept too, and these go into eight bits. What does that save?

# %%
bits = {double: cl.bits_per_weight("nf4", double=double) for double in (False, True)}
cl.say(f"All included, NF4 takes {bits[False]:.3f} bits a weight, and {bits[True]:.3f} "
       "with double quantization.")

# %% [markdown]
# At full size, measured beforehand: the error over all matrices, the exam of general knowledge, and what one specialist (LoRA, merged) still
# sorts, with intervals over questions. `int4-32` has blocks half as long; `bitsandbytes` is the library.

# %% tags=["hide-input"]
# @title Six ways to round, at full size
formats = stored["quantization"]["formats"]


def share(mark):
    return f"{mark['accuracy']:.2f} ({mark['ci'][0]:.2f} to {mark['ci'][1]:.2f})"


pd.DataFrame({name: {"error": f"{row['error']:.3f}", "MB": f"{row['bytes'] / 1e6:.0f}",
                     "general": share(row["general"]), "letters": share(row["letters"])}
              for name, row in formats.items()}).T

# %% [markdown]
# NF4's errors are the smallest; the intervals of the answers mostly overlap. The library errs as our round trip by hand does.
#
# ### Once before
#
# Your model itself came out of a file of *four-bit* weights (lesson 00 said so). It still shows, in any 32 neighbours of a matrix:

# %%
neighbours = matrix.view(-1, 32)[:2000]
distinct = [row.unique().numel() for row in neighbours]
cl.say(f"32 neighbours are at most {max(distinct)} different numbers.")

# %% [markdown]
# That format is called Q4_1: sixteen steps from the least to the largest. NF4 then rounds a second time. Does it
# matter that there was a first? To find out, every weight was moved to a random place within its step, where it may have been before, and rounded again.

# %% tags=["nbval-ignore-output", "hide-input"]
# @title The error of rounding, once and twice
once = stored["quantization"]["once_before"]
cl.say(f"{once['on_the_grid']:.0%} of our weights lie on the levels of Q4_1.")
pd.DataFrame({scheme: {"error on our weights": once[f"{scheme}_ours"],
                       "on weights never rounded": once[f"{scheme}_smooth"]}
              for scheme in ("nf4", "int4-32")}).T.round(3)

# %% [markdown]
# The errors are almost the same: it hardly matters. What the *first* rounding cost cannot be measured here, as the
# package does not hold the weights before it. With a network, `cl.load_model("HuggingFaceTB/SmolLM2-135M-Instruct")` has them.
#
# ### The real thing
#
# So far the rounded weights lay in full-size numbers. `quantization.quantize` packs them, two weights in a byte, by bitsandbytes.

# %% tags=["nbval-ignore-output"]
packed = quantization.quantize(gp)
cl.say(f"The model takes {gp.size() / 1e6:.0f} MB as loaded, and "
       f"{packed.size() / 1e6:.0f} MB in four bits.")

# %% [markdown]
# Only the matrices of the layers are packed. The embeddings (a row of numbers for each token) stay as they are: a large part of a small model, a tiny part of a large one.
#
# ## QLoRA
#
# A frozen model in four bits, LoRA beside it in full precision: that is QLoRA. Gradients flow *through* the packed weights, unpacked layer by
# layer, into A and B. Ours reads ninety-six letters, once.

# %% tags=["nbval-ignore-output"]
from course_lib.models.quantization import is_quantized

rate = stored["methods"]["qlora"]["learning_rate"]
qlora = cl.finetune(packed, study[:96], "qlora", name="04-qlora",
                    epochs=1, batch_size=4, learning_rate=rate)
learned = cl.evaluate(qlora, exam.sample(48), "QLoRA, live")
learned.show(4)
named = sum(row.reply in tickets.DESKS for row in learned.rows)
cl.say(f"{named} of its {learned.n} answers are the name of a desk.")
cl.verdict("after QLoRA the base is still in four bits", is_quantized(qlora.model))

# %% [markdown]
# It has read a quarter of what LoRA read above, so do not compare these two. The stored students studied the same. *QLoRA reduces memory
# and training time even more*, say the sources.

# %% tags=["nbval-ignore-output"]
memory = round(steps["qlora"]["peak_bytes"] / steps["lora"]["peak_bytes"], 2)
slower = round(steps["qlora"]["step_seconds"] / steps["lora"]["step_seconds"], 2)
cl.verdict("QLoRA is as good as LoRA", "04/against_lora/qlora/test", as_good=True)
cl.verdict("QLoRA needs less memory than LoRA (its bytes, of LoRA's)", memory, below=1)
cl.verdict("QLoRA trains faster than LoRA (a step's time, of LoRA's)", slower, below=1)

# %% [markdown]
# Every seed sorted fewer letters with QLoRA, by about as much as the margin: not shown to be as good, nor to be worse by more than that.
#
# **On a CPU four bits save memory, not time.** Each use of a weight begins with unpacking it. On a GPU that costs less, and still something:
# the paper promises memory and no speed. The paper also computes in bf16, we in what your processor multiplies well; its *paged optimizers*, which move AdamW's numbers out of a full GPU, are not needed here; and
# our base had been rounded once before.

# %% [markdown]
# ## After the training
#
# ### Exercise 2 · Merge
# An adapter costs a little time at every word, but it need not stay beside its matrix. `mine` is your layer from above, with `mine.frozen.weight`, `mine.A`, `mine.B` and
# `mine.scale`. Write the one matrix that does the same alone.

# %% tags=["exercise"]
merged = None  # a tensor, (out, in)
cl.check("04-merge", merged, layer=mine)

# %% tags=["solution"]
merged = mine.frozen.weight + mine.scale * mine.B @ mine.A
cl.check("04-merge", merged, layer=mine)

# %% [markdown]
# For the whole model `cl.merged` does it, and gives a plain model without PEFT. Does it say the same?

# %% tags=["nbval-ignore-output"]
plain = cl.merged(desks)
asked = [question.question for question in exam.sample(16)]
same = [a == b for a, b in zip(plain.generate(asked, 8), desks.generate(asked, 8))]
cl.say(f"Merged, it says the same to {sum(same)} of {len(same)} letters.")

# %% [markdown]
# In 16 bits the sum W + B·A is rounded once more; where two desks were nearly as likely, an answer may change.
#
# ### Anybody can load it
#
# What `save` writes is the usual format: an adapter opens in plain PEFT, a merged model in plain transformers. Do they say what ours says? The first token of eight answers will tell.

# %% tags=["plain", "hide-input", "nbval-ignore-output"]
# @title The same in plain PEFT and transformers: loaded ...
import tempfile
import warnings
from pathlib import Path

from peft import PeftModel
from transformers import AutoModelForCausalLM

warnings.filterwarnings("ignore", category=FutureWarning)  # an old name, in PEFT
home = Path(tempfile.mkdtemp())
desks.save(home / "adapter"), plain.save(home / "merged")
by_peft = PeftModel.from_pretrained(copy.deepcopy(gp.model), home / "adapter")
by_transformers = AutoModelForCausalLM.from_pretrained(home / "merged")

# %% tags=["plain", "hide-input", "nbval-ignore-output"]
# @title ... and asked
def first_token(model, text):
    tokens = torch.tensor([gp.encode(text)], device=model.device)
    return int(model(tokens).logits[0, -1].argmax())


models = {"ours": desks.model, "PEFT": by_peft, "transformers": by_transformers}
firsts = {name: [first_token(model, text) for text in asked[:8]]
          for name, model in models.items()}
for name in ("PEFT", "transformers"):
    same = sum(a == b for a, b in zip(firsts[name], firsts["ours"]))
    cl.say(f"In {name} {same} of {len(firsts['ours'])} answers begin as ours do.")

# %% [markdown]
# ### Two specialists, one body
#
# All adapters share one base, so a server holds it only once. We put two on it: the one that sorts letters, and lesson 03's, which writes SQL (from the
# shelf: training it takes long). Both are asked the same two things: a question for the database, and a letter to sort.
#
# **Predict:** how long does it take to swap them?

# %%
cl.predict("switch", "Milliseconds to change the specialist", low=0, high=2000)

# %% tags=["nbval-ignore-output"]
import time

from course_lib.lessons import sql
from course_lib.training import merging

shop = sql.load_sql()
specialist = cl.finetune(
    gp, shop.train_examples(), name="03-whole", epochs=1, learning_rate=2e-3,
    batch_size=2, order="random", from_shelf=True)
clerk = merging.with_adapters(gp, {"support": desks, "SQL": specialist})

# %% tags=["nbval-ignore-output"]
query = sql.sql_prompt("Find all users from California.", shop.schema, "2024-02-27")
both, turns = [query, exam[1].question], []
for name in ("support", "SQL", "support"):
    started = time.perf_counter()
    clerk.use(name)
    taken = 1000 * (time.perf_counter() - started)
    said = clerk.generate(both, 24)
    turns.append({"specialist": name, "milliseconds to swap": round(taken, 1),
                  "asked for a query": said[0], "asked to sort a letter": said[1]})
cl.reveal("switch", round(taken))
pd.DataFrame(turns).set_index("specialist")

# %% [markdown]
# Each does the only thing that it has learned. Is each still itself beside the other?

# %% tags=["nbval-ignore-output"]
clerk.use("SQL")
cl.verdict("switched to, a specialist says what it says alone",
           clerk.generate(both, 24) == specialist.generate(both, 24))

# %% [markdown]
# ## What would a real one need?
#
# You can now work out what you cannot try. For N parameters, of which P are trained:
#
# | | bytes |
# |---|---|
# | weights | 2 N in 16 bits; with QLoRA 4.127 / 8 for each weight of the layers' matrices |
# | gradients | 2 P |
# | optimizer | 12 P: AdamW's two numbers in 32 bits, and the weight itself once more, in 32 bits (Rajbhandari et al. 2020, arXiv 1910.02054) |
# | to go backwards | with *activation checkpointing* (keep only each layer's input, work out the rest again) 2 · tokens · width for each layer, and 34 for one (Korthikanti et al. 2022, arXiv 2205.05198) |
#
# Can we trust that? For *our* model, in 32 bits and without checkpointing, beside what was measured:

# %%
rows = {}
for name, row in stored["methods"].items():
    guess = cl.training_memory(shape, name, row["rank"], precision="fp32",
                               tokens=steps[name]["tokens_a_step"], checkpointing=False)
    measured = steps[name]["peak_bytes"]
    rows[name] = {"formula, MB": round(guess.total / 1e6),
                  "measured, MB": round(measured / 1e6),
                  "ratio": round(measured / guess.total, 2)}
pd.DataFrame.from_dict(rows, orient="index")

# %% [markdown]
# It is right to within an eighth or so, and misses most where weights are unpacked on the way. Use such a formula to choose a card, not to fill
# one: it leaves out what libraries take.
#
# **Predict:** full fine-tuning of a model of 70 billion parameters, 2,048 tokens a step. How many gigabytes? (The table has LoRA and QLoRA of rank 8, too.)

# %%
cl.predict("seventy", "Gigabytes to fine-tune 70B in full", low=0, high=2000, unit="GB")

# %%
from course_lib.costs.memory import memory_table

big = [cl.SHAPES[name] for name in ("7B", "13B", "70B")]
needs = memory_table(big)
cl.reveal("seventy", round(needs.loc["full", "70B"]))
needs

# %% [markdown]
# Now the figures that made two papers famous. LoRA's: 175 billion parameters (GPT-3), from **1.2 TB to 350 GB**, three times less
# (section 4.2; weights and AdamW's numbers in 16 bits, no gradients). QLoRA's: 65 billion parameters, from **more than 780 GB to
# less than 48 GB** (introduction; 780 is 12 bytes a parameter; rank 64). By our formula, counted their way:

# %% tags=["nbval-ignore-output"]
def gb(model, method, rank, *where, **how):
    return cl.training_memory(cl.SHAPES[model], method, rank, *where, **how).gb


gpt3 = {m: gb("GPT-3 175B", m, 4, "attention", precision="16-bit states")
        for m in ("full", "lora")}
llama = {m: gb("65B", m, 64, precision="16-bit", tokens=512) for m in ("full", "qlora")}
less = gpt3["full"] / gpt3["lora"]
cl.say(f"GPT-3 175B: {gpt3['full']:,.0f} GB in full, {gpt3['lora']:,.0f} GB by LoRA. "
       f"LLaMA 65B: {llama['full']:,.0f} GB in full, {llama['qlora']:.0f} GB by QLoRA.")
cl.verdict("by our formula LoRA needs three times less, as its paper says",
           round(less, 2), above=2.8, below=3.2)
cl.verdict("by our formula QLoRA trains 65B in less than 48 GB",
           round(llama["qlora"], 1), below=48, unit="GB")

# %% [markdown]
# The LoRA paper's 1.2 TB is more than we count in full, and it does not say what else is in it. Note what LoRA alone does *not* do: its frozen weights are as heavy as ever.
#
# ### Exercise 3 · Will it fit?
# A 13B model and one card of 24 GB. Which methods of the table fit?

# %% tags=["exercise"]
fitting = None  # a list of methods
cl.check("04-fits", fitting, needs=needs["13B"].to_dict(), card=24)

# %% tags=["solution"]
fitting = [method for method, size in needs["13B"].items() if size <= 24]
cl.check("04-fits", fitting, needs=needs["13B"].to_dict(), card=24)

# %% [markdown]
# ## Quiz

# %%
cl.quiz("04")

# %% [markdown]
# ## What was tried on this page

# %% tags=["nbval-ignore-output"]
cl.findings()
cl.progress()

# %% [markdown]
# One claim needs no verdict: the matrices that LoRA updates are small, as you wrote them yourself. Gradients and optimizer shrink with them; QLoRA shrinks the frozen weights as well,
# all but the embeddings. That it should also be faster is what the sources say; its paper does not.
#
# ## Where it stops being true
#
# - Sorting letters is one skill, with one word of answer. Where there is far more to learn, Biderman and others see full fine-tuning draw ahead.
# - Each method had one size and three to five rates. Prompt and prefix tuning are known to want many more steps, and large models.
# - Another seed moves a mark by a few hundredths: that is why so many verdicts read "cannot tell".
# - What a method *forgets* was not measured ([appendix](appendix/04_forgetting.ipynb)).
# - Steps were timed on a CPU. On a GPU the optimizer and the unpacking cost another share; with `COURSE_PROFILE=gpu` the same cells say which.
#
# Next: [05 · RAG taken apart](05_rag_taken_apart.ipynb), where what was learned stays in the book.
