# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 07 · Learning what people like: RLHF and DPO
#
# So far there was a right answer. A letter has none: there are replies that people are glad of and replies that they are not, and nobody can write down the difference
# in one line. But anybody can point: *this one rather than that one*.
#
# By the end you will have
# - labelled twenty pairs of replies yourself, and seen how often sensible people disagree;
# - walked RLHF's three steps on a real model: a start, a judge made of labels, and a policy that pleases the judge;
# - watched a policy cheat its judge, and cheated one yourself;
# - derived DPO's loss in one cell, held it against the trainer's own number, and trained with it;
# - seen which way leads furthest for the least damage, with intervals, and that how a model is asked decides as much as how it was trained.
#
# **Time** 60 minutes; the machine works for about 5 of them (2 cores).
#
# **Claims on trial** from the course's sources: *RLHF improves a model by human feedback, more aligned with what users prefer* · *it needs labelled feedback and compute,
# and is expensive for its human annotation* · *DPO is a simpler alternative* · *DPO teaches a model to give answers that humans prefer*. And from the paper
# (Rafailov et al. 2023, arXiv 2305.18290): *for the same distance from the start, DPO earns the higher reward*.

# %% tags=["setup", "nbval-ignore-output"]
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
# ## A letter and two replies
#
# Letters come to Brindlecombe & Daughters every day. The clerk of lesson 01 has sorted them; now each wants a reply. For every letter there are two, written
# for this course, and a label that says which was preferred. (Nobody sat and chose hundreds of times: the house's rule labels, and errs in a tenth of the pairs, as people would. `data/preferences/README.md` says how.)

# %%
from course_lib.lessons.letters import load_preferences

pairs = {split: load_preferences(split) for split in ("train", "validation", "test")}
one = pairs["train"][4]
print(f"[{one.desk}] {one.message}\n\nchosen:   {one.chosen}\n\nrejected: {one.rejected}")

# %% [markdown]
# What makes a reply good in this house? It has a rule. The labels come from it, with their errors; **no model in this lesson ever reads it in training**. We keep it for measuring.

# %%
from course_lib.lessons import house_rule

print(house_rule.HOUSE_RULE, "\n")
for reply in (one.chosen, one.rejected):
    verdict = house_rule.keeps_the_rule(one.desk, reply)
    print("keeps the rule" if verdict.kept else dict(verdict.why))

# %% [markdown]
# `keeps_the_rule` decides by words and patterns alone, so it is the same on every machine. In this lesson it is the *true reward*: what the house really wants.
# In your own case there is no such function. That is why all this exists.
#
# Your turn: pick the better reply, twenty times. Do not think long; people who label hundreds do not either.

# %% tags=["nbval-ignore-output"]
from course_lib.lessons import sliders

sliders.label_pairs(pairs["train"], n=20)

# %% [markdown]
# At the end it told you where you, the labels and the house disagree. One label in ten is wrong, and not anyhow: most of the wrong ones are close calls, as with people.
#
# How many pairs have we, and is anything on both sides of the split?

# %%
from course_lib.lessons.letters import check_replies_apart

check_replies_apart(pairs["train"], pairs["test"])
wrong = {split: sum(pair.noise for pair in rows) / len(rows) for split, rows in pairs.items()}
print({split: len(rows) for split, rows in pairs.items()}, "share of wrong labels:", {split: round(share, 2) for split, share in wrong.items()})

# %% [markdown]
# `check_replies_apart` raises if an issue, or a reply in the same words, is in training and in the test. Nothing is.
#
# Where are the wrong labels? Take the pairs whose worse reply has a given fault, and ask how often *that* one was chosen:

# %%
faulty = {fault: [pair.noise for pair in pairs["train"] if fault in house_rule.keeps_the_rule(pair.desk, pair.worse).broken] for fault in house_rule.FAULTS}
for fault, noise in faulty.items():
    print(f"{fault:8} {sum(noise) / len(noise):.2f} of {len(noise)} labels are wrong")

# %% [markdown]
# Nobody minds a long reply as much as a rude one, so those labels are given carelessly. A quarter of them are wrong. Keep that in mind too.
#
# ### Exercise 1 · How good can a judge be?
# Somebody always knows the better reply. With which share of the labels of `pairs["test"]` does she agree?

# %% tags=["exercise"]
ceiling = None  # a share, 0 to 1
cl.check("07-ceiling", ceiling, noise=wrong["test"])

# %% tags=["solution"]
ceiling = sum(not pair.noise for pair in pairs["test"]) / len(pairs["test"])
cl.check("07-ceiling", ceiling, noise=wrong["test"])

# %% [markdown]
# Keep that number: no judge that is graded on such labels can be seen to be better.
#
# ## Asking costs nothing
#
# Before anything is trained: state the wish. The house rule goes into the system message, word for word.
# **Predict:** the untrained model, told the rule. How many of a hundred replies keep all of it?

# %%
cl.predict("told", "Replies that keep the house rule, in per cent", low=0, high=100)

# %% [markdown]
# Two dozen letters out of the test, and to each the *likeliest* reply (temperature 0), which is the fairest to a prompt. The rule looks at every part by itself too.

# %% tags=["nbval-ignore-output"]
from course_lib.lessons.letters import grade_replies, write_replies

