"""Sizes of the networks; stored in the header of the weights file."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

LARGEST = 1024  # of all sizes: a header can ask for any, and memory would be taken for it
MOST_LEVELS = 8  # of a network
MOST_BLOCKS = 64  # of a level


@dataclass(frozen=True)
class ModelConfig:
    image_size: int = 256  # pixels a side of the crop that the feature extractor sees
    widths: tuple[int, ...] = (32, 64, 128, 192, 256)  # channels at strides 2, 4, 8, 16, 32
    blocks: tuple[int, ...] = (1, 1, 4, 6, 6)  # residual blocks a level on the way down
    up_blocks: tuple[int, ...] = (1, 2, 2, 1)  # and on the way up, from stride 2 to 16
    attention: tuple[int, ...] = (0, 0, 0, 3, 3)  # blocks of attention a level, after those on the way down
    features: int = 40  # learned channels of the pixel-aligned feature map, at stride 2
    skeleton_width: int = 256  # of the network that looks at all joints together
    skeleton_blocks: int = 2  # residual blocks of it
    illumination: int = 16  # length of the illumination code
    field_width: int = 128
    field_layers: int = 6
    octaves: int = 5  # of the positional encoding of a point
    shading_width: int = 64

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> ModelConfig:
        """Raises ``ValueError`` when ``data`` has other keys than the fields, or values that are no usual sizes."""
        if not isinstance(data, dict):
            raise ValueError("the model configuration is none")
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in data.items()}
        usual = {f.name: f.default for f in fields(cls)}
        if {name: _kind(name, v) for name, v in values.items()} != {name: _kind(name, v) for name, v in usual.items()}:
            raise ValueError("the model configuration does not fit this version")
        blocks = values["blocks"], values["up_blocks"], values["attention"]
        if max(map(max, blocks)) > MOST_BLOCKS:
            raise ValueError(f"{blocks} are more blocks than a network has")
        return cls(**values)


HEAD = ModelConfig(
    image_size=128,
    widths=(24, 40, 64, 64),
    blocks=(1, 1, 2, 2),
    up_blocks=(2, 1, 1),
    attention=(0, 0, 0, 0),
    features=32,
    skeleton_width=32,
    skeleton_blocks=1,
    field_width=96,
    field_layers=5,
    shading_width=32,
)  # of the networks that look at the head alone


def _kind(name: str, value: Any) -> type:
    """Whether it is one size or a level's each. Raises ``ValueError`` for what is no size of a network."""
    sizes = value if isinstance(value, tuple) else (value,)
    least = 0 if name == "attention" else 1
    if not 0 < len(sizes) <= MOST_LEVELS or not all(type(size) is int and least <= size <= LARGEST for size in sizes):
        raise ValueError(f"{value} is no size of a network")
    return type(value)
