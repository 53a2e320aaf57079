"""HiCMAE as published: parameters, features against the paper's forward written out, and ways to run faster on a CPU.

python benchmarks/hicmae.py
"""

import copy
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from result_file import write_result
from torch import Tensor, nn

from affetto.recognizers.audiovisual.config import SIZES
from affetto.recognizers.audiovisual.network import Hicmae
from affetto.recognizers.audiovisual.pretraining import HicmaePretraining

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.hicmae_written_out import plain_features

ROUNDS = 7
PUBLISHED = {"tiny": (20.5, 22.8), "small": (45.7, 50.6), "base": (80.8, 99.6)}


def main() -> None:
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    lines = ["# HiCMAE on a CPU", ""]
    lines += parameters()
    config = SIZES["base"]
    generator = torch.Generator().manual_seed(1)
    frames = torch.randn(1, 3, 16, 160, 160, generator=generator)
    mel = torch.randn(1, 1, 256, 128, generator=generator)
    torch.manual_seed(0)
    network, other = (Hicmae(config, num_outputs=6).eval() for _ in range(2))
    with torch.inference_mode():
        wanted = plain_features(network.state_dict(), config, frames[0], mel[0])
        apart = float((network.features(frames, mel)[0] - wanted).abs().max())
    lines += [
        "",
        f"Size base, features of a random clip at equal (random) weights against the forward written out without our modules: {apart:.1e} apart",
        "at most (bar 1e-4).",
    ]
    lines += speeds(network, other, frames, mel)
    write_result(
        "hicmae", "\n".join(lines), command="python benchmarks/hicmae.py", packages=("torch",)
    )


def parameters() -> list[str]:
    lines = [
        "| size | to fine-tune, 6 outputs, million | published | to pre-train | published |",
        "| --- | --- | --- | --- | --- |",
    ]
    for size, (tuned, pretrained) in PUBLISHED.items():
        with torch.device("meta"):
            nets = Hicmae(SIZES[size], num_outputs=6), HicmaePretraining(SIZES[size])
        counts = [sum(p.numel() for p in net.parameters()) / 1e6 for net in nets]
        lines.append(f"| {size} | {counts[0]:.2f} | {tuned} | {counts[1]:.2f} | {pretrained} |")
    return lines


def speeds(network: Hicmae, other: Hicmae, frames: Tensor, mel: Tensor) -> list[str]:
    eight = int8(network)

    def plain() -> Tensor:
        return network.features(frames, mel)

    def half() -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return network.features(frames, mel).float()

    ways: dict[str, Callable[[], Tensor]] = {
        "fp32, fused attention (our plain path)": plain,
        "MLPs of the encoders in int8, scales by row and call": lambda: eight.features(frames, mel),
        "bfloat16 autocast": half,
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    errors = {}
    with torch.inference_mode():
        wanted = plain()
        for turn in range(ROUNDS + 1):
            for name, way in ways.items():
                if name.startswith("bfloat") and turn > 2:
                    continue
                started = time.process_time()
                found = way()
                times[name].append(time.process_time() - started)
                errors[name] = apart(found, wanted)
        stranger, nothing = apart(other.features(frames, mel), wanted), 1.0
    base = statistics.median(times["fp32, fused attention (our plain path)"][1:])
    lines = [
        "",
        f"CPU seconds of one thread for one clip, size base, medians of {ROUNDS} alternating rounds (bfloat16: 2); feature error: norm of",
        f"the difference by norm of the features (controls: other random weights {stranger:.2f}, zeros {nothing:.2f}). This processor:",
        f"{torch.backends.cpu.get_cpu_capability()}. Bar: 2.5 times less CPU at 1 % error at most.",
        "",
        "| | CPU s | times less | feature error |",
        "| --- | --- | --- | --- |",
    ]
    for name, taken in times.items():
        middle = statistics.median(taken[1:])
        lines.append(f"| {name} | {middle:.2f} | {base / middle:.2f} | {errors[name]:.2%} |")
    return lines


def apart(found: Tensor, wanted: Tensor) -> float:
    return float((found - wanted).norm() / wanted.norm())


def int8(network: Hicmae) -> Hicmae:
    """The encoders' MLPs with weights of 8 bits; what is left stays."""
    import torch.ao.quantization as quantization

    changed = copy.deepcopy(network)
    chosen = {
        name: quantization.per_channel_dynamic_qconfig
        for name, module in changed.named_modules()
        if isinstance(module, nn.Linear) and ".mlp." in name and not name.startswith("fusion")
    }
    quantised: Hicmae = quantization.quantize_dynamic(changed, chosen, dtype=torch.qint8)
    return quantised


if __name__ == "__main__":
    main()
