"""A copy of a network's weights that can be restored."""

from __future__ import annotations

import torch

Weights = dict[str, torch.Tensor]


class Backup:
    """A copy of a network's weights, which can be restored in it and in others of the same shape.

    Args:
        name: name of the copy, for errors.
        network: the network that is copied.
        *others: further networks in which the weights are restored.

    Attributes:
        weights: the copy; empty where there is none.
    """

    def __init__(self, name: str, network: torch.nn.Module, *others: torch.nn.Module) -> None:
        self._name, self.network, self._others = name, network, others
        self.weights: Weights = {}

    def keep(self) -> None:
        """Copies the network's weights."""
        self.weights = {name: value.detach().clone() for name, value in self.network.state_dict().items()}

    def restore(self) -> None:
        """Loads the copy, where there is one, into all networks."""
        for network in (self.network, *self._others) if self.weights else ():
            network.load_state_dict(self.weights)

    def clear(self) -> None:
        """Deletes the copy."""
        self.weights = {}

    def load(self, weights: Weights) -> None:
        """Sets the copy, which may be empty.

        Raises:
            ValueError: the weights are of another network, or not finite.
        """
        if weights:
            check(self.network, weights, f"its controller's {self._name}")
        known = self.network.state_dict()
        self.weights = {key: value.to(known[key].device) for key, value in weights.items()}


def check(network: torch.nn.Module, weights: Weights, name: str) -> None:
    """Raises ``ValueError`` for weights that are of another network, or not finite; ``name`` names them."""
    if {key: value.shape for key, value in weights.items()} != {
        key: value.shape for key, value in network.state_dict().items()
    }:
        raise ValueError(f"{name} are of another network")
    if not all(value.isfinite().all() for value in weights.values()):
        raise ValueError(f"{name} are not finite")
