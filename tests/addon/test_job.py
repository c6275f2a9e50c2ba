"""The modal driver. There is no window in background, so Blender's part is played by stand-ins."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest

bpy = pytest.importorskip("bpy")

from phorhum_blender.addon import job  # noqa: E402
from phorhum_blender.addon.job import JobOperator, Status, duration, status  # noqa: E402
from phorhum_blender.worker.protocol import Event  # noqa: E402
from tests.addon.conftest import FakeJob  # noqa: E402
from tests.addon.window import Window  # noqa: E402


class Operator(JobOperator):
    first_stage = "Starting"

    def __init__(self, task):
        self.task = task
        self.reports = []
        self.finished = 0

    def start_task(self, context):
        return self.task

    def finish(self, context, task):
        self.finished += 1
        return "made it"

    def report(self, level, text):
        self.reports.append((level, text))


@pytest.fixture
def window(blender, monkeypatch):
    monkeypatch.setattr(job, "runs_modal", lambda operator: True)
    return Window()


def happen(kind, value="NOTHING"):
    return SimpleNamespace(type=kind, value=value)


STAGE, HALF, DONE = Event("stage", text="Encoding"), Event("progress", fraction=0.5), Event("done")


def test_a_modal_job_shows_its_stage_and_ends_once(window):
    operator = Operator(FakeJob([STAGE, HALF, DONE], None))
    assert operator.execute(window.context) == {"RUNNING_MODAL"}
    assert (window.timers, window.handlers) == (1, 1)
    assert operator.modal(window.context, happen("TIMER")) == {"PASS_THROUGH"}
    assert (status.stage, status.fraction) == ("Encoding", 0.5)
    assert window.status_text == "Encoding  50%  (ESC cancels)"
    assert operator.modal(window.context, happen("TIMER")) == {"FINISHED"}
    assert (operator.finished, window.timers, window.status_text, status.task) == (1, 0, None, None)
    assert status.result == "made it"


def test_escape_cancels_and_the_operator_stays_until_the_job_has_ended(window):
    task = FakeJob([STAGE, HALF, STAGE, HALF, DONE], None)
    operator = Operator(task)
    operator.execute(window.context)
    operator.modal(window.context, happen("TIMER"))
    assert operator.modal(window.context, happen("ESC", "PRESS")) == {"RUNNING_MODAL"}
    assert task.cancelled and status.stage == "Cancelling" and window.timers == 1
    assert operator.modal(window.context, happen("TIMER")) == {"CANCELLED"}
    assert (operator.finished, window.timers, status.task, status.error) == (0, 0, None, "")


def test_a_right_click_does_not_cancel(window):
    task = FakeJob([DONE], None)
    operator = Operator(task)
    operator.execute(window.context)
    assert operator.modal(window.context, happen("RIGHTMOUSE", "PRESS")) == {"PASS_THROUGH"}
    assert not task.cancelled


def test_the_cancel_button_cancels(window):
    task = FakeJob([STAGE, HALF, DONE], None)
    operator = Operator(task)
    operator.execute(window.context)
    assert bpy.ops.phorhum.cancel() == {"FINISHED"}
    assert task.cancelled
    assert operator.modal(window.context, happen("TIMER")) == {"CANCELLED"}


def test_a_result_that_comes_after_cancelling_is_not_used(window):
    class Late(FakeJob):
        def cancel(self):
            pass

    operator = Operator(Late([DONE], None))
    operator.execute(window.context)
    status.cancel()
    assert operator.modal(window.context, happen("TIMER")) == {"CANCELLED"}
    assert operator.finished == 0


def test_blender_ending_the_operator_ends_the_job(window):
    task = FakeJob([STAGE, HALF, DONE], None)
    operator = Operator(task)
    operator.execute(window.context)
    operator.cancel(window.context)
    assert task.cancelled and task.outcome is not None
    assert (window.timers, status.task) == (0, None)


def test_an_error_is_reported_and_kept_for_the_panel(window):
    operator = Operator(FakeJob([Event("error", text="Nobody there.", cause="user")], None))
    operator.execute(window.context)
    assert operator.modal(window.context, happen("TIMER")) == {"CANCELLED"}
    assert operator.reports == [({"ERROR"}, "Nobody there.")]
    assert status.error == "Nobody there."


def test_the_time_left_is_told_once_a_pace_is_known(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    progress = Status()
    assert progress.seconds_left() is None
    now[0] = 60.0  # libraries load
    progress.note(Event("progress", fraction=0.1))
    now[0] += 1
    progress.note(Event("progress", fraction=0.15))
    assert progress.seconds_left() is None
    now[0] += 9
    progress.note(Event("progress", fraction=0.6))
    assert progress.seconds_left() == pytest.approx(10 * 0.4 / 0.5)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "1 s"), (8.4, "8 s"), (99, "99 s"), (100, "2 min"), (600, "10 min")]
)
def test_durations_are_short(seconds, text):
    assert duration(seconds) == text


def test_a_new_job_forgets_the_last_one():
    progress = Status(result="made", warnings=["Blurred."], error="", fraction=0.7)
    progress.note(Event("progress", fraction=0.9))
    progress.begin(FakeJob([], None), "Starting")
    assert vars(progress) == {**vars(Status()), "task": progress.task, "stage": "Starting"}


def test_warnings_reach_the_user(window):
    operator = Operator(FakeJob([Event("warning", text="Blurred."), DONE], None))
    operator.execute(window.context)
    operator.modal(window.context, happen("TIMER"))
    assert ({"WARNING"}, "Blurred.") in operator.reports
    assert status.warnings == ["Blurred."]
