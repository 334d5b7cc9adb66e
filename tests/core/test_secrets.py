"""Secrets: hidden wherever they come from and however they are quoted, and nothing else is."""

import json
import time
import traceback
import urllib.parse

import pytest

from course_lib.core import secrets
from course_lib.core.errors import CourseError, ModelError
from course_lib.core.secrets import HIDDEN, keep_secret, quotable, without_secrets

KEY = "sk'not/a+key\\12 34"  # as no service gives one: everything in it is quoted differently somewhere


@pytest.mark.parametrize(
    "name",
    [
        "OPENAI_API_KEY",
        "HF_TOKEN",
        "MY_APIKEY",
        "azure_openai_key",
        "DB_PASSWORD",
        "GH_PAT",
        "AWS_SECRET_ID",
        "OPENAI_KEY_2",
        "OPENAI_API_KEY_OLD",
        "HTTP_AUTH",
        "MYSQL_PWD",
        "AWS_CREDENTIALS",
    ],
)
@pytest.mark.parametrize("around", ["{}", "{}\n", '"{}"\r\n', " '{}' "])
@pytest.mark.parametrize(
    "quote",
    [
        str, repr, lambda key: repr(key.encode()), json.dumps, urllib.parse.quote_plus, urllib.parse.quote,
        lambda key: urllib.parse.quote(key, ""), lambda key: key.strip("'\" \r\n"),
    ],
)  # fmt: skip
def test_the_value_of_a_variable_named_like_a_secret_is_hidden_however_it_is_quoted(monkeypatch, name, around, quote):
    monkeypatch.setenv(name, around.format(KEY))
    hidden = without_secrets(f"Illegal header value {quote(around.format(KEY))}: look there.")
    assert not [piece for piece in ("sk", "not", "key", "12", "34") if piece in hidden]
    assert HIDDEN in hidden and hidden.endswith(": look there.")


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("http://anna:pa55@host:8000/v1 is down", "http://[hidden]@host:8000/v1 is down"),
        ("http://anna:pa/55@x@host/v1 'a@b'", "http://[hidden]@host/v1 'a@b'"),
        ("http://host:8000/v1/models@main", "http://host:8000/v1/models@main"),
        ("https://tok@host/x", "https://[hidden]@host/x"),
        ("http://host/v1?key=abc&k=4&api_key=d%20e", "http://host/v1?key=[hidden]&k=4&api_key=[hidden]"),
        ("at https://blob/x?sv=1&sig=ab%2Bc'", "at https://blob/x?sv=1&sig=[hidden]'"),
        ("headers {'Authorization': 'Bearer abc.def'}", "headers {'Authorization': 'Bearer [hidden]'}"),
        ("(b'authorization', b'Basic YTpi=')", "(b'authorization', b'Basic [hidden]')"),
        ("Authorization: Bearer abcdef", "Authorization: Bearer [hidden]"),
        ("Authorization: Basic YTpi", "Authorization: Basic [hidden]"),
        ("sent Bearer abc-def.ghi", "sent Bearer [hidden]"),
        ("'anna:pa55@host:80/v1' is no address", "'[hidden]@host:80/v1' is no address"),
        ("at http://host/v1#token=abc", "at http://host/v1#token=[hidden]"),
        ("Api-Key: abcd1234", "Api-Key: [hidden]"),
        ("the line export MY_API_KEY='abcd-1234'", "the line export MY_API_KEY='[hidden]'"),
        ("{'x-goog-api-key': 'abcd'}", "{'x-goog-api-key': '[hidden]'}"),
        ("Illegal header value b'Bearer abc\\n'", "Illegal header value b'Bearer [hidden]\\n'"),
        ("Incorrect key sk-proj-0123456789abcdef", "Incorrect key [hidden]"),
        ("hf_0123456789abcdefgh is invalid", "[hidden] is invalid"),
    ],
)
def test_what_has_a_secrets_form_is_hidden_whoever_knows_it(text, hidden):
    assert without_secrets(text) == hidden


