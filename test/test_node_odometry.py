"""Odometry over DDS: what is hidden under the image is held until the vehicle has reached it."""

from types import SimpleNamespace

import pytest

pytestmark = pytest.mark.ros


@pytest.fixture
def nodes():
    """A node that takes odometry and a client that gives it, spun by the test."""
    import rclpy
    from rclpy.executors import SingleThreadedExecutor

    context = rclpy.Context()
    rclpy.init(context=context)
    taker = rclpy.create_node("taker", context=context)
    giver = rclpy.create_node("giver", context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(taker)
    executor.add_node(giver)
    yield SimpleNamespace(taker=taker, giver=giver, spin=executor.spin_once)
    executor.shutdown()
    taker.destroy_node()
    giver.destroy_node()
    rclpy.shutdown(context=context)


def test_speeds_over_dds_become_poses_at_the_stamps_of_images(nodes):
    from geometry_msgs.msg import TwistStamped

    from ood_perception.ros.odometry import OdometryInput

    odometry = OdometryInput(nodes.taker, "twist")
    odometry.start()
    speeds = nodes.giver.create_publisher(TwistStamped, "/taker/odometry", 50)
    message = TwistStamped()
    message.twist.linear.x, message.twist.angular.z = 10.0, 0.0
    last_ns = 0
    for k in range(300):
        if not speeds.get_subscription_count():
            nodes.spin(timeout_sec=0.05)
            continue
        last_ns = (k + 1) * 20_000_000
        message.header.stamp.sec, message.header.stamp.nanosec = divmod(last_ns, 1_000_000_000)
        speeds.publish(message)
        nodes.spin(timeout_sec=0.05)
        if odometry.pose_at(last_ns - 10_000_000) is not None and odometry.pose_at(last_ns):
            break
    earlier = odometry.pose_at(last_ns - 10_000_000)
    later = odometry.pose_at(last_ns + 40_000_000)
    assert later.x_m - earlier.x_m == pytest.approx(0.5), "10 m/s over 50 ms"
    assert odometry.pose_at(last_ns + 1_000_000_000) is None
    odometry.destroy()


def test_without_odometry_nothing_is_subscribed_and_nothing_told(nodes):
    from ood_perception.ros.odometry import OdometryInput

    odometry = OdometryInput(nodes.taker, "none")
    odometry.start()
    assert odometry.pose_at(0) is None
    assert not any("odometry" in name for name, _ in nodes.taker.get_topic_names_and_types())
    odometry.destroy()


def test_a_missing_message_package_is_named(nodes, monkeypatch):
    from ood_perception.errors import OodError
    from ood_perception.ros import odometry

    monkeypatch.setattr(odometry.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(OodError, match=r"ros-.*-nav-msgs"):
        odometry.OdometryInput(nodes.taker, "odometry").start()
