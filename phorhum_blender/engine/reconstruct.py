"""From a request to a result: read, detect, encode once, query many, and put the answer into scene space."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image

from .back import LEAST_OVERLAP, BackView, add_back_photo, find_back
from .camera import (
    DEFAULT_DISTANCE,
    CropSquare,
    distance_from_focal,
    pitch_of_crop,
    view_code,
)
from .contracts import HEIGHTS, RESOLUTIONS, People, PhotoCamera, Request, Result, pitch_rotation
from .detail import Appearance, add_photo_detail
from .errors import UserError
from .gap import Gap
from .head import LEAST_SEEN, Head
from .head import SHIPPED as HEAD_WEIGHTS
from .lighting import fit_light_rig
from .mask import with_mask
from .memory import check_memory, check_square
from .model import Encoding, PhorhumModel, PreparedField
from .model.feature_extractor import dense_maps
from .model.first_light import srgb_to_linear
from .people import picture_chosen, picture_people
from .person import NoPersonError, Person, candidates, select_person
from .photo import Photo, load_photo
from .refinement import refined, smooth_normals
from .silhouette import Silhouette
from .solid import Solid
from .stance import camera_pitch
from .surface import Surface, extract_surface

Progress = Callable[[str, float], None]
Show = Callable[[np.ndarray], None]  # gets the picture of :func:`picture_chosen` as soon as there is one

# stage -> fractions of the whole job at its start and end
STAGES = {
    "Reading photo": (0.0, 0.03),
    "Finding person": (0.03, 0.25),
    "Encoding": (0.25, 0.35),
    "Finding surface": (0.35, 0.75),
    "Colouring": (0.75, 0.95),
    "Fitting light": (0.95, 0.98),
    "Finishing": (0.98, 1.0),
}
DIVISIONS = 2  # how often the edges of the head's triangles are halved, and of those that show the photo's detail
LEAST_CELL = 0.0019  # crop units: to no shorter edges
DEPTH_MARGIN = 0.2  # crop units that the evaluation box reaches beyond the predicted depths
DISTANCES = (1.8, 20.0)  # crop units: cameras nearer or farther are taken for wrong EXIF
CHUNK = 8192  # points a call of f: small enough for the caches, and for a quick answer to Cancel
DETAIL_AT = 0.5  # of the colouring: from here on it is the photo's detail
PIXELS_PER_CELL = 2  # of the picture that photo detail is taken from: more than vertices a cell apart can hold
CLOSE_UP = 2048  # pixels a side, at the most, of the picture that fine triangles show: two for their shortest edges
HEAD_PICTURE = 768  # pixels a side, at the most, of the crop that the head is cut out of
WELL_OUTSIDE = 0.05  # crop units from the silhouette, beyond which f is not asked
EDGE = 2.0  # pixels: a box this near to the photo's edge is cut off by it


@dataclass
class Encoded:
    """A person in a photo, ready to be asked for surface and colour."""

    encoding: Encoding
    square: CropSquare
    distance: float  # crop units, of the camera
    pitch: float | None  # radians by which it looked down; None: not known
    silhouette: Silhouette
    field: PreparedField
    solid: Solid
    head: Head | None = None  # None: not looked at, or not in the photo


@dataclass
class Stopwatch:
    """Times the stages and tells their progress as a fraction of the whole."""

    progress: Progress
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[Callable[[float], None]]:
        start, end = STAGES[name]
        began = time.perf_counter()
        self.progress(name, start)
        yield lambda fraction: self.progress(name, start + (end - start) * fraction)
        self.seconds[name] = round(time.perf_counter() - began, 3)


class Reconstructor:
    """Networks loaded once; :meth:`run` does one request after another."""

    def __init__(self, weights: str = "", detector: str = "", device: str = "cpu", threads: int = 0):
        """``threads`` 0 takes all of the machine's. Raises :class:`UserError` for weights that are missing or
        damaged, and for a device that this machine lacks."""
        torch.set_num_threads(max(0, threads) or os.cpu_count() or 1)
        self.device, self.detector = device, detector
        try:
            self.model = PhorhumModel.load(weights).to(device)
            self.head_model = PhorhumModel.load(HEAD_WEIGHTS).to(device)
        except (RuntimeError, AssertionError) as error:
            raise UserError(f"The device '{device}' can't be used here.", "Choose the device 'cpu'.") from error

    def run(
        self,
        request: Request,
        progress: Progress = lambda stage, fraction: None,
        show: Show = lambda picture: None,
    ) -> Result:
        """One reconstruction. ``progress`` gets a stage word and the fraction of the whole, at least every 0.2 s of
        work, and may raise ``Cancelled``. Raises :class:`UserError` for all that the user can mend."""
        try:
            with torch.inference_mode():
                return self._run(request, Stopwatch(progress), show)
        except (MemoryError, torch.OutOfMemoryError) as error:
            raise _out_of_memory() from error
        except RuntimeError as error:
            if "can't allocate memory" in str(error):
                raise _out_of_memory() from error
            raise

    def find_people(self, request: Request, progress: Progress = lambda stage, fraction: None) -> People:
        """The persons among whom ``request.person`` chooses. Raises :class:`UserError` where there is none."""
        progress("Reading photo", 0.0)
        photo = load_photo(request.photo)
        progress("Finding people", 0.2)
        with torch.inference_mode():
            found = candidates(photo, request.detector, lambda part: progress("Finding people", 0.2 + 0.8 * part))
            return picture_people(photo, found)

    def find_mask(self, request: Request, progress: Progress = lambda stage, fraction: None) -> np.ndarray:
        """(H, W) uint8 of the upright photo's size: the mask with which ``request`` would be made, 255 where the person
        is; black where the person is not found. Raises :class:`UserError` where the photo or a given mask is wrong."""
        progress("Reading photo", 0.0)
        photo = with_mask(load_photo(request.photo), request.mask)
        try:
            with torch.inference_mode():
                person = select_person(photo, request, lambda part: progress("Finding person", 0.2 + 0.8 * part))
        except NoPersonError:
            return np.zeros((photo.height, photo.width), np.uint8)
        return np.round(255 * person.mask).astype(np.uint8)

    def _run(self, request: Request, watch: Stopwatch, show: Show) -> Result:
        _check(request)
        with watch.stage("Reading photo"):
            photo = with_mask(load_photo(request.photo), request.mask)
            if request.tilt_known:
                photo = replace(photo, tilt=request.camera_tilt)
        with watch.stage("Finding person") as tell:
            share = 0.5 if request.back_photo else 1.0
            person = select_person(photo, request, lambda part: tell(share * part))
            show(picture_chosen(photo, person))
            back = find_back(request, lambda part: tell(share + share * part))
        with watch.stage("Encoding"):
            encoded = self.encode(photo, person)
            back_encoded = self.encode(*back, look_at_head=False) if back else None
        with watch.stage("Finding surface") as tell:
            surface = self.surface(encoded, request.resolution, tell)
        with watch.stage("Colouring") as tell:
            look = self.appearance(encoded, surface, lambda fraction: tell(DETAIL_AT * fraction))
            if request.photo_detail:
                pictures = detailed_crops(photo, person, encoded.square, request.resolution)
                look = add_photo_detail(look, *pictures, encoded.distance, lambda: tell(DETAIL_AT))
            warnings = warnings_about(photo, person)
            if back and back_encoded:
                pictures = detailed_crops(*back, back_encoded.square, request.resolution)
                look, overlap = self.colour_back(look, *pictures, back_encoded, encoded.distance)
                if overlap < LEAST_OVERLAP:
                    warnings.append(
                        f"The person stands differently in the back photo: {overlap:.0%} of the outlines agree, so "
                        "some of its colours may be out of place."
                    )
        with watch.stage("Fitting light"):
            joints = self.joints(encoded)
            pitch = camera_pitch(joints) if encoded.pitch is None else encoded.pitch
            to_scene = scene_placement(surface.vertices, request.height, pitch)
            lights = fit_light_rig(lambda n: self.shading(encoded, to_scene.turn_back(n)))
        with watch.stage("Finishing"):
            vertices, normals, joints = to_scene(look.vertices), to_scene.turn(look.normals), to_scene(joints)
            camera = scene_camera(to_scene, encoded, photo)
        report = {
            "seconds": {**watch.seconds, "all": round(sum(watch.seconds.values()), 3)},
            "peak_memory_mb": peak_memory_mb(),
            "photo": [photo.width, photo.height],
            "box": [round(float(x), 1) for x in person.box],
            "mask_coverage": round(float(person.mask.mean()), 4),
            "camera_distance_units": round(encoded.distance, 3),
            "camera_tilt_known": encoded.pitch is not None,
            "illumination": [round(x, 4) for x in encoded.encoding.illumination[0].tolist()],
            "resolution": request.resolution,
            "weights_sha256": self.model.sha256,
            "head_weights_sha256": self.head_model.sha256 if encoded.head else None,
            "warnings": warnings,
        }
        if back:
            report["back_overlap"] = round(overlap, 3)
        shaded = look.albedo * look.shading
        return Result(vertices, look.faces, normals, look.albedo, shaded, camera, lights, joints, report)

    def encode(self, photo: Photo, person: Person, look_at_head: bool = True) -> Encoded:
        """Cuts the person's square out of the photo and asks G, and what looks at the head alone."""
        square = CropSquare.around(person.box)
        check_square(round(square.side))
        distance = DEFAULT_DISTANCE
        if photo.focal_pixels:
            distance = float(np.clip(distance_from_focal(photo.focal_pixels, square.side), *DISTANCES))
        pitch = None if photo.tilt is None else pitch_of_crop(photo.tilt, square, distance, photo.height)
        image = crop(photo, person, square, self.model.config.image_size)
        encoded = self.encode_crop(image, square, distance, pitch, photo.focal_pixels is not None)
        if not look_at_head:
            return encoded
        return self.with_head(encoded, detailed_crop(photo, person, square, HEAD_PICTURE))

    def encode_crop(
        self,
        image: np.ndarray,
        square: CropSquare,
        distance: float,
        pitch: float | None = None,
        distance_known: bool = True,
    ) -> Encoded:
        """``image`` (S, S, 4) float32: sRGB-encoded colour and mask, 0..1. The camera's ``distance`` in crop units,
        which may be a guess, and its ``pitch``, radians downwards; None: not known."""
        tensor = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))[None].to(self.device)
        told = view_code(distance if distance_known else None, pitch)
        encoding = self.model.encode_with_mirror_image(tensor, tensor.new_tensor([told]))
        silhouette = Silhouette(image[..., 3], distance)
        field, gap = self.model.field(encoding, distance), Gap(encoding.joints_in_space(distance))
        solid = Solid(lambda points: gap.raised(field.distances(points), points), encoding, silhouette, distance)
        return Encoded(encoding, square, distance, pitch, silhouette, field, solid)

    def with_head(self, encoded: Encoded, picture: np.ndarray) -> Encoded:
        """``encoded`` with its head, where one is seen in ``picture`` (S, S, 4) float32: the crop with more pixels."""
        head = Head(self.head_model, picture, encoded.encoding, encoded.distance)
        return replace(encoded, head=head) if head.seen >= LEAST_SEEN else encoded

    def bounds(self, encoded: Encoded) -> np.ndarray:
        """(2, 3) corners of the box that holds the person, crop units."""
        maps = dense_maps(encoded.encoding.features)
        inside = torch.sigmoid(maps["mask"]) > 0.5
        if not inside.any():
            return np.array([[-1.2, -1.2, -0.8], [1.2, 1.2, 0.8]])
        low = float(maps["back"][inside].min()) - DEPTH_MARGIN
        high = min(float(maps["front"][inside].max()) + DEPTH_MARGIN, encoded.distance * 0.8)
        wide = 1.02 * (encoded.distance - low) / encoded.distance
        return np.array([[-wide, -wide, low], [wide, wide, high]])

    def surface(
        self, encoded: Encoded, resolution: int, tell: Callable[[float], None] = lambda fraction: None
    ) -> Surface:
        """The person's surface on ``resolution`` cells, and finer around the head."""

        def field(points: np.ndarray) -> np.ndarray:
            return self.distances(encoded, points)

        bounds = self.bounds(encoded)
        surface = extract_surface(field, bounds, resolution, lambda fraction: tell(0.8 * fraction), CHUNK)
        cell = float((bounds[1] - bounds[0]).max()) / resolution
        times = min(DIVISIONS, int(math.log2(max(cell / LEAST_CELL, 1))))
        if not encoded.head or not times:
            return surface

        def finer_field(points: np.ndarray) -> np.ndarray:
            tell(0.8)
            return field(points)

        return refined(surface, finer_field, lambda points: self.head_share(encoded, points) > 0.5, times, cell, CHUNK)

    def head_share(self, encoded: Encoded, points: np.ndarray) -> np.ndarray:
        """(N,) 0..1: how far ``points`` (N, 3) belong to the head, if it was looked at."""
        if not encoded.head:
            return np.zeros(len(points), np.float32)
        return encoded.head.share(torch.from_numpy(points).to(self.device)).cpu().numpy()

    def appearance(
        self, encoded: Encoded, surface: Surface, tell: Callable[[float], None] = lambda fraction: None
    ) -> Appearance:
        """What the networks say of the vertices of the person's ``surface``."""
        normals = smooth_normals(surface.vertices, surface.faces)
        albedo = self.albedo(encoded, surface.vertices, tell)
        shading = self.shading(encoded, normals)
        head = self.head_share(encoded, surface.vertices)
        return Appearance(surface.vertices, surface.faces, normals, albedo, shading, head)

    def distances(self, encoded: Encoded, points: np.ndarray) -> np.ndarray:
        """Signed distance (N,) of ``points`` (N, 3), crop units, outside positive.

        Where the silhouette alone says that a point is well outside, it is not farther from the surface than told.
        """
        at = torch.from_numpy(points)
        distance = encoded.silhouette.bound(at)
        near = torch.nonzero(distance < WELL_OUTSIDE).squeeze(1)
        there, hull = at[near].to(self.device), distance[near].to(self.device)
        if encoded.head:
            solid = encoded.head.joined(there, hull, encoded.solid.distances)
        else:
            solid = encoded.solid.distances(there, hull)
        distance[near] = solid.cpu()
        return distance.numpy()

    def albedo(
        self, encoded: Encoded, points: np.ndarray, tell: Callable[[float], None] = lambda fraction: None
    ) -> np.ndarray:
        """Linear albedo (N, 3) float32 at ``points`` (N, 3)."""
        parts = []
        for start in range(0, len(points), CHUNK):
            tell(start / len(points))
            at = torch.from_numpy(points[start : start + CHUNK]).to(self.device)
            albedo = encoded.head.joined_albedo(at, encoded.field.albedo) if encoded.head else encoded.field.albedo(at)
            parts.append(albedo.cpu().numpy())
        return np.concatenate(parts)

    def colour_back(
        self, person: Appearance, picture: np.ndarray, close_up: np.ndarray, encoded: Encoded, front_distance: float
    ) -> tuple[Appearance, float]:
        """``person`` with the back photo's colours on the back, and how well the outlines agree, 0..1.

        ``picture`` and ``close_up`` are :func:`detailed_crops` of the back photo, ``encoded`` is what G says of it; see
        :mod:`.back`.
        """
        own = srgb_to_linear(torch.sigmoid(dense_maps(encoded.encoding.features)["albedo"][0]))
        view = BackView(picture, close_up, own.permute(1, 2, 0).cpu().numpy(), encoded.distance)
        return add_back_photo(person, lambda normals: self.shading(encoded, normals), view, front_distance)

    def joints(self, encoded: Encoded) -> np.ndarray:
        """(21, 3) float32 crop units, in the order of ``skeleton.JOINTS``."""
        return encoded.encoding.joints_in_space(encoded.distance).cpu().numpy()

    def shading(self, encoded: Encoded, normals: np.ndarray) -> np.ndarray:
        """Linear shading (N, 3) float32 of unit ``normals`` (N, 3)."""
        at = torch.from_numpy(normals.astype(np.float32)).to(self.device)
        return self.model.shading(encoded.encoding, at).cpu().numpy()


