"""A model behind an OpenAI-compatible address, asked as any client asks it, and what went wrong there in one sentence.

The address may be one's own (`serving.serve`), vLLM's on a GPU, or a service's; to an `Endpoint` they are alike.
"""

from __future__ import annotations

import contextlib
import os
import time
import urllib.parse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from course_lib.core.chat import SYSTEM, Answer, Messages, as_chats
from course_lib.core.credentials import credential
from course_lib.core.errors import CourseError, ModelError, not_below_zero, whole_above_zero
from course_lib.core.progress import Progress
from course_lib.core.secrets import quotable, without_secrets
from course_lib.core.text import whole
from course_lib.models.chatmodel import MAX_PROMPT_TOKENS
from course_lib.retrieval.readers import EXAM_TOKENS

HOST = "127.0.0.1"  # this machine only: whoever may reach the port may use the model
KEY_VARIABLE = "OPENAI_API_KEY"
# What the API's finish_reason says where there is no text.
NO_TEXT = {
    "content_filter": "the service's filter withheld it", "error": "something failed there",
    "tool_calls": "it asks for a tool, and none was offered", "function_call": "it asks for a function, there is none",
}  # fmt: skip


@dataclass
class Endpoint:
    """A model behind an OpenAI-compatible address: answers as a `ChatModel` does, so that exams and RAG take it."""

    url: str  # where the API begins; it usually ends in /v1
    model: str  # what the server calls the model
    system: str = SYSTEM  # of prompts that have no system message
    name: str = "served"  # what tables call it
    timeout: float = 60.0  # seconds to wait for one answer
    key: str | None = field(default=None, repr=False)  # else that of the environment; a server of one's own needs none

    def reply(
        self, prompts: Sequence[str | Messages], max_new_tokens: int = 64, temperature: float = 0.0
    ) -> list[Answer]:
        """Complete each prompt, one request after another; temperature 0 is greedy.

        The seconds of an `Answer` are what whoever asks waits, from request to reply; a refusal is a reply too. Bad
        prompts and settings are refused, as a `ChatModel` refuses them, before anything is sent; a server that is down,
        slow, unwilling or no such server, or that gives no text, is a ModelError.
        """
        whole_above_zero(max_new_tokens=max_new_tokens)
        not_below_zero(temperature=temperature)
        chats = as_chats(prompts, self.system)
        for chat in chats:  # whose tokens the server alone can count; a word is one at least
            if (words := sum(len(turn["content"].split()) for turn in chat)) > MAX_PROMPT_TOKENS:
                raise CourseError(
                    f"the prompt has {words:,} words, more than {MAX_PROMPT_TOKENS:,} tokens: shorten it."
                )
        answers = []
        with self._explained():
            client = self._client()
        with Progress("Asking", len(chats)) as progress:
            for chat in chats:
                answers.append(self._ask(client, chat, max_new_tokens, temperature))
                progress.advance(1)
        return answers

    def generate(
        self, prompts: Sequence[str | Messages], max_new_tokens: int = 64, temperature: float = 0.0
    ) -> list[str]:
        """As `reply`, the texts alone."""
        return [answer.text for answer in self.reply(prompts, max_new_tokens, temperature)]

    def answer(self, questions: Sequence[str], max_new_tokens: int = EXAM_TOKENS) -> list[Answer]:
        """Answer exam questions closed book; makes an endpoint a candidate."""
        return self.reply(questions, max_new_tokens)

    def __repr__(self) -> str:
        return without_secrets(f"Endpoint(url={self.url!r}, model={self.model!r}, name={self.name!r})")

    def _key(self) -> tuple[str, str]:
        """The credential, and where it came from. The client insists on one; a server of one's own does not read it."""
        given, where = (self.key, "key") if self.key is not None else (os.environ.get(KEY_VARIABLE, ""), KEY_VARIABLE)
        return credential(given, where) or "none", where

    def _explained(self) -> contextlib.AbstractContextManager[None]:
        return explained(self.url, self.model, self._key()[1])

    def _client(self) -> Any:
        # Asked once: a server that is down is reported at once, and latency has no hidden second try.
        openai = openai_client()
        here = urllib.parse.urlsplit(self.url).hostname in (HOST, "localhost")
        transport = {"http_client": openai.DefaultHttpxClient(trust_env=False)} if here else {}  # past any proxy
        return openai.OpenAI(
            base_url=self.url, api_key=self._key()[0], timeout=self.timeout, max_retries=0, **transport
        )

    def _ask(self, client: Any, chat: Messages, max_new_tokens: int, temperature: float) -> Answer:
        with self._explained():
            started = time.perf_counter()
            found = client.chat.completions.create(
                model=self.model, messages=chat, max_tokens=max_new_tokens, temperature=temperature
            )
            seconds = time.perf_counter() - started
            if fault := _fault_in(found):
                raise ModelError(f"{self.url} answered with an error: {_said(fault)}")
            text, usage = self._text(found.choices[0], max_new_tokens), found.usage
            counts = (getattr(usage, name, None) or 0 for name in ("prompt_tokens", "completion_tokens"))
            return Answer(text, *counts, seconds)

    def _text(self, choice: Any, max_new_tokens: int) -> str:
        """What was said, or refused; why there is no text is a ModelError."""
        if "message" not in choice.model_fields_set or not (choice.message or choice.finish_reason):
            raise ValueError("no reply of a chat")
        content, why = getattr(choice.message, "content", None), choice.finish_reason
        if isinstance(content, list):  # of parts: thoughts have no text
            content = "".join(part.get("text") or "" for part in content)
        if text := content or getattr(choice.message, "refusal", None):
            return whole(text).strip()
        if why == "length":
            raise ModelError(
                f"{self.model!r} wrote nothing within max_new_tokens={max_new_tokens}: a model that reasons spends "
                "them there first. Raise max_new_tokens, or turn its reasoning off."
            )
        if content is None or why in NO_TEXT:
            reason = NO_TEXT.get(why, "it ended at once" if why in (None, "stop") else f"finish_reason {why!r}")
            raise ModelError(f"{self.model!r} gave no text ({reason}): ask something else, or another model.")
        return ""


