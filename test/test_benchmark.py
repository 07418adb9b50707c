"""`ood benchmark`: every stage timed on any input, and bad input refused in one line."""

from __future__ import annotations

import json
import mmap
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from color_bundle import color_image, write_color_bundle
from typer.testing import CliRunner

from ood_perception.benchmark import STAGES, benchmark_detector
from ood_perception.benchmark_pictures import generated_pictures, parse_size, pictures_from_files
from ood_perception.cli import app
from ood_perception.detector import Detector
from ood_perception.errors import ImageError, OodError
from ood_perception.process_memory import forget_peak, peak_bytes, resident_bytes


def encoded(image: np.ndarray) -> bytes:
    return bytes(cv2.imencode(".png", image)[1].tobytes())


def test_every_stage_is_timed_and_warm_up_is_not_counted(color_detector) -> None:
    calls: list[int] = []
    result = benchmark_detector(
        color_detector, [encoded(color_image())], 4, warmup=2, after_each=lambda: calls.append(1)
    )
    assert len(calls) == 6
    assert result["runs"] == 4
    expected = [stage for stage in STAGES if stage != "score"]  # the graph's work in this model
    assert list(result["milliseconds"]) == [*expected, "whole", "with decode and drawing"]
    for times in result["milliseconds"].values():
        assert 0 < times["median"] <= times["p95"] <= times["p99"]
    assert result["components_median"] == 2
    assert result["peak_memory_bytes"] >= result["memory_before_bytes"] / 2
    json.dumps(result, allow_nan=False)


def test_a_slow_stage_shows_in_its_own_row(color_detector, monkeypatch) -> None:
    """Times that are attributed to another stage would send people after the wrong one."""
    from ood_perception import benchmark

    def slow(*arguments: object, **named: object) -> None:
        time.sleep(0.03)

    monkeypatch.setattr(benchmark, "draw_overlay", slow)
    times = benchmark_detector(color_detector, [encoded(color_image())], 3)["milliseconds"]
    assert times["drawing"]["median"] >= 30
    assert times["with decode and drawing"]["median"] >= 30 + times["whole"]["median"]


def test_a_batch_is_one_call_of_the_network(tmp_path: Path) -> None:
    detector = Detector(write_color_bundle(tmp_path / "any", batch="batch"))
    pictures = [encoded(color_image()), encoded(color_image(128, 256))]
    result = benchmark_detector(detector, pictures, 3, batch=2)
    assert result["batch"] == 2
    assert result["components_median"] == 2
    times = result["milliseconds"]
    parts = sum(times[stage]["median"] for stage in STAGES[1:-1] if stage in times)
    assert parts <= 1.5 * times["whole"]["median"]


def command(*arguments: object) -> object:
    return CliRunner().invoke(app, ["benchmark", *map(str, arguments)])


def test_a_batch_that_the_graph_does_not_take_is_refused(tmp_path: Path) -> None:
    write_color_bundle(tmp_path / "one")
    result = command("-b", tmp_path / "one", "--batch", 3, "--runs", 1)
    assert isinstance(result.exception, OodError)
    assert "--batch 3" in str(result.exception)


def test_json_says_what_it_ran_on(tmp_path: Path) -> None:
    write_color_bundle(tmp_path / "one")
    cv2.imwrite(str(tmp_path / "a.png"), color_image())
    result = command(
        *(tmp_path / "a.png", "-b", tmp_path / "one", "--runs", 2),
        *("--size", "96x48", "--json", tmp_path / "times.json"),
    )
    assert result.exit_code == 0, result.output
    times = json.loads((tmp_path / "times.json").read_text())
    assert times["image_size"] == [48, 96]
    assert times["model"].startswith("color-")
    assert times["machine"]["cpu"]
    assert times["machine"]["cores"] >= 1
    assert times["machine"]["versions"]["numpy"] == np.__version__


def test_pictures_keep_their_bytes_unless_scaled(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        cv2.imwrite(str(tmp_path / f"{name}.png"), color_image())
    assert pictures_from_files([tmp_path], 2) == [(tmp_path / "a.png").read_bytes()] * 2
    scaled = cv2.imdecode(
        np.frombuffer(pictures_from_files([tmp_path], 1, (40, 32))[0], np.uint8), cv2.IMREAD_COLOR
    )
    assert scaled.shape == (32, 40, 3)
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(ImageError, match=r"a\.png"):
        pictures_from_files([tmp_path], 2)


def test_generated_pictures_are_always_the_same() -> None:
    assert generated_pictures(2, (96, 64)) == generated_pictures(2, (96, 64))


@pytest.mark.parametrize("size", ["big", "10x", "100x8", "1x1x1", "100000x100"])
def test_a_size_that_is_none_is_refused(size: str) -> None:
    with pytest.raises(OodError, match="--size"):
        parse_size(size)


def test_the_peak_of_memory_is_seen_and_can_begin_anew() -> None:
    if not forget_peak():
        pytest.skip("this system does not let a process reset its peak of memory")
    before = resident_bytes()
    # pages of its own: the allocator may have room that was counted before
    with mmap.mmap(-1, 50_000_000) as block:
        for page in range(0, len(block), mmap.PAGESIZE):
            block[page] = 1
        assert peak_bytes() >= before + 40_000_000
    forget_peak()
    assert peak_bytes() < before + 40_000_000
