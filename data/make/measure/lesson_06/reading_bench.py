"""What `results_06.py` measures with: students of reading, each trained when first needed, and the exams they sit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any

from shared.keeping import kept, kept_data
from shared.students import Students, shelf_of_its_own, untrained

import course_lib as cl
from course_lib.core.chat import Example, Messages
from course_lib.lessons import shelves
from course_lib.retrieval import raft

LESSON = "06"
# The best on validation questions (see the recipes of results_06.py).
RECIPE: dict[str, Any] = {
    "epochs": 1, "learning_rate": 2e-3, "batch_size": 4, "layers": "all", "order": "random",
}  # fmt: skip
# The paper's P is 0.8; on documents that were not trained on, what is learned without a page is to guess.
EXAMPLES, DISTRACTORS, P_ORACLE, K = 400, 3, 1.0, 4
# The longest sentence of a fact takes 85 tokens with its marks and its answer.
REASONED_TOKENS = 96


@dataclass(frozen=True)
class Plan:
    """How one student is trained; what is kept of it is made anew when any of this changes."""

    name: str
    n: int = EXAMPLES  # each of another question
    distractors: int = DISTRACTORS
    p_oracle: float = P_ORACLE
    reasoning: bool = False
    absent: str = "answer"
    hard: bool = True
    closed: bool = False  # no passage at all (domain-specific fine-tuning, DSF): then only n and recipe count
    recipe: Mapping[str, Any] = field(default_factory=dict, hash=False)  # beside the defaults of this lesson
    seed: int = 0

    @property
    def slug(self) -> str:
        """As in the names of files."""
        return f"{self.name}-seed-{self.seed}".replace(" ", "-").replace(",", "")

    def settings(self) -> dict[str, Any]:
        """All that decides what the student learns."""
        return {**asdict(self), "recipe": {**RECIPE, **self.recipe}}


@dataclass
class Reasoner:
    """A model that reasons before it answers, to be put where a model is: its answers come without the reasoning.

    `RagPipeline(Reasoner(tuned), index)` is asked in the very words of `RagPipeline(gp, index)`. What a model that was
    taught no reasoning says is left as it is.
    """

    model: cl.ChatModel

    @property
    def name(self) -> str:
        return self.model.name

    def reply(self, prompts: Sequence[str | Messages], max_new_tokens: int = REASONED_TOKENS) -> list[cl.Answer]:
        """As a `ChatModel` does; `max_new_tokens`, which is meant for the answer, does not count the reasoning."""
        written = self.model.reply(prompts, max(max_new_tokens, REASONED_TOKENS))
        return [replace(answer, text=raft.split_reply(answer.text).answer) for answer in written]

    def answer(self, questions: Sequence[str]) -> list[cl.Answer]:
        """Closed book: the question and nothing else."""
        return self.reply(questions)


@dataclass
class Shown:
    """A model that is shown worked examples before each prompt, to be put where a model is."""

    model: cl.ChatModel
    examples: Sequence[Example]

    def reply(self, prompts: Sequence[str], max_new_tokens: int) -> list[cl.Answer]:
        """As a `ChatModel` does."""
        return cl.FewShot(self.model, self.examples).answer(prompts, max_new_tokens)


class Bench:
    """What all measurements share: the model, both shelves, the exams; and the students, in the order of need."""

    def __init__(self) -> None:
        shelf_of_its_own(LESSON)
        cl.start(seed=0)
        self.exam = shelves.editions_exam()
        self.students = Students(most=2)

    @cached_property
    def gp(self) -> cl.ChatModel:
        return untrained()

    @cached_property
    def index(self) -> cl.Index:
        return cl.build_index("data/library")

    @cached_property
    def study(self) -> cl.Index:
        return shelves.study_shelf(self.index)

    @cached_property
    def shelf(self) -> cl.Index:
        return shelves.exam_shelf(self.index)

    @cached_property
    def short(self) -> cl.Exam:
        """Every fact in one wording: for the sweeps. Intervals draw facts, so that little is lost."""
        return self.exam.about(len(self.exam.facts), wordings=1)

    def examples(self, plan: Plan) -> list[Example]:
        """What a student is trained on; no exam's question, fact or document is among it."""
        return reading_examples(plan, self.study, self.exam, shelves.plain_exam())

    def student(self, plan: Plan | None) -> cl.ChatModel | Reasoner:
        """A student, trained now unless it is still here; None is the model as it was."""
        if plan is None:
            return self.gp
        tuned = self.students.trained(plan.slug, lambda: self._train(plan))
        return Reasoner(tuned) if plan.reasoning else tuned

    def _train(self, plan: Plan) -> cl.ChatModel:
        options = {"name": plan.slug, "seed": plan.seed, "from_shelf": True, **RECIPE, **plan.recipe}
        tuned = cl.finetune(self.gp, self.examples(plan), **options)
        kept_data(LESSON, f"{plan.slug}-training", lambda: _trained(tuned.training), plan.settings())
        return tuned

    def training(self, plan: Plan) -> dict[str, Any]:
        """Seconds, tokens and losses of a student's training."""

        def make() -> dict[str, Any]:
            tuned = self.student(plan)
            return _trained((tuned.model if isinstance(tuned, Reasoner) else tuned).training)

        return kept_data(LESSON, f"{plan.slug}-training", make, plan.settings())

    def sits(
        self, plan: Plan | None, how: str, candidate: Callable[[Any], Any], exam: cl.Exam, **settings: Any
    ) -> cl.Report:
        """The report of a student in an exam, made now unless it is kept.

        `how` names what the student is given ("rag-k-4"), `candidate` makes of the student what sits the exam, and
        `settings` are what else decides the result.
        """
        name = f"{plan.slug if plan else 'base'}-{how}"
        wanted = {"plan": plan.settings() if plan else None, "n": len(exam), **settings}
        return kept(LESSON, name, lambda: cl.evaluate(candidate(self.student(plan)), exam, name), wanted)

    def rag(self, plan: Plan | None, k: int = K, exam: cl.Exam | None = None, label: str = "") -> cl.Report:
        """With the k passages that are found on the exam's shelf."""
        asked = exam or self.exam
        how = f"rag-k-{k}{label and f'-{label}'}{'' if asked is self.exam or label else '-short'}"
        return self.sits(plan, how, lambda student: cl.RagPipeline(student, self.shelf, k=k), asked)

    def shown(self, plan: Plan) -> cl.Report:
        """The untrained model with the passages that are found, and before them the first example of a plan."""

        def reader(student: Any) -> cl.RagPipeline:
            return cl.RagPipeline(Shown(student, self.examples(plan)[:1]), self.shelf, k=K)

        return self.sits(None, f"rag-k-{K}-shown-{plan.slug}", reader, self.exam, shown=plan.settings())

    def page(self, plan: Plan | None, exam: cl.Exam | None = None) -> cl.Report:
        """With the right passage alone: what reading is worth when finding is solved."""
        asked = exam or self.exam
        how = "page" if asked is self.exam else "page-short"

        def reader(student: Any) -> cl.OpenBook:
            return cl.OpenBook(student, cl.golden_passages(asked, self.shelf))

        return self.sits(plan, how, reader, asked)

    def closed(self, plan: Plan | None) -> cl.Report:
        """With nothing but the question."""
        return self.sits(plan, "closed", lambda student: student, self.exam)


def reading_examples(plan: Plan, study: cl.Index, *exams: cl.Exam) -> list[Example]:
    """What a plan trains on, out of the documents of a shelf; a LeakError if it holds anything of these exams."""
    questions = shelves.reading_questions(plan.n, plan.seed)
    if plan.closed:
        rows = [question.as_example() for question in questions]
    else:
        rows = raft.build_raft_examples(
            questions, study, plan.distractors, plan.p_oracle,
            reasoning=plan.reasoning, absent=plan.absent, hard=plan.hard, seed=plan.seed,
        )  # fmt: skip
    sources = [question.source for question in questions]
    cl.check_no_leak(rows, *exams, reading=True, sources=sources)
    return rows


def _trained(training: Any) -> dict[str, Any]:
    return {
        "seconds": round(training.seconds, 1),
        "tokens": training.tokens,
        "losses": [[step, round(loss, 4)] for step, loss in training.losses],
    }
