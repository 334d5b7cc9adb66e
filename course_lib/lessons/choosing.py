"""Prompting, RAG, fine-tuning, RAFT or a hybrid? Advice for a case, each reason with the row that it rests on."""

from __future__ import annotations

import html
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Annotated, Any

from course_lib.core.errors import CourseError, DataError, choose
from course_lib.core.rows import Text, checked, one_of, read_yaml
from course_lib.core.session import data_dir
from course_lib.display.playground import panel, show
from course_lib.evaluation.sizes import students
from course_lib.evaluation.stored import quoted

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
# What is a number, and where the sliders of `advisor` stop.
STOPS = {
    "knowledge_tokens": (0, 500, 5_000, 50_000, 500_000, 5_000_000),
    "examples": (0, 10, 50, 100, 300, 1_000, 5_000),
    "questions": (100, 1_000, 10_000, 100_000, 1_000_000, 100_000_000),
}
# Fewer examples than this taught little where it was measured (lessons 01 and 03); see the reasons "enough" and "few".
ENOUGH_EXAMPLES = 100
# What is shorter than this can stand in every prompt: a few pages. And what is longer cannot be studied by heart.
PROMPT_TOKENS, STUDY_TOKENS = 1_000, 100_000
# From so many questions a month a short prompt is worth writing and studying all wordings; `bills.annual_costs` says it
# for your own prices.
MANY_QUESTIONS = 100_000_000
# Who can read: the small student once it has been trained to, and the larger ones as they are. Arm and student.
READERS = {
    "135M trained to read": ("trained reader, {}", "smollm2-135m"),
    "0.5B": ("{}", "qwen-0.5b"),
    "1.5B": ("{}", "qwen-1.5b"),
}


@dataclass(frozen=True)
class Case:
    """A case as one would describe it to a colleague. What is said in words is one of `CHOICES`.

    Privacy is "open"; "in-house" (nothing may leave the house); "per reader" (who may read what differs); or "erasable"
    (single documents must be taken back on demand).
    """

    need: str  # "knowledge" (facts to be told), "behaviour" (a skill, a form, a voice), or "both"
    changes: str = "never"  # how often the facts do
    knowledge_tokens: int = 0  # size of all that must be known; 0 where nothing must
    privacy: str = "open"
    latency: str = "relaxed"  # or "tight": every token in the prompt counts
    budget: str = "some"  # for training
    examples: int = 0  # good ones of the task at hand, questions with their answers
    cite: bool = False  # whether an answer must name its source
    look_alikes: bool = False  # whether a search brings pages that look right and are not
    questions: int = 1_000  # a month

    def __post_init__(self) -> None:
        for name, choices in CHOICES.items():
            choose(name, getattr(self, name), choices)
        for name in STOPS:
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

    __repr__ = __str__

    def _repr_html_(self) -> str:
        reasons = [
            f"{html.escape(reason.text)}" + "".join(f"<br><small>{html.escape(row)}</small>" for row in reason.evidence)
            for reason in self.reasons
        ]
        because, loses = (
            "".join(f"<li>{item}</li>" for item in items) for items in (reasons, map(html.escape, self.limits))
        )
        return f"<p><b>Advice: {self.choice}</b>, because</p><ul>{because}</ul><p>It loses:</p><ul>{loses}</ul>"


def advise(case: Case) -> Advice:
    """What to build for a case.

    First where the facts go (into the prompt, into pages, into the weights), then where the behaviour comes from (a
    prompt, or training), then both together. Every reason (`data/advice.yaml`) quotes the course's own stored figures,
    of small models: read them as which way it points, not how far.
    """
    if not isinstance(case, Case):
        raise CourseError(f"advise takes a choosing.Case(...), not {case!r:.60}.")
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
    texts = read_yaml(data_dir() / "advice.yaml")
    reasons = [(rule, texts["reasons"][rule]) for rule in rules]
    because = tuple(Reason(rule, told["why"], _quoted(told["measured"])) for rule, told in reasons)
    return Advice(choice, case, because, tuple(texts["limits"][choice]))


