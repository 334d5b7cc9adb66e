"""Lesson 05: rankings fused by hand, a store of one's own, and a filter."""

from dataclasses import replace

import numpy as np
from stand_ins import ThreeCalls

from course_lib.retrieval.documents import Passage
from course_lib.retrieval.filters import only
from course_lib.retrieval.stores import FaissStore

RANKINGS = [["geese", "kettle", "mill"], ["lamp", "kettle", "geese", "well"]]
PASSAGES = [
    Passage(f"d{i}/0", f"Text {i}", f"d{i}", date=f"20{41 + i % 2}-05-01", audience=audience)
    for i, audience in enumerate(("public", "staff", "managers") * 2)
]
ANGLES = np.linspace(0.1, 1.4, 6)
VECTORS = np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1)
ASKED = np.array([1.0, 0.0])
WANTED = only(audience=["public", "staff"], since="2042-01-01")


class Finds(ThreeCalls):
    """A store whose answer is spoilt: `found(ranked, k)` is what it gives of all passages, best first."""

    def __init__(self, found):
        super().__init__()
        self.found = found

    def query(self, vector, k, where=None):
        return self.found(self.ranked(vector), k)


class Keeps(ThreeCalls):
    def delete(self, sources):
        pass


class Forgets(ThreeCalls):
    def delete(self, sources):
        self.rows = self.rows[3:]


class NoDelete:
    add = query = lambda *_: None


EXERCISES = {
    "05-fuse": ("order", {"rankings": RANKINGS}),
    "05-store": ("store", {"passages": PASSAGES, "vectors": VECTORS, "asked": ASKED}),
    "05-filter": ("where", {"passages": PASSAGES}),
}
RIGHT = {
    "05-fuse": [["geese", "kettle", "lamp", "mill", "well"], ("geese", "kettle", "lamp", "mill", "well")],
    "05-store": [ThreeCalls(), FaissStore()],
    "05-filter": [WANTED, {"$and": [{"audience": {"$ne": "managers"}}, {"day": {"$gt": 20411231}}]}],
}
WRONG = {
    "05-fuse": [
        ("geese", "a list of passage names"),
        (["geese", 2], "a list of passage names"),
        (["geese", "geese"], "twice"),
        (["geese", "kettle", "lamp"], "2 of 5 passages are missing"),
        (["geese", "kettle", "lamp", "mill", "well", "goat"], "'goat' was found by neither"),
        (["well", "mill", "lamp", "kettle", "geese"], "upside down"),
        (["geese", "kettle", "mill", "lamp", "well"], "one search's ranking"),
        (["lamp", "mill", "geese", "kettle", "well"], "You added ranks"),
        (["kettle", "geese", "lamp", "mill", "well"], "0.03226 and 'geese' 0.03227: look at those two again"),
    ],
    "05-store": [
        (ThreeCalls, "That is the class. Make one of it: ThreeCalls()."),
        (NoDelete(), "yours lacks delete"),
        (Finds(lambda ranked, k: [p.id for p in ranked[:k]]), "a list of passages, and something else"),
        (Finds(lambda ranked, k: ranked), "Asked for 3 passages, your store gives 6"),
        (Finds(lambda ranked, k: ranked[::-1][:k]), "a large cosine is near"),
        (Finds(lambda ranked, k: ranked[:k][::-1]), "the best comes first"),
        (Finds(lambda ranked, k: ranked[2 : 2 + k]), "not the nearest three"),
        (Finds(lambda ranked, k: [replace(p, score=0.0) for p in ranked[:k]]), "Their score is the cosine"),
        (Keeps(), "your store still finds it"),
        (Forgets(), "took more away than that document"),
    ],
    "05-filter": [
        (only(since="2042-01-01"), "for managers: somebody reads what is not meant for them"),
        (only(audience=["public", "staff"]), "of 2041-05-01, is too old"),
        (only(audience="public", since="2042-01-01"), "nothing for staff comes through"),
        (only(audience=["public", "staff"], since="2042-06-01"), "too strict"),
        ({"audience": {"$like": "x"}}, "is none that Chroma knows"),
    ],
}
