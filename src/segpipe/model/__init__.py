"""Builds networks that turn model input into logits."""

from segpipe.model.architectures import ARCHITECTURES, build
from segpipe.model.network import Network

__all__ = ["ARCHITECTURES", "Network", "build"]
