"""A limit that does not count what a process waited for a core, and counts all else."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[1] / "benchmarks"))

from core_wait import Patience, waited_for_core_s

BUSY = """
import os, time
os.sched_setaffinity(0, {int(os.environ['CORE'])})
end = time.monotonic() + 20
while time.monotonic() < end:
    pass
"""

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/schedstat").exists(), reason="the system keeps no scheduler figures"
)


def busy_processes(count):
    core = str(min(os.sched_getaffinity(0)))
    command = [sys.executable, "-c", BUSY]
    return [subprocess.Popen(command, env={**os.environ, "CORE": core}) for _ in range(count)]


def test_processes_that_share_a_core_have_waited_for_it_and_are_given_that_time():
    rivals = busy_processes(3)
    try:
        ids = tuple(rival.pid for rival in rivals)
        strict, patient = Patience(1.5), Patience(1.5, ids)
        time.sleep(2.0)
        # of 2 s each of three has one core for 0.7 s at most, and waits the rest
        assert waited_for_core_s(*ids) > 1.5
        assert strict.is_over()
        assert not patient.is_over()
    finally:
        for rival in rivals:
            rival.kill()
            rival.wait()


def test_a_process_that_sleeps_or_has_ended_gets_no_time():
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(20)"])
    time.sleep(0.5)  # until it has started
    patience = Patience(0.3, (sleeper.pid,))
    assert not patience.is_over()
    time.sleep(0.6)
    assert patience.is_over()
    sleeper.kill()
    sleeper.wait()
    assert patience.is_over()
    assert waited_for_core_s(sleeper.pid) == 0.0


def test_a_limit_ends_however_long_threads_wait(monkeypatch):
    now_s, told = [0.0], iter([0.0, 1e6, 1e6])
    monkeypatch.setattr("core_wait.time.monotonic", lambda: now_s[0])
    monkeypatch.setattr("core_wait.waited_for_core_s", lambda *ids: next(told))
    patience = Patience(1.5)
    now_s[0] = 14.9
    assert not patience.is_over()
    now_s[0] = 15.1
    assert patience.is_over()
