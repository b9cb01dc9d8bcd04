import keras
import pytest

from segpipe.train import precision


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("flags : fpu sse4_2 avx512f avx512_bf16 amx_tile", "mixed_bfloat16"),
        ("flags : fpu amx_tile amx_bf16", "mixed_bfloat16"),
        ("flags : fpu sse4_2 avx2 avx512f", "float32"),
        (None, "float32"),
    ],
)
def test_auto_is_bfloat16_where_the_processor_computes_in_it(monkeypatch, tmp_path, flags, expected):
    path = tmp_path / "cpuinfo"
    if flags is not None:
        path.write_text(flags)
    monkeypatch.setattr(precision, "CPU_FLAGS", path)
    assert precision.resolve("auto") == expected


def test_a_named_precision_is_taken_at_its_word():
    assert precision.resolve("mixed_float16") == "mixed_float16"


def test_the_policy_is_put_back_after_an_error_too():
    before = keras.config.dtype_policy()
    with pytest.raises(ZeroDivisionError), precision.building_in("mixed_bfloat16"):
        1 / 0  # noqa: B018
    assert keras.config.dtype_policy() == before
