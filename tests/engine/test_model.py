"""The networks: shapes, independence of queries, and a weights file that is either right or one clear error."""

import copy
import json
import math
import pickle

import pytest
import torch
from safetensors.torch import load_file, save_file

from phorhum_blender.engine.errors import UserError
from phorhum_blender.engine.model import ModelConfig, PhorhumModel
from phorhum_blender.engine.model.feature_extractor import (
    DENSE_CHANNELS,
    DENSE_MAPS,
    Attention,
    Encoding,
    dense_maps,
    mirrored_joints,
)
from phorhum_blender.engine.model.first_light import srgb_to_linear
from phorhum_blender.engine.model.phorhum import SCALE, tensor_sha256
from phorhum_blender.engine.model.surface_field import PixelRows, without_creases

TINY = ModelConfig(
    image_size=64,
    widths=(8, 16, 16),
    blocks=(1, 1, 1),
    up_blocks=(1, 1),
    attention=(0, 0, 1),
    features=8,
    illumination=4,
    field_width=16,
    field_layers=4,
    octaves=2,
    shading_width=8,
)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return PhorhumModel(TINY).half().float().eval().requires_grad_(False)  # as exact as the file


@pytest.fixture
def saved(model, tmp_path):
    path = tmp_path / "tiny.safetensors"
    model.save(path)
    return path


def test_shapes(model):
    encoding = model.encode(torch.rand(1, 4, 64, 64))
    assert encoding.features.shape == (1, DENSE_CHANNELS + TINY.features, 32, 32)
    assert encoding.illumination.shape == (1, TINY.illumination)
    field, points = model.field(encoding, 4.0), torch.rand(7, 3) - 0.5
    distance, albedo = field.distances(points), field.albedo(points)
    assert distance.shape == (7,)
    assert albedo.shape == (7, 3)
    assert albedo.min() >= 0 and albedo.max() <= 1
    assert model.shading(encoding, torch.nn.functional.normalize(torch.randn(5, 3), dim=1)).min() >= 0


def test_dense_maps_are_the_front_of_the_feature_map(model):
    features = torch.arange(DENSE_CHANNELS + TINY.features).float().view(1, -1, 1, 1)
    maps = dense_maps(features)
    assert {name: m.shape[1] for name, m in maps.items()} == DENSE_MAPS
    assert torch.cat(list(maps.values()), 1).flatten().tolist() == list(range(DENSE_CHANNELS))


def test_a_point_does_not_depend_on_its_neighbours_in_the_query(model):
    field = model.field(model.encode(torch.rand(1, 4, 64, 64)), 3.0)
    points = torch.rand(50, 3) - 0.5
    alone = torch.cat([field.distances(p[None]) for p in points])
    torch.testing.assert_close(field.distances(points), alone)


@pytest.mark.parametrize("reach", [0.5, 3.0])  # within the picture, and far beyond its border
def test_the_prepared_field_is_the_surface_field(model, reach):
    encoding = model.encode(torch.rand(1, 4, 64, 64))
    points = (torch.rand(200, 3) * 2 - 1) * reach
    field = model.field(encoding, 4.0)
    distance, logits = model.surface_field(encoding, points[None], 4.0)
    torch.testing.assert_close(field.distances(points), distance[0])
    torch.testing.assert_close(field.albedo(points), srgb_to_linear(torch.sigmoid(logits[0])))


def test_without_creases_slopes_hardly_leap_at_pixels():
    along = torch.stack([torch.linspace(-0.9, 0.9, 7201), torch.full((7201,), 0.013)], 1)
    noise = torch.rand(1, 4, 16, 16, generator=torch.Generator().manual_seed(2))
    leaps = [PixelRows(maps).at(along).diff(n=2, dim=0).abs().amax(0) for maps in (noise, without_creases(noise))]
    assert (leaps[1] < 0.35 * leaps[0]).all()


def test_without_creases_planes_stay_planes():
    ramp = torch.linspace(-1, 1, 16).expand(1, 1, 16, 16)
    fine = without_creases(ramp)
    assert fine.shape == (1, 1, 32, 32)
    at = torch.rand(50, 2, generator=torch.Generator().manual_seed(3)) * 1.6 - 0.8
    torch.testing.assert_close(PixelRows(fine).at(at), PixelRows(ramp).at(at))


def test_the_photo_matters(model):
    points = torch.rand(20, 3) - 0.5
    one, other = (model.field(model.encode(torch.rand(1, 4, 64, 64)), 4.0).distances(points) for _ in range(2))
    assert not torch.allclose(one, other)


