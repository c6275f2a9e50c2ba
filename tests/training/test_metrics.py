"""Every measure on shapes whose answer is known."""

import numpy as np
import pytest

trimesh = pytest.importorskip("trimesh")
pytest.importorskip("igl")
pytest.importorskip("embreex")

from training import metrics  # noqa: E402
from training.metrics import Mesh  # noqa: E402


def sphere(radius: float, centre=(0.0, 0.0, 0.0), subdivisions: int = 4) -> Mesh:
    solid = trimesh.creation.icosphere(subdivisions=subdivisions, radius=radius)
    return Mesh(np.asarray(solid.vertices) + centre, np.asarray(solid.faces))


def box(size=(1.0, 1.0, 1.0), centre=(0.0, 0.0, 0.0)) -> Mesh:
    solid = trimesh.creation.box(size)
    return Mesh(np.asarray(solid.vertices) + centre, np.asarray(solid.faces))


def join(*meshes: Mesh) -> Mesh:
    starts = np.cumsum([0] + [len(m.vertices) for m in meshes[:-1]])
    return Mesh(
        np.concatenate([m.vertices for m in meshes]),
        np.concatenate([m.faces + s for m, s in zip(meshes, starts, strict=True)]),
    )


def test_identical_meshes_are_perfect():
    result = metrics.surface_metrics(sphere(0.3), sphere(0.3), samples=2000)
    assert result["chamfer_cm"] == pytest.approx(0, abs=1e-5)
    assert result["normal_consistency"] == pytest.approx(1, abs=1e-3)
    assert result["f_score"] == 1
    assert metrics.volume_iou(sphere(0.3), sphere(0.3), samples=5000) == 1


@pytest.mark.parametrize("radii", [(0.30, 0.32), (0.32, 0.30)])
def test_distances_between_concentric_spheres_are_the_difference_of_radii(radii):
    result = metrics.surface_metrics(sphere(radii[0], subdivisions=5), sphere(radii[1], subdivisions=5), samples=5000)
    for name in ("chamfer_cm", "point_to_surface_cm", "completeness_cm"):
        assert result[name] == pytest.approx(2.0, abs=0.03)
    assert result["normal_consistency"] > 0.998
    assert result["f_score"] == 0


def test_f_score_counts_both_ways():
    """The prediction has one of two equal spheres: precision 1, recall a half."""
    result = metrics.surface_metrics(sphere(0.1), join(sphere(0.1), sphere(0.1, (1, 0, 0))), samples=4000)
    assert result["f_score"] == pytest.approx(2 / 3, abs=0.02)
    assert result["point_to_surface_cm"] == pytest.approx(0, abs=1e-4)
    assert result["completeness_cm"] > 30


def test_normals_of_a_mesh_turned_inside_out_are_opposed():
    ball = sphere(0.3)
    result = metrics.surface_metrics(Mesh(ball.vertices, ball.faces[:, ::-1]), ball, samples=2000)
    assert result["normal_consistency"] == pytest.approx(-1, abs=1e-3)


def test_normals_of_a_tilted_sheet_agree_by_the_cosine():
    flat = Mesh(np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]], float), np.array([[0, 1, 2], [0, 2, 3]]))
    angle = np.radians(40)
    turn = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    result = metrics.surface_metrics(Mesh(flat.vertices @ turn.T, flat.faces), flat, samples=1000)
    assert result["normal_consistency"] == pytest.approx(np.cos(angle), abs=1e-6)


def test_volume_iou_of_concentric_spheres_is_the_cube_of_the_ratio():
    iou = metrics.volume_iou(sphere(0.4), sphere(0.5), samples=100_000)
    assert iou == pytest.approx(0.8**3, abs=0.01)


def test_volume_iou_of_boxes_half_overlapping_and_apart():
    assert metrics.volume_iou(box(), box(centre=(0.5, 0, 0)), samples=50_000) == pytest.approx(1 / 3, abs=0.01)
    assert metrics.volume_iou(box(), box(centre=(2, 0, 0)), samples=5000) == 0


def test_numbers_are_the_same_each_time():
    a, b = sphere(0.3), sphere(0.31, (0.01, 0, 0))
    assert metrics.surface_metrics(a, b, samples=500) == metrics.surface_metrics(a, b, samples=500)
    assert metrics.volume_iou(a, b, samples=500) == metrics.volume_iou(a, b, samples=500)


def test_samples_are_spread_by_area():
    """A box 3 long and 1 wide: its four long sides hold 12 of 14 parts of the area, however they are cut."""
    long = box((3, 1, 1))
    finer = trimesh.Trimesh(long.vertices, long.faces, process=False).subdivide(np.flatnonzero(long.face_normals[:, 0]))
    points, face = metrics.sample_surface(Mesh(np.asarray(finer.vertices), np.asarray(finer.faces)), 7000)
    assert (np.abs(points[:, 0]) < 1.5 - 1e-9).mean() == pytest.approx(12 / 14, abs=0.01)
    assert len(points) == len(face) == 7000


def test_outer_mesh_drops_what_is_enclosed_and_turns_sheets_outward():
    shell, core = sphere(0.3, subdivisions=3), sphere(0.1, subdivisions=2)
    inverted = Mesh(shell.vertices, shell.faces[:, ::-1])
    outer = metrics.outer_mesh(join(inverted, core))
    assert len(outer.faces) == len(shell.faces)
    centres = outer.vertices[outer.faces].mean(1)
    assert np.einsum("nd,nd->n", centres, outer.face_normals).min() > 0.29


