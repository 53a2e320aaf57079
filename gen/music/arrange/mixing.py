"""Where each instrument stands in the mix: gain and place between the loudspeakers.

`TRIM_DB` brings every instrument to -20 LUFS for typical material of its role at velocity 80 with
the TimGM6mb sound font (the contrabass 3 dB less, as meters hardly hear the lowest octave);
`ROLE_GAIN_DB` then sets the roles against each other. Velocities already hold a part of that
balance (see humanise.ROLE_VELOCITY).
"""

from affetto.gen.music.arrange.palette import INSTRUMENTS, Role

ROLE_GAIN_DB: dict[Role, float] = {
    "drums": -2.0,
    "bass": -1.5,
    "harmony": -1.0,
    "texture": -4.0,
    "lead": -2.0,
}
TRIM_DB: dict[str, float] = {
    "drums": 1.5, "timpani": 0.0, "taiko": 3.5, "bass": -2.0, "acoustic-bass": 0.5,
    "synth-bass": -1.0, "contrabass": -1.0, "piano": 8.5, "electric-piano": -0.5, "guitar": -1.5,
    "steel-guitar": 3.5, "electric-guitar": 4.0, "harp": -8.5, "marimba": 2.5, "vibraphone": -4.5,
    "organ": 1.5, "strings": 0.5, "slow-strings": 0.5, "tremolo-strings": -5.5, "pad": -5.5,
    "choir": -4.0, "flute": -6.5, "oboe": -8.0, "clarinet": -1.0, "violin": -1.5, "viola": 0.0,
    "cello": -1.0, "horn": -5.0, "trumpet": -4.0, "saxophone": -4.5, "celesta": 10.0,
    "glockenspiel": 4.5, "music-box": 3.5, "synth-lead": 5.5,
}  # fmt: skip
# -1 left .. 1 right, roughly where an audience sees them; kit, bass and melody near the middle.
PAN: dict[str, float] = {
    "drums": 0.0, "timpani": 0.2, "taiko": -0.1, "bass": 0.0, "acoustic-bass": 0.0,
    "synth-bass": 0.0, "contrabass": 0.1, "piano": -0.15, "electric-piano": -0.2, "guitar": -0.3,
    "steel-guitar": -0.3, "electric-guitar": 0.3, "harp": 0.35, "marimba": 0.3, "vibraphone": 0.25,
    "organ": 0.0, "strings": 0.15, "slow-strings": 0.15, "tremolo-strings": 0.2, "pad": 0.0,
    "choir": 0.0, "flute": 0.1, "oboe": 0.1, "clarinet": -0.1, "violin": -0.15, "viola": 0.1,
    "cello": 0.15, "horn": -0.2, "trumpet": 0.15, "saxophone": 0.1, "celesta": -0.25,
    "glockenspiel": -0.3, "music-box": 0.2, "synth-lead": 0.0,
}  # fmt: skip


def mix_position(name: str) -> tuple[float, float]:
    """(gain in dB, pan -1 left .. 1 right) of an instrument of `INSTRUMENTS`."""
    return ROLE_GAIN_DB[INSTRUMENTS[name].role] + TRIM_DB[name], PAN[name]
