"""A trainer library does what Python does, bit for bit, and checks what C can check."""

import ctypes
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kerac
from kerac import layers
from kerac.backends.llvm.target import X86, find_target, find_targets
from kerac.ir.errors import CompileError
from kerac.runtime.trainer import CODES

ROOT = Path(__file__).parent.parent.parent
GENERATOR = np.random.default_rng(3)
X = GENERATOR.normal(size=(20, 5)).astype("float32")
LABELS = GENERATOR.integers(0, 3, 20).astype("int32")
SIZES = GENERATOR.normal(size=(20, 1)).astype("float32")
WEIGHTS = GENERATOR.uniform(size=20).astype("float32")
NOT_INITIALIZED, TOO_LARGE, NO_SUCH, OF_ANOTHER = (code for code, _ in CODES.values())


class Trainer:
    """The functions of a trainer, called on arrays."""

    def __init__(self, path: Path, batch: int) -> None:
        self.library = ctypes.CDLL(str(path))
        self.name = path.stem
        self.header = path.with_suffix(".h").read_text()
        self.block = self.memory(self("size", batch, result=ctypes.c_size_t))
        assert self("init", self.block, batch) == 0

    def __call__(self, function: str, *arguments: Any, result: Any = ctypes.c_int) -> Any:
        found = self.library[f"{self.name}_{function}"]
        found.restype = result
        return found(*map(as_argument, arguments))

    def memory(self, size: int) -> np.ndarray:
        room = np.zeros(size + 64, np.uint8)
        start = -room.ctypes.data % 64
        return room[start : start + size]

    def step(self, kind: str, x: list, y: list, weights: Any = None) -> np.ndarray:
        records = np.zeros(self.number("RECORDS"), np.float32)
        assert self(kind, self.block, x, y, weights, len(x[0]), records) == 0
        return records

    def number(self, macro: str) -> int:
        found = re.search(rf"#define {self.name.upper()}_{macro} (\d+)", self.header)
        assert found
        return int(found[1])

    def read(self, path: str, like: np.ndarray) -> np.ndarray:
        values = np.empty_like(like)
        number = self("find", path.encode(), result=ctypes.c_int64)
        assert self("read", self.block, ctypes.c_int64(number), values) == 0
        return values


