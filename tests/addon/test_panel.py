"""What the panel offers."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest

bpy = pytest.importorskip("bpy")

from phorhum_blender.addon import measured, thumbnails  # noqa: E402
from phorhum_blender.addon.job import LOOK, JobOperator, status  # noqa: E402
from phorhum_blender.addon.panel import PHORHUM_PT_main, PHORHUM_PT_running, draw_menu_entry  # noqa: E402
from phorhum_blender.addon.properties import options  # noqa: E402
from phorhum_blender.worker.protocol import Event  # noqa: E402
from tests.addon.conftest import FakeJob  # noqa: E402


class Layout:
    """Stands in for Blender's, which exists only while a window is drawn: notes what is drawn on it."""

    def __init__(self):
        self.properties, self.operators, self.texts, self.pictures, self.sections = [], [], [], [], []
        self.open_sections = True

    def row(self, align=False):
        return self

    column = box = row

    def grid_flow(self, **_):
        return self

    def panel(self, name, default_closed):
        self.sections.append((name, default_closed))
        return self, self if self.open_sections else None

    def separator(self):
        pass

    def label(self, text, icon="NONE", translate=True):
        self.texts.append(text)

    def progress(self, factor, text):
        self.texts.append(text)

    def template_icon(self, icon_value, scale):
        self.pictures.append(icon_value)

    def prop(self, data, name):
        getattr(data, name)  # a property that the settings lack would be an error
        self.properties.append(name)

    def prop_enum(self, data, name, value, text):
        assert value in data.bl_rna.properties[name].enum_items
        self.texts.append(text)

    def operator(self, name, text=None, icon="NONE", depress=False):
        module, _, verb = name.partition(".")
        assert verb in dir(getattr(bpy.ops, module))
        self.operators.append(SimpleNamespace(name=name, text=text, depress=depress))
        return self.operators[-1]

    def button(self, name):
        return next(operator for operator in self.operators if operator.name == f"phorhum.{name}")


def drawn(layout=None):
    """What the panel and, while a job runs, the part below it show."""
    layout = layout or Layout()
    context = SimpleNamespace(
        scene=bpy.context.scene,
        object=bpy.context.object,
        preferences=SimpleNamespace(addons={}, system=SimpleNamespace(ui_scale=1.0)),
        region=SimpleNamespace(width=300),
    )
    for panel in (PHORHUM_PT_main, PHORHUM_PT_running):
        if panel is PHORHUM_PT_main or panel.poll(context):
            panel.draw(SimpleNamespace(layout=layout), context)
    return layout


def test_every_option_is_shown_and_goes_into_the_button(blender):
    bpy.context.scene.phorhum.photo_detail = False
    layout = drawn()
    assert set(layout.properties) == {"photo", *options()}
    button = layout.button("reconstruct")
    assert button.photo_detail is False
    assert set(options()) <= set(vars(button))


def test_the_panel_is_short_by_default(blender):
    layout = Layout()
    layout.open_sections = False
    assert drawn(layout).properties == ["photo", "height"]
    assert all(closed for _, closed in layout.sections) and len(layout.sections) == 2


def test_drawing_reads_no_file_and_starts_nothing(blender, monkeypatch):
    drawn()
    for opener in ("builtins.open", "subprocess.Popen", "pathlib.Path.read_text"):
        monkeypatch.setattr(opener, lambda *_, **__: pytest.fail("the disk was read in draw"))
    drawn()


def test_the_qualities_name_what_they_cost_here(blender):
    assert [text for text in drawn().texts if "not measured here yet" in text] == [
        f"{name}   not measured here yet" for name in ("Draft", "Standard", "High")
    ]
    measured.remember_run(measured.Run("cpu", 0, 256, 2.0, 4.0, 500.0))
    assert [text for text in drawn().texts if "about" in text] == [
        "Draft   about 3 s, 470 MB",
        "Standard   about 6 s, 500 MB",
        "High   about 11 s, 550 MB",
    ]
    measured.remember_run(measured.Run("cpu", 0, 256, 2.0, 4.0, 0.0))
    assert "Draft   about 3 s" in drawn().texts


