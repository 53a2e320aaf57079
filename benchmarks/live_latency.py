"""`affetto recognize --live`: from the sound to the line, fed through a pipe as fast as a voice speaks.

python benchmarks/live_latency.py
"""

import argparse
import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import soundfile
from result_file import write_result

SPEECH = Path(__file__).parents[1] / "samples" / "mona_lisa_speaks.flac"
RATE_HZ, HOP_S = 16_000, 0.5
COMMAND = [sys.executable, "-m", "affetto.apps.cli", "recognize", "--live", "--json"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    given = parser.parse_args()
    wav = soundfile.read(SPEECH, dtype="float32")[0]
    blocks = int(given.seconds / HOP_S)
    sound = np.resize(wav, int(blocks * HOP_S * RATE_HZ))
    raw = np.round(sound * 32767).astype("<i2").tobytes()
    process = subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    written: list[float] = []
    started = time.perf_counter()

    def feed() -> None:
        size = 2 * int(HOP_S * RATE_HZ)
        for number in range(blocks):
            time.sleep(max(0.0, started + (number + 1) * HOP_S - time.perf_counter()))
            process.stdin.write(raw[number * size : (number + 1) * size])
            process.stdin.flush()
            written.append(time.perf_counter())
        process.stdin.close()

    feeder = threading.Thread(target=feed)
    feeder.start()
    read, took = [], []
    for text in process.stdout:
        read.append(time.perf_counter())
        took.append(json.loads(text)["took_s"])
    feeder.join()
    process.wait()
    warm = int(np.flatnonzero(np.asarray(read) - np.asarray(written[: len(read)]) < HOP_S)[0])
    late = 1000 * (np.asarray(read) - np.asarray(written[: len(read)]))[warm:]
    took_ms = 1000 * np.asarray(took[warm:])
    body = f"""# A voice as it speaks: time from sound to line

The sample speech, repeated for {given.seconds:g} s, written to the command's pipe in blocks of {HOP_S:g} s at the speed of speech; windows of 3 s. From the
moment a block is written to the moment its line is read. The first {warm} lines waited for imports and weights ({read[0] - started:.1f} s to the
first) and are left out. To this comes the block itself: a sound is up to {HOP_S:g} s old when its block is written.

| | median | 95 % | most |
| --- | --- | --- | --- |
| written to read, ms | {np.median(late):.0f} | {np.percentile(late, 95):.0f} | {late.max():.0f} |
| of that judging, ms | {np.median(took_ms):.0f} | {np.percentile(took_ms, 95):.0f} | {took_ms.max():.0f} |

One torch thread; {np.median(took_ms) / 1000 / HOP_S:.0%} of a core."""
    write_result("live_latency", body, command="python benchmarks/live_latency.py")


if __name__ == "__main__":
    main()
