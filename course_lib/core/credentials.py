"""Keys of services, as they come out of an environment variable or a learner's clipboard."""

from __future__ import annotations

from course_lib.core.errors import ModelError
from course_lib.core.secrets import keep_secret

# What copying leaves around a key: blanks, line ends, quotes, marks that nobody sees.
AROUND_KEY = " \t\r\n\v\f\u00a0\u200b\ufeff'\"‘’“”"


def credential(given: str, where: str) -> str:
    """A key as its service knows it, without what copying leaves around it; it is never printed from now on.

    One that could stand in no header is a ModelError that names `where` it came from.
    """
    key = str(given).strip(AROUND_KEY)
    keep_secret(key)
    if not isinstance(given, str) or not all("!" <= sign <= "~" for sign in key):
        raise ModelError(
            f"the credential in {where} is no text, or holds a blank, a line end or a letter no key has: copy it again."
        )
    return key
