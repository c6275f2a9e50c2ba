"""Views and the matched camera on shapes whose picture is known."""

import numpy as np
import pytest

trimesh = pytest.importorskip("trimesh")
pytest.importorskip("embreex")

from phorhum_blender.engine.contracts import PhotoCamera  # noqa: E402
from training import contact_sheet  # noqa: E402
from training.metrics import Mesh  # noqa: E402


@pytest.fixture
def block() -> Mesh:
    """0.4 wide, 1.6 high, 0.2 deep."""
    solid = trimesh.creation.box((0.4, 1.6, 0.2))
    return Mesh(np.asarray(solid.vertices), np.asarray(solid.faces))


@pytest.mark.parametrize(
    ("yaw", "width", "facing"), [(0, 0.4, (0, 0, 1)), (90, 0.2, (1, 0, 0)), (180, 0.4, (0, 0, -1))]
)
def test_views_look_from_where_they_say(block, yaw, width, facing):
    view = contact_sheet.look(block, yaw, 212)
    pixel = 1.6 * contact_sheet.MARGIN / 212
    assert view.raster.mask.any(0).sum() * pixel == pytest.approx(width, abs=2 * pixel)
    assert view.raster.mask.any(1).sum() * pixel == pytest.approx(1.6, abs=2 * pixel)
    seen = block.face_normals[view.raster.face[view.raster.mask]]
    assert seen == pytest.approx(np.broadcast_to(facing, seen.shape), abs=1e-9)
    centre = view.normals(block)[106, view.raster.mask.shape[1] // 2]
    assert centre == pytest.approx([0.5, 0.5, 1.0])


def test_front_view_shows_the_pictures_right_on_the_right(block):
    colour = np.where(block.vertices[:, :1] > 0, [[1.0, 0, 0]], [[0, 0, 1.0]])
    picture = contact_sheet.look(block, 0, 100).colour(block, colour)
    row, middle = picture[50], picture.shape[1] // 2
    assert row[middle + 8, 0] > row[middle + 8, 2]
    assert row[middle - 8, 2] > row[middle - 8, 0]


@pytest.mark.parametrize("pitch", [0.0, 0.15])
def test_cast_photo_follows_the_matched_camera(pitch):
    """Every hit projects to its own pixel; principal point off centre."""
    ball = trimesh.creation.icosphere(4, radius=0.5)
    mesh = Mesh(np.asarray(ball.vertices) + [0.1, 0.9, -0.1], np.asarray(ball.faces))
    camera = PhotoCamera((0.0, 1.1, 4.0), focal=900.0, principal=(500.0, 260.0), width=800, height=600, pitch=pitch)
    raster = contact_sheet.cast_photo(mesh, camera, longest=200)
    assert raster.mask.shape == (150, 200)
    rows, columns = np.nonzero(raster.mask)
    p = raster.points[rows, columns]
    u, v = camera.project(p).T
    assert u == pytest.approx((columns + 0.5) * 4, abs=1e-2)
    assert v == pytest.approx((rows + 0.5) * 4, abs=1e-2)


def test_outline_marks_the_edge_only():
    photo = np.full((40, 60, 3), 10, np.uint8)
    mask = np.zeros((20, 30), bool)
    mask[5:15, 10:20] = True
    picture = contact_sheet.with_outline(photo, mask)
    marked = (picture == contact_sheet.OUTLINE).all(-1)
    assert marked.sum() == 4 * 9 and not (marked & ~mask).any()
    assert (picture[~marked] == 10).all()


def test_photo_sheet_of_a_result(result, monkeypatch):
    monkeypatch.setattr(contact_sheet, "HEIGHT", 96)
    sheet = contact_sheet.photo_sheet(np.zeros((30, 20, 3), np.uint8), result, np.zeros((30, 20), bool), "title")
    assert sheet.height == 96 + 18
    assert sheet.width > 5 * 96 // 3
    assert len(sheet.getcolors(maxcolors=sheet.width * sheet.height)) > 4
