"""Event files, read back by TensorBoard itself; averages of weights; records sent to a server."""

import http.server
import io
import json
import threading
import urllib.parse
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from PIL import Image

import kerac
from kerac.callbacks.events import buckets, masked_checksum, png
from kerac.ir.errors import CompileError

GENERATOR = np.random.default_rng(8)
X = GENERATOR.normal(size=(40, 8, 8, 1)).astype("float32")
Y = GENERATOR.integers(0, 3, 40)


def network(library: Any = kerac, **optimizer: Any) -> Any:
    layers = library.layers
    model = library.Sequential(
        [
            library.Input((8, 8, 1)),
            layers.Conv2D(4, 3, activation="relu", name="edges"),
            layers.Flatten(),
            layers.Dense(3, activation="softmax", name="kind"),
        ]
    )
    rate = library.optimizers.SGD(0.05, **optimizer)
    model.compile(rate, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def dense(library: Any, **optimizer: Any) -> Any:
    layers = [library.Input((8, 8, 1)), library.layers.Flatten(), library.layers.Dense(1)]
    model = library.Sequential(layers)
    model.compile(library.optimizers.SGD(0.01, **optimizer), "mse")
    return model


def test_records_have_checksums_and_pictures_are_pictures() -> None:
    crc = 0xE3069283  # CRC-32C of these digits
    assert masked_checksum(b"123456789") == ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
    assert buckets(np.array([1.0, np.nan, 2.0])).sum(axis=0)[2] == 2
    picture = GENERATOR.uniform(size=(5, 7, 3))
    read = np.asarray(Image.open(io.BytesIO(png(picture))))
    np.testing.assert_allclose(read / 255, picture, atol=1 / 255)


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any, Any]:
    folder = tmp_path_factory.mktemp("logs")
    callback = kerac.callbacks.TensorBoard(
        folder, histogram_freq=2, write_images=True, update_freq=2, write_steps_per_second=True
    )
    model = network()
    data = {"validation_data": (X[:8], Y[:8]), "callbacks": [callback], "verbose": 0}
    return folder, model, model.fit(X, Y, 8, epochs=3, **data)


def read(folder: Path) -> Any:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(folder), size_guidance={"tensors": 0})
    found.Reload()
    return found


def values(events: Any, tag: str) -> list[tuple[int, Any]]:
    from tensorboard.util.tensor_util import make_ndarray

    return [(event.step, make_ndarray(event.tensor_proto)) for event in events.Tensors(tag)]


def test_tensorboard_reads_the_curves(logged: Any) -> None:
    folder, _, history = logged
    train, validation = read(folder / "train"), read(folder / "validation")
    for name in ("loss", "accuracy"):
        for events, key in ((train, name), (validation, f"val_{name}")):
            found = values(events, f"epoch_{name}")
            assert [step for step, _ in found] == [0, 1, 2]
            np.testing.assert_allclose([x for _, x in found], history.history[key], rtol=1e-6)
        assert [step for step, _ in values(train, f"batch_{name}")] == [2, 4, 6, 8, 10, 12, 14]
        steps = [s for s, _ in values(validation, f"evaluation_{name}_vs_iterations")]
        assert steps == [5, 10, 15]
    assert values(train, "epoch_learning_rate")[0][1] == pytest.approx(0.05)
    assert values(train, "epoch_steps_per_second")[0][1] > 0


def test_tensorboard_reads_weights_and_graph(logged: Any) -> None:
    folder, model, _ = logged
    train = read(folder / "train")
    kernel = model.get_layer("edges").kernel
    (first, _), (last, histogram) = values(train, f"{kernel.path}/histogram")
    assert (first, last) == (0, 2)
    assert histogram.shape == (30, 3)
    assert histogram[:, 2].sum() == kernel.numpy().size
    assert histogram[0, 0] == pytest.approx(kernel.numpy().min())
    (_, picture), _ = values(train, f"{model.get_layer('kind').kernel.path}/image")
    assert picture[:2].tolist() == [b"144", b"3"]
    nodes = {node.name: node for node in train.Graph().node}
    assert {node.op for node in nodes.values()} >= {"Input", "Convolution", "Softmax"}
    assert all(name in nodes for node in nodes.values() for name in node.input)
    assert any(name.startswith("edges/") for name in nodes)
    config = json.loads(values(train, "keras")[0][1].item())
    assert config["class_name"] == "Sequential"


def test_what_tensorboard_cannot_have_is_refused() -> None:
    for arguments in ({"profile_batch": 2}, {"embeddings_freq": 1}, {"update_freq": "day"}):
        with pytest.raises(CompileError, match="TensorBoard"):
            kerac.callbacks.TensorBoard("logs", **arguments)


@pytest.mark.parametrize("on_epoch", [False, True])
def test_averages_of_weights_are_swapped_as_in_keras(on_epoch: bool) -> None:
    models = [dense(library, use_ema=True, ema_momentum=0.8) for library in (keras, kerac)]
    models[1].set_weights(models[0].get_weights())
    seen: list[list[np.ndarray]] = [[], []]
    for place, (library, model) in enumerate(zip((keras, kerac), models, strict=True)):

        def look(epoch: int, logs: Any, model: Any = model, place: int = place) -> None:
            seen[place].append(np.asarray(model.get_weights()[0]))

        callbacks = [
            library.callbacks.SwapEMAWeights(swap_on_epoch=on_epoch),
            library.callbacks.LambdaCallback(on_epoch_end=look),
        ]
        data = {"validation_data": (X[:8], Y[:8]), "shuffle": False, "verbose": 0}
        history = model.fit(X, Y, 8, epochs=2, callbacks=callbacks, **data).history
        seen[place] += [np.asarray(values) for values in history.values()]
        seen[place] += [np.asarray(weight) for weight in model.get_weights()]
    for theirs, ours in zip(*seen, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=2e-4, atol=1e-5)


def test_averages_must_be_kept() -> None:
    with pytest.raises(CompileError, match="SGD has use_ema=False"):
        network().evaluate(X, Y, verbose=0, callbacks=[kerac.callbacks.SwapEMAWeights()])


@pytest.mark.parametrize("as_json", [False, True])
def test_records_are_sent(as_json: bool) -> None:
    received: list[Any] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            text = body if as_json else urllib.parse.parse_qs(body)["data"][0]
            received.append((self.path, self.headers["Who"], json.loads(text)))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        root = f"http://127.0.0.1:{server.server_port}"
        monitor = kerac.callbacks.RemoteMonitor(
            root, headers={"Who": "me"}, send_as_json=as_json
        )
        monitor.on_epoch_end(3, {"loss": np.float32(0.5)})
        server.shutdown()
    assert received == [("/publish/epoch/end/", "me", {"epoch": 3, "loss": 0.5})]


def test_a_server_that_is_not_there_is_a_warning() -> None:
    with pytest.warns(UserWarning, match="could not be reached"):
        kerac.callbacks.RemoteMonitor("http://127.0.0.1:9").on_epoch_end(0, {"loss": 0.5})
