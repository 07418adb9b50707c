"""Run every benchmark of this folder, and `ood benchmark` for every model; write one page of them.

`python benchmarks/run_all.py [--only WORD] [--page FILE]`. A benchmark that fails or is skipped
stands on the page by name with its reason. Exit code 1 when one failed.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from outcome import claim
from performance_page import Report, missing, performance_page, unmet

from ood_perception.command_line import one_line_errors, progress_bar
from ood_perception.errors import OodError
from ood_perception.machine_facts import machine_facts

ROOT = Path(__file__).resolve().parents[1]
_LIMIT_S = 1800
_MODEL_RUNS = "20"


def commands() -> dict[str, list[str]]:
    """What to run, by name: the scripts bench_*.py and the models, each from the project's root."""
    found = {
        path.stem: ["python", f"benchmarks/{path.name}"]
        for path in sorted((ROOT / "benchmarks").glob("bench_*.py"))
    }
    for path in sorted((ROOT / "models").glob("*/manifest.json")):
        bundle = f"models/{path.parent.name}"
        found[bundle] = ["ood", "benchmark", "--bundle", bundle, "--runs", _MODEL_RUNS]
    return found


def run(name: str, command: list[str], limit_s: float = _LIMIT_S) -> Report:
    """Run one of them from the project's root, and read the JSON that it writes."""
    words = " ".join(command)
    # what a ROS installation put there stays: messages of this package among it
    path = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    starts = {"python": [sys.executable], "ood": [sys.executable, "-m", "ood_perception.cli"]}
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "result.json"
        try:
            done = subprocess.run(
                [*starts[command[0]], *command[1:], "--json", str(target)],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(path)},
                capture_output=True,
                text=True,
                timeout=limit_s,
            )
        except subprocess.TimeoutExpired:
            return Report(name, words, None, f"not done after {limit_s:.0f} s")
        print(done.stdout, end="", flush=True)
        if done.returncode != 0:
            said = done.stderr.strip().splitlines() or ["without a word"]
            return Report(name, words, None, f"exit code {done.returncode}: {said[-1]}")
        if not target.is_file():
            return Report(name, words, None, "it wrote no result")
        result: dict[str, Any] = json.loads(target.read_text(encoding="utf-8"))
    if "whole_to_network_ratio" in result:
        result = result | _model_claims(result)
    return Report(name, words, result)


def _model_claims(result: dict[str, Any]) -> dict[str, Any]:
    """`ood benchmark` promises nothing: its row has no bound."""
    height, width = result["image_size"]
    what = (
        f"whole path / network stage (its graph's after-work included), {result['model']}, image "
        f"{width}x{height}, {result['components_median']:.0f} components"
    )
    ratio = claim(what, result["whole_to_network_ratio"])
    return {"claims": [ratio], "threads": result["machine"]["cores"]}


def write_page(path: Path, text: str) -> None:
    """Whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise OodError(f"cannot write {path}: {error.strerror}") from error


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", metavar="WORD", help="those whose name holds it")
    parser.add_argument("--page", type=Path, help="docs/performance.md; with --only, nowhere")
    arguments = parser.parse_args()
    wanted = {name: c for name, c in commands().items() if arguments.only in name}
    if not wanted:
        parser.error(f"--only {arguments.only}: choose among {', '.join(commands())}")
    page = arguments.page or (None if arguments.only else ROOT / "docs" / "performance.md")
    # before they run: the page itself is a change
    machine = machine_facts()
    with one_line_errors(), progress_bar() as bar:
        reports = [
            run(name, command)
            for name, command in bar.track(wanted.items(), description="benchmarks")
        ]
        if page is not None:
            write_page(page, performance_page(reports, machine))
    print(f"{len(reports)} benchmarks" + (f", written to {page}" if page else ""))
    for name in missing(reports):
        print(f"  failed or skipped: {name}")
    for what in unmet(reports):
        print(f"  not as wanted: {what}")
    sys.exit(any(report.result is None for report in reports))


if __name__ == "__main__":
    main()
