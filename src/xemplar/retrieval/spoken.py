"""What a query says of age, sex, view and named facets -> filters, each with where it was said.

Knows how such things are said in English, where a denial or an "or" reaches them, and what is a length of
time and no age. What can't be kept as it was said is refused: a filter is never read the other way round.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, pairwise

from xemplar.errors import XemplarError
from xemplar.retrieval.denials import DENIES, EXCEPTS, FOREIGN
from xemplar.retrieval.filters import Filter, ranged

OLDEST = 130
"""Years beyond which an age is none."""

_GROWN = 15
"""Years: "over 2 years" is how long something lasts, unless it says "old"."""

_OLD = r"(?:[\s-]*(?:old|of\s+age)\b)"
_YEARS = rf"(?:\s*(?:-\s*)?(?:years?|yrs?|y\.?o\.?|y/o)\b{_OLD}?)"
_OF_AGE = rf"(?:\s*(?:-\s*)?(?:(?:years?|yrs?){_OLD}|y\.?o\b\.?|y/o\b))"
_ENDS = (
    r"(?=\s*(?:[,;.)]|$"
    r"|\b(?:with|without|and|or|but|no|not|who|is|are|exclud\w+|except|left\s+out|omitted)\b))"
)
_UNIT = (
    r"(?!\s*(?:[%\u00b0\u2070-]|\d"
    r"|(?:mm|cm|m|ml|cc|kg|kv|degrees?|days?|d|weeks?|months?|hours?|h|min|hu|pack|fr)\b))"
)
_MORE = r"(?:older|over|above|more|up)\b(?!\s*(?:than|\d))"
_LESS = r"(?:younger|under|below|less)\b(?!\s*(?:than|\d))"
_NUMBER = r"(?<![\d.])(?P<one>\d{1,3})(?![\d.]\d)"
_TWO = r"(?P<two>\d{1,3})(?!\d)"
_AGED = r"\bage[ds]?(?:\s+(?:between|from|of))?\s*[:=]?\s*"
_OVER = r"(?:\b(?:over|above|older\s+than|more\s+than|greater\s+than)|>)"
_UNDER = r"(?:\b(?:under|below|younger\s+than|less\s+than)|<)"
_FROM = r"(?:\b(?:at\s+least|from|no(?:t)?\s+(?:younger|less)\s+than|not\s+(?:under|below))|>=|\u2265)"
_TO = r"(?:\b(?:at\s+most|up\s+to|no(?:t)?\s+(?:older|more)\s+than|not\s+(?:over|above))|<=|\u2264)"
_BOUNDS = ((_FROM, "from"), (_TO, "to"), (_OVER, "over"), (_UNDER, "under"))
_AGES = (
    *((rf"\bage[ds]?\s*{word}\s*{_NUMBER}\b{_YEARS}?{_UNIT}", kind) for word, kind in _BOUNDS),
    (rf"(?:{_AGED}|\bbetween\s+){_NUMBER}\s*(?:and|to|-|\u2013)\s*{_TWO}{_YEARS}?{_UNIT}", "range"),
    (rf"{_NUMBER}\s*(?:-|to|\u2013)\s*{_TWO}{_YEARS}", "lasting range"),
    (rf"(?:{_AGED})?{_NUMBER}{_YEARS}?\s*(?:\+|(?:or|and)\s+{_MORE})", "from"),
    (rf"(?:{_AGED})?{_NUMBER}{_YEARS}?\s*(?:or|and)\s+{_LESS}", "to"),
    (rf"{_AGED}{_NUMBER}\b(?:{_YEARS}|{_UNIT})", "range"),
    *((rf"{word}\s*{_NUMBER}{_OF_AGE}", kind) for word, kind in _BOUNDS),
    *((rf"{word}\s*{_NUMBER}{_YEARS}", f"lasting {kind}") for word, kind in _BOUNDS),
    (rf"\b(?:older\s+than|(?:over|above)(?=\s+\d\d))\s+(?P<one>\d{{1,3}})s?\b{_ENDS}", "over"),
    (rf"\b(?:younger\s+than|under|below)\s+(?P<one>\d{{1,3}})s?\b{_ENDS}", "under"),
    (rf"{_NUMBER}{_OF_AGE}", "range"),
    (rf"(?<![\w/.-])(?P<one>[1-9]\d)\s*[-\u2013]\s*(?P<two>[1-9]\d){_UNIT}(?![\w/.])", "lasting range"),
    (r"\bin\s+(?:(?:his|her|their|the)\s+)?(?P<one>[1-9]0)s\b", "decade"),
)
_NO_AGE_BEFORE = re.compile(
    r"\b(?:stable|unchanged|same|change[sd]?|for|after|since|within|during|last|past|smok\w+|pack\w*|history"
    r"|follow\w*(?:[\s-]*up)?|persist\w+|present|known|lasting|duration|interval|over\s+the|grow\w+|every"
    r"|increas\w+|decreas\w+|progress\w+|ribs?|levels?|kvp?|mas|hu|[tlc]\d*)\s*(?:of\s+)?\Z"
)
_NO_AGE_AFTER = re.compile(
    r"\s*(?:-\s*)?(?:ago|later|earlier|before|prior|previous\w*|post|after|follow|f/u|of\s+(?!age)|smok\w+|pack"
    r"|history|duration|stability|survival|interval)"
)
_BEFORE = r"(?:\b(?:in|of|for)\s+)?(?:\b(?:an?|the|all|any)\s+)?"
_SEX = re.compile(
    _BEFORE + r"\b(?:(?P<f>females?|wom[ae]n|ladies|lady)|(?P<m>males?|m[ae]n|gentlem[ae]n))\b"
    r"(?:\s+(?:patients?|sex|gender)\b)?"
)
_AGE_AND_SEX = re.compile(
    r"(?<![\w.-])(?P<one>\d{2,3})\s*-?\s*(?:y\.?o?\.?\s*-?\s*)?(?P<sex>[fm])\b"
    r"(?!\s+(?:[\w-]+\s+){0,2}(?:catheters?|tubes?|drains?|lines?|sheaths?|pigtails?)\b)"
)
_VIEW_NAME = r"(?:lateral|frontal|pa|ap)"
_VIEW = re.compile(
    _BEFORE
    + rf"\b(?P<views>{_VIEW_NAME}(?:\s*(?:,|/|&|\bor\b|\band\b)\s*{_VIEW_NAME})*)"
    + r"\s+(?:views?|films?|projections?|radiographs?|images?)\b"
)
_NAMED = re.compile(r"(?P<name>[^\W\d]\w*)\s*(?P<is>!?=)\s*(?:\"(?P<quoted>[^\"]*)\"|(?P<bare>[^\s,;]+))")

_DENIAL = re.compile(
    rf"{DENIES.pattern}|{EXCEPTS.pattern}|{FOREIGN.pattern}"
    r"|\b(?:non|none|nobody|rather\s+than|lack\s+of|free\s+(?:of|from)|clear\s+of)\b|(?<!\S)[-\u2013!](?=[\d(])"
)
_LIGHT = re.compile(
    r"(?:[\s:'\"-]|\b(?:for|in|of|on|at|from|an?|the|any|all|one|who|that|are|is|be|was|were|patients?|people|persons?"
    r"|anyone|anybody|have|having|has|show(?:s|n|ing)?|evidence|signs?|more|longer|need|seen|cases?|stud(?:y|ies)|those|adults?|aged?|being|either|films?)\b)*\Z"
)
_LEAD = re.compile(r"\s*(?:in|of|for)\s+")
_AND_END = re.compile(r"(?:\band\b|&)\s*\Z")
_FOCUS = re.compile(r"\b(?:only|just|merely|solely|necessarily|always|all|limited|restricted|confined)\b")
_STOPS = re.compile(r"[,;\n]|\b(?:but|however|although|though|with)\b")
_DENIED_AFTER = re.compile(
    r"\s*(?:\b(?:patients?|is|are|were|was|being|to\s+be|should\s+be)\s+)*"
    r"\b(?:excluded|exempted|omitted|unwanted|ruled\s+out|left\s+out|not\s+(?:wanted|included|needed))\b"
)
_LOOSE_AFTER = re.compile(
    r"\s*(?:[:=-]\s*)?(?:(?:is|are)(?:\s+not|n['\u2019]t)?\s+)?"
    r"(?:not\s+\w+|absent|negative|none|free|there|no|0)\s*(?=[,;.]|\Z)"
)
_JOINED = re.compile(r"[\s,]*(?:\bor\b|\band/or\b|/)\s*(?:\b(?:in|from|aged?|the|of)\b\s*)*\Z")
_BOTH = re.compile(r"[\s,]*(?:\band\b|&|\bas\s+well\s+as\b)\s*(?:\b(?:in|of|the)\b\s*)*\Z")
_ANYHOW = re.compile(
    r"(?:\bwith\s+or\s+without|\bwith/without|\b(?:regardless|irrespective|independent(?:ly)?)\s+of|\bignor(?:e|ing)|\bwhether\s+or\s+not"
    r"|\+/-|\u00b1)\s*(?:an?|any|the|in|on)?\s*\Z"
)
_EITHER_WAY = re.compile(r"\b(?:or|and/or)\s*(?:in\s+|of\s+)?\Z")


@dataclass(frozen=True, slots=True)
class Part:
    """A filter, and where in the query it was said; what denies it and what joins it are within."""

    filter: Filter
    span: tuple[int, int]


def filters_in(text: str) -> tuple[Part, ...]:
    """The filters that a query states, each with its span; none overlaps another.

    An age that is none, filters that no study can meet together, and a denial or an "or" that reaches one in
    a way that can't be told are refused.
    """
    low = _lowered(text)
    found = said_in(text)
    for part in found:
        _check_age(part.filter)
    told = _merged(low, [_denied(low, part, found) for part in found])
    _refuse_joined(low, told)
    check_filters([part.filter for part in told])
    return tuple(told)


def said_in(text: str) -> tuple[Part, ...]:
    """Each filter as it is said, in order, whatever denies or joins it; refuses nothing."""
    found: list[Part] = []
    for parts in _every(text, _lowered(text)):
        first = parts[0].span
        if all(first[1] <= one.span[0] or one.span[1] <= first[0] for one in found):
            found.extend(parts)
    return tuple(sorted(found, key=lambda part: part.span))


def check_filters(filters: Sequence[Filter]) -> None:
    """Refuse an age that is none, and filters that no study can meet together."""
    for one in filters:
        _check_age(one)
    for one, two in combinations(filters, 2):
        if one.name == two.name and _apart(one, two):
            raise XemplarError(
                f"the query asks for {one} and for {two}: no study is both",
                wanted="one of them" + (", or both with or between them" if one.values else ""),
            )


def _check_age(one: Filter) -> None:
    bounds = [bound for bound in (one.low, one.high) if bound is not None]
    if any(not 0 <= bound <= OLDEST for bound in bounds):
        raise XemplarError(f"an age of {max(bounds):g}", wanted=f"years, 0 to {OLDEST}")
    if len(bounds) == 2 and bounds[0] > bounds[1]:
        raise XemplarError(f"an age from {bounds[0]:g} to {bounds[1]:g}", wanted="the lower one first")


def _apart(one: Filter, two: Filter) -> bool:
    if bool(one.values) != bool(two.values):
        return False
    if not one.values:
        if one.negated or two.negated:
            return False
        low = max(each.low if each.low is not None else 0 for each in (one, two))
        return low > min(each.high if each.high is not None else OLDEST for each in (one, two))
    mine, theirs = ({value.casefold() for value in each.values} for each in (one, two))
    if one.negated != two.negated:
        return (mine if two.negated else theirs) <= (theirs if two.negated else mine)
    return not one.negated and one.name != "view" and not mine & theirs


# --- what is said -----


def _lowered(text: str) -> str:
    low = text.lower()
    return low if len(low) == len(text) else "".join(c.lower() if len(c.lower()) == 1 else c for c in text)


def _every(text: str, low: str) -> Iterator[list[Part]]:
    for match in _NAMED.finditer(text):
        value = match["bare"] if match["quoted"] is None else match["quoted"]
        one = ranged(match["name"], value)
        yield [Part(replace(one, negated=match["is"] == "!="), match.span())]
    for match in _AGE_AND_SEX.finditer(low):
        sex = Filter("sex", (match["sex"].upper(),), spoken=True)
        yield [Part(_age("range", match), match.span("one")), Part(sex, (match.end("one"), match.end()))]
    for pattern, kind in _AGES:
        for match in re.finditer(pattern, low):
            lasting, _, told = kind.rpartition(" ")
            if lasting and _is_length_of_time(low, match):
                continue
            yield [Part(_age(told, match), match.span())]
    for match in _SEX.finditer(low):
        yield [Part(Filter("sex", ("F" if match["f"] else "M",), spoken=True), match.span())]
    for match in _VIEW.finditer(low):
        yield _views(match)


def _is_length_of_time(low: str, match: re.Match[str]) -> bool:
    if _NO_AGE_BEFORE.search(low[: match.start()]) or _NO_AGE_AFTER.match(low, match.end()):
        return True
    return int(match["one"]) < _GROWN and re.match(rf"(?:{_OVER}|{_FROM})", match[0]) is not None


def _views(match: re.Match[str]) -> list[Part]:
    """One filter for views that "or" joins, one each for those that "and" does."""
    names = re.findall(_VIEW_NAME, match["views"])
    if re.search(r"\bor\b|/", match["views"]):
        return [Part(Filter("view", tuple(dict.fromkeys(names)), spoken=True), match.span())]
    ends = [at.end() for at in re.finditer(_VIEW_NAME, match["views"])]
    cuts = [match.start(), *(match.start("views") + end for end in ends[:-1]), match.end()]
    return [
        Part(Filter("view", (name,), spoken=True), span)
        for name, span in zip(names, pairwise(cuts), strict=True)
    ]


def _age(kind: str, match: re.Match[str]) -> Filter:
    one = float(match["one"])
    if kind == "range":
        two = match.groupdict().get("two")
        return Filter("age", low=one, high=one if two is None else float(two), spoken=True)
    bounds: dict[str, tuple[float | None, float | None]] = {
        "from": (one, None), "to": (None, one), "over": (one + 1, None), "under": (None, max(one - 1, 0)),
        "decade": (one, one + 9),
    }  # fmt: skip
    low, high = bounds[kind]
    return Filter("age", low=low, high=high, spoken=True)


# --- what reaches it -----


def _denied(low: str, part: Part, parts: Sequence[Part]) -> Part:
    """The filter complemented, where a denial reaches it; refused, where that can't be told."""
    start, end = part.span
    begin = max((at.end() for at in _STOPS.finditer(low, 0, start)), default=0)
    begin = min((at.start() for at in _DENIAL.finditer(low) if at.start() < begin <= at.end()), default=begin)
    lead = _LEAD.match(low, start, end)
    said = start if lead is None else lead.end()
    cues = [at for at in _DENIAL.finditer(low, begin, end) if at.end() <= said]
    after = _DENIED_AFTER.match(low, end)
    if _ANYHOW.search(low[:said]):
        raise _unclear(low[begin:end])
    if after is None and (loose := _LOOSE_AFTER.match(low, end)) is not None:
        raise _unclear(low[begin : loose.end()])
    if cues and (first := _listed(low, part, parts, begin=cues[-1].end())) is not None:
        if after is not None or len(cues) > 1:
            raise _unclear(low[begin : after.end() if after else end])
        return Part(_complement(part.filter), (cues[-1].start() if first else start, end))
    if cues and (_FOCUS.search(low, cues[-1].end(), start) or _is_listed_with(low, cues[-1], start)):
        raise _unclear(low[cues[-1].start() : end])
    if after is not None:
        return Part(_complement(part.filter), (start, after.end()))
    return part


