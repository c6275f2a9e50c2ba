"""One job at a time, driven in two ways.

Invoked from the UI, an operator runs its job modally: a timer polls it, the panel shows it, Blender stays usable.
Called from a script or in background, where no timers run, the same job blocks until it ends.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import bpy

from ..engine.errors import UserError
from ..worker.client import log_bug
from ..worker.protocol import Event
from . import diagnosis, engine_process, thumbnails
from .translations import translate, words

POLL_SECONDS = 0.1
LOOK = "look"  # name of the picture of the person at work
LEAST_PACE = 0.1  # part of the whole that must be done before the time left is guessed


class Task(Protocol):
    """Work going on elsewhere, in a process or a thread; :class:`worker.client.Job` is one."""

    outcome: Event | None  # the last event ("done" or "error") once there is one

    def poll(self) -> list[Event]: ...

    def wait(self, on_event: Callable[[Event], None]) -> Event: ...

    def cancel(self) -> None: ...


@dataclass
class Status:
    """What the panel shows. Kept outside the scene, as it belongs neither into a file nor into an undo step."""

    task: Task | None = None  # the job that is running
    part: str = ""  # which of several photos is at work: "2/5"
    stage: str = ""
    look: bool = False  # whether the picture LOOK shows the person at work
    fraction: float = 0.0
    result: str = ""  # what the last job made
    warnings: list[str] = field(default_factory=list)  # of the last job
    error: str = ""  # why the last job failed
    _first: tuple[float, float] | None = None  # time and fraction of the first progress: before it, libraries load

    def begin(self, task: Task, stage: str) -> None:
        vars(self).update(vars(Status(task=task, stage=stage)))

    def note(self, event: Event) -> None:
        if event.kind == "stage":
            self.stage = event.text
        elif event.kind == "progress":
            self.fraction = min(max(event.fraction, 0.0), 1.0)
            self._first = self._first or (time.monotonic(), self.fraction)
        elif event.kind == "look":
            self.look = True
        elif event.kind == "warning":
            self.warnings.append(event.text)

    def seconds_left(self) -> float | None:
        """Guessed from the pace so far; None until there is one to speak of."""
        if self._first is None:
            return None
        began, start = self._first
        if self.fraction - start < LEAST_PACE:
            return None
        return (time.monotonic() - began) * (1.0 - self.fraction) / (self.fraction - start)

    def progress_line(self) -> str:
        """Stage, percent and time left, in the user's language."""
        line = f"{self.part}  {words(self.stage)}  {self.fraction:.0%}".lstrip()
        left = self.seconds_left()
        return line if left is None else f"{line}  {words('{} left').format(duration(left))}"

    def cancel(self) -> None:
        if self.task:
            self.stage = "Cancelling"
            self.task.cancel()

    def end(self, result: str = "", error: str = "") -> None:
        self.task, self.result, self.error = None, result, error


status = Status()


def duration(seconds: float) -> str:
    """A time for the eye: "8 s", "3 min"."""
    return f"{max(1, round(seconds))} s" if seconds < 100 else f"{round(seconds / 60)} min"


def runs_modal(operator: bpy.types.Operator) -> bool:
    """True where the user invoked ``operator`` in a window."""
    return operator.options.is_invoke and not bpy.app.background


class JobOperator:
    """Mixin for an operator that runs a job: gives ``execute``, ``modal`` and ``cancel``.

    The operator starts the task in :meth:`start_task` and uses what came of it in :meth:`finish`. Both may raise
    ``UserError``; any other exception is a bug and is logged.

    Not a generic class, though it could be: ``typing`` caches what is made of one, which keeps Blender's classes alive
    beyond Blender, and Python's exit then hangs in the ``bpy`` module.
    """

    first_stage: ClassVar = ""

    if TYPE_CHECKING:  # from bpy.types.Operator
        options: Any

        def report(self, level: set[str], message: str) -> None: ...

    def start_task(self, context: bpy.types.Context) -> Any:
        raise NotImplementedError

    def finish(self, context: bpy.types.Context, task: Any) -> str:
        """Returns the line that tells the user what was made."""
        raise NotImplementedError

    def execute(self, context: bpy.types.Context) -> set[str]:
        if status.task:
            self.report({"ERROR"}, words("Another job is running. Wait for it or cancel it first."))
            return {"CANCELLED"}
        try:
            self._task = self.start_task(context)
        except Exception as error:
            return self._fail(error)
        status.begin(self._task, self.first_stage)
        if runs_modal(self):
            return self._go_modal(context)
        return self._end(context, self._task.wait(self._on_event))

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if event.type == "ESC" and event.value == "PRESS":
            status.cancel()
            self._show(context)
            return {"RUNNING_MODAL"}
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        events = self._task.poll()
        for message in events:
            self._on_event(message)
        if self._task.outcome:
            self._leave_modal(context)
            return self._end(context, self._task.outcome)
        if events:
            self._show(context)
        return {"PASS_THROUGH"}

    def cancel(self, context: bpy.types.Context) -> None:
        """Blender ends the operator itself: another file is opened, the window or Blender is closed."""
        status.cancel()
        self._task.wait(lambda event: None)
        status.end()
        self._leave_modal(context)

    def _go_modal(self, context: bpy.types.Context) -> set[str]:
        manager = context.window_manager
        self._timer = manager.event_timer_add(POLL_SECONDS, window=context.window)
        manager.modal_handler_add(self)
        self._show(context)
        return {"RUNNING_MODAL"}

    def _leave_modal(self, context: bpy.types.Context) -> None:
        context.window_manager.event_timer_remove(self._timer)
        if context.workspace:
            context.workspace.status_text_set(None)
        _redraw(context)

    def _show(self, context: bpy.types.Context) -> None:
        context.workspace.status_text_set(f"{status.progress_line()}  {words('(ESC cancels)')}")
        _redraw(context)

    def _on_event(self, event: Event) -> None:
        if event.kind == "look":
            thumbnails.keep(LOOK, self._task.load_look())
        if status.stage != "Cancelling":
            status.note(event)
        if event.kind == "warning":
            self.report({"WARNING"}, translate(event.text))
        if event.kind == "stage" and bpy.app.background:
            print(f"PHORHUM: {event.text}", flush=True)

    def _end(self, context: bpy.types.Context, outcome: Event) -> set[str]:
        if outcome.cause == "cancelled" or status.stage == "Cancelling":
            status.end(result=words("Cancelled"))
            self.report({"INFO"}, words("Cancelled"))
            return {"CANCELLED"}
        try:
            if outcome.kind == "error":
                raise UserError(outcome.text)
            line = self.finish(context, self._task)
        except Exception as error:
            return self._fail(error)
        status.end(result=line)
        self.report({"INFO"}, line)
        return {"FINISHED"}

    def _fail(self, error: Exception) -> set[str]:
        sentence = sentence_of(error)
        status.end(error=sentence)
        diagnosis.last.error = sentence
        self.report({"ERROR"}, sentence)
        return {"CANCELLED"}


def sentence_of(error: Exception) -> str:
    """What the user is told of ``error``, in the user's language; a bug is logged."""
    return translate(str(error) if isinstance(error, UserError) else log_bug(error, engine_process.log_path()))


def _redraw(context: bpy.types.Context) -> None:
    for window in context.window_manager.windows:
        for area in window.screen.areas:
            if area.type in {"VIEW_3D", "PREFERENCES"}:
                area.tag_redraw()
