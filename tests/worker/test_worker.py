"""Client and server together, through a real child process with the fake engine in it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from phorhum_blender.engine.contracts import Request
from phorhum_blender.engine.errors import UserError
from phorhum_blender.worker import client as client_module
from phorhum_blender.worker.client import Client
from phorhum_blender.worker.protocol import MAX_LINE

pytestmark = pytest.mark.skipif(os.name == "nt", reason="uses POSIX signals to look after processes")


@pytest.fixture
def client(fake_site, tmp_path):
    client = Client(extra_paths=[fake_site], log_path=str(tmp_path / "logs" / "worker.log"))
    yield client
    client.stop()


def run(client, behaviour):
    """All events of one job."""
    events = []
    job = client.submit(Request(f"{behaviour}.jpg"))
    assert job.wait(events.append) is events[-1]
    return job, events


def until_stage(job, stage, seconds=10.0):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if any(event.text == stage for event in job.poll(0.05)):
            return
    raise AssertionError(f"no stage {stage} within {seconds} s")


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def gone_within(seconds, pid):
    deadline = time.monotonic() + seconds
    while is_alive(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_a_job_brings_stages_progress_and_the_result(client, result):
    job, events = run(client, "good")
    stages = [event.text for event in events if event.kind == "stage"]
    assert stages == ["Starting engine", "Reading photo", "Finding person", "Finding surface", "Finishing"]
    fractions = [event.fraction for event in events if event.kind == "progress"]
    assert fractions == sorted(fractions) and len(fractions) >= 4
    assert [event.kind for event in events if event.last] == ["done"]
    loaded = job.load_result()
    np.testing.assert_array_equal(loaded.vertices, result.vertices)
    assert loaded.lights == result.lights


def test_the_first_event_comes_at_once(client):
    started = time.monotonic()
    job = client.submit(Request("good.jpg"))
    assert [event.text for event in job.poll()] == ["Starting engine"]
    assert time.monotonic() - started < 1.0


def test_the_child_stays_warm(client):
    first, _ = run(client, "good")
    pid = client._child.process.pid
    second, events = run(client, "good")
    assert client._child.process.pid == pid
    assert [event.text for event in events][0] == "Reading photo"
    assert (first.load_result().report["made"], second.load_result().report["made"]) == (1, 1)


def test_other_weights_make_another_engine(client, tmp_path):
    weights = tmp_path / "a.safetensors"
    weights.touch()
    made = []
    for mtime in (1, 1, 2):  # the third time, the file has been replaced
        os.utime(weights, (mtime, mtime))
        job = client.submit(Request("good.jpg", weights=str(weights)))
        job.wait()
        made.append(job.load_result().report["made"])
    assert made == [1, 1, 2]


def test_a_search_for_people_brings_boxes_and_thumbnails(client):
    job = client.find_people(Request("good.jpg"))
    events = []
    assert job.wait(events.append).kind == "done"
    assert "Finding people" in [event.text for event in events]
    people = job.load_people()
    np.testing.assert_array_equal(people.boxes, [[10, 20, 110, 320], [200, 30, 260, 230]])
    assert people.thumbnails.shape == (2, 128, 128, 4) and people.photo.dtype == np.uint8
    assert os.listdir(client._child.folder) == []


def test_a_search_for_a_mask_brings_it(client):
    job = client.find_mask(Request("good.jpg", person=2))
    assert job.wait().kind == "done"
    np.testing.assert_array_equal(job.load_mask(), 2 + np.arange(12).reshape(4, 3))
    assert os.listdir(client._child.folder) == []


def test_the_early_look_comes_before_the_surface_is_sought(client):
    job, events = run(client, "good")
    told = [event.text or event.kind for event in events if event.kind in ("stage", "look")]
    assert told[told.index("look") - 1 :][:3] == ["Finding person", "look", "Finding surface"]
    picture = job.load_look()
    assert picture.shape == (256, 256, 4) and (picture == 7).all()


def test_a_search_that_finds_nobody_is_the_users_error(client):
    outcome = client.find_people(Request("nobody.jpg")).wait()
    assert (outcome.kind, outcome.cause) == ("error", "user") and "No person was found" in outcome.text


def test_the_search_and_the_reconstruction_share_one_engine(client):
    client.find_people(Request("good.jpg")).wait()
    job, _ = run(client, "good")
    assert job.load_result().report["made"] == 1


def test_the_engine_tells_its_devices(client):
    assert client.ask_devices().wait().text == "cpu cuda"


def test_running_tells_whether_memory_is_held(client):
    assert not client.running
    client.start()
    assert client.running
    client.stop()
    assert not client.running


def test_start_warms_up_ahead(client):
    client.start()
    pid = client._child.process.pid
    _, events = run(client, "good")
    assert client._child.process.pid == pid
    assert events[0].text == "Reading photo"


def test_library_prints_go_to_the_log(client, tmp_path):
    _, events = run(client, "noisy")
    assert events[-1].kind == "done"
    assert [event.text for event in events if event.kind == "warning"] == ["The photo is blurred."]
    log = (tmp_path / "logs" / "worker.log").read_text()
    for words in ("printed by Python", "printed by a child", "printed by C"):
        assert words in log


@pytest.mark.parametrize(
    ("behaviour", "cause", "words"),
    [
        ("nobody", "user", "No person was found. Choose another photo."),
        ("memory", "user", "Not enough memory"),
        ("bug", "bug", "Unexpected error (ValueError: wrong shape in ~/photo.jpg)."),
    ],
)
def test_errors_are_one_line_and_the_child_lives_on(client, tmp_path, behaviour, cause, words):
    _, events = run(client, behaviour)
    assert (events[-1].kind, events[-1].cause) == ("error", cause)
    assert words in events[-1].text and "\n" not in events[-1].text
    traceback_logged = "Traceback" in (tmp_path / "logs" / "worker.log").read_text()
    assert traceback_logged == (cause == "bug") == ("worker.log" in events[-1].text)
    pid = client._child.process.pid
    assert run(client, "good")[1][-1].kind == "done"
    assert client._child.process.pid == pid


def test_cancel_is_noticed_at_once_and_the_child_stays_warm(client):
    job = client.submit(Request("slow.jpg"))
    until_stage(job, "Finishing")
    pid = client._child.process.pid
    started = time.monotonic()
    job.cancel()
    job.cancel()  # asking twice is asking once
    outcome = job.wait()
    assert time.monotonic() - started < 0.5
    assert (outcome.kind, outcome.cause) == ("error", "cancelled")
    assert run(client, "good")[1][-1].kind == "done"
    assert client._child.process.pid == pid


@pytest.mark.parametrize("behaviour", ["stuck", "busy"])
def test_a_child_that_ignores_cancel_is_killed_within_a_second(client, behaviour):
    job = client.submit(Request(f"{behaviour}.jpg"))
    until_stage(job, "Finishing")
    pid = client._child.process.pid
    started = time.monotonic()
    job.cancel()
    outcome = job.wait()
    assert outcome.cause == "cancelled" and time.monotonic() - started < 1.0
    assert not is_alive(pid)
    assert run(client, "good")[1][-1].kind == "done"


def test_ctrl_c_cancels_the_blocking_driver(client):
    job = client.submit(Request("slow.jpg"))

    def interrupt(event):
        if event.text == "Finding surface":
            raise KeyboardInterrupt

    assert job.wait(interrupt).cause == "cancelled"


def test_a_killed_worker_is_one_clear_error_and_the_next_job_starts_another(client):
    job = client.submit(Request("slow.jpg"))
    until_stage(job, "Finishing")
    folder = client._child.folder
    os.kill(client._child.process.pid, signal.SIGKILL)
    started = time.monotonic()
    outcome = job.wait()
    assert time.monotonic() - started < 2.0
    assert (outcome.kind, outcome.cause) == ("error", "stopped")
    assert outcome.text.startswith("The reconstruction process stopped unexpectedly (exit status -9). Try again")
    assert "worker.log" in outcome.text
    _, events = run(client, "good")
    assert events[0].text == "Starting engine"
    assert events[-1].kind == "done"
    assert not folder.exists()


def test_a_dead_worker_ends_no_parent_that_minds_broken_pipes(fake_site, repo_root, tmp_path):
    """Blender leaves SIGPIPE as the system has it: it ends the program."""
    code = f"""
