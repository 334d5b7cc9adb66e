"""Pairs to label: pick the better reply, then see how often you agree with the house, and where people disagree."""
# MERGED chatbox: A box to ask the shop in English: the query that a model writes, what it gives, and how sure
# MERGED the model was.
# MERGED chunking: A slider on how a document is cut: size and overlap, with the passage that answers a question
# MERGED lit up.
# MERGED sliders: A slider on LoRA's rank and place: what they train, what that needs, and a small run to feel it.
# MERGED cost_sliders: Sliders on what a training run costs: model, method, data, card; memory, hours and money
# MERGED beneath.
# MERGED maps: The library as a map in two dimensions, and where a question lands in it.

from __future__ import annotations

import contextlib
import html
import io
import numbers
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from course_lib.core.chat import Example, check_examples
from course_lib.core.errors import CourseError, above_zero, choose
from course_lib.core.progress import in_notebook
from course_lib.core.rows import shuffled
from course_lib.core.session import current
from course_lib.costs.bills import UTILISATION, training_bill
from course_lib.costs.memory import GB, SHAPES, Memory, model_shape, trained_parameters, training_memory
from course_lib.costs.prices import Prices
from course_lib.display import plots
from course_lib.display.ask import LETTERS, read_letters, show_widget
from course_lib.display.plots import Picture
from course_lib.lessons.house_rule import FAULTS
from course_lib.lessons.letters import Preference
from course_lib.lessons.sql.task import SqlAnswer, SqlWriter
from course_lib.models.chatmodel import ChatModel
from course_lib.retrieval.documents import Document, Passage, check_sizes, split_into_passages
from course_lib.retrieval.index import Index
from course_lib.training.methods import LAYERS, METHODS, TARGETS
from course_lib.training.sft import finetune

# Pairs that stand in the text beneath a widget, which is read where the notebook is a page.
TOLD_WITH_A_WIDGET = 3


@dataclass(frozen=True)
class _Shown:
    """A pair as it is shown: `replies` in an order that says nothing, each with its faults."""

    pair: Preference
    replies: tuple[tuple[str, tuple[str, ...]], tuple[str, tuple[str, ...]]]

    @property
    def house(self) -> int:
        """Which of the two the house prefers: 0 or 1."""
        return [text for text, _ in self.replies].index(self.pair.better)

    @property
    def label(self) -> int:
        """Which of the two the file says was chosen."""
        return [text for text, _ in self.replies].index(self.pair.chosen)


def label_pairs(preferences: Sequence[Preference], n: int = 20, seed: int = 0, answers: str | None = None) -> None:
    """Pick the better of two replies, `n` times; at the end see who agrees with the house.

    Parameters
    ----------
    preferences
        What is drawn from. As many of those drawn have a wrong label as in all of them, rounded.
    n
        How many, at least 1.
    seed
        Which ones, in which order, and which reply stands first.
    answers
        One letter a pair, "a" or "b": prints the result without a widget. An empty string prints the pairs.

    Raises
    ------
    CourseError
        If there are not `n` pairs, or the answers are not a letter for each.
    """
    shown = _drawn(preferences, n, seed)
    if answers not in (None, ""):
        print(_result(shown, read_letters("label_pairs", [2] * n, answers)))
    elif answers is None and in_notebook():
        show_widget(_widget(shown), _text(shown, n, seed, TOLD_WITH_A_WIDGET))
    else:
        print(_text(shown, n, seed, n))


def _drawn(preferences: Sequence[Preference], n: int, seed: int) -> list[_Shown]:
    pairs = list(preferences)
    if not all(isinstance(pair, Preference) for pair in pairs):
        raise CourseError("label_pairs takes pairs of replies: cl.load_preferences('train') gives them.")
    if not isinstance(n, numbers.Integral) or not 1 <= n <= len(pairs):
        raise CourseError(f"n is {n!r}: there are {len(pairs)} pairs, so take a whole number from 1 to that many.")
    rng = random.Random(seed)
    wrong, right = ([pair for pair in pairs if pair.noise == noise] for noise in (True, False))
    # Rounded so that there are always enough of both.
    n_wrong = round(n * len(wrong) / len(pairs))
    drawn = [*rng.sample(wrong, n_wrong), *rng.sample(right, n - n_wrong)]
    return [_Shown(p, tuple(shuffled(_replies(p), rng))) for p in shuffled(drawn, rng)]  # type: ignore[arg-type]


