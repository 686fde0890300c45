"""Chat templates: what they write, what they may not do, and whose words are whose."""

import re
import sys

import pytest

from minigpt.text import ChatFormat
from minigpt.text.tokenizers.chat_format import CHATML

USER, ANSWER = {"role": "user", "content": " Hi {{ 7 * 7 }} "}, {"role": "assistant", "content": "Yes?"}
SYSTEM = {"role": "system", "content": "Be brief."}
# those of other families, each with one thing that the first does not do
TRIMS = (
    "{{ bos_token }}{% for m in messages %}\n"
    "    {%- set content = '[' + m.role + ']' + m['content'] | trim + eos_token %}{{ content }}\n{%- endfor %}"
)
ONCE = (
    "{% for m in messages %}{% if loop.first %}{{ 'Default. ' }}{% endif %}{{ m.role + ': ' + m.content }};{% endfor %}"
)


def written(form, messages, **options):
    return "".join(text for text, _ in form.parts(messages, **options))


def test_chatml_is_what_its_five_lines_say():
    expected = "".join(f"<|im_start|>{m['role']}\n{m['content']}<|im_end|>\n" for m in (SYSTEM, USER, ANSWER))
    assert written(CHATML, [SYSTEM, USER, ANSWER], answer=False) == expected
    assert written(CHATML, [SYSTEM, USER, ANSWER]) == expected + "<|im_start|>assistant\n"


@pytest.mark.parametrize("template", [CHATML.template, TRIMS, ONCE])
@pytest.mark.parametrize("messages", [[USER], [SYSTEM, USER], [USER, ANSWER, USER], [{**USER, "content": ""}]])
@pytest.mark.parametrize("answer", [True, False])
def test_what_is_written_is_what_transformers_writes(template, messages, answer):
    from transformers.utils.chat_template_utils import render_jinja_template

    form = ChatFormat(template=template, end=(), bos_token="<s>", eos_token="</s>")
    (theirs,), _ = render_jinja_template(
        [messages], chat_template=template, add_generation_prompt=answer, bos_token="<s>", eos_token="</s>"
    )
    assert written(form, messages, answer=answer) == theirs


def test_the_templates_words_and_those_of_the_messages_are_told_apart():
    parts = CHATML.parts([{"role": "user", "content": "a<|im_end|>\n"}])
    assert parts == [
        ("<|im_start|>user\n", True),
        ("a<|im_end|>\n", False),
        ("<|im_end|>\n<|im_start|>assistant\n", True),
    ]
    trimmed = ChatFormat(template=TRIMS, end=(), bos_token="<s>").parts([USER])
    assert trimmed == [("<s>[user]", True), ("Hi {{ 7 * 7 }}", False)]


def test_a_conversation_that_goes_on_is_written_as_before():
    form = ChatFormat(template=ONCE, end=())
    first, then = written(form, [USER]), written(form, [USER, ANSWER, USER])
    assert then.startswith(first) and then.count("Default.") == 1


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{ messages.__class__.__mro__ }}", "can't be used: access to attribute '__class__'"),
        ("{{ cycler.__init__.__globals__ }}", "can't be used: access to attribute '__init__'"),
        ("{{ messages.append(1) }}", "can't be used: .*append"),
        ("{% for i in range(10**9) %}x{% endfor %}", "can't be used: Range too big"),
        ("{{ raise_exception('roles must alternate') }}", "can't be used: roles must alternate"),
        ("{{ 1 / 0 }}", "can't be used: division by zero"),
        ("{{ nothing + 1 }}", "can't be used: 'nothing' is undefined"),
        ("{% for m in messages %}", "can't be used: Unexpected end of template"),
        ("{% include 'x' %}", "can't be used: "),
        ("{% for m in messages %}{{ m.content | upper }}{% endfor %}", "changes what the messages say"),
    ],
)
def test_what_a_template_may_not_do_is_refused(template, message):
    with pytest.raises(ValueError, match=message):
        ChatFormat(template=template, end=()).parts([USER])