def _facts(case: Case) -> tuple[str, list[str]]:
    """Where the facts go, and by which rules."""
    if case.need == "behaviour":
        return "nowhere", []
    guarded = case.privacy in ("per reader", "erasable")
    if case.knowledge_tokens <= PROMPT_TOKENS and not guarded and case.latency == "relaxed":
        return "prompt", ["in the prompt"]
    against = {
        "changing": case.changes != "never",
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


def _quoted(rows: Mapping[str, str]) -> tuple[str, ...]:
    """Measured rows in words: `rows` has what each measures, and where it is stored."""
    return tuple(quoted(*row) for what, place in rows.items() for row in readers(what, place).items())


def readers(what: str, place: str) -> dict[str, str]:
    """Row -> where it is stored, of each who can read: "readers/02/handbook/right page" for an arm of `cl.stored`.

    Those of `READERS` who sat the exam; any other place is itself the only row.
    """
    if not place.startswith("readers/"):
        return {what: place}
    exam, _, arm = place.removeprefix("readers/").rpartition("/")
    known = {name: (form.format(arm), student) for name, (form, student) in READERS.items()}
    sat = [name for name, (arm_of, student) in known.items() if student in students(exam, arm_of)]
    if not sat:  # nobody was measured: what quotes the row says so
        return {what: f"sizes/{exam}/{arm}/qwen-0.5b"}
    return {f"{what}, {name}": f"sizes/{exam}/{'/'.join(known[name])}" for name in sat}


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


def load_cases() -> list[WrittenCase]:
    """The twelve written cases of `data/cases.yaml`; a DataError names case and field that are malformed."""
    path = data_dir() / "cases.yaml"
    rows = read_yaml(path)
    if not isinstance(rows, list) or not rows:
        raise DataError(f"{path} holds no list of cases.")
    names = [row.get("id", number) if isinstance(row, Mapping) else number for number, row in enumerate(rows, 1)]
    return [checked(WrittenCase, row, f"{path}, case {name}", "Correct the case.") for row, name in zip(rows, names)]


def advisor(case: Case | None = None, **values: Any) -> Advice | None:
    """Describe a case and read the advice.

    With a case to begin with, or fields of one, the advice is printed and returned, without a widget.
    """
    known = [field.name for field in fields(Case)]
    if unknown := set(values) - set(known):
        raise CourseError(f"a case has no {', '.join(sorted(unknown))}: its fields are {', '.join(known)}.")
    if case is not None and not isinstance(case, Case):
        raise CourseError(f"advisor begins with a choosing.Case(...), not {case!r:.60}.")
    advice = None
    if case is not None or values:
        before = {name: getattr(case, name) for name in known} if case is not None else {}
        try:
            advice = advise(Case(**before | values))
        except TypeError as error:  # no need given
            raise CourseError("a case must say what it needs: need='knowledge', 'behaviour' or 'both'.") from error
    text = (
        "Describe a case and read the advice. Without widgets: "
        'choosing.advisor(need="knowledge", knowledge_tokens=50_000, changes="weekly")'
    )
    show(_case_panel, text, advice)
    return advice


def _case_panel() -> Any:
    start = Case("knowledge", knowledge_tokens=50_000)
    controls = {}
    for name in (field.name for field in fields(Case)):
        label = name.split("_")[0] if name in STOPS else name.replace("_", "-")
        controls[label] = (CHOICES.get(name) or STOPS.get(name, ()), getattr(start, name))

    def bounds(need: str, *_: Any) -> dict[str, tuple[int, ...]]:
        known = STOPS["knowledge_tokens"]
        return {"knowledge": known[:1] if need == "behaviour" else known[1:]}

    return panel(controls, lambda *values: advise(Case(*values)), 2, bounds=bounds)


def comparison_table() -> pd.DataFrame:
    """Seed 004's table of RAG and fine-tuning (`data/comparison.yaml`), with what was measured of each cell beside it.

    One row a feature; what was not measured, because its lesson was not, says so.
    """
    import pandas as pd

    rows = {}
    for feature, sides in read_yaml(data_dir() / "comparison.yaml").items():
        rows[feature] = row = {}
        for side, cell in sides.items():
            row[side], row[f"{side}, measured"] = cell["says"], "; ".join(_quoted(cell["measured"]))
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("feature")
