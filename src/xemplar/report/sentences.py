"""Text -> its sentences, as offsets.

Knows stops, abbreviations, units, lists and lines as radiology reports write them, in English and
neighbouring languages. Knows nothing of sections or meaning, and changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

Span = tuple[int, int]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# A full stop after one of these never ends a sentence but at the end of the text ...
_TITLES = _words(
    "dr drs mr mrs ms prof st vs e.g i.e cf viz eg ie dra sra srta mme mlle hr hrn fr dott sig z.b d.h "
    "u.a bzw ggf evtl inkl vgl v.a z.n s.o s.u p.ej p.ex aprox approx ca incl env"
)
_TITLES_ALONE = (["dr"], ["drs"], ["dra"], ["mr"], ["mrs"], ["ms"], ["prof"], ["sr"], ["sra"])
# ... after one of these only where a capital follows or nothing, after one of those unless a number does.
_TAILS = _words(
    "a.m p.m al etc jr sr inc resp dept min max temp hr hrs lat bilat ant post sup inf med prox dist rt "
    "lt pt pts hx dx tx rx abd esp poss prob assoc diff calc calcif mod sl neg pos prev comp approx yr "
    "yrs wk wks mo mos wt ht re li bds rechts.s izq dcho dcha der o.b i.s re li n.p m.d d.o r.n p.a ph.d "
    "ed vol dia diam resp"
)
_NUMBERED = _words(
    "fig figs no nos nr num im ser pg vol jan feb mar apr jun jul aug sep sept oct nov dec ext tel abb "
    "art seq img"
)
_UNITS = _words("cm mm ml cc kg mg in ft fr mgy kv kvp mas lb lbs deg hu sec hr hrs h yr yrs x")
# A number after one of these counts something: it is no item of a list.
_COUNTED = _words(
    "segment segments level levels grade stage type zone station phase image images series number no lead "
    "vertebra rib ribs page lobe day days version v level class category group line item figure part step "
    "code room pod post of to and or than x by about approximately measuring measures age aged at # = < > "
    "~ is was views"
)
_ORDINAL = _words(  # German: "die 5. Rippe", "am 12. Mai"
    "der die das des dem den am im vom zum zur bis und rechte rechten linke linken ab seit dorsale laterale"
)
_LETTERED_THINGS = _words(
    "hepatitis vitamin type grade class influenza group figure panel arrow point level view"
)
_BEFORE_INITIALS = _words("by and with from to per dr drs mr mrs ms prof doctor")
_OPENERS = _words(
    "the there no heart lungs lung this these cardiac bony degenerative normal stable mild small left "
    "right bilateral unchanged clear otherwise a an in on it if is as at minimal moderate large low "
    "interval new mediastinal pulmonary pleural both again since compared recommend findings visualized "
    "chest trachea aorta bones osseous soft overall"
)
_AFTER_UNIT = _words(
    "above below from in at of nodule nodular x by to and or proximal distal thick long wide diameter "
    "mass left right superior inferior with into calcified size lesion opacity within lateral medial "
    "cavity short"
)

_LIST_MARK = (
    r"(?:\(?\d{1,2}[.)],?(?!\d)|\(?[a-hA-H]\)"
    r"|[-*\u2022\u00b7\u2023\u25aa\u25cf\u25e6\u2013\u2014>]+|#\d{1,2}[.:)]?)"
)
_LABEL = r"[A-Z][A-Za-z]*(?:[ /&,-]{1,3}[A-Za-z]+){0,4}:(?=\s)"
_CLOSERS = r"[\"')\]\u201d\u2019\u00bb]*+"
# Begins with one set of letters, so that the search skips everything else.
_BREAK = re.compile(
    rf"[.!?\u2026\n(\d](?:"
    rf"(?<=\n)[ \t\r]*(?:(?P<blank>\n\s*)|(?P<item>(?={_LIST_MARK}[ \t]*\S))|(?P<label>(?={_LABEL})))"
    rf"|(?<=[.!?\u2026])(?<![.!?\u2026]{{2}})[.!?\u2026]*+{_CLOSERS}(?:(?P<stop>(?=\s|\Z))"
    r"|(?P<glued>(?=[A-Z][a-z]+[\s,]|[A-Z]{3,}\s|[A-Z]{1,4}\s[a-z]|[a-z]{2,}\s"
    r"|\(?\d{1,2}[.)](?:[A-Z]|\s+[A-Za-z]))))"
    r"|(?:(?<=\d)\d?|(?<=\()\d{1,2})[.)](?P<number>(?=\s*[A-Za-z])))"
)
_NEAR = 200
"""Letters before a number in which the words that lead to it are looked for."""

_AHEAD = 12
"""Letters after a stop that are looked at."""

_ITEM = 2000
"""Letters within which a list's second item follows its first."""