def _replies(pair: Preference) -> list[tuple[str, tuple[str, ...]]]:
    return [(pair.chosen, pair.chosen_faults), (pair.rejected, pair.rejected_faults)]


def _text(shown: Sequence[_Shown], n: int, seed: int, most: int) -> str:
    """The first pairs, at most so many, and how to answer them all."""
    lines = ["Which reply is the better one? The name before each letter is the desk that it belongs to."]
    for number, item in enumerate(shown[:most], 1):
        lines.append(f"{number}. {item.pair.desk}: {item.pair.message}")
        lines += [f"   {letter}) {reply}" for letter, (reply, _) in zip(LETTERS, item.replies)]
    call = f"cl.label_pairs(pairs, n={n}, seed={seed}, answers="
    if most < n:
        lines.append(f"... and {n - most} more. Without widgets: {call}'') prints them all.")
    return "\n".join([*lines, f"Without widgets: {call}{'?' * n!r}), with a or b for each ?."])


def _result(shown: Sequence[_Shown], picks: Sequence[int]) -> str:
    """How often the learner and the labels agree with the house, and a line on every pair where somebody did not."""
    n = len(shown)
    yours = sum(pick == item.house for pick, item in zip(picks, shown))
    theirs = sum(item.label == item.house for item in shown)
    both = sum(pick == item.label for pick, item in zip(picks, shown))
    lines = [
        f"You agree with the house on {yours} of {n} pairs; whoever labelled them for the course, on {theirs}.",
        f"You and the labels agree on {both} of {n}.",
    ]
    apart = [
        (number, item, pick)
        for number, (item, pick) in enumerate(zip(shown, picks), 1)
        if not pick == item.label == item.house
    ]
    lines += ["Where people disagreed:"] if apart else ["Nobody disagreed anywhere."]
    for number, item, pick in apart:
        house, you, label = (LETTERS[choice] for choice in (item.house, pick, item.label))
        faults = "; ".join(f"{letter}) {_said(found)}" for letter, (_, found) in zip(LETTERS, item.replies))
        lines.append(f"{number}. the house {house}, you {you}, the label {label}. {faults}.")
    return "\n".join(lines)


def _said(faults: Sequence[str]) -> str:
    return ", and ".join(FAULTS[fault] for fault in faults) or "keeps the rule"


def _widget(shown: Sequence[_Shown]) -> Any:
    import ipywidgets as w

    picks: list[int] = []
    place, letter, result = w.HTML(), w.HTML(), w.HTML()
    half = w.Layout(width="26em", padding="0 1em 0 0")
    replies = [w.HTML(layout=half) for _ in range(2)]
    buttons = [w.Button(description=f"{name.upper()} is better", button_style="primary") for name in LETTERS[:2]]

    def show() -> None:
        item = shown[len(picks)]
        place.value = f"<b>{len(picks) + 1} of {len(shown)}</b>, a letter for {item.pair.desk}:"
        letter.value = f"<i>{html.escape(item.pair.message)}</i>"
        for name, box, (reply, _) in zip(LETTERS, replies, item.replies):
            box.value = f"<b>{name.upper()}</b> {html.escape(reply)}"

    def pick(button: Any) -> None:
        picks.append(buttons.index(button))
        if len(picks) < len(shown):
            show()
            return
        for done in buttons:
            done.disabled = True
        result.value = "<br>".join(html.escape(line) for line in _result(shown, picks).splitlines())

    for button in buttons:
        button.on_click(pick)
    show()
    columns = [w.VBox([box, button]) for box, button in zip(replies, buttons)]
    return w.VBox([place, letter, w.HBox(columns), result])


ROWS_SHOWN = 8


# Below this the least certain token is as good as a guess, and the learner should look twice.
UNSURE = 0.5


def sql_chat(writer: SqlWriter, today: str | None = None, ask: str | None = None) -> None:
    """Ask in English; see the SQL, the table that it returns, and the confidence.

    Parameters
    ----------
    writer
        Who writes the SQL.
    today
        The day on which the requests are made, as "2023-11-14".
    ask
        Asks this without a widget, and prints the answer.

    Raises
    ------
    CourseError
        If `ask` is empty.
    """
    if ask is not None:
        if not ask.strip():
            raise CourseError("the request is empty: ask something, such as 'How many users are there?'.")
        print(_chat_as_text(writer.ask(ask, today)))
        return
    text = "Ask the shop in English. Without widgets: cl.sql_chat(writer, today, ask='How many users are there?')"
    show_widget(_box(writer, today) if in_notebook() else None, text)


