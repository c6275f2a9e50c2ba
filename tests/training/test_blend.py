"""Weights between two networks."""

from dataclasses import replace

import pytest
import torch

from phorhum_blender.engine.model import ModelConfig, PhorhumModel
from training import blend


def test_each_weight_lies_between_those_of_the_two(tmp_path):
    models = {}
    for seed, name in enumerate(("a", "b")):
        torch.manual_seed(seed)
        models[name] = PhorhumModel(ModelConfig())
        models[name].save(tmp_path / f"{name}.safetensors")
    files = [str(tmp_path / f"{name}.safetensors") for name in "ab"]
    blend.main([*files, "-o", str(tmp_path / "c.safetensors"), "--share", "0.25"])
    blended = PhorhumModel.load(tmp_path / "c.safetensors").state_dict()
    a, b = (model.state_dict() for model in models.values())  # files hold 16-bit floats
    for name, weight in blended.items():
        torch.testing.assert_close(weight, 0.75 * a[name] + 0.25 * b[name], atol=1e-3, rtol=1e-3)


def test_networks_that_are_not_built_alike_are_told_apart():
    other = PhorhumModel(replace(ModelConfig(), image_size=64))
    with pytest.raises(SystemExit, match="not built alike"):
        blend.blend(PhorhumModel(ModelConfig()), other, 0.5)
