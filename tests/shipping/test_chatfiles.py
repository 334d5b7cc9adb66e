"""Chat files: each provider's format, and its rules, of which the first broken is named with its place."""

import json
from dataclasses import replace
from functools import partial

import pytest

from course_lib.core.chat import example
from course_lib.core.errors import ChoiceError, DataError
from course_lib.shipping.chatfiles import PROVIDERS, check_chat_jsonl, write_chat_jsonl

EXAMPLES = [example(f"Who won in {year}?", f"Team {year}") for year in range(2030, 2042)]


@pytest.fixture
def file(tmp_path):
    return write_chat_jsonl(EXAMPLES, tmp_path / "train.jsonl")


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


def theirs(roles, **rest):
    """An example of Cohere's, by who speaks in turn; `rest` is the last message's."""
    *before, last = roles.split()
    return {"messages": [*(turn(role, f"{role} speaks") for role in before), turn(last, **rest)]}


ASKED = turn("user", "Capital of Italy?")
COHERE = [theirs("User Chatbot", content=f"Answer {n}") for n in range(3)]
APART = [{"prompt": [ASKED], "completion": [turn()]}] * 3


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


def test_cohere_gets_its_own_names_of_the_roles(tmp_path):
    file = write_chat_jsonl(EXAMPLES, tmp_path / "cohere.jsonl", "cohere")
    rows = [json.loads(line) for line in file.path.read_text(encoding="utf-8").splitlines()]
    assert [m["role"] for m in rows[3]["messages"]] == ["System", "User", "Chatbot"]
    assert rows[3]["messages"][-1] == turn("Chatbot", "Team 2033")
    assert str(file).endswith("keeps the rules of cohere")
    with pytest.raises(DataError, match=r"line 1, message 0: role 'System' .* Did you mean 'system'\?$"):
        check_chat_jsonl(file.path, "openai")


def test_hugging_face_gets_prompt_and_completion_apart_as_trl_reads_them(tmp_path):
    from datasets import load_dataset

    file = write_chat_jsonl(EXAMPLES, tmp_path / "hub.jsonl", "huggingface")
    found = load_dataset("json", data_files=str(file.path), split="train", cache_dir=str(tmp_path / "cache"))
    assert found.to_list() == EXAMPLES
    with pytest.raises(DataError, match=r"unknown keys completion, prompt.* 'completion': row\['completion'\]}"):
        check_chat_jsonl(file.path, "openai")


@pytest.mark.parametrize(
    ("provider", "rows"),
    [
        ("cohere", COHERE[:2]),
        ("cohere", [*COHERE, theirs("System User Chatbot User")]),  # its own example ends so
        ("cohere", [*COHERE, theirs("System System Chatbot User Chatbot")]),
        ("cohere", [*COHERE, *COHERE]),
        ("huggingface", APART[:1]),
        ("huggingface", [{"messages": [ASKED, turn()]}]),
    ],
)
def test_what_a_provider_takes_passes(tmp_path, provider, rows):
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    assert check_chat_jsonl(path, provider).examples == len(rows)