def crop(photo: Photo, person: Person, square: CropSquare, size: int) -> np.ndarray:
    """(size, size, 4) float32: the person's square, sRGB-encoded colour and mask 0..1; the photo's edge goes on
    outside of it."""
    left, top = round(square.centre_x - square.side / 2), round(square.centre_y - square.side / 2)
    side = max(1, round(square.side))
    y0, y1, x0, x1 = max(0, top), min(photo.height, top + side), max(0, left), min(photo.width, left + side)
    beyond = (y0 - top, top + side - y1, x0 - left, left + side - x1)
    square_rgb = cv2.copyMakeBorder(photo.rgb[y0:y1, x0:x1], *beyond, cv2.BORDER_REPLICATE)
    square_mask = cv2.copyMakeBorder(person.mask[y0:y1, x0:x1], *beyond, cv2.BORDER_CONSTANT)
    colour = Image.fromarray(square_rgb).resize((size, size), Image.Resampling.BOX)
    mask = Image.fromarray(square_mask).resize((size, size), Image.Resampling.BOX)
    return np.dstack([np.asarray(colour, np.float32) / 255, np.asarray(mask, np.float32)])


def detailed_crops(photo: Photo, person: Person, square: CropSquare, resolution: int) -> tuple[np.ndarray, np.ndarray]:
    """The crop (S, S, 4) in as many pixels as a mesh of ``resolution`` cells can hold, and its colour (T, T, 3) in as
    many as the finest triangles can."""
    size = PIXELS_PER_CELL * resolution
    picture, close_up = (detailed_crop(photo, person, square, n) for n in (size, min(size << DIVISIONS, CLOSE_UP)))
    return picture, close_up[..., :3]


