"""The shelf of adapters: what names one, what may stand on it, and what a card must say."""

import copy
import json
import shutil

import pytest
import torch
from small_runs import EXAMPLES, QUICK, losses, stop_at

from course_lib.core.chat import example
from course_lib.core.errors import CourseError, DataError, TrainingError
from course_lib.models.students import STUDENTS
from course_lib.training import shelf as shelf_module
from course_lib.training.methods import without_old_names
from course_lib.training.run import adapter_key
from course_lib.training.sft import finetune
from course_lib.training.shelf import find_adapter, store_adapter, stored_adapters

pytestmark = pytest.mark.usefixtures("quick_collector", "plain_small_machine")
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

    with without_old_names():
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


OTHER_SETTINGS = [*({name: "other"} for name in SETTINGS), {"batch_size": 16}, {"seed": 1}]


@pytest.mark.parametrize(
    ("base", "rows", "changed"),
    [
        ("tiny@1", ROWS, {}),
        ("tiny@0+nf4", ROWS, {}),
        ("tiny@0", ROWS[:1], {}),
        ("tiny@0", ROWS[::-1], {}),
        ("tiny@0", [*ROWS, ROWS[0]], {}),
        ("tiny@0", [ROWS[0], example("Who lost?", "Bo  Lind")], {}),
        ("tiny@0", [ROWS[0], example("Who lost?", "Bo Lind", system="Be brief.")], {}),
        *(("tiny@0", ROWS, changed) for changed in OTHER_SETTINGS),
    ],
)
def test_another_base_other_data_and_every_other_setting_have_another_key(base, rows, changed):
    assert adapter_key(base, rows, SETTINGS | changed) != adapter_key("tiny@0", ROWS, SETTINGS)


def test_letters_that_look_alike_have_other_keys():
    assert adapter_key("tiny@0", [example("é", "x")], {}) != adapter_key("tiny@0", [example("e\u0301", "x")], {})


# Storing


def test_a_stored_adapter_is_a_plain_peft_folder_in_bf16_with_its_card(lora, shelf, tiny_model):
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
    assert shelf_module.MAX_BYTES == 5_000_000
    store_adapter(lora, "cup", CARD)
    monkeypatch.setattr(shelf_module, "MAX_BYTES", 1000)
    with pytest.raises(CourseError, match=r"'cup' takes \d,\d\d\d bytes, more than 1,000: use a smaller rank"):
        store_adapter(lora, "cup", CARD | {"minutes": 9})
    assert [adapter.card for adapter in stored_adapters()] == [CARD]
    assert [path.name for path in shelf.iterdir()] == ["cup"]


def test_a_full_disk_is_said_and_the_one_before_stays(lora, shelf, small_disk):
    store_adapter(lora, "cup", CARD)
    with small_disk(500), pytest.raises(CourseError, match=r"'cup' cannot be written to .*adapters .*free some disk"):
        store_adapter(lora, "cup", CARD | {"minutes": 9})
    assert [adapter.card for adapter in stored_adapters()] == [CARD]
    assert [path.name for path in shelf.iterdir()] == ["cup"]


# Finding


def test_no_shelf_an_empty_one_and_a_draft_that_was_never_finished_hold_no_adapter(shelf):
    assert stored_adapters() == []
    shelf.mkdir(parents=True)
    assert stored_adapters() == []
    put(shelf, ".cup.part", CARD)
    assert stored_adapters() == [] and find_adapter(CARD["key"]) is None


def test_adapters_are_found_by_their_key_and_listed_by_name(shelf):
    put(shelf, "zebra", CARD | {"key": "z"})
    put(shelf, "ant", CARD | {"key": "a"})
    (shelf / "README.md").write_text("What these are.")
    assert [adapter.folder.name for adapter in stored_adapters()] == ["ant", "zebra"]
    assert find_adapter("z").folder == shelf / "zebra"
    assert find_adapter("") is None


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


# Recorded and replayed


def again(model, examples=EXAMPLES, **changed):
    return finetune(model, examples, **{"name": "cup by heart", **QUICK, **changed})


@pytest.fixture
def recorded(once, tiny_model, session, tmp_path, tmp_path_factory):
    """A tuned model whose adapter stands on the shelf; the session that follows only trains."""
    if "shelf" not in once:
        session(COURSE_RECORD="1")
        once["recorded"] = again(tiny_model)
        once["shelf"] = tmp_path_factory.mktemp("kept") / "adapters"
        shutil.copytree(tmp_path / "data" / "adapters", once["shelf"])
    shutil.copytree(once["shelf"], tmp_path / "data" / "adapters", dirs_exist_ok=True)
    session()
    return once["recorded"]


