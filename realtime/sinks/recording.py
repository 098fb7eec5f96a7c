"""The sink that records a live stream: nothing of it is lost, however the program ends.

The recording grows beside its target as NAME.part.mp4, which players open at any time, also after a crash. When the
stream ends, for whatever reason, it becomes an ordinary file under its own name.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from realtime.sinks.video_file import VideoFile


class Recording(VideoFile):
    """Writes pictures with their sound."""

    _GROWS = True

    def __init__(self, path: Path) -> None:
        """Check that the file can be written; nothing is made yet. For the errors see `VideoFile`."""
        super().__init__(path)
        self._growing = path.with_name(f"{path.stem}.part{path.suffix}")

    def abort(self) -> None:
        self._thread.shutdown()  # waits for the frame that is being written
        if self._writer is not None:
            with suppress(OSError):  # what has grown stays as it is
                self._finish(self._writer)
