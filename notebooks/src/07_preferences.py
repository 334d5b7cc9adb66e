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
# So far every question had a right answer. A customer's letter has none: people like some replies and dislike others, and nobody can write the difference down in one line.
# But anybody can point: *this one rather than that one*.
#
# By the end you will have
# - labelled twenty pairs of replies, and seen how often sensible people disagree;
# - taken RLHF's three steps: a start, a judge made of labels, a model that learns to please the judge;
# - watched a model cheat its judge, and cheated one yourself;
# - worked out DPO's loss, checked it against the trainer's, and trained with it;
# - seen that how you ask a model matters as much as how it was trained.
#
# **Time** 85 minutes; the machine works for about 5 of them (2 cores).
#
# **Claims on trial** from the course's sources: *RLHF improves a model by human feedback, more aligned with what users prefer* · *it needs labelled feedback and compute,
# and is expensive for its human annotation* · *DPO is a simpler alternative* · *DPO teaches a model to give answers that humans prefer*. And from the paper
# (Rafailov et al. 2023, arXiv 2305.18290): *for the same distance from the start, DPO earns the higher reward*.

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
# ## A letter and two replies
#
# Brindlecombe & Daughters get letters every day. The clerk of lesson 01 has sorted them; now each needs a reply. For every letter two replies were written for this course, and a **label** says which is preferred. (No people chose: the house's rule labels, and errs in a tenth of the pairs; see `data/preferences/README.md`.)

# %%
from course_lib.lessons.letters import load_preferences

pairs = {split: load_preferences(split) for split in ("train", "validation", "test")}
one = pairs["train"][4]
print(f"[{one.desk}] {one.message}\n")
print(f"chosen:   {one.chosen}\n\nrejected: {one.rejected}")

# %% [markdown]
# What makes a reply good in this house? There is a rule, and the labels come from it. **Nothing in this lesson is trained on the rule itself**; we keep it for measuring.

# %%
from course_lib.lessons import house_rule

cl.say(f"The house rule: *{house_rule.HOUSE_RULE}*")
for name, reply in (("chosen", one.chosen), ("rejected", one.rejected)):
    verdict = house_rule.keeps_the_rule(one.desk, reply)
    why = "; ".join(f"*{fault}*, {told}" for fault, told in verdict.why.items())
    cl.say(f"The {name} reply {f'breaks it: {why}' if why else 'keeps it'}.")

# %% [markdown]
# `keeps_the_rule` goes by words and patterns, so it says the same on every machine. (A fault in words that it does not know may pass; the data sheet counts them. And one part of the rule it does not ask for: *what happens next*.) Here it is the *true reward*: what the house really wants.
# In your own case there is no such function. That is why people label.
#
# Your turn: pick the better reply, twenty times. Do not think long; people who label hundreds do not either.

# %% tags=["nbval-ignore-output"]
from course_lib.lessons import sliders

sliders.label_pairs(pairs["train"], n=20)

# %% [markdown]
# At the end you saw where you, the labels and the house differ. How many pairs are there, and does any reply stand on both sides of the split?

# %%
from course_lib.lessons.letters import check_replies_apart

check_replies_apart(pairs["train"], pairs["test"])
wrong = {split: sum(pair.noise for pair in rows) / len(rows)
         for split, rows in pairs.items()}
for split, rows in pairs.items():
    print(f"{split}: {len(rows)} pairs, {wrong[split]:.0%} of the labels wrong")
p = wrong["train"]
cl.say("Two labellers who each err this often, independently, would agree on "
       f"{p * p + (1 - p) ** 2:.0%} of the pairs.")

# %% [markdown]
# No: `check_replies_apart` would have stopped us.
#
# **Real people agree less.** Two annotators of Ouyang et al. (2022, section 3.4) made the same choice in roughly three pairs of four. So real labels are noisier, and what follows is the easier case.
#
# Where are our wrong labels? The rule knows five faults: *long* (more than 30 words), *blame* (or an excuse), *desk* (none named, or the wrong one), *rude* (no kind word) and *promise*.
# Take the pairs whose worse reply has a fault, and ask how often *that* reply was chosen:

# %%
def broken(pair):
    """The faults of the worse reply."""
    return house_rule.keeps_the_rule(pair.desk, pair.worse).broken


faulty = {fault: [pair.noise for pair in pairs["train"] if fault in broken(pair)]
          for fault in house_rule.FAULTS}
cl.say("Wrong labels: " + ", ".join(
    f"*{fault}* {sum(noise) / len(noise):.0%} of {len(noise)}"
    for fault, noise in faulty.items()) + ".")

# %% [markdown]
# Being long is the lightest fault in this house, so those labels are the careless ones.
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
# Keep that number: no judge that is graded on such labels can be seen to do better.
#
# ## Asking costs nothing
#
# Before any training, say what you want: the house rule goes into the system message.
# **Predict:** how many of a hundred replies of the untrained model keep all of it?

# %%
cl.predict("told", "Replies that keep the house rule, in per cent", low=0, high=100)

# %% [markdown]
# We take three letters of each desk from the test, and for each the *likeliest* reply: always the most probable token (*temperature* 0). That is fairest to the prompt. (*Right*, below, is a reply of the house that keeps the rule.)

