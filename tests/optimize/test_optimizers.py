"""Optimizers against Keras: fifty steps with the same gradients, and configs both ways."""

import jax
import keras
import numpy as np
import pytest

import kerac
from kerac.ir import CompileError, Graph, evaluate_graph, ops, type_of
from kerac.optimizers import OPTIMIZERS, schedules
from kerac.variable import Variable

SHAPES = {"dense/kernel": (5, 3), "dense/bias": (3,), "embedding/table": (4, 2), "last": (2, 3, 4)}
COMMON = [
    {},
    {"weight_decay": 0.01},
    {"clipnorm": 0.5, "use_ema": True},
    {"clipvalue": 0.1, "gradient_accumulation_steps": 3},
    {"global_clipnorm": 0.7, "use_ema": True, "ema_overwrite_frequency": 4, "ema_momentum": 0.8},
    {
        "gradient_accumulation_steps": 2,
        "use_ema": True,
        "ema_overwrite_frequency": 3,
        "loss_scale_factor": 8.0,
    },
]
OWN = {
    "SGD": [{"momentum": 0.9}, {"momentum": 0.8, "nesterov": True}, {"learning_rate": 0.1}],
    "RMSprop": [{"momentum": 0.5}, {"centered": True, "rho": 0.8}],
    "Adagrad": [{"initial_accumulator_value": 0.0}],
    "Adadelta": [{"learning_rate": 1.0}],
    "Adam": [{"amsgrad": True}, {"beta_1": 0.7, "epsilon": 1e-3}],
    "AdamW": [{"weight_decay": 0.1, "amsgrad": True}],
    "Adamax": [{"beta_2": 0.9}],
    "Nadam": [{"beta_1": 0.8}],
    "Lamb": [{"learning_rate": 0.01}],
    "Ftrl": [
        {"l1_regularization_strength": 0.01, "beta": 0.1, "learning_rate": 0.1},
        {
            "l2_regularization_strength": 0.1,
            "l2_shrinkage_regularization_strength": 0.2,
            "learning_rate_power": -0.3,
        },
    ],
    "Lion": [{"beta_2": 0.9}],
    "Adafactor": [{"relative_step": False, "clip_threshold": 0.5}],
    "Muon": [{"nesterov": False, "rms_rate": None}, {"exclude_layers": ["dense"]}],
    "ScheduleFreeAdamW": [{"warmup_steps": 10}],
}
CASES = [
    *((name, options, False) for name in ("SGD", "Adam") for options in COMMON),
    ("Nadam", COMMON[-1], True),
    ("Muon", COMMON[2], True),
    ("Adafactor", {"clipnorm": 0.5, "use_ema": True}, False),
    ("Adafactor", {}, True),
    *((name, options, True) for name, own in OWN.items() for options in own),
]
CASES = [case for case in CASES if hasattr(keras.optimizers, case[0])]


def variables(generator):
    arrays = [generator.normal(size=shape).astype(np.float32) for shape in SHAPES.values()]
    ours, theirs = [], []
    for path, array in zip(SHAPES, arrays, strict=True):
        name = path.rsplit("/", 1)[-1]
        initializer = kerac.initializers.Constant(value=0.0)
        ours.append(Variable(initializer, array.shape, name=name, path=path))
        ours[-1].assign(array)
        with keras.name_scope(path.rpartition("/")[0]) if "/" in path else keras.name_scope("x"):
            theirs.append(keras.Variable(array, name=name))
        theirs[-1]._path = path
    return ours, theirs


def stepper(optimizer, weights, native):
    """A function from gradients that changes the variables."""
    optimizer.build(weights)
    changed = [*weights, *optimizer.variables]
    count = len(weights)
    arrays = [v.array for v in (*weights, *changed)]
    values = [ops.graph_input(f"x{i}", type_of(array)) for i, array in enumerate(arrays)]
    new, state = optimizer.update(values[:count], values[count : 2 * count], values[2 * count :])
    graph = Graph("step", tuple(values), (*new, *state))
    run = kerac.compile(graph) if native else lambda *given: evaluate_graph(graph, given)

    def step(gradients):
        for variable, array in zip(changed, run(*gradients, *changed_arrays()), strict=True):
            variable.assign(array)

    def changed_arrays():
        return [variable.array for variable in changed]

    return step


def close(ours, theirs, relative=1e-5):
    for mine, other in zip(ours, theirs, strict=True):
        mine, other = np.asarray(mine.array), np.asarray(other)
        np.testing.assert_allclose(mine, other, rtol=relative, atol=relative * np.abs(other).max())


