import numpy as np

from segpipe.evaluate import charts


def test_of_many_classes_the_lowest_iou_is_drawn_and_those_that_do_not_occur_are_left_out_first():
    # Of class c, c of 100 pixels are right; classes 5 to 9 of 40 do not occur.
    counts = np.diag(np.arange(40))
    counts[:, 0] += 100 - np.arange(40)
    counts[5:10] = 0
    drawn = charts.class_bars([f"class-{c:02d}" for c in range(40)], counts)
    assert [c for c in range(40) if f"class-{c:02d}" in drawn] == [*range(5), *range(10, 35)]
