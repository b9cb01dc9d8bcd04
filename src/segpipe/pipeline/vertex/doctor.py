"""`segpipe doctor --cloud CONFIG`: what Google Cloud still lacks for a run, each with the command that mends it."""

import re
from collections.abc import Iterator
from typing import Any

from segpipe.config import Config
from segpipe.errors import UserError

Finding = tuple[bool, str]
"""Whether it is good, and a line that says so or how to mend it."""

_TIMEOUT_S = 30
_SERVICES = (
    "aiplatform.googleapis.com", "artifactregistry.googleapis.com", "cloudresourcemanager.googleapis.com",
    "compute.googleapis.com", "iam.googleapis.com", "storage.googleapis.com",
)  # fmt: skip
_ROLES = ("roles/aiplatform.user", "roles/logging.logWriter")
_DATAFLOW_ROLES = ("roles/dataflow.developer", "roles/dataflow.worker")
_BUCKET_ROLES = ("roles/storage.objectUser", "roles/storage.legacyBucketReader")
_IMAGE_ROLES = ("roles/artifactregistry.reader",)
_ACCOUNT_ROLES = ("roles/iam.serviceAccountUser",)
_SECRET_ROLES = ("roles/secretmanager.secretAccessor",)

_BROADER = {
    "roles/aiplatform.user": {"roles/aiplatform.admin"},
    "roles/artifactregistry.reader": {
        "roles/artifactregistry.writer", "roles/artifactregistry.repoAdmin", "roles/artifactregistry.admin",
    },
    "roles/dataflow.developer": {"roles/dataflow.admin"},
    "roles/secretmanager.secretAccessor": {"roles/secretmanager.admin"},
    "roles/storage.legacyBucketReader": {
        "roles/storage.legacyBucketWriter", "roles/storage.legacyBucketOwner", "roles/storage.admin",
    },
    "roles/storage.objectUser": {"roles/storage.objectAdmin", "roles/storage.admin"},
}  # fmt: skip
"""Roles that hold the one in question."""

_IMAGE = re.compile(r"(?P<region>[a-z0-9-]+)-docker\.pkg\.dev/(?P<project>[^/]+)/(?P<repository>[^/]+)/(?P<name>.+)")


def findings(config: Config, session: Any = None) -> Iterator[Finding]:
    """Looks at everything that a run of `config` needs, in the order in which it has to be made.

    Args:
      config: the run; its [vertex] says what to look for.
      session: a google.auth AuthorizedSession; made from this machine's login when left out.

    Raises:
      UserError: `vertex.project` or `vertex.pipeline_root` is missing.
    """
    vertex = config.vertex
    if not vertex.project or not vertex.pipeline_root:
        raise UserError("vertex.project and vertex.pipeline_root must be set; configs/vertex.toml shows how.")
    if session is None:
        session = _session()
        if session is None:
            yield False, "no Google login: gcloud auth application-default login"
            return
    google = _Google(session, vertex.project)
    yield from _services(google, config)
    yield from _bucket(google, config)
    yield from _service_account(google, config)
    yield from _images(google, config)
    yield from _quota(google, config)
    yield from _secret(google, config)
    if google.denied:
        hosts = ", ".join(sorted(google.denied))
        yield (
            False,
            f"this login may not look everywhere ({hosts} refused), so what is missing above may be there: ask for "
            f"roles/viewer and roles/iam.securityReviewer on {google.project}",
        )


class _Google:
    """Google's REST interfaces, asked with one login.

    Attributes:
      project: whose resources are looked at.
      denied: hosts that did not let this login look.
    """

    def __init__(self, session: Any, project: str):
        self._session, self.project = session, project
        self.denied: set[str] = set()

    def get(self, url: str) -> dict[str, Any] | None:
        """The resource, or None where there is none or this login may not see it."""
        return self._read(url, self._session.get(f"https://{url}", timeout=_TIMEOUT_S))

    def post(self, url: str) -> dict[str, Any] | None:
        """The answer to a question without content, or None likewise."""
        return self._read(url, self._session.post(f"https://{url}", json={}, timeout=_TIMEOUT_S))

    def _read(self, url: str, answer: Any) -> dict[str, Any] | None:
        if answer.status_code in (401, 403):
            self.denied.add(url.split("/")[0])
        return answer.json() if answer.ok else None


def _session() -> Any | None:
    import google.auth
    from google.auth.exceptions import DefaultCredentialsError
    from google.auth.transport.requests import AuthorizedSession

    try:
        credentials, _ = google.auth.default(scopes=["https://www.googleapis.com/auth/cloud-platform"])
    except DefaultCredentialsError:
        return None
    return AuthorizedSession(credentials)


