"""The checks of lesson 05: right answers, and the usual wrong ones with their hints."""

from dataclasses import replace

import numpy as np
import pytest
from stand_ins import ThreeCalls

from course_lib.retrieval.documents import Passage
from course_lib.retrieval.filters import only
from course_lib.retrieval.stores import FaissStore

pytestmark = pytest.mark.usefixtures("a_learner_who_begins")

RANKINGS = [["geese", "kettle", "mill"], ["lamp", "kettle", "geese", "well"]]
PASSAGES = [
    Passage(
        f"d{i}/0", f"Text {i}", f"d{i}", date=f"20{41 + i % 2}-05-01", audience=("public", "staff", "managers")[i % 3]
    )
    for i in range(6)
]
ANGLES = np.linspace(0.1, 1.4, 6)
VECTORS = np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1)
ASKED = np.array([1.0, 0.0])
WANTED = only(audience=["public", "staff"], since="2042-01-01")
CONTEXT = {
    "05-fuse": {"rankings": RANKINGS},
    "05-store": {"passages": PASSAGES, "vectors": VECTORS, "asked": ASKED},
    "05-filter": {"passages": PASSAGES},
}


class UpsideDown(ThreeCalls):
    def query(self, vector, k, where=None):
        return self.ranked(vector)[::-1][:k]


class Mixed(ThreeCalls):
    def query(self, vector, k, where=None):
        return self.ranked(vector)[:k][::-1] if k < 5 else self.ranked(vector)


class Everything(ThreeCalls):
    def query(self, vector, k, where=None):
        return self.ranked(vector)


class FirstCome(ThreeCalls):
    def query(self, vector, k, where=None):
        return [p for p, _ in self.rows][2 : 2 + k]


class Ids(ThreeCalls):
    def query(self, vector, k, where=None):
        return [p.id for p in self.ranked(vector)[:k]]


class Unscored(ThreeCalls):
    def query(self, vector, k, where=None):
        return [replace(p, score=0.0) for p in self.ranked(vector)[:k]]


class Keeps(ThreeCalls):
    def delete(self, sources):
        pass


class Forgets(ThreeCalls):
    def delete(self, sources):
        self.rows = self.rows[3:]


class NoDelete:
    add = query = lambda *_: None


@pytest.mark.parametrize(("key", "name"), [("05-fuse", "order"), ("05-store", "store"), ("05-filter", "where")])
def test_an_untouched_exercise_says_which_variable_is_none(key, name, said):
    assert said(key, None) == f"· Not attempted yet: `{name}` is None."


RIGHT = [
    ("05-fuse", ["geese", "kettle", "lamp", "mill", "well"]),
    ("05-fuse", ("geese", "kettle", "lamp", "mill", "well")),
    ("05-store", ThreeCalls()),
    ("05-store", FaissStore()),
    ("05-filter", WANTED),
    ("05-filter", {"$and": [{"audience": {"$ne": "managers"}}, {"day": {"$gt": 20411231}}]}),
]


@pytest.mark.parametrize(("key", "attempt"), RIGHT)
def test_a_right_answer_is_accepted(key, attempt, said):
    assert said(key, attempt).startswith("✓ ")


WRONG = [
    ("05-fuse", "geese", "a list of passage names"),
    ("05-fuse", ["geese", 2], "a list of passage names"),
    ("05-fuse", ["geese", "geese"], "twice"),
    ("05-fuse", ["geese", "kettle", "lamp"], "2 of 5 passages are missing"),
    ("05-fuse", ["geese", "kettle", "lamp", "mill", "well", "goat"], "'goat' was found by neither"),
    ("05-fuse", ["well", "mill", "lamp", "kettle", "geese"], "upside down"),
    ("05-fuse", ["geese", "kettle", "mill", "lamp", "well"], "one search's ranking"),
    ("05-fuse", ["lamp", "mill", "geese", "kettle", "well"], "You added ranks"),
    ("05-fuse", ["kettle", "geese", "lamp", "mill", "well"], "look at those two again"),
    ("05-store", ThreeCalls, "That is the class. Make one of it: ThreeCalls()."),
    ("05-store", NoDelete(), "yours lacks delete"),
    ("05-store", Ids(), "a list of passages, and something else"),
    ("05-store", Everything(), "Asked for 3 passages, your store gives 6"),
    ("05-store", UpsideDown(), "a large cosine is near"),
    ("05-store", Mixed(), "the best comes first"),
    ("05-store", FirstCome(), "not the nearest three"),
    ("05-store", Unscored(), "Their score is the cosine"),
    ("05-store", Keeps(), "your store still finds it"),
    ("05-store", Forgets(), "took more away than that document"),
    ("05-filter", only(since="2042-01-01"), "for managers: somebody reads what is not meant for them"),
    ("05-filter", only(audience=["public", "staff"]), "of 2041-05-01, is too old"),
    ("05-filter", only(audience="public", since="2042-01-01"), "nothing for staff comes through"),
    ("05-filter", only(audience=["public", "staff"], since="2042-06-01"), "too strict"),
    ("05-filter", {"audience": {"$like": "x"}}, "is none that Chroma knows"),
]


@pytest.mark.parametrize(("key", "attempt", "hint"), WRONG)
def test_a_usual_wrong_answer_gets_its_hint(key, attempt, hint, said):
    line = said(key, attempt)
    assert line.startswith("✗ ") and hint in line


@pytest.mark.parametrize("key", CONTEXT)
def test_an_answer_of_any_kind_is_met_with_a_hint_and_never_an_error(key, odd, said):
    assert said(key, odd).startswith("✗ ")
