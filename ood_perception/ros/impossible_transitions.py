"""A transition that is impossible in the present state is answered with "no", not with the end.

rclpy lets the state machine's error escape from its service: the executor would raise, a process
without a barrier would end, and whoever asked would wait for ever.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.lifecycle import LifecycleNode

from ood_perception.ros.fault_barrier import FaultBarrier


def refuse_impossible_transitions(node: LifecycleNode, report: Callable[[str], None]) -> None:
    """Makes the service change_state answer every request. report: told of each one refused."""
    service = getattr(node, "_service_change_state", None)
    if service is None:
        return  # another rclpy: its own affair
    answer = service.callback

    def answer_all(request: Any, response: Any) -> Any:
        def refuse(fault: Exception) -> None:
            transition = request.transition.label or request.transition.id
            report(f"transition {transition} is impossible in this state")
            response.success = False

        with FaultBarrier(refuse):
            return answer(request, response)
        return response

    service.callback = answer_all
