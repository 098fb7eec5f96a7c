"""Cutting a part out of a TFLite file, so that OpenCV reads networks that hold operators it does not know.

Only lists are rewritten, in place: fewer operators, other inputs and outputs. Everything else (tensors, weights) stays
where it is. Field numbers are those of the TensorFlow Lite schema (schema.fbs, version 3), the layout is FlatBuffers'.
"""

from __future__ import annotations

import struct

MODEL_SUBGRAPHS = 2
SUBGRAPH_TENSORS, SUBGRAPH_INPUTS, SUBGRAPH_OUTPUTS, SUBGRAPH_OPERATORS = range(4)
TENSOR_NAME = 3
OPERATOR_INPUTS, OPERATOR_OUTPUTS = 1, 2


def cut(model: bytes, inputs: list[str], outputs: list[str]) -> bytes:
    """The same network with only the operators that lead from the tensors `inputs` to the tensors `outputs`.

    At most as many inputs and outputs as the file has. Raises ValueError for a tensor that it does not have.
    """
    file = _File(bytearray(model))
    graph = file.tables(file.offset_at(0), MODEL_SUBGRAPHS)[0]
    names = [file.text(tensor, TENSOR_NAME) for tensor in file.tables(graph, SUBGRAPH_TENSORS)]
    given, wanted = ([names.index(name) for name in group] for group in (inputs, outputs))
    needed, kept = set(wanted), []
    for operator in reversed(file.tables(graph, SUBGRAPH_OPERATORS)):
        made = set(file.integers(operator, OPERATOR_OUTPUTS))
        if made & needed and not made & set(given):
            kept.append(operator)
            needed.update(file.integers(operator, OPERATOR_INPUTS))
    file.set_tables(graph, SUBGRAPH_OPERATORS, kept[::-1])
    file.set_integers(graph, SUBGRAPH_INPUTS, given)
    file.set_integers(graph, SUBGRAPH_OUTPUTS, wanted)
    return bytes(file.data)


class _File:
    """Just enough of FlatBuffers: a table is known by its position; fields by their number."""

    def __init__(self, data: bytearray) -> None:
        self.data = data

    def offset_at(self, position: int) -> int:
        return position + self._number("<I", position)

    def _number(self, kind: str, position: int) -> int:
        return int(struct.unpack_from(kind, self.data, position)[0])

    def _vector(self, table: int, field: int) -> tuple[int, int]:
        """(position of the first element, count)."""
        index = table - self._number("<i", table)
        slot = 4 + 2 * field
        offset = self._number("<H", index + slot) if slot < self._number("<H", index) else 0
        if not offset:
            return 0, 0
        start = self.offset_at(table + offset)
        return start + 4, self._number("<I", start)

    def tables(self, table: int, field: int) -> list[int]:
        start, count = self._vector(table, field)
        return [self.offset_at(start + 4 * i) for i in range(count)]

    def integers(self, table: int, field: int) -> list[int]:
        start, count = self._vector(table, field)
        return list(struct.unpack_from(f"<{count}i", self.data, start))

    def text(self, table: int, field: int) -> str:
        start, count = self._vector(table, field)
        return self.data[start : start + count].decode()

    def set_tables(self, table: int, field: int, positions: list[int]) -> None:
        start = self._shorten(table, field, len(positions))
        relative = [position - (start + 4 * i) for i, position in enumerate(positions)]
        struct.pack_into(f"<{len(positions)}I", self.data, start, *relative)

    def set_integers(self, table: int, field: int, numbers: list[int]) -> None:
        start = self._shorten(table, field, len(numbers))
        struct.pack_into(f"<{len(numbers)}i", self.data, start, *numbers)

    def _shorten(self, table: int, field: int, count: int) -> int:
        start, room = self._vector(table, field)
        if count > room:
            raise ValueError(f"{count} entries do not fit into a list of {room}")
        struct.pack_into("<I", self.data, start - 4, count)
        return start
