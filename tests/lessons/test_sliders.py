"""What lessons let one play with: what is said in text, what is shown, and that nothing stops an unattended run."""

import re

import pytest

from course_lib.core.chat import example
from course_lib.core.errors import CourseError
from course_lib.costs.bills import training_bill
from course_lib.costs.memory import SHAPES
from course_lib.costs.prices import load_prices
from course_lib.lessons import sliders
from course_lib.lessons.choosing import advisor
from course_lib.lessons.letters import Preference, load_preferences
from course_lib.lessons.sliders import chunk_slider, cost_slider, label_pairs, library_map, lora_slider, sql_chat
from course_lib.lessons.sql.task import SqlAnswer
from course_lib.retrieval.documents import Document
from course_lib.retrieval.index import Index
from course_lib.retrieval.stores import FaissStore

TEXT = "Corrin keeps eleven geese. They bite.\n\nLarkspit mends <copper> kettles. It is far away."
DOCUMENT = Document("towns", "Towns", TEXT)
EXAMPLES = [example(f"Who won in {year}?", "Anna") for year in range(2000, 2040)]
PRICES = load_prices(today="2026-11-25")


class Writer:
    """Stands in for SqlWriter: answers as it is told, and remembers what it was asked."""

    def __init__(self, answer):
        self.given, self.asked = answer, []

    def ask(self, request, today=None):
        self.asked.append((request, today))
        if isinstance(self.given, Exception):
            raise self.given
        return self.given


def sql(*rows, confidence=0.4, error=None):
    tokens = (("SELECT", 0.99), (" name", confidence), (";", 1.0))
    return SqlAnswer("SELECT name;", ("name",), rows, error, confidence, tokens)


def pair(number, noise=False):
    good, bad = f"Good {number}, Parts has it.", f"Bad {number} <b>now</b>."
    replies, faults = ((bad, good), (("rude",), ())) if noise else ((good, bad), ((), ("rude",)))
    return Preference(f"p-{number}", "Parts", f"i-{number}", f"Letter {number}?", "train", *replies, *faults, noise)


PAIRS = [pair(number, noise=number == 3) for number in range(10)]


@pytest.fixture
def index(small_embedder):
    return Index(small_embedder, FaissStore())


@pytest.fixture
def said(capsys):
    """What a call prints, line by line."""

    def call(slider, *arguments, **options):
        slider(*arguments, **options)
        return capsys.readouterr().out.splitlines()

    return call


# Without what makes it an answer, a call shows a widget; its text tells of the call that does.
CALLS = {
    chunk_slider: (
        {"document": DOCUMENT, "question": "geese"},
        {"size": 8},
        "index, document, question, size=80, overlap=20)",
    ),
    cost_slider: ({"prices": PRICES}, {"model": "7B"}, 'prices, model="7B", method="lora", card="A100 SXM 80 GB"'),
    label_pairs: ({"preferences": PAIRS, "n": 3}, {"answers": "aba"}, "pairs, n=3, seed=0, answers='???')"),
    lora_slider: ({"examples": EXAMPLES}, {"rank": 2}, 'gp, examples, rank=8, targets="all"'),
    sql_chat: ({"writer": Writer(sql())}, {"ask": "Who?"}, "writer, today, ask='How many users are there?')"),
    advisor: ({}, {"need": "behaviour"}, 'need="knowledge", knowledge_tokens=50_000'),
}