letters = pairs["test"][::4]
gp = cl.load_model()
told = write_replies(gp, letters[:24], rule=True, name="untrained, told the rule", temperature=0)
told.show(3)
cl.reveal("told", told)
for part, report in grade_replies(told, letters[:24]).items():
    print(f"{report.accuracy:.2f} {part if part == 'the rule' else f'free of: {part}'}")

# %% [markdown]
# The same at full size, with all letters of the test:

# %%
import pandas as pd

from course_lib.evaluation.kept import runs
from course_lib.evaluation.stored import find

stored = cl.load_results("07")
asked = stored["start"]
pd.DataFrame({name: {"keeps the rule": find(f"07/start/{name}").told, **{f"fault: {f}": round(x, 2) for f, x in row["faults"].items()},
              "words": row["words"]} for name, row in asked.items()}).T  # fmt: skip

# %% [markdown]
# *start* is the next section. Where it does not say *likeliest*, replies are **sampled**: the model says what it would say, each word as often as it finds it fitting. The
# likeliest reply is a bland one that hides most faults; a customer, and a policy that learns, meet them all.
#
# A wish in the prompt is the baseline that any training has to beat: it costs nothing, and a larger model may need nothing more.

# %% tags=["nbval-ignore-output"]
cl.verdict("told the house rule, an untrained model keeps it more often", runs("07/untrained-rule", "told the rule") - runs("07/untrained", "not told"))
cl.verdict("told the house rule, the start keeps it more often", runs("07/start-seed-*-rule", "told the rule") - runs("07/start-seed-*", "not told"))

# %% [markdown]
# ## RLHF in three steps
#
# *Reinforcement learning from human feedback* (Ouyang et al. 2022, arXiv 2203.02155) is what made chat models of text models. Three models are made, one from the other.
#
# ### Step 1: a supervised start
#
# A model that babbles gives people nothing to choose from. So first it learns how replies look *at all*, from the files: what the staff wrote before anybody was asked,
# good and bad as they come.

# %%
from course_lib.lessons.letters import staff_archive

archive = staff_archive(pairs["train"])
print(len(archive), "replies out of the files, such as:\n-", "\n- ".join(row["completion"][-1]["content"] for row in archive[:4]))

# %% [markdown]
# It is plain fine-tuning, as in lesson 01, so it comes from the shelf.

# %% tags=["nbval-ignore-output"]
start = cl.finetune(gp, archive, name="07-start", epochs=1, learning_rate=2e-3, batch_size=8, order="random", from_shelf=True)
began = write_replies(start, letters, name="start")
began.show(4)

# %% [markdown]
# It writes as the staff writes, faults and all:

# %% tags=["nbval-ignore-output"]
of_start = grade_replies(began, letters)
cl.verdict("the start breaks the house rule in a letter of four or more", of_start["the rule"], below=0.75)
print("faults:", {fault: f"{1 - report.accuracy:.2f}" for fault, report in of_start.items() if fault != "the rule"})

# %% [markdown]
# ### Step 2: a judge made of labels
#
# Now the labels come in. A **reward model** reads a letter with a reply and gives one number. It is a copy of the start with a single output in place of the vocabulary,
# trained so that the chosen reply of each pair gets more than the rejected one:
#
# $$\text{loss} = -\log \sigma\,(\text{score of the chosen} - \text{score of the rejected})$$
#
# That is the model of Bradley and Terry (1952), made for chess players and wines: if two scores differ by *d*, the better is preferred with probability σ(*d*).
# Only differences mean anything.

# %% tags=["nbval-ignore-output"]
rows = [pair.as_pair() for pair in pairs["train"]]
judge = cl.train_reward_model(start, rows, name="07-judge", from_shelf=True)
graded = judge.grade([pair.as_pair() for pair in letters[:32]])
print(graded)

# %% [markdown]
# Graded on pairs of letters that it has not read. The labels put a ceiling on it; so hold it against the house as well, at full size:

# %% tags=["nbval-ignore-output"]
reward = stored["reward"]["over pairs"]  # judges that read 72, 144, 288 and all 576 pairs
best = reward["576"]
cl.verdict("a judge made of labels agrees with them more often than a coin", "07/reward/over pairs/576/labels", above=0.5)
print(f"their ceiling: {1 - best['noise']:.2f}; it agrees with the house in {find('07/reward/over pairs/576/house')}")

# %% [markdown]
# How many pairs does it take?

# %%
marks = [judged["house"] for judged in reward.values()]
cl.plots.curve([int(n) for n in reward], {"agrees with the house": [mark["accuracy"] for mark in marks]},
               "A judge, over the pairs it read", "pairs", "share right", {"agrees with the house": [mark["ci"] for mark in marks]}, logx=True)

# %% [markdown]
# One judge for each size, so a step up or down may be the luck of one training; the intervals overlap nearly everywhere. Seventy-two pairs made most of a judge.
#
# But a mean hides who is blind to what. Here are the held-out pairs in which *one* thing is the matter with the worse reply, and the share of them that each judge told rightly:

