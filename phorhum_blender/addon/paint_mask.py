"""The button that lets the user paint the person's mask, beginning with the one that the engine finds."""

from __future__ import annotations

from dataclasses import asdict

import bpy

from ..engine.contracts import Request
from ..worker.client import Job
from . import engine_process
from .job import JobOperator, runs_modal
from .masks import make_mask, mask_image, open_to_paint
from .operators import check_photo, poll_photo, who
from .preferences import machine
from .properties import absolute
from .translations import words


class PHORHUM_OT_paint_mask(JobOperator, bpy.types.Operator):
    """Correct by brush what of the photo is the person: white is, black is not. X swaps the two colours"""

    bl_idname = "phorhum.paint_mask"
    bl_label = "Paint Mask"
    bl_options = {"UNDO", "INTERNAL"}
    first_stage = "Starting engine"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return poll_photo(cls, context)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        image = mask_image(absolute(context.scene.phorhum.mask))
        if image is None:
            return self.execute(context)
        open_to_paint(image)
        return {"FINISHED"}

    def start_task(self, context: bpy.types.Context) -> Job:
        settings = context.scene.phorhum
        self._photo = settings.photo_path()
        check_photo(self._photo)
        return engine_process.client().find_mask(Request(self._photo, **who(settings), **asdict(machine(context))))

    def finish(self, context: bpy.types.Context, task: Job) -> str:
        image = make_mask(task.load_mask(), self._photo)
        context.scene.phorhum.mask = image.filepath
        if runs_modal(self):
            open_to_paint(image)
        return words("The mask is ready to be painted")


CLASSES = (PHORHUM_OT_paint_mask,)
