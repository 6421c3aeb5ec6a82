"""What a step took and needed: of this process and of those it waits for."""

import subprocess
import sys

import numpy as np

from xemplar.evaluation.benchmark.steps import Steps

MB = 2**20


def test_a_step_has_the_memory_that_it_needed_and_not_that_of_the_one_before():
    steps = Steps()
    with steps.step("large"):
        np.ones(200 * MB, np.uint8).sum()
    with steps.step("small"):
        np.ones(MB, np.uint8).sum()
    large, small = (row["peak_mb"] for row in steps.rows)
    assert large - small > 150


def test_a_process_that_is_waited_for_counts():
    steps = Steps()
    with steps.step("train"):
        subprocess.run([sys.executable, "-c", "bytearray(900 << 20)"], check=True)
    assert steps.rows[0]["peak_mb"] > 900


def test_training_that_was_done_before_a_failure_keeps_its_time(tmp_path):
    file = tmp_path / "run" / "train.json"
    with Steps(file).step("train"):
        pass
    file.write_text(file.read_text().replace('"seconds": 0.0', '"seconds": 90.0'))
    with Steps(file).step("train"):
        pass
    entry = Steps()
    for name in ("train", "index"):
        with entry.step(name):
            pass
    entry.taken(file)
    assert [row["seconds"] for row in entry.rows] == [90.0, 0.0]