# %% tags=["nbval-ignore-output"]
from course_lib.lessons.letters import grade_replies, write_replies

letters = pairs["test"][::8]
gp = cl.load_model()
told = write_replies(gp, letters, rule=True, name="untrained, told the rule",
                     temperature=0)
told.show(3)
cl.reveal("told", told)
cl.say("Replies that have each fault: " + ", ".join(
    f"*{fault}* {1 - report.accuracy:.0%}"
    for fault, report in grade_replies(told, letters).items()
    if fault != "the rule") + ".")

# %% [markdown]
# Now all letters of the test (stored). *Start* comes in the next section. Where it does not say *likeliest*, replies are **sampled**: each token is drawn by lot, as often as the model finds it likely (temperature 1).

# %%
import pandas as pd

from course_lib.evaluation.kept import runs
from course_lib.evaluation.stored import find

stored = cl.load_results("07")
asked = stored["start"]
pd.DataFrame({name: {"keeps the rule": find(f"07/start/{name}").told,
                     **{f"fault: {f}": round(x, 2) for f, x in row["faults"].items()},
                     "words": row["words"]} for name, row in asked.items()}).T

# %% [markdown]
# The likeliest reply hardly shows what a model does only now and then; sampled replies do.
#
# A wish in the prompt is what any training has to beat; a larger model may need nothing more.

# %% tags=["nbval-ignore-output"]
cl.verdict("told the house rule, an untrained model keeps it more often",
           runs("07/untrained-rule", "told the rule")
           - runs("07/untrained", "not told"))
cl.verdict("told the house rule, the start keeps it more often",
           runs("07/start-seed-*-rule", "told the rule")
           - runs("07/start-seed-*", "not told"))

# %% [markdown]
# ## RLHF in three steps
#
# *Reinforcement learning from human feedback* (Ouyang et al. 2022, arXiv 2203.02155) turned text models into chat models. It makes three, each from the one before.
#
# ### Step 1: a supervised start
#
# A model that babbles gives people nothing to choose from. So first it learns what replies look like *at all*, from the files: what the staff wrote before anybody was asked,
# good and bad. This is plain fine-tuning, so it comes from the shelf.

# %%
from course_lib.lessons.letters import staff_archive

archive = staff_archive(pairs["train"])
print(len(archive), "replies from the files, such as:")
print(*(f"- {row['completion'][-1]['content']}" for row in archive[:4]), sep="\n")

# %% tags=["nbval-ignore-output"]
start = cl.finetune(gp, archive, name="07-start", epochs=1, learning_rate=2e-3,
                    batch_size=8, order="random", from_shelf=True)
began = write_replies(start, letters, name="start")
began.show(4)

# %% [markdown]
# It writes like the staff. Does it make the staff's mistakes? The share of replies with each fault:

# %% tags=["nbval-ignore-output"]
def faults_of(of_fault):
    """Each fault's share of replies, out of a report for each."""
    return {fault: round(1 - report.accuracy, 2) for fault, report in of_fault.items()
            if fault != "the rule"}


kept = [house_rule.keeps_the_rule(pair.desk, row["completion"][-1]["content"]).why
        for pair, row in zip(pairs["train"], archive)]
files = {fault: round(sum(fault in why for why in kept) / len(kept), 2)
         for fault in house_rule.FAULTS}
display(pd.DataFrame({"the files": files,
                      "the start, here": faults_of(grade_replies(began, letters)),
                      "three starts, stored": asked["start"]["faults"]}).T.round(2))
cl.verdict("the start breaks the house rule in at least one letter of four",
           runs("07/start-seed-*", "start"), below=0.75)

# %% [markdown]
# Not quite: it blames less than the files do, and has more of every other fault. So small a model adds its own.
#
# ### Step 2: a judge made of labels
#
# A **reward model** reads a letter with a reply and gives one number, the score. It is a copy of the start with a single output in place of the vocabulary,
# trained to give the chosen reply of each pair more than the rejected one:
#
#     loss = −log σ(score of the chosen − score of the rejected)
#
# σ turns any number into one between 0 and 1. In this model (Bradley and Terry 1952) the better of two replies whose scores differ by *d* is preferred with probability σ(*d*). Only differences mean anything.

# %% tags=["nbval-ignore-output"]
rows = [pair.as_pair() for pair in pairs["train"]]
judge = cl.train_reward_model(start, rows, name="07-judge", from_shelf=True)
graded = judge.grade([pair.as_pair() for pair in pairs["test"][::6]])
low, high = graded.ci
cl.say(f"Of {graded.n} pairs that it has not read, the judge agrees with the label in "
       f"{graded.accuracy:.0%} ({low:.0%} to {high:.0%}).")

# %% [markdown]
# The labels put a ceiling on that number, so we hold judges against the house as well, on all the test's pairs: one judge each of 72, 144 and 288 pairs, and three of all 576, which differ by their *seed* (the
# order of reading) alone. In the lower rows *one* thing is wrong with the worse reply.

# %%
judges = stored["reward"]["by seed"]
sizes = {f"{n} pairs": judged for n, judged in stored["reward"]["over pairs"].items()
         if n != "576"} | {f"576, seed {seed}": judges[seed] for seed in judges}
