"""Where models come from: the package, the hub, a folder, or random numbers; and the embedding model."""

from __future__ import annotations

import copy
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_lib.core.errors import ModelError, choose, disk_explained
from course_lib.core.progress import Progress
from course_lib.core.secrets import quotable, without_secrets
from course_lib.core.session import Settings, current
from course_lib.core.text import as_path, say
from course_lib.models.chatmodel import ChatModel, stop_tokens
from course_lib.models.packaged import embedder_folder
from course_lib.models.quantization import keep_layout, nf4_config
from course_lib.models.students import DEFAULT, STUDENTS, Student, weights_folder
from course_lib.models.templates import CHAT, chat_tokens, settle_template

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

A_HUB_ID = "HuggingFaceTB/SmolLM2-360M-Instruct"

# The siblings as they were when the course was written: a commit each, so that two learners get the same weights.
REVISIONS = {
    "HuggingFaceTB/SmolLM2-135M-Instruct": "12fd25f77366fa6b3b4b768ec3050bf629380bac",
    A_HUB_ID: "a10cc1512eabd3dde888204e902eca88bddb4951",
    "HuggingFaceTB/SmolLM2-1.7B-Instruct": "31b70e2e869a7173562077fd711b654946d38674",
}

QUANTIZATIONS = ("nf4",)

NO_GGUF = "the course reads only its own; take the folder with safetensors that it was made from."

MERGED = "save what `cl.merged(model)` gives, or make the call that trained it with from_shelf=True."

# Adapters that transformers puts into no model.
VIRTUAL = ("PROMPT_TUNING", "PREFIX_TUNING", "P_TUNING", "BOTTLENECK")


def load_model(
    name: str | Path | None = None, quantization: str | None = None, revision: str | None = None
) -> ChatModel:
    """Load a chat model, ready to answer.

    Parameters
    ----------
    name
        None for what COURSE_MODEL names, else the course's own student, SmolLM2-135M-Instruct, on every device. Or
        "smollm2-135m", "qwen-0.5b", "qwen-1.5b" (fetched when first asked for); a hub id; the path of a folder with a
        causal LM and a chat template. What a template lacks is mended (`templates`): a system
        message that it refuses goes before the first question, a model that thinks unless told otherwise is told so.
    quantization
        None, or "nf4" for bitsandbytes 4-bit NormalFloat weights (Dettmers et al. 2023, arXiv 2305.14314).
    revision
        For a hub id: which commit. SmolLM2's instruction-tuned siblings are pinned to the commits that the course was
        written with, unless another is given.
    """
    settings = current()
    if quantization is not None:
        choose("quantization", quantization, QUANTIZATIONS)
    if name is None:
        name = os.environ.get("COURSE_MODEL") or DEFAULT.name
    with Progress(f"Loading {name}", 0):
        return _loaded(name, settings, quantization, revision)


def _loaded(name: Any, settings: Settings, quantization: str | None, revision: str | None) -> ChatModel:
    for student in STUDENTS.values():
        if str(name) in (student.name, student.title):
            return _load_student(student, settings, quantization)
    if not isinstance(name, (str, Path)) or not str(name).strip():
        raise ModelError(f"a model is a hub id like {A_HUB_ID} or a folder, not {name!r}.")
    source = as_path(name)
    if (source / "adapter_config.json").is_file():
        return _load_adapter(source, settings, quantization)
    if source.is_dir():
        # The digest, because adapters and checkpoints are kept by base: two folders may have one name.
        return _load(source, source.name, f"{source.name}@{_weights_digest(source)}", settings, quantization)
    if source.is_file() and source.suffix == ".gguf":
        raise ModelError(f"{name} is a GGUF file: {NO_GGUF}")
    if source.is_absolute() or str(name).startswith("."):
        raise ModelError(
            f"no folder {name}: give a folder with config.json and safetensors, or a hub id like {A_HUB_ID}."
        )
    return _load_from_hub(str(name), settings, quantization, revision)


