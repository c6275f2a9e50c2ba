"""The operators on a person, called as a script would call them."""

from __future__ import annotations

import pytest

bpy = pytest.importorskip("bpy")

from phorhum_blender.addon import edit_operators  # noqa: E402
from phorhum_blender.addon.scene.build import JOINTS_KEY, build  # noqa: E402
from phorhum_blender.addon.scene.look import current_look  # noqa: E402
from phorhum_blender.engine.contracts import Request  # noqa: E402
from tests.addon import synthetic  # noqa: E402
from tests.addon.snapshot import scene_state  # noqa: E402

CALLS = {
    "show": {"look": "Shaded"},
    "toggle_light_rig": {},
    "bake_texture": {"size": "1024"},
    "decimate": {"triangles": 2000},
    "remesh": {"kind": "VOXEL", "voxel": 0.03},
    "add_rig": {},
}


def call(name, *arguments, **values):
    return getattr(bpy.ops.phorhum, name)(*arguments, **{**CALLS.get(name, {}), **values})


def state_in_names():
    """The scene's state without pointers, which no undo keeps."""
    return {key: getattr(value, "name", value) for key, value in scene_state().items() if key != "screens"}


@pytest.mark.parametrize("name", CALLS)
def test_each_is_one_undo_step(person, name):
    bpy.ops.ed.undo_push(message="before")
    before = state_in_names()
    assert call(name, "EXEC_DEFAULT", True) == {"FINISHED"}
    bpy.ops.ed.undo()
    assert state_in_names() == before
    person = bpy.context.object
    assert current_look(person) == "Albedo" and not person.modifiers and not person.data.uv_layers


@pytest.mark.parametrize("name", [*CALLS, "export_person"])
def test_each_says_that_a_person_must_be_selected(blender, name):
    bpy.ops.mesh.primitive_cube_add()
    with pytest.raises(RuntimeError, match="Select a person that was reconstructed"):
        call(name)


@pytest.mark.parametrize("name", [*CALLS, "export_person"])
def test_none_works_on_a_hidden_or_edited_person(person, name):
    bpy.ops.object.mode_set(mode="EDIT")
    with pytest.raises(RuntimeError, match="Leave the editing"):
        call(name)
    bpy.ops.object.mode_set(mode="OBJECT")
    person.hide_set(True)
    with pytest.raises(RuntimeError, match="Unhide the person|Select a person"):
        call(name)


def test_a_rig_without_joints_says_so(person):
    del person[JOINTS_KEY]
    with pytest.raises(RuntimeError, match="made by an older version; reconstruct it again"):
        bpy.ops.phorhum.add_rig()


def test_a_second_rig_is_refused(person):
    bpy.ops.phorhum.add_rig()
    with pytest.raises(RuntimeError, match="has a rig already"):
        bpy.ops.phorhum.add_rig()


def test_a_posed_rig_stands_for_its_person(person):
    bpy.ops.phorhum.add_rig()
    bpy.context.view_layer.objects.active = person.parent
    bpy.ops.object.mode_set(mode="POSE")
    assert bpy.ops.phorhum.show(look="Shaded") == {"FINISHED"} and bpy.context.mode == "POSE"
    assert bpy.ops.phorhum.bake_texture(size="1024") == {"FINISHED"} and bpy.context.mode == "OBJECT"
    assert current_look(person) == "Texture"


def test_the_light_rig_goes_off_and_on(person):
    scene, rig = bpy.context.scene, person.users_collection[0].children[0]
    world = scene.world
    bpy.ops.phorhum.toggle_light_rig()
    assert rig.hide_render and rig.hide_viewport and scene.world is None
    bpy.ops.phorhum.toggle_light_rig()
    assert not rig.hide_render and not rig.hide_viewport and scene.world == world


def test_a_world_of_the_user_is_never_taken_away(person):
    scene = bpy.context.scene
    mine = scene.world = bpy.data.worlds.new("mine")
    bpy.ops.phorhum.toggle_light_rig()
    assert scene.world == mine
    bpy.ops.phorhum.toggle_light_rig()
    assert scene.world == mine


def test_only_one_light_rig_is_on(person):
    second = build(bpy.context, synthetic.blob(8, 8), Request(photo="anna.jpg"))
    bpy.context.view_layer.objects.active = person
    bpy.ops.phorhum.toggle_light_rig()
    assert not person.users_collection[0].children[0].hide_render
    assert second.collection.children[0].hide_render and bpy.context.scene.world.name == "PHORHUM jo.jpg"


def test_a_deleted_light_rig_says_so(person):
    bpy.data.collections.remove(person.users_collection[0].children[0])
    with pytest.raises(RuntimeError, match="light rig was deleted"):
        bpy.ops.phorhum.toggle_light_rig()


def test_a_person_is_exported_by_the_suffix(person, tmp_path):
    assert bpy.ops.phorhum.export_person(filepath=str(tmp_path / "jo.ply")) == {"FINISHED"}
    assert (tmp_path / "jo.ply").read_bytes()[:3] == b"ply"
    with pytest.raises(RuntimeError, match="must end in one of"):
        bpy.ops.phorhum.export_person(filepath=str(tmp_path / "jo.stl"))
    with pytest.raises(RuntimeError, match="No file was given"):
        bpy.ops.phorhum.export_person()


def test_a_bug_is_one_line_that_names_the_log(person, monkeypatch):
    def fails(*arguments):
        raise ZeroDivisionError("made up")

    monkeypatch.setattr(edit_operators, "decimate", fails)
    with pytest.raises(RuntimeError, match=r"Unexpected error \(ZeroDivisionError: made up\).*engine\.log"):
        bpy.ops.phorhum.decimate()