def test_the_photo_is_shown(blender, photo):
    assert drawn().pictures == []
    bpy.context.scene.phorhum.photo = photo
    assert len(drawn().pictures) == 1


def test_the_people_found_are_shown_and_the_chosen_one_is_marked(client, photo):
    settings = bpy.context.scene.phorhum
    settings.photo = photo
    bpy.ops.phorhum.find_people()
    layout = drawn()
    people = [button for button in layout.operators if button.name == "phorhum.choose_person"]
    assert [(one.person, one.text, one.depress) for one in people] == [
        (0, "0:  100 x 300", True),
        (1, "1:  60 x 200", False),
    ]
    assert len(layout.pictures) == 3
    settings.person = 1
    marked = [one.depress for one in drawn().operators if one.name == "phorhum.choose_person"]
    assert marked == [False, True]
    settings.whole_frame = True
    assert not any(one.depress for one in drawn().operators)


def test_people_of_another_photo_are_not_shown(client, photo):
    bpy.context.scene.phorhum.photo = photo
    bpy.ops.phorhum.find_people()
    bpy.context.scene.phorhum.photo = photo + ".png"
    assert "phorhum.choose_person" not in [button.name for button in drawn().operators]


def test_a_running_job_shows_stage_time_left_and_cancel(blender, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    status.begin(FakeJob([], None), "Starting engine")
    assert "Starting engine  0%" in drawn().texts
    status.note(Event("stage", text="Finding surface"))
    status.note(Event("progress", fraction=0.2))
    now[0] += 10
    status.note(Event("progress", fraction=0.4))
    layout = drawn()
    assert "Finding surface  40%  30 s left" in layout.texts
    assert layout.button("cancel") and "phorhum.reconstruct" not in [button.name for button in layout.operators]
    status.end()
    assert not PHORHUM_PT_running.poll(bpy.context)


def test_who_is_being_made_is_shown_as_soon_as_it_is_known(blender):
    task = FakeJob([], None)
    job = SimpleNamespace(_task=task)
    status.begin(task, "Starting engine")
    assert drawn().pictures == []
    JobOperator._on_event(job, Event("look"))
    assert drawn().pictures == [thumbnails.icon(LOOK)]
    pixels = list(thumbnails._pictures[LOOK].image_pixels_float)
    assert pixels[-256 * 4 :] == [1.0] * 1024 and not any(pixels[: -256 * 4])  # upright
    status.end()
    assert drawn().pictures == []


def test_the_result_line_and_make_again(client, photo):
    assert "phorhum.reconstruct_again" not in [button.name for button in drawn().operators]
    bpy.ops.phorhum.reconstruct(filepath=photo)
    layout = drawn()
    assert any(text.startswith("720 triangles in ") for text in layout.texts)
    assert layout.button("reconstruct_again") and layout.button("restore_settings")


def test_an_error_is_wrapped_and_offers_the_diagnosis(blender):
    status.end(error="No person was found in the photo. Give the person's box, or take the whole frame.")
    layout = drawn()
    assert "No person was found in the photo." in " ".join(layout.texts) and len(layout.texts) > 6
    assert layout.button("copy_diagnosis")


def test_warnings_stay_under_the_result(client, photo):
    client.warning = "The person reaches the top edge of the photo; what lies beyond it is guessed."
    bpy.ops.phorhum.reconstruct(filepath=photo)
    assert "The person reaches the top edge" in " ".join(drawn().texts)


def test_the_menu_entry_opens_the_file_browser(blender):
    layout = Layout()
    draw_menu_entry(SimpleNamespace(layout=layout), bpy.context)
    assert [button.name for button in layout.operators] == ["phorhum.open_photo"]


def test_a_thumbnail_is_kept_upright(client, photo):
    bpy.context.scene.phorhum.photo = photo
    bpy.ops.phorhum.find_people()
    pixels = list(thumbnails._pictures[photo].image_pixels_float)
    assert pixels[-8 * 4 :] == [1.0] * 32 and not any(pixels[: -8 * 4])  # Blender's first row is the lowest