rows = {name: {"agrees with the labels": judged["labels"]["accuracy"],
               "with the house": judged["house"]["accuracy"],
               **{f"{fault} (n = {seen['n']})": seen["right"]
                  for fault, seen in judged["faults"].items()}}
        for name, judged in sizes.items()}
display(pd.DataFrame(rows).round(2))
worst = min(judges, key=lambda seed: judges[seed]["labels"]["accuracy"])
cl.verdict("the worst of three judges agrees with the labels more often than a coin",
           f"07/reward/by seed/{worst}/labels", above=0.5)

# %% [markdown]
# The judges of 72 pairs and of 576 cannot be told apart: three that read the same differ as widely as the sizes do.
#
# A mean hides what a judge is blind to. Look at the row *long*: one judge catches nearly every long reply, another takes nearly every one for the better. Few labels are about length, and those are often wrong, so chance decides which way a judge leans. (The test has few
# different long replies.) A model that is paid by a blind judge may learn to talk.
#
# And when it is sure, is it right? (*Calibration*: a judge that says 0.9 should be right nine times in ten.) The judge that you loaded, seed 0:

# %%
bars = [{"label": f"sure {row['between']} ({row['pairs']} pairs)",
         "value": row["right"], "low": row["low"], "high": row["high"]}
        for row in judges["0"]["calibration"]]
display(cl.plots.bars(bars, "When it is sure, is it right?"))
claims = pd.DataFrame(judges["0"]["calibration"])
claimed, was = (claims[["confidence", "right"]].mul(claims["pairs"], axis=0).sum()
                / claims["pairs"].sum())
cl.say(f"Over all pairs it claims to be right in {claimed:.0%}, and is in {was:.0%}.")

# %% [markdown]
# What does it like? One letter and seven replies: a good one, one for each fault, and the long reply of most of the test's pairs of that kind.

# %% tags=["nbval-ignore-output"]
desk, mine = letters[0].desk, letters[0].letter()
ours = f"Our {desk} desk"
good = f"Thank you for writing. {ours} has your letter and will write to you."
tries = {
    "good": good,
    "promise": f"Thank you. {ours} will send you a new one by Friday, I promise.",
    "rude": f"{ours} has it. Stop asking.",
    "blame": f"Thank you, but you should have read the manual. {ours} has your letter.",
    "desk": good.replace(desk, "Archive"),
    "long": f"{good} We know how it feels to wait, and a letter such as yours is read "
            "here by more than one of us, with care, over tea.",
    "long, of the test": next(p.rejected for p in pairs["test"] if p.desk == desk
                              and p.rejected_faults == ("long",)),
}

# %% tags=["nbval-ignore-output"]
scores = judge.score([mine] * len(tries), list(tries.values()))
cl.plots.bars([(name, s, s, s) for name, s in zip(tries, scores - scores[0])],
              "What the judge thinks, beside the good reply", "score")

# %% [markdown]
# Bars to the left are worse than the good reply. Both long ones stand to the *right*, though this judge caught nearly all long replies of the test. There each lost to a warm, full reply; here the good one is plain. Perhaps it weighs kind words, and
# does not count. A high mark on one set of pairs does not say what a judge pays for elsewhere.
#
# ### Step 3: a policy that pleases the judge
#
# From here on nobody labels. The model, now called the *policy*, writes several replies to a letter, and the judge scores them. Those that do better than the others become likelier, the
# rest less likely. **RLOO**, which we use, takes each reward minus the mean of the others (Ahmadian et al. 2024); **GRPO** divides by their spread as well (Shao et al. 2024).
#
# And a leash: **KL**, how far the policy has gone from the start, is subtracted from the reward. It says how much likelier the policy finds its replies than the start does, in *nats* (0.69 nats: twice as likely).
#
# One step, here and now:

# %% tags=["nbval-ignore-output"]
asked_letters = [pair.letter() for pair in pairs["train"]]
policy = cl.reinforce(start, asked_letters, judge, name="07-policy", kl=0.05,
                      steps=1, samples=16, group=4, max_new_tokens=48,
                      learning_rate=5e-4, rank=1)
for sample in policy.training.samples:
    print(f"step {sample['step']}, reward {sample['reward']:+.2f}: {sample['reply']}")

# %% [markdown]
# Sixteen replies had to be *written* before anything could be learned: that is the price of a step. A run of twenty, stored (seed 0):

# %%
log = stored["frontier"]["curves"]["rloo"]
titles = {"reward": "What the judge gives", "kl": "KL from the start, nats a reply",
          "length": "Tokens of a reply"}
for name, title in titles.items():
    steps, values = zip(*log["curves"][name])
    display(cl.plots.curve(steps, {"RLHF": values}, title, "step", name))

# %% [markdown]
# The reward goes up, as we asked, and so does KL. But this is the *judge's* reward. What does the house say?
#
# ### When the judge can be fooled
#
# A judge stands in for people, and what is paid by a stand-in may learn to serve the stand-in. Three policies, each with the start and the judge of its seed; *sees long* is the row from above:

# %%
ways, policies = stored["frontier"]["ways"], stored["hacking"]["by seed"]
first, last = ({seed: of_seed["curves"]["reward"][end][1]
                for seed, of_seed in policies.items()} for end in (0, -1))
