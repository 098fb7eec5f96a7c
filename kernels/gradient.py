"""What a pixel does to its triangle's corners: interpolation and edge smoothing with their derivatives.

Which triangle a pixel shows is the rasterizer's answer, ids int32 [H, W]; here it is fixed. Positions are the caller's,
not snapped, in float32 or float64, so that all is smooth in them. The functions are plain Python, written once and
compiled twice by `build`, for the CPU and for CUDA, where `add(array, index, value)` is atomic.

Smoothing is the analytic antialiasing of Laine et al., *Modular Primitives for High-Performance Differentiable
Rendering*, ACM TOG 2020: where an outline passes between two neighbouring pixels, the share of the pixel that it cuts
is blended from the other. The picture then moves with the outline, which therefore has a gradient.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

Int = Any
Float = Any  # np.float32 or np.float64
Array = Any  # NumPy or CUDA
Function = Any  # plain or compiled


def edge(ax: Float, ay: Float, bx: Float, by: Float, px: Float, py: Float) -> Float:
    """Twice the signed area of a, b, p."""
    return (ax - px) * (by - py) - (ay - py) * (bx - px)


class Gradient(NamedTuple):
    """The compiled functions; each does one pixel, or one pair of neighbours."""

    interpolate: Any
    interpolate_back: Any
    smooth: Any
    smooth_back: Any


def build(jit: Callable[[Function], Function], add: Function) -> Gradient:
    """Compile with `jit`; `add(array, index, value)` is compiled in the same way."""
    edge_ = jit(edge)

    @jit
    def edges(row: Int, column: Int, a: Int, b: Int, c: Int, vertices: Array) -> tuple[Float, Float, Float]:
        """The edge values over the corners a, b, c at a pixel's centre, positive inside; 0 where just outside.

        Centres can lie outside by the rasterizer's 1/256 px.
        """
        px, py = column + 0.5, row + 0.5
        ea = edge_(vertices[b, 0], vertices[b, 1], vertices[c, 0], vertices[c, 1], px, py)
        eb = edge_(vertices[c, 0], vertices[c, 1], vertices[a, 0], vertices[a, 1], px, py)
        ec = edge_(vertices[a, 0], vertices[a, 1], vertices[b, 0], vertices[b, 1], px, py)
        if ea + eb + ec < 0:
            ea, eb, ec = -ea, -eb, -ec
        return max(ea, 0.0), max(eb, 0.0), max(ec, 0.0)

    @jit
    def weights(row: Int, column: Int, a: Int, b: Int, c: Int, vertices: Array) -> tuple[Float, Float, Float, Float]:
        """Perspective-correct barycentric weights, and 1/(what they were divided by); 0 where there is no area."""
        ea, eb, ec = edges(row, column, a, b, c, vertices)
        pa, pb, pc = ea / vertices[a, 2], eb / vertices[b, 2], ec / vertices[c, 2]
        total = pa + pb + pc
        scale = 1 / total if total > 0 else 0.0
        return pa * scale, pb * scale, pc * scale, scale

    @jit
    def interpolate(
        row: Int, column: Int, ids: Array, vertices: Array, triangles: Array, attributes: Array, out: Array
    ) -> None:
        """Write one pixel of out [H, W, C], 0 on the background."""
        f = ids[row, column]
        if f < 0:
            for channel in range(out.shape[2]):
                out[row, column, channel] = 0
            return
        a, b, c = triangles[f, 0], triangles[f, 1], triangles[f, 2]
        wa, wb, wc, _ = weights(row, column, a, b, c, vertices)
        for channel in range(out.shape[2]):
            out[row, column, channel] = (
                wa * attributes[a, channel] + wb * attributes[b, channel] + wc * attributes[c, channel]
            )

    @jit
    def corner_back(px: Float, py: Float, b: Int, c: Int, by_edge: Float, vertices: Array, to_vertices: Array) -> None:
        """Hand the derivative by the edge value of b, c at (px, py) on to the two."""
        add(to_vertices, (b, 0), by_edge * (vertices[c, 1] - py))
        add(to_vertices, (b, 1), by_edge * (px - vertices[c, 0]))
        add(to_vertices, (c, 0), by_edge * (py - vertices[b, 1]))
        add(to_vertices, (c, 1), by_edge * (vertices[b, 0] - px))

    @jit
    def interpolate_back(
        row: Int, column: Int, ids: Array, vertices: Array, triangles: Array, attributes: Array,
        by_out: Array, to_vertices: Array, to_attributes: Array,
    ) -> None:  # fmt: skip
        """Add one pixel's share to the derivatives by vertices [V, 3] and attributes [V, C]."""
        f = ids[row, column]
        if f < 0:
            return
        a, b, c = triangles[f, 0], triangles[f, 1], triangles[f, 2]
        wa, wb, wc, scale = weights(row, column, a, b, c, vertices)
        ga = gb = gc = 0.0 * scale
        for channel in range(by_out.shape[2]):
            by = by_out[row, column, channel]
            ga += by * attributes[a, channel]
            gb += by * attributes[b, channel]
            gc += by * attributes[c, channel]
            add(to_attributes, (a, channel), wa * by)
            add(to_attributes, (b, channel), wb * by)
            add(to_attributes, (c, channel), wc * by)
        mean = wa * ga + wb * gb + wc * gc
        ga, gb, gc = (ga - mean) * scale, (gb - mean) * scale, (gc - mean) * scale
        # A share is edge / depth × scale: by depth ...
        add(to_vertices, (a, 2), -ga * wa / (scale * vertices[a, 2]) if wa > 0 else 0.0)
        add(to_vertices, (b, 2), -gb * wb / (scale * vertices[b, 2]) if wb > 0 else 0.0)
        add(to_vertices, (c, 2), -gc * wc / (scale * vertices[c, 2]) if wc > 0 else 0.0)
        # ... and by the edge, if it counts.
        px, py = column + 0.5, row + 0.5
        area = edge_(vertices[a, 0], vertices[a, 1], vertices[b, 0], vertices[b, 1], vertices[c, 0], vertices[c, 1])
        sign = 1.0 if area > 0 else -1.0
        if wa > 0:
            corner_back(px, py, b, c, sign * ga / vertices[a, 2], vertices, to_vertices)
        if wb > 0:
            corner_back(px, py, c, a, sign * gb / vertices[b, 2], vertices, to_vertices)
        if wc > 0:
            corner_back(px, py, a, b, sign * gc / vertices[c, 2], vertices, to_vertices)

    @jit
    def nearness(row: Int, column: Int, f: Int, vertices: Array, triangles: Array) -> Float:
        """1/depth at a pixel's centre; 0 for the background."""
        if f < 0:
            return 0.0 * vertices[0, 0]
        a, b, c = triangles[f, 0], triangles[f, 1], triangles[f, 2]
        ea, eb, ec = edges(row, column, a, b, c, vertices)
        return (ea / vertices[a, 2] + eb / vertices[b, 2] + ec / vertices[c, 2]) / max(ea + eb + ec, 1e-30)

    @jit
    def outline(
        row: Int, column: Int, axis: Int, toward: Int, f: Int, vertices: Array, triangles: Array, opposite: Array
    ) -> tuple[Int, Int, Float]:
        """Where triangle f's outline crosses the way from a pixel to its neighbour along an axis (0: u, 1: v).

        Gives the edge's two vertices and how far it is to there, 0..1 px, or -1 for the first if it does not cross.
        An edge belongs to the outline if no other triangle has it, or one on the same side: the surface folds there.
        Of edges, only those that are steep to the way count; the others are for the other axis.
        """
        here = column + 0.5 if axis == 0 else row + 0.5
        level = row + 0.5 if axis == 0 else column + 0.5
        across = 1 - axis
        for corner in range(3):
            own, a, b = triangles[f, corner], triangles[f, (corner + 1) % 3], triangles[f, (corner + 2) % 3]
            along, rise = vertices[b, axis] - vertices[a, axis], vertices[b, across] - vertices[a, across]
            below, above = vertices[a, across] <= level, vertices[b, across] <= level
            if below == above or abs(along) > abs(rise):
                continue
            other = opposite[f, corner]
            if other >= 0:
                mine = edge_(vertices[a, 0], vertices[a, 1], vertices[b, 0], vertices[b, 1],
                             vertices[own, 0], vertices[own, 1])  # fmt: skip
                its = edge_(vertices[a, 0], vertices[a, 1], vertices[b, 0], vertices[b, 1],
                            vertices[other, 0], vertices[other, 1])  # fmt: skip
                if (mine > 0) != (its > 0):
                    continue
            way = (vertices[a, axis] + along * (level - vertices[a, across]) / rise - here) * toward
            if 0 <= way <= 1:
                return a, b, way
        return -1, -1, 0.0 * vertices[0, 0]

    @jit
    def pair(
        row: Int, column: Int, axis: Int, ids: Array, vertices: Array, triangles: Array, opposite: Array
    ) -> tuple[Int, Int, Int, Float]:
        """The edge between a pixel and its next one along the axis, as from `outline`; before the way, who is in front.

        1: the pixel, -1: the next one, from which the way is then counted.
        """
        next_row, next_column = row + axis, column + 1 - axis
        none = -1, -1, 0, 0.0 * vertices[0, 0]
        if next_row >= ids.shape[0] or next_column >= ids.shape[1]:
            return none
        first, second = ids[row, column], ids[next_row, next_column]
        if first == second:
            return none
        if nearness(row, column, first, vertices, triangles) >= nearness(
            next_row, next_column, second, vertices, triangles
        ):
            a, b, way = outline(row, column, axis, 1, first, vertices, triangles, opposite)
            return a, b, 1, way
        a, b, way = outline(next_row, next_column, axis, -1, second, vertices, triangles, opposite)
        return a, b, -1, way

    @jit
    def smooth(
        row: Int, column: Int, axis: Int, ids: Array, vertices: Array, triangles: Array, opposite: Array,
        picture: Array, out: Array,
    ) -> None:  # fmt: skip
        """Blend a pixel [H, W, C] with its next one along the axis; `out` begins as a copy of `picture`."""
        a, _, front, way = pair(row, column, axis, ids, vertices, triangles, opposite)
        if a < 0:
            return
        next_row, next_column = row + axis, column + 1 - axis
        share = abs(way - 0.5)
        changes_first = (way < 0.5) == (front > 0)
        for channel in range(picture.shape[2]):
            step = share * (picture[next_row, next_column, channel] - picture[row, column, channel])
            if changes_first:
                add(out, (row, column, channel), step)
            else:
                add(out, (next_row, next_column, channel), -step)

    @jit
    def smooth_back(
        row: Int, column: Int, axis: Int, ids: Array, vertices: Array, triangles: Array, opposite: Array,
        picture: Array, by_out: Array, to_vertices: Array, to_picture: Array,
    ) -> None:  # fmt: skip
        """Add the pair's share to the derivatives; `to_picture` begins as a copy of `by_out`."""
        a, b, front, way = pair(row, column, axis, ids, vertices, triangles, opposite)
        if a < 0:
            return
        next_row, next_column = row + axis, column + 1 - axis
        share = abs(way - 0.5)
        changes_first = (way < 0.5) == (front > 0)
        by_share = 0.0 * way
        for channel in range(picture.shape[2]):
            step = picture[next_row, next_column, channel] - picture[row, column, channel]
            by = by_out[row, column, channel] if changes_first else -by_out[next_row, next_column, channel]
            by_share += by * step
            add(to_picture, (next_row, next_column, channel), by * share)
            add(to_picture, (row, column, channel), -by * share)
        by_place = (by_share if way > 0.5 else -by_share) * front
        across = 1 - axis
        level = row + 0.5 if axis == 0 else column + 0.5
        rise = vertices[b, across] - vertices[a, across]
        fraction = (level - vertices[a, across]) / rise
        slope = (vertices[b, axis] - vertices[a, axis]) / rise
        add(to_vertices, (a, axis), by_place * (1 - fraction))
        add(to_vertices, (b, axis), by_place * fraction)
        add(to_vertices, (a, across), -by_place * slope * (1 - fraction))
        add(to_vertices, (b, across), -by_place * slope * fraction)

    return Gradient(interpolate, interpolate_back, smooth, smooth_back)
