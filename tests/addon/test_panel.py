"""What the panel offers."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

bpy = pytest.importorskip("bpy")

from phorhum_blender.addon.panel import PHORHUM_PT_main  # noqa: E402
from phorhum_blender.addon.properties import options  # noqa: E402


class Layout:
    """Stands in for Blender's, which exists only while a window is drawn: notes properties and operators."""

    def __init__(self):
        self.properties, self.operators = [], []

    def row(self):
        return self

    column = row

    def panel(self, name, default_closed):
        return self, self

    def label(self, text):
        pass

    def prop(self, data, name):
        getattr(data, name)  # a property that the settings lack would be an error
        self.properties.append(name)

    def operator(self, name, icon):
        self.operators.append(SimpleNamespace(name=name))
        return self.operators[-1]


def test_every_option_is_shown_and_goes_into_the_button(blender):
    bpy.context.scene.phorhum.photo_detail = False
    layout = Layout()
    PHORHUM_PT_main.draw(SimpleNamespace(layout=layout), bpy.context)
    assert set(layout.properties) == {"photo", *options()}
    button = layout.operators[0]
    assert button.name == "phorhum.reconstruct" and button.photo_detail is False
    assert set(options()) <= set(vars(button))
