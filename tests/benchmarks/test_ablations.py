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
    ablations.main(arguments(tmp_path, "--only", "usual", "without skeleton", "--held-out", "T", "--threads", "4"))
    usual, without = (" ".join(run) for run in training.runs)
    assert "--steps 100 " in usual and "--held-out T --threads 4" in usual and "--cache C --no-patches" in usual
    off = " --weight joints=0 --weight joint_heat=0 --weight joint_depth=0 --weight parts=0"
    assert without.replace(off, "").replace("without_skeleton", "usual") == usual != without


def test_the_table_has_each_variant_and_grows_with_them(training, tmp_path):
    training.dies_at = 2
    with pytest.raises(KeyboardInterrupt):
        ablations.main(arguments(tmp_path, "--only", "usual", "loss front off"))
    text = (tmp_path / "training.md").read_text()
    assert "| usual | 5.25 | – | 3.00 | 0.500 |" in text and "loss front off" not in text
    ablations.main(arguments(tmp_path, "--only", "usual", "loss front off", "--data", "other people=D"))
    assert len(training.runs) == 4  # 'usual' is not trained again
    text = (tmp_path / "training.md").read_text()
    assert text.count("| usual |") == 1 and "| loss front off | 9.00 |" in text and "| other people | 5.25 |" in text
    assert "--cache D" in " ".join(training.runs[-1])


def test_parts_share_the_variants_and_each_writes_the_table_of_all(training, tmp_path):
    for part in ("1/2", "2/2"):
        ablations.main(arguments(tmp_path, "--only", "usual", "with patches", "AdamW alone", "--part", part))
    assert [Path(run[run.index("--out") + 1]).name for run in training.runs] == ["usual", "AdamW_alone", "with_patches"]
    rows = [line.split(" | ")[0] for line in (tmp_path / "training.md").read_text().splitlines() if "5.25" in line]
    assert rows == ["| usual", "| with patches", "| AdamW alone"]


def test_every_loss_and_head_has_a_variant():
    def left_out(name):
        changes = [word for word in VARIANTS[name] if "=" in word]
        return {loss for loss, weight in loss_weights(changes).items() if weight == 0}

    for loss in WEIGHTS:
        with_patches = loss in ablations.OF_PATCHES
        name = f"patches, loss {loss} off" if with_patches else f"loss {loss} off"
        assert left_out(name) == {loss} and ("--no-patches" in VARIANTS[name]) != with_patches
    for name, losses in ablations.HEADS.items():
        assert left_out(f"without {name}") == set(losses)


def test_a_run_without_measures_is_an_error(tmp_path):
    (tmp_path / "log.jsonl").write_text('{"train": {}}')
    with pytest.raises(ValueError, match="no held-out"):
        last_held_out(tmp_path)
