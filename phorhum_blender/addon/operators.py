"""Everything that can be asked for: reconstruct, again, cancel, choose a photo, download the detector."""

from __future__ import annotations

import dataclasses
import os
import time
from pathlib import Path

import bpy
from bpy.props import FloatVectorProperty, IntProperty, StringProperty
from bpy_extras.io_utils import ImportHelper

from ..engine.contracts import Request
from ..engine.errors import UserError
from ..worker.client import Job
from . import engine_process
from .download import YOLO_DETECTOR, DownloadTask
from .job import JobOperator, status
from .package import PACKAGE, user_folder
from .preferences import machine
from .properties import options
from .scene.build import Built, build, hide_reconstruction, stored_request

PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff")


class _Reconstruction(JobOperator):
    """A job of the engine whose result is built in the scene."""

    first_stage = "Starting engine"
    request: Request

    def make_request(self, context: bpy.types.Context) -> Request:
        raise NotImplementedError

    def start_task(self, context: bpy.types.Context) -> Job:
        self.request = self.make_request(context)
        if not os.path.isfile(self.request.photo):
            raise UserError(f"There is no photo at {self.request.photo}.", "Choose an image file.")
        self._began = time.monotonic()
        return engine_process.client().submit(self.request)

    def finish(self, context: bpy.types.Context, task: Job) -> str:
        result = task.load_result()
        built = build(context, result, self.request)
        self.use(built)
        for remark in built.remarks:
            self.report({"INFO"}, remark)
        return f"{len(result.faces):,} triangles in {time.monotonic() - self._began:.1f} s"

    def use(self, built: Built) -> None:
        """What else is to be done with the person."""


class PHORHUM_OT_reconstruct(_Reconstruction, bpy.types.Operator):
    """Make a coloured 3D person from one photo"""

    bl_idname = "phorhum.reconstruct"
    bl_label = "Reconstruct from Photo"
    # No REGISTER: the redo panel would reconstruct anew, and block Blender, on every change of a slider.
    bl_options = {"UNDO"}

    __annotations__ = {
        "filepath": StringProperty(
            name="Photo", description="Photo of a person", subtype="FILE_PATH", options={"SKIP_SAVE"}
        ),
        **options(),
        "box": FloatVectorProperty(
            name="Box",
            description="Left, top, right, bottom of the person in pixels of the upright photo; all 0: search",
            size=4,
            min=0.0,
        ),
    }

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if not self.filepath:
            bpy.ops.phorhum.open_photo("INVOKE_DEFAULT")
            return {"INTERFACE"}
        for name in options():  # a dropped photo is taken as the panel says
            if not self.properties.is_property_set(name):
                setattr(self, name, getattr(context.scene.phorhum, name))
        return self.execute(context)

    def make_request(self, context: bpy.types.Context) -> Request:
        if not self.filepath:
            raise UserError("No photo was given.", "Set filepath to an image file.")
        box = tuple(self.box)
        return Request(
            photo=os.path.abspath(bpy.path.abspath(self.filepath)),
            resolution=self.resolution,
            height=round(self.height, 6),  # the property holds 32-bit floats: 1.7 would be stored as 1.7000000476
            person=self.person,
            box=box if any(box) else None,
            whole_frame=self.whole_frame,
            photo_detail=self.photo_detail,
            **dataclasses.asdict(machine(context)),
        )


class PHORHUM_OT_reconstruct_again(_Reconstruction, bpy.types.Operator):
    """Make this person again from the request stored on it. The old one is hidden, not deleted"""

    bl_idname = "phorhum.reconstruct_again"
    bl_label = "Reconstruct Again"
    bl_options = {"UNDO"}

    resolution: IntProperty(
        name="Quality", description="Another quality than the stored one; 0 keeps it", default=0, min=0, max=1024
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if stored_request(context.object) is None:
            cls.poll_message_set("Select a person that was reconstructed from a photo")
            return False
        return True

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return self.execute(context)

    def make_request(self, context: bpy.types.Context) -> Request:
        self._old_name = context.object.name  # a pointer would not survive an undo during the job
        stored = stored_request(context.object)
        assert stored is not None  # what poll asks for
        here = machine(context)
        resolution = self.resolution or stored.resolution
        return dataclasses.replace(stored, resolution=resolution, device=here.device, threads=here.threads)

    def use(self, built: Built) -> None:
        old = bpy.data.objects.get(self._old_name)
        if old is not None and old != built.object:
            built.object.matrix_world = old.matrix_world
            hide_reconstruction(old)


class PHORHUM_OT_open_photo(bpy.types.Operator, ImportHelper):
    """Choose a photo and make a coloured 3D person from it"""

    # Its own operator: a file browser's operator pushes an undo step when the file is chosen, too early for a job.
    bl_idname = "phorhum.open_photo"
    bl_label = "Reconstruct from Photo"

    filter_glob: StringProperty(default=";".join(f"*{suffix}" for suffix in PHOTO_SUFFIXES), options={"HIDDEN"})

    def draw(self, context: bpy.types.Context) -> None:
        self.layout.use_property_split = True
        for name in options():
            self.layout.prop(context.scene.phorhum, name)

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            bpy.ops.phorhum.reconstruct("INVOKE_DEFAULT", filepath=self.filepath)
        except RuntimeError:  # what an operator reports as an error when another one calls it
            self.report({"ERROR"}, status.error)
            return {"CANCELLED"}
        return {"FINISHED"}


class PHORHUM_OT_cancel(bpy.types.Operator):
    """Stop the running job; the scene stays as it is"""

    bl_idname = "phorhum.cancel"
    bl_label = "Cancel"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if status.task is None:
            cls.poll_message_set("Nothing is running")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        status.cancel()
        return {"FINISHED"}


class PHORHUM_OT_download_detector(JobOperator, bpy.types.Operator):
    """Download the official person detector of Ultralytics (licence AGPL-3.0) and use it"""

    bl_idname = "phorhum.download_detector"
    bl_label = "Download Detector (AGPL-3.0)"
    bl_options = {"INTERNAL"}
    first_stage = "Downloading detector"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        reason = _why_no_download(context)
        if reason:
            cls.poll_message_set(reason)
        return not reason

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return self.execute(context)

    def start_task(self, context: bpy.types.Context) -> DownloadTask:
        return DownloadTask(YOLO_DETECTOR, Path(user_folder("detectors")))

    def finish(self, context: bpy.types.Context, task: DownloadTask) -> str:
        context.preferences.addons[PACKAGE].preferences.detector = str(task.path)
        context.preferences.is_dirty = True
        return f"{YOLO_DETECTOR.name} was downloaded and checked"


def _why_no_download(context: bpy.types.Context) -> str:
    if PACKAGE not in context.preferences.addons:
        return "The add-on is not installed as an extension"
    if bpy.app.online_access:
        return ""
    if bpy.app.online_access_override:
        return "Blender was started in offline mode"
    return "Allow online access in Preferences > System > Network first"


CLASSES = (
    PHORHUM_OT_reconstruct,
    PHORHUM_OT_reconstruct_again,
    PHORHUM_OT_open_photo,
    PHORHUM_OT_cancel,
    PHORHUM_OT_download_detector,
)
