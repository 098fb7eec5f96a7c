"""Where a benchmark's pictures go: a name by itself, so that the command line need not import the rest."""

from enum import StrEnum


class Through(StrEnum):
    """Where the pictures go."""

    NULL = "null"
    CAMERA = "camera"
    WEBRTC = "webrtc"
    CHROMIUM = "chromium"
