"""The embedding model learns which passage belongs to a question; the one that it was made from stays as it was."""

import pytest

from course_lib.core import session
from course_lib.core.errors import CourseError, DataError, TrainingError
from course_lib.evaluation.exams import Question
from course_lib.retrieval.documents import Document
from course_lib.retrieval.embedder import Triple, finetune_embedder, hard_negatives

pytestmark = pytest.mark.usefixtures("plain_small_machine", "quick_collector")

# Questions share no word with their own passage and one word with the wrong one.
PAIRS = {"kettle": "steam", "goose": "feather", "lamp": "glow", "pump": "water"}
NAMES = list(PAIRS)
TRIPLES = [
    Triple(f"where is the {name}", f"it gives {PAIRS[name]}", f"nothing of the {name} but {PAIRS[NAMES[i - 1]]}")
    for i, name in enumerate(NAMES)
]


@pytest.fixture
def tiny_embedder():
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = sorted({word for t in TRIPLES for text in (t.question, t.positive, t.negative) for word in text.split()})
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(["?", *words])}, unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    torch.manual_seed(0)
    return SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_dim=16)], device="cpu")


def nearer(embedder):
    """For how many questions their own passage lies nearer than the hard negative."""
    count = 0
    for t in TRIPLES:
        asked, right, wrong = embedder.encode([t.question, t.positive, t.negative], normalize_embeddings=True)
        count += asked @ right > asked @ wrong
    return count


def test_after_training_questions_lie_nearer_to_their_own_passages_and_the_loss_fell(tiny_embedder, capfd):
    before = nearer(tiny_embedder)
    tuned = finetune_embedder(TRIPLES, tiny_embedder, epochs=30, learning_rate=0.05, batch_size=4)
    assert nearer(tuned) == len(TRIPLES) > before
    assert tuned.losses[-1][1] < tuned.losses[0][1] / 2
    assert len(tuned.losses) == 30
    assert nearer(tiny_embedder) == before, "the model that was given stays as it was"
    assert capfd.readouterr() == ("", ""), "nbval wants silence"


def test_the_same_seed_gives_the_same_model(tiny_embedder):
    first, second = (finetune_embedder(TRIPLES, tiny_embedder, epochs=2, batch_size=2, seed=3) for _ in range(2))
    assert first.losses == second.losses


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_in_sixteen_bits_it_is_trained_in_fp32_and_of_two_gpus_one_is_used(dtype, tiny_embedder, monkeypatch):
    import torch

    for device in ("cpu", "cuda"):  # bf16 is checked against the card that is there: none
        named = dtype if device == "cpu" else "float32"
        monkeypatch.setattr(session, "_current", session.Settings("laptop", device, named, 0, "off", ""))
        monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
        given = tiny_embedder.to(getattr(torch, dtype))
        tuned = finetune_embedder(TRIPLES, given, epochs=30, learning_rate=0.05, batch_size=4)
        assert {weight.dtype for weight in tuned.parameters()} == {torch.float32}
        assert {weight.dtype for weight in given.parameters()} == {getattr(torch, dtype)}
        assert tuned.losses[-1][1] < tuned.losses[0][1] / 2


@pytest.mark.parametrize("options", [{"epochs": 0}, {"batch_size": 1}, {"learning_rate": 0}])
def test_settings_that_make_no_sense_and_a_single_triple_are_refused(options, tiny_embedder):
    with pytest.raises(TrainingError, match="at least 1, at least 2, above 0"):
        finetune_embedder(TRIPLES, tiny_embedder, **options)
    with pytest.raises(DataError, match="1 triples: at least 2"):
        finetune_embedder(TRIPLES[:1], tiny_embedder)


# Hard negatives


@pytest.fixture
def index(index_of):
    return index_of(
        Document("tern-2", "Tern 2", "The kettle holds two litres."),
        Document("tern-3", "Tern 3", "The kettle holds three litres."),
        Document("geese", "Geese", "Eleven geese bite."),
    )


QUESTION = Question("q", "What does the kettle Tern 2 hold?", "two litres", source="tern-2")


def golden_of(index):
    return {QUESTION.question: [p for p in index.passages() if p.source == "tern-2"]}


def test_a_hard_negative_is_the_nearest_passage_that_is_not_the_right_one(index):
    (triple,) = hard_negatives([QUESTION], index, golden_of(index))
    assert triple == Triple(
        QUESTION.question, "Tern 2\nThe kettle holds two litres.", "Tern 3\nThe kettle holds three litres."
    )


def test_questions_without_a_page_and_libraries_of_one_are_refused(index):
    with pytest.raises(CourseError, match="question q has no golden passage"):
        hard_negatives([QUESTION], index, {})
    golden = golden_of(index)
    index.remove("tern-3", "geese")
    with pytest.raises(CourseError, match="no passage beside the right ones"):
        hard_negatives([QUESTION], index, golden)
