# %% [markdown]
# # What a language model is
#
# A language model says how probable a text is. Writing, answering, translating: all of
# them follow from that one number. You can build such a model by counting, without a
# neural network, and it is the yardstick for everything that comes later. Here you
#
# - write the probability of a text as a product, and get the factors from counts;
# - replace the zeros of the counts by smoothing, and let the counts write;
# - turn probabilities into a loss, a perplexity and bits per byte, and know which of
#   the three may be compared;
# - place a loss between a **ladder** of baselines and a **floor**, without which it
#   means nothing;
# - meet a question that no amount of counting answers.
#
# About 45 minutes. You need to know what a probability and a logarithm are.

# %%
import math
import os
import re
from collections import Counter, defaultdict
from fractions import Fraction
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import torch

import minigpt as mg
from minigpt.evaluation import Evaluation
from minigpt.model import Additive, KneserNey, NGramCounts
from minigpt.text.tinyworld import TASKS

QUICK = bool(os.environ.get("MINIGPT_QUICK"))
STORIES = 300 if QUICK else 2000

# %% [markdown]
# ## The probability of a text is a product
#
# How probable is a whole text $x_1 x_2 \dots x_T$? Ask word by word. The first word has
# some probability; the second has one *given the first*; the third given the first two.
# The product of all answers is the probability of the text:
#
# $$
# p(x_1, \dots, x_T) = \prod_{t=1}^{T} p(x_t \mid x_1, \dots, x_{t-1})
# $$
#
# This is the **chain rule**, and it is exact. It turns one impossible question (how
# probable is this book?) into many questions of one kind: *given what came so far,
# which word comes next?* A language model is whatever answers that question with a
# distribution: a share for each word of the vocabulary, all of them together 1.
#
# The simplest way to an answer is to count. Here is a text of three sentences.

# %%
text = "the cat saw the dog . the dog saw a cat . a cat ran ."
words = text.split()
vocabulary = sorted(set(words))
pairs = Counter(pairwise(words))
pairs.most_common(3)

# %% [markdown]
# A whole history hardly ever occurs twice, so we cannot count what follows it. But its
# last word does. A **bigram** model forgets all but that one; an **n-gram** model all
# but the last $n - 1$:
#
# $$
# p(x_t \mid x_1, \dots, x_{t-1}) \approx p(x_t \mid x_{t-n+1}, \dots, x_{t-1})
# $$
#
# So the whole bigram model is a table. Row $h$ counts what came after the word $h$.

# %% mystnb={"image": {"alt": "A table of seven by seven counts, most of them zero."}}
V = len(vocabulary)
table = np.array([[pairs[h, w] for w in vocabulary] for h in vocabulary])

figure, axes = plt.subplots(figsize=(4.4, 4), layout="constrained")
axes.imshow(table, cmap="Blues", vmax=4)
for i, j in zip(*table.nonzero(), strict=True):
    axes.text(j, i, table[i, j], ha="center", va="center")
axes.set_xticks(range(V), vocabulary)
axes.set_yticks(range(V), vocabulary)
axes.set(xlabel="next word", ylabel="word before")
plt.show()

# %% [markdown]
# Divide a row by its sum and you have a distribution. A sentence, after the full stop
# that ended the one before, costs one factor a word:


# %%
def p_next(word, before):
    row = table[vocabulary.index(before)]
    return Fraction(int(row[vocabulary.index(word)]), int(row.sum()))


def p_text(sentence):
    product = Fraction(1)
    for before, word in pairwise([".", *sentence.split()]):
        print(f"  p({word:3} | {before:3}) = {p_next(word, before)}")
        product *= p_next(word, before)
    return product


print("p(the dog saw the cat .) =", p_text("the dog saw the cat ."))

# %% [markdown]
# This sentence does not occur in the text, and the model still has a probability for
# it: it knows all of its pairs. But let the *dog* run:

# %%
print("p(the dog ran .) =", p_text("the dog ran ."))

# %% [markdown]
# One pair that was never seen, and the whole sentence is impossible. Language always
# has something new, so a model must never say *never*.
#
# ## Smoothing: no zeros
#
# The oldest fix is to pretend that every word was seen $\alpha$ times more than it
# was, after every context.
#
# The formula below is an *equation object*, which `mg.equations.get` looks up by its name.
# A notebook displays it as mathematics. Its `evaluate` computes it term by term from the
# inputs that you give, and its `steps` prints the arithmetic. Every formula of the course
# is such an object, so you can try each one on your own numbers.
# ([Self-attention, exactly as written](05-self-attention-as-written.ipynb) says why.)

