"""Nodes that a thread of their own serves, beside a program that does something else."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, Thread
from typing import Any

from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node

_SPIN_PERIOD_S = 0.1
_STOP_TIMEOUT_S = 10.0


class NodeThread:
    """Serves nodes of one context from now on until ``stop``, or until their context ends."""

    def __init__(self, *nodes: Node) -> None:
        self._executor: Any = SingleThreadedExecutor(context=nodes[0].context)
        for node in nodes:
            self._executor.add_node(node)
        self._ended = Event()
        self._thread = Thread(target=self._spin, name=f"spin-{nodes[0].get_name()}", daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[], object]) -> None:
        """Has something done between callbacks, in the thread that serves the nodes."""
        self._executor.create_task(work)

    def stop(self) -> None:
        """Ends the thread after the callback at hand; the nodes are left to their owner."""
        # An executor that is shut down while its thread spins raises, or hangs until a time-out.
        self._ended.set()
        self._thread.join(_STOP_TIMEOUT_S)
        self._executor.shutdown(timeout_sec=_STOP_TIMEOUT_S)

    def _spin(self) -> None:
        while not self._ended.is_set():
            try:
                self._executor.spin_once(timeout_sec=_SPIN_PERIOD_S)
            except ExternalShutdownException:
                return
