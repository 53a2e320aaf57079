"""Where each instrument stands in the mix: gain and place between the loudspeakers."""

from affetto.gen.music.arrange.palette import INSTRUMENTS, Role

# Levels between the roles, before the instrument's own trim.
ROLE_GAIN_DB: dict[Role, float] = {
    "drums": 0.0,
    "bass": 0.0,
    "harmony": 0.0,
    "texture": 0.0,
    "lead": 0.0,
}
TRIM_DB: dict[str, float] = {}
# -1 left .. 1 right; bass, kit and lead stay in the middle or near it.
PAN: dict[str, float] = {}


def mix_position(name: str) -> tuple[float, float]:
    """(gain in dB, pan -1 left .. 1 right) of an instrument of `INSTRUMENTS`."""
    role = INSTRUMENTS[name].role
    return ROLE_GAIN_DB[role] + TRIM_DB.get(name, 0.0), PAN.get(name, 0.0)
