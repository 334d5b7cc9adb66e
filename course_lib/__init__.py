"""Open Book, Closed Book: the package that the notebooks are written in. `import course_lib as cl`.

Its rooms, each importing only from those below it:

    lessons     what one lesson alone needs, and the checks of its exercises
    shipping    serving, hosted fine-tuning, model cards
    costs       memory, bills, prices, forecasts
    retrieval   documents, indexes, search, readers (RAG), RAFT
    training    methods, the trainers, the shelf of adapters
    evaluation  exams, grading, reports, comparisons, stored results
    models      the chat model: loading, scoring, quantizing, looking inside
    display     plots, tables, what a learner touches
    core        errors, secrets, session, rows, text, progress, chat messages

This is the face: what two lessons or more use, or a project of the learner's own needs. Importing it starts nothing:
names are looked up in their modules when first used (PEP 562).
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from course_lib.core.chat import Answer as Answer
    from course_lib.core.chat import example as example
    from course_lib.core.chat import pair as pair
    from course_lib.core.errors import CourseError as CourseError
    from course_lib.core.errors import LeakError as LeakError
    from course_lib.core.session import start as start
    from course_lib.costs.forecast import forecast as forecast
    from course_lib.costs.memory import SHAPES as SHAPES
    from course_lib.costs.memory import model_shape as model_shape
    from course_lib.costs.memory import training_memory as training_memory
    from course_lib.display import plots as plots
    from course_lib.display.ask import predict as predict
    from course_lib.display.ask import predict_choice as predict_choice
    from course_lib.display.ask import reveal as reveal
    from course_lib.display.quizzes import quiz as quiz
    from course_lib.display.telling import say as say
    from course_lib.evaluation.evaluation import Comparison as Comparison
    from course_lib.evaluation.evaluation import compare as compare
    from course_lib.evaluation.evaluation import evaluate as evaluate
    from course_lib.evaluation.exams import Exam as Exam
    from course_lib.evaluation.exams import Question as Question
    from course_lib.evaluation.exams import check_no_leak as check_no_leak
    from course_lib.evaluation.exams import general_study as general_study
    from course_lib.evaluation.exams import load_exam as load_exam
    from course_lib.evaluation.exams import load_facts as load_facts
    from course_lib.evaluation.reports import Report as Report
    from course_lib.evaluation.reports import paired_difference as paired_difference
    from course_lib.evaluation.sizes import stored as stored
    from course_lib.evaluation.stored import load_results as load_results
    from course_lib.evaluation.stored import own_results as own_results
    from course_lib.evaluation.verdicts import verdict as verdict
    from course_lib.lessons.checks import check as check
    from course_lib.lessons.checks import findings as findings
    from course_lib.lessons.checks import progress as progress
    from course_lib.models.chatmodel import ChatModel as ChatModel
    from course_lib.models.loading import load_model as load_model
    from course_lib.models.quantization import bits_per_weight as bits_per_weight
    from course_lib.retrieval.documents import Document as Document
    from course_lib.retrieval.documents import Passage as Passage
    from course_lib.retrieval.documents import read_documents as read_documents
    from course_lib.retrieval.grounding import ground as ground
    from course_lib.retrieval.index import Index as Index
    from course_lib.retrieval.index import build_index as build_index
    from course_lib.retrieval.ranking import grade_retrieval as grade_retrieval
    from course_lib.retrieval.readers import FewShot as FewShot
    from course_lib.retrieval.readers import Instructed as Instructed
    from course_lib.retrieval.readers import OpenBook as OpenBook
    from course_lib.retrieval.readers import RagPipeline as RagPipeline
    from course_lib.retrieval.readers import golden_passages as golden_passages
    from course_lib.retrieval.readers import reading_prompt as reading_prompt
    from course_lib.shipping.cards import write_model_card as write_model_card
    from course_lib.shipping.chatfiles import check_chat_jsonl as check_chat_jsonl
    from course_lib.shipping.chatfiles import write_chat_jsonl as write_chat_jsonl
    from course_lib.shipping.serving import serve as serve
    from course_lib.training.dpo import prefer as prefer
    from course_lib.training.merging import merged as merged
    from course_lib.training.reward import train_reward_model as train_reward_model
    from course_lib.training.rl import reinforce as reinforce
    from course_lib.training.sft import finetune as finetune
    from course_lib.training.shelf import stored_adapters as stored_adapters

_HOME = {
    "core.errors": ["CourseError", "LeakError"],
    "core.session": ["start"],
    "models.chatmodel": ["ChatModel"],
    "core.chat": ["Answer", "example", "pair"],
    "models.loading": ["load_model"],
    "evaluation.exams": ["Exam", "Question", "check_no_leak", "general_study", "load_exam", "load_facts"],
    "evaluation.reports": ["Report", "paired_difference"],
    "evaluation.evaluation": ["Comparison", "compare", "evaluate"],
    "evaluation.stored": ["load_results", "own_results"],
    "evaluation.sizes": ["stored"],
    "evaluation.verdicts": ["verdict"],
    "display": ["plots"],
    "display.ask": ["predict", "predict_choice", "reveal"],
    "display.quizzes": ["quiz"],
    "display.telling": ["say"],
    "training.sft": ["finetune"],
    "training.dpo": ["prefer"],
    "training.reward": ["train_reward_model"],
    "training.rl": ["reinforce"],
    "training.merging": ["merged"],
    "training.shelf": ["stored_adapters"],
    "retrieval.documents": ["Document", "Passage", "read_documents"],
    "retrieval.index": ["Index", "build_index"],
    "retrieval.readers": ["FewShot", "Instructed", "OpenBook", "RagPipeline", "golden_passages", "reading_prompt"],
    "retrieval.ranking": ["grade_retrieval"],
    "retrieval.grounding": ["ground"],
    "costs.memory": ["SHAPES", "model_shape", "training_memory"],
    "models.quantization": ["bits_per_weight"],
    "costs.forecast": ["forecast"],
    "shipping.serving": ["serve"],
    "shipping.cards": ["write_model_card"],
    "shipping.chatfiles": ["check_chat_jsonl", "write_chat_jsonl"],
    "lessons.checks": ["check", "findings", "progress"],
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}

__version__ = "0.1.0"
__all__ = sorted(_MODULE_OF)


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"course_lib has no {name!r}; it has {', '.join(__all__)}")
    importlib.import_module("course_lib.core.text").spare(sys.stdout)  # what is looked up will be printed, "−" and "✓"
    value = getattr(importlib.import_module(f"course_lib.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
