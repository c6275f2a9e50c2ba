"""Several reconstructions, one after the other, as one task of a job operator."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..engine.contracts import Request
from ..worker.protocol import Event
from .job import Task, sentence_of, status
from .translations import translate


class Batch:
    """Starts each request with ``start`` and hands what came of it to ``use``.

    Whatever goes wrong with one of them is told as a warning and does not stop the rest; cancelling does.
    """

    def __init__(
        self, requests: Sequence[Request], start: Callable[[Request], Task], use: Callable[[Any, Request], None]
    ):
        self.outcome: Event | None = None
        self.made = 0
        self._requests = requests
        self._start = start
        self._use = use
        self._number = 0  # of the request that runs or comes next
        self._job: Task | None = None
        self._latest: Any = None  # the job that runs or ran last

    def __len__(self) -> int:
        return len(self._requests)

    def poll(self) -> list[Event]:
        if self._job is None:
            return self._begin()
        told = [self._of_the_whole(event) for event in self._job.poll() if not event.last]
        return told + self._end(self._job, self._job.outcome) if self._job.outcome else told

    def wait(self, on_event: Callable[[Event], None]) -> Event:
        def tell(event: Event) -> None:
            if not event.last:
                on_event(self._of_the_whole(event))

        while self.outcome is None:
            events = self._begin() if self._job is None else self._end(self._job, self._job.wait(tell))
            for event in events:
                on_event(event)
        return self.outcome

    def cancel(self) -> None:
        if self._job:
            self._job.cancel()
        else:
            self.outcome = Event("error", text="Cancelled", cause="cancelled")

    def load_look(self) -> np.ndarray:
        """See :meth:`worker.client.Job.load_look`."""
        return self._latest.load_look()

    def _begin(self) -> list[Event]:
        status.look = False
        status.part = f"{self._number + 1}/{len(self)}"
        try:
            self._job = self._latest = self._start(self._requests[self._number])
        except Exception as error:
            return self._next([self._warning(sentence_of(error))])
        return []

    def _end(self, job: Task, outcome: Event) -> list[Event]:
        self._job = None
        if outcome.cause == "cancelled":
            self.outcome = outcome
            return [outcome]
        if outcome.kind == "error":
            return self._next([self._warning(outcome.text)])
        try:
            self._use(job, self._requests[self._number])
        except Exception as error:
            return self._next([self._warning(sentence_of(error))])
        self.made += 1
        return self._next([])

    def _next(self, told: list[Event]) -> list[Event]:
        self._number += 1
        if self._number == len(self):
            self.outcome = Event("done")
            return [*told, self.outcome]
        return told

    def _warning(self, sentence: str) -> Event:
        photo = os.path.basename(self._requests[self._number].photo)
        return Event("warning", text=f"{photo}: {translate(sentence)}")

    def _of_the_whole(self, event: Event) -> Event:
        if event.kind != "progress":
            return event
        return replace(event, fraction=(self._number + event.fraction) / len(self))
