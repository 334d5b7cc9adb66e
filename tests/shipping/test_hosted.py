"""Hosted fine-tuning: the file, the rules, the price, and nothing sent by accident. No network."""

import json
import traceback
from functools import partial

import pytest
from fake_api import api

from course_lib.core.chat import example
from course_lib.core.errors import ChoiceError, CourseError, DataError, ModelError
from course_lib.shipping import hosted
from course_lib.shipping.hosted import check_chat_jsonl, estimate_price, submit, write_chat_jsonl

EXAMPLES = [example(f"Who won in {year}?", f"Team {year}") for year in range(2030, 2042)]


@pytest.fixture
def file(tmp_path):
    return write_chat_jsonl(EXAMPLES, tmp_path / "train.jsonl")


@pytest.fixture(autouse=True)
def no_credentials(monkeypatch):
    for name in ("OPENAI_API_KEY", "AZURE_OPENAI_API_KEY", "AZURE_OPENAI_ENDPOINT", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def service():
    with api() as state:
        yield state


def written(tmp_path, change=None, line=7, n=12):
    """A file of n good lines, one of them changed."""
    rows = [{"messages": [*row["prompt"], *row["completion"]]} for row in EXAMPLES[:n]]
    lines = [json.dumps(row) for row in rows]
    if change is not None:
        lines[line - 1] = change if isinstance(change, str) else json.dumps(change)
    path = tmp_path / "train.jsonl"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def turn(role="assistant", content="Rome", **rest):
    return {"role": role, "content": content, **rest}


ASKED = turn("user", "Capital of Italy?")


def test_examples_become_one_chat_a_line(file):
    rows = [json.loads(line) for line in file.path.read_text(encoding="utf-8").splitlines()]
    assert (file.examples, file.provider, file.size) == (12, "openai", file.path.stat().st_size)
    assert [m["role"] for m in rows[3]["messages"]] == ["system", "user", "assistant"]
    assert rows[3]["messages"][-1]["content"] == "Team 2033"
    assert "12 examples" in str(file)


def test_azure_gets_its_byte_order_mark_and_openai_none(tmp_path, file):
    azure = write_chat_jsonl(EXAMPLES, tmp_path / "azure.jsonl", "azure")
    assert azure.path.read_bytes() == b"\xef\xbb\xbf" + file.path.read_bytes()
    with pytest.raises(DataError, match="lacks the byte-order mark"):
        check_chat_jsonl(file.path, "azure")
    assert check_chat_jsonl(azure.path, "openai").examples == 12


@pytest.mark.parametrize(
    ("examples", "name", "said"),
    [
        (
            [*EXAMPLES, {"prompt": [turn("oracle", "?")], "completion": [turn()]}],
            "a.jsonl",
            "example 12: prompt is .* message 0: role 'oracle' is not one of",
        ),
        (EXAMPLES[:3], "a.jsonl", "3 examples, and the services train on no fewer than 10"),
        ([{"messages": []}], "a.jsonl", "example 0 lacks prompt"),
        (EXAMPLES, "a.json", r"a\.json would be refused"),
    ],
)
def test_examples_that_would_be_refused_are_not_written(tmp_path, examples, name, said):
    with pytest.raises(DataError, match=said):
        write_chat_jsonl(examples, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_another_provider_is_refused(tmp_path):
    for call in (partial(write_chat_jsonl, EXAMPLES, tmp_path / "a.jsonl"), partial(check_chat_jsonl, "x")):
        with pytest.raises(ChoiceError, match="Did you mean 'azure'"):
            call("azur")


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (
            {"messages": [ASKED, turn("asistant")]},
            r"message 1: role 'asistant' is not one .* Did you mean 'assistant'\?$",
        ),
        ({"messages": [ASKED, {"content": "Rome"}]}, "message 1: role None is not one of"),
        ({"messages": [ASKED]}, "no message is the assistant's"),
        ({"messages": []}, "messages is not a list with at least one"),
        ({"messages": "Rome"}, "messages is not a list"),
        ({"prompt": "Capital?", "completion": "Rome"}, "unknown keys completion, prompt"),
        ({"messages": [ASKED, "Rome"]}, "message 1 is no object"),
        ({"messages": [ASKED, turn(content=" ")]}, "message 1: content is empty"),
        ({"messages": [ASKED, turn(content=None)]}, "message 1: content is None, which is no text"),
        ({"messages": [ASKED, turn(content=[{"type": "text"}])]}, "message 1: content is a list of parts: only text"),
        ({"messages": [ASKED, turn(text="Rome")]}, "message 1: unknown keys text; known are role"),
        ({"messages": [ASKED, turn(name=3)]}, "message 1: name is 3"),
        ({"messages": [ASKED, turn(name="\ud83d")]}, "message 1: name is"),
        ({"messages": [ASKED, turn(weight=0.5)]}, "message 1: weight is 0.5; it is 0"),
        ({"messages": [ASKED, turn(weight=True)]}, "message 1: weight is True"),
        ({"messages": [turn("user", "?", weight=1), turn()]}, "message 0: weight stands on a user message"),
        ({"messages": [ASKED, turn(weight=0)]}, "every assistant message has weight 0"),
        ({"messages": [ASKED, turn(), ASKED]}, "the last message is the user's"),
        ({"messages": [ASKED, turn(), turn("system", "x")]}, "the last message is the system's"),
        ({"messages": [ASKED, turn("tool")]}, "message 1: role 'tool' is not one of"),
        ({"messages": [ASKED, turn("gpt")]}, r"message 1: role 'gpt' is not one .* Did you mean 'assistant'\?$"),
        ({"messages": [{"from": "human", "value": "?"}, turn()]}, "message 0 is ShareGPT's: write role for from"),
        ({"messages": [ASKED, turn(tool_calls=[])]}, "message 1: unknown keys tool_calls"),
        ({"messages": [ASKED, turn(content=None, function_call={})]}, "message 1: content is None"),
        *(
            ({"messages": [turn("user", "?", name=name), turn()]}, "message 0: name is .* without blanks")
            for name in ("", "Anna Bell", "a/b", "a<b", "x" * 65, None)
        ),
        ({"messages": [ASKED, turn(weight=10**400)]}, "message 1: weight is 1000"),
        ({"messages": [ASKED, turn()], "id": 4}, "unknown keys id; an example has messages and nothing else"),
        ({"instruction": "?", "output": "!"}, r"unknown keys .* cl\.example\(row\['instruction'\], row\['output'\]\)"),
        ({"conversations": [{"from": "human", "value": "?"}]}, "role for from, content for value"),
        (r'{"messages": [{"role": "user", "content": "hi \ud83d"}]}', "message 0: content holds half a character"),
        ('{"messages": 1' + "0" * 5000 + "}", "line 7 is not JSON"),
        ('{"messages": [{"role": "user", "role": "assistant", "content": "x"}]}', "line 7 is not JSON .*'role' stands"),
        ('{"messages": [], "weight": NaN}', "line 7 is not JSON .*NaN"),
        ('\ufeff{"messages": []}', "line 7 is not JSON"),
        ('{"messages": [', "line 7 is not JSON"),
        ("[1, 2]", "line 7 is not a JSON object"),
        ("", "line 7 is empty"),
    ],
)
def test_a_broken_rule_is_reported_with_file_and_line(tmp_path, row, said):
    with pytest.raises(DataError, match=rf"train\.jsonl, line 7.*{said.removeprefix('line 7')}"):
        check_chat_jsonl(written(tmp_path, row))


