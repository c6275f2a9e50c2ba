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

    def folders(self):
        """Variant and stage of each run."""
        return [tuple(Path(run[run.index("--out") + 1]).parts[-2:]) for run in self.runs]


@pytest.fixture
def training(monkeypatch):
    fake = FakeTraining()
    monkeypatch.setattr(ablations, "train", fake)
    return fake


def arguments(tmp_path, *more):
    docs = tmp_path / "training.md"
    return ["--samples", "S", "--out", str(tmp_path / "runs"), "--docs", str(docs), "--images", "640", "160", *more]


def test_variants_are_trained_alike_but_for_one_thing(training, tmp_path):
    ablations.main(arguments(tmp_path, "--only", "usual", "without skeleton", "--threads", "4"))
    maps, whole, other_maps, other_whole = (" ".join(run) for run in training.runs)
    for run in (maps, whole):
        assert "--held-out S/held_out" in run and "--threads 4" in run
    assert "--steps 20 " in maps and "--cache S/maps" in maps and "--maps-only" in maps
    assert "--steps 20 " in whole and "--cache S/samples" in whole and "--no-patches" in whole
    assert f"--begin-with {tmp_path}/runs/usual/maps/weights.safetensors" in whole
    off = " --weight joints=0 --weight joint_heat=0 --weight joint_depth=0 --weight parts=0"
    for usual, other in ((maps, other_maps), (whole, other_whole)):
        assert other.replace(off, "").replace("without_skeleton", "usual") == usual != other


def test_those_that_differ_in_f_alone_share_the_usual_g(training, tmp_path):
    with pytest.raises(SystemExit, match="run --only usual first"):
        ablations.main(arguments(tmp_path, "--only", "loss sign off"))
    ablations.main(arguments(tmp_path, "--only", "usual", "usual, first stage alone", "loss sign off", "with patches"))
    assert training.folders()[2:] == [("loss_sign_off", "all"), ("with_patches", "all")]
    for run in training.runs[1:]:
        assert f"--begin-with {tmp_path}/runs/usual/maps/weights.safetensors" in " ".join(run)
    table = (tmp_path / "training.md").read_text()
    assert table.count("| 4 |") == 3 and table.count("| 2 |") == 1  # minutes, of the stages that counted


def test_the_table_has_each_variant_and_grows_with_them(training, tmp_path):
    training.dies_at = 3
    with pytest.raises(KeyboardInterrupt):
        ablations.main(arguments(tmp_path, "--only", "usual", "loss front off"))
    text = (tmp_path / "training.md").read_text()
    assert "| usual | 5.25 | – | 3.00 | 0.500 |" in text and "loss front off" not in text
    ablations.main(arguments(tmp_path, "--only", "usual", "loss front off", "--data", "other people=D"))
    usual, killed, others = (("usual", "maps"), ("usual", "all")), ("loss_front_off", "maps"), "other_people"
    # 'usual' is not trained again, and a loss of G's has no second stage
    assert training.folders() == [*usual, killed, killed, (others, "maps"), (others, "all")]
    text = (tmp_path / "training.md").read_text()
    assert text.count("| usual |") == 1 and "| loss front off | 9.00 |" in text and "| other people | 5.25 |" in text
    assert [run[run.index("--cache") + 1] for run in training.runs[-2:]] == ["D/maps", "D/samples"]


def test_parts_share_the_variants_and_each_writes_the_table_of_all(training, tmp_path):
    for part in ("1/2", "2/2"):
        ablations.main(arguments(tmp_path, "--only", "usual", "with patches", "AdamW alone", "--part", part))
    assert [name for name, stage in training.folders() if stage == "all"] == ["usual", "AdamW_alone", "with_patches"]
    rows = [line.split(" | ")[0] for line in (tmp_path / "training.md").read_text().splitlines() if "5.25" in line]
    assert rows == ["| usual", "| with patches", "| AdamW alone"]


def test_every_loss_and_head_has_a_variant():
    def left_out(name):
        changes = [word for word in VARIANTS[name].both + (VARIANTS[name].second or ()) if "=" in word]
        return {loss for loss, weight in loss_weights(changes).items() if weight == 0}

    for loss in WEIGHTS:
        with_patches = loss in ablations.OF_PATCHES
        name = f"patches, loss {loss} off" if with_patches else f"loss {loss} off"
        assert left_out(name) == {loss}
        of_g = loss not in ablations.OF_F + ablations.OF_PATCHES
        assert (VARIANTS[name].second is None) == of_g != VARIANTS[name].differs_in_f_alone
        assert of_g or ("--no-patches" in VARIANTS[name].second) != with_patches
    for name, losses in ablations.HEADS.items():
        assert left_out(f"without {name}") == set(losses)


def test_a_run_without_measures_is_an_error(tmp_path):
    (tmp_path / "log.jsonl").write_text('{"train": {}}')
    with pytest.raises(ValueError, match="no held-out"):
        last_held_out(tmp_path)
