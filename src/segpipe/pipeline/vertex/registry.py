"""Registers a SavedModel on gs:// in Vertex AI's Model Registry, once however often it is asked."""

import hashlib
from typing import Any

from google.cloud import aiplatform

DEFAULT = "default"
"""Vertex AI's own alias of the version that serves."""


class Registry:
    """One model of the Model Registry and its versions."""

    def __init__(self, name: str):
        """Names the model.

        Args:
          name: display name; the newest model of that name in the project and region of `aiplatform.init` is meant.
        """
        self._name = name

    def upload(self, model_uri: str, image: str) -> aiplatform.Model:
        """Registers a model as a new version; a second call with the same address finds the first one's.

        Args:
          model_uri: gs:// folder of the SavedModel.
          image: of the server.
        """
        alias = content_alias(model_uri)
        parent = self._model()
        if parent is not None:
            for version in parent.versioning_registry.list_versions():
                if alias in (version.version_aliases or ()):
                    return self.version(version.version_id)
        return aiplatform.Model.upload(
            display_name=self._name,
            parent_model=parent.resource_name if parent else None,
            is_default_version=parent is None,
            version_aliases=[alias],
            artifact_uri=model_uri,
            serving_container_image_uri=image,
            labels={"segpipe": "pushed"},
        )

    def version(self, version_id: str) -> aiplatform.Model:
        """One version, by its number."""
        model = self._model()
        if model is None:
            raise LookupError(f"there is no model {self._name} in the registry.")
        return aiplatform.Model(model.resource_name, version=version_id)

    def previous(self, version_id: str) -> aiplatform.Model | None:
        """The newest version older than the given one that has been the default: one that was refused never is."""
        model = self._model()
        versions = [] if model is None else model.versioning_registry.list_versions()
        served = [_number(one) for one in versions if _served(one.version_id) in (one.version_aliases or ())]
        older = [number for number in served if number < int(version_id)]
        return self.version(str(max(older))) if older else None

    def make_default(self, version_id: str) -> None:
        """Moves the alias `default` to a version, and marks it as one to go back to."""
        model = self._model()
        if model is not None:
            model.versioning_registry.add_version_aliases([DEFAULT, _served(version_id)], version_id)

    def prune(self, keep: int, in_use: set[str]) -> list[str]:
        """Deletes the oldest versions beyond the newest `keep`, except those in use.

        Returns:
          The numbers of the versions that are gone.
        """
        model = self._model()
        if model is None:
            return []
        gone = []
        for version in sorted(model.versioning_registry.list_versions(), key=_number)[:-keep]:
            if version.version_id not in in_use and DEFAULT not in (version.version_aliases or ()):
                model.versioning_registry.delete_version(version.version_id)
                gone.append(version.version_id)
        return gone

    def _model(self) -> aiplatform.Model | None:
        found = aiplatform.Model.list(filter=f'display_name="{self._name}"')
        return max(found, key=lambda model: model.create_time, default=None)


def content_alias(model_uri: str) -> str:
    """The alias by which a retry finds what it has uploaded before."""
    return f"m-{hashlib.sha256(model_uri.encode()).hexdigest()[:16]}"


def _served(version_id: str) -> str:
    """The alias of a version that has served; each has its own, for an alias belongs to one version."""
    return f"served-{version_id}"


def _number(version: Any) -> int:
    return int(version.version_id)