@pytest.mark.parametrize(
    ("provider", "row", "said"),
    [
        ("cohere", theirs("User assistant"), r"message 1: role 'assistant' is not .* Did you mean 'Chatbot'\?$"),
        ("cohere", theirs("User chatbot"), r"role 'chatbot' is not .* Did you mean 'Chatbot'\?$"),
        ("cohere", theirs("user Chatbot"), r"message 0: role 'user' is not .* Did you mean 'User'\?$"),
        ("cohere", theirs("Tool Chatbot"), "role 'Tool' is not one of System, User, Chatbot"),
        ("cohere", theirs("System User"), "no message is the Chatbot's"),
        ("cohere", theirs("System System Chatbot"), "no message is the User's"),
        ("cohere", theirs("Chatbot User Chatbot"), "a message of the Chatbot answers nobody: put the User's before"),
        ("cohere", theirs("System Chatbot User"), "a message of the Chatbot answers nobody"),
        ("cohere", theirs("User Chatbot Chatbot"), "a message of the Chatbot answers nobody"),
        ("cohere", theirs("User Chatbot", weight=0), "message 1: unknown keys weight; known are role, content"),
        ("cohere", theirs("User Chatbot", content=" "), "message 1: content is empty"),
        ("huggingface", {"prompt": [ASKED]}, "completion is not a list with at least one message"),
        ("huggingface", {"prompt": "Capital?", "completion": "Rome"}, "prompt is not a list"),
        ("huggingface", APART[0] | {"id": 4}, "unknown keys id; an example has prompt and completion and nothing else"),
        ("huggingface", APART[0] | {"completion": [turn(content=3)]}, "completion, message 0: content is 3"),
        ("huggingface", APART[0] | {"prompt": [turn("Chatbot")]}, "prompt, message 0: role 'Chatbot' is not"),
        ("huggingface", {"prompt": [ASKED, turn()], "completion": [ASKED]}, "no message is the assistant's"),
        ("huggingface", APART[0] | {"completion": [turn(), ASKED]}, "the last message is the user's"),
        ("huggingface", APART[0] | {"completion": [turn(weight=0)]}, "message 0: unknown keys weight; known are role"),
        ("huggingface", {"messages": [ASKED, turn()]}, "has messages, the first example prompt and completion: choose"),
        ("huggingface", {"instruction": "?", "output": "!"}, r"prompt and completion .* cl\.example\(row"),
    ],
)
def test_the_first_rule_of_a_provider_that_an_example_breaks_is_named_with_its_line(tmp_path, provider, row, said):
    rows = [*{"cohere": COHERE, "huggingface": APART}[provider], row]
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    with pytest.raises(DataError, match=rf"a\.jsonl, line 4.*{said}"):
        check_chat_jsonl(path, provider)


@pytest.mark.parametrize(
    ("provider", "text", "said"),
    [
        ("cohere", json.dumps(COHERE[0]), "1 different examples, and cohere trains on no fewer than 2"),
        ("cohere", f"{json.dumps(COHERE[0])}\n" * 12, "1 different examples, and cohere"),
        ("cohere", "\ufeff" + "\n".join(map(json.dumps, COHERE)), "begins with a byte-order mark"),
        ("huggingface", "", "0 examples, and huggingface trains on no fewer than 1"),
    ],
)  # fmt: skip
def test_a_file_as_a_whole_is_held_to_its_providers_rules(tmp_path, provider, text, said):
    path = tmp_path / "a.jsonl"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=said):
        check_chat_jsonl(path, provider)


@pytest.mark.parametrize("provider", ["cohere", "huggingface"])
def test_an_example_that_a_provider_refuses_is_not_written(tmp_path, provider):
    spoilt = {"prompt": [ASKED], "completion": [turn(weight=0)]}
    with pytest.raises(DataError, match=r"example 12.*unknown keys weight"):
        write_chat_jsonl([*EXAMPLES, spoilt], tmp_path / "a.jsonl", provider)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("examples", "name", "said"),
    [
        (
            [*EXAMPLES, {"prompt": [turn("oracle", "?")], "completion": [turn()]}],
            "a.jsonl",
            "example 12: prompt is .* message 0: role 'oracle' is not one of",
        ),
        (EXAMPLES[:3], "a.jsonl", "3 examples, and openai trains on no fewer than 10"),
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
    with pytest.raises(DataError, match="9 examples, and openai trains on no fewer than 10"):
        check_chat_jsonl(written(tmp_path, n=9))
    path = written(tmp_path)
    monkeypatch.setitem(PROVIDERS, "openai", replace(PROVIDERS["openai"], largest=path.stat().st_size))
    with pytest.raises(DataError, match="openai takes less than"):
        check_chat_jsonl(path)
    path.write_bytes("é".encode("latin-1"))
    with pytest.raises(DataError, match="is not UTF-8"):
        check_chat_jsonl(path)
