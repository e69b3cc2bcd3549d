"""The synthetic oracle against slow recomputation, enumeration and cases worked out by hand."""

import collections
import hashlib
import itertools
import json
import math

import numpy as np
import pytest
import toys

from musegym.agents import AdversarialDQN, make_sb3_env
from musegym.benchmarks.domains import oracle as bench
from musegym.benchmarks.metrics.bleu import self_bleu
from musegym.benchmarks.metrics.curves import dominated, verdict
from musegym.envs import make_task
from musegym.envs.checks import check_task
from musegym.envs.corpora import oracle as source
from musegym.envs.corpora.oracle import Oracle
from musegym.envs.media.tokens import Tokens, colour
from musegym.envs.oracle import OracleTask

toys.register()
ID = "musegym/Oracle-v0"
TINY = {"vocabulary": 4, "length": 3, "oracle_seed": 1}
EVERY = np.array(list(itertools.product(range(4), repeat=3)))
"""All sequences of the tiny oracle."""


@pytest.fixture(scope="module")
def small():
    return OracleTask(vocabulary=50)


@pytest.fixture(scope="module")
def tiny():
    return OracleTask(**TINY)


@pytest.fixture(scope="module")
def agent():
    return AdversarialDQN("auto", make_sb3_env(ID, num_envs=2, discriminator="none", **TINY), seed=0)


# The oracle


def digest(array):
    return hashlib.sha256(np.ascontiguousarray(array, "<i2").tobytes()).hexdigest()[:16]


@pytest.mark.parametrize(
    ("vocabulary", "split", "expected"),
    [
        (50, "train", "dedcc77fedefdc70"),
        (50, "validation", "06a45cda5963ed96"),
        (50, "test", "abfdc9c401a34c86"),
        (5000, "validation", "472ac2771b3480b1"),
    ],
)
def test_the_recorded_oracle_gives_the_recorded_works(vocabulary, split, expected, monkeypatch, tmp_path):
    monkeypatch.setenv("MUSEGYM_CACHE", str(tmp_path))
    drawn = source.load_sequences.__wrapped__(vocabulary, 20, 2017, split)
    assert digest(drawn) == expected, "published figures hang on these works: raise VERSION if they must change"
    np.testing.assert_array_equal(drawn, source.load_sequences.__wrapped__(vocabulary, 20, 2017, split))


def test_seeds_give_other_oracles():
    works = [OracleTask(**{**TINY, "oracle_seed": seed}).corpus("test") for seed in (1, 2)]
    assert (works[0] != works[1]).any()
    assert (Oracle(4, 1).output != Oracle(4, 2).output).any()


def test_weights_are_standard_normal():
    oracle = Oracle(5000)
    shapes = {"embedding": (5000, 32), "kernel": (32, 128), "recurrent": (32, 128), "bias": (128,)}
    shapes |= {"output": (32, 5000), "output_bias": (5000,)}
    for name, shape in shapes.items():
        weights = getattr(oracle, name)
        assert weights.shape == shape
        assert abs(weights.mean()) < 5 / math.sqrt(weights.size), name
        assert abs(weights.std() - 1) < 5 / math.sqrt(2 * weights.size), name


def slow_nats(oracle, tokens):
    """One number at a time, gate by gate, from the equations."""
    h, c, x, nats = [0.0] * 32, [0.0] * 32, oracle.embedding[0], []
    for token in tokens:
        z = [
            sum(x[k] * oracle.kernel[k, j] for k in range(32))
            + sum(h[k] * oracle.recurrent[k, j] for k in range(32))
            + oracle.bias[j]
            for j in range(128)
        ]
        for unit in range(32):
            i, f, o = (1 / (1 + math.exp(-z[unit + 32 * gate])) for gate in range(3))
            c[unit] = f * c[unit] + i * math.tanh(z[unit + 96])
            h[unit] = o * math.tanh(c[unit])
        logits = [
            sum(h[k] * oracle.output[k, v] for k in range(32)) + oracle.output_bias[v] for v in range(oracle.vocabulary)
        ]
        nats.append(logits[token] - math.log(sum(math.exp(logit) for logit in logits)))
        x = oracle.embedding[token]
    return nats