# %%
lengthy = [judged["faults"]["long"]["right"] for judged in reward.values()]
print(f"long replies, told rightly: from {min(lengthy):.2f} to {max(lengthy):.2f}")
pd.DataFrame({f"{n} pairs": {f"{fault} (n = {seen['n']})": f"{seen['right']:.2f}" for fault, seen in judged["faults"].items()} for n, judged in reward.items()})

# %% [markdown]
# Look at the row *long*. It jumps, and not in the order of the pairs: one judge sees nearly every long reply, another takes nearly every long one for a careful one.
# Labels about length are few, a quarter of them are wrong, and a long reply is like a good one in all else; so chance decides which way a judge leans.
# The mean above hardly tells the two apart. Whoever is graded by the blind one will learn to talk. You will see it happen.
#
# And when it is sure, is it right? (*Calibration*: a judge that says 0.9 should be right nine times in ten.)

# %%
cl.plots.bars([{"label": f"sure {row['between']} ({row['pairs']} pairs)", "value": row["right"], "low": row["low"], "high": row["high"]} for row in best["calibration"]],
              "When it is sure, is it right?")

# %% [markdown]
# What does it like? Take one letter and five replies, a good one and one with each fault, and ask for its scores.

# %% tags=["nbval-ignore-output"]
desk = letters[0].desk
good = f"Thank you for writing. Our {desk} desk has your letter and will write to you."
tries = {"good": good, "promise": f"Thank you. Our {desk} desk will send you a new one by Friday, I promise.", "rude": f"Our {desk} desk has it. Stop asking.",
         "blame": f"Thank you, but you should have read the manual. Our {desk} desk has your letter.",
         "long": good + " We know how it feels to wait, and a letter such as yours is read here by more than one of us, with care, over tea."}  # fmt: skip
scores = judge.score([letters[0].letter()] * len(tries), list(tries.values()))
cl.plots.bars([(name, s, s, s) for name, s in zip(tries, scores - scores[0])], "What the judge thinks, beside the good reply", "score")

# %% [markdown]
# Bars to the left are worse than the good reply. If one stands to the right, you have found a fault that pays. Remember it.
#
# ### Step 3: a policy that pleases the judge
#
# Now nobody labels any more. The model writes several replies to a letter, the judge scores them, and those that did better than their siblings become likelier, the
# others less likely. In the language of reinforcement learning the model is a *policy*. Two ways to compare siblings are in use: **RLOO** takes each reward less the mean
# of the others (Ahmadian et al. 2024), **GRPO** divides by their spread as well (Shao et al. 2024).
#
# And a leash: **KL**, how far the policy has gone from the start, is subtracted from the reward. You will see what happens without it.
#
# Two steps of it, here and now:

# %% tags=["nbval-ignore-output"]
asked_letters = [pair.letter() for pair in pairs["train"]]
policy = cl.reinforce(start, asked_letters, judge, name="07-policy", kl=0.05, steps=2, samples=16, group=4, max_new_tokens=48, learning_rate=5e-4, rank=1)
for sample in policy.training.samples:
    print(f"step {sample['step']}, reward {sample['reward']:+.2f}: {sample['reply']}")

# %% [markdown]
# Two steps teach it nothing yet. They show what a step costs: sixteen replies had to be *written* before anything could be learned. The whole run, stored:

# %%
log = stored["frontier"]["curves"]["rloo"]
for name, title in (("reward", "What the judge gives"), ("kl", "KL from the start, nats a reply"), ("length", "Tokens of a reply")):
    steps, values = zip(*log["curves"][name])
    display(cl.plots.curve(steps, {"RLHF": values}, title, "step", name))

# %% [markdown]
# Up goes the reward, which is what was asked for; and so does KL. (The third curve rises and comes down again, this time. Keep an eye on it.) But the reward is the *judge's*. What does the house say? Its rule was never shown to anybody:

# %%
ways = stored["frontier"]["ways"]
rlhf = next(name for name in ways if name.startswith("RLHF") and name.endswith("0.05"))
print(f"{rlhf}: {find(f'07/frontier/ways/{rlhf}')} keep the rule, of the start {find('07/start/start')}")
print("in the policy's own words:")
for sample in log["samples"][-3:]:
    print("-", sample["reply"])

# %% [markdown]
# ### When the judge can be fooled
#
# A judge is a stand-in for people. Whoever is paid by a stand-in will sooner or later serve the stand-in. The curves above were of seed 0. Here are three seeds: the same letters, the same labels, the same settings. Nothing differs but chance,
# which decides the order in which start and judge read theirs. *Sees long* is the share of held-out pairs that each judge told rightly where the worse reply was too long, and nothing else the matter with it:

# %%
judges, policies = stored["reward"]["by seed"], stored["hacking"]["by seed"]
first, last = ({seed: of_seed["curves"]["reward"][end][1] for seed, of_seed in policies.items()} for end in (0, -1))
pd.DataFrame({f"seed {seed}": {"judge agrees with the house": judges[seed]["house"]["accuracy"], "judge sees long": judges[seed]["faults"]["long"]["right"],
              "what the judge paid, first step": first[seed], "last step": last[seed], "policy keeps the rule": find(f"07/hacking/by seed/{seed}").told,
              "words of a reply": of_seed["words"], "too long": of_seed["faults"]["long"]} for seed, of_seed in policies.items()})  # fmt: skip

# %% [markdown]
# Each judge is pleased more and more with its policy. Is the house?

