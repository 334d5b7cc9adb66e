"""What a page says of itself at its top: front matter in YAML, TOML or JSON, and the dates and audiences in it.

One rule stands above all others: a page is never taken for more public than it says. What cannot be understood keeps
its page out of "public".
"""

from __future__ import annotations

import datetime
import json
import re
import tomllib
from collections.abc import Iterable
from typing import Any, NamedTuple

import yaml

from course_lib.retrieval.files import clean

# The audience of a page that names one which cannot be understood: a filter for any other keeps it out.
WITHHELD = "withheld"

NOT_PARSED = 'front matter that cannot be parsed, kept out of "public" (quotes help: title: "Kettles: a guide")'
ODD_AUDIENCE = 'an audience that is not one word, kept out of "public"'
LOOSE_AUDIENCE = 'an audience named outside of front matter, kept out of "public" (name it between two lines of ---)'
UNPUBLISHED = 'a draft, or not to be published, kept out of "public"'
NO_DAY = "a date that is not one certain day, which no filter by date finds (write it as 2042-01-31)"

FIELDS = ("id", "title", "date", "kind")
MOST = 20_000  # characters of front matter; a YAML parser takes seconds for more
HEAD = 40  # lines at the top of a text in which an audience is looked for that stands outside of front matter

_OPENED = re.compile(
    r"(?>\s|<!--.*?-->)*+"
    r'(?:(?P<fence>-{3,}|\+{3,})[ \t]*(?P<form>yaml|toml|json)?[ \t]*(?:#[^\n]*)?(?:\n|\Z)|(?=\{\s*"))',
    re.DOTALL,
)
_LINE = re.compile(r"""^["']?([^\W\d][\w .-]{0,60}?)["']?[ \t]*[:=](?:[ \t]+(.*))?$""", re.MULTILINE)
_LINES = re.compile(rf"{_LINE.pattern}(?:\n(?:{_LINE.pattern}|[ \t#-].*)?$)*", re.MULTILINE)  # and what belongs to them
_YES, _NO = ("true", "yes", "on", "1", "y"), ("false", "no", "off", "0", "n")
_KEPT = ("draft", "private", "internal", "confidential", "restricted", "unlisted", "staff", "secret")
# By which words of which names a page says, beside its audience, that it is not for the public (Hugo, Jekyll, Obsidian,
# Docusaurus …), and the names of which every word but public says so.
_UNPUBLISHED = {
    **dict.fromkeys(_KEPT, _YES),
    **dict.fromkeys(("public", "publish", "published"), _NO),
    **dict.fromkeys(("status", "classification"), _KEPT),
}
_SEEN_BY = ("visibility", "access", "accesslevel", "privacy")
_LOOSE = re.compile(
    rf"(?:^|[{{}}\[(,;>])[^\w\n]{{0,20}}(audiences?|{'|'.join(_UNPUBLISHED)})[^\w\n]{{0,20}}[:=]+(.*)",
    re.IGNORECASE | re.MULTILINE,
)

_MONTHS = (  # in English, German, French, Spanish, Italian, Portuguese, Dutch
    "january jan januar jänner janvier janv enero ene gennaio gen janeiro januari",
    "february feb februar février févr febrero febbraio fevereiro fev februari",
    "march mar märz mrz mars marzo março maart",
    "april apr avril avr abril abr aprile",
    "may mai mayo maggio mag maio mei",
    "june jun juni juin junio giugno giu junho",
    "july jul juli juillet juil julio luglio lug julho",
    "august aug août agosto ago augustus",
    "september sep sept septembre septiembre settembre set setembro",
    "october oct oktober okt octobre octubre ottobre ott outubro out",
    "november nov novembre noviembre novembro",
    "december dec dezember dez décembre déc diciembre dic dicembre dezembro",
)
_MONTH_OF = {name: number for number, names in enumerate(_MONTHS, 1) for name in names.split()}
_MONTH = r"(?P<name>[^\W\d_]{3,10})\.?"
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
_WEEKDAY = r"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*\s+|[^\W\d_]{2,12}\.?,\s+)?"
_TIME = r"(?:\d\d:\d\d(?::\d\d)?\s+(?:[A-Z]{3,4}\s+)?)?"
_DATES = [  # a weekday may stand before, a time behind
    re.compile(rf"{_WEEKDAY}{form}(?!\d)", re.IGNORECASE)
    for form in (
        r"(?P<year>\d{4})[-/._年\s]+(?P<month>\d{1,2})[-/._月\s]+(?P<day>\d{1,2})",
        r"(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)",
        r"(?P<day>\d{1,2})\.\s*(?P<month>\d{1,2})\.\s*(?P<year>\d{4})",
        r"(?P<one>\d{1,2})[/-](?P<other>\d{1,2})[/-](?P<year>\d{4})",
        rf"{_MONTH}\s+{_DAY},?\s+{_TIME}(?P<year>\d{{4}})",
        rf"{_DAY}[\s./-]+(?:(?:of|de)\s+)?{_MONTH}[\s,/-]*(?:de\s+)?(?P<year>\d{{4}})",
        rf"(?P<year>\d{{4}})[\s,./-]+{_MONTH}[\s/-]*{_DAY}",
    )
]


