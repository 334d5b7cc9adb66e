"""Front matter in the forms people have; a page is never taken for more public than it says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_lib.retrieval.front_matter import (
    LOOSE_AUDIENCE,
    NO_DAY,
    NOT_PARSED,
    ODD_AUDIENCE,
    UNPUBLISHED,
    WITHHELD,
    read_date,
    read_front,
)

PAY = "The clerk earns 50.\n"


def reasons(front):
    return [reason for reason, _ in front.remarks]


STAFF = {
    "YAML": "---\ntitle: Pay\naudience: staff\n---\n",
    "with its language and a blank": "--- yaml\ntitle: Pay\naudience: staff\n---\n",
    "a comment behind the fence": "--- # of wages\ntitle: Pay\naudience: staff\n---\n",
    "a comment above": "<!-- © 2042\n" + "a line\n" * 60 + "-->\n---\ntitle: Pay\naudience: staff\n---\n",
    "signs in the name": "---\ntitle: Pay\naudi\u034fence\ufe0f: staff\n---\n",
    "for whom it is meant": "---\ntitle: Pay\nintended-audience: staff\n---\n",
    "in dots": "---\ntitle: Pay\nparams.audience: staff\n---\n",
    "with its language": "---yaml\ntitle: Pay\naudience: staff\n---\n",
    "blank lines above": "\n \n---\ntitle: Pay\naudience: staff\n---\n",
    "blanks behind the fences": "--- \ntitle: Pay\naudience: staff\n---\t\n",
    "longer fences": "-----\ntitle: Pay\naudience: staff\n-----\n",
    "closed by dots (Pandoc)": "---\ntitle: Pay\naudience: staff\n...\n",
    "a capital": "---\nTitle: Pay\nAudience: Staff\n---\n",
    "capitals and a blank": "---\nTITLE : Pay\nAUDIENCE : STAFF \n---\n",
    "quoted": "---\n\"title\": 'Pay'\n'audience': \"staff\"\n---\n",
    "full width": "---\ntitle: Ｐａｙ\nａｕｄｉｅｎｃｅ: ｓｔａｆｆ\n---\n",
    "in the plural, a list of one": "---\ntitle: Pay\naudiences:\n  - staff\n---\n",
    "beside Obsidian's own": "---\naliases: [wage, salary]\ntags:\n\t- money\ntitle: Pay\naudience: staff\n---\n",
    "below another name (Hugo's params)": "---\ntitle: Pay\nparams:\n  audience: staff\n---\n",
    "in a list of mappings": "---\ntitle: Pay\nmeta:\n  - audience: staff\n---\n",
    "by an alias": "---\ntitle: Pay\nteam: &team staff\naudience: *team\n---\n",
    "merged": "---\ntitle: Pay\nbase: &base {audience: staff}\n<<: *base\n---\n",
    "a date that no month has": "---\ntitle: Pay\ndue: 2041-06-31\naudience: staff\n---\n",
    "a number without end": f"---\ntitle: Pay\nn: {'9' * 5000}\naudience: staff\n---\n",
    "TOML (Hugo)": '+++\ntitle = "Pay"\naudience = "staff"\n+++\n',
    "TOML below a table": '+++\ntitle = "Pay"\n[params]\nAudience = "staff"\n+++\n',
    "JSON": '{\n  "title": "Pay",\n  "audience": "staff"\n}\n',
    "JSON, nested": '{"title": "Pay", "params": {"audience": ["staff"]}}\n',
}


@pytest.mark.parametrize("front", STAFF.values(), ids=STAFF)
def test_a_page_for_staff_is_for_staff_in_whatever_form_it_says_so_and_its_front_matter_is_no_text(front):
    read = read_front(front + PAY)
    assert (read.said, read.text.strip(), read.remarks) == ({"title": "Pay", "audience": "staff"}, PAY.strip(), [])


CLOSED = {
    "a value that YAML cannot read": ("---\nauthor: @jo\n---\n", NOT_PARSED),
    "a template": ("---\naudience: {{ audience }}\n---\n", ODD_AUDIENCE),
    "no colon": ("---\naudience staff\n---\n", NOT_PARSED),
    "a text": ("---\nstaff only\n---\n", NOT_PARSED),
    "a list": ("---\n- an audience of staff\n- Pay\n---\n", NOT_PARSED),
    "unknown, unclosed": ("---\ntitle: [Pay\n---\n", NOT_PARSED),
    "a colon too many": ("---\ntitle: Pay: the list\n---\n", NOT_PARSED),
    "public, it seems, but not to be parsed": ("---\ntitle: Pay: the list\naudience: public\n---\n", NOT_PARSED),
    "nothing closes it": ("---\ntitle: Pay\n", NOT_PARSED),
    "nothing closes TOML": ('+++\ntitle = "Pay"\n', NOT_PARSED),
    "broken TOML": ("+++\ntitle = Pay\n+++\n", NOT_PARSED),
    "broken JSON": ('{"title": "Pay",\n', NOT_PARSED),
    "YAML between TOML's fences": ("+++\naudience: public\n+++\n", NOT_PARSED),
    "nested too deeply": (f"---\na: {'[' * 1000}{']' * 1000}\n---\n", NOT_PARSED),
    "JSON nested too deeply": ('{"a": ' + "[" * 90_000 + "\n", NOT_PARSED),
    "a mapping of itself": ("---\na: &a\n  b: *a\n---\n", NOT_PARSED),
    "endless": ("---\n" + "key: value\n" * 9000 + "---\n", NOT_PARSED),
    "several": ("---\naudience: [staff, managers]\n---\n", ODD_AUDIENCE),
    "public and another": ("---\naudience: [public, staff]\n---\n", ODD_AUDIENCE),
    "said twice": ("---\naudience: staff\naudience: public\n---\n", ODD_AUDIENCE),
    "said twice in two cases": ("---\naudience: public\nAudience: staff\n---\n", ODD_AUDIENCE),
    "said twice in JSON": ('{"audience": "staff", "audience": "public"}\n', ODD_AUDIENCE),
    "nothing": ("---\naudience:\n---\n", ODD_AUDIENCE),
    "null": ("---\naudience: null\n---\n", ODD_AUDIENCE),
    "a tilde": ("---\naudience: ~\n---\n", ODD_AUDIENCE),
    "JSON's null": ('{"audience": null}\n', ODD_AUDIENCE),
    "an empty list": ("---\naudience: []\n---\n", ODD_AUDIENCE),
    "nested": ("---\naudience: {public: false}\n---\n", ODD_AUDIENCE),
    "a list in a list": ("---\naudience: [[public]]\n---\n", ODD_AUDIENCE),
    "a draft (Hugo)": ("---\ndraft: true\n---\n", UNPUBLISHED),
    "a public draft": ("+++\naudience = 'public'\ndraft = true\n+++\n", UNPUBLISHED),
    "unpublished (Jekyll)": ("---\npublished: false\n---\n", UNPUBLISHED),
    "not to be published (Obsidian)": ("---\nPublish: No\n---\n", UNPUBLISHED),
    "a draft below a name": ("---\nparams:\n  draft: true\n---\n", UNPUBLISHED),
    "private, of a public audience": ("---\naudience: public\nprivate: 'Yes'\n---\n", UNPUBLISHED),
    "for staff alone": ("---\nstaff_only: true\n---\n", UNPUBLISHED),
    "a question": ("---\nis_private: true\n---\n", UNPUBLISHED),
    "not public": ("---\npublic: false\n---\n", UNPUBLISHED),
    "a status": ("---\nstatus: Draft\n---\n", UNPUBLISHED),
    "seen by a team": ("---\nvisibility: payroll\n---\n", UNPUBLISHED),
    "access of several": ("---\naccess: [public, members]\n---\n", UNPUBLISHED),
    "a draft, a heading above": ("# Pay\n---\ndraft: true\n---\n", UNPUBLISHED),
    "a draft, nothing closes it": ("---\n# c\ndraft: true\n\n", UNPUBLISHED),
    "a second one, of a draft": ("---\naudience: public\n---\n---\ndraft: true\n---\n", UNPUBLISHED),
    "two audiences outside": ("Audience: staff\nAudience: board\n", LOOSE_AUDIENCE),
    "an audience of several words outside": ("Audience: all of the staff\n", LOOSE_AUDIENCE),
    "public and another outside": ("> audience: public, staff\n", LOOSE_AUDIENCE),
    "several behind commas": ("---\naudience: public, staff\n---\n", ODD_AUDIENCE),
    "audiences of two names": ("---\naudience: public\ntarget_audience: staff\n---\n", ODD_AUDIENCE),
}


@pytest.mark.parametrize(("front", "reason"), CLOSED.values(), ids=CLOSED)
def test_what_cannot_be_understood_keeps_its_page_out_of_public_and_is_said(front, reason):
    read = read_front(front + PAY)
    assert (read.said["audience"], reasons(read)) == (WITHHELD, [reason])
    assert read.text.endswith(PAY)


LOOSE = {
    "a heading above": "# Pay\n---\ntitle: Pay\naudience: staff\n---\n",
    "no fences": "Title: Pay\nAudience: staff\n\n",
    "fences of another sign": "———\naudience: staff\n———\n",
    "fences that stand in": "  ---\n  audience: staff\n  ---\n",
    "in a block of code": "```yaml\naudience: staff\n```\n",
    "quoted": "> ---\n> audience: staff\n> ---\n",
    "Pandoc's": "% Pay\n% Jo\n% audience: staff\n",
    "Org's": "#+TITLE: Pay\n#+AUDIENCE: staff\n",
    "reStructuredText's": ":title: Pay\n:audience: staff\n",
    "Hexo's": '"title": "Pay",\n"audience": "staff"\n;;;\n',
    "an inline field (Obsidian)": "# Pay\n\naudience:: staff\n",
    "an inline field in a line (Obsidian)": "A list [audience:: staff]\n",
    "bold": "# Pay\n\n**Audience:** staff\n",
    "a comment": "<!-- title: Pay; audience: staff -->\n",
    "a mapping in YAML's short form": "{title: Pay, audience: staff}\n",
    "JSON with a comment": '{ /* Pay */ "title": "Pay", "audience": "staff" }\n',
    "Python's": "{'title': 'Pay', 'audience': 'staff'}\n",
    "a list of mappings": '[{"title": "Pay", "audience": "staff"}]\n',
    "within a text": "---\ntitle: |\n  Pay\n  audience: staff\n---\n",
    "within a value": "---\ntitle: Pay\n  audience=staff\n---\n",
    "a second front matter": "---\naudience: public\n---\n\n---\naudience: staff\n---\n",
    "of another form": "+++\ntitle = 'Pay'\n+++\n---\naudience: staff\n---\n",
}


@pytest.mark.parametrize("front", LOOSE.values(), ids=LOOSE)
def test_an_audience_that_stands_elsewhere_counts_too_and_is_said(front):
    read = read_front(front + PAY)
    assert (read.said["audience"], read.remarks) == ("staff", [(LOOSE_AUDIENCE, "staff")])
    assert read.text.endswith(PAY)


@pytest.mark.parametrize("line", ["audience:staff", "audience=staff", "  audience: staff", "\taudience : staff"])
def test_an_audience_is_seen_in_a_line_that_no_parser_takes(line):
    read = read_front(f"---\ntitle: Pay\n{line}\n---\n{PAY}")
    assert (read.said["audience"], reasons(read)) == ("staff", [NOT_PARSED])


def test_aliases_that_multiply_are_not_multiplied():
    names = "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 30))
    assert read_front(f"---\na0: &a0 [x]\n{names}title: Pay\n---\n{PAY}").said == {"title": "Pay"}
    assert read_front(f"---\na0: &a0 [x]\n{names}audience: *a29\n---\n{PAY}").said["audience"] == WITHHELD


@pytest.mark.parametrize(
    ("front", "said"),
    [
        ("---\ntitle: Pay: the list\naudience: staff\n---\n", {"title": "Pay: the list", "audience": "staff"}),
        ("---\nauthor: @jo\nTitle: 'Pay'\n---\n", {"title": "Pay", "audience": WITHHELD}),
        ("---\nid: pay\ndate: 15.01.2042\nx: %\n---\n", {"id": "pay", "date": "2042-01-15", "audience": WITHHELD}),
    ],
)
def test_plain_lines_of_front_matter_that_cannot_be_parsed_are_still_read_and_are_no_text(front, said):
    read = read_front(front + PAY)
    assert (read.said, read.text, reasons(read)) == (said, PAY, [NOT_PARSED])


@pytest.mark.parametrize(
    ("front", "line"),
    [
        ("\n---\nid: a\ntitle: Pay: the list\nkind: x\n---\n", "title: Pay: the list"),
        ("---\ntitle: Pay\nno colon\n---\n", "no colon"),
        ("---\na: @jo\n---\n", "a: @jo"),
        ("---\na: [b\n---\n", "a: [b"),
        ("+++\na\n+++\n", "Expected '=' after a key in a key/value pair (at line 1, ..."),
    ],
)
def test_the_line_is_shown_that_cannot_be_parsed(front, line):
    assert read_front(front + PAY).remarks == [(NOT_PARSED, line)]


@pytest.mark.parametrize(
    "text",
    [
        "---\n\nNote: see below: it is red.\n\n---\n\nText.", "---\nNote: see: red.\nIt is red.\n---\nText.",
        "---\n- a\n- b: c: d\n---\nText.", "---\ntitle: Pay: all\n\nText.", "---\nstaff only\n---\nText.",
    ],
)  # fmt: skip
def test_prose_between_rules_stays_in_the_text(text):
    read = read_front(text)
    assert (read.text, reasons(read), read.said["audience"]) == (text, [NOT_PARSED], WITHHELD)


@pytest.mark.parametrize(
    "text",
    [
        "", "\n", "Text.", "A line.\n\n---\n\nAnother.", "---\n\nA rule above, and none below.", "-- \nJo",
        "{% include x %}", "{{< figure >}}", "{ not front matter }", "# Audience\n\nText.",
        "The audience: eleven geese.", "+++", "---", "Text.\n" * 60 + "audience: staff",
        "---\na" + " " * 500_000, "<!-- " * 100_000, "<!-- --> " * 100_000, "Private: by appointment.\nAccess: by bus.",
    ],
)  # fmt: skip
def test_what_is_no_front_matter_is_text_and_says_nothing(text):
    assert read_front(text) == ({}, text, [])


@pytest.mark.parametrize(
    ("front", "said"),
    [
        ("---\n---\n", {}),
        ("---\n# audience: staff\n---\n", {}),
        ("---\naudience: Public\n---\n", {"audience": "public"}),
        ("---\naudience: [public]\ndraft: false\npublished: 2042-01-01\n---\n", {"audience": "public"}),
        ("---\naudience: Public\nvisibility: public\nstatus: done\nprivate:\n---\n", {"audience": "public"}),
        ("---\ntitle: null\nid: [a]\nkind: {a: b}\n---\n", {}),
        ("---\ntitle: 2042\nid: 007\nkind: yes\n---\n", {"title": "2042", "id": "007", "kind": "yes"}),
        ('{"title": "\\u00adPay \\n list", "id": 7}\n', {"title": "Pay list", "id": "7"}),
        ("---\ntitle: see --- here\n---\n", {"title": "see --- here"}),
        ("---\nyear: {{date:YYYY}}\n---\n", {}),
    ],
)
def test_what_can_be_understood_is_taken_as_it_is_written(front, said):
    read = read_front(front + PAY)
    assert (read.said, read.text.strip(), read.remarks) == (said, PAY.strip(), [])


def test_front_matter_counts_and_not_what_the_text_says_of_an_audience():
    read = read_front(f"---\naudience: public\n---\nAudience: everybody\n{PAY}")
    assert (read.said, read.remarks) == ({"audience": "public"}, [])


line = st.text("ab: [{]}\"'-&*!|>%@`#\t+=~,.", max_size=60) | st.sampled_from(["title: x", "audience", "---", "- a"])


@given(st.lists(line, max_size=5).map("\n".join), st.sampled_from(["---", "+++", ""]))
def test_nothing_beside_it_makes_a_page_for_staff_public_or_ends_in_a_traceback(noise, fence):
    read = read_front(f"{fence}\n{noise}\naudience: staff\n{fence}\n{PAY}")
    assert PAY.strip() in read.text
    assert read.said.get("audience", "public") != "public"


# Dates

DAYS = [
    "2042-01-15", "2042-1-15", "20420115", "2042/01/15", "2042.1.15", "15.01.2042", "15.1.2042", "15/01/2042",
    "01/15/2042", "15-01-2042", "Jan 15, 2042", "January 15th, 2042", "15 January 2042", "15 jan. 2042",
    "15th of January, 2042", "15-Jan-2042", "Wed, 15 Jan 2042 10:00:00 GMT", "Wednesday 15 January 2042",
    "2042-01-15T23:30:00-05:00", "2042-01-15 10:00:00 +0200", "[[2042-01-15]]", "2042年1月15日", "2042. 1. 15.",
    "'2042-01-15'", "٢٠٤٢-٠١-١٥",
    "15. Januar 2042", "15 janv. 2042", "15 de enero de 2042", "15 de janeiro, 2042", "15 gennaio 2042",
    "15 januari 2042", "Monday, January 15, 2042",
    "Wed Jan 15 10:00:00 UTC 2042", "Wed Jan 15 10:00:00 2042", "15.Jan.2042", "15/Jan/2042", "2042-Jan-15",
    "2042 January 15", "2042, January 15th", "2042_01_15", "2042 01 15", "Mittwoch, 15. Januar 2042",
    "mié., 15 ene 2042", "January 15 2042 at 3:04 PM",
]  # fmt: skip
NO_DAYS = [
    "", "2042", "2042-01", "January 2042", "soon", "last week", "03/04/2042", "3-4-2042", "31.06.2042", "2042-13-01",
    "2042-02-30", "15.01.42", "1705276800", "15 marraskuu 2042", "Version 2042-01-15", "0000-01-01", "2042-W03-1",
    "2042 was 1 15", "15 2042", "2042-01-155", "1.15.2042",
]  # fmt: skip


@pytest.mark.parametrize("written", DAYS)
def test_a_day_is_read_in_the_usual_forms(written):
    assert read_date(written) == "2042-01-15"
    read = read_front(f'---\ndate: "{written}"\n---\n{PAY}')
    assert (read.said["date"], read.remarks) == ("2042-01-15", [])


@pytest.mark.parametrize("written", NO_DAYS)
def test_what_is_no_certain_day_is_kept_as_it_is_written_and_named(written):
    assert read_date(written) == ""
    if written:
        read = read_front(f"---\ndate: {written}\n---\n{PAY}")
        assert (read.said, read.remarks) == ({"date": written}, [(NO_DAY, written)])


def test_a_list_of_dates_is_its_first_or_named():
    assert read_front(f"---\ndate: [2042-01-15]\n---\n{PAY}").said == {"date": "2042-01-15"}
    assert read_front(f"---\ndate:\n  - soon\n---\n{PAY}").remarks == [(NO_DAY, "soon")]


def test_a_date_of_toml_is_a_date_and_one_of_two_months_that_are_one_is_certain():
    for written in ("2042-01-15", "2042-01-15T10:00:00Z", '"15 Jan 2042"'):
        assert read_front(f"+++\ndate = {written}\n+++\n{PAY}").said == {"date": "2042-01-15"}
    assert read_date("04/04/2042") == "2042-04-04"


@given(st.dates())
def test_every_day_is_read_as_it_is_written_by_a_program(day):
    for form in ("%d %B %Y", "%b %d, %Y", "%d.%m.%Y", "%Y/%m/%d"):
        assert read_date(day.strftime(form.replace("%Y", f"{day.year:04}"))) == day.isoformat()
