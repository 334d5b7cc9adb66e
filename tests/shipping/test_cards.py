"""A model card says what was measured, in the form that the hub reads."""

import mistune
import pytest
from huggingface_hub import ModelCard

from course_lib.core.errors import CourseError, DataError
from course_lib.evaluation.reports import Report, Row
from course_lib.models.chatmodel import ChatModel
from course_lib.shipping.cards import write_model_card
from course_lib.training.methods import Recipe
from course_lib.training.run import Training

RECIPE = Recipe("lora", 2, 1e-3, 16, 8, "all", 0)
TRAINING = Training(RECIPE, ((1, 2.5), (2, 0.125)), 61.4, 22_000, 2_442_240, 136_957_248)
ROWS = tuple(Row(f"q{i}", "?", "a", "a", "exact" if i < 3 else "wrong", 1.0, f"q{i}") for i in range(4))
REPORT = Report("tuned", "The cup | 2041", ROWS)
TEXTS = {"purpose": "Answers about the cup.", "limits": "Knows no other cup.", "data": "192 study questions"}


def model(base="SmolLM2-135M-Instruct@b179c952+0a1b", training=TRAINING):
    return ChatModel(None, None, "Cup specialist", base, training=training)


def test_the_hub_reads_what_was_measured(tmp_path):
    path = write_model_card(tmp_path, model(), [REPORT], **TEXTS)
    about = ModelCard.load(path).data
    assert path.name == "README.md"
    assert (about.base_model, about.license) == ("HuggingFaceTB/SmolLM2-135M-Instruct", "apache-2.0")
    (result,) = about.eval_results
    assert (result.dataset_name, result.metric_value) == ("The cup | 2041", 0.75)


def test_people_read_how_it_was_made_and_where_it_fails(tmp_path):
    text = write_model_card(tmp_path, model(), [REPORT], **TEXTS).read_text(encoding="utf-8")
    low, high = REPORT.ci
    for said in (*TEXTS.values(), "# Cup specialist", "2 epochs, learning rate 0.001", "in 61 s", "2.500 → 0.125"):
        assert said in text
    assert f"| The cup \\| 2041 | 0.75 | {low:.2f} to {high:.2f} | 0.75 | 0.00 | 4 |" in text


def test_a_base_that_came_from_a_folder_is_not_sent_to_the_hub(tmp_path):
    assert ModelCard.load(write_model_card(tmp_path, model("mine@12ab"), [REPORT], **TEXTS)).data.base_model is None
    hub = write_model_card(tmp_path, model("someone/model@main+nf4"), [REPORT], **TEXTS)
    assert ModelCard.load(hub).data.base_model == "someone/model"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model": model(training=None)}, "Cup specialist was not fine-tuned"),
        ({"reports": []}, "without a measurement"),
        *(({text: " "}, f"{text} is empty") for text in TEXTS),
    ],
)
def test_a_card_about_nothing_is_refused(tmp_path, change, said):
    with pytest.raises(CourseError, match=said):
        write_model_card(tmp_path, **{"model": model(), "reports": [REPORT]} | TEXTS | change)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot write"):
        write_model_card(tmp_path / "file", model(), [REPORT], **TEXTS)


NASTY = "a|b\n---\n# Forged `x\r\n<!-- <b> \u2028| c \ud83d \\|"


def test_no_text_breaks_a_table_the_heading_or_the_front_matter(tmp_path):
    named = ChatModel(None, None, NASTY, NASTY, training=TRAINING)
    path = write_model_card(tmp_path, named, [Report("r", NASTY, ROWS)], **TEXTS | {"data": NASTY}, licence=NASTY)
    text = path.read_text(encoding="utf-8")
    about = ModelCard.load(path).data
    assert about.library_name == "transformers" and len(about.eval_results) == 1
    body = text.split("\n---\n", 1)[1]
    assert [line for line in body.splitlines() if line.startswith("#")][1:] == [
        "## How it was made", "## How well it does", "## Where it stops being true",
    ]  # fmt: skip
    parsed = mistune.create_markdown(renderer=None, plugins=["table"])(body)
    made, measured = (block for block in parsed if block["type"] == "table")
    assert {len(row["children"]) for row in made["children"][1]["children"]} == {2}
    assert {len(row["children"]) for row in measured["children"][1]["children"]} == {6}
    assert "<!--" not in body


def test_reports_out_of_a_generator_all_stand_in_the_card(tmp_path):
    text = write_model_card(tmp_path, model(), (REPORT for _ in range(2)), **TEXTS).read_text(encoding="utf-8")
    assert text.count("| The cup") == 2


def test_a_folder_in_the_home_folder_is_found(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert write_model_card("~/mine", model(), [REPORT], **TEXTS) == tmp_path / "mine" / "README.md"
