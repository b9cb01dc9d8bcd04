"""The section [hub]: where a blessed model is published."""

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from segpipe.config.section import Section

TOKEN_NAME = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*|secret:projects/[^/]+/secrets/[^/]+(/versions/[^/]+)?|oidc")
"""How an access token is named: it is never written down itself."""


def check_token_name(name: str) -> str:
    """`name` if it says where a token is kept; otherwise a ValueError that does not repeat it: it may be the token."""
    if not TOKEN_NAME.fullmatch(name):
        raise ValueError(
            "a token is given by name: env:VARIABLE, secret:projects/PROJECT/secrets/NAME or oidc; "
            "if you pasted the token itself, revoke it."
        )
    return name


class Hub(Section):
    """Where a blessed model is shown to people, and what its model card says that no run can know.

    Attributes:
      kind: "directory" writes the same trees under the run's hub/; "huggingface" pushes them; "none" does neither.
      username: user or organisation on the Hub.
      repo_name: of the model; the run's name when left out.
      endpoint: the Hub's address.
      token: the *name* of the access token: env:VARIABLE, secret:projects/P/secrets/S (Google Secret Manager), or oidc
        (keyless login of a CI job). Never the token itself.
      private: make new repositories private, and refuse to push into a public one.
      space_sdk: the demo app; "none" for no Space.
      space_repo_name: of the Space; the model's when left out.
      space_app: folder of an app template of your own; a run on Google Cloud uploads it.
      license: identifier of the model's licence on the Hub, such as apache-2.0.
      dataset_name: what people call the data set; dataset_id is its id on the Hub, where it has one.
      exports: other formats to push beside the SavedModel, each checked against it first.
      pictures: how many test pictures to show on the card and to offer in the demo. They become as public as the
        repository is, so none unless you say so.
    """

    kind: Literal["directory", "huggingface", "none"] = "directory"
    username: str = ""
    repo_name: str = ""
    endpoint: str = "https://huggingface.co"
    token: Annotated[str, AfterValidator(check_token_name)] = "env:HF_TOKEN"  # noqa: S105
    private: bool = False
    space_sdk: Literal["gradio", "streamlit", "none"] = "gradio"
    space_repo_name: str = ""
    space_app: str = ""
    license: str = "apache-2.0"
    dataset_name: str = ""
    dataset_id: str = ""
    dataset_license: str = ""
    dataset_url: str = ""
    intended_use: str = ""
    limits: str = ""
    exports: tuple[Literal["keras", "litert"], ...] = ()
    pictures: Annotated[int, Field(ge=0, le=12)] = 0

    @model_validator(mode="after")
    def _has_an_owner(self) -> Self:
        if self.kind == "huggingface" and not self.username:
            raise ValueError(
                "hub.username is missing; the Hub needs the user or organisation that owns the repository."
            )
        return self
