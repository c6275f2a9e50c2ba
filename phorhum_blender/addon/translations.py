"""The add-on's words in other languages.

A sentence with gaps, such as "{} triangles in {}", is translated as a whole and filled afterwards. The engine's
sentences come over the wall already filled; :func:`translate` finds out which one it was.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable

import bpy

from .german import GERMAN
from .package import PACKAGE

CONTEXT = "PHORHUM"  # where Blender has words of its own, they are others: for it "Height" is not a person's
# the labels of operators are looked up in a context of theirs, tooltips and what names no context in the first
_CONTEXTS = ("*", "Operator", CONTEXT)


def register() -> None:
    german = {(context, english): text for english, text in GERMAN.items() for context in _CONTEXTS}
    bpy.app.translations.register(PACKAGE, {"de": german})


def unregister() -> None:
    bpy.app.translations.unregister(PACKAGE)


def words(english: str) -> str:
    """``english`` in the language of Blender's interface."""
    return bpy.app.translations.pgettext_iface(english, CONTEXT)


def grouped(number: int) -> str:
    """``number`` with its thousands set apart as the language of the interface does: 60,728 or 60.728."""
    return f"{number:,}".replace(",", words(","))


def translate(text: str, lookup: Callable[[str], str] = words) -> str:
    """One or more filled sentences in the language of the interface; English where one of them is not known."""
    return _translated(text, lookup) or text


def _translated(text: str, lookup: Callable[[str], str]) -> str | None:
    for end in re.finditer(r"[.!?)](?= )", text):  # parted first, as a gap would swallow the sentence that follows
        head = _one(text[: end.end()], lookup)
        tail = _translated(text[end.end() :].lstrip(), lookup)
        if head and tail:
            return f"{head} {tail}"
    return _one(text, lookup)


def _one(sentence: str, lookup: Callable[[str], str]) -> str | None:
    if lookup(sentence) != sentence:
        return lookup(sentence)
    for pattern, template in _templates():
        match = pattern.fullmatch(sentence)
        if match and lookup(template) != template:
            return lookup(template).format(*match.groups())
    return None


@functools.cache
def _templates() -> list[tuple[re.Pattern[str], str]]:
    """Sentences with gaps, those with the most fixed letters first."""
    with_gaps = sorted((english for english in GERMAN if "{}" in english), key=len, reverse=True)
    return [(re.compile(re.escape(english).replace(r"\{\}", "(.+?)"), re.DOTALL), english) for english in with_gaps]