def _services(google: _Google, config: Config) -> Iterator[Finding]:
    wanted = [*_SERVICES]
    if config.dataflow.enabled:
        wanted.append("dataflow.googleapis.com")
    if config.hub.token.startswith("secret:"):
        wanted.append("secretmanager.googleapis.com")
    missing = []
    for name in wanted:
        service = google.get(f"serviceusage.googleapis.com/v1/projects/{google.project}/services/{name}")
        if (service or {}).get("state") != "ENABLED":
            missing.append(name)
    if missing:
        yield False, f"services are off: gcloud services enable {' '.join(missing)} --project={google.project}"
    else:
        yield True, f"{len(wanted)} services are on"


def _bucket(google: _Google, config: Config) -> Iterator[Finding]:
    name, region = _bucket_name(config), config.vertex.region
    bucket = google.get(f"storage.googleapis.com/storage/v1/b/{name}")
    if bucket is None:
        yield (
            False,
            f"no bucket gs://{name}: gcloud storage buckets create gs://{name} --project={google.project} "
            f"--location={region} --uniform-bucket-level-access",
        )
    elif bucket["location"].lower() not in (region, _multi_region(region)):
        yield (
            False,
            f"gs://{name} is in {bucket['location'].lower()}, the run in {region}: every read would cross regions and "
            f"be billed; make one there: gcloud storage buckets create gs://{name}-{region} "
            f"--project={google.project} --location={region} --uniform-bucket-level-access",
        )
    else:
        yield True, f"gs://{name} is in {bucket['location'].lower()}"


def _multi_region(region: str) -> str | None:
    """The multi-region of Cloud Storage that holds a region: https://cloud.google.com/storage/docs/locations"""
    outside = ("europe-west2", "europe-west6")  # London and Zürich are not in the European Union.
    return None if region in outside else {"us": "us", "europe": "eu", "asia": "asia"}.get(region.split("-")[0])


def _service_account(google: _Google, config: Config) -> Iterator[Finding]:
    account = config.vertex.service_account
    if not account:
        yield True, "the project's default service account runs the steps; deploy/ makes one with fewer rights"
        return
    if google.get(f"iam.googleapis.com/v1/projects/{google.project}/serviceAccounts/{account}") is None:
        name = account.split("@")[0]
        yield False, f"no {account}: gcloud iam service-accounts create {name} --project={google.project}"
    policy = google.post(f"cloudresourcemanager.googleapis.com/v1/projects/{google.project}:getIamPolicy")
    if policy is None:
        yield False, f"this login may not read the roles: ask for roles/iam.securityReviewer on {google.project}"
        return
    on_project = _granted(policy, account)
    missing = 0
    for command, of_resource, roles in _grants(google, config):
        granted = on_project | _granted(of_resource or {}, account)
        for role in roles:
            if not granted & {role, *_BROADER.get(role, ())}:
                missing += 1
                yield False, f"{account} lacks {role}: {command} --member=serviceAccount:{account} --role={role}"
    if not missing:
        yield True, f"{account} has its roles"


def _grants(google: _Google, config: Config) -> Iterator[tuple[str, dict[str, Any] | None, tuple[str, ...]]]:
    """What the account needs and where: the command that grants it, the policy that is there, the roles.

    A role on the project counts for everything in it; deploy/accounts.tf grants each where it is needed and no further.
    """
    vertex, project = config.vertex, google.project
    on_project = _ROLES + (_DATAFLOW_ROLES if config.dataflow.enabled else ())
    yield f"gcloud projects add-iam-policy-binding {project} --condition=None", None, on_project
    bucket = _bucket_name(config)
    yield (
        f"gcloud storage buckets add-iam-policy-binding gs://{bucket}",
        google.get(f"storage.googleapis.com/storage/v1/b/{bucket}/iam"),
        _BUCKET_ROLES,
    )
    if parts := _IMAGE.fullmatch(vertex.image):
        yield (
            f"gcloud artifacts repositories add-iam-policy-binding {parts['repository']} --project={parts['project']} "
            f"--location={parts['region']}",
            google.get(f"artifactregistry.googleapis.com/v1/{_repository(parts)}:getIamPolicy"),
            _IMAGE_ROLES,
        )
    # Vertex Training and Dataflow are started by the account, as the account.
    account = vertex.service_account
    yield (
        f"gcloud iam service-accounts add-iam-policy-binding {account} --project={project}",
        google.post(f"iam.googleapis.com/v1/projects/{project}/serviceAccounts/{account}:getIamPolicy"),
        _ACCOUNT_ROLES,
    )
    if config.hub.kind == "huggingface" and config.hub.token.startswith("secret:"):
        path = _secret_path(config)
        _, of_project, _, name = path.split("/")
        yield (
            f"gcloud secrets add-iam-policy-binding {name} --project={of_project}",
            google.get(f"secretmanager.googleapis.com/v1/{path}:getIamPolicy"),
            _SECRET_ROLES,
        )


