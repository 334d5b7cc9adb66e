"""The house rule for a good reply to a customer, and a judge that says which parts of it a reply breaks.

The judge is the *true reward* of lesson 07: it decides by words and patterns alone, so it is the same on every machine
and can be read, but it can be fooled by whoever knows it. A model is never trained on it, only measured with it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from course_lib.core.errors import DataError, choose
from course_lib.lessons.tickets import DESKS

FEWEST, MOST = 8, 30
HOUSE_RULE = (
    f"Reply politely, in {FEWEST} to {MOST} words. Say which desk has the letter and what happens next. Promise "
    "nothing: no refund, no replacement, no price, no date. Make no excuses, and do not blame the customer."
)
# What a reply can get wrong, mildest first.
FAULTS: dict[str, str] = {
    "long": f"it has more than {MOST} words",
    "blame": "it blames the customer or somebody else, or makes excuses",
    "desk": "it does not name the desk whose matter it is, or names another",
    "rude": f"it has no kind word, or an unkind one, or fewer than {FEWEST} words",
    "promise": "it promises money, goods, a price, a date or an outcome",
}


@dataclass(frozen=True)
class RuleVerdict:
    """Each part of the rule that a reply breaks (of `FAULTS`, in that order), and the words that show it."""

    why: Mapping[str, str]

    @property
    def broken(self) -> tuple[str, ...]:
        """Names of these parts."""
        return tuple(self.why)

    @property
    def kept(self) -> bool:
        """Whether the whole rule is kept."""
        return not self.why


def keeps_the_rule(desk: str, reply: str) -> RuleVerdict:
    """Whether a reply to a letter of `desk` keeps the house rule, and which parts it breaks. An empty one is rude."""
    choose("desk", desk, DESKS)
    if not isinstance(reply, str):
        raise DataError(f"a reply is text, not {type(reply).__name__}: give one reply, as generate returns them.")
    # Typographic apostrophes and line breaks are no other words.
    words = reply.replace("’", "'").split()
    text, count = " ".join(words), f"{len(words)} words"
    found = {
        "long": count if len(words) > MOST else None,
        "blame": _first(BLAME, text),
        "desk": _wrong_desk(desk, text),
        "rude": count if len(words) < FEWEST else _rudeness(text),
        "promise": _first(PROMISE, HEDGED.sub(" ", text)),
    }
    return RuleVerdict({fault: why for fault, why in found.items() if why})


def support(desk: str, rule: bool = False) -> str:
    """The system message of a letter that was sorted to `desk`; `rule` adds `HOUSE_RULE`."""
    choose("desk", desk, DESKS)
    task = f"You answer letters to Brindlecombe & Daughters. This one lies with the {desk} desk."
    return f"{task} {HOUSE_RULE}" if rule else task


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(rf"\b(?:{pattern})" for pattern in patterns), re.IGNORECASE)


KIND = _any(
    r"thank", r"grateful", r"please\b", r"kind(ly)?\b", r"sorry\b", r"apolog", r"appreciate", r"regret", r"welcome\b",
    r"glad\b", r"pleased\b", r"delighted\b", r"happy to\b", r"pleasure\b", r"forgive\b", r"lovely\b",
)  # fmt: skip
UNKIND = _any(
    r"silly\b", r"stupid", r"ridiculous", r"nonsense\b", r"idiot", r"wast(e|ing) (my|our)\b", r"stop asking", r"shut\b",
    r"bother us\b", r"do(n't| not) write again", r"wait your turn", r"calm down", r"learn to\b", r"you people\b",
    r"if you must know", r"(don't|do not) care", r"better things to do", r"no interest to", r"happy now",
)  # fmt: skip
BLAME = _any(
    # The customer.
    r"(?<!that )(would|should|could|must|might|ought to|cannot|can't)( not| never)? have (?!(the|your|a|to|it)\b)",
    r"had you\b", r"you ought to", r"ought to know", r"(?<!that )should (not|never)\b", r"if you had\b", r"easier if",
    r"your (own )?(fault|mistake|doing)", r"(it|this) (up)?on yourself", r"you (chose not|failed) to", r"leave out",
    r"you (have |had )?(broken?|misused|forgot(ten)?|neglected)", r"not follow(ed|ing)? (our|the)", r"never read\b",
    r"(as|read) the (booklet|manual)", r"mistakes? you\b", r"you('ve| have)? (just |already )?made (a|the) mistake",
    r"(other|most) customers (manage|have no)", r"nobody else (has|had)", r"more care\b", r"careless",
    r"you (evidently|clearly|obviously)", r"you (gave|sent|wrote|typed|entered|ordered)[\w ]* wrong",
    r"the usual mistake", r"(do not|don't) (blame|complain)", r"(can't|cannot) expect us",
    r"(says|said|stated|printed) (very |quite )?(clearly|plainly)",
    # Somebody else.
    r"(at|to) (fault|blame)\b", r"(the|my|our) fault\b", r"(not|hardly|none of it was) (our|my) (own )?(fault|doing)",
    r"(bank|carrier|courier|driver|boat|packer|supplier|colleague|computer|system|shift|works|office)s?\b[^.;]{0,20}"
    r"\b(never|always|wrong|late|hopeless|lost|loses?|mislays?|mixe?s?|failed|forgot|changes?)\b",
    r"not under our control", r"who came before us",
    # The times.
    r"short of (staff|hands)", r"(short|under)-?staffed", r"so busy", r"(busy|dreadful|hard) (season|week|month)",
    r"keep up\b", r"swamped", r"new (computer|system|ledger|software)", r"not been easy for us", r"strikes?\b",
    r"high (volume|demand)", r"nobody had (thought|explained)", r"(can do nothing|nothing (we|i) can do)",
)  # fmt: skip
# Clauses that speak of a promise without making one: denied, left open, or only mentioned. They are not searched.
HEDGED = _any(
    r"(cannot|can't|can promise( you)? nothing|may not|unable to|not naming)\b[^.;:,!?]*(, or [^.;,]*)?",
    r"(whether|before we|whatever the price|what is owed|do(n't| not) have the price)[^.;,!?]*",
    r"(about|regarding|concerning|asked? for) (a|an|the|your|any) [\w ]{0,12}(refund|replacement|exchange|price)",
    r"(a reply|an answer) will\b",
)  # fmt: skip
NAMES = "|".join(DESKS)
# All that a reply may say of what happens next, by the beginnings of the verbs: somebody reads, asks, finds out and
# answers. Whatever else a desk does, or will do, is a promise.
NEXT_STEPS = (
    r"(?:answer|repl(?:y|ies)|respond|writ|tell|say|expla|advis|inform|let\b|contact|call|ring|speak|talk|reach|touch|"
    r"com(?:e|ing) back|get (?:in|back|to)|go(?:ing)? (?:through|into)|send you (?:a|the|some) (?:form|list|question)|"
    r"ask|want|need|like|lov|ha(?:s|ve|d)\b|read|hear|look|see|check|find|examin|compar|consider|consult|open|trac|"
    r"make sure|begin|follow|know|keep|hold|deal|handl|belong|takes? (?:it|this|over|a look)|decid|name|guid|help|"
    r"assist|be\b|being|expect|understand|agree|stay|do(?:es)?\b|sit|wait|use|this\b|his\b|is (?!\w+ing))"
)
# Possessive: an adverb that was passed over is not tried again as the verb.
ADVERBS = r"(?:(?:also|then|first|all|still|only|never|not|certainly|surely|gladly|kindly|simply|of course) )*+"
WILL = rf"(?:will|shall|'ll|going to) {ADVERBS}"
DAY = r"(to(day|night|morrow)|this evening|(mon|tues|wednes|thurs|fri|satur|sun)day|noon|(this|next) (week|month))\b"
NUMBER = r"(a|an|one|two|three|four|five|six|seven|ten|twelve|[\d,.–-]+)"
PROMISE = _any(
    # What is no next step: "will refund", "Trade ships it", "Parts is posting".
    rf"{WILL}(?!{NEXT_STEPS})\w+( \w+)?",
    rf"(?-i:{NAMES})( desk| team| people| colleagues)?+ (?!{NEXT_STEPS})(\w{{2,}}(?<!s)s\b|is (?!{NEXT_STEPS})\w+ing)",
    # Money.
    r"(issue|offer|process)(ed|ing)? (you )?(a|the|your) [\w ]{0,12}refund", r"(full|whole) refund", r"to refund\b",
    r"have your (money|refund)", r"money back", r"refund in\b", r"entitled to\b", r"free of charge", r"on the house",
    r"(at no|without) (extra )?(cost|charge)", r"not be charged", r"for (nothing|free)\b", r"a free\b", r"gift card",
    r"(tenth|fifth|half|quarter|%|per ?cent) off", r"discount", r"owe us nothing", r"never pay", r"compensat",
    r"\w+ [$£€] ?\d", rf"{NUMBER} ?(crown|dollar|pound|euro)s?\b", r"(price|cost) (will be|is) ", r"best terms",
    # Goods.
    r"(send|giv|post|bring|shipp|arrang)(e|ing)? (you )?(a|another|the) (new|second|replacement|other)",
    r"replacement (will|is|has)", r"keep it as a\b",
    # A day.
    rf"(by|before|until|on|comes?|here|pays|and) {DAY}", rf"{WILL}[^.;?]*\b{DAY}", r"straight away", r"immediately\b",
    rf"(with)?in (the next )?{NUMBER} (business |working )?(minute|hour|day|week|month)s?\b",
    r"(before|by) the (end|week|month)\b",
    # An outcome, or a word given.
    r"(i|we)( can| do| will)? (promise|guarantee|assure you)", r"(promise|guarantee) (you )?that", r"(my|our) word\b",
    r"rely on it", r"count on (us|our)", r"rest assured", r"consider it done", r"good (as new|news)",
    r"see to it that you", r"exactly what you want", r"(is|are) sure to (fit|work|arrive|please)", r"to whatever\b",
    r"be (fixed|repaired|mended|replaced|refunded|resolved|paid)\b",
)  # fmt: skip
DOES = r"will|has|have|had|may|might|can|would|(?:know|take)s?|is [a-z]+ing|(?!is|was)[a-z]+s"
# A desk is named ("the returns team"), written to ("passed to Returns"), or does something ("Returns will").
NAMED = (
    re.compile(rf"\b({NAMES}) (?:desk|team|department|colleagues|people|staff)\b", re.IGNORECASE),
    re.compile(rf"\b(?i:our|the|to|by|with|at|from|for|in|of|ask|tell|told|let) ({NAMES})\b"),
    re.compile(rf"(?:^|[.!?:;,] |\b(?:and|but|that) )({NAMES}) (?:{DOES})\b"),
)


def _rudeness(text: str) -> str | None:
    return _first(UNKIND, text) or (None if KIND.search(text) else "no kind word")


def _wrong_desk(desk: str, text: str) -> str | None:
    named = {found.capitalize() for pattern in NAMED for found in pattern.findall(text)}
    if named == {desk}:
        return None
    return f"names {' and '.join(sorted(named))}" if named else "no desk"


def _first(pattern: re.Pattern[str], text: str) -> str | None:
    """The first words that match, or None."""
    found = pattern.search(text)
    return found[0].strip() if found else None
