"""A stored engine is used only where it belongs; every other case is refused in words, and something else draws."""

import json
from pathlib import Path

import numpy as np
import pytest
import toy_network

from export import choose, device, openvino_engine, store
from export.choose import Wish
from export.engine import EngineError, Recipe
from export.manifest import fingerprint

RECIPE = Recipe("openvino", "fp32", threads=choose.THREADS)
OTHER_GPU = {"name": "NVIDIA L4", "capability": "8.9", "driver": "580.1"}


@pytest.fixture(scope="module")
def onnx(tmp_path_factory):
    return toy_network.write_toy(tmp_path_factory.mktemp("puppet"))


@pytest.fixture
def stored(onnx, tmp_path, monkeypatch):
    """The folder of an engine that is stored and in order."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    store.build(onnx, RECIPE, toy_network.feeds(), toy_network.reference(onnx))
    return store.folder_of(fingerprint(onnx), RECIPE)


def change(stored: Path, **fields):
    path = stored / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def test_lies_in_the_users_cache_and_runs(onnx, stored, tmp_path):
    assert stored.is_relative_to(tmp_path / "marotte" / "engines")
    assert sorted(p.name for p in stored.iterdir()) == ["engine.blob", "manifest.json", "sample.npz"]
    assert [p.name for p in stored.parent.iterdir()] == [stored.name], "nothing half-written"
    (feed,) = toy_network.feeds(1)
    drawn = store.load(onnx, RECIPE)(feed)["rgb"].astype(int)
    assert np.abs(drawn - toy_network.reference(onnx)[0]["rgb"]).max() <= 1


def test_manifest_says_what_was_measured_and_where(stored):
    manifest = json.loads((stored / "manifest.json").read_text())
    assert manifest["parity"]["lower_face_psnr"] > 50
    assert 0 < manifest["times_ms"]["p10"] <= manifest["times_ms"]["p50"] <= manifest["times_ms"]["p99"]
    assert manifest["inputs"]["mask"] == ["uint8", [1, 16, 16, 1]]
    assert manifest["device"] == device.describe("cpu")
    assert manifest["versions"] == openvino_engine.versions()


def test_none_yet(onnx, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(EngineError, match=r"no engine in .* yet"):
        store.load(onnx, RECIPE)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"format": 1}, "has format 1, this program reads 2"),
        ({"network": "0" * 64}, "built from another network"),
        (
            {"recipe": {"engine": "openvino", "precision": "bf16", "device": "cpu", "threads": choose.THREADS}},
            "precision bf16, here",
        ),
        ({"device": OTHER_GPU}, "built for device capability 8.9, here it is"),
        ({"versions": {"openvino": "2024.1"}}, "built for library openvino 2024.1, here it is"),
        ({"created": None, "more": 1}, "is not the manifest of an engine"),
    ],
)
def test_wrong_manifest(onnx, stored, fields, sentence):
    change(stored, **fields)
    with pytest.raises(EngineError, match=sentence):
        store.load(onnx, RECIPE)


def test_other_gpu(onnx, stored, monkeypatch):
    monkeypatch.setattr(store, "describe", lambda device: OTHER_GPU)
    with pytest.raises(EngineError, match=r"here it is 8\.9"):
        store.load(onnx, RECIPE)


def test_other_version(onnx, stored, monkeypatch):
    monkeypatch.setattr(openvino_engine, "versions", lambda: {"openvino": "2030.1"})
    with pytest.raises(EngineError, match=r"openvino .* here it is 2030\.1"):
        store.load(onnx, RECIPE)


@pytest.mark.parametrize("name", ["engine.blob", "sample.npz"])
def test_truncated(onnx, stored, name):
    (stored / name).write_bytes((stored / name).read_bytes()[:-100])
    with pytest.raises(EngineError, match=f"{name} is damaged"):
        store.load(onnx, RECIPE)


def test_missing_file(onnx, stored):
    (stored / "engine.blob").unlink()
    with pytest.raises(EngineError, match=r"engine\.blob cannot be read"):
        store.load(onnx, RECIPE)


def test_a_file_that_the_library_refuses(onnx, stored):
    (stored / "engine.blob").write_bytes(b"nonsense")
    change(stored, engine=fingerprint(stored / "engine.blob"))
    with pytest.raises(EngineError, match="cannot be run"):
        store.load(onnx, RECIPE)


def test_an_engine_that_draws_something_else(onnx, stored):
    with np.load(stored / "sample.npz") as arrays:
        changed = {name: arrays[name] for name in arrays.files}
    changed["expected.rgb"] = changed["expected.rgb"] // 2
    np.savez(stored / "sample.npz", **changed)
    change(stored, sample=fingerprint(stored / "sample.npz"))
    with pytest.raises(EngineError, match="lower-face PSNR"):
        store.load(onnx, RECIPE)


def test_what_differs_from_the_network_is_not_stored(onnx, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    wrong = [{**out, "rgb": out["rgb"] // 2} for out in toy_network.reference(onnx)]
    with pytest.raises(EngineError, match=r"refused, .* lower-face PSNR .* at least 50 wanted in fp32"):
        store.build(onnx, RECIPE, toy_network.feeds(), wrong)
    assert not list(store.folder_of(fingerprint(onnx), RECIPE).parent.iterdir())


@pytest.fixture
def said(onnx, tmp_path, monkeypatch):
    """A renderer on request, and what the user was told."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    told: list[str] = []
    return lambda **wish: (choose.renderer(onnx, Wish(**wish), toy_network.feeds, told.append), told)


