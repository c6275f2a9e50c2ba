"""f made whole by what the picture shows: as wide as the mask, and with the limbs that f alone loses."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import torch
from torch.nn import functional as F

from .camera import seen_at, unproject
from .core import Core, smooth_minimum
from .model import Encoding
from .model.feature_extractor import dense_maps, picture_coordinates
from .silhouette import Silhouette

Field = Callable[[torch.Tensor], torch.Tensor]

DEPTHS = 16  # points on a ray at which f is asked how far inside it is there
BEYOND = 0.03  # crop units that they reach beyond the depth maps
INSIDE = 0.012  # crop units: so far inside f must be where the outline is as far away or farther
THICK = 0.1  # crop units: who is farther than that from the outline lacks nothing
MOST = 0.06  # crop units that f may lack
REACH = 2.5  # pixels of the feature map outside of the outline at which f is still asked
SOFTNESS = 0.7  # pixels of the feature map: standard deviation of the blur of what f lacks
ROUND = 0.0024  # crop units over which f runs into the hull
CHUNK = 512  # rays asked at once


class Solid:
    """Signed distance of f stretched to the outline, united with its :class:`Core` where it has lost a limb, and kept
    within the visual hull.

    f ends some millimetres short of the mask's outline, and where a limb is thin it may be inside nowhere. How much it
    lacks is measured on rays: the least of f on a ray against the distance from the outline. By so much f is stretched
    sideways, most at the outline and less and less inwards. Where it lacks something even then, a limb is lost.
    """

    def __init__(self, field: Field, encoding: Encoding, silhouette: Silhouette, distance: float, scale: float = 1.0):
        """``field`` maps points (N, 3) to signed distances (N,), crop units, outside positive; ``distance`` of the
        camera. All lengths are ``scale`` times those of a body."""
        self._field, self._silhouette, self._distance, self._scale = field, silhouette, distance, scale
        self._core = Core(encoding, distance, scale)
        maps = dense_maps(encoding.features)
        size = encoding.features.shape[-1]
        places = picture_coordinates(size, maps["front"]).flatten(1).T
        plane = silhouette.bound(F.pad(places, (0, 1)))
        near = (plane < REACH * 2 / size) & (plane > -THICK * scale)
        front, back = maps["front"].flatten()[near] + BEYOND * scale, maps["back"].flatten()[near] - BEYOND * scale
        z = front[:, None] + (back - front)[:, None] * torch.linspace(0, 1, DEPTHS, device=front.device)
        rays = unproject(places[near, None].expand(-1, DEPTHS, 2), z, distance)
        # x and y of the way inwards at which f is asked, and what is lost
        self._changes = torch.zeros(1, 3, 2, 2, device=front.device)
        lacking = self._lacking(rays)
        stretch = spread(lacking, near, size) * silhouette.outwards(2 * size)
        self._changes = F.pad(stretch, (0, 0, 0, 0, 0, 1))
        short = lacking > 0
        lacking[short] = self._lacking(rays[short])
        self._changes[:, 2:] = spread(lacking, near, size)

    def distances(self, points: torch.Tensor, hull: torch.Tensor) -> torch.Tensor:
        """(N,) of ``points`` (N, 3), of which ``hull`` (N,) is the silhouette's bound."""
        field, lost = self._stretched(points)
        whole, width = self._core.united(field, points, hull, lost), ROUND * self._scale
        # the smooth maximum ends a quarter of its width inside of the outline: about half of that is given back
        return -smooth_minimum(-whole, width / 4 - hull, width)

    def _stretched(self, points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The stretched f (N,) at ``points`` (N, 3), and what is lost there (N,)."""
        *sideways, lost = seen_at(self._changes, points, self._distance)
        nearness = (self._distance - points[:, 2]) / self._distance
        x, y = (points[:, axis] - sideways[axis] * nearness for axis in (0, 1))
        return self._field(torch.stack([x, y, points[:, 2]], 1)), lost

    def _lacking(self, rays: torch.Tensor) -> torch.Tensor:
        """(R,) of ``rays`` (R, DEPTHS, 3): how much less f is inside on each than it should be."""
        lacks = [rays.new_zeros(0)]
        for part in rays.split(CHUNK):
            points = part.reshape(-1, 3)
            least = self._silhouette.bound(points).clamp(min=-INSIDE * self._scale)
            lacks.append((self._stretched(points)[0] - least).reshape(len(part), DEPTHS).amin(1))
        return torch.cat(lacks).clamp(0, MOST * self._scale)


def spread(values: torch.Tensor, known: torch.Tensor, size: int) -> torch.Tensor:
    """(1, 1, 2 size, 2 size): the ``values`` of the ``known`` (size * size,) pixels, softened, and of those around
    them."""
    maps = np.zeros((2, size * size), np.float32)
    maps[0, known.cpu()], maps[1, known.cpu()] = values.cpu(), 1
    total, count = (cv2.GaussianBlur(image.reshape(size, size), (0, 0), SOFTNESS) for image in maps)
    soft = torch.from_numpy(total / np.maximum(count, 1e-3))[None, None].to(values.device)
    return F.interpolate(soft, scale_factor=2, mode="bilinear", align_corners=False)
