r"""A tiny world with a bias of known strength, so that a probe can be compared with the truth.

Stories open with somebody who is somewhere with something. Here the place depends on the group of the person: half the
places, $X$, are likelier after a name of group A, the other half, $Y$, after a name of group B. With the planted gap
$g$ in nats and $\sigma(g) = 1 / (1 + \exp(-g))$,

$$P(X \mid A) = P(Y \mid B) = \sigma(g), \qquad P(X \mid B) = P(Y \mid A) = 1 - \sigma(g)$$

and the places of one half are equally likely. So $\log P(x \mid A) - \log P(x \mid B)$ is $g$ for each $x$ in $X$ and
$-g$ for each in $Y$. Everything else is the tiny world's: what happens, with what, and how it is told.

The names take turns, and the places after one name follow a sequence that fills its distribution evenly, unless they
are to be drawn. So the corpus has the planted gap nearly to the last story.
"""

import math
from dataclasses import dataclass, replace

from minigpt.evaluation.fairness.pairs import Counterfactual
from minigpt.text.datasets.rows import Row, RowDataset
from minigpt.text.tinyworld import Derivation, TinyWorld
from minigpt.text.tinyworld.phrases import PHRASES
from minigpt.text.tinyworld.rendering import forms_of, sentences
from minigpt.text.tinyworld.words import FRAMES, LEADS, PEOPLE, PLACES
from minigpt.text.tokenizers.bpe import BPETokenizer
from minigpt.text.tokenizers.tokenizer import Tokenizer

GROUP_A = tuple(row for row, person in enumerate(PEOPLE) if person.pronoun == "she")
GROUP_B = tuple(row for row, person in enumerate(PEOPLE) if person.pronoun == "he")
N_X = len(PLACES) // 2
GOLDEN = (math.sqrt(5) - 1) / 2  # its multiples fill the unit interval evenly
FINE = 2**32
LARGEST = 20.0  # nats
VOCABULARY, LEARNT_FROM = 600, 2000  # tokens, and the stories that they are learnt from