def test_the_choice_is_made_once(said):
    said()
    _, told = said()
    assert told == ["Building the engine for this machine: once, a few seconds."]


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"network": "0" * 64}, "built from another network"),
        ({"device": OTHER_GPU}, "here it is"),
        ({"versions": {"openvino": "2024.1"}}, "library openvino 2024.1, here it is"),
        (None, "engine.blob is damaged"),
    ],
)
def test_a_refused_engine_is_built_anew(said, onnx, fields, sentence):
    said(engine="openvino", precision="fp32")
    folder = store.folder_of(fingerprint(onnx), RECIPE)
    if fields:
        change(folder, **fields)
    else:
        (folder / "engine.blob").write_bytes((folder / "engine.blob").read_bytes()[:-100])
    network, told = said(engine="openvino", precision="fp32")
    assert told[0].endswith("It is built anew.")
    assert sentence in told[0]
    assert store.load(onnx, RECIPE)
    assert network(toy_network.feeds()[0])["rgb"].shape == (1, 16, 16, 3)


def test_falls_back_when_an_engine_cannot_be_built(said, monkeypatch):
    def fail(*_):
        raise RuntimeError("no such instruction\nand a page of details")

    monkeypatch.setattr(openvino_engine, "build", fail)
    network, told = said(engine="openvino", precision="fp32")
    assert type(network).__name__ == "OnnxRuntimeNetwork"
    assert told[0] == "openvino fp32 cannot be built: no such instruction. Falling back on onnxruntime."


def test_falls_back_when_a_library_is_absent(said, monkeypatch):
    from export import engine

    monkeypatch.setattr(engine, "find_spec", lambda name: None if name == "openvino" else object())
    network, told = said(engine="openvino")
    assert type(network).__name__ == "OnnxRuntimeNetwork"
    assert "The engine openvino needs openvino, which is not installed. Falling back on onnxruntime." in told[0]


def test_draws_with_the_reference_when_nothing_can_be_stored(said, tmp_path, onnx):
    (tmp_path / "marotte").write_text("a file where the folder should be")
    network, told = said()
    assert "cannot be stored" in told[1]
    assert told[1].endswith("The network is run as it is.")
    (feed,) = toy_network.feeds(1)
    np.testing.assert_array_equal(network(feed)["rgb"], toy_network.reference(onnx)[0]["rgb"])


def test_says_when_no_engine_can_draw_on_cuda(said, monkeypatch):
    from export import engine

    monkeypatch.setattr(engine, "find_spec", lambda name: None)
    with pytest.raises(EngineError, match=r"No engine for cuda is installed\. Use --device cpu"):
        said(device="cuda")


def test_serving_does_not_calibrate(monkeypatch):
    monkeypatch.setattr(choose, "find_spec", lambda name: object())
    assert "int8" not in {recipe.precision for recipe in choose.candidates(Wish(), calibrated=False)}
    assert "int8" in {recipe.precision for recipe in choose.candidates(Wish(), calibrated=True)}


def test_bf16_is_not_chosen_where_it_would_be_emulated(monkeypatch):
    from export import openvino_engine

    monkeypatch.setattr(openvino_engine, "describe", lambda device: {"capability": "avx2 avx512f avx512_vnni"})
    assert openvino_engine.native_precision() == "fp32"
