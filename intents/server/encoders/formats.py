"""How weights are packed."""

from __future__ import annotations

import numpy as np

Q4_BLOCK = np.dtype([("scale", "<f2"), ("quants", "u1", 16)])
"""32 weights in 18 bytes, ggml's Q4_0: each is (nibble - 8) * scale; low nibbles first, then high ones."""


def dequantize(blocks: np.ndarray) -> np.ndarray:
    """Q4 blocks, shape (…, n), as float32 of shape (…, 32 n)."""
    quants = blocks["quants"]
    values = np.concatenate([quants & 15, quants >> 4], axis=-1).astype(np.float32) - 8
    values *= blocks["scale"].astype(np.float32)[..., np.newaxis]
    return values.reshape(*blocks.shape[:-1], -1)
