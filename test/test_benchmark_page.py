"""The programs of benchmarks/: the page of ratios, workers, and graphs that are cut and resized."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from color_bundle import color_image, color_manifest, color_network

from ood_perception.backends import create_backend
from ood_perception.bundle import write_bundle
from ood_perception.machine_facts import machine_facts

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "benchmarks"))

from network_cut import bare_network, resized  # noqa: E402
from outcome import claim, is_left_out, write_outcome  # noqa: E402
from performance_page import Report, missing, performance_page, unmet  # noqa: E402
from run_all import commands, run  # noqa: E402
from worker import Worker  # noqa: E402


def test_a_claim_is_met_at_its_bound_and_not_beyond() -> None:
    assert claim("a", 1.25, at_most=1.25)["met"] is True
    assert claim("a", 1.26, at_most=1.25)["met"] is False
    assert claim("a", 2.9, at_least=3)["met"] is False
    assert claim("a", 5.0)["met"] is None


def test_the_page_names_what_failed_was_skipped_and_was_missed(tmp_path: Path) -> None:
    write_outcome(
        tmp_path / "a.json", {}, [claim("x | y", 1.5, at_most=1.25), claim("z", 7.0)], threads=2
    )
    assert is_left_out("b", tmp_path / "b.json", {"no_such_module": "no PyTorch"})
    assert not is_left_out("c", tmp_path / "c.json", {"numpy": "no NumPy"})
    reports = [
        Report("bench_a", "python a", json.loads((tmp_path / "a.json").read_text())),
        Report("bench_b", "python b", json.loads((tmp_path / "b.json").read_text())),
        Report("bench_c", "python c", None, "exit code 3: out of memory"),
    ]
    page = performance_page(reports, machine_facts())
    rows = [line for line in page.splitlines() if line.startswith("| ")][1:]
    assert rows == [
        "| x \\| y | 1.5 | at most 1.25 | **no** | 2 | `python a` |",
        "| z | 7 |  |  | 2 | `python a` |",
        "| **bench_b: skipped**, no PyTorch |  |  |  |  | `python b` |",
        "| **bench_c: failed**, exit code 3: out of memory |  |  |  |  | `python c` |",
    ]
    assert machine_facts()["cpu"] in page
    assert unmet(reports) == ["x | y"]
    assert missing(reports) == ["bench_b", "bench_c"]


def test_a_benchmark_that_dies_leaves_its_last_words() -> None:
    report = run("broken", ["python", "-c", "raise SystemExit('the disk is full')"])
    assert report.result is None
    assert report.reason == "exit code 1: the disk is full"
    assert run("mute", ["python", "-c", "pass"]).reason == "it wrote no result"
    assert "not done" in run("slow", ["python", "-c", "import time; time.sleep(60)"], 1.0).reason


def test_every_benchmark_and_every_model_is_run() -> None:
    names = set(commands())
    scripts = {path.stem for path in (ROOT / "benchmarks").glob("bench_*.py")}
    assert scripts | {"models/street", "models/generated"} <= names
    assert {"bench_path", "bench_loss"} <= scripts


def test_a_worker_answers_and_its_end_is_noticed(tmp_path: Path) -> None:
    script = tmp_path / "half.py"
    script.write_text(
        f"import sys; sys.path.insert(0, {str(ROOT / 'benchmarks')!r})\n"
        "from worker import serve\n"
        "serve(lambda request: {'half': int(request) / 2, 'name': sys.argv[2]})\n"
    )
    with Worker(str(script), "halves", 1) as worker:
        assert worker.run("3") == {"half": 1.5, "name": "halves"}
        with pytest.raises(SystemExit, match="half: a process ended early"):
            worker.run("no number")


def test_the_bare_network_gives_the_logits_of_the_whole_graph() -> None:
    graph = color_network(batch="batch")
    cut = bare_network(graph)
    image = color_image()[None]
    whole = create_backend("onnxruntime", graph, "whole").run({"image": image})
    tensor = create_backend("onnxruntime", cut.preparation, "before").run({"image": image})
    assert tensor[cut.input_name].dtype == np.float32
    bare = create_backend("onnxruntime", cut.graph, "bare")
    assert [spec.name for spec in bare.outputs] == ["logits"]
    assert np.array_equal(bare.run(tensor)["logits"], whole["logits"])


def test_a_resized_graph_is_the_one_made_for_that_size(tmp_path: Path) -> None:
    graph = resized(color_network(64, 128), 96, 256)
    image = color_image(96, 256)[None]
    expected = create_backend("onnxruntime", color_network(96, 256), "made").run({"image": image})
    got = create_backend("onnxruntime", graph, "resized").run({"image": image})
    for name, values in expected.items():
        assert np.array_equal(got[name], values), name
    with pytest.raises(ValueError, match="whole number"):
        resized(color_network(64, 128), 67, 128)
    # written as a bundle with the old sizes it is refused, so sizes cannot drift apart unseen
    from ood_perception.detector import Detector
    from ood_perception.errors import BundleError

    bundle = write_bundle(tmp_path / "wrong", color_manifest(with_meta=False), graph)
    with pytest.raises(BundleError, match="shape"):
        Detector(bundle)