def untrained(model: ChatModel, seed: int = 0) -> ChatModel:
    """The same architecture and tokenizer with random weights, as they are before pretraining; the model is left alone.

    The same seed gives the same weights.
    """
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        fresh = type(model.model)(copy.deepcopy(model.model.config))
    fresh.generation_config = copy.deepcopy(model.model.generation_config)
    fresh.to(device=model.model.device, dtype=model.model.dtype).requires_grad_(False)
    read_in_order(fresh)
    return ChatModel(fresh.eval(), model.tokenizer, f"untrained {model.name}", f"untrained-{seed}", model.system)


def read_in_order(model: Any) -> None:
    """Have the output layer's input lie in order in memory.

    Of a batch of prompts, generation asks it about the last token of each, which lie apart. torch 2.13 then copies a
    frozen layer once for each prompt: for 32 prompts and a vocabulary of 151,936 that is 9 GB, and four fifths of an
    answer's time (see tests/benchmarks).
    """
    model.get_output_embeddings().register_forward_pre_hook(_in_order)


def _in_order(_: Any, read: tuple[Any, ...]) -> tuple[Any, ...]:
    return read[0].contiguous(), *read[1:]


def load_embedder() -> SentenceTransformer:
    """all-MiniLM-L6-v2 (22.7M parameters, 384 dimensions, 256 tokens), out of its package, on the session's device."""
    folder = embedder_folder()
    with Progress("Loading the embedding model", 0):
        from sentence_transformers import SentenceTransformer

        return SentenceTransformer(str(folder), device=current().device, local_files_only=True)


def _load_student(student: Student, settings: Settings, quantization: str | None) -> ChatModel:
    folder = weights_folder(student)
    try:
        return _load(folder, student.title, student.base, settings, quantization)
    except ModelError as error:
        if isinstance(error.__cause__, (ImportError, MemoryError)):  # no fault of the copy
            raise
        # The copy in the cache is damaged (a disk fault, a file deleted by hand): it can be made again.
        return _load(weights_folder(student, again=True), student.title, student.base, settings, quantization)


def _load_from_hub(hub_id: str, settings: Settings, quantization: str | None, revision: str | None) -> ChatModel:
    revision = revision or REVISIONS.get(hub_id)
    base = f"{hub_id}@{revision or 'main'}"
    return _load(hub_id, hub_id.split("/")[-1], base, settings, quantization, revision)


def _load(
    source: str | Path, name: str, base: str, settings: Settings, quantization: str | None,
    revision: str | None = None, words: Path | None = None,
) -> ChatModel:  # fmt: skip
    """A model out of a folder or the hub, its tokenizer out of `words` if that is another folder."""
    import torch
    from transformers import AutoTokenizer

    dtype = getattr(torch, settings.dtype)
    plain: dict[str, Any] = {"trust_remote_code": False} | ({"revision": revision} if revision else {})
    options = {"quantization_config": nf4_config(dtype), "device_map": settings.device} if quantization else {}
    try:  # what the small files say is looked at before gigabytes are fetched
        if isinstance(source, Path):
            _check_folder(source)
        kind = _causal_class(name, source, plain)
        tokenizer = AutoTokenizer.from_pretrained(words or source, padding_side="left", **plain)
        ends_a_turn = settle_template(tokenizer, name)
        model, report = kind.from_pretrained(
            source, dtype=dtype, use_safetensors=True, output_loading_info=True, **plain, **options
        )
    except ModelError:
        raise
    except Exception as error:  # transformers, safetensors and the hub client raise a dozen kinds
        raise ModelError(_explain_load_failure(source, error)) from quotable(error)
    if lacking := sorted(report["missing_keys"]):  # transformers would fill them with random numbers
        raise ModelError(f"{source} lacks {len(lacking)} weights of the model ({lacking[0]}): make or fetch it again.")
    _fit_together(name, model, tokenizer, ends_a_turn)
    if not quantization:
        model.to(settings.device)
    model.requires_grad_(False)
    keep_layout(model)
    read_in_order(model)
    loaded = ChatModel(model.eval(), tokenizer, name, base + (f"+{quantization}" if quantization else ""))
    if settings.dtype == "float16" and not _finite(loaded):
        say(f"{name} computes numbers that fp16 cannot hold: it is loaded in fp32, twice as large.")
        return _load(source, name, base, replace(settings, dtype="float32"), quantization, revision, words)
    return loaded