def as_argument(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return ctypes.c_void_p(value.ctypes.data)
    if isinstance(value, list):
        return (ctypes.c_void_p * len(value))(*(array.ctypes.data for array in value))
    return ctypes.c_int64(value) if isinstance(value, int) else value


def noisy_classifier() -> Any:
    kerac.utils.set_random_seed(1)
    model = kerac.Sequential(
        [
            kerac.Input((5,)),
            layers.Dense(16, activation="relu"),
            layers.Dropout(0.5),
            layers.BatchNormalization(),
            layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def two_outputs() -> Any:
    kerac.utils.set_random_seed(2)
    x = kerac.Input((5,), name="x")
    hidden = layers.Dense(7, activation="tanh")(x)
    kind = layers.Dense(3, name="kind")(hidden)
    model = kerac.Model(x, [kind, layers.Dense(1, name="size")(hidden)])
    losses = [kerac.losses.SparseCategoricalCrossentropy(from_logits=True), "mse"]
    rate = kerac.optimizers.schedules.ExponentialDecay(0.1, 10, 0.9)
    optimizer = kerac.optimizers.SGD(rate, momentum=0.9)
    model.compile(optimizer, losses, metrics=[["accuracy"], ["mae"]], loss_weights=[1.0, 0.5])
    return model


CASES = {
    "noisy_classifier": (noisy_classifier, [LABELS], False),
    "two_outputs": (two_outputs, [LABELS, SIZES], True),
}


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("trainers")

    def compile_case(name: str) -> tuple[Any, Trainer]:
        make, _, weighted = CASES[name]
        kerac.utils.clear_session()  # names of layers are those in the library
        model, path = make(), folder / f"{name}.so"
        if not path.exists():
            kerac.compile_trainer(model, path, sample_weights=weighted, target="native")
        return model, Trainer(path, 8)

    return compile_case


@pytest.mark.parametrize("name", CASES)
def test_steps_are_those_of_python(name: str, compiled: Any) -> None:
    model, trainer = compiled(name)
    _, y, weighted = CASES[name]
    model._compiled_session("test").key[:] = [77, 0]
    assert trainer("set_seed", trainer.block, ctypes.c_uint32(77)) == 0
    trainer("set_threads", trainer.block, 2)
    for start in (0, 8, 16):
        rows = slice(start, start + 8)  # the last batch is short
        arrays = [a[rows] for a in y]
        weights = [WEIGHTS[rows]] * len(y) if weighted else None
        wanted = model.train_on_batch(X[rows], arrays, sample_weight=weights, return_dict=True)
        trainer("reset_metrics", trainer.block)
        found = trainer.step("train", [X[rows]], arrays, weights)
        assert sorted(found) == sorted(np.float32(list(wanted.values())))
    for variable in (*model.weights, *model.optimizer.variables):
        np.testing.assert_array_equal(trainer.read(variable.path, variable.numpy()), variable)
    wanted = model.test_on_batch(X[:8], [a[:8] for a in y], return_dict=True)
    trainer("reset_metrics", trainer.block)
    found = trainer.step("evaluate", [X[:8]], [a[:8] for a in y])
    if not weighted:
        assert sorted(found) == sorted(np.float32(list(wanted.values())))
    outputs = [np.empty((8, 3), np.float32), np.empty((8, 1), np.float32)][: len(y)]
    assert trainer("predict", trainer.block, [X[:8]], 8, outputs) == 0
    predicted = model.predict(X[:8], verbose=0)
    for mine, wanted in zip(outputs, predicted if len(y) > 1 else [predicted], strict=True):
        np.testing.assert_allclose(mine, wanted, rtol=1e-5, atol=1e-6)


def test_records_go_on_until_metrics_are_reset(compiled: Any) -> None:
    model, trainer = compiled("noisy_classifier")
    trainer.step("evaluate", [X[:8]], [LABELS[:8]])
    loss, accuracy = trainer.step("evaluate", [X[8:11]], [LABELS[8:11]])
    wanted = model.evaluate(X[:11], LABELS[:11], batch_size=8, verbose=0)
    assert [loss, accuracy] == pytest.approx(wanted, rel=1e-6)


def test_a_restored_state_goes_on_as_the_first(compiled: Any) -> None:
    _, trainer = compiled("noisy_classifier")
    trainer.step("train", [X[:8]], [LABELS[:8]])
    state = np.empty(trainer("state_size", result=ctypes.c_size_t), np.uint8)
    assert trainer("save", trainer.block, state) == 0
    wanted = trainer.step("train", [X[8:16]], [LABELS[8:16]])
    _, other = compiled("noisy_classifier")
    assert other("restore", other.block, state, ctypes.c_size_t(state.size)) == 0
    np.testing.assert_array_equal(other.step("train", [X[8:16]], [LABELS[8:16]]), wanted)
    np.testing.assert_array_equal(other.block[64:-4096], trainer.block[64:-4096])


def test_the_learning_rate_and_weights_can_be_set(compiled: Any) -> None:
    model, trainer = compiled("noisy_classifier")
    assert trainer("set_learning_rate", trainer.block, ctypes.c_float(0.0)) == 0
    kernel = model.weights[0]
    before = np.full_like(kernel.numpy(), 0.25)
    number = trainer("find", kernel.path.encode(), result=ctypes.c_int64)
    assert trainer("write", trainer.block, number, before) == 0
    trainer.step("train", [X[:8]], [LABELS[:8]])
    np.testing.assert_array_equal(trainer.read(kernel.path, before), before)


def test_what_c_can_check_is_checked(compiled: Any) -> None:
    _, trainer = compiled("two_outputs")
    block, y = trainer.block, [LABELS[:8], SIZES[:8]]
    state = np.zeros(trainer("state_size", result=ctypes.c_size_t), np.uint8)
    size = ctypes.c_size_t(state.size)
    calls: list[tuple[int, tuple[Any, ...]]] = [
        (NOT_INITIALIZED, ("train", trainer.memory(4096), [X], y, None, 8, None)),
        (TOO_LARGE, ("train", block, [X], y, None, 9, None)),
        (2, ("train", block, [X], y, None, 0, None)),
        (1, ("train", block, None, y, None, 8, None)),
        (1, ("train", block, [X], None, None, 8, None)),
        (1, ("train", None, [X], y, None, 8, None)),
        (3, ("train", block[8:], [X], y, None, 8, None)),
        (0, ("train", block, [X[:8]], y, None, 8, None)),
        (NO_SUCH, ("set_learning_rate", block, ctypes.c_float(1.0))),
        (NO_SUCH, ("read", block, -1, state)),
        (NO_SUCH, ("write", block, 1000, state)),
        (OF_ANOTHER, ("restore", block, state, size)),
        (OF_ANOTHER, ("restore", block, state, ctypes.c_size_t(3))),
    ]
    for code, arguments in calls:
        assert trainer(*arguments) == code, arguments[0]


def test_the_c_program_learns(tmp_path: Path) -> None:
    if shutil.which("cc") is None:
        pytest.skip("cc is not installed")
    (tmp_path / "build" / "demo").mkdir(parents=True)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    text = (ROOT / "examples/c/README.md").read_text(encoding="utf-8")
    block = next(b for b in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) if "--train" in b)
    compile_words, cc_words = (
        shlex.split(line) for line in block.replace("\\\n", " ").splitlines()[:2]
    )
    subprocess.run([sys.executable, "-m", *compile_words], cwd=tmp_path, check=True)
    strict = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]
    subprocess.run([*cc_words, *strict], cwd=tmp_path, check=True)
    with np.load(ROOT / "examples/digits/held_out.npz") as arrays:
        arrays["images"].tofile(tmp_path / "images.f32")
        arrays["labels"].tofile(tmp_path / "labels.i32")
    command = [tmp_path / "build/demo/train", "images.f32", "labels.i32", "state"]
    shares = []
    for _ in range(2):
        done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=tmp_path)
        shares += map(float, re.findall(r"[\d.]+(?=%)", done.stdout))
    assert shares[0] < 30
    assert shares[1] > 95
    assert shares[2] == shares[1]  # the second run began where the first stopped


