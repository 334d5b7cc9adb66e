"""Chat models: how they are asked."""

import pytest
import torch

from course_lib.core.chat import SYSTEM, example, pair
from course_lib.core.errors import CourseError, DataError
from course_lib.core.progress import Progress
from course_lib.models import chatmodel
from course_lib.models.chatmodel import ChatModel, expect_model
from course_lib.models.following import Followed
from course_lib.models.scoring import log_probability, token_counts
from course_lib.training.dpo import prefer
from course_lib.training.reward import train_reward_model
from course_lib.training.rl import reinforce
from course_lib.training.sft import finetune

QUESTIONS = [
    "Who?",
    "What is the largest town of Great Merrow, and why?",
    "Why not?",
    "When did the ferry leave Pell?",
    "A",
]


class ScriptedModel:
    """Says the same tokens after every prompt; keeps what it was given."""

    def __init__(self, *completions):
        self.completions, self.calls = completions, []
        self.device = torch.device("cpu")

    def eval(self):
        return self

    def generate(self, input_ids, attention_mask, **options):
        self.calls.append((input_ids, attention_mask, options))
        width = max(map(len, self.completions))
        rows = [[*row, *[2] * (width - len(row))] for row in self.completions[: len(input_ids)]]
        return torch.cat([input_ids, torch.tensor(rows)], dim=1)


@pytest.fixture
def scripted(tiny_tokenizer, monkeypatch):
    """A ChatModel whose weights are a script: what it will say, and beside it the script."""
    monkeypatch.setattr(chatmodel, "takes_cache", lambda model: False)

    def make(*completions):
        script = ScriptedModel(*completions)
        return ChatModel(script, tiny_tokenizer, "script", "script"), script

    return make


def test_a_prompt_begins_with_the_models_system_message_and_ends_where_the_assistant_begins(tiny_model):
    for system in (SYSTEM, "Answer as a lighthouse keeper."):
        tiny_model.system = system
        text = tiny_model.tokenizer.decode(tiny_model.encode("Who?"))
        assert text.startswith(f"<|im_start|>system\n{system}<|im_end|>") and text.endswith("<|im_start|>assistant\n")


# --- generate -----------------------------------------------------------------------------------------------------


def test_the_stand_in_answers_different_questions_differently(talker):
    assert len(set(talker.generate(QUESTIONS, 12))) == len(QUESTIONS), "or the tests below would show nothing"


@pytest.mark.parametrize("batch_size", [None, 1, 2, 3, 32])
def test_a_batch_says_what_each_alone_would_say_in_the_order_of_the_questions(talker, batch_size):
    alone = [talker.generate([question], 12)[0] for question in QUESTIONS]
    assert talker.generate(QUESTIONS, 12, batch_size=batch_size) == alone
    assert talker.generate(QUESTIONS[::-1], 12, batch_size=batch_size) == alone[::-1]


RULES = "Answer in one word, and only if the handbook of the house says so. " * 3


def test_what_all_prompts_begin_with_is_read_once_and_changes_no_reply(talker, monkeypatch):
    talker.system = RULES
    read = []
    talker.model.register_forward_pre_hook(lambda _, a, k: read.append(k["input_ids"].numel()), with_kwargs=True)
    together = talker.generate(QUESTIONS, 12)
    shared, rest = read[:2]
    assert shared > len(RULES) and rest < len(QUESTIONS) * shared
    monkeypatch.setattr(chatmodel, "takes_cache", lambda model: False)
    assert together == talker.generate(QUESTIONS, 12) == [talker.generate([question], 12)[0] for question in QUESTIONS]


def test_prompts_are_padded_on_the_left_with_a_mask(scripted):
    model, script = scripted([5, 2], [6, 2])
    model.generate(["A?", "A longer one?"], 4)
    (ids, mask, _), pad = script.calls[0], model.tokenizer.pad_token_id
    rows = sorted(mask.tolist())  # the short one first
    assert rows[1] == [1] * len(rows[1])
    short = len(rows[0]) - sum(rows[0])
    assert rows[0] == [0] * short + [1] * (len(rows[0]) - short) and short == len("longer one?")
    padded = ids[mask.sum(dim=1).argmin()].tolist()
    assert padded[:short] == [pad] * short
    assert model.tokenizer.decode(padded[-10:]).endswith("assistant\n")


def test_like_lengths_are_answered_together(scripted):
    model, script = scripted([5], [5])
    model.generate(["a", "b" * 100, "c" * 2, "d" * 99], 4, batch_size=2)
    assert [int((mask == 0).sum()) for _, mask, _ in script.calls] == [1, 1]


