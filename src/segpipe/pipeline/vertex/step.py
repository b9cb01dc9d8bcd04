"""What a step's container runs on Vertex AI: TFX's own entry point, with what it cannot know about this pipeline.

`python -m segpipe.pipeline.vertex.step` comes in through the package, so that the stub for tfx-bsl's SQL slices is in
place before TFX is imported.
"""

from absl import app
from tfx.components.evaluator import executor as tfx_evaluator
from tfx.orchestration.kubeflow.v2.container import kubeflow_v2_run_executor as entry_point

from segpipe.pipeline.components import evaluator


def main() -> None:
    """Runs one executor, as the arguments say."""
    # TFX writes the blessed model's name in Vertex AI's metadata store on a blessing only for subclasses of its own
    # Evaluator. Without the name, the next run's Resolver finds no baseline.
    tfx_evaluator.Executor.register(evaluator.Executor)
    app.run(entry_point.main, flags_parser=entry_point._parse_flags)


if __name__ == "__main__":
    main()
