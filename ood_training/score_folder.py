"""Score maps of any method in a folder: one ``FRAME.npy`` each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from ood_perception.errors import OodError, first_line
from ood_training.score_source import ScoredFrame

_SUFFIX = ".npy"


class ScoreFolder:
    """A score source that reads (H, W) arrays, float or integer, higher = more anomalous."""

    score_name = "score maps"
    classes: tuple[str, ...] | None = None
    needs_image = False
    has_meta_classifier = False

    def __init__(self, root: Path, frame_ids: Sequence[str]) -> None:
        """Look for every frame's file; OodError names the first frame without one."""
        if not root.is_dir():
            raise OodError(f"{root}: no such folder of score maps")
        missing = [one for one in frame_ids if not (root / f"{one}{_SUFFIX}").is_file()]
        if missing:
            raise OodError(
                f"frame {missing[0]}: its score map {root / (missing[0] + _SUFFIX)} is missing "
                f"({len(missing)} of {len(frame_ids)} frames have none)"
            )
        self.root = root
        self.model = str(root)

    def score_frame(self, frame_id: str, image: NDArray[np.uint8] | None) -> ScoredFrame:
        """Read one map; OodError names a file that is none or holds NaN."""
        path = self.root / f"{frame_id}{_SUFFIX}"
        try:
            score = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError, BadZipFile) as error:
            reason = first_line(error)
            raise OodError(f"{path}: cannot be read as a score map: {reason}") from error
        if not isinstance(score, np.ndarray) or score.dtype.kind not in "fiu":
            kind = getattr(score, "dtype", type(score).__name__)
            raise OodError(f"{path}: a score map holds real numbers, this one {kind}")
        if np.isnan(score).any():
            raise OodError(f"{path}: {int(np.isnan(score).sum())} scores are NaN")
        return ScoredFrame(score)