# %%
additive = mg.equations.get("additive-smoothing")
additive

# %% [markdown]
# Here is the word *ran* after *dog*, once with $\alpha = 0$, which is plain counting,
# and once with $\alpha = 1$, with all steps.

# %%
after_dog = table[vocabulary.index("dog")]
print("plain counting:", additive.evaluate(c=after_dog, alpha=0).round(3))
additive.steps(c=after_dog, alpha=1, w=vocabulary.index("ran") + 1)

# %% [markdown]
# The library's `NGram` is a table of any order with any smoothing. It takes ids, and
# gives the same distribution:

# %%
ids = [vocabulary.index(word) for word in words]
bigram = mg.NGram.train(ids, order=2, vocab_size=V, smoothing=Additive(alpha=1))
after_the_dog = bigram.probabilities(ids[3:5])  # "the dog": it looks at "dog" alone

np.testing.assert_allclose(after_the_dog, additive.evaluate(c=after_dog, alpha=1))
dict(zip(vocabulary, after_the_dog.round(3).tolist(), strict=True))

# %% [markdown]
# The zero is gone, but look at the price. *dog* was followed by two words, once each.
# Now every word that never followed it gets half as much as these, without any evidence;
# and all such words get the *same*, though the other rows show that some words are more
# likely than others.
#
# **Exercise: `bigram_probabilities`.** Write the whole table of a bigram model with
# this smoothing. $c_{uw}$ counts how often token $w$ came right after token $u$; ids
# begin at 0.
#
# $$
# p_{uw} = \frac{c_{uw} + \alpha}{\sum_{r=1}^{V} c_{ur} + \alpha V}
# $$
#
# Replace the comment with your code and run the cell again: the reply says how the
# result differs from the formula. [Exercises that know the
# mistake](../docs/tutorials/exercises.md) has the details.


# %%
def bigram_probabilities(ids, vocab_size, alpha):
    """ids (T,), the size V, alpha → (V, V): row = previous token, column = next."""
    # Your code.


reply = mg.check.bigram_probabilities(bigram_probabilities)
reply

# %% [markdown]
# <details>
# <summary>Hint 1: a question</summary>
#
# Which index is fixed along a row, and what must a row sum to?
#
# </details>
#
# <details>
# <summary>Hint 2: a term of the formula</summary>
#
# The denominator $\sum_{r=1}^{V} c_{ur} + \alpha V$ belongs to row $u$. Why is it
# $\alpha V$ and not $\alpha$?
#
# </details>
#
# <details>
# <summary>Hint 3: an example</summary>
#
# The reply has two hints of its own: the mistake with the smallest example, and the
# place in the formula. In a notebook they unfold; elsewhere, `reply.hint(1)` and
# `reply.hint(2)` show them.
#
# </details>
#
# **Kneser–Ney smoothing** fixes both. It subtracts a fixed discount $d$ from every count,
# and distributes what it took by a distribution $q$, that of the *shorter* context:

# %%
kneser_ney = mg.equations.get("kneser-ney-smoothing")
kneser_ney

# %% [markdown]
# $N$ is the number of different words that were seen after the context, so that exactly
# what was taken is given back. Its best idea is in $q$. When a context fails us, a good
# guess is not a *frequent* word but one that follows *many different* words.
# "Francisco" is frequent in some texts, but nearly always after "San". So below the
# highest order, Kneser–Ney does not count how often a word came, but after how many
# different words. Here are three words of the tiny world, a language of small stories
# that we meet again below:

# %%
stories = mg.TinyWorld(split="train").text(STORIES)
sequence = re.findall(r"\w+", stories.lower())
before = defaultdict(set)
for first, second in pairwise(sequence):
    before[second].add(first)
often = Counter(sequence)

print("word   how often   after how many words")
for word in ("tea", "sky", "lamp"):
    print(f"{word:6} {often[word]:9,}   {len(before[word]):20}")
assert before["tea"] == {"some"} and len(before["lamp"]) > 3

