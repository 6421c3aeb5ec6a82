"""Every sentence of every book, read by the findings engine: what is meant is what is heard."""

import re
from functools import cache
from itertools import islice

import pytest
from phantom_phrases import SITE_A, SITE_B, added, comparing, plain, region, rendered

from xemplar.findings import FINDINGS, read_claims
from xemplar.report import compares_with_prior, points_elsewhere, sentences
from xemplar.sources.phantom.readers import DE, ES, habit
from xemplar.sources.phantom.slips import slips
from xemplar.sources.phantom.words import KEYS, REGIONS

# A finding under another's word: CheXpert files these under Lung Opacity, and so does the engine.
OTHERWISE = {
    "airspace opacity": ("Consolidation", "Lung Opacity"),
    "airspace disease": ("Consolidation", "Lung Opacity"),
    "opacification": ("Consolidation", "Lung Opacity"),
}
# What the engine hears besides.
EXTRAS = {
    "may represent consolidation": {("Lung Opacity", "present")},
    "lungs clear": {("Lung Opacity", "absent")},
    "clear lungs": {("Lung Opacity", "absent")},
    "lungs are clear": {("Lung Opacity", "absent")},
    "lungs were clear": {("Lung Opacity", "absent")},
    "lung fields are clear": {("Lung Opacity", "absent")},
    "lung fields clear": {("Lung Opacity", "absent")},
    "mediastin": {("Enlarged Cardiomediastinum", "absent")},
}
ENGLISH = SITE_A + SITE_B
every_reader = pytest.mark.parametrize("reader", ENGLISH, ids=lambda reader: reader.name)


TOLD = {r.name: [*plain(r), *islice(added(r), 0, None, 4)] for r in (*ENGLISH, ES, DE)}
COMPARED = {r.name: list(comparing(r)) for r in (*ENGLISH, ES, DE)}


def told(reader):
    """Everything but comparisons, and every fourth addendum."""
    return TOLD[reader.name]


def compared(reader):
    return COMPARED[reader.name]


@cache
def heard(sentence):
    return {(claim.finding, claim.presence) for claim in read_claims(sentence) if claim.finding in FINDINGS}


def meant(text, says):
    low = text.lower()
    swapped = {one: two for words, (one, two) in OTHERWISE.items() if words in low}
    wanted = {(swapped.get(finding, finding), presence) for finding, presence in says.items()}
    return wanted.union(*(extra for words, extra in EXTRAS.items() if words in low))


def labelled(reader, key, text, *, says):
    """As it stands in a report: alone, and behind its region's label where the reader has labels."""
    label = reader.labels.get(region(key, says))
    return [text, f"{label}: {text}"] if label and not text.startswith("ADDENDUM") else [text]


@every_reader
def test_what_is_meant_is_heard(reader):
    for key, text, says, _ in told(reader):
        for written in labelled(reader, key, text, says=says):
            assert heard(written) == meant(text, says), (key, written)


@every_reader
def test_a_comparison_is_heard_as_it_is_meant(reader):
    for key, text, says, _ in compared(reader):
        for written in labelled(reader, key, text, says=says):
            assert heard(written) == meant(text, says), (key, written)


@every_reader
def test_the_side_is_heard(reader):
    for key, text, says, side in told(reader) + compared(reader):
        if side is None:
            continue
        sides = {claim.side for claim in read_claims(text) if claim.finding in meant_findings(text, says)}
        if side == "bilateral" and sides == {"left", "right"}:
            continue  # "small on the right and moderate on the left": a claim for each
        # A pacemaker's leads have no side, or that of the right atrium.
        allowed = {side, None, "right"} if key == "pacemaker" else {side}
        assert side in sides <= allowed, (key, text)


def meant_findings(text, says):
    return {finding for finding, _ in meant(text, says)}


@every_reader
def test_only_a_comparing_sentence_compares(reader):
    assert all(compares_with_prior(text) for _, text, _, _ in compared(reader))
    others = [text for _, text, _, _ in told(reader) if compares_with_prior(text)]
    assert others == []


