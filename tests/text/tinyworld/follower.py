"""A reader of the stories who knows their words alone: an independent account of who is where and has what."""

import re

from minigpt.text.tinyworld import words

GENDER = {person.en: person.pronoun for person in words.PEOPLE}
PRONOUNS = {"he": "he", "him": "he", "his": "he", "she": "she", "her": "she"}
LEAD = re.compile(
    r"(One \w+ \w+,|Then|Soon|Later|After a while,|A little later,|In the end,|At the end .*?,|When .*?,) "
)
THING = r"(it|the \w+ \w+)"
SAT = r"(\w+) sat down (?:in|on|at|by) the (\w+) and"
LOOKED = r"(\w+) looked around (?:in|on|at|by) the (\w+) and"
SENTENCES = {
    "opening": r"(\w+) was \w+ the (\w+) with an? (\w+ \w+)",
    "friend": r"(\w+) was (?:waiting |playing )?(?:in|on|at|by) the (\w+)( too)?",
    "loose": r"(?:somebody had left )?an? (\w+ \w+) (?:lay )?(?:in|on|at|by) the (\w+)",
    "go": r"(\w+) left the (\w+) and (?:went|walked|ran) to the (\w+)",
    "visit": r"(\w+) left the (\w+) and (?:went to see|joined) (\w+) \w+ the (\w+)",
    "call": rf"{LOOKED} (?:called|asked) (\w+) (?:over|to come over)",
    "give": rf"{SAT} (?:gave|handed|passed) {THING} to (\w+)",
    "swap": rf"{SAT} (?:swapped|traded) {THING} for (\w+?)(?:'s)? (\w+ \w+)",
    "take": rf"{LOOKED} (?:picked|took|grabbed) {THING}(?: up)?",
    "drop": rf"{LOOKED} (?:put|set|left) {THING} (?:down|there)",
    "find": rf"{LOOKED} (?:found|discovered|came across) an? (\w+ \w+)",
    "rest": rf"{SAT} (?:sang a song|told a story|took a nap|looked at the sky|drank some tea|laughed)",
    "end_held": rf"{THING} was with (\w+) \w+ the (\w+)",
    "end_lies": rf"{THING} was lying \w+ the (\w+)",
}


class Follower:
    """Tracks a story by its English words alone, and fails where it says what cannot be.

    Unless ``strict`` is off, a pronoun must mean whom the last sentence was about.
    """

    def __init__(self, strict=True):
        self.strict = strict
        self.where, self.holder, self.lies = {}, {}, {}
        self.subject = self.topic = None

    def read(self, story):
        for text in re.split(r"(?<=\.) ", story):
            text = LEAD.sub("", text).removesuffix(".")
            text = text if re.match(r"\w+", text)[0] in GENDER else text[0].lower() + text[1:]
            kind, found = next((k, m) for k, p in SENTENCES.items() if (m := re.fullmatch(p, text)))
            self.topic_of_this = self.subject_of_this = None
            getattr(self, kind)(*[group for group in found.groups() if group])
            self.subject, self.topic = self.subject_of_this, self.topic_of_this
        return self

    def person(self, word):
        if word in PRONOUNS:
            assert GENDER[self.subject] == PRONOUNS[word]
            return self.subject
        assert word != self.subject or not self.strict
        return word

    def actor(self, word, here):
        self.subject_of_this = self.person(word)
        assert self.where[self.subject_of_this] == here
        return self.subject_of_this

    def thing(self, words):
        self.topic_of_this = self.topic if words == "it" else words.removeprefix("the ")
        assert self.topic_of_this in self.holder
        return self.topic_of_this

    def new(self, thing, holder=None):
        assert thing not in self.holder
        self.holder[thing] = holder
        self.topic_of_this = thing

    def opening(self, hero, place, thing):
        self.where[hero] = place
        self.new(thing, hero)
        self.subject_of_this = hero

    def friend(self, name, place, too=None):
        assert name not in self.where and bool(too) == (place in self.where.values())
        self.where[name] = place
        self.subject_of_this = name

    def loose(self, thing, place):
        self.new(thing)
        self.lies[thing] = place

    def go(self, who, here, place):
        assert self.actor(who, here) in self.where and place != here
        self.where[self.subject_of_this] = place

    def visit(self, who, here, other, there):
        other, actor = self.person(other), self.actor(who, here)
        assert here != there == self.where[other]
        self.where[actor] = there

    def call(self, who, here, other):
        other, actor = self.person(other), self.actor(who, here)
        assert self.where[actor] != self.where[other]
        self.where[other] = here

    def give(self, who, here, thing, other):
        other, actor, thing = self.person(other), self.actor(who, here), self.thing(thing)
        assert self.holder[thing] == actor != other and self.where[actor] == self.where[other]
        self.holder[thing] = other

    def swap(self, who, here, mine, other, theirs):
        other, actor, mine = self.person(other), self.actor(who, here), self.thing(mine)
        assert self.where[actor] == self.where[other]
        assert (self.holder[mine], self.holder[theirs]) == (actor, other)
        self.holder[mine], self.holder[theirs] = other, actor
        self.topic_of_this = None

    def take(self, who, here, thing):
        actor, thing = self.actor(who, here), self.thing(thing)
        assert self.holder[thing] is None and self.lies[thing] == here
        self.holder[thing] = actor

    def drop(self, who, here, thing):
        actor, thing = self.actor(who, here), self.thing(thing)
        assert self.holder[thing] == actor
        self.holder[thing], self.lies[thing] = None, here

    def find(self, who, here, thing):
        self.new(thing, self.actor(who, here))

    def rest(self, who, here):
        self.actor(who, here)

    def end_held(self, thing, who, place):
        assert self.holder[thing.removeprefix("the ")] == who
        assert self.where[who] == place

    def end_lies(self, thing, place):
        thing = thing.removeprefix("the ")
        assert self.holder[thing] is None
        assert self.lies[thing] == place
