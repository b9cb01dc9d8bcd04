"""What TensorFlow finds set when it is imported."""

import os
import platform
import subprocess
import sys

import pytest

ASK = """
from segpipe import tensorflow_settings
tensorflow_settings.apply()
from tensorflow.python.util import _pywrap_util_port
print(_pywrap_util_port.IsMklEnabled())
"""


def uses_onednn(**variables):
    """Whether TensorFlow says so, in a process of its own."""
    names = ("TF_ENABLE_ONEDNN_OPTS", "TF_CPP_MIN_LOG_LEVEL")
    environment = {name: value for name, value in os.environ.items() if name not in names}
    done = subprocess.run(
        [sys.executable, "-c", ASK], capture_output=True, text=True, check=True, env={**environment, **variables}
    )
    return done.stdout.strip() == "True"


@pytest.mark.skipif(platform.machine() != "x86_64", reason="elsewhere TensorFlow decides by itself")
def test_tensorflow_computes_by_onednn_unless_a_person_wants_otherwise():
    assert uses_onednn()
    assert not uses_onednn(TF_ENABLE_ONEDNN_OPTS="0")