def _box(writer: SqlWriter, today: str | None) -> Any:
    import ipywidgets as w

    request = w.Text(placeholder="How many users are there?", layout=w.Layout(width="32em"))
    button, out = w.Button(description="Ask", button_style="primary"), w.HTML()

    def answer(_: Any) -> None:
        if not request.value.strip():
            out.value = "· Type a request first."
            return
        button.disabled, out.value = True, "Writing ..."
        try:
            out.value = _chat_as_html(writer.ask(request.value, today))
        except CourseError as error:  # an overlong request, say: the box stays usable
            out.value = html.escape(str(error))
        finally:
            button.disabled = False

    button.on_click(answer)
    request.continuous_update = False
    request.observe(lambda change: answer(change) if change["new"].strip() else None, "value")  # Enter
    return w.VBox([w.HBox([request, button]), out])


def _confidence(answer: SqlAnswer) -> str:
    least = min(answer.tokens, key=lambda pair: pair[1], default=("", 0.0))[0].strip()
    doubt = f", least sure of {least!r}" if least else ""
    return f"confidence {answer.confidence:.0%}{doubt}{': look twice' if answer.confidence < UNSURE else ''}"


def _chat_as_text(answer: SqlAnswer) -> str:
    lines = [answer.sql, _confidence(answer)]
    if answer.error:
        return "\n".join([*lines, f"It does not run: {answer.error}"])
    cells = [[str(column) for column in answer.columns], *([str(cell) for cell in row] for row in _shown(answer))]
    widths = [max(map(len, column)) for column in zip(*cells)]
    lines += ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in cells]
    return "\n".join([*lines, *_rest(answer)])


def _chat_as_html(answer: SqlAnswer) -> str:
    head = f"<code>{html.escape(answer.sql)}</code><br>{html.escape(_confidence(answer))}"
    if answer.error:
        return f"{head}<br>It does not run: {html.escape(answer.error)}"

    def row(cells: Any, tag: str) -> str:
        return f"<tr>{''.join(f'<{tag}>{html.escape(str(cell))}</{tag}>' for cell in cells)}</tr>"

    table = row(answer.columns, "th") + "".join(row(cells, "td") for cells in _shown(answer))
    return f'{head}<table class="dataframe">{table}</table>{"".join(_rest(answer))}'


def _shown(answer: SqlAnswer) -> tuple[tuple[Any, ...], ...]:
    return answer.rows[:ROWS_SHOWN]


def _rest(answer: SqlAnswer) -> list[str]:
    if not answer.rows:
        return ["(no rows)"]
    more = len(answer.rows) - ROWS_SHOWN
    return [f"... and {more} more row{'s' * (more > 1)}"] if more > 0 else []


SIZES = (20, 40, 60, 80, 120, 160, 240)


OVERLAPS = (0, 10, 20, 40)


# Of a passage in plain text.
WIDTH = 76


def chunk_slider(index: Index, document: Document, question: str, size: int | None = None, overlap: int = 0) -> None:
    """Move size and overlap; see how the document is cut, and which passage lies nearest to the question.

    Parameters
    ----------
    index
        Whose embedding model counts the tokens and measures the nearness. Nothing is added to it.
    document
        What is cut.
    size, overlap
        In tokens, as `build_index` takes them. A size says it without a widget, and prints.

    Raises
    ------
    CourseError
        If the question is empty, or size and overlap make no sense.
    """
    if not question.strip():
        raise CourseError("the question is empty: ask something.")
    if size is not None:
        print(_chunks_as_text(*_cut(index, document, question, size, overlap)))
        return
    text = (
        "Move size and overlap: the passage nearest to the question lights up. Without widgets: "
        "cl.chunk_slider(index, document, question, size=80, overlap=20)"
    )
    show_widget(_chunk_sliders(index, document, question) if in_notebook() else None, text)


