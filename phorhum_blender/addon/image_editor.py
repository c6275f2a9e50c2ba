"""What the operators that show pictures in an Image Editor share."""

from __future__ import annotations

import bpy


def main_region(area: bpy.types.Area) -> bpy.types.Region:
    return next(region for region in area.regions if region.type == "WINDOW")


def show_all(context: bpy.types.Context, window: bpy.types.Window, area: bpy.types.Area) -> None:
    """Fits the picture into the Image Editor ``area``."""
    with context.temp_override(window=window, area=area, region=main_region(area)):
        bpy.ops.image.view_all(fit_view=True)
