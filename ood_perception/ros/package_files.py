"""Where the files lie that come with the package, whatever way it was installed.

A checkout, `pip install -e` and `colcon build --symlink-install` have them beside the Python
package; an ordinary colcon build puts them into the ROS package's share folder.
"""

from __future__ import annotations

import os
from pathlib import Path

from ament_index_python.packages import PackageNotFoundError, get_package_share_directory

from ood_perception.errors import OodError

PACKAGE = "ood_detection"
PROFILE = "config/fastdds_profile.xml"
_PROFILE_VARIABLES = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")


def package_file(name: str) -> Path:
    """Path of a file or folder such as ``config/ood_perception.yaml``.

    Raises:
        OodError: it is neither beside the Python package nor in the ROS package's share folder.
    """
    beside = Path(__file__).resolve().parents[2] / name
    if beside.exists():
        return beside
    try:
        shared = Path(get_package_share_directory(PACKAGE)) / name
    except PackageNotFoundError as error:
        raise OodError(
            f"{name} is not beside {Path(__file__).resolve().parents[1]} and the ROS package "
            f"{PACKAGE} is not found: source the workspace's install/setup.bash"
        ) from error
    if not shared.exists():
        raise OodError(f"{shared} is missing: build the package {PACKAGE} again")
    return shared


def bundle_folder(bundle: str) -> Path:
    """The folder of a model that was given as a path or as a name in ``models/``.

    A path that exists is taken as such. Raises OodError when no such folder is found.
    """
    if not bundle:
        raise OodError("the parameter bundle is empty: give a model's folder or name")
    given = Path(bundle).expanduser()
    if given.exists() or given.is_absolute() or len(given.parts) > 1:
        return given
    models = package_file("models")
    if (models / bundle).is_dir():
        return models / bundle
    known = ", ".join(sorted(path.name for path in models.iterdir() if path.is_dir())) or "none"
    raise OodError(f"no bundle {bundle!r}: not a folder here, nor in {models} (there: {known})")


def use_large_image_profile() -> None:
    """Gives Fast DDS the shared memory that images need, unless a profile is named already.

    A profile named for one release of Fast DDS is taken for the others, too. Has to be called
    before rclpy is initialised; other middleware does not look at it.
    """
    named = [os.environ[name] for name in _PROFILE_VARIABLES if os.environ.get(name)]
    profile = named[0] if named else str(package_file(PROFILE))
    for name in _PROFILE_VARIABLES:
        os.environ.setdefault(name, profile)
