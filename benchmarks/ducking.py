"""Does the music step back when a film speaks, and only then: real speech in made ambiences.

    python benchmarks/ducking.py [--data-root ../shared/data]

Twelve RAVDESS recordings (neutral to shouted, six women and six men), 2.5 s of pause between them, in six ambiences at four
signal-to-noise ratios. A 10 ms frame is speech where the clean recording is above -30 dBFS, and pause where no speech lies within 0.5 s.
Then, music composed from five seeds under the same speech: how far the speech stands over it, and whether the music alone is as loud
as before.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import pyloudnorm
import soundfile
import soxr
from result_file import write_result
from scipy.signal import butter, sosfilt

from affetto.emotion_bank.bank import request_to_track
from affetto.gen.music.ducking import FRAME_RATE_HZ, SpeechBand
from affetto.gen.music.mix import MixSettings, render_soundtrack
from affetto.gen.music.pipeline import ComposeOptions, compose, load_models
from affetto.gen.music.synth import choose_synth
from affetto.request import parse_request

RATE = 44_100
DATA = Path(__file__).parents[2] / "shared" / "data"
SNRS_DB = (0, 10, 20, 30)
PAUSE_S = 2.5
REST = 150  # frames of 10 ms from speech after which the music has come back
MOODS = ("calm", "happy", "sad", "excited", "tender")
SETTINGS = (
    ("as loud as without speech", 0.0, 0.0),
    ("stepped back by 9 dB", 9.0, 0.0),
    ("and a pocket of 6 dB at 2 kHz", 9.0, 6.0),
)


def speech(folder: Path) -> np.ndarray:
    """The recordings with pauses between, peak 0.5 each, (S,)."""
    pieces = []
    files = sorted((folder / "ravdess" / "flac").glob("*.flac"))
    by_actor = [
        [path for path in files if path.stem.endswith(f"-{actor:02d}")] for actor in range(1, 13)
    ]
    for actor, takes in enumerate(by_actor):
        sound, rate = soundfile.read(takes[7 * actor % len(takes)], always_2d=True)
        sound = soxr.resample(sound.mean(axis=1), rate, RATE)
        pieces += [0.5 * sound / np.abs(sound).max(), np.zeros(round(PAUSE_S * RATE))]
    return np.concatenate(pieces)


def ambiences(count: int) -> dict[str, np.ndarray]:
    """Made sounds of places, seeded."""
    white, time_s = np.random.default_rng(1).normal(size=count), np.arange(count) / RATE
    wind = sosfilt(butter(2, (200, 900), "bandpass", fs=RATE, output="sos"), white)
    return {
        "white noise (rain)": white,
        "low rumble (traffic)": sosfilt(butter(1, 200, fs=RATE, output="sos"), white),
        "hum of 120 Hz and 1 kHz": np.sin(2 * np.pi * 120 * time_s)
        + 0.3 * np.sin(2 * np.pi * 1000 * time_s),
        "cuts between loud and soft noise": white
        * np.array([1, 0.1, 0.5, 0.05])[(time_s / 8).astype(int) % 4],
        "gusts of wind, 15 dB in 2 s": wind * (1 + 0.7 * np.sin(2 * np.pi * 0.25 * time_s)),
        "rhythmic music in the film": sum(
            np.sin(2 * np.pi * hz * time_s) for hz in (220, 277, 330, 440)
        )
        * np.exp(-4 * (time_s % 0.5)),
    }


def activity(mono: np.ndarray) -> np.ndarray:
    listener = SpeechBand(RATE)
    for start in range(0, len(mono), RATE):
        listener.add(np.stack([mono[start : start + RATE]] * 2).astype(np.float32))
    return listener.activity()


def under_speech(clean: np.ndarray, loud: np.ndarray, pause: np.ndarray) -> list[str]:
    """Rows of a table: music under the same speech without, with ducking, and with the pocket too."""
    rest = np.convolve(loud, np.ones(2 * REST + 1), "same") == 0
    synth, models, rows = choose_synth(), load_models(), []
    said, alone, resting = (
        np.repeat(frames, RATE // FRAME_RATE_HZ) for frames in (loud, pause, rest)
    )
    for name, duck_db, pocket_db in SETTINGS:
        figures = []
        for seed in range(5):
            music = compose(
                {},
                request_to_track(parse_request(MOODS[seed]), duration_s=len(clean) / RATE),
                (),
                duration_s=len(clean) / RATE,
                models=models,
                options=ComposeOptions(seed=seed),
            )
            figures.append(
                _mixed(music, clean, synth, (duck_db, pocket_db), said, (alone, resting))
            )
        middle, worst = np.mean(figures, axis=0), np.abs(np.array(figures)[:, 4]).max()
        rows.append(
            f"| {name} | {middle[0]:.1f} | {middle[1]:.1f} | {middle[2]:.1f} | {middle[3]:+.2f} | {middle[4]:+.2f} (at most {worst:.2f}) | {middle[5]:.2f} |"
        )
    return rows


def _mixed(music, clean, synth, depths, said, alone) -> tuple[float, ...]:
    """Speech over music in dB, in 1-4 kHz, whole, and 250-500 Hz; change of the music in each of the parts `alone` in LU; error of the mix in LU."""
    film = np.stack([clean, clean]).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        report = render_soundtrack(
            music,
            Path(folder),
            synth=synth,
            original=(film[:, start : start + RATE] for start in range(0, film.shape[1], RATE)),
            settings=MixSettings(duck_db=depths[0], pocket_db=depths[1]),
        )
        mix = soundfile.read(Path(folder) / "mix.wav")[0].T
        stems = sum(soundfile.read(path)[0] for path in (Path(folder) / "stems").iterdir()).T
    stems = stems * 10 ** (-report.stems_gain_db / 20)
    voice = film * 10 ** (report.original_gain_db / 20)
    # What the limiter does is taken back nowhere: only where it rests may the voice be subtracted.
    heard = mix - voice
    over = []
    for band in ((1000, 4000), (100, 10_000), (250, 500)):
        sections = butter(4, band, "bandpass", fs=RATE, output="sos")
        powers = [
            np.square(sosfilt(sections, sound)[:, : len(said)][:, said]).sum()
            for sound in (voice, heard)
        ]
        over.append(10 * np.log10(powers[0] / powers[1]))
    meter = pyloudnorm.Meter(RATE)
    changes = [
        meter.integrated_loudness(mix[:, : len(part)][:, part].T)
        - meter.integrated_loudness(stems[:, : len(part)][:, part].T)
        for part in alone
    ]
    return (*over, *changes, abs(report.integrated_lufs + 16))


def main() -> None:
    """Measure and write the result file."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data-root", type=Path, default=DATA)
    clean = speech(parser.parse_args().data_root)
    frames = len(clean) // (RATE // FRAME_RATE_HZ)
    power = np.square(clean[: frames * (RATE // FRAME_RATE_HZ)]).reshape(frames, -1).mean(axis=1)
    loud = 10 * np.log10(power + 1e-12) > -30
    pause = np.convolve(loud, np.ones(FRAME_RATE_HZ + 1), "same") == 0
    lines = [
        "# Ducking: speech found, ambience left alone",
        "",
        "Data: 12 RAVDESS recordings (one of each of actors 1..12) in made ambiences (seed 1), 2.5 s of pause between. Each cell: mean depth of",
        "the ducking (share of what is asked) in frames of speech / in pauses. `alone` is the control: the same ambience without speech.",
        "SNR is over the whole recording. Frames are 10 ms; see the script for what counts as speech and pause.",
        "",
        "| ambience | alone | " + " | ".join(f"SNR {snr} dB" for snr in SNRS_DB) + " |",
        "| --- |" + " --- |" * (1 + len(SNRS_DB)),
    ]
    for name, noise in ambiences(len(clean)).items():
        noise = noise * np.sqrt(np.square(clean).mean() / np.square(noise).mean())
        cells = [f"{activity(0.3 * noise).mean():.3f}"]
        for snr_db in SNRS_DB:
            found = activity(clean + noise * 10 ** (-snr_db / 20))[:frames]
            cells.append(f"{found[loud].mean():.2f} / {found[pause].mean():.3f}")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    found = activity(clean)[:frames]
    lines += ["", f"Without any ambience: {found[loud].mean():.2f} / {found[pause].mean():.3f}."]
    lines += [
        "",
        "Known limits: strong gusts and a film's own rhythmic music rise and fall as speech does, and are ducked for too.",
    ]
    lines += [
        "",
        "## Music under speech",
        "",
        "The same 12 recordings without ambience; music of five seeds and moods, mixed to -16 LUFS. Speech over music: energy of the film's",
        "sound in the mix over that of the rest of the mix, in frames of speech. Music alone: loudness of the mix in the pauses (0.5 s",
        "or more from speech: it is coming back) and at rest (1.5 s or more from speech; the bar is 0.5 LU) against that of the sum of the stems",
        "there, which is the music before ducking and limiting.",
        "",
        "| mix | speech over music, 1-4 kHz, dB | 100 Hz-10 kHz, dB | 250-500 Hz, dB | music in pauses, LU | music at rest, LU | off the target, LU |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        *under_speech(clean, loud, pause),
    ]
    write_result(
        "ducking",
        "\n".join(lines),
        command="python benchmarks/ducking.py",
        packages=("numpy", "scipy"),
    )


if __name__ == "__main__":
    main()
