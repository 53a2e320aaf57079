"""CPU seconds for 300 chords: the `seed` preset cached against the original's way of generating.

    python benchmarks/chord_speed.py

Video2Music encodes the whole video and all earlier chords again for every chord. Both ways run in
the same module and process, on one thread, with the same seed; the chords must be identical.
"""

import time

import torch
from result_file import write_result

from affetto.condition import Conditions, ConditionTrack
from affetto.gen.music.encoder import CONDITION_WIDTHS
from affetto.gen.music.transformer import PRESETS, MusicTransformer

NUM_STEPS = 300


def film(names: tuple[str, ...], *, generator: torch.Generator) -> Conditions:
    mask = torch.ones(1, NUM_STEPS, dtype=torch.bool)
    return {
        name: ConditionTrack(
            torch.randn(1, NUM_STEPS, CONDITION_WIDTHS[name], generator=generator), mask, 1.0
        )
        for name in names
    }


def cpu_seconds(
    model: MusicTransformer, conditions: Conditions, *, use_cache: bool
) -> tuple[float, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    start = time.process_time()
    chords = model.generate(
        conditions,
        torch.tensor([False]),
        NUM_STEPS,
        generator=generator,
        max_repeat=2,
        use_cache=use_cache,
    )
    return time.process_time() - start, chords


def main() -> None:
    torch.set_num_threads(1)
    lines = [
        "# Chords: CPU seconds for 300 chords, random weights, one thread, batch 1",
        "",
        "| preset | parameters | uncached | cached | ratio | same chords |",
        "|" + " --- |" * 6,
    ]
    for name in ("seed", "default"):
        torch.manual_seed(0)
        model = MusicTransformer(PRESETS[name]).eval()
        conditions = film(model.config.conditions, generator=torch.Generator().manual_seed(0))
        cpu_seconds(model, conditions, use_cache=True)  # warm-up
        cached_s, cached = cpu_seconds(model, conditions, use_cache=True)
        uncached_s, uncached = cpu_seconds(model, conditions, use_cache=False)
        size = sum(value.numel() for value in model.parameters()) / 1e6
        same = "yes" if torch.equal(cached, uncached) else "NO"
        lines.append(
            f"| {name} | {size:.2f} M | {uncached_s:.1f} s | {cached_s:.2f} s "
            f"| {uncached_s / cached_s:.0f}x | {same} |"
        )
    lines += [
        "",
        "Uncached is what Video2Music's generator does: the video encoder and the whole decoder "
        "run again for every chord. CPU seconds are time.process_time, so other load on the "
        "machine counts little; bar: at least 20x with identical chords for the `seed` preset.",
    ]
    body = "\n".join(lines)
    print(body)
    write_result("chord_speed", body, command="python benchmarks/chord_speed.py")


if __name__ == "__main__":
    main()
