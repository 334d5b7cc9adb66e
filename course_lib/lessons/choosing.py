"""Prompting, RAG, fine-tuning, RAFT or a hybrid? Advice for a case, each reason with the row that it rests on."""
# MERGED advising: The advice as something to play with: change one field, see whether the advice changes.
# MERGED comparison: The sources' comparison table of RAG and fine-tuning, with a measured number in every cell
# MERGED that can have one.

from __future__ import annotations

import html
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from course_lib.core.errors import CourseError, DataError, choose
from course_lib.core.progress import in_notebook
from course_lib.core.rows import Text, checked, one_of
from course_lib.core.session import data_dir
from course_lib.display.ask import show_widget
from course_lib.evaluation.stored import quoted
from course_lib.lessons.reasons import LIMITS, REASONS

if TYPE_CHECKING:
    import pandas as pd


ADVICE = ("prompting", "RAG", "fine-tuning", "RAFT", "hybrid")


CHOICES = {
    "need": ("knowledge", "behaviour", "both"),
    "changes": ("never", "yearly", "monthly", "weekly", "daily"),
    "privacy": ("open", "in-house", "per reader", "erasable"),
    "latency": ("relaxed", "tight"),
    "budget": ("none", "some"),
}


# Fewer examples than this taught little where it was measured (lessons 01 and 03); see the reasons "enough" and "few".
ENOUGH_EXAMPLES = 100


# What is shorter than this can stand in every prompt: a few pages. And what is longer cannot be studied by heart.
PROMPT_TOKENS, STUDY_TOKENS = 1_000, 100_000


# From so many questions a month a short prompt is worth a training; `cl.break_even` says it for your own prices.
MANY_QUESTIONS = 1_000_000


