"""The options of a reconstruction: the scene keeps the panel's, each operator call has its own."""

from __future__ import annotations

import bpy
from bpy.props import BoolProperty, FloatProperty, IntProperty, StringProperty


def options() -> dict[str, object]:
    """Annotations shared by the panel's settings and the operator, so that both have one wording and one default."""
    return {
        "resolution": IntProperty(
            name="Quality",
            description="Cells along the longest side of the person's box: more shows finer detail and takes longer",
            default=256,
            min=32,
            max=1024,
            soft_min=64,
            soft_max=512,
        ),
        "height": FloatProperty(
            name="Height",
            description="Height of the person, which sets the scale of the result",
            default=1.70,
            min=0.1,
            max=10.0,
            soft_min=0.5,
            soft_max=2.2,
            unit="LENGTH",
        ),
        "person": IntProperty(
            name="Person",
            description="Which of several people in the photo: 0 is the largest, 1 the next, and so on",
            default=0,
            min=0,
            soft_max=9,
        ),
        "whole_frame": BoolProperty(
            name="Whole Frame",
            description="Take the whole photo as the person's box instead of searching for a person",
            default=False,
        ),
        "photo_detail": BoolProperty(
            name="Photo Detail",
            description="Give the visible side the fine colour of the photo itself",
            default=True,
        ),
    }


class PHORHUM_PG_settings(bpy.types.PropertyGroup):
    """The panel's choices, stored with the scene."""

    __annotations__ = {
        "photo": StringProperty(
            name="Photo", description="Photo of a person; left empty, the button asks for one", subtype="FILE_PATH"
        ),
        **options(),
    }