@pytest.mark.parametrize(("name", "options", "native"), CASES, ids=str)
def test_steps_are_those_of_keras(name, options, native):
    generator = np.random.default_rng(len(str(options)))
    ours, theirs = variables(generator)
    mine = getattr(kerac.optimizers, name)(**options)
    other = getattr(keras.optimizers, name)(**options)
    other.build(theirs)
    step = stepper(mine, ours, native)
    state = [v.value for v in other.variables]
    weights = [v.value for v in theirs]
    apply = jitted(other)
    for _ in range(50):
        gradients = [generator.normal(size=v.shape).astype(np.float32) for v in ours]
        step(gradients)
        weights, state = apply(state, gradients, weights)
    # the iteration of Newton and Schulz multiplies rounding errors
    tolerance = 3e-4 if name == "Muon" else 2e-5
    close(ours, weights, tolerance)
    close(mine.variables, state, tolerance)


def jitted(optimizer):
    return jax.jit(optimizer.stateless_apply)


SCHEDULES = [
    ("ExponentialDecay", (0.1, 10, 0.9), {}),
    ("ExponentialDecay", (0.1, 7, 0.5), {"staircase": True}),
    ("InverseTimeDecay", (0.1, 10, 0.5), {}),
    ("InverseTimeDecay", (0.1, 7, 0.5), {"staircase": True}),
    ("PiecewiseConstantDecay", ([5, 9, 20], [1.0, 0.5, 0.25, 0.1]), {}),
    ("PolynomialDecay", (0.1, 20), {"power": 2.0}),
    ("PolynomialDecay", (0.1, 8, 0.01), {"cycle": True}),
    ("CosineDecay", (0.1, 20), {"alpha": 0.1}),
    ("CosineDecay", (0.01, 15), {"warmup_target": 0.2, "warmup_steps": 6}),
    ("CosineDecayRestarts", (0.1, 6), {}),
    ("CosineDecayRestarts", (0.1, 6), {"t_mul": 1.0, "m_mul": 0.8, "alpha": 0.05}),
]


@pytest.mark.parametrize(("name", "args", "options"), SCHEDULES, ids=str)
def test_schedules_are_those_of_keras(name, args, options):
    mine = getattr(schedules, name)(*args, **options)
    other = getattr(keras.optimizers.schedules, name)(*args, **options)
    steps = np.arange(0, 40, 3, dtype=np.int32)
    follow = jax.jit(lambda step: other(step))
    expected = [float(follow(step)) for step in steps]
    np.testing.assert_allclose(mine(steps), expected, rtol=1e-5, atol=1e-7)
    for schedule in (
        schedules.deserialize(keras.optimizers.schedules.serialize(other)),
        keras.optimizers.schedules.deserialize(schedules.serialize(mine)),
    ):
        assert schedule.get_config() == other.get_config()


def same(one, other):
    """Equal but for the rounding of learning rates to float32."""
    one, other = dict(one), dict(other)
    rates = [config.pop("learning_rate") for config in (one, other)]
    return one == other and rates[0] == pytest.approx(rates[1], rel=1e-6)


@pytest.mark.parametrize("name", OWN)
def test_configs_go_both_ways(name):
    options = {"clipnorm": 1.5, "learning_rate": 0.25, **OWN[name][0]}
    mine = getattr(kerac.optimizers, name)(**options)
    if not hasattr(keras.optimizers, name):
        return
    other = getattr(keras.optimizers, name)(**options, name=mine.name)
    expected = other.get_config()
    assert same(mine.get_config(), expected)
    read = kerac.optimizers.deserialize(keras.optimizers.serialize(other))
    assert read.get_config() == mine.get_config()
    assert type(kerac.optimizers.get(name.lower())) is type(mine)
    if name == "Lamb":
        return  # Keras itself cannot read it
    written = keras.optimizers.deserialize(kerac.optimizers.serialize(mine))
    assert same(written.get_config(), expected)


def test_state_lies_as_in_the_files_of_keras():
    for name, own in OWN.items():
        if not hasattr(keras.optimizers, name):
            continue
        ours, theirs = variables(np.random.default_rng(0))
        options = {**own[0], "use_ema": True, "gradient_accumulation_steps": 2}
        mine = getattr(kerac.optimizers, name)(**options, name="o")
        other = getattr(keras.optimizers, name)(**options, name="o")
        mine.build(ours)
        other.build(theirs)
        found = [(v.name, v.shape, v.dtype) for v in mine.variables]
        expected = [(v.name, tuple(v.shape), v.dtype) for v in other.variables]
        assert found[: 2 + 2 * len(SHAPES)] == expected[: 2 + 2 * len(SHAPES)]
        assert [x[1:] for x in found] == [x[1:] for x in expected], name