REFUSED = {
    sql_chat: [({"ask": nothing, "writer": Writer(AssertionError("asked"))}, "is empty") for nothing in ("", "  \n")],
    lora_slider: [
        ({"rank": 33}, "it is at most 32 here"),
        ({"rank": 0}, "whole number above 0"),
        ({"targets": "heads"}, "targets 'heads' is not one of"),
        ({"layers": "lower", "rank": 2}, "layers 'lower' is not one of"),
        ({"examples": []}, "not one example"),
    ],
    chunk_slider: [
        ({"size": 0}, "size|token"), ({"size": 8, "overlap": 8}, "overlap"), ({"question": " "}, "is empty"),
    ],
    label_pairs: [
        *(({"n": n}, "there are 10 pairs") for n in (0, 11, 2.5, "3", None)),
        ({"answers": "ab"}, "not a letter for each"),
        ({"answers": ["a"]}, "not a letter for each"),
        ({"answers": "abc"}, "answer 3 'c' is not one of a, b"),
        ({"preferences": ["a pair"]}, "load_preferences"),
        ({"preferences": [{"chosen": "a"}]}, "load_preferences"),
    ],
    cost_slider: [
        ({"model": "8B"}, "model '8B' is not one of"),
        *((model | wrong, "is not one of") for model in ({}, {"model": "7B"})
          for wrong in ({"method": "lorra"}, {"card": "Z1"})),
        *(({"model": "7B", **wrong}, "must be a number above 0") for wrong in
          ({"examples": 0}, {"epochs": -1}, {"example_tokens": "long"})),
    ],
}  # fmt: skip


@pytest.fixture
def given(index, tiny_model, plain_small_machine):
    """What a slider is always given."""
    made = {chunk_slider: {"index": index}, lora_slider: {"model": tiny_model}}
    return lambda slider: CALLS[slider][0] | made.get(slider, {})


@pytest.mark.parametrize("slider", CALLS, ids=lambda slider: slider.__name__)
def test_a_call_shows_a_widget_with_text_or_the_text_and_an_answer_never_a_widget(
    slider, given, said, notebook, monkeypatch
):
    monkeypatch.setenv("COURSE_PAGE", "1")  # lines as they are stored
    arguments, (_, answer, call) = given(slider), CALLS[slider]
    assert said(slider, **arguments) == []
    ((bundle, _),) = notebook
    answered = said(slider, **arguments, **answer)
    assert answered and len(notebook) == 1
    monkeypatch.setattr("IPython.get_ipython", lambda: None)
    assert said(slider, **arguments, **answer) == answered
    assert said(slider, **arguments) == bundle["text/plain"].splitlines()
    module = "choosing" if slider.__name__ == "advisor" else "sliders"
    assert f"Without widgets: {module}.{slider.__name__}({call}" in bundle["text/plain"]


@pytest.mark.parametrize(
    ("slider", "options", "named"), [(slider, *wrong) for slider in REFUSED for wrong in REFUSED[slider]]
)
def test_a_call_that_makes_no_sense_is_refused(slider, options, named, given):
    with pytest.raises(CourseError, match=named):
        slider(**given(slider) | options)


# --- the chat box -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "lines"),
    [
        (
            sql(("Ada",), ("Bartholomew",)),
            ["SELECT name;", "confidence 40%, least sure of 'name': look twice", "name", "Ada", "Bartholomew"],
        ),
        (sql(("Ada",), confidence=0.9), ["SELECT name;", "confidence 90%, least sure of 'name'", "name", "Ada"]),
        (sql(error="there is no column nmae."), ["There is no column nmae."]),
        (sql(), ["name", "(no rows)"]),
        (sql(*((f"Ada {i}",) for i in range(9))), ["Ada 7", "... and 1 more row"]),
    ],
)
def test_a_request_is_answered_with_the_query_its_confidence_and_the_table(answer, lines, said):
    writer = Writer(answer)
    assert said(sql_chat, writer, "2023-11-14", ask="Who?")[-len(lines) :] == lines
    assert writer.asked == [("Who?", "2023-11-14")]


def box(notebook, writer):
    sql_chat(writer, "2023-11-14")
    row, out = notebook[-1][1].children
    return (*row.children, out)


def test_enter_and_the_button_ask_and_the_answer_is_shown_with_nothing_unescaped(notebook):
    writer = Writer(sql(("<b>Ada</b>",)))
    request, button, out = box(notebook, writer)
    button.click()
    assert writer.asked == [] and "Type a request first" in out.value
    request.value = "Who?"  # as if Enter was pressed
    assert writer.asked == [("Who?", "2023-11-14")]
    button.click()
    assert len(writer.asked) == 2
    assert "&lt;b&gt;Ada&lt;/b&gt;" in out.value and "<b>Ada" not in out.value and "<th>name</th>" in out.value


