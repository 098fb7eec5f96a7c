"""Makes the live room's helpers importable here, too; and the character, filmed for whoever looks for faces."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from models.background import Background
from models.downloads import tracker_networks
from models.errors import InputError
from models.puppet import Puppet

sys.path.append(str(Path(__file__).parents[1] / "realtime"))


@pytest.fixture(scope="module")
def filmed() -> Iterator[Background]:
    """The bundled character's frames, where its face can be found."""
    try:
        tracker_networks()
    except InputError as error:
        pytest.skip(str(error))
    puppet = Puppet.bundled()
    background = Background(puppet.folder / "background.mp4", puppet.manifest.frames)
    yield background
    background.close()
