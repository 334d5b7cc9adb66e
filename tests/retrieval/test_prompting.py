"""What a prompt can do: the examples and the instruction that stand before each question."""

import pytest

from course_lib.core.chat import example
from course_lib.core.errors import CourseError
from course_lib.retrieval.readers import FewShot, Instructed


@pytest.fixture
def model(recording_model):
    return recording_model


def test_examples_are_shown_as_turns_before_each_question(model):
    shown = [example("Capital of Italy?", "Rome"), example("Two and two?", "Four")]
    answers = FewShot(model, shown).answer(["Who?", "Why?"], max_new_tokens=7)
    turns = [("user", "Capital of Italy?"), ("assistant", "Rome"), ("user", "Two and two?"), ("assistant", "Four")]
    for prompt, question in zip(model.prompts, ["Who?", "Why?"]):
        assert [(m["role"], m["content"]) for m in prompt] == [*turns, ("user", question)]
    assert [answer.text for answer in answers] == ["reply 0", "reply 1"]
    assert model.limits == [7]


def test_without_examples_few_shot_asks_the_question_alone(model):
    FewShot(model, []).answer(["Who?"])
    assert model.prompts == [[{"role": "user", "content": "Who?"}]]


def test_few_shot_asks_a_real_chat_model(tiny_model):
    (answer,) = FewShot(tiny_model, [example("Capital of Italy?", "Rome")]).answer(["Who?"], max_new_tokens=3)
    asked = tiny_model.encode("Who?")
    assert answer.prompt_tokens > len(asked)


def test_an_instruction_stands_above_each_question(model):
    answers = Instructed(model, "Answer in one word.").answer(["Who?", "Why?"], max_new_tokens=5)
    assert model.prompts == ["Answer in one word.\n\nWho?", "Answer in one word.\n\nWhy?"]
    assert [answer.text for answer in answers] == ["reply 0", "reply 1"]
    assert model.limits == [5]


@pytest.mark.parametrize("nothing", ["", "  \n"])
def test_an_empty_instruction_is_refused_before_anything_is_asked(model, nothing):
    with pytest.raises(CourseError, match="instruction is empty"):
        Instructed(model, nothing).answer(["Who?"])
    assert model.prompts == []
