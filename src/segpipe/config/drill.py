"""The section [drill]: how the world changes, and which networks answer."""

from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator

from segpipe.config.model import Model
from segpipe.config.section import Section, compiled


class Answer(Model):
    """A [model] section to retrain with when the world has changed.

    Attributes:
      augment: whether this answer trains on augmented pictures; as [train] says where it is left out.
    """

    augment: bool | None = None

    @property
    def model(self) -> Model:
        """The [model] section alone."""
        return Model(**self.model_dump(exclude={"augment"}))


class Drill(Section):
    """What `segpipe drill` does to the data, and with which networks it answers.

    Attributes:
      first_share: of the pictures, that arrive in the first span.
      corruptions: what happens to the pictures of the second span, one drawn for each picture; docs/drill.md has all.
      severity: of the corruptions, from 1 (slight) to 5 (severe).
      unseen: regular expression; pictures whose id or whose attribute, written breed=Sphynx, it matches are of a kind
        that the first span does not show.
      answers: [model] sections to retrain with, in this order; the run's own alone where it is left out.
    """

    first_share: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.5
    corruptions: tuple[str, ...] = ("noise", "blur", "fog", "jpeg", "brightness")
    severity: Annotated[int, Field(ge=1, le=5)] = 4
    unseen: str = ""
    answers: tuple[Answer, ...] = ()

    @field_validator("unseen")
    @classmethod
    def _is_a_pattern(cls, pattern: str) -> str:
        return compiled(pattern).pattern

    @model_validator(mode="after")
    def _something_changes(self) -> Self:
        if not self.corruptions and not self.unseen:
            raise ValueError("nothing gets harder: name drill.corruptions, drill.unseen or both.")
        return self
