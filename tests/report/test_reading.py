"""What one call says of a report."""

from xemplar import report

TEXT = """FINAL REPORT
 INDICATION:  Cough.

 COMPARISON:  ___.

 FINDINGS:  PA and lateral views were obtained. Sin derrame pleural derecho. The heart is
 normal.

 IMPRESSION:
 1. Stable nodule.
 2. Recommend CT in 3 months.

 NOTIFICATION:  Called at 5 pm.
"""


def told(**wanted):
    read = report.read_report(TEXT)
    return [read.words(one) for one in read.sentences if all(getattr(one, k) == v for k, v in wanted.items())]


def test_sentences_stand_in_their_sections():
    assert told(section="findings") == [
        "PA and lateral views were obtained.",
        "Sin derrame pleural derecho.",
        "The heart is normal.",
    ]


def test_offsets_are_into_the_whole_text():
    one = next(one for one in report.read_report(TEXT).sentences if one.compares_with_prior)
    assert TEXT[one.start : one.end] == "Stable nodule."


def test_boilerplate_is_told():
    assert told(boilerplate=True, section="impression") == ["Recommend CT in 3 months."]


def test_a_notice_is_boilerplate_whatever_it_says():
    assert told(boilerplate=True, section="notification") == ["Called at 5 pm."]


def test_a_sentence_in_another_language_is_told_apart():
    assert told(language="es") == ["Sin derrame pleural derecho."]


def test_the_report_is_in_the_language_of_most_of_it():
    assert report.read_report(TEXT).language == "en"


def test_a_sentence_without_a_sign_takes_the_language_of_the_report():
    read = report.read_report("Kein Pleuraerguss, Herz nicht verbreitert. Thorax normal.")
    assert [one.language for one in read.sentences] == ["de", "de"]


def test_sections_in_order_make_one_text():
    assert (
        report.read_report("FINDINGS: a b.\nADDENDUM: x\nFINDINGS: c d.").section_text("findings")
        == "a b.\nc d."
    )


def test_an_empty_report_has_nothing():
    read = report.read_report(" \n")
    assert (read.sections, read.sentences, read.language) == ((), (), None)
