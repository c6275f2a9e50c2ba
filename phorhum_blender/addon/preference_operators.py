"""What can be asked for in the preferences: detector, devices, memory, and texts for a bug report."""

from __future__ import annotations

from pathlib import Path

import bpy

from ..worker.client import Job
from . import diagnosis, engine_process, masks, measured
from .download import YOLO_DETECTOR, DownloadTask
from .job import JobOperator, sentence_of, status
from .package import PACKAGE, user_folder
from .polls import allowed
from .translations import words


class PHORHUM_OT_download_detector(JobOperator, bpy.types.Operator):
    """Download the official person detector of Ultralytics (licence AGPL-3.0) and use it"""

    bl_idname = "phorhum.download_detector"
    bl_label = "Download Detector (AGPL-3.0)"
    bl_options = {"INTERNAL"}
    first_stage = "Downloading detector"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return allowed(cls, _why_no_download(context))

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return self.execute(context)

    def start_task(self, context: bpy.types.Context) -> DownloadTask:
        return DownloadTask(YOLO_DETECTOR, Path(user_folder("detectors")))

    def finish(self, context: bpy.types.Context, task: DownloadTask) -> str:
        context.preferences.addons[PACKAGE].preferences.detector = str(task.path)
        context.preferences.is_dirty = True
        return words("{} was downloaded and checked").format(YOLO_DETECTOR.name)


def _why_no_download(context: bpy.types.Context) -> str:
    if PACKAGE not in context.preferences.addons:
        return words("The add-on is not installed as an extension")
    if bpy.app.online_access:
        return ""
    if bpy.app.online_access_override:
        return words("Blender was started in offline mode")
    return words("Allow online access in Preferences > System > Network first")


class PHORHUM_OT_find_devices(JobOperator, bpy.types.Operator):
    """Ask the engine which devices of this machine it can compute on; they then stand under Device"""

    bl_idname = "phorhum.find_devices"
    bl_label = "Find Devices"
    bl_options = {"INTERNAL"}
    first_stage = "Starting engine"

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return self.execute(context)

    def start_task(self, context: bpy.types.Context) -> Job:
        return engine_process.client().ask_devices()

    def finish(self, context: bpy.types.Context, task: Job) -> str:
        assert task.outcome is not None  # it has ended
        measured.remember_devices(task.outcome.text.split())
        return words("Devices found: {}").format(task.outcome.text)


class PHORHUM_OT_free_memory(bpy.types.Operator):
    """End the engine's process, which keeps the networks loaded; the next reconstruction starts it anew"""

    bl_idname = "phorhum.free_memory"
    bl_label = "Free Memory"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        reason = ""
        if status.task:
            reason = words("A job is running; cancel it first")
        elif not engine_process.running():
            reason = words("The engine is not running and holds no memory")
        return allowed(cls, reason)

    def execute(self, context: bpy.types.Context) -> set[str]:
        engine_process.stop()
        return {"FINISHED"}


class PHORHUM_OT_clear_cache(bpy.types.Operator):
    """Forget the measured times, and delete painted masks that the open file does not use"""

    bl_idname = "phorhum.clear_cache"
    bl_label = "Clear Cache"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return allowed(cls, words("A job is running; cancel it first") if status.task else "")

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return context.window_manager.invoke_confirm(self, event)  # masks of people in other files go too

    def execute(self, context: bpy.types.Context) -> set[str]:
        measured.forget_runs()
        try:
            count, size = masks.delete_unused()
        except Exception as error:
            self.report({"ERROR"}, sentence_of(error))
            return {"CANCELLED"}
        self.report({"INFO"}, words("Masks deleted: {} ({} MB)").format(count, f"{size / 1e6:.1f}"))
        return {"FINISHED"}


class PHORHUM_OT_copy_log(bpy.types.Operator):
    """Copy the end of the engine's log, with private paths masked"""

    bl_idname = "phorhum.copy_log"
    bl_label = "Copy Log"
    bl_options = {"INTERNAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        text = diagnosis.log_tail()
        if not text:
            self.report({"WARNING"}, words("There is no log yet"))
            return {"CANCELLED"}
        context.window_manager.clipboard = text
        self.report({"INFO"}, words("The log was copied"))
        return {"FINISHED"}


class PHORHUM_OT_copy_diagnosis(bpy.types.Operator):
    """Copy versions, settings, last error and last report for a bug report, with private paths masked"""

    bl_idname = "phorhum.copy_diagnosis"
    bl_label = "Copy Diagnosis"
    bl_options = {"INTERNAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        context.window_manager.clipboard = diagnosis.diagnosis(context)
        self.report({"INFO"}, words("The diagnosis was copied"))
        return {"FINISHED"}


CLASSES = (
    PHORHUM_OT_download_detector,
    PHORHUM_OT_find_devices,
    PHORHUM_OT_free_memory,
    PHORHUM_OT_clear_cache,
    PHORHUM_OT_copy_log,
    PHORHUM_OT_copy_diagnosis,
)