import signal
from phorhum_blender.engine.contracts import Request
from phorhum_blender.worker.client import Client, Command
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
client = Client(extra_paths=[{fake_site!r}], log_path={str(tmp_path / "log")!r})
for _ in range(2):
    assert client.submit(Request("good.jpg")).wait().kind == "done"
    client._child.kill()
client._child.send(Command("shutdown"))
client.stop()
assert signal.SIGPIPE not in signal.sigpending() | signal.pthread_sigmask(signal.SIG_BLOCK, [])
print("lives")
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=repo_root, capture_output=True, text=True, timeout=60)
    assert done.stdout == "lives\n", (done.returncode, done.stderr)


def test_a_worker_that_dies_by_itself_is_the_same_error(client):
    _, events = run(client, "die")
    assert events[-1].cause == "stopped" and "exit status 7" in events[-1].text


def test_a_value_that_cannot_be_told_is_refused_and_nobody_waits(client):
    with pytest.raises(ValueError):
        client.submit(Request("good.jpg", height=float("nan")))
    assert run(client, "good")[1][-1].kind == "done"


def test_one_job_at_a_time(client):
    job = client.submit(Request("slow.jpg"))
    with pytest.raises(UserError, match="already at work"):
        client.submit(Request("good.jpg"))
    job.cancel()
    job.wait()


