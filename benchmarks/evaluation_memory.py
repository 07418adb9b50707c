"""Peak memory and time of `ood evaluate` on many score maps of full size.

    python benchmarks/evaluation_memory.py --frames 1203

Writes a few distinct float32 score maps of 1024x2048 with labels into a temporary folder, gives
them the names of as many frames as wanted, and runs the command on them in a process of its own.
Prints JSON: frames, seconds, peak resident bytes, and the command's figures.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

SIZE = (1024, 2048)
DISTINCT = 4
COMMAND = "from ood_perception.cli import main; main()"


def write_frames(root: Path, count: int) -> None:
    """A plain folder of images (empty files: nobody reads them) and masks, and score maps."""
    generator = np.random.default_rng(0)
    for name in ("images", "masks", "scores", "distinct"):
        (root / name).mkdir()
    (root / "distinct" / "image.png").touch()
    for index in range(DISTINCT):
        mask = np.zeros(SIZE, np.uint8)
        mask[700:] = 255
        mask[500:560, 300 * index + 100 : 300 * index + 220] = 1
        noise = generator.standard_normal(SIZE, np.float32)
        np.save(root / "distinct" / f"{index}.npy", 1 / (1 + np.exp(2 - noise - 2 * (mask == 1))))
        cv2.imwrite(str(root / "distinct" / f"{index}.png"), mask)
    for frame in range(count):
        for folder, suffix, source in (
            ("images", "png", "image.png"),
            ("masks", "png", f"{frame % DISTINCT}.png"),
            ("scores", "npy", f"{frame % DISTINCT}.npy"),
        ):
            (root / folder / f"{frame:06d}.{suffix}").symlink_to(root / "distinct" / source)


def measure(count: int, protocol: str) -> dict[str, object]:
    """Run the command on so many frames; raises CalledProcessError when it fails."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve()
        write_frames(root, count)
        start = time.perf_counter()
        subprocess.run(
            [
                *(sys.executable, "-c", COMMAND, "evaluate", "--format", "folder"),
                *("--data", str(root), "--scores", str(root / "scores")),
                *("--protocol", protocol, "--json", str(root / "result.json")),
            ],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        seconds = time.perf_counter() - start
        result = json.loads((root / "result.json").read_text())
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    figures = {name: result[name] for name in ("AP", "FPR95", "AUROC", "bound")}
    return {"frames": count, "seconds": round(seconds, 1), "peak_bytes": peak, **figures}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=1203)
    parser.add_argument("--protocol", default="fishyscapes")
    arguments = parser.parse_args()
    print(json.dumps(measure(arguments.frames, arguments.protocol)))


if __name__ == "__main__":
    main()
