"""Depth images and point clouds of every layout become the metres that they mean."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ood_perception.depth_messages import cloud_points, depth_metres
from ood_perception.depth_placement import DepthError

METRES = np.array([[0.0, 1.5, 2.25], [65.535, 0.001, 7.0]])


def depth_message(encoding, big, padding=0):
    kind = {"16UC1": "u2", "mono16": "u2", "32FC1": "f4"}[encoding]
    values = METRES * 1000 if kind == "u2" else METRES
    dtype = np.dtype(kind).newbyteorder(">" if big else "<")
    rows = [row.round(6).astype(dtype).tobytes() + b"\xee" * padding for row in values]
    return SimpleNamespace(
        height=2,
        width=3,
        encoding=encoding,
        is_bigendian=int(big),
        step=3 * dtype.itemsize + padding,
        data=b"".join(rows),
    )


@pytest.mark.parametrize("padding", [0, 1, 4])
@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("encoding", ["16UC1", "mono16", "32FC1"])
def test_a_depth_image_is_read_in_metres(encoding, big, padding):
    found = depth_metres(depth_message(encoding, big, padding))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, METRES, rtol=1e-6)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"encoding": "bgr8"}, "encoding 'bgr8'.*16UC1"),
        ({"data": b"12"}, "cannot have 2 bytes"),
        ({"step": 2}, "with step 2"),
        ({"height": 0}, "3x0"),
    ],
)
def test_an_impossible_depth_image_is_refused(change, words):
    message = depth_message("16UC1", False)
    vars(message).update(change)
    with pytest.raises(DepthError, match=words):
        depth_metres(message)


def cloud_message(points, kind="f4", big=False, lead=4, row_padding=0, height=1):
    """x, y, z with something before and after them in each point."""
    dtype = np.dtype(kind).newbyteorder(">" if big else "<")
    width = len(points) // height
    number = {"f4": 7, "f8": 8}[kind]
    one = [b"\xaa" * lead + np.asarray(p).astype(dtype).tobytes() + b"\xbb" * 2 for p in points]
    rows = [
        b"".join(one[k * width : (k + 1) * width]) + b"\xcc" * row_padding for k in range(height)
    ]
    step = lead + 3 * dtype.itemsize + 2
    fields = [
        SimpleNamespace(name=n, offset=lead + k * dtype.itemsize, datatype=number, count=1)
        for k, n in enumerate("xyz")
    ]
    return SimpleNamespace(
        height=height,
        width=width,
        fields=fields,
        is_bigendian=big,
        point_step=step,
        row_step=step * width + row_padding,
        data=b"".join(rows),
    )


@given(
    points=st.lists(
        st.tuples(*[st.floats(-100, 100, width=32)] * 3), min_size=2, max_size=8
    ).filter(lambda entries: len(entries) % 2 == 0),
    kind=st.sampled_from(["f4", "f8"]),
    big=st.booleans(),
    lead=st.integers(0, 7),
    row_padding=st.integers(0, 5),
    height=st.sampled_from([1, 2]),
)
def test_the_points_of_a_cloud_are_read_whatever_its_layout(
    points, kind, big, lead, row_padding, height
):
    message = cloud_message(points, kind, big, lead, row_padding, height)
    np.testing.assert_array_equal(cloud_points(message), np.array(points))


def test_points_that_are_not_finite_are_left_out():
    message = cloud_message([(1, 2, 3), (np.nan, 0, 1), (4, np.inf, 6), (7, 8, 9)])
    np.testing.assert_array_equal(cloud_points(message), [[1, 2, 3], [7, 8, 9]])


def test_an_empty_cloud_has_no_points():
    assert cloud_points(cloud_message([])).shape == (0, 3)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"fields": []}, "a field x"),
        ({"data": b"1234"}, "cannot have 4 bytes"),
        ({"point_step": 4}, "points of 4 bytes"),
        ({"row_step": 3}, "3 a row"),
    ],
)
def test_an_impossible_cloud_is_refused(change, words):
    message = cloud_message([(1, 2, 3), (4, 5, 6)])
    vars(message).update(change)
    with pytest.raises(DepthError, match=words):
        cloud_points(message)
