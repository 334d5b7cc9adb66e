"""The price file: read with its sources, refused when it is malformed or out of date."""

import shutil
from datetime import date

import pytest

from course_lib.core.errors import ChoiceError, CourseError, DataError
from course_lib.core.session import ROOT
from course_lib.costs.prices import UNITS, load_prices

DAY = "2026-11-25"
ROW = {"item": "X1", "what": "hour", "by": "Shop", "value": 2.5, "unit": "USD per hour", "source": "s", "date": DAY}


def written(tmp_path, *rows, days=180):
    lines = [f"max_age_days: {days}", "rows:"]
    for row in rows:
        lines.append("  - {" + ", ".join(f"{key}: {value}" for key, value in row.items()) + "}")
    path = tmp_path / "prices.yaml"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_every_row_of_the_course_names_its_source_and_its_day():
    rows = load_prices(today=DAY).rows
    assert len(rows) > 20
    assert all(row.source.startswith(("https://", "p5.48xlarge", "p4de.24xlarge")) for row in rows)
    assert all(row.date <= date(2026, 11, 25) for row in rows)
    assert {row.what for row in rows} == set(UNITS)


def test_a_cards_peak_is_that_of_dense_matrices():
    prices = load_prices(today=DAY)
    assert prices.get("H100 SXM", "peak").unit.endswith("with sparsity")
    assert prices.card("H100 SXM").peak == prices.get("H100 SXM", "peak").value / 2 * 1e12
    assert prices.card("A100 SXM 80 GB").peak == 312e12
    assert prices.card("L4").memory == 24e9


def test_of_several_prices_the_cheapest_is_taken_unless_one_is_named():
    prices = load_prices(today=DAY)
    card = prices.card("H100 SXM")
    assert card.cheapest == min(card.hourly.values()) < max(card.hourly.values())
    assert prices.get("H100 SXM", "hour").value == card.cheapest
    assert prices.get("H100 SXM", "hour", by="AWS").value == card.hourly["AWS"]


def test_unknown_items_kinds_and_askers_are_refused():
    prices = load_prices(today=DAY)
    for ask in (("H100",), ("H100 SXM", "week"), ("H100 SXM", "hour", "Nobody")):
        with pytest.raises(ChoiceError):
            prices.get(*ask) if len(ask) > 1 else prices.card(*ask)


def test_a_card_that_nobody_rents_out_has_no_price(tmp_path):
    facts = [ROW | {"what": what, "unit": UNITS[what][0]} for what in ("peak", "memory", "bandwidth")]
    card = load_prices(written(tmp_path, *facts), today=DAY).card("X1")
    with pytest.raises(DataError, match="no hourly price for X1"):
        _ = card.cheapest


def test_prices_out_of_date_are_refused_and_the_oldest_is_named(tmp_path):
    path = written(tmp_path, ROW, ROW | {"item": "X2", "date": "2026-01-01"}, days=90)
    with pytest.raises(DataError, match=r"1 of the prices .* X2 by Shop is of 2026-01-01, more than 90 days"):
        load_prices(path, today=DAY)
    with pytest.warns(UserWarning, match="out of date"):
        assert len(load_prices(path, today=DAY, allow_old=True).rows) == 2
    assert load_prices(path, today="2026-03-01").rows, "they were fresh once"


def test_the_course_prices_go_out_of_date_too():
    with pytest.raises(DataError, match="out of date"):
        load_prices(today="2028-01-01")


def test_what_a_card_can_do_does_not_go_out_of_date(tmp_path):
    fact = ROW | {"what": "memory", "unit": "GB", "date": "2018-09-13"}
    assert load_prices(written(tmp_path, fact), today=DAY).rows


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
def test_a_malformed_row_is_named_by_its_line(tmp_path, change, said):
    with pytest.raises(DataError, match=rf"prices.yaml, line 4: .*{said}"):
        load_prices(written(tmp_path, ROW, ROW | change), today=DAY)


def test_a_row_that_lacks_its_source_is_named_by_its_line(tmp_path):
    row = {key: value for key, value in ROW.items() if key != "source"}
    with pytest.raises(DataError, match="line 3: source is missing"):
        load_prices(written(tmp_path, row), today=DAY)


@pytest.mark.parametrize("text", ["rows: [", "[1, 2]", "max_age_days: 9\nrows: []", "rows: [1]", "\x00"])
def test_a_file_that_holds_no_prices_is_refused(tmp_path, text):
    path = tmp_path / "prices.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=r"prices\.yaml"):
        load_prices(path, today=DAY)


def test_a_missing_file_and_a_day_that_is_none_are_refused(tmp_path):
    with pytest.raises(DataError, match="there is no price file"):
        load_prices(tmp_path / "nowhere.yaml")
    for today in ("tomorrow", 5):
        with pytest.raises(CourseError, match="give a date"):
            load_prices(today=today)


def test_a_course_folder_of_ones_own_may_have_its_own_prices(tmp_path, monkeypatch):
    shutil.copy(ROOT / "data" / "prices.yaml", tmp_path)
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    assert len(load_prices(today=DAY).table()) == len(load_prices(today=DAY).rows)