def _is_listed_with(low: str, cue: re.Match[str], start: int) -> bool:
    """Whether a search's own denial reaches something else and, by "and", the filter that follows."""
    return EXCEPTS.fullmatch(cue[0]) is not None and _AND_END.search(low, cue.end(), start) is not None


def _listed(low: str, part: Part, parts: Sequence[Part], *, begin: int) -> bool | None:
    """Whether a denial that ends at `begin` reaches a filter as the first of a list; None if it doesn't."""
    between = [one for one in parts if begin <= one.span[0] < part.span[0]]
    if not between:
        return True if begin >= part.span[0] or _LIGHT.match(low, begin, part.span[0]) else None
    if not _LIGHT.match(low, begin, between[0].span[0]):
        return None
    for one, two in pairwise([*between, part]):
        gap = low[one.span[1] : two.span[0]]
        if not (_JOINED.match(gap) or _BOTH.match(gap)):
            if _LIGHT.match(gap):
                raise _unclear(low[begin : part.span[1]])
            return None
    return False


def _unclear(said: str) -> XemplarError:
    return XemplarError(
        f'unclear whom "{" ".join(said.split())}" leaves out',
        wanted='who is wanted, such as "in women", or who isn\'t, such as "not over 60"',
    )


def _complement(one: Filter) -> Filter:
    if one.negated:
        return replace(one, negated=False)
    if one.name == "age" and one.spoken and (one.low is None) != (one.high is None):
        if one.low is not None:
            return replace(one, low=None, high=max(one.low - 1, 0))
        return replace(one, low=(one.high or 0) + 1, high=None)
    return replace(one, negated=True)


