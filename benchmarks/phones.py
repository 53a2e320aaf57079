"""Which sounds are heard, and when, against a synthesizer's own times and against German sentences; what Whisper's layers hear.

Run: python benchmarks/phones.py [--data ../shared/data]
"""

import argparse
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from result_file import write_result

from affetto.conditioning.phones import (
    SpokenPhone,
    SpokenPhones,
    align_text,
    emissions,
    hear_phones,
    phone_posteriors,
)
from affetto.conditioning.prosody import loud_level
from affetto.conditioning.visemes import VISEME_NAMES, is_closed, visemes_of
from affetto.recognizers.speech.whisper import NUM_STATES, load_whisper
from affetto.train.data.speech_corpora import load_wav, read_emodb
from affetto.train.data.synthesized_speech import VOICES, Synthesized, spoken_texts

SEED, NUM_EACH = 77, 8
NEAR_S, APART_S = 0.04, 0.25
PROBE_VOICES, PROBED = ("slt", "awb", "kal16"), ("rms",)
RIDGE = 300.0
# EMO-DB's sentences that our copy does not cut short, in broad transcription.
GERMAN = {
    "a01": "d e ɐ l a p n l i k t a ʊ f d e m a ɪ s ʃ ʁ a ŋ k",
    "a02": "d a s v ɪ l z i a m m ɪ t v ɔ x a p ɡ e b n",
    "a04": "h ɔ ʏ t ə a b n t k œ n t ə ɪ ç ə s i m z a ɡ n",
    "a07": "ɪ n z i b n ʃ t ʊ n d n v ɪ ɐ t ɛ s z o v a ɪ t z a ɪ n",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    given = parser.parse_args()
    torch.set_num_threads(1)
    said = list(spoken_texts(seed=SEED, voices=VOICES, num_each=NUM_EACH))
    lines = [*timing(said), *german(given.data / "emodb"), *layers()]
    write_result(
        "phones",
        "\n".join(lines),
        command="python benchmarks/phones.py",
        packages=("hama", "pocketsphinx", "torch", "numpy"),
    )


def timing(said: list[Synthesized]) -> list[str]:
    began = time.process_time()
    heard = [hear_phones(one.wav) for one in said]
    cost = (time.process_time() - began) / sum(len(one.wav) / 16000 for one in said)
    ways: dict[str, list[SpokenPhones]] = {
        "as CTC emits them, all 60 ms earlier": [
            tuple(emissions(phone_posteriors(one.wav))) for one in said
        ],
        "heard (`hear_phones`)": heard,
        "text given (`align_text`)": [align_text(one.wav, one.text) for one in said],
    }
    lines = [
        "# Sounds and their times",
        "",
        f"{len(said)} utterances of flite's voices {', '.join(VOICES)} ({sum(len(one.phones) for one in said)} sounds), half of them lists of random dictionary words,",
        "each with its own rate and pitch; the times are flite's own. A sound counts as heard where its viseme class is. The aligner's constant lead of 10 ms",
        "and the weight of p b m were set on other utterances of the same voices (seed 1).",
        "",
        "| way | viseme errors | starts: median | within 40 ms | ends: median | within 40 ms | p b m heard | p b m too many | p b m starts within 40 ms |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {name} | " + " | ".join(row_of(said, found)) + " |" for name, found in ways.items()
    ]
    return [
        *lines,
        "",
        f"Hearing costs {1000 * cost:.0f} ms of CPU a second of speech, loading left out.",
    ]


def row_of(said: list[Synthesized], found: list[SpokenPhones]) -> list[str]:
    late, errors, lips, wanted, extra = [], 0, [], 0, 0
    for one, heard in zip(said, found, strict=True):
        pairs, distance = matched(one.phones, heard)
        errors += distance
        late += [(b.start_s - a.start_s, b.end_s - a.end_s) for a, b in pairs]
        closed = [(a, b) for a, b in pairs if is_closed(a.symbol)]
        lips += [b.start_s - a.start_s for a, b in closed]
        wanted += sum(is_closed(phone.symbol) for phone in one.phones)
        extra += sum(is_closed(phone.symbol) for phone in heard) - len(closed)
    times = np.asarray(late)
    near = (np.abs(times) <= NEAR_S).mean(axis=0)
    middle = 1000 * np.median(times, axis=0)
    total = sum(len(one.phones) for one in said)
    return [
        f"{100 * errors / total:.1f} %", f"{middle[0]:+.0f} ms", f"**{100 * near[0]:.1f} %**",
        f"{middle[1]:+.0f} ms", f"{100 * near[1]:.1f} %", f"{100 * len(lips) / wanted:.1f} %",
        f"{100 * extra / wanted:.1f} %", f"{100 * np.mean(np.abs(lips) <= NEAR_S):.1f} %",
    ]  # fmt: skip


def matched(
    said: Sequence[SpokenPhone], heard: Sequence[SpokenPhone]
) -> tuple[list[tuple[SpokenPhone, SpokenPhone]], int]:
    """Pairs of one viseme class on the cheapest path, and its errors; pairs far apart in time never match."""
    ours, theirs = ([visemes_of(phone.symbol)[0] for phone in row] for row in (said, heard))
    costs = np.zeros((len(ours) + 1, len(theirs) + 1), dtype=np.int64)
    costs[:, 0], costs[0] = np.arange(len(ours) + 1), np.arange(len(theirs) + 1)
    for i in range(len(ours)):
        for j in range(len(theirs)):
            swap = swap_cost(said[i], heard[j], ours[i] == theirs[j])
            costs[i + 1, j + 1] = min(costs[i, j] + swap, costs[i, j + 1] + 1, costs[i + 1, j] + 1)
    pairs, i, j = [], len(ours), len(theirs)
    while i and j:
        swap = swap_cost(said[i - 1], heard[j - 1], ours[i - 1] == theirs[j - 1])
        if costs[i, j] == costs[i - 1, j - 1] + swap:
            i, j = i - 1, j - 1
            if swap == 0:
                pairs.append((said[i], heard[j]))
        elif costs[i, j] == costs[i - 1, j] + 1:
            i -= 1
        else:
            j -= 1
    return pairs, int(costs[-1, -1])


def swap_cost(said: SpokenPhone, heard: SpokenPhone, same: bool) -> int:
    if abs(said.start_s - heard.start_s) > APART_S:
        return 3
    return 0 if same else 1


def german(root: Path) -> list[str]:
    """Sounds of whole German sentences: how many are heard as their class, times not looked at."""
    errors = total = lips = closed = 0
    clips = [one for one in read_emodb(root) if one.text in GERMAN and one.seconds < 1.95]
    for one in clips[::2]:
        wanted = [SpokenPhone(symbol, 0.0, 0.0, 1.0) for symbol in GERMAN[one.text].split()]
        heard = [phone._replace(start_s=0.0) for phone in hear_phones(load_wav(one))]
        pairs, distance = matched(wanted, heard)
        errors, total = errors + distance, total + len(wanted)
        counts = Counter(is_closed(a.symbol) for a, _ in pairs)
        lips, closed = lips + counts[True], closed + sum(is_closed(a.symbol) for a in wanted)
    return [
        "",
        "## German",
        "",
        f"{len(clips[::2])} acted utterances of EMO-DB that the copy does not cut (four sentences, broad transcription by hand): **{100 * errors / total:.0f} %** viseme errors, "
        f"{100 * lips / closed:.0f} % of {closed} p b m heard. hama hears German in English words' shape.",
    ]


def layers() -> list[str]:
    """A linear probe: visemes of 20 ms steps, from one layer's state, on an unseen voice."""
    train, test = (states_of(voices, seed) for voices, seed in ((PROBE_VOICES, 1), (PROBED, 9)))
    lines = [
        "",
        "## What Whisper's layers hear",
        "",
        "| state | viseme accuracy | mean recall |",
        "| --- | --- | --- |",
    ]
    for place in range(NUM_STATES):
        guessed = ridge(train[0][place], train[1], test[0][place])
        hits = guessed == test[1]
        recalls = [hits[test[1] == one].mean() for one in np.unique(test[1])]
        lines.append(f"| {place} | {100 * hits.mean():.1f} % | {100 * np.mean(recalls):.1f} % |")
    return [
        *lines,
        "",
        "Ridge on three voices, tested on rms and other texts. State 3 is the `speech` condition.",
    ]


def states_of(
    voices: tuple[str, ...], seed: int
) -> tuple[list[NDArray[np.float32]], NDArray[np.intp]]:
    encoder = load_whisper()
    states: list[list[NDArray[np.float32]]] = [[] for _ in range(NUM_STATES)]
    labels = []
    for one in spoken_texts(seed=seed, voices=voices, num_each=24):
        wav = torch.from_numpy(one.wav * np.float32(0.1 / loud_level(one.wav)))
        with torch.no_grad():
            heard = encoder(wav[None], torch.tensor([len(wav)]))[0]
        at = (np.arange(heard.shape[1]) + 0.5) / 50
        label = np.zeros(len(at), dtype=np.intp)
        for phone in one.phones:
            place = VISEME_NAMES.index(visemes_of(phone.symbol)[0])
            label[(at >= phone.start_s) & (at < phone.end_s)] = place
        labels.append(label)
        for row, state in zip(states, heard, strict=True):
            row.append(state.numpy())
    return [np.concatenate(row) for row in states], np.concatenate(labels)


def ridge(
    train: NDArray[np.float32], labels: NDArray[np.intp], test: NDArray[np.float32]
) -> NDArray[np.intp]:
    mean, spread = train.mean(axis=0), train.std(axis=0) + 1e-3
    x, y = (train - mean) / spread, np.eye(len(VISEME_NAMES))[labels]
    weights = np.linalg.solve(x.T @ x + RIDGE * np.eye(x.shape[1]), x.T @ (y - y.mean(axis=0)))
    guessed: NDArray[np.intp] = (((test - mean) / spread) @ weights + y.mean(axis=0)).argmax(axis=1)
    return guessed


if __name__ == "__main__":
    main()