# %% tags=["nbval-ignore-output"]
seeds = list(policies)
blind = min(seeds, key=lambda seed: judges[seed]["faults"]["long"]["right"])
longest = max(seeds, key=lambda seed: policies[seed]["faults"]["long"])
print(f"the judge that is most blind to length: seed {blind}; the policy that is too long most often: seed {longest}")
print("its policy, in its own words:", *policies[blind]["replies"][:2], sep="\n- ")
of_blind = runs(f"07/rloo-kl-0.05-seed-{blind}", "the policy that the blind judge paid")
cl.verdict("paid by a judge that is blind to length, a policy got worse than its start", runs(f"07/start-seed-{blind}", "its start") - of_blind)

# %% [markdown]
# Its judge was never so content, and its replies are worse than before anybody was paid. Nothing warned of it in the mean: this judge agrees with the house about as often as that of seed 1.
# The row of each fault told it, **before** anything was paid. So grade a judge by kinds of mistakes, and take none that is blind to what you care for.
#
# Where nobody can say what to look for, take several and pay by the mean of their scores: what one overrates, another may not (Coste et al. 2023, arXiv 2310.02743). The start and the letters of the last seed once more, paid by all three judges together:

# %% tags=["nbval-ignore-output"]
judged, paid = stored["reward"]["committee"], stored["hacking"]["committee"]
print(f"the three as one agree with the house in {find('07/reward/committee/house')}, and see long in {judged['faults']['long']['right']:.2f}")
print(f"words of a reply: {paid['words']:.0f}, of its own judge's policy {policies[seeds[-1]]['words']:.0f}")
of_three = runs(f"07/rloo-kl-0.05-judges-0-1-2-seed-{seeds[-1]}", "the policy that all three paid")
cl.verdict("three judges together paid for better replies than the blind one did", of_three - of_blind)

# %% [markdown]
# By the mean they are hardly a better judge than the last one alone. But they see more of what it is blind to, and their policy shows it. That costs three readings of every reply. (They help here because they do not err alike. Three that are
# all blind to length would be blind together.)
#
# Nobody meant the long replies to happen. The policy found what its judge overrates, which is all that it was ever paid for. Worse can be done on purpose. Here is a reward that anybody might have written on a Monday:
# *polite letters have kind words, so count them*.

# %%
def kind_words(prompts, replies):
    """A reward that means well, and measures something else."""
    return [float(len(house_rule.KIND.findall(reply))) for reply in replies]


print("a good reply is paid", kind_words([letters[0]], [good])[0])

# %% [markdown]
# ### Exercise 2 · Cheat
# Write a reply to `letters[0]` that this reward pays better than `good`, and that breaks the house rule.

# %% tags=["exercise"]
fooled = None  # a reply
cl.check("07-fool", fooled, desk=letters[0].desk, good=good, reward=kind_words)

# %% tags=["solution"]
fooled = "Thank you, thank you, thank you! I am so glad and so sorry, and grateful. Please, dear customer, thank you. I promise you a new one."
cl.check("07-fool", fooled, desk=letters[0].desk, good=good, reward=kind_words)

# %% [markdown]
# A policy found the same trick by itself, with no leash and nothing but that reward (stored):

# %%
hacked = stored["hacking"]["kind words"]
print("\n".join(f"- {reply}" for reply in hacked["replies"][:3]))
steps, values = zip(*hacked["curves"]["reward"])
cl.plots.curve(steps, {"kind words in a reply": values}, "What it was paid", "step", "kind words")

# %% [markdown]
# And the house? Beside it, a policy that the judge paid for twice as long, without a leash:

# %% tags=["nbval-ignore-output"]
of_kind = runs("07/rloo-kl-0.0-kind-words-seed-0", "the policy that kind words paid")
cl.verdict("paid for kind words, a policy got worse than its start", runs("07/start-seed-0", "its start") - of_kind)
print(f"without a leash: {find('07/hacking/no KL')}, KL {stored['hacking']['no KL']['kl']:.0f} nats; {rlhf}: KL {ways[rlhf]['kl']:.0f}")

# %% [markdown]
# *When a measure becomes a target, it ceases to be a good measure* (Goodhart's law). KL is no cure for it. It is a leash: it keeps the policy near a place where the judge has
# seen enough to be right.
#
# ## DPO
#
# Three models, and a policy that has to write before it can learn. In 2023 somebody asked whether the middle one is needed.
#
# The best policy for a reward *r* under a leash of strength β is known in closed form: π(y) ∝ π₀(y) · exp(r(y) / β). Turn it round, and the reward is
# r(y) = β · log π(y)/π₀(y) + something that depends on the letter alone. Put *that* into Bradley and Terry's loss, where only differences count, and the something cancels:
#
# $$\text{loss} = -\log\sigma\Big(\beta\,\big[\log\tfrac{\pi(\text{chosen})}{\pi_0(\text{chosen})} - \log\tfrac{\pi(\text{rejected})}{\pi_0(\text{rejected})}\big]\Big)$$
#
# No judge, no sampling: four log-probabilities, and their gradient. *Your language model is secretly a reward model*, says the paper's title.
#
# ### Exercise 3 · The loss of one pair
# Log-probabilities of two replies, before training and after some of it, in nats. What is the loss?

