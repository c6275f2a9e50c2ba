"""Rigged people to train on: loading, the training/held-out split, random variation.

Space of a subject: metres, z up, facing -y, feet at z = 0, rest pose as modelled (T- or A-pose).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

HELD_OUT_GROUPS = ("seen garments", "unseen garments", "rocketbox")
MOTION_STRIDE, MOTION_HELD_OUT = 5, 4  # every fifth motion file, the last of each five, is held out


@dataclass(frozen=True)
class Subject:
    """A rigged, textured person in rest pose."""

    name: str
    kind: str  # rig: 'valid', 'rocketbox' or 'makehuman'
    vertices: np.ndarray  # (V, 3) float32 metres
    faces: np.ndarray  # (F, 3) int32
    uv: np.ndarray  # (T, 2) float32, v up
    face_uv: np.ndarray  # (F, 3) int32 rows of uv
    material: np.ndarray  # (F,) int, index into textures
    textures: tuple[np.ndarray, ...]  # (H, W, 4) uint8 sRGB + alpha
    bone_index: np.ndarray  # (V, 4) int
    bone_weight: np.ndarray  # (V, 4) float32, rows sum to 1
    bone_head: np.ndarray  # (B, 3) metres
    bone_tail: np.ndarray  # (B, 3)
    bone_parent: np.ndarray  # (B,) -1 for the root
    bone_name: tuple[str, ...]


@dataclass(frozen=True)
class Split:
    """What training must never see (``split.json``) and the poses of each side."""

    subjects: frozenset[str]
    outfits: frozenset[str]
    rocketbox: frozenset[str]
    garments: frozenset[str]

    @classmethod
    def load(cls, assets: Path) -> Split:
        data = json.loads((assets / "split.json").read_text())
        return cls(
            frozenset(data["valid_subjects"]),
            frozenset(data["valid_outfits"]),
            frozenset(data["rocketbox_subjects"]),
            frozenset(data["makehuman_garments"]),
        )

    def group(self, kind: str, name: str) -> str:
        """'train', or the held-out group: 'seen garments', 'unseen garments', 'rocketbox'."""
        if kind == "rocketbox":
            return "rocketbox" if name in self.rocketbox else "train"
        person, outfit = _person_and_outfit(name)
        if outfit in self.outfits:
            return "unseen garments"
        return "seen garments" if person in self.subjects else "train"


def _person_and_outfit(name: str) -> tuple[str, str]:
    person, _, outfit = name.rpartition("_")
    return person.removeprefix("X_"), outfit


def list_subjects(assets: Path, group: str = "train") -> list[tuple[str, str]]:
    """Sorted (kind, name) of the modelled people of one group (see :meth:`Split.group`)."""
    split = Split.load(assets)
    found = [(kind, path.stem) for kind in ("valid", "rocketbox") for path in sorted((assets / kind).glob("*.npz"))]
    return [(kind, name) for kind, name in found if split.group(kind, name) == group]


@cache
def load_poses(assets: Path, held_out: bool = False, spread: bool = False) -> np.ndarray:
    """Motion-capture joint positions (N, 22, 3) metres, z up, pelvis at 0, facing -y, of one side of the split."""
    data = np.load(assets / "mocap" / ("poses.npz" if spread else "poses_all.npz"))
    motions = sorted(set(np.load(assets / "mocap" / "poses_all.npz")["src"].tolist()))
    test = {m for i, m in enumerate(motions) if i % MOTION_STRIDE == MOTION_HELD_OUT}
    keep = np.array([(source in test) == held_out for source in data["src"].tolist()])
    return data["pos"][keep].astype(np.float64)


def load_subject(assets: Path, kind: str, name: str) -> Subject:
    """Loads a 'valid' or 'rocketbox' person."""
    folder = assets / kind
    with np.load(folder / f"{name}.npz") as data:
        weights = data["jw"].astype(np.float32)
        return Subject(
            name=name,
            kind=kind,
            vertices=data["v"].astype(np.float32) * 1e-4,
            faces=data["f"].astype(np.int32),
            uv=data["vt"].astype(np.float32) / 65535,
            face_uv=data["fuv"].astype(np.int32),
            material=data["mat"].astype(np.int32),
            textures=_load_textures(folder, kind, name, int(data["mat"].max()) + 1),
            bone_index=data["ji"].astype(np.int64),
            bone_weight=weights / np.maximum(weights.sum(1, keepdims=True), 1e-6),
            bone_head=data["bone_head"].astype(np.float64),
            bone_tail=data["bone_tail"].astype(np.float64),
            bone_parent=data["bone_parent"].astype(np.int64),
            bone_name=tuple(str(n) for n in data["bone_name"]),
        )


def _load_textures(folder: Path, kind: str, name: str, count: int) -> tuple[np.ndarray, ...]:
    if kind == "valid":
        paths = [folder / f"{name}_body.jpg", folder / f"{name}_hair.png"][:count]
    else:
        paths = [folder / f"{name}_{k}.jpg" for k in range(count)]
    grey = np.full((2, 2, 4), 128, np.uint8)
    return tuple(np.asarray(Image.open(p).convert("RGBA")) if p.exists() else grey for p in paths)


def recolour(subject: Subject, rng: np.random.Generator) -> Subject:
    """Shifts hue, saturation and value of everything that is not skin-coloured, so that few outfits become many.

    Skin is recognised by its hue and saturation, softly, and only its brightness varies a little.
    """
    if rng.random() < 0.15:
        return subject
    hue, saturation, value = rng.random(), rng.uniform(0.4, 1.6), np.exp(rng.normal(0, 0.3))
    skin_value = np.exp(rng.normal(0, 0.12))
    return replace(subject, textures=tuple(_recolour(t, hue, saturation, value, skin_value) for t in subject.textures))


def _recolour(texture: np.ndarray, hue: float, saturation: float, value: float, skin_value: float) -> np.ndarray:
    hsv = np.asarray(Image.fromarray(texture[..., :3]).convert("HSV")).astype(np.float32) / 255
    distance = np.abs((hsv[..., 0] - 0.06 + 0.5) % 1 - 0.5)
    skin = np.clip(1.6 - distance / 0.035, 0, 1) * np.clip((hsv[..., 1] - 0.12) / 0.1, 0, 1)
    shifted = np.stack(
        [(hsv[..., 0] + hue) % 1, np.clip(hsv[..., 1] * saturation, 0, 1), np.clip(hsv[..., 2] * value, 0, 1)], -1
    )
    kept = np.stack([hsv[..., 0], hsv[..., 1], np.clip(hsv[..., 2] * skin_value, 0, 1)], -1)
    rgb = [np.asarray(Image.fromarray((x * 255).astype(np.uint8), "HSV").convert("RGB")) for x in (shifted, kept)]
    mixed = rgb[0] * (1 - skin[..., None]) + rgb[1] * skin[..., None]
    return np.concatenate([mixed.astype(np.uint8), texture[..., 3:]], -1)
