"""A store that is no library's, for tests of what an index asks of one."""

from dataclasses import replace


class ThreeCalls:
    """An exact search in memory, by `add`, `delete` and `query` and nothing else."""

    def __init__(self):
        self.rows = []

    def add(self, passages, vectors, digests):
        self.rows += zip(passages, vectors)

    def delete(self, sources):
        self.rows = [row for row in self.rows if row[0].source not in sources]

    def ranked(self, vector):
        return sorted((replace(p, score=float(v @ vector)) for p, v in self.rows), key=lambda p: -p.score)

    def query(self, vector, k, where=None):
        return self.ranked(vector)[:k]
