"""ROS 2 bags in and out without ROS: the names that other modules use."""

from ood_perception.bag_reading import (
    BagImage,
    BagTopic,
    camera_name,
    choose_image_topic,
    list_topics,
    read_images,
)
from ood_perception.bag_writing import STORAGES, BagWriter
from ood_perception.video_to_bag import BagSummary, Intrinsics, make_bag

__all__ = [
    "STORAGES",
    "BagImage",
    "BagSummary",
    "BagTopic",
    "BagWriter",
    "Intrinsics",
    "camera_name",
    "choose_image_topic",
    "list_topics",
    "make_bag",
    "read_images",
]