def openai_client() -> ModuleType:
    """The package `openai`, which asks other machines."""
    try:
        import openai
    except ImportError as error:
        raise CourseError(f"the package openai is missing ({error}): pip install -r requirements.txt.") from error
    return openai


@contextlib.contextmanager
def explained(url: str, model: str, key_from: str) -> Iterator[None]:
    """Turn what the client raises into a ModelError that says whose fault it is and what to do.

    `key_from` is where the key came from, as "OPENAI_API_KEY". The key itself, and messages that quote it, are never
    shown.
    """
    openai = openai_client()
    if not _is_address(url):
        raise ModelError(f"{url!r} is no address: write http://host:port/v1.")
    try:
        yield
    # Of the last ones: a page of HTML, JSON that is cut off, a chat without a reply, whatever a wrong address answers.
    except (openai.OpenAIError, ValueError, AttributeError, LookupError, TypeError, RecursionError) as error:
        quotes_keys = isinstance(
            error, (openai.AuthenticationError, openai.PermissionDeniedError)
        )  # halves of them, too
        raise ModelError(_why(error, url, model, key_from)) from None if quotes_keys else quotable(error)


def _why(error: Exception, url: str, model: str, key_from: str) -> str:
    """Whose fault an error of the client is, and what to do."""
    openai = openai_client()
    if isinstance(error, openai.APITimeoutError):
        return f"{url} did not answer in time: raise the timeout, or ask for fewer tokens."
    if isinstance(error, openai.APIConnectionError):
        return f"{url} cannot be reached ({error.__cause__ or error}): is the server running, and the address right?"
    if isinstance(error, openai.AuthenticationError):
        return f"{url} refuses the credential in {key_from} (401): set it to a valid key."
    if isinstance(error, openai.PermissionDeniedError):
        return (
            f"{url} knows the credential in {key_from} but does not permit this (403): ask the account's owner for "
            "the right, or use another account."
        )
    if isinstance(error, openai.NotFoundError):
        return f"{url} has no model or route for {model!r} (404): {_said(error)}"
    if isinstance(error, openai.APIStatusError):
        return f"{url} answered with an error ({error.status_code}): {_said(error)}"
    return (
        f"{url} answered, but not as an OpenAI-compatible server does ({type(error).__name__}): check the address; "
        "it usually ends in /v1."
    )


def _is_address(url: str) -> bool:
    try:
        parts = urllib.parse.urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and url.split() == [url]
    except (ValueError, AttributeError, TypeError):  # a port that is none, half a bracket; no text at all
        return False


def _fault_in(found: Any) -> Any:
    """What some services say instead of a reply, with status 200; else None."""
    fault = found.error if getattr(found, "error", None) else None
    if found.choices:
        return fault or getattr(found.choices[0], "error", None)
    if "choices" in found.model_fields_set:
        return fault or "a chat without a reply in it; ask again"
    told = (getattr(found, key, None) for key in ("message", "detail", "msg"))
    return fault or next((said for said in told if isinstance(said, str)), None)


def _said(error: Any) -> str:
    """What the server said, on one line and short."""
    body = getattr(error, "body", error)
    for key in ("message", "detail"):
        if isinstance(body, dict) and isinstance(body.get(key), str):
            body = body[key]
    return " ".join(without_secrets(str(body or error)).split())[:200]  # hidden first: half a key is one too
