"""What a reconstruction will cost is scaled from what the last ones did cost."""

from __future__ import annotations

import sys

import pytest

pytest.importorskip("bpy")

from phorhum_blender.addon import measured  # noqa: E402
from phorhum_blender.addon.measured import Cost, Knowledge, Run  # noqa: E402
from phorhum_blender.engine.contracts import Request  # noqa: E402
from tests.addon.synthetic import REPORT  # noqa: E402

RUN = Run("cpu", 0, 256, seconds=2.0, growing_seconds=4.0, memory_mb=500.0)


@pytest.fixture(autouse=True)
def nothing_known(tmp_path, monkeypatch):
    monkeypatch.setattr(measured, "_path", lambda: tmp_path / "machine.json")
    measured.forget()
    yield
    measured.forget()


def test_a_run_is_read_from_the_engines_report():
    assert Run.of(Request("a.jpg"), REPORT) == RUN


def test_nothing_is_expected_before_something_was_measured():
    assert measured.knowledge() == Knowledge(("cpu",), ())
    assert Knowledge().expected(256, "cpu", 0) is None


@pytest.mark.parametrize(("resolution", "seconds", "memory"), [(256, 6, 500), (128, 3, 468), (512, 18, 628)])
def test_time_grows_with_the_square_of_the_resolution_but_for_a_fixed_part(resolution, seconds, memory):
    cost = Knowledge(runs=(RUN,)).expected(resolution, "cpu", 0)
    assert cost.seconds == pytest.approx(seconds) and cost.memory_mb == pytest.approx(memory, abs=1)


@pytest.mark.parametrize(("device", "threads"), [("cuda", 0), ("cpu", 2)])
def test_other_devices_and_threads_tell_nothing(device, threads):
    assert Knowledge(runs=(RUN,)).expected(256, device, threads) is None


def test_the_middle_of_the_last_runs_counts():
    slow = Run("cpu", 0, 128, 20.0, 90.0, 480.0)  # while the machine was busy with something else
    known = Knowledge(runs=(slow,) * 9 + (RUN, RUN, slow, RUN, slow))
    assert known.expected(256, "cpu", 0).seconds == 6
    assert Knowledge(runs=(RUN, slow)).expected(128, "cpu", 0).seconds == pytest.approx((3 + 110) / 2)


def test_more_cells_never_seem_cheaper():
    slow = Run("cpu", 0, 128, 20.0, 90.0, 480.0)
    costs = [Knowledge(runs=(RUN, slow)).expected(resolution, "cpu", 0) for resolution in (64, 128, 256, 384)]
    for measure in ("seconds", "memory_mb"):
        values = [getattr(cost, measure) for cost in costs]
        assert values == sorted(values)


def test_the_peak_of_an_earlier_larger_run_does_not_count():
    swollen = Run("cpu", 0, 256, 2.0, 4.0, 900.0)
    assert Knowledge(runs=(RUN, swollen)).expected(256, "cpu", 0).memory_mb == 500


def test_unknown_memory_stays_unknown():
    assert Knowledge(runs=(Run("cpu", 0, 256, 1.0, 1.0, 0.0),)).expected(512, "cpu", 0) == Cost(5.0, 0.0)


def test_knowledge_survives_the_session_and_old_runs_are_dropped(tmp_path):
    measured.remember_devices(["cpu", "cuda"])
    for number in range(measured.KEPT_RUNS + 5):
        measured.remember_run(Run("cpu", number, 256, 1.0, 1.0, 1.0))
    kept = measured.knowledge()
    measured.forget()
    assert measured.knowledge() == kept
    assert kept.devices == ("cpu", "cuda")
    assert [run.threads for run in kept.runs] == list(range(5, measured.KEPT_RUNS + 5))
    assert [path.name for path in tmp_path.iterdir()] == ["machine.json"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"devices": ["cpu"], "runs": [{"speed": 1}]}', "\x00"])
def test_a_damaged_file_is_as_good_as_none(tmp_path, text):
    (tmp_path / "machine.json").write_text(text)
    assert measured.knowledge() == Knowledge()


def test_a_file_that_cannot_be_written_costs_nothing_else(tmp_path, monkeypatch):
    monkeypatch.setattr(measured, "_path", lambda: tmp_path / "absent" / "machine.json")
    measured.remember_run(RUN)
    assert measured.knowledge().runs == (RUN,)


@pytest.mark.skipif(sys.platform == "win32", reason="limits the size of files as POSIX does")
def test_a_full_disk_costs_the_measurement_and_leaves_no_file(tmp_path, monkeypatch):
    import resource

    monkeypatch.setattr(measured, "_path", lambda: tmp_path / "machine.json")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]))
    try:
        measured.remember_devices(["cpu", "cuda"])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []
    assert measured.knowledge().devices == ("cpu", "cuda")
