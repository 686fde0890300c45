"""The words of the tiny world: who and what there is, and how each kind of sentence reads, English beside Chinese.

Each sentence of a story is a frame of these tables; :mod:`~minigpt.text.tinyworld.rendering` fills its slots:

============  =======================================  ==================
slot          English                                  Chinese
============  =======================================  ==================
``{actor}``   Anna, or she                             安娜, or 她
``{name}``    Anna                                     安娜
``{other}``   Tom, or him                              汤姆, or 他
``{owner}``   Tom's, or his                            汤姆, or 他
``{thing}``   the red kite, or it                      红色的风筝, or 它
``{full}``    the red kite                             红色的风筝
``{new}``     a red kite                               一只红色的风筝
``{second}``  red kite                                 那只红色的风筝
``{to}``      the garden                               花园
``{from}``    the garden, where the actor is           花园
``{at}``      in the garden                            花园里
``{there}``   in the garden, where the other is        花园
``{here}``    in the garden, where the actor is        花园里
``{too}``     too, where somebody is there already     也
============  =======================================  ==================

Every action first says where its actor is: that adds nothing to the story but one more exercise in looking it up.
A row says the same in both languages, and no two rows say the same: the map from derivations to texts is one to one.
"""

from typing import NamedTuple


class Person(NamedTuple):
    """A name in both languages, and the English pronoun."""

    en: str
    zh: str
    pronoun: str


class Colour(NamedTuple):
    """An adjective in both languages."""

    en: str
    zh: str


class Thing(NamedTuple):
    """A noun in both languages, and the Chinese measure word that counts it."""

    en: str
    zh: str
    measure: str


class Place(NamedTuple):
    """A noun in both languages with what turns it into "in the ...": a preposition; a word that follows."""

    en: str
    zh: str
    preposition: str
    particle: str


Pair = tuple[str, str]  # the same in English and in Chinese
PEOPLE = (
    Person("Anna", "安娜", "she"),
    Person("Lily", "莉莉", "she"),
    Person("Mary", "玛丽", "she"),
    Person("Lucy", "露西", "she"),
    Person("Emma", "艾玛", "she"),
    Person("Alice", "爱丽丝", "she"),
    Person("Nina", "妮娜", "she"),
    Person("Rosa", "罗莎", "she"),
    Person("Julia", "朱莉娅", "she"),
    Person("Clara", "克拉拉", "she"),
    Person("Tom", "汤姆", "he"),
    Person("Jack", "杰克", "he"),
    Person("Peter", "彼得", "he"),
    Person("David", "大卫", "he"),
    Person("Sam", "山姆", "he"),
    Person("Paul", "保罗", "he"),
    Person("Mark", "马克", "he"),
    Person("Leo", "里奥", "he"),
    Person("Eric", "埃里克", "he"),
    Person("Oscar", "奥斯卡", "he"),
)

COLOURS = (
    Colour("red", "红色"),
    Colour("blue", "蓝色"),
    Colour("green", "绿色"),
    Colour("yellow", "黄色"),
    Colour("white", "白色"),
    Colour("black", "黑色"),
    Colour("brown", "棕色"),
    Colour("pink", "粉色"),
    Colour("orange", "橙色"),
    Colour("purple", "紫色"),
)

THINGS = (
    Thing("kite", "风筝", "只"),
    Thing("ball", "球", "个"),
    Thing("book", "书", "本"),
    Thing("hat", "帽子", "顶"),
    Thing("cup", "杯子", "个"),
    Thing("bag", "包", "个"),
    Thing("box", "盒子", "个"),
    Thing("lamp", "灯", "盏"),
    Thing("key", "钥匙", "把"),
    Thing("drum", "鼓", "面"),
    Thing("doll", "娃娃", "个"),
    Thing("scarf", "围巾", "条"),
    Thing("umbrella", "雨伞", "把"),
    Thing("pencil", "铅笔", "支"),
    Thing("flag", "旗子", "面"),
    Thing("balloon", "气球", "个"),
    Thing("bottle", "瓶子", "个"),
    Thing("basket", "篮子", "个"),
    Thing("blanket", "毯子", "条"),
    Thing("ribbon", "丝带", "条"),
)

PLACES = (
    Place("garden", "花园", "in", "里"),
    Place("park", "公园", "in", "里"),
    Place("kitchen", "厨房", "in", "里"),
    Place("library", "图书馆", "in", "里"),
    Place("forest", "森林", "in", "里"),
    Place("market", "市场", "at", "里"),
    Place("station", "车站", "at", "里"),
    Place("river", "河边", "by", ""),
    Place("beach", "海滩", "on", "上"),
    Place("hill", "山上", "on", ""),
)

PRONOUNS = {  # as the subject, as an object, before what is owned
    "she": (("she", "她"), ("her", "她"), ("her", "她")),
    "he": (("he", "他"), ("him", "他"), ("his", "他")),
}
IT: Pair = ("it", "它")
TOO: Pair = (" too", "也")

WEATHERS = (
    ("sunny", "晴朗"),
    ("rainy", "下雨"),
    ("windy", "刮风"),
    ("cold", "寒冷"),
    ("warm", "温暖"),
    ("quiet", "安静"),
)
HOURS = (("morning", "早晨"), ("afternoon", "下午"), ("evening", "傍晚"))

