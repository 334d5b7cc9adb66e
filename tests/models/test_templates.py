"""Chat templates as models have them: what they lack is mended once, in the template, for whoever reads it."""

import copy
from pathlib import Path

import pytest
import trl
from trl.data_utils import apply_chat_template

from course_lib.core.chat import example
from course_lib.core.errors import CourseError, ModelError
from course_lib.models.loading import load_model
from course_lib.models.scoring import encode_example
from course_lib.models.templates import chat_tokens, settle_template

pytestmark = pytest.mark.usefixtures("on_a_laptop")

WRITES = "<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n"
LOOP, ASKS = "{% for m in messages %}", "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
CHATML = LOOP + WRITES + "{% endfor %}" + ASKS
REPLIES = "{% elif m['role'] == 'assistant' %}{{ m['content'] }}<|im_end|>\n{% endif %}{% endfor %}"
HERE = Path(__file__).parent

# The default student's own, as its file gives it (Apache-2.0).
SMOLLM2 = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n' }}"
    "{% endif %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
ROW = example("Who mends kettles?", "Desk seven.", system="Answer by desk.")

OF_SYSTEM = {
    "refuses a system message": "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}"
    + CHATML,
    "wants question and reply in turn": LOOP
    + "{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('alternate') }}{% endif %}"
    + WRITES + "{% endfor %}" + ASKS,
    "drops it without a word": LOOP + "{% if m['role'] != 'system' %}" + WRITES + "{% endif %}{% endfor %}" + ASKS,
    "knows questions and replies alone": LOOP
    + "{% if m['role'] == 'user' %}<|im_start|>user\n{{ m['content'] }}<|im_end|>\n<|im_start|>assistant\n" + REPLIES,
    "reads lists of parts alone": LOOP + "<|im_start|>{{ m['role'] }}\n{% for part in m['content'] %}"
    "{% if part['type'] == 'text' %}{{ part['text'] }}{% endif %}{% endfor %}<|im_end|>\n{% endfor %}" + ASKS,
    "reads lists of parts, and refuses a system message": LOOP
    + "{% if m['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}<|im_start|>{{ m['role'] }}\n"
    "{% for part in m['content'] %}{{ part['text'] }}{% endfor %}<|im_end|>\n{% endfor %}" + ASKS,
}  # fmt: skip

EMPTY = "<think>\n\n</think>\n\n"


def asking(prefilled, loop=CHATML):
    """A template that adds something to what asks for a reply."""
    return loop.replace("assistant\n{% endif %}", "assistant\n" + prefilled + "{% endif %}")


OF_THINKING = {
    "thinks unless told not to": asking(
        "{% if enable_thinking is defined and not enable_thinking %}" + EMPTY + "{% endif %}"
    ),
    "is told under another name": asking(
        "{% if thinking is not defined or thinking %}<think>\n{% else %}" + EMPTY + "{% endif %}"
    ),
    "writes an empty thought into replies": CHATML.replace(
        "{{ m['content'] }}", "{% if m['role'] == 'assistant' %}" + EMPTY + "{% endif %}{{ m['content'] }}"
    ),
    "opens a thought whatever it is told": asking("<think>\n"),
    "opens a thought, and does not wait to be asked": LOOP + WRITES
    + "{% if m['role'] == 'user' and loop.last %}<|im_start|>assistant\n<think>\n{% endif %}{% endfor %}",
    "cuts thoughts out of replies": asking(
        "<think>", CHATML.replace("m['content']", "m['content'].split('</think>')[-1]")
    ),
}  # fmt: skip


@pytest.fixture
def of_template(talker, tmp_path):
    """The tiny model out of a folder, with another template."""

    def make(template, name="model"):
        folder = talker.save(tmp_path / name)
        (folder / "chat_template.jinja").write_text(template)
        return load_model(folder)

    return make


def read_by_all(model):
    """One example as the course asks it, and as it is trained on: by the course, and by TRL with the tokenizer."""
    ids, begins = encode_example(model, "the example", ROW)
    asked = model.encode(ROW["prompt"])
    theirs = apply_chat_template(ROW, model.tokenizer)
    decode = model.tokenizer.decode
    assert theirs == {"prompt": decode(ids[:begins]), "completion": decode(ids[begins:])}
    return decode(asked), decode(ids[:begins]), decode(ids[begins:])


@pytest.mark.parametrize("template", OF_SYSTEM.values(), ids=OF_SYSTEM)
def test_the_system_message_reaches_the_model_whatever_the_template_makes_of_it(template, of_template):
    model = of_template(template)
    asked, prompt, completion = read_by_all(model)
    assert asked == prompt and completion == "Desk seven.<|im_end|>\n"
    assert asked.index("Answer by desk.") < asked.index("Who mends kettles?") and asked.endswith("assistant\n")
    longer = [*ROW["prompt"], *ROW["completion"], {"role": "user", "content": "And pans?"}]
    asked = model.tokenizer.decode(model.encode(longer))
    assert asked.index("Answer by desk.") < asked.index("seven.") < asked.index("And pans?")
    assert ROW["prompt"][1]["content"] == "Who mends kettles?", "the row itself is left alone"


