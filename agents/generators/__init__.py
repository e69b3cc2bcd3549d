"""Neural content generators: networks that turn plans into contents, contents into plans, and what trains them."""

from .architecture import GeneratorArchitecture
from .generator import ContentGenerator
from .trainer import GeneratorSettings, GeneratorTrainer

__all__ = ["ContentGenerator", "GeneratorArchitecture", "GeneratorSettings", "GeneratorTrainer"]