def test_an_unknown_camera_is_as_none_and_a_known_one_counts(model):
    other = copy.deepcopy(model)
    torch.nn.init.normal_(other.feature_extractor.view.weight)
    image = torch.rand(2, 4, 64, 64)
    said = [other.encode(image, torch.tensor([code] * 2)).features for code in ([0.0] * 4, [0.0, 0.0, 0.0, 1.0])]
    assert torch.equal(said[0], other.encode(image).features)
    assert (said[1] - said[0]).abs().mean() > 1e-4


def test_with_the_mirror_image_sides_do_not_matter(model):
    image, view = torch.rand(2, 4, 64, 64), torch.rand(2, 4)
    normals = torch.nn.functional.normalize(torch.randn(30, 3), dim=1)
    one, other = (model.encode_with_mirror_image(picture, view) for picture in (image, image.flip(-1)))
    torch.testing.assert_close(one.joints, mirrored_joints(other.joints))
    for k in range(2):
        here, there = (
            model.shading(Encoding(*(x[k : k + 1] for x in encoding)), towards)
            for encoding, towards in ((one, normals), (other, normals * torch.tensor([-1.0, 1.0, 1.0])))
        )
        torch.testing.assert_close(here, there, rtol=1e-4, atol=1e-4)


def test_with_the_mirror_image_joints_and_light_are_the_means_and_depth_follows_the_joints(model):
    image, normals = torch.rand(1, 4, 64, 64), torch.nn.functional.normalize(torch.randn(30, 3), dim=1)
    both, one, mirrored = model.encode_with_mirror_image(image), model.encode(image), model.encode(image.flip(-1))
    torch.testing.assert_close(both.joints, (one.joints + mirrored_joints(mirrored.joints)) / 2)
    shadings = model.shading(one, normals), model.shading(mirrored, normals * torch.tensor([-1.0, 1.0, 1.0]))
    torch.testing.assert_close(model.shading(both, normals), sum(shadings) / 2, rtol=1e-4, atol=1e-4)
    assert torch.equal(both.heat, one.heat)  # what is seen in the picture is not blurred
    front = [dense_maps(encoding.features)["front"] for encoding in (both, one)]
    assert not torch.allclose(*front)


def test_save_and_load_give_the_same_network(model, saved):
    loaded = PhorhumModel.load(saved)
    assert loaded.config == TINY
    assert not loaded.training
    image, points = torch.rand(1, 4, 64, 64), torch.rand(9, 3)
    there, here = (network.field(network.encode(image), 4.0) for network in (loaded, model))
    torch.testing.assert_close(there.distances(points), here.distances(points), rtol=0, atol=0)
    torch.testing.assert_close(there.albedo(points), here.albedo(points), rtol=0, atol=0)


def test_matrices_in_eight_bits_are_a_quarter_of_the_file_and_nearly_the_same(model, tmp_path):
    whole, eight = tmp_path / "whole.safetensors", tmp_path / "eight.safetensors"
    model.save(whole)
    model.save(eight, eight_bits=True)
    assert eight.stat().st_size < 0.75 * whole.stat().st_size  # of a tiny network much is names
    there = PhorhumModel.load(eight).state_dict()
    for name, weight in model.state_dict().items():
        if weight.ndim < 2:
            torch.testing.assert_close(there[name], weight, rtol=0, atol=0)
            continue
        largest = weight.flatten(1).abs().amax(1)
        error = (there[name] - weight).flatten(1).abs().amax(1)
        assert (error <= largest / 127 * 0.57 + 1e-7).all()  # half a step, and the scale's own rounding


def test_a_row_of_zeros_stays_one_in_eight_bits(tmp_path):
    model = PhorhumModel(TINY)
    torch.nn.init.zeros_(model.feature_extractor.head.weight)
    model.save(tmp_path / "zeros.safetensors", eight_bits=True)
    assert not PhorhumModel.load(tmp_path / "zeros.safetensors").feature_extractor.head.weight.any()


@pytest.mark.parametrize("shape", [None, (1,), (10**6, 1, 1, 1)])
def test_eight_bits_without_a_scale_that_fits_are_refused(model, tmp_path, shape):
    path = tmp_path / "eight.safetensors"
    model.save(path, eight_bits=True)

    def lose(header, tensors):
        name = next(name for name in tensors if name.endswith(SCALE))
        del tensors[name]
        if shape:
            tensors[name] = torch.ones(shape).half()
        header["sha256"] = tensor_sha256(tensors)

    _resave(path, lose)
    with pytest.raises(UserError, match="do not fit this version"):
        PhorhumModel.load(path)


