"""The package's own message types come from its .msg files, wherever they are installed."""

import pytest

from ood_perception import message_types
from ood_perception.errors import BagError
from ood_perception.message_types import (
    OBSTACLES_TYPE,
    definitions_folder,
    make_message,
    message_typestore,
)


def test_the_own_messages_come_from_the_msg_files():
    store = message_typestore()
    for name in ("ObstacleComponent", "ObstacleComponentArray"):
        lines = (definitions_folder() / f"{name}.msg").read_text().splitlines()
        code = [line.split("#")[0].split() for line in lines]
        names = [words[1] for words in code if len(words) == 2 and "=" not in words[1]]
        assert [field for field, _ in store.fielddefs[f"ood_detection/msg/{name}"][1]] == names


def test_a_message_with_a_missing_field_is_not_made():
    with pytest.raises(KeyError, match="ground_frame_id"):
        make_message(
            OBSTACLES_TYPE, {"header": {"stamp": {"sec": 0, "nanosec": 0}, "frame_id": ""}}
        )


@pytest.mark.parametrize("by_environment", [False, True])
def test_the_msg_files_of_an_installed_package_are_found(tmp_path, monkeypatch, by_environment):
    prefix = tmp_path / "prefix"
    share = prefix / "share" / "ood_detection" / "msg"
    module = prefix / "lib" / "python3" / "site-packages" / "ood_perception" / "message_types.py"
    monkeypatch.delenv("AMENT_PREFIX_PATH", raising=False)
    if by_environment:
        module = tmp_path / "elsewhere" / "ood_perception" / "message_types.py"
        monkeypatch.setenv("AMENT_PREFIX_PATH", f"/nowhere:{prefix}")
    source = definitions_folder()
    monkeypatch.setattr(message_types, "__file__", str(module))
    with pytest.raises(BagError, match="not installed"):
        definitions_folder()
    share.mkdir(parents=True)
    for file in source.glob("*.msg"):
        (share / file.name).write_text(file.read_text())
    assert definitions_folder() == share
