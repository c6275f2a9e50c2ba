"""Reading a photo: any common file becomes one upright 8-bit sRGB array, or one clear sentence."""

from __future__ import annotations

import io
import math
import os
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, UnidentifiedImageError

from .errors import UserError
from .gravity import camera_tilt

FORMATS = ("JPEG", "PNG", "WEBP", "TIFF")
MIN_SIDE = 64  # pixels
MAX_PIXELS = 100_000_000
MATTE = 128  # sRGB grey put behind transparent pixels
FULL_FRAME_DIAGONAL = 43.27  # mm, the diagonal of 35 mm film (36 x 24 mm)

EXIF_IFD = 0x8769
EXIF_ORIENTATION = 0x0112
EXIF_FOCAL_LENGTH_35MM = 0xA405

UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

SAVE_AS = "Save it as JPEG or PNG and try again."


@dataclass(frozen=True)
class Photo:
    """An upright photo.

    ``rgb``: (H, W, 3) uint8, sRGB; transparent pixels lie over a mid grey.
    ``alpha``: (H, W) uint8, 255 = opaque; None unless the file's transparency really cuts something out.
    ``focal_pixels``: focal length in pixels of this array, from EXIF; None when the file does not tell.
    ``path``: where it was read from.
    ``tilt``: radians by which the camera looked down, from the phone's own record; None when nothing tells.
    """

    rgb: np.ndarray
    alpha: np.ndarray | None
    focal_pixels: float | None
    path: str
    tilt: float | None = None

    @property
    def width(self) -> int:
        return self.rgb.shape[1]

    @property
    def height(self) -> int:
        return self.rgb.shape[0]


