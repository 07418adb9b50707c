"""rclpy remembers every subscription, publisher and timer ever made; this forgets the dead.

A callback group (rclpy up to Jazzy at least) keeps a weak reference to each entity and to each of
its event handlers, and drops none when they are destroyed: 80 bytes for each handler, and a set
that grows with them, for as long as the node is configured, activated and followed anew.
"""

from __future__ import annotations

from rclpy.callback_groups import CallbackGroup


def forget_destroyed(group: CallbackGroup) -> int:
    """Drops the references to what no longer exists; how many. From the executor's thread only."""
    dead = [reference for reference in group.entities if reference() is None]
    group.entities.difference_update(dead)
    return len(dead)
