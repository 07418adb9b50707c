"""Subscribes camera_info with what its publishers offer, so that a latched one arrives too.

Some drivers publish camera_info once, latched (transient local), long before the node is active.
Only a subscription that asks for what was published earlier is given it; one that asks this of a
volatile publisher would get nothing at all.
"""

from __future__ import annotations

from collections.abc import Callable

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo

from ood_perception.ros.following_subscription import FollowingSubscription, Offers

# Best effort receives from both kinds of publishers, and the next camera_info is never far.
_PASSING = QoSProfile(
    depth=1, reliability=ReliabilityPolicy.BEST_EFFORT, durability=DurabilityPolicy.VOLATILE
)
# What was published earlier is sent again only to a reliable subscription.
_LATCHED = QoSProfile(
    depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL
)


def info_subscription(
    node: Node, topic: str, receive: Callable[[CameraInfo], None]
) -> FollowingSubscription:
    """The subscription of one camera's camera_info."""
    return FollowingSubscription(node, CameraInfo, topic, choose_info_profile, receive)


def choose_info_profile(offers: Offers, current: QoSProfile | None) -> QoSProfile:
    """Latched where every publisher is, as one that is not would otherwise stay unheard."""
    if not offers:
        return current or _PASSING
    return _LATCHED if all(map(_is_latched, offers)) else _PASSING


def _is_latched(offer: QoSProfile) -> bool:
    return (
        offer.durability == DurabilityPolicy.TRANSIENT_LOCAL
        and offer.reliability == ReliabilityPolicy.RELIABLE
    )
