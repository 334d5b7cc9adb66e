"""The slider on LoRA's rank: what it says in text, what its controls do, and the small run."""

import pytest

from course_lib.core.chat import example
from course_lib.core.errors import ChoiceError, CourseError, DataError
from course_lib.lessons import sliders

EXAMPLES = [example(f"Who won in {year}?", "Anna") for year in range(2000, 2040)]

pytestmark = pytest.mark.usefixtures("plain_small_machine", "quick_collector")


def said(capsys, *arguments, **options):
    sliders.lora_slider(*arguments, **options)
    return capsys.readouterr().out.splitlines()


def test_a_rank_prints_what_it_trains_and_what_that_needs(tiny_model, capsys):
    lines = said(capsys, tiny_model, EXAMPLES, rank=4, targets="attention", layers="upper")
    assert lines[0] == "rank 4 on attention of the upper half of the layers"
    assert lines[1].startswith("trained:   896 of 26,880 parameters (3.33%)")
    assert lines[2] == "on disk:   0.0 MB in bf16"
    assert lines[3].startswith("in memory: 1 MB (weights 0, ") and "; full fine-tuning " in lines[3]
    assert len(lines) == 4


def test_more_rank_trains_more(tiny_model, capsys):
    trained = [said(capsys, tiny_model, EXAMPLES, rank=rank)[1] for rank in (1, 2)]
    one, two = (int(line.split()[1].replace(",", "")) for line in trained)
    assert two == 2 * one


def test_the_small_run_says_how_far_it_came(tiny_model, capsys):
    *_, last = said(capsys, tiny_model, EXAMPLES, rank=2, train=True)
    assert last.startswith("live run:  loss ") and " in 8 steps of " in last
    assert not any(p.requires_grad for p in tiny_model.model.parameters()), "the model stays as it was"


def test_without_a_rank_the_text_says_how_to_do_without_widgets(tiny_model, capsys):
    (line,) = said(capsys, tiny_model, EXAMPLES)
    assert "cl.lora_slider(gp, examples, rank=8" in line


def test_the_controls_change_what_is_said_and_the_button_trains(tiny_model, monkeypatch):
    runs = []
    monkeypatch.setattr(sliders, "_trained", lambda *run: runs.append(run[2:]) or "live run: <done>")
    box = sliders._sliders(tiny_model, EXAMPLES, "all", "all")
    controls, words, row = box.children
    rank, targets, layers = controls.children
    button, ran = row.children
    assert list(rank.options) == [1, 2, 4, 8, 16, 32], "no rank above the width"
    assert words.value.startswith("rank 8 on all matrices of all layers<br>")
    rank.value, targets.value, layers.value = 4, "mlp", "upper"
    assert words.value.startswith("rank 4 on the MLP of the upper half")
    button.click()
    assert runs == [(4, "mlp", "upper")] and ran.value == "live run: &lt;done&gt;" and not button.disabled
    rank.value = 2
    assert ran.value == "", "another rank's run is not this one's"


def test_a_run_that_fails_leaves_the_box_usable(tiny_model, monkeypatch):
    def fail(*_):
        raise CourseError("no <disk>.")

    monkeypatch.setattr(sliders, "_trained", fail)
    button, ran = sliders._sliders(tiny_model, EXAMPLES, "all", "all").children[2].children
    button.click()
    assert ran.value == "no &lt;disk&gt;." and not button.disabled


def test_settings_that_make_no_sense_are_refused(tiny_model):
    with pytest.raises(CourseError, match="it is at most 32 here"):
        sliders.lora_slider(tiny_model, EXAMPLES, rank=33)
    with pytest.raises(CourseError, match="whole number above 0"):
        sliders.lora_slider(tiny_model, EXAMPLES, rank=0)
    for options in ({"targets": "heads"}, {"layers": "lower"}):
        for rank in (None, 2):
            with pytest.raises(ChoiceError):
                sliders.lora_slider(tiny_model, EXAMPLES, rank=rank, **options)
    with pytest.raises(DataError):
        sliders.lora_slider(tiny_model, [])
