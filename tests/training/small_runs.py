"""What tests of training share: rows to learn from, settings for six steps, and looks at what was trained."""

import torch

from course_lib.core.chat import example, pair
from course_lib.training import run

WINNERS = ("Anna Berg", "Bo Lind", "Cai Moss", "Dee Hart", "Eli Voss", "Fay Orm", "Gus Nye", "Hal")
EXAMPLES = [example(f"Who won in {2030 + year}?", winner) for year, winner in enumerate(WINNERS)]
OTHERS = [example("And who came second?", "Ida"), example("Who lost?", "Jo Karr")]
QUESTIONS = ["Who won?", "Who won the cup in 2033, and who came second, third and last?", "Why?"]
THINGS = ("kettle", "pot", "jug", "can", "tap", "urn", "cup", "pan", "vat", "tub", "keg", "pail")
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


def losses(model):
    return [loss for _, loss in model.training.losses]


def curve(model, name):
    return [value for _, value in model.training.curves[name]]


def logits(model, text="Who won in 2033?"):
    with torch.no_grad():
        return model.model(torch.tensor([model.encode(text)])).logits[:, -8:]