def test_a_box_that_met_an_error_says_it_and_can_be_asked_again(notebook):
    request, button, out = box(notebook, Writer(CourseError("the prompt has 9,999 tokens: shorten it.")))
    request.value = "Who? " * 9
    assert out.value == "the prompt has 9,999 tokens: shorten it." and not button.disabled


# --- LoRA's rank and place --------------------------------------------------------------------------------------------


@pytest.fixture
def small_run(plain_small_machine, quick_collector):
    """A machine on which eight steps take no time."""


def test_a_rank_prints_what_it_trains_and_what_that_needs(tiny_model, said, small_run):
    lines = said(lora_slider, tiny_model, EXAMPLES, rank=4, targets="attention", layers="upper")
    assert lines[0] == "rank 4 on attention of the upper half of the layers"
    assert lines[1].startswith("trained:   896 new numbers beside 26,880 (3.33%)")
    assert lines[2] == "on disk:   0.0 MB in bf16"
    assert lines[3].startswith("in memory: 1 MB (weights 0, ") and "; full fine-tuning " in lines[3]
    assert len(lines) == 4
    one, two = (said(lora_slider, tiny_model, EXAMPLES, rank=rank)[1].split()[1] for rank in (1, 2))
    assert int(two.replace(",", "")) == 2 * int(one.replace(",", ""))


def test_the_small_run_says_how_far_it_came(tiny_model, said, small_run):
    *_, last = said(lora_slider, tiny_model, EXAMPLES, rank=2, train=True)
    assert last.startswith("live run:  loss ") and " in 8 steps of " in last
    assert not any(p.requires_grad for p in tiny_model.model.parameters()), "the model stays as it was"


def test_the_controls_change_what_is_said_and_the_button_trains(tiny_model, monkeypatch, notebook, small_run):
    runs = []
    monkeypatch.setattr(sliders.lora, "_small_run", lambda *run: runs.append(run[2:]) or "live run: <done>")
    lora_slider(tiny_model, EXAMPLES)
    controls, words, row = notebook[0][1].children
    rank, targets, layers = controls.children
    assert [rank for _, rank in rank.options] == [1, 2, 4, 8, 16, 32], "no rank above the width"
    assert words.value.startswith("rank 8 on all matrices of all layers<br>")
    rank.value, targets.value, layers.value = 4, "mlp", "upper"
    assert words.value.startswith("rank 4 on the MLP of the upper half")
    row.children[0].click()
    assert runs == [(4, "mlp", "upper")] and row.children[1].value == "live run: &lt;done&gt;"


# --- how a document is cut, and the map of the library ----------------------------------------------------------------


def test_the_nearest_passage_is_marked_among_all(index, said):
    first, *rows = said(chunk_slider, index, DOCUMENT, "Who mends kettles?", size=8)
    assert first == "2 passages; > marks the nearest"
    assert [row[0] for row in rows] == [" ", ">"]
    assert rows[1].endswith("Larkspit mends <copper> kettles. It is far away.")
    assert len(index) == 0, "nothing was added to the index"


def test_a_smaller_size_cuts_more_an_overlap_repeats_and_a_long_passage_is_cut_short(index, said):
    assert said(chunk_slider, index, DOCUMENT, "geese", size=4)[0].startswith("4 passages")
    assert said(chunk_slider, index, DOCUMENT, "geese", size=8, overlap=4)[-1].endswith(
        "Larkspit mends <copper> kettles. It is far away."
    )
    row = said(chunk_slider, index, Document("d", "d", "word " * 40), "word", size=80)[1]
    assert row.endswith("...") and len(row) < 90


def test_a_documents_own_marks_are_set_or_gone(index, said, notebook):
    marked = Document("d", "d", "**Who mends?** Larkspit mends kettles.")
    assert said(chunk_slider, index, marked, "kettles", size=80)[1].endswith("Who mends? Larkspit mends kettles.")
    chunk_slider(index, marked, "kettles")
    assert "<b>Who mends?</b> Larkspit" in notebook[0][1].children[1].value


