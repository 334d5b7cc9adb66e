"""What the scripts that measure share: students, a command line, parts, figures over seeds, the bootstrap."""

import importlib
import json
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shared.figures import counted, difference, named, of_seeds, resampled
from shared.keeping import Kept, keep
from shared.scripts import asked_for, measure_parts
from shared.students import Students, shelf_of_its_own

from course_lib.core.errors import DataError
from course_lib.evaluation.evaluation import evaluate
from course_lib.evaluation.exams import Question
from course_lib.evaluation.stored import load_results

ASKED = [Question(f"q{i}", f"What pays {i}?", f"{i}7 crowns", (), f"d{i}", f"d{i}.1") for i in range(6)]


def sat(good, asked=ASKED):
    """A report on whose first `good` questions the answer is right."""
    return evaluate(lambda _: [q.answer if i < good else "no" for i, q in enumerate(asked)], asked, f"{good} right")


@pytest.mark.parametrize(
    ("most", "lasting", "asked", "trained", "held"),
    [
        (1, None, "aab", "ab", "b"),
        (2, None, "abab", "ab", "ab"),
        (2, None, "abca", "abca", "ca"),  # the oldest goes
        (2, "s", "sabcs", "sabc", "sbc"),  # the start stays
    ],
)
def test_a_student_is_trained_when_first_asked_and_no_more_are_held_than_there_is_room_for(
    most, lasting, asked, trained, held
):
    made, students = [], Students(most, lasting)
    for name in asked:
        assert students.trained(name, lambda name=name: made.append(name) or name.upper()) == name.upper()
    assert ("".join(made), "".join(students)) == (trained, held)


def test_students_of_a_script_stand_on_a_shelf_of_their_own(monkeypatch):
    monkeypatch.setenv("COURSE_ADAPTERS", "elsewhere")
    monkeypatch.setenv("COURSE_RECORD", "")
    shelf_of_its_own("07")
    assert os.environ["COURSE_ADAPTERS"].endswith("students/07") and os.environ["COURSE_RECORD"] == "1"


@pytest.mark.parametrize(("lesson", "first"), [("05", "retrieval"), ("06", "recipes"), ("07", "recipes")])
def test_every_part_has_a_name_and_is_told_in_order_of_importance(lesson, first):
    script = importlib.import_module(f"results_{lesson}")
    assert script.ORDER[0] == first and len(set(script.ORDER)) == len(script.ORDER)
    places = [script.__doc__.index(f"\n{name} ") for name in script.ORDER]
    assert places == sorted(places)


# What a lesson's headline rests on.
RESTS_ON = {
    "05": {"retrieval", "embedder", "answers"},
    "06": {"arms"},
    "07": {"start", "frontier", "likeliest"},
    "08": {"costs"},
}


@pytest.mark.parametrize("lesson", RESTS_ON)
def test_the_readme_is_told_what_was_measured_and_nothing_before_that(lesson):
    script, stored = importlib.import_module(f"results_{lesson}"), load_results(lesson)
    parts = {name: stored[name] for name in script.ORDER}
    sentences = {name: stored[name] for name in ("headline", "limits")}
    assert script.summary(parts) == parts | sentences
    for name in parts:
        rest = {other: part for other, part in parts.items() if other != name}
        assert ("headline" in script.summary(rest)) is (name not in RESTS_ON[lesson]), name


def test_a_part_that_a_script_does_not_have_is_refused_with_those_it_has(capsys):
    with pytest.raises(SystemExit):
        asked_for("doc", ["--only", "arm"], ["arms", "seeds"])
    assert "'arms', 'seeds'" in capsys.readouterr().err and asked_for("doc", [], ["arms"]).only is None


def test_parts_are_measured_in_their_order_and_the_others_stay_as_they_were(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    path = tmp_path / "results" / "05.json"
    path.parent.mkdir()
    made = []

    def parts(**values):
        return {name: lambda name=name: made.append(name) or {"value": values[name]} for name in values}

    def summary(parts):
        return {**parts, "headline": " ".join(parts)}

    measure_parts("05", parts(a=1, b=2), ["b", "a"], summary)
    path.write_text(
        json.dumps(json.loads(path.read_text(encoding="utf-8")) | {"minutes_laptop": 0.9}), encoding="utf-8"
    )
    measure_parts("05", parts(a=3, b=4), ["b"], summary)
    assert made == ["a", "b", "b"]
    found = json.loads(path.read_text(encoding="utf-8"))
    assert found == {"lesson": "05", "minutes_laptop": 0.9, "a": {"value": 1}, "b": {"value": 4}, "headline": "a b"}
    measure_parts("05", parts(a=5, b=6), None, summary)
    assert made[3:] == ["a", "b"], "all, unless some are named"


def test_a_part_of_which_nothing_is_kept_is_refused_where_nothing_is_measured(kept_here, monkeypatch):
    from shared import keeping

    monkeypatch.setattr(keeping, "_may_measure", True)
    keep("00", {"general": Kept({}, report=sat(6))})
    with pytest.raises(DataError, match="cup of lesson 00 is not kept"):
        importlib.import_module("results_00").main(["--kept"])


def test_an_arm_is_pooled_over_its_seeds_and_the_untrained_model_paired_with_each():
    assert [counted(["a"]), counted([0, 1])] == ["1 seed", "2 seeds"]
    joined = of_seeds([sat(6), sat(3)])
    assert joined["seeds"] == [1.0, 0.5] and joined["accuracy"] == 0.75 and joined["n"] == 6
    assert difference([sat(6), sat(6)], [sat(3)])[0] == 0.5
    assert named(difference([sat(6)], [sat(6)])) == {"value": 0, "low": -0.5, "high": 0.5}, "nothing to resample"


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(-10, 10), min_size=2, max_size=30))
def test_the_bootstrap_is_scipys(values):
    from scipy.stats import bootstrap

    values = np.array(values)
    rng = np.random.default_rng(0)
    ends = bootstrap((values,), np.mean, n_resamples=2000, method="percentile", rng=rng).confidence_interval
    found = resampled(lambda drawn: values[drawn].mean(1), len(values))
    assert found == pytest.approx([values.mean(), ends.low, ends.high], abs=6e-5)


def test_two_groups_are_drawn_apart():
    first, second = np.arange(10.0), np.arange(20.0)
    value, low, high = resampled(lambda a, b: first[a].mean(1) - second[b].mean(1), 10, 20)
    assert low < value == -5.0 < high
    spread = (first.var() / 10 + second.var() / 20) ** 0.5
    assert high - low == pytest.approx(2 * 1.96 * spread, rel=0.1)
