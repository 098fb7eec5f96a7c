"""What the benches of the networks print and write."""

import json
import os
import platform
from collections.abc import Sequence
from pathlib import Path


def tell(rows: Sequence[dict[str, object]], file: Path | None) -> None:
    """Print the rows; write them where asked, with the machine."""
    for row in rows:
        print("  ".join(f"{name} {value}" for name, value in row.items()))
    if file:
        machine = {"cpu": platform.processor(), "cores": os.cpu_count(), "load": os.getloadavg()}
        file.write_text(json.dumps({"machine": machine, "ms": rows}, indent=2))
