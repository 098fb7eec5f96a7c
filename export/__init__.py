"""From trained weights to an engine that runs them."""

import os
import sys
from typing import cast

# Nothing leaves the machine: libraries would tell their makers what they are used for. ONNX Runtime reads its variable
# when it is loaded; OpenVINO and NNCF do without the package that sends where it is not to be found.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
cast("dict[str, object]", sys.modules).setdefault("openvino_telemetry", None)  # an import of None fails
