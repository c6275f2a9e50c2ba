"""Weights, without Blender."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("bpy")

from phorhum_blender.addon.scene.skinning import MOST_BONES, bone_weights  # noqa: E402
from tests.addon import synthetic  # noqa: E402


def edges_of(faces):
    return np.unique(np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1), axis=0)


def weigh(result, bones, radii):
    return bone_weights(result.vertices, result.faces, edges_of(result.faces), np.array(bones), np.array(radii))


def test_each_half_belongs_to_its_bone_and_the_middle_to_both():
    blob = synthetic.blob(32, 32)
    weights = weigh(blob, [[(0, 0.1, 0), (0, 0.85, 0)], [(0, 0.85, 0), (0, 1.6, 0)]], [0.2, 0.2])
    height = blob.vertices[:, 1]
    assert (weights[height < 0.6, 0] > 0.99).all() and (weights[height > 1.1, 1] > 0.99).all()
    middle = weights[np.abs(height - 0.85) < 0.02, 0]
    assert len(middle) and (np.abs(middle - 0.5) < 0.2).all()


def test_no_vertex_has_more_than_four_bones_and_all_add_up_to_one():
    blob = synthetic.blob(32, 32)
    starts = np.linspace(0.1, 1.5, 12)
    weights = weigh(blob, [[(0, y, 0), (0, y + 0.1, 0)] for y in starts], [0.2] * 12)
    assert ((weights > 0).sum(axis=1) <= MOST_BONES).all()
    assert np.allclose(weights.sum(axis=1), 1.0, atol=1e-6)


def test_what_is_near_in_space_but_far_through_the_body_stays_apart():
    """The two legs of a U, 3 cm apart: each belongs to its own bone up to the inner side."""
    result = u_shape()
    weights = weigh(result, [[(-0.1, 0.2, 0), (-0.1, 1, 0)], [(0.1, 0.2, 0), (0.1, 1, 0)]], [0.085, 0.085])
    left = (result.vertices[:, 0] < 0) & (result.vertices[:, 1] > 0.35)
    right = (result.vertices[:, 0] > 0) & (result.vertices[:, 1] > 0.35)
    assert left.sum() > 100 and (weights[left, 0] > 0.999).all() and (weights[right, 1] > 0.999).all()


def u_shape():
    from skimage.measure import marching_cubes

    axes = [np.arange(-0.3, 0.3, 0.015), np.arange(-0.2, 1.3, 0.015), np.arange(-0.2, 0.2, 0.015)]
    x, y, z = np.meshgrid(*axes, indexing="ij")
    legs = [np.sqrt((x - at) ** 2 + (y - np.clip(y, 0.1, 1)) ** 2 + z**2) - 0.085 for at in (-0.1, 0.1)]
    foot = np.sqrt((x - np.clip(x, -0.1, 0.1)) ** 2 + (y - 0.1) ** 2 + z**2) - 0.085
    vertices, faces, _, _ = marching_cubes(np.min([*legs, foot], axis=0), 0.0, spacing=(0.015,) * 3)
    vertices = (vertices + [axis[0] for axis in axes]).astype(np.float32)
    return type("U", (), {"vertices": vertices, "faces": faces})


def test_a_piece_that_no_bone_runs_through_goes_with_the_nearest_one():
    blob = synthetic.blob(12, 16)
    count = len(blob.vertices)
    crumb = blob.vertices * 0.05 + np.array([0.5, 1.4, 0], np.float32)
    both = type("Both", (), {})
    both.vertices = np.concatenate([blob.vertices, crumb])
    both.faces = np.concatenate([blob.faces, blob.faces + count])
    weights = weigh(both, [[(0, 0.1, 0), (0, 0.85, 0)], [(0, 0.85, 0), (0, 1.6, 0)]], [0.2, 0.2])
    assert (weights[count:, 1] == 1.0).all()


def test_an_open_surface_is_bound_too():
    blob = synthetic.blob(24, 24)
    holed = type("Holed", (), {"vertices": blob.vertices, "faces": blob.faces[::2]})
    weights = weigh(holed, [[(0, 0.1, 0), (0, 0.85, 0)], [(0, 0.85, 0), (0, 1.6, 0)]], [0.2, 0.2])
    assert np.allclose(weights.sum(axis=1), 1.0, atol=1e-6)


def test_a_bone_outside_of_the_surface_harms_nothing():
    blob = synthetic.blob(24, 24)
    weights = weigh(blob, [[(0, 0.1, 0), (0, 1.6, 0)], [(3, 1, 0), (3, 1.2, 0)]], [0.2, 0.2])
    assert np.isfinite(weights).all() and (weights[:, 0] > 0.5).mean() > 0.95
