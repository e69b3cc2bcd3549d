"""The discriminator: one logit per content, high for real; trained on real contents and those of an agent."""

from __future__ import annotations

import re
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any, Literal, NoReturn, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from . import files, objectives
from .architecture import Architecture
from .layers import CellAugmentation, Random
from .networks import build_network
from .objectives import Settings

Array = NDArray[Any]
Pair = tuple[Tensor, Tensor]
"""Contents as arguments of ``Network.embed``, and conditions int64 [B, K]."""
PRETRAINED = Path(__file__).resolve().parent.parent / "pretrained"
SCORING_ROWS = 32
"""Contents scored at a time: as many melodies as fit into a core's cache; more take up to twice as long. The number
changes no result."""


class _Layout(Protocol):
    @property
    def kind(self) -> str: ...
    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def sizes(self) -> tuple[int, ...]: ...
    @property
    def categorical(self) -> bool: ...


class Works(Protocol):
    """N works of a split."""

    @property
    def contents(self) -> Array:
        """Contents [N, ...]."""

    @property
    def conditions(self) -> Array:
        """Conditions int [N, K]."""


class TaskLike(Protocol):
    """The part of a task that discriminators use."""

    @property
    def layout(self) -> _Layout:
        """Form of one content: its ``kind`` chooses the network."""

    @property
    def condition_sizes(self) -> tuple[int, ...]:
        """Number of values of each condition."""

    def works(self, split: Literal["train", "validation", "test"]) -> Works:
        """Returns the real works of a split."""

    def stream(self, num: int, rng: np.random.Generator) -> Array | None:
        """Returns ``num`` new real contents; None where the corpus has all of them."""


