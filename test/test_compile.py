"""`ood compile`: both graphs of a bundle, target by target, found again, refused in one line."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from color_bundle import color_image, color_manifest, color_network, write_color_bundle
from onnx import TensorProto, helper
from tensorrt_stand_in import GPU_NAME, make_modules, stand_in_build
from typer.testing import CliRunner

from ood_perception.backends.engine_cache import EngineCache
from ood_perception.bundle import load_bundle, write_bundle
from ood_perception.cli import app
from ood_perception.engine_compile import Target, ahead_of_time, compile_bundle
from ood_perception.errors import BackendError, OodError

GENERATED = Path(__file__).resolve().parent.parent / "models" / "generated"
needs_tensorrt_rtx = pytest.mark.skipif(
    importlib.util.find_spec("tensorrt_rtx") is None,
    reason="tensorrt_rtx is not installed: run `make test`, or `pip install tensorrt-rtx-cu13`",
)


@pytest.fixture
def stand_in():
    """A library that is never called: the build stands in too."""
    return make_modules("tensorrt_rtx")[0]


def compiled(bundle, cache, library, targets=("sm_86",), precision="fp32", **more):
    wanted = [Target(library, target) for target in targets]
    more = {"build": stand_in_build, "say": lambda _: None, **more}
    engines = compile_bundle(bundle, wanted, precision, cache, **more)
    return [(e.graph, e.request.target, e.request.precision, e.entry.built) for e in engines]


def test_both_graphs_are_built_for_every_target_and_found_again(tmp_path, stand_in):
    bundle, cache = write_color_bundle(tmp_path / "color"), EngineCache(tmp_path / "engines")
    both = ("sm_86", "sm_89")
    first = compiled(bundle, cache, stand_in, both)
    assert first == [
        (graph, target, "fp32", True)
        for target in both
        for graph in ("network.onnx", "meta_classifier.onnx")
    ]
    again = compiled(bundle, cache, stand_in, both)
    assert again == [(*engine[:3], False) for engine in first]


def test_a_byte_of_the_graph_the_target_and_the_gpu_build_anew(tmp_path, stand_in):
    folder, cache = tmp_path / "color", EngineCache(tmp_path / "engines")
    bundle = write_color_bundle(folder)
    compiled(bundle, cache, stand_in)
    assert all(built for *_, built in compiled(bundle, cache, stand_in, ["sm_80"]))
    on_device = [Target(stand_in, "sm_86", GPU_NAME)]
    engines = compile_bundle(bundle, on_device, "fp32", cache, build=stand_in_build)
    assert all(engine.entry.built for engine in engines)
    changed = onnx.load_model_from_string(bundle.network_onnx)
    changed.producer_name += "x"
    graph = changed.SerializeToString()
    other = write_bundle(folder, color_manifest(), graph, bundle.meta_classifier_onnx)
    built = {graph: new for graph, _, _, new in compiled(other, cache, stand_in)}
    assert built == {"network.onnx": True, "meta_classifier.onnx": False}


def test_the_side_file_tells_what_was_built_and_how_near_it_is(tmp_path, stand_in):
    bundle, cache = write_color_bundle(tmp_path / "color"), EngineCache(tmp_path / "engines")
    engines = compile_bundle(
        bundle, [Target(stand_in, "sm_86")], "fp32", cache, build=stand_in_build
    )
    network, meta = (json.loads(e.entry.path.with_suffix(".json").read_text()) for e in engines)
    assert network["request"]["precision"] == "fp32"
    assert network["deviation"]["labels_equal"] == 1.0
    assert network["deviation"]["score_largest"] == 0.0
    assert meta["deviation"]["components"] > 0
    assert meta["deviation"]["decisions_equal"] == 1.0


def test_the_precision_goes_for_the_network_alone_and_must_be_possible(tmp_path, stand_in):
    """This network has no convolution: fp16 would be a name without a content."""
    bundle, cache = write_color_bundle(tmp_path / "color"), EngineCache(tmp_path / "engines")
    with pytest.raises(BackendError, match="no convolution"):
        compiled(bundle, cache, stand_in, precision="fp16")
    assert not list(cache.folder.glob("*.engine"))
    generated = load_bundle(GENERATED)
    made = compiled(generated, cache, stand_in, precision="fp16")
    assert [engine[2] for engine in made] == ["fp16", "fp32"]


def test_progress_is_told_while_an_engine_is_built(tmp_path, stand_in):
    bundle, cache = write_color_bundle(tmp_path / "color"), EngineCache(tmp_path / "engines")
    said, phases = [], []
    compiled(bundle, cache, stand_in, say=said.append, on_phase=lambda *a: phases.append(a))
    assert ["network.onnx for sm_86" in said[0], "meta_classifier.onnx" in said[1]] == [True, True]
    assert phases[0] == ("network.onnx for sm_86", "building", 1, 1)


@pytest.mark.parametrize("target", ["sm_87", "sm_90", "86", "current", ""])
def test_other_targets_are_refused_with_the_way_out(target):
    with pytest.raises(BackendError, match="on the device itself"):
        ahead_of_time(["sm_86", target])


def ood(*arguments: object):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_the_command_refuses_before_it_builds(tmp_path):
    bundle = write_color_bundle(tmp_path / "color")
    refused = ood("compile", bundle.folder, "--target", "sm_87", "--cache", tmp_path / "engines")
    assert isinstance(refused.exception, OodError)
    assert not (tmp_path / "engines").exists()
    assert ood("compile", bundle.folder, "--precision", "int3").exit_code == 2
    assert isinstance(ood("compile", tmp_path / "none").exception, OodError)


@needs_tensorrt_rtx
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_the_command_builds_without_a_gpu_finds_and_prunes(tmp_path, precision):
    cache, result_file, pictures = tmp_path / "engines", tmp_path / "r.json", tmp_path / "pictures"
    pictures.mkdir()
    cv2.imwrite(str(pictures / "a.png"), color_image(120, 200))
    arguments = ["compile", GENERATED, "--target", "sm_86", "--target", "sm_89"]
    arguments += ["--precision", precision, "--cache", cache, "--json", result_file]
    done = ood(*arguments, "--check-images", pictures)
    assert done.exit_code == 0, done.output
    assert "4 built, 0 found" in done.stdout
    engines = json.loads(result_file.read_text())["engines"]
    for engine in engines:
        side = engine["side_file"]
        assert Path(engine["path"]).stat().st_size == side["engine_bytes"] > 1000
        assert side["deviation"]["on"] == "the given images"
        # strongly typed: these are the types that the engine computes in
        has_half = side["layer_types"].get("half", 0) > 30
        assert has_half == (engine["precision"] == "fp16")
    network, meta = engines[0]["side_file"], engines[1]["side_file"]
    assert network["inputs"]["image"]["dtype"] == network["outputs"]["labels"]["dtype"] == "uint8"
    assert meta["inputs"]["metrics"]["shape"][0] == -1
    assert "0 built, 4 found" in ood(*arguments).stdout
    other = ood("compile", GENERATED, "--target", "sm_86", "--cache", cache, "--prune", 0)
    assert len(list(cache.glob("*.engine"))) == 2, other.output


@needs_tensorrt_rtx
def test_a_build_that_fails_names_the_layer(tmp_path):
    graph = onnx.load_model_from_string(color_network())
    position = next(k for k, n in enumerate(graph.graph.node) if n.output[0] == "logits")
    graph.graph.node[position].output[0] = "plain"
    odd = helper.make_node("Det", ["plain_square"], ["determinant"], name="the_odd_layer")
    square = helper.make_node("MatMul", ["plain", "plain_turned"], ["plain_square"])
    turned = helper.make_node("Transpose", ["plain"], ["plain_turned"], perm=[0, 1, 3, 2])
    widen = helper.make_node("Unsqueeze", ["determinant", "last_two"], ["wide"])
    added = helper.make_node("Add", ["plain", "wide"], ["logits"])
    graph.graph.initializer.append(helper.make_tensor("last_two", TensorProto.INT64, [2], [2, 3]))
    for offset, node in enumerate((turned, square, odd, widen, added)):
        graph.graph.node.insert(position + 1 + offset, node)
    bundle = write_bundle(
        tmp_path / "odd", color_manifest(with_meta=False), graph.SerializeToString()
    )
    cache = EngineCache(tmp_path / "engines")
    with pytest.raises(BackendError, match="the_odd_layer") as caught:
        compile_bundle(bundle, ahead_of_time(["sm_86"]), "fp32", cache)
    assert len(str(caught.value).splitlines()) == 1
    assert "Det" in str(caught.value)
    assert not list(cache.folder.glob("*.engine"))


@needs_tensorrt_rtx
def test_a_truncated_real_engine_is_built_anew(tmp_path):
    folder, cache = tmp_path / "color", EngineCache(tmp_path / "engines")
    bundle = write_color_bundle(folder)
    target = ahead_of_time(["sm_86"])
    first = compile_bundle(bundle, target, "fp32", cache)[0].entry
    shutil.copy(first.path, tmp_path / "kept")
    first.path.write_bytes(first.engine[: len(first.engine) // 2])
    said: list[str] = []
    again = compile_bundle(bundle, target, "fp32", cache, say=said.append)
    assert [engine.entry.built for engine in again] == [True, False]
    assert any("was changed or cut" in line for line in said)
    assert len(again[0].entry.path.read_bytes()) == again[0].entry.side["engine_bytes"]
    assert np.fromfile(again[0].entry.path, np.uint8).size > len(first.engine) // 2
