"""Results written under odd names, into locked and full folders."""

from __future__ import annotations

import contextlib
import importlib
import os
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

from hypothesis import strategies as st

from phorhum_blender.engine.errors import UserError
from phorhum_blender.engine.export import WRITERS, save_mesh
from tests.stand_ins import FAKES

from .mutations import file_names
from .rules import REFUSED, Tally, as_ordinary_user, feed, must, must_be_clear, nothing_left

PLACES = ["", "absent", "file", "locked", "x" * 300]
WRITTEN = "written whole"

suffixes = st.sampled_from([*WRITERS, ".GLB", ".fbx", ""])
cases = st.tuples(file_names, suffixes, st.sampled_from(PLACES), st.none() | st.integers(0, 3000), st.booleans())


def run(count: int, number: int, folder: Path) -> Tally:
    result = octahedron()
    folder.chmod(0o777)
    (folder / "file").touch()
    (folder / "locked").mkdir(mode=0o555)

    def check(case: tuple[str, str, str, int | None, bool]) -> str:
        name, suffix, place, room, there = case
        path = folder / place / (name.encode()[: 255 - len(suffix)].decode(errors="ignore") + suffix)
        usable = place == "" and suffix.lower() in WRITERS
        with nothing_left(folder), as_ordinary_user():
            if there and usable:
                path.write_bytes(b"old")
            try:
                with room_for(room):
                    save_mesh(result, path)
            except UserError as error:
                must_be_clear(str(error))
                must(not usable or room is not None, f"refused: {error}")
                must(not (there and usable) or path.read_bytes() == b"old", "the old file was touched")
                return REFUSED
            else:
                must(usable and path.stat().st_size > 300, "half a file")
                return WRITTEN
            finally:
                if usable:
                    path.unlink(missing_ok=True)

    return feed("outputs", cases, check, count, number)


@contextlib.contextmanager
def room_for(size: int | None) -> Iterator[None]:
    """A disk on which no file can grow beyond ``size`` bytes; None is an endless one."""
    if size is None:
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # then the write fails as on a full disk
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)


def octahedron():
    """The small result of the fake engine."""
    spec = importlib.util.spec_from_file_location("fake_reconstruct", os.fspath(FAKES / "fake_reconstruct.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.octahedron()