_SECOND = re.compile(r"(?<=[\s.;])\(?2[.)]\s*[A-Za-z]")
_MARK = re.compile(rf"\s*(?:{_LIST_MARK}(?:\s+(?=\S)|(?=[A-Za-z])))+")
_LETTERED = re.compile(r"\s*[A-Ha-h]\.[ \t]+(?=[A-Z])")
_FIRST_LETTERED = re.compile(r"(?:\A|\n)[ \t]*A\. ")
_BARE_MARK = re.compile(r"\s*\(?(?:\d{1,2}|[a-hA-H])")
_LAST_WORD = re.compile(r"[^\s(\[,;/\"]+\Z")
_WORD_BEFORE = re.compile(r"(\S+)\s+\S*\Z")
_NEXT_WORD = re.compile(r"\s*[\"'(\[]*([^\s,;:.)\]]*)")
_SPLIT_DECIMAL = re.compile(r"\s+\d{1,2}\s*(?:cm|mm|x|ml|mgy|%|-)\b|\s+\d{1,2}\s*%", re.IGNORECASE)
_ACRONYM = re.compile(r"[A-Z]{2,4}\s[a-z]")
_DOTTED = re.compile(r"(?:[^\W\d_]\.)+[^\W\d_]")


def split_sentences(text: str) -> tuple[Span, ...]:
    """Offsets [start, end) of the sentences of a text, in order, without outer blanks.

    Decimals, abbreviations, initials and what stands in brackets stay whole; a line break within a
    sentence does not end it, a blank line, a list item and a labelled line ("Heart: normal") do, and
    every line does where lines are all that parts a paragraph. Semicolons part nothing. The number or
    bullet of a list item is not part of its sentence. Pieces without a letter or digit are left out.
    """
    spans: list[Span] = []
    start = 0
    lettered = "\nB. " in text and _FIRST_LETTERED.search(text) is not None
    for cut in sorted({*_stops(text), *_line_breaks(text), len(text)}):
        if cut > start:
            new_line = start == 0 or "\n" in text[start - 1 : start + 1]
            mark = _LETTERED.match(text, start, cut) if lettered and new_line else None
            _append_sentence(spans, text, start=mark.end() if mark else start, end=cut)
            start = cut
    return tuple(spans)


def _stops(text: str) -> Iterator[int]:
    """Where sentences end by a stop, a blank line, or because a list item or a labelled line begins."""
    start, item = 0, 0
    for match in _BREAK.finditer(text):
        kind, end = match.lastgroup, match.end()
        if kind == "number":
            begin = match.start()
            number = int(match[0].strip("(.)"))
            if _begins_item(text, start, at=begin, numbers=(number, item)):
                start, item = begin, number
                yield begin
                continue
            if text[end - 1] != "." or text[end] not in " \t\r\n":
                continue
            if not _ends_sentence(text, start, at=end - 1, end=end):
                continue
        elif kind == "stop":
            if not _ends_sentence(text, start, at=match.start(), end=end):
                continue
        elif kind == "glued" and not _ends_glued(text, start, at=match.start(), end=end):
            continue
        start = end
        yield end


