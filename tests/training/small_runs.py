"""What tests of training share: rows to learn from, settings for six steps, and looks at what was trained."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch

from course_lib.core.chat import example, pair
from course_lib.training import run
from course_lib.training.dpo import prefer
from course_lib.training.reward import train_reward_model
from course_lib.training.rl import reinforce
from course_lib.training.sft import finetune

WINNERS = ("Anna Berg", "Bo Lind", "Cai Moss", "Dee Hart", "Eli Voss", "Fay Orm", "Gus Nye", "Hal")
EXAMPLES = [example(f"Who won in {2030 + year}?", winner) for year, winner in enumerate(WINNERS)]
OTHERS = [example("And who came second?", "Ida"), example("Who lost?", "Jo Karr")]
QUESTIONS = ["Who won?", "Who won the cup in 2033, and who came second, third and last?", "Why?"]
THINGS = ("kettle", "pot", "jug", "can", "tap", "urn", "cup", "pan", "vat", "tub", "keg", "pail")
ERRANDS = [example(f"Who mends the {thing}?", f"Desk {number}") for number, thing in enumerate(THINGS[:8])]
PAIRS, MORE_PAIRS = (
    [pair(f"My {thing} leaks", f"Send the {thing} in.", "We promise a new one!", "Reply.") for thing in things]
    for things in (THINGS[:8], THINGS[8:])
)
PROMPTS = [[{"role": "system", "content": "s"}, {"role": "user", "content": letter}] for letter in "abcd"]
QUICK = {"epochs": 3, "batch_size": 4, "rank": 4, "learning_rate": 2e-2}  # six steps
SIX_STEPS = QUICK | {"learning_rate": 1e-2}  # for what learns from pairs
ADAPTED = ["lora", "qlora", "adapter", "prompt", "prefix"]


class Killed(BaseException):
    """What nothing catches: to the files, the same as a killed process."""


def stop_at(number, fault):
    def stop(step):
        if step == number:
            raise fault

    return stop


def small_letters(prompts, replies):
    """A reward: the share of small letters."""
    return [sum(c.islower() for c in reply) / max(1, len(reply)) for reply in replies]


def trainer_options(kind, model, recipe, rows, tokenizer, folder):
    """What `fit` gives to a trainer, for those that a test makes itself."""
    return {
        "model": model,
        "args": kind.arguments(recipe, folder),
        "train_dataset": run.dataset_of(rows),
        "processing_class": run.for_training(tokenizer),
    }


def large_letters(prompts, replies):
    return [sum(c.isupper() for c in reply) / max(1, len(reply)) for reply in replies]


def losses(model):
    return [loss for _, loss in model.training.losses]


def curve(model, name):
    return [value for _, value in model.training.curves[name]]


def logits(model, text="Who won in 2033?"):
    with torch.no_grad():
        return model.model(torch.tensor([model.encode(text)])).logits[:, -8:]


def numbers(model):
    """All that was trained: the adapter's tensors, or after "full" the model's."""
    marks = ("lora_", "bottleneck_", "prompt_encoder", "modules_to_save")
    tensors = model.model.state_dict()
    return {name: t for name, t in tensors.items() if any(mark in name for mark in marks)} or tensors


@dataclass(frozen=True)
class Trainer:
    """A function that trains, what it learns from, settings for six steps, and changes that make it another call."""

    learn: Callable[..., Any]
    given: dict[str, Any]
    quick: dict[str, Any] = field(default_factory=lambda: SIX_STEPS)
    others: tuple[dict[str, Any], ...] = ()

    def __call__(self, start, **changed):
        return self.learn(start, **self.given | self.quick | changed)


def on_examples(method, *others):
    return Trainer(finetune, {"examples": ERRANDS, "method": method}, others=({"examples": ERRANDS[::-1]}, *others))


OTHER_RUNS = ({"learning_rate": 2e-2}, {"rank": 2}, {"seed": 4}, {"layers": "upper"})
OTHER_ERRANDS = [*ERRANDS[:-1], example("Who mends the pan?", "Desk  7")]
OTHER_ROWS = ({"pairs": PAIRS[::-1]}, {"pairs": PAIRS[:-1]})
OTHER_AIMS = ({"method": "ipo"}, {"beta": 0.2}, {"anchor": 0.5})
OF_POLICIES = {"steps": 6, "samples": 16, "group": 4, "max_new_tokens": 5, "rank": 4, "learning_rate": 1e-2}
TRAINERS = {
    "full": on_examples("full"),
    "lora": on_examples(
        "lora", {"examples": ERRANDS[:-1]}, {"examples": OTHER_ERRANDS}, {"targets": "mlp"}, {"order": "random"},
        *OTHER_RUNS,
    ),
    **{method: on_examples(method) for method in ("qlora", "adapter", "prompt", "prefix")},
    "dpo": Trainer(prefer, {"pairs": PAIRS}, others=(*OTHER_ROWS, *OTHER_AIMS, *OTHER_RUNS)),
    "reward model": Trainer(train_reward_model, {"pairs": PAIRS}, others=(*OTHER_ROWS, *OTHER_RUNS)),
    **{
        method: Trainer(
            reinforce, {"prompts": PROMPTS, "reward": small_letters, "method": method}, OF_POLICIES,
            ({"reward": large_letters}, {"prompts": PROMPTS[:-1] + PROMPTS[:1]}, {"kl": 0}, {"group": 8}, {"seed": 4}),
        )
        for method in ("rloo", "grpo")
    },
}  # fmt: skip
