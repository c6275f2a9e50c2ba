"""Losses of f and s on fields whose answer is known, and how they are weighed and averaged."""

import math
from types import SimpleNamespace

import pytest
import torch

from phorhum_blender.engine.camera import project
from phorhum_blender.engine.model import Encoding, ModelConfig, PhorhumModel
from phorhum_blender.engine.model.feature_extractor import picture_coordinates
from training.losses import (
    WEIGHTS,
    blots,
    compute_losses,
    field_losses,
    mean_where,
    point_iou,
    shading_losses,
    skeleton_losses,
    tilt_loss,
    total,
)
from training.train import loss_weights

RADIUS = 0.5
CODE = Encoding(*(torch.zeros(2, *shape) for shape in ((4, 8, 8), (60, 4, 4), (4,), (21, 3), (21, 4, 4), (16, 4, 4))))


class Ball:
    """Signed distance of a ball, moved outwards and scaled at will; red everywhere."""

    sharpness = torch.tensor(math.log(200.0))

    def __init__(self, off=0.0, steep=1.0):
        self.off, self.steep = off, steep

    def upon(self, smooth, encoding, points, distance):
        d = (points.norm(dim=-1) - RADIUS - self.off) * self.steep
        return d, torch.tensor([4.0, -4.0, -4.0]).expand(*points.shape[:2], 3)


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(3)

    def sphere(count):
        return torch.nn.functional.normalize(torch.randn(2, count, 3, generator=generator), dim=-1)

    points = torch.randn(2, 300, 3, generator=generator) * 0.4
    normals = sphere(200)
    return {
        "points": points,
        "distance": points.norm(dim=-1) - RADIUS,
        "surface": normals * RADIUS,
        "surface_normal": normals,
        "off_surface": normals * (RADIUS + 0.01),
        "surface_albedo": torch.sigmoid(torch.tensor([4.0, -4.0, -4.0])).expand(2, 200, 3),
        "camera": torch.tensor([[4.0, 1.0], [3.0, 1.0]]),
        "back_albedo": torch.ones(2),
    }


@pytest.fixture
def skeleton():
    """Joints that are right, and the part that is seen known for sure at every pixel."""
    generator = torch.Generator().manual_seed(4)
    joints = torch.rand(2, 21, 3, generator=generator) - 0.5
    camera = torch.tensor([[4.0, 1.0], [3.0, 1.0]])
    part = torch.randint(0, 16, (2, 1, 4, 4), generator=generator)
    seen = torch.cat([project(joints, camera[:, :1]), joints[..., 2:]], -1)
    certain = 50 * torch.nn.functional.one_hot(part[:, 0], 16).permute(0, 3, 1, 2).float()
    batch = {"joints": joints, "camera": camera, "part": part.float(), "weight": torch.ones(2, 1, 4, 4)}
    return CODE._replace(joints=seen, heat=blots(seen[..., :2], 4).unflatten(2, (4, 4)), parts=certain), batch


def test_the_true_skeleton_has_no_loss(skeleton):
    encoding, batch = skeleton
    assert all(value.item() < 1e-6 for value in skeleton_losses(encoding, batch).values())


def test_a_joint_too_near_is_told_in_depth_alone(skeleton):
    encoding, batch = skeleton
    near = encoding._replace(joints=encoding.joints + torch.tensor([0, 0, 0.1]))
    losses = {name: value.item() for name, value in skeleton_losses(near, batch).items()}
    assert losses["joint_depth"] == pytest.approx(0.1, abs=1e-5) and losses["joint_cm"] == pytest.approx(10, abs=1e-3)
    assert losses["joints"] < 1e-6 and losses["parts"] < 1e-6


def test_a_wrong_part_counts_only_where_the_person_is(skeleton):
    encoding, batch = skeleton
    wrong = encoding._replace(parts=encoding.parts.roll(1, 1))
    assert skeleton_losses(wrong, batch)["parts"].item() == pytest.approx(50, abs=1e-3)
    nobody = {**batch, "weight": torch.zeros(2, 1, 4, 4)}
    assert skeleton_losses(wrong, nobody)["parts"].item() == 0


def test_a_person_who_leans_shows_as_tilt_and_other_errors_do_not():
    size = 32
    x, y = (places[None, None] for places in picture_coordinates(size, torch.zeros(())))
    weight = (x**2 / 0.2 + y**2 / 0.7 < 1).float()
    true = {"front": torch.rand(1, 1, size, size), "back": -torch.rand(1, 1, size, size), "weight": weight}

    def tilt(**errors):
        return tilt_loss({name: true[name] + error for name, error in errors.items()}, true).item()

    assert tilt(front=0, back=0) < 1e-6
    lean = 0.3 * y - 0.1 * x + 0.05
    assert tilt(front=lean, back=lean) == pytest.approx(mean_where(lean.abs(), weight).item(), rel=0.02)
    assert tilt(front=lean, back=-lean) < 1e-6  # thickness
    assert tilt(front=0.1 * (12 * x).cos(), back=0) < 0.01
    assert tilt_loss(true, {**true, "weight": torch.zeros_like(weight)}).item() == 0


def losses_of(field, batch):
    return {k: v.item() for k, v in field_losses(SimpleNamespace(surface_field=field), CODE, batch).items()}


def test_the_true_field_has_no_loss(batch):
    losses = losses_of(Ball(), batch)
    exact = {"distance", "surface", "surface_albedo", "off_surface_albedo"}
    assert all(losses[name] < 1e-6 for name in exact)
    assert losses["surface_normal"] < 1e-3 and losses["eikonal"] < 1e-3
    assert losses["sign"] < 0.1 and losses["point_iou"] == 1