def test_a_recorded_adapter_stands_on_the_shelf_with_its_card(recorded, tmp_path):
    (stored,) = stored_adapters()
    assert stored.folder == tmp_path / "data" / "adapters" / "cup-by-heart"
    names = {"adapter_config.json", "adapter_model.safetensors", "card.json"}
    assert names <= {path.name for path in stored.folder.iterdir()} <= {*names, "README.md"}
    card = json.loads((stored.folder / "card.json").read_text())
    assert card == stored.card
    training = recorded.training
    assert (card["base"], card["examples"], card["tokens"]) == ("tiny@0", 8, training.tokens)
    assert card["recipe"]["learning_rate"] == 2e-2
    assert card["trainable"] == training.trainable
    assert card["losses"] == [[step, round(loss, 4)] for step, loss in training.losses]
    assert recorded.base == f"tiny@0+{card['key']}"
    assert "cores" in card["machine"]


@pytest.mark.parametrize(
    ("student", "folder"), [("smollm2-135m", "cup-by-heart"), ("qwen-0.5b", "cup-by-heart-qwen-0.5b")]
)
def test_the_adapter_of_a_larger_student_stands_beside_the_default_ones(tiny_model, session, student, folder):
    session(COURSE_RECORD="1")
    other = copy.copy(tiny_model)
    other.base = STUDENTS[student].base
    again(other)
    assert [stored.folder.name for stored in stored_adapters()] == [folder]


def test_a_replay_whose_steps_go_wrong_is_no_replay(recorded, tiny_model, session, at_step):
    session(COURSE_REPLAY="1")
    at_step(stop_at(1, TrainingError("the loss is nan")))
    with pytest.raises(TrainingError, match="nan"):
        again(tiny_model)


def test_on_stage_a_replay_trains_nothing(recorded, tiny_model, session, at_step, monkeypatch, capsys):
    session(COURSE_REPLAY="1")
    monkeypatch.setenv("COURSE_STAGE", "1")
    at_step(stop_at(1, AssertionError("trained")))
    assert again(tiny_model).training.replayed
    assert "on stage nothing is trained" in capsys.readouterr().out


def test_another_base_finds_no_adapter_and_another_name_does(recorded, tiny_model, session):
    session(COURSE_REPLAY="strict")
    other = copy.copy(tiny_model)
    other.base = "tiny@1"
    with pytest.raises(CourseError, match="no stored adapter"):
        again(other)
    replayed = again(tiny_model, name="by heart")
    assert (replayed.training.replayed, replayed.name) == (True, "by heart")


def test_full_fine_tuning_is_always_run(tiny_model, session):
    session(COURSE_REPLAY="strict", COURSE_RECORD="1")
    assert not finetune(tiny_model, EXAMPLES, "full", **QUICK).training.replayed
    assert stored_adapters() == []


@pytest.mark.parametrize(
    ("replay", "changed", "minutes", "trained"),
    [
        ("1", {"seed": 4}, 10, 6),  # of this call none is stored
        ("never", {"from_shelf": True}, 10, 6),
        ("never", {"from_shelf": True}, -1, 3),  # longer than a lesson may take; three real steps all the same
        ("never", {}, -1, 6),  # what a lesson trains is trained
    ],
)
def test_the_session_decides_what_is_trained_and_what_comes_from_the_shelf(
    replay, changed, minutes, trained, recorded, tiny_model, session, steps, monkeypatch
):
    session(COURSE_REPLAY=replay)
    monkeypatch.setattr(shelf_module, "FULL_SIZE_MINUTES", minutes)
    assert again(tiny_model, **changed).training.replayed == (trained == 3)
    assert len(steps) == trained


def test_from_an_empty_shelf_the_model_is_trained_and_nothing_is_recorded_unless_asked(tiny_model, session, steps):
    assert not again(tiny_model, from_shelf=True).training.replayed
    assert len(steps) == 6
    assert stored_adapters() == []


def test_a_run_that_could_not_be_stored_need_not_be_trained_again(tiny_model, session, steps, monkeypatch):
    session(COURSE_RECORD="1")
    monkeypatch.setattr(shelf_module, "MAX_BYTES", 10)
    with pytest.raises(CourseError, match="use a smaller rank"):
        again(tiny_model, checkpoint_every=2)
    monkeypatch.setattr(shelf_module, "MAX_BYTES", 5_000_000)
    del steps[:]
    tuned = again(tiny_model, checkpoint_every=2)
    assert (steps, len(losses(tuned))) == ([], 6)
    assert len(stored_adapters()) == 1


def test_every_key_that_a_replay_asks_for_is_noted(recorded, tiny_model, session, tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_ADAPTERS_USED", str(tmp_path / "used"))
    assert not again(tiny_model).training.replayed
    assert not (tmp_path / "used").exists()
    again(tiny_model, from_shelf=True)
    assert (tmp_path / "used").read_text().split() == [stored_adapters()[0].card["key"]]
