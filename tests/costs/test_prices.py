"""The price file: read with its sources, refused when it is malformed or out of date."""

from datetime import date

import pytest

from course_lib.core.errors import ChoiceError, CourseError, DataError
from course_lib.costs.prices import UNITS, load_prices

DAY = "2026-11-25"
ROW = {"item": "X1", "what": "hour", "by": "Shop", "value": 2.5, "unit": "USD per hour", "source": "s", "date": DAY}


@pytest.fixture
def written(tmp_path, monkeypatch):
    """The price file of a data folder of one's own: of some rows, or of a text."""
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))

    def write(*rows, days=180, text=None):
        lines = ["{" + ", ".join(f"{key}: {value}" for key, value in row.items()) + "}" for row in rows]
        text = "\n  - ".join([f"max_age_days: {days}\nrows:", *lines]) if text is None else text
        (tmp_path / "prices.yaml").write_text(text, encoding="utf-8")

    return write


def test_every_row_of_the_course_names_its_source_and_its_day():
    rows = load_prices(today=DAY).rows
    assert len(rows) > 20
    assert all(row.source.startswith(("https://", "p5.48xlarge", "p4de.24xlarge")) for row in rows)
    assert all(row.date <= date(2026, 11, 30) for row in rows)
    assert {row.what for row in rows} == set(UNITS)


def test_a_cards_peak_is_that_of_dense_matrices():
    prices = load_prices(today=DAY)
    assert prices.get("H100 SXM", "peak").unit.endswith("with sparsity")
    assert prices.card("H100 SXM").peak == prices.get("H100 SXM", "peak").value / 2 * 1e12
    assert prices.card("A100 SXM 80 GB").peak == 312e12
    assert prices.card("L4").memory == 24e9


def test_of_several_prices_the_cheapest_is_taken():
    prices = load_prices(today=DAY)
    card = prices.card("H100 SXM")
    assert card.cheapest == min(card.hourly.values()) < max(card.hourly.values())
    assert prices.get("H100 SXM", "hour").value == card.cheapest


@pytest.mark.parametrize("ask", [("card", "H100"), ("get", "H100", "peak"), ("get", "H100 SXM", "week")])
def test_unknown_items_and_kinds_are_refused(ask):
    method, *names = ask
    with pytest.raises(ChoiceError):
        getattr(load_prices(today=DAY), method)(*names)


def test_a_card_that_nobody_rents_out_has_no_price(written):
    written(*(ROW | {"what": what, "unit": UNITS[what][0]} for what in ("peak", "memory", "bandwidth")))
    card = load_prices(today=DAY).card("X1")
    with pytest.raises(DataError, match="no hourly price for X1"):
        _ = card.cheapest


def test_prices_out_of_date_are_refused_and_the_oldest_is_named(written):
    written(ROW, ROW | {"item": "X2", "date": "2026-01-01"}, days=90)
    with pytest.raises(DataError, match=r"1 of the prices .* X2 by Shop is of 2026-01-01, more than 90 days"):
        load_prices(today=DAY)
    with pytest.warns(UserWarning, match="out of date"):
        assert len(load_prices(today=DAY, allow_old=True).rows) == 2
    assert load_prices(today="2026-03-01").rows, "they were fresh once"


def test_the_course_prices_go_out_of_date_too():
    with pytest.raises(DataError, match="out of date"):
        load_prices(today="2028-01-01")


def test_what_a_card_can_do_does_not_go_out_of_date(written):
    written(ROW | {"what": "memory", "unit": "GB", "date": "2018-09-13"})
    assert load_prices(today=DAY).rows


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"value": -1}, "value is -1.*greater than 0"),
        ({"value": ".inf"}, "value is inf"),
        ({"value": "cheap"}, "value is 'cheap'"),
        ({"value": "yes"}, "value is True"),
        ({"unit": "EUR per hour"}, "unit is 'EUR per hour': for hour it is USD per hour"),
        ({"what": "week"}, "what 'week' is not one of peak"),
        ({"date": "yesterday"}, "date is 'yesterday'"),
        ({"source": '""'}, "source is empty"),
        ({"by": '""'}, "a price needs `by`"),
        ({"note": "n"}, "note is unknown"),
    ],
)
def test_a_malformed_row_is_named_by_its_line(written, change, said):
    written(ROW, ROW | change)
    with pytest.raises(DataError, match=rf"prices.yaml, line 4: .*{said}"):
        load_prices(today=DAY)


def test_a_row_that_lacks_its_source_is_named_by_its_line(written):
    written({key: value for key, value in ROW.items() if key != "source"})
    with pytest.raises(DataError, match="line 3: source is missing"):
        load_prices(today=DAY)


@pytest.mark.parametrize("text", ["rows: [", "[1, 2]", "max_age_days: 9\nrows: []", "rows: [1]", "\x00"])
def test_a_file_that_holds_no_prices_is_refused(written, text):
    written(text=text)
    with pytest.raises(DataError, match=r"prices\.yaml"):
        load_prices(today=DAY)


def test_a_missing_file_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    with pytest.raises(DataError, match=r"there is no .*prices\.yaml"):
        load_prices()


@pytest.mark.parametrize("today", ["tomorrow", 5])
def test_a_day_that_is_none_is_refused(today):
    with pytest.raises(CourseError, match="give a date"):
        load_prices(today=today)


def test_the_table_has_a_line_for_every_row():
    prices = load_prices(today=DAY)
    assert len(prices.table()) == len(prices.rows)