def test_likelihoods_equal_a_slow_recomputation(small):
    tokens = small.oracle.sample(3, 6, np.random.default_rng(5))
    expected = [slow_nats(small.oracle, row) for row in tokens.tolist()]
    np.testing.assert_allclose(small.oracle.log_prob(tokens), expected, rtol=1e-9)
    policy = small.oracle.log_policy(tokens)
    np.testing.assert_allclose(np.take_along_axis(policy, tokens[..., None].astype(int), 2)[..., 0], expected)


def test_likelihoods_of_all_sequences_sum_to_one(tiny):
    assert np.exp(tiny.oracle.log_prob(EVERY).sum(1)).sum() == pytest.approx(1, abs=1e-12)


def counted(tokens):
    return np.bincount(tokens.astype(int) @ [16, 4, 1], minlength=64)


@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_samples_come_as_often_as_they_are_likely(tiny, temperature):
    n = 20_000
    policy = tiny.oracle.log_policy(EVERY) / temperature
    policy -= np.log(np.exp(policy).sum(2, keepdims=True))
    expected = np.exp(np.take_along_axis(policy, EVERY[..., None], 2).sum((1, 2)))
    assert expected.sum() == pytest.approx(1)
    found = counted(tiny.oracle.sample(n, 3, np.random.default_rng(0), temperature)) / n
    assert (np.abs(found - expected) < 5 * np.sqrt(expected * (1 - expected) / n) + 1 / n).all()


def test_draws_fall_where_a_plain_cumulative_sum_says():
    rng = np.random.default_rng(3)
    weights, uniform = rng.exponential(size=(300, 5 * source.BLOCK + 7)), rng.random(300)
    uniform[:2] = 0, 1 - 2**-53
    cumulative = weights.cumsum(1)
    expected = [np.searchsorted(row, u * row[-1], "right") for row, u in zip(cumulative, uniform, strict=True)]
    np.testing.assert_array_equal(source._invert(weights, uniform), expected)


def test_samples_do_not_depend_on_how_many_are_drawn(small):
    many = small.oracle.sample(source.ROWS + 30, 20, np.random.default_rng(1))
    np.testing.assert_array_equal(many[:7], small.oracle.sample(7, 20, np.random.default_rng(1)))


def test_greedy_real_uniform_in_this_order(small):
    found = bench.references(small, num=500)
    greedy, real, uniform = (found[name]["nll_oracle"] for name in ("greedy", "real", "uniform"))
    assert greedy < real - 0.5 < real < uniform - 1
    assert found["real"]["nll_test"] == real < found["uniform"]["nll_test"] == math.log(50)
    assert found["greedy"]["self_bleu"]["self_bleu_5"] == pytest.approx(1)


def test_tokens_outside_the_vocabulary_have_no_likelihood(tiny):
    for wrong in (EVERY + 1, EVERY - 1, EVERY[0]):
        with pytest.raises(ValueError, match="from 0 to 3"):
            tiny.oracle.log_prob(wrong)


# The task


@pytest.mark.parametrize("kwargs", [{"vocabulary": 50}, TINY, {"vocabulary": 70, "length": 1}])
def test_other_settings_keep_the_contract(kwargs):
    check_task(OracleTask(**kwargs))


def test_splits_are_draws_of_their_own(small):
    splits = {split: small.corpus(split) for split in ("train", "validation", "test")}
    assert [len(works) for works in splits.values()] == [10_000, 2_000, 2_000]
    known = {row.tobytes() for row in splits["train"]}
    assert len(known) > 9_900
    for held_out in ("validation", "test"):
        assert np.mean([row.tobytes() in known for row in splits[held_out]]) < 0.01
    assert (splits["validation"] != splits["test"]).any(1).mean() > 0.99


