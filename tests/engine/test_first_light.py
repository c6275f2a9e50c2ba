"""The light that explains a photo, from a photo whose light is known."""

import numpy as np
import pytest
import torch

from phorhum_blender.engine import lighting
from phorhum_blender.engine.harmonics import harmonics
from phorhum_blender.engine.model import first_light as module
from phorhum_blender.engine.model.first_light import first_light


def sh_basis(normals):
    return torch.stack(harmonics(*normals.unbind(1)), 1)


@pytest.fixture
def scene():
    """Light (2, 9, 3), a photo (2, 4, 64, 64) of random colours and visible normals in it, and the true maps."""
    generator = torch.Generator().manual_seed(0)
    normal = torch.nn.functional.normalize(torch.randn(2, 3, 32, 32, generator=generator), dim=1)
    normal[:, 2] = normal[:, 2].abs()
    albedo = torch.rand(2, 3, 32, 32, generator=generator) * 0.5 + 0.1
    light = torch.randn(2, 9, 3, generator=generator) * 0.1
    light[:, 0] = 2.0
    linear = module.srgb_to_linear(albedo) * torch.einsum("bkhw,bkc->bchw", sh_basis(normal), light)
    encoded = torch.where(linear < 0.0031308, 12.92 * linear, 1.055 * linear.clamp(min=1e-6) ** (1 / 2.4) - 0.055)
    photo = encoded.repeat_interleave(2, 2).repeat_interleave(2, 3)
    maps = {"mask": torch.full((2, 1, 32, 32), 30.0), "normal": normal * 3, "albedo": torch.logit(albedo)}
    return light, torch.cat([photo, torch.ones(2, 1, 64, 64)], 1), maps


def test_the_basis_is_the_engine_s():
    normals = lighting.fibonacci_sphere(50)
    ours = sh_basis(torch.from_numpy(normals).T[None])[0].T.numpy()
    np.testing.assert_allclose(ours, lighting.sh_basis(normals), atol=1e-6)


def test_true_maps_give_the_true_light(scene, monkeypatch):
    light, photo, maps = scene
    monkeypatch.setattr(module, "RIDGE", 0.0)
    torch.testing.assert_close(first_light(photo, maps), light, atol=1e-2, rtol=0)


def test_the_background_says_nothing(scene, monkeypatch):
    light, photo, maps = scene
    monkeypatch.setattr(module, "RIDGE", 0.0)
    photo[:, :3, :, :32] = 0.5
    maps["mask"][..., :16] = -30
    torch.testing.assert_close(first_light(photo, maps), light, atol=2e-2, rtol=0)


def test_nobody_in_the_photo_is_no_light_and_no_error(scene):
    _, photo, maps = scene
    maps["mask"] = torch.full_like(maps["mask"], -50.0)
    assert first_light(photo, maps).abs().max() < 1e-6


def test_the_ridge_keeps_the_shading_of_what_is_seen(scene):
    light, photo, maps = scene
    basis = sh_basis(torch.nn.functional.normalize(maps["normal"], dim=1))
    got, wanted = (torch.einsum("bkhw,bkc->bchw", basis, x) for x in (first_light(photo, maps), light))
    assert (got - wanted).abs().mean() < 0.05 * wanted.mean()
