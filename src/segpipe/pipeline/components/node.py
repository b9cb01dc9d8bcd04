"""Declares a TFX node once: its inputs, its outputs and one frozen, validated model of its parameters.

    class Parameters(node.Parameters):
        schema_file: str

    INTERFACE = node.Interface(Parameters, outputs={"schema": standard_artifacts.Schema})

    class Executor(node.Executor[Parameters], interface=INTERFACE):
        def run(self, artifacts: node.Artifacts, parameters: Parameters) -> None: ...

    class ImportSchemaGen(node.Node, executor=Executor):
        def __init__(self, schema_file: str):
            super().__init__(Parameters(schema_file=schema_file))

A parameter becomes one execution parameter of the same name: text and whole numbers as they are, everything else as
JSON. So ML Metadata shows each by its name, TFX's cache compares each, and a RuntimeParameter can stand for a text.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import NoneType
from typing import Any, ClassVar, Generic, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError
from tfx import types
from tfx.dsl.components.base import (
    base_beam_component,
    base_beam_executor,
    base_component,
    base_executor,
    executor_spec,
)
from tfx.orchestration.data_types import RuntimeParameter
from tfx.types import artifact_utils, component_spec
from tfx.types.system_executions import SystemExecution

from segpipe.errors import ConfigError
from segpipe.pipeline.digest import code_digest

CODE_DIGEST = "code_digest"
"""The execution parameter that makes TFX's cache see an edit of the code."""


class Parameters(BaseModel):
    """Base of a node's parameters; any other frozen model serves, too.

    An unknown name is an error, and errors repeat no value.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


P = TypeVar("P", bound=BaseModel)


def to_execution(parameters: BaseModel) -> dict[str, str | int]:
    """Returns what TFX is given: a value for each parameter that is not None."""
    values = parameters.model_dump(mode="json")
    return {
        name: _encode(values[name], info.annotation)
        for name, info in type(parameters).model_fields.items()
        if getattr(parameters, name) is not None
    }


def from_execution(kind: type[P], properties: Mapping[str, Any]) -> P:
    """Reads what `to_execution` returned, from the execution properties of a running node.

    Args:
      kind: the model of the parameters.
      properties: those of the execution; what is no parameter, such as the code's digest, is left aside.

    Raises:
      ConfigError: a value that a RuntimeParameter brought is wrong.
    """
    annotations = {
        name: info.annotation for name, info in kind.model_fields.items() if properties.get(name) is not None
    }
    try:
        return kind(**{name: _decode(properties[name], annotation) for name, annotation in annotations.items()})
    except ValidationError as error:
        raise ConfigError(f"a parameter of the node is wrong: {error}") from None


@dataclass(frozen=True)
class Interface(Generic[P]):
    """What goes into a node and what comes out.

    Attributes:
      parameters: the model of its parameters.
      inputs: artifact type by name.
      optional_inputs: the same, of inputs that may be left out.
      outputs: artifact type by name.
      code: module whose code's digest is an execution parameter, too; empty for a node without one.
      annotation: which kind of step Vertex AI shows, such as `system_executions.Evaluate`.
    """

    parameters: type[P]
    inputs: Mapping[str, type[types.Artifact]] = field(default_factory=dict)
    optional_inputs: Mapping[str, type[types.Artifact]] = field(default_factory=dict)
    outputs: Mapping[str, type[types.Artifact]] = field(default_factory=dict)
    code: str = ""
    annotation: type[SystemExecution] | None = None

    def spec(self) -> type[component_spec.ComponentSpec]:
        """Returns the class in which TFX wants all of this."""
        parameters = {
            name: component_spec.ExecutionParameter(
                type=_execution_type(info.annotation), optional=not info.is_required()
            )
            for name, info in self.parameters.model_fields.items()
        }
        if self.code:
            parameters[CODE_DIGEST] = component_spec.ExecutionParameter(type=str)
        inputs = {name: component_spec.ChannelParameter(type=kind) for name, kind in self.inputs.items()}
        inputs |= {
            name: component_spec.ChannelParameter(type=kind, optional=True)
            for name, kind in self.optional_inputs.items()
        }
        outputs = {name: component_spec.ChannelParameter(type=kind) for name, kind in self.outputs.items()}
        declared = {
            "PARAMETERS": parameters,
            "INPUTS": inputs,
            "OUTPUTS": outputs,
            "TYPE_ANNOTATION": self.annotation,
        }
        return type("Spec", (component_spec.ComponentSpec,), declared)


@dataclass(frozen=True)
class Artifacts:
    """The artifacts of one execution, by name."""

    inputs: Mapping[str, list[types.Artifact]]
    outputs: Mapping[str, list[types.Artifact]]

    def input(self, name: str) -> types.Artifact:
        """Returns the one artifact of an input."""
        return artifact_utils.get_single_instance(self.inputs[name])

    def optional_input(self, name: str) -> types.Artifact | None:
        """Returns the artifact of an input, or None if it was left out or nothing was resolved for it."""
        return self.input(name) if self.inputs.get(name) else None

    def output(self, name: str) -> types.Artifact:
        """Returns the one artifact of an output."""
        return artifact_utils.get_single_instance(self.outputs[name])


class _Runs(Generic[P]):
    """What all executors share: TFX calls `Do`, and a subclass implements `run`."""

    interface: ClassVar[Interface[Any]]

    def __init_subclass__(cls, interface: Interface[P] | None = None, **options: Any) -> None:
        super().__init_subclass__(**options)
        if interface is not None:
            cls.interface = interface

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> Any:
        """Unpacks what TFX hands over, and runs."""
        self._log_startup(input_dict, output_dict, exec_properties)  # type: ignore[attr-defined]
        parameters = from_execution(self.interface.parameters, exec_properties)
        return self.run(Artifacts(input_dict, output_dict), parameters)

    def run(self, artifacts: Artifacts, parameters: P) -> Any:
        """Does the node's work: reads the inputs and fills the outputs."""
        raise NotImplementedError


