"""Weights that were cut, swapped, tampered with, come from a newer version, or hide a program."""

from __future__ import annotations

import json
import os
import pickle
import struct
import tempfile
from pathlib import Path
from typing import Any

import torch
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import save_file

from phorhum_blender.engine.detector import SHIPPED, Detector, tensors_sha256
from phorhum_blender.engine.errors import UserError
from phorhum_blender.engine.model import PhorhumModel
from phorhum_blender.engine.model.phorhum import tensor_sha256
from tests.stand_ins import save_tiny_model

from .mutations import damage, edits
from .rules import READ, REFUSED, Tally, feed, must, must_be_clear, nothing_left

CANARY = "canary"  # the file that appears when a file's program was run

NASTY = [None, -1, 0, 1.5, 10**9, 10**400, "", "x", [], [10**9] * 5, [-1] * 5, {}, True, "[" * 5000, float("nan")]
HEADERS = ["format", "sha256", "config", "image_size", "threshold"]
CONFIG_KEYS = ["image_size", "widths", "blocks", "features", "field_layers", "octaves", "nc", "scale", "scales"]
CONFIG_KEYS += ["backbone", "head", "activation", "of a newer version"]
TENSORS = ["swap", "drop", "rename", "nan", "integers", "complex", "one more axis", "empty", "half"]

OTHERS = ["pickle", "torch", "module", "program", "empty", "length"]

cases = st.one_of(
    st.tuples(st.just("bytes"), edits.filter(bool), st.none()),
    st.tuples(st.just("header"), st.sampled_from(HEADERS), st.sampled_from(NASTY)),
    st.tuples(st.just("config"), st.sampled_from(CONFIG_KEYS), st.sampled_from(NASTY)),
    st.tuples(st.just("tensors"), st.sampled_from(TENSORS), st.integers(0, 600)),
    st.tuples(st.just("other file"), st.sampled_from(OTHERS), st.none()),
)
which = st.sampled_from(["phorhum.safetensors", "detector.safetensors", "detector.pt"])


class Program:
    """Unpickled, it writes a file: what a stranger's pickle may do, and worse."""

    def __init__(self, canary: Path):
        self.canary = str(canary)

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch '{self.canary}'",)


def run(count: int, number: int, folder: Path) -> Tally:
    own = folder / "phorhum.safetensors"
    save_tiny_model(own)
    seeds = {"phorhum.safetensors": own.read_bytes(), "detector.safetensors": SHIPPED.read_bytes()}
    seeds["detector.pt"] = seeds["detector.safetensors"]
    own.unlink()
    hashes = {name: hashes_of(data) for name, data in seeds.items()}

    def check(case: tuple[str, tuple[str, Any, Any]]) -> str:
        name, (kind, what, how) = case
        path = folder / name
        with nothing_left(folder):
            write(path, seeds[name], kind, what, how)
            try:
                with nothing_left(folder):
                    loaded = load(path)
            except UserError as error:
                must_be_clear(str(error))
                return REFUSED
            finally:
                path.unlink()
        # whoever hashes other numbers anew makes a file of other weights, which is taken for what it is
        must(loaded in hashes[name] or kind == "tensors", "changed weights were taken")
        return READ

    return feed("weights", st.tuples(which, cases), check, count, number)


def load(path: Path) -> str:
    """Hash of the weights that were loaded, in 16 bits as they lie in the file."""
    if path.name.startswith("detector"):
        tensors = Detector.load(path).network.state_dict()
        return tensors_sha256({name: t.half() if t.is_floating_point() else t for name, t in tensors.items()})
    return PhorhumModel.load(path).sha256


def write(path: Path, data: bytes, kind: str, what: Any, how: Any) -> None:
    """Puts the changed ``data`` of a file of weights at ``path``."""
    if kind == "bytes":
        path.write_bytes(damage(data, what))
    elif kind == "other file":
        write_other(path, what)
    else:
        tensors, header = contents(data)
        if kind == "header":
            header[what] = how if isinstance(how, str) else json.dumps(how)
        elif kind == "config":
            header["config"] = json.dumps({**json.loads(header["config"]), what: how})
        else:
            tensors = changed(tensors, what, how)
            hashed = tensor_sha256 if path.name.startswith("phorhum") else tensors_sha256
            header["sha256"] = hashed(tensors)  # by one who knows how
        save_file(tensors, path, metadata=header)


def changed(tensors: dict[str, torch.Tensor], what: str, where: int) -> dict[str, torch.Tensor]:
    names = sorted(tensors)
    one, two = names[where % len(names)], names[(where + 7) % len(names)]
    if what == "swap":
        return {**tensors, one: tensors[two], two: tensors[one]}
    if what == "drop":
        return {name: tensor for name, tensor in tensors.items() if name != one}
    if what == "rename":
        return {f"{name}_" if name == one else name: tensor for name, tensor in tensors.items()}
    value = tensors[one]
    other = {
        "nan": lambda: torch.full_like(value.half(), float("nan")),
        "integers": lambda: torch.zeros(value.shape, dtype=torch.int32),
        "complex": lambda: value.to(torch.complex64),
        "one more axis": lambda: value.unsqueeze(0),
        "empty": lambda: value.reshape(-1)[:0],
        "half": lambda: value.reshape(-1)[: value.numel() // 2],
    }[what]()
    return {**tensors, one: other}


def contents(data: bytes) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Tensors and header of a file of weights."""
    with tempfile.NamedTemporaryFile(suffix=".safetensors") as file:
        file.write(data)
        file.flush()
        with safe_open(file.name, framework="pt") as opened:
            return {name: opened.get_tensor(name) for name in opened.keys()}, dict(opened.metadata())


def write_other(path: Path, what: str) -> None:
    canary = path.with_name(CANARY)
    if what == "pickle":
        path.write_bytes(pickle.dumps(Program(canary)))
    elif what == "torch":
        torch.save({"model": Program(canary)}, path)
    elif what == "module":
        torch.save({"model": torch.nn.Linear(2, 2), "ema": None}, path)
    elif what == "program":
        torch.save({"ema": None, "model": {"a": [Program(canary)]}}, path, _use_new_zipfile_serialization=False)
    elif what == "length":
        path.write_bytes(struct.pack("<Q", 1 << 60) + b"{}")
    else:
        path.write_bytes(b"")


def hashes_of(data: bytes) -> set[str]:
    """Those that the tensors of a file of weights have with either way of counting."""
    tensors, _ = contents(data)
    return {tensor_sha256(tensors), tensors_sha256(tensors)}
