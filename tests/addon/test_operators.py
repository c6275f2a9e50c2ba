"""The operators, called as a script would call them."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from phorhum_blender.addon import diagnosis, engine_process, measured  # noqa: E402
from phorhum_blender.addon.found import found  # noqa: E402
from phorhum_blender.addon.job import status  # noqa: E402
from phorhum_blender.addon.operators import PHORHUM_OT_reconstruct  # noqa: E402
from phorhum_blender.addon.scene import build as build_module  # noqa: E402
from phorhum_blender.engine.contracts import Request  # noqa: E402
from phorhum_blender.engine.errors import UserError  # noqa: E402
from phorhum_blender.worker.client import Client  # noqa: E402
from phorhum_blender.worker.protocol import Event  # noqa: E402
from tests.addon.snapshot import scene_state  # noqa: E402


def test_reconstruct_builds_the_whole_collection(client, photo):
    assert bpy.ops.phorhum.reconstruct(filepath=photo, resolution=64, height=1.7) == {"FINISHED"}
    collection = bpy.context.scene.collection.children["PHORHUM jo smith.png"]
    assert sorted(thing.type for thing in collection.objects) == ["CAMERA", "MESH"]
    assert [thing.type for thing in collection.children[0].objects] == ["LIGHT", "LIGHT"]
    assert bpy.context.object.type == "MESH" and bpy.context.selected_objects == [bpy.context.object]
    assert status.task is None and status.error == "" and "triangles" in status.result


def test_the_object_stores_its_request(client, photo):
    bpy.ops.phorhum.reconstruct(filepath=photo, resolution=64, height=1.7, person=1, box=(1, 2, 30, 40))
    stored = Request.from_json(json.loads(bpy.context.object["phorhum_request"]))
    assert stored == client.requests[0]
    assert stored == Request(photo=photo, resolution=64, height=1.7, person=1, box=(1.0, 2.0, 30.0, 40.0))


def test_photo_detail_is_on_unless_switched_off(client, photo):
    bpy.ops.phorhum.reconstruct(filepath=photo)
    bpy.ops.phorhum.reconstruct(filepath=photo, photo_detail=False)
    assert [request.photo_detail for request in client.requests] == [True, False]
    assert bpy.context.scene.phorhum.photo_detail is True
    bpy.ops.phorhum.reconstruct_again()
    assert client.requests[2].photo_detail is False


def test_a_known_tilt_goes_along_and_is_made_again(client, photo):
    bpy.ops.phorhum.reconstruct(filepath=photo, tilt_known=True, camera_tilt=0.1)
    bpy.ops.phorhum.reconstruct_again()
    assert [(request.tilt_known, request.camera_tilt) for request in client.requests] == [(True, 0.1)] * 2
    bpy.ops.phorhum.restore_settings()
    settings = bpy.context.scene.phorhum
    assert settings.tilt_known and settings.camera_tilt == pytest.approx(0.1)


def test_a_back_photo_goes_along_and_is_made_again(client, photo, tmp_path):
    back = tmp_path / "her back.png"
    back.touch()
    bpy.ops.phorhum.reconstruct(filepath=photo, back_photo=str(back), back_person=1)
    assert client.requests == [Request(photo=photo, back_photo=str(back), back_person=1)]
    bpy.ops.phorhum.reconstruct_again()
    assert client.requests[1] == client.requests[0]
    bpy.ops.phorhum.restore_settings()
    settings = bpy.context.scene.phorhum
    assert (settings.back_photo, settings.back_person) == (str(back), 1)
    assert str(back) not in diagnosis.diagnosis(bpy.context) and diagnosis.last.photos == (photo, str(back))
    settings.photo = "/somewhere/else.jpg"
    assert (settings.back_photo, settings.back_person) == ("", 0)  # the back was of the other photo's person


def test_a_missing_back_photo_is_an_error_before_any_work(client, photo, tmp_path):
    with pytest.raises(RuntimeError, match="There is no photo at .*none.jpg"):
        bpy.ops.phorhum.reconstruct(filepath=photo, back_photo=str(tmp_path / "none.jpg"))
    assert client.requests == []


def test_again_repeats_the_request_and_hides_the_old_person(client, photo):
    bpy.ops.phorhum.reconstruct(filepath=photo, resolution=64, whole_frame=True)
    old = bpy.context.object
    old.location.x = 2.0
    bpy.context.view_layer.update()
    bpy.ops.phorhum.reconstruct_again(resolution=128)
    new = bpy.context.object
    assert client.requests[1] == Request(photo=photo, resolution=128, whole_frame=True)
    assert new != old and new.location.x == 2.0
    assert old.users_collection[0].hide_viewport and old.users_collection[0].hide_render
    assert new.visible_get() and not old.visible_get()


@pytest.mark.parametrize(
    "last", [Event("error", text="No person was found.", cause="user"), Event("error", text="Killed.", cause="stopped")]
)
def test_an_error_is_one_sentence_and_leaves_the_scene_alone(client, photo, last):
    client.last = last
    before = scene_state()
    with pytest.raises(RuntimeError, match=last.text):
        bpy.ops.phorhum.reconstruct(filepath=photo)
    assert scene_state() == before
    assert status.error == last.text and status.task is None


def test_a_missing_photo_is_an_error_before_any_work(client, tmp_path):
    with pytest.raises(RuntimeError, match="There is no photo at"):
        bpy.ops.phorhum.reconstruct(filepath=str(tmp_path / "none.jpg"))
    with pytest.raises(RuntimeError, match="No photo was given"):
        bpy.ops.phorhum.reconstruct()
    assert client.requests == []


@pytest.mark.parametrize("step", ["make_mesh", "make_camera", "make_light_rig", "add_background", "_leave_edit_mode"])
def test_a_bug_anywhere_in_building_leaves_the_scene_alone(client, photo, monkeypatch, step):
    works = getattr(build_module, step)

    def fails(*arguments):
        works(*arguments)
        raise ZeroDivisionError("made up")

    monkeypatch.setattr(build_module, step, fails)
    bpy.ops.mesh.primitive_cube_add()
    bpy.ops.object.camera_add()
    bpy.context.scene.camera = bpy.context.object
    before = scene_state()
    with pytest.raises(RuntimeError, match=r"Unexpected error \(ZeroDivisionError: made up\).*engine\.log"):
        bpy.ops.phorhum.reconstruct(filepath=photo)
    assert scene_state() == before
    assert "in fails" in open(engine_process.log_path()).read()


def test_undo_takes_everything_back_in_one_step(client, photo):
    bpy.ops.ed.undo_push(message="before")
    before = scene_state()
    bpy.ops.phorhum.reconstruct("EXEC_DEFAULT", True, filepath=photo)
    assert bpy.context.object is not None
    bpy.ops.ed.undo()
    assert {**scene_state(), "screens": None} == {**before, "screens": None}


def test_a_cancelled_job_changes_nothing(client, photo):
    client.last = Event("error", text="Cancelled", cause="cancelled")
    before = scene_state()
    assert bpy.ops.phorhum.reconstruct(filepath=photo) == {"CANCELLED"}
    assert scene_state() == before
    assert status.error == ""


def test_edit_mode_is_left_before_building(client, photo):
    bpy.ops.mesh.primitive_cube_add()
    bpy.ops.object.mode_set(mode="EDIT")
    bpy.ops.phorhum.reconstruct(filepath=photo)
    assert bpy.context.mode == "OBJECT" and "phorhum_request" in bpy.context.object


def test_a_second_job_is_refused(client, photo):
    status.task = object()
    try:
        with pytest.raises(RuntimeError, match="Another job is running"):
            bpy.ops.phorhum.reconstruct(filepath=photo)
    finally:
        status.task = None


def test_no_request_survives_from_another_version(client, photo):
    bpy.ops.phorhum.reconstruct(filepath=photo)
    person = bpy.context.object
    person["phorhum_request"] = person["phorhum_request"].replace('"version": 1', '"version": 99')
    assert not bpy.ops.phorhum.reconstruct_again.poll()


def invoke(filepath, **given):
    """What the operator would reconstruct when invoked in a window, which does not exist in background."""
    taken = SimpleNamespace(
        filepath=filepath,
        properties=SimpleNamespace(is_property_set=given.__contains__),
        execute=lambda context: {"RUN"},
    )
    vars(taken).update(given)
    assert PHORHUM_OT_reconstruct.invoke(taken, bpy.context, None) == {"RUN"}
    return taken


def test_a_dropped_photo_becomes_the_panels_and_is_taken_as_the_panel_says(blender, photo):
    settings = bpy.context.scene.phorhum
    settings.photo = "/somewhere/else.jpg"
    settings.resolution, settings.person = 64, 3
    taken = invoke(photo, height=1.9)
    assert settings.photo_path() == photo
    assert (taken.resolution, taken.height) == (64, 1.9)
    assert taken.person == 0  # person 3 was of the other photo


def test_the_panels_own_photo_keeps_its_person(blender, photo):
    settings = bpy.context.scene.phorhum
    settings.photo = photo
    settings.person = 1
    assert invoke(photo).person == 1


def test_the_file_browsers_operator_reconstructs(client, photo):
    assert bpy.ops.phorhum.open_photo(filepath=photo) == {"FINISHED"}
    assert client.requests == [Request(photo=photo)]


@pytest.mark.parametrize(("name", "resolution"), [("DRAFT", 128), ("STANDARD", 256), ("HIGH", 384)])
def test_a_quality_is_a_resolution(blender, name, resolution):
    settings = bpy.context.scene.phorhum
    settings.resolution = 77
    assert settings.quality == "OTHER"
    settings.quality = "OTHER"
    assert settings.resolution == 77
    settings.quality = name
    assert (settings.resolution, settings.quality) == (resolution, name)


def test_people_are_found_with_the_detector_of_the_preferences(client, photo):
    bpy.context.scene.phorhum.photo = photo
    assert bpy.ops.phorhum.find_people() == {"FINISHED"}
    assert client.searches == [Request(photo=photo)]
    assert (found.photo, found.sizes) == (photo, [(100, 300), (60, 200)])
    assert status.result == "People found: 2"


def test_searching_says_why_it_cannot(client, tmp_path):
    with pytest.raises(RuntimeError, match="Choose a photo first"):
        bpy.ops.phorhum.find_people()
    bpy.context.scene.phorhum.photo = str(tmp_path / "none.jpg")
    with pytest.raises(RuntimeError, match="There is no photo at"):
        bpy.ops.phorhum.find_people()
    assert client.searches == []


def test_choosing_a_person_overrules_box_and_frame(client, photo):
    settings = bpy.context.scene.phorhum
    settings.photo, settings.box, settings.whole_frame, settings.mask = photo, (1, 2, 3, 4), True, photo
    bpy.ops.phorhum.choose_person(person=1)
    assert (settings.person, tuple(settings.box), settings.whole_frame) == (1, (0, 0, 0, 0), False)
    assert settings.mask == ""


def test_the_settings_of_a_person_come_back(client, photo):
    settings = bpy.context.scene.phorhum
    wanted = {"resolution": 64, "height": 1.8, "person": 2, "box": (1, 2, 30, 40), "photo_detail": False}
    bpy.ops.phorhum.reconstruct(filepath=photo, **wanted)
    assert settings.photo == ""
    assert bpy.ops.phorhum.restore_settings() == {"FINISHED"}
    assert settings.photo == photo
    assert {name: getattr(settings, name) for name in ("resolution", "person", "photo_detail")} == {
        "resolution": 64,
        "person": 2,
        "photo_detail": False,
    }
    assert tuple(settings.box) == (1, 2, 30, 40) and settings.height == pytest.approx(1.8)


def test_the_cost_of_a_run_is_remembered(client, photo):
    bpy.ops.phorhum.reconstruct(filepath=photo, resolution=64)
    assert measured.knowledge().runs == (measured.Run("cpu", 0, 64, 2.0, 4.0, 500.0),)


class TestWithARealChildProcess:
    """The operator against the worker's own client, with an engine that is quick and misbehaves on demand."""

    @pytest.fixture(autouse=True)
    def real_client(self, blender, fake_site, tmp_path, monkeypatch):
        client = Client(extra_paths=[fake_site], log_path=str(tmp_path / "engine.log"))
        monkeypatch.setattr(engine_process, "client", lambda: client)
        yield
        client.stop()

    def run(self, tmp_path, behaviour):
        photo = tmp_path / f"{behaviour}.jpg"
        photo.touch()
        return bpy.ops.phorhum.reconstruct(filepath=str(photo))

    def test_a_person_comes_out(self, tmp_path):
        assert self.run(tmp_path, "good") == {"FINISHED"}
        assert len(bpy.context.object.data.polygons) == 8
        assert np.isclose(max(v.co.z for v in bpy.context.object.data.vertices), 2.0)

    @pytest.mark.parametrize(
        "behaviour, sentence",
        [("nobody", "No person was found"), ("die", "stopped unexpectedly"), ("bug", "Unexpected error")],
    )
    def test_errors_leave_the_scene_alone(self, tmp_path, behaviour, sentence):
        before = scene_state()
        with pytest.raises(RuntimeError, match=sentence):
            self.run(tmp_path, behaviour)
        assert scene_state() == before

    def test_paths_may_hold_any_letters(self, tmp_path):
        folder = tmp_path / "Größe, 人物 и фото"
        folder.mkdir()
        assert self.run(folder, "good") == {"FINISHED"}
        assert Request.from_json(json.loads(bpy.context.object["phorhum_request"])).photo == str(folder / "good.jpg")

    def test_a_child_that_cannot_start_is_an_error(self, tmp_path, monkeypatch):
        client = Client(python=str(tmp_path / "no python"))
        monkeypatch.setattr(engine_process, "client", lambda: client)
        with pytest.raises(RuntimeError, match="could not be started"):
            self.run(tmp_path, "good")
        assert isinstance(status.error, str) and not isinstance(status.error, UserError)
