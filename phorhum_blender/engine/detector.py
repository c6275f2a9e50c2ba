"""The glue to ultralytics: a segmentation network is loaded safely and called directly.

Ultralytics' own predictor is not used: it sets thread counts, reaches for the network and writes files. What the
import of ultralytics does to the process (settings file, patches of Pillow and torch, environment) is undone here.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.metadata
import json
import logging
import os
import pickle
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import cv2
import numpy as np
import torch
from PIL import Image
from safetensors import safe_open

from .errors import UserError

SHIPPED = Path(__file__).resolve().parent.parent / "weights" / "detector.safetensors"
FORMAT = "phorhum-detector-1"
PADDING_GREY = 114  # what YOLO networks are trained to see around a letterboxed picture
NMS_IOU = 0.6
BOX_GROWTH = 0.08  # part of the box's sides: networks' boxes cut heads and fingers off
CONFIG_KEYS = {"nc", "scale", "scales", "backbone", "head"}
OUTSIDE = -12.0  # mask logit of what is certainly not the person
REINSTALL = "Install the extension again, or choose another detector file."

# What loading a damaged checkpoint has been seen to raise.
_UNREADABLE = (TypeError, ValueError, LookupError, AttributeError, RuntimeError, OSError, EOFError, pickle.PickleError)

_IMPORT_ENVIRONMENT = {
    "YOLO_OFFLINE": "1",  # no name look-ups, no analytics
    "YOLO_AUTOINSTALL": "0",  # no pip
    "YOLO_VERBOSE": "0",
    "ULTRALYTICS_SAFE_LOAD": "1",  # checkpoints with weights_only=True
}


@dataclass(frozen=True)
class Detection:
    """One person in the frame that the network saw.

    ``box``: x0 y0 x1 y1, float pixels of the image given to :meth:`Detector.detect`.
    ``logits``: (h, w) float32 mask logits on a grid of ``Detector.mask_grid`` over that image; ``OUTSIDE`` beyond the
    box grown by ``BOX_GROWTH``.
    """

    box: tuple[float, float, float, float]
    score: float
    logits: np.ndarray


class Detector:
    """A YOLO segmentation network that answers for persons (class 0) only."""

    def __init__(self, network: torch.nn.Module, image_size: int, threshold: float):
        import_ultralytics()
        self.network = network.eval().requires_grad_(False)
        self.image_size = image_size  # longer side of what the network sees, pixels
        self.threshold = threshold  # least score

    @classmethod
    def load(cls, path: str | Path = "") -> Detector:
        """The detector that ships, or a ``.safetensors`` of training/detector.py, or an ultralytics ``-seg.pt``.

        Raises :class:`UserError` when the file is missing, damaged or something else.
        """
        file = Path(path) if str(path) else SHIPPED
        if not os.path.isfile(file):
            # Checked here because ultralytics would try to download it.
            raise UserError(f"There is no person detector at {file}.", REINSTALL)
        if file.suffix == ".safetensors":
            return cls(*_load_safetensors(file))
        if file.suffix == ".pt":
            return cls(_load_checkpoint(file), image_size=640, threshold=0.25)
        raise UserError(f"{file.name} is not a detector file (.safetensors or .pt).", REINSTALL)

    @torch.inference_mode()
    def detect(self, rgb: np.ndarray, scale: float = 1.0) -> list[Detection]:
        """Persons in ``rgb`` (H, W, 3) uint8 sRGB, best score first, seen at ``scale`` times the usual size."""
        from ultralytics.utils.nms import non_max_suppression  # not before import_ultralytics

        tensor, zoom, (left, top) = self._letterbox(rgb, round(self.image_size * scale))
        (raw, prototypes), *_ = self.network(tensor)
        end_to_end = bool(getattr(self.network, "end2end", False))
        classes = len(self.network.names)
        rows = non_max_suppression(raw, self.threshold, NMS_IOU, classes=[0], nc=classes, end2end=end_to_end)[0]
        if isinstance(prototypes, tuple):  # yolo26 adds a semantic map
            prototypes = prototypes[0]
        extent = np.array([rgb.shape[1], rgb.shape[0]] * 2)
        cells = prototypes.shape[-1] / tensor.shape[-1]  # prototype cells per network pixel
        offset = np.array([left, top, left, top])
        detections = []
        for row in rows.float().cpu():
            logits = torch.einsum("c,chw->hw", row[6:], prototypes[0].float())
            box = ((row[:4].numpy() - offset) / zoom).clip(0, extent)
            grid = _without_padding(logits.numpy(), left * cells, top * cells, self.mask_grid(*rgb.shape[:2]))
            detections.append(Detection(tuple(box.tolist()), float(row[4]), _cut_to_box(grid, box / extent)))
        return detections

    def mask_grid(self, height: int, width: int) -> tuple[int, int]:
        """(h, w) of the logits for an image of ``height`` and ``width``: half of what the network sees."""
        scale = self.image_size / max(height, width) / 2
        return max(1, round(height * scale)), max(1, round(width * scale))

    def _letterbox(self, rgb: np.ndarray, longer: int) -> tuple[torch.Tensor, float, tuple[int, int]]:
        """(1, 3, h, w) float 0..1, ``longer`` at the most and rounded up to a multiple of 32; scale network pixels per
        image pixel; left, top padding."""
        height, width = rgb.shape[:2]
        scale = longer / max(height, width)
        h, w = max(1, round(height * scale)), max(1, round(width * scale))
        small = cv2.resize(rgb, (w, h), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        pad_h, pad_w = -h % 32, -w % 32
        top, left = pad_h // 2, pad_w // 2
        padded = np.full((h + pad_h, w + pad_w, 3), PADDING_GREY, np.uint8)
        padded[top : top + h, left : left + w] = small
        tensor = torch.from_numpy(padded).permute(2, 0, 1)[None].float() / 255.0
        return tensor.contiguous(), scale, (left, top)


def _without_padding(logits: np.ndarray, left: float, top: float, grid: tuple[int, int]) -> np.ndarray:
    """``logits`` without ``left`` and ``top`` cells of padding (as many on the other side), resampled to ``grid``."""
    h, w = grid
    columns = left + (np.arange(w) + 0.5) * (logits.shape[1] - 2 * left) / w - 0.5
    rows = top + (np.arange(h) + 0.5) * (logits.shape[0] - 2 * top) / h - 0.5
    map_x, map_y = np.meshgrid(columns.astype(np.float32), rows.astype(np.float32))
    return cv2.remap(logits, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _cut_to_box(logits: np.ndarray, box: np.ndarray) -> np.ndarray:
    """``logits`` within the ``box``, see :class:`Detection`; the box in parts (0..1) of the grid's width and height."""
    size = np.array([logits.shape[1], logits.shape[0]])
    margin = (box[2:] - box[:2]) * BOX_GROWTH
    x0, y0 = np.floor((box[:2] - margin) * size).clip(0, size).astype(int)
    x1, y1 = np.ceil((box[2:] + margin) * size).clip(0, size).astype(int)
    cut = np.full_like(logits, OUTSIDE)
    cut[y0:y1, x0:x1] = logits[y0:y1, x0:x1].clip(OUTSIDE, -OUTSIDE)
    return cut