def test_works_are_built_token_by_token(tiny):
    state = tiny.initial(np.zeros(1, np.uint64))
    for token in (2, 0, 3):
        assert tiny.action_mask(state).all()
        state, done = tiny.step(state, np.array([token]))
    assert done.all()
    assert tiny.content(state).tolist() == [[3, 1, 4]]
    assert tiny.demonstrations(np.array([[3, 1, 4]])).tolist() == [[2, 0, 3]]
    np.testing.assert_array_equal(tiny.demonstrations(tiny.contents(EVERY)), EVERY)
    assert tiny.tokens(np.array([[3, 1, 4]])).tolist() == [[3, 1, 4]]


@pytest.mark.parametrize("content", [[0, 1, 1], [1, 1, 0], [5, 1, 1], [1, -1, 1], [1, 1], [1, 1, 1, 1]])
def test_what_cannot_be_written_is_refused(tiny, content):
    with pytest.raises(ValueError, match="sequences"):
        tiny.demonstrations(np.array([content]))


@pytest.mark.parametrize(
    ("kwargs", "word"),
    [({"vocabulary": 1}, "vocabulary"), ({"length": 0}, "length"), ({"oracle_seed": -1}, "oracle_seed"),
     ({"vocabulary": "many"}, "vocabulary"), ({"vocabulary": 40_000}, "30000")],
)  # fmt: skip
def test_impossible_arguments_are_refused(kwargs, word):
    with pytest.raises(ValueError, match=word):
        make_task(ID, **kwargs)


