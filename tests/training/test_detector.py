"""Training of the person detector on a made-up cache: scenes, batches, steps, resuming, and the file that comes out."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from phorhum_blender.engine.detector import Detector
from phorhum_blender.engine.segmenter import box_iou
from training import detector as detector_module
from training.detector import Trainer, evaluate, export, make_batch, train
from training.detector_scenes import (
    HELD_OUT_EVERY,
    Scene,
    SceneMaker,
    SceneStream,
    _hide,
    _renumbered,
    cutout_paths,
)


@pytest.fixture
def maker(cache: Path, assets: Path) -> SceneMaker:
    return SceneMaker(cutout_paths(cache, held_out=False), assets, seed=7)


def test_training_never_sees_the_held_out(cache: Path):
    seen, held_out = (set(cutout_paths(cache, held_out=h)) for h in (False, True))
    assert len(held_out) == 3 and len(seen) == 2 * HELD_OUT_EVERY - 2 and not seen & held_out


def test_places_with_passers_by_are_no_background(maker: SceneMaker):
    assert len(maker.environments) == 2 and len(maker.empty_environments) == 1


def test_scenes(maker: SceneMaker):
    scenes = [maker.scene(128) for _ in range(60)]
    counts = [int(s.instances.max()) for s in scenes]
    assert min(counts) == 0 and max(counts) >= 3
    for scene in scenes:
        assert scene.image.shape == (128, 128, 3) and scene.image.dtype == np.uint8
        boxes = scene.boxes()
        assert boxes.shape == (scene.instances.max(), 4)
        for k, (x0, y0, x1, y1) in enumerate(boxes.astype(int)):
            inside = np.zeros_like(scene.instances, bool)
            inside[y0:y1, x0:x1] = True
            person = scene.instances == k + 1
            assert person.any() and not (person & ~inside).any()
            assert min(x1 - x0, y1 - y0) >= 6
    sizes = [(s.instances > 0).mean() for s in scenes]
    assert min(sizes) == 0 and max(sizes) > 0.2


def test_scenes_depend_on_the_seed_alone(cache: Path, assets: Path):
    paths = cutout_paths(cache, held_out=True)
    first, second, other = (SceneMaker(paths, assets, seed).scene(96).image for seed in (1, 1, 2))
    assert np.array_equal(first, second) and not np.array_equal(first, other)


def test_hardly_visible_persons_are_no_labels():
    instances = np.zeros((50, 50), np.uint8)
    instances[10:30, 10:20] = 1  # a tenth of it is seen
    instances[30:40, 30:40] = 2
    instances[0:3, 40:50] = 3  # too thin
    result, kept = _renumbered(instances, [2000.0, 100.0, 30.0])
    assert kept == [1] and result.max() == 1 and np.array_equal(result == 1, instances == 2)


def test_things_behind_a_person_take_its_colours_where_it_is_near():
    """Blue above, red below, before grey: whatever changes moves from grey towards the nearer of both."""
    cover = np.zeros((96, 96), np.float32)
    cover[30:70, 40:56] = 1
    colours = np.empty((96, 96, 3), np.float32)
    colours[:50], colours[50:] = (20, 20, 220), (220, 20, 20)
    changed = np.zeros((96, 96), bool)
    for seed in range(20):
        image = np.full((96, 96, 3), 128, np.float32)
        _hide(np.random.default_rng(seed), image, colours, cover)
        change = image - 128
        here = np.abs(change).max(2) > 20
        assert here.mean() < 0.9
        assert (change[:30][here[:30]][:, 2] > change[:30][here[:30]][:, 0]).all()
        assert (change[70:][here[70:]][:, 0] > change[70:][here[70:]][:, 2]).all()
        changed |= here
    assert changed[10:30].any() and changed[70:90].any()


def test_replayed_scenes_keep_their_labels(maker: SceneMaker):
    stream = SceneStream(maker, replayed=0.9)
    scenes = [stream.next(96) for _ in range(90)]
    known = {s.instances.tobytes() for s in scenes[:50]}
    again = [s for s in scenes[50:] if s.instances.any()]
    mirrored = [s for s in again if s.instances.tobytes() not in known and s.instances[:, ::-1].tobytes() in known]
    assert mirrored and len(mirrored) < len(again)
    assert stream.next(64).image.shape == (64, 64, 3)  # a new size empties the store


def drawn_scene(box: tuple[int, int, int, int] | None, size: int = 128) -> Scene:
    image, instances = np.full((size, size, 3), 90, np.uint8), np.zeros((size, size), np.uint8)
    if box:
        x0, y0, x1, y1 = box
        image[y0:y1, x0:x1], instances[y0:y1, x0:x1] = (230, 40, 40), 1
    return Scene(image, instances, instances[None] == 1 if box else np.zeros((0, size, size), bool))


def test_batches():
    batch = make_batch([drawn_scene(None), drawn_scene((16, 32, 48, 96))])
    assert batch["img"].shape == (2, 3, 128, 128) and batch["img"].dtype == torch.uint8
    assert batch["batch_idx"].tolist() == [1.0] and batch["cls"].tolist() == [0.0]
    assert batch["bboxes"][0].tolist() == [0.25, 0.5, 0.25, 0.5]
    assert batch["masks"].shape == (2, 32, 32) and batch["masks"][0].max() == 0
    assert (batch["masks"][1, 8:24, 4:12] == 1).all() and batch["masks"].sum() == 16 * 8


BOXES = [(10, 20, 50, 110), (60, 10, 100, 90), (40, 40, 70, 120), None]


def test_it_learns_and_the_file_finds_what_was_learned(tmp_path: Path, monkeypatch):
    """Overfits four pictures; the exported file, loaded as the engine does, then finds their boxes and masks."""
    monkeypatch.setattr(detector_module, "SIZES", (128,))
    trainer = Trainer()
    scenes = [drawn_scene(box) for box in BOXES]
    batch = make_batch(scenes)
    for group in trainer.optimiser.param_groups:
        group["weight_decay"] = 0.0
    for module in trainer.network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 0.3  # its statistics too must be learned in a few steps
    losses = [sum(trainer.step(batch, done=0.1).values()) for _ in range(60)]
    assert losses[-1] < 0.5 * losses[0]
    path = tmp_path / "d.safetensors"
    export(trainer.network, path, {})
    assert path.stat().st_size < 6 * 2**20
    detector = Detector.load(path)
    detector.image_size, detector.threshold = 128, 0.05
    for box, scene in zip(BOXES[:3], scenes[:3], strict=True):
        best = detector.detect(scene.image)[0]
        assert box_iou(best.box, box) > 0.6
        mask = cv2.resize(best.logits, (128, 128)) > 0
        assert (mask & (scene.instances == 1)).sum() > 0.6 * (mask | (scene.instances == 1)).sum()
    report = evaluate(trainer.network, scenes)
    assert set(report) == {"recall", "precision", "recall_largest", "mask_iou"}
    assert all(value > 0.6 for value in report.values())


def test_resuming_goes_on_exactly(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(detector_module, "SIZES", (64, 96))
    batch = make_batch([drawn_scene(box, 64) for box in ((8, 8, 40, 60), None)])
    first = Trainer()
    first.step(batch, 0.0)
    first.seconds = 12.0
    first.save(tmp_path / "state.pt")
    second = Trainer()
    second.load(tmp_path / "state.pt")
    assert (second.seconds, second.steps, second.images) == (12.0, 1, 2)
    assert first.step(batch, 0.1) == second.step(batch, 0.1)
    for a, b in zip(first.average.state_dict().values(), second.average.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_a_short_run_and_a_longer_one(cache: Path, assets: Path, tmp_path: Path, monkeypatch, capsys):
    monkeypatch.setattr(detector_module, "BATCH", 2)
    monkeypatch.setattr(detector_module, "SCENE_SIZE", 96)
    monkeypatch.setattr(detector_module, "SIZES", (64, 96))
    monkeypatch.setattr(detector_module, "held_out_scenes", lambda *a, **k: [drawn_scene(None, 64)])
    out, state = tmp_path / "d.safetensors", tmp_path / "state.pt"
    train(Trainer(), cache, assets, 0.001, out, state, workers=0)
    Detector.load(out)
    seconds, steps, _ = torch.load(state, weights_only=True)["progress"]
    assert steps >= 1
    train(Trainer(), cache, assets, (seconds + 0.01) / 60, out, state, workers=0)
    assert torch.load(state, weights_only=True)["progress"][1] > steps
    assert "going on after" in capsys.readouterr().out


def test_a_new_run_begins_with_given_weights(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(detector_module, "SIZES", (64,))
    first = Trainer()
    detector_module.export(first.network, tmp_path / "d.safetensors", {"pictures": 70, "minutes": 1.0})
    second = Trainer(tmp_path / "d.safetensors", learning_rate=1e-4)
    assert (second.images, second.steps, second.seconds) == (70, 0, 0.0)
    for a, b in zip(first.network.state_dict().values(), second.network.state_dict().values(), strict=True):
        assert torch.equal(a.half().float() if a.is_floating_point() else a, b)
    before = [p.clone() for p in second.network.parameters()]
    second.step(make_batch([drawn_scene((8, 8, 40, 60), 64)]), 0.5)
    assert second.optimiser.param_groups[0]["lr"] < 1e-4
    assert any(not torch.equal(a, b) for a, b in zip(before, second.network.parameters(), strict=True))


def test_command_line_names_its_arguments():
    run = subprocess.run([sys.executable, "-m", "training.detector", "--help"], capture_output=True, text=True)
    assert run.returncode == 0 and all(a in run.stdout for a in ("--cache", "--assets", "--minutes", "--out"))
