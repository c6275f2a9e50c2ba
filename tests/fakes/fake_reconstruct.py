"""Stands in for ``phorhum_blender.engine.reconstruct``: quick, without torch, and misbehaving on demand.

The name of the photo says what happens. A child process gets it through a ``.pth`` file (see ``fake_site``), so the
product has no option for tests.
"""

import contextlib
import ctypes
import itertools
import math
import os
import sys
import tempfile
import time
import types

import numpy as np

STAGES = ("Reading photo", "Finding person", "Finding surface", "Finishing")


def octahedron(report=None):
    """A closed :class:`Result` of 6 vertices whose albedo spans dark to bright."""
    from phorhum_blender.engine.contracts import DirectionalLight, LightRig, PhotoCamera, Result

    axes = np.concatenate([np.eye(3), -np.eye(3)]).astype(np.float32)
    faces = [[0, 1, 2], [1, 3, 2], [3, 4, 2], [4, 0, 2], [1, 0, 5], [3, 1, 5], [4, 3, 5], [0, 4, 5]]
    albedo = np.array([[0, 0.0001, 0.001], [0.002, 0.01, 0.05], [0.1, 0.2, 0.3]] * 2, np.float32)
    albedo[3:] = 1 - albedo[:3]
    light = DirectionalLight((0.0, 0.6, 0.8), (0.5, 0.4, 1 / 3))
    return Result(
        vertices=axes + np.array([0, 1, 0], np.float32),
        faces=np.array(faces, np.int32),
        normals=axes,
        albedo=albedo,
        shaded=albedo * 1.5,
        camera=PhotoCamera((0.0, 0.9, math.pi), 1000.5, (320.25, 240.75), 640, 480),
        lights=LightRig(light, light, (0.1, 0.2, 0.3), tuple((i / 7, 0.0, -1e-9) for i in range(9))),
        joints=np.arange(63, dtype=np.float32).reshape(21, 3) / 63,
        report=report or {},
    )


class Reconstructor:
    made = 0

    def __init__(self, weights="", detector="", device="cpu", threads=0):
        type(self).made += 1

    def run(self, request, progress, show=lambda picture: None):
        from phorhum_blender.engine.errors import UserError

        behaviour = os.path.splitext(os.path.basename(request.photo))[0]
        for number, stage in enumerate(STAGES):
            progress(stage, number / len(STAGES))
            if stage == "Finding person":
                show(np.full((256, 256, 4), 7, np.uint8))
        if behaviour == "slow":
            while True:
                time.sleep(0.01)
                progress("Finding surface", 0.5)
        elif behaviour == "stuck":
            time.sleep(60)
        elif behaviour == "busy":
            while True:
                pass
        elif behaviour == "writer":
            for number in itertools.count():
                with contextlib.suppress(OSError):
                    open(os.path.join(tempfile.gettempdir(), str(number)), "w").close()
        elif behaviour == "litter":
            tempfile.mkdtemp(prefix="litter")
        elif behaviour == "die":
            os._exit(7)
        elif behaviour == "nobody":
            raise UserError("No person was found.", "Choose another photo.")
        elif behaviour == "bug":
            raise ValueError(f"wrong shape\nin {os.path.expanduser('~')}/photo.jpg")
        elif behaviour == "memory":
            raise MemoryError
        elif behaviour == "interrupt":
            raise KeyboardInterrupt
        elif behaviour == "noisy":
            print("printed by Python")
            os.system("echo printed by a child")
            libc = ctypes.CDLL(None)
            libc.puts(b"printed by C")
            libc.fflush(None)
        elif behaviour != "good":
            raise AssertionError(f"unknown behaviour {behaviour}")
        report = {"made": type(self).made, "resolution": request.resolution, "photo_detail": request.photo_detail}
        report |= {"mask": request.mask, "back_photo": request.back_photo, "back_person": request.back_person}
        report |= {"tilt_known": request.tilt_known, "camera_tilt": request.camera_tilt}
        report |= {"seconds": {"Finding surface": 0.5, "all": 1.0}, "peak_memory_mb": 100.0}
        if behaviour == "noisy":
            report["warnings"] = ["The photo is blurred."]
        return octahedron(report)

    def find_people(self, request, progress):
        from phorhum_blender.engine.contracts import People
        from phorhum_blender.engine.errors import UserError

        progress("Finding people", 0.2)
        if os.path.basename(request.photo).startswith("nobody"):
            raise UserError("No person was found.", "Choose another photo.")
        boxes = np.array([[10, 20, 110, 320], [200, 30, 260, 230]], np.float32)
        thumbnails = np.full((2, 128, 128, 4), 255, np.uint8)
        return People(boxes, thumbnails, thumbnails[0])

    def find_mask(self, request, progress):
        progress("Finding person", 0.2)
        return np.arange(12, dtype=np.uint8).reshape(4, 3) + request.person


def install():
    module = types.ModuleType("phorhum_blender.engine.reconstruct")
    module.Reconstructor = Reconstructor
    sys.modules[module.__name__] = module
    devices = types.ModuleType("phorhum_blender.engine.devices")
    devices.available_devices = lambda: ["cpu", "cuda"]
    sys.modules[devices.__name__] = devices
