"""The life of a model behind a Vertex AI endpoint: canary, then promoted or rolled back, and the old one switched off.

Nothing is remembered but what Vertex AI knows: the champion is the deployed model with most of the traffic, a candidate
is newer than it, whatever is older is retired. So any step can be cut off and taken up again, by the next push or by
`segpipe endpoint promote|rollback`, and only a canary that waits for a person leaves two models billed.
"""

import datetime
import time
from collections.abc import Callable
from dataclasses import dataclass

from google.cloud import aiplatform

from segpipe.config.vertex import Endpoint as Settings
from segpipe.errors import RunError, UserError
from segpipe.pipeline.vertex.health import Health, check
from segpipe.pipeline.vertex.registry import Registry


@dataclass(frozen=True)
class Deployed:
    """One model behind the endpoint.

    Attributes:
      id: of the deployment.
      model: resource name in the registry.
      version: number in the registry.
      percent: share of the requests.
      since: when it was deployed.
      machine: type of its machines.
      replicas: the least number of machines that are billed.
    """

    id: str
    model: str
    version: str
    percent: int
    since: datetime.datetime
    machine: str
    replicas: int


@dataclass(frozen=True)
class State:
    """What is deployed.

    Attributes:
      deployed: oldest first.
    """

    deployed: tuple[Deployed, ...]

    @property
    def champion(self) -> Deployed | None:
        """The model that answers most requests; the older one where two answer as many."""
        return max(self.deployed, key=lambda one: (one.percent, -self.deployed.index(one)), default=None)

    @property
    def candidate(self) -> Deployed | None:
        """The newest model, where the champion is an older one."""
        newest = self.deployed[-1] if self.deployed else None
        return None if newest is self.champion else newest

    @property
    def retired(self) -> tuple[Deployed, ...]:
        """Every other model: billed for nothing."""
        return tuple(one for one in self.deployed if one not in (self.champion, self.candidate))


