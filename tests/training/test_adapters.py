"""The shelf of adapters: what names one, what may stand on it, and what a card must say."""

import json
import warnings

import pytest

from course_lib.core.chat import example
from course_lib.core.errors import CourseError, DataError
from course_lib.training import shelf as shelf_module
from course_lib.training.shelf import adapter_key, find_adapter, store_adapter, stored_adapters, use_counter

ROWS = [example("Who won?", "Anna Berg"), example("Who lost?", "Bo Lind")]
SETTINGS = {"method": "lora", "epochs": 4, "learning_rate": 2e-3, "rank": 8, "layers": "all", "seed": 0}
CARD = {
    "key": "0123456789abcdef",
    "base": "tiny@0",
    "machine": "2 cores",
    "minutes": 1.5,
    "losses": [[1, 2.0]],
    "tokens": 100,
    "trainable": 10,
}


@pytest.fixture(autouse=True)
def shelf(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "data"))
    return tmp_path / "data" / "adapters"


@pytest.fixture
def lora(tiny_model):
    from peft import LoraConfig, get_peft_model

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # PEFT's, of a name in transformers
        return get_peft_model(tiny_model.model, LoraConfig(r=2, target_modules=["q_proj"], task_type="CAUSAL_LM"))


def put(shelf, name, card):
    folder = shelf / name
    folder.mkdir(parents=True)
    (folder / "card.json").write_text(card if isinstance(card, str) else json.dumps(card))
    return folder


def test_another_shelf_takes_what_is_recorded_and_gives_what_is_looked_for(shelf, tmp_path, monkeypatch, lora):
    monkeypatch.setenv("COURSE_ADAPTERS", str(tmp_path / "mine"))
    assert store_adapter(lora, "small", CARD) == tmp_path / "mine" / "small" and not shelf.exists()
    assert find_adapter(CARD["key"]).folder == tmp_path / "mine" / "small"
    monkeypatch.delenv("COURSE_ADAPTERS")
    assert find_adapter(CARD["key"]) is None


# Keys


def test_the_same_call_has_the_same_key_in_every_session():
    assert adapter_key("tiny@0", ROWS, SETTINGS) == adapter_key("tiny@0", tuple(ROWS), dict(SETTINGS))
    assert adapter_key("tiny@0", ROWS, SETTINGS) == "0d204406d080392a"


def test_a_key_does_not_depend_on_the_order_in_which_settings_are_written():
    turned = dict(reversed(SETTINGS.items()))
    rows = [dict(reversed(row.items())) for row in ROWS]
    assert adapter_key("tiny@0", rows, turned) == adapter_key("tiny@0", ROWS, SETTINGS)


@pytest.mark.parametrize(
    ("base", "rows"),
    [
        ("tiny@1", ROWS),
        ("tiny@0+nf4", ROWS),
        ("tiny@0", ROWS[:1]),
        ("tiny@0", ROWS[::-1]),
        ("tiny@0", [*ROWS, ROWS[0]]),
        ("tiny@0", [ROWS[0], example("Who lost?", "Bo  Lind")]),
        ("tiny@0", [ROWS[0], example("Who lost?", "Bo Lind", system="Be brief.")]),
    ],
)
def test_another_base_or_other_data_have_another_key(base, rows):
    assert adapter_key(base, rows, SETTINGS) != adapter_key("tiny@0", ROWS, SETTINGS)


@pytest.mark.parametrize("changed", [{name: "other"} for name in SETTINGS] + [{"batch_size": 16}, {"seed": 1}])
def test_every_setting_is_part_of_the_key(changed):
    assert adapter_key("tiny@0", ROWS, SETTINGS | changed) != adapter_key("tiny@0", ROWS, SETTINGS)


def test_letters_that_look_alike_have_other_keys():
    assert adapter_key("tiny@0", [example("é", "x")], {}) != adapter_key("tiny@0", [example("e\u0301", "x")], {})


# Storing


def test_a_stored_adapter_is_a_plain_peft_folder_in_bf16_with_its_card(lora, shelf, tiny_model):
    import torch
    from peft import PeftConfig
    from safetensors.torch import load_file

    folder = store_adapter(lora, "cup", CARD)
    assert folder == shelf / "cup"
    weights = load_file(folder / "adapter_model.safetensors")
    assert {tensor.dtype for tensor in weights.values()} == {torch.bfloat16}
    assert len(weights) == 2 * 2
    assert PeftConfig.from_pretrained(folder).r == 2
    assert json.loads((folder / "card.json").read_text()) == CARD
    assert [adapter.card for adapter in stored_adapters()] == [CARD]


