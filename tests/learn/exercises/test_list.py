"""The list of all exercises."""

import pytest

from minigpt.learn.exercises import CATALOGUE, exercise_named

# The order of the course.
NAMES = """
bigram_probabilities neuron_gradients softmax cross_entropy adamw_step clip_gradients learning_rate bpe_encode
attention_weights self_attention causal_mask scaled_attention multi_head_attention sinusoidal_positions rotary_positions
layer_norm pre_norm_block next_token_loss accumulated_gradient perplexity sampling_probabilities kv_cache_step
online_softmax_step lora_linear
"""


def test_there_are_24_exercises_in_the_order_of_the_course():
    assert [exercise.name for exercise in CATALOGUE] == NAMES.split()


def test_an_exercise_is_found_by_its_name_and_an_unknown_one_has_a_nearest():
    assert exercise_named("softmax").name == "softmax"
    with pytest.raises(ValueError, match=r"there is no exercise 'softmx'; .* did you mean softmax\?"):
        exercise_named("softmx")