@dataclass(frozen=True)
class Case:
    """A case as one would describe it to a colleague.

    Attributes
    ----------
    need
        "knowledge" (facts to be told), "behaviour" (a skill, a form, a voice), or "both".
    changes
        How often the facts change: "never", "yearly", "monthly", "weekly", "daily".
    knowledge_tokens
        Size of all that must be known; 0 where nothing must.
    privacy
        "open"; "in-house" (nothing may leave the house); "per reader" (who may read what differs); "erasable" (single
        documents must be taken back on demand).
    latency
        "relaxed", or "tight": every token in the prompt counts.
    budget
        "none" for training, or "some".
    examples
        Good examples of the task at hand, questions with their answers.
    cite
        Whether an answer must name its source.
    look_alikes
        Whether a search brings pages that look right and are not.
    questions
        A month.
    """

    need: str
    changes: str = "never"
    knowledge_tokens: int = 0
    privacy: str = "open"
    latency: str = "relaxed"
    budget: str = "some"
    examples: int = 0
    cite: bool = False
    look_alikes: bool = False
    questions: int = 1_000

    def __post_init__(self) -> None:
        for name, choices in CHOICES.items():
            choose(name, getattr(self, name), choices)
        for name in ("knowledge_tokens", "examples", "questions"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 0:
                raise CourseError(f"{name} is {value!r}: it must be a whole number, 0 or more.")
        for name in ("cite", "look_alikes"):
            if not isinstance(getattr(self, name), bool):
                raise CourseError(f"{name} is {getattr(self, name)!r}: it must be True or False.")
        if self.need == "behaviour" and self.knowledge_tokens:
            raise CourseError(f"a case of behaviour alone has no {self.knowledge_tokens:,} tokens to know: say 'both'.")
        if self.need != "behaviour" and not self.knowledge_tokens:
            raise CourseError(f"a case of {self.need!r} must say how large the knowledge is: knowledge_tokens.")


@dataclass(frozen=True)
class Reason:
    """Why: the rule, in a sentence, and the measured rows behind it."""

    rule: str
    text: str
    evidence: tuple[str, ...]


@dataclass(frozen=True)
class Advice:
    """What to build, why, and where this advice loses. Prints as a page."""

    choice: str
    case: Case
    reasons: tuple[Reason, ...]
    limits: tuple[str, ...]

    def __str__(self) -> str:
        lines = [f"Advice: {self.choice}"]
        for reason in self.reasons:
            lines += _wrapped("because", reason.text)
            lines += [line for row in reason.evidence for line in _wrapped("measured", row)]
        for limit in self.limits:
            lines += _wrapped("loses", limit)
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return "<br>".join(html.escape(line).replace("  ", "&nbsp;&nbsp;") for line in str(self).splitlines())


def advise(case: Case) -> Advice:
    """What to build for a case.

    First where the facts go (into the prompt, into pages, into the weights), then where the behaviour comes from (a
    prompt, or training), then both together. Every reason quotes the course's own stored figures, of one small model:
    read them as which way it points, not how far.

    Raises
    ------
    CourseError
        If `case` is no Case.
    """
    if not isinstance(case, Case):
        raise CourseError(f"advise takes a cl.Case(...), not {case!r:.60}.")
    place, why_there = _facts(case)
    skill, why_skill = _behaviour(case)
    choice = _together(place, skill)
    rules = [*why_there, *why_skill]
    if place == "pages" and case.look_alikes and _can_train(case):
        rules.append("look-alikes")
        choice = "RAFT" if choice == "RAG" else choice  # a hybrid's reader is trained among wrong pages too
    if choice == "hybrid":
        rules.append("both")
    if case.privacy == "in-house":
        rules.append("in-house")
    return Advice(choice, case, tuple(map(_reason, rules)), LIMITS[choice])


def _facts(case: Case) -> tuple[str, list[str]]:
    """Where the facts go, and by which rules."""
    if case.need == "behaviour":
        return "nowhere", []
    guarded = case.privacy in ("per reader", "erasable")
    if case.knowledge_tokens <= PROMPT_TOKENS and not guarded and case.latency == "relaxed":
        return "prompt", ["in the prompt"]
    against = {
        "changing": case.changes in ("monthly", "weekly", "daily"),
        "large": case.knowledge_tokens > STUDY_TOKENS,
        "cited": case.cite,
        "guarded": guarded,
    }
    worth = case.latency == "tight" or case.questions >= MANY_QUESTIONS
    if worth and not any(against.values()) and _can_train(case):
        return "weights", ["by heart"]
    return "pages", ["pages", *(rule for rule, holds in against.items() if holds)]


def _behaviour(case: Case) -> tuple[str, list[str]]:
    """Where the behaviour comes from, and by which rule."""
    if case.need == "knowledge":
        return "nowhere", []
    if case.budget == "none":
        return "prompt", ["no budget"]
    return ("trained", ["enough"]) if _can_train(case) else ("prompt", ["few"])


def _can_train(case: Case) -> bool:
    return case.budget != "none" and case.examples >= ENOUGH_EXAMPLES


def _together(place: str, skill: str) -> str:
    if place == "pages":
        return "hybrid" if skill == "trained" else "RAG"
    return "fine-tuning" if place == "weights" or skill == "trained" else "prompting"


def _reason(rule: str) -> Reason:
    text, rows = REASONS[rule]
    return Reason(rule, text, tuple(quoted(what, place) for what, place in rows.items()))


def _wrapped(label: str, text: str) -> list[str]:
    return textwrap.wrap(text, 100, initial_indent=f"  {label}: ", subsequent_indent="    ")


@dataclass(frozen=True)
class WrittenCase:
    """A case with the advice that a thoughtful expert would give, and why; the rules are held to it."""

    id: Text
    title: Text
    story: Text
    case: Case
    expert: Annotated[str, one_of(ADVICE)]
    why: Text


def load_cases(path: str | Path | None = None) -> list[WrittenCase]:
    """The twelve written cases of `data/cases.yaml`.

    Raises
    ------
    DataError
        For a file that is missing or malformed: names the case.
    """
    import yaml

    path = Path(path) if path is not None else data_dir() / "cases.yaml"
    try:
        rows = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise DataError(f"the cases in {path} cannot be read ({' '.join(str(error).split())}).") from error
    if not isinstance(rows, list) or not rows:
        raise DataError(f"{path} holds no list of cases.")
    names = [row.get("id", number) if isinstance(row, Mapping) else number for number, row in enumerate(rows, 1)]
    return [checked(WrittenCase, row, f"{path}, case {name}", "Correct the case.") for row, name in zip(rows, names)]


TOKENS = (0, 500, 5_000, 50_000, 500_000, 5_000_000)


EXAMPLES = (0, 10, 50, 100, 300, 1_000, 5_000)


QUESTIONS = (100, 1_000, 10_000, 100_000, 1_000_000)


STEPS = {"knowledge_tokens": TOKENS, "examples": EXAMPLES, "questions": QUESTIONS}


def advisor(case: Case | None = None, **values: Any) -> Advice | None:
    """Describe a case and read the advice.

    Parameters
    ----------
    case
        Where to begin.
    values
        Fields of `cl.Case`; with them, or with a case, the advice is printed and returned, without a widget.

    Raises
    ------
    CourseError
        For a field that is unknown or makes no sense.
    """
    known = [field.name for field in fields(Case)]
    if unknown := set(values) - set(known):
        raise CourseError(f"a case has no {', '.join(sorted(unknown))}: its fields are {', '.join(known)}.")
    if case is not None and not isinstance(case, Case):
        raise CourseError(f"advisor begins with a cl.Case(...), not {case!r:.60}.")
    if case is not None or values:
        before = {name: getattr(case, name) for name in known} if case is not None else {}
        try:
            advice = advise(Case(**before | values))
        except TypeError as error:  # no need given
            raise CourseError("a case must say what it needs: need='knowledge', 'behaviour' or 'both'.") from error
        print(advice)
        return advice
    text = (
        "Describe a case and read the advice. Without widgets: "
        'cl.advisor(need="knowledge", knowledge_tokens=50_000, changes="weekly")'
    )
    show_widget(_box() if in_notebook() else None, text)
    return None


def _box() -> Any:
    import ipywidgets as w

    controls: dict[str, Any] = {}
    start = Case("knowledge", knowledge_tokens=50_000)
    for field in fields(Case):
        name, value = field.name, getattr(start, field.name)
        if name in CHOICES:
            controls[name] = w.Dropdown(options=CHOICES[name], value=value, description=name)
        elif name in STEPS:
            options = [(f"{step:,}", step) for step in STEPS[name]]
            controls[name] = w.SelectionSlider(options=options, value=value, description=name.split("_")[0])
        else:
            controls[name] = w.Checkbox(value=value, description=name.replace("_", "-"))
    said = w.HTML()

    def describe(_: Any = None) -> None:
        try:
            case = Case(**{name: control.value for name, control in controls.items()})
            said.value = advise(case)._repr_html_()
        except CourseError as error:  # a case that contradicts itself: the box says so, and stays usable
            said.value = html.escape(str(error))

    for control in controls.values():
        control.observe(describe, "value")
    describe()
    return w.VBox([w.GridBox(list(controls.values()), layout=w.Layout(grid_template_columns="repeat(2, auto)")), said])


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
