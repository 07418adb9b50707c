"""A drive through the real node: pictures, obstacles and an honest account in one folder.

Without a video a generated drive is shown, in which everything is known. Exit code 0 when the
node kept all its promises, 1 when it broke one or failed, 2 on bad input.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ood_perception.bundle import Bundle, load_bundle
from ood_perception.command_line import on_progress, progress_bar, write_json
from ood_perception.errors import OodError
from ood_perception.ros.demo_input import IMAGE_TOPIC, DemoInput, generated_input, video_input
from ood_perception.ros.demo_processes import DemoError, OutputFolder, isolate_network
from ood_perception.ros.demo_results import RecordedOutputs, read_outputs
from ood_perception.ros.demo_run import (
    OBSTACLES_TOPIC,
    OVERLAY_TOPIC,
    STAMPED_TOPICS,
    NodeRun,
    run_node,
)
from ood_perception.ros.demo_summary import DemoRecord, DemoSummary, summarise
from ood_perception.ros.package_files import bundle_folder, package_file

_PROFILE = "config/fastdds_profile.xml"
_SUMMARY = "summary.json"
_GENERATED_BUNDLE, _VIDEO_BUNDLE = "generated", "street"


@dataclass(frozen=True)
class DemoSettings:
    """What to show. video: None for a generated drive. bundle: folder or name, None for the one
    that fits the input. rate: of playing, 1 is as recorded. overlay: also draw and record pictures,
    which costs the node time. domain_id: ROS_DOMAIN_ID, a random one when None.
    """

    output: Path
    video: Path | None = None
    bundle: str | None = None
    rate: float = 1.0
    overlay: bool = True
    domain_id: int | None = None


def run_demo(settings: DemoSettings) -> DemoSummary:
    """Runs the demo, tells a person about it on stdout, and writes ``settings.output``.

    Raises DemoError when a process fails and other OodErrors on bad input; nothing is written then
    and an earlier output stays.
    """
    if not 0 < settings.rate <= 1000:
        raise OodError(f"playing rate {settings.rate} is not above 0 and at most 1000")
    default = _GENERATED_BUNDLE if settings.video is None else _VIDEO_BUNDLE
    bundle = load_bundle(bundle_folder(settings.bundle or default))
    domain_id = isolate_network(package_file(_PROFILE), settings.domain_id)
    folder = OutputFolder(settings.output, _SUMMARY)
    with folder as output:
        work = output.with_name("work")
        work.mkdir()
        source = _make_input(settings, work)
        _say_model(bundle, domain_id)
        with progress_bar() as bar:
            run = run_node(
                source,
                bundle.folder,
                output,
                work,
                rate=settings.rate,
                overlay=settings.overlay,
                progress=on_progress(bar, "through the node"),
            )
        outputs = read_outputs(output / "bag", OBSTACLES_TOPIC, STAMPED_TOPICS)
        summary = summarise(_record(source, run, outputs))
        result = {**summary.to_json(), "model_id": bundle.model_id, "rate": settings.rate}
        write_json(output / "obstacles.json", {"summary": result, "frames": list(outputs.frames)})
        write_json(output / _SUMMARY, result)
        folder.finish()
    return summary


def _make_input(settings: DemoSettings, work: Path) -> DemoInput:
    with progress_bar() as bar:
        if settings.video is None:
            what = "a generated drive"
            source = generated_input(work / "input", on_progress(bar, "generating a drive"))
        else:
            what = str(settings.video)
            progress = on_progress(bar, "reading the video")
            source = video_input(work / "input", settings.video, progress)
    print(f"input: {what}, {source.frames} frames at {source.frame_rate_hz:.4g} Hz", flush=True)
    return source


def _say_model(bundle: Bundle, domain_id: int) -> None:
    provenance = bundle.manifest.provenance
    print(f"model: {bundle.model_id}, trained on {provenance.trained_on} ({provenance.terms})")
    print(f"node:  starting, listen along with ROS_DOMAIN_ID={domain_id}", flush=True)


def _record(source: DemoInput, run: NodeRun, outputs: RecordedOutputs) -> DemoRecord:
    stamps = {**outputs.output_stamps_ns, OVERLAY_TOPIC: run.overlay_stamps_ns}
    ids = {obstacle["id"] for frame in outputs.frames for obstacle in frame["obstacles"]}
    return DemoRecord(
        frames_in=source.frames,
        published=run.report.published[IMAGE_TOPIC],
        input_stamps_ns=frozenset(run.input_stamps_ns),
        counters=run.counters,
        obstacle_stamps_ns=outputs.output_stamps_ns[OBSTACLES_TOPIC],
        output_stamps_ns=stamps,
        latencies_s=outputs.latencies_s,
        obstacles_per_frame=tuple(len(frame["obstacles"]) for frame in outputs.frames),
        distinct_obstacles=len(ids),
        node_exit_code=run.node_exit_code,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="demo", description=__doc__)
    parser.add_argument("--video", type=Path, metavar="FILE", help="default: a generated drive")
    parser.add_argument(
        "--bundle",
        metavar="FOLDER",
        help=f"the model, a folder or a name in models/; default: {_GENERATED_BUNDLE}, "
        f"with --video {_VIDEO_BUNDLE}",
    )
    parser.add_argument(
        "--output", "--out", type=Path, default=Path("demo_output"), metavar="FOLDER"
    )
    parser.add_argument("--rate", type=float, default=1.0, help="speed, 1 is as recorded")
    parser.add_argument("--no-overlay", action="store_true", help="no pictures, less work")
    parser.add_argument("--domain-id", type=int, help="ROS_DOMAIN_ID; default: a random one")
    return parser


def _settings(arguments: argparse.Namespace) -> DemoSettings:
    return DemoSettings(
        output=arguments.output,
        video=arguments.video,
        bundle=arguments.bundle,
        rate=arguments.rate,
        overlay=not arguments.no_overlay,
        domain_id=arguments.domain_id,
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the demo and ends with one summary line; the exit code says how it went."""
    settings = _settings(_parser().parse_args(argv))
    try:
        summary = run_demo(settings)
    except DemoError as error:
        if error.log_tail:
            print(f"--- the end of its log ---\n{error.log_tail}\n---", file=sys.stderr)
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except OodError as error:
        print(f"demo: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("demo: interrupted", file=sys.stderr)
        return 130
    names = sorted(path.name for path in settings.output.iterdir())
    print(f"files: {settings.output}/ with {', '.join(names)}")
    for promise in summary.broken_promises:
        print(f"demo: broken promise: {promise}", file=sys.stderr)
    if 0 < summary.processed < summary.published / 2:
        slower = settings.rate * summary.processed / summary.published
        print(f"hint:  too fast for this machine; see more frames with --rate {slower * 0.8:.2g}")
    print(summary.line())
    return 1 if summary.broken_promises else 0


if __name__ == "__main__":
    sys.exit(main())
