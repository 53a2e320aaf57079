"""A performer for tests of the studio's limits: takes memory or time without end."""

import time


def perform(verb, options, *, progress):
    """As affetto.apps.verbs.perform; "talk" takes memory, all others time."""
    progress("working", 0.1)
    held = []
    while True:
        time.sleep(0.01)
        if verb == "talk":
            held.append(bytearray(20_000_000))