def _load_adapter(folder: Path, settings: Settings, quantization: str | None) -> ChatModel:
    """A saved adapter on the model that it was made for, with its own tokenizer if it has one."""
    from peft import PeftModel

    files = {path.name for path in folder.iterdir()}
    cannot = f"{folder} holds an adapter, and the model it was made for cannot be loaded from here: {MERGED}"
    try:
        about = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
        base, task, kind = (about.get(key) for key in ("base_model_name_or_path", "task_type", "peft_type"))
    except (OSError, ValueError, AttributeError) as error:
        raise ModelError(cannot) from error
    if task not in (None, "CAUSAL_LM"):
        raise ModelError(f"{folder} holds an adapter for {task}, not one that writes: make it again where it is used.")
    if kind in VIRTUAL:
        raise ModelError(f"{folder} holds an adapter of the kind {kind}: make the call that trained it again.")
    if not base:
        raise ModelError(f"{folder} holds an adapter, and does not name the model it was made for: {MERGED}")
    words = folder if files & {"tokenizer.json", "tokenizer_config.json"} else None
    source = as_path(base) if as_path(base).is_dir() else base
    revision = None if isinstance(source, Path) else about.get("revision") or REVISIONS.get(base)
    called = f"{source.name}@{_weights_digest(source)}" if isinstance(source, Path) else f"{base}@{revision or 'main'}"
    try:
        start = _load(source, folder.name, called, settings, quantization, revision, words)
        if "adapter_model.safetensors" not in files:  # PEFT would take a pickle
            raise ModelError(f"{folder} lacks adapter_model.safetensors.")
        tuned = PeftModel.from_pretrained(start.model, folder, torch_device=str(start.model.device))
    except Exception as error:  # PEFT raises what torch and safetensors raise
        raise ModelError(cannot) from quotable(error)
    return replace(start, model=tuned.requires_grad_(False).eval(), base=f"{start.base}+{_weights_digest(folder)}")


def _check_folder(folder: Path) -> None:
    """Say what a folder without a configuration is."""
    files = {path.name for path in folder.iterdir()}
    if "config.json" not in files:
        gguf = any(file.endswith(".gguf") for file in files)
        why = f"it has a GGUF file: {NO_GGUF}" if gguf else "it has no config.json." if files else "it is empty."
        raise ModelError(f"{folder} does not hold a causal LM with safetensors weights and a tokenizer: {why}")


def _causal_class(name: str, source: str | Path, plain: dict[str, Any]) -> Any:
    """Which of transformers' classes loads the model; refuses what is no causal LM, or is quantized already."""
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText
    from transformers.models.auto import modeling_auto

    try:
        config = AutoConfig.from_pretrained(source, **plain)
    except Exception:  # what it lacks is said when the weights are asked for
        return AutoModelForCausalLM
    quantized = getattr(config, "quantization_config", None) or {}
    if quantized and not dict(quantized).get("load_in_4bit"):
        how = str(dict(quantized).get("quant_method") or "bitsandbytes, in 8 bits").upper()
        raise ModelError(
            f"{name} is quantized already ({how}), and cannot be trained here: take the model that it was made from, "
            "with quantization='nf4' for four bits."
        )
    causal, seeing = (
        getattr(modeling_auto, f"MODEL_FOR_{kind}_MAPPING_NAMES") for kind in ("CAUSAL_LM", "IMAGE_TEXT_TO_TEXT")
    )
    names = set(getattr(config, "architectures", None) or [])
    writes = any(name.endswith(("ForCausalLM", "LMHeadModel")) for name in names) or not names
    for known, kind in ((causal, AutoModelForCausalLM), (seeing, AutoModelForImageTextToText)):
        if config.model_type in known and not config.is_encoder_decoder and (writes or names & set(known.values())):
            return kind
    raise ModelError(
        f"{name} is no causal LM but {', '.join(names) or config.model_type}: choose a model that writes on from a "
        "prompt, its class often ends in ForCausalLM."
    )