class ModelEndpoint:
    """One endpoint, found by its name or made on the first push."""

    def __init__(
        self,
        name: str,
        project: str,
        region: str,
        settings: Settings,
        service_account: str = "",
        sleep: Callable[[float], None] = time.sleep,
    ):
        """Names the endpoint; asks Google nothing yet.

        Args:
          name: of the run; the endpoint's and the model's where `settings.name` is empty.
          project: of Google Cloud.
          region: likewise.
          settings: the config's [vertex.endpoint].
          service_account: that the servers run as.
          sleep: waits so many seconds; the grace period uses it.
        """
        self.name = settings.name or name
        self.registry = Registry(self.name)
        self._settings, self._service_account, self._sleep = settings, service_account, sleep
        # Told once, so that no call asks another service which project the login belongs to.
        aiplatform.init(project=project, location=region)

    def state(self) -> State:
        """What is deployed now; nothing, where there is no endpoint."""
        endpoint = self._find()
        return State(()) if endpoint is None else _state(endpoint)

    def push(self, model_uri: str, image_size: int, num_classes: int) -> str:
        """Brings a model into service: registered, deployed beside the champion, watched, promoted.

        Args:
          model_uri: gs:// folder of the SavedModel; pushing the same one again finishes what is left to do.
          image_size: side of its masks in pixels.
          num_classes: of its masks.

        Returns:
          The model version's resource name, as in projects/…/models/123@4.

        Raises:
          RunError: it did not answer well; the champion has all requests again and the new model is switched off.
        """
        settings = self._settings
        model = self.registry.upload(model_uri, settings.image)
        endpoint = self._find() or aiplatform.Endpoint.create(display_name=self.name)
        self._clean_up(endpoint, model.version_id)
        state = _state(endpoint)
        if not any(_is(one, model) for one in state.deployed):
            self._deploy(endpoint, model, 100 if state.champion is None else settings.canary_percent)
            state = _state(endpoint)
        pushed = next(one for one in state.deployed if _is(one, model))
        health = self._check(endpoint, pushed, image_size, num_classes)
        if health.problem:
            self._undo(endpoint, pushed)
            raise RunError(f"version {model.version_id} was rolled back: {health.problem}.")
        if pushed is state.champion or settings.promote == "auto":
            self._promote(endpoint, pushed, lambda: self._check(endpoint, pushed, image_size, num_classes))
        return f"{model.resource_name}@{model.version_id}"

    def promote(self) -> Deployed:
        """Gives the candidate all requests and, after the grace period, switches the old model off.

        Raises:
          UserError: there is nothing to promote.
        """
        endpoint = self._found()
        state = _state(endpoint)
        candidate = state.candidate or (state.champion if state.retired else None)
        if candidate is None:
            raise UserError(
                f"endpoint {self.name} has no candidate; a push with vertex.endpoint.promote = manual makes one."
            )
        self._promote(endpoint, candidate, lambda: Health("", 0, 0))
        return candidate

    def roll_back(self) -> Deployed:
        """Gives the model before the newest all requests and switches the newest off.

        Where the old one is already off, its version is deployed again first.

        Raises:
          UserError: there is no older model.
        """
        endpoint = self._found()
        state = _state(endpoint)
        if len(state.deployed) > 1:
            # Without a candidate, the highest version is the one to leave: promoted last, or by a rollback cut off.
            self._undo(endpoint, state.candidate or max(state.deployed, key=lambda one: int(one.version)))
            left = _champion(endpoint)
            self.registry.make_default(left.version)
            return left
        champion = state.champion
        previous = self.registry.previous(champion.version) if champion else None
        if champion is None or previous is None:
            raise UserError(f"endpoint {self.name} has no older model to go back to.")
        self._deploy(endpoint, previous, 100)
        self._undeploy(endpoint, champion)
        self.registry.make_default(previous.version_id)
        return _champion(endpoint)

    def _promote(self, endpoint: aiplatform.Endpoint, winner: Deployed, still_well: Callable[[], Health]) -> None:
        """Moves the traffic, waits, looks once more, and only then switches the others off."""
        others = [one for one in _state(endpoint).deployed if one.id != winner.id]
        _route(endpoint, winner)
        if others and self._settings.grace_minutes:
            self._sleep(self._settings.grace_minutes * 60)
            health = still_well()
            if health.problem:
                self._undo(endpoint, winner)
                raise RunError(f"version {winner.version} was rolled back after its promotion: {health.problem}.")
        for old in others:
            self._undeploy(endpoint, old)
        self.registry.make_default(winner.version)
        self.registry.prune(self._settings.keep_versions, {one.version for one in _state(endpoint).deployed})

    def _undo(self, endpoint: aiplatform.Endpoint, failed: Deployed) -> None:
        """Gives the newest of the other models all requests and switches the failed one off."""
        others = [one for one in _state(endpoint).deployed if one.id != failed.id]
        if others:
            _route(endpoint, max(others, key=lambda one: (one.percent, one.since)))
        self._undeploy(endpoint, failed)

    def _clean_up(self, endpoint: aiplatform.Endpoint, pushing: str) -> None:
        """Switches off what a cut-off push left behind, but not a canary of the version that is pushed again."""
        state = _state(endpoint)
        others = [one for one in (*state.retired, state.candidate) if one is not None]
        left_over = [one for one in others if one.version != pushing or not one.percent]
        if left_over and state.champion is not None:
            _route(endpoint, state.champion)
        for one in left_over:
            self._undeploy(endpoint, one)

    def _check(self, endpoint: aiplatform.Endpoint, one: Deployed, image_size: int, num_classes: int) -> Health:
        percent = next(now.percent for now in _state(endpoint).deployed if now.id == one.id)
        answers = self._settings.health_requests
        return check(endpoint.predict, one.id, percent, answers, image_size, num_classes)

    def _deploy(self, endpoint: aiplatform.Endpoint, model: aiplatform.Model, percent: int) -> None:
        settings = self._settings
        endpoint.deploy(
            model,
            deployed_model_display_name=f"{self.name}-{model.version_id}",
            traffic_percentage=percent,
            machine_type=settings.machine_type,
            min_replica_count=settings.min_replicas,
            max_replica_count=settings.max_replicas,
            accelerator_type=settings.accelerator_type or None,
            accelerator_count=settings.accelerator_count if settings.accelerator_type else None,
            service_account=self._service_account or None,
        )

    def _undeploy(self, endpoint: aiplatform.Endpoint, one: Deployed) -> None:
        endpoint.undeploy(one.id)

    def _find(self) -> aiplatform.Endpoint | None:
        found = aiplatform.Endpoint.list(filter=f'display_name="{self.name}"')
        return min(found, key=lambda endpoint: endpoint.create_time, default=None)

    def _found(self) -> aiplatform.Endpoint:
        endpoint = self._find()
        if endpoint is None:
            raise UserError(f"there is no endpoint {self.name} yet; the first push of a blessed model makes it.")
        return endpoint


def _is(one: Deployed, model: aiplatform.Model) -> bool:
    return one.version == model.version_id and one.model.split("@")[0] == model.resource_name


def _champion(endpoint: aiplatform.Endpoint) -> Deployed:
    champion = _state(endpoint).champion
    if champion is None:
        raise RunError(f"endpoint {endpoint.display_name} has no model left.")
    return champion


def _route(endpoint: aiplatform.Endpoint, winner: Deployed) -> None:
    split = {one.id: 100 if one.id == winner.id else 0 for one in _state(endpoint).deployed}
    endpoint.update(traffic_split=split)


def _state(endpoint: aiplatform.Endpoint) -> State:
    split = endpoint.traffic_split
    return State(
        tuple(
            sorted(
                (
                    Deployed(
                        id=one.id,
                        model=one.model,
                        version=one.model_version_id,
                        percent=split.get(one.id, 0),
                        since=one.create_time,
                        machine=one.dedicated_resources.machine_spec.machine_type,
                        replicas=one.dedicated_resources.min_replica_count,
                    )
                    for one in endpoint.list_models()
                ),
                key=lambda one: one.since,
            )
        )
    )
