# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 04 · Does LoRA forget less?
#
# *Appendix of [04 · LoRA, QLoRA and their family](../04_lora_qlora.ipynb).* Biderman et al. (2024, arXiv 2405.09673) found that LoRA *learns less and forgets
# less* than full fine-tuning, on code and mathematics. Here is why the second half **cannot be tested here**. Everything was measured beforehand.

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
# ## What do they still say?
#
# A hundred questions of common knowledge, asked before any training, and of lesson 04's students after it:

# %%
import pandas as pd

stored = cl.load_results("04")
marks, before = stored["pooled"], stored["before"]
shares = {"before": before["general"]["accuracy"]}
shares |= {name: marks[name]["general"]["accuracy"] for name in stored["methods"]}
shown = pd.Series(shares, name="general questions, share right").round(2)
shown.rename({"lora": "LoRA", "qlora": "QLoRA"}).to_frame()

# %% [markdown]
# They answer nearly everything with a desk, whatever the method. That is a habit of answering; it does not show that knowledge is lost. (When lesson 02 takes an adapter off,
# the capital of Italy is back.) So what they *say* cannot tell the methods apart.
#
# ## How surprised are they by the right answer?
#
# That is the loss on it, in *nats* a token: a nat more makes a token 2.7 times less likely. The dashed line is before any training.

# %%
def bar(label, found):
    return (label, *(found[end] for end in ("value", "low", "high")))


n = before["general"]["n"]
cl.plots.bars([bar(name, marks[name]["surprise"]) for name in stored["methods"]],
              f"Surprise at right answers, {n} general questions, three seeds",
              "nats a token", before["surprise"])

# %% [markdown]
# Every bar lies below the line: if this measured forgetting, all of them would have gained knowledge that nobody taught. And prompt tuning, which touches no weight of the model,
# would have forgotten more than full fine-tuning, which moves all of them. So it measures something else. Two things move the number: studying one-word answers makes every short answer likelier, and a habit of naming desks makes the right one
# less likely. Neither is knowledge lost.
#
# ## Is the right one the likeliest of four?
#
# To take the form out, each question was put with four answers: the right one, and three that are right for other questions of its kind. A change of form
# moves all four. The dashed line is guessing.

# %%
forgetting = stored["forgetting"]
rows = [bar("before", forgetting["before"]),
        bar("LoRA, three seeds", forgetting["lora"]),
        bar("full, three seeds", forgetting["full"])]
n, title = forgetting["n"], "The right answer is the likeliest of four"
cl.plots.bars(rows, f"{title}, {n} general questions",
              reference=1 / forgetting["choices"])

# %% [markdown]
# Are fewer right answers the likeliest now? Each student, with the interval over questions:

# %% tags=["nbval-ignore-output"]
cl.verdict("after full fine-tuning fewer right answers are the likeliest of four",
           "04/forgetting/full minus before", below=0)
cl.verdict("after LoRA fewer right answers are the likeliest of four",
           "04/forgetting/lora minus before", below=0)

# %% [markdown]
# After full fine-tuning *more* right answers are the likeliest, in every seed; after LoRA we cannot tell. Nobody taught them: before training the model hardly expected a bare word of answer, right or
# wrong. So this number, too, moves with the form. It cannot show that anything was forgotten, and therefore not who forgets less.
#
# ## The rate
#
# How far do the learning rates drive the surprise? LoRA's rates are divided by ten; one run each.

# %%
def surprise_by_rate(name):
    search = stored["methods"][name]["search"]
    return {float(rate): search[rate]["surprise"] for rate in sorted(search, key=float)}


full, lora = surprise_by_rate("full"), surprise_by_rate("lora")
cl.plots.curve(list(full), {"full": list(full.values()),
                            "LoRA, a tenth of its rate": list(lora.values())},
               "Surprise at right answers to general questions, by learning rate",
               "learning rate", "nats a token", logx=True)

# %% [markdown]
# At the highest rates, where a method learns nothing any more, it is the most surprised. There the picture says how far a run went, not what it lost.
#
# ## Where it stops being true
#
# - One model, one skill with one word of answer, a hundred questions. What would test the claim: a skill whose answers have the form of the general ones, and
#   enough study to lose something.
# - Take the adapter off, and nothing is forgotten by any method but full fine-tuning. That is true by construction, and no measurement.
#
# Back to [04 · LoRA, QLoRA and their family](../04_lora_qlora.ipynb).