def test_turns_that_are_not_trained_on_and_names_are_allowed(tmp_path):
    row = {"messages": [ASKED, turn(weight=0, name="clerk"), turn("user", "In short?"), turn(weight=1)]}
    assert check_chat_jsonl(written(tmp_path, row)).examples == 12


def test_an_example_with_half_a_character_writes_no_file(tmp_path):
    with pytest.raises(DataError, match=r"example 12: completion .* half a character"):
        write_chat_jsonl([*EXAMPLES, example("?", "a \ud83d")], tmp_path / "a.jsonl")
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_home_folder_is_written_and_checked(tmp_path, monkeypatch):
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    assert write_chat_jsonl(iter(EXAMPLES), "~/a.jsonl").path == tmp_path / "a.jsonl"
    assert check_chat_jsonl("~/a.jsonl").examples == 12


def test_a_file_that_is_missing_short_large_or_not_utf8_is_refused(tmp_path, monkeypatch):
    with pytest.raises(DataError, match="there is no"):
        check_chat_jsonl(tmp_path / "none.jsonl")
    with pytest.raises(DataError, match="9 examples, and the services train on no fewer than 10"):
        check_chat_jsonl(written(tmp_path, n=9))
    path = written(tmp_path)
    monkeypatch.setattr(hosted, "LARGEST", path.stat().st_size)
    with pytest.raises(DataError, match="the services take less than"):
        check_chat_jsonl(path)
    path.write_bytes("é".encode("latin-1"))
    with pytest.raises(DataError, match="is not UTF-8"):
        check_chat_jsonl(path)


