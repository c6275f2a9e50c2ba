"""What differs between Blender versions (4.2 and newer), in one place."""

from __future__ import annotations

import bpy

# of a property that holds a path: it may begin with //; newer Blenders show such a path in red without it
RELATIVE_PATH = {"PATH_SUPPORTS_BLEND_RELATIVE"} if bpy.app.version >= (4, 5, 0) else set()


def use_nodes(owner: bpy.types.Material | bpy.types.World) -> bpy.types.NodeTree:
    """The node tree of ``owner``, made where it is missing. From 5.0 on every material and world has one."""
    if owner.node_tree is None:
        owner.use_nodes = True
    return owner.node_tree


def set_paint_colours(
    settings: bpy.types.ToolSettings, first: tuple[float, float, float], second: tuple[float, float, float]
) -> None:
    """All brushes of image painting paint in ``first``, and in ``second`` after X. From 5.0 on each mode has colours of
    its own."""
    colours = getattr(settings.image_paint, "unified_paint_settings", None) or settings.unified_paint_settings
    colours.use_unified_color = True
    colours.color, colours.secondary_color = first, second


def draw_unchanged(image: bpy.types.Image) -> None:
    """An sRGB ``image`` reaches the screen as it is when an add-on draws it: until 5.0 shaders had to give linear
    colours, since then those of the screen."""
    if bpy.app.version >= (5, 0, 0):
        image.colorspace_settings.name = "Non-Color"


def switch_off_shadows(light: bpy.types.Light) -> None:
    """``light`` casts no shadow in any render engine. Cycles had a switch of its own before 4.5."""
    light.use_shadow = False
    if hasattr(light.cycles, "cast_shadow"):
        light.cycles.cast_shadow = False
