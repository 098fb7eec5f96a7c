"""The rasterizer as a function that PyTorch can differentiate: by attributes, by positions, and along outlines.

    surface = Surface(256, 256, face.triangles)
    ids = surface.ids(vertices)
    picture = surface.smooth(ids, vertices, surface.interpolate(ids, vertices, attributes))

Three steps as in Laine et al., *Modular Primitives for High-Performance Differentiable Rendering*, ACM TOG 2020. Which
triangle a pixel shows has no gradient; what it shows has one by attributes and, through the barycentrics, by positions;
and smoothed outlines have one by the positions of their edges. Letters: V vertices, F triangles, C channels.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int32
from numpy.typing import NDArray
from torch import Tensor

from kernels import gradient_cpu
from kernels.rasterizer import Rasterizer

Vertices = Float[Tensor, "V 3"]
Ids = Int32[Tensor, "H W"]
Picture = Float[Tensor, "H W C"]
Array = Any  # NumPy, or what has a __cuda_array_interface__
Context = Any  # torch's, of an autograd function


class Surface:
    """One mesh, drawn at one size on one device. Holds buffers: one per thread.

    `triangles`: int32 [F, 3], counter-clockwise seen from outside (y up). Vertices are (u px, v px, depth cm) as from
    `camera.project`, float32 or float64; everything that goes in must be on `device` and of the vertices' type.
    """

    def __init__(
        self, height: int, width: int, triangles: Int32[NDArray[np.int32], "F 3"], device: str | torch.device = "cpu"
    ) -> None:
        self._size = height, width
        self._triangles = torch.as_tensor(triangles, device=device).contiguous()
        self._opposite = torch.as_tensor(opposite(triangles), device=device)
        self._rasterizer = Rasterizer(height, width, _array(self._triangles))

    def ids(self, vertices: Vertices) -> Ids:
        """Number of the triangle that each pixel shows, -1 for none."""
        seen = vertices.detach().float().contiguous()
        nothing = seen.new_zeros(len(seen), 1), seen.new_empty(*self._size, 1)
        self._rasterizer.draw(*map(_array, (seen, *nothing)), **_stream(seen))
        return torch.as_tensor(self._rasterizer.ids, device=seen.device).clone()

    def interpolate(self, ids: Ids, vertices: Vertices, attributes: Float[Tensor, "V C"]) -> Picture:
        """What each pixel shows, with perspective; 0 on the background."""
        return _Interpolate.apply(ids, self._triangles, vertices, attributes)  # type: ignore[no-untyped-call]

    def smooth(self, ids: Ids, vertices: Vertices, picture: Picture) -> Picture:
        """The picture with the outlines antialiased, so that it changes when they move."""
        return _Smooth.apply(ids, self._triangles, self._opposite, vertices, picture)  # type: ignore[no-untyped-call]


class _Interpolate(torch.autograd.Function):
    @staticmethod
    def forward(context: Context, ids: Ids, triangles: Tensor, vertices: Vertices, attributes: Tensor) -> Tensor:
        context.save_for_backward(ids, triangles, vertices, attributes)
        out = vertices.new_empty(*ids.shape, attributes.shape[1])
        _run("interpolate", ids, vertices, triangles, attributes, out)
        return out

    @staticmethod
    def backward(context: Context, by_out: Tensor) -> tuple[Tensor | None, ...]:
        ids, triangles, vertices, attributes = context.saved_tensors
        to_vertices, to_attributes = vertices.new_zeros(vertices.shape), attributes.new_zeros(attributes.shape)
        _run("interpolate_back", ids, vertices, triangles, attributes, by_out, to_vertices, to_attributes)
        return None, None, to_vertices, to_attributes


class _Smooth(torch.autograd.Function):
    @staticmethod
    def forward(
        context: Context,
        ids: Ids,
        triangles: Tensor,
        beyond: Tensor,
        vertices: Vertices,
        picture: Picture,
    ) -> Tensor:
        context.save_for_backward(ids, triangles, beyond, vertices, picture)
        out = picture.clone(memory_format=torch.contiguous_format)
        _run("smooth", ids, vertices, triangles, beyond, picture, out)
        return out

    @staticmethod
    def backward(context: Context, by_out: Tensor) -> tuple[Tensor | None, ...]:
        ids, triangles, beyond, vertices, picture = context.saved_tensors
        to_vertices, to_picture = (
            vertices.new_zeros(vertices.shape),
            by_out.clone(memory_format=torch.contiguous_format),
        )
        _run("smooth_back", ids, vertices, triangles, beyond, picture, by_out, to_vertices, to_picture)
        return None, None, None, to_vertices, to_picture


def opposite(triangles: Int32[NDArray[np.int32], "F 3"]) -> Int32[NDArray[np.int32], "F 3"]:
    """For each corner, the vertex beyond the edge that faces it: of the other triangle there, -1 where there is none.

    Where more than two triangles meet in an edge, one of the others.
    """
    edges = np.stack([triangles[:, [1, 2]], triangles[:, [2, 0]], triangles[:, [0, 1]]], 1).reshape(-1, 2).astype(int)
    key = edges.min(1) * (int(triangles.max(initial=0)) + 1) + edges.max(1)
    order = np.argsort(key, kind="stable")
    same = np.flatnonzero(key[order][1:] == key[order][:-1])
    result = np.full(len(key), -1, np.int32)
    corners = triangles.reshape(-1)
    result[order[same]] = corners[order[same + 1]]
    result[order[same + 1]] = corners[order[same]]
    return result.reshape(-1, 3)


def _run(name: str, *tensors: Tensor) -> None:
    arrays = [tensor.detach().contiguous() for tensor in tensors]
    if arrays[0].is_cuda:
        from kernels import gradient_cuda  # needs the gpu extra, so only here

        getattr(gradient_cuda, name)(*arrays, **_stream(arrays[0]))
    else:
        getattr(gradient_cpu, name)(*(array.numpy() for array in arrays))


def _array(tensor: Tensor) -> Array:
    return tensor if tensor.is_cuda else tensor.numpy()


def _stream(tensor: Tensor) -> dict[str, int]:
    return {"stream": torch.cuda.current_stream(tensor.device).cuda_stream} if tensor.is_cuda else {}
