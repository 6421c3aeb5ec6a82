"""A span is one contiguous stretch of its sentence that, read alone, says what it said inside it."""

import pytest

from xemplar.drafting.composition import ORDER, spans
from xemplar.findings import FINDINGS, read_claims
from xemplar.records import Sentence
from xemplar.sources import phantom

BY_HAND = (
    "The heart is mildly enlarged, and there is a small left pleural effusion.",
    "Cardiomegaly with pulmonary edema, but no pleural effusion or pneumothorax.",
    "No pleural effusion, pneumothorax, or consolidation.",
    "No focal consolidation, but possible atelectasis at the left base.",
    "Small left, moderate right pleural effusions.",
    "Left lower lobe opacity, atelectasis or pneumonia.",
    "There is no evidence of pneumothorax, with clear lungs; the heart is enlarged.",
    "Endotracheal tube tip 4 cm above the carina, nasogastric tube below the diaphragm.",
    "The heart, mediastinum and hila are normal.",
    "Right-sided effusion and consolidation, without pneumothorax.",
    "Lungs are clear without effusion, edema, or consolidation.",
    "Mild edema; bilateral effusions; unchanged cardiomegaly.",
    "with and without",
    ", ; and",
)


def sentence_of(text):
    return Sentence("id", text, ("s",), read_claims(text))


def drawn_sentences():
    from xemplar.report import sentences

    texts = {
        sentence
        for arrival in phantom.studies(120, seed=3)
        for part in (arrival.study.findings, arrival.study.impression)
        for sentence in sentences(part or "")
    }
    return sorted(texts)


SENTENCES = [sentence_of(text) for text in (*BY_HAND, *drawn_sentences())]


def meanings(claims):
    return {claim.meaning for claim in claims}


def test_the_whole_sentence_comes_first_with_its_own_claims():
    for sentence in SENTENCES:
        assert spans(sentence)[0] == ((0, len(sentence.text)), sentence.claims)


def test_a_part_read_again_says_what_it_said_in_its_sentence():
    parts = 0
    for sentence in SENTENCES:
        for (start, end), claims in spans(sentence)[1:]:
            inside = {c.meaning for c in sentence.claims if start <= c.span[0] and c.span[1] <= end}
            again = meanings(read_claims(sentence.text[start:end]))
            assert again == inside == meanings(claims) != set()
            parts += 1
    assert parts > 20


def test_a_part_cuts_through_no_claim():
    for sentence in SENTENCES:
        for (start, end), _ in spans(sentence):
            for claim in sentence.claims:
                outside = claim.span[1] <= start or claim.span[0] >= end
                assert outside or (start <= claim.span[0] and claim.span[1] <= end)


def test_a_part_begins_and_ends_at_whole_words():
    for sentence in SENTENCES:
        for (start, end), _ in spans(sentence):
            text = sentence.text
            assert 0 <= start < end <= len(text)
            assert text[start:end] == text[start:end].strip()
            assert start == 0 or text[start - 1].isspace()
            assert end == len(text) or text[end] in " ,;"


def test_longer_parts_come_first():
    for sentence in SENTENCES:
        lengths = [end - start for (start, end), _ in spans(sentence)]
        assert lengths == sorted(lengths, reverse=True)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("Cardiomegaly, with a small left pleural effusion.", "Cardiomegaly"),
        ("Mild edema; no pneumothorax.", "no pneumothorax."),
        ("The heart is enlarged, but there is no pleural effusion.", "there is no pleural effusion."),
        ("Left pleural effusion with adjacent atelectasis.", "Left pleural effusion"),
        ("Lungs: No edema.", "No edema."),
        ("2. Left effusion.", "Left effusion."),
    ],
)
def test_a_clause_that_says_the_same_alone_is_offered(text, part):
    assert part in [text[start:end] for (start, end), _ in spans(sentence_of(text))]


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("No pleural effusion, pneumothorax, or consolidation.", "pneumothorax"),
        ("No pleural effusion and pneumothorax.", "pneumothorax."),
        ("Possible edema, or pneumonia.", "or pneumonia."),
        ("No focal consolidation, edema, or pneumothorax.", "No focal consolidation, edema"),
        ("Left pleural effusion with adjacent atelectasis.", "adjacent atelectasis."),
        ("Pneumothorax: none.", "none."),
    ],
)
def test_a_part_that_would_say_something_else_alone_is_not(text, part):
    assert part not in [text[start:end] for (start, end), _ in spans(sentence_of(text))]


def test_the_order_of_a_report_names_every_finding_once():
    assert sorted(ORDER) == sorted(FINDINGS)