def test_stop_ends_the_job_the_child_and_its_files(client):
    job = client.submit(Request("stuck.jpg"))
    until_stage(job, "Finishing")
    pid, folder = client._child.process.pid, client._child.folder
    assert folder.stat().st_mode & 0o777 == 0o700
    client.stop()
    client.stop()
    assert not is_alive(pid)
    assert not folder.exists()
    assert job.wait().cause == "cancelled"


def test_a_loaded_result_leaves_no_file(client):
    job, _ = run(client, "good")
    folder = client._child.folder
    assert "1.npz" in os.listdir(folder)
    job.load_result()
    assert os.listdir(folder) == ["look.npz"]  # until the next job's takes its place


def test_the_child_ends_with_its_parent_even_amid_work(fake_site, repo_root, tmp_path):
    code = (
        "import sys, time\n"
        "from phorhum_blender.worker.client import Client\n"
        "from phorhum_blender.engine.contracts import Request\n"
        f"client = Client(extra_paths=[{fake_site!r}], log_path={str(tmp_path / 'log')!r})\n"
        "job = client.submit(Request('busy.jpg'))\n"
        "while not any(e.text == 'Finding surface' for e in job.poll(0.1)): pass\n"
        "print(client._child.process.pid, client._child.folder, flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=repo_root, stdout=subprocess.PIPE, text=True)
    with parent:
        pid, folder = parent.stdout.readline().split()
        assert is_alive(int(pid))
        parent.kill()
    assert gone_within(3.0, int(pid))
    assert not os.path.exists(folder)


@pytest.mark.parametrize("line", [b"garbage\n", b"x" * (2 * MAX_LINE) + b"\n"])
def test_a_bad_line_ends_the_job_with_an_error_and_not_the_child(client, line):
    job = client.submit(Request("slow.jpg"))
    until_stage(job, "Finishing")
    client._child.process.stdin.write(line)
    client._child.process.stdin.flush()
    outcome = job.wait()
    assert outcome.cause == "bug" and "ProtocolError" in outcome.text


@pytest.mark.parametrize("chatter", ["print('hello')", "print('x' * (2 << 20))", 'print(\'{"kind": "done"\')'])
def test_a_child_that_does_not_speak_the_protocol_is_given_up(client, monkeypatch, tmp_path, chatter):
    impostor = tmp_path / "impostor.py"
    impostor.write_text(f"import time\n{chatter}\nimport sys; sys.stdout.flush()\ntime.sleep(60)\n")
    monkeypatch.setattr(client_module, "BOOTSTRAP", impostor)
    _, events = run(client, "good")
    assert events[-1].cause == "stopped"


def test_a_python_that_does_not_exist_is_the_users_error(tmp_path):
    with pytest.raises(UserError, match="could not be started"):
        Client(python=str(tmp_path / "python")).submit(Request("good.jpg"))


def test_a_missing_package_is_the_users_error(tmp_path, repo_root):
    site = tmp_path / "site"
    site.mkdir()
    (site / "no_torch.pth").write_text("import sys; sys.modules['torch'] = None\n")
    client = Client(extra_paths=[str(site)], log_path=str(tmp_path / "log"))
    try:
        _, events = run(client, "good")
    finally:
        client.stop()
    assert events[-1].cause == "user"
    assert "lacks the package 'torch'" in events[-1].text


def test_it_works_as_an_installed_extension_beside_a_hostile_neighbour(fake_site, repo_root, tmp_path, monkeypatch):
    """Under another package name, as Blender does it, and with environment and neighbours that must not get in."""
    extensions = tmp_path / "bl_ext" / "user_default"
    skip = shutil.ignore_patterns("__pycache__", "weights", "addon")
    shutil.copytree(repo_root / "phorhum_blender", extensions / "phorhum_blender", ignore=skip)
    trap = "raise SystemExit('imported a neighbour')"
    (extensions / "numpy.py").write_text(trap)
    (extensions / "phorhum_blender" / "__init__.py").write_text("import bpy_is_absent_here")
    hostile = tmp_path / "hostile"
    hostile.mkdir()
    (hostile / "numpy.py").write_text(trap)
    monkeypatch.setenv("PYTHONPATH", str(hostile))
    code = (
        f"import sys, types; sys.path[:] = [p for p in sys.path if p != {str(hostile)!r}]\n"
        "for name, folder in (('bl_ext', 'bl_ext'), ('bl_ext.user_default', 'bl_ext/user_default'),\n"
        "                     ('bl_ext.user_default.phorhum_blender', 'bl_ext/user_default/phorhum_blender')):\n"
        "    package = sys.modules[name] = types.ModuleType(name)\n"
        f"    package.__path__ = [{str(tmp_path)!r} + '/' + folder]\n"
        "from bl_ext.user_default.phorhum_blender.worker.client import Client\n"
        "from bl_ext.user_default.phorhum_blender.engine.contracts import Request\n"
        f"client = Client(extra_paths=[{fake_site!r}], log_path={str(tmp_path / 'log')!r})\n"
        "job = client.submit(Request('good.jpg'))\n"
        "print(job.wait().kind, len(job.load_result().faces)); client.stop()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.split() == ["done", "8"], done.stderr + (tmp_path / "log").read_text()


def test_extra_site_folders_come_before_pythons_own(client, fake_site, tmp_path):
    package = tmp_path / "wheels"
    package.mkdir()
    (package / "pytest.py").write_text("")  # a newer version of something that Python has
    code = (
        "import sys; from phorhum_blender.worker.bootstrap import add_site_folders\n"
        f"add_site_folders([{str(package)!r}])\n"
        "import pytest, json; print(pytest.__file__, sys.path.index(pytest.__file__.rpartition('/')[0]) > 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(package / "pytest.py"), "True"]


@pytest.mark.parametrize("line", [b"garbage\n" * 3, b"x" * (2 * MAX_LINE) + b"\nmore\n"])
def test_after_bad_lines_the_next_job_comes_to_its_end(client, line):
    """It must neither wait for the one that they ended nor inherit the complaint about the last of them."""
    job = client.submit(Request("slow.jpg"))
    until_stage(job, "Finishing")
    client._child.process.stdin.write(line)
    client._child.process.stdin.flush()
    assert job.wait().cause == "bug"
    assert run(client, "good")[1][-1].kind == "done"


def test_no_line_can_name_a_file_outside_of_the_childs_folder(client, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    client.start()
    command = {"kind": "reconstruct", "job": 1, "request": {"photo": "good.jpg"}, "result": str(tmp_path / "stolen")}
    client._child.process.stdin.write(json.dumps(command).encode() + b"\n")
    client._child.process.stdin.flush()
    run(client, "good")
    run(client, "good")
    assert not (tmp_path / "stolen").exists()


def test_what_the_child_puts_aside_goes_with_it(client):
    """Killed amid an import, ultralytics would leave a folder behind."""
    job, _ = run(client, "litter")
    folder = client._child.folder
    assert [name for name in os.listdir(folder) if name.startswith("litter")]
    os.kill(client._child.process.pid, signal.SIGKILL)
    client.stop()
    assert not folder.exists()


def test_a_child_that_writes_on_leaves_nothing_behind(client):
    job = client.submit(Request("writer.jpg"))
    until_stage(job, "Finishing")
    folder, process = client._child.folder, client._child.process
    process.stdin.close()  # as when the parent is gone
    process.wait(5)
    assert not folder.exists()


def test_without_a_log_there_is_work_still(fake_site, tmp_path):
    (tmp_path / "file").touch()
    client = Client(extra_paths=[fake_site], log_path=str(tmp_path / "file" / "worker.log"))
    try:
        _, events = run(client, "good")
    finally:
        client.stop()
    assert events[-1].kind == "done"


def test_without_a_place_for_files_it_is_the_users_error(monkeypatch, tmp_path):
    monkeypatch.setattr(client_module.tempfile, "tempdir", str(tmp_path / "absent"))
    with pytest.raises(UserError, match="could not be started .*: No such file or directory"):
        Client().submit(Request("good.jpg"))


def test_a_bug_is_told_though_its_log_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    line = client_module.log_bug(ValueError("wrong \udcff"), str(tmp_path / "file" / "worker.log"))
    assert line.startswith("Unexpected error (ValueError: wrong ") and "\n" not in line


def test_a_log_that_grew_too_long_starts_afresh(tmp_path, monkeypatch):
    monkeypatch.setattr(client_module, "MAX_LOG", 10)
    path = tmp_path / "new" / "worker.log"
    for text, size in ((b"12345", 5), (b"1234567", 12), (b"1", 1)):
        with client_module.open_log(str(path)) as log:
            log.write(text)
        assert path.stat().st_size == size
