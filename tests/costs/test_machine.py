"""What lessons take on this machine: minutes out of counted work and a measured speed, memory, what is kept of it."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from types import SimpleNamespace

import pytest

from course_lib.core import session
from course_lib.core.errors import CourseError
from course_lib.costs import machine
from course_lib.costs.forecast import Calibration, Work
from course_lib.costs.machine import (
    STUDENT_SHAPES,
    LessonWork,
    MachineReport,
    Run,
    Speed,
    known_speed,
    lesson_memory,
    lesson_times,
    lesson_works,
    measured_speed,
    stated_minutes,
)
from course_lib.costs.memory import training_memory
from course_lib.models.students import STUDENTS

pytestmark = pytest.mark.usefixtures("plain_small_machine")

SMALL, MIDDLE, LARGE = STUDENT_SHAPES.values()
RUN = Run(Work(steps=30, examples=8, tokens=900.0, completion_tokens=120.0, widest=1200), "lora")
LESSON = LessonWork(read=40_000, written=9_000, passes=400, training=(RUN,), flops=1e12, seconds=20.0)
SPEED = Speed(100, 100, read=70e9, memory=10e9, prices=Calibration(1e-11, 0.1, 1e-9, 1e-9, 1e-9, 0.5))


def test_the_shapes_are_those_of_the_students():
    assert list(STUDENT_SHAPES) == list(STUDENTS)
    for name, shape in STUDENT_SHAPES.items():
        assert shape.parameters == pytest.approx(STUDENTS[name].parameters, rel=0.002), "but for biases"


# --- minutes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("work", [LESSON, replace(LESSON, training=()), replace(LESSON, written=0, passes=0)])
def test_a_larger_student_takes_longer_and_a_faster_machine_less(work):
    times = [SPEED.seconds(work, shape) for shape in (SMALL, MIDDLE, LARGE)]
    assert times == sorted(times) and times[0] < times[1] < times[2]
    fast = replace(SPEED, read=2 * SPEED.read)
    assert work.seconds < fast.seconds(work, SMALL) < times[0]
    slow, known, quick = (known_speed(gflops).seconds(work, SMALL) for gflops in (67, 135, 880))
    assert slow > known > quick > work.seconds
    assert (slow - work.seconds) * 67 == pytest.approx((quick - work.seconds) * 880), "all but the rest is computing"


@pytest.mark.parametrize(
    ("more", "takes"),
    [
        ({"read": 80_000}, 40_000 * 2 * SMALL.linear / 70e9),
        ({"passes": 800}, 400 * SMALL.parameters * 4 / 10e9),
        ({"training": (RUN, RUN)}, None),
        ({"flops": 8e12}, 7e12 / 70e9),
        ({"seconds": 50.0}, 30.0),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_each_kind_of_work_takes_its_time(more, takes):
    added = SPEED.seconds(replace(LESSON, **more), SMALL) - SPEED.seconds(LESSON, SMALL)
    assert added > 0 if takes is None else added == pytest.approx(takes)


def test_writing_waits_for_weights_and_many_replies_share_the_wait():
    alone = LessonWork(read=0, written=64, passes=64)
    together = replace(alone, passes=1)
    assert SPEED.seconds(together, SMALL) < SPEED.seconds(alone, SMALL) / 3
    assert SPEED.seconds(alone, SMALL, number_bytes=2) < SPEED.seconds(alone, SMALL)


@pytest.mark.parametrize("objective", ["dpo", "rloo"])
def test_what_learns_from_preferences_reads_more_than_it_trains_on(objective):
    liked = replace(LESSON, training=(replace(RUN, objective=objective),))
    assert SPEED.seconds(liked, SMALL) > SPEED.seconds(LESSON, SMALL)


def test_work_comes_back_from_json_as_it_was():
    assert LessonWork.of(json.loads(json.dumps(asdict(LESSON)))) == LESSON


# --- memory -------------------------------------------------------------------------------------------------------


def test_more_memory_is_needed_for_a_larger_student_and_for_training_all_weights():
    full = replace(LESSON, training=(RUN, replace(RUN, method="full")))
    needs = [lesson_memory(LESSON, shape) for shape in (SMALL, MIDDLE, LARGE)]
    assert needs == sorted(needs)
    copy = training_memory(LARGE, "full", precision="fp32", tokens=RUN.work.widest, checkpointing=False).total
    assert lesson_memory(full, LARGE) > LARGE.parameters * 4 + copy, "the student itself stays as it was"
    assert lesson_memory(LESSON, LARGE, number_bytes=2) < needs[-1]


@pytest.mark.parametrize(("room", "said"), [(2e9, "fits"), (2e9 - 1, "needs 2.0 GB, there are 2.0"), (9e9, "fits")])
def test_memory_fits_up_to_what_there_is(room, said):
    found = {"00": dict.fromkeys(STUDENT_SHAPES, 2e9)}
    report = MachineReport(SPEED, "float32", room, {"00": dict.fromkeys(STUDENT_SHAPES, 0.4)}, found)
    assert report.table().loc["00", "qwen-0.5b"] in {f"under 1 minute, {said}", f"under 1 minute; {said}"}


def test_the_report_says_the_same_in_text_and_in_html():
    minutes = {"02": {"smollm2-135m": 4.64, "qwen-0.5b": 15.0, "qwen-1.5b": 52.3}}
    report = MachineReport(SPEED, "float32", 8e9, minutes, {"02": dict(zip(STUDENT_SHAPES, (2e9, 4e9, 9e9)))})
    for shown in (str(report), report._repr_html_()):
        for part in ("4.6 minutes, fits", "52.3 minutes; needs 9.0 GB, there are 8.0", "100 GFLOP/s", "135"):
            assert part in shown


def test_the_room_is_what_is_free_and_held_here_and_no_more_than_a_container_allows(monkeypatch):
    whole = machine.memory_room()
    monkeypatch.setattr(machine, "memory_limit", lambda: 1e8)
    assert machine.memory_room() == 1e8 < whole


def test_on_a_gpu_what_this_process_holds_of_its_memory_counts_as_room(monkeypatch):
    import torch

    monkeypatch.setattr(machine, "current", lambda: SimpleNamespace(device="cuda"))
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (14e9, 16e9))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda: 1e9)
    assert machine.memory_room() == 15e9


# --- measuring ----------------------------------------------------------------------------------------------------


@pytest.fixture
def measuring(monkeypatch):
    """Measurements in place of real ones; the list says how many were made."""
    made = []

    def measured():
        made.append(1)
        return {"gflops": 50.0, "own": 50.0, "read": 3e10, "memory": 5e9}

    monkeypatch.setattr(machine, "_measured", measured)
    monkeypatch.setattr(machine, "lesson_works", lambda: {"00": replace(LESSON, training=()), "02": LESSON})
    return made


def test_a_machine_is_measured_once_and_again_when_asked_for(measuring):
    assert measured_speed() == measured_speed()
    assert len(measuring) == 1
    measured_speed(again=True)
    assert len(measuring) == 2


def test_training_is_as_much_slower_here_as_reading_is(measuring):
    shares = machine.stored_shares()
    as_stored = known_speed(3e10 / shares["read"] / 1e9)
    assert measured_speed().prices.flop == pytest.approx(as_stored.prices.flop)


@pytest.mark.parametrize(
    "damaged", ["", "{", "[]", "null", '{"key": 1}', '{"key": "k", "speed": {"gflops": 0}}', "\ud83d"]
)
def test_what_is_damaged_or_of_another_machine_is_measured_again(measuring, damaged, monkeypatch):
    lesson_times()
    place = session.cache_dir() / session.MACHINE_FILE
    place.write_bytes(damaged.encode("utf-8", "surrogatepass"))
    lesson_times()
    assert len(measuring) == 2
    monkeypatch.setattr("platform.node", lambda: "another")
    lesson_times()
    assert len(measuring) == 3


def test_a_cache_that_cannot_be_written_costs_a_measurement_and_no_more(measuring, monkeypatch):
    def full(*_, **__):
        raise CourseError("the disk is full")

    monkeypatch.setattr(machine, "write_text", full)
    assert lesson_times().minutes and lesson_times().minutes
    assert len(measuring) == 2


def test_every_lesson_is_in_the_table_for_every_student(measuring):
    report = lesson_times()
    assert list(report.table().columns) == list(STUDENT_SHAPES)
    assert list(report.table().index) == ["00", "02"]
    assert report.room > 0


def test_a_lesson_that_is_not_counted_or_whose_file_is_damaged_is_left_out(tmp_path, monkeypatch):
    (tmp_path / "results").mkdir()
    for lesson, text in {"00": {"work": asdict(LESSON)}, "01": {}, "02": {"work": None}, "03": {"work": {}}}.items():
        (tmp_path / "results" / f"{lesson}.json").write_text(json.dumps(text), encoding="utf-8")
    (tmp_path / "results" / "04.json").write_text("{", encoding="utf-8")
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    assert lesson_works() == {"00": LESSON}


def test_a_model_is_measured_reading_and_writing(tiny_model):
    shape = machine.Shape("tiny", 2, 32, 64, len(tiny_model.tokenizer), 4, 2, tied=True)
    found = machine.student_speed(tiny_model, shape, repeats=1)
    assert set(found) == {"read", "memory"} and min(found.values()) > 0
    assert machine.product_gflops(repeats=1) > 0


def test_start_says_what_the_lesson_takes_here_once_it_is_known_and_measures_nothing(measuring, monkeypatch, capsys):
    monkeypatch.setenv("JPY_SESSION_NAME", "notebooks/02_open_book_vs_closed_book.ipynb")
    session.start()
    assert len(capsys.readouterr().out.splitlines()) == 3 and not measuring
    minutes = lesson_times().minutes["02"]
    session.start()
    said = capsys.readouterr().out.splitlines()
    assert said[3:] == [f"this machine works on lesson 02 for about {-(-minutes['smollm2-135m'] // 1):.0f} min"]
    for variable, value, lines in (
        ("COURSE_MODEL", "qwen-1.5b", 4),
        ("COURSE_MODEL", "owner/name", 3),
        ("COURSE_REPLAY", "1", 3),
        ("JPY_SESSION_NAME", "mine.ipynb", 3),
    ):
        with monkeypatch.context() as patch:
            patch.setenv(variable, value)
            session.start()
            assert len(capsys.readouterr().out.splitlines()) == lines
    place = session.cache_dir() / session.MACHINE_FILE
    kept = json.loads(place.read_text(encoding="utf-8"))
    for damaged in ({**kept, "minutes": {"02": {"smollm2-135m": float("inf")}}}, {**kept, "minutes": []}, []):
        place.write_text(json.dumps(damaged), encoding="utf-8")
        session.start()
        assert len(capsys.readouterr().out.splitlines()) == 3
    assert len(measuring) == 1


# --- what is stored -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lesson", list(lesson_works()))
def test_the_stated_minutes_are_those_of_the_counted_work(lesson):
    stored = json.loads((session.data_dir() / "results" / f"{lesson}.json").read_text(encoding="utf-8"))
    assert stored["minutes_laptop"] == round(stated_minutes(LessonWork.of(stored["work"])), 1), (
        f"run `python notebooks/build.py {lesson} --count`"
    )
