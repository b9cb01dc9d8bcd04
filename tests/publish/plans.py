"""A small plan to publish, without TensorFlow."""

from segpipe.publish.files import File
from segpipe.publish.plan import Plan
from segpipe.publish.space.plan import SpacePlan

TOKEN = "hf_a-token-that-must-never-be-written-down"
CARD = b"---\nlicense: apache-2.0\n---\n\n# A model\n"


def plan(version: str = "v100", weights: bytes = b"\0weights" * 1000, **changes: object) -> Plan:
    """A version of a model with one regular file, two large ones and a card, and a Space."""
    files = (
        File("saved_model.pb", b"graph"),
        File("variables/variables.data-00000-of-00001", weights),
        File("assets.extra/segpipe.json", b"{}"),
        File("README.md", CARD),
    )
    arguments = {"repo_id": "me/pets", "version": version, "files": files, "space": SpacePlan("me/pets")}
    return Plan(**{**arguments, **changes})
