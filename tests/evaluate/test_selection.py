from segpipe.evaluate.selection import representative, worst, worst_of_class
from segpipe.metrics.confusion import margins


def _picture(right, wrong):
    return [[right, wrong], [0, right]]


COUNTS = margins([_picture(9, 1), _picture(5, 5), _picture(10, 0), [[0, 0], [0, 0]], _picture(1, 9), _picture(7, 3)])


def test_worst_come_first_and_pictures_without_truth_never():
    assert worst(COUNTS, 2) == [4, 1]
    assert worst(COUNTS, 10) == [4, 1, 5, 0, 2]


def test_representative_spans_the_ranking():
    assert representative(COUNTS, 5) == [2, 0, 5, 1, 4]
    assert representative(COUNTS, 1) == [5]
    assert representative(COUNTS, 99) == [2, 0, 5, 1, 4]
    assert representative(COUNTS[3:4], 4) == []


def test_worst_of_a_class_counts_missed_and_claimed_pixels():
    counts = margins([[[5, 2], [1, 0]], [[9, 0], [0, 9]], [[0, 0], [4, 5]]])
    assert worst_of_class(counts, 1, 5) == [2, 0]