def sentences(text: str) -> tuple[str, ...]:
    """The sentences of a text, blanks and line breaks within collapsed: not for offsets."""
    return tuple(" ".join(text[start:end].split()) for start, end in split_sentences(text))


def _append_sentence(spans: list[Span], text: str, *, start: int, end: int) -> None:
    mark = _MARK.match(text, start, end)
    start = mark.end() if mark else start
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    if any(map(str.isalnum, text[start:end])):
        spans.append((start, end))


# --- lines and lists -----


def _line_breaks(text: str) -> list[int]:
    """Where lines end sentences: in paragraphs whose every line starts anew and where no stop does it."""
    found: list[int] = []
    if "\n" not in text:
        return found
    start = 0
    for paragraph in re.split(r"(\n[ \t\r]*\n)", text):
        lines = paragraph.split("\n")
        if len(lines) > 1 and paragraph.strip() and _is_list_of_lines([line.strip() for line in lines]):
            position = start
            for line in lines[:-1]:
                position += len(line) + 1
                found.append(position)
        start += len(paragraph)
    return found


_JOINERS = _words("and or the a an of with in on at to for from by no is are was were which that than as")


def _is_list_of_lines(lines: list[str]) -> bool:
    lines = [line for line in lines if line]
    if len(lines) < 2 or any(re.search(r"[.!?](?:\s|\Z)", line) for line in lines[:-1]):
        return False
    if not all(line[0].isupper() or line[0].isdigit() for line in lines):
        return False
    if any(len(line) > 60 or line[-1] in ",-/(&" for line in lines[:-1]):
        return False
    return not any(line.split()[-1].casefold() in _JOINERS for line in lines[:-1])


def _begins_item(text: str, start: int, *, at: int, numbers: tuple[int, int]) -> bool:
    """Whether a number before a stop begins an item of a list; `numbers` are its own and the last item's.

    It does where a sentence would begin; within run-on text where it counts on from the item before,
    or is the first of several, and the word before it is none that counts by it ("segment 2.").
    """
    number, item = numbers
    if at and text[at - 1] not in " \t\r\n.;)":
        return False
    before = text[max(start, at - _NEAR) : at].split()
    if not before:
        return not text[start:at].strip()
    if before[-1].casefold().rstrip(",:") in _COUNTED or before[-1][-1] in ",-":
        return False
    if number == 1:
        return len(before) < 4 or (item == 0 and _SECOND.search(text, at, at + _ITEM) is not None)
    return number == item + 1


# --- stops -----


def _ends_sentence(text: str, start: int, *, at: int, end: int) -> bool:
    """Whether the stop text[at:end] really ends the sentence that began at `start`."""
    following = _NEXT_WORD.match(text, end)
    word = following[1] if following else ""
    if _in_brackets(text, start, at=at, end=end):
        return False
    stop = text[at:end]
    if stop[0] != ".":
        return _question_ends(text, at, stop=stop, following=word)
    if stop.startswith("..."):
        return not word or not word[0].islower()
    if stop[1:2] in (".", "!", "?"):
        return True
    before = text[max(start, at - 64) : at]
    if _BARE_MARK.fullmatch(before):
        return False
    found = _LAST_WORD.search(before)
    if found is None:  # a stop set apart ends all but a title: "dr . garcia"
        return not word or before.casefold().split()[-1:] not in _TITLES_ALONE
    return _word_ends(found[0], word, before=before, after=text[end : end + _AHEAD])