def _granted(policy: dict[str, Any], account: str) -> set[str]:
    member = f"serviceAccount:{account}"
    return {binding["role"] for binding in policy.get("bindings", ()) if member in binding.get("members", ())}


def _bucket_name(config: Config) -> str:
    return config.vertex.pipeline_root.removeprefix("gs://").split("/")[0]


def _repository(parts: re.Match[str]) -> str:
    return f"projects/{parts['project']}/locations/{parts['region']}/repositories/{parts['repository']}"


def _secret_path(config: Config) -> str:
    return config.hub.token.removeprefix("secret:").split("/versions/")[0]


def _images(google: _Google, config: Config) -> Iterator[Finding]:
    vertex = config.vertex
    for target, image in (("push-image", vertex.image), ("push-image-gpu", vertex.gpu_image)):
        if not image:
            if target == "push-image":
                yield False, f"vertex.image is not set: make {target}"
            continue
        parts = _IMAGE.fullmatch(image)
        if parts is None:
            yield False, f"{image} is not in Artifact Registry: make {target}"
            continue
        where = _repository(parts)
        if google.get(f"artifactregistry.googleapis.com/v1/{where}") is None:
            yield (
                False,
                f"no repository {parts['repository']}: gcloud artifacts repositories create {parts['repository']} "
                f"--project={parts['project']} --location={parts['region']} --repository-format=docker",
            )
        elif google.get(f"artifactregistry.googleapis.com/v1/{where}/dockerImages/{parts['name']}") is None:
            yield False, f"{image[:80]}… is not there: make {target}"
        else:
            yield True, f"{image.split('@')[0]} is there"


def _quota(google: _Google, config: Config) -> Iterator[Finding]:
    vertex, training = config.vertex, config.vertex.training
    if not training.accelerator_type:
        return
    kind = training.accelerator_type.lower().replace("tesla_", "")
    metric = f"aiplatform.googleapis.com/custom_model_training_{kind}_gpus"
    wanted = training.accelerator_count * training.replicas
    found = google.get(
        f"serviceusage.googleapis.com/v1beta1/projects/{google.project}/services/aiplatform.googleapis.com"
        f"/consumerQuotaMetrics/{metric.replace('/', '%2F')}"
    )
    limit = _limit(found or {}, vertex.region)
    if limit is None:
        yield False, f"the quota {metric} in {vertex.region} could not be read; look at the console's page Quotas"
    elif 0 <= limit < wanted:
        yield (
            False,
            f"{wanted} {training.accelerator_type} are wanted, {limit} allowed in {vertex.region}: gcloud alpha quotas "
            f"preferences create --project={google.project} --service=aiplatform.googleapis.com "
            f"--quota-id={_quota_id(kind)} --preferred-value={wanted} --dimensions=region={vertex.region}",
        )
    else:
        yield True, f"quota for {wanted} {training.accelerator_type} in {vertex.region}"


def _quota_id(kind: str) -> str:
    return "CustomModelTraining" + "".join(part.capitalize() for part in kind.split("_")) + "GPUsPerProjectPerRegion"


def _limit(metric: dict[str, Any], region: str) -> int | None:
    """The limit of one region, the general one where the region has none of its own; -1 means none."""
    general = None
    for limit in metric.get("consumerQuotaLimits", ()):
        for bucket in limit.get("quotaBuckets", ()):
            value = int(bucket.get("effectiveLimit", 0))
            where = bucket.get("dimensions", {}).get("region")
            if where == region:
                return value
            if where is None:
                general = value
    return general


def _secret(google: _Google, config: Config) -> Iterator[Finding]:
    if not config.hub.token.startswith("secret:"):
        return
    path = _secret_path(config)
    _, project, _, name = path.split("/")
    if google.get(f"secretmanager.googleapis.com/v1/{path}") is None:
        yield (
            False,
            f"no secret {name}: gcloud secrets create {name} --project={project} "
            "--replication-policy=automatic --data-file=-",
        )
        return
    version = google.get(f"secretmanager.googleapis.com/v1/{path}/versions/latest")
    if (version or {}).get("state") != "ENABLED":
        yield (
            False,
            f"the secret {name} holds no value: gcloud secrets versions add {name} --project={project} --data-file=-",
        )
    else:
        yield True, f"the secret {name} is there"
