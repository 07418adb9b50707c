"""The engine cache: built once whoever asks, found again, and never believed without proof."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest

from ood_perception.backends.engine_cache import (
    NOT_THERE,
    BuiltEngine,
    EngineCache,
    default_cache_folder,
)
from ood_perception.backends.engine_request import EngineRequest
from ood_perception.errors import BackendError

REQUEST = EngineRequest("0" * 64, "tensorrt_rtx", "1.7", "sm_86", "", "fp32")
FORK = multiprocessing.get_context("fork")


def entry(cache: EngineCache, request: EngineRequest = REQUEST, engine: bytes = b"engine"):
    return cache.get_or_build(request, lambda: BuiltEngine(engine, {"graph": "n"}), lambda _: None)


def never() -> BuiltEngine:
    raise AssertionError("built although it was there")


def files(folder: Path) -> set[str]:
    return {path.suffix for path in folder.iterdir()}


def test_a_second_call_finds_what_the_first_built(tmp_path):
    first = entry(EngineCache(tmp_path / "new" / "folder"))
    second = EngineCache(tmp_path / "new" / "folder").get_or_build(REQUEST, never, print)
    assert (first.built, second.built) == (True, False)
    assert second.engine == b"engine"
    assert second.side == first.side
    assert second.side["request"]["target"] == "sm_86"
    assert second.path.read_bytes() == b"engine"


@pytest.mark.parametrize(
    "change",
    [
        {"onnx_sha256": "1" * 64},
        {"flavour": "tensorrt"},
        {"version": "1.8"},
        {"target": "sm_89"},
        {"gpu": "Some GPU"},
        {"precision": "fp16"},
        {"largest_batch_rows": 2},
        {"largest_batch_images": 2},
        {"tf32": True},
        {"adaptation": 99},
        {"host": "Linux aarch64"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_whatever_changes_builds_anew(tmp_path, change):
    cache = EngineCache(tmp_path)
    entry(cache)
    assert cache.look_up(replace(REQUEST, **change)).engine is None
    assert entry(cache, replace(REQUEST, **change)).built
    assert not entry(cache).built


def cut(engine: Path, side: Path) -> None:
    engine.write_bytes(engine.read_bytes()[:-1])


def change_byte(engine: Path, side: Path) -> None:
    engine.write_bytes(b"X" + engine.read_bytes()[1:])


def lose_side(engine: Path, side: Path) -> None:
    side.unlink()


def cut_side(engine: Path, side: Path) -> None:
    side.write_bytes(side.read_bytes()[: side.stat().st_size // 2])


def list_as_side(engine: Path, side: Path) -> None:
    side.write_text("[1]")


def foreign_side(engine: Path, side: Path) -> None:
    told = json.loads(side.read_text())
    told["request"]["precision"] = "fp16"
    side.write_text(json.dumps(told))


@pytest.mark.parametrize(
    "harm", [cut, change_byte, lose_side, cut_side, list_as_side, foreign_side]
)
def test_what_cannot_be_proven_is_never_loaded_but_rebuilt(tmp_path, harm):
    cache = EngineCache(tmp_path)
    path = entry(cache, engine=b"the first engine").path
    harm(path, path.with_suffix(".json"))
    found = cache.look_up(REQUEST)
    assert found.engine is None
    assert found.reason not in ("", NOT_THERE), "what lies there is not told as missing"
    said: list[str] = []
    made = cache.get_or_build(REQUEST, lambda: BuiltEngine(b"the second", {}), said.append)
    assert (made.built, made.engine) == (True, b"the second")
    assert found.reason in said[0]
    assert cache.look_up(REQUEST).engine == b"the second"


def test_an_engine_moved_under_another_key_is_foreign(tmp_path):
    cache = EngineCache(tmp_path)
    path = entry(cache).path
    other = replace(REQUEST, precision="fp16")
    for suffix in (".engine", ".json"):
        path.with_suffix(suffix).rename(tmp_path / f"{other.key}{suffix}")
    assert "another engine" in cache.look_up(other).reason


def build_slowly(folder: Path, log: Path, started) -> None:
    def build() -> BuiltEngine:
        with log.open("a") as stream:
            stream.write(f"{os.getpid()}\n")
        started.set()
        time.sleep(0.5)
        return BuiltEngine(b"slow", {})

    made = EngineCache(folder).get_or_build(REQUEST, build, lambda _: None)
    assert made.engine == b"slow"


def test_two_processes_at_once_build_once(tmp_path):
    log, started = tmp_path / "log", FORK.Event()
    folder = tmp_path / "engines"
    both = [FORK.Process(target=build_slowly, args=(folder, log, started)) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join(30)
    assert [process.exitcode for process in both] == [0, 0]
    assert len(log.read_text().splitlines()) == 1


def test_a_killed_build_leaves_no_half_engine_and_no_lock(tmp_path, monkeypatch):
    """Killed while it builds, and killed while it writes: the next one builds it whole."""
    log, started, folder = tmp_path / "log", FORK.Event(), tmp_path / "engines"
    building = FORK.Process(target=build_slowly, args=(folder, log, started))
    building.start()
    assert started.wait(30)
    os.kill(building.pid, signal.SIGKILL)
    building.join(30)
    assert files(folder) == {".lock"}
    monkeypatch.setattr(os, "replace", lambda *_: os.kill(os.getpid(), signal.SIGKILL))
    writing = FORK.Process(target=build_slowly, args=(folder, log, started))
    writing.start()
    writing.join(30)
    monkeypatch.undo()
    assert writing.exitcode == -signal.SIGKILL
    assert files(folder) == {".lock", ".tmp"}
    assert EngineCache(folder).look_up(REQUEST).engine is None
    assert entry(EngineCache(folder)).built
    assert files(folder) == {".lock", ".engine", ".json"}


def test_a_failed_build_leaves_nothing(tmp_path):
    def fail() -> BuiltEngine:
        raise BackendError("layer 'x' is refused")

    with pytest.raises(BackendError, match="layer 'x'"):
        EngineCache(tmp_path).get_or_build(REQUEST, fail, print)
    assert files(tmp_path) <= {".lock"}
    assert entry(EngineCache(tmp_path)).built


def aged(cache: EngineCache, count: int) -> list[EngineRequest]:
    """Engines of 100 bytes, the first unused for longest."""
    requests = [replace(REQUEST, version=str(number)) for number in range(count)]
    for age, request in enumerate(requests):
        path = entry(cache, request, b"e" * 100).path
        os.utime(path, (1e9 + age, 1e9 + age))
    return requests


def test_pruning_keeps_the_last_used(tmp_path):
    cache = EngineCache(tmp_path)
    requests = aged(cache, 4)
    assert not entry(cache, requests[0]).built  # used now
    stranger = tmp_path / "notes.engine"
    stranger.write_text("not of the cache")
    orphan = tmp_path / f".{'a' * 40}-x.tmp"
    orphan.write_bytes(b"left by a killed build")
    removed = cache.prune(keep_newest=2)
    assert set(removed) == {requests[1].key, requests[2].key}
    assert cache.look_up(requests[0]).engine
    assert cache.look_up(requests[3]).engine
    assert stranger.exists()
    assert not orphan.exists()
    assert not [path for path in tmp_path.iterdir() if requests[1].key in path.name]


def test_pruning_to_a_size_spares_what_is_named(tmp_path):
    cache = EngineCache(tmp_path)
    requests = aged(cache, 4)
    cache.prune(largest_bytes=250, spare=frozenset({requests[0].key}))
    left = [bool(cache.look_up(request).engine) for request in requests]
    assert left == [True, False, False, True]


def test_pruning_leaves_what_another_process_builds(tmp_path):
    folder, log, started = tmp_path / "engines", tmp_path / "log", FORK.Event()
    building = FORK.Process(target=build_slowly, args=(folder, log, started))
    building.start()
    assert started.wait(30)
    assert EngineCache(folder).prune(keep_newest=0) == []
    building.join(30)
    assert building.exitcode == 0
    assert EngineCache(folder).look_up(REQUEST).engine == b"slow"


def test_the_folder_is_the_users_cache_never_the_temporary_one(monkeypatch, tmp_path):
    monkeypatch.delenv("OOD_ENGINE_CACHE", raising=False)
    monkeypatch.setenv("HOME", "/home/someone")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert default_cache_folder() == Path("/home/someone/.cache/ood_perception/engines")
    monkeypatch.setenv("XDG_CACHE_HOME", "/var/cache/someone")
    assert default_cache_folder() == Path("/var/cache/someone/ood_perception/engines")
    monkeypatch.setenv("OOD_ENGINE_CACHE", str(tmp_path))
    assert EngineCache().folder == tmp_path


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(BackendError, match="cannot use"):
        entry(EngineCache(tmp_path / "file" / "engines"))
