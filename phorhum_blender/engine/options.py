"""The options of a reconstruction on a command line: those of the engine and of Blender's own have one wording."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from typing import Any

from .contracts import HEIGHTS, RESOLUTIONS, Request

MOST_PEOPLE = 1000  # in a photo
MOST_TILT = 90  # degrees


def add_look_options(parser: argparse.ArgumentParser) -> None:
    """What holds for any photo."""
    parser.add_argument(
        "--resolution",
        type=number_between(int, *RESOLUTIONS),
        default=Request.resolution,
        metavar="N",
        help="cells along the longest side (default %(default)s)",
    )
    parser.add_argument(
        "--height",
        type=number_between(float, *HEIGHTS),
        default=Request.height,
        metavar="M",
        help="height of the person in metres (default %(default)s)",
    )
    parser.add_argument(
        "--no-photo-detail",
        dest="photo_detail",
        action="store_false",
        help="keep the networks' soft colour on both sides",
    )
    parser.add_argument(
        "--camera-tilt",
        type=number_between(float, -MOST_TILT, MOST_TILT),
        metavar="DEGREES",
        help="how far the camera looked down (default: as the photo or the person's stance tells)",
    )


def look_fields(options: argparse.Namespace) -> dict[str, Any]:
    """The fields of a request that :func:`add_look_options` asks for."""
    return {
        "resolution": options.resolution,
        "height": options.height,
        "photo_detail": options.photo_detail,
        "tilt_known": options.camera_tilt is not None,
        "camera_tilt": math.radians(options.camera_tilt or 0.0),
    }


def add_person_option(parser: Any, of: str = "") -> None:
    """Which of the people in the photo, or, with ``of`` 'back', in the second photo; ``parser`` may be a group."""
    parser.add_argument(
        f"--{of}-person" if of else "--person",
        type=number_between(int, 0, MOST_PEOPLE - 1),
        default=0,
        metavar="K",
        help=f"which person{' of the second photo' if of else ''}; 0 is the largest",
    )


def add_back_options(parser: argparse.ArgumentParser, remark: str = "") -> None:
    """A second photo, which shows the person's back."""
    parser.add_argument("--back", default="", metavar="PHOTO", help=f"second photo, from behind{remark}")
    add_person_option(parser, "back")


def number_between(kind: type, least: float, most: float) -> Callable[[str], Any]:
    """A type for ``argparse``: an ``int`` or a ``float`` within bounds."""

    def number(text: str) -> Any:
        value = kind(text)
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{text} is not between {least} and {most}")
        return value

    number.__name__ = "whole number" if kind is int else "number"  # argparse says: invalid whole number value
    return number
