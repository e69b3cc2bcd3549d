"""Discriminators of contents, and their training together with an agent."""

from .architecture import Architecture
from .calibration import Reading, more_loss, read
from .discriminator import Discriminator, TaskLike, pretrained
from .make import load_trainer, make_discriminator, make_trainer
from .networks import ENCODERS
from .objectives import Settings
from .trainer import DiscriminatorTrainer
from .wrappers import CoTrainedEnv, CoTrainedVectorEnv, co_trained

__all__ = [
    "ENCODERS",
    "Architecture",
    "CoTrainedEnv",
    "CoTrainedVectorEnv",
    "Discriminator",
    "DiscriminatorTrainer",
    "Reading",
    "Settings",
    "TaskLike",
    "co_trained",
    "load_trainer",
    "make_discriminator",
    "make_trainer",
    "more_loss",
    "pretrained",
    "read",
]
