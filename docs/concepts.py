"""What the map of concepts lists, by subject: see ``concept_map.py``, which finds code, check and test by itself.

A row is an equation of the registry, or a rule that is no formula. It names the section that teaches it: the number of
a notebook or the path of a page, then the title of the section.
"""

from typing import NamedTuple


class Formula(NamedTuple):
    """A registered equation.

    Attributes:
        title: what people call it.
        name: of the equation.
        page: the section that teaches it.
        test: ``path::function``, where it is not in the file that mirrors the code or does not name the function.
    """

    title: str
    name: str
    page: str
    test: str = ""


class Rule(NamedTuple):
    """What the library keeps to without a formula.

    Attributes:
        title: what people call it.
        statement: the rule in a sentence.
        code: ``path::name`` of the function or class.
        test: ``path::function`` of a test that holds it.
        page: the section that teaches it.
    """

    title: str
    statement: str
    code: str
    test: str
    page: str


Row = Formula | Rule

BEYOND = "explanation/parts-beyond-the-course"
CACHE = "explanation/what-a-cache-stores"
FAULTS = "explanation/exactness-under-faults"
INSIDE = "howto/look-inside-your-model"
WRITES = "howto/choose-how-a-model-writes"
TEST_OF_SCORES = "tests/microscope/test_heads.py::test_each_score_is_1_for_its_own_head_and_0_for_the_others"
TEST_OF_COMPOSITION = "tests/microscope/test_composition.py::test_the_planted_pair_stands_out_of_noise"
TWO_HUNDRED_STEPS = "tests/training/optim/test_optimizers.py::test_two_hundred_steps_are_those_of_"

