"""Vertex AI on loopback: gRPC over TLS, as REGION-aiplatform.googleapis.com, for Google's own client to talk to.

It keeps what it is told and answers as the service does: long-running operations, versions and aliases of models,
traffic splits that must add up to 100 and name what is deployed, 404s, and any fault that a test asks for.
"""

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import grpc
from google.cloud import aiplatform_v1 as v1
from google.cloud import resourcemanager_v3
from google.longrunning import operations_pb2
from google.protobuf import empty_pb2, json_format, struct_pb2, timestamp_pb2

from .gcs import PROJECT_NUMBER
from .google_grpc import Fault, Methods, RefusedError
from .vertex_serving import masks

State = v1.PipelineState
_V1 = "google.cloud.aiplatform.v1"
Runs = Callable[[v1.PipelineJob], None]


@dataclass
class _Store:
    models: dict[str, list[v1.Model]] = field(default_factory=dict)
    endpoints: dict[str, v1.Endpoint] = field(default_factory=dict)
    jobs: dict[str, v1.PipelineJob] = field(default_factory=dict)
    custom_jobs: dict[str, v1.CustomJob] = field(default_factory=dict)


class LoopbackVertex:
    """What `LoopbackGrpc` serves as Vertex AI.

    Attributes:
      store: what it has been told.
      calls: names of the methods called, in order.
      faults: method → Fault, or a function that gets the request and returns one or None.
      runs: what a pipeline job does; None lets it succeed at the third look.
      trains: what a custom job does; None lets it succeed at once.
      predicts: instances in, predictions out, by version of the model; masks of one class when left out.
      most_deployed: the most models that were deployed at once.
    """

    METHODS: ClassVar[Methods] = {
        f"{_V1}.PipelineService": {
            "CreatePipelineJob": (v1.CreatePipelineJobRequest, v1.PipelineJob),
            "GetPipelineJob": (v1.GetPipelineJobRequest, v1.PipelineJob),
        },
        f"{_V1}.JobService": {
            "CreateCustomJob": (v1.CreateCustomJobRequest, v1.CustomJob),
            "GetCustomJob": (v1.GetCustomJobRequest, v1.CustomJob),
        },
        f"{_V1}.ModelService": {
            "UploadModel": (v1.UploadModelRequest, None),
            "GetModel": (v1.GetModelRequest, v1.Model),
            "ListModels": (v1.ListModelsRequest, v1.ListModelsResponse),
            "ListModelVersions": (v1.ListModelVersionsRequest, v1.ListModelVersionsResponse),
            "MergeVersionAliases": (v1.MergeVersionAliasesRequest, v1.Model),
            "DeleteModelVersion": (v1.DeleteModelVersionRequest, None),
        },
        f"{_V1}.EndpointService": {
            "CreateEndpoint": (v1.CreateEndpointRequest, None),
            "GetEndpoint": (v1.GetEndpointRequest, v1.Endpoint),
            "ListEndpoints": (v1.ListEndpointsRequest, v1.ListEndpointsResponse),
            "UpdateEndpoint": (v1.UpdateEndpointRequest, v1.Endpoint),
            "DeployModel": (v1.DeployModelRequest, None),
            "UndeployModel": (v1.UndeployModelRequest, None),
        },
        "google.cloud.resourcemanager.v3.Projects": {
            "GetProject": (resourcemanager_v3.GetProjectRequest, resourcemanager_v3.Project)
        },
        f"{_V1}.PredictionService": {"Predict": (v1.PredictRequest, v1.PredictResponse)},
    }

    def __init__(self) -> None:
        self.forget()
        self._lock, self._random = threading.RLock(), random.Random(0)  # noqa: S311 (it picks a model, no secret)

    def forget(self) -> None:
        """Starts over with nothing stored and nothing going wrong."""
        self.store = _Store()
        self.calls: list[str] = []
        self.faults: dict[str, Fault | Callable[[Any], Fault | None]] = {}
        self.runs: Runs | None = None
        self.trains: Callable[[v1.CustomJob], None] | None = None
        self.predicts: Callable[[str, list[Any]], list[Any]] = lambda _version, instances: masks(instances)
        self.most_deployed = 0
        self._number = 0

    def create_pipeline_job(self, request: v1.CreatePipelineJobRequest) -> v1.PipelineJob:
        job = v1.PipelineJob(request.pipeline_job)
        job.name = f"{request.parent}/pipelineJobs/{request.pipeline_job_id or self._next()}"
        job.state, job.create_time = State.PIPELINE_STATE_PENDING, _now()
        self.store.jobs[job.name] = job
        if self.runs is not None:
            threading.Thread(target=self.runs, args=(job,), daemon=True).start()
        return job

    def get_pipeline_job(self, request: v1.GetPipelineJobRequest) -> v1.PipelineJob:
        job = self._get(self.store.jobs, request.name)
        if self.runs is None:
            order = [State.PIPELINE_STATE_PENDING, State.PIPELINE_STATE_RUNNING, State.PIPELINE_STATE_SUCCEEDED]
            if job.state in order:
                job.state = order[min(order.index(job.state) + 1, 2)]
        return job

    def create_custom_job(self, request: v1.CreateCustomJobRequest) -> v1.CustomJob:
        job = v1.CustomJob(request.custom_job)
        job.name, job.state = f"{request.parent}/customJobs/{self._next()}", v1.JobState.JOB_STATE_SUCCEEDED
        self.store.custom_jobs[job.name] = job
        if self.trains is not None:
            self.trains(job)
        return job

    def get_custom_job(self, request: v1.GetCustomJobRequest) -> v1.CustomJob:
        return self._get(self.store.custom_jobs, request.name)

    def upload_model(self, request: v1.UploadModelRequest) -> operations_pb2.Operation:
        name = request.parent_model or f"{request.parent}/models/{self._next()}"
        versions = self.store.models.setdefault(name, [])
        model = v1.Model(request.model)
        model.name, model.version_id = name, str(max((int(v.version_id) for v in versions), default=0) + 1)
        model.create_time = model.version_create_time = _now()
        model.supported_deployment_resources_types = [v1.Model.DeploymentResourcesType.DEDICATED_RESOURCES]
        if request.model.version_aliases and any(set(model.version_aliases) & set(v.version_aliases) for v in versions):
            raise RefusedError(grpc.StatusCode.ALREADY_EXISTS, "the alias is taken")
        if not versions or "default" in model.version_aliases:
            model.version_aliases = [*model.version_aliases, "default"]
        versions.append(model)
        return _done(v1.UploadModelResponse(model=name, model_version_id=model.version_id))

    def get_model(self, request: v1.GetModelRequest) -> v1.Model:
        name, _, wanted = request.name.partition("@")
        versions = self._get(self.store.models, name)
        for version in versions:
            if wanted in (version.version_id, *version.version_aliases) or (
                not wanted and "default" in version.version_aliases
            ):
                return version
        raise RefusedError(grpc.StatusCode.NOT_FOUND, f"Model {request.name} not found.")

    def list_models(self, request: v1.ListModelsRequest) -> v1.ListModelsResponse:
        named = [self.get_model(v1.GetModelRequest(name=name)) for name in self.store.models]
        return v1.ListModelsResponse(models=[model for model in named if _matches(request.filter, model.display_name)])

    def list_model_versions(self, request: v1.ListModelVersionsRequest) -> v1.ListModelVersionsResponse:
        return v1.ListModelVersionsResponse(models=self._get(self.store.models, request.name.partition("@")[0]))

    def merge_version_aliases(self, request: v1.MergeVersionAliasesRequest) -> v1.Model:
        model = self.get_model(v1.GetModelRequest(name=request.name))
        for alias in request.version_aliases:
            if alias == "default":
                for other in self.store.models[model.name]:
                    other.version_aliases = [a for a in other.version_aliases if a != "default"]
            model.version_aliases = [*model.version_aliases, alias]
        return model

    def delete_model_version(self, request: v1.DeleteModelVersionRequest) -> operations_pb2.Operation:
        model = self.get_model(v1.GetModelRequest(name=request.name))
        deployed = {one.model_version_id for e in self.store.endpoints.values() for one in e.deployed_models}
        if model.version_id in deployed or "default" in model.version_aliases:
            raise RefusedError(grpc.StatusCode.FAILED_PRECONDITION, f"{request.name} is in use")
        self.store.models[model.name].remove(model)
        return _done(None)

    def create_endpoint(self, request: v1.CreateEndpointRequest) -> operations_pb2.Operation:
        endpoint = v1.Endpoint(request.endpoint)
        endpoint.name = f"{request.parent}/endpoints/{self._next()}"
        endpoint.create_time = _now()
        self.store.endpoints[endpoint.name] = endpoint
        return _done(endpoint)

    def get_endpoint(self, request: v1.GetEndpointRequest) -> v1.Endpoint:
        return self._get(self.store.endpoints, request.name)

    def list_endpoints(self, request: v1.ListEndpointsRequest) -> v1.ListEndpointsResponse:
        found = [e for e in self.store.endpoints.values() if _matches(request.filter, e.display_name)]
        return v1.ListEndpointsResponse(endpoints=found)

    def update_endpoint(self, request: v1.UpdateEndpointRequest) -> v1.Endpoint:
        endpoint = self._get(self.store.endpoints, request.endpoint.name)
        if "traffic_split" in request.update_mask.paths:
            _set_split(endpoint, dict(request.endpoint.traffic_split))
        return endpoint

    def deploy_model(self, request: v1.DeployModelRequest) -> operations_pb2.Operation:
        endpoint = self._get(self.store.endpoints, request.endpoint)
        version = self.get_model(v1.GetModelRequest(name=request.deployed_model.model))
        deployed = v1.DeployedModel(request.deployed_model)
        deployed.id, deployed.create_time = str(self._next()), _now()
        deployed.model, deployed.model_version_id = version.name, version.version_id
        split = {(deployed.id if key == "0" else key): value for key, value in request.traffic_split.items()}
        endpoint.deployed_models = [*endpoint.deployed_models, deployed]
        self.most_deployed = max(self.most_deployed, len(endpoint.deployed_models))
        _set_split(endpoint, split or {one.id: 100 * (one.id == deployed.id) for one in endpoint.deployed_models})
        return _done(v1.DeployModelResponse(deployed_model=deployed))

    def undeploy_model(self, request: v1.UndeployModelRequest) -> operations_pb2.Operation:
        endpoint = self._get(self.store.endpoints, request.endpoint)
        if all(one.id != request.deployed_model_id for one in endpoint.deployed_models):
            raise RefusedError(grpc.StatusCode.NOT_FOUND, f"DeployedModel {request.deployed_model_id} not found.")
        endpoint.deployed_models = [o for o in endpoint.deployed_models if o.id != request.deployed_model_id]
        split = dict(request.traffic_split) or dict(endpoint.traffic_split)
        split.pop(request.deployed_model_id, None)
        _set_split(endpoint, split if endpoint.deployed_models else {})
        return _done(v1.UndeployModelResponse())

    def get_project(self, request: resourcemanager_v3.GetProjectRequest) -> resourcemanager_v3.Project:
        return resourcemanager_v3.Project(
            name=f"projects/{PROJECT_NUMBER}", project_id=request.name.removeprefix("projects/")
        )

    def predict(self, request: v1.PredictRequest) -> Any:
        endpoint = self._get(self.store.endpoints, request.endpoint)
        if not endpoint.deployed_models:
            raise RefusedError(grpc.StatusCode.FAILED_PRECONDITION, "the endpoint has no deployed model")
        with self._lock:
            ids, weights = zip(*endpoint.traffic_split.items(), strict=True)
            chosen = self._random.choices(ids, weights)[0]
        deployed = next(one for one in endpoint.deployed_models if one.id == chosen)
        predictions = [
            json_format.ParseDict(prediction, struct_pb2.Value())
            for prediction in self.predicts(deployed.model_version_id, list(request.instances))
        ]
        # proto-plus cannot fill a repeated google.protobuf.Value; the message beneath it can.
        response = v1.PredictResponse.pb(v1.PredictResponse(deployed_model_id=chosen, model=deployed.model))
        response.predictions.extend(predictions)
        return response

    def _next(self) -> int:
        with self._lock:
            self._number += 1
            return self._number

    def _get(self, kept: dict[str, Any], name: str) -> Any:
        if name not in kept:
            raise RefusedError(grpc.StatusCode.NOT_FOUND, f"{name} is not found.")
        return kept[name]


def _done(message: Any) -> operations_pb2.Operation:
    operation = operations_pb2.Operation(name="operations/1", done=True)
    operation.response.Pack(empty_pb2.Empty() if message is None else type(message).pb(message))
    return operation


def _set_split(endpoint: v1.Endpoint, split: dict[str, int]) -> None:
    """As the service: the shares of what is deployed add up to 100."""
    deployed = {one.id for one in endpoint.deployed_models}
    if split and (set(split) - deployed or sum(split.values()) != 100):
        raise RefusedError(grpc.StatusCode.INVALID_ARGUMENT, f"traffic_split {split} does not fit {sorted(deployed)}")
    if deployed and not split:
        raise RefusedError(grpc.StatusCode.INVALID_ARGUMENT, "traffic_split must add up to 100")
    endpoint.traffic_split = split


def _matches(wanted: str, display_name: str) -> bool:
    return not wanted or wanted == f'display_name="{display_name}"'


def _now() -> timestamp_pb2.Timestamp:
    stamp = timestamp_pb2.Timestamp()
    stamp.GetCurrentTime()
    return stamp
