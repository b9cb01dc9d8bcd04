"""What a killed training finds again, and what it must not find."""

from tfx.components.trainer.fn_args_utils import FnArgs

from segpipe.config import Config, to_json
from segpipe.pipeline.hook_inputs import fingerprint


def named(seed: int = 1, files: str = "a-*", **train) -> str:
    config = Config(name="n", source={"path": "p"}, data={"classes": ["a", "b"]}, train=train, seed=seed)
    custom_config = {"config": to_json(config), "work_dir": "w"}
    return fingerprint(FnArgs(custom_config=custom_config, train_files=[files], transform_graph_path="t"))


def test_it_changes_with_the_data_and_the_config_but_not_with_what_changes_no_result():
    assert named(tracker="trackio", cache_gb=0.5) == named()
    others = {named(), named(epochs=3), named(seed=2), named(files="b-*")}
    assert len(others) == 4
