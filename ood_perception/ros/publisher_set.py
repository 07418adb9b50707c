"""Publishers that come and go together."""

from __future__ import annotations

from typing import Any

from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile


class PublisherSet:
    """Lifecycle publishers of which a node has all or none."""

    def __init__(self, node: LifecycleNode) -> None:
        self._node = node
        self._made: list[Any] = []

    def create(self, kind: type, topic: str, qos: QoSProfile) -> Any:
        """Another publisher. Where it cannot be made, those made before leave the graph, too, and
        what rclpy raised passes through."""
        try:
            publisher = self._node.create_lifecycle_publisher(kind, topic, qos)
        except BaseException:
            self.destroy()
            raise
        self._made.append(publisher)
        return publisher

    def destroy(self) -> None:
        """Takes all their topics off the graph."""
        while self._made:
            self._node.destroy_lifecycle_publisher(self._made.pop())
