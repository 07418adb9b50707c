"""Subscribes images with the reliability that their publishers offer, and follows when it changes.

A best-effort subscription of a reliable publisher would lose large images for nothing; a reliable
one of a best-effort publisher would get none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy

try:
    from rclpy.event_handler import SubscriptionEventCallbacks, UnsupportedEventTypeError
except ImportError:  # Humble
    from rclpy.qos_event import SubscriptionEventCallbacks, UnsupportedEventTypeError

# Bridges the executor's short absences; older frames are replaced, and counted, in the slot.
_QUEUE_DEPTH = 30
_BY_NAME = {
    "reliable": ReliabilityPolicy.RELIABLE,
    "best_effort": ReliabilityPolicy.BEST_EFFORT,
}


class ImageSubscription:
    """One subscription that gives serialised messages (``bytes``) to ``receive``.

    reliability: "reliable", "best_effort" or "auto". lose: called with the number of images that
    the middleware reports as lost on the way.
    """

    def __init__(
        self,
        node: Node,
        message_type: type,
        topic: str,
        reliability: str,
        *,
        receive: Callable[[bytes], None],
        lose: Callable[[int], None],
    ) -> None:
        self._node = node
        self._message_type = message_type
        self._topic = topic
        self._wish = reliability
        self._receive = receive
        self._lose = lose
        self._subscription: Any = None
        self._reliability: ReliabilityPolicy | None = None
        self.refresh()

    @property
    def reliability(self) -> str:
        """The reliability in use: "reliable" or "best_effort"."""
        return next(name for name, policy in _BY_NAME.items() if policy == self._reliability)

    def refresh(self) -> None:
        """Looks the publishers up and subscribes anew where they offer something else now."""
        wanted = self._wanted()
        if wanted == self._reliability:
            return
        self.destroy()
        self._reliability = wanted
        qos = QoSProfile(depth=_QUEUE_DEPTH, reliability=wanted)
        events = SubscriptionEventCallbacks(
            # Another callback than rclpy's own, whose warning would be wrong: refresh follows.
            incompatible_qos=lambda _: None,
            message_lost=self._count_lost,
        )
        try:
            self._subscription = self._subscribe(qos, events)
        except UnsupportedEventTypeError:
            events = SubscriptionEventCallbacks(use_default_callbacks=False)
            self._subscription = self._subscribe(qos, events)

    def destroy(self) -> None:
        """Ends the subscription."""
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
        self._subscription, self._reliability = None, None

    def _subscribe(self, qos: QoSProfile, events: SubscriptionEventCallbacks) -> Any:
        return self._node.create_subscription(
            self._message_type, self._topic, self._receive, qos, raw=True, event_callbacks=events
        )

    def _count_lost(self, event: Any) -> None:
        self._lose(event.total_count_change)

    def _wanted(self) -> ReliabilityPolicy:
        if self._wish in _BY_NAME:
            return _BY_NAME[self._wish]
        publishers = self._node.get_publishers_info_by_topic(self._resolved_topic())
        offered = {publisher.qos_profile.reliability for publisher in publishers}
        if ReliabilityPolicy.BEST_EFFORT in offered:
            return ReliabilityPolicy.BEST_EFFORT
        if offered or self._reliability is None:
            # Before anyone publishes: a reliable publisher then loses no image to a change.
            return ReliabilityPolicy.RELIABLE
        return self._reliability

    def _resolved_topic(self) -> str:
        return str(self._node.resolve_topic_name(self._topic))
