"""Where models come from: the package, the hub, a folder, or random numbers; and the embedding model."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_lib.core.errors import ModelError, choose, disk_explained
from course_lib.core.secrets import quotable, without_secrets
from course_lib.core.session import Settings, current
from course_lib.core.text import as_path, say
from course_lib.models.chatmodel import ChatModel
from course_lib.models.packaged import GGUF_SHA256, PACKAGED_MODEL, dequantized_folder, embedder_folder
from course_lib.models.quantization import keep_layout, nf4_config

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

GPU_MODEL = "HuggingFaceTB/SmolLM2-360M-Instruct"

# The siblings as they were when the course was written: a commit each, so that two learners get the same weights.
REVISIONS = {
    "HuggingFaceTB/SmolLM2-135M-Instruct": "12fd25f77366fa6b3b4b768ec3050bf629380bac",
    GPU_MODEL: "a10cc1512eabd3dde888204e902eca88bddb4951",
    "HuggingFaceTB/SmolLM2-1.7B-Instruct": "31b70e2e869a7173562077fd711b654946d38674",
}

QUANTIZATIONS = ("nf4",)


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
        For a hub id: which commit. SmolLM2's instruction-tuned siblings are pinned to the commits that the course was
        written with, unless another is given.
    """
    settings = current()
    if quantization is not None:
        choose("quantization", quantization, QUANTIZATIONS)
    if name is None and settings.profile == "gpu":
        try:
            return _load_from_hub(GPU_MODEL, settings, quantization, revision)
        except ModelError as error:
            say(f"{error} Using the packaged {PACKAGED_MODEL} on the GPU instead.")
    if name is None or str(name) == PACKAGED_MODEL:
        return _load_packaged(settings, quantization)
    if not isinstance(name, (str, Path)) or not str(name).strip():
        raise ModelError(f"a model is a hub id like {GPU_MODEL} or a folder, not {name!r}.")
    source = as_path(name)
    if source.is_dir():
        # The digest, because adapters and checkpoints are kept by base: two folders may have one name.
        return _load(source, source.name, f"{source.name}@{_weights_digest(source)}", settings, quantization)
    if source.is_absolute() or str(name).startswith("."):
        raise ModelError(
            f"no folder {name}: give a folder with config.json and safetensors, or a hub id like {GPU_MODEL}."
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
    fresh.to(device=model.model.device, dtype=model.model.dtype).requires_grad_(False)
    return ChatModel(fresh.eval(), model.tokenizer, f"untrained {model.name}", f"untrained-{seed}", model.system)


def load_embedder() -> SentenceTransformer:
    """all-MiniLM-L6-v2 (22.7M parameters, 384 dimensions, 256 tokens), out of its package, on the session's device."""
    folder = embedder_folder()
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(folder), device=current().device, local_files_only=True)


def _load_packaged(settings: Settings, quantization: str | None) -> ChatModel:
    base = f"{PACKAGED_MODEL}@{GGUF_SHA256[:8]}"
    folder = dequantized_folder()
    try:
        return _load(folder, PACKAGED_MODEL, base, settings, quantization)
    except ModelError as error:
        if isinstance(error.__cause__, (ImportError, MemoryError)):  # no fault of the copy
            raise
        # The copy in the cache is damaged (a disk fault, a file deleted by hand): it can be made again.
        return _load(dequantized_folder(again=True), PACKAGED_MODEL, base, settings, quantization)


def _load_from_hub(hub_id: str, settings: Settings, quantization: str | None, revision: str | None) -> ChatModel:
    revision = revision or REVISIONS.get(hub_id)
    base = f"{hub_id}@{revision or 'main'}"
    return _load(hub_id, hub_id.split("/")[-1], base, settings, quantization, revision)


def _load(
    source: str | Path, name: str, base: str, settings: Settings, quantization: str | None, revision: str | None = None
) -> ChatModel:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    dtype = getattr(torch, settings.dtype)
    plain: dict[str, Any] = {"trust_remote_code": False} | ({"revision": revision} if revision else {})
    options = {"quantization_config": nf4_config(dtype), "device_map": settings.device} if quantization else {}
    try:
        tokenizer = AutoTokenizer.from_pretrained(source, padding_side="left", **plain)
        if tokenizer.chat_template is None:  # asked before gigabytes are fetched
            raise ModelError(
                f"{name} has no chat template: choose an instruction-tuned model, its id often ends in -Instruct."
            )
        model, report = AutoModelForCausalLM.from_pretrained(
            source, dtype=dtype, use_safetensors=True, output_loading_info=True, **plain, **options
        )
    except ModelError:
        raise
    except Exception as error:  # transformers, safetensors and the hub client raise a dozen kinds
        raise ModelError(_explain_load_failure(source, error)) from quotable(error)
    if lacking := sorted(report["missing_keys"]):  # transformers would fill them with random numbers
        raise ModelError(f"{source} lacks {len(lacking)} weights of the model ({lacking[0]}): make or fetch it again.")
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    if not quantization:
        model.to(settings.device)
    model.requires_grad_(False)
    keep_layout(model)
    return ChatModel(model.eval(), tokenizer, name, base + (f"+{quantization}" if quantization else ""))


def _explain_load_failure(source: str | Path, error: Exception) -> str:
    from huggingface_hub.errors import GatedRepoError, HFValidationError, RepositoryNotFoundError, RevisionNotFoundError

    text = " ".join(without_secrets(f"{type(error).__name__}: {error}").split())[:200]
    if isinstance(error, ImportError):
        return f"{source} needs a package that is not installed ({text}): install requirements.txt again."
    if isinstance(source, Path) and (source / "adapter_config.json").is_file():
        return (
            f"{source} holds an adapter, and the model it was made for cannot be loaded from here: save what "
            "`cl.merged(model)` gives, or make the call that trained it with from_shelf=True."
        )
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
