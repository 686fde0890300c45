import pytest

from minigpt.train import decay_groups


@pytest.mark.parametrize("tied", [True, False])
def test_each_parameter_is_in_the_group_of_its_role(make_model, tied):
    model = make_model(tied_head=tied)
    names = {parameter: name for name, parameter in model.named_parameters()}
    groups = {group["role"]: [names[p] for p in group["params"]] for group in decay_groups(model, 0.1)}
    heads = [] if tied else ["head.weight"]
    assert groups["embedding"] == ["token_embedding.weight", "position.embedding.weight", *heads]
    assert all(name.startswith("blocks.") and name.endswith(".weight") for name in groups["matrix"])
    assert all(name.endswith(".bias") or "norm" in name for name in groups["vector"])
    assert sum(map(len, groups.values())) == len(names)


def test_matrices_and_embeddings_decay_and_vectors_do_not(make_model):
    assert {group["role"]: group["weight_decay"] for group in decay_groups(make_model(), 0.1)} == {
        "matrix": 0.1,
        "embedding": 0.1,
        "vector": 0.0,
    }


def test_what_is_frozen_is_in_no_group(make_model):
    model = make_model()
    model.token_embedding.weight.requires_grad_(False)
    groups = decay_groups(model, 0.1)
    assert sum(len(group["params"]) for group in groups) == len(list(model.parameters())) - 1