@dataclass(frozen=True)
class PlantedWorld:
    """The tiny world with a place that depends on the group of the name.

    Args:
        gap: in nats, how much likelier a place of X is after a name of group A; 0 plants nothing.
        language: "en" or "zh".
        seed: another one gives other stories.
        n_sentences: how many sentences of each story are told; 1 is learnt in seconds, ``None`` tells all.
        even: whether the places after a name fill their distribution evenly; otherwise they are drawn independently,
            and the corpus differs from the planted gap by the luck of the draw, as a real corpus would.

    Raises:
        ValueError: if the gap is not a number from -20 to 20, there is no such language, or no sentence is told.
    """

    gap: float
    language: str = "en"
    seed: int = 0
    n_sentences: int | None = 1
    even: bool = True

    def __post_init__(self) -> None:
        if not abs(self.gap) <= LARGEST:
            raise ValueError(f"gap={self.gap} must be a number of nats from -{LARGEST:g} to {LARGEST:g}; try 1.0")
        if self.n_sentences is not None and self.n_sentences < 1:
            raise ValueError(f"n_sentences={self.n_sentences} must be at least 1, or None for whole stories")
        forms_of(self.language)

    @property
    def truth(self) -> dict[str, float]:
        """The gap of each group of :meth:`pairs`, in nats."""
        return {"places X": self.gap, "places Y": -self.gap}

    @property
    def partners(self) -> dict[str, str]:
        """From each name of group A to the one of group B that it is swapped with."""
        name = forms_of(self.language).name
        return {name[a]: name[b] for a, b in zip(GROUP_A, GROUP_B, strict=True)}

    @property
    def augmentation_cost(self) -> float:
        r"""What augmentation costs on the stories as they were, in nats a story: $\ln 2 - H(\sigma(g))$.

        It is what a name tells of the place. After augmentation both halves are equally likely after every name.
        """
        share = _share(self.gap)
        return math.log(2) + sum(p * math.log(p) for p in (share, 1 - share))

    def derivation(self, i: int) -> Derivation:
        """The choices behind story i, its first person and place replaced.

        Raises:
            ValueError: if ``i`` is negative.
        """
        world = TinyWorld(self.language, "all", self.seed)
        told = world.derivation(i)
        turn, person = divmod(i, len(PEOPLE))
        start, turns = (person, turn) if self.even else (i, 0)
        u = (world.draws(start, "planted")(FINE) / FINE + turns * GOLDEN) % 1
        place = _place(u, _share(self.gap if person in GROUP_A else -self.gap))
        return replace(told, people=_opened_by(told.people, person), places=_opened_by(told.places, place))

    def story(self, i: int, *, swapped: bool = False) -> str:
        """Story i, or its counterfactual: the same with everybody exchanged for their partner, pronouns included.

        Args:
            i: counted from 0.
            swapped: whether it is the counterfactual.

        Raises:
            ValueError: if ``i`` is negative.
        """
        derivation = self.derivation(i)
        if swapped:
            other = dict(zip(GROUP_A + GROUP_B, GROUP_B + GROUP_A, strict=True))
            derivation = replace(derivation, people=tuple(other[row] for row in derivation.people))
        return forms_of(self.language).between.join(sentences(derivation, self.language)[: self.n_sentences])

    def text(self, n_stories: int, start: int = 0) -> str:
        """Stories one below the other, each with a line end before it and the last with one after it.

        Args:
            n_stories: how many.
            start: the number of the first.
        """
        return "".join(f"\n{self.story(i)}" for i in range(start, start + n_stories)) + "\n"

    def tokenizer(self) -> BPETokenizer:
        """One with names and places as single tokens, the same for every gap and seed."""
        text = PlantedWorld(0.0, self.language, n_sentences=self.n_sentences).text(LEARNT_FROM)
        return BPETokenizer.train(text, VOCABULARY, pattern=PHRASES)

    def pairs(self) -> list[Counterfactual]:
        """Each name of group A with its partner, at each place; :attr:`truth` has the gaps."""
        forms, number = forms_of(self.language), ("en", "zh").index(self.language)
        before = FRAMES["opening"][0][number].partition("{at}")[0]
        given, blank = before.rstrip(), before[len(before.rstrip()) :]
        pairs = []
        for k, names in enumerate(self.partners.items()):
            for place, at in enumerate(forms.at):
                lead = LEADS["opening"][(k + place) % len(LEADS["opening"])][number]
                a, b = ("\n" + lead[0].upper() + lead[1:] + given.format(name=name) for name in names)
                group = "places X" if place < N_X else "places Y"
                pairs.append(Counterfactual(f"{names[0]}, {names[1]}: {at}", group, a, b, blank + at))
        return pairs

    def rows(self, tokenizer: Tokenizer, n_stories: int, *, start: int = 0, augmented: bool = False) -> RowDataset:
        """The stories as training data, each a row of its own.

        Args:
            tokenizer: encodes them.
            n_stories: how many.
            start: the number of the first.
            augmented: whether the counterfactual of each is there too, so that there are twice as many rows.

        Raises:
            ValueError: if ``n_stories`` is less than 1.
        """
        sides = (False, True) if augmented else (False,)
        told = [self.story(i, swapped=swapped) for i in range(start, start + n_stories) for swapped in sides]
        ids = [tokenizer.encode(f"\n{story}\n") for story in told]
        return RowDataset(
            lambda i: Row(ids[i], [True] * len(ids[i])),
            len(ids),
            max(map(len, ids), default=2) - 1,
            tokenizer.vocab_size,
            f"{self}/{n_stories}/{start}/{augmented}",
        )


def _share(gap: float) -> float:
    return 1 / (1 + math.exp(-gap))


def _place(u: float, share: float) -> int:
    """The place where the distribution function reaches ``u``: X has the share, and each half is split evenly."""
    within = u / share if u < share else (u - share) / (1 - share)
    return min(int(within * N_X), N_X - 1) + (0 if u < share else N_X)


def _opened_by(rows: tuple[int, ...], first: int) -> tuple[int, ...]:
    """The words of the roles with the first replaced; a later role that had this word gets the one that it replaces."""
    exchanged = {rows[0]: first, first: rows[0]}
    return tuple(exchanged.get(row, row) for row in rows)
