"""Run inside a Blender window: open the tab, drop the photo and cancel, drag a box, open the mask to paint, click the
button, wait for the person, check it, take pictures.

    blender --enable-event-simulate --python tools/run_in_window.py -- PHOTO RESOLUTION OUT

The extension is installed and enabled already; ``tools/test_blender.py`` calls this. OUT gets ``drop.png``,
``panel.png``, ``box.png``, ``mask.png``, ``look.png``, ``person.png`` and ``window.json``. Buttons are found by moving
the mouse down the side bar and asking Blender which operator lies under it, so nothing depends on where they are drawn.
"""

from __future__ import annotations

import importlib
import json
import os
import shutil
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy

sys.path.insert(0, str(Path(__file__).parent))

from install_and_run import MODULE, check_person  # noqa: E402

DROP = Path(__file__).with_name("xdnd.py")
TAB = "PHORHUM"
TICK = 0.15  # seconds between two simulated events; sent together they would be one
TIMEOUT_SECONDS = 900
ANSWER_SECONDS = 30  # until Blender has done what a key asks for
Steps = Iterator[float]  # a script for the window: it yields the seconds after which to go on


def place() -> tuple[bpy.types.Window, bpy.types.Area, bpy.types.Region]:
    """The window, its 3D view and the view's side bar."""
    window = bpy.context.window_manager.windows[0]
    area = next(area for area in window.screen.areas if area.type == "VIEW_3D")
    return window, area, next(region for region in area.regions if region.type == "UI")


def take_picture(path: Path) -> None:
    """The whole screen where ImageMagick can; Blender's own picture of itself is black on some software displays."""
    if shutil.which("import"):
        subprocess.run(["import", "-window", "root", str(path)], check=True)
    else:
        window, area, _ = place()
        with bpy.context.temp_override(window=window, area=area):
            bpy.ops.screen.screenshot(filepath=str(path))


def open_tab() -> Steps:
    window, area, _ = place()
    with bpy.context.temp_override(window=window, area=area):
        bpy.ops.screen.screen_full_area(use_hide_panels=False)
    yield 0.5
    _, area, _ = place()
    area.spaces.active.show_region_ui = True
    yield 0.5  # the side bar must be drawn once before its tab can be chosen
    _, area, bar = place()
    bar.active_panel_category = TAB
    area.tag_redraw()
    yield 1.0


def operator_under_mouse() -> str:
    """Blender's name of the operator of the button that the mouse is over; empty where there is none."""
    window, area, bar = place()
    with bpy.context.temp_override(window=window, area=area, region=bar):
        if not bpy.ops.ui.copy_python_command_button.poll():
            return ""
        bpy.ops.ui.copy_python_command_button()
    return bpy.context.window_manager.clipboard.partition("(")[0]


def click(operator: str) -> Steps:
    """Clicks the button of ``operator`` in the side bar; raises where there is none."""
    window, _, bar = place()
    x = bar.x + int(0.45 * bar.width)
    step = int(10 * bpy.context.preferences.system.ui_scale)  # half a button
    for y in range(bar.y + bar.height - step, bar.y, -step):
        window.event_simulate(type="MOUSEMOVE", value="NOTHING", x=x, y=y)
        yield TICK
        if operator_under_mouse() == operator:
            for value in ("PRESS", "RELEASE"):
                window.event_simulate(type="LEFTMOUSE", value=value, x=x, y=y)
                yield TICK
            return
    raise AssertionError(f"The side bar has no button of {operator}.")


def invoke(operator: str) -> None:
    """Does as a click on the button of ``operator``, which may lie in a closed section, would."""
    window, area, _ = place()
    with bpy.context.temp_override(window=window, area=area, region=main_region(area)):
        getattr(bpy.ops.phorhum, operator)("INVOKE_DEFAULT")


def main_region(area: bpy.types.Area) -> bpy.types.Region:
    return next(region for region in area.regions if region.type == "WINDOW")


def drop(photo: str, picture: Path) -> Steps:
    """Drops the photo on the 3D view, takes the second of what Blender offers to do with it (the first is Blender's
    own, an image), and cancels with Esc."""
    window, area, _ = place()
    view = main_region(area)
    x, y = view.x + view.width // 3, view.y + view.height // 2
    position = [str(x), str(window.height - 1 - y)]  # X counts from above
    dragging = subprocess.Popen([sys.executable, str(DROP), *position, photo])
    while dragging.poll() is None:
        yield TICK
    assert dragging.returncode == 0, "The window did not take the drop."
    yield 1.0
    take_picture(picture)
    yield from press("TWO", x, y)
    began = time.monotonic()
    while not job_status().task:
        assert time.monotonic() - began < ANSWER_SECONDS, f"Nothing was started; {list(bpy.data.objects)}"
        yield TICK
    assert bpy.context.scene.phorhum.photo == photo
    yield from press("ESC", x, y)
    yield from wait_for_job()
    assert job_status().result == "Cancelled" and not bpy.data.objects, list(bpy.data.objects)


