"""Takes the messages of one bag over into another one, as they are."""

from __future__ import annotations

from pathlib import Path

from rosbags.interfaces import Connection, MessageDefinitionFormat
from rosbags.rosbag2 import Reader
from rosbags.typesys import Stores, TypesysError, get_types_from_msg, get_typestore

from ood_perception.bag_reading import iterate
from ood_perception.bag_writing import BagWriter
from ood_perception.message_types import message_typestore


class TopicCopier:
    """Copies an open bag's messages in the order of their recording, up to a given time each call.

    prefix: topics that start with it stay behind. A topic whose message type is defined nowhere
    cannot be copied; ``notes`` then has a line about it.
    """

    def __init__(self, bag: Path | str, reader: Reader, writer: BagWriter, prefix: str) -> None:
        self._writer = writer
        self.notes: list[str] = []
        connections = [c for c in reader.connections if self._announce(c, prefix)]
        self._messages = iterate(bag, reader, connections)
        self._next = next(self._messages, None)

    def copy_until(self, time_ns: int | None = None) -> None:
        """Copies what was recorded up to this time, or all that remains."""
        while self._next is not None:
            connection, recorded_ns, raw = self._next
            if time_ns is not None and recorded_ns > time_ns:
                return
            self._writer.write_serialised(connection.topic, connection.msgtype, recorded_ns, raw)
            self._next = next(self._messages, None)

    def _announce(self, connection: Connection, prefix: str) -> bool:
        if connection.topic.startswith(prefix):
            self.notes.append(f"topic {connection.topic} is not copied: it is written anew")
            return False
        definition = _definition(connection)
        if definition is None:
            self.notes.append(
                f"topic {connection.topic} is not copied: the bag does not define its type "
                f"{connection.msgtype}"
            )
            return False
        self._writer.add_foreign_topic(connection, *definition)
        return True


def _definition(connection: Connection) -> tuple[str, str] | None:
    """A message type's definition and hash, from the bag itself or, in older bags, from ROS 2."""
    definition, type_hash = connection.msgdef.data, connection.digest
    if definition and type_hash:
        return definition, type_hash
    try:
        if connection.msgdef.format is MessageDefinitionFormat.MSG:
            store = get_typestore(Stores.EMPTY)
            store.register(get_types_from_msg(definition, connection.msgtype))
            return definition, store.hash_rihs01(connection.msgtype)
        if connection.msgtype in message_typestore().fielddefs:
            store = message_typestore()
            text, _ = store.generate_msgdef(connection.msgtype, ros_version=2)
            return text, store.hash_rihs01(connection.msgtype)
    except (TypesysError, KeyError):
        return None
    return None
