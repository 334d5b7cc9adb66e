"""What both talk through that ask another machine: the `openai` client, and its many errors in one sentence each."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from types import ModuleType

from course_lib.errors import CourseError, ModelError

__all__ = ["explained", "openai_client"]


def openai_client() -> ModuleType:
    """The package `openai`.

    Raises
    ------
    CourseError
        If it is not installed.
    """
    try:
        import openai
    except ImportError as error:
        raise CourseError(f"the package openai is missing ({error}): pip install -r requirements.txt.") from error
    return openai


@contextlib.contextmanager
def explained(url: str, model: str, credential: str) -> Iterator[None]:
    """Turn what the client raises into a ModelError that says whose fault it is and what to do.

    Parameters
    ----------
    url, model
        Who is asked, and for what.
    credential
        Where the key came from, as "OPENAI_API_KEY". The key itself, and messages that quote it, are never shown.
    """
    openai = openai_client()
    try:
        yield
    except openai.APITimeoutError as error:
        raise ModelError(f"{url} did not answer in time: raise the timeout, or ask for fewer tokens.") from error
    except openai.APIConnectionError as error:
        why = error.__cause__ or error
        raise ModelError(f"{url} cannot be reached ({why}): is the server running, and the address right?") from error
    except openai.AuthenticationError:  # its message quotes the key: not even as the cause
        raise ModelError(f"{url} refuses the credential in {credential} (401): set it to a valid key.") from None
    except openai.PermissionDeniedError:
        raise ModelError(
            f"{url} knows the credential in {credential} but does not permit this (403): ask the account's owner for "
            "the right, or use another account."
        ) from None
    except openai.NotFoundError as error:
        raise ModelError(f"{url} has no model or route for {model!r} (404): {_said(error)}") from error
    except openai.APIStatusError as error:
        raise ModelError(f"{url} answered with an error ({error.status_code}): {_said(error)}") from error
    # A page of HTML, JSON that is cut off, a chat without a reply: whatever a wrong address may answer.
    except (openai.OpenAIError, ValueError, AttributeError, IndexError, TypeError, KeyError) as error:
        raise ModelError(
            f"{url} answered, but not as an OpenAI-compatible server does ({type(error).__name__}): check the "
            "address; it usually ends in /v1."
        ) from error


def _said(error: Exception) -> str:
    """What the server said, on one line and short."""
    body = getattr(error, "body", None)
    for key in ("message", "detail"):
        if isinstance(body, dict) and isinstance(body.get(key), str):
            body = body[key]
    return " ".join(str(body or error).split())[:200]