def press(key: str, x: int, y: int) -> Steps:
    window = bpy.context.window_manager.windows[0]
    for value in ("PRESS", "RELEASE"):
        window.event_simulate(type=key, value=value, x=x, y=y)
        yield TICK


def drag_box(picture: Path) -> Steps:
    """Drags a box over the middle of the photo, which the 3D view shows meanwhile; then all is as it was."""
    settings = bpy.context.scene.phorhum
    window, area, _ = place()
    invoke("draw_box")
    yield 1.5
    view = main_region(area)
    x, y = view.x + view.width // 2, view.y + view.height // 2
    for kind, value, away in (
        ("MOUSEMOVE", "NOTHING", -60),
        ("LEFTMOUSE", "PRESS", -60),
        ("MOUSEMOVE", "NOTHING", 0),
        ("MOUSEMOVE", "NOTHING", 90),
        ("LEFTMOUSE", "RELEASE", 90),
    ):
        window.event_simulate(type=kind, value=value, x=x + away, y=y - 2 * away)
        yield TICK
    yield 0.5
    take_picture(picture)
    yield from press("RET", x, y)
    left, top, right, bottom = settings.box
    assert area.type == "VIEW_3D" and right - left > 16 and bottom - top > 32, list(settings.box)
    settings.property_unset("box")


def open_mask(picture: Path) -> Steps:
    """Opens the engine's mask in a window of its own; the reconstruction will take it."""
    invoke("paint_mask")
    yield from wait_for_job()
    yield 2.0
    take_picture(picture)
    windows = bpy.context.window_manager.windows
    space = windows[-1].screen.areas[0].spaces.active
    assert len(windows) == 2 and space.mode == "PAINT" and os.path.isfile(bpy.context.scene.phorhum.mask)
    with bpy.context.temp_override(window=windows[-1]):
        bpy.ops.wm.window_close()
    yield 0.5


def wait_for_look() -> Steps:
    status = job_status()
    while status.task and not status.look:
        yield TICK
    assert status.look, status.error
    yield 0.5


def job_status() -> Any:
    return importlib.import_module(f"{MODULE}.addon.job").status


def wait_for_job() -> Steps:
    status = job_status()
    began = time.monotonic()
    while status.task:
        assert time.monotonic() - began < TIMEOUT_SECONDS, "The reconstruction takes too long."
        yield 0.3
    assert not status.error, status.error


def script(photo: str, resolution: str, out: Path) -> Steps:
    bpy.data.batch_remove(list(bpy.data.objects))  # the start scene's cube would hide the person
    yield from open_tab()
    settings = bpy.context.scene.phorhum
    if os.environ.get("DISPLAY"):  # the drop is told in the words of X
        yield from drop(photo, out / "drop.png")
    settings.photo, settings.resolution = photo, int(resolution)
    place()[1].tag_redraw()
    yield 2.0
    take_picture(out / "panel.png")
    yield from drag_box(out / "box.png")
    yield from open_mask(out / "mask.png")
    yield from click("bpy.ops.phorhum.reconstruct")
    yield from wait_for_look()
    take_picture(out / "look.png")
    yield from wait_for_job()
    facts = check_person(bpy.context.view_layer.objects.active)
    window, area, _ = place()
    with bpy.context.temp_override(window=window, area=area, region=main_region(area)):
        bpy.ops.view3d.view_axis(type="FRONT")
        bpy.ops.view3d.view_selected()
    yield 1.5
    take_picture(out / "person.png")
    (out / "window.json").write_text(json.dumps(facts))


def drive(steps: Steps) -> None:
    """Runs ``steps`` from a timer and ends Blender after them: 0, or 1 where one failed."""

    def tick() -> float:
        try:
            return next(steps)
        except StopIteration:
            code = 0
        except Exception:
            traceback.print_exc()
            code = 1
        try:
            bpy.ops.preferences.addon_disable(module=MODULE)  # which ends the engine's process
            sys.stdout.flush()
        finally:
            os._exit(code)  # sys.exit in a timer does not end Blender

    bpy.app.timers.register(tick, first_interval=2.0)


if __name__ == "__main__":
    bpy.context.preferences.view.show_splash = False  # it would take the clicks
    photo, resolution, out = sys.argv[sys.argv.index("--") + 1 :]
    drive(script(photo, resolution, Path(out)))
