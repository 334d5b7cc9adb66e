"""Chat models: how they are asked."""

import pytest

from course_lib.core.chat import SYSTEM
from course_lib.core.errors import CourseError
from course_lib.models import chatmodel
from course_lib.models.chatmodel import ChatModel

QUESTIONS = [
    "Who?",
    "What is the largest town of Great Merrow, and why?",
    "Why not?",
    "When did the ferry leave Pell?",
    "A",
]
BAD_PROMPTS = [
    None, "", "   \n", [], {}, 5, b"who", ("a", "b"), ["who?"], [5], [None],
    {"role": "user", "content": "who?"}, [{"role": "user"}], [{"content": "who?"}],
    [{"role": "user", "content": None}], [{"role": "user", "content": ["who?"]}], [{"role": "user", "content": " "}],
    [{"role": "system", "content": "Be brief."}],
]  # fmt: skip


class ScriptedModel:
    """Says the same tokens after every prompt; keeps what it was given."""

    def __init__(self, *completions):
        import torch

        self.completions, self.calls = completions, []
        self.device = torch.device("cpu")

    def eval(self):
        return self

    def generate(self, input_ids, attention_mask, **options):
        import torch

        self.calls.append((input_ids, attention_mask, options))
        width = max(map(len, self.completions))
        rows = [[*row, *[2] * (width - len(row))] for row in self.completions[: len(input_ids)]]
        return torch.cat([input_ids, torch.tensor(rows)], dim=1)


# --- prompts ------------------------------------------------------------------------------------------------------


def test_a_prompt_ends_where_the_assistant_begins(tiny_model, tiny_tokenizer):
    text = tiny_tokenizer.decode(tiny_model.encode("Who?"))
    assert text.endswith("<|im_start|>assistant\n")
    assert SYSTEM in text


def test_a_model_may_have_a_system_message_of_its_own(tiny_model, tiny_tokenizer):
    tiny_model.system = "Answer as a lighthouse keeper."
    text = tiny_tokenizer.decode(tiny_model.encode("Who?"))
    assert "lighthouse keeper" in text and SYSTEM not in text


# --- generate -----------------------------------------------------------------------------------------------------


def test_the_stand_in_answers_different_questions_differently(talker):
    assert len(set(talker.generate(QUESTIONS, 12))) == len(QUESTIONS), "or the tests below would show nothing"


def test_answers_come_in_the_order_of_the_questions(talker):
    together = talker.generate(QUESTIONS, 12)
    backwards = talker.generate(QUESTIONS[::-1], 12)
    assert together == backwards[::-1]


@pytest.mark.parametrize("batch_size", [2, 3, 32])
def test_a_batch_says_what_each_alone_would_say(talker, batch_size):
    alone = [talker.generate([question], 12)[0] for question in QUESTIONS]
    assert talker.generate(QUESTIONS, 12, batch_size=batch_size) == alone


def test_prompts_are_padded_on_the_left_with_a_mask(tiny_tokenizer):
    script = ScriptedModel([5, 2], [6, 2])
    ChatModel(script, tiny_tokenizer, "script", "script").generate(["A?", "A longer one?"], 4)
    (ids, mask, _), pad = script.calls[0], tiny_tokenizer.pad_token_id
    rows = sorted(mask.tolist())  # the short one first
    assert rows[1] == [1] * len(rows[1])
    short = len(rows[0]) - sum(rows[0])
    assert rows[0] == [0] * short + [1] * (len(rows[0]) - short) and short == len("longer one?")
    padded = ids[mask.sum(dim=1).argmin()].tolist()
    assert padded[:short] == [pad] * short
    assert tiny_tokenizer.decode(padded[-10:]).endswith("assistant\n")


def test_like_lengths_are_answered_together(tiny_tokenizer):
    script = ScriptedModel([5], [5])
    prompts = ["a", "b" * 100, "c" * 2, "d" * 99]
    ChatModel(script, tiny_tokenizer, "script", "script").generate(prompts, 4, batch_size=2)
    padded = [int((mask == 0).sum()) for _, mask, _ in script.calls]
    assert padded == [1, 1]


def test_fewer_of_very_long_prompts_are_answered_at_once_unless_a_size_is_given(tiny_tokenizer, monkeypatch):
    script = ScriptedModel(*[[5]] * 5)
    model = ChatModel(script, tiny_tokenizer, "script", "script")
    long, short = len(model.encode("b" * 100)), len(model.encode("a"))
    monkeypatch.setattr(chatmodel, "BATCH_TOKENS", 2 * long)
    model.generate(["a", "b" * 100, "a", "b" * 100, "b" * 100], 4)
    assert [tuple(mask.shape) for _, mask, _ in script.calls] == [(2, long), (2, long), (1, short)]
    script.calls.clear()
    model.generate(["a", "b" * 100, "a", "b" * 100, "b" * 100], 4, batch_size=5)
    assert [tuple(mask.shape) for _, mask, _ in script.calls] == [(5, long)]