def test_the_price_counts_every_token_of_every_epoch_and_says_whose_tokens(file, tiny_tokenizer):
    """The tiny tokenizer's tokens are bytes, so that they can be counted by hand."""
    rows = [json.loads(line) for line in file.path.read_text(encoding="utf-8").splitlines()]
    by_hand = sum(3 + sum(3 + len(m["role"]) + len(m["content"]) for m in row["messages"]) for row in rows)
    found = estimate_price(file, tiny_tokenizer, per_million=25.0, epochs=2)
    assert found.tokens == by_hand
    assert found.dollars == pytest.approx(by_hand * 2 * 25 / 1e6)
    assert "the service bills its own tokens" in str(found)


@pytest.mark.parametrize("wrong", [{"per_million": 0}, {"per_million": "25"}, {"per_million": 25, "epochs": -1}])
def test_a_price_or_epochs_that_are_no_number_above_zero_are_refused(file, tiny_tokenizer, wrong):
    with pytest.raises(CourseError, match="must be a number above 0"):
        estimate_price(file, tiny_tokenizer, **wrong)


def test_without_credentials_nothing_is_sent_and_the_cell_says_so(file, tmp_path, capsys):
    assert submit(file, "some-model", spend=True) is None
    assert capsys.readouterr().out == "Not submitted: OPENAI_API_KEY is not set.\n"
    azure = write_chat_jsonl(EXAMPLES, tmp_path / "azure.jsonl", "azure")
    assert submit(azure, "some-model", spend=True) is None
    assert "AZURE_OPENAI_API_KEY and AZURE_OPENAI_ENDPOINT are not set" in capsys.readouterr().out


@pytest.fixture
def with_key(service, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-a-secret")
    monkeypatch.setenv("OPENAI_BASE_URL", service.url)
    return service


def test_credentials_alone_spend_no_money(file, with_key, capsys):
    assert submit(file, "some-model") is None
    assert "say spend=True" in capsys.readouterr().out
    assert with_key.asked == []


def test_with_consent_the_file_is_uploaded_and_the_job_started(file, with_key, capsys):
    job = {"id": "job-1", "status": "queued"}
    with_key.answer = lambda path, body: (200, {"id": "file-1"} if "files" in path else job)
    assert submit(file, "some-model", spend=True) == "job-1"
    (upload, sent, key), (jobs, job, _) = with_key.asked
    assert (upload, jobs, key) == ("/v1/files", "/v1/fine_tuning/jobs", "Bearer sk-a-secret")
    assert file.path.read_bytes() in sent and b"fine-tune" in sent
    assert job == {"training_file": "file-1", "model": "some-model"}
    assert "job-1, queued" in capsys.readouterr().out


def test_azure_is_asked_at_its_own_address_with_its_own_key(tmp_path, service, monkeypatch):
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "azure-secret")
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", service.url.removesuffix("/v1"))
    service.answer = lambda path, body: (200, {"id": "x", "status": "pending"})
    assert submit(write_chat_jsonl(EXAMPLES, tmp_path / "a.jsonl", "azure"), "some-model", spend=True) == "x"
    assert {key for _, _, key in service.asked} == {"azure-secret"}
    assert service.asked[0][0].startswith("/openai/files?api-version=")


