"""Watches a serving folder: loads a new version aside, then lets it take over at once."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from segpipe.errors import DataError
from segpipe.io import files
from segpipe.savedmodel import find
from segpipe.savedmodel.load import LoadedModel, load
from segpipe.savedmodel.request_error import NOT_FOUND, OVERLOADED, RequestError

_log = logging.getLogger(__name__)

LOADING = "LOADING"
AVAILABLE = "AVAILABLE"
END = "END"


@dataclass(frozen=True)
class VersionStatus:
    """What a version is doing, in TensorFlow Serving's words; `error` is empty while all is well."""

    version: int
    state: str
    error: str = ""


class Versions:
    """Keeps the newest versions of a folder loaded.

    A request takes the model object when it is queued, so it is answered by that version however long it waits; the
    version's memory is freed when its last request is done.
    """

    def __init__(
        self,
        folder: str | Path,
        keep: int = 1,
        poll_s: float = 1.0,
        warm_up: Callable[[LoadedModel], None] = lambda model: None,
    ):
        """Follows `folder`.

        Args:
          folder: holds one SavedModel per numbered folder.
          keep: how many of the newest versions answer.
          poll_s: how often the folder is looked at.
          warm_up: called with a loaded version before it takes over.
        """
        self._folder = str(folder)
        self._keep = keep
        self._poll_s = poll_s
        self._warm_up = warm_up
        self._models: dict[int, LoadedModel] = {}
        self._status: dict[int, VersionStatus] = {}
        self._failed: dict[int, list[files.Entry]] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="versions", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def ready(self) -> bool:
        """Whether a version can answer."""
        return bool(self._models)

    def get(self, version: int | None = None) -> LoadedModel:
        """A loaded version; the newest where none is asked for.

        Raises:
          RequestError: 404 where that version is not loaded, 503 where none is yet.
        """
        models = self._models
        if version is None:
            if not models:
                raise RequestError("no version of the model is loaded yet; try again in a moment.", OVERLOADED)
            return models[max(models)]
        if version not in models:
            loaded = ", ".join(map(str, sorted(models))) or "none"
            raise RequestError(f"version {version} is not loaded; loaded: {loaded}.", NOT_FOUND)
        return models[version]

    def status(self) -> list[VersionStatus]:
        """Every version seen since the start, newest first."""
        seen = dict(self._status)
        return [seen[version] for version in sorted(seen, reverse=True)]

    def refresh(self) -> None:
        """Looks at the folder once: loads what is new, then lets go of what is no longer wanted.

        A folder that holds nothing that loads leaves the loaded versions as they are: an old answer beats none.
        """
        wanted: dict[int, LoadedModel] = {}
        for version in find.versions(self._folder):
            if len(wanted) == self._keep:
                break
            model = self._models.get(version) or self._load(version)
            if model is not None:
                wanted[version] = model
        if not wanted:
            return
        retired = self._models.keys() - wanted.keys()
        self._models = wanted  # One assignment: a request sees the old set or the new one.
        for version in retired:
            self._status[version] = VersionStatus(version, END)
            _log.info("Version %d retired.", version)

    def _load(self, version: int) -> LoadedModel | None:
        path = files.join(self._folder, str(version))
        contents = _contents(path)
        if self._failed.get(version) == contents:
            return None
        self._status[version] = VersionStatus(version, LOADING)
        try:
            model = load(path, version)
            self._warm_up(model)
        except Exception as error:
            # Someone may still be copying it: it is tried again when a file of it changes.
            sentence = (str(error).strip().splitlines() or [type(error).__name__])[0]
            self._status[version] = VersionStatus(version, LOADING, sentence)
            self._failed[version] = contents
            _log.warning("Version %d does not load; tried again when its files change: %s", version, sentence)
            return None
        self._failed.pop(version, None)
        self._status[version] = VersionStatus(version, AVAILABLE)
        _log.info("Version %d answers.", version)
        return model

    def _follow(self) -> None:
        while True:
            try:
                self.refresh()
            except Exception as error:  # The folder is away for a moment, as network disks and object stores are.
                _log.warning("Cannot look at %s: %s", self._folder, error)
            if self._stop.wait(self._poll_s):
                return


def _contents(folder: str) -> list[files.Entry]:
    """Every file under `folder` with what changes when it is written again; none while there is no such folder."""
    try:
        return files.listing(folder)
    except DataError:
        return []