def free_times() -> Any:
    x = kerac.Input((None, 4))
    hidden = kerac.layers.GlobalAveragePooling1D()(x)
    model = kerac.Model(x, kerac.layers.Dense(3)(hidden))
    model.compile("sgd", "mse")
    return model


REFUSED = {
    "not compiled": (lambda: kerac.Sequential([kerac.Input((2,)), layers.Dense(1)]), {}),
    "first dimension is free": (free_times, {}),
    "2 types of labels": (noisy_classifier, {"labels": [None, None]}),
    "must end in|ends in": (noisy_classifier, {"path": "trainer.dll"}),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_cannot_be_a_trainer_is_refused(message: str, tmp_path: Path) -> None:
    make, arguments = REFUSED[message]
    path = tmp_path / arguments.pop("path", "trainer.so")
    with pytest.raises(CompileError, match=message):
        kerac.compile_trainer(make(), path, **arguments)


@pytest.mark.parametrize("ending", [".a", ".o"])
def test_other_kinds_of_files_link(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"free{ending}"
    kerac.compile_trainer(free_times(), path, dims={"T": 3}, threads=False)
    program = tmp_path / "program.c"
    program.write_text(
        '#include "free.h"\nint main(void) { return free_size(4) == 0 || free_find("x") != -1; }'
    )
    command = ["cc", "-I.", program, path, "-lm", "-pthread", "-o", "program"]
    subprocess.run(command, cwd=tmp_path, check=True)
    subprocess.run([tmp_path / "program"], check=True)


def network_of_many_kinds() -> Any:
    """What takes vectors in all ways: windows, statistics, time, random numbers, words."""
    kerac.utils.clear_session()
    kerac.utils.set_random_seed(4)
    image, words = kerac.Input((7, 6, 2), name="image"), kerac.Input((5,), dtype="int32")
    x = layers.Conv2D(19, 3, padding="same", use_bias=False)(image)
    x = layers.MaxPooling2D(2)(layers.Activation("relu")(layers.BatchNormalization()(x)))
    x = layers.Dropout(0.3)(layers.Flatten()(layers.Conv2D(9, 2, activation="elu")(x)))
    y = layers.LSTM(21)(layers.Embedding(11, 17)(words))
    y = layers.LayerNormalization()(y)
    hidden = layers.Dense(33, activation="gelu")(layers.Concatenate()([x, y]))
    model = kerac.Model([image, words], layers.Dense(3, activation="softmax")(hidden))
    rule = kerac.optimizers.SGD(0.05, momentum=0.9)
    model.compile(rule, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


VARIANTS = ["portable", *(X86 if len(find_targets()) > 1 else ())]


@pytest.mark.slow
@pytest.mark.parametrize("target", VARIANTS)
def test_every_variant_trains_as_python_does(target: str, tmp_path: Path) -> None:
    if find_targets(target)[-1].vector_bytes > find_target().vector_bytes and target in X86:
        pytest.skip("this processor has no such vectors")
    model = network_of_many_kinds()
    kerac.compile_trainer(model, tmp_path / "t.so", target=target)
    trainer = Trainer(tmp_path / "t.so", 8)
    model._compiled_session("test").key[:] = [5, 0]
    assert trainer("set_seed", trainer.block, ctypes.c_uint32(5)) == 0
    before = {variable.path: variable.numpy().copy() for variable in model.weights}
    images = GENERATOR.normal(size=(20, 7, 6, 2)).astype("float32")
    words = GENERATOR.integers(0, 11, (20, 5)).astype("int32")
    for start in (*range(0, 24, 8), *range(0, 24, 8)):
        rows = slice(start, start + 8)  # the last batch of an epoch is short
        x = [images[rows], words[rows]]
        wanted = model.train_on_batch(x, LABELS[rows], return_dict=True)
        trainer("reset_metrics", trainer.block)
        found = trainer.step("train", x, [LABELS[rows]])
        np.testing.assert_allclose(sorted(found), sorted(wanted.values()), rtol=1e-5)
    for variable in (*model.weights, *model.optimizer.variables):
        value = variable.numpy()
        size = max(np.abs(value).max(), 1e-3)
        mine = trainer.read(variable.path, value)
        np.testing.assert_allclose(mine / size, value / size, atol=1e-5, err_msg=variable.path)
        if variable.trainable and variable.path in before:
            assert (value != before[variable.path]).any(), variable.path
