"""What `xemplar benchmark` refuses before it draws or trains anything, each in one line."""

import pytest
from commands import refused

from xemplar.folders import writing

MISTAKES = [
    (("--size", "huge"), "--size: Input should be"),
    (("--seeds", "1,b"), "--seeds 'b'"),
    (("--seeds", "1,1"), "each once"),
    (("--recipes", "xray"), "no recipe 'xray'"),
    (("--recipes", "captions", "--size", "published"), "no size 'published'"),
    (("--model", "xrem=somewhere"), "a recipe's name"),
    (("--model", "chance=somewhere"), "a floor's name"),
    (("--model", "theirs=nowhere"), "no such folder"),
    (("--predictions", "said.jsonl"), "wanted NAME=VALUE"),
    (("--table",), "no plan.json"),
    (("--corpus", "nowhere"), "no such corpus folder"),
]


@pytest.mark.parametrize(("options", "said"), MISTAKES)
def test_a_mistake_is_told_and_nothing_is_drawn(tmp_path, options, said):
    assert said in refused("benchmark", tmp_path / "out", *options)
    assert not (tmp_path / "out" / "corpora").exists()


def test_a_name_given_twice_is_refused(tmp_path):
    said = refused("benchmark", tmp_path / "out", "--model", "a=x", "--model", "a=y")
    assert "--model: a name given twice" in said


def test_a_folder_that_is_written_to_is_refused(tmp_path):
    with writing(tmp_path / "out"):
        assert "another process is writing here" in refused("benchmark", tmp_path / "out")
    assert not (tmp_path / "out" / "plan.json").exists()
