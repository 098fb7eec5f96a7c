"""What can go wrong with the user's files and devices, as seen from the face and the networks.

InputError                  the user can fix it; the commands exit with 2
├── VideoError              a video or sound file cannot be used
├── TrackingError           no usable face in it
├── FaceModelError          a face model file is not what it should be
├── PuppetError             a puppet folder is missing, altered or too new
└── MissingExtraError       an optional part of the installation is needed
"""


class InputError(Exception):
    """Something that the user can mend; the message is one sentence that says how."""


class VideoError(InputError):
    """A video or sound file that is missing, unreadable or unsuitable."""


class TrackingError(InputError):
    """No face, or not enough of one, was found."""


class FaceModelError(InputError):
    """A face model file has other keys, shapes or a hash that was not expected."""


class PuppetError(InputError):
    """A puppet folder that cannot be loaded or written."""


class MissingExtraError(InputError):
    """A package from an optional extra is not installed."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs the extra '{extra}': pip install 'marotte[{extra}]'.")