@pytest.mark.parametrize("template", OF_THINKING.values(), ids=OF_THINKING)
def test_a_reply_is_asked_for_as_it_is_trained_on_without_a_thought(template, of_template):
    asked, prompt, completion = read_by_all(of_template(template))
    assert asked == prompt and completion == "Desk seven.<|im_end|>\n"
    assert asked.count("<think>") == asked.count("</think>")
    assert not asked.rstrip().endswith("<think>")


PUBLISHED = {path.stem: path.read_text(encoding="utf-8") for path in sorted((HERE / "templates").glob("*.jinja"))}
OF_TRL = Path(trl.__file__).parent / "chat_templates"  # some forty, as their models have them
PUBLISHED |= {path.stem: path.read_text(encoding="utf-8") for path in OF_TRL.glob("*.jinja")}


@pytest.mark.parametrize("name", [name for name in PUBLISHED if not name.endswith("_training")])
def test_published_templates_write_the_whole_chat_and_ask_as_they_train(name, tiny_tokenizer):
    tokenizer = copy.deepcopy(tiny_tokenizer)
    tokenizer.bos_token, tokenizer.chat_template = "<|endoftext|>", PUBLISHED[name]
    settle_template(tokenizer, name)
    texts = apply_chat_template(ROW, tokenizer)
    assert texts["completion"].lstrip().startswith("Desk seven.")
    assert texts["prompt"].index("Answer by desk.") < texts["prompt"].index("Who mends kettles?")
    ids = chat_tokens(tokenizer, ROW["prompt"], add_generation_prompt=True)
    assert tokenizer.decode(ids).strip() == texts["prompt"].strip()


def test_what_a_caller_says_of_thinking_counts_and_a_saved_folder_says_the_same(of_template, tmp_path):
    model = of_template(OF_THINKING["thinks unless told not to"])
    again = load_model(model.save(tmp_path / "again"))
    for tokenizer in (model.tokenizer, again.tokenizer):
        ask = {"conversation": ROW["prompt"], "tokenize": False, "add_generation_prompt": True}
        assert tokenizer.apply_chat_template(**ask).endswith(EMPTY)
        assert not tokenizer.apply_chat_template(**ask, enable_thinking=True).endswith(EMPTY)
    assert again.tokenizer.chat_template == model.tokenizer.chat_template, "settled once"


@pytest.mark.parametrize(
    ("default", "allowed", "told"),
    [
        ("medium", ["low", "medium", "high"], "low"),
        ("high", ["none", "high"], "none"),
        ("none", ["none", "low", "high"], "none"),
        ("low", ["low", "high"], "low"),
    ],
)
def test_the_effort_of_reasoning_is_low_where_it_is_more_by_default(default, allowed, told, of_template):
    said = "{%- set effort = reasoning_effort if reasoning_effort is defined else '" + default + "' %}"
    said += "{%- if effort not in " + str(allowed) + " %}{{ raise_exception('no such effort') }}{% endif %}"
    model = of_template(said + "Effort: {{ effort }}\n" + CHATML)
    assert model.tokenizer.decode(model.encode("Who?")).startswith(f"Effort: {told}\n")


def test_a_template_that_lacks_nothing_stays_to_the_letter(of_template):
    for template in (CHATML, SMOLLM2, asking(" "), CHATML.replace("{% for", "{{ bos_token }}{% for") + "\n"):
        assert of_template(template).tokenizer.chat_template == template


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("", "no chat template"),
        ("{{ messages[0]['content'] }}", "writes no chat .it leaves out what is said"),
        ("{{ raise_exception('tools only') }}", "writes no chat .*tools only"),
        ("{% for m in messages %}{{ m.content ", "writes no chat .TemplateSyntaxError"),
    ],
)
def test_a_template_that_writes_no_chat_is_refused_at_load(template, said, of_template):
    with pytest.raises(ModelError, match=said) as error:
        of_template(template)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("named", "kept"),
    [
        ({"default": CHATML, "tool_use": "{{ tools }}"}, CHATML),
        ({"chat": CHATML}, CHATML),
        ({"rag": CHATML, "tool_use": CHATML}, None),
    ],
)
def test_of_named_templates_the_default_is_taken_or_the_only_one(named, kept, tiny_tokenizer):
    tokenizer = copy.deepcopy(tiny_tokenizer)
    tokenizer.chat_template = named
    if kept is None:
        with pytest.raises(ModelError, match="templates rag, tool_use and no default: keep one"):
            settle_template(tokenizer, "it")
    else:
        settle_template(tokenizer, "it")
        assert tokenizer.chat_template == kept


def test_a_chat_that_a_template_refuses_is_said_to_be_refused_wherever_it_is_read(of_template):
    model = of_template(OF_SYSTEM["wants question and reply in turn"])
    twice = [{"role": "user", "content": "Who?"}, {"role": "user", "content": "Why?"}]
    for call in (lambda: model.encode(twice), lambda: encode_example(model, "it", {**ROW, "prompt": twice})):
        with pytest.raises(CourseError, match=r"refuses a chat of .*user, user.* \(alternate\): write it otherwise"):
            call()


def test_the_token_that_ends_a_turn_is_found(tiny_tokenizer):
    ends = tiny_tokenizer.convert_tokens_to_ids("<|im_end|>")
    assert settle_template(copy.deepcopy(tiny_tokenizer), "it") == ends
