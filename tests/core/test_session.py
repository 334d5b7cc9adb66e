"""Which device and number format a machine gets, what the environment may say, and what an import costs."""

import json
import logging
import math
import os
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from course_lib.core import session
from course_lib.core.errors import ChoiceError, CourseError
from course_lib.core.session import (
    Machine,
    adapters_dir,
    cache_dir,
    choose_compute,
    current,
    data_dir,
    detect_machine,
    start,
)

AVX2 = Machine()
AVX512_BF16 = Machine(cpu_bf16=True)
T4 = Machine(cuda="Tesla T4", cuda_capability=(7, 5))
A100 = Machine(cuda="NVIDIA A100", cuda_capability=(8, 0))
H100 = Machine(cpu_bf16=True, cuda="NVIDIA H100", cuda_capability=(9, 0))


@pytest.fixture
def on(monkeypatch):
    """Pretend that this computer is another, without asking torch."""

    def pretend(machine):
        monkeypatch.setattr(session, "detect_machine", lambda: machine)

    pretend(AVX2)
    return pretend


@pytest.fixture
def torch_says(monkeypatch):
    """Pretend on the level of torch: what the CPU can do, and whether there is CUDA."""

    def pretend(avx512_bf16=False, amx=False, cuda=False, cpu_name="AMD EPYC"):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"cpu_name": cpu_name} if cpu_name else {})
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512_bf16)
        monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "Tesla T4")
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (7, 5))

    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    return pretend


@pytest.fixture
def keep_environment(monkeypatch):
    """What `start` sets for the libraries is taken back after the test."""
    for name in ("ANONYMIZED_TELEMETRY", "HF_HUB_DISABLE_TELEMETRY", "DO_NOT_TRACK", "WANDB_MODE"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "false")


# --- the choice ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("machine", "profile", "chosen"),
    [
        (AVX2, "auto", ("laptop", "cpu", "float32")),
        (AVX2, "laptop", ("laptop", "cpu", "float32")),
        (AVX512_BF16, "auto", ("laptop", "cpu", "bfloat16")),
        (AVX512_BF16, "laptop", ("laptop", "cpu", "bfloat16")),
        (T4, "auto", ("gpu", "cuda", "float16")),
        (T4, "gpu", ("gpu", "cuda", "float16")),
        (A100, "auto", ("gpu", "cuda", "bfloat16")),
        (A100, "gpu", ("gpu", "cuda", "bfloat16")),
        (H100, "auto", ("gpu", "cuda", "bfloat16")),
        # On a GPU machine a learner may still ask for the laptop: then its CPU decides.
        (T4, "laptop", ("laptop", "cpu", "float32")),
        (A100, "laptop", ("laptop", "cpu", "float32")),
        (H100, "laptop", ("laptop", "cpu", "bfloat16")),
    ],
)
def test_a_machine_gets_the_format_that_its_silicon_multiplies_and_hears_why(machine, profile, chosen):
    made = choose_compute(machine, profile)
    assert (made.profile, made.device, made.dtype) == chosen
    card = {T4: "Tesla T4 has no bf16", A100: "NVIDIA A100 has bf16", H100: "NVIDIA H100 has bf16"}
    assert (card[machine] if made.device == "cuda" else "CPU") in made.why


@pytest.mark.parametrize("machine", [AVX2, AVX512_BF16])
def test_gpu_without_cuda_is_refused_with_a_way_out(machine):
    with pytest.raises(CourseError, match="profile='laptop'"):
        choose_compute(machine, "gpu")


@pytest.mark.parametrize("profile", ["gpuu", "GPU", "", None, 1])
def test_an_unknown_profile_is_refused(profile):
    with pytest.raises(ChoiceError, match="auto, laptop, gpu"):
        choose_compute(A100, profile)


# --- what torch says of this machine ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cpu", "bf16"),
    [
        ({}, False),
        ({"avx512_bf16": True}, True),
        ({"avx512_bf16": True, "cpu_name": ""}, True),
        ({"avx512_bf16": True, "cpu_name": "Intel Xeon"}, False),
        ({"avx512_bf16": True, "amx": True, "cpu_name": "Intel Xeon"}, True),
        ({"amx": True}, True),
    ],
)
def test_bf16_on_a_cpu_needs_amx_or_the_avx512_bf16_of_amd(torch_says, cpu, bf16):
    torch_says(**cpu)
    assert detect_machine() == Machine(cpu_bf16=bf16)


@pytest.mark.parametrize("asked", ["get_capabilities", "_is_avx512_bf16_supported", "_is_amx_tile_supported"])
def test_what_an_older_torch_cannot_say_of_a_cpu_is_taken_to_be_slower(torch_says, monkeypatch, asked):
    torch_says(avx512_bf16=True)
    monkeypatch.delattr(torch.cpu, asked)
    assert detect_machine() == Machine(cpu_bf16=asked == "_is_amx_tile_supported")


