"""Training of the segmenter on drawn scenes: what it shall find, the boxes it is given, steps, resuming, the file."""

from __future__ import annotations

import subprocess
import sys
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from phorhum_blender.engine.model import PhorhumModel
from phorhum_blender.engine.segmenter import box_iou, mask_logits
from training import segmenter as segmenter_module
from training.detector_scenes import Scene
from training.segmenter import (
    BATCH,
    LARGEST,
    Crops,
    Trainer,
    crop_of,
    evaluate,
    inexact,
    loss,
    target,
    train,
    without_field,
)


def scene_with(hidden: np.ndarray) -> Scene:
    """A person 40 wide and 120 high in a picture of 160 pixels, of whom ``hidden`` (160, 160) bool is not seen."""
    whole = np.zeros((160, 160), bool)
    whole[20:140, 60:100] = True
    instances = (whole & ~hidden).astype(np.uint8)
    image = np.full((160, 160, 3), 90, np.uint8)
    image[instances > 0] = (230, 40, 40)
    return Scene(image, instances, whole[None])


def rows(start: int, stop: int) -> np.ndarray:
    hidden = np.zeros((160, 160), bool)
    hidden[start:stop] = True
    return hidden


def test_what_a_bar_hides_is_person_and_what_a_table_hides_is_not():
    bar, table = scene_with(rows(40, 46)), scene_with(rows(90, 140))
    assert np.array_equal(target(bar, 0), bar.whole[0])
    assert np.array_equal(target(table, 0), table.instances == 1)


def test_gaps_that_belong_to_nobody_stay_open():
    """Between arm and trunk, say: thin, but not of the person."""
    scene = scene_with(rows(40, 46))
    scene.whole[:, 40:46] = False
    assert not target(scene, 0)[40:46].any()


def test_boxes_are_a_little_wrong_and_now_and_then_much():
    rng = np.random.default_rng(0)
    box = np.array([10.0, 20.0, 50.0, 140.0])
    ious = np.array([box_iou(inexact(box, rng), box.tolist()) for _ in range(500)])
    assert np.median(ious) > 0.75 and (ious < 0.7).mean() > 0.05 and ious.min() > 0.3


def test_picture_box_and_mask_belong_together():
    scene = scene_with(rows(0, 0))
    for seed in range(20):
        image, mask = crop_of(scene, 0, scene.boxes(), np.random.default_rng(seed))
        assert image.shape == (4, LARGEST, LARGEST) and mask.shape == (1, LARGEST, LARGEST)
        red = image[0] - image[1] > 0.3
        assert float((red == (mask[0] > 0.5)).float().mean()) > 0.98
        assert set(image[3].unique().tolist()) == {0.0, 0.5}
        assert float(red[image[3] > 0].float().mean()) > 0.6  # the box is about the person


def test_crops_of_drawn_scenes(cache: Path, assets: Path):
    crops = list(islice(Crops(cache, assets, 1), 8))
    assert all(0.02 < float(mask.mean()) < 0.95 for _, mask in crops)
    again = list(islice(Crops(cache, assets, 1), 8))
    assert all(torch.equal(a, b) for x, y in zip(crops, again, strict=True) for a, b in zip(x, y, strict=True))


def test_each_loading_worker_makes_other_crops(cache: Path, assets: Path):
    loader = DataLoader(Crops(cache, assets, 1), batch_size=None, num_workers=2)
    (first, _), (second, _) = islice(iter(loader), 2)
    assert not torch.equal(first, second)


def test_the_loss_is_least_for_the_mask_itself():
    mask = (torch.rand(2, 1, 8, 8) > 0.5).float()
    right, wrong, unsure = (loss(sign * 12 * (2 * mask - 1), mask) for sign in (1, -1, 0))
    assert right < 0.01 < unsure < wrong


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segmenter_module, "SIZES", (64,))
    monkeypatch.setattr(segmenter_module, "BATCH", 4)
    monkeypatch.setattr(segmenter_module, "HELD_OUT_CROPS", 3)


def batch_of_crops(count: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    scene = scene_with(rows(0, 0))
    pairs = [crop_of(scene, 0, scene.boxes(), np.random.default_rng(seed)) for seed in range(count)]
    images, masks = zip(*pairs, strict=True)
    return torch.stack(images), torch.stack(masks)


def test_it_learns_and_the_file_holds_what_was_learned(tiny_weights: Path, tmp_path: Path, small):
    trainer = Trainer(tiny_weights, learning_rate=1e-2)
    images, masks = batch_of_crops()
    losses = [trainer.step(images, masks, done=0.1) for _ in range(60)]
    assert losses[-1] < 0.5 * losses[0]
    trainer.network.save(tmp_path / "s.safetensors")
    learned = PhorhumModel.load(tmp_path / "s.safetensors")
    assert evaluate(learned, list(zip(images, masks, strict=True)), 64) > 0.8


def test_the_file_holds_no_field_and_cuts_out_the_same(tiny_weights: Path, tmp_path: Path):
    network = PhorhumModel.load(tiny_weights)
    without_field(network).save(tmp_path / "small.safetensors")
    small = PhorhumModel.load(tmp_path / "small.safetensors")
    images = torch.rand(2, 4, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        torch.testing.assert_close(mask_logits(small, images), mask_logits(network, images), atol=1e-6, rtol=0)
    sizes = [sum(p.numel() for p in model.surface_field.parameters()) for model in (small, network)]
    assert sizes[0] < 0.2 * sizes[1]


def test_resuming_goes_on_exactly(tiny_weights: Path, tmp_path: Path, small):
    images, masks = batch_of_crops()
    first = Trainer(tiny_weights)
    first.step(images, masks, 0.0)
    first.seconds = 12.0
    first.save(tmp_path / "state.pt")
    second = Trainer(tiny_weights)
    second.load(tmp_path / "state.pt")
    assert (second.seconds, second.steps, second.images) == (12.0, 1, 4)
    assert first.step(images, masks, 0.1) == second.step(images, masks, 0.1)
    for a, b in zip(first.average.state_dict().values(), second.average.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_a_short_run_and_a_longer_one(tiny_weights, cache: Path, assets: Path, tmp_path: Path, small, capsys):
    out, state = tmp_path / "s.safetensors", tmp_path / "state.pt"
    train(Trainer(tiny_weights), cache, assets, 0.001, out, state, workers=0)
    PhorhumModel.load(out)
    seconds, steps, _ = torch.load(state, weights_only=True)["progress"]
    assert steps >= 1
    train(Trainer(tiny_weights), cache, assets, (seconds + 0.01) / 60, out, state, workers=0)
    assert torch.load(state, weights_only=True)["progress"][1] > steps
    assert "going on after" in capsys.readouterr().out and BATCH == 16


def test_command_line_names_its_arguments():
    run = subprocess.run([sys.executable, "-m", "training.segmenter", "--help"], capture_output=True, text=True)
    assert run.returncode == 0 and all(a in run.stdout for a in ("--cache", "--assets", "--minutes", "--begin-with"))
