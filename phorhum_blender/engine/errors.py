"""The one class of error that a user can act on."""


class UserError(Exception):
    """Something the user can mend. ``str(error)`` is one clear sentence; ``remedy`` says what to do.

    Every other exception is a bug: its traceback goes to the log and the user sees one line that names the log.
    """

    def __init__(self, sentence: str, remedy: str = ""):
        super().__init__(sentence if not remedy else f"{sentence} {remedy}")
        self.sentence = sentence
        self.remedy = remedy


class Cancelled(Exception):
    """Raised from a progress callback when the user cancelled; unwinds the reconstruction."""
