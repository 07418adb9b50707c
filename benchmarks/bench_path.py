"""Time image in memory -> obstacles against the bare network, in turns in one run.

The bare network is the bundle's own graph, cut to run from the normalised float32 tensor to the
logits at the decoder's stride, by the same backend with the same threads. The whole path is
`Detector.detect`. Pictures are generated scenes of the network's size, with the components that
the model finds in them. Sizes other than the bundle's are made by changing the sizes in the graph.
`python benchmarks/bench_path.py [--bundle FOLDER] [--runs N] [--json FILE]`.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from outcome import claim, is_left_out, use_cores, write_outcome

from ood_perception.backends import create_backend
from ood_perception.bundle import Bundle, load_bundle, write_bundle
from ood_perception.command_line import progress_bar
from ood_perception.detector import Detector
from ood_perception.generated_drive import CameraSetup, random_scene

SIZES = ((512, 1024), (1024, 2048))
"""(height, width) beside the bundle's own."""
SCENES = 4
LARGEST_RATIO = 1.25
"""What the whole path may cost, in times of the bare network."""


@dataclass
class Contest:
    """Both ways at one size, and their seconds so far."""

    detector: Detector
    bare: Any
    images: list[NDArray[np.uint8]]
    tensors: list[dict[str, NDArray[np.float32]]]
    whole_s: list[float]
    bare_s: list[float]
    components: list[int]

    def turn(self, number: int, counted: bool) -> None:
        """Run each once on the same scene, the order changing from turn to turn."""
        place = number % len(self.images)
        seconds: dict[str, float] = {}
        ways = [("whole", self._whole), ("bare", self._bare)]
        for name, way in ways if number % 2 else reversed(ways):
            started = perf_counter()
            way(place)
            seconds[name] = perf_counter() - started
        if counted:
            self.whole_s.append(seconds["whole"])
            self.bare_s.append(seconds["bare"])

    def _whole(self, place: int) -> None:
        self.components.append(len(self.detector.detect(self.images[place]).components))

    def _bare(self, place: int) -> None:
        self.bare.run(self.tensors[place])

    def result(self) -> dict[str, Any]:
        """Median milliseconds, the median of the ratios of each turn, and their spread."""
        ratios = np.array(self.whole_s) / np.array(self.bare_s)
        network = self.detector.bundle.manifest.network
        return {
            "size": [network.input_height, network.input_width],
            "grid": [network.grid_height, network.grid_width],
            "whole_ms": 1000 * median(self.whole_s),
            "bare_ms": 1000 * median(self.bare_s),
            "ratio": float(np.median(ratios)),
            "ratio_quartiles": np.percentile(ratios, (25, 75)).tolist(),
            "components": float(np.median(self.components)),
        }


def contest(bundle: Bundle) -> Contest:
    """Both ways on generated scenes of the bundle's size, the cut checked against the graph."""
    from network_cut import bare_network

    spec = bundle.manifest.network
    detector = Detector(bundle)
    cut = bare_network(bundle.network_onnx)
    bare = create_backend("onnxruntime", cut.graph, "the bare network")
    camera = CameraSetup.default(spec.input_width, spec.input_height)
    images = [random_scene(seed, camera=camera, obstacle_count=2).image for seed in range(SCENES)]
    preparation = create_backend("onnxruntime", cut.preparation, "the network's preparation")
    tensors = [preparation.run({preparation.inputs[0].name: image[None]}) for image in images]
    logits = bare.run(tensors[0])["logits"][0]
    output = detector.run_network(images[0])
    if output.score.shape != (spec.grid_height, spec.grid_width):
        raise SystemExit(f"bench_path: the resized graph gives a grid of {output.score.shape}")
    if not np.allclose(logits, output.logits, atol=1e-3):
        raise SystemExit("bench_path: the bare network gives other logits than the whole graph")
    return Contest(detector, bare, images, tensors, [], [], [])


def at_size(bundle: Bundle, size: tuple[int, int], folder: Path) -> Bundle:
    """The same model for images of (height, width), in a folder of its own."""
    from network_cut import resized

    spec = bundle.manifest.network
    network = spec.model_copy(
        update={
            "input_height": size[0],
            "input_width": size[1],
            "grid_height": spec.grid_height * size[0] // spec.input_height,
            "grid_width": spec.grid_width * size[1] // spec.input_width,
        }
    )
    manifest = bundle.manifest.model_copy(update={"network": network})
    graph = resized(bundle.network_onnx, *size)
    return write_bundle(folder, manifest, graph, bundle.meta_classifier_onnx)


def own_size(bundle: Bundle) -> tuple[int, int]:
    """(height, width) of the images that the bundle's network takes."""
    return bundle.manifest.network.input_height, bundle.manifest.network.input_width


def measure(
    bundle: Bundle, sizes: list[tuple[int, int]], runs: int, warmup: int
) -> list[dict[str, Any]]:
    """Every size, one after the other: the large one's memory would disturb the small one."""
    own = own_size(bundle)
    results = []
    with tempfile.TemporaryDirectory() as folder, progress_bar() as bar:
        task = bar.add_task("whole path and bare network", total=len(sizes) * (runs + warmup))
        for size in sizes:
            place = Path(folder) / f"{size[0]}x{size[1]}"
            both = contest(bundle if size == own else at_size(bundle, size, place))
            for number in range(warmup + runs):
                both.turn(number, counted=number >= warmup)
                bar.advance(task)
            results.append(both.result())
    return results


def main() -> None:
    """Print the ratios; they are reported, not enforced: a busy machine is no broken program."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bundle", type=Path, default=Path("models/street"))
    parser.add_argument("--runs", type=int, default=20, help="turns of each (default 20)")
    parser.add_argument("--size", metavar="HEIGHTxWIDTH", help="this one alone")
    parser.add_argument("--cores", type=int, default=2, help="that both use (default 2)")
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    if min(arguments.runs, arguments.cores) < 1:
        parser.error("--runs and --cores must be at least 1")
    if is_left_out(
        "path",
        arguments.json,
        {"onnx": "onnx is not installed, and cuts the network out of its graph (make setup)"},
    ):
        return
    cores = use_cores(arguments.cores)
    bundle = load_bundle(arguments.bundle)
    sizes = [own_size(bundle), *(size for size in SIZES if size != own_size(bundle))]
    if arguments.size:
        sizes = [size for size in sizes if f"{size[0]}x{size[1]}" == arguments.size]
    if not sizes:
        parser.error(f"--size {arguments.size}: neither the bundle's nor one of {SIZES}")
    results = measure(bundle, sizes, arguments.runs, warmup=3)
    print(f"{bundle.model_id}: image in memory to obstacles against the bare network")
    claims = []
    for row in results:
        size = "x".join(map(str, row["size"]))
        low, high = row["ratio_quartiles"]
        print(
            f"  {size:10}{row['whole_ms']:8.1f} ms, network {row['bare_ms']:8.1f} ms: "
            f"{row['ratio']:.2f} (quartiles {low:.2f} to {high:.2f}; wanted: at most "
            f"{LARGEST_RATIO}), {row['components']:.0f} components"
        )
        what = (
            f"image to obstacles / bare network, {bundle.manifest.name} at {size}, "
            f"{row['components']:.0f} components"
        )
        claims.append(claim(what, row["ratio"], at_most=LARGEST_RATIO))
    write_outcome(
        arguments.json, {"model": bundle.model_id, "sizes": results}, claims, threads=cores
    )


if __name__ == "__main__":
    main()
