"""Answering speed: the course's batches against transformers' `generate` and the limit, as ratios in one run.

    python tests/benchmarks/answering_speed.py [--student qwen-0.5b] [--questions 48] [--rounds 3] [--keep]

Every contender answers the same handbook questions with the right page before it, greedily, in up to 24 tokens. The
limit is 2 N for each token read or written, over the speed of this machine's own matrix products.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable

import torch
from contest import contest, options

import course_lib as cl
from course_lib.costs.bills import generation_flops
from course_lib.costs.memory import model_shape
from course_lib.models.chatmodel import pad_left

NEW = 24  # tokens


def by_generate(model: cl.ChatModel, prompts: list[str], at_once: int) -> list[int]:
    """As the documentation of transformers has it: padded on the left, in the order in which they come."""
    written = []
    for i in range(0, len(prompts), at_once):
        encoded = [model.encode(prompt) for prompt in prompts[i : i + at_once]]
        ids, mask = pad_left(encoded, model.tokenizer.pad_token_id, model.model.device)
        with torch.inference_mode():
            out = model.model.generate(
                input_ids=ids, attention_mask=mask, max_new_tokens=NEW, do_sample=False,
                pad_token_id=model.tokenizer.pad_token_id,
            )  # fmt: skip
        written += [len(model.ended(row)) for row in out[:, ids.shape[1] :].tolist()]
    return written


def by_course(model: cl.ChatModel, prompts: list[str]) -> list[int]:
    return [answer.completion_tokens for answer in model.reply(prompts, NEW)]


def timed(answer: Callable[[], list[int]]) -> tuple[float, str]:
    started = time.perf_counter()
    written = answer()
    return time.perf_counter() - started, f"{sum(written):,} tokens written"


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--questions", type=int, default=48)
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    cl.start()
    model, exam = cl.load_model(asked.student), cl.load_exam("handbook").sample(asked.questions)
    pages = cl.golden_passages(exam, cl.build_index("data/library"))
    prompts = [cl.reading_prompt(q.question, pages[q.question]) for q in exam]
    read = [len(model.encode(prompt)) for prompt in prompts]
    written, shape = by_course(model, prompts), model_shape(model)  # also the first run, which is slower
    flops = sum(generation_flops(shape, many, few) for many, few in zip(read, written))
    contenders = {
        "generate, one by one": lambda: timed(lambda: by_generate(model, prompts, 1)),
        "generate, eight at once": lambda: timed(lambda: by_generate(model, prompts, 8)),
        "course_lib": lambda: timed(lambda: by_course(model, prompts)),
    }
    work = f"{len(prompts)} questions with the right page, {sum(read):,} tokens read, {sum(written):,} written"
    contest("answering", work, contenders, asked, flops)


if __name__ == "__main__":
    main()