def test_fewer_of_very_long_prompts_are_answered_at_once_unless_a_size_is_given(scripted, monkeypatch):
    model, script = scripted(*[[5]] * 5)
    long, short = len(model.encode("b" * 100)), len(model.encode("a"))
    monkeypatch.setattr(chatmodel, "BATCH_TOKENS", 2 * long)
    for size, shapes in ((None, [(2, long), (2, long), (1, short)]), (5, [(5, long)])):
        script.calls.clear()
        model.generate(["a", "b" * 100, "a", "b" * 100, "b" * 100], 4, batch_size=size)
        assert [tuple(mask.shape) for _, mask, _ in script.calls] == shapes


def test_an_answer_ends_at_the_stop_token_and_counts_it(scripted, tiny_tokenizer):
    said = tiny_tokenizer("Quillhaven")["input_ids"]
    model, _ = scripted([*said, 2], [*said, 2, *said, 2], said)
    answers = model.reply(["Which?"] * 3, 30)
    assert [a.completion_tokens for a in answers[:2]] == [len(said) + 1] * 2
    assert answers[0].text == "Quillhaven"
    assert {a.prompt_tokens for a in answers} == {len(model.encode("Which?"))}
    assert all(a.seconds >= 0 and a.sources == () for a in answers)


def test_an_answer_without_a_stop_token_counts_whole(scripted):
    assert scripted([70, 71, 72])[0].reply(["Which?"], 3)[0].completion_tokens == 3


def test_answers_are_greedy_unless_a_temperature_is_given(scripted):
    model, script = scripted([5])
    model.generate(["Who?"], 7)
    model.generate(["Who?"], 7, temperature=0.5)
    greedy, warm = (options for _, _, options in script.calls)
    assert greedy["do_sample"] is False and greedy["max_new_tokens"] == 7
    assert warm["do_sample"] is True and warm["temperature"] == 0.5
    assert (warm["top_k"], warm["top_p"]) == (0, 1.0), "all tokens allowed"


def test_sampling_follows_the_seed(talker):
    def draw(seed):
        torch.manual_seed(seed)
        return talker.generate(QUESTIONS, 12, temperature=1.5)

    assert draw(1) == draw(1) != draw(2)


def test_answer_makes_a_model_a_candidate(talker):
    answers = talker.answer(QUESTIONS, max_new_tokens=8)
    assert [a.text for a in answers] == talker.generate(QUESTIONS, 8)
    assert max(a.completion_tokens for a in answers) <= 8
    assert talker.answer([]) == []


@pytest.mark.parametrize(
    ("prompts", "options", "said"),
    [
        ("Who?", {}, r"write generate\(\[prompt\]\)"),
        (None, {}, r"generate\(\[prompt\]\)"),
        ({"role": "user", "content": "Who?"}, {}, r"generate\(\[prompt\]\)"),
        ([{"role": "user", "content": "Who?"}], {}, "a list of {'role', 'content'} messages"),
        (["Who?", ""], {}, "the prompt is empty"),
        (["Who?", 5], {}, "a prompt is a question or"),
        (["Who?", "ab cd " * 1666 + "abcd"], {}, r"10,\d{3} tokens, more than 2,048: shorten"),
        (["Who?"], {"max_new_tokens": 0}, "max_new_tokens is 0"),
        (["Who?"], {"batch_size": 0}, "batch_size is 0"),
        (["Who?"], {"batch_size": -2}, "batch_size is -2"),
        (["Who?"], {"temperature": -0.1}, "temperature is -0.1"),
        (["Who?"], {"temperature": float("nan")}, "temperature is nan"),
    ],
)
def test_one_bad_prompt_or_setting_stops_all_before_any_is_answered(scripted, prompts, options, said):
    model, script = scripted([5])
    with pytest.raises(CourseError, match=said):
        model.generate(prompts, **options)
    assert script.calls == []


def test_a_prompt_of_just_the_allowed_length_is_answered(scripted):
    model, _ = scripted([70, 2])
    room = chatmodel.MAX_PROMPT_TOKENS - len(model.encode("x")) + 1
    assert model.generate(["x" * room]) == model.generate(["x"])
    with pytest.raises(CourseError, match="shorten"):
        model.generate(["x" * (room + 1)])


def few_places(model, n):
    """The model, as one that has read no more than n tokens at once."""
    model.model.config.max_position_embeddings = n
    return model


def test_no_more_is_asked_of_a_model_than_it_has_places_for(tiny_model):
    prompt = len(tiny_model.encode("Who?"))
    few_places(tiny_model, prompt + 8)
    assert tiny_model.reply(["Who?"], 8)[0].completion_tokens <= 8
    said = f"the prompt has {prompt} tokens and 9 for the reply, tiny places for {prompt + 8}: shorten it, or ask for"
    with pytest.raises(CourseError, match=said):
        tiny_model.generate(["Who?"], 9)
    with pytest.raises(CourseError, match=f"the prompt has {prompt + 9} tokens, tiny places for {prompt + 8}: shorten"):
        tiny_model.encode("Who?" + "x" * 9)