# %%
import math

beta = 0.1
chosen, start_chosen = -40.0, -48.0
rejected, start_rejected = -62.0, -51.0
print("before the first step every pair has the loss", round(math.log(2), 3), "= log 2: nothing has changed yet, σ(0) = 1/2")

# %% [markdown]
# `math.exp` and `math.log` are all that you need.

# %% tags=["exercise"]
loss = None  # a number
cl.check("07-loss", loss, chosen=chosen, rejected=rejected, start_chosen=start_chosen, start_rejected=start_rejected, beta=beta)

# %% tags=["solution"]
margin = beta * ((chosen - start_chosen) - (rejected - start_rejected))
loss = -math.log(1 / (1 + math.exp(-margin)))
cl.check("07-loss", loss, chosen=chosen, rejected=rejected, start_chosen=start_chosen, start_rejected=start_rejected, beta=beta)

# %% [markdown]
# Is that what the trainer does? Take one real pair. Train one step on it, and compute the loss afterwards *by hand*: `scoring.log_probability` reads the four numbers off the
# two models, in fp32: half precision would round much of so small a step away. Then train two steps, and look up what TRL's trainer says of its second.

# %% tags=["nbval-ignore-output"]
import copy
from dataclasses import replace

from course_lib.models import scoring
from course_lib.training import dpo

pair = pairs["train"][4]
once = cl.prefer(start, [pair.as_pair()], name="07-one-step", epochs=1, batch_size=1, learning_rate=1e-3, rank=1)
twice = cl.prefer(start, [pair.as_pair()], name="07-two-steps", epochs=2, batch_size=1, learning_rate=1e-3, rank=1)
exact = [replace(model, model=copy.deepcopy(model.model).float()) for model in (once, start)]
four = [scoring.log_probability(model, [pair.letter()], [reply])[0] for model in exact for reply in (pair.chosen, pair.rejected)]
by_hand = float(dpo.dpo_loss(four[0], four[1], four[2], four[3], beta=0.1))
by_trl = twice.training.losses[1][1]

# %% [markdown]
# The first step begins at log 2; after it, hand and trainer should agree.

# %% tags=["nbval-ignore-output"]
print(f"log 2 is {math.log(2):.3f}, the first step's loss {once.training.losses[0][1]:.3f}; the second's, by hand {by_hand:.3f}, by TRL {by_trl:.3f}")
cl.verdict("DPO's loss by hand is the trainer's", round(by_hand - by_trl, 3), above=-0.05, below=0.05)

# %% [markdown]
# Now for real: seventy-two pairs, each seen once, two at a time. One thing is added to the loss, an **anchor**: as much of plain fine-tuning on the chosen reply (Pang et al. 2024, arXiv 2404.19733). You will see below
# what happens without it. **Predict:** how many of a hundred replies will keep the whole rule, which it has never read?

# %%
cl.predict("dpo", "Replies that keep the house rule after DPO, in per cent", low=0, high=100)

# %% [markdown]
# It takes a minute or two.

# %% tags=["nbval-ignore-output"]
few = [pair.as_pair() for pair in pairs["train"][::8]]
liked = cl.prefer(start, few, name="07-dpo", beta=0.1, anchor=1.0, epochs=1, learning_rate=5e-4, batch_size=2, rank=4)
after = write_replies(liked, letters, name="DPO, 72 pairs")
after.show(4)
cl.reveal("dpo", after)

# %% [markdown]
# The trainer's own line holds its first step beside its last. Each is two pairs, so those figures are little more than chance; the curve further down takes the mean of eight. What counts is letters that it has not read. Part by part, before and after:

# %% tags=["nbval-ignore-output"]
parts = {name: grade_replies(report, letters) for name, report in (("start", began), ("DPO", after))}
gains = {part: cl.paired_difference(parts["DPO"][part], parts["start"][part]) for part in parts["start"]}
pd.DataFrame({part if part == "the rule" else f"free of: {part}": {**{name: f"{of_name[part].accuracy:.2f}" for name, of_name in parts.items()},
              "difference": f"{gain.value:+.2f} ({gain.low:+.2f} to {gain.high:+.2f})"} for part, gain in gains.items()}).T  # fmt: skip

# %% [markdown]
# Look at the row *long* too: is anything paid for with length? Naming the right desk was what the start did worst, and what the labels say most clearly of:

# %% tags=["nbval-ignore-output"]
cl.verdict("seventy-two pairs teach DPO to name the right desk", gains["desk"])

# %% [markdown]
# Those replies were sampled. And the likeliest ones, of the start and after DPO?

# %% tags=["nbval-ignore-output"]
likeliest = {name: write_replies(model, letters[:24], name=f"{name}, likeliest", temperature=0) for name, model in {"start": start, "DPO": liked}.items()}
for report in likeliest.values():
    print(grade_replies(report, letters[:24])["the rule"])
cl.verdict("seventy-two pairs teach DPO's likeliest reply to keep the house rule", likeliest["DPO"] - likeliest["start"])

# %% [markdown]
# Two minutes, seventy-two labels, and a rule that it has never read. The likeliest reply moves first: a little more weight on one word is enough to change it, while the old words are still *sampled* now and then. Keep both numbers in mind; they will part company further below.
#
# What the trainer followed: β times the change of each reply's log-probability, its *implicit reward*.

