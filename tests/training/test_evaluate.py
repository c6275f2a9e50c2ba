"""The tables of the evaluation on a made-up truth: a ball of known size, colour and light."""

import json
from argparse import Namespace

import numpy as np
import pytest
import torch

trimesh = pytest.importorskip("trimesh")
pytest.importorskip("igl")
pytest.importorskip("embreex")
pytest.importorskip("cv2")

from phorhum_blender.engine.colour import linear_to_srgb  # noqa: E402
from phorhum_blender.engine.core import Core  # noqa: E402
from phorhum_blender.engine.errors import UserError  # noqa: E402
from phorhum_blender.engine.head import Head  # noqa: E402
from phorhum_blender.engine.model import PreparedField  # noqa: E402
from phorhum_blender.engine.reconstruct import Reconstructor  # noqa: E402
from training import baselines, contact_sheet, evaluate, held_out, metrics  # noqa: E402
from training.cache import BOX  # noqa: E402
from training.evaluate import CaseScores, Prediction  # noqa: E402
from training.light import disc_lamp  # noqa: E402
from training.metrics import Mesh  # noqa: E402

RADIUS, DISTANCE, UNIT, SIZE = 0.5, 4.0, 0.9, 64
CASE = held_out.Case("seen garments", "valid", "Nobody_1", 0, 0.0, 0.0, 0.0, 3.0, 0)


def ball(radius: float) -> Mesh:
    solid = trimesh.creation.icosphere(subdivisions=4, radius=radius)
    return Mesh(np.asarray(solid.vertices), np.asarray(solid.faces))


@pytest.fixture(scope="module")
def truth() -> held_out.Truth:
    mesh = ball(RADIUS)
    front = metrics.cast_crop(mesh, DISTANCE, SIZE)
    back = metrics.cast_crop(mesh, DISTANCE, SIZE, from_behind=True)
    grey = np.full((SIZE, SIZE, 3), linear_to_srgb(np.array(0.25)))
    return held_out.Truth(
        case=CASE,
        image=np.concatenate([grey, front.mask[..., None]], -1).transpose(2, 0, 1).astype(np.float32),
        mask=front.mask,
        front=front.points[..., 2],
        back=back.points[..., 2],
        albedo=grey,
        albedo_back=grey,
        shaded=grey,
        light=disc_lamp(np.array([0.0, 1, 1]), 0.0),
        distance=DISTANCE,
        unit=UNIT,
        solid=mesh,
        outer=mesh,
    )


def test_the_truth_itself_scores_perfectly(truth):
    colour = np.full((len(truth.solid.vertices), 3), 0.25)
    key = tuple(np.array([0, 1, 1]) / np.sqrt(2))
    scores = evaluate.measure(Prediction(truth.solid, colour, colour, colour, key), truth)
    for name in ("chamfer_cm", "depth_front_cm", "depth_back_cm", "thickness_cm"):
        assert scores[name] == pytest.approx(0, abs=1e-4)
    for name in ("normal_consistency", "volume_iou", "f_score", "outline_iou", "albedo_ssim_front", "albedo_ssim_back"):
        assert scores[name] == pytest.approx(1, abs=2e-3)
    assert scores["albedo_psnr_front"] > 60 and scores["albedo_psnr_back"] > 60 and scores["shaded_psnr"] > 60
    assert scores["key_light_degrees"] < 10  # the true light is known to nine harmonics only
    assert scores["brightest_degrees"] < 4  # places are 7 degrees apart
    assert set(scores) == set(evaluate.GEOMETRY) | set(evaluate.COLOUR)


