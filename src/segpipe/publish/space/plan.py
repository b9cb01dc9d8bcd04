"""Which demo goes with a model, as a frozen value, and the files of its Space once the model's commit is known."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

import yaml

from segpipe.errors import ConfigError
from segpipe.publish.files import File, folder_files

TEMPLATES = Path(__file__).parent / "templates"
SDKS = ("gradio", "streamlit")
PLACEHOLDERS = {
    "MODEL_REPO_ID": "$MODEL_REPO_ID",
    "MODEL_REPO_URL": "$MODEL_REPO_URL",
    "MODEL_VERSION": "$MODEL_VERSION",
    "MODEL_COMMIT": "$MODEL_COMMIT",
}
TEXT_SUFFIXES = (".py", ".md", ".txt", ".toml", ".yaml", ".yml", ".json", ".html", ".css", "")


@dataclass(frozen=True)
class ModelRevision:
    """The published model that a Space shows: `commit_id` pins it, `version` names it to people."""

    repo_id: str
    version: str
    commit_id: str
    repo_url: str


@dataclass(frozen=True)
class SpacePlan:
    """A demo, ready to be rendered.

    Attributes:
      repo_id: "user/name" of the Space.
      sdk: gradio or streamlit; the Hub runs the latter in Docker, since it ended its own Streamlit SDK in 2025.
      app_path: folder of an app of your own, with app.py; the shipped one when None.
      placeholders: what stands for MODEL_REPO_ID, MODEL_REPO_URL, MODEL_VERSION and MODEL_COMMIT in the app's files.
      title: above the Space.
      license: of the app's code and the model, an identifier of the Hub.
      examples: pictures to pick from.

    Raises:
      ConfigError: an unknown SDK or placeholder, or no app.py in `app_path`.
    """

    repo_id: str
    sdk: str = "gradio"
    app_path: Path | None = None
    placeholders: Mapping[str, str] = field(default_factory=lambda: PLACEHOLDERS)
    title: str = "Segmentation"
    license: str = "apache-2.0"
    examples: tuple[File, ...] = ()

    def __post_init__(self) -> None:
        check_sdk(self.sdk)
        check_placeholders(self.placeholders)
        if self.app_path is not None:
            check_app(self.app_path)

    def render(self, model: ModelRevision) -> tuple[File, ...]:
        """The files of the Space: the app with its placeholders filled in, README.md and requirements.txt."""
        values = {
            "MODEL_REPO_ID": model.repo_id,
            "MODEL_REPO_URL": model.repo_url,
            "MODEL_VERSION": model.version,
            "MODEL_COMMIT": model.commit_id,
        }
        marks = {**PLACEHOLDERS, **self.placeholders}
        replacements = {marks[name]: value for name, value in values.items()}
        files = {file.path: _filled(file, replacements) for file in self._app_files()}
        files.setdefault("README.md", File("README.md", self._readme(model).encode()))
        files.setdefault("requirements.txt", File("requirements.txt", requirements(self.sdk).encode()))
        files |= {f"examples/{file.path}": File(f"examples/{file.path}", file.source) for file in self.examples}
        return tuple(files[path] for path in sorted(files))

    def _app_files(self) -> tuple[File, ...]:
        if self.app_path is not None:
            return folder_files(self.app_path)
        return (*folder_files(TEMPLATES / self.sdk), File("predictor.py", TEMPLATES / "predictor.py"))

    def _readme(self, model: ModelRevision) -> str:
        runtime = (
            {"sdk": "gradio", "sdk_version": metadata.version("gradio"), "python_version": "3.11", "app_file": "app.py"}
            if self.sdk == "gradio"
            else {"sdk": "docker", "app_port": 8501}
        )
        front = {
            "title": self.title, "emoji": "🎨", "colorFrom": "blue", "colorTo": "green", **runtime,
            "models": [model.repo_id], "license": self.license, "pinned": False,
            "short_description": "Every pixel of a picture gets its class",
        }  # fmt: skip
        block = yaml.safe_dump(front, sort_keys=False, allow_unicode=True)
        return (
            f"---\n{block}---\n\nDemo of [{model.repo_id}]({model.repo_url}), version `{model.version}`, "
            f"pinned to commit `{model.commit_id}`.\n"
        )


def check_sdk(sdk: str) -> None:
    """Raises a ConfigError unless there is a demo app for `sdk`."""
    if sdk not in SDKS:
        raise ConfigError(f"space_sdk must be one of {', '.join(SDKS)}, got {sdk!r}.")


def check_placeholders(names: Iterable[str]) -> None:
    """Raises a ConfigError if one of `names` stands for nothing in an app's files."""
    if unknown := sorted(set(names) - set(PLACEHOLDERS)):
        raise ConfigError(f"placeholders can be {', '.join(PLACEHOLDERS)}, got {', '.join(unknown)}.")


def check_app(folder: Path) -> None:
    """Raises a ConfigError unless `folder` holds an app."""
    if not (folder / "app.py").is_file():
        raise ConfigError(f"an app template is a folder with app.py; {folder} has none.")


def requirements(sdk: str) -> str:
    """The Space's requirements.txt: few, and pinned to the versions that this model was made and tested with.

    TensorFlow comes as tensorflow-cpu, which is what a free Space can use; Gradio comes with the Space's SDK.
    """
    pins = {"tensorflow-cpu": "tensorflow", "huggingface_hub": "huggingface_hub", "pillow": "pillow", "numpy": "numpy"}
    if sdk == "streamlit":
        pins["streamlit"] = "streamlit"
    return "".join(f"{name}=={metadata.version(installed)}\n" for name, installed in sorted(pins.items()))


def _filled(file: File, replacements: Mapping[str, str]) -> File:
    """`file` with its placeholders replaced, longest first, so that one may begin like another."""
    if Path(file.path).suffix not in TEXT_SUFFIXES:
        return file
    try:
        text = file.read().decode()
    except UnicodeDecodeError:  # A name without a suffix promises no text.
        return file
    for mark in sorted(replacements, key=len, reverse=True):
        text = text.replace(mark, replacements[mark])
    return File(file.path, text.encode())
