"""Lamps and world that light the person as in the photo.

A matte surface of albedo a under a sun of irradiance E sends out a * E / pi * cos; the fitted shading is
a * colour * cos. So a sun's strength is pi times the colour. A world of radiance L makes it send out a * L, so ambient
is the world's colour.
"""

from __future__ import annotations

import math

import bpy

from ...engine.contracts import DirectionalLight, LightRig
from .. import compat
from .created import Created
from .space import vector_to_blender

WORLD_KEY = "phorhum_world"  # property of the rig's collection: keeps the world that belongs to it from being purged
_FACTORY_WORLD_GREY = 0.0508761


def make_light_rig(created: Created, name: str, rig: LightRig, height: float) -> bpy.types.Collection:
    """A collection with the suns `Key` and `Fill`; its property ``phorhum_world`` is the ambient world.

    ``height`` of the person in metres only decides where the suns' icons stand.
    """
    collection = created.add(bpy.data.collections.new(f"{name} Light Rig"))
    for role, light in (("Key", rig.key), ("Fill", rig.fill)):
        collection.objects.link(_make_sun(created, f"{name} {role}", light, height))
    collection[WORLD_KEY] = _make_world(created, name, rig.ambient)
    return collection


def _make_sun(created: Created, name: str, light: DirectionalLight, height: float) -> bpy.types.Object:
    data = created.add(bpy.data.lights.new(name, "SUN"))
    brightest = max(light.colour)
    data.energy = math.pi * brightest
    data.color = [c / brightest for c in light.colour] if brightest > 0 else (1.0, 1.0, 1.0)
    data.angle = 0.0
    compat.switch_off_shadows(data)  # the fitted shading depends on the normal alone
    sun = created.add(bpy.data.objects.new(name, data))
    towards = vector_to_blender(light.direction).normalized()
    sun.rotation_euler = towards.to_track_quat("Z", "Y").to_euler()  # a sun shines along its -Z
    sun.location = towards * 1.5 * height
    sun.location.z += height / 2
    return sun


def _make_world(created: Created, name: str, ambient: tuple[float, float, float]) -> bpy.types.World:
    world = created.add(bpy.data.worlds.new(name))
    world.color = ambient
    tree = compat.use_nodes(world)
    tree.nodes.clear()
    background = tree.nodes.new("ShaderNodeBackground")
    background.inputs["Color"].default_value = (*ambient, 1.0)
    background.location = (-220, 0)
    output = tree.nodes.new("ShaderNodeOutputWorld")
    tree.links.new(background.outputs["Background"], output.inputs["Surface"])
    return world


def light_rig_of(collection: bpy.types.Collection) -> bpy.types.Collection | None:
    """The light rig in the ``collection`` of a reconstruction."""
    return next((child for child in collection.children if WORLD_KEY in child), None)


def switch_on(scene: bpy.types.Scene, rig: bpy.types.Collection) -> list[str]:
    """Makes ``rig`` light the scene as far as no work of the user is lost. Returns remarks."""
    remarks = []
    earlier = [c for c in scene.collection.children_recursive if WORLD_KEY in c and c != rig and not c.hide_render]
    for collection in earlier:
        collection.hide_viewport = collection.hide_render = True  # two rigs would add up and light both persons wrongly
    if earlier:
        remarks.append("Light rigs of earlier reconstructions were hidden.")
    rig.hide_viewport = rig.hide_render = False
    world = rig[WORLD_KEY]
    if may_replace(scene.world):
        scene.world = world
    else:
        remarks.append(f'The scene keeps its own world; choose "{world.name}" for the ambient light of the photo.')
    return remarks


def switch_off(scene: bpy.types.Scene, rig: bpy.types.Collection) -> None:
    """The lamps of ``rig`` are hidden, and the scene has no world where it had that of ``rig``."""
    rig.hide_viewport = rig.hide_render = True
    if scene.world == rig[WORLD_KEY]:
        scene.world = None


def may_replace(world: bpy.types.World | None) -> bool:
    """True where the scene has no world, an untouched factory one, or the world of an earlier reconstruction."""
    return world is None or _is_of_a_rig(world) or _is_factory_default(world)


def _is_of_a_rig(world: bpy.types.World) -> bool:
    return any(collection.get(WORLD_KEY) == world for collection in bpy.data.collections)


def _is_factory_default(world: bpy.types.World) -> bool:
    tree = world.node_tree
    if tree is None or {n.bl_idname for n in tree.nodes} != {"ShaderNodeBackground", "ShaderNodeOutputWorld"}:
        return False
    background = next(n for n in tree.nodes if n.bl_idname == "ShaderNodeBackground")
    colour, strength = (background.inputs[socket] for socket in ("Color", "Strength"))
    grey = all(abs(c - _FACTORY_WORLD_GREY) < 1e-5 for c in colour.default_value[:3])
    return grey and strength.default_value == 1.0 and not colour.is_linked and not strength.is_linked
