"""Parts of pictures from a CUDA device to the host: a rectangle of each in one copy, which a CUDA graph can hold."""

from typing import Any

import numba.cuda
import numpy as np

Array = Any  # whatever has a __cuda_array_interface__
cuda: Any = numba.cuda  # half of it is untyped


def to_host(source: Array, target: np.ndarray[Any, Any], stream: int) -> None:
    """Copy uint8 [B, R, C] from the device into pinned memory; nobody waits.

    Args:
        source, target: parts of pictures: in both, rows are whole and pictures are whole numbers of rows apart.
        stream: handle of the CUDA stream to copy on.
    """
    from numba.cuda.cudadrv import driver  # the simulator has none of this

    numba_driver: Any = driver  # untyped
    binding = numba_driver.binding
    here = cuda.as_cuda_array(source)
    copy = binding.CUDA_MEMCPY3D()
    copy.Depth, copy.Height, copy.WidthInBytes = target.shape
    copy.srcMemoryType = copy.dstMemoryType = binding.CUmemorytype.CU_MEMORYTYPE_UNIFIED
    copy.srcDevice = binding.CUdeviceptr(source.__cuda_array_interface__["data"][0])
    copy.dstDevice = binding.CUdeviceptr(target.ctypes.data)
    copy.srcPitch, copy.srcHeight = here.strides[1], here.strides[0] // here.strides[1]
    copy.dstPitch, copy.dstHeight = target.strides[1], target.strides[0] // target.strides[1]
    numba_driver.driver.cuMemcpy3DAsync(copy, stream)
