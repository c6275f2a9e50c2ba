"""Real spherical harmonics of numpy arrays and torch tensors alike; needs neither."""

from __future__ import annotations

from typing import Any


def harmonics(x: Any, y: Any, z: Any) -> list[Any]:
    """The nine of bands 0 to 2 at unit vectors (x, y, z), each of the shape of ``x``.

    In the order and with the rounded constants of Ramamoorthi and Hanrahan, "An efficient representation for irradiance
    environment maps" (SIGGRAPH 2001).
    """
    return [
        0 * x + 0.282095,
        0.488603 * y,
        0.488603 * z,
        0.488603 * x,
        1.092548 * x * y,
        1.092548 * y * z,
        0.315392 * (3 * z * z - 1),
        1.092548 * x * z,
        0.546274 * (x * x - y * y),
    ]
