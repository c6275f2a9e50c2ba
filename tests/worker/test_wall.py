"""The wall itself: who may import what, read from the source and seen at run time."""

import ast
import subprocess
import sys

import pytest

HEAVY = {"torch", "torchvision", "ultralytics", "skimage", "scipy", "cv2", "safetensors"}


def imported(path, root):
    """Top names of all modules that the file imports anywhere, and this package's own modules by their full name."""
    package = path.relative_to(root).with_suffix("").parts[:-1]
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add(node.module.split(".")[0])
        elif isinstance(node, ast.ImportFrom):
            base = [*package[: len(package) - node.level + 1], *(node.module or "").split(".")]
            names |= {".".join([*filter(None, base), alias.name]) for alias in node.names}
    return names


def sources(root, *places):
    found = [file for place in places for file in sorted((root / "phorhum_blender").glob(place))]
    assert found
    return found


def test_the_reader_of_imports_sees_all_kinds(tmp_path):
    file = tmp_path / "pkg" / "sub" / "module.py"
    file.parent.mkdir(parents=True)
    file.write_text("import a.b\ndef f():\n    from c.d import e\n    from ..x import y\n    from . import z\n")
    assert imported(file, tmp_path) == {"a", "c", "pkg.x.y", "pkg.sub.z"}


def test_blenders_side_never_imports_the_heavy_libraries(repo_root):
    for file in sources(repo_root, "__init__.py", "addon/**/*.py", "worker/client.py", "worker/protocol.py"):
        assert not imported(file, repo_root) & HEAVY, file


def test_the_engine_and_the_worker_never_import_blender(repo_root):
    for file in sources(repo_root, "engine/**/*.py", "worker/*.py"):
        names = imported(file, repo_root)
        assert not names & {"bpy", "bmesh", "mathutils", "bpy_extras"}, file
        assert not any(name.startswith("phorhum_blender.addon") for name in names), file


def test_the_package_is_imported_relatively_so_that_it_works_as_an_extension(repo_root):
    for file in sources(repo_root, "**/*.py"):
        assert "phorhum_blender" not in imported(file, repo_root), file


def unpickles(tree):
    """Calls in a module's tree that would run what a stranger's pickle says."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.value.id == "pickle" and not node.attr.endswith("Error"):
                yield ast.unparse(node)
        if isinstance(node, ast.ImportFrom) and node.module == "pickle":
            yield ast.unparse(node)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("torch.load", "np.load", "numpy.load"):
            options = {option.arg: ast.unparse(option.value) for option in node.keywords}
            if options.get("weights_only") != "True" and options.get("allow_pickle") != "False":
                yield ast.unparse(node)


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("pickle.load(f)", 1),
        ("from pickle import loads", 1),
        ("torch.load(f)", 1),
        ("torch.load(f, weights_only=False)", 1),
        ("np.load(f, allow_pickle=True)", 1),
        ("torch.load(f, weights_only=True)\nnp.load(f, allow_pickle=False)\npickle.PickleError", 0),
    ],
)
def test_the_search_for_unpickling_finds_it(code, found):
    assert len(list(unpickles(ast.parse(code)))) == found


def test_nothing_is_unpickled(repo_root):
    for file in sources(repo_root, "**/*.py"):
        assert not list(unpickles(ast.parse(file.read_text(encoding="utf-8")))), file
        assert not imported(file, repo_root) & {"marshal", "shelve", "dill", "joblib", "cloudpickle"}, file


@pytest.mark.parametrize("module", ["worker.client", "worker.protocol", "engine.export", "engine.contracts"])
def test_what_blender_imports_brings_no_torch(repo_root, module):
    code = f"import sys, phorhum_blender.{module}; print(sorted({HEAVY!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=repo_root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_client_needs_only_the_standard_library(repo_root):
    code = "import sys, phorhum_blender.worker.client; print('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=repo_root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
