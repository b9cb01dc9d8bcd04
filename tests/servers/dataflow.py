"""Dataflow on loopback: the job that Beam's own client creates in, kept to be looked at or handed to who runs it."""

import threading
from collections.abc import Callable
from typing import Any, ClassVar

import grpc
from google.cloud import dataflow_v1beta3 as v1beta3

from .google_grpc import Fault, Methods, RefusedError


class LoopbackDataflow:
    """What `LoopbackGrpc` serves as Dataflow.

    Attributes:
      jobs: by id.
      calls: names of the methods called, in order.
      faults: method → Fault, or a function that gets the request and returns one or None.
      runs: what a job does; None lets it be done at once.
    """

    METHODS: ClassVar[Methods] = {
        "google.dataflow.v1beta3.JobsV1Beta3": {
            "CreateJob": (v1beta3.CreateJobRequest, v1beta3.Job),
            "GetJob": (v1beta3.GetJobRequest, v1beta3.Job),
        },
        "google.dataflow.v1beta3.MessagesV1Beta3": {
            "ListJobMessages": (v1beta3.ListJobMessagesRequest, v1beta3.ListJobMessagesResponse),
        },
    }

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Starts over with no job and nothing going wrong."""
        self.jobs: dict[str, v1beta3.Job] = {}
        self.calls: list[str] = []
        self.faults: dict[str, Fault | Callable[[Any], Fault | None]] = {}
        self.runs: Callable[[v1beta3.Job], None] | None = None

    def create_job(self, request: v1beta3.CreateJobRequest) -> v1beta3.Job:
        job = v1beta3.Job(request.job)
        job.id, job.project_id, job.location = f"job-{len(self.jobs)}", request.project_id, request.location
        job.current_state = v1beta3.JobState.JOB_STATE_RUNNING
        self.jobs[job.id] = job
        if self.runs is None:
            job.current_state = v1beta3.JobState.JOB_STATE_DONE
        else:
            threading.Thread(target=self._run, args=(job,), daemon=True).start()
        return job

    def get_job(self, request: v1beta3.GetJobRequest) -> v1beta3.Job:
        if request.job_id not in self.jobs:
            raise RefusedError(grpc.StatusCode.NOT_FOUND, f"{request.job_id} is not found.")
        return self.jobs[request.job_id]

    def list_job_messages(self, request: v1beta3.ListJobMessagesRequest) -> v1beta3.ListJobMessagesResponse:
        del request
        return v1beta3.ListJobMessagesResponse()

    def _run(self, job: v1beta3.Job) -> None:
        assert self.runs is not None
        try:
            self.runs(job)
            job.current_state = v1beta3.JobState.JOB_STATE_DONE
        except Exception:  # As the service: the job failed; its log says why.
            job.current_state = v1beta3.JobState.JOB_STATE_FAILED
            raise
