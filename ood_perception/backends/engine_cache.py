"""Built TensorRT engines on disk, by the content that they were built from.

An engine ``KEY.engine`` is believed only beside a side file ``KEY.json`` that repeats the whole
request and the SHA-256 of the engine's bytes. Both are written to a temporary file and moved into
place, the side file last; ``KEY.lock`` keeps two processes from building the same engine.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple

from ood_perception.backends.engine_request import EngineRequest
from ood_perception.errors import BackendError

FOLDER_VARIABLE = "OOD_ENGINE_CACHE"
NOT_THERE = "is not in the cache"
"""The reason of a `Lookup` that found nothing at all."""
_OURS = re.compile(r"^\.?(?P<key>[0-9a-f]{40})(\.engine|\.json|\.lock|-[a-z0-9_]+\.tmp)$")

Say = Callable[[str], None]


class BuiltEngine(NamedTuple):
    """An engine fresh from the builder. facts: what the side file shall tell besides."""

    engine: bytes
    facts: dict[str, Any]


class Lookup(NamedTuple):
    """A verified engine with its side file, or None and why it cannot be used."""

    engine: bytes | None
    reason: str
    side: dict[str, Any]


class CacheEntry(NamedTuple):
    """An engine in the cache. built: by this very call. side: what the side file says."""

    path: Path
    engine: bytes
    side: dict[str, Any]
    built: bool


def default_cache_folder() -> Path:
    """$OOD_ENGINE_CACHE, or ood_perception/engines in the XDG cache; BackendError if none."""
    if named := os.environ.get(FOLDER_VARIABLE):
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME", "")
    try:
        # the XDG standard ignores a relative path
        root = Path(base) if Path(base).is_absolute() else Path.home() / ".cache"
    except RuntimeError as error:
        raise BackendError(
            f"no home folder for the engine cache: set {FOLDER_VARIABLE} to a folder"
        ) from error
    return root / "ood_perception" / "engines"


class EngineCache:
    """The cache in one folder; any number of processes may use it at once."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = default_cache_folder() if folder is None else folder

    def look_up(self, request: EngineRequest) -> Lookup:
        """The engine of that request, verified against its side file; read whole.

        Raises:
            BackendError: the cache cannot be read.
        """
        try:
            side = json.loads(self._path(request.key, ".json").read_bytes())
            engine = self._path(request.key, ".engine").read_bytes()
        except FileNotFoundError:
            alone = self._path(request.key, ".engine").exists()
            return Lookup(None, "has no side file" if alone else NOT_THERE, {})
        except ValueError:
            return Lookup(None, "has a side file that is no JSON", {})
        except OSError as error:
            raise BackendError(f"cannot read {error.filename}: {error.strerror}") from error
        if not isinstance(side, dict) or side.get("request") != request.to_json():
            return Lookup(None, "has a side file of another engine", {})
        if side.get("engine_sha256") != hashlib.sha256(engine).hexdigest():
            return Lookup(None, "was changed or cut: its SHA-256 is not the side file's", {})
        return Lookup(engine, "", side)

    def get_or_build(
        self, request: EngineRequest, build: Callable[[], BuiltEngine], say: Say
    ) -> CacheEntry:
        """The engine of that request, built once whoever asks; `say` gets progress lines.

        A second process waits for the first and then finds its engine. What cannot be verified is
        built anew.

        Raises:
            BackendError: the build failed, or the cache cannot be written.
        """
        with self._locked(request.key, say):
            found = self.look_up(request)
            if found.engine is not None:
                path = self._path(request.key, ".engine")
                os.utime(path)  # pruning keeps what was used last
                return CacheEntry(path, found.engine, found.side, False)
            if found.reason != NOT_THERE:
                say(f"the engine in the cache {found.reason}: building it anew")
            self._remove_leftovers(request.key)
            return self._build(request, build)

    def prune(
        self,
        keep_newest: int | None = None,
        largest_bytes: int | None = None,
        spare: frozenset[str] = frozenset(),
    ) -> list[str]:
        """Delete the engines that were not used for longest; returns the keys that went.

        keep_newest, largest_bytes: how many may stay, and how large they may be together.
        spare: keys that stay in any case. Leftovers of killed builds go too; what another process
        is building, and files that are not the cache's, stay.
        """
        try:
            return self._prune(keep_newest, largest_bytes, spare)
        except OSError as error:
            raise BackendError(f"cannot prune {self.folder}: {error.strerror}") from error

    def _prune(
        self, keep_newest: int | None, largest_bytes: int | None, spare: frozenset[str]
    ) -> list[str]:
        if not self.folder.is_dir():
            return []
        engines = [path for path in self.folder.glob("*.engine") if _OURS.match(path.name)]
        newest_first = sorted(
            engines, key=lambda path: (path.stem in spare, path.stat().st_mtime_ns), reverse=True
        )
        removed, total = [], 0
        for place, path in enumerate(newest_first):
            total += path.stat().st_size
            too_many = keep_newest is not None and place >= keep_newest
            too_large = largest_bytes is not None and total > largest_bytes
            if path.stem not in spare and (too_many or too_large) and self._remove(path.stem):
                removed.append(path.stem)
        orphans = {
            match["key"] for path in self.folder.iterdir() if (match := _OURS.match(path.name))
        }
        for key in orphans - {path.stem for path in self.folder.glob("*.engine")}:
            self._remove(key)
        return removed

    def _build(self, request: EngineRequest, build: Callable[[], BuiltEngine]) -> CacheEntry:
        engine, facts = build()
        side = {
            "request": request.to_json(),
            "engine_sha256": hashlib.sha256(engine).hexdigest(),
            "engine_bytes": len(engine),
            "built": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            **facts,
        }
        path = self._path(request.key, ".engine")
        try:
            self._write(path, engine)
            self._write(path.with_suffix(".json"), (json.dumps(side, indent=1) + "\n").encode())
        except OSError as error:
            raise BackendError(f"cannot write {path}: {error.strerror}") from error
        return CacheEntry(path, engine, side, True)

    def _write(self, path: Path, content: bytes) -> None:
        handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=".tmp", dir=self.folder)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(name, path)
        finally:
            Path(name).unlink(missing_ok=True)

    @contextmanager
    def _locked(self, key: str, say: Say) -> Iterator[None]:
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = self._lock(key, say)
        except OSError as error:
            raise BackendError(f"cannot use {self.folder}: {error.strerror}") from error
        try:
            yield
        finally:
            os.close(handle)

    def _lock(self, key: str, say: Say | None) -> int:
        """An open file that holds the key's lock; without `say` BlockingIOError if it is taken."""
        path = self._path(key, ".lock")
        while True:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    if say is None:
                        raise
                    say("another process is building this engine: waiting for it")
                    fcntl.flock(handle, fcntl.LOCK_EX)
                # pruning may have removed the file between opening and locking
                if path.exists() and os.path.samestat(os.fstat(handle), path.stat()):
                    return handle
            except BaseException:
                os.close(handle)
                raise
            os.close(handle)

    def _remove(self, key: str) -> bool:
        """Remove all of a key, the side file first; False when it is being built."""
        try:
            handle = self._lock(key, None)
        except BlockingIOError:
            return False
        try:
            self._remove_leftovers(key)
            for suffix in (".json", ".engine", ".lock"):
                self._path(key, suffix).unlink(missing_ok=True)
        finally:
            os.close(handle)
        return True

    def _remove_leftovers(self, key: str) -> None:
        for path in self.folder.glob(f".{key}-*.tmp"):
            path.unlink(missing_ok=True)

    def _path(self, key: str, suffix: str) -> Path:
        return self.folder / f"{key}{suffix}"