@every_reader
def test_a_change_is_heard(reader):
    for key, text, _, _ in compared(reader):
        if key in ("unchanged", "increased", "decreased", "resolved", "new"):
            changes = {claim.change for claim in read_claims(text)}
            # "Was not evident before" and "no longer evident" are heard in the presence alone.
            assert changes <= {key, None} | ({"new"} if key == "new" else set()), (key, text)


@every_reader
def test_every_phrase_is_one_sentence(reader):
    for _, text, _, _ in told(reader) + compared(reader):
        assert len(sentences(text)) == 1


@every_reader
def test_only_lines_about_devices_point_elsewhere(reader):
    keys = {key for key, text, _, _ in told(reader) + compared(reader) if points_elsewhere(text)}
    assert keys <= {"impression devices", "notice"}


@every_reader
def test_no_slip_claims_anything_else(reader):
    for _, text, _, _ in told(reader) + compared(reader):
        for wrong in slips(text):
            assert heard(wrong) <= heard(text), (text, wrong)


@every_reader
def test_no_slip_touches_a_side(reader):
    for _, text, _, _ in told(reader) + compared(reader):
        right = [word.lower() for word in re.findall(r"\b(?:right|left|bilateral)\b", text, re.IGNORECASE)]
        for wrong in slips(text):
            assert [
                w.lower() for w in re.findall(r"\b(?:right|left|bilateral)\b", wrong, re.IGNORECASE)
            ] == right


@every_reader
def test_no_slip_makes_or_hides_a_comparison(reader):
    for _, text, _, _ in told(reader) + compared(reader):
        assert all(compares_with_prior(wrong) == compares_with_prior(text) for wrong in slips(text))


def test_a_slip_is_one_letter_or_one_blank():
    for _, text, _, _ in TOLD["A4"][::7]:
        for wrong in slips(text):
            assert wrong != text
            assert abs(len(wrong) - len(text)) <= 1
            assert sorted(set(wrong.lower()) - set(text.lower())) == []


def test_few_phrases_of_site_b_say_a_finding_in_anothers_words():
    phrases = [text for reader in SITE_B for variants in reader.book.values() for text in variants]
    assert sum(any(words in text for words in OTHERWISE) for text in phrases) == 2


@pytest.mark.parametrize("reader", [*ENGLISH, ES, DE], ids=lambda reader: reader.name)
def test_every_book_has_every_key(reader):
    assert set(reader.book) >= KEYS
    optional = {"nothing at all", "normal", "technique", "technique one"}
    assert {key for key in set(reader.book) - KEYS - optional if not key.startswith("impression ")} == set()
    assert all(isinstance(variants, tuple) for variants in reader.book.values())
    assert sorted(reader.order) == sorted(REGIONS)
    assert set(reader.labels) in (set(), set(REGIONS))


def test_no_sentence_is_of_two_sites():
    one, two = ({text for reader in site for _, text, _, _ in plain(reader)} for site in (SITE_A, SITE_B))
    assert one & two == set()


@pytest.mark.parametrize("reader", [ES, DE], ids=lambda reader: reader.name)
def test_no_english_word_stays_in_another_language(reader):
    written = [text for _, text, _, _ in told(reader) + compared(reader)]
    english = re.compile(
        r"\b(?:right|left|bilateral (?=[a-z]* *effusion)|upper|mid|lower|small|large|mild|severe|faint|patchy"
        r"|dense|marked|mildly|zone|lobe|the|with|no evidence)\b|[{}]|  ",
        re.IGNORECASE,
    )
    assert [text for text in written if english.search(text)] == []


def test_readers_of_a_site():
    assert [habit("A", reader, foreign=False).name for reader in (1, 2, 3, 4)] == ["A1", "A2", "A3", "A4"]
    assert {habit("B", reader, foreign=False).name for reader in (1, 2, 3, 4)} == {"B1", "B2", "B3"}
    assert habit("A", 1, foreign=True).tongue.language == "es"
    assert habit("B", 1, foreign=True).tongue.language == "de"


def test_rendering_fills_every_slot():
    for reader in ENGLISH:
        assert not any("{" in text for _, text, _, _ in told(reader) + compared(reader))
    assert next(rendered(SITE_A[0], "no air", {})) == "There is no pneumothorax."
