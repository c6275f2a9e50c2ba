"""The rendered patch, on surfaces whose picture is known."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from phorhum_blender.engine.camera import project
from phorhum_blender.engine.model import Encoding
from training import patches
from training.dataset import PATCH

SIZE, DISTANCE, RADIUS = 64, 4.0, 0.5
ALBEDO = torch.tensor([0.7, 0.5, 0.2])  # sRGB-encoded
SHADE = torch.tensor([0.8, 0.9, 1.1])  # linear


def ball(encoding, points, distance):
    """Signed distance of a ball about the origin, and an albedo that is the same everywhere."""
    return points.norm(dim=-1) - RADIUS, torch.logit(ALBEDO).expand(*points.shape[:2], 3)


def model():
    return SimpleNamespace(surface_field=ball, shading_network=lambda normals, code: SHADE.expand(normals.shape))


def front_of_ball(xy):
    """(...) z of the ball's front on the camera rays through ``xy`` (..., 2); nan beside the ball."""
    direction = torch.cat([xy, torch.full_like(xy[..., :1], -DISTANCE)], -1)
    eye = torch.tensor([0.0, 0.0, DISTANCE])
    a, b, c = direction.square().sum(-1), direction @ eye, DISTANCE**2 - RADIUS**2
    return DISTANCE - DISTANCE * (-b - (b * b - a * c).sqrt()) / a


@pytest.fixture
def batch():
    """One photo of the ball; its window lies half on it."""
    corner = torch.tensor([[16.0, 30.0]])
    whole = patches_of_all(torch.zeros(1, 2))
    z = front_of_ball(whole)
    weight = (~z.isnan()).float()
    linear = torch.where(ALBEDO <= 0.04045, ALBEDO / 12.92, ((ALBEDO + 0.055) / 1.055) ** 2.4) * SHADE
    shaded = 1.055 * linear.clamp(max=1) ** (1 / 2.4) - 0.055

    def plane(colour):
        return colour.view(1, 3, 1, 1).expand(1, 3, SIZE, SIZE)

    return {
        "patch": corner,
        "camera": torch.tensor([[DISTANCE, 1.0]]),
        "front": z.nan_to_num(0).view(1, 1, SIZE, SIZE),
        "weight": weight.view(1, 1, SIZE, SIZE),
        "albedo": plane(ALBEDO),
        "shaded": plane(shaded),
    }


def patches_of_all(_):
    axis = (torch.arange(SIZE) + 0.5) / SIZE * 2 - 1
    y, x = torch.meshgrid(-axis, axis, indexing="ij")
    return torch.stack([x, y], -1)


ENCODING = Encoding(
    *(torch.zeros(1, *shape) for shape in ((4, 8, 8), (60, 4, 4), (4,), (21, 3), (21, 4, 4), (16, 4, 4)))
)


def test_the_rays_of_a_window_go_through_its_pixels():
    corner = torch.tensor([[3.0, 40.0], [31.0, 5.0]])
    coordinates = patches_of_all(None).permute(2, 0, 1).expand(2, 2, SIZE, SIZE)
    windows = patches.cut(coordinates, corner)
    assert windows.shape == (2, 2, *PATCH)
    torch.testing.assert_close(patches.window_rays(corner, SIZE), windows.flatten(2).transpose(1, 2))


@pytest.mark.parametrize("off", [-0.05, 0.0, 0.05])
def test_a_ray_ends_on_the_surface(off):
    xy = torch.rand(1, 50, 2) * 0.5 - 0.25
    z, met = patches.trace(model(), ENCODING, xy, front_of_ball(xy) + off, torch.tensor([[DISTANCE]]))
    assert met.all()
    torch.testing.assert_close(z, front_of_ball(xy), atol=2e-4, rtol=0)


def test_a_surface_far_from_the_true_one_is_not_met():
    xy = torch.zeros(1, 4, 2)
    near = torch.tensor([[RADIUS, RADIUS + 0.2, RADIUS - 0.2, -RADIUS]])  # the last: there the ray only leaves the ball
    _, met = patches.trace(model(), ENCODING, xy, near, torch.tensor([[DISTANCE]]))
    assert met.tolist() == [[True, False, False, False]]


