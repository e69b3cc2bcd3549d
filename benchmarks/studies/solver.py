"""How often does the rule ``playable`` of ``musegym/Level-v0`` agree with the Mario AI Framework?

Real held-out screens and corrupted ones are judged three ways: by ``envs.media.platformer``; by the framework's A*
player (R. Baumgarten's, ``PlayAstar.jar`` of mario-gpt), who has 40 ms of real time a tick to plan; and by a search of
all states that the framework's own engine can reach. Both of these meet enemies, cannons and their own mistakes. The
player plans eleven tiles ahead, and falls where a level ends before: it sees screens with eight columns of ground
behind them. It is not complete: levels that it loses and the search crosses can be crossed.

Takes about six minutes of one core, and Java 17 with its compiler.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from ...envs.corpora.sources import find
from ...envs.level import LevelTask
from ...envs.task import Array
from ..recorded import HeldOutSplit, JsonFile, Seed, run, write_result

KINDS = ("noise", "gap", "wall", "mix")
"""Corruptions: other tiles here and there; columns without ground; a wall; halves of two screens."""
AIR, GROUND = 0, 1
JAVA = """
import engine.core.*; import engine.helper.*; import java.io.*; import java.nio.file.*; import java.util.*;
public class Judge {
  static final boolean[][] ACTIONS = {  // left, right, down, run, jump
    {false, true, false, true, true}, {false, true, false, true, false}, {false, false, false, false, true},
    {false, false, false, false, false}, {true, false, false, true, true}, {true, false, false, true, false}};
  static class Node {
    MarioWorld world; float cost; int ticks;
    Node(MarioWorld world, float cost, int ticks) { this.world = world; this.cost = cost; this.ticks = ticks; } }
  static boolean player(String level, int seconds) {
    MarioResult result = new MarioGame().playAstar(new agents.robinBaumgarten.Agent(), level, seconds, false);
    return result.getGameStatus() == GameStatus.WIN; }
  static boolean search(String level, int most) {
    MarioWorld start = new MarioWorld(null);
    start.initializeLevel(level, 200000); start.mario.isLarge = true; start.update(new boolean[5]);
    PriorityQueue<Node> open = new PriorityQueue<>((a, b) -> Float.compare(a.cost, b.cost));
    HashSet<String> seen = new HashSet<>();
    open.add(new Node(start, 0, 0));
    for (int i = 0; i < most && !open.isEmpty(); i++) {
      Node node = open.poll();
      for (boolean[] action : ACTIONS) {
        MarioWorld next = node.world.clone(); next.update(action);
        if (next.gameStatus == GameStatus.RUNNING) next.update(action);
        if (next.gameStatus == GameStatus.WIN) return true;
        if (next.gameStatus != GameStatus.RUNNING) continue;
        engine.sprites.Mario m = next.mario;
        String state = (int) (m.x / 3) + " " + (int) ((m.y + 64) / 3) + " " + (int) ((m.xa + 12) / 2) + " "
          + (int) ((m.ya + 30) / 2) + " " + m.jumpTime + m.onGround + m.mayJump + m.isLarge;
        if (seen.add(state)) open.add(new Node(next, (node.ticks + 2) * 0.5f - m.x / 10.9f, node.ticks + 2)); } }
    return false; }
  public static void main(String[] names) throws Exception {
    PrintStream out = System.out; System.setOut(new PrintStream(OutputStream.nullOutputStream()));
    for (int i = 2; i < names.length; i++) {
      String level = new String(Files.readAllBytes(Paths.get(names[i]))); int count = Integer.parseInt(names[1]);
      out.println(names[0].equals("player") ? player(level, count) : search(level, count)); out.flush(); }
    System.exit(0); } }
