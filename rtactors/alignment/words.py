"""What the words of a text are, in any script. Pure."""

import re

# Scripts that put no spaces between words. Of these a word is a letter with all that can't stand without it.
_THAI_LAO_FIRST = "\u0e40-\u0e44\u0ec0-\u0ec4"  # vowels written before the consonant that they are spoken after
_JOINED = (  # letters that go on with the syllable before them
    "\u0e30-\u0e33\u0e45\u0e46\u0e2f\u0eb0-\u0eb3\u0ebd\u0ec6"  # Thai and Lao vowels behind their consonant, and marks
    "\u3041\u3043\u3045\u3047\u3049\u3063\u3083\u3085\u3087\u308e\u3095\u3096"  # small hiragana
    "\u30a1\u30a3\u30a5\u30a7\u30a9\u30c3\u30e3\u30e5\u30e7\u30ee\u30f5\u30f6\u30fc"  # small katakana, long vowel
    "\u3005\u309d\u309e\u30fd\u30fe"  # "the same once more"
)
_UNSPACED = (
    "\u0e00-\u0eff"  # Thai, Lao
    "\u1000-\u109f\u1780-\u17ff"  # Burmese, Khmer
    "\u3005-\u3007\u3041-\u30ff\u31f0-\u31ff\uff66-\uff9d"  # kana
    "\u2e80-\u2fdf\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Han
)
_STACKING = "\u1039\u17d2"  # of the next letter of Burmese and Khmer make one that is written below this one
_OPENING = "(\\[{\u201c\u2018\u00ab\u3008\u300a\u300c\u300e\u3010\u3014\u3016\uff08\uff3b\uff5b"
_WORD = re.compile(
    rf"\s*+(?:[^\w\s{_UNSPACED}]*[{_THAI_LAO_FIRST}]{{0,2}}[{_UNSPACED}]"
    rf"(?:[{_STACKING}][{_UNSPACED}]|[{_JOINED}]|[^\w\s{_OPENING}]){{0,30}}+|[^\s{_UNSPACED}]++)"
)
_MAY_END = re.compile(rf"[\s{_UNSPACED}]")


def may_end_a_word(text: str) -> bool:
    """Whether a word may be whole that was not before this came; if not, it only makes the last one longer."""
    return _MAY_END.search(text) is not None


def whole_words(text: str, *, over: bool) -> list[str]:
    """Its words, each with the white space before it (the last one also with what is after it): joined, the text.

    Without what may still grow, if the text is not `over`: these words stay what they are, however it goes on. Chinese,
    Japanese, Thai, Lao, Khmer and Burmese put no spaces between words: theirs are cut into syllables.
    """
    spoken = text.rstrip()
    words: list[str] = _WORD.findall(spoken)
    behind = text[len(spoken) :]
    if over and behind:
        words[-1:] = ["".join(words[-1:]) + behind]
    elif not over and not behind:
        del words[-1:]
    return words
