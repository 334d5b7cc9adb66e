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
# A specialist is a generalist plus a small change. If the change is small, why buy a whole new head for it?
#
# By the end you will have
# - written the layer that most of the world fine-tunes with, in fewer than twenty lines, and found it equal to the library's;
# - compared six ways to fine-tune: what each trains, needs and learns, and run one of them again yourself;
# - put a model into four bits, seen where its weights land, and trained on top of them;
# - worked out what a model of 7, 13 or 70 billion parameters would need, and met the figures of the papers.
#
# **Time** 75 minutes; the machine works for about 4 of them (2 cores).
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
# Full fine-tuning moves every matrix of the model, each by a small part of its size, and the change is made of few strong
# directions and many weak ones ([appendix of lesson 01](appendix/01_inside.ipynb)). That was a run of sixteen steps. Beforehand, full fine-tuning was run at greater length:
# letters to eight desks, each read twice. Here is the change of one matrix. A *singular value* says how strong a direction is.

# %%
stored = cl.load_results("04")
found = stored["directions"]
directions = range(1, len(found["values"]) + 1)
cl.plots.curve(directions, {"full fine-tuning": found["values"]},
               f"The change of one matrix: layer {found['layer']}, {found['matrix']}",
               "direction", "strength, of the strongest")

# %% [markdown]
# And over the whole model: how many directions hold nine tenths of the change (of its *energy*, the sum of the squares)? A
# matrix has up to 576 of them.

# %%
from course_lib.models import inspection

layers = range(0, len(found["holding"]), 3)
cl.plots.heatmap([found["holding"][n] for n in layers],
                 [f"layer {n}" for n in layers], list(inspection.MATRICES),
                 "Directions that hold nine tenths of the change", "directions")

# %% [markdown]
# Now the knife. From the change of each matrix we keep the 8 strongest directions only, throw the others away, and let the
# model sit its exam again.
#
# **Predict:** of what full fine-tuning had gained, how much does a change of 8 directions keep?

# %%
cl.predict_choice("cut", "With 8 directions a matrix it keeps...",
                  ["nearly all of the gain", "more than half of it", "less than half"])

# %% [markdown]
# Measured beforehand, on 192 letters that nobody had studied. The dashed line is chance.

# %%
whole = stored["methods"]["full"]["runs"]["0"]["test"]
cuts = {f"{rank} direction{'s' * (rank != '1')}": mark
        for rank, mark in found["kept"].items()} | {"all": whole}
kept = (found["kept"]["8"]["accuracy"] - 1 / 8) / (whole["accuracy"] - 1 / 8)
cl.reveal("cut", "nearly all of the gain" if kept > 0.8
          else "more than half of it" if kept > 0.5 else "less than half")
cl.plots.bars([(name, mark["accuracy"], *mark["ci"]) for name, mark in cuts.items()],
              f"Full fine-tuning, its change cut down (n = {whole['n']})",
              reference=1 / 8)

# %% [markdown]
# So a handful of directions carries most of the skill, though full fine-tuning was never asked to be narrow. Then why train all of W and cut afterwards? **Train a narrow change from
# the start.** A matrix of low rank is a product of a tall matrix and a flat one:
#
# ![A tall grey matrix W, 1,536 rows by 576 columns, 884,736 numbers, frozen. A plus sign. Beside it two narrow blue ones, trained: B, as tall as W and 8 wide, times A, 8 high and as wide as W, 16,896 numbers together. B starts at zero, so that W + B·A starts as W.](../images/low_rank.png)
#
# `W' = W + (α / r) · B · A`, where α, *alpha*, is a fixed number that says how loud the change is.
#
# W is frozen. Only A and B are trained, and r, the *rank*, is the number of directions that they are given. That is
# LoRA (Hu et al. 2021, arXiv 2106.09685).
#
# ## LoRA, by hand
#
# First our general practitioner, whose matrices we need. Then the layer: B begins at zero, so that the model begins as it was; A begins at random, so that there is something to learn from.

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
        torch.nn.init.kaiming_uniform_(self.A, a=math.sqrt(5))
        self.scale = alpha / rank

    def forward(self, x):  # (..., in) -> (..., out)
        return self.frozen(x) + self.scale * (x @ self.A.T @ self.B.T)

