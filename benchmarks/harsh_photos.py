"""Photos harder than most, made of real ones and drawn: dark, grainy, tilted, a bright sky, stripes, a skirt, a coat.

    python -m benchmarks.harsh_photos --photos ../shared/photos --assets ../shared/assets --out out/harsh

Leaves the pictures and a contact sheet of each in ``--out`` and writes their table into docs/results.md. The drawn
people need the package anny; the real ones are not kept with the code.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from phorhum_blender.engine.colour import linear_to_srgb, srgb_to_linear
from phorhum_blender.engine.contracts import Request
from phorhum_blender.engine.photo import Photo, load_photo
from phorhum_blender.engine.reconstruct import Reconstructor
from training.cache import place, pose_subject, standing
from training.evaluate import check_photos, photo_table, write_section
from training.held_out import light_picture, render
from training.light import load_environments
from training.makehuman import Paint, build_person, sample_choice
from training.subjects import load_poses

SIDE = 640  # of a drawn picture, pixels
ROOM = 1.5  # side of a drawn picture / longer side of the person
CREAM, NAVY, GREEN = (0.9, 0.88, 0.82), (0.1, 0.13, 0.3), (0.2, 0.35, 0.25)
Picture = np.ndarray  # (H, W, 3) float64 sRGB-encoded 0..1


def exposed(picture: Picture, factor: float) -> Picture:
    return np.asarray(linear_to_srgb(srgb_to_linear(picture) * factor))


def grainy(picture: Picture, strength: float, rng: np.random.Generator) -> Picture:
    return picture + rng.normal(0, strength, picture.shape)


def before_bright_sky(photo: Photo) -> Picture:
    """The cut-out person in a quarter of its light, the sky behind burnt out above the horizon."""
    colour, cover = opaque(photo)
    height, width = cover.shape[:2]
    sky = np.linspace([0.86, 0.93, 1.0], [1.0, 1.0, 0.98], height)[:, None].repeat(width, 1)
    sky[int(0.85 * height) :] = [0.25, 0.24, 0.2]
    return exposed(colour, 0.25) * cover + sky * (1 - cover)


def in_grain(photo: Photo, rng: np.random.Generator) -> Picture:
    colour, cover = opaque(photo)
    return grainy(colour * cover + 0.55 * (1 - cover), 0.16, rng)


def striped(photo: Photo) -> Picture:
    """Level stripes over the upper half of the cut-out person."""
    colour, cover = opaque(photo)
    rows = np.flatnonzero((cover > 0.5).any((1, 2)))
    height = np.ptp(rows)
    part = (np.arange(len(cover)) - rows[0]) / height
    dark = ((part > 0.17) & (part < 0.5) & (part * 45 % 1 < 0.5))[:, None, None]
    return np.where(dark, colour * [0.25, 0.25, 0.5], colour) * cover + 0.7 * (1 - cover)


def tilted(photo: Photo, degrees: float) -> Picture:
    height, width = photo.rgb.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 0.9)
    return plain(cv2.warpAffine(photo.rgb, turn, (width, height), borderMode=cv2.BORDER_REFLECT))


def in_the_dark(photo: Photo, rng: np.random.Generator) -> Picture:
    return grainy(exposed(plain(photo.rgb), 0.06), 0.03, rng)


def drawn(assets: Path, seed: int, garments: dict[str, Paint], yaw: float) -> Picture:
    """A made-up woman in ``garments`` who moves, in a held-out pose; the ``seed`` says who, where, in what light."""
    rng = np.random.default_rng(seed)
    drawn_choices = (sample_choice(rng, frozenset()) for _ in itertools.count())
    choice = next(choice for choice in drawn_choices if choice.sex == "f" and choice.shape.years >= 18)
    choice = replace(choice, garments=tuple(garments), paints=tuple((paint, paint) for paint in garments.values()))
    poses = load_poses(assets, held_out=True)
    moving = np.flatnonzero(~standing(poses))
    subject = build_person(choice, assets)
    placed = place(subject, *pose_subject(subject, poses[rng.choice(moving)]), yaw, 3.0, padding=ROOM)
    sample = render(placed, seed, SIDE)
    image, *_ = light_picture(sample, sample["albedo"].astype(np.float32) / 255, load_environments(assets), seed)
    return image[:3].transpose(1, 2, 0).astype(np.float64)


def opaque(photo: Photo) -> tuple[Picture, np.ndarray]:
    """Colour and cover (H, W, 1) of a photo with an alpha."""
    assert photo.alpha is not None
    return plain(photo.rgb), photo.alpha[..., None] / 255


def plain(rgb: np.ndarray) -> Picture:
    return rgb.astype(np.float64) / 255


def harsh_photos(photos: Path, assets: Path) -> Iterator[tuple[str, Picture]]:
    """Name and picture of each."""
    rng = np.random.default_rng(0)

    def photo(start: str) -> Photo:
        return load_photo(next(photos.glob(f"{start}*.*")))

    shoes = {"clothes/shoes01": Paint("keep")}
    skirt = {"clothes_ccby/Skirt_Full_Long": Paint("solid", (NAVY, NAVY))}
    top = {"clothes_ccby/VNeckTop": Paint("stripes", (CREAM, NAVY), repeats=24)}
    jeans = {"clothes_ccby/Tightjeans": Paint("keep")}
    coat = {"clothes_ccby/Coat": Paint("solid", (GREEN, GREEN))}
    made: dict[str, Callable[[], Picture]] = {
        "A03 dark before a bright sky": lambda: before_bright_sky(photo("A03")),
        "B26 in 6 % of its light": lambda: in_the_dark(photo("B26"), rng),
        "A05 in strong grain": lambda: in_grain(photo("A05"), rng),
        "A01 tilted by 22 degrees": lambda: tilted(photo("A01"), 22),
        "A04 in a striped shirt": lambda: striped(photo("A04")),
        "drawn woman in a wide skirt and stripes": lambda: drawn(assets, 13, shoes | skirt | top, 15),
        "drawn woman in a loose coat": lambda: drawn(assets, 6, shoes | jeans | top | coat, -25),
    }
    for name, make in made.items():
        yield name, make()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=Path, required=True, help="folder of real photos")
    parser.add_argument("--assets", type=Path, required=True, help="folder of the people")
    parser.add_argument("--out", type=Path, default=Path("out/harsh"), help="folder of the pictures")
    parser.add_argument("--docs", type=Path, default=Path("docs/results.md"), help="document that gets the table")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, picture in harsh_photos(args.photos, args.assets):
        paths.append(args.out / f"{name}.jpg")
        Image.fromarray(np.rint(picture.clip(0, 1) * 255).astype(np.uint8)).save(paths[-1], quality=92)
    table = photo_table(check_photos(Reconstructor(), [Request(str(path)) for path in paths], args.out))
    write_section(args.docs, "harsh photos", table, "benchmarks.harsh_photos")
    print(table)


if __name__ == "__main__":
    main()
