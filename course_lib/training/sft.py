"""Fine-tuning: a chat model and examples in, another chat model out. TRL trains, PEFT adapts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from course_lib.core.chat import Example, check_examples, check_length
from course_lib.core.errors import CourseError, choose, whole_above_zero
from course_lib.models.chatmodel import ChatModel
from course_lib.training.methods import METHODS, Recipe, trained_numbers
from course_lib.training.run import fit, prepared, started
from course_lib.training.shelf import RANK, find, fitting_rank, recorded


def finetune(
    model: ChatModel,
    examples: Sequence[Example],
    method: str = "lora",
    *,
    name: str | None = None,
    epochs: float = 4,
    learning_rate: float | None = None,
    batch_size: int = 16,
    rank: int | None = None,
    layers: str = "all",
    targets: str = "all",
    order: str = "length",
    seed: int | None = None,
    checkpoint_every: int | None = None,
    from_shelf: bool = False,
    held_out: Sequence[Example] | None = None,
    every: int | None = None,
) -> ChatModel:
    """Train a copy of a model on prompt-completion examples; the model itself stays as it was.

    The loss is the mean cross entropy of completion tokens; AdamW, linear decay. A run that is interrupted or killed
    goes on from its last checkpoint, to the same loss, when the same call is made again. With `COURSE_REPLAY=1` the
    adapter that the repository ships for exactly this call is taken instead, after three real steps.

    Parameters
    ----------
    model
        Where to start. Its frozen weights are shared with the copy, not duplicated. An adapter on it is merged first.
    examples
        Rows of {"prompt": messages, "completion": messages}; `cl.example(question, answer)` makes one.
    method
        - "full": every weight.
        - "lora": two narrow matrices beside each linear layer (Hu et al. 2021, arXiv 2106.09685).
        - "qlora": the same over a base in 4 bits, bitsandbytes' NF4, double quantized (Dettmers et al. 2023,
          arXiv 2305.14314). A model that is not in 4 bits is quantized first, in memory.
        - "adapter": h + W_up·gelu(W_down·h) behind attention and behind the MLP of each block (Houlsby et al. 2019,
          arXiv 1902.00751).
        - "prompt": virtual tokens before the prompt, begun as the system message (Lester et al. 2021,
          arXiv 2104.08691).
        - "prefix": keys and values of virtual tokens in every layer (Li & Liang 2021, arXiv 2101.00190), begun as the
          activations of the system message, without the paper's reparametrization.
    name
        What tables call the result, and the adapter's folder when it is stored.
    epochs, batch_size
        Passes over the examples, and examples a step.
    learning_rate
        The method's own (`methods.METHODS`) unless said otherwise: 2e-3 for LoRA, 2e-4 for full fine-tuning.
    rank
        How large the adapter is: the rank of LoRA's two matrices, whose update is scaled by alpha / rank = 2; the
        width of an adapter's bottleneck; the number of virtual tokens of "prompt" and "prefix", at most 256. Nothing
        for "full". Unless said otherwise it is 8, and on a large model 4, 2 or 1: halved until the adapter's numbers
        fit the shelf in bf16 (`shelf.MAX_BYTES`, 5 MB). A rank that is given is never changed.
    layers
        "all", or "upper" for the upper half of the layers alone: nothing flows back through the lower half. For
        "lora", "qlora" and "adapter".
    targets
        Which linear layers get LoRA, or an adapter behind the last of them: "all", "attention" or "mlp".
    order
        "length" puts examples of about one length into a batch, which saves padding; "random" puts together what chance
        does. By length, each stretch of up to fifty batches runs from its longest examples to its shortest: a short run
        that ends so may have forgotten the long ones.
    seed
        Of initialization and order; the session's unless said otherwise.
    checkpoint_every
        Steps between checkpoints. Adapters keep four a run; full runs (1.6 GB each) none unless said otherwise.
    from_shelf
        Take the stored adapter of this call, if there is one, although the session trains live: for the second and
        third model of a lesson that has five minutes. `COURSE_REPLAY=never` trains it all the same, unless that took
        more than ten minutes.
    held_out, every
        Examples to read while training, and how many steps apart (a tenth of the run unless said otherwise): see
        `Training.held_out`. Training itself and the adapter's key are the same with and without; a stored adapter
        brings what was read when it was recorded.
    """
    choose("method", method, METHODS)
    rate = METHODS[method].learning_rate if learning_rate is None else learning_rate
    numbers = {"epochs": epochs, "learning_rate": rate, "batch_size": batch_size, "seed": seed}
    place = {"layers": layers, "targets": targets, "order": order}
    known = RANK if rank is None else rank
    model, recipe = started("finetune", model, Recipe, method=method, rank=known, **numbers, **place)
    if rank is None and METHODS[method].placed:
        recipe = replace(recipe, rank=fitting_rank(trained_numbers(model, replace(recipe, rank=1))))
    rows = _checked(model, examples)
    if every is not None:
        whole_above_zero(every=every)
        if held_out is None:
            raise CourseError(f"every={every} says how often to read held_out examples: give held_out as well.")
    watched = None if held_out is None else _checked(model, held_out)
    job = prepared(
        model, recipe, rows, name or f"{method} fine-tuned", name=name, checkpoint_every=checkpoint_every,
        held_out=watched, every=every,
    )  # fmt: skip
    return job.result(find(job, from_shelf) or recorded(job, fit(job)))


def _checked(model: ChatModel, examples: Any) -> list[Example]:
    rows = check_examples(examples)
    for number, row in enumerate(rows):
        check_length(model.tokenizer, f"example {number}", row["prompt"], row["completion"])
    return rows
