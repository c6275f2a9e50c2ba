"""The robustness suite's short form: the same checks with a few inputs each; ``make robustness`` is the long one."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import strategies as st

pytest.importorskip("torch")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc and sets limits as Linux has them")

from tests.robustness import lines, outputs, photos, rules, weights  # noqa: E402
from tests.robustness.__main__ import table  # noqa: E402
from tests.robustness.rules import READ, REFUSED, Fault, Tally, feed  # noqa: E402

COUNTS = {photos: 60, weights: 20, lines: 50, outputs: 40}


@pytest.fixture
def open_folder():
    """One that an ordinary user can reach; pytest's own can't be."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        yield Path(folder)


@pytest.mark.parametrize("part", COUNTS, ids=lambda part: part.__name__)
def test_every_input_is_a_clear_error_or_a_right_result(part, open_folder):
    count = COUNTS[part]
    tallies = part.run(count, 1, open_folder)
    for tally in tallies if isinstance(tallies, list) else [tallies]:
        assert not tally.fault, f"{tally.part}: {tally.fault}"
        assert tally.distinct > count / 10 and sum(tally.outcomes.values()) >= tally.distinct


def test_a_fault_is_told_with_its_input():
    def check(number: int) -> str:
        rules.must(number < 5, "five and more are wrong")
        return READ

    tally = feed("numbers", st.integers(0, 9), check, 200)
    assert "five and more are wrong" in tally.fault and "Failing test case" in tally.fault


@pytest.mark.parametrize(
    "sentence",
    ["Traceback (most recent call last).", "Unexpected error (KeyError).", "no", "two\nlines.", "It has no full stop"],
)
def test_what_is_no_clear_sentence_is_a_fault(sentence):
    with pytest.raises(Fault):
        rules.must_be_clear(sentence)


def test_a_file_left_behind_is_a_fault(tmp_path):
    with pytest.raises(Fault, match="left"), rules.nothing_left(tmp_path):
        (tmp_path / "left").touch()


def test_the_table_says_what_does_not_hold():
    good, bad = Tally("good", {REFUSED: 3}, 3), Tally("bad", fault="it fell over")
    text = "\n".join(table([good, bad]))
    assert "| good | 3 | clear error 3 | 0.0 |  | yes |" in text and "| NO |" in text and "it fell over" in text


def test_an_ordinary_user_may_not_write_into_a_locked_folder(open_folder):
    locked = open_folder / "locked"
    locked.mkdir(mode=0o555)
    with rules.as_ordinary_user(), pytest.raises(PermissionError):
        (locked / "file").touch()
    with rules.as_ordinary_user():
        (open_folder / "file").touch()
    assert os.listdir(locked) == []