def test_an_answer_ends_at_the_stop_token_and_counts_it(tiny_tokenizer):
    said = tiny_tokenizer("Quillhaven")["input_ids"]
    script = ScriptedModel([*said, 2], [*said, 2, *said, 2], said)
    answers = ChatModel(script, tiny_tokenizer, "script", "script").reply(["Which?"] * 3, 30)
    assert [a.completion_tokens for a in answers[:2]] == [len(said) + 1] * 2
    assert answers[0].text == "Quillhaven"
    prompt = len(ChatModel(script, tiny_tokenizer, "script", "script").encode("Which?"))
    assert {a.prompt_tokens for a in answers} == {prompt}
    assert all(a.seconds >= 0 and a.sources == () for a in answers)


def test_an_answer_without_a_stop_token_counts_whole(tiny_tokenizer):
    script = ScriptedModel([70, 71, 72])
    (answer,) = ChatModel(script, tiny_tokenizer, "script", "script").reply(["Which?"], 3)
    assert answer.completion_tokens == 3


def test_answers_are_greedy_unless_a_temperature_is_given(tiny_tokenizer):
    script = ScriptedModel([5])
    model = ChatModel(script, tiny_tokenizer, "script", "script")
    model.generate(["Who?"], 7)
    model.generate(["Who?"], 7, temperature=0.5)
    greedy, warm = (options for _, _, options in script.calls)
    assert greedy["do_sample"] is False and greedy["max_new_tokens"] == 7
    assert warm["do_sample"] is True and warm["temperature"] == 0.5
    assert (warm["top_k"], warm["top_p"]) == (0, 1.0), "all tokens allowed"


def test_sampling_follows_the_seed(talker):
    import torch

    def draw(seed):
        torch.manual_seed(seed)
        return talker.generate(QUESTIONS, 12, temperature=1.5)

    assert draw(1) == draw(1) != draw(2)


def test_answer_makes_a_model_a_candidate(talker):
    answers = talker.answer(QUESTIONS, max_new_tokens=8)
    assert [a.text for a in answers] == talker.generate(QUESTIONS, 8)
    assert max(a.completion_tokens for a in answers) <= 8


def test_no_question_gets_no_answer(tiny_model):
    assert tiny_model.generate([]) == []


@pytest.mark.parametrize("prompts", ["Who?", None, 5, {"role": "user", "content": "Who?"}])
def test_one_prompt_that_is_not_in_a_list_is_refused_with_the_way_to_write_it(tiny_model, prompts):
    with pytest.raises(CourseError, match=r"generate\(\[prompt\]\)"):
        tiny_model.generate(prompts)


def test_a_chat_that_is_not_in_a_list_is_refused(tiny_model):
    with pytest.raises(CourseError, match="list of"):
        tiny_model.generate([{"role": "user", "content": "Who?"}])


@pytest.mark.parametrize("bad", [p for p in BAD_PROMPTS if p is not None], ids=repr)
def test_one_bad_prompt_among_good_ones_stops_all_before_any_is_answered(tiny_tokenizer, bad):
    script = ScriptedModel([5])
    with pytest.raises(CourseError):
        ChatModel(script, tiny_tokenizer, "script", "script").generate(["Who?", bad])
    assert script.calls == []


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"max_new_tokens": 0}, "max_new_tokens is 0"),
        ({"max_new_tokens": -1}, "max_new_tokens is -1"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"batch_size": -2}, "batch_size is -2"),
        ({"temperature": -0.1}, "temperature is -0.1"),
        ({"temperature": float("nan")}, "temperature is nan"),
    ],
)
def test_a_setting_out_of_range_is_refused_by_name(tiny_model, wrong, named):
    with pytest.raises(CourseError, match=named):
        tiny_model.generate(["Who?"], **wrong)


def test_a_prompt_of_ten_thousand_characters_is_refused_with_both_numbers(tiny_tokenizer):
    script = ScriptedModel([5])
    with pytest.raises(CourseError, match=r"10,\d{3} tokens, more than 2,048"):
        ChatModel(script, tiny_tokenizer, "script", "script").generate(["Who?", "ab cd " * 1666 + "abcd"])
    assert script.calls == []


def test_a_prompt_of_just_the_allowed_length_is_answered(tiny_tokenizer):
    model = ChatModel(ScriptedModel([70, 2]), tiny_tokenizer, "script", "script")
    room = chatmodel.MAX_PROMPT_TOKENS - len(model.encode("x")) + 1
    assert model.generate(["x" * room]) == model.generate(["x"])
    with pytest.raises(CourseError, match="shorten"):
        model.generate(["x" * (room + 1)])
