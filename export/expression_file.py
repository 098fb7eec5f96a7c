"""The voice network as an ONNX file: python -m export.expression_file expression.safetensors expression.onnx"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from export.onnx_file import OPSET, save
from models.audio_encoder import HOP
from models.expression_net import ExpressionNet


def write_expression(net: ExpressionNet, path: Path) -> None:
    """Inputs "samples" [1, 160·T], "look_ahead" and "state.*", outputs "expression" [T, K] and "next_state.*".

    A stream that has heard nothing starts from zeros in every state tensor.
    """
    state = net.initial_state()
    program = torch.onnx.export(
        net.cpu().eval(),
        kwargs={"samples": torch.zeros(1, 4 * HOP), "look_ahead": torch.tensor(0), "state": state},
        input_names=["samples", "look_ahead", *(f"state.{name}" for name in state)],
        output_names=["expression", *(f"next_state.{name}" for name in state)],
        dynamic_shapes={
            "samples": {1: HOP * torch.export.Dim("hops", min=1)},
            "look_ahead": None,
            "state": dict.fromkeys(state),
        },
        opset_version=OPSET,
        dynamo=True,
        verbose=False,
    )
    save(program, path)


def main() -> None:
    """Convert trained weights."""
    parser = argparse.ArgumentParser(description="Write the voice network as an ONNX file.")
    parser.add_argument("weights", type=Path, help="safetensors file that the training wrote")
    parser.add_argument("onnx", type=Path, help="file to write")
    options = parser.parse_args()
    write_expression(ExpressionNet.load(options.weights), options.onnx)


if __name__ == "__main__":
    main()
