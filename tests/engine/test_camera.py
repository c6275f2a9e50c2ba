"""The crop camera: its two maps undo each other, and it is the pinhole that the focal length says."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from phorhum_blender.engine.camera import (
    MOST_PITCH,
    PADDING,
    CropSquare,
    distance_from_focal,
    pitch_of_crop,
    project,
    unproject,
    view_code,
)

coordinate = st.floats(-1, 1, allow_subnormal=False)
distances = st.floats(1.5, 50)


@settings(deadline=None)
@given(x=coordinate, y=coordinate, z=coordinate, distance=distances)
def test_unproject_undoes_project(x, y, z, distance):
    point = torch.tensor([[x, y, z]], dtype=torch.float64)
    assert torch.allclose(unproject(project(point, distance), point[:, 2], distance), point, atol=1e-9)


@settings(deadline=None)
@given(u=coordinate, v=coordinate, z=coordinate, distance=distances)
def test_project_undoes_unproject(u, v, z, distance):
    xy = torch.tensor([[u, v]], dtype=torch.float64)
    point = unproject(xy, torch.tensor([z], dtype=torch.float64), distance)
    assert point[0, 2] == z
    assert torch.allclose(project(point, distance), xy, atol=1e-9)


@settings(deadline=None)
@given(x=coordinate, y=coordinate, distance=distances)
def test_the_plane_of_the_person_keeps_its_scale(x, y, distance):
    assert torch.allclose(project(torch.tensor([x, y, 0.0]), distance), torch.tensor([x, y]))


def test_nearer_is_larger():
    near, far = project(torch.tensor([[0.5, 0.5, 0.5], [0.5, 0.5, -0.5]]), 4.0)
    assert torch.all(near > 0.5) and torch.all(far < 0.5)


def test_distance_broadcasts_over_a_batch():
    points = torch.rand(3, 5, 3, generator=torch.Generator().manual_seed(0))
    distance = torch.tensor([[2.0], [4.0], [9.0]])
    together = project(points, distance)
    for i in range(3):
        assert torch.equal(together[i], project(points[i], float(distance[i])))
    assert torch.allclose(unproject(together, points[..., 2], distance), points, atol=1e-6)


def test_gradients_flow_to_the_points():
    points = torch.tensor([[0.2, -0.3, 0.1]], requires_grad=True)
    project(points, 4.0).sum().backward()
    assert torch.all(points.grad != 0)


@settings(deadline=None)
@given(
    x=coordinate,
    y=coordinate,
    z=coordinate,
    focal=st.floats(500, 20000),
    side=st.floats(100, 600),
    centre=st.floats(-500, 500, allow_subnormal=False),
)
def test_distance_from_focal_is_a_pinhole(x, y, z, focal, side, centre):
    # a pinhole camera of this focal length in pixels, whose optical axis passes the crop's centre
    distance = distance_from_focal(focal, side)
    if distance < 1.5:
        return
    pixel_x = centre + focal * x / (distance - z)
    pixel_y = centre - focal * y / (distance - z)
    in_crop = torch.tensor([(pixel_x - centre) / (side / 2), (centre - pixel_y) / (side / 2)], dtype=torch.float64)
    projected = project(torch.tensor([x, y, z], dtype=torch.float64), distance)
    assert torch.allclose(projected, in_crop, atol=1e-6)


@pytest.mark.parametrize("box", [(10.0, 20.0, 110.0, 320.0), (10.0, 20.0, 410.0, 120.0)])
def test_crop_square_holds_the_box_in_its_middle(box):
    square = CropSquare.around(box)
    x0, y0, x1, y1 = box
    assert (square.centre_x, square.centre_y) == ((x0 + x1) / 2, (y0 + y1) / 2)
    assert square.side == pytest.approx(max(x1 - x0, y1 - y0) * PADDING)
    assert square.side == CropSquare.around(box, padding=1.0).side * PADDING


@given(tilt=st.floats(-0.5, 0.5), row=st.floats(-400, 400), distance=distances)
def test_who_stands_low_in_the_photo_is_looked_down_at(tilt, row, distance):
    """The ray through the middle of the square, in the axes of a level camera, has the crop camera's pitch."""
    square = CropSquare(300.0, 500.0 + row, 600.0)
    focal = distance * square.side / 2
    down, ahead = math.sin(tilt) * focal + math.cos(tilt) * row, math.cos(tilt) * focal - math.sin(tilt) * row
    assert pitch_of_crop(tilt, square, distance, height=1000) == pytest.approx(math.atan2(down, ahead), abs=1e-9)


def test_what_is_not_known_is_told_apart_from_what_is_usual():
    assert view_code(None, None) == (0, 0, 0, 0)
    assert view_code(4.0, 0.0) == (0, 1, 0, 1)


@given(distance=st.floats(1.8, 20), pitch=st.floats(-1.5, 1.5))
def test_what_g_is_told_grows_with_nearness_and_pitch_within_bounds(distance, pitch):
    near, knows_distance, down, knows_pitch = view_code(distance, pitch)
    assert knows_distance == knows_pitch == 1 and -1 <= near < 1.3 and abs(down) < 3.5
    assert view_code(distance / 1.1, pitch)[0] > near
    assert view_code(distance, pitch + 0.1)[2] > down or abs(pitch + 0.05) > MOST_PITCH - 0.05
