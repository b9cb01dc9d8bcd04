"""Chooses the numeric precision for training."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import keras
import tensorflow as tf

AUTO, FLOAT32, BFLOAT16 = "auto", "float32", "mixed_bfloat16"
CPU_FLAGS = Path("/proc/cpuinfo")
AMPERE = (8, 0)
"""NVIDIA's first compute capability with bfloat16: https://docs.nvidia.com/cuda/ampere-tuning-guide/"""


def resolve(name: str) -> str:
    """What `train.precision` means here: "auto" is mixed_bfloat16 where the hardware computes in it, else float32."""
    if name != AUTO:
        return name
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        capabilities = [tf.config.experimental.get_device_details(gpu).get("compute_capability") for gpu in gpus]
        return BFLOAT16 if all(one and one >= AMPERE for one in capabilities) else FLOAT32
    # Elsewhere oneDNN would compute in float32 and only convert back and forth.
    text = CPU_FLAGS.read_text() if CPU_FLAGS.exists() else ""
    return BFLOAT16 if {"avx512_bf16", "amx_bf16"} & set(text.split()) else FLOAT32


@contextmanager
def building_in(precision: str) -> Iterator[None]:
    """Networks built meanwhile compute in a precision."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