@contextlib.contextmanager
def _restored_process() -> Iterator[None]:
    """Undoes what importing ultralytics changes in Pillow, torch and the environment."""
    environment = dict(os.environ)
    open_image, save, threads = Image.open, torch.save, torch.get_num_threads()
    try:
        yield
    finally:
        Image.open, torch.save = open_image, save
        torch.set_num_threads(threads)
        for name in set(os.environ) - set(environment):
            del os.environ[name]
        os.environ.update(environment)


@functools.cache
def import_ultralytics() -> None:
    """Imports ultralytics offline, quietly, with a settings folder that is gone afterwards.

    It asks for torchvision's version at import, though nothing used here needs torchvision: where that package is
    missing (its Linux wheels need CUDA) a version of zero answers.
    """
    installed_version = importlib.metadata.version

    def version(name: str) -> str:
        try:
            return installed_version(name)
        except importlib.metadata.PackageNotFoundError:
            if name == "torchvision":
                return "0.0.0"
            raise

    with _restored_process(), tempfile.TemporaryDirectory(prefix="phorhum_", ignore_cleanup_errors=True) as settings:
        os.environ.update(_IMPORT_ENVIRONMENT, YOLO_CONFIG_DIR=settings)
        with mock.patch.object(importlib.metadata, "version", version):
            import ultralytics.nn.tasks
            import ultralytics.utils.nms  # noqa: F401
        logging.getLogger("ultralytics").setLevel(logging.ERROR)


