"""The student as one ONNX file with 8-bit convolutions: waveform in, logits and presence out.

The Fourier and mel matrices are not stored: a dozen nodes make them when a session opens. The
convolutions are quantised statically (8-bit weights a channel, 8-bit activations, ranges from real
speech); the front end, the statistics and the heads stay float32. Needs onnx, onnxscript and
onnxruntime, for exporting only; reading a file needs onnxruntime alone.
"""

import copy
import logging
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from affetto.files import staged_file
from affetto.recognizers.speech.front_end import FrontEndConfig, mel_edges
from affetto.recognizers.speech.student import SpeechStudent

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

ONNX_FILE = "speech_student.int8.onnx"
MAX_BYTES = 150_000
OPSET = 18
EXAMPLE_SAMPLES = 32000


def export_onnx(
    student: SpeechStudent, path: Path, *, sounds: Sequence[NDArray[np.float32]]
) -> int:
    """Write `student` as an 8-bit ONNX file, give its size in bytes.

    Inputs of the file: `wav` (1, samples) float32 at 16 kHz, any level. Outputs: `logits` (1, 8)
    calibrated like the student's, `presence` (1,) before its sigmoid.

    Args:
        student: in eval mode; left as it is.
        path: the file to write.
        sounds: speech, each (S,) at 16 kHz, that the activations' ranges are taken from; 50 to 200
            clips will do.
    """
    import onnx

    with tempfile.TemporaryDirectory() as name:
        plain, quantised = Path(name) / "plain.onnx", Path(name) / "int8.onnx"
        _export_float(student, plain)
        _quantise(plain, quantised, sounds)
        model = onnx.load(quantised)
    _compute_matrices(model, student.config.front_end)
    _strip(model)
    onnx.checker.check_model(model)
    data: bytes = model.SerializeToString()
    with staged_file(path) as staged:
        staged.write_bytes(data)
    return len(data)


class OnnxStudent:
    """A session of an exported file on one core.

    Example:
        OnnxStudent(path).logits(wav)  # (8,)
    """

    def __init__(self, path: Path) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(
            path, options, providers=["CPUExecutionProvider"]
        )

    def logits(self, wav: NDArray[np.float32]) -> NDArray[np.float32]:
        """(8,) logits of one utterance (S,) at 16 kHz."""
        found: NDArray[np.float32] = self.session.run(["logits"], {"wav": wav[None]})[0][0]
        return found


def _export_float(student: SpeechStudent, path: Path) -> None:
    """The student with its normalisations folded into the convolutions, float32."""
    net = copy.deepcopy(student).eval()
    for layers in (*net.stages, net.gather, *net.contexts):
        for place in range(len(layers) - 1):
            if isinstance(layers[place + 1], nn.modules.batchnorm._BatchNorm):
                layers[place] = fuse_conv_bn_eval(layers[place], layers[place + 1])
                layers[place + 1] = nn.Identity()
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            net,
            (torch.zeros(1, EXAMPLE_SAMPLES),),
            dynamo=True,
            dynamic_shapes=({1: torch.export.Dim("samples", min=1)},),
            input_names=["wav"],
            output_names=["logits", "presence"],
            opset_version=OPSET,
            verbose=False,
        )
    assert program is not None
    program.save(path)


def _quantise(plain: Path, quantised: Path, sounds: Sequence[NDArray[np.float32]]) -> None:
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static

    class Sounds(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.rest = iter(sounds)

        def get_next(self) -> dict[str, NDArray[np.float32]] | None:
            return next(({"wav": wav[None]} for wav in self.rest), None)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quantize_static(
            plain,
            quantised,
            Sounds(),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv"],
            per_channel=True,
            reduce_range=True,  # 8-bit products overflow where a processor has no VNNI
        )


def _compute_matrices(model: "ModelProto", config: FrontEndConfig) -> None:
    """Replace the two constant matrices of the front end by nodes that compute them."""
    made = {"front_end.sine_cosine": _fourier_nodes, "front_end.bands": _mel_nodes}
    graph = model.graph
    stored = {item.name: item for item in graph.initializer}
    nodes: list[NodeProto] = []
    for name, make in made.items():
        graph.initializer.remove(stored[name])
        nodes += make(name, config)
    rest = list(graph.node)
    del graph.node[:]
    graph.node.extend(nodes + rest)


def _strip(model: "ModelProto") -> None:
    """Drop what the exporter notes about its own sources: half of the file."""
    for part in (model, model.graph, *model.graph.node):
        part.doc_string = ""
        del part.metadata_props[:]
    del model.graph.value_info[:]


class _Formula:
    """Collects constant nodes under a prefix; each method gives the name of its result."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.nodes: list[NodeProto] = []

    def __call__(self, kind: str, *inputs: str, out: str = "", **attributes: Any) -> str:  # noqa: ANN401
        from onnx import helper

        name = out or f"{self.prefix}/{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def constant(self, values: NDArray[Any]) -> str:
        from onnx import numpy_helper

        return self("Constant", value=numpy_helper.from_array(np.asarray(values)))


def _fourier_nodes(out: str, config: FrontEndConfig) -> list["NodeProto"]:
    """`front_end.fourier_matrix` in nodes: (window, 2F)."""
    add = _Formula(out)
    sample = add("Unsqueeze", _counted(add, config.window), add.constant(np.array([1])))
    turns = add("Mul", sample, _counted(add, config.window // 2 + 1))
    turns = add("Mod", turns, add.constant(np.array(config.window)))
    step = add.constant(np.array(2 * np.pi / config.window, dtype=np.float32))
    angle = add("Mul", add("Cast", turns, to=1), step)
    both = add("Concat", add("Cos", angle), add("Sin", angle), axis=1)
    half = add.constant(np.array(np.pi / config.window, dtype=np.float32))
    root = add("Sin", add("Mul", add("Cast", sample, to=1), half))
    add("Mul", both, add("Mul", root, root), out=out)
    return add.nodes


def _mel_nodes(out: str, config: FrontEndConfig) -> list["NodeProto"]:
    """`front_end.mel_matrix` in nodes from its edges: (F, M)."""
    add = _Formula(out)
    edges = mel_edges(config).numpy()
    hertz = add("Unsqueeze", _counted(add, config.window // 2 + 1), add.constant(np.array([1])))
    spacing = add.constant(np.array(config.rate_hz / config.window, dtype=np.float32))
    hertz = add("Mul", add("Cast", hertz, to=1), spacing)
    low, middle, high = (add.constant(part) for part in (edges[:-2], edges[1:-1], edges[2:]))
    rise = add("Div", add("Sub", hertz, low), add("Sub", middle, low))
    fall = add("Div", add("Sub", high, hertz), add("Sub", high, middle))
    add("Relu", add("Min", rise, fall), out=out)
    return add.nodes


def _counted(add: _Formula, number: int) -> str:
    """0, 1, ... number - 1 as int64."""
    first, last, step = (add.constant(np.array(value)) for value in (0, number, 1))
    return add("Range", first, last, step)
