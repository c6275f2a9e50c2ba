"""The rig lights the albedo as the shading says."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from phorhum_blender.addon.scene.build import build  # noqa: E402
from phorhum_blender.engine.contracts import Request  # noqa: E402
from phorhum_blender.engine.reconstruct import Reconstructor  # noqa: E402
from tests.addon import synthetic  # noqa: E402
from tests.addon.rendering import render_linear, sample, visible_vertices  # noqa: E402
from tools.demo import SAMPLE_BOX  # noqa: E402


def test_albedo_under_the_rig_renders_as_shaded(blender, tmp_path):
    result = synthetic.blob()
    person = build(bpy.context, result, Request(photo="jo.jpg")).object
    scene = bpy.context.scene
    scene.render.resolution_percentage = 50
    picture = render_linear(scene, tmp_path, samples=16)
    seen = visible_vertices(scene, person)
    points = np.array([vertex.co for vertex in person.data.vertices])[seen]
    difference = np.abs(sample(picture, scene, points) - result.shaded[seen])
    assert len(seen) > 500
    # The product's bound is 0.06, for hands and folds that hide the sky from each other; a smooth body comes closer.
    assert difference.mean() < 0.01


def test_the_rig_renders_right_on_a_real_photo(blender, tmp_path):
    """The man of the sample photo, by the weights that ship: albedo under the rig in Cycles against ``Shaded``."""
    ultralytics = importlib.util.find_spec("ultralytics")
    assert ultralytics and ultralytics.origin
    photo = Path(ultralytics.origin).parent / "assets" / "bus.jpg"
    request = Request(photo=str(photo), box=SAMPLE_BOX, resolution=96)
    result = Reconstructor().run(request)
    person = build(bpy.context, result, request).object
    picture = render_linear(bpy.context.scene, tmp_path, samples=16)
    seen = visible_vertices(bpy.context.scene, person)
    points = np.array([vertex.co for vertex in person.data.vertices])[seen]
    difference = np.abs(sample(picture, bpy.context.scene, points) - result.shaded[seen])
    assert len(seen) > 1000
    assert difference.mean() <= 0.06


@pytest.mark.parametrize("role", ["Key", "Fill"])
def test_suns_point_from_their_direction(blender, role):
    built = build(bpy.context, synthetic.blob(8, 8), Request(photo="jo.jpg"))
    bpy.context.view_layer.update()
    light = getattr(synthetic.RIG, role.lower())
    sun = bpy.data.objects[f"{built.collection.name} {role}"]
    x, y, z = light.direction
    assert np.allclose(sun.matrix_world.to_3x3().col[2], (x, -z, y), atol=1e-6)
    assert np.allclose(np.array(sun.data.color) * sun.data.energy / np.pi, light.colour, atol=1e-6)
    assert not sun.data.use_shadow
