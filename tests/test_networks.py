"""The Q-network: its policy, its soft values, and how it is evaluated."""

import pytest
import torch

from musegym.agents.networks import Dropout, Inputs, RecurrentQ, Stepper, tanh

torch.set_num_threads(1)  # a second thread is slower for networks this small
ACTIONS, FEATURES, CONDITIONS = 5, (4, 3), (2, 6)
B, T = 7, 9


def network(seed=0, **options):
    torch.manual_seed(seed)
    net = RecurrentQ(ACTIONS, FEATURES, CONDITIONS, **{"hidden": 12, "embedding": 6, "dropout": 0.5, **options})
    torch.nn.init.normal_(net.value[-1].weight)  # values start at zero, which would hide mistakes
    net.dropout.generator = torch.Generator().manual_seed(seed)
    return net


def inputs(seed=0, rows=B):
    g = torch.Generator().manual_seed(seed)

    def integers(top, *shape):
        return torch.randint(top, shape, generator=g)

    mask = torch.rand(rows, T, ACTIONS, generator=g) < 0.5
    mask[..., 2] |= ~mask.any(-1)
    last = integers(ACTIONS, rows, T)
    last[:, 0] = ACTIONS
    features = torch.stack([integers(size, rows, T) for size in FEATURES], -1)
    condition = torch.stack([integers(size, rows) for size in CONDITIONS], -1)
    return last, features, condition, mask


def test_value_is_the_soft_maximum_of_q():
    steps, _ = network().eval()(Inputs(*inputs()))
    torch.testing.assert_close((steps.values[..., None] + steps.log_policy).logsumexp(-1), steps.values)
    assert steps.values.std() > 0.1, "values differ, so that the comparison can fail"


def test_values_do_not_shape_what_the_policy_reads():
    net = network().eval()
    net(Inputs(*inputs()))[0].values.square().sum().backward()
    reached = {name for name, parameter in net.named_parameters() if parameter.grad is not None}
    assert reached == {name for name, _ in net.named_parameters() if name.startswith("value.")}


def test_policy_is_the_boltzmann_policy_of_q():
    *_, mask = given = inputs()
    steps, _ = network().eval()(Inputs(*given))
    q = (steps.values[..., None] + steps.log_policy).masked_fill(~mask, -torch.inf)
    torch.testing.assert_close(q.softmax(-1), steps.log_policy.exp())


def test_illegal_actions_have_probability_zero():
    *_, mask = given = inputs()
    steps, _ = network()(Inputs(*given))
    policy = steps.log_policy.exp()
    assert (policy[~mask] == 0).all()
    assert (policy[mask] > 0).all()
    torch.testing.assert_close(policy.sum(-1), torch.ones(B, T))
    assert steps.log_policy.isfinite().all(), "a later sum of 0 times this must not be nan"


def test_illegal_actions_have_no_gradient():
    last, features, condition, mask = inputs()
    mask[..., 3] = False
    net = network().eval()
    steps, _ = net(Inputs(last, features, condition, mask))
    steps.log_policy.gather(-1, mask.long().argmax(-1, keepdim=True)).sum().backward()
    assert not net.advantages.weight.grad[3].any()
    assert net.advantages.weight.grad[mask.any((0, 1))].any(1).all()