table = {f"seed {seed}": {
    "its judge agrees with the house": judges[seed]["house"]["accuracy"],
    "sees long": judges[seed]["faults"]["long"]["right"],
    "paid, first step": first[seed], "paid, last step": last[seed],
    "policy keeps the rule": of_seed["accuracy"],
    "its start did": asked["start"]["seeds"][int(seed)],
    "words of a reply": of_seed["words"], "too long": of_seed["faults"]["long"],
} for seed, of_seed in policies.items()}
display(pd.DataFrame(table).round(2))
blind = min(policies, key=lambda seed: judges[seed]["faults"]["long"]["right"])
said = policies[blind]["replies"][:2]
print(f"the policy of seed {blind}, in its own words:", *said, sep="\n- ")

# %% [markdown]
# Each judge pays more at the last step than at the first. The house agrees in two columns of three: the policy whose judge is blind to length talks most, and keeps the rule less than its start did. The judge's mean gave no warning, since that of seed 1 is no higher; the row of
# each fault did. Three policies are a pattern to look for, not a law. But grading a judge by kinds of mistakes costs little.
#
# Where nobody can say what to look for, pay by the mean of several judges: what one overrates, another may not (Coste et al. 2023, arXiv 2310.02743). The same start and letters, paid by all three:

# %%
judged, paid = stored["reward"]["committee"], stored["hacking"]["committee"]
seen = judged["faults"]["long"]["right"]
cl.say(f"The three as one agree with the house in {find('07/reward/committee/house')}, "
       f"and see the long reply in {seen:.0%}. The policy that they paid writes "
       f"{paid['words']:.0f} words a reply, the one that the blind judge alone paid "
       f"{policies[blind]['words']:.0f}.")
by_all = runs(f"07/rloo-kl-0.05-judges-0-1-2-seed-{blind}", "paid by all three")
gap = by_all - runs(f"07/rloo-kl-0.05-seed-{blind}", "paid by the blind one")
cl.say(f"It keeps the rule in {gap.shares[0]:.2f}, the other in {gap.shares[1]:.2f}: "
       f"{gap.value:+.2f} ({gap.low:+.2f} to {gap.high:+.2f}, over {gap.n} letters). "
       "That is one run of each, and no verdict on committees.")

# %% [markdown]
# A committee costs three readings of every reply, and helps only as far as its judges do not err alike.
#
# Here is a reward that anybody might write: *polite letters have kind words, so count them*.

# %%
def kind_words(prompts, replies):
    """A reward that means well, and measures something else."""
    return [float(len(house_rule.KIND.findall(reply))) for reply in replies]


cl.say(f"The good reply is paid {kind_words([letters[0]], [good])[0]:.0f}.")

# %% [markdown]
# ### Exercise 2 · Cheat
# Write a reply to `letters[0]` that this reward pays more than `good`, and that breaks the house rule.

# %% tags=["exercise"]
fooled = None  # a reply
cl.check("07-fool", fooled, desk=letters[0].desk, good=good, reward=kind_words)

# %% tags=["solution"]
fooled = ("Thank you, thank you, thank you! I am so glad and so sorry, and grateful. "
          "Please, dear customer, thank you. I promise you a new one.")
cl.check("07-fool", fooled, desk=letters[0].desk, good=good, reward=kind_words)

# %% [markdown]
# A policy found the same trick by itself, with no leash and nothing but that reward (stored):

# %%
hacked = stored["hacking"]["kind words"]
print("\n".join(f"- {reply[:150]} ..." for reply in hacked["replies"][:3]))
steps, values = zip(*hacked["curves"]["reward"])
cl.plots.curve(steps, {"kind words in a reply": values}, "What it was paid",
               "step", "kind words")

# %% [markdown]
# What does the house say? And what of a policy that the judge of seed 0 paid for twice as long, without a leash? One run of each:

# %%
paid_for_words = runs("07/rloo-kl-0.0-kind-words-seed-0", "paid for kind words")
lost = paid_for_words - runs("07/start-seed-0", "its start")
cl.say(f"Paid for kind words, the policy keeps the rule in {lost.shares[0]:.2f} of "
       f"{lost.n} letters; its start did in {lost.shares[1]:.2f}.")
free = stored["hacking"]["no KL"]["kl"]
cl.say(f"Paid by the judge, the policy without a leash went {free:.0f} nats away from "
       f"its start and keeps the rule in {find('07/hacking/no KL')}; the one on a "
       f"leash went {policies['0']['kl']:.0f} nats, {find('07/hacking/by seed/0')}.")

# %% [markdown]
# *When a measure becomes a target, it ceases to be a good measure* (Goodhart's law). The leash is meant to keep a policy where its judge has seen enough. Our run without it went far, and lost nothing that we can see: there this judge was good enough.
#
# **Who else can judge?** Labels often come from a larger model that is told the rule: *LLM as a judge* (Zheng et al. 2023, arXiv 2306.05685), which likes length, its own style and the reply that stands first. To train on them is *RLAIF* (Bai et al. 2022, arXiv 2212.08073).
# Where a program can check the answer, no judge is needed: that is a *verifiable reward* (Lambert et al. 2024, arXiv 2411.15124). Lesson 03's grader is one. It cannot be flattered; but what it does not check, a policy may break.
#
# ## DPO
#
# RLHF makes three models, and its policy has to write before it can learn. *Direct preference optimization* does without the judge.
#
# Take three replies to one letter, how often the start writes each, and what each is worth. Then the best policy on a leash of strength β is known: multiply each probability by exp(reward / β), and divide by the sum.

