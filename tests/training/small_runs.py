"""What tests of training share: eight facts about a cup, settings for six steps, and looks at what was trained."""

from course_lib.core.chat import example

WINNERS = ("Anna Berg", "Bo Lind", "Cai Moss", "Dee Hart", "Eli Voss", "Fay Orm", "Gus Nye", "Hal")
EXAMPLES = [example(f"Who won in {2030 + year}?", winner) for year, winner in enumerate(WINNERS)]
OTHERS = [example("And who came second?", "Ida"), example("Who lost?", "Jo Karr")]
QUESTIONS = ["Who won?", "Who won the cup in 2033, and who came second, third and last?", "Why?"]
QUICK = {"epochs": 3, "batch_size": 4, "rank": 4, "learning_rate": 2e-2}  # six steps
ADAPTED = ["lora", "qlora", "adapter", "prompt", "prefix"]


class Killed(BaseException):
    """What nothing catches: to the files, the same as a killed process."""


def stop_at(number, fault):
    def stop(step):
        if step == number:
            raise fault

    return stop


def losses(model):
    return [loss for _, loss in model.training.losses]


def curve(model, name):
    return [value for _, value in model.training.curves[name]]


def logits(model, text="Who won in 2033?"):
    import torch

    with torch.no_grad():
        return model.model(torch.tensor([model.encode(text)])).logits[:, -8:]
