"""First file of the child process: ``python -I bootstrap.py RESULT_FOLDER LOG [SITE_FOLDER ...]``.

Run by its path, because the package is not on the child's path: inside Blender it is a part of ``bl_ext``, and its
parent folder holds other people's extensions, which the child must not be able to import by accident.
"""

import importlib
import site
import sys
import types
from pathlib import Path


def add_site_folders(folders: list[str]) -> None:
    """Put ``folders`` after the standard library and before Python's own packages, as Blender does with wheels."""
    before = list(sys.path)
    for folder in folders:
        site.addsitedir(folder)
    added = [entry for entry in sys.path if entry not in before]
    own = next((i for i, entry in enumerate(before) if entry.endswith("-packages")), len(before))
    sys.path[:] = before[:own] + added + before[own:]


def load_server() -> types.ModuleType:
    """The server's module, within a package ``phorhum_blender`` whose ``__init__`` (Blender's business) is not run."""
    package = types.ModuleType("phorhum_blender")
    package.__path__ = [str(Path(__file__).resolve().parents[1])]
    sys.modules[package.__name__] = package
    return importlib.import_module("phorhum_blender.worker.server")


if __name__ == "__main__":
    result_folder, log, *site_folders = sys.argv[1:]
    add_site_folders(site_folders)
    load_server().main(result_folder, log)