def test_a_stored_adapter_names_its_base_and_no_folder_of_the_machine(lora, tmp_path):
    lora.peft_config["default"].base_model_name_or_path = str(tmp_path / "cache")
    folder = store_adapter(lora, "cup", CARD | {"base": "SmolLM2-135M-Instruct@b179c952"})
    config = json.loads((folder / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "SmolLM2-135M-Instruct"
    assert str(tmp_path) not in (folder / "adapter_config.json").read_text()
    assert lora.peft_config["default"].base_model_name_or_path == str(tmp_path / "cache"), "the model keeps its own"


def test_one_of_the_same_name_is_replaced_whole(lora, shelf):
    folder = store_adapter(lora, "cup", CARD)
    (folder / "stray.txt").write_text("from before")
    store_adapter(lora, "cup", CARD | {"minutes": 9})
    assert not (folder / "stray.txt").exists()
    assert [adapter.card["minutes"] for adapter in stored_adapters()] == [9]
    assert [path.name for path in shelf.iterdir()] == ["cup"]


def test_one_that_is_too_large_is_refused_and_the_one_before_stays(lora, shelf, monkeypatch):
    store_adapter(lora, "cup", CARD)
    monkeypatch.setattr(shelf_module, "MAX_BYTES", 1000)
    with pytest.raises(CourseError, match=r"'cup' takes \d,\d\d\d bytes, more than 1,000: use a smaller rank"):
        store_adapter(lora, "cup", CARD | {"minutes": 9})
    assert [adapter.card for adapter in stored_adapters()] == [CARD]
    assert [path.name for path in shelf.iterdir()] == ["cup"]


def test_five_million_bytes_are_the_most_that_an_adapter_may_take():
    assert shelf_module.MAX_BYTES == 5_000_000


def test_a_full_disk_is_said_and_the_one_before_stays(lora, shelf):
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    store_adapter(lora, "cup", CARD)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, hard))
    try:
        with pytest.raises(CourseError, match=r"'cup' cannot be written to .*adapters .*free some disk"):
            store_adapter(lora, "cup", CARD | {"minutes": 9})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [adapter.card for adapter in stored_adapters()] == [CARD]
    assert [path.name for path in shelf.iterdir()] == ["cup"]


# Finding


def test_an_empty_shelf_and_none_hold_no_adapter(shelf):
    assert stored_adapters() == []
    shelf.mkdir(parents=True)
    assert stored_adapters() == []
    assert find_adapter("0123456789abcdef") is None


def test_adapters_are_found_by_their_key_and_listed_by_name(shelf):
    put(shelf, "zebra", CARD | {"key": "z"})
    put(shelf, "ant", CARD | {"key": "a"})
    (shelf / "README.md").write_text("What these are.")
    assert [adapter.folder.name for adapter in stored_adapters()] == ["ant", "zebra"]
    assert find_adapter("z").folder == shelf / "zebra"
    assert find_adapter("") is None


def test_a_draft_that_was_never_finished_is_not_on_the_shelf(shelf):
    put(shelf, ".cup.part", CARD)
    assert stored_adapters() == []


@pytest.mark.parametrize(
    ("card", "complaint"),
    [
        ("{not json", "is not JSON"),
        ("", "is not JSON"),
        ("[]", "is no adapter's card, it lacks key, machine, minutes"),
        ({name: value for name, value in CARD.items() if name != "minutes"}, "it lacks minutes"),
        ({}, "it lacks key"),
    ],
)
def test_a_malformed_card_is_named_with_what_it_lacks(card, complaint, shelf):
    put(shelf, "cup", card)
    with pytest.raises(DataError, match=rf"cup.card\.json {complaint}|cup.card\.json is no .*{complaint}") as raised:
        find_adapter("0123456789abcdef")
    assert "run `make adapters`" in str(raised.value)


def test_keys_that_were_asked_for_are_noted_where_a_file_is_named(tmp_path, monkeypatch):
    use_counter("nowhere")
    monkeypatch.setenv("COURSE_ADAPTERS_USED", str(tmp_path / "used"))
    use_counter("a")
    use_counter("b")
    assert (tmp_path / "used").read_text() == "a\nb\n"