# %% [markdown]
# *Tea* only ever comes after "some". A lamp can be red, blue or green, so it is the
# better guess after a new word.
#
# ### Which one is better, and at which order?
#
# Count letters now instead of words, where any character is a letter, spaces too. The
# text is the reference manual of Python; the models count nine tenths of it, and
# predict the rest. The measure is the average of $-\log p$ for each letter: the model's
# **surprise**. Lower is better.

# %%
manual = mg.load_corpus("python-docs")
learn_from, tested_on = mg.split_text(manual, validation_fraction=0.1)
manual_letters = mg.CharTokenizer.train(manual)
known, new = manual_letters.encode(learn_from), manual_letters.encode(tested_on)

orders = range(1, 11)
counts = NGramCounts.of(known, orders[-1], manual_letters.vocab_size)
surprise = {}
for name, smoothing in {
    "additive": Additive(alpha=0.1),
    "Kneser–Ney": KneserNey(),
}.items():
    models = [mg.NGram(counts.up_to(n), smoothing) for n in orders]
    surprise[name] = [-model.log_prob(new).mean() for model in models]
    by_heart = [-model.log_prob(known[: len(new)]).mean() for model in models]
    surprise[f"{name}, text that it counted"] = by_heart

# %% mystnb={"image": {"alt": "Surprise by order: on new text additive turns upwards, Kneser-Ney stays low."}}
figure, axes = plt.subplots(figsize=(5.6, 3.8), layout="constrained")
for (name, values), style in zip(
    surprise.items(), ("o-", "o:", "s-", "s:"), strict=True
):
    color = "tab:orange" if name.startswith("additive") else "tab:blue"
    axes.plot(orders, values, style, color=color, markersize=4, label=name)
axes.set(xlabel="order n of the model", ylabel="surprise (nats per letter)", ylim=0)
axes.set_xticks(orders)
axes.legend(frameon=False)
plt.show()

best = {
    name: min(zip(surprise[name], orders, strict=True))
    for name in ("additive", "Kneser–Ney")
}
for name, (nats, order) in best.items():
    print(f"{name:10}  best at order {order}: {nats:.3f} nats per letter")

assert best["Kneser–Ney"] < best["additive"]
assert surprise["additive"][-1] > 1.5 * best["additive"][0]
assert surprise["Kneser–Ney, text that it counted"][-1] < 0.5 * best["Kneser–Ney"][0]
assert surprise["Kneser–Ney"][-1] < 1.1 * best["Kneser–Ney"][0]

# %% [markdown]
# The dotted lines are text that was counted: with longer contexts, Kneser–Ney knows
# more and more of it by heart. The solid lines are what matters. Additive smoothing
# gets worse again: long contexts are rare, and after a rare context it gives most of
# the mass to nonsense. Kneser–Ney falls back on shorter contexts where it must. From
# here on it is the smoothing of every model that we count.
#
# ## Let the counts write
#
# A model that says which letter is how probable can also *draw* one, append it, and
# draw the next. Shannon did this by hand in 1948, with a book and a table of random
# numbers.

# %%
for order in (1, 2, 3, 5, 8):
    model = mg.NGram(counts.up_to(order))
    drawn = model.sample(120, torch.Generator().manual_seed(1))
    line = " ".join(manual_letters.decode(drawn).split())
    print(f"order {order}: {line}\n")

# %% [markdown]
# Order 1 knows the letters, order 3 something like syllables, order 5 words, order 8
# phrases. None of them knows what it is talking about: what it writes fits the few letters
# before, and nothing else.
#
# ## Surprise, entropy, cross-entropy
#
# The surprise at a word of probability $p$ is $-\log p$: nothing where it was certain,
# and without bound as $p$ goes to 0. With the natural logarithm its unit is the
# **nat**; with $\log_2$ it is the **bit**, and one nat is $1 / \ln 2 \approx 1.44$
# bits. Products of probabilities become sums of surprises.
#
# If words come with the true probabilities $y_i$ and a model believes in $p_i$, its
# mean surprise is the **cross-entropy**:

# %%
mg.cross_entropy.equation

# %% [markdown]
# Take a coin that shows heads in 7 of 10 throws, and let the model's belief run from 0
# to 1. Beside it, a coin that nearly always shows heads.