@pytest.mark.parametrize(
    ("isa", "bf16"),
    [
        *((isa, False) for isa in (*session.ISA_WITHOUT_BF16, "avx2")),
        *((isa, True) for isa in ("", "AVX512_CORE_BF16", "AVX512_CORE_AMX", "DEFAULT")),
    ],
)
def test_a_cpu_told_to_behave_like_an_older_one_gets_no_bf16(torch_says, monkeypatch, isa, bf16):
    torch_says(avx512_bf16=True, amx=True)
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", isa)
    assert detect_machine().cpu_bf16 == bf16


def test_a_working_card_is_reported_and_one_that_fails_when_it_is_asked_counts_as_none(torch_says, monkeypatch):
    def fail(*_, device):
        raise RuntimeError(f"{device} error: no kernel image is available for execution on the device")

    for zeros, found in ((lambda *_, device: device, replace(T4, cpu_bf16=True)), (fail, AVX512_BF16)):
        torch_says(avx512_bf16=True, cuda=True)
        monkeypatch.setattr(torch, "zeros", zeros)
        assert detect_machine() == found


# --- the environment ----------------------------------------------------------------------------------------------


def test_the_environment_replaces_auto_and_nothing_else(on, monkeypatch):
    on(A100)
    monkeypatch.setenv("COURSE_PROFILE", "laptop")
    assert current().profile == "laptop"
    assert session._resolve("gpu", 0).profile == "gpu"


def test_an_empty_variable_is_as_good_as_none(on, monkeypatch, tmp_path):
    for name in ("COURSE_PROFILE", "COURSE_REPLAY", "COURSE_DATA", "COURSE_CACHE"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert current().profile == "laptop"
    assert data_dir() == session.ROOT / "data"
    assert cache_dir() == tmp_path / "open-book-closed-book"


@pytest.mark.parametrize(
    ("value", "mode"), [("", "off"), ("0", "off"), ("off", "off"), ("1", "on"), ("on", "on"), ("strict", "strict")]
)
def test_replay_is_read_from_the_environment(on, monkeypatch, value, mode):
    monkeypatch.setenv("COURSE_REPLAY", value)
    assert current().replay == mode


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("PROFILE", "labtop", "Did you mean 'laptop'"),
        *(("REPLAY", value, "COURSE_REPLAY") for value in ("yes", "2", "True", "stric")),
    ],
)
def test_a_wrong_word_in_the_environment_is_refused(on, monkeypatch, name, value, said):
    monkeypatch.setenv(f"COURSE_{name}", value)
    with pytest.raises(ChoiceError, match=said):
        start()


def test_data_and_cache_may_be_elsewhere(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "mine"))
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "deep" / "cache"))
    assert data_dir() == tmp_path / "mine"
    assert cache_dir() == tmp_path / "deep" / "cache"
    assert cache_dir().is_dir()


@pytest.mark.parametrize("below", ["", "cache"])
def test_a_cache_folder_that_cannot_be_made_names_the_variable(monkeypatch, tmp_path, below):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "file" / below))
    with pytest.raises(CourseError, match="Set COURSE_CACHE"):
        cache_dir()


