"""How good the head is with its own networks, and as the body's alone make it.

    python -m benchmarks.heads --assets ../shared/assets

On the held-out people's pictures (256 pixels, of which a head has about forty a side; in photos it mostly has more):
samples of both surfaces in the square around the true head, above the chin. Writes a table into its section of
docs/results.md.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

import numpy as np
import torch
from scipy.spatial import cKDTree

from phorhum_blender.engine.colour import linear_to_srgb
from phorhum_blender.engine.head import CHIN, HeadFrame
from phorhum_blender.engine.reconstruct import Encoded, Reconstructor
from training import metrics
from training.evaluate import Prediction, encode_picture, markdown_table, predict, write_section
from training.held_out import CASES_PER_GROUP, Truth, held_out_cases, make_truth, place_case
from training.metrics import Mesh, sample_surface

SAMPLES = 60_000  # of the surface around the head
REACH = np.array([0.9, 0.9, 1.1])  # head units from the middle of the head's square
SEEN = 0.2  # least cosine between the normal and the view of what counts as seen
MEASURES = {  # name -> heading, digits
    "to_true": ("pred. to true cm", 2),
    "to_predicted": ("true to pred. cm", 2),
    "normals": ("normals", 3),
    "normals_seen": ("of what is seen", 3),
    "normals_hidden": ("of what is not", 3),
    "albedo_front": ("albedo PSNR front", 2),
    "albedo_back": ("albedo PSNR back", 2),
}


def measure(predicted: Prediction, truth: Truth, frame: HeadFrame) -> dict[str, float]:
    """MEASURES of the head in the square of ``frame``; of those that have no data none."""
    points, normals = _head_samples(predicted.mesh, frame)
    true_points, true_normals = _head_samples(truth.outer, frame)
    away, nearest = cKDTree(true_points).query(points)
    back_away, back_nearest = cKDTree(points).query(true_points)
    agreement = (normals * true_normals[nearest]).sum(1)
    back_agreement = (true_normals * normals[back_nearest]).sum(1)
    seen = true_normals @ frame.turn[2] > SEEN
    unit = 100 * truth.unit
    scores = {
        "to_true": away.mean() * unit,
        "to_predicted": back_away.mean() * unit,
        "normals": (agreement.mean() + back_agreement.mean()) / 2,
        "normals_seen": back_agreement[seen].mean(),
        "normals_hidden": back_agreement[~seen].mean(),
    }
    sides = ("front", truth.albedo, truth.case.colour_front), ("back", truth.albedo_back, truth.case.colour_back)
    for side, albedo, known in sides:
        if known and predicted.albedo is not None:
            raster = metrics.cast_crop(predicted.mesh, truth.distance, len(truth.mask), from_behind=side == "back")
            there = raster.mask & truth.mask
            there[there] = _in_head(raster.points[there], frame)
            picture = linear_to_srgb(raster.interpolate(predicted.mesh, predicted.albedo))
            scores[f"albedo_{side}"] = metrics.psnr(picture, albedo, there)
    return {name: float(value) for name, value in scores.items()}


def _head_samples(mesh: Mesh, frame: HeadFrame) -> tuple[np.ndarray, np.ndarray]:
    """Points (N, 3) of the surface and the normals (N, 3) there, of the head alone."""
    near = Mesh(mesh.vertices, mesh.faces[_in_head(mesh.vertices, frame)[mesh.faces].any(1)])
    points, face = sample_surface(near, SAMPLES)
    inside = _in_head(points, frame)
    return points[inside], near.face_normals[face[inside]]


def _in_head(points: np.ndarray, frame: HeadFrame) -> np.ndarray:
    at = frame.inwards(points)
    return (np.abs(at) < REACH).all(1) & (at[:, 1] > CHIN)


@torch.inference_mode()
def with_and_without(network: Reconstructor, truth: Truth, cells: int) -> dict[str, Prediction]:
    """The shipped reconstruction, and the same where nobody looks at the head."""
    encoded = encode_picture(network, truth.image, truth.distance, truth.case.pitch)
    ways: dict[str, Encoded] = {"its own networks": encoded, "the body's": dataclasses.replace(encoded, head=None)}
    return {name: predict(network, truth, way, cells) for name, way in ways.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--assets", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=CASES_PER_GROUP, help="held-out pictures a group")
    parser.add_argument("--resolution", type=int, default=128)
    parser.add_argument("--threads", type=int, default=0, help="0 = as many as the machine has")
    parser.add_argument("--docs", type=Path, default=Path("docs/results.md"), help="document that gets the table")
    args = parser.parse_args()
    network = Reconstructor(threads=args.threads)
    found: dict[str, list[dict[str, float]]] = {}
    cases = held_out_cases(args.assets, args.limit)
    for case in cases:
        truth = make_truth(case, args.assets)
        frame = HeadFrame.of_joints(place_case(case, args.assets).joints.astype(np.float64), truth.distance)
        for name, predicted in with_and_without(network, truth, args.resolution).items():
            found.setdefault(name, []).append(measure(predicted, truth, frame))
            print(case.subject, name, found[name][-1], flush=True)
    rows = []
    for name, scores in found.items():
        means = {key: np.mean([s[key] for s in scores if np.isfinite(s.get(key, np.nan))]) for key in MEASURES}
        rows.append([name, *(f"{means[key]:.{digits}f}" for key, (_, digits) in MEASURES.items())])
    table = markdown_table(["head by", *(heading for heading, _ in MEASURES.values())], rows)
    head = (
        f"SHA-256 of the head's weights `{network.head_model.sha256}`; {len(cases)} pictures, {args.resolution} cells."
    )
    write_section(args.docs, "heads", f"{head}\n\n{table}", "benchmarks.heads")
    print(table)


if __name__ == "__main__":
    main()