def load_photo(path: str | Path) -> Photo:
    """Reads JPEG, PNG, WebP or TIFF (the first frame of several). Raises :class:`UserError` for everything else."""
    path = Path(path)
    image = _open(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns about damaged metadata that does not matter here
            image.load()
            focal = _focal_pixels(image)
            tilt = camera_tilt(image)
            upright = _to_srgb(image)
            operation = UPRIGHT.get(_orientation(image))
            if operation is not None:
                upright = upright.transpose(operation)
    except MemoryError:
        raise
    except Exception as error:  # Pillow's decoders raise a dozen unrelated classes on damaged data
        raise UserError(f"The photo {path.name} is damaged or incomplete.", "Use another copy of it.") from error
    rgb, alpha = _split_alpha(upright)
    return Photo(rgb, alpha, focal, str(path), tilt)


def _open(path: Path) -> Image.Image:
    """The file opened but not decoded; everything that can be refused early is refused here."""
    if os.path.isdir(path):  # pathlib's own questions raise for a name that is too long or a locked folder
        raise UserError(f"{path} is a folder, not a photo.", "Choose a JPEG, PNG, WebP or TIFF file.")
    if not os.path.isfile(path):
        raise UserError(f"There is no photo at {path}.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = Image.open(path, formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise UserError(f"The photo {path.name} has more than 100 megapixels.", "Use a smaller copy.") from error
    except UnidentifiedImageError as error:
        sentence = f"{path.name} is not a JPEG, PNG, WebP or TIFF photo, or it is damaged."
        raise UserError(sentence, SAVE_AS) from error
    except PermissionError as error:
        raise UserError(f"The photo {path.name} may not be read.", "Check the file's permissions.") from error
    except Exception as error:  # as in load_photo: headers too are decoded, with as many classes of error
        raise UserError(f"The photo {path.name} is damaged or incomplete.", "Use another copy of it.") from error
    width, height = image.size
    if width * height > MAX_PIXELS:
        megapixels = width * height / 1e6
        raise UserError(
            f"The photo {path.name} has {megapixels:.0f} megapixels; at most 100 are allowed.", "Use a smaller copy."
        )
    if min(width, height) < MIN_SIDE:
        raise UserError(
            f"The photo {path.name} is {width} x {height} pixels; each side needs at least {MIN_SIDE}.",
            "Use a larger copy.",
        )
    return image


def _orientation(image: Image.Image) -> int:
    """EXIF orientation, 1 (upright) when missing or unreadable. Call after ``load``: TIFF is turned while decoding."""
    try:
        return int(image.getexif().get(EXIF_ORIENTATION, 1))
    except Exception:  # broken metadata of an intact picture
        return 1


def _focal_pixels(image: Image.Image) -> float | None:
    """Focal length in pixels from FocalLengthIn35mmFilm; film and photo are compared by their diagonals."""
    try:
        millimetres = float(image.getexif().get_ifd(EXIF_IFD).get(EXIF_FOCAL_LENGTH_35MM, 0))
    except Exception:  # broken metadata of an intact picture
        return None
    if not 5.0 <= millimetres <= 2000.0:  # zero means unknown; the rest is nonsense
        return None
    return millimetres / FULL_FRAME_DIAGONAL * math.hypot(*image.size)


def _to_srgb(image: Image.Image) -> Image.Image:
    """Any Pillow mode to RGB or RGBA, sRGB."""
    if image.mode.startswith("I") or image.mode == "F":
        return _grey_from_deep(image)
    if image.mode in ("RGBa", "La"):  # premultiplied
        image = image.convert("RGBA")
    elif image.mode in ("P", "PA", "1"):
        image = image.convert("RGBA" if image.mode == "PA" or "transparency" in image.info else "RGB")
    alpha = None
    if "A" in image.mode or "transparency" in image.info:
        alpha = image.convert("RGBA").getchannel("A")
        image = image.convert("L" if image.mode in ("L", "LA") else "RGB")
    image = _apply_profile(image)
    if image.mode != "RGB":
        image = image.convert("RGB")
    if alpha is not None:
        image.putalpha(alpha)
    return image


def _grey_from_deep(image: Image.Image) -> Image.Image:
    """16-bit, 32-bit and float greys; the scale is the smallest usual one that holds the brightest pixel."""
    values = np.nan_to_num(np.asarray(image).astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0).clip(min=0.0)
    if image.mode.startswith("I;16"):
        white = 65535.0
    else:
        peak = values.max()
        white = next((w for w in (1.0, 255.0, 65535.0) if peak <= w), peak)
    grey = np.round(values / white * 255.0).astype(np.uint8)
    return Image.fromarray(grey).convert("RGB")


def _apply_profile(image: Image.Image) -> Image.Image:
    """Converts through the embedded ICC profile, if there is one that fits the pixels and is not sRGB already."""
    data = image.info.get("icc_profile")
    if not data or image.mode not in ("L", "RGB", "CMYK", "LAB"):
        return image
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(data))
        if "sRGB" in ImageCms.getProfileDescription(profile):
            return image
        converted = ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):  # a broken or foreign profile: the plain conversion will do
        return image
    return image if converted is None else converted


def _split_alpha(image: Image.Image) -> tuple[np.ndarray, np.ndarray | None]:
    """(H, W, 3) colour over the matte, and the alpha when it cuts out something that can be a person."""
    if image.mode != "RGBA":
        return np.array(image), None
    alpha = np.array(image.getchannel("A"))
    if alpha.min() == 255:
        return np.array(image.convert("RGB")), None
    matte = Image.new("RGBA", image.size, (MATTE, MATTE, MATTE, 255))
    rgb = np.array(Image.alpha_composite(matte, image).convert("RGB"))
    return rgb, alpha if _cuts_out_person(alpha) else None


def _cuts_out_person(alpha: np.ndarray) -> bool:
    """Whether the opaque part is neither a speck nor a (rounded, shadowed) rectangle."""
    opaque = alpha >= 128
    area = int(opaque.sum())
    if area < 0.005 * alpha.size or area == alpha.size:
        return False
    rows, columns = np.flatnonzero(opaque.any(1)), np.flatnonzero(opaque.any(0))
    box_area = (rows[-1] - rows[0] + 1) * (columns[-1] - columns[0] + 1)
    return area < 0.92 * box_area
