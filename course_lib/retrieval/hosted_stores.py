"""What the stores of Pinecone and Weaviate share: the client's import, a passage's record, filters, and what may fail.

Both clients are optional; without them a CourseError says what to install. Keys and addresses come from the
environment and are never printed.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import uuid
from collections.abc import Callable, Iterator
from typing import Any

from course_lib.core.credentials import credential
from course_lib.core.errors import CourseError
from course_lib.core.secrets import quotable, without_secrets
from course_lib.retrieval.documents import Passage
from course_lib.retrieval.filters import FIELDS, matches, metadata
from course_lib.retrieval.stores import passage_of

# As the extras of pyproject.toml have them.
PACKAGES = {"pinecone": "pinecone>=10.2,<11", "weaviate": "weaviate-client>=4.24,<5"}
MOST = 10_000  # results of one search, by both services' limits
AT_ONCE = 500  # documents named in one deletion; objects sent to Weaviate in one request
PAGE = 100  # passages listed in one request, vectors and all


def imported(module: str) -> Any:
    """A module of an optional package."""
    package = module.split(".")[0]
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise CourseError(f'the package {package} is missing ({error}): pip install "{PACKAGES[package]}".') from error


def setting(variable: str) -> str:
    """An environment variable that holds a key, or "": never printed from now on."""
    return credential(os.environ.get(variable, ""), variable)


@contextlib.contextmanager
def explained(service: str, variable: str, failed: tuple[type[BaseException], ...]) -> Iterator[None]:
    """Turn what a client raises (`failed`) into a CourseError that says what to do."""
    try:
        yield
    except failed as error:
        if getattr(error, "status_code", None) == 401:  # its message may quote pieces of the key
            raise CourseError(f"{service} refuses the credential in {variable} (401): set it to a valid key.") from None
        raise CourseError(
            f"{service} did not do it ({in_short(str(error))}): see to what it names, or to the network, and make the "
            "same call again; what it already holds it keeps."
        ) from quotable(error)


def in_short(text: str) -> str:
    """On one line, and not all of it; secrets are hidden first: half a key is one too."""
    text = " ".join(without_secrets(text).split())
    return text if len(text) <= 300 else f"{text[:300]}…"


def record(passage: Passage, digest: str) -> dict[str, Any]:
    """What such a store keeps of a passage beside its vector."""
    return {"passage": passage.id, "text": passage.text, "digest": digest, **metadata(passage)}


def recorded(kept: dict[str, Any], score: float = 0.0) -> Passage:
    """The passage of a `record`; a CourseError if it is somebody else's."""
    if unknown := {"passage", "text", *FIELDS} - kept.keys():
        raise CourseError(
            f"the store holds what the course did not put there (it lacks {min(unknown)!r}): choose another name."
        )
    return passage_of(kept["passage"], kept["text"], kept, float(score))


def key_of(passage: Passage) -> str:
    """Its id there: Pinecone's are ASCII, at most 512 characters, Weaviate's are UUIDs, and ours may be anything."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, passage.id))


def check_k(k: int, service: str) -> None:
    """Refuse what the services don't return; 0 is no limit to Weaviate."""
    if not 1 <= k <= MOST:
        raise CourseError(f"k is {k:,}: {service} finds 1 to {MOST:,} passages at once.")


def translated(where: Any, join: Callable[[str, list[Any]], Any], compare: Callable[[str, str, Any], Any]) -> Any:
    """A filter in another language: `join(sign, parts)` makes "$and" and "$or", `compare(field, sign, value)` the rest.

    A CourseError refuses what is no filter, and a value of another type than its field: there the services differ.
    """
    matches(Passage("", "", ""), where)  # raises if it is none
    ((name, test),) = where.items()
    if isinstance(test, list):
        return join(name, [translated(part, join, compare) for part in test])
    ((sign, value),) = (test if isinstance(test, dict) else {"$eq": test}).items()
    wanted, kind = ("a number", (int, float)) if name == "day" else ("a text", str)
    if not all(isinstance(one, kind) and not isinstance(one, bool) for one in each(value)):
        raise CourseError(f"the filter {where!r} cannot be asked of this store: {name!r} is {wanted}.")
    return compare(name, sign, value)


def each(value: Any) -> list[Any]:
    """The values that a filter compares with."""
    return value if isinstance(value, list) else [value]
