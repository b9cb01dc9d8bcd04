"""requirements.lock in, the part of it that runs in the cloud out: no linter, no browser and no demo app in the image.

.venv/bin/python deploy/image_lock.py > deploy/requirements.image.lock
"""

import re
import sys
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

EXTRAS = {"vertex", "demo", "sources"}


def needed(package: str, extras: set[str], seen: set[tuple[str, frozenset[str]]]) -> set[str]:
    """Canonical names of a package, less itself, and of all that it needs, as installed here."""
    found: set[str] = set()
    for text in requires(package) or []:
        requirement = Requirement(text)
        wanted = any(
            requirement.marker is None or requirement.marker.evaluate({"extra": extra}) for extra in {"", *extras}
        )
        key = (canonicalize_name(requirement.name), frozenset(requirement.extras))
        if not wanted or key in seen:
            continue
        seen.add(key)
        found.add(key[0])
        try:
            found |= needed(requirement.name, set(requirement.extras), seen)
        except PackageNotFoundError:  # Another platform's.
            continue
    return found


def blocks(lock: str) -> dict[str, str]:
    """The lock's entries, each with its hashes, by canonical name."""
    entries = re.split(r"\n(?=[A-Za-z0-9])", "\n" + lock)
    return {
        canonicalize_name(re.split(r"[=\[ ]", entry.strip())[0]): entry.strip() for entry in entries if entry.strip()
    }


if __name__ == "__main__":
    lock = blocks((Path(__file__).parents[1] / "requirements.lock").read_text(encoding="utf-8"))
    names = needed("segpipe", EXTRAS, set()) | {"hatchling", "editables"}
    names |= needed("hatchling", set(), set())
    sys.stdout.write("\n".join(lock[name] for name in sorted(names) if name in lock) + "\n")
