"""Documents with planted copies, and the similarities that brute force finds."""

import random
from collections import Counter, defaultdict

import minigpt as mg
from minigpt.text.cleaning.words import words


def documents(n, n_words=150):
    """English documents of about ``n_words`` words, cut from the language reference of Python."""
    found = mg.load_corpus("python-docs").split()
    return [" ".join(found[i : i + n_words]) for i in range(0, n * n_words, n_words)][:n]


def exact(text, rng):
    """The same words in another layout and case."""
    return "\n".join(text.upper().split("."))


def one_word(text, rng):
    """One word replaced by another one."""
    parts = text.split()
    parts[rng.randrange(len(parts))] = "zebra"
    return " ".join(parts)


def reordered(text, rng):
    """Three parts in another order."""
    parts = text.split()
    a, b = len(parts) // 3, 2 * len(parts) // 3
    return " ".join([*parts[b:], *parts[:a], *parts[a:b]])


def every_tenth_word(text, rng):
    """So many words replaced that half of the shingles are gone."""
    parts = text.split()
    return " ".join("zebra" if i % 10 == 5 else word for i, word in enumerate(parts))


PLANTS = {plant.__name__: plant for plant in (exact, one_word, reordered, every_tenth_word)}


def with_copies(originals, per_plant, seed):
    """The originals, then copies of some of them in random order; and the kind of each document."""
    rng = random.Random(seed)
    copies = [(kind, plant(rng.choice(originals), rng)) for kind, plant in PLANTS.items() for _ in range(per_plant)]
    rng.shuffle(copies)
    return [*originals, *(text for _, text in copies)], [*["original"] * len(originals), *(kind for kind, _ in copies)]


def largest_similarities(texts, kept, n):
    """For each document, the largest Jaccard similarity with an earlier document that was kept; by brute force."""
    inside, kept = [], set(kept)
    having, result = defaultdict(list), []
    for i, text in enumerate(texts):
        found = words(text)
        inside.append({tuple(found[j : j + n]) for j in range(len(found) - n + 1)})
        shared = Counter(k for shingle in inside[-1] for k in having[shingle])
        result.append(max((c / (len(inside[-1]) + len(inside[k]) - c) for k, c in shared.items()), default=0.0))
        if i in kept:
            for shingle in inside[-1]:
                having[shingle].append(i)
    return result
