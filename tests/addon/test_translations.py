"""Every sentence that a user can meet has German words, and filled sentences are recognised."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

bpy = pytest.importorskip("bpy")

from phorhum_blender.addon import registration, translations  # noqa: E402
from phorhum_blender.addon.german import GERMAN  # noqa: E402
from phorhum_blender.addon.translations import grouped, translate  # noqa: E402

NO_WORDS = {"", "PHORHUM", "CPU", "CUDA", "MPS"}
SPEAKERS = {
    "UserError",
    "NoPersonError",
    "words",
    "translate",
    "poll_message_set",
    "progress",
    "stage",
    "mask_private",
    "append",
}
OTHERWISE = {  # told in ways that the reader of sentences does not see
    "Blender cannot show this photo behind the camera.",
    "The person reaches the {} edge of the photo; what lies beyond it is guessed.",
    "Unexpected error ({}). Please report it together with the log file {}",
    "The processor; works everywhere",
    "An NVIDIA graphics card",
    "The graphics of an Apple processor",
    ",",  # between thousands
}


def template(node: ast.expr) -> Iterator[str]:
    """The strings that an expression can be, with gaps for what is filled in."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        yield "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
    elif isinstance(node, ast.IfExp):
        yield from template(node.body)
        yield from template(node.orelse)


def spoken(source: str) -> set[str]:
    """Sentences that the module hands to those who tell the user."""
    tree = ast.parse(source)
    named: dict[str, list[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            named.setdefault(node.targets[0].id, []).extend(template(node.value))
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]).rpartition(".")[2] in ("stage", "first_stage"):
            found.update(template(node.value))
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        arguments = node.args if name in SPEAKERS else []
        if name in ("label", "operator", "Event"):
            arguments = [keyword.value for keyword in node.keywords if keyword.arg == "text"]
        for argument in arguments:
            found.update(template(argument))
            if isinstance(argument, ast.Name):
                found.update(named.get(argument.id, ()))
    return {sentence for sentence in found if re.search("[A-Za-z]{2}", sentence.replace("{}", ""))}


def spoken_anywhere(root: Path) -> set[str]:
    return set().union(*(spoken(path.read_text()) for path in (root / "phorhum_blender").rglob("*.py")))


def shown() -> set[str]:
    """Labels and descriptions of all that is registered."""
    found: set[str] = set()
    for cls in registration.CLASSES:
        rna = cls.bl_rna if issubclass(cls, bpy.types.AddonPreferences | bpy.types.PropertyGroup) else None
        if issubclass(cls, bpy.types.Operator):
            rna = getattr(bpy.ops.phorhum, cls.bl_idname.partition(".")[2]).get_rna_type()
            found |= {cls.bl_label, cls.__doc__}
        elif rna is None:
            found.add(cls.bl_label)
        own = set(cls.__annotations__) if rna else set()
        for prop in (rna.properties[name] for name in own):
            if prop.is_hidden:
                continue
            found |= {prop.name, prop.description}
            if prop.type == "ENUM":
                found |= {text for item in prop.enum_items_static for text in (item.name, item.description)}
    return found


def test_the_reader_of_sentences_sees_all_kinds():
    source = (
        'REMEDY = "Do it."\ndef f(x):\n    raise UserError(f"No {x}.", REMEDY)\n'
        'layout.label(text="All" if x else "But")\nself.report({"INFO"}, words("Cold"))\nself.stage = "Dark"\n'
        'print("Eh")\nlabel(text="...")\n'
    )
    assert spoken(source) == {"No {}.", "Do it.", "All", "But", "Cold", "Dark"}


def test_every_sentence_has_german_words(blender, repo_root):
    missing = (spoken_anywhere(repo_root) | shown() | OTHERWISE) - NO_WORDS - set(GERMAN)
    assert not missing, "\n".join(sorted(missing))


def test_no_german_words_are_left_over(blender, repo_root):
    stale = set(GERMAN) - spoken_anywhere(repo_root) - shown() - OTHERWISE
    assert not stale, "\n".join(sorted(stale))


@pytest.mark.parametrize("english", [english for english in GERMAN if "{}" in english])
def test_german_fills_no_gap_that_english_lacks(english):
    values = [f"<{number}>" for number in range(english.count("{}"))]
    assert "{" not in GERMAN[english].format(*values)


def german(english):
    return GERMAN.get(english, english)


@pytest.mark.parametrize(
    ("english", "expected"),
    [
        ("Encoding", "Foto wird ausgewertet"),
        ("There is no photo at /a b/c.jpg.", "Es gibt kein Foto unter /a b/c.jpg."),
        (
            "There is no photo at /a. b/c.jpg. Choose an image file.",
            "Es gibt kein Foto unter /a. b/c.jpg. Eine Bilddatei wählen.",
        ),
        (
            "There is no person number 3: only one person was found, and the largest has number 0.",
            "Eine Person Nummer 3 wurde nicht gefunden; die größte hat die Nummer 0.",
        ),
        (
            "Unexpected error (ValueError: a (b) c). Please report it together with the log file ~/x.log",
            "Unerwarteter Fehler (ValueError: a (b) c). Bitte zusammen mit der Protokolldatei ~/x.log melden",
        ),
        ("Nobody knows this. Choose an image file.", "Nobody knows this. Choose an image file."),
        ("", ""),
    ],
)
def test_filled_sentences_are_translated(english, expected):
    assert translate(english, german) == expected


def test_thousands_are_set_apart_as_the_language_does(monkeypatch):
    assert [grouped(number) for number in (999, 60728, 1234567)] == ["999", "60,728", "1,234,567"]
    monkeypatch.setattr(translations, "words", german)
    assert grouped(1234567) == "1.234.567"


def test_without_a_translation_a_sentence_stays():
    assert translate("There is no photo at x. Choose an image file.") == "There is no photo at x. Choose an image file."


def test_properties_are_looked_up_in_our_context(blender):
    """Blender has German words for some of their names, which mean something else."""
    for cls in registration.CLASSES:
        if issubclass(cls, bpy.types.Operator):
            rna = getattr(bpy.ops.phorhum, cls.bl_idname.partition(".")[2]).get_rna_type()
        elif issubclass(cls, bpy.types.AddonPreferences | bpy.types.PropertyGroup):
            rna = cls.bl_rna
        else:
            continue
        for prop in (rna.properties[name] for name in cls.__annotations__):
            assert prop.is_hidden or prop.translation_context == translations.CONTEXT, (cls, prop)


def test_blender_gets_the_words_in_every_context(monkeypatch):
    told = {}
    translator = SimpleNamespace(register=lambda package, table: told.update({package: table}))
    monkeypatch.setattr(translations, "bpy", SimpleNamespace(app=SimpleNamespace(translations=translator)))
    translations.register()
    (table,) = told.values()
    told = [table["de"][(context, "Height")] for context in ("*", "Operator", translations.CONTEXT)]
    assert told == ["Größe"] * 3
