"""A model behind an address: asked like any other candidate, each fault one sentence. Only this machine is asked."""

import re
import socket
import traceback
from dataclasses import replace

import pytest
from fake_api import api, chat

import course_lib as cl
from course_lib.core.errors import CourseError, ModelError
from course_lib.evaluation.exams import Question
from course_lib.retrieval.documents import Passage
from course_lib.shipping.endpoint import Endpoint


@pytest.fixture
def service():
    with api() as state:
        yield state


@pytest.fixture
def endpoint(service, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    return Endpoint(service.url, "m")


def test_an_endpoint_answers_as_a_chat_model_does(endpoint, service):
    answers = endpoint.reply(["Capital of Italy?", [{"role": "user", "content": "And of France?"}]], max_new_tokens=7)
    assert [(a.text, a.prompt_tokens, a.completion_tokens) for a in answers] == [("Rome", 11, 2)] * 2
    assert all(a.seconds > 0 for a in answers)
    path, body, _ = service.asked[1]
    assert (path, body["model"], body["max_tokens"], body["temperature"]) == ("/v1/chat/completions", "m", 7, 0.0)
    assert [m["role"] for m in body["messages"]] == ["system", "user"]
    assert endpoint.generate(["Capital of Italy?"]) == ["Rome"]


def test_an_exam_and_rag_take_an_endpoint(endpoint, service):
    service.answer = lambda path, body: (200, chat("Rome" if "Italy" in body["messages"][-1]["content"] else "Lyon"))
    exam = [Question("q1", "Capital of Italy?", "Rome"), Question("q2", "Capital of France?", "Paris")]
    report = cl.evaluate(endpoint, exam)
    assert (report.name, report.accuracy) == ("served", 0.5)

    class Index:
        def search_many(self, queries, k, where):
            return [[Passage("p.1", "Rome is the capital.", "p")] for _ in queries]

    answer = cl.RagPipeline(endpoint, Index(), k=1).ask("Capital of Italy?")
    assert "Rome is the capital." in service.asked[-1][1]["messages"][-1]["content"]
    assert (answer.text, answer.sources[0].id) == ("Rome", "p.1")


def test_the_key_is_the_one_given_or_the_environments(service, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "from-environment")
    Endpoint(service.url, "m").generate(["?"])
    Endpoint(service.url, "m", key="given").generate(["?"])
    assert [key for _, _, key in service.asked] == ["Bearer from-environment", "Bearer given"]
    assert "given" not in repr(Endpoint(service.url, "m", key="given"))


@pytest.mark.parametrize(
    ("prompts", "said"), [("Capital?", "takes a list"), (["Capital?", " "], "the prompt is empty")]
)
def test_bad_prompts_are_refused_before_anything_is_sent(endpoint, service, prompts, said):
    with pytest.raises(CourseError, match=said):
        endpoint.reply(prompts)
    assert service.asked == []


def test_an_endpoint_that_is_down_says_so(endpoint):
    endpoint.url = "http://127.0.0.1:9/v1"
    with pytest.raises(ModelError, match=r"127\.0\.0\.1:9/v1 cannot be reached .* is the server running"):
        endpoint.generate(["Capital of Italy?"])


def test_an_endpoint_that_does_not_answer_in_time_says_so(endpoint):
    with socket.socket() as silent:  # accepts, and says nothing
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        endpoint.url, endpoint.timeout = f"http://127.0.0.1:{silent.getsockname()[1]}/v1", 0.05
        assert endpoint._client().timeout == 0.05
        with pytest.raises(ModelError, match="did not answer in time: raise the timeout"):
            endpoint.generate(["Capital of Italy?"])


NO_CHATS = [b"<html>Welcome</html>", b"not json", b"[]", b"null", b"[" * 100_000]
NO_CHATS += [
    {},
    {"choices": [{"message": None}]},
    {"choices": [{"text": "Rome", "finish_reason": "stop"}]},
    {"message": {}},
]


@pytest.mark.parametrize("rubbish", NO_CHATS, ids=lambda rubbish: str(rubbish)[:40])
def test_an_endpoint_that_answers_rubbish_says_so(endpoint, service, rubbish):
    service.answer = lambda path, body: (200, rubbish)
    with pytest.raises(ModelError, match="not as an OpenAI-compatible server does"):
        endpoint.generate(["Capital of Italy?"])


def reply(content=None, why="stop", **more):
    found = chat(content)
    found["choices"][0]["finish_reason"] = why
    found["choices"][0]["message"] |= more
    return 200, found


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (reply(why="length", reasoning_content="Hm"), "wrote nothing within max_new_tokens=7: .* Raise max_new_tokens"),
        (reply("", "length"), "wrote nothing within max_new_tokens=7"),
        (reply(why="content_filter"), r"gave no text \(the service's filter withheld it\)"),
        (reply(why="tool_calls", tool_calls=[]), r"gave no text \(it asks for a tool, and none was offered\)"),
        (reply(why="stop"), r"gave no text \(it ended at once\)"),
        (reply(why=None, reasoning_content="Hm"), r"gave no text \(it ended at once\)"),
        (reply("", "content_filter"), r"gave no text \(the service's filter withheld it\)"),
        (reply("", "tool_calls"), r"gave no text \(it asks for a tool"),
        (reply("", "error"), r"gave no text \(something failed there\)"),
        ((200, {"choices": [{"message": None, "finish_reason": "length"}]}), "wrote nothing within"),
        (reply(why="SAFETY"), r"gave no text \(finish_reason 'SAFETY'\)"),
    ],
)
def test_a_reply_without_text_is_not_blamed_on_the_address(endpoint, service, answer, said):
    service.answer = lambda path, body: answer
    with pytest.raises(ModelError, match=said) as error:
        endpoint.reply(["Capital of Italy?"], max_new_tokens=7)
    assert "address" not in str(error.value) and endpoint.url not in str(error.value)


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (reply(refusal="I cannot say."), "I cannot say."),
        (reply(""), ""),
        (reply("Ro", "length"), "Ro"),
        (reply(" \n", "length"), ""),
        (reply("Ro", "content_filter"), "Ro"),
        (reply("hi \ud83d"), "hi \ufffd"),
        (reply([{"type": "thinking", "thinking": "Hm"}, {"type": "text", "text": "Rome"}]), "Rome"),
        (reply([]), ""),
    ],
)
def test_a_refusal_silence_and_a_reply_cut_off_are_replies(endpoint, service, answer, text):
    service.answer = lambda path, body: answer
    assert endpoint.generate(["Capital of Italy?"]) == [text]


