import torch

from minigpt.generation.speculation.rule import acceptance, residual_probabilities


def distributions(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).softmax(-1)


def test_a_token_is_accepted_as_often_as_the_model_has_it_less_than_the_draft():
    p, q = torch.tensor([0.5, 0.25, 0.25, 0.0]), torch.tensor([0.25, 0.5, 0.0, 0.25])
    assert acceptance(p, q).tolist() == [1.0, 0.5, 1.0, 0.0]


def test_a_rejected_token_is_replaced_by_what_the_model_has_more():
    p, q = torch.tensor([0.5, 0.1, 0.3, 0.1]), torch.tensor([0.2, 0.4, 0.2, 0.2])
    torch.testing.assert_close(residual_probabilities(p, q), torch.tensor([0.75, 0.0, 0.25, 0.0]))


def test_proposing_accepting_and_replacing_give_the_models_distribution():
    p, q = distributions(0, 5, 9), distributions(1, 5, 9)
    accepted = q * acceptance(p, q)
    rejected = 1 - accepted.sum(-1, keepdim=True)
    torch.testing.assert_close(accepted + rejected * residual_probabilities(p, q), p)


def test_a_draft_that_is_the_model_is_always_accepted():
    p = distributions(2, 7)
    assert (acceptance(p, p) == 1).all()
    torch.testing.assert_close(residual_probabilities(p, p), p)