def _fit_together(name: str, model: Any, tokenizer: Any, ends_a_turn: int | None) -> None:
    """See to it that weights and tokenizer belong together, and know how a reply ends and what to pad with."""
    rows = model.get_input_embeddings().weight.shape[0]
    used = set(chat_tokens(tokenizer, CHAT))
    if len(tokenizer) > rows:
        used |= set(tokenizer.get_vocab().values()) - set(tokenizer.get_added_vocab().values())
    if max(used) >= rows:
        raise ModelError(
            f"{name}'s tokenizer knows {len(tokenizer):,} tokens and its weights {rows:,}: they do not belong together."
        )
    known = model.generation_config.eos_token_id
    ends = stop_tokens(ends_a_turn, tokenizer.eos_token_id, known)
    if not ends:
        raise ModelError(f"{name} names no token that ends a reply: give its tokenizer_config.json an eos_token.")
    if ends != stop_tokens(known):
        model.generation_config.eos_token_id = sorted(ends)
    if tokenizer.eos_token is None:
        tokenizer.eos_token = tokenizer.convert_ids_to_tokens(min(ends) if ends_a_turn is None else ends_a_turn)
    if tokenizer.pad_token is None or tokenizer.pad_token_id >= rows:
        tokenizer.pad_token = tokenizer.eos_token


def _finite(model: ChatModel) -> bool:
    """Whether a chat's logits are numbers."""
    import torch

    chat = [*CHAT[:1], {"role": "user", "content": "Why is the sky blue? " * 20}, *CHAT[2:]]
    ids = torch.tensor([chat_tokens(model.tokenizer, chat)], device=model.model.device)
    with torch.inference_mode():
        return bool(model.model(input_ids=ids).logits.isfinite().all())


def _explain_load_failure(source: str | Path, error: Exception) -> str:
    from huggingface_hub.errors import GatedRepoError, HFValidationError, RepositoryNotFoundError, RevisionNotFoundError

    text = " ".join(without_secrets(f"{type(error).__name__}: {error}").split())[:200]
    if isinstance(error, ImportError):
        return f"{source} needs a package that is not installed ({text}): install requirements.txt again."
    if isinstance(source, Path):
        return f"{source} does not hold a causal LM with safetensors weights and a tokenizer ({text})."
    causes = list(_causes(error))  # transformers wraps what the hub client raised
    said = {
        GatedRepoError: f"{source} is gated: accept its licence on its hub page and log in with `hf auth login`.",
        RevisionNotFoundError: f"the hub's {source} has no such revision: look it up under Files > History.",
        RepositoryNotFoundError: f"the hub has no model {source}, or it is private: check the spelling, owner/name.",
        HFValidationError: f"{source} is neither a folder here nor a hub id: those read owner/name.",
    }
    for kind, sentence in said.items():
        if any(isinstance(cause, kind) for cause in causes):
            return sentence
    return f"cannot load {source} from the hub, is there a network? ({text})"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _weights_digest(folder: Path) -> str:
    """First 8 hex digits of the SHA-256 of a folder's safetensors."""
    digest = hashlib.sha256()
    with disk_explained(folder, "look whether the files can be read"):
        for path in sorted(folder.glob("*.safetensors")):
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:8]
