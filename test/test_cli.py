"""The command `ood`: results as promised, bad input as one clear line and exit code 2."""

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from color_bundle import color_image, write_color_bundle


def ood(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ood_perception.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def refused(*arguments: object) -> str:
    result = ood(*arguments)
    assert result.returncode == 2, result.stderr
    assert "Traceback" not in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1, result.stderr
    return result.stderr


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli")
    write_color_bundle(folder / "bundle")
    (folder / "images").mkdir()
    for name in ("a", "b"):
        cv2.imwrite(str(folder / "images" / f"{name}.png"), color_image(128, 256))
    return folder


@pytest.fixture(scope="module")
def bag(place: Path) -> Path:
    intrinsics = "200,200,128,30"
    result = ood(
        "make-bag", place / "images", place / "bag", "--intrinsics", intrinsics, "--compressed"
    )
    assert result.returncode == 0, result.stderr
    return place / "bag"


def test_detect_writes_overlays_and_one_json(place: Path) -> None:
    out, result_file = place / "out", place / "out" / "obstacles.json"
    result = ood(
        "detect", place / "images", "-b", place / "bundle", "--out", out, "--json", result_file
    )
    assert result.returncode == 0, result.stderr
    images = json.loads(result_file.read_text())["images"]
    assert [Path(entry["image"]).name for entry in images] == ["a.png", "b.png"]
    assert [len(entry["obstacles"]) for entry in images] == [1, 1]
    assert [len(entry["rejected"]) for entry in images] == [1, 1]
    overlay = cv2.imread(str(out / "a_overlay.png"))
    assert overlay.shape == (128, 256, 3)
    assert "2 obstacles" in result.stdout


def test_detect_goes_on_after_an_unreadable_image(place: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"not a picture")
    cv2.imwrite(str(tmp_path / "good.png"), color_image())
    result_file = tmp_path / "obstacles.json"
    result = ood("detect", tmp_path, "-b", place / "bundle", "--json", result_file)
    assert result.returncode == 0
    bad, good = json.loads(result_file.read_text())["images"]
    assert "bad.png" in bad["error"]
    assert len(good["obstacles"]) == 1


def test_detect_with_nothing_readable_fails(place: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"not a picture")
    result = ood("detect", tmp_path / "bad.png", "-b", place / "bundle")
    assert result.returncode == 2


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("detect", "/nowhere/a.png", "-b", "BUNDLE"), "/nowhere/a.png"),
        (("detect", "IMAGES", "-b", "/nowhere"), "/nowhere"),
        (("detect", "IMAGES", "-b", "IMAGES"), "manifest.json"),
        (("detect", "IMAGES", "-b", "BUNDLE", "--backend", "abacus"), "onnxruntime"),
        (("benchmark", "-b", "BUNDLE", "--size", "big"), "WIDTHxHEIGHT"),
        (("make-bag", "/nowhere.mp4", "OUT"), "/nowhere.mp4"),
        (("make-bag", "IMAGES", "OUT", "--intrinsics", "1,2"), "fx,fy,cx,cy"),
        (("replay", "IMAGES", "OUT", "-b", "BUNDLE"), "images"),
        (("replay", "BAG", "OUT", "-b", "BUNDLE", "--camera-height", "-1"), "--camera-height"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_two(
    place: Path, bag: Path, arguments: tuple[str, ...], word: str
) -> None:
    places = {"BUNDLE": place / "bundle", "IMAGES": place / "images", "BAG": bag}
    places["OUT"] = place / "never"
    assert word in refused(*(places.get(argument, argument) for argument in arguments))
    assert not (place / "never").exists()


def test_replay_turns_a_bag_into_a_bag_with_distances(place: Path, bag: Path) -> None:
    result_file = place / "replay.json"
    result = ood(
        *("replay", bag, place / "replayed", "-b", place / "bundle", "--json", result_file),
        *("--camera-height", "1.4"),
    )
    assert result.returncode == 0, result.stderr
    replayed = json.loads(result_file.read_text())
    assert replayed["summary"]["processed"] == 2
    for frame in replayed["frames"]:
        assert frame["status"] == "OK"
        assert frame["obstacles"][0]["place"]["distance_m"] > 0
    assert (place / "replayed" / "metadata.yaml").is_file()


def test_a_bag_without_an_image_topic_names_the_topics_it_has(place: Path, bag: Path) -> None:
    # What a replay writes has obstacles, but no images.
    ood("replay", bag, place / "no_images", "-b", place / "bundle")
    message = refused("replay", place / "no_images", place / "never", "-b", place / "bundle")
    assert "/ood_perception/camera/obstacles" in message


def test_benchmark_times_every_stage(place: Path, tmp_path: Path) -> None:
    result = ood(
        "benchmark", "-b", place / "bundle", "--runs", 3, "--json", tmp_path / "times.json"
    )
    assert result.returncode == 0, result.stderr
    times = json.loads((tmp_path / "times.json").read_text())
    assert times["runs"] == 3
    assert set(times["milliseconds"]) >= {"network", "components", "meta", "whole"}


@pytest.mark.parametrize(
    "verb",
    [
        *("detect", "replay", "make-bag", "benchmark", "generate", "train", "export"),
        *("meta build", "meta train", "meta evaluate", "meta explain"),
    ],
)
def test_every_verb_explains_itself(verb: str) -> None:
    result = ood(*verb.split(), "--help")
    assert result.returncode == 0
    assert "--json" in result.stdout


def test_an_interrupted_write_leaves_no_half_file(tmp_path: Path) -> None:
    from ood_perception.command_line import write_json

    target = tmp_path / "result.json"
    with pytest.raises(ValueError, match="JSON"):
        write_json(target, {"x": np.nan})
    assert list(tmp_path.iterdir()) == []
