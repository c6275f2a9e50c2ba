"""What goes into a reconstruction and what comes out: frozen, versioned, free of torch and of Blender.

Scene space is used for every array of :class:`Result`: metres, right-handed, x right, **y up**, z towards the camera,
feet on y = 0, the person's box axis at x = 0. It equals glTF's convention. Blender's is ``(x, -z, y)``.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np

REQUEST_VERSION = 1
RESULT_VERSION = 1
RESOLUTIONS = (16, 1024)  # least and most
HEIGHTS = (0.1, 10.0)  # metres, likewise


@dataclass(frozen=True)
class Request:
    """One reconstruction. Plain JSON values only, so it can cross the wall and be kept on the created object."""

    photo: str  # path of the photo
    resolution: int = 256  # cells along the longest side of the evaluation box
    height: float = 1.70  # metres, head to feet of the result
    person: int = 0  # index among the persons found, largest first
    box: tuple[float, float, float, float] | None = None  # x0 y0 x1 y1 in upright photo pixels; skips detection
    whole_frame: bool = False  # take the whole photo as the person's box; skips detection
    mask: str = ""  # path of a picture of the photo's size, white where the person is; skips detection; "" = none
    photo_detail: bool = True  # the visible side gets the photo's own fine colour, the hidden one the colours seen
    tilt_known: bool = False  # whether camera_tilt says it; else the photo's own record does, or how the person stands
    camera_tilt: float = 0.0  # radians by which the camera looked down
    back_photo: str = ""  # path of a second photo, taken from behind, whose colour the back gets; "" = none
    back_person: int = 0  # index among the persons of the back photo, largest first
    weights: str = ""  # path of the network weights; "" = those that ship
    detector: str = ""  # path of detector weights; "" = the detector that ships
    device: str = "cpu"
    threads: int = 0  # 0 = as many as the machine has
    version: int = REQUEST_VERSION

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Request:
        """Raises ``ValueError`` for unknown keys, another version, or values of another kind: a stranger's ``.blend``
        holds a request too."""
        kinds = {f.name: str(f.type) for f in fields(cls)}
        unknown = set(data) - set(kinds)
        if unknown:
            raise ValueError(f"unknown request fields: {', '.join(sorted(unknown))}")
        if data.get("version", REQUEST_VERSION) != REQUEST_VERSION:
            raise ValueError(f"request version {data['version']} is not {REQUEST_VERSION}")
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in data.items()}
        wrong = [name for name, value in values.items() if not _is_a(kinds[name], value)]
        if wrong or "photo" not in values:
            raise ValueError(f"request fields are missing or of the wrong kind: {', '.join(wrong) or 'photo'}")
        return cls(**values)


def _is_a(kind: str, value: Any) -> bool:
    """Whether ``value`` is what the annotation ``kind`` says; whole numbers must fit into Blender's."""
    if kind == "tuple[float, float, float, float] | None":
        return value is None or (isinstance(value, tuple) and len(value) == 4 and all(_is_a("float", x) for x in value))
    if kind == "int":
        return type(value) is int and -(2**31) <= value < 2**31
    if kind == "float":
        return type(value) in (int, float) and math.isfinite(value)
    return type(value) is {"str": str, "bool": bool}[kind]


@dataclass(frozen=True)
class PhotoCamera:
    """The pinhole camera of the whole photo, in scene space. With pitch 0 it looks along -z and its up is +y."""

    position: tuple[float, float, float]  # metres
    focal: float  # pixels of the photo
    principal: tuple[float, float]  # pixels; away from the centre, because the person's box axis is the optical axis
    width: int  # pixels of the upright photo
    height: int
    pitch: float = 0.0  # radians: how far it looks down

    def rotation(self) -> np.ndarray:
        """(3, 3) float64 that turns directions in the camera's axes (x right, y up, z backwards) into scene space."""
        return pitch_rotation(self.pitch)

    def project(self, points: np.ndarray) -> np.ndarray:
        """Photo pixels (N, 2) float64, origin top left, y down, on which scene ``points`` (N, 3) land."""
        x, y, z = ((points - np.array(self.position)) @ self.rotation()).T
        return np.stack([self.principal[0] - self.focal * x / z, self.principal[1] + self.focal * y / z], 1)


def pitch_rotation(pitch: float) -> np.ndarray:
    """(3, 3) float64 from the axes of a camera that looks down by ``pitch`` radians to those of a level one."""
    cos, sin = math.cos(pitch), math.sin(pitch)
    return np.array([[1.0, 0.0, 0.0], [0.0, cos, sin], [0.0, -sin, cos]])


@dataclass(frozen=True)
class DirectionalLight:
    direction: tuple[float, float, float]  # unit vector from the surface TOWARDS the light, scene space
    colour: tuple[float, float, float]  # linear; shading added where the normal faces the light


@dataclass(frozen=True)
class LightRig:
    """Shading as a function of the unit normal n (linear; shaded = albedo * shading):
    ``shading(n) ~ ambient + key.colour * max(0, n.key.direction) + fill.colour * max(0, n.fill.direction)``."""

    key: DirectionalLight
    fill: DirectionalLight
    ambient: tuple[float, float, float]  # linear
    sh: tuple[tuple[float, float, float], ...]  # 9 x 3 real spherical harmonics of the shading, bands 0..2


@dataclass(frozen=True)
class Result:
    """All arrays in scene space (see the module). Colours are linear, not sRGB."""

    vertices: np.ndarray  # (V, 3) float32, metres
    faces: np.ndarray  # (F, 3) int32, counter-clockwise seen from outside
    normals: np.ndarray  # (V, 3) float32, unit, outward
    albedo: np.ndarray  # (V, 3) float32, linear, 0..1
    shaded: np.ndarray  # (V, 3) float32, linear, >= 0
    camera: PhotoCamera
    lights: LightRig
    joints: np.ndarray  # (21, 3) float32, metres, in the order of engine.skeleton.JOINTS
    report: dict[str, Any] = field(default_factory=dict)  # JSON values; see docs/architecture.md
    version: int = RESULT_VERSION


@dataclass(frozen=True)
class People:
    """The persons of a photo, in the order in which :attr:`Request.person` counts them, with small pictures of them."""

    boxes: np.ndarray  # (K, 4) float32: x0 y0 x1 y1 in pixels of the upright photo
    thumbnails: np.ndarray  # (K, S, S, 4) uint8, sRGB; what lies beside the picture is transparent
    photo: np.ndarray  # (S, S, 4) uint8: the whole upright photo, likewise
