"""Damaged and odd photos through the add-on's operator and the real worker; what is refused leaves the scene as it was.

The part's process is the Blender, as the ``bpy`` module.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

import bpy
from hypothesis import strategies as st

import phorhum_blender
from tests.addon.snapshot import scene_state

from .mutations import Edit, damage, edits, file_names
from .pictures import corpus
from .rules import READ, REFUSED, Tally, feed, files, must, must_be_clear, nothing_left

cases = st.tuples(st.sampled_from(sorted(corpus())), edits, file_names, st.booleans())


def run(count: int, number: int, folder: Path) -> Tally:
    photos, temporary = folder / "photos", folder / "tmp"
    photos.mkdir()
    temporary.mkdir()
    tempfile.tempdir = str(temporary)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    phorhum_blender.register()
    bpy.ops.mesh.primitive_monkey_add()  # somebody's work

    def check(case: tuple[str, list[Edit], str, bool]) -> str:
        seed, changes, name, whole_frame = case
        photo, before = photos / name, scene_hash()
        with nothing_left(photos):
            photo.write_bytes(damage(corpus()[seed], changes))
            try:
                done = bpy.ops.phorhum.reconstruct(
                    filepath=os.fsdecode(photo), resolution=32, whole_frame=whole_frame
                ) == {"FINISHED"}
            except RuntimeError as error:
                done = False
                must_be_clear(str(error).removeprefix("Error: ").strip())
            photo.unlink()
        if not done:
            must(scene_hash() == before, "the scene was changed")
            return REFUSED
        must(len(bpy.context.object.data.polygons) > 0, "an empty person")
        remove_person(bpy.context.object)
        return READ

    tally = feed("blender", cases, check, count, number)
    phorhum_blender.unregister()
    must(not files(temporary), f"left behind: {files(temporary)}")
    return tally


def scene_hash() -> str:
    """Of every data-block, what the scene refers to, and every mesh's coordinates."""
    digest = hashlib.sha256(repr(scene_state()).encode(errors="backslashreplace"))
    for mesh in bpy.data.meshes:
        digest.update(repr([tuple(vertex.co) for vertex in mesh.vertices]).encode())
    return digest.hexdigest()


def remove_person(person: bpy.types.Object) -> None:
    """As the user would, with all that came with it."""
    collection = person.users_collection[0]
    for thing in list(collection.all_objects):
        bpy.data.objects.remove(thing)
    for child in [*collection.children_recursive, collection]:
        bpy.data.collections.remove(child)
    bpy.data.orphans_purge(do_recursive=True)