# %% mystnb={"image": {"alt": "Two valleys; the lowest point of each is at the true probability."}}
belief = torch.linspace(0.01, 0.99, 99, dtype=torch.float64)
both_beliefs = torch.stack([belief, 1 - belief], dim=1)

figure, axes = plt.subplots(figsize=(5.4, 3.6), layout="constrained")
for heads, color in ((0.7, "tab:blue"), (0.95, "tab:orange")):
    y = torch.tensor([heads, 1 - heads], dtype=torch.float64)
    entropy = mg.cross_entropy(y, y).item()
    loss = mg.cross_entropy(y.expand(99, 2), both_beliefs)
    axes.plot(belief, loss, color=color, label=f"heads in {heads:.0%} of throws")
    axes.plot(heads, entropy, "o", color=color)
    axes.axhline(entropy, color=color, linestyle=":")
    print(f"{heads:.0%} heads: least cross-entropy, at p = {heads}: {entropy:.3f} nats")
    assert belief[loss.argmin()].isclose(y[0]) and (loss >= entropy - 1e-12).all()
axes.set(
    xlabel="belief p in heads", ylabel="cross-entropy (nats per throw)", ylim=(0, 3)
)
axes.legend(frameon=False, loc="upper center")
plt.show()

# %% [markdown]
# Three things to keep:
#
# - The best belief is the truth. A model that minimises cross-entropy learns
#   probabilities.
# - Even then the loss is *not 0*. What is left is the **entropy** of the coin, its own
#   unpredictability. It is the **floor**: no model goes below it on average.
# - The floor belongs to the *source*. A fair coin and a rigged one have different
#   floors, so a loss of 0.5 nats can be excellent or poor.
#
# ## One number, three units
#
# Over a text, the truth is the one token that came, and the mean cross-entropy is the
# **loss** of a language model:

# %%
nats_per_token = mg.equations.get("nats-per-token")
nats_per_token

# %% [markdown]
# Its exponential is the **perplexity**: the model was as uncertain as a uniform choice
# among that many tokens.

# %%
perplexity = mg.equations.get("perplexity")
perplexity

# %% [markdown]
# Counted in bits, and over the *bytes* of the text instead of its tokens, it is **bits
# per byte**: a perfect compressor that uses the model would need so many bits for each
# 8-bit byte.

# %%
bits_per_byte = mg.equations.get("bits-per-byte")
bits_per_byte

# %% [markdown]
# Three tokens, of two bytes each, got the probabilities 1/2, 1/4 and 1/8:

# %%
p = [1 / 2, 1 / 4, 1 / 8]
print(f"loss           {nats_per_token.evaluate(p=p):.4f} nats per token")
print(f"perplexity     {perplexity.evaluate(p=p):.4f} tokens")
print(f"bits per byte  {bits_per_byte.evaluate(p=p, b=6):.4f}")

# %% [markdown]
# The geometric mean of the three is 1/4, so the perplexity is 4; 1 + 2 + 3 bits on 6
# bytes make 1 bit per byte. Which of the units can be compared? Read the same manual in
# letters, and in the longer tokens of a byte-pair tokenizer, each with a 5-gram:

# %%
pieces = mg.BPETokenizer.train(learn_from, vocab_size=1024, progress=False)
tokenizers = {"letters": manual_letters, "byte pairs": pieces}

print("tokens      nats per token   perplexity   bits per byte")
results = {}
for name, tokenizer in tokenizers.items():
    to_count, to_predict = tokenizer.encode(learn_from), tokenizer.encode(tested_on)
    nats = -mg.NGram.train(to_count, 5, tokenizer.vocab_size).log_prob(to_predict)
    n_bytes = sum(len(tokenizer.token_bytes(token)) for token in to_predict[1:])
    result = results[name] = Evaluation(nats.sum(), len(nats), n_bytes)
    in_nats = f"{result.nats_per_token:14.2f}   {result.perplexity:10.1f}"
    print(f"{name:11} {in_nats}   {result.bits_per_byte:13.3f}")

assert results["byte pairs"].nats_per_token > 2 * results["letters"].nats_per_token
assert results["byte pairs"].bits_per_byte < results["letters"].bits_per_byte

