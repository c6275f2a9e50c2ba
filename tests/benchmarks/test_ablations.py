"""Ablations: each variant once, resumable, and a table of them."""

import json
from pathlib import Path

import pytest

from benchmarks import ablations
from benchmarks.ablations import VARIANTS, last_held_out
from training.losses import WEIGHTS
from training.train import loss_weights


class FakeTraining:
    """Writes the log of a run; the weight of 'front' tells how good it is. Dies in the run that it is told to."""

    def __init__(self):
        self.runs: list[list[str]] = []
        self.dies_at = 0

    def main(self, arguments):
        self.runs.append(arguments)
        if len(self.runs) == self.dies_at:
            raise KeyboardInterrupt
        out = Path(arguments[arguments.index("--out") + 1])
        out.mkdir(parents=True)
        changed = [arguments[k + 1] for k, word in enumerate(arguments) if word == "--weight"]
        depth = 9.0 if loss_weights(changed)["front"] == 0 else 5.25
        lines = [{"train": {"loss": 1.0}}, {"held_out": {"depth_cm": 20.0}, "seconds": 1}]
        lines += [{"held_out": {"depth_cm": depth, "point_iou": 0.5}, "surface": {"surface_cm": 3}, "seconds": 120.0}]
        (out / "log.jsonl").write_text("\n".join(json.dumps(line) for line in lines))


@pytest.fixture
def training(monkeypatch):
    fake = FakeTraining()
    monkeypatch.setattr(ablations, "train", fake)
    return fake


def arguments(tmp_path, *more):
    docs = tmp_path / "training.md"
    return ["--cache", "C", "--out", str(tmp_path / "runs"), "--docs", str(docs), "--images", "800", *more]


def test_variants_are_trained_alike_but_for_one_thing(training, tmp_path):
    ablations.main(arguments(tmp_path, "--only", "full", "without skeleton", "--held-out", "T", "--seed", "4"))
    full, without = (" ".join(run) for run in training.runs)
    assert "--steps 100 " in full and "--held-out T --seed 4" in full and "--cache C" in full
    assert " --weight joints=0 --weight joint_heat=0 --weight joint_depth=0 --weight parts=0" in without
    assert without.split(" --weight")[0].split(" --cache")[0] == full.split(" --cache")[0]


def test_the_table_has_each_variant_and_grows_with_them(training, tmp_path):
    training.dies_at = 2
    with pytest.raises(KeyboardInterrupt):
        ablations.main(arguments(tmp_path, "--only", "full", "loss front off"))
    text = (tmp_path / "training.md").read_text()
    assert "| full | 5.25 | – | 3.00 | 0.500 |" in text and "loss front off" not in text
    ablations.main(arguments(tmp_path, "--only", "full", "loss front off", "--data", "other people=D"))
    assert len(training.runs) == 4  # 'full' is not trained again
    text = (tmp_path / "training.md").read_text()
    assert text.count("| full |") == 1 and "| loss front off | 9.00 |" in text and "| other people | 5.25 |" in text
    assert "--cache D" in " ".join(training.runs[-1])


def test_every_loss_and_head_has_a_variant():
    for loss in WEIGHTS:
        assert loss_weights([VARIANTS[f"loss {loss} off"][1]])[loss] == 0
    for name in ablations.HEADS:
        off = {loss for loss, weight in loss_weights(VARIANTS[f"without {name}"][1::2]).items() if weight == 0}
        assert off == set(ablations.HEADS[name])


def test_a_run_without_measures_is_an_error(tmp_path):
    (tmp_path / "log.jsonl").write_text('{"train": {}}')
    with pytest.raises(ValueError, match="no held-out"):
        last_held_out(tmp_path)
