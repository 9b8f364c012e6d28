"""Animations as ONNX: onnxruntime computes what the animator does, whole and part by part."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import reference
import thin_plate_reference
from exported_frames import ABSOLUTE, assert_same_frames

from fomm_jax.animation.animator import Animator
from fomm_jax.animation.export import functions, write
from fomm_jax.animation.export.elimination import solve_by_elimination
from fomm_jax.config.schema import NormalizationConfig
from fomm_jax.errors import InputError
from fomm_jax.parity import recordings

to_onnx = pytest.importorskip("fomm_jax.animation.export.onnx_trace", reason="no onnx").to_onnx
onnx = pytest.importorskip("onnx", reason="fomm_jax[export] is not installed")
onnxruntime = pytest.importorskip("onnxruntime", reason="fomm_jax[export] is not installed")

PARTS = ("detector", "encoder", "painter")


class Case:
    """An animator of a recording, with its pictures: a source and five driving frames."""

    def __init__(self, name):
        recording = reference.Recording(reference.IN_REPOSITORY / name)
        self.animator = Animator(recording.model(np.float32), recording.config, batch_size=5)
        self.source, self.driving = (
            recordings.to_nhwc(recording.arrays[f"inputs/{which}"])
            for which in ("source", "driving")
        )
        self.source, self.driving = self.source[:1], self.driving[:5]

    def inputs(self, count):
        return {
            "source": self.source,
            "driving": self.driving[:count],
            "initial": self.driving[:1],
        }

    def expected(self, count, normalization=None):
        return self.animator.animate(
            self.source[0], self.driving[:count], normalization=normalization
        )


@pytest.fixture(scope="module")
def first_order():
    return Case("tiny_first_order")


@pytest.fixture(scope="module")
def exported(first_order, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported") / "new"
    first_order.animator.export(folder / "a.onnx")
    return folder


def run(path, inputs):
    """Run a graph on one thread, and return its outputs by name."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options)
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs), strict=True))


def run_parts(folder, source, driving, **_):
    """Animate by the three parts; return the painter's inputs and the frames."""

    def detect(role, frames):
        motion = run(folder / "a-detector.onnx", {"frames": frames})
        return {f"{role}_motion_{name}": value for name, value in motion.items()}

    inputs = {
        "source": source,
        **run(folder / "a-encoder.onnx", {"source": source}),
        **detect("source", source),
        **detect("driving", driving),
        **detect("initial", driving[:1]),
    }
    return inputs, run(folder / "a-painter.onnx", inputs)["frames"]


def assert_the_animators_frames(path, case, normalization=None):
    for count in (5, 1):
        frames = run(path, case.inputs(count))["frames"]
        assert_same_frames(frames, case.expected(count, normalization))


def test_the_whole_graph_gives_the_same_frames(first_order, exported):
    assert_the_animators_frames(exported / "a.onnx", first_order)


@pytest.mark.parametrize(
    ("name", "normalization"),
    [("tiny_first_order", ABSOLUTE), ("tiny_zero_order", NormalizationConfig())],
)
def test_other_models_and_modes_give_the_same_frames(name, normalization, tmp_path):
    case = Case(name)
    case.animator.export(tmp_path / "a.onnx", normalization=normalization)
    assert_the_animators_frames(tmp_path / "a.onnx", case, normalization)


def test_the_parts_give_the_same_frames_to_1e_4_before_rounding(first_order, tmp_path, monkeypatch):
    monkeypatch.setattr(functions, "to_bytes", lambda pictures: pictures)
    first_order.animator.export(tmp_path / "a.onnx")
    inputs, frames = run_parts(tmp_path, **first_order.inputs(5))
    encoded = first_order.animator.encode(first_order.source[0])
    np.testing.assert_allclose(inputs["features"], encoded.features, rtol=0, atol=1e-4)
    model = first_order.animator._model
    driving, initial = (model.detect(first_order.driving[:count]) for count in (5, 1))
    mode = first_order.animator.config.animate.normalization
    motion = model.transfer(encoded, driving, initial, np.float32(1), mode)
    np.testing.assert_allclose(frames, model.paint(encoded, motion)[0], rtol=0, atol=1e-4)
    whole = run(tmp_path / "a.onnx", first_order.inputs(5))["frames"]
    np.testing.assert_allclose(whole, frames, rtol=0, atol=1e-4)