# %% tags=["nbval-ignore-output"]
steps = [step for step, _ in liked.training.losses]
curves = {name: pd.Series([v for _, v in liked.training.curves[name]]).rolling(8, min_periods=1).mean() for name in ("chosen", "rejected")}
cl.plots.curve(steps, {name: list(values) for name, values in curves.items()}, "Implicit rewards while learning (mean of eight steps)", "step", "β · log π/π₀")

# %% [markdown]
# Watch the gap between the two lines: DPO's loss asks for a difference, and for nothing else. Both may fall, if the rejected one falls faster.
#
# ### A loss that does not know when to stop
#
# And without the anchor? DPO as in the paper, by how far it went from the start (measured beforehand, on validation letters, at several rates):

# %%
tried = stored["recipes"]
bare = {name: row for name, row in tried.items() if name == "start" or name.endswith("anchor 0.0")}
table = {name.removesuffix(", anchor 0.0"): {"KL": row["kl"], "keeps the rule": find(f"07/recipes/{name}").told, "words": row["words"]} for name, row in bare.items()}
together = pd.DataFrame(table).T.astype({"KL": float, "words": float})[["KL", "words"]].corr("spearman").loc["KL", "words"]
print(f"how closely words follow the distance: rank correlation {together:.2f} over {len(table)} runs")
pd.DataFrame(table).T.sort_values("KL")

# %% [markdown]
# Read the column *words* downwards. Near the start replies are about as long as the staff's. Further on they **run on**, at the bottom until they are cut off, and hardly one keeps the rule. The rude replies were the shortest, and what the loss pushes away from
# them is also the token that *ends* a reply; that one should end somewhere is not among the things that it asks for. It is a known weakness (Park et al. 2024, arXiv 2403.19159). These are runs of one seed; of the three at β = 0.1 in the next section, one does not run on.
#
# The anchor holds against it, since what it imitates has an end:

# %%
held = {"start": tried["start"], **{name: row for name, row in tried.items() if "anchor 1.0" in name}}
pd.DataFrame({name: {"KL": row["kl"], "keeps the rule": find(f"07/recipes/{name}").told, "words": row["words"]} for name, row in held.items()}).T.sort_values("KL")

# %% [markdown]
# ## The frontier
#
# Which way is better? Whoever goes far can earn much: so compare the reward *at the same distance*. Every way with three seeds and the same 576 pairs; the true reward (the house
# rule, on the letters of the test) against KL from the start. β is DPO's leash, the factor before KL is RLHF's. *Fine-tuned on the chosen* is lesson 01 again: throw the rejected
# replies away, and imitate the rest.

# %%
def frontier(marks, start, title):
    """A picture of every way: how much of the rule it keeps, over how far it has gone."""
    families = {"start": [{"label": "start", "x": 0.0, "value": start["accuracy"], "low": start["ci"][0], "high": start["ci"][1]}]}
    for name, gone in ways.items():
        row, family = marks[name], name.split(",")[0] if "," in name else "imitation"
        spot = {"label": name.split(", ")[-1], "x": gone["kl"], "value": row["accuracy"], "low": row["ci"][0], "high": row["ci"][1]}
        families.setdefault(family, []).append(spot | {"runs": list(zip(gone["kl_seeds"], row["seeds"]))})
    return cl.plots.frontier(families, title, "KL from the start, nats a reply", "share that keeps the rule")


frontier(ways, asked["start"], "Sampled replies, against the distance from the start")

# %% [markdown]
# Large marks are means of three runs, small ones the runs themselves. An interval around a mean tells of *other letters*. How *other runs* would have come out is another question, as in lesson 06, and three runs
# are too few for an interval. So here is each run by itself, less the start that it came from:

# %%
def students(name, asking=""):
    """The stored replies of a way's three runs; asked "-likeliest", at temperature 0."""
    kind, _, size = name.rpartition(" ")
    place = {"DPO, β =": f"dpo-beta-{size}", "RLHF, KL ×": f"rloo-kl-{size}", "fine-tuned on the": "chosen"}.get(kind, "start")
    return runs(f"07/{place}-seed-*{asking}", name)


def by_run(asking=""):
    """Each way minus the start, run by run, and how other letters might have moved their mean."""
    gaps = {name: students(name, asking) - students("start", asking) for name in ways}
    return pd.DataFrame({name: {**{f"run {seed}": f"{one:+.2f}" for seed, one in enumerate(gap.by_student)}, "these runs, other letters": f"{gap.low:+.2f} to {gap.high:+.2f}"}
                         for name, gap in gaps.items()}).T  # fmt: skip


by_run()

# %% [markdown]
# So many ways, of three runs each: some will lie well by luck. What can be said of the three that the lesson began with?

# %% tags=["nbval-ignore-output"]
cl.verdict("fine-tuned on the chosen replies, a model writes better ones, sampled", students("fine-tuned on the chosen") - students("start"))
cl.verdict("RLHF makes better replies, sampled", students("RLHF, KL × 0.05") - students("start"))
cl.verdict("DPO on the shortest leash makes better replies, sampled", students("DPO, β = 1.0") - students("start"))