def test_nor_is_it_trained_on_more_virtual_tokens_counted(tiny_model):
    rows = [example("Who?", "Nobody."), example("Who?", "Nobody at all, as far as I can see.")]
    most = max(sum(counts) for counts in token_counts(tiny_model, rows))
    few_places(tiny_model, most)
    assert finetune(tiny_model, rows, epochs=1).training.losses
    with pytest.raises(
        DataError, match=f"example 1 has {most} tokens and 3 virtual, tiny places for {most}: shorten it"
    ):
        finetune(tiny_model, rows, "prompt", rank=3)
    few_places(tiny_model, most - 1)
    calls = (
        lambda: finetune(tiny_model, rows),
        lambda: finetune(tiny_model, rows[:1], held_out=rows[1:]),
        lambda: prefer(tiny_model, [pair("Who?", "I", "Nobody at all, as far as I can see.")]),
        lambda: train_reward_model(tiny_model, [pair("Who?", "Nobody at all, as far as I can see.", "I")]),
        lambda: log_probability(tiny_model, ["Who?"], ["Nobody at all, as far as I can see."]),
    )
    for call in calls:
        with pytest.raises(DataError, match=f" has {most} tokens, tiny places for {most - 1}: shorten it"):
            call()
    with pytest.raises(DataError, match=r" for the reply, tiny places for "):
        reinforce(tiny_model, ["Who?"] * 2, lambda p, r: [0.0] * len(r), samples=4, group=2, max_new_tokens=most)


def test_what_is_no_chat_model_is_refused_in_the_name_of_the_function(tiny_model):
    expect_model("compare", tiny_model, tiny_model)
    for odd in (None, "SmolLM2", tiny_model.model):
        with pytest.raises(CourseError, match=r"^compare takes a ChatModel, such as cl\.load_model\(\), not "):
            expect_model("compare", tiny_model, odd)


def test_while_a_batch_is_read_and_answered_its_layers_move_the_bar_and_leave_nothing_behind(talker, monkeypatch):
    seen = []
    reach = Progress.reach
    monkeypatch.setattr(Progress, "reach", lambda bar, far, done: (reach(bar, far, done), seen.append((far, done)))[0])
    asked = ["Who?", "Where is it?", "Why?"]
    talker.reply(asked, 6)
    far = [reached for reached, _ in seen]
    assert far == sorted(far) and far[-1] == 3 and seen[-1] == (3, 3)
    assert len(far) > 6 and 0 < far[0] < far[1] < 3, "within one batch, and within the reading of its prompts"
    assert not any(part._forward_hooks for part in talker.model.modules())


def test_replies_that_have_ended_are_counted_before_the_batch_is_through(talker, monkeypatch):
    seen = []
    monkeypatch.setattr(Progress, "reach", lambda bar, far, done: seen.append(done))
    first = int(talker.complete([talker.encode("Who?")], 1)[0, -1])
    monkeypatch.setattr(ChatModel, "stops", lambda model: {first})
    talker.reply(["Who?", "Where is it?", "Why?"], 6)
    assert max(seen[:-1]) > 0


def test_an_interrupt_while_a_batch_is_answered_leaves_no_hook_and_the_model_answers_again(talker, monkeypatch):
    before = talker.generate(["Who?", "Why?"], 6)

    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Followed, "__call__", stop)
        with pytest.raises(KeyboardInterrupt) as raised:
            talker.generate(["Who?", "Why?"], 6)
    assert raised.value.__notes__ == ["Stopped after 0 of 2."]
    assert not any(part._forward_hooks for part in talker.model.modules())
    assert talker.generate(["Who?", "Why?"], 6) == before


# --- the next token -----------------------------------------------------------------------------------------------


def test_the_next_tokens_are_those_after_what_the_reply_has_said_so_far(talker):
    reply = talker.complete([talker.encode("Who?")], 2)[0, -2:].tolist()
    words = [talker.tokenizer.decode([token]) for token in reply]
    said = [talker.next_tokens("Who?", 1, "".join(words[:done]))[0][0] for done in range(2)]
    assert said == words, "greedily, token by token, it says what it says at once"
    assert talker.next_tokens("Who?", 3, "A") != talker.next_tokens("Who?", 3)
    assert sum(share for _, share in talker.next_tokens("Who?", len(talker.tokenizer), "A")) == pytest.approx(1)


def test_a_beginning_has_to_fit_into_the_models_places(tiny_model):
    tiny_model.model.config.max_position_embeddings = len(tiny_model.encode("Who?")) + 4
    assert tiny_model.next_tokens("Who?", 1, "abcd")
    with pytest.raises(DataError, match="places for"):
        tiny_model.next_tokens("Who?", 1, "abcde")