def test_attention_looks_at_the_whole_map_whatever_its_size():
    block = Attention(16).eval()
    near = torch.randn(1, 16, 4, 6)
    far = near.clone()
    far[..., 0, 0] = torch.randn(16)
    with torch.inference_mode():
        change = (block(far) - block(near)).abs().amax(1)[0]
    assert change.shape == (4, 6)
    assert change.min() > 1e-6


def test_missing_weights(tmp_path):
    with pytest.raises(UserError, match="missing"):
        PhorhumModel.load(tmp_path / "none.safetensors")


@pytest.mark.parametrize("where", [10, 4000, -5])
def test_a_flipped_bit_is_noticed(saved, where):
    data = bytearray(saved.read_bytes())
    data[where] ^= 0x10
    saved.write_bytes(data)
    with pytest.raises(UserError, match="damaged|do not fit|not a PHORHUM"):
        PhorhumModel.load(saved)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.999])
def test_a_cut_file_is_noticed(saved, share):
    data = saved.read_bytes()
    saved.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(UserError, match="damaged"):
        PhorhumModel.load(saved)


def test_a_pickle_is_never_opened(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / "opened"), "w"))

    path = tmp_path / "bomb.safetensors"
    path.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(UserError, match="damaged"):
        PhorhumModel.load(path)
    assert not (tmp_path / "opened").exists()


def _resave(path, change):
    from safetensors import safe_open

    with safe_open(str(path), framework="pt") as file:
        header = dict(file.metadata())
    tensors = load_file(str(path))
    change(header, tensors)
    save_file(tensors, str(path), metadata=header)


def test_another_format_is_refused(saved):
    _resave(saved, lambda header, tensors: header.update(format="phorhum-2"))
    with pytest.raises(UserError, match="not a PHORHUM weights file of this version"):
        PhorhumModel.load(saved)


def test_exchanged_weights_are_noticed(saved):
    def exchange(header, tensors):
        name = next(iter(tensors))
        tensors[name] = tensors[name] + 1

    _resave(saved, exchange)
    with pytest.raises(UserError, match="checksum"):
        PhorhumModel.load(saved)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused_though_their_hash_is_right(saved, value):
    def spoil(header, tensors):
        name = next(iter(tensors))
        tensors[name] = torch.full_like(tensors[name], value)
        header["sha256"] = tensor_sha256(tensors)

    _resave(saved, spoil)
    with pytest.raises(UserError, match="not all are numbers"):
        PhorhumModel.load(saved)


@pytest.mark.parametrize(
    "change",
    [{"widths": ""}, {"widths": []}, {"widths": [10**9] * 3}, {"blocks": [10**9] * 3}, {"blocks": [65, 1, 1]}]
    + [{"attention": [65, 0, 0]}, {"attention": [-1, 0, 0]}]
    + [{"features": 1.5}, {"features": True}, {"octaves": 0}, {"image_size": "64"}, {"field_layers": [4]}],
)
def test_a_header_can_ask_for_nothing_but_usual_sizes(saved, change):
    """Others would take the memory or the time of the machine before the weights are found not to fit."""
    _resave(saved, lambda header, tensors: header.update(config=json.dumps(json.loads(header["config"]) | change)))
    with pytest.raises(UserError, match="do not fit this version"):
        PhorhumModel.load(saved)


@pytest.mark.parametrize("config", ["null", "[]", "7", "", "{}"])
def test_a_header_without_a_configuration_is_refused(saved, config):
    _resave(saved, lambda header, tensors: header.update(config=config))
    with pytest.raises(UserError, match="do not fit this version"):
        PhorhumModel.load(saved)


def test_a_name_that_no_file_can_have_is_missing():
    with pytest.raises(UserError, match="missing"):
        PhorhumModel.load("x" * 300 + ".safetensors")


def test_another_configuration_is_refused(saved):
    def widen(header, tensors):
        header["config"] = json.dumps({**json.loads(header["config"]), "field_width": 32})

    _resave(saved, widen)
    with pytest.raises(UserError, match="do not fit"):
        PhorhumModel.load(saved)


@pytest.mark.parametrize("encoded, linear", [(0, 0), (1, 1), (0.04045, 0.04045 / 12.92), (0.5, 0.21404114)])
def test_srgb_to_linear(encoded, linear):
    assert math.isclose(srgb_to_linear(torch.tensor(float(encoded))).item(), linear, abs_tol=1e-6)
