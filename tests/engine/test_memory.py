"""A reconstruction that does not fit into the free memory is refused before it starts."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from phorhum_blender.engine import memory
from phorhum_blender.engine.contracts import Request
from phorhum_blender.engine.errors import UserError
from phorhum_blender.engine.memory import check_memory, free_in_meminfo, free_in_vm_stat, free_mb, needed_mb

MEMINFO = "MemTotal:       24683748 kB\nMemFree:         9999999 kB\nMemAvailable:    2048000 kB\nBuffers:  1 kB\n"
VM_STAT = """Mach Virtual Memory Statistics: (page size of 16384 bytes)
Pages free:                                6400.
Pages active:                            500000.
Pages inactive:                           12800.
Pages speculative:                         6400.
Pages wired down:                        100000.
"""


def test_finer_needs_more():
    needs = [needed_mb(resolution) for resolution in (32, 128, 256, 1024)]
    assert needs == sorted(needs) and needs[-1] > needs[0] + 400


def test_too_little_is_one_sentence_with_both_numbers_and_the_remedy(monkeypatch):
    monkeypatch.setattr(memory, "free_mb", lambda: needed_mb(1024) - 1)
    with pytest.raises(UserError) as refused:
        check_memory(1024)
    assert str(refused.value) == (
        f"Resolution 1024 needs about {needed_mb(1024):.0f} MB of memory, but only {needed_mb(1024) - 1:.0f} MB are "
        "free. Choose a lower resolution or close other programs."
    )
    check_memory(512)


def test_what_is_unknown_refuses_nothing(monkeypatch):
    monkeypatch.setattr(memory, "free_mb", lambda: None)
    check_memory(1024)


def test_linux_tells_what_is_available():
    assert free_in_meminfo(MEMINFO) == 2000


def test_macos_tells_pages():
    assert free_in_vm_stat(VM_STAT) == 400


def test_windows_tells_bytes(monkeypatch):
    def tell(pointer):
        status = ctypes.cast(pointer, ctypes.POINTER(memory._MemoryStatus)).contents
        assert status.dwLength == 64
        status.ullAvailPhys = 500 << 20
        return told[0]

    told = [1]
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(
        ctypes, "windll", SimpleNamespace(kernel32=SimpleNamespace(GlobalMemoryStatusEx=tell)), raising=False
    )
    assert free_mb() == 500
    told[0] = 0
    assert free_mb() is None


def test_macos_is_asked_through_vm_stat(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(
        subprocess, "run", lambda command, **_: SimpleNamespace(stdout={"vm_stat": VM_STAT}[command[0]])
    )
    assert free_mb() == 400


@pytest.mark.parametrize("failure", [FileNotFoundError(), subprocess.CalledProcessError(1, "vm_stat")])
def test_a_system_that_does_not_tell_is_unknown(monkeypatch, failure):
    def fails(*arguments, **options):
        raise failure

    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(subprocess, "run", fails)
    assert free_mb() is None


def test_a_strange_answer_is_unknown(monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(Path, "read_text", lambda path: "MemTotal: 1 kB\n")
    assert free_mb() is None


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_this_machine_tells_something_sensible():
    assert 10 < free_mb() < 1e7


def test_the_engine_refuses_before_it_reads_the_photo(tiny_weights, monkeypatch):
    from phorhum_blender.engine.reconstruct import Reconstructor

    monkeypatch.setattr(memory, "free_mb", lambda: 50.0)
    told = []
    with pytest.raises(UserError, match="only 50 MB are free"):
        Reconstructor(str(tiny_weights)).run(Request("absent.jpg"), lambda stage, fraction: told.append(stage))
    assert told == []
