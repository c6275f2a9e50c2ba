"""Damaged and odd photos, read by ``engine.photo`` alone: most of the suite's inputs, as each takes milliseconds."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from phorhum_blender.engine.errors import UserError
from phorhum_blender.engine.photo import Photo, load_photo

from .mutations import Edit, damage, edits, file_names
from .pictures import corpus, readable
from .rules import READ, REFUSED, Tally, feed, must, must_be_clear, nothing_left

Case = tuple[str, list[Edit], str]  # seed, what is done to it, the file's name

cases: st.SearchStrategy[Case] = st.tuples(st.sampled_from(list(corpus())), edits, file_names)
NO_FILES = ["absent.jpg", ".", "..", "x" * 300 + ".jpg", "nul\0.jpg", "", "\udcff.jpg", "CON", "~/a.jpg"]


def run(count: int, number: int, folder: Path) -> Tally:
    wanted = {name: load_photo(written(data, folder / "seed")) for name, data in readable().items()}
    (folder / "seed").unlink()

    def check(case: Case | str) -> str:
        if isinstance(case, str):
            return outcome(folder, folder / case if case else case)
        seed, changes, name = case
        with nothing_left(folder):
            path = written(damage(corpus()[seed], changes), folder / name)
            try:
                became = outcome(folder, path, wanted.get(seed) if not changes else None)
            finally:
                path.unlink()
        must(changes or (became == READ) == (seed in wanted), f"{seed} was taken the wrong way: {became}")
        return became

    return feed("photos", cases | st.sampled_from(NO_FILES), check, count, number)


def outcome(folder: Path, path: str | Path, wanted: Photo | None = None) -> str:
    with nothing_left(folder):
        try:
            photo = load_photo(path)
        except UserError as error:
            must_be_clear(str(error))
            return REFUSED
    must_be_well_formed(photo)
    if wanted:
        must(np.array_equal(photo.rgb, wanted.rgb), "another picture than under a plain name")
        camera, expected = ((one.focal_pixels, one.tilt) for one in (photo, wanted))
        must(camera == expected, "another camera than under a plain name")
    return READ


def must_be_well_formed(photo: Photo) -> None:
    height, width, channels = photo.rgb.shape
    must(photo.rgb.dtype == np.uint8 and channels == 3 and min(height, width) >= 64, f"odd photo {photo.rgb.shape}")
    must(photo.tilt is None or abs(photo.tilt) <= math.pi / 2, f"odd tilt {photo.tilt}")
    must(photo.alpha is None or photo.alpha.shape == (height, width), "alpha of another size")
    must(photo.focal_pixels is None or 0 < photo.focal_pixels < 1e9, f"focal length {photo.focal_pixels}")


def written(data: bytes, path: Path) -> Path:
    path.write_bytes(data)
    return path
