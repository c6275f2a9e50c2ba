"""The request as it is kept on the created object."""

import json

import pytest

from phorhum_blender.engine.contracts import Request


@pytest.mark.parametrize(
    "request_",
    [
        Request("a.jpg"),
        Request("a.jpg", photo_detail=False),
        Request("a.jpg", tilt_known=True, camera_tilt=-0.25),
        Request("a.jpg", box=(1.0, 2.0, 3.5, 4.0)),
        Request("a.jpg", back_photo="b.jpg", back_person=1),
        Request("a.jpg", mask="mask.png"),
    ],
)
def test_a_request_survives_json(request_):
    assert Request.from_json(json.loads(json.dumps(request_.to_json()))) == request_


def test_a_request_from_before_photo_detail_gets_the_default():
    stored = Request("a.jpg", resolution=64).to_json()
    del stored["photo_detail"]
    assert Request.from_json(stored) == Request("a.jpg", resolution=64, photo_detail=True)


def test_a_request_from_before_masks_has_none():
    stored = Request("a.jpg", resolution=64).to_json()
    del stored["mask"]
    assert Request.from_json(stored) == Request("a.jpg", resolution=64)


def test_a_request_from_before_back_photos_has_none():
    stored = Request("a.jpg", resolution=64).to_json()
    del stored["back_photo"], stored["back_person"]
    assert Request.from_json(stored) == Request("a.jpg", resolution=64)


@pytest.mark.parametrize(
    "change",
    [
        {"photo": 5},
        {"photo": None},
        {"resolution": "256"},
        {"resolution": True},
        {"person": 2**31},
        {"height": "tall"},
        {"height": float("nan")},
        {"box": [1, 2, 3, float("inf")]},
        {"box": [1, 2, 3]},
        {"box": [1, 2, 3, "4"]},
        {"whole_frame": 1},
        {"device": ["cpu"]},
    ],
)
def test_values_of_another_kind_are_refused(change):
    """A stranger's .blend holds a request too; what is restored from it must fit into Blender's properties."""
    with pytest.raises(ValueError, match=f"wrong kind: {next(iter(change))}"):
        Request.from_json({**Request("a.jpg").to_json(), **change})


def test_a_request_without_a_photo_is_refused():
    with pytest.raises(ValueError, match="photo"):
        Request.from_json({"resolution": 64})


@pytest.mark.parametrize("change", [{"photo_details": True}, {"version": 99}])
def test_unknown_fields_and_versions_are_refused(change):
    with pytest.raises(ValueError):
        Request.from_json({**Request("a.jpg").to_json(), **change})
