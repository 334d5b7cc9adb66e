"""Figures out of papers, to stand beside the course's own; never computed here."""

from __future__ import annotations

# Zhang et al. 2024, RAFT, arXiv 2403.10131, tables 1 and 2: per cent right; one run each, no intervals are given.
# Transcribed from two independent summaries of the paper that agree in every cell they share; its text states four of
# the differences (tests/test_papers.py holds the table to them).
_DATA_SETS = ("PubMed", "HotpotQA", "HuggingFace", "Torch Hub", "TensorFlow")


RAFT_TABLE_1: dict[str, dict[str, float]] = {
    arm: dict(zip(_DATA_SETS, row))
    for arm, row in {
        "GPT-3.5 + RAG": (71.60, 41.5, 29.08, 60.21, 65.59),
        "LLaMA2-7B": (56.5, 0.54, 0.22, 0.0, 0.0),
        "LLaMA2-7B + RAG": (58.8, 0.03, 26.43, 8.60, 43.06),
        "DSF": (59.7, 6.38, 61.06, 84.94, 86.56),
        "DSF + RAG": (71.6, 4.41, 42.59, 82.80, 60.29),
        "RAFT": (73.30, 35.28, 74.00, 84.95, 86.86),
    }.items()
}


# With and without the reasoning that quotes.
RAFT_TABLE_2: dict[str, dict[str, float]] = {
    "RAFT without reasoning": dict(zip(_DATA_SETS, (68.30, 25.62, 59.07, 86.56, 83.21))),
    "RAFT": RAFT_TABLE_1["RAFT"],
}
