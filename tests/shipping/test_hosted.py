"""Hosted fine-tuning: the price, and nothing sent by accident. No network but a stand-in on this machine."""

import argparse
import json
import re
import shlex
import traceback

import pytest
from fake_api import api

from course_lib.core import secrets
from course_lib.core.chat import example
from course_lib.core.errors import CourseError, DataError, ModelError
from course_lib.shipping.chatfiles import SFT, write_chat_jsonl
from course_lib.shipping.hosted import estimate_price, submit

EXAMPLES = [example(f"Who won in {year}?", f"Team {year}") for year in range(2030, 2042)]


@pytest.fixture
def file(tmp_path):
    return write_chat_jsonl(EXAMPLES, tmp_path / "train.jsonl")


@pytest.fixture(autouse=True)
def no_credentials(monkeypatch):
    monkeypatch.setattr(secrets, "_told", set())  # a part of another test's key would be hidden here
    for name in ("OPENAI_API_KEY", "AZURE_OPENAI_API_KEY", "AZURE_OPENAI_ENDPOINT", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def service():
    with api() as state:
        yield state


def test_the_price_counts_every_token_of_every_epoch_and_says_whose_tokens(file, tiny_tokenizer):
    """The tiny tokenizer's tokens are bytes, so that they can be counted by hand."""
    rows = [json.loads(line) for line in file.path.read_text(encoding="utf-8").splitlines()]
    by_hand = sum(3 + sum(3 + len(m["role"]) + len(m["content"]) for m in row["messages"]) for row in rows)
    found = estimate_price(file, tiny_tokenizer, per_million=25.0, epochs=2)
    assert found.tokens == by_hand
    assert found.dollars == pytest.approx(by_hand * 2 * 25 / 1e6)
    assert "the service bills its own tokens" in str(found)


@pytest.mark.parametrize("provider", ["cohere", "huggingface"])
def test_where_nobody_bills_by_the_token_no_price_is_made_up(tmp_path, tiny_tokenizer, provider):
    file = write_chat_jsonl(EXAMPLES, tmp_path / "a.jsonl", provider)
    with pytest.raises(CourseError, match=f"no service trains a file for {provider} by the token"):
        estimate_price(file, tiny_tokenizer, per_million=25.0)


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


@pytest.mark.parametrize("spend", [False, True])
def test_where_no_job_can_be_started_from_here_it_is_said_what_to_do_instead(tmp_path, capsys, monkeypatch, spend):
    for name in ("HF_TOKEN", "CO_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.setenv(name, "a-secret-77")
    cohere = write_chat_jsonl(EXAMPLES, tmp_path / "c.jsonl", "cohere")
    assert submit(cohere, "command-r-08-2024", spend=spend) is None
    said = capsys.readouterr().out
    assert said.startswith("Not submitted: Cohere retired its fine-tuning on 2025-09-15.")
    assert f"put {cohere.path} into c/input/data/training" in said and "secret-77" not in said


def test_the_commands_for_hugging_face_are_those_that_its_command_line_and_trl_know(tmp_path, capsys):
    from trl.scripts import sft

    file = write_chat_jsonl(EXAMPLES, tmp_path / "my style.jsonl", "huggingface")
    assert submit(file, "owner/model", spend=True) is None
    upload, job = (parsed_by_hf(command) for command in re.findall("`hf (.*?)`", capsys.readouterr().out))
    assert (upload["repo_id"], upload["repo_type"], upload["private"]) == ("you/my-style", "dataset", True)
    assert upload["local_path"] == str(file.path)
    assert (job["script"], job["flavor"], job["secrets"]) == (SFT, "a10g-small", ["HF_TOKEN"])
    found = argparse.ArgumentParser.parse_args(sft.make_parser(), job["script_args"])
    assert (found.model_name_or_path, found.dataset_name) == ("owner/model", "you/my-style")
    assert found.push_to_hub and found.hub_private_repo


@pytest.mark.parametrize(
    ("stem", "name"),
    [("my style", "my-style"), ("--a..b_", "a-b"), ("Übung 1", "bung-1"), ("日本", "examples"), ("`x`$(y)", "x-y")],
)
def test_whatever_a_file_is_called_a_repository_may_be_called_so(tmp_path, capsys, stem, name):
    from huggingface_hub.utils import validate_repo_id

    submit(write_chat_jsonl(EXAMPLES, tmp_path / f"{stem}.jsonl", "huggingface"), "owner/model")
    said = capsys.readouterr().out
    assert f"hf upload you/{name} " in said and f"--output_dir {name} " in said
    validate_repo_id(f"you/{name}")


def parsed_by_hf(line):
    """What Hugging Face's own command line makes of what stands behind `hf`; nothing is run."""
    from huggingface_hub.cli.hf import app

    context = app.make_context("hf", shlex.split(line))
    while hasattr(context.command, "commands"):
        name, command, rest = context.command.resolve_command(context, [*context._protected_args, *context.args])
        context = command.make_context(name, rest, parent=context)
    return context.params


@pytest.fixture
def with_key(service, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-a-secret")
    monkeypatch.setenv("OPENAI_BASE_URL", service.url)
    return service


@pytest.mark.parametrize("model", ["", " ", None])
def test_without_a_model_nothing_is_uploaded(file, with_key, model):
    with pytest.raises(CourseError, match=rf"model is {model!r}: give the name by which openai knows it"):
        submit(file, model, spend=True)
    assert with_key.asked == []


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
