"""What drawings say of the default student, asked of the student itself, in fp32 on the CPU.

    python images/student.py

Writes `images/student.json`: the model's shape, the likeliest next tokens in the middle of an answer, and the loss on
one letter before and after one step of training, made as in lesson 01.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
QUESTION, BEGINNING = "What is the capital of Italy?", "The capital of Italy is"
LETTER, RATE = "t-deliveries-31a", 0.002
SHAPE = (
    "num_hidden_layers", "hidden_size", "intermediate_size", "num_attention_heads", "num_key_value_heads",
    "vocab_size", "tie_word_embeddings",
)  # fmt: skip


def shape(model: Any) -> dict[str, int]:
    """What the model's own configuration says, and how many numbers it holds."""
    count = sum(weights.numel() for weights in model.model.parameters())
    return {name: getattr(model.config, name) for name in SHAPE} | {"parameters": count}


def next_tokens(model: Any, count: int = 4) -> list[list[Any]]:
    """The likeliest tokens after the beginning of the answer, each with its probability."""
    return [[token, round(share, 3)] for token, share in model.next_tokens(QUESTION, count, BEGINNING)]


def one_step(model: Any) -> dict[str, Any]:
    """A letter, the tokens that are learned of it, and its loss before and after a step. Changes the model."""
    import torch

    from course_lib.lessons import tickets
    from course_lib.models import scoring

    ticket = next(ticket for ticket in tickets.load_tickets("train") if ticket.id == LETTER)
    ids, begins = scoring.encode_example(model, "the letter", ticket.as_example())
    answer = model.ended(ids[begins:])
    weights = model.model.requires_grad_(True)

    def surprise() -> torch.Tensor:
        logits = weights(torch.tensor([ids[:begins] + answer])).logits[0, begins - 1 : -1]
        return torch.nn.functional.cross_entropy(logits, torch.tensor(answer))

    before = surprise()
    before.backward()
    torch.optim.SGD(weights.parameters(), RATE).step()
    with torch.no_grad():
        after = surprise()
    learned = [model.tokenizer.decode([token]) for token in answer]
    return {
        "letter": LETTER, "message": ticket.message, "desk": ticket.desk, "prompt_tokens": begins, "learned": learned,
        "loss": [round(before.item(), 2), round(after.item(), 2)],
    }  # fmt: skip


def load() -> Any:
    """The default student in fp32, on the CPU."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from course_lib.models.chatmodel import ChatModel
    from course_lib.models.students import DEFAULT, weights_folder

    folder = weights_folder(DEFAULT)
    plain = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    return ChatModel(plain.eval(), AutoTokenizer.from_pretrained(folder), DEFAULT.title, DEFAULT.base)


def main() -> None:
    model = load()
    told = {"shape": shape(model), "next": {"question": QUESTION, "beginning": BEGINNING, "likely": next_tokens(model)}}
    told["step"] = one_step(model)
    (HERE / "student.json").write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
