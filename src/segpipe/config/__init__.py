"""A run's configuration: one module for each owner of sections, `Config` and `load` on top of them in `run`."""

from segpipe.config.run import Config, checked, from_json, load, to_json

__all__ = ["Config", "checked", "from_json", "load", "to_json"]
