"""The managed node ood_perception: loads in configure, subscribes in activate."""

from __future__ import annotations

import sys
from threading import Event
from typing import TYPE_CHECKING, Any

from ood_perception.ros.stop_signal import catch_stop_signals

if TYPE_CHECKING:
    from ood_perception.ros.lifecycle_node import OodPerceptionNode

_SPIN_PERIOD_S = 0.1


def main(arguments: list[str] | None = None) -> int:
    """Runs the node until it is shut down or a SIGINT or SIGTERM comes; returns the exit code."""
    stop = catch_stop_signals()
    # What takes a second to import comes after the signals, which may come at any moment.
    import rclpy
    from rclpy.exceptions import ParameterException
    from rclpy.signals import SignalHandlerOptions

    from ood_perception.errors import OodError
    from ood_perception.ros.lifecycle_node import OodPerceptionNode

    if stop.is_set():
        return 0
    # rclpy's own handlers would invalidate the context under the feet of the last transition.
    rclpy.init(args=arguments, signal_handler_options=SignalHandlerOptions.NO)
    try:
        node = OodPerceptionNode()
    except (OodError, ParameterException) as error:
        print(f"ood_perception: {error}", file=sys.stderr)
        rclpy.shutdown()
        return 2
    try:
        spin(node, stop)
    finally:
        node.end()
        node.destroy_node()
        rclpy.shutdown()
    return 0


def spin(node: OodPerceptionNode, stop: Event) -> None:
    """Serves the node until it is to stop. A callback that raises costs that callback alone."""
    from rclpy.executors import SingleThreadedExecutor

    from ood_perception.ros.fault_barrier import FaultBarrier

    executor: Any = SingleThreadedExecutor(context=node.context)
    executor.add_node(node)
    if node.has_autostart and not stop.is_set():
        node.autostart()
    while not stop.is_set() and not node.is_finalized and node.context.ok():
        with FaultBarrier(node.survive):
            executor.spin_once(timeout_sec=_SPIN_PERIOD_S)
    executor.remove_node(node)
    executor.shutdown()


if __name__ == "__main__":
    sys.exit(main())