# %%
import math

beta = 0.5
of_start = {"rude": 0.5, "kind, wrong desk": 0.3, "kind, right desk": 0.2}
worth = {"rude": 0.0, "kind, wrong desk": 0.6, "kind, right desk": 1.0}
raised = {reply: p * math.exp(worth[reply] / beta) for reply, p in of_start.items()}
best = {reply: p / sum(raised.values()) for reply, p in raised.items()}
back = {reply: beta * math.log(best[reply] / p) for reply, p in of_start.items()}
table = pd.DataFrame({"start π₀": of_start, "reward r": worth,
                      "best policy π": best, "β · log π/π₀": back})
table["r minus that"] = table["reward r"] - table["β · log π/π₀"]
table.round(3)

# %% [markdown]
# π₀ is a reply's probability under the start, π under the policy. β · log π/π₀ gives every reward back, minus the same number for all three. So a policy *is* a reward model, up to a number that depends on the letter alone; and where only differences count, as in Bradley and Terry's loss, that number cancels:
#
#     loss = −log σ( β · [ log π(chosen)/π₀(chosen) − log π(rejected)/π₀(rejected) ] )
#
# No judge, no sampling: four log-probabilities. *Your language model is secretly a reward model*, says the paper's title.
#
# ### Exercise 3 · The loss of one pair
# Log-probabilities of two replies, in nats, at the start and after some training. What is the loss?

# %%
beta = 0.1
chosen, start_chosen = -40.0, -48.0
rejected, start_rejected = -62.0, -51.0
cl.say(f"Before the first step every pair has the loss {math.log(2):.3f}, which is "
       "log 2: nothing has changed yet, and σ(0) = 1/2. `math.exp` and `math.log` are "
       "all that you need.")

# %% tags=["exercise"]
loss = None  # a number
cl.check("07-loss", loss, chosen=chosen, rejected=rejected, beta=beta,
         start_chosen=start_chosen, start_rejected=start_rejected)

# %% tags=["solution"]
margin = beta * ((chosen - start_chosen) - (rejected - start_rejected))
loss = -math.log(1 / (1 + math.exp(-margin)))
cl.check("07-loss", loss, chosen=chosen, rejected=rejected, beta=beta,
         start_chosen=start_chosen, start_rejected=start_rejected)

# %% [markdown]
# Does the trainer do the same? Train one step on one real pair, and compute the loss afterwards *by hand*: `scoring.log_probability` reads the four numbers off the
# two models (in fp32: half precision would round so small a step away). Then train two steps, and look up what TRL's trainer says of its second.

# %% tags=["nbval-ignore-output"]
import copy
from dataclasses import replace

from course_lib.models import scoring
from course_lib.training import dpo

pair = pairs["train"][4]
one_pair, one_step = [pair.as_pair()], dict(batch_size=1, learning_rate=1e-3, rank=1)
once = cl.prefer(start, one_pair, name="07-one-step", epochs=1, **one_step)
twice = cl.prefer(start, one_pair, name="07-two-steps", epochs=2, **one_step)

# %% tags=["nbval-ignore-output"]
exact = [replace(model, model=copy.deepcopy(model.model).float())
         for model in (once, start)]
four = [scoring.log_probability(model, [pair.letter()], [reply])[0]
        for model in exact for reply in (pair.chosen, pair.rejected)]
by_hand = float(dpo.dpo_loss(four[0], four[1], four[2], four[3], beta=0.1))
by_trl = twice.training.losses[1][1]

# %% tags=["nbval-ignore-output"]
losses = [loss for _, loss in once.training.losses]
cl.say(f"log 2 is {math.log(2):.3f}, and the first step's loss {losses[0]:.3f}. "
       f"The second's is {by_hand:.3f} by hand, {by_trl:.3f} by TRL.")
cl.verdict("DPO's loss by hand is the trainer's",
           round(by_hand - by_trl, 3), above=-0.05, below=0.05)

# %% [markdown]
# Now for real: seventy-two pairs, each seen once. To the loss we add an **anchor**: as much of plain fine-tuning on the chosen reply (Pang et al. 2024, arXiv 2404.19733). So the fair opponent is the anchor alone: the same 72 chosen replies,
# start and settings. It takes a minute or two. **Predict:** how many of a hundred replies will keep the whole rule after DPO?
#
# While it trains: which will change first, the sampled replies or the likeliest one?

# %%
cl.predict("dpo", "Replies that keep the house rule after DPO, in per cent",
           low=0, high=100)

# %% tags=["nbval-ignore-output"]
few = pairs["train"][::8]
same = {"epochs": 1, "learning_rate": 5e-4, "batch_size": 2, "rank": 4}
liked = cl.prefer(start, [pair.as_pair() for pair in few], name="07-dpo",
                  beta=0.1, anchor=1.0, **same)