# %% [markdown]
# Imitation stands highest. (It copies whole replies, their length with the rest.) Of the others some runs are worse than the start that they came from: three runs of DPO, or of RLHF, lie further apart than the methods do.
#
# The paper's claim is about the upper left: *for the same KL, more reward*. Two points lie near each other:

# %% tags=["nbval-ignore-output"]
near = ("DPO, β = 0.5", "RLHF, KL × 0.2")
print(" · ".join(f"{name}: {ways[name]['kl']:.1f} nats from the start" for name in near))
cl.verdict("about as far from the start, DPO earns more than RLHF, sampled", students(near[0]) - students(near[1]))

# %% [markdown]
# *Sampled* replies bear out neither the claim nor its contrary. Further out our DPO falls, since it runs on; the paper's did not go there. Fault by fault:

# %%
table = pd.DataFrame({name: {"keeps the rule": find(f"07/frontier/ways/{name}").told, "KL": f"{row['kl']:.1f}", "words": f"{row['words']:.0f}",
                      **{fault: round(x, 2) for fault, x in row["faults"].items()}} for name, row in ways.items()}).T  # fmt: skip
table

# %% [markdown]
# The last five columns are the share of replies with each fault. Which fault is left at the end, and does each way mend the same ones?
#
# ### And if nobody samples?
#
# A product may send the *likeliest* reply and no other (temperature 0). Then a fault that is seldom is never seen, with no training at all: the start alone keeps the rule more often. The same models, asked so:

# %%
bland = stored["likeliest"]
frontier(bland["ways"], bland["ways"]["start"], "Likeliest replies, against the distance from the start")

# %% [markdown]
# The picture turns over. A nat from the start, where *sampled* replies had hardly changed, DPO's likeliest reply keeps the rule nearly always. That is no contradiction: what the labels ask for has become the likeliest, and the
# words of before are still drawn now and then. To go further gains nothing, and now and then loses something.

# %% tags=["nbval-ignore-output"]
short = students("DPO, β = 1.0", "-likeliest")
cl.verdict("on the shortest leash DPO's likeliest reply keeps the rule in nine letters of ten", short, above=0.9)
cl.verdict("on the shortest leash DPO's likeliest reply is better than the start's", short - students("start", "-likeliest"))
cl.verdict("RLHF's likeliest reply is better than the start's", students("RLHF, KL × 0.05", "-likeliest") - students("start", "-likeliest"))
cl.verdict("about as far from the start, DPO's likeliest reply is better than RLHF's", students(near[0], "-likeliest") - students(near[1], "-likeliest"))

# %% [markdown]
# Here DPO's line lies above RLHF's as far as RLHF's goes, as the paper claims. But where its judge sees well, a run of RLHF has all that can be had, too. Run by run:

# %%
def by_seed(row):
    """The runs of a row, one after the other."""
    return " · ".join(f"{share:.2f}" for share in row["seeds"])


pd.DataFrame({name: {"likeliest": find(f"07/likeliest/ways/{name}").told, "by seed": by_seed(row), "sampled, by seed": by_seed((ways | asked)[name]),
                     "words": f"{row['words']:.0f}"} for name, row in bland["ways"].items()}).T  # fmt: skip

# %% [markdown]
# Look at the worst run of each. On the short leashes DPO had no bad one; imitation had one that runs on, RLHF one whose judge was blind, and DPO on the longest leash one as well.
#
# So **how a model is asked decides as much as how it was trained**. Whoever compares methods by sampling, as papers do, and then ships the likeliest reply, has measured another product.
#
# ### What each costs
#
# A step of each on one core, and the whole of it (stored):

# %%
costs = stored["costs"]
rows = {name: {"steps": row["steps"], "tokens a step": row["tokens_a_step"], "seconds a step": row["step_seconds"], "minutes": round(row["seconds"] / 60, 1),
               "peak memory, GB": round(row["peak_bytes"] / 1e9, 1)} for name, row in costs.items()}  # fmt: skip
pd.DataFrame.from_dict(rows, orient="index")

# %% [markdown]
# RLHF pays three times: for the judge, for writing, and for what is learned from it. Add its two rows, and hold them beside DPO's: *simpler* is not the same as much cheaper. What *people* cost is another line. A pair takes a person about half a minute: how
# many hours are 576 pairs, and at what wage? Both ways need the same labels.

# %%
minutes, wage = 0.5, 20.0  # of a person for a pair; an hour, in the currency of your choice. Put your own in.
hours = len(pairs["train"]) * minutes / 60
print(f"labels: {hours:.1f} hours, {hours * wage:.0f}; machine, all ways together: {sum(row['seconds'] for row in costs.values()) / 60:.0f} minutes")

# %% [markdown]
# How many pairs are enough? DPO on the shortest leash, so that no reply runs on:

# %%
many = stored["pairs"]
lines = {f"{asking} replies": [row[asking] for row in many.values()] for asking in ("likeliest", "sampled")}
cl.plots.curve([int(n) for n in many], {name: [mark["accuracy"] for mark in marks] for name, marks in lines.items()}, "DPO, β = 1, over the pairs it read", "pairs",
               "share that keeps the rule", {name: [mark["ci"] for mark in marks] for name, marks in lines.items()}, logx=True)  # fmt: skip

