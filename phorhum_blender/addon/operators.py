"""What can be asked for in a scene: reconstruct, again, choose a photo and a person, cancel."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Callable, Iterable
from typing import Any

import bpy
from bpy.props import CollectionProperty, IntProperty, StringProperty
from bpy_extras.io_utils import ImportHelper

from ..engine.contracts import Request
from ..engine.errors import UserError
from ..worker.client import Job
from . import diagnosis, engine_process, measured
from .batch import Batch
from .compat import RELATIVE_PATH
from .found import found
from .job import JobOperator, duration, status
from .masks import settled
from .polls import allowed
from .preferences import machine
from .properties import absolute, look_options, options
from .scene.build import Built, build, hide_reconstruction, stored_request
from .side_by_side import stand_beside
from .translations import CONTEXT, grouped, translate, words

PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff")


class _EngineOperator(JobOperator):
    """Jobs of the engine whose results are built in the scene."""

    first_stage = "Starting engine"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return _poll_scene(cls, context)

    def submit(self, request: Request) -> Job:
        photos = tuple(filter(None, (request.photo, request.back_photo)))
        diagnosis.last.photos, diagnosis.last.report = (*photos, *filter(None, [request.mask])), {}
        for photo in photos:
            check_photo(photo)
        return engine_process.client().submit(request)

    def build(self, context: bpy.types.Context, job: Job, request: Request) -> Built:
        result = job.load_result()
        diagnosis.last.report = result.report
        measured.remember_run(measured.Run.of(request, result.report))
        built = build(context, result, request)
        for remark in built.remarks:
            self.report({"INFO"}, translate(remark))
        return built


class _Reconstruction(_EngineOperator):
    """One person from one photo."""

    request: Request

    def make_request(self, context: bpy.types.Context) -> Request:
        raise NotImplementedError

    def start_task(self, context: bpy.types.Context) -> Job:
        self.request = self.make_request(context)
        self._began = time.monotonic()
        return self.submit(self.request)

    def finish(self, context: bpy.types.Context, task: Job) -> str:
        built = self.build(context, task, self.request)
        self.use(built)
        line = words("{} triangles in {}")
        return line.format(grouped(len(built.object.data.polygons)), duration(time.monotonic() - self._began))

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
            name="Photo",
            translation_context=CONTEXT,
            description="Photo of a person",
            subtype="FILE_PATH",
            options={"SKIP_SAVE"} | RELATIVE_PATH,
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
        _take_from_panel(self, context, options())  # a dropped photo is taken as the panel says
        return self.execute(context)

    def make_request(self, context: bpy.types.Context) -> Request:
        if not self.filepath:
            raise UserError("No photo was given.", "Set filepath to an image file.")
        chosen = who(self)
        chosen["mask"] = self._settled_mask(context, chosen["mask"])
        return dataclasses.replace(
            _request(context, self, absolute(self.filepath)),
            **chosen,
            back_photo=absolute(self.back_photo),
            back_person=self.back_person,
        )

    def _settled_mask(self, context: bpy.types.Context, path: str) -> str:
        settings = context.scene.phorhum
        file = settled(path)
        if file != path and absolute(settings.mask) == path:
            settings.mask = file
        return file


class PHORHUM_OT_reconstruct_photos(_EngineOperator, bpy.types.Operator):
    """Make a coloured 3D person from each photo and stand them side by side"""

    bl_idname = "phorhum.reconstruct_photos"
    bl_label = "Reconstruct from Photos"
    bl_options = {"INTERNAL"}  # No UNDO: each person is pushed as an undo step of its own.

    __annotations__ = {
        "directory": StringProperty(subtype="DIR_PATH", options={"HIDDEN", "SKIP_SAVE"}),
        "files": CollectionProperty(type=bpy.types.OperatorFileListElement, options={"HIDDEN", "SKIP_SAVE"}),
        **look_options(),
    }

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if len(self.files) == 1:
            return _invoke_from(self, bpy.ops.phorhum.reconstruct, filepath=self._paths()[0])
        _take_from_panel(self, context, look_options())
        return self.execute(context)

    def start_task(self, context: bpy.types.Context) -> Batch:
        if not self.files:
            raise UserError("No photo was given.", "Set directory and files to image files.")
        self._began = time.monotonic()
        self._right: float | None = None  # edge of the last person
        requests = [_request(context, self, path) for path in self._paths()]
        return Batch(requests, self.submit, self._place)

    def finish(self, context: bpy.types.Context, task: Batch) -> str:
        if not task.made:
            raise UserError("No person could be made from any of these photos.")
        line = words("{} of {} people made in {}")
        return line.format(task.made, len(task), duration(time.monotonic() - self._began))

    def _paths(self) -> list[str]:
        return [absolute(os.path.join(self.directory, file.name)) for file in self.files]

    def _place(self, job: Job, request: Request) -> None:
        built = self.build(bpy.context, job, request)
        self._right = stand_beside(built, self._right)
        if bpy.ops.ed.undo_push.poll():  # not where a script runs outside of any window
            bpy.ops.ed.undo_push(message=words(PHORHUM_OT_reconstruct.bl_label))


class PHORHUM_OT_reconstruct_again(_Reconstruction, bpy.types.Operator):
    """Make this person again from the request stored on it. The old one is hidden, not deleted"""

    bl_idname = "phorhum.reconstruct_again"
    bl_label = "Make Again"
    bl_options = {"UNDO"}

    resolution: IntProperty(
        name="Resolution",
        translation_context=CONTEXT,
        description="Another resolution than the stored one; 0 keeps it",
        default=0,
        min=0,
        max=1024,
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return _poll_scene(cls, context) and _poll_person(cls, context)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return self.execute(context)

    def make_request(self, context: bpy.types.Context) -> Request:
        self._old_name = context.view_layer.objects.active.name  # a pointer would not survive an undo during the job
        stored = stored_request(context.view_layer.objects.active)
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
        stored = stored_request(context.view_layer.objects.active)
        assert stored is not None  # what poll asks for
        settings = context.scene.phorhum
        settings.photo = stored.photo
        for name in options():
            value = getattr(stored, name)
            setattr(settings, name, (0.0,) * 4 if value is None else value)
        return {"FINISHED"}


class PHORHUM_OT_open_photo(bpy.types.Operator, ImportHelper):
    """Choose one photo or several and make a coloured 3D person from each"""

    # Its own operator: a file browser's operator pushes an undo step when the file is chosen, too early for a job.
    bl_idname = "phorhum.open_photo"
    bl_label = "Reconstruct from Photo"

    filter_glob: StringProperty(default=";".join(f"*{suffix}" for suffix in PHOTO_SUFFIXES), options={"HIDDEN"})
    directory: StringProperty(subtype="DIR_PATH", options={"HIDDEN", "SKIP_SAVE"})
    files: CollectionProperty(type=bpy.types.OperatorFileListElement, options={"HIDDEN", "SKIP_SAVE"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return _poll_scene(cls, context)

    def draw(self, context: bpy.types.Context) -> None:
        self.layout.use_property_split = True
        for name in ("quality", *look_options()):
            self.layout.prop(context.scene.phorhum, name)

    def execute(self, context: bpy.types.Context) -> set[str]:
        if len(self.files) < 2:
            return _invoke_from(self, bpy.ops.phorhum.reconstruct, filepath=self.filepath)
        files = [{"name": file.name} for file in self.files]
        return _invoke_from(self, bpy.ops.phorhum.reconstruct_photos, directory=self.directory, files=files)


class PHORHUM_OT_find_people(JobOperator, bpy.types.Operator):
    """Search the photo for people and show them, to choose one"""

    bl_idname = "phorhum.find_people"
    bl_label = "Find People"
    bl_options = {"INTERNAL"}
    first_stage = "Starting engine"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return poll_photo(cls, context)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return self.execute(context)

    def start_task(self, context: bpy.types.Context) -> Job:
        self._photo = context.scene.phorhum.photo_path()
        check_photo(self._photo)
        return engine_process.client().find_people(Request(self._photo, **dataclasses.asdict(machine(context))))

    def finish(self, context: bpy.types.Context, task: Job) -> str:
        found.keep(self._photo, task.load_people())
        return words("People found: {}").format(len(found.sizes))


class PHORHUM_OT_choose_person(bpy.types.Operator):
    """Take this person of the photo"""

    bl_idname = "phorhum.choose_person"
    bl_label = "Choose Person"
    bl_options = {"UNDO", "INTERNAL"}

    person: IntProperty(
        name="Person",
        translation_context=CONTEXT,
        description="Number of the person, 0 is the largest",
        default=0,
        min=0,
    )

    def execute(self, context: bpy.types.Context) -> set[str]:
        settings = context.scene.phorhum
        settings.person = self.person
        for name in ("box", "whole_frame", "mask"):  # they would come before a person's number
            settings.property_unset(name)
        return {"FINISHED"}


class PHORHUM_OT_cancel(bpy.types.Operator):
    """Stop the running job; the scene stays as it is"""

    bl_idname = "phorhum.cancel"
    bl_label = "Cancel"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return allowed(cls, "" if status.task else words("Nothing is running"))

    def execute(self, context: bpy.types.Context) -> set[str]:
        status.cancel()
        return {"FINISHED"}


def _invoke_from(operator: bpy.types.Operator, other: Callable[..., set[str]], **properties: object) -> set[str]:
    """Invokes ``other`` in place of ``operator``."""
    try:
        other("INVOKE_DEFAULT", **properties)
    except RuntimeError:  # what an operator reports as an error when another one calls it
        operator.report({"ERROR"}, status.error)
        return {"CANCELLED"}
    return {"FINISHED"}


def _take_from_panel(operator: bpy.types.Operator, context: bpy.types.Context, names: Iterable[str]) -> None:
    """Sets the options among ``names`` that the caller left open."""
    for name in names:
        if not operator.properties.is_property_set(name):
            setattr(operator, name, getattr(context.scene.phorhum, name))


def _request(context: bpy.types.Context, operator: bpy.types.Operator, photo: str) -> Request:
    """What ``operator`` asks for with ``photo``, whoever is in it."""
    return Request(
        photo=photo,
        resolution=operator.resolution,
        height=round(operator.height, 6),  # the property holds 32-bit floats: 1.7 would be stored as 1.7000000476
        photo_detail=operator.photo_detail,
        tilt_known=operator.tilt_known,
        camera_tilt=round(operator.camera_tilt, 6),
        **dataclasses.asdict(machine(context)),
    )


def who(chosen: Any) -> dict[str, Any]:
    """The fields of a request that say who in the photo is meant, from ``chosen``, the panel or an operator."""
    box = tuple(chosen.box)
    return {
        "person": chosen.person,
        "box": box if any(box) else None,
        "whole_frame": chosen.whole_frame,
        "mask": absolute(chosen.mask),
    }


def check_photo(path: str) -> None:
    if not os.path.isfile(path):
        raise UserError(f"There is no photo at {path}.", "Choose an image file.")


def poll_photo(cls: Any, context: bpy.types.Context) -> bool:
    photo = context.scene.phorhum.photo if context.scene else ""
    return allowed(cls, "" if photo else words("Choose a photo first"))


def _poll_scene(cls: Any, context: bpy.types.Context) -> bool:
    reason = ""
    if context.scene is None:
        reason = words("This needs a scene")
    elif context.scene.library:
        reason = words("The scene belongs to another file; a person can only be made in a scene of this one")
    return allowed(cls, reason)


def _poll_person(cls: type[bpy.types.Operator], context: bpy.types.Context) -> bool:
    nobody = words("Select a person that was reconstructed from a photo")
    active = context.view_layer.objects.active if context.view_layer else None
    return allowed(cls, nobody if stored_request(active) is None else "")


CLASSES = (
    PHORHUM_OT_reconstruct,
    PHORHUM_OT_reconstruct_photos,
    PHORHUM_OT_reconstruct_again,
    PHORHUM_OT_restore_settings,
    PHORHUM_OT_open_photo,
    PHORHUM_OT_find_people,
    PHORHUM_OT_choose_person,
    PHORHUM_OT_cancel,
)
