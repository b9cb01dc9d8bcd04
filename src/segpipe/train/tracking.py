"""Shows a training on a Trackio dashboard: on this machine, a server of one's own or a Space.

Which of them is told to Trackio itself, by TRACKIO_SERVER_URL and TRACKIO_WRITE_TOKEN or by TRACKIO_SPACE_ID.
https://huggingface.co/docs/trackio
"""

import importlib.util
import io
import json
import logging
import re
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from typing import Any

import tensorflow as tf

from segpipe.config import Config
from segpipe.errors import ConfigError
from segpipe.train import checkpoint
from segpipe.train.tensorboard import numbers

SENT_FILE = "trackio.json"

_log = logging.getLogger(__name__)


def check(config: Config) -> None:
    """Checks, without importing it, that the config's tracker is installed.

    Raises:
      ConfigError: it is not.
    """
    if config.train.tracker == "trackio" and importlib.util.find_spec("trackio") is None:
        raise ConfigError('train.tracker = "trackio" needs `pip install segpipe[tracking]`.')


class TrackioRun:
    """One run in the project that is called as the config is; a training that continues adds to its own.

    Args:
      config: of the run; its recipe is shown beside the curves.
      digest: of all that the training depends on; the run is named by it.
      folder: a path or gs:// URL that outlives a crash; it gets trackio.json, how many epochs were sent.
      history: the epochs that an earlier call has done.

    Raises:
      ConfigError: Trackio is not installed, or what it was told about its server is wrong.
    """

    def __init__(self, config: Config, digest: str, folder: str, history: Sequence[Mapping[str, Any]] = ()) -> None:
        check(config)
        import trackio

        recipe = config.model_dump(mode="json", include={"model": True, "train": True, "data": {"image_size"}})
        self._classes, self._sent_file = config.data.classes, f"{folder}/{SENT_FILE}"
        with redirect_stdout(io.StringIO()) as said:
            try:
                self._run = trackio.init(config.name, digest[:12], config=recipe, resume="allow", embed=False)
            except Exception as error:
                # The address may hold the token.
                why = re.sub(r"(write_token=)[^&'\"\s]*", r"\1…", str(error))
                raise ConfigError(f"Trackio, the train.tracker, cannot start: {why}") from None
        _log.info(said.getvalue())
        self._epoch = self._sent()
        for row in history[self._epoch :]:
            self.add(row)

    def add(self, row: Mapping[str, Any]) -> None:
        """Adds one epoch, a row of the history; it is sent within a second, while the training goes on."""
        self._run.log(numbers(row, self._classes), step=row["epoch"])
        self._epoch = row["epoch"]

    def close(self) -> None:
        """Sends what is left, and notes how many epochs were sent."""
        import trackio

        with redirect_stdout(io.StringIO()) as said:
            trackio.finish()
        _log.info(said.getvalue())
        with checkpoint.written_whole(self._sent_file, 0) as stream:
            stream.write(json.dumps({"run": self._run.name, "epochs": self._epoch}).encode())

    def _sent(self) -> int:
        """How many epochs of this training are there for certain; after a killed call too few: some are sent twice."""
        if not tf.io.gfile.exists(self._sent_file):
            return 0
        with tf.io.gfile.GFile(self._sent_file) as file:
            sent = json.loads(file.read())
        return int(sent["epochs"]) if sent["run"] == self._run.name else 0
