# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 01 · Inside a fine-tuned model
#
# *Appendix of [01 · What is fine-tuning?](../01_what_is_fine_tuning.ipynb).* Which weights moved, and in how few directions?
# What becomes of the same loop from random weights? And what do wrong labels cost?

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
# ## Two clerks
#
# One is lesson 01's specialist, trained by LoRA in the upper half of the layers. The other is trained here as in the
# lesson's loop: sixteen steps of four letters, every weight free to move.

# %% tags=["nbval-ignore-output"]
from course_lib.lessons import tickets

gp = cl.load_model()
few = tickets.few(tickets.load_tickets("train"), 192)
order = [ticket.as_example() for ticket in few]
sixteen_steps = dict(epochs=1, batch_size=4, learning_rate=1e-4)
beginner = cl.finetune(gp, order[:64], "full", name="full", **sixteen_steps)
recipe = dict(epochs=3, learning_rate=2e-3, batch_size=4, layers="upper")
specialist = cl.finetune(gp, order, name="01-desks", from_shelf=True, **recipe)

# %% [markdown]
# ## Which weights moved?
#
# For each of the seven matrices of each layer: how far did it move, compared with its own size? First the full one, where
# everything *could* move.

# %% tags=["nbval-ignore-output"]
from course_lib.models import inspection

moved_full = inspection.weight_changes(gp, beginner)
layers, matrices = moved_full.index[::3], list(moved_full.columns)
names, of = [f"layer {n}" for n in layers], "change, thousandths of its size"
title = "Full fine-tuning: how far each matrix moved"
cl.plots.heatmap(1000 * moved_full.loc[layers].to_numpy(), names, matrices, title, of)

# %% [markdown]
# Now LoRA. Here the weights stay, and what *moves* them is what is added when they are used:

# %% tags=["nbval-ignore-output"]
moved_lora = inspection.weight_changes(gp, specialist)
title = "LoRA, upper half: how far each matrix moved"
cl.plots.heatmap(1000 * moved_lora.loc[layers].to_numpy(), names, matrices, title, of)

# %% [markdown]
# Is a specialist a generalist plus a small change? Small means here: less than a tenth of a matrix's own size.

# %% tags=["nbval-ignore-output"]
lower = moved_lora.iloc[: len(moved_lora) // 2]
everywhere, most = moved_full.to_numpy() > 0, round(float(moved_full.max(axis=None)), 4)
cl.verdict("full fine-tuning moves every matrix of the model", bool(everywhere.all()))
cl.verdict("full fine-tuning moves no matrix by a tenth of its size", most, below=0.1)
untouched = bool((lower == 0).all(axis=None))
cl.verdict("LoRA leaves the lower half of the layers as it was", untouched)

# %% [markdown]
# ## In how few directions?
#
# The change of one matrix is itself a matrix. Its *singular values* say in how many independent directions it goes: if few
# of them are large, the change is of *low rank*, and could be written down with far fewer numbers. Take the matrix that
# holds the weight you followed. LoRA was given eight directions; would they hold nine tenths of the *energy* (the sum
# of the squares) of what full fine-tuning did to it?

# %% tags=["nbval-ignore-output"]
layer, upto = 2 * gp.config.num_hidden_layers // 3, 64
clerks = (beginner, specialist)
changes = [inspection.weight_change(gp, clerk, layer, "up") for clerk in clerks]
full, lora = map(inspection.singular_values, changes)
claim = "eight directions hold nine tenths of what full fine-tuning changed"
cl.verdict(claim, inspection.rank_holding(full, 0.9), below=9)
lines = {"full": full[:upto] / full[0], "LoRA": lora[:upto] / lora[0]}
title = f"Singular values of the change, layer {layer}, up"
numbers = range(1, len(full[:upto]) + 1)
cl.plots.curve(numbers, lines, title, "direction", "size, of the largest")

# %% [markdown]
# LoRA's line falls to nothing after direction 8, because 8 is all that it was given. It does not copy the other change: it
# looks for one of its own, within its eight directions, and how well that one sorts the lesson shows.
#
# ## Not from scratch
#
# *"It saves time, because you do not start from scratch."* The same architecture and letters, from pretrained and from
# random weights, three seeds each, measured beforehand:

# %% tags=["nbval-ignore-output"]
stored = cl.load_results("01")
arms = stored["scratch"]
lines = {f"{name}, seed {run['seed']}": run["losses"]
         for name, each in arms.items() for run in each}
cl.plots.losses(lines, f"{stored['scratch_steps']} steps from two beginnings")

# %% [markdown]
# From scratch the loss falls too: what a model picks up first are the commonest tokens, such as the one that ends an
# answer. To *read a letter* it would need the years of school that the other has had. Their marks on held-out letters:

# %% tags=["nbval-ignore-output"]
from course_lib.evaluation.kept import runs

pretrained = runs("01/pretrained-seed-*", "pretrained")
scratch = runs("01/from-scratch-seed-*", "from scratch")
claim = "after the same steps, pretrained weights sort better than random ones"
cl.verdict(claim, pretrained - scratch)
cl.verdict("from scratch, these steps do not reach chance", scratch, below=1 / 8)

# %% [markdown]
# ## Wrong labels
#
# Somebody in a hurry put some letters on the wrong pile: a tenth of them, or three tenths. 576 letters, three seeds; the
# band goes from the worst seed to the best.

# %% tags=["nbval-ignore-output"]
kept = {0.0: "few-576", 0.1: "noise-0.1", 0.3: "noise-0.3"}
none, tenth, three_tenths = (runs(f"01/{name}-seed-*", f"{level:.0%} wrong labels")
                             for level, name in kept.items())
claim = "a tenth of wrong labels leaves the clerk as good as none"
cl.verdict(claim, tenth - none, as_good=True)
cl.verdict("three tenths of wrong labels cost right answers", none - three_tenths)
marks = [run.marks() for run in (none, tenth, three_tenths)]
line, band = [sum(m) / len(m) for m in marks], [(min(m), max(m)) for m in marks]
cl.plots.curve([100 * level for level in kept], {"right desks": line},
               "Wrong labels in the study", "wrong labels, %", "share right",
               {"right desks": band})

# %% [markdown]
# A tenth of wrong labels is forgiven. Three tenths cost something, and less than three tenths of what was known: the wrong
# piles are all different, and the right ones agree. Were they all wrong in the *same* way, they would teach just that.
#
# ## Where it stops being true
#
# - One small model, one skill with one word of answer, and runs of some minutes. A longer run moves weights further.
# - How far a weight moved says nothing of what it does. It is a map of where training worked, not of where knowledge lies.
#
# Back to [01 · What is fine-tuning?](../01_what_is_fine_tuning.ipynb).
