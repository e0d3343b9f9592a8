"""What the words of a text are."""

# ruff: noqa: RUF001 - letters that look alike are what is meant

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtactors.alignment.words import may_end_a_word, whole_words

# Of each kind that is treated in its own way, and what goes wrong easily.
LETTERS = "ab1 \n\t.,*_-<>(「」。！你好เก็าะかゃーッ々안녕مرحבाक्ស្រမ\u0301\u200d\ufe0f\U0001f44b\U0001f1e9\ud800 "
texts = st.one_of(st.text(max_size=40), st.text(LETTERS, max_size=40))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Hello, wide world!", ["Hello,", " wide", " world!"]),
        (" a\n\nb \n", [" a", "\n\nb \n"]),
        ("**bold** and <b>x</b>", ["**bold**", " and", " <b>x</b>"]),
        ("see https://example.com/a?b=c.", ["see", " https://example.com/a?b=c."]),
        ("Hi 👋🏽 you", ["Hi", " 👋🏽", " you"]),
        ("3,500 p.m.", ["3,500", " p.m."]),
        ("你好，世界！", ["你", "好，", "世", "界！"]),
        ("他说「是」（对吗？）", ["他", "说", "「是」", "（对", "吗？）"]),
        ("用GPT-5写", ["用", "GPT-5", "写"]),
        ("コーヒーをちょっと。", ["コー", "ヒー", "を", "ちょっ", "と。"]),
        ("สวัสดีครับ ไปเที่ยว", ["ส", "วั", "ส", "ดี", "ค", "รั", "บ", " ไป", "เที่", "ย", "ว"]),
        ("ສະບາຍດີ", ["ສະ", "ບາ", "ຍ", "ດີ"]),
        ("ខ្ញុំស្រលាញ់", ["ខ្ញុំ", "ស្រ", "លា", "ញ់"]),
        ("안녕하세요. 오늘", ["안녕하세요.", " 오늘"]),
        ("שלום עולם", ["שלום", " עולם"]),
        ("नमस्ते दुनिया।", ["नमस्ते", " दुनिया।"]),
        ("", []),
        (" \n", [" \n"]),
    ],
)
def test_words_of_many_scripts(text: str, words: list[str]) -> None:
    assert whole_words(text, over=True) == words


def test_the_last_one_may_still_grow() -> None:
    assert whole_words("one tw", over=False) == ["one"]
    assert whole_words("one two ", over=False) == ["one", " two"]
    assert whole_words("你", over=False) == []
    assert whole_words("你好", over=False) == ["你"]


@given(texts)
def test_they_are_the_text(text: str) -> None:
    words = whole_words(text, over=True)
    assert "".join(words) == text
    assert all(word.strip() for word in words) or len(words) == 1


@given(texts, texts)
def test_what_is_whole_stays_what_it_is(text: str, more: str) -> None:
    words, later = whole_words(text, over=False), whole_words(text + more, over=True)
    assert [word.rstrip() for word in words] == [word.rstrip() for word in later[: len(words)]]


@given(texts, texts)
def test_without_an_end_the_last_one_only_grows(text: str, more: str) -> None:
    rest = text[len("".join(whole_words(text, over=False))) :]
    if not may_end_a_word(rest.strip() + more):
        assert whole_words(text, over=False) == whole_words(text + more, over=False)


@pytest.mark.parametrize("letter", [*"a*你เー ", "*你", "a ", "<a", "1,"])
def test_a_long_text_of_anything(letter: str) -> None:
    text = letter * 100_000  # in quadratic time: for hours
    assert "".join(whole_words(text, over=True)) == text