def test_a_tilde_in_every_variable_is_the_home_folder(monkeypatch, tmp_path):
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    for name in ("CACHE", "DATA", "ADAPTERS"):
        monkeypatch.setenv(f"COURSE_{name}", f"~/my {name}")
    assert (cache_dir(), data_dir(), adapters_dir()) == tuple(
        tmp_path / f"my {name}" for name in ("CACHE", "DATA", "ADAPTERS")
    )
    monkeypatch.delenv("COURSE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "~/xdg")
    assert cache_dir() == tmp_path / "xdg" / "open-book-closed-book"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_dir() == tmp_path / ".cache" / "open-book-closed-book"


def test_without_a_home_folder_the_cache_says_which_variable_to_set(monkeypatch):
    def nowhere(path):
        raise RuntimeError("Could not determine home directory.")

    for name in ("COURSE_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "expanduser", nowhere)
    with pytest.raises(CourseError, match=r"no home folder for .*COURSE_CACHE"):
        cache_dir()


@pytest.mark.parametrize(
    ("second", "first", "limit"),
    [("2147483648\n", None, 2**31), ("max\n", None, math.inf), (None, "4294967296\n", 2**32), (None, None, math.inf)],
)
def test_a_container_says_how_much_memory_it_allows(tmp_path, monkeypatch, second, first, limit):
    places = [tmp_path / "memory.max", tmp_path / "memory.limit_in_bytes"]
    for place, text in zip(places, (second, first)):
        if text is not None:
            place.write_text(text, encoding="utf-8")
    monkeypatch.setattr(session, "MEMORY_LIMITS", tuple(map(str, places)))
    assert session.memory_limit() == limit


# --- start --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("replay", "said"), [("", ""), ("1", " · replaying stored adapters")])
def test_start_says_in_three_lines_what_it_chose_and_why(on, capsys, monkeypatch, keep_environment, replay, said):
    monkeypatch.setenv("COURSE_REPLAY", replay)
    made = start(seed=7)
    first, second, third = capsys.readouterr().out.splitlines()
    assert first == f"profile laptop · seed 7{said}"
    assert second == f"device cpu · float32: {made.why}"
    assert f"torch {torch.__version__}" in third
    assert ".".join(map(str, sys.version_info[:3])) in third


def test_current_is_what_start_chose_or_else_chosen_once_and_silently(on, capsys, keep_environment, monkeypatch):
    first = current()
    assert current() is first
    assert capsys.readouterr().out == ""
    assert start(seed=3) is current() is not first
    assert current().seed == 3


def test_start_fixes_the_seeds_of_python_numpy_and_torch(on, capsys, keep_environment):
    def draw(seed):
        start(seed=seed)
        return random.random(), float(np.random.rand()), float(torch.rand(()))

    first, again, other = draw(5), draw(5), draw(6)
    assert first == again
    assert all(a != b for a, b in zip(first, other))


@pytest.mark.parametrize(
    "wrong", [{"profile": "gpu"}, {"profile": "x"}, *({"seed": seed} for seed in (-1, 2**32, 0.5, "0", None))], ids=str
)
def test_a_start_that_fails_says_why_and_leaves_the_session_as_it_was(on, capsys, keep_environment, wrong):
    before = start(seed=3)
    with pytest.raises(CourseError, match="seed is .* whole number from 0 to" if "seed" in wrong else "profile '"):
        start(**wrong)
    assert current() is before


@pytest.mark.parametrize("already", [{}, {"WANDB_MODE": "offline"}])
def test_start_turns_telemetry_off_and_keeps_what_the_learner_has_set(
    on, capsys, keep_environment, monkeypatch, already
):
    for name, value in already.items():
        monkeypatch.setenv(name, value)
    start()
    quiet = {
        "ANONYMIZED_TELEMETRY": "False", "HF_HUB_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1", "WANDB_MODE": "disabled",
    }  # fmt: skip
    assert {name: os.environ[name] for name in quiet} == quiet | already


def test_a_session_hears_no_advice_about_kernels_from_the_hub(on, capsys, keep_environment, caplog):
    logging.getLogger("bitsandbytes").setLevel(logging.NOTSET)
    start()
    logging.getLogger("bitsandbytes.backends.cpu.ops").warning("Failed to load CPU gemm_4bit_forward")
    assert not caplog.records


# --- the import ---------------------------------------------------------------------------------------------------

IMPORT = """
import json, logging, os, sys, time
before, handlers = dict(os.environ), list(logging.root.handlers)
started = time.process_time()
import course_lib as cl
seconds = time.process_time() - started
{then}
print(json.dumps({{
    "seconds": seconds,
    "loaded": sorted({{name.partition(".")[0] for name in sys.modules}}),
    "environment": dict(os.environ) == before,
    "logging": list(logging.root.handlers) == handlers,
}}))
"""
HEAVY = {"torch", "transformers", "chromadb", "sentence_transformers", "peft", "trl", "datasets", "bitsandbytes"}


@pytest.mark.parametrize(
    ("then", "unwanted"),
    [("", HEAVY | {"numpy", "matplotlib", "ipywidgets"}), ("for name in cl.__all__: getattr(cl, name)", HEAVY)],
    ids=["importing the package", "looking every name up"],
)
def test_an_import_starts_nothing_and_looking_names_up_loads_no_torch(then, unwanted):
    ran = subprocess.run([sys.executable, "-c", IMPORT.format(then=then)], capture_output=True, text=True, check=True)
    found = json.loads(ran.stdout)
    assert not unwanted & set(found["loaded"])
    assert found["seconds"] < 0.5, "CPU seconds"
    assert found["environment"] and found["logging"]


def test_a_name_that_is_not_there_says_which_are():
    import course_lib as cl

    with pytest.raises(AttributeError, match=r"'finetunes'.*finetune,"):
        _ = cl.finetunes
    assert set(cl.__all__) <= set(dir(cl))


def test_in_a_notebook_a_table_cuts_no_text_and_sets_it_from_the_left(notebook_bundles, formatter):
    import pandas as pd

    table = pd.DataFrame({"said": ["word " * 40]})
    with pd.option_context("display.max_colwidth", 50):
        assert "..." in repr(table)
        start()
        assert "..." not in repr(table)
        assert '<td style="text-align: left">word' in formatter.format(table)[0]["text/html"]


def test_on_stage_letters_are_large_in_a_notebook(monkeypatch, notebook_bundles):
    start()
    assert notebook_bundles == []
    monkeypatch.setenv("COURSE_STAGE", "1")
    start()
    assert "--jp-code-font-size:20px" in notebook_bundles[0]["text/html"]


@pytest.fixture
def formatter(monkeypatch):
    """What a kernel shows values by."""
    from IPython.core.formatters import DisplayFormatter

    shell = SimpleNamespace(display_formatter=DisplayFormatter())
    monkeypatch.setattr("IPython.get_ipython", lambda: shell)
    return shell.display_formatter


@pytest.fixture
def notebook_bundles(monkeypatch, formatter):
    seen = []
    monkeypatch.setattr(session, "in_notebook", lambda: True)
    monkeypatch.setattr("IPython.display.display", lambda bundle, raw: seen.append(bundle))
    return seen