def test_works_are_cached_and_a_damaged_cache_is_replaced(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("MUSEGYM_CACHE", str(tmp_path))
    load = source.load_sequences.__wrapped__
    works = load(4, 3, 1, "test")
    (file,) = tmp_path.iterdir()
    with monkeypatch.context() as patch:
        patch.setattr(Oracle, "sample", None)
        np.testing.assert_array_equal(load(4, 3, 1, "test"), works)
    np.savez(file, tokens=works + np.int16(2))
    np.testing.assert_array_equal(load(4, 3, 1, "test"), works)
    file.write_bytes(b"nonsense")
    np.testing.assert_array_equal(load(4, 3, 1, "test"), works)
    assert ["outside" in message for message in caplog.messages] == [True, False]
    assert all("damaged cache file" in message for message in caplog.messages)


# The medium


def test_sequences_are_described_and_written(tmp_path):
    medium = Tokens(5000)
    content = np.array([1, 4711, 17])
    assert medium.describe(content) == "0 4710 16"
    assert medium.describe(np.array([5, 0, 0])) == "4"
    assert medium.describe(np.array([0, 0])) == ""
    txt, png = medium.export(content, tmp_path / "work.x")
    assert (txt.name, txt.read_text()) == ("work.txt", "0 4710 16\n")
    assert png.read_bytes()[:4] == b"\x89PNG"
    with pytest.raises(ValueError, match="0 to 5000"):
        medium.describe(np.array([1, 5001]))
    with pytest.raises(ValueError, match="axes"):
        medium.describe(content[None])


@pytest.mark.parametrize("length", [1, 3, 20, 200, 1000])
def test_pictures_show_the_tokens_written_so_far(length):
    medium = Tokens(5000)
    content = 1 + np.arange(length) * 7 % 5000
    whole, half, empty = (medium.render(content, upto=upto) for upto in (None, (length + 1) // 2, 0))
    assert whole.shape == half.shape == empty.shape
    assert whole.shape[1] == 960
    assert len({whole.tobytes(), half.tobytes(), empty.tobytes()}) == (2 if length == 1 else 3)
    np.testing.assert_array_equal(medium.render(content * 0), empty)


def test_near_tokens_have_other_colours():
    colours = np.array([colour(token) for token in range(5000)])
    assert len(np.unique(colours, axis=0)) > 4_900
    assert np.abs(np.diff(colours, axis=0)).sum(1).min() > 60


def test_distinct_by_hand():
    # Tokens a b a b, a b c and one not written: 3 different of 7; pairs ab ba ab, ab bc: 3 different of 5.
    assert Tokens(9).metrics(np.array([[1, 2, 1, 2], [1, 2, 3, 0]])) == {"distinct_1": 3 / 7, "distinct_2": 3 / 5}
    assert Tokens(9).metrics(np.zeros((2, 3), int)) == {"distinct_1": 0.0, "distinct_2": 0.0}


# Self-BLEU


def test_self_bleu_by_hand():
    # Either has 2 of 4 tokens, 1 of 3 pairs and 0 of 2 triples (taken for 0.1) in the other.
    found = self_bleu(np.array([[1, 2, 3, 4], [1, 2, 5, 6]]), (2, 3))
    assert found == pytest.approx({"self_bleu_2": (1 / 6) ** (1 / 2), "self_bleu_3": (1 / 6 * 0.05) ** (1 / 3)})
    # 1111 against 1123, 1112: three 1s count, two 11. 1123: 3 of 4, 2 of 3. 1112: all of both.
    found = self_bleu(np.array([[1, 1, 1, 1], [1, 1, 2, 3], [1, 1, 1, 2]]), (2,))
    assert found == pytest.approx({"self_bleu_2": (2 * 0.5**0.5 + 1) / 3})
    assert self_bleu(np.array([[1, 2], [3, 4]]), (2,)) == {"self_bleu_2": 0.0}
    # 12 has all its tokens and its pair in 1234, but is half as long; 1234 has 2 of 4 and 1 of 3 in 12.
    found = self_bleu(np.array([[1, 2, 0, 0], [1, 2, 3, 4]]), (2,))
    assert found == pytest.approx({"self_bleu_2": (math.exp(-1) + (1 / 6) ** 0.5) / 2})


def slow_bleu(sequence, others, n):
    """Papineni et al. 2002 and method 1 of Chen & Cherry 2014, with Counters."""
    product = 1.0
    for order in range(1, n + 1):
        count, *references = (
            collections.Counter(zip(*(row[i:] for i in range(order)), strict=False)) for row in (sequence, *others)
        )
        matches = sum(min(k, max(reference[gram] for reference in references)) for gram, k in count.items())
        if order == 1 and not matches:
            return 0.0
        product *= (matches or 0.1) / max(sum(count.values()), 1)
    nearest = min((len(other) for other in others), key=lambda length: (abs(length - len(sequence)), length))
    return product ** (1 / n) * min(1.0, math.exp(1 - nearest / len(sequence)))


def test_self_bleu_equals_a_slow_recomputation():
    rng = np.random.default_rng(0)
    tokens = rng.integers(1, 7, (40, 9)) * (np.arange(9) < rng.integers(1, 10, 40)[:, None])
    tokens[0] = 0
    tokens[0, 0] = 9  # shares nothing
    rows = [row[row > 0].tolist() for row in tokens]
    for n in (2, 3, 4, 5):
        expected = np.mean([slow_bleu(row, rows[:i] + rows[i + 1 :], n) for i, row in enumerate(rows)])
        assert self_bleu(tokens, (n,)) == pytest.approx({f"self_bleu_{n}": expected})


def test_self_bleu_compares_a_seeded_sample():
    tokens = np.random.default_rng(0).integers(1, 20, (300, 8))
    assert self_bleu(tokens, sample=100) == self_bleu(tokens, sample=100)
    assert self_bleu(tokens, sample=100) != self_bleu(tokens, sample=100, seed=1)
    assert self_bleu(tokens, sample=100)["self_bleu_2"] < self_bleu(tokens)["self_bleu_2"]
    assert set(self_bleu(np.repeat(tokens[:1], 3, 0)).values()) == {1.0}
    with pytest.raises(ValueError, match="two"):
        self_bleu(tokens[:1])


# Curves

CURVE = [(8.0, 1.0), (4.0, 2.0), (2.0, 4.0), (3.0, 6.0)]
"""(NLL_test, NLL_oracle), from a low temperature to a high one."""


@pytest.mark.parametrize(
    ("point", "expected"),
    [
        ((4.0, 2.0), "dominated"),  # the curve itself
        ((6.0, 1.5), "dominated"),  # on a line
        ((6.0, 1.4), "below"),
        ((6.0, 1.6), "dominated"),
        ((3.0, 3.0), "dominated"),  # on a line
        ((2.9, 2.9), "below"),
        ((2.5, 7.0), "dominated"),  # worse than the best likelihood in both
        ((1.9, 5.0), "below"),  # better likelihood than any, and than where the curve turns back
        ((1.9, 6.5), "beyond"),
        ((9.0, 0.9), "beyond"),
        ((9.0, 1.0), "dominated"),
        ((7.9, 0.9), "below"),
    ],
)
def test_points_against_a_curve(point, expected):
    assert verdict(point, CURVE) == verdict(point, CURVE[::-1]) == expected
    assert dominated(point, CURVE) == (expected == "dominated")


def test_points_against_a_point():
    found = [verdict(point, [(1.0, 1.0)]) for point in ((1, 1), (2, 1), (0.5, 1), (0.5, 0.5), (0.5, 2), (2, 0.5))]
    assert found == ["dominated", "dominated", "below", "below", "beyond", "beyond"]


# Temperatures


def test_tempered_likelihoods_are_those_of_a_distribution(tiny, agent):
    contents = tiny.contents(EVERY)
    for model in (bench.Truth(tiny), bench.Agent(agent)):
        each = [bench.nll_tempered(model, tiny, contents[i : i + 1], (0.5, 1.0, 2.0)) for i in range(64)]
        np.testing.assert_allclose(np.exp(-3 * np.array(each)).sum(0), 1, rtol=1e-5)
    # Against the product of the tempered decisions, for a sequence.
    policy = np.exp(tiny.oracle.log_policy(EVERY[6:7])[0]) ** 2
    expected = -np.log(policy / policy.sum(1, keepdims=True))[np.arange(3), EVERY[6]].mean()
    (found,) = bench.nll_tempered(bench.Truth(tiny), tiny, contents[6:7], (0.5,))
    assert found == pytest.approx(expected)


def test_an_agent_at_temperature_one_is_the_agent(tiny, agent):
    (found,) = bench.nll_tempered(bench.Agent(agent), tiny, tiny.corpus("test"), (1.0,))
    assert found == pytest.approx(bench.nll_test(agent, tiny), abs=1e-5)
    works = tiny.corpus("test")
    assert bench.nll_oracle(tiny, works) == pytest.approx(-tiny.oracle.log_prob(works - 1).sum() / works.size)


def test_an_agent_samples_at_the_temperature_it_is_measured_at(tiny, agent):
    n, contents = 20_000, tiny.contents(EVERY)
    each = [bench.nll_tempered(bench.Agent(agent), tiny, contents[i : i + 1], (0.5,))[0] for i in range(64)]
    expected = np.exp(-3 * np.array(each))
    found = counted(bench.Agent(agent).sample(n, 0, 0.5) - 1) / n
    assert (np.abs(found - expected) < 5 * np.sqrt(expected / n) + 1 / n).all()


def test_the_true_model_trades_quality_for_diversity(small):
    points = bench.sweep(bench.Truth(small), small, (0.5, 1.0, 1.5), num=300)
    oracle, held_out, repeats = zip(
        *((p["nll_oracle"], p["nll_test"], p["self_bleu"]["self_bleu_4"]) for p in points), strict=True
    )
    assert oracle[0] < oracle[1] < oracle[2]
    assert held_out[1] < min(held_out[0], held_out[2])
    assert repeats[0] > repeats[1] > repeats[2]
    assert points[1]["nll_oracle"] == pytest.approx(points[1]["nll_test"], abs=0.1)
    assert held_out[1] == pytest.approx(bench.references(small, num=10)["real"]["nll_test"])
    with pytest.raises(ValueError, match="above 0"):
        bench.sweep(bench.Truth(small), small, (0.0, 1.0))


def test_references_have_the_oracle_itself(monkeypatch):
    monkeypatch.setattr(bench, "TEMPERATURES", (0.7, 1.0))
    monkeypatch.setattr(bench, "SAMPLES", 100)
    found = bench.truth(make_task(ID, **TINY), "validation", 1)
    json.dumps(found)
    assert found["uniform"]["nll_test"] == pytest.approx(math.log(4))
    assert [point["temperature"] for point in found["sweep"]] == [0.7, 1.0]
    assert found["sweep"][1]["nll_test"] == pytest.approx(found["real"]["nll_oracle"])
