"""The add-on in the ``bpy`` module, with jobs that end as a test wants."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

bpy = pytest.importorskip("bpy")

import phorhum_blender  # noqa: E402
from phorhum_blender.addon import engine_process  # noqa: E402
from phorhum_blender.addon.job import Status, status  # noqa: E402
from phorhum_blender.addon.scene.build import build  # noqa: E402
from phorhum_blender.engine.contracts import Request, Result  # noqa: E402
from phorhum_blender.worker.protocol import Event  # noqa: E402
from tests.addon import synthetic  # noqa: E402


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


class FakeClient:
    """Stands in for the worker's client. ``requests`` are those submitted."""

    def __init__(self, result: Result):
        self.result = result
        self.last = Event("done")
        self.requests: list[Request] = []

    def submit(self, request: Request) -> FakeJob:
        self.requests.append(request)
        stages = [Event("stage", text="Finding surface"), Event("progress", fraction=0.5)]
        return FakeJob([*stages, self.last], self.result)

    def stop(self) -> None:
        pass


@pytest.fixture
def blender() -> Iterator[None]:
    """An empty factory scene with the add-on registered."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    phorhum_blender.register()
    yield
    phorhum_blender.unregister()
    vars(status).update(vars(Status()))


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
