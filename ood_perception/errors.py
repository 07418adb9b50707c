"""Errors that a person can act on: one line that says what is wrong, where, and what to do."""


class OodError(Exception):
    """A problem with what was given (a file, a setting, an image), not with the program.

    The message is one line for a person. The command line prints it and exits with code 2; the
    node reports it on /diagnostics and goes on.
    """


class NothingToLearnError(OodError):
    """Data of one kind only, from which no classifier can be fitted."""


class BundleError(OodError):
    """A model bundle that cannot be trusted: missing file, changed byte, unknown schema."""


class ImageError(OodError):
    """An image that cannot be used: empty, truncated, wrong step, unknown encoding, too small."""


class CameraError(OodError):
    """Intrinsics or a mounting that no camera can have, or that belong to another image."""


class BlindCameraError(ImageError):
    """An image that shows too little to be trusted: dark, blinded, blurred, covered, frozen."""


class BackendError(OodError):
    """A network that cannot be loaded or run."""


class BagError(OodError):
    """A bag or video that cannot be read or written."""


def first_line(error: BaseException) -> str:
    """The first line of what an error says, or its kind where it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