def _chunk_sliders(index: Index, document: Document, question: str) -> Any:
    import ipywidgets as w

    size = w.SelectionSlider(options=SIZES, value=80, description="size", continuous_update=False)
    overlap = w.SelectionSlider(options=OVERLAPS, value=0, description="overlap", continuous_update=False)
    shown = w.HTML()

    def show(_: Any = None) -> None:
        try:
            shown.value = _chunks_as_html(question, *_cut(index, document, question, size.value, overlap.value))
        except CourseError as error:  # an overlap as long as the passage: the sliders stay usable
            shown.value = html.escape(str(error))

    for control in (size, overlap):
        control.observe(show, "value")
    show()
    return w.VBox([w.HBox([size, overlap]), shown])


def _cut(index: Index, document: Document, question: str, size: int, overlap: int) -> tuple[list[Passage], list[float]]:
    """Passages, and the nearness of each to the question (cosine)."""
    check_sizes(size, overlap)
    passages = split_into_passages(document, size, index.count_tokens, overlap)
    asked, *vectors = index.embed([question, *(p.searched for p in passages)])
    return passages, [float(vector @ asked) for vector in vectors]


def _chunks_as_text(passages: list[Passage], scores: list[float]) -> str:
    lines = [f"{len(passages)} passages; > marks the nearest"]
    for passage, score in zip(passages, scores):
        words = " ".join(passage.text.split())
        cut = words if len(words) <= WIDTH else words[: WIDTH - 3] + "..."
        lines.append(f"{'>' if score == max(scores) else ' '} {score:.2f}  {cut}")
    return "\n".join(lines)


def _chunks_as_html(question: str, passages: list[Passage], scores: list[float]) -> str:
    rows = [f"<p>{len(passages)} passages. <b>{html.escape(question)}</b></p>"]
    for passage, score in zip(passages, scores):
        best = score == max(scores)
        look = "border-left:6px solid #d55e00;background:#fff1e6" if best else "border-left:6px solid #ddd"
        mark = "nearest, " if best else ""  # colour is never the only sign
        text = html.escape(passage.text).replace("\n", "<br>")
        rows.append(f'<div style="{look};margin:4px 0;padding:4px 8px">{text} <i>({mark}{score:.2f})</i></div>')
    return "".join(rows)


RANKS = (1, 2, 4, 8, 16, 32, 64)


STEPS, BATCH = 8, 4


# Tokens of one step of the small run, about: four letters with their prompts.
STEP_TOKENS = 200


SHELF_BYTES_A_NUMBER = 2  # adapters are kept in bf16


def lora_slider(
    model: ChatModel,
    examples: Sequence[Example],
    rank: int | None = None,
    targets: str = "all",
    layers: str = "all",
    train: bool = False,
) -> None:
    """Move rank and place; see parameters, memory and file size; train eight steps.

    Parameters
    ----------
    model
        Where LoRA would be put; it stays as it was.
    examples
        What the small run reads: 32 of them, 8 steps of 4.
    rank, targets, layers
        As `finetune` takes them. A rank says it without a widget, and prints.
    train
        Makes the small run too, where a rank is given.

    Raises
    ------
    ChoiceError
        For unknown targets or layers.
    CourseError
        If the rank is not a whole number from 1 to the model's width, or there are no examples.
    """
    rows = check_examples(examples)
    if rank is not None:
        print(_described(model, rank, targets, layers))
        if train:
            print(_trained(model, rows, rank, targets, layers))
        return
    choose("targets", targets, TARGETS)
    choose("layers", layers, LAYERS)
    text = (
        "Move the rank, choose where LoRA goes, and train eight steps. Without widgets: "
        'cl.lora_slider(gp, examples, rank=8, targets="all", layers="all", train=True)'
    )
    show_widget(_sliders(model, rows, targets, layers) if in_notebook() else None, text)


def _sliders(model: ChatModel, rows: list[Example], targets: str, layers: str) -> Any:
    import ipywidgets as w

    fitting = [rank for rank in RANKS if rank <= model.model.config.hidden_size]
    start = min(8, fitting[-1])
    rank = w.SelectionSlider(options=fitting, value=start, description="rank", continuous_update=False)
    where = w.Dropdown(options=TARGETS, value=targets, description="targets")
    blocks = w.Dropdown(options=LAYERS, value=layers, description="layers")
    button, said, ran = w.Button(description="Train 8 steps", button_style="primary"), w.HTML(), w.HTML()

    def describe(_: Any = None) -> None:
        said.value = _as_html(_described(model, rank.value, where.value, blocks.value))
        ran.value = ""

    def train(_: Any) -> None:
        button.disabled, ran.value = True, "Training ..."
        try:
            ran.value = _as_html(_trained(model, rows, rank.value, where.value, blocks.value))
        except CourseError as error:  # the box stays usable
            ran.value = html.escape(str(error))
        finally:
            button.disabled = False

    for control in (rank, where, blocks):
        control.observe(describe, "value")
    button.on_click(train)
    describe()
    return w.VBox([w.HBox([rank, where, blocks]), said, w.HBox([button, ran])])


