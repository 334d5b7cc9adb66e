"""RAFT, retrieval-augmented fine-tuning: learning to read with the wrong pages on the desk.

Zhang et al. 2024, *RAFT: Adapting Language Model to Domain Specific RAG*, arXiv 2403.10131.

question ── golden passage (in a share P of the examples) and distractors out of the retriever, in any order ──> prompt
the sentence that states the fact, quoted between marks, then the answer ──> completion
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from course_lib.core.chat import Example, example
from course_lib.core.errors import CourseError, choose
from course_lib.evaluation.exams import Exam
from course_lib.retrieval.documents import Passage
from course_lib.retrieval.index import Retriever
from course_lib.retrieval.readers import READING_INSTRUCTION, golden_passages, reading_prompt

BEGIN_QUOTE, END_QUOTE, ANSWER = "##begin_quote##", "##end_quote##", "##Answer:"
NOT_SAID = "I don't know: the passages do not say."
# What may be learned where the golden passage is withheld.
ABSENT = ("answer", "unknown")


@dataclass(frozen=True)
class Reasoned:
    """A reply in its two parts: what is quoted (empty if nothing is), and the answer."""

    quote: str
    answer: str


def reasoned_answer(sentence: str, answer: str) -> str:
    """The paper's form of a completion: the sentence that says it between the marks, then the answer."""
    return f"{BEGIN_QUOTE} {sentence} {END_QUOTE}\n{ANSWER} {answer}"


def split_reply(reply: str) -> Reasoned:
    """Quote and answer of a reply. One without marks is all answer; one cut off within its quote has none."""
    before, mark, answer = reply.partition(ANSWER)
    quoted = re.search(f"{BEGIN_QUOTE}(.*?)(?:{END_QUOTE}|$)", before, re.DOTALL)
    if mark:
        return Reasoned(quoted[1].strip() if quoted else "", answer.strip())
    if quoted:
        return Reasoned(quoted[1].strip(), before.partition(END_QUOTE)[2].strip())
    return Reasoned("", reply.strip())


def raft_pages(
    questions: Exam,
    retriever: Retriever,
    golden: Mapping[str, Sequence[Passage]],
    distractors: int = 4,
    p_oracle: float = 0.8,
    hard: bool = True,
    seed: int = 0,
) -> dict[str, list[Passage]]:
    """What lies on the desk in each training example: for each question's text its passages, in an order drawn.

    Distractors are what the `retriever` ranks best beside the golden passage, or, if not `hard`, passages drawn from
    other documents; it should hold no document that is examined. Where the golden passage is withheld, one more stands
    in its place, so that the number of passages gives nothing away. `p_oracle` is the paper's P, the share of examples
    with their golden passage: exactly that share is drawn, and a larger P keeps the golden passages of a smaller one.
    The `seed` decides which examples go without, the order of passages, and what is drawn.
    """
    if not 0 <= p_oracle <= 1:
        raise CourseError(f"p_oracle is {p_oracle}: it is a share, from 0 to 1.")
    if distractors < 0:
        raise CourseError(f"distractors is {distractors}: use 0 or more passages beside the golden one.")
    asked = list(questions)
    order = random.Random(f"oracle {seed}").sample(range(len(asked)), len(asked))
    with_page = set(order[: round(p_oracle * len(asked))])
    # The golden passage is one of those found, as a rule: look for one more than is needed beside it.
    found = retriever.search_many([q.question for q in asked], distractors + 2) if hard else [[]] * len(asked)
    everything = retriever.passages()
    pages = {}
    for i, (question, ranked) in enumerate(zip(asked, found)):
        rng = random.Random(f"pages {seed} {question.id}")
        page = golden[question.question][0]
        needed = distractors + (i not in with_page)
        others = [p for p in ranked if p.id != page.id][:needed]
        if len(others) < needed:  # a word search finds none that shares no word
            known = {p.id for p in others}
            rest = [p for p in everything if p.source != page.source and p.id not in known]
            if len(rest) < needed - len(others):
                raise CourseError(f"{distractors} distractors: there are {len(rest)} passages of other documents.")
            others += rng.sample(rest, needed - len(others))
        shown = [*([page] if i in with_page else []), *others]
        pages[question.question] = rng.sample(shown, len(shown))
    return pages


def build_raft_examples(
    questions: Exam,
    index: Retriever,
    distractors: int = 4,
    p_oracle: float = 0.8,
    *,
    reasoning: bool = True,
    absent: str = "answer",
    hard: bool = True,
    seed: int = 0,
) -> list[Example]:
    """Training examples of RAFT, one a question, in the prompt that `RagPipeline` uses.

    `questions` is an exam with its facts, such as `shelves.reading_questions()`, whose test questions are trained on;
    `index` is what distractors come from, `shelves.study_shelf(index)`; see `raft_pages` for `distractors`, `p_oracle`,
    `hard` and `seed`. No distractor and a P of 1 is the arm that learns the form of an answer only.

    With `reasoning` the completion quotes the sentence that says it before the answer. Where the golden passage is
    withheld, "answer" gives the answer all the same, as the paper does, and so has it learned by heart; "unknown"
    teaches to say that the passages do not say it.
    """
    choose("absent", absent, ABSENT)
    golden = golden_passages(questions, index)
    pages = raft_pages(questions, index, golden, distractors, p_oracle, hard, seed)
    sentences = {fact.id: fact.sentence for fact in questions.facts}
    examples = []
    for question in questions:
        shown = pages[question.question]
        known = absent == "answer" or golden[question.question][0].id in {p.id for p in shown}
        answer = question.answer if known else NOT_SAID
        if reasoning and known:
            answer = reasoned_answer(" ".join(sentences[question.fact].split()), answer)
        elif reasoning:
            answer = f"{ANSWER} {answer}"
        examples.append(example(reading_prompt(question.question, shown, READING_INSTRUCTION), answer))
    return examples