def test_lengths_are_of_a_person_of_standard_height(truth):
    """A ball 0.1 crop units too large is 9 cm off, because a unit is 0.9 m here."""
    scores = evaluate.measure(Prediction(ball(RADIUS + 0.1)), truth)
    assert scores["chamfer_cm"] == pytest.approx(100 * 0.1 * UNIT, abs=0.1)
    assert scores["volume_iou"] == pytest.approx((5 / 6) ** 3, abs=0.02)
    assert scores["thickness_cm"] > 2 * 100 * 0.1 * UNIT * 0.99
    assert set(scores) == set(evaluate.GEOMETRY)


def test_rocketbox_colours_are_only_measured_where_they_are_true():
    seen = held_out.Case("rocketbox", "rocketbox", "A", 0, 20.0, 0, 0, 3, 0)
    turned = held_out.Case("rocketbox", "rocketbox", "A", 0, 120.0, 0, 0, 3, 0)
    assert (seen.colour_front, turned.colour_front, CASE.colour_front) == (True, False, True)
    assert (seen.colour_back, CASE.colour_back) == (False, True)


def test_baselines_go_through_the_same_extraction(truth):
    hull = baselines.InflatedHull(gain=0.3, cap=0.2)
    predicted = evaluate.from_field(hull.field(truth.mask, DISTANCE), resolution=64)
    assert predicted.mesh.closed and predicted.mesh.components == 1
    scores = evaluate.measure(predicted, truth)
    assert scores["outline_iou"] > 0.93
    assert scores["thickness_cm"] > 20
    with pytest.raises(UserError):
        evaluate.from_field(hull.field(np.zeros((SIZE, SIZE), bool), DISTANCE), resolution=32)


def test_the_network_predicts_mesh_colour_and_light(truth, tiny_weights, monkeypatch):
    """The tiny network is untrained, so its field is replaced by the ball's and its core and its head are nowhere; all
    else is its own."""
    monkeypatch.setattr(PreparedField, "distances", lambda self, points: points.norm(dim=-1) - RADIUS)
    monkeypatch.setattr(Core, "distances", lambda self, points, hull, lost: torch.ones(len(points)))
    monkeypatch.setattr(Head, "share", lambda self, points: torch.zeros(len(points)))
    monkeypatch.setattr(Reconstructor, "bounds", lambda self, encoded: BOX)
    predicted = evaluate.from_network(Reconstructor(str(tiny_weights), threads=1), truth, resolution=48)
    assert predicted.mesh.closed
    assert np.linalg.norm(predicted.mesh.vertices, axis=1) == pytest.approx(RADIUS, abs=0.03)
    assert predicted.albedo.shape == predicted.shaded.shape == predicted.mesh.vertices.shape
    changed = (predicted.albedo != predicted.plain_albedo).any(1)
    assert changed[predicted.mesh.vertices[:, 2] > 0.7 * RADIUS].mean() > 0.9  # photo detail, on the side that is seen
    assert np.linalg.norm(predicted.key_light) == pytest.approx(1, abs=1e-5)


def scores(group: str, **methods: dict[str, float]) -> CaseScores:
    return CaseScores({"group": group, "subject": "x"}, methods)


def test_summary_averages_by_group_and_counts_failures():
    results = [
        scores("seen garments", network={"chamfer_cm": 1.0, "key_light_degrees": 10.0}),
        scores("seen garments", network={"chamfer_cm": 3.0, "key_light_degrees": 20.0}),
        scores("rocketbox", network={"chamfer_cm": 5.0, "key_light_degrees": 90.0, "depth_back_cm": float("nan")}),
        scores("rocketbox", network={}),
    ]
    summary = evaluate.summarise(results)
    assert summary["seen garments"]["network"] == {
        "count": 2, "failed": 0, "chamfer_cm": 2.0, "key_light_degrees": 15.0
    }  # fmt: skip
    assert summary["all"]["network"] == {"count": 4, "failed": 1, "chamfer_cm": 3.0, "key_light_degrees": 20.0}
    assert "unseen garments" not in summary
    table = evaluate.held_out_tables(results)
    assert "| rocketbox | network (1 of 2 failed) | 5.00 |" in table
    assert "| seen garments | network | 2.00 |" in table