# %% [markdown]
# By the loss, the byte pairs look far worse. But each of their tokens covers several
# letters, so it is harder to guess and there are fewer of them. Per byte the two are
# close, and the byte pairs a little better. **Nats per token and perplexity compare
# only models with the same tokenizer; bits per byte compares any two on the same
# text.**
#
# ## The ladder
#
# A loss needs something to compare it with. The ladder is a row of models that anyone can
# build: a uniform guess, n-grams of rising order, and two compressors, since a file
# that gets small was easy to predict.

# %%
ladders = {"Python manual, letters": mg.ladder(known, new, manual_letters)}
print(ladders["Python manual, letters"])

# %% mystnb={"image": {"alt": "Bars of seven baselines in bits per byte, from uniform down to xz."}}
ladders["Python manual, letters"].plot()

# %% [markdown]
# A neural network that does not beat the 5-gram has learned nothing that counting could
# not. Below xz it is a better compressor than the ones on your computer. But how low
# can a model go? For the Python manual *nobody knows*: its authors left no table of
# probabilities.
#
# ## The floor
#
# For one language we do know. The **tiny world** makes its stories by choices with
# known probabilities, and each story can be read back to its choices. So the surprise
# at any story is exact, and so is its mean over *all* stories: the entropy.

# %%
world = mg.TinyWorld(split="validation")
story = world.story(1)
floor = world.floor()
print(story, "\n")
print(f"this story:       {-world.log_prob(story):.2f} nats")
print(f"all, on average:  {floor.nats:.2f} nats a story")
print(f"                  {floor.nats_per_character:.4f} nats a letter")

# %% [markdown]
# Draw more and more stories, and the mean of their surprises approaches the entropy:

# %% mystnb={"image": {"alt": "A running mean that settles on the dotted line of the entropy."}}
surprises = [-world.log_prob(world.story(i)) for i in range(STORIES)]
running_mean = np.cumsum(surprises) / np.arange(1, STORIES + 1)
error = np.std(surprises) / math.sqrt(STORIES)

figure, axes = plt.subplots(figsize=(5.4, 3.2), layout="constrained")
axes.semilogx(np.arange(1, STORIES + 1), running_mean, label="mean so far")
axes.axhline(floor.nats, color="black", linestyle=":", label="entropy, computed")
axes.set(xlabel="stories", ylabel="surprise (nats per story)")
axes.legend(frameon=False)
plt.show()

print(f"{running_mean[-1]:.2f} ± {error:.2f} nats after {STORIES:,} stories")
assert abs(running_mean[-1] - floor.nats) < 4 * error

# %% [markdown]
# Now the ladder of the tiny world has a bottom rung, the dotted line:

