"""The person's box, dragged on the photo. Meanwhile the 3D view is an Image Editor that shows the photo."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import gpu
from gpu_extras.batch import batch_for_shader

from .box_drag import Box, BoxDrag, to_editor, to_photo
from .image_editor import main_region, show_all
from .polls import allowed
from .scene.created import Created
from .scene.upright import load_upright
from .translations import words

Rectangle = tuple[float, float, float, float]  # left, low, right, high in pixels of a region

_NAVIGATION = {"MIDDLEMOUSE", "WHEELUPMOUSE", "WHEELDOWNMOUSE", "TRACKPADPAN", "TRACKPADZOOM", "MOUSESMARTZOOM"}
_NAVIGATION |= {"HOME", "NUMPAD_PLUS", "NUMPAD_MINUS"}
_OUTSIDE, _EDGE = (0.0, 0.0, 0.0, 0.6), (1.0, 0.6, 0.1, 1.0)  # what is left out is dimmed
_WIDTH = 2  # pixels, of the edge
_FIRST_LOOK = 0.05  # seconds after which the editor knows how large it is


class PHORHUM_OT_draw_box(bpy.types.Operator):
    """Drag a box around the person on the photo, which the 3D view shows meanwhile"""

    bl_idname = "phorhum.draw_box"
    bl_label = "Draw Box"
    bl_options = {"UNDO", "INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return allowed(cls, _why_not(context))

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        settings = context.scene.phorhum
        self._created = Created()
        photo = load_upright(self._created, Path(settings.photo_path()))
        if photo is None:
            self.report({"ERROR"}, words("Blender cannot show this photo."))
            return {"CANCELLED"}
        self._size = photo.size
        self._drag = BoxDrag(_whole(settings.box) if any(settings.box) else None)
        self._area = context.area
        self._area.type = "IMAGE_EDITOR"
        self._space = self._area.spaces.active
        self._before = self._space.image, self._space.mode
        self._space.image, self._space.mode = photo.image, "VIEW"
        self._drawing = bpy.types.SpaceImageEditor.draw_handler_add(self._draw, (), "WINDOW", "POST_PIXEL")
        self._timer = context.window_manager.event_timer_add(_FIRST_LOOK, window=context.window)
        context.window_manager.modal_handler_add(self)
        context.workspace.status_text_set(words("Drag a box around the person. Enter or a click takes it, Esc cancels"))
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        self._area.tag_redraw()
        if event.type == "TIMER":
            self._show_all(context)
        elif event.type in _NAVIGATION:
            return {"PASS_THROUGH"}
        elif event.type in {"ESC", "RIGHTMOUSE"} and event.value == "PRESS":
            return self._leave(context, {"CANCELLED"})
        elif self._confirms(event) and self._drag.box:
            settings = context.scene.phorhum
            settings.box, settings.whole_frame = self._drag.box, False
            return self._leave(context, {"FINISHED"})
        return {"RUNNING_MODAL"}

    def cancel(self, context: bpy.types.Context) -> None:
        """Blender ends the operator itself: another file is opened, the window or Blender is closed."""
        self._leave(context, {"CANCELLED"})

    def _confirms(self, event: bpy.types.Event) -> bool:
        """Whether ``event`` says that the box is right; follows the mouse if not."""
        place = self._place(event)
        if event.type in {"RET", "NUMPAD_ENTER"}:
            return event.value == "PRESS"
        if event.type == "LEFTMOUSE" and event.value == "RELEASE":
            return self._drag.release(place)
        if event.type == "LEFTMOUSE":
            self._drag.press(place)
        elif event.type == "MOUSEMOVE":
            self._drag.move(place)
        return False

    def _place(self, event: bpy.types.Event) -> tuple[int, int]:
        """The place of the photo under the mouse."""
        region = main_region(self._area)
        u, v = region.view2d.region_to_view(event.mouse_x - region.x, event.mouse_y - region.y)
        return to_photo(u, v, self._size)

    def _show_all(self, context: bpy.types.Context) -> None:
        """Fits the photo into the editor, once."""
        if self._timer:
            show_all(context, context.window, self._area)
            self._stop_timer(context)

    def _stop_timer(self, context: bpy.types.Context) -> None:
        if self._timer:
            context.window_manager.event_timer_remove(self._timer)
        self._timer = None

    def _leave(self, context: bpy.types.Context, outcome: set[str]) -> set[str]:
        self._stop_timer(context)
        bpy.types.SpaceImageEditor.draw_handler_remove(self._drawing, "WINDOW")
        self._space.image, self._space.mode = self._before
        self._area.type = "VIEW_3D"
        self._created.remove()
        if context.workspace:
            context.workspace.status_text_set(None)
        return outcome

    def _draw(self) -> None:
        if bpy.context.area != self._area or self._drag.box is None:
            return
        region = bpy.context.region
        left, top, right, bottom = self._drag.box
        corners = [
            region.view2d.view_to_region(*to_editor(corner, self._size), clip=False)
            for corner in ((0, self._size[1]), (left, bottom), (right, top), (self._size[0], 0))
        ]
        draw_frame(corners)


def draw_frame(corners: list[tuple[float, float]]) -> None:
    """Draws the box and dims what of the photo lies around it.

    ``corners``, in pixels of the region, lie on a line up to the right: photo, box, box, photo.
    """
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = corners
    gpu.state.blend_set("ALPHA")
    _fill(_OUTSIDE, _ring(x0, y0, x1, y1, x2, y2, x3, y3))
    _fill(_EDGE, _ring(x1 - _WIDTH, y1 - _WIDTH, x1, y1, x2, y2, x2 + _WIDTH, y2 + _WIDTH))
    gpu.state.blend_set("NONE")


def _ring(x0: float, y0: float, x1: float, y1: float, x2: float, y2: float, x3: float, y3: float) -> list[Rectangle]:
    """What of the rectangle from (x0, y0) to (x3, y3) lies around the one from (x1, y1) to (x2, y2)."""
    return [(x0, y0, x3, y1), (x0, y2, x3, y3), (x0, y1, x1, y2), (x2, y1, x3, y2)]


def _fill(colour: tuple[float, float, float, float], rectangles: list[Rectangle]) -> None:
    shader: Any = gpu.shader.from_builtin("UNIFORM_COLOR")
    shader.bind()
    shader.uniform_float("color", colour)
    for left, low, right, high in rectangles:
        corners = [(left, low), (right, low), (right, high), (left, high)]
        batch_for_shader(shader, "TRI_FAN", {"pos": corners}).draw(shader)


def _whole(box: bpy.types.bpy_prop_array) -> Box:
    left, top, right, bottom = (round(number) for number in box)
    return left, top, right, bottom


def _why_not(context: bpy.types.Context) -> str:
    if context.area is None or context.area.type != "VIEW_3D":
        return words("The box is drawn in a 3D view")
    if not context.scene.phorhum.photo:
        return words("Choose a photo first")
    return words("The scene belongs to another file") if context.scene.library else ""


CLASSES = (PHORHUM_OT_draw_box,)