def _ends_glued(text: str, start: int, *, at: int, end: int) -> bool:
    """Whether a full stop with no blank after it ends a sentence ("clear.Heart normal")."""
    before = text[max(start, at - 64) : at]
    found = _LAST_WORD.search(before)
    if found is None or text[at] != "." or end > at + 1:
        return False
    last, letter = found[0], text[end]
    if len(last) < 2 or "@" in last or last.casefold().startswith(("www", "http")):
        return False
    if letter.islower() and not (len(last) > 2 and last.isalpha() and last.islower()):
        return False
    shouts = letter.isupper() and text[end + 1 : end + 3].isupper() and not _ACRONYM.match(text, end)
    if shouts and not (len(last) > 2 and last.isupper()):
        return False
    if (letter.isdigit() or letter == "(") and not last[-1].isalpha() and last[-1] not in ")%":
        return False
    word = _NEXT_WORD.match(text, end)
    following = word[1] if word else ""
    return _word_ends(last, following, before=before, after=text[end : end + _AHEAD])


def _question_ends(text: str, at: int, *, stop: str, following: str) -> bool:
    """Whether a question mark, an exclamation mark or an ellipsis sign ends a sentence."""
    if not following:
        return True
    if stop[0] == "?" and (at == 0 or text[at - 1] in " \t\n("):  # "? pneumonia", "(?)"
        return False
    return not following[0].islower()


def _in_brackets(text: str, start: int, *, at: int, end: int) -> bool:
    """Whether a stop stands between brackets that open in its sentence and close soon."""
    opened = text.rfind("(", start, at)
    if opened < 0 or text.find(")", opened, end) >= 0:
        return False
    closed = text.find(")", end, end + 80)
    return closed >= 0 and text.find("(", end, closed) < 0


def _word_ends(last: str, following: str, *, before: str, after: str) -> bool:
    """Whether a full stop after the word `last`, before the word `following`, ends a sentence.

    `before` ends with the one, `after` is what stands next to the stop.
    """
    key = last.casefold().rstrip(")]\"'")
    if key in _TITLES:
        return not following
    if key in _NUMBERED:
        return not following[:1].isdigit()
    if key in _UNITS or key.lstrip("0123456789.,") in _UNITS:
        return _unit_ends(before, key, following)
    if key in _TAILS:
        return not following or following[0].isupper()
    if _DOTTED.fullmatch(last):
        return not following or (following[0].isupper() and len(before.split()) > 1)
    if last[-1].isdigit():
        return not _is_decimal_or_ordinal(last, before=before, after=after)
    if len(last) == 1 and last.isupper() and following[:1].isupper():
        return following.casefold() in _OPENERS or not _is_initial(before)
    if len(last) == 1 and last.isupper() and following[:1].islower():  # "S. aureus", not "hepatitis C. no"
        previous = _WORD_BEFORE.search(before)
        return previous is not None and previous[1].casefold() in _LETTERED_THINGS
    # "z. B.", "p. ej."
    return not (len(last) == 1 and last.isalpha() and re.match(r"\s?[a-z]\.", after[:3]))


def _unit_ends(before: str, key: str, following: str) -> bool:
    """Whether a stop after a unit ends a sentence ("2 cm. above the carina" goes on)."""
    counted = key[0].isdigit() or re.search(r"\d\s*\S*\Z", before) is not None
    if not counted or not following or following[0].isupper():
        return True
    return following.casefold() not in _AFTER_UNIT


def _is_decimal_or_ordinal(last: str, *, before: str, after: str) -> bool:
    """Whether the stop after a number is a decimal point set apart ("1. 5 cm") or an ordinal's."""
    if last.isdigit() and _SPLIT_DECIMAL.match(after):
        return True
    previous = _WORD_BEFORE.search(before)
    return last.isdigit() and previous is not None and previous[1].casefold() in _ORDINAL


def _is_initial(before: str) -> bool:
    """Whether the capital that ends `before` is an initial: a name leads to it from a title or "by"."""
    words = before.split()
    if len(words) < 2:  # the sentence opens with it
        return True
    for word in reversed(words[:-1]):
        if word.casefold().rstrip(".") in _BEFORE_INITIALS:
            return True
        if not word[0].isupper():
            return False
    return False