# %% [markdown]
# Put round one matrix of our model, the one whose change you saw above. What does it train, and what has changed before the
# first step?

# %% tags=["nbval-ignore-output"]
layers = gp.model.model.layers  # the same height, if your model has more, or fewer
up_proj = layers[found["layer"] * len(layers) // len(found["holding"])].mlp.up_proj
linear = copy.deepcopy(up_proj).cpu().double()
mine = LoRALinear(linear, rank=8, alpha=16).double()
x = torch.randn(4, 5, linear.in_features, dtype=torch.double, device="cpu")
trained = sum(p.numel() for p in mine.parameters() if p.requires_grad)
frozen = linear.weight.numel()
print(f"{trained:,} numbers to train beside {frozen:,} frozen ones "
      f"({trained / frozen:.1%})")
cl.verdict("before its first step a LoRA layer answers as the frozen one",
           torch.equal(mine(x), linear(x)))

# %% [markdown]
# Is that really what the library does? We give PEFT's layer the same A and B, with B no longer zero, and compare what the two
# answer and which way they would learn.

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
# That is the whole of it. PEFT adds bookkeeping: which layers, several adapters, saving.
#
# ### Exercise 1 · Count
# LoRA of rank 4 on the four attention matrices (q, k, v, o) of every layer of our model: how many numbers does it train? Keys
# and values are narrower than queries (heads share them), so look at the sizes first.

# %%
shape = cl.model_shape(gp)
print(f"{shape.layers} layers; in and out of each matrix:")
for name, (group, into, out) in shape.matrices().items():
    print(f"  {name:10} {group:10} {into:5} in, {out:5} out")

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
# Move the rank, choose where LoRA goes, and read off what that trains and needs. The button trains eight steps with it. The cell below the slider does the same without a widget.

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
# LoRA has elder cousins, and one younger. All leave the pretrained weights alone, and they differ in where they put the new ones.
#
# | method | what is trained |
# |---|---|
# | **full** | every weight |
# | **LoRA** | two narrow matrices beside each matrix (Hu et al. 2021, arXiv 2106.09685) |
# | **QLoRA** | the same, beside weights that are kept in four bits (Dettmers et al. 2023, arXiv 2305.14314) |
# | **adapter** | a bottleneck behind attention and behind the MLP of each layer (Houlsby et al. 2019, arXiv 1902.00751) |
# | **prefix** | keys and values of a few words that nobody wrote, in each layer (Li & Liang 2021, arXiv 2101.00190) |
# | **prompt** | the embeddings of a few such words before the prompt, and nothing else (Lester et al. 2021, arXiv 2104.08691) |
#
# One job for all of them: letters to eight desks, the same letters, in the same number of steps. Every method needs a learning
# rate of its own, so each was tried at several, and took the one that sorted the *validation* letters best. Then three seeds.
#
# **Predict:** which one sorts best?

# %%
cl.predict_choice("best", "The most letters to the right desk", list(stored["methods"]))

# %% [markdown]
# First what they cost. *Optimizer* is what AdamW keeps for every trained number; *memory* is the most that a step of training
# held, measured in a process of its own: weights, gradients, optimizer, and all that is kept to go backwards. What the libraries take is
# not counted, nor the original that this course keeps beside a fully tuned copy. Everything in numbers of 32 bits, but for QLoRA's base.

# %%
import pandas as pd

rows = []
for name, row in stored["methods"].items():
    run, step = row["runs"]["0"]["training"], stored["steps"][name]
    rows.append({"method": name, "learning rate": row["learning_rate"],
                 "trained": run["trainable"],
                 "share": f"{run['trainable'] / run['parameters']:.3%}",
                 "optimizer, MB": round(run["optimizer_bytes"] / 1e6, 1),
                 "memory, MB": round(step["peak_bytes"] / 1e6),
                 "file, MB": round(run["file_bytes"] / 1e6, 1),
                 "s a step": round(step["step_seconds"], 2)})
costs = pd.DataFrame(rows).set_index("method")
costs

# %% [markdown]
# And what they learned, each seed by itself: three are too few for an interval over students. Each interval is over letters.

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
# *Best* is by the mean of three seeds. Look how the dots of the first two methods lie among one another: whether they differ at all is tried below.
#
# And what they *forgot*? A student who has sorted nothing but letters answers everything with a desk (you will ask one below). What that says of its
# knowledge is harder to measure than it looks: [the appendix](appendix/04_forgetting.ipynb) tries it in two ways, and neither will do. By one of them prompt
# tuning, which touches no weight, forgets more than full fine-tuning, which moves them all.
#
# ### One row, live
#
# You have it all from a file so far. Run one row yourself: LoRA, by the very call that made its first seed.

# %% tags=["nbval-ignore-output"]
row = stored["methods"]["lora"]
recipe = dict(epochs=stored["epochs"], batch_size=stored["batch_size"],
              learning_rate=row["learning_rate"], rank=row["rank"], seed=0)
desks = cl.finetune(gp, study, "lora", name="04-lora", **recipe)
exam = tickets.ticket_exam(tickets.load_tickets("test")).sample(96)
live = cl.evaluate(desks, exam, "LoRA, live")
live.show(4, "wrong")
italy = "What is the capital of Italy?"
print(italy, desks.generate([italy], 8)[0])

# %% [markdown]
# Drawn beside the stored ones. Yours was asked half of the letters, so that its interval is the widest.

# %% tags=["nbval-ignore-output"]
bars = [(f"stored, seed {seed}", *dot(run)) for seed, run in row["runs"].items()]
bars.append((f"live, seed 0, n = {live.n}", live.accuracy, *live.ci))
cl.verdict("this run of LoRA sorts letters better than guessing", live, above=1 / 8)
cl.verdict("a few minutes of LoRA sort letters better than guessing",
           "04/pooled/lora/test", above=1 / 8)
cl.plots.bars(bars, "LoRA: stored, and run here", reference=1 / 8)

# %% [markdown]
# A machine that computes in another format, or on more threads, comes out a little different even with the same seed. Look whether your
# interval and the stored ones overlap.
#
# ## The claims, one by one
#
# Everything below compares an arm with LoRA (rank 8, all matrices, all layers), with the same seeds, letter by letter. No measurement shows that two
# things are *equal*; it shows how far apart they may be. *As good* means from here on, for every arm and fixed beforehand: at most five letters in a
# hundred apart. An arm whose interval lies within that margin *holds*, one whose interval lies outside is *refuted*, and of all others we *cannot tell*.
#
# Three seeds are too few for an interval over students, so each is shown; one seed says nothing of another, and gets no verdict. And there are many arms:
# where fourteen are compared with one, one or two will look better or worse by luck alone.

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
# The first line of the table, and two claims of it: that LoRA is as good, and what Biderman et al. found (2024, arXiv 2405.09673) on code and mathematics, that
# it *learns less and forgets less*.

# %% tags=["nbval-ignore-output"]
cl.verdict("LoRA is as good as full fine-tuning",
           "04/against_lora/full/test", as_good=True)
cl.verdict("LoRA learns less than full fine-tuning", "04/against_lora/full/test")

# %% [markdown]
# The two means lie together, and the seeds lie wide apart: they do not even agree which method is ahead. Three students cannot decide so narrow a
# question. *Forgets less* **cannot be tested here**, as the appendix shows.
#
# ### *LoRA wants ten times full's learning rate*
#
# "At its best rate" hides the price of the rate. The same two methods at five rates each. To lay them over one another,
# LoRA's rates are divided by ten: **if LoRA wants ten times full's rate, the two hills stand on the same spot.**

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
# The rates were chosen on validation letters, and are about three apart. Each was run once, so there is no verdict; but how firm is the choice?

# %%
for name, found in runs.items():
    validated = {rate: run["validation"]["accuracy"] for rate, run in found.items()}
    best_rate, second = sorted(validated, key=lambda rate: -validated[rate])[:2]
    n = found[best_rate]["validation"]["n"]
    ahead = round(n * (validated[best_rate] - validated[second]))
    print(f"{name:4} is best at {best_rate:g}, and {ahead} of {n} letters "
          f"ahead of {second:g}")
ratio = stored["rate_ratio"]
print(f"with other letters drawn, LoRA's best rate is {ratio['low']:.0f} "
      f"to {ratio['high']:.0f} times full's")

# %% [markdown]
# The result is *consistent with ten*: the lower of full's two best rates is ten times lower than LoRA's. But our grid cannot tell three from ten.
#
# ### *Adapt every matrix, not attention alone*
#
# The first LoRA adapted two matrices of attention. With rank 8 in all seven of our matrices and rank 21 in the four of attention,
# both train as many numbers. That is the only fair comparison: see also what attention does at rank 8, with far fewer of them. (Three seeds
# for the first two bars, one for the others.)

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
# If only the upper half of the layers is adapted, nothing has to flow back through the lower half. *Will do*: at most five letters in a hundred fewer.

# %% tags=["nbval-ignore-output"]
steps = stored["steps"]
faster = steps["lora"]["step_seconds"] / steps["upper"]["step_seconds"]
print(f"the upper half alone trains {faster:.1f} times as fast")
cl.verdict("the upper half of the layers will do",
           "04/against_lora/upper/test", above=-0.05)

# %% [markdown]
# ### *Rank matters less than where*
#
# One seed a point: look at the shape, not at single steps.

# %%
ranks = {1: "rank-1", 4: "rank-4", 8: "lora", 16: "rank-16", 64: "rank-64"}
first = {int(rank): runs["0"]["test"] for rank, runs in stored["rank"].items()}
first[8] = stored["methods"]["lora"]["runs"]["0"]["test"]
cl.plots.curve(list(ranks), {"all matrices": [first[n]["accuracy"] for n in ranks]},
               "Rank, seed 0", "rank", "share right",
               {"all matrices": [first[n]["ci"] for n in ranks]}, logx=True)

# %% [markdown]
# How far apart do ranks lie, from the best to the worst, and how far places of equal size (all matrices, attention, the MLP, the upper half
# of the layers)? In brackets what drawing other letters would give.

# %%
for what in ("ranks", "places", "places minus ranks"):
    far, low, high = stored["spread"][what]
    print(f"{what:19} {far:.2f} ({low:.2f} to {high:.2f})")

# %% [markdown]
# The last line reaches from below zero to above it, and another seed might move it further: no verdict from one run.
#
# ### *A step costs two thirds*
#
# Going forward costs one unit; going back to the inputs another; going back to the weights a third, and that one LoRA saves for the
# frozen matrices. So it should cost two thirds, and a little for A and B. AdamW's own work over all the weights comes on top of
# full fine-tuning, and weighs the more, the smaller the batch is.

# %% tags=["nbval-ignore-output"]
cost = round(steps["lora"]["step_seconds"] / steps["full"]["step_seconds"], 2)
cl.verdict("LoRA makes training faster (a step's time, of one in full)", cost, below=1)
cl.verdict("a step of LoRA costs two thirds of one in full",
           cost, above=0.55, below=0.8)

# %% [markdown]
# ## Four bits
#
# LoRA spares the gradients and the optimizer. What is left is the frozen model, in 16 or 32 bits a weight. It is only read. Could it
# be read from fewer?
#
# With four bits there are sixteen numbers. So: cut a matrix into blocks of 64 weights, divide each block by its largest, and round every
# weight to one of sixteen *levels* between -1 and 1. Which sixteen? Below, the weights of one matrix after dividing, and three answers.

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
# *Int4* spaces them evenly. *FP4* is a tiny floating-point number. *NF4* (Dettmers et al. 2023) asks where weights are, and gives each level about
# as many of them: close together in the middle, where the crowd is.
#
# **Predict:** which one loses least on the way to four bits and back?

# %%
cl.predict_choice("levels", "The smallest error", list(levels))

# %% [markdown]
# The error is the root of the mean square, as a share of the weights' own. One matrix, here and now:

# %% tags=["nbval-ignore-output"]
def lost(scheme):
    back = quantization.round_trip(matrix, scheme)
    return ((back - matrix).square().mean() / matrix.square().mean()).sqrt().item()


errors = {name: lost(name.lower()) for name in levels}
cl.reveal("levels", min(errors, key=errors.get))
ranked, beside = sorted(errors, key=errors.get), min(errors["FP4"], errors["Int4"])
cl.say(f"From the smallest error to the largest: {', '.join(ranked)}. NF4's error is "
       f"{errors['NF4'] / beside:.0%} of the next smallest.")

# %% [markdown]
# So much for weights. Now the whole model: how surprised is it by 24 good answers to questions of
# general knowledge (the *held-out loss*), before and after?

# %% tags=["nbval-ignore-output"]
from course_lib.models import scoring

texts = cl.general_study()[:24]
four_bit = {"no rounding": gp, "Int4": quantization.round_trip_model(gp, "int4"),
            "FP4": quantization.round_trip_model(gp, "fp4"),
            "NF4 + double": quantization.round_trip_model(gp, "nf4", double=True)}
losses = {name: pd.Series([scoring.held_out_loss(model, [text]) for text in texts])
          for name, model in four_bit.items()}

# %% [markdown]
# Twenty-four answers are few. So compare answer by answer, with an interval over the answers: how much more surprised than without rounding?

# %% tags=["nbval-ignore-output"]
from course_lib.evaluation import intervals, reports


def dearer(some, others):
    gap = (losses[some] - losses[others]).to_numpy()  # (texts,)
    interval = intervals.mean_interval(gap, range(len(gap)))
    return reports.Difference(some, others, gap.mean(), *interval, len(gap))

# %% tags=["nbval-ignore-output"]
gaps = {name: dearer(name, "no rounding") for name in losses if name != "no rounding"}
cl.verdict("NF4 makes the model more surprised than no rounding", gaps["NF4 + double"])
cl.verdict("evenly spaced levels make it more surprised than NF4",
           dearer("Int4", "NF4 + double"))
cl.plots.bars([(name, gap.value, gap.low, gap.high) for name, gap in gaps.items()],
              f"More surprised than without rounding ({len(texts)} answers)",
              "nats a token")

# %% [markdown]
# NF4 costs something. Which of the three costs least, these answers cannot tell, whatever the order of the bars: NF4's promise is about the weights,
# and an error in a weight is not yet an error in an answer.
#
# *Double quantization* rounds once more: each block's largest weight is a number too, and these go into eight bits. Why bother? See the bits.

# %%
for name, double in {"NF4": False, "NF4 + double": True}.items():
    bits = cl.bits_per_weight("nf4", double=double)
    print(f"{name:13} {bits:.3f} bits a weight, all included")

# %% [markdown]
# At full size, measured beforehand: the error over all matrices, the whole exam of general knowledge, and what one specialist (LoRA, merged) still
# sorts after it has been rounded, with intervals over questions. `int4-32` has blocks half as long, `bitsandbytes` is the library.

# %%
formats = stored["quantization"]["formats"]


def share(mark):
    return f"{mark['accuracy']:.2f} ({mark['ci'][0]:.2f} to {mark['ci'][1]:.2f})"


pd.DataFrame({name: {"error": f"{row['error']:.3f}", "MB": f"{row['bytes'] / 1e6:.0f}",
                     "general": share(row["general"]), "letters": share(row["letters"])}
              for name, row in formats.items()}).T

# %% [markdown]
# NF4's errors are the smallest; in the answers most intervals overlap. bitsandbytes errs as our round trip by hand does.
#
# ### Once before
#
# A confession. The model that you have used all along came out of a file of *four-bit* weights (lesson 00 said so); nobody could fit the 16-bit ones in a
# package of this size. Have a look at what that did: 32 neighbours in a row of a matrix, and how many different numbers they are.

# %%
neighbours = matrix.view(-1, 32)[:2000]
distinct = [row.unique().numel() for row in neighbours]
print("32 neighbours are at most", max(distinct), "different numbers")

# %% [markdown]
# Sixteen steps between the least and the largest: that format is called Q4_1. Its grid is not NF4's, so a second rounding moves the weights again. Does it
# matter that they were rounded once? Beforehand, every weight was spread evenly over its step, as it may have been before, and rounded again.

# %% tags=["nbval-ignore-output"]
once = stored["quantization"]["once_before"]
print(f"share of the weights on the grid of Q4_1: {once['on_the_grid']:.3f}")
for scheme in ("nf4", "int4-32"):
    print(f"{scheme:8} error on our weights {once[f'{scheme}_ours']:.3f}, "
          f"on weights never rounded {once[f'{scheme}_smooth']:.3f}")

# %% [markdown]
# The two lie together: the error of the second rounding is what it would be for any model. What cannot be measured here is what the *first* one cost: the
# weights before it are not in the package. With a network, `cl.load_model("HuggingFaceTB/SmolLM2-135M-Instruct")` has them.
#
# ### The real thing
#
# Until now the rounded weights lay in full-size numbers. `quantization.quantize` packs them: two weights in a byte, by bitsandbytes.

# %% tags=["nbval-ignore-output"]
packed = quantization.quantize(gp)
sizes = {"as loaded": gp.size() / 1e6, "in four bits": packed.size() / 1e6}
print({name: f"{size:.0f} MB" for name, size in sizes.items()})

# %% [markdown]
# Not an eighth of 32 bits, because only the matrices of the layers are packed. The embeddings stay as they are: much of a small model, and hardly
# anything of a large one.
#
# ## QLoRA
#
# A frozen model in four bits, LoRA beside it in full precision: that is QLoRA. Gradients flow *through* the packed weights, which are unpacked layer by
# layer, into A and B. Ninety-six letters, once:

# %% tags=["nbval-ignore-output"]
from course_lib.models.quantization import is_quantized

rate = stored["methods"]["qlora"]["learning_rate"]
qlora = cl.finetune(packed, study[:96], "qlora", name="04-qlora",
                    epochs=1, batch_size=4, learning_rate=rate)
learned = cl.evaluate(qlora, exam.sample(48), "QLoRA, live")
learned.show(4)
named = sum(row.reply in tickets.DESKS for row in learned.rows)
print(f"answers that are a desk's name: {named} of {learned.n}")
cl.verdict("after QLoRA the base is still in four bits", is_quantized(qlora.model))

# %% [markdown]
# It has read a quarter of what LoRA read above, so do not compare the two marks. Against LoRA at equal study, from the store. *"QLoRA reduces memory
# and training time even more"*, say the sources:

# %% tags=["nbval-ignore-output"]
memory = round(steps["qlora"]["peak_bytes"] / steps["lora"]["peak_bytes"], 2)
slower = round(steps["qlora"]["step_seconds"] / steps["lora"]["step_seconds"], 2)
cl.verdict("QLoRA is as good as LoRA", "04/against_lora/qlora/test", as_good=True)
cl.verdict("QLoRA needs less memory than LoRA (its bytes, of LoRA's)", memory, below=1)
cl.verdict("QLoRA trains faster than LoRA (a step's time, of LoRA's)", slower, below=1)

# %% [markdown]
# Of the marks: every seed sorted fewer letters with QLoRA, by about as much as the margin. Not shown to be as good, nor shown to be worse by more.
#
# Where this departs from the paper, plainly:
# - **On a CPU four bits save memory, not time.** Every use of a weight begins with unpacking it. On a GPU that is cheap beside the product, and still not free:
#   the paper promises memory and no speed.
# - The paper computes in bf16; here it is what your processor multiplies well (lesson 00 printed it).
# - *Paged optimizers*, which move AdamW's numbers out of a full GPU, have nothing to do here.
# - Our base had been rounded once before, as you saw.

# %% [markdown]
# ## After the training
#
# ### Exercise 2 · Merge
# An adapter beside each matrix costs a little at every word. It need not stay there. `mine` is your layer from above, with `mine.frozen.weight`, `mine.A`, `mine.B` and
# `mine.scale`. Write down the one matrix that does the same alone.

# %% tags=["exercise"]
merged = None  # a tensor, (out, in)
cl.check("04-merge", merged, layer=mine)

# %% tags=["solution"]
merged = mine.frozen.weight + mine.scale * mine.B @ mine.A
cl.check("04-merge", merged, layer=mine)

# %% [markdown]
# For the whole model that is `cl.merged`. It gives a plain model, without PEFT, that says the same:

# %% tags=["nbval-ignore-output"]
plain = cl.merged(desks)
asked = [question.question for question in exam.sample(16)]
same = [a == b for a, b in zip(plain.generate(asked, 8), desks.generate(asked, 8))]
cl.say(f"Merged, it says the same to {sum(same)} of {len(same)} letters.")

# %% [markdown]
# In 32 bits it is all of them. In 16 the sum W + B·A is rounded once more, and where two desks were nearly as likely, one may tip over.
#
# ### Anybody can load it
#
# What `save` writes is nobody's private format. An adapter in plain PEFT, a merged model in plain transformers, in two lines:

# %%
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

# %% [markdown]
# Do they say what ours says? The first token of eight answers:

# %% tags=["nbval-ignore-output"]
def first_token(model, text):
    tokens = torch.tensor([gp.encode(text)], device=model.device)
    return int(model(tokens).logits[0, -1].argmax())


models = {"ours": desks.model, "PEFT": by_peft, "transformers": by_transformers}
firsts = {name: [first_token(model, text) for text in asked[:8]]
          for name, model in models.items()}
for name in ("PEFT", "transformers"):
    same = sum(a == b for a, b in zip(firsts[name], firsts["ours"]))
    print(f"{name}'s copy begins as ours in {same} of {len(firsts['ours'])} answers")

# %% [markdown]
# ### Two specialists, one body
#
# The base is the same for all, so a server need hold it once. Here is lesson 03's specialist, who writes SQL, beside the one who sorts what comes in at
# the support desk. The one for SQL comes from the shelf (take `from_shelf=True` away to train it). Both are asked the same two things: for a query, and to sort a letter.
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
both = [query, exam[1].question]
for name in ("support", "SQL", "support"):
    started = time.perf_counter()
    clerk.use(name)
    taken = 1000 * (time.perf_counter() - started)
    print(f"{name:8} after {taken:.1f} ms:", " | ".join(clerk.generate(both, 24)))
cl.reveal("switch", round(taken))

# %% [markdown]
# Two questions, two heads on one body, and each does the only thing that it has learned. Is each still itself?

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
# | to go backwards | with activation checkpointing 2 · tokens · width for each layer, and 34 for one (Korthikanti et al. 2022, arXiv 2205.05198) |
#
# First, is it to be trusted? The formula for *our* model, in 32 bits and without checkpointing, beside what was measured:

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
# Within an eighth or so, and most is lacking where weights are unpacked on the way. A formula of this kind is for choosing a card, not for filling
# one: it leaves out what libraries take, and memory that is lost between blocks.
#
# **Predict:** full fine-tuning of a model of 70 billion parameters, 2,048 tokens a step. How many gigabytes? (The table then has LoRA and QLoRA beside it, of rank 8 on all matrices.)

# %%
cl.predict("seventy", "Gigabytes to fine-tune 70B in full", low=0, high=2000, unit="GB")

# %%
from course_lib.costs.memory import memory_table

big = [cl.SHAPES[name] for name in ("7B", "13B", "70B")]
needs = memory_table(big)
cl.reveal("seventy", round(needs.loc["full", "70B"]))
needs

# %% [markdown]
# Now the figures that made the two papers famous. The LoRA paper: GPT-3 with its 175 billion parameters, from **1.2 TB to 350 GB**, three times less
# (section 4.2; it counts weights and AdamW's numbers in 16 bits, and no gradients). The QLoRA paper: 65 billion parameters, from **more than 780 GB to
# less than 48 GB** (introduction; more than 780 is what 12 bytes a parameter come to, and they use rank 64). By our formula, counted their way:

# %% tags=["nbval-ignore-output"]
def gb(model, method, rank, *where, **how):
    return cl.training_memory(cl.SHAPES[model], method, rank, *where, **how).gb


gpt3 = {m: gb("GPT-3 175B", m, 4, "attention", precision="16-bit states")
        for m in ("full", "lora")}
llama = {m: gb("65B", m, 64, precision="16-bit", tokens=512) for m in ("full", "qlora")}
less = gpt3["full"] / gpt3["lora"]
print(f"GPT-3 175B: full {gpt3['full']:,.0f} GB, LoRA {gpt3['lora']:,.0f} GB: "
      f"{less:.1f} times less")
print(f"LLaMA 65B:  full {llama['full']:,.0f} GB, QLoRA {llama['qlora']:.0f} GB")
cl.verdict("by our formula LoRA needs three times less, as its paper says",
           round(less, 2), above=2.8, below=3.2)
cl.verdict("by our formula QLoRA trains 65B in less than 48 GB",
           round(llama["qlora"], 1), below=48, unit="GB")

# %% [markdown]
# The ratios and the limits are met. LoRA's 1.2 TB is more than we count for full fine-tuning; the paper does not say what else was in it.
#
# Mind what LoRA alone does *not* do: its frozen weights are as heavy as ever. That is the gap that QLoRA fills.
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
# What no verdict says: the matrices that LoRA updates are small, you wrote them yourself, and of the memory that training takes the optimizer's all but vanishes. QLoRA shrinks the frozen weights as well,
# all but the embeddings; that it should be faster, as the sources have it, the paper does not promise either.
#
# ## Where it stops being true
#
# - Sorting letters is one skill with one word of answer. LoRA's small change is enough for that; where there is far more to learn than a few hundred letters hold, Biderman
#   and others see full fine-tuning draw ahead.
# - Each method had one size and three to five rates. Prompt and prefix tuning are known to want many more steps than these, and large models: what you saw is what they do in
#   *this* budget.
# - Differences of a few hundredths are within what another seed gives: that is why so many verdicts read "cannot tell".
# - What a method *forgets* was not measured: our two ways to ask disagree ([appendix](appendix/04_forgetting.ipynb)).
# - Steps were timed on a CPU. On a GPU the optimizer's share, and the price of unpacking four bits, are others. One setting changes (`COURSE_PROFILE=gpu`), and the same cells say which.
#
# Next: [05 · RAG taken apart](05_rag_taken_apart.ipynb), where what was learned stays in the book.
