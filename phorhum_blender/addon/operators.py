"""What can be asked for in a scene: reconstruct, again, choose a photo and a person, cancel."""

from __future__ import annotations

import dataclasses
import os
import time

import bpy
from bpy.props import IntProperty, StringProperty
from bpy_extras.io_utils import ImportHelper

from ..engine.contracts import Request
from ..engine.errors import UserError
from ..worker.client import Job
from . import diagnosis, engine_process, measured
from .found import found
from .job import JobOperator, duration, status
from .preferences import machine
from .properties import absolute, look_options, options
from .scene.build import Built, build, hide_reconstruction, stored_request
from .translations import translate, words

PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff")


class _Reconstruction(JobOperator):
    """A job of the engine whose result is built in the scene."""

    first_stage = "Starting engine"
    request: Request

    def make_request(self, context: bpy.types.Context) -> Request:
        raise NotImplementedError

    def start_task(self, context: bpy.types.Context) -> Job:
        self.request = self.make_request(context)
        photos = tuple(filter(None, (self.request.photo, self.request.back_photo)))
        diagnosis.last.photos, diagnosis.last.report = photos, {}
        for photo in photos:
            _check_photo(photo)
        self._began = time.monotonic()
        return engine_process.client().submit(self.request)

    def finish(self, context: bpy.types.Context, task: Job) -> str:
        result = task.load_result()
        diagnosis.last.report = result.report
        measured.remember_run(measured.Run.of(self.request, result.report))
        built = build(context, result, self.request)
        self.use(built)
        for remark in built.remarks:
            self.report({"INFO"}, translate(remark))
        line = words("{} triangles in {}")
        return line.format(f"{len(result.faces):,}", duration(time.monotonic() - self._began))

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
    }

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if not self.filepath:
            bpy.ops.phorhum.open_photo("INVOKE_DEFAULT")
            return {"INTERFACE"}
        settings = context.scene.phorhum
        if settings.photo_path() != absolute(self.filepath):
            settings.photo = self.filepath  # which forgets the person of another photo
        for name in options():  # a dropped photo is taken as the panel says
            if not self.properties.is_property_set(name):
                setattr(self, name, getattr(settings, name))
        return self.execute(context)

    def make_request(self, context: bpy.types.Context) -> Request:
        if not self.filepath:
            raise UserError("No photo was given.", "Set filepath to an image file.")
        box = tuple(self.box)
        return Request(
            photo=absolute(self.filepath),
            resolution=self.resolution,
            height=round(self.height, 6),  # the property holds 32-bit floats: 1.7 would be stored as 1.7000000476
            person=self.person,
            box=box if any(box) else None,
            whole_frame=self.whole_frame,
            photo_detail=self.photo_detail,
            back_photo=absolute(self.back_photo),
            back_person=self.back_person,
            **dataclasses.asdict(machine(context)),
        )


class PHORHUM_OT_reconstruct_again(_Reconstruction, bpy.types.Operator):
    """Make this person again from the request stored on it. The old one is hidden, not deleted"""

    bl_idname = "phorhum.reconstruct_again"
    bl_label = "Make Again"
    bl_options = {"UNDO"}

    resolution: IntProperty(
        name="Resolution", description="Another resolution than the stored one; 0 keeps it", default=0, min=0, max=1024
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return _poll_person(cls, context)

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


class PHORHUM_OT_restore_settings(bpy.types.Operator):
    """Put the photo and the options that made this person back into the panel, to change some of them"""

    bl_idname = "phorhum.restore_settings"
    bl_label = "Reuse Settings"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return _poll_person(cls, context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        stored = stored_request(context.object)
        assert stored is not None  # what poll asks for
        settings = context.scene.phorhum
        settings.photo = stored.photo
        for name in options():
            value = getattr(stored, name)
            setattr(settings, name, (0.0,) * 4 if value is None else value)
        return {"FINISHED"}


class PHORHUM_OT_open_photo(bpy.types.Operator, ImportHelper):
    """Choose a photo and make a coloured 3D person from it"""

    # Its own operator: a file browser's operator pushes an undo step when the file is chosen, too early for a job.
    bl_idname = "phorhum.open_photo"
    bl_label = "Reconstruct from Photo"

    filter_glob: StringProperty(default=";".join(f"*{suffix}" for suffix in PHOTO_SUFFIXES), options={"HIDDEN"})

    def draw(self, context: bpy.types.Context) -> None:
        self.layout.use_property_split = True
        for name in ("quality", *look_options()):
            self.layout.prop(context.scene.phorhum, name)

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            bpy.ops.phorhum.reconstruct("INVOKE_DEFAULT", filepath=self.filepath)
        except RuntimeError:  # what an operator reports as an error when another one calls it
            self.report({"ERROR"}, status.error)
            return {"CANCELLED"}
        return {"FINISHED"}


class PHORHUM_OT_find_people(JobOperator, bpy.types.Operator):
    """Search the photo for people and show them, to choose one"""

    bl_idname = "phorhum.find_people"
    bl_label = "Find People"
    bl_options = {"INTERNAL"}
    first_stage = "Starting engine"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not context.scene.phorhum.photo:
            cls.poll_message_set(words("Choose a photo first"))
            return False
        return True

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return self.execute(context)

    def start_task(self, context: bpy.types.Context) -> Job:
        self._photo = context.scene.phorhum.photo_path()
        _check_photo(self._photo)
        return engine_process.client().find_people(Request(self._photo, **dataclasses.asdict(machine(context))))

    def finish(self, context: bpy.types.Context, task: Job) -> str:
        found.keep(self._photo, task.load_people())
        return words("People found: {}").format(len(found.sizes))


class PHORHUM_OT_choose_person(bpy.types.Operator):
    """Take this person of the photo"""

    bl_idname = "phorhum.choose_person"
    bl_label = "Choose Person"
    bl_options = {"UNDO", "INTERNAL"}

    person: IntProperty(name="Person", description="Number of the person, 0 is the largest", default=0, min=0)

    def execute(self, context: bpy.types.Context) -> set[str]:
        settings = context.scene.phorhum
        settings.person = self.person
        for name in ("box", "whole_frame"):  # they would come before a person's number
            settings.property_unset(name)
        return {"FINISHED"}


class PHORHUM_OT_cancel(bpy.types.Operator):
    """Stop the running job; the scene stays as it is"""

    bl_idname = "phorhum.cancel"
    bl_label = "Cancel"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if status.task is None:
            cls.poll_message_set(words("Nothing is running"))
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        status.cancel()
        return {"FINISHED"}


def _check_photo(path: str) -> None:
    if not os.path.isfile(path):
        raise UserError(f"There is no photo at {path}.", "Choose an image file.")


def _poll_person(cls: type[bpy.types.Operator], context: bpy.types.Context) -> bool:
    if stored_request(context.object) is None:
        cls.poll_message_set(words("Select a person that was reconstructed from a photo"))
        return False
    return True


CLASSES = (
    PHORHUM_OT_reconstruct,
    PHORHUM_OT_reconstruct_again,
    PHORHUM_OT_restore_settings,
    PHORHUM_OT_open_photo,
    PHORHUM_OT_find_people,
    PHORHUM_OT_choose_person,
    PHORHUM_OT_cancel,
)
