"""ROS 2 from wheels: the environment that such a virtual environment needs, and a repair of it."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

# The wheels' CMake files name the folders of the machine that built them.
_PYTHON_FOLDER = r"/opt/python/[^/;\"]+"
_PYTHON_INCLUDE = re.compile(_PYTHON_FOLDER + r"/include/python3\.\d+")
_NUMPY_INCLUDE = re.compile(_PYTHON_FOLDER + r"/lib/[^;\"]+/site-packages/numpy/_?core/include")
_ROS_VARIABLES = ("AMENT_PREFIX_PATH", "CMAKE_PREFIX_PATH", "COLCON_PREFIX_PATH", "PYTHONPATH")


def environment(venv: Path) -> dict[str, str]:
    """The variables of this process without any other ROS, with the wheels in ``venv``."""
    variables = {name: value for name, value in os.environ.items() if name not in _ROS_VARIABLES}
    variables["AMENT_PREFIX_PATH"] = variables["CMAKE_PREFIX_PATH"] = str(venv)
    for name, folder in (("LD_LIBRARY_PATH", venv / "lib"), ("PATH", venv / "bin")):
        variables[name] = os.pathsep.join(filter(None, (str(folder), os.environ.get(name))))
    return variables


def repair(venv: Path) -> int:
    """Points the CMake files in ``venv`` at its own Python and NumPy headers.

    Returns the number of files changed; 0 when they were right already. Raises FileNotFoundError
    when the headers of Python are not installed.
    """
    code = "import numpy as n, sysconfig as s; print(s.get_path('include')); print(n.get_include())"
    found = subprocess.run(
        [venv / "bin/python", "-c", code],
        check=True,
        capture_output=True,
        text=True,
        env=environment(venv),
    )
    python_include, numpy_include = found.stdout.splitlines()
    if not Path(python_include, "Python.h").is_file():
        raise FileNotFoundError(f"{python_include}/Python.h")
    changed = 0
    for path in venv.glob("share/*/cmake/*.cmake"):
        before = path.read_text(encoding="utf-8")
        after = _NUMPY_INCLUDE.sub(lambda _: numpy_include, before)
        after = _PYTHON_INCLUDE.sub(lambda _: python_include, after)
        if after != before:
            path.write_text(after, encoding="utf-8")
            changed += 1
    return changed
