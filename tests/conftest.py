"""Small stand-ins that tests share: a tiny random Llama, a bag-of-words embedder, a cache folder of its own."""

from __future__ import annotations

import contextlib
import gc
import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from stand_ins import BagOfWordsEmbedder

from course_lib.core import journal
from course_lib.core import session as session_module
from course_lib.core.chat import Answer

# Property tests are quick, and draw the same examples everywhere.
settings.register_profile(
    "course", max_examples=40, deadline=None, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
settings.load_profile("course")

CHAT_TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


CACHE = os.environ.get("COURSE_CACHE", "")  # the learner's, before any test has one of its own
A_T4 = session_module.Settings("gpu", "cuda", "float16", 0, "off", "a test")


@pytest.fixture(autouse=True)
def quiet_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test has its own cache and its own learner, and starts without a session."""
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COURSE_PROGRESS", str(tmp_path / "progress.json"))
    monkeypatch.setattr(journal, "_unwritten", {})
    for name in ("REPLAY", "RECORD", "PROFILE", "MODEL", "DATA", "ADAPTERS", "ADAPTERS_USED", "PAGE", "STAGE"):
        monkeypatch.delenv(f"COURSE_{name}", raising=False)
    monkeypatch.setattr(session_module, "_current", None)


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> list[tuple[dict[str, Any], Any]]:
    """A kernel around the test: what is displayed is collected, each bundle with its widget."""
    import IPython
    import ipywidgets

    from course_lib.display.playground import VIEW

    shown: list[tuple[dict[str, Any], Any]] = []

    def display(bundle: dict[str, Any], raw: bool, display_id: bool = False) -> Any:
        assert raw
        made = ipywidgets.widgets.widget._instances
        shown.append((bundle, made[bundle[VIEW]["model_id"]] if VIEW in bundle else None))
        # What is updated is shown anew, in its place.
        place = len(shown) - 1
        return SimpleNamespace(update=lambda bundle, raw: shown.__setitem__(place, (bundle, None)))

    monkeypatch.setattr(IPython, "get_ipython", lambda: SimpleNamespace(kernel=object()))
    monkeypatch.setattr("IPython.display.display", display)
    return shown


@pytest.fixture
def notebook_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """As after `cl.start()` in a notebook: what is measured is kept."""
    started = session_module.Settings("laptop", "cpu", "float32", 0, "off", "a test", keeps_reports=True)
    monkeypatch.setattr(session_module, "_current", started)


@pytest.fixture
def small_disk() -> Any:
    """Files of more than so many bytes cannot be written, as on a disk that is nearly full."""
    resource = pytest.importorskip("resource", reason="limits on files are a matter of POSIX")

    @contextlib.contextmanager
    def limited(most: int = 20_000):
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    return limited


@pytest.fixture(scope="session")
def tiny_tokenizer() -> Any:
    """A byte-level tokenizer with the course's chat template: every text becomes its bytes."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    specials = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocab = {token: i for i, token in enumerate([*specials, *alphabet])}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|im_end|>", unk_token="<|endoftext|>",
        additional_special_tokens=["<|im_start|>"], padding_side="left",
    )  # fmt: skip
    fast.chat_template = CHAT_TEMPLATE
    return fast


@pytest.fixture
def tiny_model(tiny_tokenizer: Any) -> Any:
    """A ChatModel over a random Llama of two layers: everything works, nothing is known, in milliseconds."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from course_lib.models.chatmodel import ChatModel

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tiny_tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=4096, tie_word_embeddings=True,
        bos_token_id=1, eos_token_id=2, pad_token_id=2,
    )  # fmt: skip
    model = LlamaForCausalLM(config).eval().requires_grad_(False)
    return ChatModel(model, tiny_tokenizer, "tiny", "tiny@0")


@pytest.fixture
def talker(tiny_model):
    """The tiny model with weights so large that what it babbles depends on the prompt."""
    import torch

    torch.manual_seed(3)
    with torch.no_grad():
        for weights in tiny_model.model.parameters():
            if weights.dim() > 1:
                weights.normal_(0, 0.4)
    return tiny_model


@pytest.fixture(scope="session")
def packaged_in_fp16() -> Any:
    """The packaged model as a T4 has it; loaded once."""
    import torch

    from course_lib.models.loading import load_model
    from course_lib.models.students import DEFAULT

    if not torch.cuda.is_available():
        pytest.skip("torch finds no GPU here")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COURSE_CACHE", CACHE)
        patch.setattr(session_module, "_current", A_T4)
        return load_model(DEFAULT.name)


@pytest.fixture
def on_a_gpu(packaged_in_fp16: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The same, in a session as on a T4."""
    monkeypatch.setattr(session_module, "_current", A_T4)
    return packaged_in_fp16