def test_a_refusal_is_one_sentence_that_names_no_secret_and_is_not_repeated(file, with_key):
    with_key.answer = lambda path, body: (401, {"error": {"message": "wrong key: sk-a-secret"}})
    with pytest.raises(ModelError, match=r"refuses the credential in OPENAI_API_KEY \(401\)") as error:
        submit(file, "some-model", spend=True)
    assert len(with_key.asked) == 1
    assert "sk-a-secret" not in str(error.value) and error.value.__cause__ is None


@pytest.mark.parametrize("ending", ["\n", "\r\n", " ", '"'])
def test_a_key_that_was_copied_with_more_is_sent_without_it(file, with_key, monkeypatch, ending):
    monkeypatch.setenv("OPENAI_API_KEY", f"sk-a-secret{ending}")
    monkeypatch.setenv("OPENAI_BASE_URL", f"{with_key.url}\n")
    with_key.answer = lambda path, body: (200, {"id": "x", "status": "queued"})
    assert submit(file, "some-model", spend=True) == "x"
    assert {key for _, _, key in with_key.asked} == {"Bearer sk-a-secret"}


@pytest.mark.parametrize("key", ["sk-a\nsecret-1", "sk-a secret-1", "sk-a…secret-1", "Bearer sk-asecret-1"])
def test_a_key_that_no_header_holds_is_refused_unsaid(file, with_key, monkeypatch, key):
    monkeypatch.setenv("OPENAI_API_KEY", key)
    with pytest.raises(ModelError, match="the credential in OPENAI_API_KEY is no text, or holds a blank") as error:
        submit(file, "some-model", spend=True)
    assert "secret-1" not in "".join(traceback.format_exception(error.value)) and with_key.asked == []


def test_an_address_with_a_password_in_it_is_said_without(file, with_key, monkeypatch, capsys):
    with_key.answer = lambda path, body: (200, {"id": "x", "status": "queued"})
    monkeypatch.setenv("OPENAI_BASE_URL", with_key.url.replace("//", "//anna:pa55word@"))
    submit(file, "some-model", spend=True)
    assert "pa55word" not in capsys.readouterr().out
    monkeypatch.setenv("OPENAI_BASE_URL", "http://anna:pa55word@[oops/v1")
    with pytest.raises(ModelError) as error:
        submit(file, "some-model", spend=True)
    assert "pa55word" not in "".join(traceback.format_exception(error.value))


def test_an_unreachable_service_and_one_that_answers_rubbish_are_reported(file, with_key, monkeypatch):
    with_key.answer = lambda path, body: (200, b"<html>Welcome</html>")
    with pytest.raises(ModelError, match="not as an OpenAI-compatible server does"):
        submit(file, "some-model", spend=True)
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    with pytest.raises(ModelError, match=r"http://127\.0\.0\.1:9/v1 cannot be reached"):
        submit(file, "some-model", spend=True)


def test_a_file_that_was_changed_since_is_checked_again_before_it_is_sent(file, with_key):
    file.path.write_text("{}\n", encoding="utf-8")
    with pytest.raises(DataError, match="line 1"):
        submit(file, "some-model", spend=True)
    assert with_key.asked == []