def test_the_controls_change_what_is_lit_up(index, notebook):
    chunk_slider(index, DOCUMENT, "Who mends <kettles>?")
    controls, shown = notebook[0][1].children
    size, overlap = controls.children
    assert shown.value.startswith("<p>1 passages. <b>Who mends &lt;kettles&gt;?</b>")
    assert "&lt;copper&gt;" in shown.value and shown.value.count("nearest, ") == 1
    overlap.value, size.value = 20, 20
    assert overlap.value == 10 and "nearest, " in shown.value, "no value that is refused can be reached"


def test_a_map_stars_the_question_and_says_how_much_is_left(index):
    index.add(*(Document(f"d{i}", f"d{i}", f"Town {i} has wells", kind=f"kind {i % 9}") for i in range(30)))
    picture = library_map(index, ["How many wells?"])
    assert picture.png.startswith(b"\x89PNG")
    assert "Map of 31 points" in picture.alt and "Highlighted: your question." in picture.alt
    assert "your question: How many wells?" in picture.alt
    assert "Highlighted: question 1, question 2." in library_map(index, ["How many wells?", "Which town?"]).alt
    kept = int(re.search(r"Two dimensions keep (\d+)%", picture.alt)[1])
    assert 0 < kept < 100 and "other kinds" in picture.alt


def test_a_map_needs_three_passages_and_neither_a_question_nor_kinds(index):
    for i in range(3):
        with pytest.raises(CourseError, match=f"{i} passages make no map"):
            library_map(index)
        index.add(Document(f"d{i}", f"d{i}", f"Town {i}"))
    alt = library_map(index).alt
    assert "documents" in alt and "Two dimensions keep 100%" in alt, "three points always lie in one plane"


# --- pairs to label ---------------------------------------------------------------------------------------------------


@pytest.fixture
def house(said):
    """The letters that the house would give, read off the listing."""
    return "".join("a" if "Good" in line else "b" for line in said(label_pairs, PAIRS, n=10) if "   a)" in line)


def test_without_a_widget_every_letter_is_listed_with_both_replies_and_nothing_is_given_away(said):
    lines = said(label_pairs, PAIRS, n=10)
    assert sum(line.split(". ")[-1].startswith("Parts: Letter") for line in lines) == 10
    assert sum("Good" in line for line in lines) == sum("Bad" in line for line in lines) == 10
    assert lines[-1].endswith("answers='??????????'), with a or b for each ?.")
    assert "rude" not in "".join(lines) and "noise" not in "".join(lines)


def test_who_answers_as_the_house_disagrees_with_the_wrong_label_alone(said, house):
    lines = said(label_pairs, PAIRS, n=10, answers=house)
    assert lines[0].startswith("You agree with the house on 10 of 10 pairs;") and lines[0].endswith("on 9.")
    assert (
        lines[1].startswith("You and the labels agree on 9 of 10; two people")
        and lines[2] == "Where you, the label and the house differ:"
    )
    (line,) = lines[3:]
    right, wrong = ("a", "b") if "the house a, you a" in line else ("b", "a")
    assert f"the house {right}, you {right}, the label {wrong}." in line
    assert f"{right}) keeps the rule" in line and f"{wrong}) it has no kind word" in line


def test_who_answers_the_other_way_round_agrees_once_with_the_label_and_never_with_the_house(said, house):
    other = house.translate(str.maketrans("ab", "ba"))
    lines = said(label_pairs, PAIRS, n=10, answers=", ".join(other.upper()))
    assert "on 0 of 10" in lines[0] and "agree on 1 of 10" in lines[1] and len(lines) == 3 + 10


def test_where_nobody_disagrees_it_says_so(said):
    clear = [p for p in PAIRS if not p.noise]
    (first,) = [line for line in said(label_pairs, clear, n=1) if line.startswith("   a)")]
    assert said(label_pairs, clear, n=1, answers="a" if "Good" in first else "b")[-1] == "Nobody differs anywhere."


