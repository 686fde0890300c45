"""minigpt/cost/parameters.py: the arithmetic gives what a model that was built has."""

import pytest

import minigpt as mg
from minigpt.cost import PUBLISHED_MODELS, count_parameters, published_config

ODD = {"vocab_size": 31, "context_length": 13, "d_model": 24, "n_layers": 3, "n_heads": 6}
CONFIGS = [
    {},
    {"n_kv_heads": 2, "mlp": "swiglu", "d_hidden": 19, "bias": False, "norm": "rms", "position": "rope-half"},
    {"tied_head": False, "qk_norm": True, "convolution": 3, "norm_placement": "post", "mlp": "relu2"},
    {"norm": "rms", "n_kv_heads": 1, "position": "alibi", "tied_head": False},
]
PART_OF = {
    "token_embedding": "embedding", "position": "position", "attention": "attention", "mlp": "mlp", "norm": "norms",
    "norm_1": "norms", "norm_2": "norms", "convolution": "convolution", "head": "head",
}  # fmt: skip


def built(config):
    """The parameters of each part of a model that is built."""
    found = dict.fromkeys(PART_OF.values(), 0)
    for name, parameter in mg.GPT(config).named_parameters():
        words = name.split(".")
        found[PART_OF[words[2] if words[0] == "blocks" else words[0]]] += parameter.numel()
    return found


@pytest.mark.parametrize("changes", CONFIGS)
def test_every_part_has_as_many_as_in_the_model(changes):
    config = mg.GPTConfig(**{**ODD, **changes})
    count = count_parameters(config)
    assert vars(count) == built(config)
    assert count.total == config.n_parameters


def test_non_embedding_is_the_blocks_and_the_final_norm():
    config = mg.GPTConfig(**ODD, tied_head=False)
    model = mg.GPT(config)
    parts = [*model.blocks.parameters(), *model.norm.parameters()]
    assert count_parameters(config).non_embedding == sum(p.numel() for p in parts)
    assert count_parameters(mg.GPTConfig.preset("gpt2")).non_embedding == 12 * 7_087_872 + 2 * 768


@pytest.mark.parametrize("name", mg.PRESETS)
def test_presets_have_the_parameters_that_their_models_would_have(name):
    config = mg.GPTConfig.preset(name)
    assert count_parameters(config).total == config.n_parameters


@pytest.mark.parametrize(
    ("name", "total", "non_embedding"),
    [
        ("gpt2", 124_439_808, 85_056_000),
        ("gpt2-medium", 354_823_168, 302_311_424),
        ("gpt2-large", 774_030_080, 708_390_400),
        ("gpt2-xl", 1_557_611_200, 1_475_561_600),
    ],
)
def test_gpt2_has_its_exact_sizes(name, total, non_embedding):
    count = count_parameters(mg.GPTConfig.preset(name))
    assert (count.total, count.non_embedding) == (total, non_embedding)


@pytest.mark.parametrize("name", PUBLISHED_MODELS)
def test_published_models_have_the_published_sizes(name):
    model = PUBLISHED_MODELS[name]
    total = count_parameters(model.config).total
    assert total == pytest.approx(model.parameters, rel=5e-3)  # gpt3-xl is printed as 1.32 billion
    if model.flops is not None:
        assert 6 * total * model.tokens == pytest.approx(model.flops, rel=6e-3)


def test_an_unknown_model_is_refused_with_the_nearest():
    with pytest.raises(ValueError, match=r"model='lama-7b' is unknown.*did you mean llama-7b"):
        published_config("lama-7b")
