"""How good the weights are: on held-out people with known truth, and on real photos.

    python -m training.evaluate --assets ../shared/assets [--weights F] [--limit N] [--resolution 192] [--unbent]
    python -m training.evaluate --photos ../shared/photos [--weights F]

The first makes the held-out table (three groups, beside two baselines), the second checks each photo's mesh and its
outline through the matched camera. Tables go into their sections of docs/results.md, every single number into
out/held_out.json or out/photos.json, and a contact sheet of each picture into out/contact, which is not kept with
the code.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from phorhum_blender.engine.camera import CropSquare
from phorhum_blender.engine.colour import linear_to_srgb
from phorhum_blender.engine.contracts import Request
from phorhum_blender.engine.detail import add_photo_detail
from phorhum_blender.engine.errors import UserError
from phorhum_blender.engine.lighting import fit_light_rig
from phorhum_blender.engine.person import select_person
from phorhum_blender.engine.photo import load_photo
from phorhum_blender.engine.reconstruct import PIXELS_PER_CELL, Encoded, Reconstructor
from phorhum_blender.engine.surface import extract_surface
from training import metrics
from training.backgrounds import PHOTO_SUFFIXES
from training.baselines import Baselines, Field
from training.cache import BOX
from training.contact_sheet import cast_photo, held_out_sheet, photo_sheet
from training.held_out import CASES_PER_GROUP, GROUPS, Truth, fingerprint, held_out_cases, make_truth
from training.metrics import Mesh

LEAST_OUTLINE_IOU = 0.85  # of a photo, see docs/results.md

# Columns of the tables: key -> heading, digits, higher is better
GEOMETRY = {
    "chamfer_cm": ("Chamfer cm", 2),
    "point_to_surface_cm": ("pred. to true cm", 2),
    "completeness_cm": ("true to pred. cm", 2),
    "normal_consistency": ("normals", 3),
    "volume_iou": ("IoU", 3),
    "f_score": ("F 1 cm", 3),
    "depth_front_cm": ("front depth cm", 2),
    "depth_back_cm": ("back depth cm", 2),
    "thickness_cm": ("thickness cm", 2),
    "outline_iou": ("outline IoU", 3),
}
COLOUR = {
    "albedo_psnr_front": ("albedo PSNR front", 2),
    "plain_psnr_front": ("without photo detail", 2),
    "albedo_psnr_back": ("albedo PSNR back", 2),
    "plain_psnr_back": ("without photo detail", 2),
    "albedo_ssim_front": ("albedo SSIM front", 3),
    "plain_ssim_front": ("without photo detail", 3),
    "albedo_ssim_back": ("albedo SSIM back", 3),
    "plain_ssim_back": ("without photo detail", 3),
    "shaded_psnr": ("shaded PSNR", 1),
    "key_light_degrees": ("key light, median degrees", 0),
    "brightest_degrees": ("from where it is brightest, median degrees", 0),
}
MEDIANS = {"key_light_degrees", "brightest_degrees"}


@dataclass(frozen=True)
class Prediction:
    """What a method says of one picture, in crop units. Colour and light only from the network."""

    mesh: Mesh
    albedo: np.ndarray | None = None  # (V, 3) linear
    plain_albedo: np.ndarray | None = None  # (V, 3) linear, without photo detail
    shaded: np.ndarray | None = None  # (V, 3) linear
    key_light: tuple[float, float, float] | None = None  # towards the light


@dataclass
class CaseScores:
    """One held-out picture: method -> measure -> value. A method that found no surface has no measures."""

    case: dict[str, Any]
    methods: dict[str, dict[str, float]] = field(default_factory=dict)


def encode_picture(network: Reconstructor, picture: np.ndarray, distance: float, pitch: float | None = None) -> Encoded:
    """What the network says of a held-out ``picture`` (4, S, S) from ``distance``, crop units, by a camera that looks
    down by ``pitch`` degrees, if that is told."""
    size = network.model.config.image_size
    image = cv2.resize(picture.transpose(1, 2, 0), (size, size), interpolation=cv2.INTER_AREA)
    down = None if pitch is None else math.radians(pitch)
    encoded = network.encode_crop(image, CropSquare(0.0, 0.0, 2.0), distance, down)
    return network.with_head(encoded, np.ascontiguousarray(picture.transpose(1, 2, 0)))


@torch.inference_mode()
def from_network(network: Reconstructor, truth: Truth, resolution: int, tilt_known: bool = True) -> Prediction:
    """The shipped reconstruction from the crop on: no detector, known camera, or all but its tilt. Raises
    :class:`UserError` when there is no surface."""
    encoded = encode_picture(network, truth.image, truth.distance, truth.case.pitch if tilt_known else None)
    return predict(network, truth, encoded, resolution)


def predict(network: Reconstructor, truth: Truth, encoded: Encoded, resolution: int) -> Prediction:
    """As :func:`from_network`, of what the network says of the picture."""
    surface = network.surface(encoded, resolution)
    close_up = np.ascontiguousarray(truth.image.transpose(1, 2, 0))
    size = min(len(close_up), PIXELS_PER_CELL * resolution)
    picture = cv2.resize(close_up, (size, size), interpolation=cv2.INTER_AREA)
    look = add_photo_detail(network.appearance(encoded, surface), picture, close_up[..., :3], encoded.distance)
    return Prediction(
        mesh=Mesh(look.vertices, look.faces),
        albedo=look.albedo,
        plain_albedo=network.albedo(encoded, look.vertices),
        shaded=look.albedo * look.shading,
        key_light=fit_light_rig(lambda n: network.shading(encoded, n)).key.direction,
    )


def from_field(signed: Field, resolution: int) -> Prediction:
    surface = extract_surface(signed, BOX, resolution)
    return Prediction(Mesh(surface.vertices, surface.faces))


def measure(predicted: Prediction, truth: Truth) -> dict[str, float]:
    """All measures of one prediction; those that it or the truth has no data for are left out."""
    mesh = predicted.mesh.scaled(truth.unit)
    size = len(truth.mask)
    front = metrics.cast_crop(predicted.mesh, truth.distance, size)
    back = metrics.cast_crop(predicted.mesh, truth.distance, size, from_behind=True)
    scores = metrics.surface_metrics(mesh, truth.outer.scaled(truth.unit))
    scores["volume_iou"] = metrics.volume_iou(mesh, truth.solid.scaled(truth.unit))
    depths = (front.points[..., 2], back.points[..., 2])
    scores |= metrics.depth_metrics(depths, (truth.front, truth.back), truth.unit)
    scores["outline_iou"] = metrics.mask_iou(front.mask, truth.mask)
    if predicted.albedo is not None and predicted.shaded is not None:
        scores |= _colour_scores(predicted, truth, front, back)
    if predicted.key_light is not None:
        key, true_key = np.array(predicted.key_light), np.array(fit_light_rig(truth.shading).key.direction)
        scores["key_light_degrees"] = metrics.angle_degrees(key, true_key)
        scores["brightest_degrees"] = metrics.angle_degrees(key, truth.light.brightest())
    return scores


def _colour_scores(
    predicted: Prediction, truth: Truth, front: metrics.Raster, back: metrics.Raster
) -> dict[str, float]:
    scores = {}
    sides = {
        "front": (front, truth.albedo, truth.case.colour_front),
        "back": (back, truth.albedo_back, truth.case.colour_back),
    }
    for side, (raster, true_albedo, known) in sides.items():
        for name, albedo in (("albedo", predicted.albedo), ("plain", predicted.plain_albedo)):
            if known and albedo is not None:
                picture, common = linear_to_srgb(raster.interpolate(predicted.mesh, albedo)), raster.mask & truth.mask
                scores[f"{name}_psnr_{side}"] = metrics.psnr(picture, true_albedo, common)
                scores[f"{name}_ssim_{side}"] = metrics.ssim(picture, true_albedo, common)
    shaded = linear_to_srgb(front.interpolate(predicted.mesh, predicted.shaded))
    scores["shaded_psnr"] = metrics.psnr(shaded, truth.shaded, front.mask & truth.mask)
    return scores


def evaluate_held_out(args: argparse.Namespace) -> None:
    network = Reconstructor(args.weights, device=args.device, threads=args.threads)
    sha256 = network.model.sha256
    baselines = _baselines(args.baselines, args.assets)
    methods: dict[str, Callable[[Truth], Prediction]] = {
        "network": lambda t: from_network(network, t, args.resolution),
        "network, camera's tilt unknown": lambda t: from_network(network, t, args.resolution, tilt_known=False),
        "inflated hull": lambda t: from_field(baselines.hull.field(t.mask, t.distance), args.resolution),
        "mean body": lambda t: from_field(baselines.body.field(), args.resolution),
    }
    kept = "held_out_unbent" if args.unbent else "held_out"
    results, prints, started = [], [], time.time()
    cases = held_out_cases(args.assets, args.limit)
    for number, case in enumerate(cases):
        truth = make_truth(case, args.assets, unbent=float(args.unbent))
        scores = CaseScores(asdict(case))
        for name, method in methods.items():
            scores.methods[name] = {}
            try:
                predicted = method(truth)
            except UserError:
                continue
            scores.methods[name] = measure(predicted, truth)
            if name == "network":
                _save_held_out_sheet(args.out / "contact" / kept, number, predicted, truth, scores)
        results.append(scores)
        prints.append(fingerprint(truth.image))
        print(_progress_line(number + 1, len(cases), scores, started), flush=True)
    name = Path(args.weights).name if args.weights else "the weights that ship"
    head = (
        f"{name}, SHA-256 `{sha256}`; {args.limit} pictures a group, {args.resolution} cells along the longest "
        f"side; pictures `{fingerprint(*prints)}`."
    )
    table = held_out_tables(results)
    _write_json(
        args.out / f"{kept}.json",
        {
            "weights": name,
            "sha256": sha256,
            "resolution": args.resolution,
            "pictures": fingerprint(*prints),
            "summary": summarise(results),
            "cases": [asdict(r) for r in results],
        },
    )
    write_section(args.docs, "held-out people, unbent" if args.unbent else "held-out people", f"{head}\n\n{table}")
    print(table)


def _baselines(path: Path, assets: Path) -> Baselines:
    if path.exists():
        return Baselines.load(path)
    baselines = Baselines.fit(assets)
    baselines.save(path)
    return baselines


def _progress_line(done: int, count: int, scores: CaseScores, started: float) -> str:
    found = {name: s.get("chamfer_cm", float("nan")) for name, s in scores.methods.items()}
    chamfers = ", ".join(f"{name} {value:.2f}" for name, value in found.items())
    return f"{done}/{count} {scores.case['subject']}: Chamfer {chamfers} cm, {time.time() - started:.0f} s"


def _save_held_out_sheet(folder: Path, number: int, predicted: Prediction, truth: Truth, scores: CaseScores) -> None:
    assert predicted.albedo is not None
    folder.mkdir(parents=True, exist_ok=True)
    title = f"{truth.case.group}: {truth.case.subject}, yaw {truth.case.yaw:.0f}   " + "   ".join(
        f"{GEOMETRY[key][0]} {scores.methods['network'][key]:.{GEOMETRY[key][1]}f}" for key in GEOMETRY
    )
    picture = truth.image[:3].transpose(1, 2, 0)
    sheet = held_out_sheet(picture, predicted.mesh, predicted.albedo, truth.outer, truth.albedo, title)
    sheet.save(folder / f"{number:03d}_{truth.case.subject}.png")


def summarise(results: list[CaseScores]) -> dict[str, dict[str, dict[str, float]]]:
    """Group (and 'all') -> method -> measure -> mean, or median for MEDIANS; 'count' and 'failed' beside them.

    A measure's mean is over the pictures that have it, so read it together with 'failed'.
    """
    summary: dict[str, dict[str, dict[str, float]]] = {}
    for group in (*GROUPS, "all"):
        members = [r for r in results if group in ("all", r.case["group"])]
        if not members:
            continue
        summary[group] = {}
        for method in members[0].methods:
            found = [r.methods[method] for r in members if r.methods[method]]
            row: dict[str, float] = {"count": len(members), "failed": len(members) - len(found)}
            for key in (*GEOMETRY, *COLOUR):
                values = [s[key] for s in found if np.isfinite(s.get(key, np.nan))]
                if values:
                    row[key] = float(np.median(values) if key in MEDIANS else np.mean(values))
            summary[group][method] = row
    return summary


def held_out_tables(results: list[CaseScores]) -> str:
    """Geometry of every method and colour of the network, a row each group, as Markdown."""
    summary = summarise(results)
    geometry, colour = [], []
    for group, methods in summary.items():
        for method, row in methods.items():
            name = f"{method} ({row['failed']} of {row['count']} failed)" if row["failed"] else method
            geometry.append([group, name, *_cells(row, GEOMETRY)])
        colour.append([group, *_cells(methods["network"], COLOUR)])
    return "\n\n".join(
        (
            markdown_table(["group", "method", *(h for h, _ in GEOMETRY.values())], geometry),
            markdown_table(["group", *(h for h, _ in COLOUR.values())], colour),
        )
    )


def _cells(row: dict[str, float], columns: dict[str, tuple[str, int]]) -> list[str]:
    return [f"{row[key]:.{digits}f}" if key in row else "–" for key, (_, digits) in columns.items()]


def markdown_table(heading: list[str], rows: list[list[str]]) -> str:
    lines = [heading, ["---"] * len(heading), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def write_section(document: Path, name: str, text: str, writer: str = "training.evaluate") -> None:
    """Replaces what stands between the section's two marks, which name the ``writer``, in ``document``, or adds the
    section at its end."""
    begin, end = f"<!-- begin {name}: written by {writer} -->", f"<!-- end {name} -->"
    old = document.read_text(encoding="utf-8") if document.exists() else "# Results\n"
    section = f"{begin}\n{text}\n{end}"
    if begin in old:
        before, rest = old.split(begin, 1)
        new = before + section + rest.split(end, 1)[1]
    else:
        new = f"{old.rstrip()}\n\n## {name.capitalize()}\n\n{section}\n"
    document.parent.mkdir(parents=True, exist_ok=True)
    document.write_text(new, encoding="utf-8")


def _write_json(path: Path, data: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data, indent=1), encoding="utf-8")


@dataclass(frozen=True)
class PhotoCheck:
    photo: str
    closed: bool
    components: int
    outline_iou: float
    seconds: float
    error: str = ""

    @property
    def passed(self) -> bool:
        return not self.error and self.closed and self.components == 1 and self.outline_iou >= LEAST_OUTLINE_IOU


def check_photo(reconstructor: Reconstructor, request: Request, contact: Path) -> PhotoCheck:
    """Reconstructs one photo, compares the mesh's outline with the person's mask and leaves a contact sheet."""
    path, started = Path(request.photo), time.time()
    try:
        photo = load_photo(path)
        person = select_person(photo, request)
        result = reconstructor.run(request, lambda stage, fraction: None)
    except UserError as error:
        return PhotoCheck(path.name, False, 0, 0.0, time.time() - started, str(error))
    seconds = time.time() - started
    mesh = Mesh(result.vertices, result.faces)
    seen = cast_photo(mesh, result.camera).mask
    height, width = seen.shape
    mask = cv2.resize(person.mask, (width, height), interpolation=cv2.INTER_AREA) >= 0.5
    check = PhotoCheck(path.name, mesh.closed, mesh.components, metrics.mask_iou(seen, mask), seconds)
    contact.mkdir(parents=True, exist_ok=True)
    title = f"{path.name}   outline IoU {check.outline_iou:.3f}   {len(result.faces)} faces   {seconds:.0f} s"
    photo_sheet(photo.rgb, result, seen, title).save(contact / f"{path.stem}.png")
    return check


def check_photos(reconstructor: Reconstructor, requests: list[Request], out: Path) -> list[PhotoCheck]:
    """Checks each photo, tells of it, and leaves contact sheets and numbers in ``out``."""
    checks = []
    for request in requests:
        checks.append(check_photo(reconstructor, request, out / "contact" / "photos"))
        print(checks[-1], flush=True)
    _write_json(out / "photos.json", {"photos": [asdict(check) for check in checks]})
    return checks


def photo_table(checks: list[PhotoCheck]) -> str:
    """How many passed, and a row for each, as Markdown."""
    passed = sum(c.passed for c in checks)
    ious = [c.outline_iou for c in checks]
    head = (
        f"{passed} of {len(checks)} photos pass (a closed mesh of one component, outline IoU at least "
        f"{LEAST_OUTLINE_IOU}); mean outline IoU {np.mean(ious):.3f}, least {np.min(ious):.3f}."
    )
    rows = [
        [c.photo, "yes" if c.closed else "no", str(c.components), f"{c.outline_iou:.3f}", f"{c.seconds:.0f}", c.error]
        for c in checks
    ]
    return f"{head}\n\n" + markdown_table(["photo", "closed", "components", "outline IoU", "seconds", "error"], rows)


def evaluate_photos(args: argparse.Namespace) -> bool:
    """Whether every photo passed."""
    chosen = {"weights": args.weights, "detector": args.detector, "device": args.device}
    paths = sorted(p for p in args.photos.iterdir() if p.suffix.lower() in PHOTO_SUFFIXES)
    requests = [Request(str(path), resolution=args.resolution, **chosen) for path in paths]
    checks = check_photos(Reconstructor(args.weights, args.detector, args.device, args.threads), requests, args.out)
    table = photo_table(checks)
    write_section(args.docs, "real photos", table)
    print(table)
    return all(check.passed for check in checks)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--assets", type=Path, help="folder of the people: makes the held-out table")
    what.add_argument("--photos", type=Path, help="folder of real photos: checks each one")
    parser.add_argument("--weights", default="", help="network weights; those that ship if not given")
    parser.add_argument("--detector", default="", help="detector weights; those that ship if not given")
    parser.add_argument("--limit", type=int, default=CASES_PER_GROUP, help="held-out pictures a group")
    parser.add_argument("--unbent", action="store_true", help="the same people, held straight as they stand in photos")
    parser.add_argument("--resolution", type=int, default=192)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=0, help="0 = as many as the machine has")
    parser.add_argument("--docs", type=Path, default=Path("docs/results.md"), help="document that gets the table")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder of numbers and pictures")
    parser.add_argument("--baselines", type=Path, default=Path("out/baselines.npz"), help="made when missing")
    args = parser.parse_args()
    try:
        if args.photos:
            return 0 if evaluate_photos(args) else 1
        evaluate_held_out(args)
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