class Executor(_Runs[P], base_executor.BaseExecutor):
    """Base of an executor that needs no Beam."""


class BeamExecutor(_Runs[P], base_beam_executor.BaseBeamExecutor):
    """Base of an executor that runs Beam pipelines, from `self._make_beam_pipeline()`."""


class _Declared:
    """What all nodes share: the executor's interface, in TFX's form."""

    _spec_of: ClassVar[type[executor_spec.ExecutorClassSpec]]

    def __init_subclass__(cls, executor: type[_Runs[Any]] | None = None, **options: Any) -> None:
        super().__init_subclass__(**options)
        if executor is not None:
            cls.interface = executor.interface  # type: ignore[attr-defined]
            cls.SPEC_CLASS = executor.interface.spec()  # type: ignore[attr-defined]
            cls.EXECUTOR_SPEC = cls._spec_of(executor)  # type: ignore[attr-defined]

    def __init__(
        self,
        parameters: BaseModel,
        runtime_parameters: Mapping[str, RuntimeParameter] | None = None,
        digest: str = "",
        **channels: types.BaseChannel | None,
    ) -> None:
        """Makes the node.

        Args:
          parameters: its parameters.
          runtime_parameters: what stands for some of them until the run is started.
          digest: of the code, if it is not that of the interface's module alone.
          **channels: the inputs.
        """
        interface: Interface[Any] = self.interface  # type: ignore[attr-defined]
        arguments: dict[str, Any] = {**to_execution(parameters), **(runtime_parameters or {})}
        if interface.code:
            arguments[CODE_DIGEST] = digest or code_digest(interface.code)
        outputs = {name: types.Channel(type=kind) for name, kind in interface.outputs.items()}
        super().__init__(spec=self.SPEC_CLASS(**arguments, **channels, **outputs))  # type: ignore


class Node(_Declared, base_component.BaseComponent):
    """Base of a TFX component that needs no Beam."""

    _spec_of = executor_spec.ExecutorClassSpec


class BeamNode(_Declared, base_beam_component.BaseBeamComponent):
    """Base of a TFX component that takes Beam's arguments."""

    _spec_of = executor_spec.BeamExecutorSpec


def _execution_type(annotation: Any) -> type:
    """Returns int for whole numbers and truth values, else str: for text, or for JSON."""
    return int if _plain(annotation) in (int, bool) else str


def _plain(annotation: Any) -> Any:
    """The annotation without its `| None`."""
    members = [member for member in get_args(annotation) if member is not NoneType]
    return members[0] if len(members) == 1 and NoneType in get_args(annotation) else annotation


def _encode(value: Any, annotation: Any) -> str | int:
    if _execution_type(annotation) is int:
        return int(value)
    return value if _plain(annotation) is str else json.dumps(value, sort_keys=True)


def _decode(value: Any, annotation: Any) -> Any:
    return value if _plain(annotation) in (str, int, bool) else json.loads(value)