LINKS = (  # before what somebody does
    ("", ""),
    ("then ", "然后"),
    ("soon ", "不久，"),
    ("later ", "后来，"),
    ("after a while, ", "过了一阵，"),
    ("a little later, ", "过了一会儿，"),
)
ENDINGS = (
    ("in the end, ", "最后，"),
    ("at the end of the day, ", "这一天结束时，"),
    ("when night fell, ", "天黑的时候，"),
)

LEADS: dict[str, tuple[Pair, ...]] = {  # what a sentence may begin with; where a kind is not named: nothing
    "opening": tuple((f"one {w[0]} {h[0]}, ", f"一个{w[1]}的{h[1]}，") for w in WEATHERS for h in HOURS),
    **dict.fromkeys(("go", "visit", "call", "give", "swap", "take", "drop", "find", "rest"), LINKS),
    **dict.fromkeys(("held", "lies"), ENDINGS),
}

FRAMES: dict[str, tuple[Pair, ...]] = {
    "opening": (("{name} was {at} with {new}.", "{name}在{at}，手里拿着{new}。"),),
    "friend": (
        ("{name} was {at}{too}.", "{name}{too}在{at}。"),
        ("{name} was waiting {at}{too}.", "{name}{too}在{at}等着。"),
        ("{name} was playing {at}{too}.", "{name}{too}在{at}玩。"),
    ),
    "loose": (
        ("{new} lay {at}.", "{at}有{new}。"),
        ("somebody had left {new} {at}.", "有人在{at}留下了{new}。"),
    ),
    "go": (
        ("{actor} left {from} and went to {to}.", "{actor}从{from}去了{to}。"),
        ("{actor} left {from} and walked to {to}.", "{actor}从{from}走到了{to}。"),
        ("{actor} left {from} and ran to {to}.", "{actor}从{from}跑到了{to}。"),
    ),
    "visit": (
        ("{actor} left {from} and went to see {other} {there}.", "{actor}从{from}到{there}去看{other}。"),
        ("{actor} left {from} and joined {other} {there}.", "{actor}从{from}到{there}去找{other}。"),
    ),
    "call": (
        ("{actor} looked around {here} and called {other} over.", "{actor}在{here}四处看了看，把{other}叫了过来。"),
        (
            "{actor} looked around {here} and asked {other} to come over.",
            "{actor}在{here}四处看了看，把{other}请了过来。",
        ),
    ),
    "give": (
        ("{actor} sat down {here} and gave {thing} to {other}.", "{actor}在{here}坐下来，把{thing}给了{other}。"),
        ("{actor} sat down {here} and handed {thing} to {other}.", "{actor}在{here}坐下来，把{thing}递给了{other}。"),
        ("{actor} sat down {here} and passed {thing} to {other}.", "{actor}在{here}坐下来，把{thing}交给了{other}。"),
    ),
    "swap": (
        (
            "{actor} sat down {here} and swapped {thing} for {owner} {second}.",
            "{actor}在{here}坐下来，用{thing}换了{owner}{second}。",
        ),
        (
            "{actor} sat down {here} and traded {thing} for {owner} {second}.",
            "{actor}在{here}坐下来，拿{thing}换来了{owner}{second}。",
        ),
    ),
    "take": (
        ("{actor} looked around {here} and took {thing}.", "{actor}在{here}四处看了看，拿起了{thing}。"),
        ("{actor} looked around {here} and picked {thing} up.", "{actor}在{here}四处看了看，捡起了{thing}。"),
        ("{actor} looked around {here} and grabbed {thing}.", "{actor}在{here}四处看了看，抓起了{thing}。"),
    ),
    "drop": (
        ("{actor} looked around {here} and put {thing} down.", "{actor}在{here}四处看了看，把{thing}放下了。"),
        ("{actor} looked around {here} and set {thing} down.", "{actor}在{here}四处看了看，把{thing}放在了地上。"),
        ("{actor} looked around {here} and left {thing} there.", "{actor}在{here}四处看了看，把{thing}留在了那里。"),
    ),
    "find": (
        ("{actor} looked around {here} and found {new}.", "{actor}在{here}四处看了看，找到了{new}。"),
        ("{actor} looked around {here} and discovered {new}.", "{actor}在{here}四处看了看，发现了{new}。"),
        ("{actor} looked around {here} and came across {new}.", "{actor}在{here}四处看了看，捡到了{new}。"),
    ),
    "rest": (
        ("{actor} sat down {here} and sang a song.", "{actor}在{here}坐下来，唱了一首歌。"),
        ("{actor} sat down {here} and told a story.", "{actor}在{here}坐下来，讲了一个故事。"),
        ("{actor} sat down {here} and took a nap.", "{actor}在{here}坐下来，打了个盹。"),
        ("{actor} sat down {here} and looked at the sky.", "{actor}在{here}坐下来，看了看天空。"),
        ("{actor} sat down {here} and drank some tea.", "{actor}在{here}坐下来，喝了一点茶。"),
        ("{actor} sat down {here} and laughed.", "{actor}在{here}坐下来，笑了起来。"),
    ),
    "held": (("{full} was with {name} {at}.", "{full}在{at}的{name}手中。"),),
    "lies": (("{full} was lying {at}.", "{full}留在了{at}，没有人拿走。"),),
}


def leads(kind: str) -> tuple[Pair, ...]:
    """What a sentence of this kind may begin with."""
    return LEADS.get(kind, (("", ""),))


def wordings(kind: str) -> int:
    """How many equally likely wordings a sentence of this kind has: its leads times its frames."""
    return len(leads(kind)) * len(FRAMES[kind])