def detailed_crop(photo: Photo, person: Person, square: CropSquare, most: int) -> np.ndarray:
    """As :func:`crop`, with as many pixels a side as the photo has, up to ``most``."""
    return crop(photo, person, square, min(max(1, round(square.side)), most))


@dataclass(frozen=True)
class ScenePlacement:
    """Crop units to scene space: the camera's tilt taken out, feet on y = 0, as tall as asked for."""

    floor: float  # crop units: y of the feet, turned
    scale: float  # metres per crop unit
    pitch: float  # radians: how far the camera looked down

    def __call__(self, points: np.ndarray) -> np.ndarray:
        return np.asarray((self.turn(points) - np.array([0, self.floor, 0], np.float32)) * self.scale, np.float32)

    def turn(self, directions: np.ndarray) -> np.ndarray:
        """``directions`` (N, 3) of the crop camera's axes in scene space."""
        return directions @ pitch_rotation(self.pitch).T.astype(np.float32)

    def turn_back(self, directions: np.ndarray) -> np.ndarray:
        """``directions`` (N, 3) of scene space in the crop camera's axes."""
        return directions @ pitch_rotation(self.pitch).astype(np.float32)


def scene_placement(vertices: np.ndarray, height: float, pitch: float) -> ScenePlacement:
    """Where a mesh of crop units stands ``height`` metres tall before a camera that looks down by ``pitch`` radians."""
    y = ScenePlacement(0.0, 1.0, pitch).turn(vertices)[:, 1]
    low, high = float(y.min()), float(y.max())
    return ScenePlacement(low, height / (high - low), pitch)


