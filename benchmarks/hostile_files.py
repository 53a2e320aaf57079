"""Five thousand broken and hostile files through everything that Affetto reads, in a child process.

    nice -n 15 python benchmarks/hostile_files.py [--files 5000] [--shards 5]

Whole files of every kind (benchmarks/hostile_good.py) are flipped, cut, spliced, repeated and lied
in; hand-made bombs come first. Only an EngineError may come out, within 10 s and 2 GB. Outcomes are
kept in runs/hostile: a run that was stopped goes on where it was. Control: the whole files all
open, and many of the mutated ones do.
"""

import argparse
import json
import os
import resource
import select
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np

LIMIT_S = 10.0
LIMIT_MB = 2000
START_S = 240.0
WORDS = (b"9" * 400, b"-1", b"NaN", b"1e999", b"Infinity", b"null", b"[" * 300, b"{", b"}", b'"',
         b"\\ud800", b"${oc.env:HOME}", b"!!python/object", b"\0", b"\xff\xff\xff\xff", b"../../",
         b",,,,", b"\n\n", b"\xe2\x80\xae", b":", b"=", b";", b"|", b"-->")  # fmt: skip
HOW = ("flip", "flip", "digit", "digit", "cut", "splice", "repeat", "drop", "lie", "word")
EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
ENTRY = "hostile_files.py"


def main() -> None:
    """Run what is missing, and write the result file."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--files", type=int, default=5000)
    parser.add_argument("--shards", type=int, default=5, help="Stops between shards are free.")
    parser.add_argument("--folder", type=Path, default=Path("runs/hostile"))
    parser.add_argument("--kind", help="Only this one, without a result file.")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    if options.child:
        work(options.folder)
        return
    book = options.folder / "outcomes.jsonl"
    done = [json.loads(line) for line in book.read_text().splitlines()] if book.exists() else []
    seen = {(row["kind"], row["number"]) for row in done}
    missing = [
        job for job in plan(options.files)
        if job not in seen and options.kind in (None, job[0])
    ]  # fmt: skip
    with book.open("a") as out:
        for shard in range(options.shards):
            for outcome in opened(missing[shard :: options.shards], options.folder):
                out.write(json.dumps(outcome) + "\n")
                out.flush()
                done.append(outcome)
            print(f"shard {shard + 1} of {options.shards} done", flush=True)
    if options.kind is None:
        report(done, options)


def plan(num_files: int) -> list[tuple[str, int]]:
    """(kind, number): whole files have negative numbers, then bombs, then mutations."""
    from hostile_good import kinds

    found = kinds()
    jobs = [(kind.name, -1 - place) for kind in found for place in range(len(kind.suffixes))]
    each = -(-num_files // len(found))
    numbered = [(kind.name, number) for number in range(each) for kind in found]
    return jobs + numbered[:num_files]


def opened(jobs: list[tuple[str, int]], folder: Path) -> Iterator[dict]:
    """Have a child open them one by one; one that dies or hangs is replaced."""
    child = None
    for kind, number in jobs:
        child = child or Child(folder)
        outcome = child.ask(kind, number)
        yield {"kind": kind, "number": number} | outcome
        if outcome["end"] in ("crash", "hang"):
            child.stop()
            child = None
    if child:
        child.stop()


class Child:
    """The process that opens files."""

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__, "--child", "--folder", str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(folder / "stderr.txt").open("ab"),
            env=os.environ | {"XDG_CONFIG_HOME": str(folder.resolve() / "config")},
            text=True,
        )
        self._answer(START_S)

    def ask(self, kind: str, number: int) -> dict:
        """What became of one file."""
        self._process.stdin.write(json.dumps([kind, number]) + "\n")
        self._process.stdin.flush()
        return self._answer(LIMIT_S)

    def _answer(self, limit_s: float) -> dict:
        # CPU time decides: the machine may be busy with other things.
        used = self._cpu_s()
        ends = time.monotonic() + 6 * limit_s
        while not select.select([self._process.stdout], [], [], 0.2)[0]:
            if self._cpu_s() - used > limit_s or time.monotonic() > ends:
                return {"end": "hang", "said": "", "s": limit_s, "mb": 0}
        line = self._process.stdout.readline()
        if not line:
            code = self._process.wait()
            return {"end": "crash", "said": f"exit code {code}", "s": 0.0, "mb": 0}
        return json.loads(line)

    def _cpu_s(self) -> float:
        try:
            cells = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return 0.0
        return (int(cells[11]) + int(cells[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> None:
        """End it."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()