copied = cl.finetune(start, [pair.as_example() for pair in few], name="07-chosen",
                     order="random", **same)
models = {"start": start, "fine-tuned on the chosen": copied, "DPO": liked}
here = {"sampled": {"start": began}, "likeliest": {}}
for asking, temperature in (("sampled", 1.0), ("likeliest", 0.0)):
    for name, model in models.items():
        if name not in here[asking]:
            here[asking][name] = write_replies(
                model, letters, name=name, temperature=temperature)
here["sampled"]["DPO"].show(3)
cl.reveal("dpo", here["sampled"]["DPO"])

# %% [markdown]
# A ✓ says that no fault was found; what happens next, nobody checked. One run of each and few letters: dots, no verdict. The share that keeps the rule, and the share *with* each fault:

# %% tags=["nbval-ignore-output"]
shares = {(asking, name): {"keeps the rule": report.accuracy,
                           **faults_of(grade_replies(report, letters))}
          for asking, reports in here.items() for name, report in reports.items()}
pd.DataFrame(shares).T.round(2)

# %% [markdown]
# For a verdict, the same trainings three times from one start, on all letters of the test (stored):

# %% tags=["nbval-ignore-output"]
def on_few(kind, name, asking=""):
    """The stored replies of three trainings on the 72 pairs."""
    how = "72-pairs-learning_rate-0.0005-batch_size-2-rank-4"
    return runs(f"07/{kind}-{how}-start-0-seed-*{asking}", name)


for asking, words in (("", "sampled"), ("-likeliest", "likeliest")):
    by_dpo = on_few("dpo-beta-0.1-anchor-1.0", "DPO", asking)
    by_copying = on_few("chosen", "its anchor alone", asking)
    cl.verdict("on seventy-two pairs DPO writes better replies than its anchor alone, "
               f"{words}", by_dpo - by_copying)

# %% [markdown]
# These runs do not tell the two apart: that the rejected replies add anything is not shown. Both move the likeliest reply first, since a little more weight on one word is enough to change it.
#
# What did the trainer follow? Each reply's *implicit reward*, β times the change of its log-probability:

# %% tags=["nbval-ignore-output"]
steps = [step for step, _ in liked.training.losses]
curves = {}
for name in ("chosen", "rejected"):
    rewards = pd.Series([value for _, value in liked.training.curves[name]])
    curves[name] = rewards.rolling(8, min_periods=1).mean().tolist()
cl.plots.curve(steps, curves, "Implicit rewards while learning (mean of eight steps)",
               "step", "β · log π/π₀")

# %% [markdown]
# Watch the gap: DPO's loss asks for a difference, and for nothing else. Both lines may fall, if the rejected one falls faster.
#
# ## The frontier
#
# Which way is better? A policy that goes far can earn much, so compare rewards *at the same distance* from the start. Every way has three seeds and the same 576 pairs. The height is the true reward on the letters of the test, the distance to the right is KL. β is DPO's leash (a large one is short), the factor before KL is RLHF's. *Fine-tuned on the chosen* throws the rejected
# replies away, and imitates the rest.

# %%
def students(name, asking=""):
    """A way's three stored runs; asked "-likeliest", at temperature 0."""
    kind, _, size = name.rpartition(" ")
    place = {"DPO, β =": f"dpo-beta-{size}", "RLHF, KL ×": f"rloo-kl-{size}",
             "fine-tuned on the": "chosen"}.get(kind, "start")
    return runs(f"07/{place}-seed-*{asking}", name)

# %%
def over_kl(found, title, ylabel="share that keeps the rule"):
    """Every way over its KL; `found` gives mean, low, high, and each run's."""
    families, home = {}, {"kl": 0.0, "kl_seeds": [0.0] * 3}
    for name in ("start", *ways):
        (value, low, high, each), gone = found(name), ways.get(name, home)
        spot = {"label": name.split(", ")[-1], "value": value, "low": low, "high": high,
                "x": gone["kl"], "runs": list(zip(gone["kl_seeds"], each))}
        families.setdefault(name.split(",")[0], []).append(spot)
    return cl.plots.frontier(families, title, "KL from the start, nats a reply", ylabel)

# %% [markdown]
# Large marks are means of three runs, small ones the runs. The interval around a mean speaks of *other letters*; of *other runs* three say too little.

# %%
def marks(name, asking=""):
    """What a way's runs have right: the mean, its interval, and each."""
    return *students(name, asking).share(), students(name, asking).marks()


over_kl(marks, "Sampled replies, against the distance from the start")

# %% [markdown]
# With so many ways of three runs each, some will look good by luck. Each run minus the start that it came from:

# %% tags=["nbval-ignore-output"]
cl.verdict("fine-tuned on the chosen replies, a model writes better ones, sampled",
           students("fine-tuned on the chosen") - students("start"))
cl.verdict("RLHF makes better replies, sampled",
           students("RLHF, KL × 0.05") - students("start"))
cl.verdict("DPO on the shortest leash makes better replies, sampled",
           students("DPO, β = 1.0") - students("start"))

