"""What the Hub checks in a README's metadata before it takes a commit: text in, the list of what is wrong out.

After the Hub's published spec (hub-docs, modelcard.md and spaces-config-reference), written apart from segpipe's card.
"""

import re
from typing import Any

import yaml

LICENSES = {
    "cc-by-4.0",
    "other",
    "pddl",
    "odc-by",
    "unknown",
    "odbl",
    "bsd-2-clause",
    "mpl-2.0",
    "unlicense",
    "cc-by-nc-4.0",
    "cc",
    "agpl-3.0",
    "openrail",
    "cc-by-sa-3.0",
    "bsd",
    "cc-by-nc-sa-4.0",
    "cdla-permissive-2.0",
    "cc-by-nd-4.0",
    "apache-2.0",
    "gpl-3.0",
    "cc-by-3.0",
    "cc0-1.0",
    "bsd-3-clause",
    "cc-by-sa-4.0",
    "cdla-sharing-1.0",
    "cc-by-nc-nd-4.0",
    "mit",
    "lgpl-3.0",
}
SDKS = ("gradio", "docker", "static")
COLORS = ("red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray")
DATASET_ID = re.compile(r"^[A-Za-z0-9][\w.-]*(/[\w.-]+)?$")


def problems(readme: str, kind: str) -> list[str]:
    """Everything that the Hub would refuse in this README."""
    match = re.match(r"^---\n(.*?)\n---\n", readme, re.DOTALL)
    if not match:
        return ["no YAML block at the top"]
    data = yaml.safe_load(match[1])
    if not isinstance(data, dict):
        return ["the YAML block is not a mapping"]
    return list(_space(data) if kind == "space" else _model(data))


def _model(data: dict[str, Any]) -> Any:
    if data.get("license") not in LICENSES:
        yield f'"license" must be one of the known identifiers, got {data.get("license")!r}'
    if data.get("license") == "other" and not data.get("license_name"):
        yield '"license_name" is required when license is other'
    for dataset in data.get("datasets", []):
        if not DATASET_ID.match(dataset):
            yield f'"datasets" must hold ids of datasets on the Hub, got {dataset!r}'
    for index, model in enumerate(data.get("model-index", [])):
        where = f"model-index[{index}]"
        if not isinstance(model.get("name"), str):
            yield f'"{where}.name" is required'
        for number, result in enumerate(model.get("results") or [{}]):
            yield from _result(result, f"{where}.results[{number}]")


def _result(result: dict[str, Any], where: str) -> Any:
    if not isinstance(result.get("task", {}).get("type"), str):
        yield f'"{where}.task.type" is required'
    for key in ("type", "name"):
        if not isinstance(result.get("dataset", {}).get(key), str):
            yield f'"{where}.dataset.{key}" is required'
    metrics = result.get("metrics")
    if not metrics:
        yield f'"{where}.metrics" is required'
    for metric in metrics or []:
        if not isinstance(metric.get("type"), str) or not isinstance(metric.get("value"), int | float | str):
            yield f'"{where}.metrics" needs a type and a value, got {metric!r}'


def _space(data: dict[str, Any]) -> Any:
    if data.get("sdk") not in SDKS:
        yield f'"sdk" must be one of {", ".join(SDKS)}, got {data.get("sdk")!r}'
    if data.get("sdk") == "gradio" and not re.match(r"^\d+\.\d+\.\d+$", str(data.get("sdk_version"))):
        yield f'"sdk_version" must be a version, got {data.get("sdk_version")!r}'
    if not data.get("title"):
        yield '"title" is required'
    for key in ("colorFrom", "colorTo"):
        if data.get(key) not in COLORS:
            yield f'"{key}" must be one of {", ".join(COLORS)}, got {data.get(key)!r}'
    if len(data.get("short_description", "")) > 60:
        yield '"short_description" must have at most 60 characters'
