"""Learn features of handwritten digits without their labels: a restricted Boltzmann machine.

    python examples/training/rbm.py
    python examples/training/rbm.py --hidden 128 --epochs 60

Visible units v are pixels, hidden ones h are features; none is connected to one of its own kind.
The machine gives low energy to what looks like the data. Its gradient is that of the free energy of
the data less that of what the machine itself dreams up after a step of Gibbs sampling (contrastive
divergence). The features are then tried: a layer that sees nothing else tells the digits apart.
"""

import argparse
from pathlib import Path

import numpy as np

import kerac as keras
from kerac import ops
from kerac.layers import Dense, Layer
from kerac.models import Input, Model, Sequential

DATA = Path(__file__).parent.parent / "digits" / "held_out.npz"


class RestrictedBoltzmannMachine(Layer):
    """Probabilities of the hidden units. In training it adds the loss of contrastive divergence.

    inputs: t[N, V], numbers from 0 to 1 -> t[N, units]
    """

    units: int

    def build(self, input_shape: tuple[int, ...]) -> None:
        """Make the weights between the layers, and the biases of both."""
        visible = input_shape[-1]
        self.kernel = self.add_weight("kernel", (visible, self.units), "glorot_normal")
        self.visible_bias = self.add_weight("visible_bias", (visible,), "zeros")
        self.hidden_bias = self.add_weight("hidden_bias", (self.units,), "zeros")

    def hidden(self, visible):
        """p(h = 1 | v)"""
        return ops.sigmoid(visible @ self.kernel + self.hidden_bias)

    def visible(self, hidden):
        """p(v = 1 | h)"""
        return ops.sigmoid(ops.matmul(hidden, ops.transpose(self.kernel)) + self.visible_bias)

    def free_energy(self, visible):
        """-v . visible_bias - sum over h of log(1 + exp(v kernel + hidden_bias))"""
        inputs = visible @ self.kernel + self.hidden_bias
        known = ops.sum(visible * self.visible_bias, axis=-1)
        return -known - ops.sum(ops.softplus(inputs), axis=-1)

    def call(self, inputs, training=False):
        """The features; a step of Gibbs sampling beside them in training."""
        features = self.hidden(inputs)
        if training:
            chance = keras.random.uniform(features.shape)
            sampled = ops.cast(ops.less(chance, features), "float32")
            dreamt = ops.stop_gradient(self.visible(sampled))
            self.add_loss(ops.mean(self.free_energy(inputs) - self.free_energy(dreamt)))
        return features


def reconstruct(machine: RestrictedBoltzmannMachine, pixels: np.ndarray) -> np.ndarray:
    """What the machine sees in images: to the hidden units and back."""
    return np.asarray(machine.visible(np.asarray(machine.hidden(pixels))))


def main() -> None:
    """Learn features, then a classifier on them."""
    parser = argparse.ArgumentParser(description="Learn features of digits without labels.")
    parser.add_argument("--hidden", type=int, default=96, help="number of features")
    parser.add_argument("--epochs", type=int, default=100)
    arguments = parser.parse_args()

    keras.utils.set_random_seed(3)
    with np.load(DATA) as data:
        pixels, labels = data["images"].reshape(-1, 64), data["labels"]
    train, test = slice(0, 350), slice(350, None)

    machine = RestrictedBoltzmannMachine(arguments.hidden)
    image = Input((64,))
    features = Model(image, machine(image))
    before = np.abs(reconstruct(machine, pixels[test]) - pixels[test]).mean()
    features.compile(keras.optimizers.SGD(0.05, momentum=0.5))
    features.fit(pixels[train], batch_size=10, epochs=arguments.epochs, verbose=0)
    after = np.abs(reconstruct(machine, pixels[test]) - pixels[test]).mean()
    print(f"Error of a reconstructed pixel: {before:.3f} before, {after:.3f} after training")

    learned = features.predict(pixels, verbose=0)
    classifier = Sequential([Input((arguments.hidden,)), Dense(10, activation="softmax")])
    classifier.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    classifier.fit(learned[train], labels[train], batch_size=10, epochs=60, verbose=0)
    _, accuracy = classifier.evaluate(learned[test], labels[test], verbose=0)
    print(f"Test accuracy: {accuracy:.4f}")


if __name__ == "__main__":
    main()