def test_the_same_seed_shows_the_same_and_another_seed_something_else(said):
    first, second, third = (said(label_pairs, PAIRS, n=10, seed=seed)[:-1] for seed in (0, 0, 1))
    assert first == second != third


@pytest.mark.parametrize("seed", range(5))
def test_of_twenty_shipped_pairs_two_are_labelled_wrongly_and_the_chosen_stands_first_in_some(seed):
    shown = sliders.labels._drawn(load_preferences("train"), 20, seed)
    assert len({item.pair.id for item in shown}) == 20 and {item.label for item in shown} == {0, 1}
    assert sum(item.pair.noise for item in shown) == sum(item.house != item.label for item in shown) == 2


def test_the_widget_shows_one_pair_after_the_other_and_the_result_at_the_end(notebook):
    label_pairs(PAIRS, n=3)
    ((bundle, widget),) = notebook
    top, letter, replies, result = widget.children
    *buttons, back, place = top.children
    assert [button.tooltip[:7] for button in buttons] == ["Reply A", "Reply B"] and back.disabled
    for number in (1, 2, 3):
        assert f"{number} of 3" in place.value and result.value == "" and letter.value.startswith("<i>Letter")
        assert "&lt;b&gt;now" in "".join(reply.value for reply in replies.children)
        buttons[0].click()
    assert "You agree with the house on" in result.value and all(button.disabled for button in buttons)
    before = result.value
    back.click()
    assert "3 of 3" in place.value and result.value == "" and not buttons[1].disabled, "there is a way back"
    buttons[0].click()
    assert result.value == before
    label_pairs(PAIRS, n=3)
    assert notebook[1][0]["text/plain"] == bundle["text/plain"], "whatever the learner has done"


def test_beneath_a_widget_stand_a_few_pairs_alone_and_an_empty_answer_prints_them_all(notebook, said):
    label_pairs(PAIRS, n=10)
    text = notebook[0][0]["text/plain"]
    assert text.count("   a) ") == 3 and "... and 7 more." in text
    assert "sliders.label_pairs(pairs, n=10, seed=0, answers='') prints them all" in text
    assert sum(line.startswith("   a) ") for line in said(label_pairs, PAIRS, answers="", n=10)) == 10


# --- what a run costs -------------------------------------------------------------------------------------------------


def test_a_model_prints_compute_memory_and_money(said):
    options = {"method": "full", "card": "H100 SXM", "examples": 1000, "example_tokens": 100, "epochs": 2}
    lines = said(cost_slider, PRICES, model="7B", **options)
    bill = training_bill(SHAPES["7B"], PRICES.card("H100 SXM"), 200_000, "full")
    assert lines[0] == "7B, full, 0 million tokens on H100 SXM"
    assert lines[1].startswith(f"compute:  {bill.flops:.2g} FLOPs; {bill.hours:.1f} hours")
    assert lines[2] == f"memory:   {bill.memory / 1e9:.0f} GB: 2 cards of 80 GB"
    assert lines[3].startswith(f"money:    {bill.usd:.2f} to ") and "(RunPod (community) to AWS)" in lines[3]


def test_more_examples_cost_more_and_a_card_with_one_price_names_it(said):
    few, many = (said(cost_slider, PRICES, model="7B", examples=n, card="L4")[3] for n in (10_000, 100_000))
    assert float(many.split()[1].replace(",", "")) == pytest.approx(10 * float(few.split()[1]), rel=0.01)
    assert "(Hugging Face Spaces, the one price known)" in few


def test_the_controls_change_what_a_run_costs(notebook):
    cost_slider(PRICES)
    controls, words = notebook[0][1].children
    assert words.value.startswith("7B, lora, 150 million tokens on A100 SXM 80 GB<br>")
    for control, value in zip(controls.children, ("13B", "qlora", "L4", 1_000, 1_000, 1)):
        control.value = value
    assert words.value.startswith("13B, qlora, 1 million tokens on L4<br>")