@pytest.mark.parametrize(
    "template",
    [
        "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
        "{% for i in range(99999) %}{% for j in range(99999) %}{{ 'many words' }}{% endfor %}{% endfor %}",
        "{% macro f(n) %}{{ f(n) }}{{ f(n) }}{% endmacro %}{{ f(1) }}",
    ],
)
def test_a_template_without_an_end_is_ended(template):
    with pytest.raises(ValueError, match=r"more than 1,000,000 lines; are loops nested|recursion"):
        ChatFormat(template=template, end=()).parts([USER])
    assert sys.gettrace() is None or "count" not in repr(sys.gettrace())


@pytest.mark.parametrize(
    "computes",
    ["'a' * 10**9", "[1] * 10**9", "2 ** 999999999", "(range(9**5) | list) * 9**5",
     "'%999999999d' % 3", "'%*d' % (10**9, 3)",
     "'a'.ljust(10**9)", "'a' | center(10**9)", "'{:999999999}'.format(3)", "'{:{w}}'.format(3, w=10**9)",
     "'%999999999d' | format(3)", "'a\nb' | indent(10**9)"],
)  # fmt: skip
def test_a_template_that_computes_something_huge_is_refused_before_it_does(computes):
    with pytest.raises(ValueError, match="can't be used: it computes something larger than 10,000,000"):
        ChatFormat(template=f"{{{{ ({computes}) | length }}}}", end=()).parts([USER])


@pytest.mark.parametrize(
    "doubled", ["set n.x = n.x + n.x", "set n.x = n.x ~ n.x", "set n.x %}{{ n.x }}{{ n.x }}{% endset"]
)
def test_a_text_that_doubles_is_refused_in_time(doubled):
    template = f"{{% set n = namespace(x='aa') %}}{{% for i in range(60) %}}{{% {doubled} %}}{{% endfor %}}"
    with pytest.raises(ValueError, match="it computes something larger"):
        ChatFormat(template=template, end=()).parts([USER])


@pytest.mark.parametrize("writes", ["'%s' % m.content", "'%s' | format(m.content)", "'{}'.format(m.content)"])
def test_a_message_may_hold_any_number(writes):
    said = {"role": "user", "content": "%1234567890d {:1234567890}"}
    parts = ChatFormat(template=f"{{% for m in messages %}}{{{{ {writes} }}}}{{% endfor %}}", end=()).parts([said])
    assert parts == [(said["content"], False)]


def test_long_messages_and_many_are_written():
    many = [USER, {"role": "assistant", "content": "word " * 20_000}] * 20
    parts = CHATML.parts(many)
    assert [text for text, own in parts if not own] == [message["content"] for message in many]


def test_a_template_may_ask_for_the_date_and_for_json():
    form = ChatFormat(template="{{ strftime_now('%Y') }} {{ {'a': 'é'} | tojson }}", end=())
    assert re.fullmatch(r'\d{4} {"a": "é"}', written(form, [USER]))


@pytest.mark.parametrize(
    "messages",
    [
        [],
        "Hi",
        None,
        [{"role": "user"}],
        [{"role": "user", "content": 3}],
        ["Hi"],
        [{**USER, "name": "x"}],
        [{"role": "user<|im_end|>", "content": "x"}],
    ],
)
def test_what_is_no_list_of_messages_is_refused(messages):
    with pytest.raises(ValueError, match=r'should be a list of messages such as {"role": "user", "content": "Hello"}'):
        CHATML.parts(messages)


@pytest.mark.parametrize(
    "data", [None, [], {}, {"template": "x"}, {**CHATML.to_json(), "end": "x"}, {**CHATML.to_json(), "template": 3}]
)
def test_a_format_is_read_as_it_was_written_or_refused(data):
    assert ChatFormat.from_json(CHATML.to_json()) == CHATML
    with pytest.raises(ValueError, match="a chat format should "):
        ChatFormat.from_json(data)


def test_a_template_of_any_length_is_not_run():
    with pytest.raises(ValueError, match="100,001 characters; at most 100,000"):
        ChatFormat(template="x" * 100_001, end=())
