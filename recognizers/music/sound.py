"""What a window of sounding music is like: spectrum, onsets, key, chords; nothing of its loudness.

Log-mel energies and a chromagram, and from the chromagram a key and chord branch: the inputs of
"Towards Unified Music Emotion Recognition" (Kang and Herremans 2025), summed up by statistics
where that work has a pre-trained encoder. Letters: S samples, T frames, F numbers of a window.
"""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from affetto.media_sound import Sound
from affetto.recognizers.music.features import Array, key_fits

RATE = 22_050
HOP = 512
FRAME_HZ = RATE / HOP
NUM_BANDS = 40
NUM_CEPSTRA = 8
_SIZE, _TONE_SIZE = 2048, 8192  # samples of a frame for energies and for pitch classes
_BLOCK = 256  # frames at a time
_LOW_HZ, _HIGH_HZ = 40.0, 10_000.0
_TONES_HZ = (55.0, 1760.0)
_FLOOR_DB = -80.0  # under the loudest frame
_SILENT_DB = -60.0
_SPLITS = (6, 16, 28)  # bands: bass, low middle, high middle, treble
_LAGS_S = (0.25, 1.0)  # between beats, 60 to 240 a minute
_CHORD_FRAMES = 21  # half a second
_TRIADS = np.array(
    [
        [(pc - root) % 12 in shape for pc in range(12)]
        for shape in ((0, 4, 7), (0, 3, 7), (0, 3, 6))
        for root in range(12)
    ],
    dtype=np.float64,
)
SOUND_SIZE = 2 * NUM_CEPSTRA + 2 * (len(_SPLITS) + 1) + 3 + 5 + 12 + 4 + 5


def sound_frames(blocks: Iterable[Sound]) -> Array:
    """(T, NUM_BANDS + 12): decibels of each band and energy of each pitch class, 43 a second.

    Decibels are under the loudest frame, -80 at least; energies are square roots, of any scale.

    Args:
        blocks: (C, S) float32 of `RATE` samples a second, one after the other; channels are
            averaged.
    """
    bands, tones = _bands().T, _tones().T
    energies, classes = [np.zeros((0, NUM_BANDS))], [np.zeros((0, 12))]
    for stretch in _stretches(blocks):
        energies.append(_spectrum(stretch, _SIZE) @ bands)
        classes.append(np.sqrt(_spectrum(stretch, _TONE_SIZE) @ tones))
    energy = np.concatenate(energies)
    loudest = max(float(energy.sum(axis=1).max(initial=0.0)), 1e-12)
    decibels = 10 * np.log10(energy / loudest + 10 ** (_FLOOR_DB / 10))
    return np.concatenate([decibels, np.concatenate(classes)], axis=1)


def window_sound(frames: Array, *, start_s: float, end_s: float) -> Array:
    """(F,) numbers of `sound_frames` between two times; all 0 where it is silent or too short."""
    inside = frames[int(start_s * FRAME_HZ) : max(int(end_s * FRAME_HZ), 1)]
    bands, tones = inside[:, :NUM_BANDS], inside[:, NUM_BANDS:]
    if len(inside) < _CHORD_FRAMES or bands.max() < _SILENT_DB:
        return np.zeros(SOUND_SIZE)
    return np.concatenate([_spectral(bands), _dynamic(bands), _onsets(bands), _tonal(tones)])


def sound_span(frames: Array) -> tuple[float, float]:
    """From when to when there is sound, in seconds."""
    return 0.0, len(frames) / FRAME_HZ


def heard_share(frames: Array, start_s: float, end_s: float) -> float:
    """Share of the frames between two times that are not silent."""
    inside = frames[int(start_s * FRAME_HZ) : max(int(end_s * FRAME_HZ), 1), :NUM_BANDS]
    return float((inside.max(axis=1) > _SILENT_DB).mean()) if len(inside) else 0.0