@pytest.mark.parametrize(
    "text",
    [
        "set OPENAI_API_KEY: it is missing",
        "the key 'role' stands in it twice", "mail anna@host.org", "a token is text",
        "http://host/v1?model=sk-learn", "task-specific", "hf_hub_download failed", "basic knowledge, bearer of news",
        "keys: role, content", "",
        "the results: 0.75 of 100000 Answers, by publickey", "/srv/anna/course/data is missing",
        "pad_token=tokenizer.eos_token", "KEY=a", "bearer bonds and Bearer tokens",
        "mailto:anna@host.org/x", "see a:b@c at 12:30@noon", "http://ollama:11434/v1",
    ],
)  # fmt: skip
def test_what_is_no_secret_stays_as_it_is(monkeypatch, text):
    for name, value in COMMON.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(secrets, "_told", {"ollama"})
    assert without_secrets(text) == text


# What people have in variables with such names: were it hidden, it would be missing in every sentence.
COMMON = {
    "TOKENIZERS_PARALLELISM": "content", "MY_KEY": "none", "MONKEY_BUSINESS": "missing", "SORT_KEY": "results",
    "MAX_TOKENS": "100000", "SSH_AUTH": "publickey", "KEY": "Answers", "RATE_KEY": "0.75",
    "PASSWORD_STORE_DIR": "/srv/anna", "SSH_AUTH_SOCK": "/srv", "KEY_FILE": "/srv/anna/course",
}  # fmt: skip


@pytest.mark.parametrize(
    "quote", ["b'Bearer results\\n'", "http://anna:results@host", "?api_key=results", "api_key: results"]
)
def test_a_key_that_is_a_word_is_hidden_where_it_stands_as_a_key(monkeypatch, quote):
    monkeypatch.setenv("MY_KEY", "results")
    assert "results" not in without_secrets(quote)


@pytest.mark.parametrize("piece", ["a-", "sk-", "http://a:b", "a:", "?a%", "bearer ", "api-key "])
def test_a_long_text_is_looked_through_in_no_time(piece):
    started = time.perf_counter()
    without_secrets(piece * 20_000)  # a pattern that goes back and forth would take minutes
    assert time.perf_counter() - started < 3


def test_a_key_that_was_given_in_a_call_is_hidden_from_then_on(monkeypatch):
    monkeypatch.setattr(secrets, "_told", set())
    assert without_secrets("my own key") == "my own key"
    keep_secret("own key")
    assert without_secrets("my own key") == "my [hidden]"


@pytest.mark.parametrize("kind", [CourseError, ModelError])
def test_no_error_of_the_course_says_a_secret(monkeypatch, kind):
    monkeypatch.setenv("HF_TOKEN", "abc-secret-xyz\n")
    assert str(kind("the hub refuses 'abc-secret-xyz\\n'")) == "the hub refuses '[hidden]\\n'"


def test_what_was_being_handled_is_printed_only_if_it_is_named_as_the_cause():
    def shown(cause):
        with pytest.raises(ModelError) as caught:
            try:
                raise KeyError("whatever was quoted")
            except KeyError as error:
                if cause:
                    raise ModelError("one sentence") from error
                raise ModelError("one sentence")  # noqa: B904
        return "".join(traceback.format_exception(caught.value))

    assert "KeyError: 'whatever" not in shown(cause=False)
    assert "KeyError: 'whatever" in shown(cause=True)


def raised(link):
    try:
        try:
            raise ValueError("b'Bearer abc-secret-xyz'")
        except ValueError as error:
            link(error)
    except KeyError as error:
        return error


def explicit(error):
    raise KeyError("wrapped") from error


def implicit(error):
    raise KeyError("wrapped")


def noted(error):
    made = KeyError("wrapped")
    made.add_note("with abc-secret-xyz")
    raise made from None


@pytest.mark.parametrize("link", [explicit, implicit, noted])
def test_a_cause_that_would_print_a_secret_anywhere_behind_it_is_not_chained(monkeypatch, link):
    monkeypatch.setenv("HF_TOKEN", "abc-secret-xyz\n")
    error = raised(link)
    with pytest.raises(ModelError) as caught:
        raise ModelError("cannot load") from quotable(error)
    assert "abc-secret" not in "".join(traceback.format_exception(caught.value))
    monkeypatch.delenv("HF_TOKEN")
    assert quotable(KeyError("harmless")) is not None
