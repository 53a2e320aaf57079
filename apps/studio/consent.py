"""Consent comes before anybody's face or voice is used."""

from collections.abc import Mapping
from pathlib import Path

from affetto.apps.studio.examples import is_example
from affetto.apps.studio.words import CONSENT_NEEDED
from affetto.errors import BadInput


def agreed(given: Mapping[str, str | None], *, consent: bool) -> None:
    """Refuse to go on without files, or with people's files but without their consent.

    Args:
        given: what is needed, such as "a photo" -> where it lies.
        consent: whether the box is ticked.

    Raises:
        BadInput: something is missing, or the box is not ticked.
    """
    for what, path in given.items():
        if not path:
            raise BadInput(f"please hand in {what} first")
    if not consent and not all(is_example(Path(path)) for path in given.values() if path):
        raise BadInput(CONSENT_NEEDED)
