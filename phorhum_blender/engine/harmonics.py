"""Real spherical harmonics of numpy arrays and torch tensors alike; needs neither."""

from __future__ import annotations

import math
from typing import Any


def harmonics(x: Any, y: Any, z: Any) -> list[Any]:
    """The nine of bands 0 to 2 at unit vectors (x, y, z), each of the shape of ``x``.

    In the order (l, m) = (0,0), (1,-1), (1,0), (1,1), (2,-2), (2,-1), (2,0), (2,1), (2,2), orthonormal over the sphere,
    with the constants and signs of Ramamoorthi and Hanrahan, "An efficient representation for irradiance environment
    maps" (SIGGRAPH 2001), which also shows that these nine hold a diffuse object's irradiance to about one percent.
    """
    first, second = math.sqrt(3 / math.pi) / 2, math.sqrt(15 / math.pi) / 2
    return [
        0 * x + 0.5 / math.sqrt(math.pi),  # 0.282095
        first * y,  # 0.488603
        first * z,
        first * x,
        second * x * y,  # 1.092548
        second * y * z,
        math.sqrt(5 / math.pi) / 4 * (3 * z * z - 1),  # 0.315392
        second * x * z,
        second / 2 * (x * x - y * y),  # 0.546274
    ]