# %% [markdown]
# And what do the wrong labels cost? The same pairs with the labels that the house would have given, on a long leash and on the short one:

# %%
noise = stored["noise"]
rows = {(leash, asking, labels): row for leash, of_leash in noise.items() for asking, of_asking in of_leash.items() for labels, row in of_asking.items() if labels != "cost"}
pd.DataFrame({key: {"keeps the rule": find("/".join(["07/noise", *key])).told, "too long": f"{row['faults']['long']:.2f}", "words": f"{row['words']:.0f}"} for key, row in rows.items()}).T

# %% [markdown]
# Right labels minus given ones, on the same letters:

# %%
for leash, of_leash in noise.items():
    for asking, of_asking in of_leash.items():
        value, low, high = of_asking["cost"]
        print(f"{leash}, {asking}: {value:+.2f} ({low:+.2f} to {high:+.2f})")

# %% [markdown]
# One run of each, so this is a hint and no verdict. On the short leash a tenth of wrong labels cost nothing that these letters can show. On the long one this DPO ran on with **every label right**, further than before: so the careless labels about length
# cannot be all that made it. The loss is a suspect; that good replies are often the longer ones is another.
#
# ### What was forgotten
#
# Common knowledge, which none of them trained (the exam `general` of lesson 01):

# %% tags=["nbval-ignore-output"]
cl.verdict("the supervised start alone costs common knowledge", runs("07/untrained-general", "untrained") - runs("07/start-seed-*-general", "start"))
pd.DataFrame({"general questions right": {name: find(f"07/forgotten/{name}").told for name in stored["forgotten"] if name != "differences"}})

# %% [markdown]
# Nearly everything, and before any preference was learned: the supervised start has studied letters and nothing else, and takes every question for one. Preferences found hardly anything left to take. (Lesson 02 kept common knowledge by mixing some of it in, and
# the big houses do that here as well; Ouyang et al. call the price an *alignment tax*.)

# %% [markdown]
# ## Quiz

# %%
quiz = [
    {"question": "Your reward model agrees with 0.88 of held-out labels, of which a tenth are wrong. What do you do?", "answer": 1,
     "choices": ["Train it longer, 0.88 is poor", "Be content: 0.90 is the most that can be seen", "Lower β"],
     "why": "A perfect judge disagrees with every wrong label. Clean labels would show more; longer training would learn the noise."},
    {"question": "The judge's reward rises and rises; people like the replies less. What happened?", "answer": 0,
     "choices": ["The policy found what the judge overrates", "Too few steps", "KL is too strong"],
     "why": "Reward hacking. Read replies, tighten the leash, label some of the new replies and train the judge anew."},
    {"question": "What does DPO do without?", "answer": 2,
     "choices": ["Labels", "The start", "A reward model, and writing replies while it learns"],
     "why": "It needs the same pairs and the same start. Its reward model is the policy itself, beside where it started."},
]  # fmt: skip
cl.quiz("07", quiz)

# %% [markdown]
# ## What was measured

# %%
told_rule = "untrained, told the rule"
sampled = {told_rule: "07/start", "start": "07/start", **dict.fromkeys(ways, "07/frontier/ways")}
best_reply = {name: f"07/likeliest/ways/{name}" for name in bland["ways"]} | {told_rule: f"07/start/{told_rule}, likeliest"}
pd.DataFrame({name: {"sampled": find(f"{place}/{name}").told, "likeliest": find(best_reply[name]).told, "sampled, by seed": by_seed((ways | asked)[name])}
              for name, place in sampled.items()}).T  # fmt: skip

# %% [markdown]
# Your exercises:

# %%
cl.progress_report("07")

# %% [markdown]
# | claim | here |
# |---|---|
# | *RLHF improves a model by human feedback* | **holds partly**: as far as its judge can see. Paid by a judge that is blind to one fault, it became worse than its start |
# | *it is expensive for its human annotation* | **holds partly**: hours of people beside minutes of a machine, at half a minute a pair, which we assumed. DPO needs the same labels |
# | *DPO is a simpler alternative* | **holds partly**: simpler, one model and one loss for three; whose replies are better, three runs of each cannot tell |
# | *DPO teaches answers that humans prefer* | **holds** for the likeliest reply, and on a short leash; sampled, **partly**, and on a long leash replies run on |
# | *for the same KL, more reward* | **cannot tell**: likeliest replies lean to it, sampled ones to neither side, and three runs of each are few |
#
# ## Where it stops being true
#
# - Our true reward is a rule that code can read. Yours is what people think, and it moves.
# - Our labels err by rule: more often where it is a close call. People also tire, disagree with each other, and have reasons that no rule foresees.
# - The replies of the pairs were written beforehand, not by the model. In RLHF as it is run, the model's own replies are labelled, again and again; a judge then knows the
#   mistakes that *this* policy makes.
# - Three runs of each, and they lie far apart. Whoever has one run of his own has one of those dots.
# - One house, one rule. Where groups of people want different things, a mean of their labels may please none of them.
# - A policy of 135 million parameters has not much to hack with. A larger one is better at everything, at cheating its judge too.
#
# Next: [08 · Choosing, costing, shipping](08_shipping.ipynb), where somebody has to decide.
