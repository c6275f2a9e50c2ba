"""The persons found in the panel's photo. Kept outside the scene, as no file needs to remember them."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..engine.contracts import People
from . import thumbnails


@dataclass
class Found:
    photo: str = ""  # path of the photo in which was searched
    sizes: list[tuple[int, int]] = field(default_factory=list)  # width and height of each person's box, pixels

    def keep(self, photo: str, people: People) -> None:
        self.photo = photo
        self.sizes = [(round(x1 - x0), round(y1 - y0)) for x0, y0, x1, y1 in people.boxes.tolist()]
        thumbnails.keep(photo, people.photo)
        for number, pixels in enumerate(people.thumbnails):
            thumbnails.keep(person_picture(photo, number), pixels)


def person_picture(photo: str, number: int) -> str:
    """The name under which a person's thumbnail is kept."""
    return f"{photo}|{number}"


found = Found()
