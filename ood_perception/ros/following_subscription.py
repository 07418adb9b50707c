"""A subscription that asks for what its publishers offer, and is made anew when that changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.executors import InvalidHandle  # its own module differs between releases
from rclpy.node import Node
from rclpy.qos import QoSProfile

try:
    from rclpy.event_handler import SubscriptionEventCallbacks, UnsupportedEventTypeError
except ImportError:  # Humble
    from rclpy.qos_event import SubscriptionEventCallbacks, UnsupportedEventTypeError

Offers = list[QoSProfile]
"""The profile of every publisher of a topic that is known at the moment."""

Choice = Callable[[Offers, QoSProfile | None], QoSProfile]
"""From the publishers' offers (none: nobody publishes yet, or any more) and the profile in use
(None: not subscribed) to the profile to use."""


class FollowingSubscription:
    """One subscription; none before the first ``refresh`` and after ``destroy``.

    receive: called with each message, as ``bytes`` where raw. lose: called with the number of
    messages that the middleware reports as lost on the way.
    """

    def __init__(
        self,
        node: Node,
        message_type: type,
        topic: str,
        choose: Choice,
        receive: Callable[[Any], None],
        *,
        raw: bool = False,
        lose: Callable[[int], None] = lambda count: None,
    ) -> None:
        self._node = node
        self._message_type = message_type
        self._topic = topic
        self._choose = choose
        self._receive = receive
        self._raw = raw
        self._lose = lose
        self._subscription: Any = None
        self.profile: QoSProfile | None = None

    def refresh(self) -> None:
        """Looks the publishers up and subscribes anew where they offer something else now."""
        topic = self._node.resolve_topic_name(self._topic)
        publishers = self._node.get_publishers_info_by_topic(topic)
        wanted = self._choose([publisher.qos_profile for publisher in publishers], self.profile)
        if wanted == self.profile:
            return
        self.destroy()
        events = SubscriptionEventCallbacks(
            # Another callback than rclpy's own, whose warning would be wrong: refresh follows.
            incompatible_qos=lambda _: None,
            message_lost=self._count_lost,
        )
        try:
            self._subscription = self._subscribe(wanted, events)
        except UnsupportedEventTypeError:
            events = SubscriptionEventCallbacks(use_default_callbacks=False)
            self._subscription = self._subscribe(wanted, events)
        self.profile = wanted

    def destroy(self) -> None:
        """Ends the subscription."""
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
        self._subscription, self.profile = None, None

    def take_waiting(self) -> None:
        """Receives here and now what has arrived and waits for the executor."""
        subscription = self._subscription
        if subscription is None or self.profile is None:
            return
        try:
            with subscription.handle:
                for _ in range(self.profile.depth):
                    taken = subscription.handle.take_message(
                        subscription.msg_type, subscription.raw
                    )
                    if taken is None:
                        return
                    self._receive(taken[0])
        except InvalidHandle:  # destroyed in this moment
            return

    def _subscribe(self, qos: QoSProfile, events: SubscriptionEventCallbacks) -> Any:
        return self._node.create_subscription(
            self._message_type,
            self._topic,
            self._receive,
            qos,
            raw=self._raw,
            event_callbacks=events,
        )

    def _count_lost(self, event: Any) -> None:
        self._lose(event.total_count_change)
