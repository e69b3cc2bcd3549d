"""Agents that are in the package."""

from __future__ import annotations

import re
from pathlib import Path

from .dqn import AdversarialDQN

PRETRAINED = Path(__file__).resolve().parent.parent / "pretrained"
OTHERS = ("-D", "-G")
"""Ends of the names of discriminators and generators, which lie in the same folder."""


def pretrained(env_id: str, data: str = "", device: str = "cpu") -> AdversarialDQN:
    """Loads the agent that ships for an id, such as ``musegym/Melody-v0``.

    Args:
        env_id: the id.
        data: source of the works that it learned from, where agents of several ship; "" for the id's default.
        device: a torch device.

    Raises:
        ValueError: none ships for it.
    """
    name = re.sub(r"-v\d+$", "", env_id.rpartition("/")[2])
    shipped = sorted(path.stem for path in PRETRAINED.glob("*.zip") if not path.stem.endswith(OTHERS))
    asked = f"{name}-{data}" if data else name
    if asked in shipped:
        return AdversarialDQN.load(PRETRAINED / f"{asked}.zip", device=device)
    if name in shipped:
        model = AdversarialDQN.load(PRETRAINED / f"{name}.zip", device=device)
        if model.task.data_name == data:
            return model
    what = f"{env_id} with data={data}" if data else env_id
    raise ValueError(f"no model of {what} ships with musegym; there are: {', '.join(shipped) or 'none'}")
