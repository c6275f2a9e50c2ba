"""What a failed operator must leave alone."""

from __future__ import annotations

import bpy


def scene_state() -> dict[str, object]:
    """Every data-block with its number of users, and what the scene refers to."""
    scene = bpy.context.scene
    blocks = {
        kind: sorted((block.name, block.users) for block in getattr(bpy.data, kind))
        for kind in dir(bpy.data)
        if isinstance(getattr(bpy.data, kind), bpy.types.bpy_prop_collection)
    }
    active = bpy.context.view_layer.objects.active
    size = (scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage)
    selected = sorted(thing.name for thing in bpy.context.view_layer.objects if thing.select_get())
    return {
        **blocks,
        "world": scene.world,
        "camera": scene.camera,
        "size": size,
        "active": active,
        "selected": selected,
    }


def break_after(monkeypatch, module, step):
    """Lets the function ``step`` of ``module`` do its work and then fail with a bug."""
    works = getattr(module, step)

    def fails(*arguments):
        works(*arguments)
        raise ZeroDivisionError

    monkeypatch.setattr(module, step, fails)
