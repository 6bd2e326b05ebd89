"""Runtimes that need Keras itself: each runs the .keras file on a backend of Keras, or from it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kerac.timing.contestants import PEERS, Array, Contestant, Job, Run


def load_keras(path: Path) -> Any:
    """The model in Keras, on the backend that the environment names."""
    import keras

    return keras.models.load_model(path, compile=False)


def as_list(found: Any) -> list[Any]:
    """One output or several, as several."""
    return list(found) if isinstance(found, (list, tuple)) else [found]


def single(values: Sequence[Any]) -> Any:
    """What a model of Keras is called on."""
    return values[0] if len(values) == 1 else list(values)


def prepare_xla(job: Job) -> Run:
    """XLA by way of JAX, the weights as constants."""
    import jax

    model = load_keras(job.model)
    function = jax.jit(lambda *arrays: as_list(model(single(arrays), training=False)))
    compiled = function.lower(*job.inputs.values()).compile()
    arrays = list(job.inputs.values())
    return lambda: [np.asarray(output) for output in compiled(*arrays)]


def prepare_inductor(job: Job) -> Run:
    """PyTorch's compiler; from and to NumPy's memory without a copy."""
    import torch

    torch.set_num_threads(job.threads)
    model = load_keras(job.model).eval()
    function = torch.compile(lambda *tensors: as_list(model(single(tensors), training=False)))

    def run() -> Sequence[Array]:
        with torch.inference_mode():
            tensors = [torch.from_numpy(array) for array in job.inputs.values()]
            return [output.numpy() for output in function(*tensors)]

    return run


def prepare_tensorflow(job: Job) -> Run:
    """TensorFlow's graph of the model, called without Keras around it."""
    import tensorflow

    tensorflow.config.threading.set_intra_op_parallelism_threads(job.threads)
    tensorflow.config.threading.set_inter_op_parallelism_threads(1)
    model = load_keras(job.model)
    signature = [tensorflow.TensorSpec(a.shape, a.dtype) for a in job.inputs.values()]
    function = tensorflow.function(
        lambda *tensors: as_list(model(single(tensors), training=False)), input_signature=signature
    )
    concrete = function.get_concrete_function()
    tensors = [tensorflow.constant(array) for array in job.inputs.values()]
    return lambda: [output.numpy() for output in concrete(*tensors)]


def prepare_litert(job: Job) -> Run:
    """LiteRT with XNNPACK, on what TensorFlow's converter makes of the model.

    The weights are constants of the graph: XNNPACK takes no convolution whose filter is a variable.
    """
    import tensorflow
    from ai_edge_litert.interpreter import Interpreter
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    model = load_keras(job.model)
    signature = [tensorflow.TensorSpec(a.shape, a.dtype) for a in job.inputs.values()]
    function = tensorflow.function(
        lambda *tensors: as_list(model(single(tensors), training=False)), input_signature=signature
    ).get_concrete_function()
    frozen = convert_variables_to_constants_v2(function)
    converter = tensorflow.lite.TFLiteConverter.from_concrete_functions([frozen])
    interpreter = Interpreter(model_content=converter.convert(), num_threads=job.threads)
    interpreter.allocate_tensors()
    places = [detail["index"] for detail in interpreter.get_input_details()]
    results = [detail["index"] for detail in interpreter.get_output_details()]

    def run() -> Sequence[Array]:
        for place, array in zip(places, job.inputs.values(), strict=True):
            interpreter.set_tensor(place, array)
        interpreter.invoke()
        return [interpreter.get_tensor(place) for place in results]

    return run


def on(backend: str) -> dict[str, str]:
    """The environment of a contestant that runs Keras on a backend."""
    return {"KERAS_BACKEND": backend, "CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "3"}


ALL_PEERS = (
    *PEERS,
    Contestant("XLA", f"{__name__}:prepare_xla", ("keras", "jax"), on("jax")),
    Contestant("Inductor", f"{__name__}:prepare_inductor", ("keras", "torch"), on("torch")),
    Contestant(
        "TensorFlow", f"{__name__}:prepare_tensorflow", ("keras", "tensorflow"), on("tensorflow")
    ),
    Contestant(
        "LiteRT",
        f"{__name__}:prepare_litert",
        ("keras", "tensorflow", "ai_edge_litert"),
        on("tensorflow"),
    ),
)