@pytest.fixture(params=["tiny", pytest.param("gpu", marks=[pytest.mark.gpu, pytest.mark.model])])
def anywhere(request: pytest.FixtureRequest) -> Any:
    """A tiny model in this machine's session; and, where there is a GPU, the real one on it."""
    if request.param == "gpu":
        return request.getfixturevalue("on_a_gpu")
    request.getfixturevalue("plain_small_machine")
    return request.getfixturevalue("tiny_model")


@pytest.fixture
def small_embedder(monkeypatch: pytest.MonkeyPatch) -> BagOfWordsEmbedder:
    """What `build_index` embeds with, instead of the real model."""
    from course_lib.retrieval import index

    embedder = BagOfWordsEmbedder()
    monkeypatch.setattr(index, "load_embedder", lambda: embedder)
    return embedder


class RecordingModel:
    """Stands in for ChatModel: remembers what it was asked, and answers with a number."""

    def __init__(self) -> None:
        self.prompts: list[Any] = []
        self.limits: list[int] = []

    def reply(self, prompts: Any, max_new_tokens: int = 64) -> list[Any]:
        self.prompts += prompts
        self.limits.append(max_new_tokens)
        return [Answer(f"reply {i}", 10, 2, 0.5) for i, _ in enumerate(prompts)]


@pytest.fixture
def recording_model() -> RecordingModel:
    return RecordingModel()


@pytest.fixture
def a_learner_who_begins() -> Iterator[None]:
    """No exercise is solved yet; what a test registers besides is taken out again."""
    from course_lib.lessons import checks

    registered = dict(checks.CHECKS)
    yield
    checks.CHECKS.clear()
    checks.CHECKS.update(registered)


@pytest.fixture
def said(a_learner_who_begins: None, capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest) -> Any:
    """What `check` says to an attempt, in one line; a module's CONTEXT is what its notebook passes along."""
    from course_lib.lessons.checks import check

    usual = getattr(request.module, "CONTEXT", {})

    def say(key: str, attempt: Any, **context: Any) -> str:
        assert check(key, attempt, **(context or usual.get(key, {}))) is None
        out = capsys.readouterr().out
        assert out.count("\n") == 1, "one line"
        return out.strip()

    return say


@pytest.fixture(scope="module")
def quick_collector() -> Iterator[None]:
    """The trainer collects garbage once a run: among all that torch imports, that takes longer than the training."""
    import trl  # noqa: F401

    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def plain_small_machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """fp32 on one thread: the same losses everywhere, and two threads would only wait for each other."""
    import torch

    monkeypatch.setattr(session_module, "detect_machine", session_module.Machine)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Begin a new session with other environment variables; adapters are kept in a folder of the test's own."""
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "data"))

    def begin(**variables):
        for name in ("COURSE_REPLAY", "COURSE_RECORD"):
            monkeypatch.setenv(name, variables.get(name, ""))
        session_module._current = None

    begin()
    return begin


@pytest.fixture
def at_step(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Do something when a step's loss has been logged, before its checkpoint is written; the last call counts."""
    from course_lib.training.trainers import ProgressCallback

    log = ProgressCallback.on_log

    def install(action):
        def on_log(self, args, state, control, **options):
            log(self, args, state, control, **options)
            if "loss" in options["logs"]:  # the last log is a summary
                action(state.global_step)

        monkeypatch.setattr(ProgressCallback, "on_log", on_log)

    return install


ODD = (0, "text", b"", [], {}, [None], {"low": {}}, object(), float("nan"), len, [[]], [["a", 1]] * 3)


@pytest.fixture(params=ODD, ids=lambda odd: type(odd).__name__)
def odd(request: pytest.FixtureRequest) -> Any:
    """What nobody would answer to an exercise, and somebody does."""
    return request.param
