"""The sources' comparison table of RAG and fine-tuning, with a measured number in every cell that can have one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from course_lib.findings import quoted

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["comparison_table"]

# Feature -> for RAG and for fine-tuning: the cell of seed 004 in its words, and what was measured of it, by place. Its
# sentence on combining them stands below as a last row.
CELLS: dict[str, tuple[tuple[str, dict[str, str]], tuple[str, dict[str, str]]]] = {
    "Analogy": (
        ("Open-book test", {"at the right page": "02/handbook/right page", "closed book": "02/handbook/closed book"}),
        (
            "Going to medical school to specialize",
            {"queries, before": "03/desk/before/values", "after": "03/desk/desk/values"},
        ),
    ),
    "Purpose": (
        (
            "To provide the model with knowledge",
            {"handbook questions": "02/handbook/RAG", "without it": "02/handbook/closed book"},
        ),
        (
            "To teach the model a new skill or style",
            {"letters sorted, before": "04/before/test", "after": "04/pooled/lora/test"},
        ),
    ),
    "How it works": (
        (
            "Retrieves relevant info and puts it in the prompt",
            {
                "the page among the first four": "05/retrieval/handbook/dense/recall@4",
                "tokens a question, with it": "02/handbook/RAG/tokens",
                "without": "02/handbook/closed book/tokens",
            },
        ),
        (
            "Updates the model's internal weights",
            {
                "numbers trained by LoRA": "04/methods/lora/runs/0/training/trainable",
                "of": "04/methods/lora/runs/0/training/parameters",
            },
        ),
    ),
    "When to use it": (
        (
            "Questions about specific, changing documents",
            {
                "seconds until a new page is found": "08/fresh/index_seconds",
                "until it is studied": "08/fresh/retrain_seconds",
            },
        ),
        (
            "To change the model's fundamental behavior or format",
            {"queries in new wordings, before": "03/desk/before/wordings", "after": "03/desk/desk/wordings"},
        ),
    ),
    "Example": (
        ("A chatbot about internal HR policies", {"handbook questions": "02/handbook/RAG"}),
        ("Always in the voice of Shakespeare", {"in the voice": "08/style/tuned"}),
    ),
    "Combining them": (
        ("A fine-tuned model reads what was retrieved", {"facts in summaries, both": "06/hybrid/both/facts"}),
        (
            "... specialised in summarizing legal documents",
            {"the specialist alone": "06/hybrid/specialist alone/facts"},
        ),
    ),
}


def comparison_table() -> pd.DataFrame:
    """Seed 004's table, measured.

    Returns
    -------
    One row a feature; for RAG and for fine-tuning what the source says, and what was measured of it here, read from the
    stored results: a cell that was not measured, because its lesson was not, says so.
    """
    import pandas as pd

    rows = {}
    for feature, cells in CELLS.items():
        row = {}
        for side, (words, places) in zip(("RAG", "fine-tuning"), cells):
            row[side] = words
            row[f"{side}, measured"] = "; ".join(quoted(what, place) for what, place in places.items())
        rows[feature] = row
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("feature")
