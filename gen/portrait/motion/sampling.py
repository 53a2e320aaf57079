"""Motion from speech and an emotion track, window by window.

Each window is drawn from its own noise (of the seed and the window's number) and from the last
frames of the one before it, and is rounded as files hold it. So window k is the same whether the
run came through window k - 1 or took it from disk, and memory does not grow with the speech. The
first window has no prefix and hears nothing from before its start, as half of the training's
windows. Letters: F frames, C = 62 channels, S width of the sound.
"""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from affetto.condition import Conditions, cut
from affetto.emotion import EmotionTrack
from affetto.emotion_bank.codes import Condition, EmotionBank
from affetto.gen.portrait.motion.flow import NUM_STEPS, EulerSteps, smooth_noise, velocity
from affetto.gen.portrait.motion.guidance import Guidance, Guided
from affetto.gen.portrait.motion.network import (
    MARGIN,
    PREFIX,
    TICKS,
    WINDOW,
    DenoiserConfig,
    MotionDenoiser,
    Window,
)
from affetto.gen.portrait.motion.scaling import members
from affetto.motion import CHANNELS, FPS, Motion
from affetto.motion_file import rounded

Rows = NDArray[np.float32]
Near = Callable[[int, int], Conditions]  # from one step to before another

# What is slow in a face is smoothed, by 60 ms; lips and jaw never are. The filter needs nothing
# but its own last two frames, so that windows join as if there were no seam.
SLOW = members("brow", "cheeks", "eyes", "angles", "places", "gaze", "lids")
POLE = 0.43
LAG_FRAMES = 2 * POLE / (1 - POLE)  # of the filter
HEAD = members("angles", "places")
HEAD_NOISE = 1.5  # of unit spread; at 1 the head moves less than the teacher's
EASE_FRAMES = 8.0  # in which a window's own course takes over from the course before it


