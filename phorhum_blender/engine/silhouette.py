"""The person's outline in the photo as a bound on the signed distance."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch.nn import functional as F

from .camera import seen_at

SCALE = 4  # steps a pixel of the crop in which the outline is drawn
BLUR = 0.8  # pixels of the crop: standard deviation; less shows the pixels as a ladder along the flanks


class Silhouette:
    """The visual hull of the person's mask as a lower bound of the signed distance.

    What lies inside of a hull is nowhere farther from its own surface than from the hull's, and outside of the hull
    nowhere nearer: its signed distance can't be smaller than the hull's. Raising the field to that bound trims what
    the network imagines outside of a mask that is known.
    """

    def __init__(self, mask: np.ndarray, distance: float, device: torch.device | str = "cpu"):
        """``mask`` (S, S) 0..1 of the crop; one without any background (nothing is known) bounds nothing. ``distance``
        of the camera, crop units."""
        from scipy.ndimage import distance_transform_edt, gaussian_filter

        # partly covered pixels tell where in them the outline runs
        mask = cv2.resize(np.asarray(mask, np.float32), None, fx=SCALE, fy=SCALE)
        inside = mask >= 0.5
        if inside.all():
            signed = np.full(mask.shape, -1e3)
        else:
            # the outline runs half a pixel from the centres of the pixels beside it
            signed = distance_transform_edt(~inside) - distance_transform_edt(inside) - np.where(inside, -0.5, 0.5)
            signed = gaussian_filter(signed, BLUR * SCALE) * 2 / mask.shape[0]  # crop units at z = 0
        self.signed = torch.from_numpy(signed.astype(np.float32))[None, None].to(device)
        self.distance = distance

    def outwards(self, size: int) -> torch.Tensor:
        """(1, 2, size, size) x right and y up: the gradient of the signed distance in the picture plane."""
        signed = F.pad(F.interpolate(self.signed, (size, size), mode="area"), (1, 1, 1, 1), mode="replicate")
        right, up = signed[..., 1:-1, 2:] - signed[..., 1:-1, :-2], signed[..., :-2, 1:-1] - signed[..., 2:, 1:-1]
        return torch.cat([right, up], 1) * (size / 4)

    def bound(self, points: torch.Tensor) -> torch.Tensor:
        """(N,) crop units: the hull's signed distance in the picture plane through each of ``points`` (N, 3)."""
        (away,) = seen_at(self.signed, points, self.distance)
        return away * ((self.distance - points[:, 2]) / self.distance)
