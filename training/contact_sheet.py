"""Pictures to look at: each reconstruction from the front, the side and behind, in colour and as normals, in one PNG.

Meshes are drawn by ray casting, orthographically, upright and with the floor at the same height in all views. The
sheets show the photo itself, so they belong in a folder that is not kept with the code.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from phorhum_blender.engine.colour import linear_to_srgb
from phorhum_blender.engine.contracts import PhotoCamera, Result
from training.metrics import Mesh, Raster, cast

HEIGHT = 512  # pixels of a picture
MARGIN = 1.06  # height of the view / height of the person
PAPER = 0.93  # background, sRGB-encoded
OUTLINE = (255, 40, 40)
# yaw of the viewer about the vertical in degrees: 0 looks at the front, 90 at the person's left side
FRONT, SIDE, BACK = 0.0, 90.0, 180.0


@dataclass(frozen=True)
class View:
    """An orthographic look at a mesh."""

    raster: Raster
    right: np.ndarray  # (3,) picture axes
    towards: np.ndarray  # (3,) from the mesh to the viewer

    def colour(self, mesh: Mesh, srgb: np.ndarray) -> np.ndarray:
        """(H, W, 3) of per-vertex ``srgb`` (V, 3), dimmed a little where the surface turns away, so that form shows."""
        facing = np.clip(mesh.face_normals[self.raster.face] @ self.towards, 0, 1)[..., None]
        return self._on_paper(self.raster.interpolate(mesh, srgb) * (0.55 + 0.45 * facing))

    def normals(self, mesh: Mesh) -> np.ndarray:
        """(H, W, 3) the face normals as the viewer sees them: right red, up green, towards blue."""
        seen = mesh.face_normals[self.raster.face] @ np.stack([self.right, [0, 1, 0], self.towards], 1)
        return self._on_paper(seen / 2 + 0.5)

    def _on_paper(self, picture: np.ndarray) -> np.ndarray:
        return np.where(self.raster.mask[..., None], picture, PAPER)


def look(mesh: Mesh, yaw: float, height: int, frame: Mesh | None = None) -> View:
    """Looks at ``mesh`` (y up, z to the front) from ``yaw`` degrees; the picture, ``height`` pixels high, frames the
    mesh, or another one given as ``frame``."""
    turn = np.radians(yaw)
    right = np.array([np.cos(turn), 0, -np.sin(turn)])
    towards = np.array([np.sin(turn), 0, np.cos(turn)])
    low, high = _bounds(frame or mesh)
    centre, tall = (low + high) / 2, (high - low)[1] * MARGIN
    across = max(float(np.hypot(*(high - low)[[0, 2]])) * 1.02, tall / 3)
    width = max(int(round(height * across / tall)), 1)
    x = ((np.arange(width) + 0.5) / width - 0.5) * tall * width / height
    y = (0.5 - (np.arange(height) + 0.5) / height) * tall
    gx, gy = np.meshgrid(x, y)
    origin = centre + gx[..., None] * right + gy[..., None] * np.array([0, 1, 0]) + towards * tall * 2
    rays = np.broadcast_to(-towards, origin.shape).reshape(-1, 3)
    return View(cast(mesh, origin.reshape(-1, 3), rays, (height, width)), right, towards)


def _bounds(mesh: Mesh) -> tuple[np.ndarray, np.ndarray]:
    used = mesh.vertices[np.unique(mesh.faces)]
    return used.min(0), used.max(0)


def cast_photo(mesh: Mesh, camera: PhotoCamera, longest: int = 512) -> Raster:
    """The mesh as the matched camera sees it, at the photo's shape with its longer side reduced to ``longest``."""
    scale = min(1.0, longest / max(camera.width, camera.height))
    height, width = max(1, round(camera.height * scale)), max(1, round(camera.width * scale))
    u = (np.arange(width) + 0.5) * camera.width / width
    v = (np.arange(height) + 0.5) * camera.height / height
    x, y = np.meshgrid((u - camera.principal[0]) / camera.focal, -(v - camera.principal[1]) / camera.focal)
    rays = np.stack([x, y, np.full_like(x, -1)], -1).reshape(-1, 3) @ camera.rotation().T
    return cast(mesh, np.broadcast_to(np.array(camera.position, np.float64), rays.shape), rays, (height, width))


def with_outline(photo: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """``photo`` (H, W, 3) uint8 with the edge of ``mask`` (h, w) drawn over it at the mask's size."""
    height, width = mask.shape
    picture = np.asarray(Image.fromarray(photo).resize((width, height), Image.Resampling.BOX)).copy()
    padded = np.pad(mask, 1, mode="edge")
    inner = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    picture[mask & ~inner] = OUTLINE
    return picture


def photo_sheet(photo: np.ndarray, result: Result, outline: np.ndarray, title: str) -> Image.Image:
    """Photo with the mesh's outline, albedo from front, side and back, shaded front, normals of front and side.

    ``photo`` (H, W, 3) uint8, ``outline`` (h, w) bool: the mesh through the matched camera.
    """
    mesh = Mesh(result.vertices, result.faces)
    albedo, shaded = linear_to_srgb(result.albedo), linear_to_srgb(result.shaded)
    front, side, back = (look(mesh, yaw, HEIGHT) for yaw in (FRONT, SIDE, BACK))
    pictures = [
        _fit(with_outline(photo, outline)),
        front.colour(mesh, albedo),
        side.colour(mesh, albedo),
        back.colour(mesh, albedo),
        front.raster.interpolate(mesh, shaded, background=PAPER),
        front.normals(mesh),
        side.normals(mesh),
    ]
    return join_row(pictures, title)


def held_out_sheet(
    image: np.ndarray, predicted: Mesh, albedo: np.ndarray, truth: Mesh, true_albedo: np.ndarray, title: str
) -> Image.Image:
    """Input, predicted albedo front, side, back; predicted and true normals of front and side, true albedo.

    ``image`` and ``true_albedo`` (S, S, 3) 0..1 sRGB-encoded; ``albedo`` (V, 3) linear, of the predicted vertices.
    """
    colour = linear_to_srgb(albedo)
    views = [look(predicted, yaw, HEIGHT, truth) for yaw in (FRONT, SIDE, BACK)]
    true_views = [look(truth, yaw, HEIGHT) for yaw in (FRONT, SIDE)]
    pictures = [_fit((image * 255).astype(np.uint8))]
    pictures += [view.colour(predicted, colour) for view in views]
    for view, true_view in zip(views, true_views, strict=False):
        pictures += [view.normals(predicted), true_view.normals(truth)]
    return join_row([*pictures, _fit((true_albedo * 255).astype(np.uint8))], title)


def join_row(pictures: list[np.ndarray], title: str) -> Image.Image:
    """Pictures (HEIGHT, W, 3), 0..1 or uint8, side by side beneath a line of text."""
    row = [p if p.dtype == np.uint8 else (np.clip(p, 0, 1) * 255).astype(np.uint8) for p in pictures]
    sheet = Image.fromarray(np.concatenate(row, 1))
    page = Image.new("RGB", (sheet.width, sheet.height + 18), "white")
    page.paste(sheet, (0, 18))
    ImageDraw.Draw(page).text((4, 3), title, fill="black")
    return page


def _fit(picture: np.ndarray) -> np.ndarray:
    """``picture`` (H, W, 3) uint8 scaled to HEIGHT."""
    height, width = picture.shape[:2]
    size = (max(1, round(width * HEIGHT / height)), HEIGHT)
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS))