def test_a_section_is_replaced_and_the_rest_of_the_document_kept(tmp_path):
    document = tmp_path / "docs" / "results.md"
    evaluate.write_section(document, "held-out people", "first")
    evaluate.write_section(document, "real photos", "photos")
    document.write_text(document.read_text() + "\nWritten by hand.\n")
    evaluate.write_section(document, "held-out people", "second")
    text = document.read_text()
    assert "first" not in text
    assert text.index("second") < text.index("photos") < text.index("Written by hand.")
    assert text.count("## Held-out people") == 1


def test_markdown_table():
    assert evaluate.markdown_table(["a", "b"], [["1", "2"]]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"


class FakeReconstructor:
    def __init__(self, result):
        self.result = result

    def run(self, request, progress):
        if self.result is None:
            raise UserError("Nobody is here.")
        return self.result


def test_photos_that_fail_are_reported(result, tmp_path, monkeypatch):
    """A photo whose mask is not where the mesh is, and one that cannot be reconstructed."""
    from PIL import Image

    from phorhum_blender.engine.contracts import Request

    monkeypatch.setattr(contact_sheet, "HEIGHT", 96)
    picture = np.zeros((result.camera.height, result.camera.width, 4), np.uint8)
    picture[:200, :100, 3] = 255
    picture[:100, :40, 3] = 0  # the alpha is the person
    Image.fromarray(picture).save(tmp_path / "p.png")
    request = Request(str(tmp_path / "p.png"))
    check = evaluate.check_photo(FakeReconstructor(result), request, tmp_path / "contact")
    assert check.closed and check.components == 1 and not check.passed
    assert (tmp_path / "contact" / "p.png").exists()
    failed = evaluate.check_photo(FakeReconstructor(None), request, tmp_path / "contact")
    assert failed.error == "Nobody is here." and not failed.passed


@pytest.mark.parametrize(("outline", "passed"), [(0.86, True), (0.84, False)])
def test_a_photo_passes_by_its_outline(outline, passed):
    assert evaluate.PhotoCheck("a.png", True, 1, outline, 2.0).passed is passed
    assert not evaluate.PhotoCheck("a.png", True, 2, outline, 2.0).passed
    assert not evaluate.PhotoCheck("a.png", False, 1, outline, 2.0).passed


@pytest.mark.parametrize(("unbent", "kept"), [(False, "held_out"), (True, "held_out_unbent")])
def test_one_command_makes_table_numbers_and_pictures(unbent, kept, shared_dir, tiny_weights, tmp_path, monkeypatch):
    first = held_out.held_out_cases(shared_dir / "assets", 1)[:1]
    monkeypatch.setattr(evaluate, "held_out_cases", lambda assets, limit: first)
    small = baselines.Baselines(baselines.InflatedHull(0.3, 0.15), baselines.MeanBody(np.ones(baselines.GRID), 0.5))
    small.save(tmp_path / "b.npz")
    args = Namespace(
        weights=str(tiny_weights), baselines=tmp_path / "b.npz", assets=shared_dir / "assets", device="cpu", threads=1,
        resolution=32, limit=1, out=tmp_path / "out", docs=tmp_path / "results.md", unbent=unbent,
    )  # fmt: skip
    evaluate.evaluate_held_out(args)
    data = json.loads((tmp_path / "out" / f"{kept}.json").read_text())
    assert [c["case"]["subject"] for c in data["cases"]] == [first[0].subject]
    text = (tmp_path / "results.md").read_text()
    assert data["sha256"] in text
    assert ("<!-- end held-out people, unbent -->" in text) == unbent
    network = {"network", "network, camera's tilt unknown"}
    assert {*network, "inflated hull", "mean body"} == set(data["summary"]["all"])
    assert data["summary"]["all"]["inflated hull"]["outline_iou"] > 0.7
