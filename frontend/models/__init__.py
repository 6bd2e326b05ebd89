"""Models: functional ones, sequences of layers, and what is read from files."""

from kerac.layers.input import Input
from kerac.models.cloning import clone_model
from kerac.models.functional import Functional
from kerac.models.model import Model
from kerac.models.saving import load_model, model_from_json, save_model
from kerac.models.sequential import Sequential

__all__ = [
    "Functional",
    "Input",
    "Model",
    "Sequential",
    "clone_model",
    "load_model",
    "model_from_json",
    "save_model",
]
