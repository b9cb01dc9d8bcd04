import pytest

from segpipe.ingest.prepare import prepare
from segpipe.ingest.source_digest import source_digest
from tests.ingest.sources import layouts


def changed(config, **data):
    return config.model_copy(update={"data": config.data.model_copy(update=data)})


@pytest.mark.parametrize(
    "data",
    [
        {"mask_colors": ("#008000", "#800000", "#000080")},
        {"ignore_colors": ("#ffffff",)},
        {"mask_colors": (), "mask_values": (7, 8, 9)},
        {"ignore_values": (0,)},
        {"classes": ("pet", "background", "edge")},
    ],
)
def test_it_changes_with_what_a_mask_means(data, tmp_path):
    config = layouts.colours(tmp_path)
    assert source_digest(changed(config, **data)) != source_digest(config)


def test_what_only_the_model_sees_leaves_it_alone(tmp_path):
    config = layouts.colours(tmp_path)
    assert source_digest(changed(config, image_size=256)) == source_digest(config)


def test_two_colours_that_change_places_are_prepared_anew(tmp_path):
    config = layouts.colours(tmp_path / "in")
    prepare(config, tmp_path / "out")
    red, green, blue = config.data.mask_colors
    again = prepare(changed(config, mask_colors=(green, red, blue)), tmp_path / "out")
    assert not again.reused
