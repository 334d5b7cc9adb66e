"""A model card: what a model is, what it was trained on and how well it did, beside its weights.

Mitchell et al. 2019, *Model Cards for Model Reporting*, arXiv 1810.03993.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_lib.core.errors import CourseError, listed
from course_lib.core.session import ROOT
from course_lib.core.text import as_cell, as_path, write_text
from course_lib.evaluation.intervals import span
from course_lib.evaluation.reports import Report
from course_lib.models.chatmodel import ChatModel
from course_lib.models.students import DEFAULT

if TYPE_CHECKING:
    from course_lib.training.run import Training


HUB_OWNER = "HuggingFaceTB"  # who published what the course's package holds
TEMPLATE = ROOT / "data" / "model_card.md"


def write_model_card(
    folder: str | Path,
    model: ChatModel,
    reports: Sequence[Report],
    *,
    purpose: str,
    limits: str,
    data: str,
    licence: str = "apache-2.0",
) -> Path:
    """Write `README.md` beside a saved model, in the form that the Hugging Face hub, and people, read; return its path.

    Parameters
    ----------
    folder
        Where the model was saved.
    model
        What `finetune` made: its `training` says how.
    reports
        Of the exams that it sat, at least one.
    purpose, limits, data
        In a sentence or more: what it is for; what it was not tried on, or fails at; what it was trained on.
    licence
        The base's own may forbid some.
    """
    from huggingface_hub import EvalResult, ModelCard, ModelCardData

    training = getattr(model, "training", None)
    if training is None:
        raise CourseError(f"{getattr(model, 'name', model)!s:.60} was not fine-tuned: give what `cl.finetune` made.")
    reports = listed("reports", reports)
    if not reports:
        raise CourseError("a card without a measurement tells nobody anything: give at least one report.")
    for what, text in (("purpose", purpose), ("limits", limits), ("data", data)):
        if not text.strip():
            raise CourseError(f"{what} is empty: say it in a sentence.")
    results = [
        EvalResult(
            task_type="text-generation", dataset_type=_plain(report.exam), dataset_name=report.exam,
            metric_type="accuracy", metric_value=round(report.accuracy, 4),
        )
        for report in reports
    ]  # fmt: skip
    about = ModelCardData(
        language="en", license=licence, library_name="transformers", base_model=_hub_name(model.base),
        model_name=_plain(model.name), eval_results=results, tags=[training.recipe.method],
    )  # fmt: skip
    card = ModelCard.from_template(
        about, template_path=TEMPLATE, title=as_cell(model.name), purpose=purpose, limits=limits,
        training=_made(model, training, data), reports=[_row(report) for report in reports],
    )  # fmt: skip
    return write_text(as_path(folder) / "README.md", str(card).rstrip() + "\n")


def _made(model: ChatModel, training: Training, data: str) -> Mapping[str, Any]:
    recipe = training.recipe
    made = {
        "started from": model.base.partition("+")[0],
        "trained on": data,
        "method": f"{recipe.method}, rank {recipe.rank}, {recipe.targets} matrices, {recipe.layers} layers",
        "recipe": f"{recipe.epochs:g} epochs, learning rate {recipe.learning_rate:g}, batches of {recipe.batch_size}, "
        f"seed {recipe.seed}",
        "trained": f"{training.trainable:,} of {training.parameters:,} parameters on {training.tokens:,} tokens "
        f"in {training.seconds:.0f} s",
        "loss": f"{training.losses[0][1]:.3f} → {training.losses[-1][1]:.3f} in {len(training.losses)} steps",
    }
    return {what: as_cell(value) for what, value in made.items()}


def _row(report: Report) -> str:
    cells = (f"{report.accuracy:.2f}", span(*report.ci), f"{report.exact:.2f}", f"{report.unknown:.2f}", report.n)
    return " | ".join(map(as_cell, (report.exam, *cells)))


def _hub_name(base: str) -> str | None:
    """The base's name on the hub, of name@revision+what was trained on it; None if it came from a folder."""
    name = re.split(r"[@+]", base)[0]
    return f"{HUB_OWNER}/{name}" if name == DEFAULT.title else name if "/" in name else None


def _plain(name: str) -> str:
    return re.sub(r"[^\w.-]+", "-", name).strip("-.").lower()
