"""Layers one after the other, as one layer."""

from __future__ import annotations

from typing import Annotated, Any

from kerac.convert import Conversion
from kerac.layers.arguments import call_signature
from kerac.layers.base import Layer
from kerac.layers.calling import trains_on_arrays
from kerac.layers.inside import read_inside
from kerac.layers.masks import mask_of
from kerac.structure import map_structure

LayerList = Annotated[
    list[Any],
    Conversion(
        lambda layers: [read_inside(layer) for layer in layers],
        lambda layers: [layer.serialize() for layer in layers],
        "a list of layers",
    ),
]


class Pipeline(Layer):
    """Layers that prepare data, each on what the one before gives.

    As in Keras, arrays are prepared for training unless the caller says that this is none. In a
    model they are prepared for what the model does.
    """

    layers: LayerList

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return super().__call__(*args, **trains_on_arrays(args, kwargs))

    def call(self, inputs: Any, mask: Any = None) -> Any:
        for layer in self.layers:
            takes_mask = "mask" in call_signature(type(layer)).parameters
            inputs = layer(inputs, mask=mask) if takes_mask else layer(inputs)
            mask = map_structure(mask_of, inputs)
        return inputs

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        return {name: config[name] for name in ("layers", "name")}