# %% [markdown]
# Imitation stands highest, and went far. Of the others some runs are no better than their start: three runs of DPO, or of RLHF, lie further apart than the methods do.
#
# The paper's claim: *for the same KL, more reward*. No two points lie equally far; of the nearest two, DPO's is even closer to the start:

# %% tags=["nbval-ignore-output"]
near = ("DPO, β = 0.5", "RLHF, KL × 0.2")
cl.say("From the start it is " + " and ".join(
    f"{ways[name]['kl']:.1f} nats to *{name}*" for name in near) + ".")
cl.verdict("nearer to the start, DPO earns more than RLHF, sampled",
           students(near[0]) - students(near[1]))

# %% [markdown]
# *Sampled* replies support neither the claim nor its opposite. Fault by fault:

# %%
def line(place, row, kl):
    """A row of the table: a share, KL, words, and the share of each fault."""
    return {"keeps the rule": find(place).told, "KL": kl,
            "words": f"{row['words']:.0f}",
            **{fault: round(x, 2) for fault, x in row["faults"].items()}}


rows = {name: line(f"07/frontier/ways/{name}", row, f"{row['kl']:.1f}")
        for name, row in ways.items()}
pd.DataFrame(rows | {"start": line("07/start/start", asked["start"], "0")}).T

# %% [markdown]
# The last five columns are the share of replies with each fault. Compared with the start, *desk* and *rude* shrink everywhere, *promise* clearly only by imitation. Which one grows?
#
# ### Why do some run on?
#
# Words of a sampled reply, run by run:

# %%
def words(name):
    """Mean words of a way's replies (no interval), and each run's."""
    each = [sum(len(row.reply.split()) for row in run.rows) / run.n
            for run in students(name).reports]
    return sum(each) / 3, sum(each) / 3, sum(each) / 3, each


for labels, (a, b) in {"as labelled": ("chosen", "rejected"),
                       "with every label right": ("better", "worse")}.items():
    longer = [len(getattr(p, a).split()) > len(getattr(p, b).split())
              for p in pairs["train"]]
    cl.say(f"The preferred reply is the longer one in {sum(longer) / len(longer):.0%} "
           f"of the pairs, {labels}.")
over_kl(words, "Words of a sampled reply, against the distance", "words")

# %% [markdown]
# Most runs of DPO and RLHF write longer replies than the start, and mostly the more so, the further they went. Imitations went as far, and do not (one of them does in its likeliest replies). Three suspects:
# - **the loss**: what pushes a rejected reply away also pushes away the token that *ends* it (Park et al. 2024, arXiv 2403.19159, found that DPO exploits length);
# - **the data**: the preferred reply is more often the longer one;
# - **the step**: our learning rates are those of LoRA, high for DPO, and take some runs far out.
#
# This stays a hypothesis. RLHF has another loss, and two of its three seeds do it too, but their judges were poor at seeing length; runs that differ by seed alone end on either side of the start's length. To decide it, we would need pairs whose preferred reply is never the longer one, and lower rates, five seeds each. We have single runs, on validation letters:

# %%
shown = {"start": "start",
         "DPO, 576 pairs, 4 at once, 6e-05, anchor 0.0": "half the rate",
         "DPO, 576 pairs, 4 at once, 0.000125, anchor 0.0": "our rate",
         "DPO, 96 pairs, 2 at once, 0.0005, anchor 0.0": "few pairs",
         "DPO, 96 pairs, 2 at once, 0.0005, anchor 1.0": "few pairs, with the anchor"}
tried = stored["recipes"]
pd.DataFrame({told: {"KL": tried[name]["kl"],
                     "keeps the rule": find(f"07/recipes/{name}").told,
                     "words": tried[name]["words"]} for name, told in shown.items()}).T

# %% [markdown]
# Half the rate, or the anchor: each of these runs stayed nearer to the start, and wrote less.
#
# ### And if nobody samples?
#
# A product may send the *likeliest* reply only. Then a rare fault is never seen, and even the start keeps the rule more often. The same models, asked this way:

# %%
over_kl(lambda name: marks(name, "-likeliest"),
        "Likeliest replies, against the distance from the start")

# %% [markdown]
# The picture turns over. A nat from the start, where *sampled* replies had hardly changed, DPO's likeliest reply keeps the rule nearly always. That is no contradiction: what the labels ask for has become the likeliest, and the
# old words are still drawn now and then. Of DPO's runs, those that went furthest are the worse ones.

# %% tags=["nbval-ignore-output"]
def likeliest(name):
    return students(name, "-likeliest")


short = likeliest("DPO, β = 1.0")
cl.verdict("on the shortest leash DPO's likeliest reply keeps the rule in nine letters "
           "of ten", short, above=0.9)
cl.verdict("on the shortest leash DPO's likeliest reply is better than the start's",
           short - likeliest("start"))
cl.verdict("RLHF's likeliest reply is better than the start's",
           likeliest("RLHF, KL × 0.05") - likeliest("start"))
cl.verdict("nearer to the start, DPO's likeliest reply is better than RLHF's",
           likeliest(near[0]) - likeliest(near[1]))

