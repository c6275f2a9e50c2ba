"""The box on the photo: the reckoning, and the operator with made-up events. There is no window in background."""

from __future__ import annotations

from types import FunctionType, SimpleNamespace

import pytest

bpy = pytest.importorskip("bpy")

from phorhum_blender.addon.box_drag import BoxDrag, box_between, to_editor, to_photo  # noqa: E402
from phorhum_blender.addon.draw_box import PHORHUM_OT_draw_box  # noqa: E402
from tests.addon.snapshot import scene_state  # noqa: E402
from tests.addon.synthetic import CAMERA  # noqa: E402
from tests.addon.window import Window  # noqa: E402

SIZE = (CAMERA.width, CAMERA.height)  # of the photo: 480 x 640


@pytest.mark.parametrize(
    ("u", "v", "place"),
    [(0, 1, (0, 0)), (1, 0, (480, 640)), (0.25, 0.75, (120, 160)), (-3, 0.5, (0, 320)), (7, -0.1, (480, 640))],
)
def test_places_are_of_the_photo_and_never_beyond(u, v, place):
    assert to_photo(u, v, SIZE) == place


def test_the_editor_has_a_place_where_it_was_taken_from():
    assert to_photo(*to_editor((37, 600), SIZE), SIZE) == (37, 600)


@pytest.mark.parametrize(("one", "other"), [((30, 40), (90, 10)), ((90, 10), (30, 40)), ((30, 10), (90, 40))])
def test_a_box_may_be_dragged_from_any_corner(one, other):
    assert box_between(one, other) == (30, 10, 90, 40)


def test_each_drag_draws_anew_and_a_click_keeps_the_box():
    drag = BoxDrag()
    drag.move((500, 500))
    assert drag.box is None
    for start, end in (((10, 10), (100, 200)), ((300, 400), (50, 60))):
        drag.press(start)
        drag.move((200, 210))
        assert drag.box == box_between(start, (200, 210))
        assert drag.release(end) is False
    drag.move((0, 0))
    assert drag.box == (50, 60, 300, 400)
    drag.press((5, 5))
    assert drag.release((7, 6)) is True and drag.box == (50, 60, 300, 400)
    assert drag.release((7, 6)) is False  # without a press


class View:
    """An editor that shows the photo pixel by pixel, its lowest row at the bottom."""

    def region_to_view(self, x, y):
        return x / SIZE[0], y / SIZE[1]


class Stage(Window):
    """The operator and all that it is told of a window. Its 3D view begins at (100, 50)."""

    def __init__(self):
        super().__init__()
        methods = {name: value for name, value in vars(PHORHUM_OT_draw_box).items() if isinstance(value, FunctionType)}
        self.operator = type("Operator", (), {**methods, "report": lambda _, level, text: self.told.append(text)})()
        self.told: list[str] = []
        region = SimpleNamespace(type="WINDOW", x=100, y=50, view2d=View())
        self.space = SimpleNamespace(image="of the user", mode="PAINT")
        spaces = SimpleNamespace(active=self.space)
        self.area = SimpleNamespace(type="VIEW_3D", regions=[region], spaces=spaces, tag_redraw=lambda: None)
        self.context.scene, self.context.area = bpy.context.scene, self.area

    def happen(self, kind, value="NOTHING", place=(0, 0)):
        x, y = 100 + place[0], 50 + SIZE[1] - place[1]
        return self.operator.modal(self.context, SimpleNamespace(type=kind, value=value, mouse_x=x, mouse_y=y))

    def drag(self, start, end):
        self.happen("LEFTMOUSE", "PRESS", start)
        self.happen("MOUSEMOVE", place=((start[0] + end[0]) // 2, end[1]))
        return self.happen("LEFTMOUSE", "RELEASE", end)


@pytest.fixture
def stage(client, photo):
    bpy.context.scene.phorhum.photo = photo
    stage = Stage()
    stage.before = scene_state()
    assert stage.operator.invoke(stage.context, None) == {"RUNNING_MODAL"}
    assert stage.area.type == "IMAGE_EDITOR" and tuple(stage.space.image.size) == SIZE
    yield stage
    assert (stage.area.type, stage.space.image, stage.space.mode) == ("VIEW_3D", "of the user", "PAINT")
    assert (stage.timers, stage.status_text, scene_state()) == (0, None, stage.before)


@pytest.mark.parametrize(
    "confirm", [("RET", "PRESS"), ("NUMPAD_ENTER", "PRESS"), ("LEFTMOUSE", "RELEASE")], ids=lambda event: event[0]
)
def test_the_box_dragged_becomes_the_four_numbers(stage, confirm):
    settings = bpy.context.scene.phorhum
    settings.whole_frame = True
    assert stage.happen(*confirm) == {"RUNNING_MODAL"}  # there is no box yet to confirm
    assert stage.drag((200, 300), (20, 30)) == {"RUNNING_MODAL"}
    assert stage.drag((30, 40), (210, 9000)) == {"RUNNING_MODAL"}
    if confirm[0] == "LEFTMOUSE":
        stage.happen("LEFTMOUSE", "PRESS", (5, 5))
    assert stage.happen(*confirm, place=(5, 5)) == {"FINISHED"}
    assert (tuple(settings.box), settings.whole_frame) == ((30, 40, 210, 640), False)


@pytest.mark.parametrize("kind", ["ESC", "RIGHTMOUSE"])
def test_what_is_left_changes_nothing(stage, kind):
    bpy.context.scene.phorhum.box = (1, 2, 300, 400)
    stage.drag((30, 40), (210, 400))
    assert stage.happen(kind, "PRESS") == {"CANCELLED"}
    assert tuple(bpy.context.scene.phorhum.box) == (1, 2, 300, 400)


def test_the_present_box_is_confirmed_by_a_click(client, photo):
    settings = bpy.context.scene.phorhum
    settings.photo, settings.box = photo, (1.4, 2, 300, 400)
    stage = Stage()
    stage.operator.invoke(stage.context, None)
    assert stage.happen("WHEELUPMOUSE", "PRESS") == {"PASS_THROUGH"}  # one may look closer meanwhile
    assert stage.drag((50, 50), (50, 50)) == {"FINISHED"}
    assert tuple(settings.box) == (1, 2, 300, 400)


def test_blender_ending_the_operator_gives_the_view_back(stage):
    stage.operator.cancel(stage.context)


def test_a_photo_that_blender_cannot_read_is_said_to_be_one(client, tmp_path):
    (tmp_path / "no.jpg").write_text("no image")
    bpy.context.scene.phorhum.photo = str(tmp_path / "no.jpg")
    stage, before = Stage(), scene_state()
    assert stage.operator.invoke(stage.context, None) == {"CANCELLED"}
    assert stage.told == ["Blender cannot show this photo."]
    assert stage.area.type == "VIEW_3D" and scene_state() == before


def test_it_says_where_the_box_is_drawn(client):
    with pytest.raises(RuntimeError, match="The box is drawn in a 3D view"):
        bpy.ops.phorhum.draw_box("INVOKE_DEFAULT")
