"""How far a batch of prompts has come while a model reads and answers it: told layer by layer to a progress bar."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from course_lib.core.progress import Progress

# A token that is written takes about as long as so many that are read: 64 replies at once, on two CPU cores.
WRITING = 2


class Followed:
    """One batch under way. As a context it listens to the model's layers; as a stopping criterion it counts the replies
    that have ended, and stops nothing.

    A batch is one piece of work to the model, and takes a minute; its layers are passed every second or so.
    """

    def __init__(
        self, model: Any, progress: Progress, batch: Sequence[Sequence[int]], max_new_tokens: int, stops: set[int]
    ) -> None:
        self.progress, self.first, self.rows, self.stops = progress, progress.done, len(batch), stops
        self.work = len(batch) * (max(map(len, batch)) + WRITING * max_new_tokens)  # if no reply ends early
        self.layers, self.seen, self.ended = layers_of(model), 0.0, set[int]()

    def __enter__(self) -> Followed:
        self.hooks = [layer.register_forward_hook(self._passed) for layer in self.layers]
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        for hook in self.hooks:
            hook.remove()
        if error is None:
            self.progress.reach(self.first + self.rows, self.first + self.rows)

    def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:
        import torch

        self.ended |= {row for row, token in enumerate(input_ids[:, -1].tolist()) if token in self.stops}
        return torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)

    def _passed(self, layer: Any, inputs: Any, output: Any) -> None:
        rows, tokens = (output[0] if isinstance(output, tuple) else output).shape[:2]
        self.seen += rows * tokens * (1 if tokens > 1 else WRITING) / len(self.layers)
        share = min(self.seen / self.work, 1)
        self.progress.reach(self.first + share * self.rows, self.first + len(self.ended))


def layers_of(model: Any) -> Sequence[Any]:
    """A language model's layers, in order; nothing where they do not stand in one list."""
    from torch.nn import ModuleList

    if not hasattr(model, "config"):
        return ()
    depth = getattr(model.config.get_text_config(), "num_hidden_layers", 0)
    return next((part for part in model.modules() if isinstance(part, ModuleList) and len(part) == depth), ())