class Discriminator:
    """A network that maps contents to logits, with its optimiser.

    Contents are int [B, *shape]; conditions are int [B, K], required where the task has any. ``score`` accepts contents
    of floats, and gradients flow through it to a generator.

    Dropout and noise draw from this object's ``generator``, so that updates depend on nothing but their arguments and
    ``state_dict``. Initial weights are drawn from torch's global generator, whose state is then restored.

    Args:
        architecture: The network.
        settings: Losses and optimiser.
        seed: Seed of initial weights and dropout.
        device: A torch device, or "auto": CUDA where there is one.
    """

    def __init__(
        self, architecture: Architecture, settings: Settings | None = None, *, seed: int = 0, device: str = "cpu"
    ) -> None:
        self.architecture = architecture
        self.settings = settings or Settings()
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
        self.updates = 0
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            self.network = build_network(architecture).to(self.device).eval()
        self.generator = torch.Generator(self.device).manual_seed(seed)
        for module in self.network.modules():
            if isinstance(module, Random):
                module.generator = self.generator
        s = self.settings
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), s.learning_rate, betas=s.betas, weight_decay=s.weight_decay
        )

    def logits(self, contents: Array, conditions: Array | None = None) -> NDArray[np.float32]:
        """Returns raw logits float32 [B], high for real, in evaluation mode."""
        parts = []
        with torch.no_grad(), self._float32():
            at_once = SCORING_ROWS if torch.device(self.device).type == "cpu" else 32 * SCORING_ROWS
            for start in range(0, len(contents), at_once):
                rows = slice(start, start + at_once)
                parts.append(
                    self.network(*self._tensors(contents[rows], None if conditions is None else conditions[rows]))
                )
        return torch.cat(parts).cpu().numpy() if parts else np.zeros(0, np.float32)

    def score(self, contents: Tensor, conditions: Tensor | None = None) -> Tensor:
        """Returns raw logits [B], high for real, in evaluation mode, with gradients with respect to the contents.

        Args:
            contents: float, such as those of a generator: pixels [B, *shape] from 0 to 1; shares of the values of
                cells [B, *shape, size]; of the values of a sequence's columns, side by side [B, L, sum of sizes].
            conditions: int64 [B, K]; None where there are none.
        """
        if not contents.is_floating_point():
            raise ValueError(f"score needs contents of floats, not {contents.dtype}: use logits(contents, conditions)")
        contents = contents.to(self.device)
        if conditions is None:
            conditions = torch.zeros(len(contents), 0, dtype=torch.int64)
        conditions = conditions.to(self.device)
        K = len(self.architecture.condition_sizes)
        if conditions.shape != (len(contents), K):
            raise ValueError(f"conditions must be int64 [{len(contents)}, {K}], not {list(conditions.shape)}")
        with self._float32():
            logits: Tensor = self.network(contents, conditions)
        return logits

    def fits(self, task: TaskLike) -> bool:
        """Returns whether contents and conditions of a task have the form of those that it judges."""
        a, layout = self.architecture, task.layout
        theirs = (layout.kind, tuple(layout.shape), tuple(layout.sizes), tuple(task.condition_sizes))
        return (a.kind, a.shape, a.sizes, a.condition_sizes) == theirs

    @property
    def augmentation(self) -> float | None:
        """Share of the largest augmentation of cells, 0 to 1; None where the network does not augment cells."""
        shares = [module.share for module in self._augmentations()]
        return shares[0] if shares else None

    def set_augmentation(self, share: float) -> None:
        """Sets the share of the largest augmentation of cells, 0 to 1."""
        for module in self._augmentations():
            module.share = share

    def _augmentations(self) -> list[CellAugmentation]:
        return [module for module in self.network.modules() if isinstance(module, CellAugmentation) and module.largest]

    def set_rate(self, times: float) -> None:
        """Sets the learning rate to a multiple of that of ``settings``."""
        for group in self.optimizer.param_groups:
            group["lr"] = times * self.settings.learning_rate

    def update(
        self,
        real: Array,
        fake: Array,
        real_conditions: Array | None = None,
        fake_conditions: Array | None = None,
    ) -> dict[str, float]:
        """Takes one optimiser step of the loss on real [N, ...] and fake [M, ...] contents.

        Returns:
            loss: in nats, 1.386 at chance (``objectives.discriminator_loss``).
            accuracy: mean of the accuracies on real and on fake contents.
            real_logit, fake_logit: means.
            r1: the penalty before its weight, on updates that have it.
            gradient_norm: before clipping.

        Raises:
            FloatingPointError: the loss or its gradient is not finite; the network is unchanged.
        """
        if not len(real) or not len(fake):
            raise ValueError("a discriminator update needs at least one real and one fake content")
        with self._float32(), torch.enable_grad():  # callers that only evaluate switch gradients off
            return self._update(self._tensors(real, real_conditions), self._tensors(fake, fake_conditions))

    def _update(self, real: Pair, fake: Pair) -> dict[str, float]:
        s, network = self.settings, self.network.train()
        both = torch.cat((real[0], fake[0])), torch.cat((real[1], fake[1]))
        logits = network(*both)
        real_logits, fake_logits = logits[: len(real[0])], logits[len(real[0]) :]
        loss = objectives.discriminator_loss(real_logits, fake_logits, s.label_smoothing)
        total, stats = loss, {"loss": loss.item()}
        if s.r1 and self.updates % s.r1_every == 0:
            # cuDNN's recurrent networks have no second derivative; torch's own, as on the CPU, do.
            with torch.backends.cudnn.flags(enabled=False):
                embedded = network.embed(*self._penalised(real, fake))
                embedded.values.requires_grad_()  # pixels do not by themselves
                penalty = objectives.r1_penalty(network.score(embedded), embedded.values)
            total = total + s.r1 * s.r1_every * penalty
            stats["r1"] = penalty.item()
        self.optimizer.zero_grad()
        torch.autograd.backward(total)
        norm = torch.nn.utils.clip_grad_norm_(network.parameters(), s.clip).item()
        network.eval()
        if not np.isfinite(total.item()) or not np.isfinite(norm):
            raise FloatingPointError(
                f"the discriminator's loss is {total.item()}, its gradient {norm}, at update {self.updates}: "
                "lower its learning_rate, or raise r1"
            )
        self.optimizer.step()
        self.updates += 1
        right = 0.5 * ((real_logits > 0).float().mean() + (fake_logits < 0).float().mean())
        means = {"real_logit": real_logits.mean().item(), "fake_logit": fake_logits.mean().item()}
        return stats | means | {"accuracy": right.item(), "gradient_norm": norm}

    def _float32(self) -> torch.autocast:
        """Returns a context in which no ``torch.autocast`` of a caller rounds scores and updates."""
        return torch.autocast(torch.device(self.device).type, enabled=False)

    def _penalised(self, real: Pair, fake: Pair) -> Pair:
        """Returns the contents of the R1 penalty: the first ones, real only or half fake, by ``settings``."""
        if not self.settings.r1_on_fake:
            return real[0][: self.settings.r1_rows], real[1][: self.settings.r1_rows]
        half = (self.settings.r1_rows + 1) // 2
        return torch.cat((real[0][:half], fake[0][:half])), torch.cat((real[1][:half], fake[1][:half]))

    def _tensors(self, contents: Array, conditions: Array | None) -> Pair:
        """Validates contents and conditions; returns them on the device, sequences as [B, L, C]."""
        a = self.architecture
        contents = _validated("contents", contents, a.shape, a.sizes)
        K = len(a.condition_sizes)
        if conditions is None and K:
            raise ValueError("this discriminator sees conditions: pass conditions=int [N, K] with the contents")
        if conditions is None or not K:
            conditions = np.zeros((len(contents), 0), np.int64)
        conditions = _validated("conditions", conditions, (K,), a.condition_sizes)
        if len(conditions) != len(contents):
            raise ValueError(f"{len(contents)} contents need as many conditions, got {len(conditions)}")
        if a.kind == "sequence":
            contents = contents.reshape(len(contents), a.shape[0], len(a.sizes))
        typed = contents.astype(np.int64 if a.categorical else np.uint8)
        return torch.from_numpy(typed).to(self.device), torch.from_numpy(conditions.astype(np.int64)).to(self.device)

    def state_dict(self) -> dict[str, Any]:
        """Returns everything that later updates depend on, as plain data and tensors, copied."""
        names: dict[Tensor, str] = {parameter: name for name, parameter in self.network.named_parameters()}
        moments = {
            f"{names[parameter]}:{key}": value.detach().clone()
            for parameter, state in self.optimizer.state.items()
            for key, value in state.items()
        }
        return {
            "architecture": files.plain(self.architecture),
            "settings": files.plain(self.settings),
            "updates": self.updates,
            "network": {name: value.detach().clone() for name, value in self.network.state_dict().items()},
            "moments": moments,
            "generator": self.generator.get_state(),
            "augmentation": self.augmentation,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continues from a ``state_dict`` of an equal discriminator, bit for bit on the same kind of device.

        Raises:
            ValueError: the state is of another architecture, or of other settings.
        """
        # Built from plain data, since checkpoints of earlier versions lack later fields.
        saved = files.made(Architecture, state["architecture"]), files.made(Settings, state["settings"])
        for theirs, ours in zip(saved, (self.architecture, self.settings), strict=True):
            if theirs != ours:
                name = type(ours).__name__.lower()
                raise ValueError(f"this checkpoint's discriminator has another {name}: {theirs}, not {ours}")
        self._load_weights(state["network"])
        parameters = dict(self.network.named_parameters())
        self.optimizer.state.clear()
        for key, value in state["moments"].items():
            name, _, moment = key.rpartition(":")
            parameter = parameters[name]
            # Adam keeps its count of steps on the CPU.
            moved = value.clone() if moment == "step" else value.to(parameter.device, copy=True)
            self.optimizer.state[parameter][moment] = moved
        if state["generator"].shape == self.generator.get_state().shape:
            self.generator.set_state(state["generator"].cpu())
        self.updates = int(state["updates"])
        if state["augmentation"] is not None:
            self.set_augmentation(float(state["augmentation"]))

    def _load_weights(self, weights: dict[str, Tensor]) -> None:
        known = self.network.state_dict()
        if not isinstance(weights, dict) or set(weights) != set(known):
            raise ValueError("its weights are not those of its architecture")
        for name, value in weights.items():
            if not isinstance(value, Tensor) or value.shape != known[name].shape or not value.is_floating_point():
                raise ValueError(f"its weight {name} is not a floating-point tensor of shape {list(known[name].shape)}")
            if not value.isfinite().all():
                raise ValueError(f"its weight {name} is not finite")
        self.network.load_state_dict(weights)

    def save(self, path: str | Path, half: bool = False) -> Path:
        """Writes one file for ``load``: weights, without the optimiser's moments.

        Args:
            path: The file, replaced as a whole or not at all.
            half: True stores 16-bit weights: half the size, for shipping; logits change by about 0.01.
        """
        config = {"architecture": files.plain(self.architecture), "settings": files.plain(self.settings)}
        kind = torch.float16 if half else torch.float32
        weights = {name: value.detach().to("cpu", kind) for name, value in self.network.state_dict().items()}
        files.write(Path(path), {"format": files.FORMAT, **config, "updates": self.updates}, {"weights": weights})
        return Path(path)

    @classmethod
    def load(cls, path: str | Path, *, seed: int = 0, device: str = "cpu") -> Discriminator:
        """Reads a file of ``save``, without executing any of it; moments for further training begin at 0.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: it is damaged, doctored or something else.
        """
        try:
            config, tensors = files.read(Path(path), {files.FORMAT: files.LIMITS[files.FORMAT]})
            made = files.made(Architecture, config["architecture"]), files.made(Settings, config["settings"])
            updates, weights = int(config["updates"]), tensors["weights"]
        except files.UNREADABLE as error:
            raise files.unusable(Path(path), error) from error
        try:
            discriminator = cls(*made, seed=seed, device=device)
            discriminator._load_weights(weights)
        except ValueError as error:  # not those of an impossible device
            raise files.unusable(Path(path), error) from error
        discriminator.updates = updates
        return discriminator


def _stay(_: Discriminator) -> NoReturn:
    """Raises an error here for a live discriminator that is sent to another process, whose errors nobody would see."""
    raise RuntimeError(
        "environments in other processes cannot share a live discriminator: its copies would never be trained; use "
        "gym.make_vec(...), make_sb3_env(...) or DummyVecEnv, or save it and name discriminator='PATH' for a frozen one"
    )


ForkingPickler.register(Discriminator, _stay)


def pretrained(task: TaskLike | str, device: str = "cpu") -> Discriminator:
    """Loads the discriminator that ships for a task and its data, or for an id such as ``musegym/Melody-v0``.

    Raises:
        ValueError: none ships for it.
    """
    name = task if isinstance(task, str) else type(task).__name__.removesuffix("Task")
    name = re.sub(r"-v\d+$", "", name.rpartition("/")[2])
    data = getattr(task, "data_name", "")
    if data and data != getattr(task, "data_names", (data,))[0]:
        name += f"-{data}"
    path = PRETRAINED / f"{name}-D.zip"
    if not path.is_file():
        shipped = sorted(file.name.removesuffix("-D.zip") for file in PRETRAINED.glob("*-D.zip"))
        raise ValueError(f"no pretrained discriminator ships for {name}; there are: {', '.join(shipped) or 'none'}")
    found = Discriminator.load(path, device=device)
    if not isinstance(task, str) and not found.fits(task):
        raise ValueError(f"the pretrained discriminator of {name} judges other works than those of this task")
    return found


def _validated(name: str, values: Array, shape: tuple[int, ...], sizes: tuple[int, ...]) -> Array:
    """Returns values as an array, if they are integers [B, *shape] whose last axis [C] is from 0 to below sizes [C]."""
    values = np.asarray(values)
    if values.shape[1:] != shape or values.ndim != 1 + len(shape) or values.dtype.kind not in "iu":
        raise ValueError(
            f"{name} must be integers of shape [B, {', '.join(map(str, shape))}], "
            f"got {values.dtype} of shape {list(values.shape)}"
        )
    flat = values.reshape(-1, len(sizes)) if values.size else np.zeros((1, len(sizes)), int)
    if flat.min(initial=0) < 0 or (flat.max(0) >= sizes).any():
        raise ValueError(
            f"{name} must be from 0 to below {list(sizes)}, got {flat.min(0).tolist()} to {flat.max(0).tolist()}"
        )
    return values