def _stretches(blocks: Iterable[Sound]) -> Iterator[NDArray[np.float32]]:
    """Mono pieces of `_BLOCK` hops and what the longest frames see before and after them."""
    edge, size = _TONE_SIZE // 2, _BLOCK * HOP
    held, total = np.zeros(edge, np.float32), 0
    for block in blocks:
        mono = np.asarray(block, dtype=np.float32).mean(axis=0)
        held, total = np.concatenate([held, mono]), total + len(mono)
        while len(held) >= size + 2 * edge:
            yield held[: size + 2 * edge]
            held = held[size:]
    rest = len(held) - edge
    if total and rest > 0:
        count = -(-rest // HOP) * HOP
        yield np.pad(held, (0, count + 2 * edge - len(held)))


def _spectrum(stretch: NDArray[np.float32], size: int) -> Array:
    """(T, size // 2 + 1) power of frames centred on every hop."""
    before = (_TONE_SIZE - size) // 2
    count = (len(stretch) - _TONE_SIZE) // HOP
    frames = np.lib.stride_tricks.sliding_window_view(stretch[before:], size)[: count * HOP : HOP]
    power: Array = np.square(np.abs(np.fft.rfft(frames * np.hanning(size).astype(np.float32))))
    return power


def _spectral(bands: Array) -> Array:
    """Means and spreads of cepstra, and the shares of four registers with their spreads."""
    count = np.arange(NUM_BANDS)
    basis = np.cos(np.pi / NUM_BANDS * (count + 0.5) * np.arange(1, NUM_CEPSTRA + 1)[:, None])
    cepstra = bands @ basis.T / NUM_BANDS
    registers = np.split(10 ** (bands / 10), _SPLITS, axis=1)
    power = np.stack([part.sum(axis=1) for part in registers], axis=1)
    shares = power / power.sum(axis=1, keepdims=True)
    return np.concatenate(
        [cepstra.mean(axis=0), cepstra.std(axis=0), shares.mean(axis=0), shares.std(axis=0)]
    )


def _dynamic(bands: Array) -> Array:
    """Spread, range and share of silence of the level."""
    level = 10 * np.log10((10 ** (bands / 10)).sum(axis=1))
    low, high = np.quantile(level, [0.1, 0.9])
    return np.array([level.std(), high - low, (level < high - 30.0).mean()])


def _onsets(bands: Array) -> Array:
    """How strong, how many and how regular onsets are, and how fast their pulse is."""
    rises = np.maximum(np.diff(np.maximum(bands, _FLOOR_DB + 30.0), axis=0), 0.0).mean(axis=1)
    middle = rises[1:-1]
    peaks = (middle > rises[:-2]) & (middle >= rises[2:]) & (middle > 1.0)
    strong = peaks & (middle > 3.0)
    centred = rises - rises.mean()
    whole = float(centred @ centred) + 1e-9
    first, last = (int(lag_s * FRAME_HZ) for lag_s in _LAGS_S)
    regular = np.zeros(last - first)
    if len(bands) > last + 1:
        regular = np.array([centred[lag:] @ centred[:-lag] / whole for lag in range(first, last)])
    best, seconds = int(regular.argmax()), len(bands) / FRAME_HZ
    rates = [np.log1p(rises.mean()), peaks.sum() / seconds, strong.sum() / seconds]
    return np.array([*rates, regular[best], FRAME_HZ / (first + best)])


def _tonal(tones: Array) -> Array:
    """Pitch classes above the tonic of the best key, its fit and mode; shares of triads."""
    share = np.maximum(tones.mean(axis=0), 1e-12)
    share /= share.sum()
    fits = key_fits(share)
    tonic = int(fits.max(axis=0).argmax())
    entropy = -(share * np.log2(share)).sum()
    key = [fits[0].max(), fits[1].max(), fits[0, tonic] - fits[1, tonic], entropy]
    count = max(1, len(tones) // _CHORD_FRAMES)
    steps = np.stack([part.mean(axis=0) for part in np.array_split(tones, count)])
    steps /= np.linalg.norm(steps, axis=1, keepdims=True) + 1e-12
    alike = steps @ _TRIADS.T / np.sqrt(3)
    chords = alike.argmax(axis=1)
    kinds = np.bincount(chords // 12, minlength=3) / count
    changes = (np.diff(chords) != 0).mean() if count > 1 else 0.0
    return np.concatenate([np.roll(share, -tonic), key, kinds, [changes, alike.max(axis=1).mean()]])


def _bands() -> NDArray[np.float32]:
    """(NUM_BANDS, _SIZE // 2 + 1) triangles on the mel scale."""
    low, high = (1127 * np.log1p(hz / 700) for hz in (_LOW_HZ, _HIGH_HZ))
    edges = 700 * np.expm1(np.linspace(low, high, NUM_BANDS + 2) / 1127)
    hz = np.arange(_SIZE // 2 + 1) * RATE / _SIZE
    rising = (hz - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - hz) / (edges[2:] - edges[1:-1])[:, None]
    triangles = np.clip(np.minimum(rising, falling), 0.0, None)
    # The lowest triangles are narrower than a bin: each has at least its nearest one.
    own = np.arange(NUM_BANDS), np.abs(hz - edges[1:-1, None]).argmin(axis=1)
    triangles[own] = np.maximum(triangles[own], 0.5)
    table: NDArray[np.float32] = triangles.astype(np.float32)
    return table


def _tones() -> NDArray[np.float32]:
    """(12, _TONE_SIZE // 2 + 1): which bins are of a pitch class, a quarter tone to each side."""
    hz = np.arange(1, _TONE_SIZE // 2 + 1) * RATE / _TONE_SIZE
    pitch = 69 + 12 * np.log2(hz / 440.0)
    near = 1.0 - np.abs(pitch - np.round(pitch)) * 2
    near[(hz < _TONES_HZ[0]) | (hz > _TONES_HZ[1])] = 0.0
    near /= np.sqrt(hz / 220.0)  # of partials that every tone has, the high ones count less
    table = np.zeros((12, len(hz) + 1), np.float32)
    table[np.round(pitch).astype(int) % 12, np.arange(1, len(hz) + 1)] = near
    return table