def _described(model: ChatModel, rank: int, targets: str, layers: str) -> str:
    """Parameters, file and memory, in words."""
    shape = model_shape(model)
    trained = trained_parameters(shape, "lora", rank, targets, layers)
    if rank > shape.hidden:
        raise CourseError(f"rank is {rank}: it is at most {shape.hidden} here, the model's width.")
    options = {
        "precision": "fp32" if current().dtype == "float32" else "mixed",
        "tokens": STEP_TOKENS,
        "checkpointing": False,
    }
    lora = training_memory(shape, "lora", rank, targets, layers, **options)
    full = training_memory(shape, "full", **options)
    place = {"all": "all matrices", "attention": "attention", "mlp": "the MLP"}[targets]
    half = {"all": "all layers", "upper": "the upper half of the layers"}[layers]
    return "\n".join(
        [
            f"rank {rank} on {place} of {half}",
            f"trained:   {trained:,} of {shape.parameters:,} parameters ({trained / shape.parameters:.2%})",
            f"on disk:   {trained * SHELF_BYTES_A_NUMBER / 1e6:.1f} MB in bf16",
            f"in memory: {_megabytes(lora)}; full fine-tuning {full.total / 1e6:,.0f} MB",
        ]
    )


def _megabytes(memory: Memory) -> str:
    parts = {
        "weights": memory.weights, "gradients and optimizer": memory.gradients + memory.optimizer,
        "activations": memory.activations,
    }  # fmt: skip
    told = ", ".join(f"{name} {size / 1e6:,.0f}" for name, size in parts.items())
    return f"{memory.total / 1e6:,.0f} MB ({told})"


def _trained(model: ChatModel, rows: list[Example], rank: int, targets: str, layers: str) -> str:
    """A small run, and how far it came: the same examples in the same order, whatever the rank."""
    chosen = random.Random(0).sample(rows, min(len(rows), STEPS * BATCH))
    with contextlib.redirect_stdout(io.StringIO()):  # what the run says of itself is said better here
        tuned = finetune(
            model, chosen, "lora", name=f"slider-{targets}-{layers}-{rank}", epochs=1, batch_size=BATCH, rank=rank,
            targets=targets, layers=layers, seed=0,
        )  # fmt: skip
    training = tuned.training
    first, last = training.losses[0][1], training.losses[-1][1]
    seconds = training.seconds / len(training.losses)
    return f"live run:  loss {first:.2f} → {last:.2f} in {len(training.losses)} steps of {seconds:.1f} s"


def _as_html(text: str) -> str:
    return "<br>".join(html.escape(line) for line in text.splitlines())


EXAMPLES = (100, 1_000, 10_000, 100_000, 1_000_000)


EXAMPLE_TOKENS = (50, 100, 250, 500, 1_000, 2_000)


EPOCHS = (1, 2, 3, 5)


def cost_slider(
    prices: Prices,
    model: str | None = None,
    method: str = "lora",
    card: str = "A100 SXM 80 GB",
    examples: int = 100_000,
    example_tokens: int = 500,
    epochs: int = 3,
    utilisation: float = UTILISATION,
) -> None:
    """Choose model, method, card and data; see memory, hours and money of one run.

    Parameters
    ----------
    prices
        `cl.load_prices()`.
    model
        One of `cl.SHAPES`. A model says it without a widget, and prints.
    method, card
        One of the methods of `finetune`, and of the cards in the price file.
    examples, example_tokens, epochs
        How many there are, how long each is, and how often it is read.
    utilisation
        Share of the card's peak that the run reaches.

    Raises
    ------
    ChoiceError
        For an unknown model, method or card.
    CourseError
        For a number that makes no sense.
    """
    if model is not None:
        print(_described_costs(prices, model, method, card, examples, example_tokens, epochs, utilisation))
        return
    choose("method", method, METHODS)
    choose("card", card, prices.items("peak"))
    text = (
        "Choose model, method, card and data. Without widgets: "
        f'cl.cost_slider(prices, model="7B", method="{method}", card="{card}", examples=100_000)'
    )
    show_widget(_cost_sliders(prices, method, card, utilisation) if in_notebook() else None, text)


