"""The ROS 2 node: everything that imports rclpy."""