def test_excluded_weights_do_not_decay():
    ours, _ = variables(np.random.default_rng(1))
    before = [v.numpy() for v in ours]
    optimizer = kerac.optimizers.SGD(0.5, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_list=[ours[0]], var_names=["bias"])
    optimizer.apply([np.zeros(v.shape, np.float32) for v in ours], ours)
    changed = [not np.array_equal(v.array, old) for v, old in zip(ours, before, strict=True)]
    assert changed == [False, False, True, True]


def test_loss_scale_follows_the_gradients():
    ours, theirs = variables(np.random.default_rng(2))
    mine = kerac.optimizers.LossScaleOptimizer(
        kerac.optimizers.Adam(), dynamic_growth_steps=3, initial_scale=64.0
    )
    other = keras.optimizers.LossScaleOptimizer(
        keras.optimizers.Adam(), dynamic_growth_steps=3, initial_scale=64.0
    )
    mine.build(ours)
    other.build(theirs)
    apply, state = jitted(other), [v.value for v in other.variables]
    weights = [v.value for v in theirs]
    generator = np.random.default_rng(3)
    for step in range(12):
        gradients = [64 * generator.normal(size=v.shape).astype(np.float32) for v in ours]
        if step in (4, 5, 9):
            gradients[1][0] = (np.nan, np.inf, -np.inf)[step % 3]
        mine.apply(gradients)
        weights, state = apply(state, gradients, weights)
    close(ours, weights)
    close(mine.variables, state)
    read = kerac.optimizers.deserialize(keras.optimizers.serialize(other))
    assert read.inner_optimizer.get_config()["learning_rate"] == pytest.approx(0.001)


def test_the_learning_rate_is_set_by_callbacks():
    optimizer = kerac.optimizers.Adam(lr=0.5)
    assert float(optimizer.learning_rate) == 0.5
    optimizer.learning_rate = 0.25
    assert optimizer.get_config()["learning_rate"] == 0.25
    assert float(optimizer.variables[1]) == 0.25
    optimizer.lr = 0.125
    assert float(optimizer.learning_rate) == 0.125
    decaying = kerac.optimizers.SGD(lr=1.0, decay=0.5)
    ours, _ = variables(np.random.default_rng(1))
    decaying.apply([np.zeros(v.shape, np.float32) for v in ours], ours)
    assert float(decaying.learning_rate) == pytest.approx(1 / 1.5)
    with pytest.raises(CompileError, match="follows a schedule"):
        decaying.learning_rate = 0.1


class Halving(schedules.LearningRateSchedule):
    def __call__(self, step):
        return 0.5 / (step + 1)


def test_schedules_of_users():
    ours, _ = variables(np.random.default_rng(1))
    optimizer = kerac.optimizers.SGD(Halving())
    before = ours[1].numpy()
    for _ in range(2):
        optimizer.apply([np.ones(v.shape, np.float32) for v in ours], ours)
    np.testing.assert_allclose(ours[1].array, before - 0.75, rtol=1e-6)
    assert float(kerac.optimizers.SGD(lambda: 0.5).learning_rate) == 0.5


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: kerac.optimizers.get("adm"), "there is no optimizer 'adm'"),
        (lambda: kerac.optimizers.Adam(clipnorm=1.0, clipvalue=2.0), "clipnorm and clipvalue"),
        (lambda: kerac.optimizers.Adam("high"), "a number, a schedule or a function"),
        (lambda: kerac.optimizers.Adam(beta=0.5), "has no argument 'beta'"),
        (lambda: kerac.optimizers.SGD(momentum=2.0), "must be in"),
        (lambda: kerac.optimizers.SGD(gradient_accumulation_steps=1), "2 or more"),
        (lambda: kerac.optimizers.AdamW(weight_decay=None), "must be a number"),
        (lambda: kerac.optimizers.get(3), "is no optimizer"),
        (lambda: schedules.ExponentialDecay(0.1, 0, 0.5), "must be positive"),
        (lambda: schedules.PiecewiseConstantDecay([1], [0.1]), "but got 1 values"),
    ],
)
def test_mistakes_have_one_message(make, message):
    with pytest.raises(CompileError, match=message):
        make()


def test_every_optimizer_is_tested():
    assert {cls.__name__ for cls in OPTIMIZERS.values()} == {*OWN, "LossScaleOptimizer"}