class Front(NamedTuple):
    """What a page says of itself (of id, title, date, kind and audience), the text below, and (reason, detail)s."""

    said: dict[str, str]
    text: str
    remarks: list[tuple[str, str]]


class _Entries(list[tuple[Any, Any]]):
    """A mapping as it was written: a name that stands there twice is there twice."""


class _Loader(yaml.BaseLoader):
    """YAML in which every value stays the text that it is: no date of the 31st of June, no number of 5,000 digits."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> _Entries:
        return _Entries(tuple(self.construct_object(part, deep=True) for part in pair) for pair in node.value)


def read_front(text: str) -> Front:
    """Take the front matter off a page (line ends "\\n"); see `Front`.

    Front matter stands at the top, below blank lines and comments (`<!-- -->`) at most: between two lines of `---` (the
    second may be `...`), between two of `+++`, or as one JSON object. Names are read in any case. Where it cannot be
    parsed, what plain `name: value` lines say is taken; unless it holds such lines alone it stays in the text, where
    nothing is lost. An audience counts wherever it stands, and with it `draft: true` and what else withholds a page.
    """
    remarks: list[tuple[str, str]] = []
    page = text
    form, block, below = _taken_off(text)
    try:
        front, text = _parse(form, block, below)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        remarks.append((NOT_PARSED, _short(_why(error, block))))
        front = _Entries((name, value.strip(" \t'\",")) for name, value in _LINE.findall(block[:MOST]))
        if below is not None and _LINES.fullmatch(block):
            text = below
    parsed, named = not remarks, _named(front)
    tops = {name: value for name, value, top in named if top and name in FIELDS}
    if type(date := tops.get("date")) is list:  # as Obsidian may keep it
        tops["date"] = ", ".join(map(_word, date))
    said = {name: word for name, value in tops.items() if (word := _word(value))}
    if "date" in said and not (day := read_date(said["date"])):
        remarks.append((NO_DAY, _short(said["date"])))
    elif "date" in said:
        said["date"] = day
    audience, *remark = _audience(named, page.removesuffix(text), text, parsed)
    if remark and parsed:
        remarks.append((remark[0], _short(remark[1])))
    return Front(said | ({"audience": audience} if audience else {}), text, remarks)


def read_date(text: str) -> str:
    """A day in one of the usual forms as "2042-01-31"; "" for what is none, or could be two, as 03/04/2042."""
    text = text.strip(" \t'\"[]")
    for form in _DATES:
        if not (found := form.match(text)):
            continue
        parts = found.groupdict()
        if name := parts.get("name"):
            parts["month"] = _MONTH_OF.get(name.lower(), 0)
        if "one" in parts:
            one, other = int(parts["one"]), int(parts["other"])
            if one <= 12 and other <= 12 and one != other:
                return ""
            parts["day"], parts["month"] = max(one, other), min(one, other)
        try:
            return datetime.date(*(int(parts[part]) for part in ("year", "month", "day"))).isoformat()
        except ValueError:  # the 31st of June, or of Marraskuu
            return ""
    return ""


def _taken_off(text: str) -> tuple[str, str, str | None]:
    """The form of the front matter, what stands in it, and the text below, None where nothing closes it."""
    opened = _OPENED.match(text)
    if not opened:
        return "none", "", text
    start, fence = opened.end(), opened["fence"]
    if not fence:
        return "json", text[start:], None
    closing = r"\+{3,}" if fence[0] == "+" else r"-{3,}|\.{3}"
    closed = re.compile(rf"^(?:{closing})[ \t]*$\n?", re.MULTILINE).search(text, start)
    if closed:
        form = "toml" if fence[0] == "+" else opened["form"] or "yaml"
        return form, text[start : closed.start()], text[closed.end() :]
    if _LINE.match(text, start):
        return "unclosed", text[start:].split("\n\n")[0], None
    return "none", "", text  # a rule


def _parse(form: str, block: str, below: str | None) -> tuple[Any, str]:
    """The front matter as it was written, and the text below; raises what the three parsers raise."""
    if form == "none":
        return _Entries(), below
    if form == "unclosed":
        raise ValueError("no line closes it")
    if below is None:
        front, end = json.JSONDecoder(object_pairs_hook=_Entries, parse_int=str).raw_decode(block)
        return front, block[end:]
    if len(block) > MOST:
        raise ValueError(f"{len(block):,} characters, more than {MOST:,}")
    front = tomllib.loads(block) if form == "toml" else yaml.load(block.expandtabs(2), _Loader)
    if front and not isinstance(front, (dict, _Entries)):
        raise ValueError("no lines of `name: value`")
    return front or _Entries(), below


def _why(error: Exception, block: str) -> str:
    """The line that a parser stumbled over, or else what it said."""
    if isinstance(error, RecursionError):
        return "nested too deeply"
    lines = dict(enumerate(block.split("\n")))
    marks = [mark for name in ("problem_mark", "context_mark") if (mark := getattr(error, name, None))]
    return next((line for mark in marks if (line := lines.get(mark.line, "").strip())), str(error))


def _named(front: Any) -> list[tuple[str, Any, bool]]:
    """Every name with its value, at any depth, and whether it stands at the top. What aliases share is seen once."""
    found, waiting, seen = [], [(front, True)], set()
    while waiting:
        value, top = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, (dict, _Entries)):
            entries = list(value.items()) if isinstance(value, dict) else value
            found += [(_word(name).casefold(), inner, top) for name, inner in entries]
            waiting += [(inner, False) for _, inner in entries]
        elif isinstance(value, list):
            waiting += [(inner, False) for inner in value]
    return found


def _word(value: Any) -> str:
    """A value on one line; "" for nothing, a list or a mapping."""
    if value is None or isinstance(value, (dict, list)):
        return ""
    word = " ".join(clean(str(value)).split())
    return "" if word in ("~", "null", "Null", "NULL") else word


def _words(value: Any) -> set[str]:
    """The words of a value, or of each in a list, in small letters."""
    values = value if type(value) is list else [value]
    return {word for one in values for word in re.split(r"\s*[,;/|]\s*", _word(one).casefold())}


def _audience(named: Iterable[tuple[str, Any, bool]], above: str, text: str, parsed: bool) -> tuple[str, ...]:
    """For whom a page is ("": it does not say); if it is withheld for a reason of its own, that and a detail."""
    entries = [(re.sub(r"^is|[\W_]|only$", "", name), _words(value)) for name, value, _ in named]
    said = [words for name, words in entries if "audience" in name]
    audience = "".join(words) if len(words := set().union(*said)) == 1 else ""
    if audience not in ("", "public"):
        return (audience,)
    if parsed and said and not audience:
        return WITHHELD, ODD_AUDIENCE, ", ".join(sorted(words))
    loose = _loose(above, text) if not said or _OPENED.match(text) else []  # or a second front matter
    if any(
        words - {"", "public", "open"} if name in _SEEN_BY else words.intersection(_UNPUBLISHED.get(name, ()))
        for name, words in entries + loose
    ):
        return WITHHELD, UNPUBLISHED, ""
    if others := set().union(*(words for name, words in loose if "audience" in name)) - {"public"}:
        audience = "".join(others) if len(others) == 1 else ""
        return audience if audience.isalnum() else WITHHELD, LOOSE_AUDIENCE, ", ".join(sorted(others))
    return (audience if parsed else WITHHELD,)


def _loose(above: str, text: str) -> list[tuple[str, set[str]]]:
    """Names and words of what looks like front matter's lines and is none: in it, but for comments, and in the text."""
    head = "\n".join(text.split("\n", HEAD)[:HEAD])
    found = _LOOSE.findall(re.sub("^ *#.*", "", above[:MOST], flags=re.MULTILINE) + head)
    return [(name.casefold(), {re.sub(r"^\W+|\W+$", "", value).casefold()}) for name, value in found]


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 60 else f"{line[:57]}..."
