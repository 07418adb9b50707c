"""`kill -9` in the middle of a real TensorRT build: no half engine; the next call builds."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ood_perception.cli import app

ROOT = Path(__file__).resolve().parent.parent
GENERATED = ROOT / "models" / "generated"
COMPILE = """
import sys
from pathlib import Path
from ood_perception.backends.engine_cache import EngineCache
from ood_perception.bundle import load_bundle
from ood_perception.engine_compile import ahead_of_time, compile_bundle

compile_bundle(
    load_bundle(Path(sys.argv[1])),
    ahead_of_time(["sm_86"]),
    "fp32",
    EngineCache(Path(sys.argv[2])),
    say=lambda line: None,
    on_phase=lambda graph, phase, done, steps: print(graph, phase, done, steps, flush=True),
)
"""


@pytest.mark.skipif(
    importlib.util.find_spec("tensorrt_rtx") is None,
    reason="tensorrt_rtx is not installed: run `make test`, or `pip install tensorrt-rtx-cu13`",
)
def test_a_killed_build_leaves_nothing_and_the_next_call_builds(tmp_path):
    cache = tmp_path / "engines"
    arguments = [sys.executable, "-c", COMPILE, str(GENERATED), str(cache)]
    building = subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert building.stdout is not None
    first = building.stdout.readline()  # TensorRT's own progress: it is at work
    os.kill(building.pid, signal.SIGKILL)
    building.stdout.close()
    assert building.wait() == -signal.SIGKILL, "it had ended before it could be killed"
    assert first.startswith("network.onnx for sm_86"), first
    left = [path.suffix for path in cache.iterdir()]
    assert ".engine" not in left
    assert ".json" not in left
    command = ["compile", str(GENERATED), "--target", "sm_86", "--cache", str(cache)]
    again = CliRunner().invoke(app, command)
    assert again.exit_code == 0, again.output
    assert "2 built, 0 found" in again.stdout
    assert "2 found" in CliRunner().invoke(app, command).stdout
    assert not list(cache.glob("*.tmp")) + list(cache.glob(".*.tmp"))