def generate(
    conditions: Conditions | Near,
    track: EmotionTrack,
    *,
    net: MotionDenoiser,
    bank: EmotionBank,
    num_frames: int,
    seed: int,
    guidance: Guidance | None = None,
    num_steps: int = NUM_STEPS,
    start: int = 0,
    prefix: Motion | None = None,
) -> Iterator[Motion]:
    """Make the motion of a speech.

    Args:
        conditions: of one speech (B = 1) at 50 Hz; those that the network hears; or what gives
            those of steps from one to another when asked.
        track: the emotion to show; held before its first and after its last step.
        net: see `load_denoiser`.
        bank: see `affetto.emotion_bank.codes.load_bank`.
        num_frames: to make, at 25 fps.
        seed: >= 0; the same seed gives the same motion, bit for bit on one machine.
        guidance: the knobs; plain if None.
        num_steps: of the flow, a network call each (times the branches that have weight).
        start: number of the first window to make.
        prefix: window number start - 1 as it was given out; needed where start > 0.

    Yields:
        Motion of 64 frames, fewer in the last: window `start`, `start` + 1 and so on.

    Raises:
        ValueError: conditions or prefix are missing or of another shape.
    """
    if start and (prefix is None or len(prefix.values) < PREFIX):
        raise ValueError(f"window {start} needs window {start - 1} as its prefix")
    near = conditions if callable(conditions) else partial(cut, conditions)
    before = prefix.values[-PREFIX:] if start and prefix is not None else None
    for number in range(start, -(-num_frames // WINDOW)):
        first = number * WINDOW
        left_out = max(0, first - PREFIX - MARGIN)  # frames of the speech that are not looked at
        sound, heard = _joined(
            near(TICKS * left_out, TICKS * (first + WINDOW + MARGIN)), net.config
        )
        window = window_at(
            sound,
            heard,
            felt(track, first=first, net=net, bank=bank),
            first=first - left_out,
            num_frames=min(WINDOW, num_frames - first),
            has_prefix=before is not None,
        )
        made = sample_window(
            net,
            window,
            guidance or Guidance(),
            noise=window_noise(seed, number),
            before=before,
            num_steps=num_steps,
        )
        yield made
        before = made.values[-PREFIX:]


def felt(track: EmotionTrack, *, first: int, net: MotionDenoiser, bank: EmotionBank) -> Tensor:
    """(1, F, W) the emotion of a window's frames and of its prefix's, as the network takes it."""
    times = (np.arange(-PREFIX, WINDOW) + first + 0.5) / FPS
    there = track.at(times)
    if net.config.emotion == "labels":
        return torch.from_numpy(there.probs)[None]
    told: Condition = bank(torch.from_numpy(there.mean), torch.from_numpy(there.log_var))
    return told.vector[None]


def window_at(
    sound: Tensor,
    heard: Tensor,
    emotion: Tensor | None,
    *,
    first: int,
    num_frames: int,
    has_prefix: bool,
) -> Window:
    """Cut a window out of a speech; also what training is made of.

    Args:
        sound: (T, S) the whole speech's conditions at 50 Hz.
        heard: (T,) bool.
        emotion: (1, F, W), or None.
        first: frame of the speech at which the window's new frames begin.
        num_frames: new frames that are there, at most 64.
        has_prefix: whether the frames before it are known; if not, nothing before it is heard.
    """
    step = TICKS * (first - PREFIX - MARGIN)
    wanted = torch.arange(step, TICKS * (first + WINDOW + MARGIN))
    earliest = 0 if has_prefix else TICKS * first
    there = (wanted >= earliest) & (wanted < len(sound))
    places = wanted.clamp(0, len(sound) - 1)
    there = there & heard[places]
    frames = torch.arange(-PREFIX, WINDOW)
    known = (frames < 0) & has_prefix
    return Window(
        sound=(sound[places] * there[:, None])[None],
        heard=there[None],
        liveliness=torch.ones(1),
        emotion=emotion,
        present=(known | ((frames >= 0) & (frames < num_frames)))[None],
        known=known[None],
    )


@torch.no_grad()
def sample_window(
    net: MotionDenoiser,
    window: Window,
    guidance: Guidance,
    *,
    noise: Tensor,
    before: Rows | None = None,
    num_steps: int = NUM_STEPS,
) -> Motion:
    """Draw one window.

    Args:
        net: in eval mode.
        window: one item.
        guidance: the knobs.
        noise: (64, C) white, see `window_noise`.
        before: (10, C) the motion before it, where the window has a prefix.
        num_steps: of the flow.

    Returns:
        The frames that are present, rounded as files hold them.
    """
    guided = Guided(net, window, guidance)
    steps = EulerSteps(num_steps)
    known = torch.zeros(PREFIX, len(CHANNELS))
    drawn = smooth_noise(noise)[None]
    if before is not None:
        known = net.scaling.scaled(torch.from_numpy(before.copy()))
        drawn = smooth_noise(noise, known)[None]
    for number, level in enumerate(steps.levels):
        noisy = torch.cat([known[None], drawn], dim=1)
        clean = guided(noisy, level)[:, PREFIX:]
        drawn = steps.step(number, drawn, velocity(drawn, clean, level))
    there = window.present[0, PREFIX:]
    scaled = drawn[0][there]
    scaled[:, SLOW] = _smoothed(scaled[:, SLOW], None if before is None else known[:, SLOW])
    return rounded(Motion(net.scaling.unscaled(scaled).numpy(), FPS))


def _smoothed(values: Tensor, before: Tensor | None) -> Tensor:
    """(F, c) after a critically damped filter that goes on from the frames before."""
    last, older = (values[0], values[0]) if before is None else (before[-1], before[-2])
    onward = last + (1 + LAG_FRAMES) * (last - older)
    fading = torch.exp(-torch.arange(len(values)) / EASE_FRAMES)[:, None]
    values = values + fading * (onward - values[0])
    rows = []
    for row in values:
        last, older = (1 - POLE) ** 2 * row + 2 * POLE * last - POLE**2 * older, last
        rows.append(last)
    return torch.stack(rows)


def window_noise(seed: int, number: int) -> Tensor:
    """(64, C) white noise of window `number`, whatever was drawn before; the head has more."""
    rng = np.random.default_rng([seed, number])
    white = rng.standard_normal((WINDOW, len(CHANNELS)), dtype=np.float32)
    white[:, HEAD] *= HEAD_NOISE
    return torch.from_numpy(white)


def _joined(conditions: Conditions, config: DenoiserConfig) -> tuple[Tensor, Tensor]:
    """The conditions side by side, (T, S), and where all are there, (T,)."""
    missing = [name for name in config.sounds if name not in conditions]
    if missing:
        raise ValueError(
            f"the motion denoiser hears {', '.join(config.sounds)}; missing: {missing}"
        )
    tracks = [conditions[name] for name in config.sounds]
    longest = max(track.values.shape[1] for track in tracks)
    values = []
    heard = torch.ones(longest, dtype=torch.bool)
    for track, width in zip(tracks, config.widths, strict=True):
        short = longest - track.values.shape[1]
        if track.values.shape[0] != 1 or track.values.shape[2] != width or track.rate_hz != 50:
            raise ValueError(
                f"expected one item of width {width} at 50 Hz, got "
                f"{tuple(track.values.shape)} at {track.rate_hz} Hz"
            )
        values.append(functional.pad(track.values[0], (0, 0, 0, short)))
        heard &= functional.pad(track.mask[0], (0, short))
    return torch.cat(values, dim=-1), heard
