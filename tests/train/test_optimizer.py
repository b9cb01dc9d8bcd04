"""AdamW with two rates against its formula in NumPy, and against Keras' own."""

import keras
import numpy as np
import pytest

from segpipe.config.train import Train
from segpipe.train import optimizer

STEPS = 6
EPSILON = 1e-7


def variables(rng: np.random.Generator) -> list[keras.Variable]:
    """An encoder's kernel and a decoder's kernel and bias."""
    shapes = {"encoder": (3, 4), "kernel": (2, 5), "bias": (5,)}
    return [keras.Variable(rng.normal(size=shape).astype(np.float32), name=name) for name, shape in shapes.items()]


def gradients(rng: np.random.Generator) -> list[list[np.ndarray]]:
    return [[rng.normal(size=shape).astype(np.float32) for shape in ((3, 4), (2, 5), (5,))] for _ in range(STEPS)]


def recipe(**settings: float) -> Train:
    return Train(epochs=3, warmup_epochs=1, learning_rate=0.02, **settings)


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_each_variable_moves_as_the_paper_says_at_its_own_rate(weight_decay: float):
    rng = np.random.default_rng(5)
    known, steps = variables(rng), gradients(rng)
    train = recipe(encoder_learning_rate=0.002, weight_decay=weight_decay)
    adam = optimizer.build(train, known, known[:1], steps=2)
    rate_at = optimizer.learning_rate(train, 2)
    expected = [variable.numpy().astype(np.float64) for variable in known]
    first, second = [np.zeros_like(value) for value in expected], [np.zeros_like(value) for value in expected]
    for number, step in enumerate(steps, 1):
        rate = float(rate_at(number - 1))
        for index, gradient in enumerate(step):
            kernel = expected[index].ndim > 1
            expected[index] *= 1 - rate * weight_decay * kernel
            first[index] = 0.9 * first[index] + 0.1 * gradient
            second[index] = 0.999 * second[index] + 0.001 * gradient.astype(np.float64) ** 2
            unbiased = first[index] / (1 - 0.9**number), second[index] / (1 - 0.999**number)
            # TensorFlow adds epsilon before it makes up for the start at zero.
            divisor = np.sqrt(unbiased[1]) + EPSILON / np.sqrt(1 - 0.999**number)
            expected[index] -= rate * (0.1 if index == 0 else 1) * unbiased[0] / divisor
        adam.apply([keras.ops.convert_to_tensor(gradient) for gradient in step], known)
    for variable, value in zip(known, expected, strict=True):
        np.testing.assert_allclose(variable.numpy(), value, rtol=1e-5, atol=1e-6)


def test_with_one_rate_it_is_adamw_of_keras():
    ours, theirs = variables(np.random.default_rng(7)), variables(np.random.default_rng(7))
    train = recipe(encoder_learning_rate=0.02, weight_decay=0.1)
    adam = optimizer.build(train, ours, ours[:1], steps=2)
    reference = keras.optimizers.AdamW(optimizer.learning_rate(train, 2), weight_decay=0.1)
    reference.exclude_from_weight_decay(var_list=theirs[2:])
    for step in gradients(np.random.default_rng(8)):
        for of, known in ((adam, ours), (reference, theirs)):
            of.apply([keras.ops.convert_to_tensor(gradient) for gradient in step], known)
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine.numpy(), other.numpy(), rtol=1e-5, atol=1e-6)


def test_variables_that_are_left_out_stay_as_they_are():
    """A frozen encoder: the optimizer is built for all, and applied to the decoder."""
    rng = np.random.default_rng(9)
    known = variables(rng)
    before = known[0].numpy()
    adam = optimizer.build(recipe(weight_decay=0.1), known, known[:1], steps=2)
    for step in gradients(rng):
        adam.apply([keras.ops.convert_to_tensor(gradient) for gradient in step[1:]], known[1:])
    np.testing.assert_array_equal(known[0].numpy(), before)
    assert int(adam.iterations) == STEPS
