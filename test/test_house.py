"""The rules of the house that a program can see: import directions, file sizes, nothing pickled."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MAX_LINES = 300
MAX_TEST_LINES = 300
ROS_MODULES = {
    "ament_index_python",
    "builtin_interfaces",
    "cv_bridge",
    "diagnostic_updater",
    "launch",
    "launch_ros",
    "ood_detection",
    "rclpy",
    "tf2_ros",
}
PICKLES = {"cloudpickle", "dill", "joblib", "marshal", "pickle", "shelve"}
# Modules that the training side brings and a vehicle does not have.
TRAINING_MODULES = {
    "interpret",
    "onnx2pytorch",
    "ood_training",
    "onnxscript",
    "pyarrow",
    "segmentation_models_pytorch",
    "sklearn",
    "timm",
    "torch",
    "torchvision",
}


def sources(*folders: str) -> list[Path]:
    """Python files below the folders."""
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def in_ros(path: Path) -> bool:
    return path.is_relative_to(ROOT / "ood_perception/ros")


def core() -> list[Path]:
    """The part of ood_perception that knows nobody."""
    return [path for path in sources("ood_perception") if not in_ros(path)]


def nodes(path: Path) -> Iterator[ast.AST]:
    return ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path)))


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """(line, full module name) of every import, in functions and by name in a string too."""
    for node in nodes(path):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            source = absolute(path, node)
            yield from ((node.lineno, f"{source}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call) and called(node) in {"import_module", "__import__"}:
            first = node.args[0]
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield node.lineno, first.value


def absolute(path: Path, node: ast.ImportFrom) -> str:
    """The module that a `from ... import` names, a relative one resolved."""
    folders = path.relative_to(ROOT).parts[:-1]
    start = folders[: len(folders) - node.level + 1] if node.level else ()
    return ".".join((*start, *filter(None, [node.module])))


def called(node: ast.Call) -> str:
    """The last part of a called function's name."""
    function = node.func
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def is_ros(module: str) -> bool:
    top = module.partition(".")[0]
    return top in ROS_MODULES or top.endswith(("_msgs", "_srvs"))


def offences(paths: list[Path], is_forbidden) -> list[str]:
    """'file:line: module' of each import that is_forbidden(module) says yes to."""
    assert paths, "no sources found: the test would protect nothing"
    return [
        f"{path.relative_to(ROOT)}:{line}: {module}"
        for path in paths
        for line, module in imported(path)
        if is_forbidden(module)
    ]


def test_core_and_training_do_not_import_ros():
    paths = core() + sources("ood_training")
    assert (
        offences(paths, lambda module: is_ros(module) or within(module, "ood_perception.ros")) == []
    )


def test_runtime_does_not_import_training():
    paths = [p for p in sources("ood_perception") if p != ROOT / "ood_perception/cli.py"]
    assert offences(paths, lambda module: module.partition(".")[0] in TRAINING_MODULES) == []


def test_command_line_reaches_training_only_by_its_package():
    others = TRAINING_MODULES - {"ood_training"}
    command_line = [ROOT / "ood_perception/cli.py"]
    assert offences(command_line, lambda module: module.partition(".")[0] in others) == []


def test_nothing_imports_the_tests_or_the_set_up():
    outside = {"conftest", "scripts", "set_up", "test"}
    paths = sources("ood_perception", "ood_training")
    assert offences(paths, lambda module: module.partition(".")[0] in outside) == []


def within(module: str, package: str) -> bool:
    return module == package or module.startswith(package + ".")


def test_core_imports_where_neither_ros_nor_training_is_installed():
    """What the syntax tree cannot see: a forbidden import that comes in through another package."""
    modules = sorted(module_name(path) for path in core())
    code = f"""
import importlib, sys

class Without:
    def __init__(self, finder):
        self.finder = finder

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {sorted(ROS_MODULES | TRAINING_MODULES)!r}:
            return None
        return self.finder.find_spec(name, path, target)

sys.meta_path[:] = map(Without, sys.meta_path)
for module in {modules!r}:
    importlib.import_module(module)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@pytest.mark.parametrize(
    "folder",
    ["ood_perception", "ood_training", "benchmarks", "scripts", "test", "launch", "examples"],
)
def test_files_hold_one_concept(folder):
    limit = MAX_TEST_LINES if folder == "test" else MAX_LINES
    long = {
        str(path.relative_to(ROOT)): lines
        for path in sources(folder)
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > limit
    }
    assert long == {}


def test_nothing_is_pickled():
    paths = sources("ood_perception", "ood_training", "scripts", "test", "launch")
    assert offences(paths, lambda module: module.partition(".")[0] in PICKLES) == []


def test_loaders_execute_nothing_from_a_file():
    """Pickles in numpy.load, torch.load without weights_only, yaml.load without a safe loader."""
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sources("ood_perception", "ood_training", "scripts", "launch")
        for node in nodes(path)
        if isinstance(node, ast.Call) and is_unsafe_load(node)
    ]
    assert found == []


def is_unsafe_load(node: ast.Call) -> bool:
    keywords = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
    if keywords.get("allow_pickle", "False") != "False":
        return True
    function = ast.unparse(node.func)
    if function == "torch.load":
        return keywords.get("weights_only") != "True"
    if function in {"yaml.load", "yaml.load_all"}:
        return "Safe" not in keywords.get("Loader", "".join(map(ast.unparse, node.args[1:])))
    return function.startswith("yaml.") and "unsafe" in function


@pytest.mark.parametrize(
    ("call", "unsafe"),
    [
        ("np.load(path)", False),
        ("np.load(path, allow_pickle=True)", True),
        ("torch.load(path)", True),
        ("torch.load(path, weights_only=True)", False),
        ("yaml.load(text)", True),
        ("yaml.load(text, Loader=yaml.CSafeLoader)", False),
        ("yaml.safe_load(text)", False),
        ("yaml.unsafe_load(text)", True),
    ],
)
def test_the_rule_about_loaders_sees_what_it_should(call, unsafe):
    node = ast.parse(call, mode="eval").body
    assert isinstance(node, ast.Call)
    assert is_unsafe_load(node) is unsafe


def test_no_handler_swallows_everything():
    """A bare `except` hides defects; one that raises again, for a typed error, does not."""
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sources("ood_perception", "ood_training", "scripts")
        for node in nodes(path)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or ast.unparse(node.type) in {"Exception", "BaseException"})
        and not any(isinstance(inner, ast.Raise) for inner in ast.walk(node))
    ]
    assert found == []