def work(folder: Path) -> None:
    """The child: makes each file from its number, opens it, says how that ended."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print
    resource.setrlimit(resource.RLIMIT_DATA, (LIMIT_MB * 1_000_000,) * 2)
    from hostile_good import kinds

    from affetto.errors import EngineError

    place = folder / f"child{os.getpid()}"
    place.mkdir()
    found = {kind.name: kind for kind in kinds()}
    whole = {name: kind.whole() for name, kind in found.items()}
    bombs = {name: kind.bombs() for name, kind in found.items()}
    print(json.dumps({"end": "ready"}), file=answers, flush=True)
    for line in sys.stdin:
        name, number = json.loads(line)
        kind = found[name]
        suffix, data = content(kind.suffixes, whole[name], bombs[name], name, number)
        path = place / f"file{suffix}"
        path.write_bytes(data)
        began = time.process_time()
        try:
            kind.opens(path)
            end, said = "opened", ""
        except EngineError as error:
            end, said = "refused", str(error)[:120]
        except BaseException as error:  # noqa: BLE001 - what the benchmark looks for
            end, said = "uncaught", f"{type(error).__name__}: {error}"[:300]
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
        outcome = {"end": end, "said": said, "s": round(time.process_time() - began, 3), "mb": peak}
        print(json.dumps(outcome), file=answers, flush=True)
        path.unlink()


def content(
    suffixes: tuple[str, ...], whole: list[bytes], bombs: list[bytes], name: str, number: int
) -> tuple[str, bytes]:
    """The file of a number: the same each time."""
    if number < 0:
        return suffixes[-1 - number], whole[(-1 - number) % len(whole)]
    if number < len(bombs) * len(suffixes):
        return suffixes[number % len(suffixes)], bombs[number // len(suffixes)]
    chance = np.random.default_rng([number, *name.encode()])
    place = int(chance.integers(len(suffixes)))
    return suffixes[place], mutated(whole[place % len(whole)], whole, chance)


def mutated(data: bytes, others: list[bytes], chance: np.random.Generator) -> bytes:
    """One to three changes, most of them near the beginning or the end, where headers are."""
    broken = bytearray(data)
    for _ in range(chance.integers(1, 4)):
        reach = max(1, min(len(broken), int(chance.choice([64, 1000, len(broken)]))))
        at = int(chance.integers(reach))
        if chance.random() < 0.3:
            at = max(0, len(broken) - 1 - at)
        how = chance.choice(HOW)
        size = int(chance.integers(1, 200))
        if how == "flip":
            for spot in chance.integers(0, 1 + reach // 4, chance.integers(1, 12)):
                if at + spot < len(broken):
                    broken[at + spot] ^= int(chance.integers(1, 256))
        elif how == "digit":  # what numbers in texts become
            spots = [spot for spot, byte in enumerate(broken[:20_000]) if 0x30 <= byte <= 0x39]
            for spot in chance.choice(spots, 3) if spots else ():
                broken[spot] = int(chance.integers(0x30, 0x3A))
        elif how == "cut":
            del broken[int(len(broken) * chance.random()) :]
        elif how == "splice":
            other = others[int(chance.integers(len(others)))]
            start = int(chance.integers(max(1, len(other))))
            broken[at : at + size] = other[start : start + size]
        elif how == "repeat":
            broken[at:at] = bytes(broken[at : at + size]) * int(chance.integers(1, 40))
        elif how == "drop":
            del broken[at : at + size]
        elif how == "lie":
            width = int(chance.choice([1, 2, 4]))
            value = EXTREMES[int(chance.integers(len(EXTREMES)))] & (256**width - 1)
            broken[at : at + width] = value.to_bytes(width, str(chance.choice(["big", "little"])))
        else:
            broken[at:at] = WORDS[int(chance.integers(len(WORDS)))]
    return bytes(broken)


def report(done: list[dict], options: argparse.Namespace) -> None:
    """The table."""
    from result_file import write_result

    rows = defaultdict(list)
    for row in done:
        rows[row["kind"]].append(row)
    lines = [__doc__.split("\n", 1)[0], "", "| kind | files | opened | refused | crash | hang | "
             "uncaught | slowest, s CPU | whole ones open |", "|" + " --- |" * 9]  # fmt: skip
    total: Counter[str] = Counter()
    for name, found in rows.items():
        bad = [row for row in found if row["number"] >= 0]
        ends = Counter(row["end"] for row in bad)
        total += ends
        good = [row["end"] == "opened" for row in found if row["number"] < 0]
        cells = [len(bad), *(ends[end] for end in ("opened", "refused", "crash", "hang",
                 "uncaught")), f"{max(row['s'] for row in bad):.1f}",
                 f"{sum(good)} of {len(good)}"]  # fmt: skip
        lines.append(f"| {name} | " + " | ".join(map(str, cells)) + " |")
    count = sum(total.values())
    kept = [row["mb"] for row in done]
    lines += [
        "",
        f"{count} hostile files: {total['crash']} crashes (bar 0), {total['hang']} hangs over "
        f"{LIMIT_S:g} s of CPU (bar 0), {total['uncaught']} uncaught exceptions (bar 0); the "
        f"child, which opens one after another with all libraries loaded, never held more than "
        f"{max(kept):.0f} MB (bar {LIMIT_MB}).",
        "",
        f"Control: {total['opened']} of the {count} ({total['opened'] / count:.0%}) opened all the "
        "same: damage that leaves a file readable, or that no reader can see.",
    ]
    write_result(
        "hostile_files",
        "\n".join(lines),
        command=f"nice -n 15 python benchmarks/hostile_files.py --files {options.files}",
        packages=("av", "pillow", "safetensors", "mido", "numpy"),
    )


if __name__ == "__main__":
    main()