def scene_camera(to_scene: ScenePlacement, encoded: Encoded, photo: Photo) -> PhotoCamera:
    """The whole photo's camera in scene space."""
    square = encoded.square
    return PhotoCamera(
        position=tuple(to_scene(np.array([[0.0, 0.0, encoded.distance]]))[0].tolist()),
        focal=encoded.distance * square.side / 2,
        principal=(float(square.centre_x), float(square.centre_y)),
        width=photo.width,
        height=photo.height,
        pitch=to_scene.pitch,
    )


def warnings_about(photo: Photo, person: Person) -> list[str]:
    """What the user should know about this photo, in sentences."""
    x0, y0, x1, y1 = person.box
    cut = [
        side
        for side, near in (
            ("left", x0 < EDGE),
            ("top", y0 < EDGE),
            ("right", x1 > photo.width - EDGE),
            ("bottom", y1 > photo.height - EDGE),
        )
        if near
    ]
    if not cut:
        return []
    return [f"The person reaches the {' and '.join(cut)} edge of the photo; what lies beyond it is guessed."]


def peak_memory_mb() -> float:
    """The process's largest memory so far, in MB; 0 where the system does not tell."""
    try:
        import resource
        import sys
    except ImportError:
        return 0.0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1 << 20 if sys.platform == "darwin" else 1 << 10), 1)


def _check(request: Request) -> None:
    least, most = RESOLUTIONS
    if not least <= request.resolution <= most:
        raise UserError(f"The resolution must lie between {least} and {most}.")
    lowest, tallest = HEIGHTS
    if not lowest <= request.height <= tallest:
        raise UserError(f"The height must lie between {lowest:g} and {tallest:g} metres.")
    if not Path(request.photo).name:
        raise UserError("No photo was given.", "Choose a photo of a person.")
    check_memory(request.resolution)


def _out_of_memory() -> UserError:
    return UserError("There is not enough memory for this resolution.", "Choose a lower resolution.")
