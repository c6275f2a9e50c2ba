"""Every operator in every kind of scene: it works, or it says in one clear sentence why not and changes nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest

bpy = pytest.importorskip("bpy")

from phorhum_blender.addon import preference_operators, presets  # noqa: E402
from phorhum_blender.addon.registration import CLASSES  # noqa: E402
from tests.addon.snapshot import scene_state  # noqa: E402

OPERATORS = [cls.bl_idname.partition(".")[2] for cls in CLASSES if issubclass(cls, bpy.types.Operator)]
UNCLEAR = ("Unexpected error", "Traceback", "context is incorrect", "Error: Python")


def make_person(photo: str) -> bpy.types.Object:
    bpy.ops.phorhum.reconstruct(filepath=photo, resolution=64)
    return bpy.context.object


def link(photo: str, folder: Path, kind: str, name: str = "") -> bpy.types.ID:
    """A data-block of a file with a person in it, linked into an empty scene."""
    make_person(photo)
    path = str(folder / "library.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path, check_existing=False)
    bpy.ops.wm.read_homefile(use_empty=True)
    with bpy.data.libraries.load(path, link=True) as (there, here):
        chosen = name or next(iter(getattr(there, kind)))
        setattr(here, kind, [chosen])
    return getattr(here, kind)[0]


def empty(photo: str, folder: Path) -> None:
    pass


def person(photo: str, folder: Path) -> None:
    make_person(photo)


def no_person(photo: str, folder: Path) -> None:
    bpy.ops.mesh.primitive_cube_add()


def edit_mode(photo: str, folder: Path) -> None:
    bpy.ops.mesh.primitive_cube_add()
    bpy.ops.object.mode_set(mode="EDIT")


def person_in_edit_mode(photo: str, folder: Path) -> None:
    make_person(photo)
    bpy.ops.object.mode_set(mode="EDIT")


def person_in_sculpt_mode(photo: str, folder: Path) -> None:
    make_person(photo)
    bpy.ops.object.mode_set(mode="SCULPT")


def hidden_person(photo: str, folder: Path) -> None:
    make_person(photo).users_collection[0].hide_viewport = True


def excluded_person(photo: str, folder: Path) -> None:
    collection = make_person(photo).users_collection[0]
    bpy.context.view_layer.layer_collection.children[collection.name].exclude = True


def linked_person(photo: str, folder: Path) -> None:
    collection = link(photo, folder, "collections", "PHORHUM jo smith.png")
    bpy.context.scene.collection.children.link(collection)
    bpy.context.view_layer.objects.active = next(thing for thing in collection.objects if thing.type == "MESH")


def instanced_person(photo: str, folder: Path) -> None:
    collection = link(photo, folder, "collections", "PHORHUM jo smith.png")
    bpy.ops.object.collection_instance_add(collection=collection.name)


def person_with_linked_mesh(photo: str, folder: Path) -> None:
    mesh = link(photo, folder, "meshes")
    make_person(photo).data = mesh


def overridden_person(photo: str, folder: Path) -> None:
    instanced_person(photo, folder)
    bpy.context.object.instance_collection.override_hierarchy_create(bpy.context.scene, bpy.context.view_layer)
    bpy.context.view_layer.objects.active = next(
        thing for thing in bpy.data.objects if thing.type == "MESH" and thing.override_library
    )


def linked_scene(photo: str, folder: Path) -> None:
    bpy.context.window.scene = link(photo, folder, "scenes")


def file_that_may_not_be_written(photo: str, folder: Path) -> None:
    make_person(photo)
    path = folder / "read only.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path), check_existing=False)
    path.chmod(0o444)
    bpy.ops.wm.open_mainfile(filepath=str(path))


CONTEXTS: list[Callable[[str, Path], None]] = [
    empty,
    person,
    no_person,
    edit_mode,
    person_in_edit_mode,
    person_in_sculpt_mode,
    hidden_person,
    excluded_person,
    linked_person,
    instanced_person,
    person_with_linked_mesh,
    overridden_person,
    linked_scene,
    file_that_may_not_be_written,
]


# operators that still fail with a bug's sentence there
@pytest.fixture(autouse=True)
def nothing_outside_is_touched(monkeypatch, tmp_path):
    """Presets go into a temporary folder, and there is no clipboard to fill."""
    monkeypatch.setenv("BLENDER_USER_SCRIPTS", str(tmp_path))
    monkeypatch.setattr(preference_operators.engine_process, "running", lambda: True)
    monkeypatch.setattr(presets.PHORHUM_OT_add_preset, "execute", lambda self, context: {"FINISHED"})


def arguments(operator: str, photo: str, folder: Path) -> dict[str, object]:
    """What the operator needs to be told to do something quickly."""
    there, _, name = photo.rpartition("/")
    return {
        "reconstruct": {"filepath": photo, "resolution": 64},
        "reconstruct_photos": {"directory": there, "files": [{"name": name}, {"name": name}]},
        "open_photo": {"filepath": photo},
        "bake_texture": {"size": "1024"},
        "decimate": {"triangles": 100},
        "remesh": {"kind": "VOXEL", "voxel": 0.1},
        "export_person": {"filepath": str(folder / "person.glb")},
    }.get(operator, {})


def call(operator: str, **options: object) -> tuple[bool, str]:
    """Whether it was refused, and with which words."""
    try:
        return getattr(bpy.ops.phorhum, operator)(**options) != {"FINISHED"}, ""
    except RuntimeError as error:
        return True, str(error)


def faults(
    photo: str,
    folder: Path,
    set_up: Callable[[str, Path], None],
    override: Callable[[], contextlib.AbstractContextManager] = contextlib.nullcontext,
) -> list[str]:
    """What is wrong with any of the operators in the scene that ``set_up`` makes, called within ``override``."""
    wrong, fresh = [], False
    for operator in OPERATORS:
        if not fresh:
            bpy.ops.wm.read_homefile(use_empty=True)
            set_up(photo, folder)
        before = scene_state()
        with override():
            refused, sentence = call(operator, **arguments(operator, photo, folder))
        fresh = refused and scene_state() == before
        if any(words in sentence for words in UNCLEAR):
            wrong.append(f"{operator}: {sentence}")
        elif refused and not fresh:
            wrong.append(f"{operator} was refused ({sentence}) and changed the scene")
    return wrong


@pytest.mark.parametrize("set_up", CONTEXTS, ids=lambda set_up: set_up.__name__)
def test_every_operator_works_or_says_why_not(client, photo, tmp_path, set_up):
    wrong = faults(photo, tmp_path, set_up)
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("set_up", [empty, person, edit_mode], ids=lambda set_up: set_up.__name__)
def test_without_a_window_it_is_the_same(client, photo, tmp_path, set_up):
    def no_window():
        scene, layer = bpy.context.scene, bpy.context.view_layer
        return bpy.context.temp_override(window=None, area=None, region=None, scene=scene, view_layer=layer)

    wrong = faults(photo, tmp_path, set_up, no_window)
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_poll_answers_where_there_is_nothing(blender, cls):
    """No window, scene or object. Blender falls over such a context itself, so this one is made of nothing."""

    class Nothing:
        preferences = bpy.context.preferences

        def __getattr__(self, name: str) -> None:
            return None

    polls = [getattr(cls, name) for name in ("poll", "poll_drop") if hasattr(cls, name)]
    for poll in polls:
        assert poll(Nothing()) in (True, False)


def test_a_linked_scene_is_said_to_be_one(client, photo, tmp_path):
    linked_scene(photo, tmp_path)
    refused, sentence = call("reconstruct", filepath=photo)
    assert refused and "The scene belongs to another file" in sentence and len(client.requests) == 1
