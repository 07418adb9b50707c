"""The managed node ood_perception: loads in configure, subscribes in activate."""

from __future__ import annotations

import signal
import sys
from threading import Event
from typing import Any

import rclpy
from rclpy.exceptions import ParameterException
from rclpy.executors import SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions

from ood_perception.errors import OodError
from ood_perception.ros.lifecycle_node import OodPerceptionNode

_SPIN_PERIOD_S = 0.1


def main(arguments: list[str] | None = None) -> int:
    """Runs the node until it is shut down or a SIGINT or SIGTERM comes; returns the exit code."""
    stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    # rclpy's own handlers would invalidate the context under the feet of the last transition.
    rclpy.init(args=arguments, signal_handler_options=SignalHandlerOptions.NO)
    try:
        node = OodPerceptionNode()
    except (OodError, ParameterException) as error:
        print(f"ood_perception: {error}", file=sys.stderr)
        rclpy.shutdown()
        return 2
    try:
        _spin(node, stop)
    finally:
        node.end()
        node.destroy_node()
        rclpy.shutdown()
    return 0


def _spin(node: OodPerceptionNode, stop: Event) -> None:
    executor: Any = SingleThreadedExecutor()
    executor.add_node(node)
    if node.has_autostart:
        node.autostart()
    while not stop.is_set() and not node.is_finalized:
        executor.spin_once(timeout_sec=_SPIN_PERIOD_S)
    executor.remove_node(node)
    executor.shutdown()


if __name__ == "__main__":
    sys.exit(main())
