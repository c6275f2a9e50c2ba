"""Several photos: one person after the other, side by side; a bad one does not stop the rest."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

bpy = pytest.importorskip("bpy")

from phorhum_blender.addon import engine_process  # noqa: E402
from phorhum_blender.addon.batch import Batch  # noqa: E402
from phorhum_blender.addon.job import status  # noqa: E402
from phorhum_blender.addon.operators import PHORHUM_OT_reconstruct_photos  # noqa: E402
from phorhum_blender.addon.panel import PHORHUM_FH_photo  # noqa: E402
from phorhum_blender.engine.contracts import Request  # noqa: E402
from phorhum_blender.engine.errors import UserError  # noqa: E402
from phorhum_blender.worker.client import Client  # noqa: E402
from phorhum_blender.worker.protocol import Event  # noqa: E402
from tests.addon.conftest import FakeJob  # noqa: E402
from tests.addon.snapshot import scene_state  # noqa: E402

STAGE, HALF, DONE = Event("stage", text="Encoding"), Event("progress", fraction=0.5), Event("done")
NOBODY = Event("error", text="No person was found in the photo.", cause="user")
CANCELLED = Event("error", text="Cancelled", cause="cancelled")


@pytest.fixture
def real_client(blender, fake_site, tmp_path, monkeypatch):
    """The worker's own client, whose engine is quick and misbehaves by the photo's name."""
    client = Client(extra_paths=[fake_site], log_path=str(tmp_path / "engine.log"))
    monkeypatch.setattr(engine_process, "client", lambda: client)
    yield client
    client.stop()


def reconstruct(folder: Path, *behaviours: str):
    """Runs the operator on photos that make the fake engine behave so; each lies in a folder of its own."""
    files = []
    for number, behaviour in enumerate(behaviours):
        (folder / str(number)).mkdir()
        (folder / str(number) / f"{behaviour}.jpg").touch()
        files.append({"name": f"{number}/{behaviour}.jpg"})
    return bpy.ops.phorhum.reconstruct_photos(directory=str(folder), files=files, resolution=64)


def people():
    return [thing for thing in bpy.data.objects if "phorhum_request" in thing]


def test_each_photo_gets_a_collection_and_nobody_stands_in_another(real_client, tmp_path):
    assert reconstruct(tmp_path, "good", "good", "noisy") == {"FINISHED"}
    collections = bpy.context.scene.collection.children
    assert len(collections) == 3 and all(c.name.startswith("PHORHUM ") for c in collections)
    bpy.context.view_layer.update()
    edges = sorted(
        (min(xs), max(xs)) for xs in ([(p.matrix_world @ v.co).x for v in p.data.vertices] for p in people())
    )
    assert edges[0] == pytest.approx((-1, 1))  # the first stands where it was built
    assert all(left[1] < right[0] for left, right in zip(edges, edges[1:], strict=False))
    assert status.result.startswith("3 of 3 people made in")


def test_camera_and_lights_go_with_their_person(real_client, tmp_path):
    reconstruct(tmp_path, "good", "noisy")
    first, second = bpy.context.scene.collection.children
    moved = {
        round(b.location.x - a.location.x, 4)
        for a, b in zip(
            sorted(first.all_objects, key=lambda thing: thing.name),
            sorted(second.all_objects, key=lambda thing: thing.name),
            strict=True,
        )
    }
    assert len(moved) == 1 and moved.pop() > 2


def test_a_bad_photo_does_not_stop_the_rest(real_client, tmp_path):
    assert reconstruct(tmp_path, "nobody", "bug", "die", "good") == {"FINISHED"}
    assert len(people()) == 1
    assert status.result.startswith("1 of 4 people made in") and status.error == ""
    told = [warning.partition(": ") for warning in status.warnings]
    assert [photo for photo, _, _ in told] == ["nobody.jpg", "bug.jpg", "die.jpg"]
    for (_, _, sentence), words in zip(told, ["No person was found", "Unexpected", "stopped unexpected"], strict=True):
        assert words in sentence


def test_when_all_are_bad_it_is_an_error_and_the_scene_stays(real_client, tmp_path):
    before = scene_state()
    with pytest.raises(RuntimeError, match="No person could be made from any of these photos"):
        reconstruct(tmp_path, "nobody", "nobody")
    assert scene_state() == before
    assert len(status.warnings) == 2


def test_a_bug_in_building_one_does_not_stop_the_rest(client, photo, monkeypatch):
    places = iter([ZeroDivisionError("made up"), None])

    def place(built, right):
        fault = next(places)
        if fault:
            raise fault
        return 0.0

    monkeypatch.setattr("phorhum_blender.addon.operators.stand_beside", place)
    folder, _, name = photo.rpartition("/")
    bpy.ops.phorhum.reconstruct_photos(directory=folder, files=[{"name": name}, {"name": name}])
    assert status.result.startswith("1 of 2") and "ZeroDivisionError" in status.warnings[0]


def test_every_person_is_one_undo_step(client, photo):
    folder, _, name = photo.rpartition("/")
    bpy.ops.ed.undo_push(message="before")
    bpy.ops.phorhum.reconstruct_photos("EXEC_DEFAULT", True, directory=folder, files=[{"name": name}] * 2)
    for left in (1, 0):
        bpy.ops.ed.undo()
        assert len(people()) == left


def test_no_photo_is_an_error(client):
    with pytest.raises(RuntimeError, match="No photo was given"):
        bpy.ops.phorhum.reconstruct_photos()
    assert client.requests == []


def test_the_file_browser_gives_many(client, photo):
    folder, _, name = photo.rpartition("/")
    bpy.ops.phorhum.open_photo(filepath=photo, directory=folder, files=[{"name": name}] * 2)
    assert client.requests == [Request(photo=photo)] * 2


def test_many_dropped_photos_are_taken_as_the_panel_says(blender):
    assert PHORHUM_FH_photo.bl_import_operator == PHORHUM_OT_reconstruct_photos.bl_idname
    bpy.context.scene.phorhum.resolution = 64
    taken = SimpleNamespace(
        files=["one", "two"],
        properties=SimpleNamespace(is_property_set=lambda name: name == "height"),
        height=1.9,
        execute=lambda context: {"RUN"},
    )
    assert PHORHUM_OT_reconstruct_photos.invoke(taken, bpy.context, None) == {"RUN"}
    assert (taken.resolution, taken.height) == (64, 1.9)


def test_one_dropped_photo_is_taken_by_the_operator_for_one(client, photo):
    dropped = SimpleNamespace(files=["one"], _paths=lambda: [photo])
    assert PHORHUM_OT_reconstruct_photos.invoke(dropped, bpy.context, None) == {"FINISHED"}
    assert client.requests == [Request(photo=photo)] and "triangles" in status.result


def run(jobs: list[FakeJob | Exception], used: list[str]) -> Batch:
    def start(request):
        job = jobs.pop(0)
        if isinstance(job, Exception):
            raise job
        return job

    requests = [Request(f"{number}.jpg") for number in range(len(jobs))]
    return Batch(requests, start, lambda job, request: used.append(request.photo))


def drive(batch: Batch, modal: bool) -> list[Event]:
    events: list[Event] = []
    if modal:
        while not batch.outcome:
            events += batch.poll()
    else:
        batch.wait(events.append)
    return events


@pytest.mark.parametrize("modal", [True, False])
def test_polled_or_waited_for_it_tells_the_same(modal):
    used: list[str] = []
    batch = run([FakeJob([STAGE, HALF, DONE], None), UserError("No."), FakeJob([HALF, NOBODY], None)], used)
    events = drive(batch, modal)
    assert [round(event.fraction, 3) for event in events if event.kind == "progress"] == [0.167, 0.833]
    assert [event.text for event in events if event.kind == "warning"] == ["1.jpg: No.", f"2.jpg: {NOBODY.text}"]
    assert events[-1] == batch.outcome == DONE
    assert (used, batch.made, len(batch)) == (["0.jpg"], 1, 3)


@pytest.mark.parametrize("modal", [True, False])
def test_a_cancelled_job_cancels_the_rest(modal):
    used: list[str] = []
    batch = run([FakeJob([DONE], None), FakeJob([CANCELLED], None), FakeJob([DONE], None)], used)
    assert drive(batch, modal)[-1] == batch.outcome == CANCELLED
    assert used == ["0.jpg"]


def test_cancelling_before_the_first_starts_nothing():
    batch = run([FakeJob([DONE], None)], [])
    batch.cancel()
    assert batch.outcome == CANCELLED and batch.wait(lambda event: None) == CANCELLED


def test_the_panel_tells_which_photo_is_at_work():
    batch = run([FakeJob([DONE], None), FakeJob([STAGE, HALF, DONE], None)], [])
    while batch.made == 0:
        batch.poll()
    batch.poll()
    assert status.part == "2/2"
    status.stage, status.fraction = "Encoding", 0.5
    assert status.progress_line() == "2/2  Encoding  50%"
    status.end()
