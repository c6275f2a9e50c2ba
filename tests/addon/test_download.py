"""The checked download against a server on this machine."""

from __future__ import annotations

import hashlib
import http.server
import threading
from dataclasses import replace

import pytest

from phorhum_blender.addon.download import YOLO_DETECTOR, DownloadTask, PinnedFile, fetch, is_github, matches
from phorhum_blender.engine.errors import Cancelled, UserError

BODY = bytes(range(256)) * 1000


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.paths.append(self.path)
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/file")
            self.end_headers()
        elif self.path == "/away":
            self.send_response(302)
            self.send_header("Location", self.server.elsewhere)
            self.end_headers()
        elif self.path == "/none":
            self.send_error(404)
        elif self.path == "/short":
            self.answer(BODY[:1000], len(BODY))
        elif self.path == "/long":
            self.answer(BODY * 2, 2 * len(BODY))
        elif self.path == "/wrong":
            self.answer(b"x" * len(BODY), len(BODY))
        else:
            self.answer(BODY, len(BODY))

    def answer(self, body, length):
        self.send_response(200)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.paths, server.elsewhere = [], "http://localhost:9/elsewhere"
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def allowed(server):
    return lambda url: url.startswith(f"http://127.0.0.1:{server.server_port}/")


@pytest.fixture
def pinned(server):
    url = f"http://127.0.0.1:{server.server_port}/file"
    return PinnedFile("detector.pt", url, len(BODY), hashlib.sha256(BODY).hexdigest())


def at(pinned, path):
    return replace(pinned, url=pinned.url.replace("/file", path))


@pytest.mark.parametrize("path", ["/file", "/moved"])
def test_the_file_arrives_whole(pinned, allowed, tmp_path, path):
    told = []
    target = fetch(at(pinned, path), tmp_path, allowed=allowed, progress=told.append)
    assert target.read_bytes() == BODY and list(tmp_path.iterdir()) == [target]
    assert told == sorted(told) and told[-1] == 1.0


def test_a_file_that_is_there_is_not_fetched_again(server, pinned, allowed, tmp_path):
    for _ in range(2):
        fetch(pinned, tmp_path, allowed=allowed)
    assert server.paths == ["/file"]


def test_a_damaged_file_is_replaced(pinned, allowed, tmp_path):
    (tmp_path / "detector.pt").write_bytes(b"x" * len(BODY))
    assert matches(fetch(pinned, tmp_path, allowed=allowed), pinned)


@pytest.mark.parametrize(
    "path, sentence",
    [
        ("/none", "failed"),
        ("/short", "not the expected"),
        ("/long", "not the expected"),
        ("/wrong", "not the expected"),
        ("/away", "localhost is not a trusted https address"),
    ],
)
def test_anything_else_is_refused_and_nothing_is_left(pinned, allowed, tmp_path, path, sentence):
    with pytest.raises(UserError, match=sentence):
        fetch(at(pinned, path), tmp_path, allowed=allowed)
    assert list(tmp_path.iterdir()) == []


def test_no_server_is_one_sentence(pinned, allowed, server, tmp_path):
    server.shutdown()
    server.server_close()
    with pytest.raises(UserError, match=r"^The download of detector\.pt failed: .*Check the connection"):
        fetch(pinned, tmp_path, allowed=allowed)


def test_without_a_policy_only_github_is_asked(server, pinned, tmp_path):
    with pytest.raises(UserError, match="not a trusted"):
        fetch(pinned, tmp_path)
    assert server.paths == []


@pytest.mark.parametrize(
    "url, ok",
    [
        (YOLO_DETECTOR.url, True),
        ("https://release-assets.githubusercontent.com/x?y", True),
        ("http://github.com/x", False),
        ("https://github.com.evil.org/x", False),
        ("https://github.com@evil.org/x", False),
        ("https://github.com:8443/x", False),
        ("file:///etc/passwd", False),
    ],
)
def test_github_means_https_and_its_hosts(url, ok):
    assert is_github(url) is ok


def test_cancelling_leaves_nothing(pinned, allowed, tmp_path):
    def stop(fraction):
        raise Cancelled

    with pytest.raises(Cancelled):
        fetch(pinned, tmp_path, allowed=allowed, progress=stop)
    assert list(tmp_path.iterdir()) == []


def test_the_task_tells_progress_and_ends(pinned, allowed, tmp_path):
    task, told = DownloadTask(pinned, tmp_path, allowed=allowed), []
    assert task.wait(told.append).kind == "done"
    assert task.path.read_bytes() == BODY
    assert [event.kind for event in told[:-1]] and {event.kind for event in told[:-1]} == {"progress"}


def test_the_task_tells_errors(pinned, tmp_path):
    outcome = DownloadTask(pinned, tmp_path).wait(lambda event: None)
    assert (outcome.kind, outcome.cause) == ("error", "user") and "not a trusted" in outcome.text


def test_a_cancelled_task_ends_as_cancelled(pinned, allowed, tmp_path, monkeypatch):
    reached = threading.Event()

    def wait_then_allow(url):
        reached.wait(5)
        return allowed(url)

    task = DownloadTask(pinned, tmp_path, allowed=wait_then_allow)
    task.cancel()
    reached.set()
    assert task.wait(lambda event: None).cause == "cancelled"
    assert list(tmp_path.iterdir()) == []