@pytest.mark.parametrize("cut", [1, 4])
def test_one_step_at_a_time_is_the_same_as_all_at_once(cut):
    last, features, condition, mask = inputs()
    net = network().eval()
    whole, _ = net(Inputs(last, features, condition, mask))
    memory, parts = None, []
    for t in range(0, T, cut):
        now = slice(t, t + cut)
        steps, memory = net(Inputs(last[:, now], features[:, now], condition, mask[:, now]), memory)
        parts.append(steps)
    torch.testing.assert_close(torch.cat([p.log_policy for p in parts], 1), whole.log_policy, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(torch.cat([p.values for p in parts], 1), whole.values, atol=1e-5, rtol=1e-5)


def views(shape, rows=B):
    """Random views uint8 [rows, T, *shape]."""
    return torch.randint(256, (rows, T, *shape), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)


@pytest.mark.parametrize("shape", [(5, 1), (6, 7, 3), (3, 4, 5, 2)], ids=str)
def test_what_is_seen_reaches_policy_and_values_of_now_and_later(shape):
    view = views(shape)
    net = network(view_shape=shape).eval()
    before, _ = net(Inputs(*inputs(), view=view))
    assert torch.equal(
        network().eval()(Inputs(*inputs()))[0].values, network().eval()(Inputs(*inputs(), view=view))[0].values
    )
    other = view.clone()
    other[:, 4] = 255 - other[:, 4]
    after, _ = net(Inputs(*inputs(), view=other))
    for a, b in ((after.values, before.values), (after.log_policy, before.log_policy)):
        assert torch.equal(a[:, :4], b[:, :4]), "the past does not see the future"
        assert all((a[:, t] != b[:, t]).any() for t in (4, 5))
    last, features, condition, mask = inputs()
    decided, _ = net.decide(Inputs(last[:, :3], features[:, :3], condition, mask[:, :3], view[:, :3]))
    torch.testing.assert_close(decided, before.log_policy[:, :3], atol=1e-5, rtol=1e-5)


def test_rows_do_not_depend_on_their_neighbours():
    given = inputs()
    net = network().eval()
    whole, _ = net(Inputs(*given))
    alone, _ = net(Inputs(*(x[2:3] for x in given)))
    torch.testing.assert_close(alone.log_policy, whole.log_policy[2:3], atol=1e-5, rtol=1e-5)


def test_sees_action_features_and_condition_of_now_and_before_and_nothing_later():
    net = network().eval()
    before, _ = net(Inputs(*inputs()))
    for place in (0, 1):
        for column in range(2):
            changed = list(inputs())
            changed[place] = changed[place].clone()
            at = changed[place][:, 4] if place == 0 else changed[place][:, 4, column]
            at[:] = (at + 1) % (ACTIONS if place == 0 else FEATURES[column])
            after, _ = net(Inputs(*changed))
            assert torch.equal(after.values[:, :4], before.values[:, :4]), "the past does not see the future"
            assert (after.values[:, 4] != before.values[:, 4]).all()
            assert (after.values[:, 5] != before.values[:, 5]).all()
    for column, size in enumerate(CONDITIONS):
        changed = list(inputs())
        changed[2] = changed[2].clone()
        changed[2][:, column] = (changed[2][:, column] + 1) % size
        after, _ = net(Inputs(*changed))
        assert (after.values != before.values).all()


def test_tables_do_not_overlap():
    # Every action, features value and condition value has a row of its own.
    net = network()
    net.table.data = torch.arange(len(net.table), dtype=torch.float32)[:, None].expand(-1, 6).clone()
    sizes = (ACTIONS + 1, *FEATURES, *CONDITIONS)
    assert len(net.table) == sum(sizes)
    zeros = torch.zeros(1, 1).long(), torch.zeros(1, 1, 2).long(), torch.zeros(1, 2).long(), torch.ones(1, 1, 1).bool()
    for column, size in enumerate(sizes):
        for value in range(size):
            given = [x.clone() for x in zeros]
            given[(0, 1, 1, 2, 2)[column]][..., (0, 0, 1, 0, 1)[column]] = value
            # What the five columns look up adds up to their first rows, 0 + 6 + 10 + 13 + 15, and the value.
            assert (net.embed(Inputs(*given)) == 0 + 6 + 10 + 13 + 15 + value).all()


class TestDropout:
    def test_only_while_training(self):
        given = inputs()
        net = network()
        quiet = net.eval()(Inputs(*given))[0].values
        assert torch.equal(net(Inputs(*given))[0].values, quiet)
        assert not torch.equal(net.train()(Inputs(*given))[0].values, quiet)
        assert torch.equal(net.eval()(Inputs(*given))[0].values, quiet)

    def test_draws_from_its_own_generator_and_leaves_the_global_one_alone(self):
        given = inputs()
        net = network().train()
        torch.manual_seed(1)
        before = torch.random.get_rng_state()
        first = net(Inputs(*given))[0].values
        assert torch.equal(torch.random.get_rng_state(), before)
        second = net(Inputs(*given))[0].values
        assert not torch.equal(first, second)
        torch.manual_seed(2)
        net.dropout.generator.manual_seed(0)
        assert torch.equal(net(Inputs(*given))[0].values, first)

    def test_keeps_the_mean_and_one_mask_for_each_episode(self):
        dropout = Dropout(0.25).train()
        dropout.generator = torch.Generator().manual_seed(0)
        x = torch.ones(400, 3, 50)
        y = dropout(x)
        assert set(y.unique().tolist()) == {0.0, torch.tensor(1 / 0.75).item()}
        assert y.mean().item() == pytest.approx(1, abs=0.02)
        assert (y == y[:, :1]).all()
        assert (y[0] != y[1]).any()

    def test_of_rate_zero_draws_nothing(self):
        net = network(dropout=0.0).train()
        state = net.dropout.generator.get_state()
        net(Inputs(*inputs()))
        assert torch.equal(net.dropout.generator.get_state(), state)


@pytest.mark.parametrize("shape", [(), (5, 1), (6, 7, 3)], ids=str)
@pytest.mark.parametrize("with_prior", [False, True])
@torch.no_grad()
def test_stepper_says_what_the_network_says(shape, with_prior):
    net = network(view_shape=shape).eval()
    if with_prior:
        prior = network(seed=3, view_shape=shape).eval()
        net.add_to(prior)
        torch.nn.init.normal_(net.advantages.weight)
    last, features, condition, mask = inputs()
    view = views(shape)
    expected, _ = net.decide(Inputs(last, features, condition, mask, view))
    stepper, rows = Stepper(net, condition), torch.arange(B)
    for t in range(T):
        if t == 4:
            kept = torch.tensor([5, 0, 3])
            stepper.keep(kept)
            rows = rows[kept]
        found = stepper(last[rows, t], features[rows, t], mask[rows, t], view[rows, t])
        torch.testing.assert_close(found, expected[rows, t], atol=1e-5, rtol=1e-5)


def test_hyperbolic_tangent():
    x = torch.linspace(-20, 20, 401)
    torch.testing.assert_close(tanh(x), x.tanh(), atol=1e-6, rtol=1e-6)
