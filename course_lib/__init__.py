"""Open Book, Closed Book: the package that the notebooks are written in. `import course_lib as cl`.

Importing it starts nothing: names are looked up in their modules when first used (PEP 562).
"""

from __future__ import annotations

import importlib
from typing import Any

_HOME = {
    "errors": ["ChoiceError", "CourseError", "DataError", "LeakError", "ModelError", "TrainingError"],
    "settings": ["Settings", "cache_dir", "data_dir", "start"],
    "models": ["Answer", "ChatModel"],
    "loading": ["load_embedder", "load_model", "untrained"],
    "datasets": [
        "Exam",
        "Fact",
        "Question",
        "check_no_leak",
        "example",
        "general_study",
        "load_exam",
        "load_facts",
    ],
    "tickets": [
        "DESKS",
        "Ticket",
        "check_issues_apart",
        "few",
        "leaky_split",
        "load_tickets",
        "ticket_exam",
        "with_wrong_labels",
    ],
    "house_rule": ["HOUSE_RULE", "keeps_the_rule", "support"],
    "preference_data": ["Preference", "check_replies_apart", "load_preferences", "staff_archive"],
    "sql_text": ["standard_style"],
    "sql_running": ["SqlError", "run_sql", "same_results"],
    "sql": ["FRONT_DESK", "SqlPair", "SqlTask", "SqlWriter", "load_sql", "sql_prompt"],
    "sql_cleaning": ["clean"],
    "documents": ["Document", "Passage", "read_documents"],
    "filters": ["named_years", "only"],
    "stores": ["ChromaStore", "FaissStore"],
    "retrieval": ["Index", "Retriever", "build_index"],
    "keyword_search": ["KeywordIndex"],
    "fusion": ["HybridIndex"],
    "ranking": ["Ranking", "by_hit", "compare_rankings", "grade_retrieval"],
    "wording": ["content_words", "lookup_questions", "shared_words"],
    "grounding": ["cite", "ground", "is_faithful"],
    "embedder_tuning": ["finetune_embedder", "hard_negatives"],
    "maps": ["library_map"],
    "chunking": ["chunk_slider"],
    "adverse_pages": [],
    "adverse_questions": [],
    "adapters": ["stored_adapters"],
    "finetuning": ["finetune"],
    "losses": ["held_out_loss"],
    "pairs": ["pair"],
    "likelihoods": ["kl_from", "log_probability"],
    "preferences": ["dpo_loss", "prefer"],
    "reward_models": ["train_reward_model"],
    "reinforcement": ["reinforce"],
    "replies": ["grade_replies", "write_replies"],
    "merging": ["merged", "with_adapters"],
    "quantization": [
        "bits_per_weight",
        "fp4_levels",
        "int4_levels",
        "nf4_levels",
        "quantize",
        "round_trip",
        "round_trip_model",
    ],
    "inspection": ["parts", "rank_holding", "singular_values", "weight_change", "weight_changes"],
    "reports": ["Report", "paired_difference"],
    "evaluation": ["Comparison", "compare", "evaluate"],
    "pictures": ["Picture"],
    "plots": [],
    "widgets": ["predict", "predict_choice", "quiz", "reveal"],
    "labelling": ["label_pairs"],
    "chatbox": ["sql_chat"],
    "sliders": ["lora_slider"],
    "costs": ["SHAPES", "Memory", "Shape", "memory_table", "model_shape", "trained_parameters", "training_memory"],
    "prices": ["Card", "Price", "Prices", "load_prices"],
    "compute_costs": [
        "Bill",
        "generation_flops",
        "generation_seconds",
        "kv_cache_bytes",
        "seed_figures",
        "training_bill",
        "training_flops",
    ],
    "question_costs": ["break_even", "break_even_volume", "question_cost"],
    "cost_sliders": ["cost_slider"],
    "forecasts": ["Calibration", "Forecast", "calibrate", "forecast"],
    "exercises": ["check", "progress_report"],
    "checkup": ["check_machine"],
    "findings": ["Finding", "find", "quoted"],
    "choosing": ["Advice", "Case", "advise", "load_cases"],
    "advising": ["advisor"],
    "comparison": ["comparison_table"],
    "kept_reports": ["own_results"],
    "results": ["load_results", "with_interval", "with_verdict"],
    "prompting": ["FewShot", "Instructed"],
    "rag": ["OpenBook", "RagPipeline", "golden_passages", "reading_prompt"],
    "shelves": ["editions_exam", "exam_shelf", "plain_exam", "reading_questions", "shelf", "study_shelf"],
    "agreements": ["Agreement", "agreement_shelf", "grade_summaries", "load_agreements", "summary_examples"],
    "papers": [],
    "hosted": ["check_chat_jsonl", "estimate_price", "submit", "write_chat_jsonl"],
    "serving": ["Endpoint", "latency", "serve"],
    "cards": ["write_model_card"],
    "regression": ["drift", "gate"],
    "conclusions": ["check_conclusion"],
    "capstone": ["one_page_report"],
    "metric_gaps": ["disagreements", "metric_table"],
    "style": ["facts_survive", "grade_style", "in_the_voice", "load_style", "style_exam"],
    "raft": ["RaftReader", "build_raft_examples", "quotes_stand", "raft_pages", "reasoned_answer", "split_reply"],
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}

__version__ = "0.1.0"
__all__ = sorted(_MODULE_OF)


def __getattr__(name: str) -> Any:
    if name in _HOME:  # a module: cl.plots.bars
        return importlib.import_module(f"course_lib.{name}")
    if name not in _MODULE_OF:
        raise AttributeError(f"course_lib has no {name!r}; it has {', '.join(__all__)}")
    value = getattr(importlib.import_module(f"course_lib.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
