"""Reward models: one number for a reply, learned from which of two replies people preferred."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_lib.core.chat import Messages, Pair, asked_by, check_length, check_pairs, check_replies
from course_lib.core.errors import whole_above_zero
from course_lib.core.progress import Progress
from course_lib.evaluation.intervals import interval, span
from course_lib.models.chatmodel import ChatModel, save_plain
from course_lib.models.scoring import READING, in_batches
from course_lib.models.templates import chat_tokens
from course_lib.training.methods import REWARD_MODEL, Recipe
from course_lib.training.run import fit, prepared, started
from course_lib.training.shelf import find, recorded

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from peft import PeftModel
    from transformers import PreTrainedTokenizerBase

BINS = 5


@dataclass(frozen=True)
class PairReport:
    """What a reward model makes of pairs that somebody else has judged.

    `margins` are the scores of the chosen replies minus those of the rejected, (n,). Pairs of one prompt are one draw
    of a bootstrap.
    """

    name: str
    margins: np.ndarray = field(repr=False, compare=False)
    prompts: tuple[str, ...] = field(repr=False)

    @property
    def n(self) -> int:
        """Number of pairs."""
        return len(self.prompts)

    @property
    def accuracy(self) -> float:
        """Share of pairs in which the chosen reply scores higher, 0 to 1; a tie is not right."""
        return float(self.right.mean())

    @property
    def ci(self) -> tuple[float, float]:
        """95% interval of the accuracy."""
        return interval(self.right, self.prompts)

    @property
    def right(self) -> np.ndarray:
        """For each pair 1.0 or 0.0, (n,)."""
        return (self.margins > 0).astype(float)

    @property
    def confidence(self) -> np.ndarray:
        """Bradley-Terry probability of the reply that scores higher, σ(|margin|), 0.5 to 1, (n,)."""
        import numpy as np

        return 1 / (1 + np.exp(-np.abs(self.margins)))

    @property
    def calibration_error(self) -> float:
        """Expected calibration error: how far confidence and accuracy are apart, over bins of equal width, 0 to 1.

        Guo et al. 2017 (arXiv 1706.04599), equation 3, with `BINS` bins from 0.5 to 1.
        """
        table = self.calibration()
        return float((table["pairs"] * (table["right"] - table["confidence"]).abs()).sum() / self.n)

    def calibration(self) -> pd.DataFrame:
        """How sure against how often right: one row for each bin of confidence that holds a pair."""
        import numpy as np
        import pandas as pd

        edges = np.linspace(0.5, 1, BINS + 1)
        in_bin = np.clip(np.digitize(self.confidence, edges) - 1, 0, BINS - 1)
        rows = []
        for number in sorted(set(in_bin.tolist())):
            chosen = in_bin == number
            low, high = interval(self.right[chosen], [p for p, here in zip(self.prompts, chosen) if here])
            rows.append(
                {"between": span(edges[number], edges[number + 1]), "confidence": float(self.confidence[chosen].mean()),
                 "right": float(self.right[chosen].mean()), "low": low, "high": high, "pairs": int(chosen.sum())}
            )  # fmt: skip
        return pd.DataFrame(rows).set_index("between")

    def __str__(self) -> str:
        return (
            f"{self.name}: {self.accuracy:.2f} of the pairs right ({span(*self.ci)}, n = {self.n}), expected "
            f"calibration error {self.calibration_error:.2f}"
        )


@dataclass
class RewardModel:
    """A language model with one output number in place of the vocabulary; made by `train_reward_model`.

    It is itself a function from prompts and replies to rewards, as `cl.reinforce` takes one.
    """

    model: PeftModel  # around a transformers sequence classifier with one label
    tokenizer: PreTrainedTokenizerBase
    name: str
    base: str  # which weights it started from, and the key of the call that made it
    system: str  # the system message that a bare question gets
    # How it was made; its `curves` are the margin and the accuracy of each step's batch.
    training: Any = field(default=None, repr=False)

    def score(self, prompts: Sequence[str | Messages], replies: Sequence[str], batch_size: int = 32) -> np.ndarray:
        """The reward of each of n replies to its prompt, (n,); `batch_size` are read at once.

        Only differences mean something, and only between replies to one prompt: σ(difference) is the probability that
        people prefer the first (Bradley & Terry 1952).
        """
        import numpy as np
        import torch

        whole_above_zero(batch_size=batch_size)
        read = check_replies(self, prompts, replies)
        for number, chat in enumerate(read):
            check_length(self.tokenizer, f"reply {number}", *chat)
        encoded = [chat_tokens(self.tokenizer, prompt + reply) for prompt, reply in read]
        found = np.zeros(len(encoded))
        self.model.eval()
        with torch.inference_mode(), Progress(READING, len(encoded)) as bar:
            for members, (ids, mask, _) in in_batches([(ids, 0) for ids in encoded], batch_size, self):
                scores = self.model(input_ids=ids, attention_mask=mask).logits[:, 0]  # (B,)
                found[members] = scores.float().cpu().numpy()
                bar.advance(len(members))
        return found

    __call__ = score

    def grade(self, pairs: Sequence[Pair], name: str | None = None) -> PairReport:
        """Score pairs that it should not have been trained on, and compare."""
        rows = check_pairs(pairs, self.tokenizer)
        prompts = [row["prompt"] for row in rows]
        chosen, rejected = (
            self.score(prompts, [row[part][-1]["content"] for row in rows]) for part in ("chosen", "rejected")
        )
        return PairReport(name or self.name, chosen - rejected, tuple(asked_by(rows)))

    def save(self, folder: str | Path) -> Path:
        """Save as a plain PEFT folder."""
        return save_plain(self.model, self.tokenizer, folder)


def train_reward_model(
    model: ChatModel,
    pairs: Sequence[Pair],
    *,
    name: str | None = None,
    epochs: float = 1,
    learning_rate: float = 5e-4,
    batch_size: int = 8,
    rank: int = 8,
    layers: str = "all",
    targets: str = "all",
    seed: int | None = None,
    checkpoint_every: int | None = None,
    from_shelf: bool = False,
) -> RewardModel:
    """Train a model of what people prefer: LoRA on a copy of a language model, with one output number on top.

    The loss of a pair is −log σ(score of the chosen reply − score of the rejected), the model of Bradley & Terry (1952)
    as Ouyang et al. 2022 (arXiv 2203.02155) use it. The number is read where the reply ends. Interrupted runs,
    `COURSE_REPLAY`, `COURSE_RECORD` and the shelf work as with `cl.finetune`.

    Parameters
    ----------
    model
        Where to start; it stays as it was. An adapter on it is merged first.
    pairs
        Rows of {"prompt": messages, "chosen": messages, "rejected": messages}; `cl.pair` makes one.
    epochs, batch_size, learning_rate
        Passes over the pairs; pairs a step; AdamW's, with linear decay.
    name, rank, layers, targets, seed, checkpoint_every, from_shelf
        As in `cl.finetune`.
    """
    numbers = {"epochs": epochs, "learning_rate": learning_rate, "batch_size": batch_size, "rank": rank, "seed": seed}
    place = {"layers": layers, "targets": targets, "order": "random"}
    model, recipe = started("train_reward_model", model, Recipe, objective=REWARD_MODEL, **numbers, **place)
    rows = check_pairs(pairs, model.tokenizer)
    label = name or f"reward model of {len(rows)} pairs"
    job = prepared(model, recipe, rows, label, name=name, checkpoint_every=checkpoint_every)
    made = find(job, from_shelf) or recorded(job, fit(job))
    return RewardModel(made.weights, model.tokenizer, label, f"{model.base}+{job.key}", model.system, made.training)
