"""A node of the adapter: its parameters there and back, its specification, its executor across processes."""

import json
import pickle
from collections.abc import Mapping

import pytest
from pydantic import BaseModel, ValidationError
from tfx.orchestration.data_types import RuntimeParameter
from tfx.types import Channel, standard_artifacts
from tfx.types.system_executions import Process

from segpipe.pipeline.components import node


class Limits(BaseModel):
    low: float = 0.0


class Parameters(node.Parameters):
    name: str
    count: int = 3
    private: bool = False
    note: str | None = None
    limits: Limits = Limits()
    colors: Mapping[str, tuple[int, ...]] | None = None


class Executor(
    node.Executor[Parameters],
    interface=node.Interface(
        Parameters,
        inputs={"model": standard_artifacts.Model},
        optional_inputs={"blessing": standard_artifacts.ModelBlessing},
        outputs={"pushed": standard_artifacts.PushedModel},
        code=__name__,
        annotation=Process,
    ),
):
    def run(self, artifacts: node.Artifacts, parameters: Parameters) -> Parameters:
        artifacts.output("pushed").set_string_custom_property("of", artifacts.input("model").uri)
        assert artifacts.optional_input("blessing") is None
        return parameters


class Publisher(node.Node, executor=Executor):
    """A node for these tests."""


FULL = Parameters(name="[1]", count=0, private=True, note="", limits=Limits(low=0.5), colors={"sky": (1, 2, 3)})


@pytest.mark.parametrize("parameters", [FULL, Parameters(name="null"), Parameters(name="")])
def test_parameters_come_back_equal(parameters: Parameters):
    properties = json.loads(json.dumps(node.to_execution(parameters)))
    assert node.from_execution(Parameters, {**properties, "code_digest": "0" * 16}) == parameters


def test_each_parameter_is_an_execution_parameter_of_its_own():
    properties = Publisher(FULL, model=Channel(type=standard_artifacts.Model)).exec_properties
    assert len(properties.pop("code_digest")) == 16
    assert properties == {
        "name": "[1]",
        "count": 0,
        "private": 1,
        "note": "",
        "limits": '{"low": 0.5}',
        "colors": '{"sky": [1, 2, 3]}',
    }


@pytest.mark.parametrize("wrong", [{"name": "a", "colour": "red"}, {"name": "a", "count": "many"}, {}])
def test_wrong_parameters_are_refused_when_the_node_is_made(wrong: dict):
    with pytest.raises(ValidationError):
        Parameters(**wrong)


def test_a_runtime_parameter_stands_for_a_text():
    later = RuntimeParameter(name="who", ptype=str)
    model = Channel(type=standard_artifacts.Model)
    properties = Publisher(Parameters(name="default"), {"name": later}, model=model).exec_properties
    assert properties["name"] is later


def test_a_missing_input_is_refused_and_an_optional_one_is_not():
    made = Publisher(Parameters(name="a"), model=Channel(type=standard_artifacts.Model), blessing=None)
    assert set(made.inputs) == {"model"}
    assert set(made.outputs) == {"pushed"}
    assert (made.id, made.spec.TYPE_ANNOTATION) == ("Publisher", Process)
    with pytest.raises(ValueError, match="model"):
        Publisher(Parameters(name="a"))


def test_an_executor_finds_its_interface_after_pickling():
    executor = pickle.loads(pickle.dumps(Executor))  # noqa: S301
    model, pushed = standard_artifacts.Model(), standard_artifacts.PushedModel()
    model.uri = "trained"
    properties = {**node.to_execution(FULL), "code_digest": "0" * 16}
    assert executor().Do({"model": [model], "blessing": []}, {"pushed": [pushed]}, properties) == FULL
    assert pushed.get_string_custom_property("of") == "trained"