def build_network(config: dict) -> torch.nn.Module:
    """Ultralytics' segmentation network from its YAML as a dictionary; weights are random."""
    import_ultralytics()
    from ultralytics.nn.tasks import SegmentationModel

    return SegmentationModel(config, ch=3, verbose=False)


def tensors_sha256(tensors: dict[str, torch.Tensor]) -> str:
    """SHA-256 over names, types, shapes and bytes, in the order of the names."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name}|{tensor.dtype}|{tuple(tensor.shape)}|".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _load_safetensors(file: Path) -> tuple[torch.nn.Module, int, float]:
    """(network, image size, threshold) of a file that training/detector.py wrote."""
    damaged = UserError(f"The person detector {file.name} is damaged or of another kind.", REINSTALL)
    try:
        with safe_open(str(file), framework="pt") as opened:
            metadata = opened.metadata() or {}
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}
        if metadata.get("format") != FORMAT or metadata.get("sha256") != tensors_sha256(tensors):
            raise damaged
        if not all(tensor.isfinite().all() and not tensor.is_complex() for tensor in tensors.values()):
            raise damaged
        network = build_network(_checked_config(json.loads(metadata["config"])))
        network.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
        return network, int(metadata["image_size"]), float(metadata["threshold"])
    except UserError:
        raise
    except Exception as error:  # ultralytics builds what the header asks for, and fails in as many ways
        raise damaged from error


def _checked_config(config: dict) -> dict:
    """``config`` as it is. Raises ``ValueError`` for more than the layers of a network of usual size: ultralytics would
    build millions of them, and takes further keys for code."""
    layers = [*config["backbone"], *config["head"]]
    repeats = [times for _, times, *_ in layers]
    scales = [scale for *factors, _ in config["scales"].values() for scale in factors]
    sizes = [config["nc"], *(number for *_, numbers in layers for number in numbers if not isinstance(number, str))]
    if set(config) != CONFIG_KEYS or max(len(layers), *repeats) > 64 or max(scales) > 2 or max(sizes) > 2048:
        raise ValueError("not a network of usual size")
    return config


def _load_checkpoint(file: Path) -> torch.nn.Module:
    """The network of an ultralytics checkpoint, unpickled with weights only."""
    import_ultralytics()
    from ultralytics.nn.modules.head import Segment
    from ultralytics.nn.tasks import torch_safe_load

    damaged = UserError(f"The detector file {file.name} is damaged or not a YOLO checkpoint.", REINSTALL)
    if not zipfile.is_zipfile(file):
        raise damaged
    try:
        with _restored_process():
            checkpoint, _ = torch_safe_load(file, safe_only=True)
        network = (checkpoint.get("ema") or checkpoint["model"]).float()
        head = network.model[-1]
    except _UNREADABLE as error:
        raise damaged from error
    if not isinstance(head, Segment):
        raise UserError(
            f"The detector {file.name} finds boxes but no masks.", "Choose a YOLO file that ends in -seg.pt."
        )
    return network