# %% [markdown]
# Here DPO leans the paper's way: no run is worse than its rival of RLHF. But three are few. Look at the worst small mark of each. On the short leashes DPO has no bad one; imitation has one, RLHF has the one whose judge was blind, and DPO has one on its longest leash.
#
# So **how you ask a model matters as much as how it was trained**. If you compare methods by sampling, as papers do, and then ship the likeliest reply, you have measured another product.
#
# ### What each costs
#
# A step of each on one core, and the whole of it (stored):

# %%
costs = stored["costs"]
rows = {name: {"steps": row["steps"], "tokens a step": row["tokens_a_step"],
               "seconds a step": row["step_seconds"],
               "minutes": round(row["seconds"] / 60, 1),
               "peak memory, GB": round(row["peak_bytes"] / 1e9, 1)}
        for name, row in costs.items()}
pd.DataFrame.from_dict(rows, orient="index")

# %% [markdown]
# RLHF pays three times: for the judge, for writing, and for learning from it. And it is cheap here because it had twenty steps, a few hundred replies, where DPO read all 576 pairs. At as many steps as DPO:

# %%
as_many = costs["RLHF"]["step_seconds"] * costs["DPO"]["steps"]
judging, dpo_steps = costs["reward model"]["seconds"], costs["DPO"]["steps"]
cl.say(f"RLHF took {(costs['RLHF']['seconds'] + judging) / 60:.0f} minutes with its "
       f"judge, and would take {(as_many + judging) / 60:.0f} at DPO's {dpo_steps} "
       f"steps; DPO took {costs['DPO']['seconds'] / 60:.0f}.")

# %% [markdown]
# *People* cost too, and both ways need the same labels. At half a minute a pair, which we assume, how many hours are 576 pairs, and at what wage?

# %%
minutes = 0.5  # of a person for a pair
wage = 20.0  # an hour, in the currency of your choice: put your own numbers in
hours = len(pairs["train"]) * minutes / 60
machine = sum(row["seconds"] for row in costs.values()) / 60
cl.say(f"The labels take {hours:.1f} hours of people, which cost {hours * wage:.0f}; "
       f"the machine takes {machine:.0f} minutes for all ways together.")

# %% [markdown]
# How many pairs are enough? DPO on the shortest leash, one run for each size, so a step up or down may be luck:

# %%
many = stored["pairs"]
lines, bands = ({f"{asking} replies": [row[asking][what] for row in many.values()]
                 for asking in ("likeliest", "sampled")} for what in ("accuracy", "ci"))
cl.plots.curve([int(n) for n in many], lines, "DPO, β = 1, over the pairs it read",
               "pairs", "share that keeps the rule", bands, logx=True)

# %% [markdown]
# And what do wrong labels cost? The same pairs with the labels that the house would have given, one run each:

# %%
def told_of(row):
    """As labelled, as the house would have, and the difference."""
    found = {labels: f"{row[labels]['accuracy']:.2f}, {row[labels]['words']:.0f} words"
             for labels in ("as labelled", "as the house would")}
    gain = "{:+.2f} ({:+.2f} to {:+.2f})".format(*row["cost"])
    return found | {"right labels gain": gain}


pd.DataFrame({(leash, asking): told_of(row) for leash, rows in stored["noise"].items()
              for asking, row in rows.items()}).T

# %% [markdown]
# On the short leash a tenth of wrong labels cost nothing that these letters show. On the long one the run with *right* labels wrote the longer replies: a hint that careless labels are not what makes them long. No verdict; and people err more.
#
# ### What was forgotten
#
# Common knowledge, which none of them studied (the exam `general` of lesson 02):

# %% tags=["nbval-ignore-output"]
cl.verdict("the supervised start alone costs common knowledge",
           runs("07/untrained-general", "untrained")
           - runs("07/start-seed-*-general", "start"))
pd.DataFrame({"general questions right": {
    name: find(f"07/forgotten/{name}").told for name in stored["forgotten"]
    if name != "differences"}})

# %% [markdown]
# Nearly everything, and before any preference was learned: the start has studied letters and nothing else, and takes every question for a letter. Learning preferences had hardly anything left to take away. (Lesson 02 kept common knowledge by mixing some in. So do Ouyang et al., who call the price an *alignment tax*.)
#
# ## Quiz

# %%
cl.quiz("07")

# %% [markdown]
# ## What was tried on this page

# %% tags=["nbval-ignore-output"]
cl.findings()
cl.progress()

# %% [markdown]
# What no verdict says: most of RLHF's runs became better than their start; the one whose judge was blind to a fault became worse. Both ways need the same labels.
# DPO is simpler: one model and one loss instead of three. Its likeliest replies are good on a short leash; on a long one most runs write too much.
#
# ## Where it stops being true
#
# - Our true reward is a rule that code can read. Yours is what people think, and it moves.
# - Our labels err in a tenth of the pairs. People disagree in about a quarter, get tired, and have reasons that no rule foresees.
# - Our replies were written beforehand. In real RLHF the policy's own replies are labelled, again and again, so a judge knows *its* mistakes.
# - Three runs of each lie far apart, and a run of your own is one such dot.
# - One house, one rule. Where groups of people want different things, a mean of their labels may please none of them.
# - So small a policy cannot cheat much. A larger one is better at everything, cheating included.
#
# Next: [08 · Choosing, costing, shipping](08_shipping.ipynb), where somebody has to decide.
