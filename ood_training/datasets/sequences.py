"""Which recording a frame belongs to, for every kind of data set."""

from __future__ import annotations

import re

from ood_training.datasets.frames import sequence_of

# 0001TP_006690, 0016E5_04350, 0006R0_f01080: the recording, then the frame's number.
_CAMVID = re.compile(r"(.+)_f?\d+")


def frame_sequence(kind: str, frame_id: str) -> str:
    """Name of the recording that a frame belongs to; the frame itself where its name holds none.

    kind: one of ``registry.DATASET_KINDS``. Frames of one recording show the same places and
    objects, so folds keep them together (section 8.3). LostAndFound and Cityscapes names are read
    wherever they occur, whatever the layout that they were stored in; names that end in a number
    mean a recording in CamVid alone.
    """
    if kind == "camvid":
        match = _CAMVID.fullmatch(frame_id)
        return match.group(1) if match else frame_id
    return sequence_of(frame_id) or frame_id
