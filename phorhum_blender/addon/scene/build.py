"""From a result to a person standing in the scene."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np

from ...engine.contracts import PhotoCamera, Request, Result
from .camera import add_background, make_camera
from .created import Created
from .light_rig import light_rig_of, make_light_rig, switch_on
from .material import make_material, show_colours_in_solid_views
from .mesh import make_mesh
from .space import to_blender

REQUEST_KEY = "phorhum_request"  # property of the mesh object: the request as JSON, to make the same object again
JOINTS_KEY = "phorhum_joints"  # property of the mesh object: its joints in its own Blender axes, 63 numbers, metres


@dataclass(frozen=True)
class Built:
    """The mesh object, the collection that holds it, and sentences on what the user may not expect."""

    object: bpy.types.Object
    collection: bpy.types.Collection
    remarks: tuple[str, ...]


def build(context: bpy.types.Context, result: Result, request: Request) -> Built:
    """A collection `PHORHUM <photo>` with the coloured mesh, the light rig and the matched camera.

    The scene gets the camera and the photo's render size only where it had no camera, and the ambient world only where
    that replaces no work of the user. On an exception nothing stays and the scene is as before.
    """
    name = f"PHORHUM {Path(request.photo).name}"
    with Created() as created:
        collection = created.add(bpy.data.collections.new(name))
        person = _make_person(created, name, result, request)
        camera = make_camera(created, f"{name} Camera", result.camera)
        rig = make_light_rig(created, name, result.lights, request.height)
        collection.objects.link(person)
        collection.objects.link(camera)
        collection.children.link(rig)
        has_background = add_background(created, camera, request.photo)
        _leave_edit_mode(context)
        context.scene.collection.children.link(collection)
    # From here on nothing is made, only referred to: the steps that could fail are behind us.
    remarks = [] if has_background else ["Blender cannot show this photo behind the camera."]
    remarks += switch_on(context.scene, rig)
    _look_through(context.scene, camera, result.camera)
    _make_active(context, person)
    show_colours_in_solid_views(context)
    return Built(person, collection, tuple(remarks))


def stored_request(thing: bpy.types.Object | None) -> Request | None:
    """The request that made this object; None for other objects and for requests of another version."""
    if thing is None or REQUEST_KEY not in thing:
        return None
    try:
        return Request.from_json(json.loads(thing[REQUEST_KEY]))
    except (TypeError, ValueError):
        return None


def hide_reconstruction(person: bpy.types.Object) -> None:
    """Switches off the collection in which ``person`` was made, with its camera and lamps; nothing is deleted."""
    for collection in person.users_collection:
        if light_rig_of(collection):
            collection.hide_viewport = collection.hide_render = True


def _make_person(created: Created, name: str, result: Result, request: Request) -> bpy.types.Object:
    mesh = make_mesh(created, name, result)
    mesh.materials.append(make_material(created, name, result.albedo))
    person = created.add(bpy.data.objects.new(name, mesh))
    person[REQUEST_KEY] = json.dumps(request.to_json())
    if np.isfinite(result.joints).all():
        person[JOINTS_KEY] = to_blender(result.joints).ravel().tolist()
    return person


def _leave_edit_mode(context: bpy.types.Context) -> None:
    if context.mode != "OBJECT":
        bpy.ops.object.mode_set(mode="OBJECT")


def _make_active(context: bpy.types.Context, person: bpy.types.Object) -> None:
    for other in context.view_layer.objects:
        other.select_set(False)
    person.select_set(True)
    context.view_layer.objects.active = person


def _look_through(scene: bpy.types.Scene, camera: bpy.types.Object, photo: PhotoCamera) -> None:
    if scene.camera is None:
        scene.camera = camera
        scene.render.resolution_x, scene.render.resolution_y = photo.width, photo.height
        scene.render.resolution_percentage = 100
