"""Chats as tokens, and the chat template that decides how: settled once, when a model is loaded.

Asking, training, scoring, rewards, TRL's trainers and whatever serves a saved folder all read the tokenizer's template.
So what a template lacks is mended in the template itself, by Jinja written around it, and nowhere else. One that lacks
nothing, such as SmolLM2's, stays as it is to the letter.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from course_lib.core.chat import Messages
from course_lib.core.errors import CourseError, ModelError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# What a template is tried on; to be looked for in what it writes.
SYSTEM, USER, REPLY = "sayssystem", "saysuser", "saysreply"
PROMPT = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": USER}]
CHAT = [*PROMPT, {"role": "assistant", "content": REPLY}]

# A template that refuses a system message, or leaves it out, is given it at the head of the first question.
FOLDED = """{%- if messages[0]['role'] == 'system' %}
{%- if messages[1:] and messages[1]['role'] == 'user' %}
{%- set both = messages[0]['content'] ~ '\\n\\n' ~ messages[1]['content'] %}
{%- set messages = [{'role': 'user', 'content': both}] + messages[2:] %}
{%- else %}
{%- set messages = [{'role': 'user', 'content': messages[0]['content']}] + messages[1:] %}
{%- endif %}
{%- endif %}"""

# One that reads lists of parts alone (text, pictures) would leave out texts without a word.
IN_PARTS = """{%- set course = namespace(messages=[]) %}
{%- for message in messages %}
{%- set part = [{'type': 'text', 'text': message['content']}] %}
{%- set course.messages = course.messages + [{'role': message['role'], 'content': part}] %}
{%- endfor %}
{%- set messages = course.messages %}"""

REWRITINGS = ("", FOLDED, IN_PARTS, FOLDED + IN_PARTS)

# How templates are told that nobody wants to read a model's thoughts: an answer here is short, and graded as it stands.
SWITCHES = {"enable_thinking": False, "thinking": False}
EFFORTS, LOW_EFFORTS = ("medium", "high", "xhigh"), ("low", "none")

THINKING, THOUGHT = "<think>", "\n\n</think>\n\n"


def chat_tokens(tokenizer: PreTrainedTokenizerBase, messages: Messages, **options: Any) -> list[int]:
    """Token ids of a chat; `options` are those of transformers' `apply_chat_template`.

    A CourseError says so where the template refuses the messages, for the order of their roles in most cases.
    """
    from jinja2 import TemplateError

    try:
        return tokenizer.apply_chat_template(messages, return_dict=True, **options)["input_ids"]
    except TemplateError as error:
        roles = ", ".join(message["role"] for message in messages)
        raise CourseError(
            f"the model's chat template refuses a chat of {roles} ({error}): write it otherwise."
        ) from None


def settle_template(tokenizer: PreTrainedTokenizerBase, name: str) -> int | None:
    """See to it that the template writes system, user and assistant, and that a reply begins as asked for.

    Returns the token that ends a turn, None where it is an ordinary one. Raises ModelError where there is no template,
    or none that writes a chat; errors call the model `name`.
    """
    template = _only_template(tokenizer.chat_template, name)
    rewriting = _rewriting(tokenizer, template, name)
    settled = rewriting + template
    settled = "".join(_settings(tokenizer, settled)) + settled
    settled = _begun_alike(tokenizer, settled)
    tokenizer.chat_template = settled
    after = _rendered(tokenizer, settled, CHAT).rpartition(REPLY)[2].lstrip()
    ids = tokenizer(after, add_special_tokens=False)["input_ids"]
    return ids[0] if ids and ids[0] in tokenizer.get_added_vocab().values() else None


def _only_template(found: str | dict[str, str] | None, name: str) -> str:
    """The one that chats are written with, of a model that may have named ones beside it, for tools and the like."""
    if not found:
        raise ModelError(
            f"{name} has no chat template: choose an instruction-tuned model, its id often ends in -Instruct."
        )
    if isinstance(found, str):
        return found
    if len(found) > 1 and "default" not in found:
        raise ModelError(
            f"{name} has the chat templates {', '.join(sorted(found))} and no default: keep one of them, as "
            "chat_template.jinja in its folder."
        )
    return found.get("default") or next(iter(found.values()))


def _rendered(tokenizer: Any, template: str, messages: Messages, asked: bool = False, **settings: Any) -> str:
    return tokenizer.apply_chat_template(
        messages, chat_template=template, tokenize=False, add_generation_prompt=asked, **settings
    )


def _rewriting(tokenizer: Any, template: str, name: str) -> str:
    """What must be done to messages, so that the template writes all of them."""
    refused = "it leaves out what is said"
    for rewriting in REWRITINGS:
        try:
            prompt, chat = (_rendered(tokenizer, rewriting + template, m, m is PROMPT) for m in (PROMPT, CHAT))
        except Exception as error:  # a template is a program, and may fail in any way
            refused = f"{type(error).__name__}: {error}"
            continue
        if all(text in prompt for text in (SYSTEM, USER)) and all(text in chat for text in (SYSTEM, USER, REPLY)):
            return rewriting
    raise ModelError(f"{name} has a chat template that writes no chat ({refused:.120}): choose another model.")


def _settings(tokenizer: Any, template: str) -> list[str]:
    """Jinja that turns off what can be turned off of a model's thinking; what a caller sets himself counts."""

    def both(**settings: Any) -> tuple[str, ...] | None:
        try:
            return tuple(_rendered(tokenizer, template, m, m is PROMPT, **settings) for m in (PROMPT, CHAT))
        except Exception:  # a value that the template refuses
            return None

    usual = both()
    chosen = {name: off for name, off in SWITCHES.items() if both(**{name: off}) not in (usual, None)}
    if usual in [both(reasoning_effort=effort) for effort in EFFORTS]:
        low = [effort for effort in LOW_EFFORTS if both(reasoning_effort=effort) not in (usual, None)]
        chosen |= {"reasoning_effort": low[0]} if low else {}
    return [
        f"{{%- if {name} is not defined %}}{{%- set {name} = {json.dumps(value)} %}}{{%- endif %}}"
        for name, value in chosen.items()
    ]


def _begun_alike(tokenizer: Any, template: str) -> str:
    """The template, so that a reply is asked for with just what stands before a reply that is trained on.

    Where the second goes on after the first, as with an empty thought, the prompt goes on too. Else a reply that is
    trained on begins as the prompt ends; a thought that the prompt opens is closed.
    """
    asked = _rendered(tokenizer, template, PROMPT, asked=True).rpartition(USER)[2]
    told = _rendered(tokenizer, template, CHAT).rpartition(REPLY)[0].rpartition(USER)[2]
    if asked.strip() == told.strip():  # a tokenizer may join a last space to the word after it
        return template
    if not told:
        return template
    opened = asked.rstrip().endswith(THINKING)
    begins = told if told.startswith(asked) else asked.rstrip() + THOUGHT if opened else asked
    before, after, wanted = (json.dumps(text, ensure_ascii=False) for text in (asked, told, begins))
    return (
        f"{{%- set course_chat %}}{template.removesuffix(chr(10))}{{% endset %}}"
        f"{{%- if add_generation_prompt and course_chat.endswith({before}) %}}"
        f"{{{{- course_chat.removesuffix({before}) ~ {wanted} }}}}"
        f"{{%- elif messages[-1]['role'] == 'assistant' and {after} in course_chat %}}"
        f"{{%- set course_cut = course_chat.rpartition({after}) %}}{{{{- course_cut[0] ~ {wanted} ~ course_cut[2] }}}}"
        "{%- else %}{{- course_chat }}{%- endif %}"
    )
