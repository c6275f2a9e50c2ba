"""Linear and sRGB-encoded colour (IEC 61966-2-1) of numpy arrays; free of torch and of Blender."""

from __future__ import annotations

import numpy as np


def linear_to_srgb(linear: np.ndarray, most: float = 1.0) -> np.ndarray:
    """Linear to sRGB-encoded 0..1, of the shape of ``linear``; what is below 0 becomes 0, what is above ``most``
    becomes that."""
    x = np.clip(linear, 0, most)
    return np.where(x <= 0.0031308, 12.92 * x, 1.055 * np.maximum(x, 0.0031308) ** (1 / 2.4) - 0.055)


def srgb_to_linear(encoded: np.ndarray) -> np.ndarray:
    """sRGB-encoded 0..1 to linear 0..1, of the shape of ``encoded``."""
    return np.where(encoded <= 0.04045, encoded / 12.92, ((np.maximum(encoded, 0.04045) + 0.055) / 1.055) ** 2.4)
