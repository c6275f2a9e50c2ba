"""The add-on in the ``bpy`` module, with jobs that end as a test wants."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

import phorhum_blender  # noqa: E402
from phorhum_blender.addon import diagnosis, engine_process, measured  # noqa: E402
from phorhum_blender.addon.found import found  # noqa: E402
from phorhum_blender.addon.job import status  # noqa: E402
from phorhum_blender.addon.scene.build import build  # noqa: E402
from phorhum_blender.engine.contracts import People, Request, Result  # noqa: E402
from phorhum_blender.worker.protocol import Event  # noqa: E402
from tests.addon import synthetic  # noqa: E402

sessions: list[pytest.Session] = []


def pytest_sessionfinish(session: pytest.Session) -> None:
    sessions.append(session)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Ends the process when all is told: after a USD export and a Cycles render, bpy's module waits for ever in its own
    clean-up at exit (a condition variable is destroyed while one of its threads waits on it; bpy 4.5.15)."""
    if sessions:
        config.get_terminal_writer().flush()
        os._exit(sessions[-1].exitstatus)


class FakeJob:
    """Tells ``events``, a few each time it is polled, then gives ``result``."""

    def __init__(self, events: list[Event], result: Result | None):
        self.outcome: Event | None = None
        self.cancelled = False
        self._events = list(events)
        self._result = result

    def poll(self) -> list[Event]:
        if self.cancelled:
            self._events = [Event("error", text="Cancelled", cause="cancelled")]
        told, self._events = self._events[:2], self._events[2:]
        if told and told[-1].last:
            self.outcome = told[-1]
        return told

    def wait(self, on_event: Callable[[Event], None]) -> Event:
        while self.outcome is None:
            for event in self.poll():
                on_event(event)
        return self.outcome

    def cancel(self) -> None:
        self.cancelled = True

    def load_result(self) -> Result:
        return self._result

    def load_mask(self) -> np.ndarray:
        mask = np.zeros((synthetic.CAMERA.height, synthetic.CAMERA.width), np.uint8)
        mask[100:400, 50:200] = 255
        mask[99, 50:200] = 128
        return mask

    def load_look(self) -> np.ndarray:
        picture = np.zeros((256, 256, 4), np.uint8)
        picture[0] = 255
        return picture

    def load_people(self) -> People:
        boxes = np.array([[10, 20, 110, 320], [200, 30, 260, 230.4]], np.float32)
        thumbnails = np.zeros((2, 8, 8, 4), np.uint8)
        thumbnails[0, 0] = 255  # the first row is white
        return People(boxes, thumbnails, thumbnails[0])


class FakeClient:
    """Stands in for the worker's client. ``requests`` are those submitted, ``searches`` those for people,
    ``masks`` those for masks."""

    def __init__(self, result: Result):
        self.result = result
        self.last = Event("done")
        self.requests: list[Request] = []
        self.searches: list[Request] = []
        self.masks: list[Request] = []
        self.running = False
        self.warning = ""

    def submit(self, request: Request) -> FakeJob:
        self.requests.append(request)
        return self._job()

    def find_people(self, request: Request) -> FakeJob:
        self.searches.append(request)
        return self._job()

    def find_mask(self, request: Request) -> FakeJob:
        self.masks.append(request)
        return self._job()

    def ask_devices(self) -> FakeJob:
        return FakeJob([replace(self.last, text=self.last.text or "cpu cuda")], None)

    def stop(self) -> None:
        self.running = False

    def _job(self) -> FakeJob:
        stages = [Event("stage", text="Finding surface"), Event("progress", fraction=0.5)]
        warnings = [Event("warning", text=self.warning)] if self.warning else []
        return FakeJob([*stages, *warnings, self.last], self.result)


@pytest.fixture
def blender(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty factory scene with the add-on registered, on a machine of which nothing is known."""
    monkeypatch.setattr(measured, "_path", lambda: tmp_path / "machine.json")
    bpy.ops.wm.read_factory_settings(use_empty=True)
    phorhum_blender.register()
    yield
    phorhum_blender.unregister()
    for kept in (status, found, diagnosis.last):
        vars(kept).update(vars(type(kept)()))


@pytest.fixture
def client(blender: None, monkeypatch: pytest.MonkeyPatch) -> FakeClient:
    fake = FakeClient(synthetic.blob(16, 24))
    monkeypatch.setattr(engine_process, "client", lambda: fake)
    return fake


@pytest.fixture
def photo(tmp_path: Path) -> str:
    """A photo of the size that the made-up camera has."""
    path = tmp_path / "jo smith.png"
    image = bpy.data.images.new("photo", synthetic.CAMERA.width, synthetic.CAMERA.height)
    image.filepath_raw, image.file_format = str(path), "PNG"
    image.save()
    bpy.data.images.remove(image)
    return str(path)


@pytest.fixture
def person(blender: None) -> bpy.types.Object:
    """A person with arms and legs, as a reconstruction leaves it: active and selected."""
    return build(bpy.context, synthetic.person(), Request(photo="jo.jpg")).object
