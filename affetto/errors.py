"""What can go wrong for a user, each with the exit code the command line answers with.

`ValueError` stays for a programmer's bad argument. These say what was got, what is allowed and
what to do.
"""

EXIT_USAGE = 2
EXIT_BAD_INPUT = 3
EXIT_RESOURCES = 4
EXIT_CANCELLED = 130


class EngineError(Exception):
    """Any failure that a person can act on; `exit_code` is the command line's answer."""

    exit_code = 1


class BadInput(EngineError):
    """A file or value from outside cannot be used: media, MIDI, chord sheet, weights."""

    exit_code = EXIT_BAD_INPUT


class UsageError(BadInput):
    """An option was given something that it never takes, whatever the files are."""

    exit_code = EXIT_USAGE


class MediaError(BadInput):
    """A media file is missing, empty, broken, too large or of a kind that is not accepted."""


class RequestError(BadInput):
    """An emotion request cannot be parsed, or asks for a recognizer that is not there."""


class ConfigError(BadInput):
    """A configuration names an unknown key, a wrong type or something that is not allowed."""


class WeightsError(BadInput):
    """Weights are missing, changed, incomplete or of an unsafe kind."""


class ResourceError(EngineError):
    """The machine ran out of disk, memory or permission to write."""

    exit_code = EXIT_RESOURCES


class Cancelled(EngineError):
    """Somebody stopped the job; nothing half-written is left."""

    exit_code = EXIT_CANCELLED