def test_the_picture_of_a_ball(batch):
    patch = patches.render(model(), ENCODING, batch)
    wanted = {name: patches.cut(batch[name], batch["patch"]) for name in ("albedo", "shaded", "weight")}
    assert 0.3 < wanted["weight"].mean() < 0.9
    assert (patch.weight == wanted["weight"]).float().mean() > 0.99
    on = patch.weight.expand_as(patch.albedo) > 0
    torch.testing.assert_close(patch.albedo[on], wanted["albedo"][on], atol=1e-5, rtol=0)
    torch.testing.assert_close(patch.shaded[on], wanted["shaded"][on], atol=1e-4, rtol=0)


def test_normals_reach_the_shading_network(batch):
    seen = []
    watched = SimpleNamespace(
        surface_field=ball, shading_network=lambda normals, code: seen.append(normals) or SHADE.expand(normals.shape)
    )
    patch = patches.render(watched, ENCODING, batch)
    xy = patches.window_rays(batch["patch"], SIZE)
    z = front_of_ball(xy)
    met = patch.weight.flatten() > 0
    points = torch.cat([xy * ((DISTANCE - z) / DISTANCE).unsqueeze(-1), z.unsqueeze(-1)], -1)[0][met]
    torch.testing.assert_close(project(points, DISTANCE), xy[0][met], atol=1e-5, rtol=0)
    torch.testing.assert_close(
        seen[0][0][met], points / RADIUS, atol=0.015, rtol=0
    )  # of a step a fortieth of the radius


def test_the_losses_know_right_from_wrong(batch):
    perception = patches.Perception()
    right = patches.patch_losses(model(), ENCODING, batch, perception)
    assert set(right) == {"patch_albedo", "patch_shaded", "perceived_albedo", "perceived_shaded"}
    assert all(value < 1e-4 for value in right.values())
    wrong = {**batch, "albedo": batch["albedo"] + 0.1}
    off = patches.patch_losses(model(), ENCODING, wrong, perception)
    counted = patches.render(model(), ENCODING, batch).weight.mean()
    assert off["patch_albedo"].item() == pytest.approx(0.1 * counted.item(), rel=1e-3)
    assert off["perceived_albedo"] > 1e-3 and off["patch_shaded"] == right["patch_shaded"]
    assert set(patches.patch_losses(model(), ENCODING, batch, None)) == {"patch_albedo", "patch_shaded"}


def test_perception_minds_blur_and_is_not_trained():
    perception = patches.Perception()
    stripes = (torch.arange(PATCH[1]) % 4 < 2).float().expand(1, 3, *PATCH).contiguous()
    blurred = torch.nn.functional.avg_pool2d(stripes, 5, 1, 2)
    slightly = 0.8 * stripes + 0.2 * blurred
    assert perception(stripes, stripes) == 0
    assert perception(stripes, blurred) > perception(stripes, slightly) > 0
    assert not any(p.requires_grad for p in perception.parameters())
    picture = blurred.clone().requires_grad_(True)
    perception(picture, stripes).backward()
    assert picture.grad.abs().sum() > 0


def test_gradients_reach_albedo_and_shape(batch):
    shift = torch.zeros(3, requires_grad=True)
    tint = torch.zeros(3, requires_grad=True)

    def moved(encoding, points, distance):
        return (points - shift).norm(dim=-1) - RADIUS, (torch.logit(ALBEDO) + tint).expand(*points.shape[:2], 3)

    lit_from_right = SimpleNamespace(
        surface_field=moved, shading_network=lambda normals, code: (0.2 + normals[..., :1]).clamp(min=0.05)
    )
    losses = patches.patch_losses(lit_from_right, ENCODING, {**batch, "albedo": batch["albedo"] * 0.5}, None)
    sum(losses.values()).backward()
    assert tint.grad.abs().min() > 0
    assert shift.grad.abs().max() > 0 and np.isfinite(shift.grad).all()


def test_tetrahedral_gradient_of_a_plane_is_exact():
    corners = patches.TETRAHEDRON * 0.01
    slope = torch.tensor([0.3, -1.0, 2.0])
    torch.testing.assert_close(patches.tetrahedral_gradient(corners @ slope + 5, corners), slope, rtol=1e-3, atol=1e-3)
