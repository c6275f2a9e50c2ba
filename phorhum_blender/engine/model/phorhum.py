"""G, f and s together, and their file: safetensors with the configuration and a SHA-256 in the header."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from ..errors import UserError
from .config import ModelConfig
from .feature_extractor import Encoding, FeatureExtractor, mirrored_joints
from .shading_network import ShadingNetwork
from .surface_field import PreparedField, SurfaceField

FORMAT = "phorhum-1"
DEFAULT_WEIGHTS = Path(__file__).parents[2] / "weights" / "phorhum.safetensors"
SCALE = ".scale"  # after the name of a matrix of 8-bit numbers: what its rows are to be multiplied by
SMALLEST_SCALE = 2.0**-24  # of a row of zeros: the smallest 16-bit float above 0
REMEDY = "Reinstall the extension, or choose another weights file."


class PhorhumModel(nn.Module):
    def __init__(self, config: ModelConfig | None = None):
        super().__init__()
        self.config = config or ModelConfig()
        self.feature_extractor = FeatureExtractor(self.config)
        self.surface_field = SurfaceField(self.config)
        self.shading_network = ShadingNetwork(self.config)
        self.sha256 = ""

    def encode(self, image: torch.Tensor, view: torch.Tensor | None = None) -> Encoding:
        """``image`` (B, 4, S, S): sRGB-encoded colour 0..1 and mask 0..1; ``view`` (B, 4): what is known of the
        cameras, see :func:`phorhum_blender.engine.camera.view_code`."""
        return self.feature_extractor(image, view)

    def encode_with_mirror_image(self, image: torch.Tensor, view: torch.Tensor | None = None) -> Encoding:
        """As :meth:`encode`, with the mean of what G makes of the picture and of its mirror image where that can be
        had without blur: of the joints, upon which the depth maps are built, and of the shading."""
        mirrored = self.encode(image.flip(-1), view)
        encoding = self.feature_extractor(image, view, mirrored_joints(mirrored.joints))
        return encoding._replace(mirrored_illumination=mirrored.illumination)

    def field(self, encoding: Encoding, distance: float) -> PreparedField:
        """f of the photo that ``encoding`` is of, under a camera at ``distance`` (crop units)."""
        return PreparedField(self.surface_field, encoding, distance)

    def shading(self, encoding: Encoding, normals: torch.Tensor) -> torch.Tensor:
        """``normals`` (N, 3) unit -> linear shading (N, 3)."""
        shading = self.shading_network(normals.unsqueeze(0), encoding.illumination)[0]
        if encoding.mirrored_illumination is None:
            return shading
        flipped = (normals * normals.new_tensor([-1.0, 1.0, 1.0])).unsqueeze(0)
        return (shading + self.shading_network(flipped, encoding.mirrored_illumination)[0]) / 2

    def save(self, path: str | Path, eight_bits: bool = False) -> str:
        """Writes the weights as 16-bit floats, half the file for no loss that can be seen, or the matrices among them
        as 8-bit numbers with a scale a row, a quarter; returns their SHA-256."""
        tensors = {k: v.detach().cpu().half().contiguous() for k, v in self.state_dict().items()}
        if eight_bits:
            tensors = in_eight_bits(tensors)
        digest = tensor_sha256(tensors)
        header = {"format": FORMAT, "config": json.dumps(self.config.to_json()), "sha256": digest}
        save_file(tensors, str(path), metadata=header)
        Path(path).chmod(0o644)  # safetensors makes files that only their owner can read
        return digest

    @classmethod
    def load(cls, path: str | Path = "") -> PhorhumModel:
        """Reads verified weights, ready for inference. Raises :class:`UserError` for a missing, damaged, foreign or
        newer file; never returns an untrained network."""
        file = Path(path) if path else DEFAULT_WEIGHTS
        if not os.path.isfile(file):  # pathlib's own question raises for a name that is too long
            raise UserError(f"The network weights are missing: {file.name} was not found.", REMEDY)
        try:
            with safe_open(str(file), framework="pt") as data:
                header = data.metadata() or {}
                tensors = {k: data.get_tensor(k) for k in data.keys()}  # noqa: SIM118  (not a dict)
        except (SafetensorError, OSError, ValueError) as error:
            raise UserError(f"The network weights in {file.name} are damaged.", REMEDY) from error
        if header.get("format") != FORMAT:
            raise UserError(f"{file.name} is not a PHORHUM weights file of this version.", REMEDY)
        if header.get("sha256") != tensor_sha256(tensors):
            raise UserError(f"The network weights in {file.name} are damaged: their checksum is wrong.", REMEDY)
        if not all(tensor.dtype == torch.int8 or is_numbers(tensor) for tensor in tensors.values()):
            raise UserError(f"The network weights in {file.name} are damaged: not all are numbers.", REMEDY)
        try:
            model = cls(ModelConfig.from_json(json.loads(header["config"])))
            model.load_state_dict(in_full(tensors))
        except (ValueError, LookupError, TypeError, RuntimeError) as error:
            raise UserError(f"The network weights in {file.name} do not fit this version.", REMEDY) from error
        model.sha256 = header["sha256"]
        return model.eval().requires_grad_(False)


def in_eight_bits(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """``tensors`` with each matrix (out, ...) as int8 and, beside it, the scale (out, 1, ...) of its rows."""
    result = {}
    for name, weight in tensors.items():
        if weight.ndim < 2:
            result[name] = weight
            continue
        largest = weight.float().abs().amax(tuple(range(1, weight.ndim)), keepdim=True)
        scale = (largest / 127).clamp(min=SMALLEST_SCALE).half()
        result[name] = (weight.float() / scale.float()).round().clamp(-127, 127).to(torch.int8)
        result[name + SCALE] = scale
    return result


def in_full(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """All ``tensors`` of a file in 32 bits. Raises ``LookupError`` or ``ValueError`` where a matrix has no scale that
    fits."""
    full = {name: tensor.float() for name, tensor in tensors.items()}
    for name, weight in tensors.items():
        if weight.dtype == torch.int8:
            scale = full.pop(name + SCALE)
            if scale.shape != (len(weight), *[1] * (weight.ndim - 1)):  # the product of others may be of any size
                raise ValueError(f"the scale of {name} does not fit")
            full[name] *= scale
    return full


def is_numbers(tensor: torch.Tensor) -> bool:
    return tensor.is_floating_point() and bool(tensor.isfinite().all())


def tensor_sha256(tensors: dict[str, torch.Tensor]) -> str:
    """SHA-256 over names, types, shapes and bytes, in the order of the names."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