# %% mystnb={"image": {"alt": "The ladder of the tiny world: even the 5-gram is far from the dotted floor."}}
held_out = world.text(STORIES // 10)
letters = mg.CharTokenizer.train(stories)
seen, unseen = letters.encode(stories), letters.encode(held_out)
ladders["tiny world, letters"] = mg.ladder(
    seen, unseen, letters, floor=floor.nats_per_character
)
ladders["tiny world, letters"].plot()

# %%
rungs = ladders["tiny world, letters"].rungs
times = rungs["5-gram"].bits_per_byte / rungs["floor"].bits_per_byte
print(f"the 5-gram needs {times:.1f} times the bits of the floor")

# %% [markdown]
# That gap is what there is to learn. Neither a better model nor more computing can lower
# the floor: a model that goes below it, on average over new stories, has cheated, for
# instance by having seen them.
#
# ## "Our loss is 1.9"
#
# Somebody reports a loss of 1.9. Is that good? Build the ladder of each text in letters
# and in byte pairs, and look where 1.9 falls.

# %%
ladders["Python manual, byte pairs"] = mg.ladder(
    pieces.encode(learn_from), pieces.encode(tested_on), pieces
)
story_pieces = mg.BPETokenizer.train(stories, vocab_size=1024, progress=False)
ladders["tiny world, byte pairs"] = mg.ladder(
    story_pieces.encode(stories),
    story_pieces.encode(held_out),
    story_pieces,
    floor=world.floor(story_pieces, n_stories=STORIES // 4).nats_per_token,
)

CLAIM = 1.9  # nats per token
for name, ladder in sorted(ladders.items()):
    rungs = {rung: figures.nats_per_token for rung, figures in ladder.rungs.items()}
    beaten = [rung for rung, nats in rungs.items() if nats > CLAIM]
    print(f"{name:26} better than {', '.join(beaten)}")
    assert ("5-gram" in beaten) == (name == "Python manual, byte pairs")
    assert ("3-gram" in beaten) == name.startswith("Python manual")

# %% mystnb={"image": {"alt": "Four number lines; 1.9 is at another place of the ladder on each."}}
RUNGS = ("uniform", "unigram", "bigram", "3-gram", "5-gram")
figure, axes = plt.subplots(figsize=(6.2, 3.6), layout="constrained")
for row, (_, ladder) in enumerate(sorted(ladders.items(), reverse=True)):
    axes.axhline(row, color="lightgrey", zorder=0)
    for rung, color in zip(RUNGS, plt.cm.tab10.colors, strict=False):
        nats = ladder.rungs[rung].nats_per_token
        axes.plot(nats, row, "o", color=color, label=rung if row == 0 else None)
    if "floor" in ladder.rungs:
        nats = ladder.rungs["floor"].nats_per_token
        label = "floor" if row == 0 else None
        axes.plot(nats, row, "D", color="black", label=label)
axes.axvline(CLAIM, color="black", linestyle="--", label="the claim, 1.9")
axes.set_yticks(
    range(4), [name.replace(", ", ",\n") for name in sorted(ladders, reverse=True)]
)
axes.set(xlabel="loss (nats per token)", xlim=(0, 7.3), ylim=(-0.5, 3.5))
figure.legend(loc="outside upper center", ncols=4, frameon=False)
plt.show()

# %% [markdown]
# The same number is excellent for the manual in byte pairs, where no baseline comes near
# it; an everyday result for the manual in letters; and poor for the tiny world, where
# counting pairs or triples does better. So a report of a loss should say: which text,
# which tokenizer, which baselines, and where the floor is. `mg.ladder` and `minigpt
# ladder` make the baselines; the tiny world has the floor.
#
# ## Who has the kite now?
#
# Counting got us a long way down the ladder. Where does it end? Here are two stories.
# They begin and end in the same way, and one word in the middle differs.

# %%
STORY = (
    "One sunny morning, Anna was in the park with a red kite. Tom was in the park too. "
    "Jack was in the park too. Anna sat down in the park and drank some tea. "
    "Then she sat down in the park and gave the red kite to {}. "
    "She left the park and ran to the beach. "
)
ENDING = "In the end, the red kite was with {} in the park."
told = {name: STORY.format(name) for name in ("Tom", "Jack")}
for name, beginning in told.items():
    assert mg.TinyWorld(split="all").holds(beginning + ENDING.format(name))

# %% [markdown]
# (`holds` says that both are stories of the tiny world: grammatical, and nobody gives
# what they do not have.) Now ask each: *Who has the red kite?* The model is a 5-gram of
# words, trained on stories with questions and answers.


# %%
def split_words(text):
    return re.findall(r"\w+|[^\w\s]|\n", text)


def example(split, i):
    return TASKS["qa"].example(mg.TinyWorld(split=split), i)


lessons = "".join(part.text for i in range(STORIES) for part in example("train", i))
lessons = split_words(lessons)
lexicon = sorted(set(lessons))
number = {word: i for i, word in enumerate(lexicon)}
lesson_counts = NGramCounts.of([number[w] for w in lessons], 12, len(lexicon))
five_gram = mg.NGram(lesson_counts.up_to(5))

answers = {}
for name, beginning in told.items():
    asked = split_words(beginning + "\nWho has the red kite?")
    answers[name] = five_gram.probabilities([number[word] for word in asked])
    best_three = answers[name].argsort()[::-1][:3]
    guesses = ", ".join(f"{lexicon[w]} {answers[name][w]:.0%}" for w in best_three)
    print(f"right answer {name:4}  the model says: {guesses}")

assert np.array_equal(answers["Tom"], answers["Jack"])

# %% [markdown]
# The same answer to both, to the last bit. It cannot be otherwise: a 5-gram sees the
# last four words, *the red kite ?*, and these are the same. It does not even know
# whether *who* or *where* was asked, since that word is further back. The words that
# decide are further back still. Would a longer context help? Let the order grow, on many
# such questions:

# %%
ORDERS = range(2, 13)
row = [number[word] for word in lessons]
questions = []
for i in range(STORIES // 2):
    given, question, answer = example("test", i)[:3]
    if answer.kind == "who":
        context = [number[word] for word in split_words(given.text + question.text)]
        questions.append((context, number[answer.text.strip()]))

right, met = [], []
for n in ORDERS:
    model = mg.NGram(lesson_counts.up_to(n))
    said = [model.probabilities(context).argmax() for context, _ in questions]
    right.append(np.mean([s == a for s, (_, a) in zip(said, questions, strict=True)]))
    familiar = {tuple(row[i - n + 1 : i]) for i in range(n - 1, len(row))}
    met.append(
        np.mean([tuple(context[1 - n :]) in familiar for context, _ in questions])
    )

# %% mystnb={"image": {"alt": "Contexts met before fall to nothing; right answers stay low throughout."}}
_, most = Counter(answer for _, answer in questions).most_common(1)[0]

figure, axes = plt.subplots(figsize=(5.6, 3.6), layout="constrained")
axes.plot(ORDERS, met, "o-", color="tab:blue", label="the context was met in training")
axes.plot(ORDERS, right, "s-", color="tab:orange", label="the answer is right")
guess = most / len(questions)
axes.axhline(
    guess, color="black", linestyle=":", label="always the most frequent answer"
)
axes.set(
    xlabel="order n of the model, in words", ylabel="share of questions", ylim=(0, 1.03)
)
axes.legend(frameon=False)
plt.show()

print(f"{len(questions)} questions; always the same answer: {guess:.0%} right")
for n, share in zip(ORDERS, right, strict=True):
    print(f"  order {n:2}: {share:.0%} right")
assert met[-1] < 0.1
assert QUICK or max(right) < guess

# %% [markdown]
# This is the trap of counting. A short context does not hold the answer. A long one was
# never seen before, so nothing was counted after it, and the model falls back on the
# short one. None of the orders beats giving the same answer to every question. More text
# hardly helps: each further word of context multiplies the number of possible contexts.
#
# And yet the question is easy. A reader needs no luck: the floor of this answer is 0
# nats. A model has to find the last sentence in which the kite changed hands, wherever it
# is, and take a name from there. Counting treats every context separately; what is needed
# is a model that *looks for* something in its context and that learns, from all stories
# together, what to look for. That is attention.
#
# ## Try it yourself
#
# 1. A model gives every token of a text the probability 1/4. What are its loss, its
#    perplexity and, with two bytes a token, its bits per byte?
# 2. Why is the highest probability at *every* step not the best way to write? Draw from
#    the model of order 5 by always taking the likeliest letter.
# 3. What does Kneser–Ney do with a context that it has never seen?
#
# <details><summary>Answers</summary>
#
# 1. $\log 4$, 4, and 1. The equations say so:
#
# ```python
# quarter = [1 / 4] * 10
# print(nats_per_token.evaluate(p=quarter), math.log(4))
# print(perplexity.evaluate(p=quarter), bits_per_byte.evaluate(p=quarter, b=20))
# ```
#
# 2. It goes round in a circle. Likely letters lead to likely contexts, which lead back
#    to themselves; real text has surprises.
#
# ```python
# model, line = mg.NGram(counts.up_to(5)), manual_letters.encode("The ")
# for _ in range(100):
#     line.append(int(model.probabilities(line).argmax()))
# print(manual_letters.decode(line))
# ```
#
# 3. All counts are 0, so there is nothing to take a discount from, and it leaves the
#    answer to the context without its first token. If that was never seen either, to
#    the next, and at last to the uniform distribution.
#
# </details>
#
# ## Read on
#
# [Self-attention, exactly as written](05-self-attention-as-written.ipynb) shows the
# model that looks for things. [Neural networks and
# backpropagation](02-neural-networks-and-backpropagation.ipynb) shows what such a model is
# made of and how its gradient is computed, [Loss and
# optimizers](03-loss-and-optimizers.ipynb) how it learns from the loss that you can now
# read, and [Tokenization](04-tokenization.ipynb) where the tokens come from.
# `minigpt/model/ngrams/smoothing.py` and `minigpt/evaluation/baselines.py` hold the code.