def test_the_detector_gives_the_keypoints(first_order, exported):
    actual = run(exported / "a-detector.onnx", {"frames": first_order.driving})
    expected = first_order.animator._model.detect(first_order.driving)
    np.testing.assert_allclose(actual["value"], expected.value, rtol=0, atol=1e-5)
    np.testing.assert_allclose(actual["jacobian"], expected.jacobian, rtol=0, atol=1e-4)


def test_the_graphs_use_the_operators_of_onnx(exported):
    graphs = {path.stem: onnx.load(path).graph for path in exported.iterdir()}
    assert set(graphs) == {"a", *(f"a-{part}" for part in PARTS)}
    operators = {name: [node.op_type for node in graph.node] for name, graph in graphs.items()}
    counts = {name: operators[name].count("GridSample") for name in graphs}
    # The painter warps the small source by each motion, and the features by their sum.
    assert counts == {"a": 2, "a-detector": 0, "a-encoder": 0, "a-painter": 2}
    for name in graphs:
        assert not {"Gather", "GatherND", "GatherElements"} & set(operators[name])
        assert operators[name].count("Relu") >= 3
    assert [opset.version for opset in onnx.load(exported / "a.onnx").opset_import] == [17]
    sizes = {name: sum(map(len, (w.raw_data for w in graphs[name].initializer))) for name in graphs}
    assert sizes["a"] < sum(sizes[f"a-{part}"] for part in PARTS)  # the detector is there once


def test_half_precision_is_close_and_half_as_large(first_order, tmp_path):
    first_order.animator.export(tmp_path / "a.onnx", half=True)
    inputs, frames = run_parts(tmp_path, **first_order.inputs(5))
    assert inputs["features"].dtype == np.float16
    difference = np.abs(frames.astype(int) - np.stack(list(first_order.expected(5))))
    assert difference.max() <= 3
    assert difference.mean() < 0.1
    weights = onnx.load(tmp_path / "a-encoder.onnx").graph.initializer
    kernels = [weight for weight in weights if len(weight.dims) == 4 and weight.dims[0] > 1]
    assert {kernel.data_type for kernel in kernels} == {onnx.TensorProto.FLOAT16}


@pytest.mark.slow
@pytest.mark.parametrize(
    "mode", [NormalizationConfig(use_relative_movement=False), NormalizationConfig(use_avd=True)]
)
def test_the_thin_plate_model_agrees_before_rounding(mode, tmp_path, monkeypatch):
    monkeypatch.setattr(functions, "to_bytes", lambda pictures: pictures)
    recording = thin_plate_reference.tiny()
    animator = Animator(recording.model(np.float32), recording.config)
    source, driving = (
        recordings.to_nhwc(recording.array(f"inputs/{which}")) for which in ("source", "driving")
    )
    pictures = {"source": source[:1], "driving": driving[:3], "initial": driving[:1]}
    animator.export(tmp_path / "a.onnx", normalization=mode)
    animation = functions.make_functions(animator._model.portable(), mode).animation
    expected = jax.jit(animation)(*pictures.values())
    whole = run(tmp_path / "a.onnx", pictures)["frames"]
    _, parts = run_parts(tmp_path, **pictures)
    # In float32, the splines of this recording are uncertain: from what JAX computes in float64,
    # JAX's own frames differ by up to 3.3e-4, and those of onnxruntime by up to 1.6e-4. In these
    # tests, XLA optimises nothing, which adds to that.
    for actual in (whole, parts):
        np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-3)


def test_equations_are_solved_where_a_pivot_is_zero():
    generator = np.random.default_rng(0)
    matrix, right = (generator.normal(size=(5, 8, n)) for n in (8, 2))
    matrix[:, range(8), range(8)] = 0
    actual = solve_by_elimination(jnp.float32(matrix), jnp.float32(right))
    np.testing.assert_allclose(actual, np.linalg.solve(matrix, right), rtol=0, atol=1e-4)


def test_an_operation_without_a_counterpart_is_named():
    arguments = {"x": jax.ShapeDtypeStruct((2,), np.float32)}
    with pytest.raises(InputError, match=r"'cumsum', for which ONNX has no operator"):
        to_onnx(lambda x: jax.lax.cumsum(x), arguments, "y", None)


def test_what_cannot_be_exported(first_order, tmp_path, monkeypatch):
    with pytest.raises(InputError, match=r"^half: expected a file that ends in \.onnx, got .*a$"):
        first_order.animator.export(tmp_path / "a", half=True)
    monkeypatch.setattr(write.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"package onnx.*: `pip install fomm_jax\[export\]`"):
        first_order.animator.export(tmp_path / "a.onnx")
    assert not list(tmp_path.iterdir())
