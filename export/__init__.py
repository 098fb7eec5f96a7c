"""From trained weights to an engine that runs them."""

import os

# Nothing leaves the machine: ONNX Runtime and NNCF would tell their makers what they are used for. Both look when they
# are imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
os.environ.setdefault("NNCF_CI", "1")