BAD = [{"max_new_tokens": 0}, {"max_new_tokens": 1.5}, {"temperature": -1}, {"temperature": float("nan")}]


@pytest.mark.parametrize("bad", BAD, ids=str)
def test_an_endpoint_refuses_the_settings_that_a_model_refuses(endpoint, service, tiny_model, bad):
    said = []
    for candidate in (endpoint, tiny_model):
        with pytest.raises(CourseError) as error:
            candidate.reply(["Who?"], **bad)
        said.append(str(error.value))
    assert said[0] == said[1] and service.asked == []


@pytest.mark.parametrize("prompt", ["ab cd " * 1666, [{"role": "user", "content": "ab " * 2049}]], ids=["text", "chat"])
def test_a_prompt_that_no_model_here_would_read_is_sent_to_none(endpoint, service, prompt):
    with pytest.raises(CourseError, match=r"the prompt has \d,\d\d\d words, more than 2,048 tokens: shorten it"):
        endpoint.reply(["Who?", prompt])
    assert service.asked == []


@pytest.mark.parametrize(
    "url", ["", "localhost:8000/v1", "http://", "http://h:x/v1", "http://h/v1\n", "http://[h", "a b", None]
)
def test_what_is_no_address_is_named(endpoint, url):
    endpoint.url = url
    with pytest.raises(ModelError, match=re.escape(f"{url!r} is no address: write http://host:port/v1.")):
        endpoint.generate(["?"])


SECRETS = {
    "header": {"key": "sk-abc\n-secret"}, "url": {"url": "http://anna:abc-secret@127.0.0.1:9/v1"},
    "query": {"url": "http://127.0.0.1:9/v1?key=abc-secret"}, "address": {"url": "http://[abc:abc-secret@x/v1"},
}  # fmt: skip


@pytest.mark.parametrize("how", SECRETS.values(), ids=SECRETS)
def test_a_secret_is_neither_said_nor_in_the_traceback_nor_in_the_repr(endpoint, how):
    asked = replace(endpoint, **how)
    with pytest.raises(ModelError) as error:
        asked.generate(["?"])
    for shown in ("".join(traceback.format_exception(error.value)), repr(asked)):
        assert "secret" not in shown.replace("test_a_secret", "").replace("secrets", "")


@pytest.mark.parametrize("status", [400, 404, 429, 500])
def test_a_service_that_quotes_the_key_is_quoted_without_it(endpoint, service, status):
    endpoint.key = "local-key-77"
    service.answer = lambda path, _: (status, {"error": {"message": "x" * 190 + " no: local-key-77"}})
    with pytest.raises(ModelError, match=rf"\({status}\): xxx") as error:
        endpoint.generate(["?"])
    assert "local-" not in "".join(traceback.format_exception(error.value))


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (401, {"error": {"message": "bad key sk-secret"}}, r"refuses the credential in OPENAI_API_KEY \(401\)"),
        (403, {"error": {"message": "not for sk-secret"}}, r"does not permit this \(403\)"),
        (404, {"error": {"message": "no such model"}}, r"no model or route for 'm' \(404\): no such model"),
        (400, {"detail": "Server is pinned to 'x'"}, r"error \(400\): Server is pinned to 'x'"),
        (429, {"error": {"message": "quota exceeded"}}, r"error \(429\): quota exceeded"),
        (500, b"<html>Oops</html>", r"error \(500\)"),
        (200, {"error": {"message": "no credits for sk-secret", "code": 402}}, "answered with an error: no credits"),
        (200, {"error": "overloaded", "choices": []}, "answered with an error: overloaded"),
        (200, {"object": "error", "message": "no quota"}, "answered with an error: no quota"),
        (200, {"detail": "not today"}, "answered with an error: not today"),
        (200, {"choices": []}, "answered with an error: a chat without a reply in it"),
        (200, {"choices": [{"error": {"message": "upstream"}, "message": {"content": ""}}]}, "an error: upstream"),
    ],
)
def test_an_endpoint_that_refuses_is_asked_once_and_quoted(endpoint, service, status, body, said):
    service.answer = lambda path, _: (status, body)
    with pytest.raises(ModelError, match=said) as error:
        endpoint.generate(["Capital of Italy?"])
    assert len(service.asked) == 1
    assert "sk-secret" not in str(error.value)
