"""Why, for each rule of `choosing`: a sentence, and the measured rows behind it; and where each advice loses."""

from __future__ import annotations

# Rule -> why, and the rows that it rests on: what it measures -> where it is stored.
REASONS: dict[str, tuple[str, dict[str, str]]] = {
    "in the prompt": (
        "All that must be known fits into every prompt: nothing has to be searched for, or learned.",
        {
            "with the right page before it": "02/handbook/right page",
            "with nothing but the question": "02/handbook/closed book",
        },
    ),
    "pages": (
        "The facts stay in documents, which are looked up: what changes is changed there.",
        {"closed book": "02/handbook/closed book", "RAG": "02/handbook/RAG"},
    ),
    "changing": (
        "The facts change too often to be studied again each time; a document is in the index within seconds.",
        {
            "RAG": "02/handbook/RAG",
            "seconds to retrain": "08/fresh/retrain_seconds",
            "and to index": "08/fresh/index_seconds",
        },
    ),
    "large": (
        "There is more than can be studied: each fact takes several wordings, and what is left out is not known.",
        {
            "by heart, six wordings a fact": "02/by_heart/many-wordings/*/exam",
            "one wording": "02/by_heart/one-wording/*/exam",
        },
    ),
    "cited": (
        "Answers must name their source: weights cannot, a passage carries its document with it.",
        {"the right page among the first four": "05/retrieval/handbook/hybrid/recall@4"},
    ),
    "guarded": (
        "What a reader may see, or must be forgotten, is decided by the page: an index drops it, weights do not.",
        {"RAG": "02/handbook/RAG", "by heart, after its documents are gone": "08/fresh/withdrawn"},
    ),
    "by heart": (
        "Few and lasting facts, to be told quickly or very often: study them once, and keep the prompt short.",
        {
            "by heart": "02/by_heart/many-wordings/*/exam",
            "RAG": "02/handbook/RAG",
            "tokens a question, RAG": "02/handbook/RAG/tokens",
            "tokens, closed book": "02/handbook/closed book/tokens",
        },
    ),
    "enough": (
        "A skill is learned from examples, and there are enough of them.",
        {
            "queries, before": "03/desk/before/values",
            "after 300 pairs": "03/desk/desk/values",
            "letters sorted, after 100": "01/few/100/*",
        },
    ),
    "few": (
        "With so few examples training has little to learn from: put the best ones into the prompt.",
        {
            "letters sorted, 10 examples": "01/few/10/*",
            "300": "01/few/300/*",
            "queries, 3 in the prompt": "03/desk/examples/values",
        },
    ),
    "no budget": (
        "Nothing may be trained: an instruction and examples are what is left, and where to begin in any case.",
        {"queries, 3 in the prompt": "03/desk/examples/values", "after 300 pairs": "03/desk/desk/values"},
    ),
    "both": (
        "Behaviour from the weights, facts from the pages: each where it is cheapest to change.",
        {
            "facts in summaries, specialist alone": "06/hybrid/specialist alone/facts",
            "RAG alone": "06/hybrid/RAG alone/facts",
            "both": "06/hybrid/both/facts",
        },
    ),
    "look-alikes": (
        "Search brings pages that look right and are not: a reader trained among wrong pages tells them apart.",
        {
            "finding the right report of one cup among the first four": "05/retrieval/cup/dense/recall@4",
            "reading four of them, untrained": "06/arms/arms/base + RAG",
            "trained by RAFT": "06/arms/arms/RAFT without reasoning + RAG",
        },
    ),
    "in-house": (
        "Nothing may leave the house: hold the weights yourself; that rules out hosting, and none of the methods.",
        {"LoRA's peak, in bytes": "04/steps/lora/peak_bytes", "QLoRA's": "04/steps/qlora/peak_bytes"},
    ),
}


LIMITS: dict[str, tuple[str, ...]] = {
    "prompting": (
        "examples in the prompt teach form, not facts, and a small model may copy from them",
        "the instruction is read, and paid for, at every question",
    ),
    "RAG": (
        "the answer is no better than what is found, and than the model reads",
        "every passage costs tokens and time at every question",
        "pages that are old, or that give orders, are believed",
    ),
    "fine-tuning": (
        "it forgets: what was not studied along may be gone",
        "what changes has to be studied again, and cannot be taken back",
        "it answers what it was never taught with the same confidence",
    ),
    "RAFT": (
        "it is trained on pages of one kind, and may read others worse",
        "where one passage is enough and easy to find, plain RAG is cheaper",
    ),
    "hybrid": (
        "two systems to keep: an index that is maintained, and a model that is trained again when the task changes",
        "a fine-tuned reader may have forgotten how to follow its pages: examine both together",
    ),
}
