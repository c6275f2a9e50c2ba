"""The options of a reconstruction: the scene keeps the panel's, each operator call has its own."""

from __future__ import annotations

import math
import os

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, FloatVectorProperty, IntProperty, StringProperty

from .compat import RELATIVE_PATH
from .translations import CONTEXT

QUALITIES = {"DRAFT": 128, "STANDARD": 256, "HIGH": 384}  # name -> resolution
_OTHER_QUALITY = len(QUALITIES)


def look_options() -> dict[str, object]:
    """Annotations of what holds for any photo."""
    return {
        "resolution": IntProperty(
            name="Resolution",
            translation_context=CONTEXT,
            description="Cells along the longest side of the person's box: more shows finer detail and takes longer",
            default=QUALITIES["STANDARD"],
            min=32,
            max=1024,
            soft_min=64,
            soft_max=512,
        ),
        "height": FloatProperty(
            name="Height",
            translation_context=CONTEXT,
            description="Height of the person, which sets the scale of the result",
            default=1.70,
            min=0.1,
            max=10.0,
            soft_min=0.5,
            soft_max=2.2,
            unit="LENGTH",
        ),
        "photo_detail": BoolProperty(
            name="Photo Detail",
            translation_context=CONTEXT,
            description="Give the visible side the fine colour of the photo, the hidden side the colours that are seen",
            default=True,
        ),
        "tilt_known": BoolProperty(
            name="Tilt Known",
            translation_context=CONTEXT,
            description="Say how far the camera looked down; off: the photo's own record or the person's stance tells",
            default=False,
        ),
        "camera_tilt": FloatProperty(
            name="Camera Tilt",
            translation_context=CONTEXT,
            description="How far the camera looked down, where the tilt is known; 0 is level, negative is up",
            default=0.0,
            min=-math.pi / 2,
            max=math.pi / 2,
            subtype="ANGLE",
        ),
    }


def person_options() -> dict[str, object]:
    """Annotations of what says who in this one photo is meant."""
    return {
        "person": IntProperty(
            name="Person",
            translation_context=CONTEXT,
            description="Which of several people in the photo: 0 is the largest, 1 the next, and so on",
            default=0,
            min=0,
            soft_max=9,
        ),
        "box": FloatVectorProperty(
            name="Box",
            translation_context=CONTEXT,
            description="Left, top, right, bottom of the person in pixels of the upright photo; all 0: search",
            size=4,
            min=0.0,
            precision=0,
        ),
        "whole_frame": BoolProperty(
            name="Whole Frame",
            translation_context=CONTEXT,
            description="Take the whole photo as the person's box instead of searching for a person",
            default=False,
        ),
        "mask": StringProperty(
            name="Mask",
            translation_context=CONTEXT,
            description="Picture of the photo's size, white where the person is, instead of searching; may be empty",
            subtype="FILE_PATH",
            options=RELATIVE_PATH,
        ),
    }


def back_options() -> dict[str, object]:
    """Annotations of a second photo, which shows the person's back."""
    return {
        "back_photo": StringProperty(
            name="Back Photo",
            translation_context=CONTEXT,
            description="Second photo of the same person, from behind, which gives the back its colours; may be empty",
            subtype="FILE_PATH",
            options=RELATIVE_PATH,
        ),
        "back_person": IntProperty(
            name="Back Person",
            translation_context=CONTEXT,
            description="Which of several people in the back photo: 0 is the largest, 1 the next, and so on",
            default=0,
            min=0,
            soft_max=9,
        ),
    }


def options() -> dict[str, object]:
    """Annotations shared by the panel's settings and the operator, so that both have one wording and one default."""
    return {**look_options(), **back_options(), **person_options()}


def _get_quality(self: bpy.types.PropertyGroup) -> int:
    resolutions = list(QUALITIES.values())
    return resolutions.index(self.resolution) if self.resolution in resolutions else _OTHER_QUALITY


def _set_quality(self: bpy.types.PropertyGroup, number: int) -> None:
    if number != _OTHER_QUALITY:
        self.resolution = list(QUALITIES.values())[number]


def _begin_photo(self: bpy.types.PropertyGroup, context: bpy.types.Context) -> None:
    """Another photo has other people in it, and another back."""
    for name in (*person_options(), *back_options()):
        self.property_unset(name)


class PHORHUM_PG_settings(bpy.types.PropertyGroup):
    """The panel's choices, stored with the scene."""

    __annotations__ = {
        "photo": StringProperty(
            name="Photo",
            translation_context=CONTEXT,
            description="Photo of a person; left empty, the button asks for one",
            subtype="FILE_PATH",
            options=RELATIVE_PATH,
            update=_begin_photo,
        ),
        "quality": EnumProperty(
            name="Quality",
            translation_context=CONTEXT,
            description="How fine the surface and its colours are",
            items=[
                ("DRAFT", "Draft", "128 cells: to see whether the photo works"),
                ("STANDARD", "Standard", "256 cells: all that the networks know"),
                ("HIGH", "High", "384 cells: finer photo detail on the visible side"),
                ("OTHER", "Other", "The resolution under Options"),
            ],
            get=_get_quality,
            set=_set_quality,
        ),
        **options(),
    }

    def photo_path(self) -> str:
        """The photo's absolute path; empty where none is chosen."""
        return absolute(self.photo)


def absolute(path: str) -> str:
    """``path`` (Blender's ``//`` too) as an absolute one; empty stays empty."""
    return os.path.abspath(bpy.path.abspath(path)) if path else ""