def _merged(low: str, parts: Sequence[Part]) -> list[Part]:
    """Values of one facet that "or" joins become one filter, and so do both sexes that "and" joins."""
    merged: list[Part] = []
    for part in parts:
        last = merged[-1] if merged else None
        gap = low[last.span[1] : part.span[0]] if last else ""
        either = bool(_JOINED.match(gap))
        if last is None or last.filter.name != part.filter.name or not (either or _both(gap, last, part)):
            merged.append(part)
            continue
        if not part.filter.values or not last.filter.values:
            raise XemplarError(
                f"either {last.filter} or {part.filter}", wanted="one range of ages",
                remedy="ask for one after the other",
            )  # fmt: skip
        if last.filter.negated != part.filter.negated:
            raise _unclear(low[last.span[0] : part.span[1]])
        values = tuple(dict.fromkeys((*last.filter.values, *part.filter.values)))
        merged[-1] = Part(replace(last.filter, values=values), (last.span[0], part.span[1]))
    return merged


def _both(gap: str, one: Part, two: Part) -> bool:
    return one.filter.name == "sex" and one.filter.negated == two.filter.negated and bool(_BOTH.match(gap))


def _refuse_joined(low: str, parts: Sequence[Part]) -> None:
    """A filter that "or" joins to anything but a filter of its kind can't be kept."""
    for place, part in enumerate(parts):
        start, end = part.span
        after = re.match(r"[\s,]*(?:or|and/or)\b", low[end:])
        before = _EITHER_WAY.search(low[:start])
        held = [before and low[: before.start()].strip(" ,"), after and low[end + after.end() :].strip(" ,")]
        if any(held):
            near = parts[place + 1].span[1] if after and place + 1 < len(parts) else min(len(low), end + 20)
            said = low[max(0, before.start() - 20) if before else start : near]
            raise XemplarError(
                f'"or" between {part.filter} and something else ("{" ".join(said.split())}")',
                wanted="values of one facet between which or stands",
                remedy="ask for one after the other",
            )
