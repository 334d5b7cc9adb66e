"""The embedding model trained on a library's own questions, by sentence-transformers, against hard negatives."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from course_lib.core.errors import CourseError, DataError, TrainingError
from course_lib.core.progress import Progress
from course_lib.core.session import current
from course_lib.evaluation.exams import Question
from course_lib.models.loading import load_embedder
from course_lib.retrieval.documents import Passage
from course_lib.retrieval.index import Retriever

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


@dataclass(frozen=True)
class Triple:
    """A question, the passage that answers it, and one that looks as if it did."""

    question: str
    positive: str
    negative: str


def hard_negatives(
    questions: Sequence[Question], retriever: Retriever, golden: Mapping[str, Sequence[Passage]]
) -> list[Triple]:
    """For each question a triple, the negative being the best-ranked passage that is not its own."""
    found = retriever.search_many([q.question for q in questions], 2)
    triples = []
    for question, passages in zip(questions, found):
        if not golden.get(question.question):
            raise CourseError(f"question {question.id} has no golden passage: make them from the same exam.")
        page = golden[question.question][0]
        others = [p for p in passages if p.id != page.id][:1]
        triples += [Triple(question.question, page.searched, other.searched) for other in others]
    if not triples:
        raise CourseError("there is no passage beside the right ones: nothing to tell them from.")
    return triples


def finetune_embedder(
    triples: Sequence[Triple],
    embedder: SentenceTransformer | None = None,
    *,
    epochs: int = 1,
    learning_rate: float = 5e-5,
    batch_size: int = 16,
    seed: int = 0,
) -> SentenceTransformer:
    """Train a copy of an embedding model so that questions lie nearer to their own passages than to others.

    The loss is sentence-transformers' `MultipleNegativesRankingLoss` (Henderson et al. 2017, arXiv 1705.00652): each
    question must find its passage among all passages of its batch, its own hard negative included; a larger batch makes
    the choice harder. `embedder`, the course's by default, stays as it was. Attribute `losses` of what comes back holds
    (step, loss) pairs.
    """
    if len(triples) < 2:
        raise DataError(f"{len(triples)} triples: at least 2 are needed, so that there is something to choose from.")
    if epochs < 1 or batch_size < 2 or not learning_rate > 0:
        raise TrainingError(
            f"epochs {epochs}, batch_size {batch_size}, learning_rate {learning_rate}: at least 1, at least 2, above 0."
        )
    import datasets
    from sentence_transformers import SentenceTransformerTrainer
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
    from transformers import PrinterCallback, set_seed

    from course_lib.training.trainers import ProgressCallback

    class PlainTrainer(SentenceTransformerTrainer):
        def add_model_card_callback(self, *_: object) -> None:
            """No model card is wanted: making its examples draws a bar."""

    datasets.disable_progress_bars()
    set_seed(seed)
    tuned = copy.deepcopy(embedder if embedder is not None else load_embedder()).float()  # see `trainers.KeptSimple`
    rows = datasets.Dataset.from_list(
        [{"anchor": t.question, "positive": t.positive, "negative": t.negative} for t in triples]
    )
    with tempfile.TemporaryDirectory() as folder, Progress("Training the embedding model", 0) as bar:
        trainer = PlainTrainer(
            model=tuned,
            args=_arguments(folder, epochs, learning_rate, batch_size, seed),
            train_dataset=rows,
            loss=MultipleNegativesRankingLoss(tuned),
        )
        trainer.remove_callback(PrinterCallback)
        progress = ProgressCallback(bar)
        trainer.add_callback(progress)
        trainer.train()
    tuned.eval()
    tuned.losses = tuple(progress.losses)
    return tuned


def _arguments(folder: str, epochs: int, learning_rate: float, batch_size: int, seed: int) -> object:
    from sentence_transformers import SentenceTransformerTrainingArguments

    from course_lib.training.trainers import on_one_gpu

    settings = current()
    arguments = SentenceTransformerTrainingArguments(
        output_dir=folder,
        num_train_epochs=epochs,
        per_device_train_batch_size=batch_size,
        learning_rate=learning_rate,
        warmup_steps=0.1,
        # The same passage twice in a batch would be right and wrong at once.
        batch_sampler="no_duplicates",
        bf16=settings.dtype == "bfloat16",
        fp16=settings.dtype == "float16",
        use_cpu=settings.device == "cpu",
        dataloader_pin_memory=settings.device == "cuda",
        logging_steps=1,
        logging_nan_inf_filter=False,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        seed=seed,
    )
    return on_one_gpu(arguments)
