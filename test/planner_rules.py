"""What planners do to an obstacle cloud before they believe it, re-stated from their documentation.

Autoware's autonomous emergency braking (the releases that take a point cloud; defaults of its
parameters): the cloud is clipped to heights between 0 and the vehicle's, merged in voxels of
0.05 x 0.05 m without a limit in height (each becomes the mean of its points; the variant that
filters on the GPU has 0.1 x 0.1 x 0.5 m), and grouped with a tolerance of 0.15 m; a group counts
from 10 voxels on, up to 10,000, when one of them is higher than 0.1 m. The nearest point of the
groups is the obstacle; its speed is the way that point went between two clouds, over the time
between their stamps.

Nav2's collision monitor: points between min_height 0.05 m and max_height 0.5 m, and inside a
polygon, count; from min_points 4 on it acts. A source whose last stamp is older than
source_timeout makes it stop; an empty, fresh cloud is a clear road.
"""

from __future__ import annotations

import numpy as np

VEHICLE_HEIGHT_M = 2.5
VOXELS_M = (0.05, 0.1)
TOLERANCE_M, MIN_HEIGHT_M = 0.15, 0.1
MIN_VOXELS, MAX_VOXELS = 10, 10_000
MONITOR_HEIGHTS_M, MONITOR_POINTS = (0.05, 0.5), 4
FLOAT32 = 7


def points_of(cloud):
    """(n, 3) float64 x, y, z of a PointCloud2, found by the fields that it declares."""
    fields = {field.name: field for field in cloud.fields}
    assert all(fields[name].datatype == FLOAT32 for name in "xyz")
    order = ">f4" if cloud.is_bigendian else "<f4"
    rows = np.frombuffer(bytes(cloud.data), np.uint8).reshape(-1, cloud.point_step)
    assert len(rows) == cloud.width * cloud.height
    columns = [
        np.ascontiguousarray(rows[:, fields[name].offset : fields[name].offset + 4]).view(order)
        for name in "xyz"
    ]
    return np.concatenate(columns, axis=1).astype(np.float64)


def braking_voxels(points, voxel_m=VOXELS_M[0]):
    """The mean of the points in each voxel, up to the vehicle's height."""
    points = points[(points[:, 2] >= 0) & (points[:, 2] <= VEHICLE_HEIGHT_M)]
    cells, index = np.unique(np.floor(points[:, :2] / voxel_m), axis=0, return_inverse=True)
    index = index.ravel()
    sums = np.stack([np.bincount(index, points[:, axis], len(cells)) for axis in range(3)], axis=1)
    return sums / np.bincount(index, minlength=len(cells))[:, None]


def braking_groups(points, voxel_m=VOXELS_M[0]):
    """The groups of voxels that the emergency braking takes for obstacles, largest first."""
    voxels = braking_voxels(points, voxel_m)
    near = np.linalg.norm(voxels[:, None] - voxels[None], axis=2) <= TOLERANCE_M
    group = np.arange(len(voxels))
    for _ in voxels:  # the lowest number spreads through each group
        group = np.where(near, group[None], len(voxels)).min(axis=1)
    members = [voxels[group == g] for g in np.unique(group)]
    counted = [
        m for m in members if MIN_VOXELS <= len(m) <= MAX_VOXELS and m[:, 2].max() > MIN_HEIGHT_M
    ]
    return sorted(counted, key=len, reverse=True)


def braking_speed(before, before_s, now, now_s):
    """The obstacle's speed against the vehicle, metres a second; None unless the stamps differ."""
    if now_s <= before_s:
        return None
    nearest = [min(g[:, 0].min() for g in braking_groups(points)) for points in (before, now)]
    return (nearest[0] - nearest[1]) / (now_s - before_s)


def monitor_acts(points, length_m=40.0, half_width_m=1.5):
    """Whether the collision monitor's polygon ahead of the vehicle holds enough points."""
    low, high = MONITOR_HEIGHTS_M
    inside = (points[:, 2] >= low) & (points[:, 2] <= high)
    inside &= (points[:, 0] >= 0) & (points[:, 0] <= length_m)
    inside &= np.abs(points[:, 1]) <= half_width_m
    return int(inside.sum()) >= MONITOR_POINTS