def test_open_sheet_has_no_inside_and_a_ball_has():
    card = Mesh(np.array([[2, 0, 0], [3, 0, 0], [2, 1, 0]], float), np.array([[0, 1, 2]]))
    points = np.array([[0, 0, 0], [0, 0.25, 0], [0, 0.35, 0], [2.3, 0.3, 0.01], [2.3, 0.3, -0.01]])
    assert metrics.inside(join(sphere(0.3), card), points).tolist() == [True, True, False, False, False]


def test_crop_rays_see_a_sphere_where_it_is():
    ball = sphere(0.4, (0, 0, 0.1), subdivisions=5)
    front, back = metrics.cast_crop(ball, 4.0, 65), metrics.cast_crop(ball, 4.0, 65, from_behind=True)
    assert front.points[32, 32] == pytest.approx([0, 0, 0.5], abs=1e-3)
    assert back.points[32, 32] == pytest.approx([0, 0, -0.3], abs=1e-3)
    assert (front.mask == back.mask).mean() > 0.999
    # the outline: a ray through [-1, 1] pixel x touches the sphere where sin(angle) = r / (distance - centre)
    edge = 4.0 * np.tan(np.arcsin(0.4 / 3.9))
    assert front.mask[32].sum() * 2 / 65 == pytest.approx(2 * edge, abs=2 / 65)


def test_raster_is_upright_and_interpolates():
    """A ball at the upper right of the crop, coloured by its positions."""
    ball = sphere(0.2, (0.5, 0.5, 0))
    raster = metrics.cast_crop(ball, 4.0, 64)
    rows, columns = np.nonzero(raster.mask)
    assert rows.max() < 32 <= columns.min()
    image = raster.interpolate(ball, ball.vertices)
    assert image[raster.mask] == pytest.approx(raster.points[raster.mask], abs=1e-6)
    assert (image[~raster.mask] == 0).all()


def test_raster_agrees_with_the_engine_camera():
    torch = pytest.importorskip("torch")
    from phorhum_blender.engine.camera import project

    raster = metrics.cast_crop(sphere(0.5, (0.2, -0.3, 0.2)), 3.0, 32)
    xy = project(torch.from_numpy(raster.points[raster.mask]), 3.0).numpy()
    rows, columns = np.nonzero(raster.mask)
    assert xy == pytest.approx(np.stack([(columns + 0.5) / 16 - 1, 1 - (rows + 0.5) / 16], -1), abs=1e-5)


def test_depth_errors():
    front, back = np.full((4, 4), 0.2), np.full((4, 4), -0.1)
    front[0], back[0] = np.nan, np.nan
    result = metrics.depth_metrics((front + 0.03, back + 0.03), (front, back), metres=0.5)
    assert result["depth_front_cm"] == pytest.approx(1.5) == result["depth_back_cm"]
    assert result["thickness_cm"] == pytest.approx(0, abs=1e-9)
    thick = metrics.depth_metrics((front + 0.02, back - 0.02), (front, back), metres=1)
    assert thick["thickness_cm"] == pytest.approx(4)
    assert np.isnan(metrics.depth_metrics((front * np.nan, back), (front, back), 1)["depth_front_cm"])


def test_psnr_is_measured_inside_the_mask_only():
    truth = np.random.default_rng(0).random((16, 16, 3)) * 0.5
    mask = np.zeros((16, 16), bool)
    mask[4:12, 4:12] = True
    image = np.where(mask[..., None], truth + 0.1, 1.0)
    assert metrics.psnr(image, truth, mask) == pytest.approx(20)
    assert metrics.psnr(truth, truth, mask) == 100
    assert np.isnan(metrics.psnr(truth, truth, np.zeros_like(mask)))


def test_ssim_is_one_for_equal_and_falls_with_noise():
    rng = np.random.default_rng(0)
    truth = np.tile(np.linspace(0, 1, 32)[:, None, None], (1, 32, 3))
    mask = np.ones((32, 32), bool)
    little, much = (truth + rng.normal(0, s, truth.shape) for s in (0.02, 0.2))
    assert metrics.ssim(truth, truth, mask) == pytest.approx(1)
    assert 1 > metrics.ssim(little, truth, mask) > metrics.ssim(much, truth, mask)
    mask[:, 16:] = False
    other = truth.copy()
    other[:, 16:] = 0.123
    assert metrics.ssim(other, truth, mask) == pytest.approx(1)


@pytest.mark.parametrize(
    ("a", "b", "degrees"), [((1, 0, 0), (2, 0, 0), 0), ((1, 0, 0), (0, 3, 0), 90), ((1, 1, 0), (-1, -1, 0), 180)]
)
def test_angle(a, b, degrees):
    assert metrics.angle_degrees(np.array(a), np.array(b)) == pytest.approx(degrees)


def test_mask_iou():
    a, b = np.zeros(10, bool), np.zeros(10, bool)
    assert metrics.mask_iou(a, b) == 1
    a[:6], b[3:9] = True, True
    assert metrics.mask_iou(a, b) == pytest.approx(3 / 9)


def test_closed_and_components():
    ball = sphere(0.3, subdivisions=2)
    assert ball.closed and ball.components == 1
    assert not Mesh(ball.vertices, ball.faces[1:]).closed
    assert join(ball, sphere(0.1, (1, 0, 0), 2)).components == 2
