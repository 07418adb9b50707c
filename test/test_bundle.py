"""A bundle is loaded whole and unchanged, or refused with one line that says which part."""

import json
from pathlib import Path

import pytest
from color_bundle import color_manifest, color_network, write_color_bundle

from ood_perception.bundle import Bundle, load_bundle, write_bundle
from ood_perception.errors import BundleError


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return write_color_bundle(tmp_path / "color")


def edit_manifest(bundle: Bundle, **changes: object) -> None:
    path = bundle.folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def refusal(folder: Path) -> str:
    with pytest.raises(BundleError) as caught:
        load_bundle(folder)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_what_is_written_is_what_is_loaded(bundle: Bundle) -> None:
    again = load_bundle(bundle.folder)
    assert again == bundle
    assert again.network_onnx == color_network()


@pytest.mark.parametrize("name", ["network.onnx", "meta_classifier.onnx"])
def test_a_changed_byte_is_refused_by_name(bundle: Bundle, name: str) -> None:
    path = bundle.folder / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert name in refusal(bundle.folder)
    assert "changed" in refusal(bundle.folder)


@pytest.mark.parametrize("name", ["network.onnx", "meta_classifier.onnx", "manifest.json"])
def test_a_missing_file_is_refused_by_name(bundle: Bundle, name: str) -> None:
    (bundle.folder / name).unlink()
    assert f"lacks {name}" in refusal(bundle.folder)


def test_a_newer_schema_is_refused_with_both_versions(bundle: Bundle) -> None:
    edit_manifest(bundle, schema_version=99)
    message = refusal(bundle.folder)
    assert "schema 99" in message
    assert "update" in message


def test_a_newer_schema_is_named_even_when_its_fields_are_unknown(bundle: Bundle) -> None:
    edit_manifest(bundle, schema_version=2, quantum_score=1)
    assert "schema 2" in refusal(bundle.folder)


def test_a_field_out_of_range_is_named(bundle: Bundle) -> None:
    edit_manifest(bundle, score={"name": "entropy", "threshold": 7})
    assert "score.threshold" in refusal(bundle.folder)


def test_a_road_class_that_does_not_exist_is_refused(bundle: Bundle) -> None:
    edit_manifest(bundle, road_classes=[3])
    assert "road_classes" in refusal(bundle.folder)


@pytest.mark.parametrize("text", ["{", "[]", "{}", '"text"'])
def test_a_file_that_is_no_manifest_is_refused(bundle: Bundle, text: str) -> None:
    (bundle.folder / "manifest.json").write_text(text)
    assert "manifest" in refusal(bundle.folder)


def test_a_file_name_cannot_leave_the_folder(bundle: Bundle) -> None:
    manifest = json.loads((bundle.folder / "manifest.json").read_text())
    manifest["network"]["file"] = "../network.onnx"
    edit_manifest(bundle, network=manifest["network"])
    assert "network.file" in refusal(bundle.folder)


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    assert "does not exist" in refusal(tmp_path / "nowhere")


def test_writing_never_replaces_a_folder_that_is_no_bundle(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.txt").write_text("meow")
    with pytest.raises(BundleError, match="not a bundle"):
        write_bundle(tmp_path / "photos", color_manifest(False), color_network())
    assert (tmp_path / "photos" / "cat.txt").read_text() == "meow"


def test_rewriting_keeps_the_model_card_and_leaves_no_rubbish(bundle: Bundle) -> None:
    (bundle.folder / "README.md").write_text("card")
    again = write_bundle(bundle.folder, color_manifest(False), color_network())
    assert (bundle.folder / "README.md").read_text() == "card"
    assert again.meta_classifier_onnx is None
    assert not (bundle.folder / "meta_classifier.onnx").exists()
    assert [path.name for path in bundle.folder.parent.iterdir()] == ["color"]


def test_the_model_id_changes_with_the_model(bundle: Bundle) -> None:
    before = bundle.model_id
    after = write_color_bundle(bundle.folder, smallest_cells=30).model_id
    assert before != after
    assert after.startswith("color-")