def _cost_sliders(prices: Prices, method: str, card: str, utilisation: float) -> Any:
    import ipywidgets as w

    def slider(label: str, values: tuple[int, ...], start: int) -> Any:
        options = [(f"{value:,}", value) for value in values]
        return w.SelectionSlider(options=options, value=start, description=label, continuous_update=False)

    controls = [
        w.Dropdown(options=list(SHAPES), value=next(iter(SHAPES)), description="model"),
        w.Dropdown(options=list(METHODS), value=method, description="method"),
        w.Dropdown(options=prices.items("peak"), value=card, description="card"),
        slider("examples", EXAMPLES, 100_000),
        slider("tokens each", EXAMPLE_TOKENS, 500),
        slider("epochs", EPOCHS, 3),
    ]
    said = w.HTML()

    def describe(_: Any = None) -> None:
        text = _described_costs(prices, *(control.value for control in controls), utilisation)
        said.value = "<br>".join(html.escape(line) for line in text.splitlines())

    for control in controls:
        control.observe(describe, "value")
    describe()
    return w.VBox([w.HBox(controls[:3]), w.HBox(controls[3:]), said])


def _described_costs(
    prices: Prices, model: str, method: str, card: str, examples: int, example_tokens: int, epochs: int,
    utilisation: float,
) -> str:  # fmt: skip
    """One run in words."""
    above_zero(examples=examples, example_tokens=example_tokens, epochs=epochs)
    shape, on = SHAPES[choose("model", model, SHAPES)], prices.card(card)
    tokens = examples * example_tokens * epochs
    cheap, dear = (
        training_bill(shape, on, tokens, method, usd_per_hour=price, utilisation=utilisation)
        for price in (on.cheapest, max(on.hourly.values()))
    )
    by = sorted(on.hourly, key=lambda name: on.hourly[name])
    usd = f"{cheap.usd:,.2f} to {dear.usd:,.2f} USD ({by[0]} to {by[-1]})"
    if len(by) == 1:
        usd = f"{cheap.usd:,.2f} USD ({by[0]}, the one price known)"
    return "\n".join(
        [
            f"{model}, {method}, {tokens / 1e6:,.0f} million tokens on {card}",
            f"compute:  {cheap.flops:.2g} FLOPs; {cheap.hours:,.1f} hours of one card at {utilisation:.0%} of its peak",
            f"memory:   {cheap.memory / GB:,.0f} GB: {cheap.cards} card{'s' * (cheap.cards > 1)} of "
            f"{on.memory / GB:.0f} GB",
            f"money:    {usd}; one run, everything ready",
        ]
    )


# As many groups as there are looks that can be told apart.
GROUPS = 7


def library_map(index: Index, questions: Sequence[str] = (), title: str = "The library, flattened") -> Picture:
    """Every passage as a point, by kind of document; questions as stars.

    Two of some hundred dimensions are a shadow: the alt text says how much of the spread is left.

    Raises
    ------
    CourseError
        If the index holds fewer than three passages.
    """
    from sklearn.decomposition import PCA

    passages, vectors = index.passages(), index.store.vectors()
    if len(passages) < 3:
        raise CourseError(f"{len(passages)} passages make no map: at least 3 are needed.")
    plane = PCA(2, svd_solver="full").fit(vectors)  # the two directions in which they are spread widest
    kinds = Counter(passage.kind or "documents" for passage in passages)
    common = {kind for kind, _ in kinds.most_common(GROUPS if len(kinds) <= GROUPS else GROUPS - 1)}
    labels = [kind if (kind := passage.kind or "documents") in common else "other kinds" for passage in passages]
    spots = plane.transform(vectors).tolist()
    if questions:
        spots += plane.transform(index.embed(list(questions))).tolist()
        labels += ["your question"] if len(questions) == 1 else [f"question {i}" for i in range(1, len(questions) + 1)]
    stars = list(range(len(passages), len(spots)))
    told = "".join(f" {label}: {text}" for label, text in zip(labels[len(passages) :], questions))
    told += f" Two dimensions keep {plane.explained_variance_ratio_.sum():.0%} of the spread."
    drawn = plots.points(spots, labels, title, highlight=stars)
    drawn.alt += told
    return drawn
