"""Where Keras 2 had what draws models."""

from kerac.models.plot import model_to_dot, plot_model

__all__ = ["model_to_dot", "plot_model"]