"""
LIMITS = {"player": 10, "search": 20_000}
"""Seconds of the game, and states."""
RUN_OUT = 8  # columns


def corrupted(content: Array, others: Array, kind: str, rng: np.random.Generator) -> Array:
    """Returns a screen [14, 16] changed in one of ``KINDS``, with tiles or halves of other screens [N, 14, 16]."""
    content = content.copy()
    height, width = content.shape
    if kind == "noise":
        tiles, changed = others[others != AIR], rng.random(content.shape) < rng.choice([0.05, 0.1, 0.2, 0.3])
        content[changed] = rng.choice(tiles, changed.sum())
    elif kind == "gap":
        length = rng.integers(3, 12)
        left = rng.integers(1, width - length)
        content[:, left : left + length] = AIR
        if rng.random() < 0.5:  # a stone in the middle
            content[rng.integers(4, height - 1), left + rng.integers(length)] = GROUND
    elif kind == "wall":
        column, tall = rng.integers(2, width - 1), rng.integers(3, 9)
        ground = max(np.flatnonzero(content[:, column] == GROUND), default=height)
        content[max(0, ground - tall) : ground, column] = GROUND
    else:
        seam = rng.integers(2, width - 2)
        content[:, seam:] = others[rng.integers(len(others)), :, seam:]
    return content


def sample(real: Array, others: Array, num: int, rng: np.random.Generator) -> Array:
    """Returns ``num`` screens: the first half real, the others corrupted, one kind after the other."""
    chosen = real[rng.permutation(len(real))[:num]]
    rows = range(num // 2, num)
    changed = [corrupted(chosen[row], others, KINDS[row % len(KINDS)], rng) for row in rows]
    return np.stack([*chosen[: num // 2], *changed])


def judged(task: LevelTask, contents: Array, judge: str) -> NDArray[np.bool_]:
    """Returns whether the framework crosses levels, bool [N].

    Args:
        task: of the levels.
        contents: [N, 14, 16].
        judge: a key of ``LIMITS``.

    Raises:
        CorpusMissingError: mario-gpt is not there.
        RuntimeError: Java is missing, or fails.
    """
    jar = find("mario") / "mario_gpt" / "simulator" / "PlayAstar.jar"
    if judge == "player":
        contents = np.pad(contents, ((0, 0), (0, 0), (0, RUN_OUT)), constant_values=AIR)
        contents[:, -1, -RUN_OUT:] = GROUND
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "Judge.java"
        program.write_text(JAVA, encoding="utf-8")
        files = [Path(folder) / f"{number:04d}.txt" for number in range(len(contents))]
        for file, content in zip(files, contents, strict=True):
            file.write_text(task.medium.describe(content) + "\n", encoding="utf-8")
        limit = str(LIMITS[judge])
        command = ["java", "-Xmx1500m", "-cp", str(jar), str(program), judge, limit, *map(str, files)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            raise RuntimeError("java is missing: install a Java development kit, 17 or later") from None
    answers = [line == "true" for line in done.stdout.split()]
    if done.returncode or len(answers) != len(contents):
        raise RuntimeError(f"java failed: {done.stderr.strip()}")
    return np.array(answers)


def agreement(one: NDArray[np.bool_], other: NDArray[np.bool_], rows: slice) -> float:
    """Returns the share of rows in which two judges say the same."""
    return float((one[rows] == other[rows]).mean())


def main(
    context: typer.Context,
    num: Annotated[int, typer.Option(min=8, help="Screens, half of them corrupted.")] = 200,
    split: HeldOutSplit = "test",
    seed: Seed = 0,
    json_file: JsonFile = None,
) -> None:
    """Compares the judge of levels with the Mario AI Framework."""
    task = LevelTask()
    real = task.corpus(split)
    contents = sample(real, real, num, np.random.default_rng(seed))
    judges = {"rule": task.rules(contents)[:, 0] > 0}
    judges |= {name: judged(task, contents, name) for name in LIMITS}
    parts = {"all": slice(None), "real": slice(num // 2), "corrupted": slice(num // 2, None)}
    found: dict[str, Any] = {"num": num, "split": split, "seed": seed}
    for part, rows in parts.items():
        found[part] = {f"crossed_by_{name}": float(crossed[rows].mean()) for name, crossed in judges.items()}
        for one, other in (("rule", "player"), ("rule", "search"), ("player", "search")):
            found[part][f"{one}_agrees_with_{other}"] = agreement(judges[one], judges[other], rows)
    found["crossed_by_player_but_not_by_rule"] = int((judges["player"] & ~judges["rule"]).sum())
    print(json.dumps(found, indent=1))
    write_result(context, json_file, found)


if __name__ == "__main__":
    sys.exit(run(main))