def test_each_fault_shows_in_its_own_loss(batch):
    true, swollen, steep = losses_of(Ball(), batch), losses_of(Ball(off=0.02), batch), losses_of(Ball(steep=2), batch)
    assert swollen["surface"] == pytest.approx(0.02, abs=1e-4)
    assert 0 < swollen["distance"] <= 0.0201
    assert swollen["point_iou"] < 1 and swollen["sign"] > true["sign"]
    assert swollen["eikonal"] == pytest.approx(true["eikonal"], abs=1e-4)
    assert steep["eikonal"] == pytest.approx(1, abs=0.05)
    assert steep["surface"] < 1e-6 and steep["surface_normal"] == pytest.approx(true["surface_normal"], abs=1e-4)


def test_far_from_the_surface_only_the_side_counts(batch):
    far = torch.tensor([[[0.0, 0.0, 2.0], [0.0, 1.9, 0.0]]]).expand(2, 2, 3)
    only = {**batch, "points": far, "distance": far.norm(dim=-1) - RADIUS}
    assert losses_of(Ball(steep=0.4), only)["distance"] == 0
    assert losses_of(Ball(off=3.0), only)["distance"] == pytest.approx(0.2)  # clamped at 0.1 on both sides


def test_wrong_albedo_counts_less_where_it_is_guessed(batch):
    black = {**batch, "surface_albedo": torch.zeros(2, 200, 3)}
    sure = losses_of(Ball(), black)["surface_albedo"]
    guessed = losses_of(Ball(), {**black, "back_albedo": torch.zeros(2)})["surface_albedo"]
    assert guessed == pytest.approx(0.3 * sure) and sure > 0.3


def test_light_is_learned_from_all_around():
    normals = torch.nn.functional.normalize(torch.randn(1, 40, 3), dim=-1)
    lamp = torch.tensor([0.0, 0.6, 0.8])

    def lit(n):
        return (n @ lamp).clamp(min=0.01).unsqueeze(-1).expand(*n.shape)

    batch = {
        "shaded_normal": normals,
        "shading": lit(normals),
        "sphere_normal": normals,
        "sphere_shading": lit(normals),
    }
    right = shading_losses(SimpleNamespace(shading_network=lambda n, code: lit(n)), CODE, batch)
    assert right["shading"] == right["light"] == 0
    behind = SimpleNamespace(shading_network=lambda n, code: lit(n * torch.tensor([1.0, 1.0, -1.0])))
    front = normals[:, normals[0, :, 2] > 0]
    wrong = shading_losses(behind, CODE, {**batch, "shaded_normal": front, "shading": lit(front)})
    assert wrong["light"] > 0.1 and wrong["shading"] > 0.1


def test_point_iou_counts():
    got = torch.tensor([[-1.0, -1, 1, 1], [-1, -1, -1, -1]])
    wanted = torch.tensor([[-1.0, 1, -1, 1], [-1, -1, -1, 1]])
    assert point_iou(got, wanted).item() == pytest.approx((1 / 3 + 3 / 4) / 2)


def test_weights_can_be_changed_by_name():
    weights = loss_weights(["eikonal=0.5", "patch_albedo=0"])
    assert weights == {**WEIGHTS, "eikonal": 0.5, "patch_albedo": 0.0}
    with pytest.raises(SystemExit, match="no loss 'eikonel'"):
        loss_weights(["eikonel=1"])
    losses = {"eikonal": torch.tensor(2.0), "surface": torch.tensor(1.0), "depth_cm": torch.tensor(70.0)}
    assert total(losses, weights).item() == pytest.approx(0.5 * 2 + WEIGHTS["surface"])


def test_losses_of_a_batch_are_means_over_its_pictures():
    """So that processes may share a batch: the mean of the halves is the whole."""
    torch.manual_seed(1)
    model = PhorhumModel(ModelConfig(image_size=64, widths=(8, 8, 8, 8, 8), blocks=(1, 1, 1, 1, 1), features=8))
    batch = random_batch(4)
    whole = compute_losses(model, batch)
    halves = [compute_losses(model, {k: v[s] for k, v in batch.items()}) for s in (slice(0, 1), slice(1, 4))]
    assert set(whole) == {*WEIGHTS, "depth_cm", "joint_cm", "point_iou"} - {"perceived_albedo", "perceived_shaded"}
    for name, value in whole.items():
        torch.testing.assert_close(value, halves[0][name] / 4 + halves[1][name] * 3 / 4, rtol=1e-4, atol=1e-6)


def random_batch(count):
    """Photos of noise whose people cover different parts of the picture."""
    rand = torch.rand
    batch = {name: rand(count, 3, 32, 32) for name in ("normal", "normal_back", "albedo", "albedo_back", "shaded")}
    batch |= {"image": rand(count, 4, 64, 64), "mask": rand(count, 1, 32, 32)}
    batch |= {"front": rand(count, 1, 32, 32), "back": -rand(count, 1, 32, 32)}
    batch["weight"] = (rand(count, 1, 32, 32) < torch.linspace(0.1, 0.9, count).view(-1, 1, 1, 1)).float()
    batch |= {"joints": rand(count, 21, 3) - 0.5, "part": torch.randint(16, (count, 1, 32, 32)).float()}
    batch |= {"points": rand(count, 50, 3) - 0.5, "distance": rand(count, 50) - 0.5}
    for name in ("surface", "off_surface", "surface_normal", "shaded_normal", "sphere_normal"):
        batch[name] = torch.nn.functional.normalize(rand(count, 200, 3) - 0.5, dim=-1)
    for name in ("surface_albedo", "shading", "sphere_shading"):
        batch[name] = rand(count, 200, 3)
    batch |= {"camera": rand(count, 2) + 2, "view": rand(count, 4)}
    batch |= {"back_albedo": rand(count), "patch": torch.zeros(count, 2)}
    return batch
