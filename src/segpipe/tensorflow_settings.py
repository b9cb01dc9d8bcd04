"""What a process sets before it imports TensorFlow, which reads it only then."""

import os
import platform


def chosen() -> dict[str, str]:
    """Environment variables and their values.

    By itself TensorFlow uses oneDNN on processors with VNNI or AMX instructions only. One with AVX2 alone trained 1.8
    times as fast by it: docs/performance.md.
    """
    onednn = {"TF_ENABLE_ONEDNN_OPTS": "1"} if platform.machine() == "x86_64" else {}
    return {"TF_CPP_MIN_LOG_LEVEL": "2", **onednn}


def apply() -> None:
    """Sets them for this process and its children; a person's own setting wins."""
    for name, value in chosen().items():
        os.environ.setdefault(name, value)
