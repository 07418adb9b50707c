"""Subscribes images with the reliability that their publishers offer, and follows when it changes.

A best-effort subscription of a reliable publisher would lose large images for nothing; a reliable
one of a best-effort publisher would get none.
"""

from __future__ import annotations

from collections.abc import Callable

from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy

from ood_perception.ros.following_subscription import FollowingSubscription, Offers

# Bridges the executor's short absences; older frames are replaced, and counted, in the slot.
_QUEUE_DEPTH = 30
_BY_NAME = {
    "reliable": QoSProfile(depth=_QUEUE_DEPTH, reliability=ReliabilityPolicy.RELIABLE),
    "best_effort": QoSProfile(depth=_QUEUE_DEPTH, reliability=ReliabilityPolicy.BEST_EFFORT),
}


class ImageSubscription(FollowingSubscription):
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
        self._wish = reliability
        super().__init__(node, message_type, topic, self._wanted, receive, raw=True, lose=lose)

    @property
    def reliability(self) -> str:
        """The reliability in use: "reliable" or "best_effort"."""
        return next(name for name, profile in _BY_NAME.items() if profile == self.profile)

    def _wanted(self, offers: Offers, current: QoSProfile | None) -> QoSProfile:
        if self._wish in _BY_NAME:
            return _BY_NAME[self._wish]
        offered = {offer.reliability for offer in offers}
        if ReliabilityPolicy.BEST_EFFORT in offered:
            return _BY_NAME["best_effort"]
        if offered or current is None:
            # Before anyone publishes: a reliable publisher then loses no image to a change.
            return _BY_NAME["reliable"]
        return current
