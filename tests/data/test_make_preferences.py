"""How data/preferences is made: the same on every machine, out of replies that are what they say they are."""

from collections import Counter
from dataclasses import replace

import preferences as make
import pytest
import replies
from datasheet import filled

from course_lib.core import session
from course_lib.lessons.house_rule import FAULTS, HOUSE_RULE
from course_lib.lessons.letters import load_preferences, wording_of
from course_lib.lessons.tickets import DESKS, SPLITS

DATA = session.ROOT / "data"


@pytest.fixture(scope="module")
def told():
    return make.wordings()


@pytest.fixture(scope="module")
def pairs():
    return load_preferences()


def test_the_datasheet_is_fresh_and_states_the_rule(told, pairs):
    page = (DATA / "preferences" / "README.md").read_text(encoding="utf-8")
    assert filled(page, make.counts(told, pairs)) == page, "run `python data/make/sets/preferences.py`"
    assert HOUSE_RULE in page


def test_what_was_written_keeps_its_own_rules(told):
    assert make.problems(told) == []


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"faults": ("ugly",)}, "ugly is none of long, blame"),
        ({"text": "Thank you. We look forward to a letter from you."}, "said to be good, and breaks desk"),
        ({"home": "", "faults": ("rude",), "text": "Parts has it."}, "names it as {desk}, unless that is its fault"),
    ],
)
def test_a_reply_that_breaks_a_rule_is_reported(told, wrong, said):
    assert any(said in found for found in make.problems([*told, replace(told[0], **wrong)]))


def test_a_reply_that_is_there_twice_and_a_desk_with_too_few_are_reported(told):
    assert any("is there twice" in found for found in make.problems([*told, replace(told[0], home="Parts")]))
    fewer = [wording for wording in told if wording.home != "Parts"]
    assert make.problems(fewer) == [f"Parts: 0 good replies, not {replies.GOOD_PER_DESK}"]


def test_the_judge_finds_what_the_writer_meant_and_does_so_on_the_replies_of_the_test_alone(told):
    exact, each = make.agreement(told)
    assert exact >= 0.95 and make.agreement(make.dealt(told)["test"])[0] >= 0.95
    assert all(precision >= 0.9 and recall >= 0.9 for precision, recall in each.values()), each


def test_on_replies_that_it_was_not_made_for_the_judge_misses_more_and_accuses_few():
    unseen = make.unseen()
    found, missed, invented = make.finds(unseen)
    assert 0.7 <= make.agreement(unseen)[0] < 0.95, "the datasheet says that it is worse there"
    assert found > missed and invented <= len(unseen) // 10


def test_agreement_counts_what_was_found_and_what_was_meant(told):
    good = next(w for w in told if not w.faults)
    exact, each = make.agreement([good, replace(good, faults=("rude",)), replace(good, text="No.", faults=("rude",))])
    assert exact == pytest.approx(1 / 3)  # "No." names no desk
    assert each["rude"] == (1.0, 0.5) and each["desk"] == (0.0, 0.0)


def _faults(pair, reply):
    return pair.chosen_faults if reply == pair.chosen else pair.rejected_faults


def test_no_wording_is_dealt_to_two_splits_and_none_is_left_out(told):
    shelves = make.dealt(told)
    assert sorted(map(repr, told)) == sorted(repr(w) for split in SPLITS for w in shelves[split])
    seen = [{wording_of(w.to("desk")) for w in shelves[split]} for split in SPLITS]
    assert not (seen[0] & seen[1] or seen[0] & seen[2] or seen[1] & seen[2])


def test_every_desk_has_good_replies_of_its_own_in_every_split(told):
    for split, wordings in make.dealt(told).items():
        homes = Counter(w.home for w in wordings if not w.faults)
        assert set(homes) == {"", *DESKS} and min(homes.values()) >= 2, split


def test_every_desk_meets_every_kind_of_pair_equally_often(pairs):
    for desk in DESKS:
        for split in ("train", "test"):
            these = [pair for pair in pairs if (pair.desk, pair.split) == (desk, split)]
            worse = [_faults(p, p.worse) for p in these if not _faults(p, p.better)]
            kinds = Counter("several" if len(found) > 1 else found[0] for found in worse)
            share = len(these) // 8
            wanted = {"several": share, "desk": 2 * share} | {f: share for f in FAULTS if f != "desk"}
            assert kinds == wanted, desk


def test_what_goes_to_another_desk_reads_as_a_good_reply_does(told, pairs):
    good = {wording_of(w.to("Parts")) for w in told if not w.faults}
    sent = [p for p in pairs if p.split == "train" and not p.noise and p.rejected_faults == ("desk",)]
    strays = [p for p in sent if wording_of(p.rejected) in good]
    assert len(strays) >= 40 and all(p.desk not in p.rejected for p in strays)


def test_the_reply_that_is_chosen_names_the_desk_of_its_letter(pairs):
    assert all(pair.desk in pair.better for pair in pairs if not _faults(pair, pair.better))


def test_no_single_word_tells_which_reply_is_better(pairs):
    best = make.telltales(pairs)
    assert set(best) == {"better", "worse"} and max(share for _, share in best.values()) <= make.TELLTALE


def test_a_word_that_tells_is_found(pairs):
    spoilt = [replace(p, chosen=p.chosen + " Abracadabra.") if not p.noise else p for p in pairs]
    assert make.telltales(spoilt)["better"][0] == "abracadabra"


def test_words_alone_find_the_better_reply_in_most_pairs_and_not_in_all(pairs):
    train, test = ([p for p in pairs if p.split == split] for split in ("train", "test"))
    assert 0.55 < make.bag_of_words(train, test) < 0.85


def test_every_fault_weighs_something_and_several_weigh_together():
    assert set(make.SEVERITY) == set(FAULTS) and min(make.SEVERITY.values()) > 0 == make.severity(())
    assert make.severity(("long", "desk")) == make.severity(("long",)) + make.severity(("desk",))


def test_the_better_reply_has_the_lighter_faults_and_the_label_says_so_unless_it_is_noise(pairs):
    for pair in pairs:
        faults = {pair.chosen: pair.chosen_faults, pair.rejected: pair.rejected_faults}
        assert make.severity(faults[pair.better]) < make.severity(faults[pair.worse]), pair.id
        assert (pair.better == pair.chosen) is not pair.noise


def test_labels_are_wrong_more_often_where_two_replies_are_close(pairs):
    apart, wrong = Counter(), Counter()
    for pair in pairs:
        distance = min(abs(make.severity(pair.chosen_faults) - make.severity(pair.rejected_faults)), 4)
        apart[distance] += 1
        wrong[distance] += pair.noise
    shares = [wrong[distance] / apart[distance] for distance in (1, 2, 3, 4)]
    assert shares == sorted(shares, reverse=True) and shares[0] > 4 * shares[2]
