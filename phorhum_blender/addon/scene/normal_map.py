"""The dense surface's relief as a tangent-space normal map on a coarser one: under Decimate, or after Remesh.

Cycles bakes it, from copies at rest in the mesh's own axes, so neither a pose nor where the two stand matters.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import bpy

from ...engine.errors import UserError
from .. import compat
from .created import Created
from .decimate import MODIFIER as DECIMATE
from .look import normal_map_of, our_nodes, set_normal_map
from .person import selected_alone
from .texture import new_image

FINE_KEY = "phorhum_fine"  # property of a remeshed person: the object over which its surface was laid
_REACH = 0.02  # of the longest side, how far apart the surfaces may lie; a rival surface beyond is not seen


def fine_mesh_of(person: bpy.types.Object) -> bpy.types.Mesh | None:
    """The mesh of which ``person`` shows a coarser form; None where it shows its own in full."""
    fine = person.get(FINE_KEY)
    if fine is not None:
        return fine.data
    return person.data if DECIMATE in person.modifiers else None


def bake_normal_map(context: bpy.types.Context, person: bpy.types.Object, size: int) -> bpy.types.Image:
    """The relief of :func:`fine_mesh_of` as a packed image of ``size`` x ``size`` pixels that the material uses.

    A mesh without a UV map is unwrapped first. Raises ``UserError`` where there is nothing finer, where Cycles is
    switched off, and where the material is not ours. On any exception the scene is as before.
    """
    fine = fine_mesh_of(person)
    if fine is None:
        raise UserError("There is no finer surface to bake from.", "Decimate or remesh the person first.")
    our_nodes(person)  # an error before any work
    with new_image(context, person, f"{person.name} Normals", size, normal_map_of(person)) as image:
        image.colorspace_settings.name = "Non-Color"
        with Created() as passing:
            _bake(context, passing, person, fine, image)
            passing.remove()
        image.pack()
        set_normal_map(person, image, person.data.uv_layers.active.name)
    return image


def _bake(
    context: bpy.types.Context,
    passing: Created,
    person: bpy.types.Object,
    fine: bpy.types.Mesh,
    image: bpy.types.Image,
) -> None:
    """Bakes into ``image`` with objects and a material that are all ``passing``."""
    material = passing.add(bpy.data.materials.new("PHORHUM Bake"))
    nodes = compat.use_nodes(material).nodes
    nodes.active = nodes.new("ShaderNodeTexImage")
    nodes.active.image = image
    source = _stand_in(context, passing, fine)
    coarse = _stand_in(context, passing, person.data)
    coarse.data.materials.append(material)
    modifier = person.modifiers.get(DECIMATE)
    if modifier:
        coarse.modifiers.new(DECIMATE, "DECIMATE").ratio = modifier.ratio
    reach = _REACH * max(person.dimensions)
    with selected_alone(context, coarse, source), _cycles(context.scene):
        done = bpy.ops.object.bake(
            type="NORMAL",
            use_selected_to_active=True,
            cage_extrusion=reach,
            max_ray_distance=2 * reach,
            normal_space="TANGENT",
            margin=max(2, image.size[0] // 128),
            use_clear=True,
            target="IMAGE_TEXTURES",
            uv_layer=person.data.uv_layers.active.name,
        )
    if done != {"FINISHED"}:
        raise UserError("Blender could not bake the normal map.", "Choose another size.")


def _stand_in(context: bpy.types.Context, passing: Created, mesh: bpy.types.Mesh) -> bpy.types.Object:
    """An object in the scene with a copy of ``mesh`` that has no material: Cycles shares those of one mesh."""
    made = passing.add(bpy.data.objects.new("PHORHUM Bake", passing.add(mesh.copy())))
    made.data.materials.clear()
    context.scene.collection.objects.link(made)
    return made


@contextlib.contextmanager
def _cycles(scene: bpy.types.Scene) -> Iterator[None]:
    """The scene renders with Cycles, on the processor, one sample a pixel; afterwards as before."""
    engine = scene.render.engine
    try:
        scene.render.engine = "CYCLES"
    except TypeError as error:
        raise UserError("Blender's add-on Cycles is switched off.", "Switch it on in the preferences.") from error
    before = scene.cycles.samples, scene.cycles.device
    scene.cycles.samples, scene.cycles.device = 1, "CPU"
    try:
        yield
    finally:
        scene.cycles.samples, scene.cycles.device = before
        scene.render.engine = engine
