"""Ways to damage a file or a line, chosen by hypothesis."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

Edit = tuple[str, float, float, bytes]  # kind, where (0..1), how much (0..1), bytes to use


def damage(data: bytes, edits: Sequence[Edit]) -> bytes:
    for edit in edits:
        data = _damaged(data, *edit)
    return data


def _damaged(data: bytes, kind: str, where: float, much: float, payload: bytes) -> bytes:
    at = int(where * len(data))
    end = min(len(data), at + 1 + int(much**3 * len(data)))  # mostly short stretches
    return {
        "cut": lambda: data[:at],
        "behead": lambda: data[at:],
        "flip": lambda: data[:at] + bytes(b ^ 1 << payload[0] % 8 for b in data[at : at + 1]) + data[at + 1 :],
        "overwrite": lambda: data[:at] + payload + data[at + len(payload) :],
        "insert": lambda: data[:at] + payload + data[at:],
        "remove": lambda: data[:at] + data[end:],
        "repeat": lambda: data[:end] + data[at:],
        "zero": lambda: data[:at] + bytes(end - at) + data[end:],
        "append": lambda: data + payload * 50,
    }[kind]()


_KINDS = ("cut", "behead", "flip", "flip", "overwrite", "overwrite", "insert", "remove", "repeat", "zero", "append")

_parts = st.floats(0, 1, width=32)

edits: st.SearchStrategy[list[Edit]] = st.lists(
    st.tuples(st.sampled_from(_KINDS), _parts, _parts, st.binary(min_size=1, max_size=16)), max_size=4
)


def _as_file_name(text: str) -> str:
    """``text`` cut to the 255 bytes that a file's name may have."""
    return text.encode()[:255].decode(errors="ignore")


_LETTERS = st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/")

file_names: st.SearchStrategy[str] = st.one_of(
    st.sampled_from(
        [
            "photo.jpg",
            "a photo of me .jpg",
            "Größe – 写真 🧍.jpeg",
            "e\u0301.png",
            "-o",
            "%20{}'\"$(id);.tif",
            ".hidden",
            "no suffix",
            "photo.exe",
            "PHOTO.WEBP",
            "x" * 251 + ".jpg",
            "写" * 83 + ".png",
        ]
    ),
    st.text(_LETTERS, min_size=1, max_size=80).map(_as_file_name).filter(lambda name: name.strip(".")),
)