SUBJECTS: dict[str, list[Row]] = {
    "Tokens": [
        Rule(
            "Character tokens",
            "Each character of the training text is a token.",
            "minigpt/text/tokenizers/characters.py::CharTokenizer",
            "tests/text/tokenizers/test_characters.py::test_ids_follow_code_points",
            "04 § Characters",
        ),
        Rule(
            "Byte-pair encoding (BPE)",
            "Of all neighbouring tokens in a word, the pair whose joint token has the lowest id is joined first.",
            "minigpt/text/tokenizers/byte_pairs.py::merge_bytes",
            "tests/text/tokenizers/test_byte_pairs.py::test_merging_a_piece_follows_the_definition",
            "04 § Byte-pair encoding",
        ),
        Rule(
            "Training a byte-pair tokenizer",
            "The most frequent pair of neighbouring tokens becomes the next token, again and again.",
            "minigpt/text/tokenizers/bpe_training.py::train_merges",
            "tests/text/tokenizers/test_bpe_training.py::test_merges_equal_those_of_recounting_at_every_step",
            "04 § Byte-pair encoding",
        ),
        Rule(
            "Characters in a stream",
            "Generated text is passed on only up to the last complete UTF-8 character.",
            "minigpt/generation/streaming.py::text_pieces",
            "tests/generation/test_streaming.py::test_valid_text_never_shows_a_broken_character_mid_stream",
            "04 § Half a character in a stream",
        ),
        Rule(
            "Tokenizer of GPT-2",
            "The vocabulary that OpenAI published gives the ids that tiktoken gives.",
            "minigpt/text/tokenizers/tiktoken_bridge.py::tiktoken_tokenizer",
            "tests/text/tokenizers/test_tiktoken_bridge.py::test_gpt2_encodes_hello_world_without_a_network",
            "04 § GPT-2's tokenizer",
        ),
    ],
    "Data": [
        Rule(
            "Targets",
            "The target of each position is the token that follows it.",
            "minigpt/text/datasets/windows.py::TokenDataset",
            "tests/text/datasets/test_windows.py::test_targets_are_the_inputs_one_token_later",
            "07 § The shift",
        ),
        Rule(
            "Targets of a task",
            "Only the answer counts in the loss; the question and the padding are no targets.",
            "minigpt/text/datasets/rows.py::RowDataset",
            "tests/text/datasets/test_rows.py::test_targets_are_the_inputs_one_token_later_where_they_count",
            "10 § Only the answer counts",
        ),
        Rule(
            "Data order",
            "The order of an epoch is a permutation that is computed from the seed, one index at a time.",
            "minigpt/text/datasets/order.py::permute",
            "tests/text/datasets/test_order.py::test_the_image_of_every_small_range_is_the_range",
            f"{FAULTS} § Why it can be exact: the step is all there is",
        ),
        Rule(
            "Entropy of the tiny world (the floor)",
            "The stories are drawn with known probabilities, so the least possible loss is known, too.",
            "minigpt/text/tinyworld/entropy.py::expected_nats",
            "tests/text/tinyworld/test_entropy.py::test_the_entropy_is_the_mean_surprise_over_all_stories",
            "01 § The floor",
        ),
        Rule(
            "Token shards on disk",
            "A text that does not fit in memory is encoded once into files that are memory-mapped.",
            "minigpt/text/shards/preparation.py::prepare",
            "tests/text/shards/test_preparation.py::test_the_tokens_are_those_of_the_files_each_ended_by_end_of_text",
            "howto/train-on-several-gpus § Data that does not fit in memory",
        ),
        Formula("Jaccard similarity of two texts", "jaccard-similarity", "11 § Copies that are not exact"),
        Formula("MinHash estimate", "minhash-estimate", "11 § Copies that are not exact"),
        Formula(
            "Candidates for near duplicates (LSH)",
            "lsh-candidate-probability",
            "11 § Copies that are not exact",
            "tests/text/cleaning/test_similarity.py::test_two_sets_agree_in_a_band_as_often_as_the_curve_says",
        ),
        Rule(
            "Contamination of a test set",
            "The n-grams of the test are looked up in the training text before a loss on the test is believed.",
            "minigpt/text/cleaning/overlap.py::contamination",
            "tests/text/cleaning/test_overlap.py::test_the_counts_are_those_of_a_literal_comparison",
            "11 § Contamination: the test in the training text",
        ),
    ],
    "N-gram models": [
        Rule(
            "N-gram model",
            "A token is predicted from the n - 1 tokens before it, by counting.",
            "minigpt/model/ngrams/ngram.py::NGram",
            "tests/model/ngrams/test_ngram.py::test_the_log_probability_of_a_text_is_that_of_each_token_after_those_before_it",
            "01 § The probability of a text is a product",
        ),
        Formula("Additive smoothing", "additive-smoothing", "01 § Smoothing: no zeros"),
        Formula("Kneser–Ney smoothing", "kneser-ney-smoothing", "01 § Smoothing: no zeros"),
        Formula(
            "Bag of words",
            "bag-of-words",
            "10 § Right to the letter",
            "tests/evaluation/test_answers.py::test_the_logits_of_a_bag_are_votes_that_add_up",
        ),
    ],
    "Attention": [
        Formula("Attention weights, as written", "attention-weights", "05 § First equation: who looks at whom"),
        Formula("Self-attention, as written", "attention-output", "05 § Second equation: what it takes home"),
        Formula("Scaled attention", "scaled-attention", "05 § Scale"),
        Formula("Masked attention", "masked-attention", "05 § Causal mask"),
        Formula("Causal mask and sliding window", "causal-mask", "05 § Sliding window"),
        Formula("Causal attention", "causal-attention", "05 § Causal mask"),
        Formula("Projected attention", "projected-attention", "05 § Projections"),
        Formula("One decoding step with a cache", "kv-cache-step", "07 § From probabilities to text"),
        Formula("Multi-head attention", "multi-head-attention", "05 § Several heads"),
        Formula("Grouped-query attention (GQA, MQA)", "grouped-query-attention", "05 § Shared keys and values"),
        Formula("Attention of the model", "model-attention", f"{BEYOND} § Attention as the model runs it"),
        Rule(
            "Causality: no look into the future",
            "A change of one token changes no bit of the logits at earlier positions.",
            "minigpt/model/gpt.py::GPT",
            "tests/model/test_gpt.py::test_changing_a_token_leaves_earlier_logits_bit_identical",
            "06 § What the causal mask promises",
        ),
    ],
    "Attention by tiles": [
        Formula("Online softmax (flash forward)", "online-softmax", "12 § A softmax that forgets its row"),
        Formula("Online softmax, a block at a time", "online-softmax-block", "12 § A softmax that forgets its row"),
        Formula("Flash backward", "flash-backward", "12 § Backwards"),
        Rule(
            "Fused attention kernel",
            "The kernel computes the same tiles in the same order, and gives what the formula gives.",
            "kernels/fused_attention.py::fused_attention",
            "tests/kernels/test_fused_attention.py::test_the_output_is_the_equation_taken_literally",
            "12 § The kernel",
        ),
    ],
    "Positions": [
        Formula("Sinusoidal positions", "sinusoidal-positions", "06 § Where a word stands"),
        Formula(
            "Rotary position embedding (RoPE): angles",
            "rotary-angles",
            "06 § Where a word stands",
            "tests/model/positions/test_formulas.py::test_rotary_turns_each_pair_by_its_angle",
        ),
        Formula(
            "RoPE, pairs half a head apart",
            "rotary-half",
            "06 § Where a word stands",
            "tests/model/positions/test_formulas.py::test_rotary_scores_depend_on_the_offset_alone",
        ),
        Formula(
            "RoPE, neighbouring pairs",
            "rotary-interleaved",
            f"{BEYOND} § Two layouts of RoPE",
            "tests/model/positions/test_formulas.py::test_the_two_layouts_differ_by_a_permutation_of_the_coordinates",
        ),
        Formula("ALiBi slopes", "alibi-slopes", "06 § Where a word stands"),
        Formula("ALiBi", "alibi-bias", f"{BEYOND} § ALiBi as a bias"),
        Formula("RoPE for longer rows: linear", "rope-linear", f"{BEYOND} § RoPE for longer rows"),
        Formula("RoPE for longer rows: a larger base (NTK)", "rope-ntk", f"{BEYOND} § RoPE for longer rows"),
        Formula("RoPE for longer rows: Llama 3", "rope-llama3", f"{BEYOND} § RoPE for longer rows"),
        Formula("RoPE for longer rows: YaRN", "rope-yarn", f"{BEYOND} § RoPE for longer rows"),
        Formula("Attention factor of YaRN", "yarn-attention-factor", f"{BEYOND} § RoPE for longer rows"),
    ],
    "Norms": [
        Formula("LayerNorm", "layer-norm", "06 § Norm"),
        Formula("RMSNorm", "rms-norm", f"{BEYOND} § RMSNorm"),
    ],
    "MLPs": [
        Formula("MLP", "mlp", "06 § MLP"),
        Formula("GELU", "gelu", "06 § MLP"),
        Formula("GELU, tanh form", "gelu-tanh", "06 § MLP"),
        Formula(
            "Squared ReLU",
            "relu-squared",
            "06 § MLP",
            "tests/model/test_mlp.py::test_each_activation_and_its_fast_twin_are_the_formula",
        ),
        Formula("SiLU", "silu", "06 § MLP"),
        Formula("SwiGLU", "swiglu", f"{BEYOND} § SwiGLU"),
        Formula("Gate of a mixture of experts", "top-k-gate", f"{BEYOND} § Mixture of experts"),
        Formula("Mixture of experts", "mixture-of-experts", f"{BEYOND} § Mixture of experts"),
        Formula("Shares of experts", "expert-shares", f"{BEYOND} § Mixture of experts"),
        Formula("Load-balancing loss", "load-balancing-loss", f"{BEYOND} § Mixture of experts"),
    ],
    "The model": [
        Formula("Pre-norm block", "pre-norm-block", "06 § The block"),
        Formula("Post-norm block", "post-norm-block", "06 § Where the norm stands"),
        Formula("Short convolution", "short-convolution", f"{BEYOND} § Short convolution"),
        Formula("GPT, tied head", "gpt", "06 § The head"),
        Rule(
            "Initial weights",
            "Each matrix starts with the standard deviation of its role, so the first loss is that of guessing.",
            "minigpt/model/initialisation.py::initialise",
            "tests/model/test_initialisation.py::test_every_weight_has_the_deviation_of_its_role",
            f"{BEYOND} § Initial weights",
        ),
        Rule(
            "Pretrained weights",
            "Weights of GPT-2 in the format of Hugging Face give the logits that transformers computes.",
            "minigpt/pretrained/sources.py::load_pretrained",
            "tests/pretrained/test_folder.py::test_the_logits_are_those_of_transformers",
            f"{BEYOND} § Weights of GPT-2",
        ),
        Rule(
            "The Llama family",
            "Llama, Qwen and Mistral are the GPT with other parts, chosen by the configuration alone.",
            "minigpt/model/config.py::GPTConfig",
            "tests/pretrained/test_llama.py::test_the_logits_are_those_of_transformers_in_and_out",
            "09 § From GPT-2 to Llama, one part at a time",
        ),
        Formula("Low-rank update (LoRA)", "lora-linear", f"{BEYOND} § A low-rank update (LoRA)"),
    ],
    "Neural networks": [
        Formula("Loss of one neuron", "neuron-loss", "02 § The chain rule by hand"),
        Rule(
            "A neuron",
            "The weighted sum of the inputs plus a bias, and the activation function of the result.",
            "minigpt/learn/autograd/network.py::neuron",
            "tests/learn/autograd/test_network.py::test_a_layer_is_its_neurons_side_by_side",
            "02 § A neuron",
        ),
        Rule(
            "Layers",
            "Neurons with the same inputs are a matrix; the outputs of a layer are the inputs of the next.",
            "minigpt/learn/autograd/network.py::MLP",
            "tests/learn/autograd/test_network.py::test_an_mlp_with_its_loss_and_gradients_is_that_of_pytorch",
            "02 § Layers",
        ),
        Rule(
            "Backpropagation",
            "Each node passes its complete gradient to its parents, in the reverse of a topological order.",
            "minigpt/learn/autograd/tape.py::GraphNode",
            "tests/learn/autograd/test_tensor.py::test_gradients_are_those_of_pytorch_on_a_thousand_random_graphs",
            "02 § The chain rule by tape",
        ),
        Rule(
            "The gradient of broadcasting",
            "A number that was copied gets the sum of the gradients of its copies.",
            "minigpt/learn/autograd/tape.py::sum_to",
            "tests/learn/autograd/test_tensor.py::test_a_mean_over_copies_in_place_of_their_sum_is_found_by_the_random_graphs",
            "02 § A value that is used twice",
        ),
    ],
    "Loss": [
        Formula("Softmax", "softmax", "03 § The loss, as written"),
        Formula(
            "Log-sum-exp",
            "log-sum-exp",
            "03 § Why the logarithm of the sum is taken in one step",
        ),
        Formula("Log-softmax", "log-softmax", "03 § Why the logarithm of the sum is taken in one step"),
        Formula("Cross-entropy, as written", "cross-entropy", "03 § The loss, as written"),
        Formula("Cross-entropy from logits", "cross-entropy-from-logits", "03 § Its gradient: predicted minus true"),
        Formula("Label smoothing", "label-smoothing", "08 § Label smoothing"),
        Formula("Next-token loss", "next-token-loss", "07 § The loss"),
        Formula("Chunked loss", "head-loss", f"{BEYOND} § A loss without all logits"),
        Formula(
            "Gradient of the chunked loss",
            "head-loss-gradient",
            f"{BEYOND} § A loss without all logits",
            "tests/model/test_chunked_loss.py::test_the_loss_and_its_gradients_are_those_of_all_logits",
        ),
    ],
    "Training loop": [
        Rule(
            "Training step",
            "Each step is the gradient of the loss on one batch, clipped, and one update of the optimizer.",
            "minigpt/training/loop.py::train",
            "tests/training/test_loop.py::test_one_step_is_the_formula",
            "07 § The loop",
        ),
        Rule(
            "Training loop, written out",
            "Text, tokenizer, batches, model, loop and sample in one file; the losses are those of the library's loop.",
            "minigpt/learn/one_file.py::train",
            "tests/learn/test_one_file.py::test_the_losses_are_those_of_the_library",
            "tutorials/one-file § The loop",
        ),
        Formula("Gradient of a batch from its micro-batches", "accumulated-gradient", "08 § Accumulation"),
        Rule(
            "Gradient accumulation",
            "The gradients of several micro-batches add up to that of the batch.",
            "minigpt/training/gradients.py::accumulate_gradients",
            "tests/training/test_gradients.py::test_accumulation_changes_only_the_rounding",
            "08 § Accumulation",
        ),
        Rule(
            "Activation checkpointing",
            "Blocks that are computed a second time for the backward pass give the same gradients to the last bit.",
            "minigpt/training/execution/blocks.py::run_blocks",
            "tests/training/execution/test_blocks.py::test_recomputed_blocks_give_the_same_gradients_to_the_last_bit",
            "08 § Activation checkpointing",
        ),
    ],
    "Optimizers": [
        Formula("SGD", "sgd", "03 § Gradient descent, and the learning rate", f"{TWO_HUNDRED_STEPS}torch"),
        Formula("Momentum", "momentum", "03 § Momentum", f"{TWO_HUNDRED_STEPS}torch"),
        Formula("Adam", "adam", "03 § Adam", f"{TWO_HUNDRED_STEPS}torch"),
        Formula("AdamW", "adamw", "03 § Weight decay: Adam's trap, and AdamW", f"{TWO_HUNDRED_STEPS}torch"),
        Formula("Lion", "lion", "03 § Lion and Muon", f"{TWO_HUNDRED_STEPS}the_equation"),
        Formula("Muon", "muon", "03 § Lion and Muon"),
        Formula(
            "Newton–Schulz iteration",
            "newton-schulz",
            "03 § Muon: all directions of a matrix",
            "tests/training/optim/test_muon.py::test_singular_values_end_near_1_and_the_directions_stay",
        ),
        Formula("Gradient clipping", "clip-by-norm", "08 § Clipping"),
        Formula("Exponential moving average of the weights (EMA)", "weight-average", "08 § An average of the weights"),
        Rule(
            "Weight decay by role",
            "Matrices and embeddings decay; gains and biases do not.",
            "minigpt/training/optim/groups.py::decay_groups",
            "tests/training/optim/test_groups.py::test_matrices_and_embeddings_decay_and_vectors_do_not",
            "08 § Weight decay",
        ),
    ],
    "Schedule and precision": [
        Formula("Warm-up, then constant", "warmup-constant", "08 § Schedule and warm-up"),
        Formula("Warm-up, then cosine", "warmup-cosine", "08 § Schedule and warm-up"),
        Formula("Warm-up, then linear decay", "warmup-linear", "08 § Schedule and warm-up"),
        Formula("Warm-up, stable, decay (WSD)", "warmup-stable-decay", "08 § Schedule and warm-up"),
        Formula(
            "Learning-rate finder",
            "exponential-ramp",
            "08 § Learning rate",
            "tests/training/test_rate_finder.py::test_the_rates_rise_by_equal_factors_and_the_first_loss_is_that_of_the_untrained_model",
        ),
        Formula("Loss scale", "loss-scale", "11 § Gradients that vanish"),
        Rule(
            "Mixed precision",
            "Large products are computed in 16 bits; weights, gradients and moments stay in 32.",
            "minigpt/training/execution/precision.py::Precision",
            "tests/training/execution/test_precision.py::test_products_are_in_16_bits_and_what_is_kept_in_32",
            "08 § Mixed precision",
        ),
    ],
    "Generation": [
        Formula("Temperature", "temperature", "07 § From probabilities to text"),
        Formula("Top-k sampling", "top-k", "07 § From probabilities to text"),
        Formula("Top-p (nucleus) sampling", "top-p", "07 § From probabilities to text"),
        Formula("Min-p sampling", "min-p", f"{WRITES} § Which tokens may be drawn"),
        Formula("Repetition penalty", "repetition-penalty", f"{WRITES} § Repetition penalty and logit bias"),
        Formula("Logit bias", "logit-bias", f"{WRITES} § Repetition penalty and logit bias"),
        Formula("Constrained sampling", "allowed-tokens", f"{WRITES} § Text that must match"),
        Formula("Beam search: the score", "beam-score", f"{WRITES} § Beam search"),
        Formula("Speculative sampling: acceptance", "speculative-acceptance", f"{WRITES} § Speculative sampling"),
        Formula("Speculative sampling: residual", "speculative-residual", f"{WRITES} § Speculative sampling"),
        Rule(
            "Generation, token by token",
            "The model reads its last tokens, one token is drawn and appended, and so on.",
            "minigpt/generation/ids.py::generate_ids",
            "tests/generation/test_ids.py::test_greedy_generation_follows_the_largest_logit_of_the_table",
            "07 § From probabilities to text",
        ),
        Rule(
            "Key/value cache",
            "The keys and values of the tokens so far are kept, so a step computes the new token alone.",
            "minigpt/model/cache.py::Cache",
            "tests/generation/test_decoder.py::test_a_model_with_a_cache_is_the_model_without_one",
            f"{CACHE} § A step with a cache",
        ),
        Formula("Weights in 8 bits", "int8-weights", f"{CACHE} § Fewer bytes"),
        Rule(
            "Chat template",
            "A conversation is written as its model saw it in training, and nothing that is typed is a special token.",
            "minigpt/text/tokenizers/chat.py::encode_chat",
            "tests/text/tokenizers/test_chat.py::test_a_special_token_that_was_typed_is_text",
            "09 § A real model answers",
        ),
        Rule(
            "Generation of text",
            "A prompt is encoded, continued token by token, and decoded; the same seed gives the same text.",
            "minigpt/generation/text.py::generate",
            "tests/generation/test_text.py::test_the_same_seed_gives_the_same_text_and_another_seed_another",
            "00 § What it writes now",
        ),
    ],
    "Evaluation": [
        Formula(
            "Chain rule",
            "chain-rule",
            "07 § Story by story",
            "tests/training/test_validation.py::"
            "test_the_loss_of_a_text_is_that_of_the_product_of_its_conditional_probabilities",
        ),
        Formula("Nats per token", "nats-per-token", "01 § One number, three units"),
        Formula("Perplexity", "perplexity", "01 § One number, three units"),
        Formula("Bits per byte", "bits-per-byte", "01 § One number, three units"),
        Rule(
            "The ladder of baselines",
            "A model is measured beside a uniform guess, n-grams and two compressors, on the same bytes.",
            "minigpt/evaluation/baselines.py::ladder",
            "tests/evaluation/test_baselines.py::test_every_rung_predicts_the_same_tokens_and_bytes",
            "01 § The ladder",
        ),
        Rule(
            "Evaluation of a split",
            "Every token of a text is predicted once, so the loss has no sampling noise.",
            "minigpt/evaluation/perplexity.py::evaluate",
            "tests/evaluation/test_perplexity.py::test_a_uniform_model_is_as_uncertain_as_its_vocabulary_is_large",
            "00 § How good is it?",
        ),
        Rule(
            "Right answers",
            "An answer counts as right only if greedy generation writes all of it.",
            "minigpt/evaluation/answers.py::score_answers",
            "tests/evaluation/test_answers.py::test_an_answer_is_right_exactly_if_greedy_generation_writes_it",
            "10 § Right to the letter",
        ),
        Rule(
            "Comparison of strategies",
            "Every strategy is trained on the same number of tokens, with several seeds.",
            "minigpt/runs/comparison.py::compare",
            "tests/runs/test_comparison.py::test_every_strategy_is_trained_on_the_same_number_of_tokens",
            "08 § Luck first",
        ),
        Formula(
            "Counterfactual gap",
            "counterfactual-gap",
            "13 § A bias, planted",
            "tests/evaluation/fairness/test_gaps.py::"
            "test_a_gap_is_that_of_scores_computed_one_token_at_a_time_whatever_the_batch",
        ),
        Formula("Sign-flip p", "sign-flip-p", "explanation/what-a-fairness-figure-says § How sure it is"),
        Formula("Holm's correction", "holm", "explanation/what-a-fairness-figure-says § How sure it is"),
        Formula(
            "Expected calibration error",
            "expected-calibration-error",
            "explanation/what-a-fairness-figure-says § When to stay silent",
            "tests/evaluation/test_calibration.py::test_the_error_is_that_of_the_bins_one_by_one",
        ),
        Rule(
            "Planted bias",
            "A probe is tried on a text whose bias is known exactly.",
            "minigpt/evaluation/fairness/planted.py::PlantedWorld",
            "tests/evaluation/fairness/test_planted.py::test_the_text_has_the_planted_gap",
            "13 § A bias, planted",
        ),
        Rule(
            "Counterfactual data augmentation",
            "The model is trained on the corpus and on a copy with the words of two groups swapped.",
            "minigpt/evaluation/fairness/augmentation.py::augment",
            "tests/evaluation/fairness/test_augmentation.py::test_two_swaps_give_the_text_back",
            "13 § A bias, reduced",
        ),
        Rule(
            "Sanity checks before training",
            "Each check calls the model on a few tokens and says what was expected and what was found.",
            "minigpt/evaluation/sanity.py::check_before_training",
            "tests/evaluation/test_sanity.py::test_a_healthy_model_and_its_data_pass_every_check",
            "howto/my-loss-looks-like-this § What the loss does not show",
        ),
        Rule(
            "Symptoms in a training log",
            "What a log shows is named with its likely causes, the test that decides, and the fix.",
            "minigpt/runs/doctor.py::examine",
            "tests/runs/test_doctor.py::test_each_symptom_is_seen_in_a_log_that_shows_it",
            "howto/my-loss-looks-like-this § It falls to 0 within a few steps",
        ),
        Rule(
            "Training with a bug, on purpose",
            "Ten bugs as switches over the real training step, each beside the healthy run.",
            "minigpt/learn/zoo/__init__.py::",
            "tests/learn/zoo/test_zoo.py::test_a_bug_is_told_apart_caught_and_named",
            "howto/my-loss-looks-like-this § What the loss does not show",
        ),
    ],
    "Cost": [
        Formula("Parameters in matrices", "matrix-parameters", "06 § Counting parameters"),
        Formula("Training FLOPs", "training-flops", "06 § Counting arithmetic"),
        Formula(
            "Parameters part by part",
            "parameters",
            "howto/estimate-a-run § How large is it?",
            "tests/cost/test_parameters.py::test_every_part_has_as_many_as_in_the_model",
        ),
        Formula(
            "Pairs in attention",
            "attention-pairs",
            "howto/estimate-a-run § How much arithmetic is it?",
            "tests/cost/test_flops_by_part.py::test_causal_pairs_are_those_of_the_mask",
        ),
        Formula(
            "Forward FLOPs part by part",
            "forward-flops",
            "howto/estimate-a-run § How much arithmetic is it?",
            "tests/cost/test_flops_by_part.py::test_every_part_is_what_the_counter_counts",
        ),
        Formula(
            "KV cache in bytes",
            "kv-cache-bytes",
            "howto/estimate-a-run § Does it fit into memory?",
            "tests/cost/test_cache.py::test_keys_and_values_of_all_layers_and_heads_that_are_still_seen",
        ),
        Formula(
            "Training time",
            "training-seconds",
            "howto/estimate-a-run § What does it cost?",
            "tests/cost/hardware/test_bill.py::test_seconds_are_operations_over_what_is_reached",
        ),
        Formula(
            "Price, energy and carbon",
            "training-bill",
            "howto/estimate-a-run § What does it cost?",
            "tests/cost/hardware/test_bill.py::test_the_energy_and_carbon_of_gpt3_are_the_published_ones",
        ),
        Formula(
            "Scaling law of the loss",
            "scaling-loss",
            "howto/estimate-a-run § How many tokens for which size?",
            "tests/cost/scaling/test_fit.py::test_planted_constants_are_found_exactly_without_noise",
        ),
        Formula(
            "Compute-optimal size",
            "compute-optimal",
            "howto/estimate-a-run § How many tokens for which size?",
            "tests/cost/scaling/test_chinchilla.py::test_the_best_size_has_the_least_loss_of_all_for_the_budget",
        ),
        Formula(
            "Power law between two rows",
            "power-law-between",
            "howto/estimate-a-run § How many tokens for which size?",
            "tests/cost/scaling/test_chinchilla.py::test_between_rows_and_beyond_them_it_is_a_power_law",
        ),
        Formula(
            "Scaling law of Kaplan",
            "kaplan-loss",
            "howto/estimate-a-run § How many tokens for which size?",
            "tests/cost/scaling/test_kaplan.py::test_each_power_law_is_left_where_the_other_number_has_no_end",
        ),
        Formula(
            "Repeated data",
            "repeated-data-loss",
            "howto/estimate-a-run § How many tokens for which size?",
            "tests/cost/scaling/test_repeated.py::test_the_two_models_of_figure_1_have_the_published_losses",
        ),
        Formula(
            "Bytes of data parallelism",
            "data-parallel-bytes",
            "howto/estimate-a-run § What do several devices send?",
            "tests/cost/test_parallelism.py::test_bytes_are_those_of_the_rounds_of_a_ring",
        ),
        Formula(
            "Memory of ZeRO",
            "zero-memory",
            "howto/estimate-a-run § What do several devices send?",
            "tests/cost/test_parallelism.py::test_memory_is_that_of_figure_1_of_the_source",
        ),
        Formula(
            "Bytes of tensor parallelism",
            "tensor-parallel-bytes",
            "howto/estimate-a-run § What do several devices send?",
            "tests/cost/test_parallelism.py::test_bytes_are_those_of_the_rounds_of_a_ring",
        ),
        Formula(
            "Pipeline and its bubble",
            "pipeline",
            "howto/estimate-a-run § What do several devices send?",
            "tests/cost/test_parallelism.py::test_the_bubble_is_what_a_schedule_leaves_empty",
        ),
    ],
    "Looking inside": [
        Rule(
            "Activations by name",
            "Every activation of a forward pass can be read, and replaced, without code in the model.",
            "minigpt/microscope/record.py::look",
            "tests/microscope/test_record.py::test_every_activation_of_a_gpt2_equals_that_of_the_equations",
            "13 § Read every activation",
        ),
        Formula("Logit lens", "logit-lens", "13 § What each part adds to the answer"),
        Formula("Direct logit attribution", "direct-logit-attribution", "13 § What each part adds to the answer"),
        Formula("Previous-token heads", "previous-token-score", "13 § Find the heads by a score", TEST_OF_SCORES),
        Formula("Duplicate-token heads", "duplicate-token-score", "13 § Find the heads by a score", TEST_OF_SCORES),
        Formula("Induction heads", "induction-score", "13 § Find the heads by a score", TEST_OF_SCORES),
        Formula("In-context gain", "in-context-gain", "13 § Read every activation"),
        Formula("Q-composition", "q-composition", f"{INSIDE} § Which head reads which"),
        Formula("K-composition", "k-composition", f"{INSIDE} § Which head reads which", TEST_OF_COMPOSITION),
        Formula("V-composition", "v-composition", f"{INSIDE} § Which head reads which"),
        Rule(
            "Ablation of heads",
            "A head is taken away by putting zeros, its mean or its output on other text in place of what it writes.",
            "minigpt/microscope/interventions.py::ablate",
            "tests/microscope/test_interventions.py::test_a_head_that_is_ablated_adds_nothing_and_the_others_what_they_did",
            "13 § Does the model need them?",
        ),
        Formula("Activation patching", "patching-recovery", "13 § The other half of the circuit"),
        Rule(
            "Path patching",
            "One sender's contribution to one receiver is that of another run; all other paths are frozen.",
            "minigpt/microscope/path_patching.py::patch_path",
            "tests/microscope/test_patching.py::test_path_patching_follows_the_planted_path",
            f"{INSIDE} § Where the answer comes from",
        ),
        Formula("Nearest neighbours", "cosine-similarity", f"{INSIDE} § Examples of a direction"),
    ],
    "Training that survives": [
        Rule(
            "Exact resume",
            "A resumed run ends with the same bits as one that was never interrupted.",
            "minigpt/training/run_state.py::RunState",
            "tests/training/test_loop.py::test_a_resumed_run_ends_bitwise_where_the_uninterrupted_one_does",
            "11 § Killed, and nothing lost",
        ),
        Rule(
            "Checkpoints, whole or absent",
            "A crash at any moment of a save leaves a complete checkpoint: the new one or the one before.",
            "minigpt/training/storage/whole.py::save_checkpoint",
            "tests/training/storage/test_folders.py::test_a_crash_at_any_write_leaves_a_whole_checkpoint",
            f"{FAULTS} § Why it is whole or absent",
        ),
        Rule(
            "Dropout as a function of the step",
            "The masks of dropout depend on the seed and the step alone.",
            "minigpt/training/gradients.py::keyed_dropout",
            "tests/training/test_gradients.py::test_dropout_is_a_function_of_seed_and_step_and_the_global_generator_is_left_alone",
            f"{FAULTS} § Why it can be exact: the step is all there is",
        ),
        Formula("Spike score", "spike-score", f"{BEYOND} § Steps that are skipped"),
        Rule(
            "Steps that are not finite",
            "An update whose loss or gradient is not finite is skipped, and the layer where it began is named.",
            "minigpt/training/safety/guard.py::judge",
            "tests/training/safety/test_guard.py::test_a_step_that_is_not_finite_is_skipped_and_the_first_layer_is_named",
            f"{BEYOND} § Steps that are skipped",
        ),
        Rule(
            "Several processes (DDP, FSDP)",
            "Any number of processes sees the losses of one.",
            "minigpt/training/processes/strategies.py::wrap",
            "tests/training/processes/test_distributed.py::test_two_processes_see_the_losses_of_one",
            "11 § Two processes",
        ),
    ],
    "Exercises": [
        Rule(
            "Judging an answer",
            "An answer is right if it agrees with the equation on all calls that are drawn.",
            "minigpt/learn/judge/replies.py::judged",
            "tests/learn/judge/test_campaign.py::test_every_right_answer_is_accepted",
            "tutorials/exercises § How an answer is judged",
        ),
        Rule(
            "Known mistakes (misconceptions)",
            "A wrong answer is a known mistake only if it gives the numbers of that mistake on all calls.",
            "minigpt/learn/exercises/exercise.py::Misconception",
            "tests/learn/judge/test_judged.py::test_a_mistake_is_named_only_if_it_gives_the_numbers_on_all_calls",
            "tutorials/exercises § How an answer is judged",
        ),
        Rule(
            "Exercises in a terminal",
            "The next exercise is a file with its task and formula; a file that exists is never overwritten.",
            "minigpt/learn/answers.py::write_stub",
            "tests/cli/test_learn.py::test_the_next_stub_has_task_and_formula_and_is_never_overwritten",
            "tutorials/exercises § In a terminal",
        ),
        Rule(
            "A formula as an answer",
            "A formula in LaTeX is evaluated literally and judged like a function.",
            "minigpt/learn/formulas/functions.py::as_function",
            "tests/learn/formulas/test_functions.py::test_the_formula_is_right_on_the_draws_of_its_exercise",
            "tutorials/exercises § In a notebook",
        ),
        Rule(
            "A derivative by hand",
            "A derivative is right if it equals the numerical derivative of the equation at random values.",
            "minigpt/learn/formulas/by_hand.py::derivative_by_hand",
            "tests/learn/formulas/test_by_hand.py::test_a_classic_slip_is_refused_and_named_with_its_first_place",
            "howto/check-a-derivative § Is my derivative right?",
        ),
        Rule(
            "Two formulas, one function",
            "Two formulas are the same function if they are equal at random values and sizes.",
            "minigpt/equations/equality/compare.py::equal",
            "tests/equations/equality/test_compare.py::test_two_functions_part_at_the_smallest_values_found",
            "howto/check-a-derivative § Are two formulas the same?",
        ),
        Rule(
            "A formula to explore",
            "Every symbol and every term of a sum shows its value, as the literal evaluation computes it.",
            "minigpt/equations/formula.py::Equation.explore",
            "tests/equations/explorer/test_states.py::test_the_values_are_those_of_evaluate",
            "howto/check-a-derivative § What are the numbers behind it?",
        ),
    ],
    "The library itself": [
        Rule(
            "Literal evaluation",
            "The LaTeX of an equation is evaluated term by term in double precision.",
            "minigpt/equations/formula.py::Equation.evaluate",
            "tests/equations/test_evaluate.py::test_a_sum_takes_its_bounds_literally",
            "explanation/the-equation-is-the-oracle § From LaTeX to a number",
        ),
        Rule(
            "Import rule",
            "A room imports only from the rooms before it.",
            "minigpt/__init__.py::",
            "tests/test_imports.py::test_the_project_keeps_the_import_rule",
            "explanation/design § One direction",
        ),
    ],
}
