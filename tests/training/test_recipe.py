"""A run from scratch by one command, killed on its way."""

import json

import numpy as np
import pytest

from phorhum_blender.engine.model import HEAD, PhorhumModel
from tests.training.shapes import write_assets, write_samples
from training import recipe, train
from training.recipe import STAGES, Stage

SMALL = "--size 64 --batch 1 --threads 1 --no-patches --steps "


def test_shares_of_the_stages_make_the_whole():
    assert sum(stage.share for stage in STAGES) == pytest.approx(1)
    assert len({stage.name for stage in STAGES}) == len(STAGES)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A folder whose samples are there already, of stages that take some steps each."""
    stages = (
        Stage("maps", 0.25, "maps", SMALL + "2 --maps-only"),
        Stage("all", 0.25, "samples", SMALL + "1"),
        Stage("head", 0.25, "heads", SMALL + "1 --network head", "head"),
    )
    monkeypatch.setattr(recipe, "STAGES", stages)
    monkeypatch.setattr(recipe.cache, "VIEWS", 1)
    for name in ("HELD_OUT_PEOPLE", "MAPS_POSES", "HEADS_VIEWS"):
        monkeypatch.setattr(recipe, name, 1)
    out = tmp_path / "run"
    out.mkdir()
    write_samples(out / "samples", 2)
    for folder, count, first in (
        ("held_out", 1, recipe.HELD_OUT_SEED),
        ("maps", 4, recipe.MAPS_SEED),
        ("head_held_out", 1, recipe.HELD_OUT_SEED),
        ("heads", 2, recipe.HEADS_SEED),
    ):
        write_samples(out / folder, count)
        for number in range(count):
            (out / folder / f"{number:07d}_0.npz").rename(out / folder / f"{first + number:07d}_0.npz")
    return out


def test_a_killed_run_goes_on_and_leaves_weights(run, tmp_path, monkeypatch):
    arguments = ["--assets", str(write_assets(tmp_path)), "--out", str(run), "--minutes", "120", "--people", "2"]
    arguments += ["--workers", "0", "--seed", "3"]
    monkeypatch.setattr(train.Trainer, "evaluate_and_save", killed_once(train.Trainer.evaluate_and_save))
    begun = []
    monkeypatch.setattr(train, "main", noted(train.main, begun))
    with pytest.raises(KeyboardInterrupt):
        recipe.main(arguments)
    recipe.main(arguments)
    assert begun == ["maps", "all", "all", "head"]  # what was finished is not done again
    log = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert [(entry["stage"], entry["images"]) for entry in log] == [("maps", 2), ("all", 3)]
    assert np.isfinite(log[-1]["held_out"]["depth_cm"])
    whole, head = (PhorhumModel.load(folder / "weights.safetensors").config for folder in (run, run / "head"))
    assert head.widths == HEAD.widths != whole.widths
    recipe.main(arguments)
    assert begun == ["maps", "all", "all", "head"]


def killed_once(evaluate_and_save):
    """Is interrupted before it does anything, the second time that it is called."""
    calls = []

    def method(self):
        calls.append(self)
        if len(calls) == 2:
            raise KeyboardInterrupt
        evaluate_and_save(self)

    return method


def noted(main, begun):
    def of_a_stage(arguments):
        begun.append(arguments[arguments.index("--stage") + 1])
        assert arguments[arguments.index("--seed") + 1] == "3"
        assert float(arguments[arguments.index("--minutes") + 1]) == 30
        main(arguments)

    return of_a_stage
