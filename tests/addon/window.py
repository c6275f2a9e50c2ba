"""A stand-in for Blender's window: there is none in background."""

from types import SimpleNamespace


class Window:
    """The window manager and workspace of a context."""

    def __init__(self):
        self.timers = self.handlers = 0
        self.status_text = ""
        self.windows = []
        self.context = SimpleNamespace(window_manager=self, workspace=self, window=None)

    def event_timer_add(self, seconds, window):
        self.timers += 1
        return "timer"

    def event_timer_remove(self, timer):
        self.timers -= 1

    def modal_handler_add(self, operator):
        self.handlers += 1

    def status_text_set(self, text):
        self.status_text = text
