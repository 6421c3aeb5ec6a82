"""By which key two texts are equal."""

import hashlib

import pytest

from xemplar import report


@pytest.mark.parametrize(
    "twin",
    ["no pleural effusion", "NO  PLEURAL\nEFFUSION.", " No  pleural effusion!! ", "No pleural e\ufb00usion."],
)
def test_equal_texts_have_one_key(twin):
    assert report.text_key(twin) == report.text_key("No pleural effusion.")


def test_inner_punctuation_distinguishes():
    assert report.normalise("1.2 cm") != report.normalise("12 cm")


def test_text_key_is_the_start_of_a_sha256():
    assert report.text_key("Normal.") == hashlib.sha256(b"normal").hexdigest()[:16]
