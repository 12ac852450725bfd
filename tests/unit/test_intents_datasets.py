"""Data sets: what is read, what is refused and how that is said, folds, and texts that YAML would mistake."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from intents.datasets import DatasetError, Example, make_folds, read_dataset, write_rasa
from tests.support.nasty_texts import ENTITIES, NASTY

"""What Rasa would take for an entity, and may not be able to read as one."""


def written(tmp_path: Path, name: str, content: str | bytes) -> Path:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


# --- tables -------------------------------------------------------------------------------------


def test_csv(tmp_path: Path) -> None:
    content = '\ufeffText,Category,language,kind\r\n"one, ""two""\nthree",greet,en,\r\n\r\n你好,greet,zh,short\r\n'
    dataset = read_dataset(written(tmp_path, "a.csv", content))
    assert dataset.examples == (
        Example('one, "two"\nthree', "greet", "en"),
        Example("你好", "greet", "zh", "short"),
    )
    assert dataset.ignored == ()


def test_in_tsv_a_quotation_mark_is_a_character(tmp_path: Path) -> None:
    content = 'label\ttext\ngreet\t"hi\nbye\tsee "you" \n'
    dataset = read_dataset(written(tmp_path, "a.tsv", content))
    assert dataset.examples == (Example('"hi', "greet"), Example('see "you"', "bye"))


def test_columns_that_mean_nothing_are_named(tmp_path: Path) -> None:
    dataset = read_dataset(written(tmp_path, "a.csv", "id,text,intent,source\n1,hi,greet,x\n"))
    assert dataset.examples == (Example("hi", "greet"),)
    assert dataset.ignored == ("id", "source")


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("a.csv", "", r"a\.csv, line 1: the header is empty; it needs text and one of label, intent, category"),
        ("a.csv", "words,label\nhi,greet\n", r"line 1: the header is words, label; it needs text"),
        ("a.csv", "text,topic\nhi,greet\n", r"line 1: the header is text, topic; it needs"),
        ("a.csv", "text,label,intent\nhi,a,b\n", "one of label, intent"),
        ("a.csv", "text,label\n", "no examples"),
        ("a.csv", 'text,label\n"two\nlines",greet\nhi\n', "line 4: 1 columns; the header has 2"),
        ("a.csv", "text,label\nhi,greet,more\n", "line 2: 3 columns"),
        ("a.csv", 'text,label\nhi,greet\n"never closed,greet\n', "line 3: not CSV"),
        ("a.csv", 'text,label\n"hi"there,greet\n', "line 2: not CSV"),
        ("a.csv", "text,label\n  ,greet\n", "line 2: there is no text"),
        ("a.tsv", "text\tlabel\nhi\t\n", "line 2: there is no label"),
        ("a.csv", "text,label\nhi,faq/ask\n", "line 2: faq/ask cannot be a label"),
        ("a.csv", "text,label\nhi,nlu_fallback\n", "nlu_fallback cannot be a label"),
        ("a.csv", "text,label\nhi,greet\n".encode("utf-16"), "not UTF-8"),
        ("a.txt", "hi\n", r"not a data set\. It ends in"),
        ("a.yml", "nlu: [\n", "cannot be read"),
        ("a.yml", "version: '3.1'\n", "no list named nlu"),
        ("a.yml", "nlu: hello\n", "no list named nlu"),
        ("a.yml", "nlu:\n- intent: a\n  examples: |\n    - hi\n    there\n", "line 5: an example begins with '- '"),
        ("a.yml", "nlu:\n- intent: a\n  examples: |\n    - hi\n    -\n", "line 5: there is no text"),
        ("a.yml", "nlu:\n- intent: a\n  examples:\n  - text: hi\n  - words: hi\n", "line 5: an example in a list"),
        ("a.yml", "nlu:\n- intent: b\n\n- intent: a\n", "line 2: the intent has no examples"),
        ("a.yml", "nlu:\n- intent: [a]\n  examples: |\n    - hi\n", "there is no label"),
        ("a.yml", b"nlu: \xff\n", "not UTF-8"),
    ],
)
def test_what_is_refused(tmp_path: Path, name: str, content: str | bytes, why: str) -> None:
    path = written(tmp_path, name, content)
    with pytest.raises(DatasetError, match=why) as caught:
        read_dataset(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("name", ["gone.csv", "gone.yml"])
def test_a_file_that_is_not_there(tmp_path: Path, name: str) -> None:
    with pytest.raises(DatasetError, match="No such file"):
        read_dataset(tmp_path / name)


# --- Rasa's YAML --------------------------------------------------------------------------------

RASA = """
version: "3.1"
nlu:
- intent: transfer
  metadata:
    language: en
    kind: short
  examples: |
    - send [2](amount) [bitcoin]{"entity": "coin"}
    --5 dollars
- intent: greet
  examples:
  - text: |
      good
      morning
    metadata:
      language: en
- synonym: BTC
  examples: |
    - bitcoin
"""


def test_rasa_yaml(tmp_path: Path) -> None:
    assert read_dataset(written(tmp_path, "a.yml", RASA)).examples == (
        Example("send 2 bitcoin", "transfer", "en", "short"),
        Example("-5 dollars", "transfer", "en", "short"),
        Example("good\nmorning", "greet", "en"),
    )


def test_a_folder_may_hold_other_things(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    written(tmp_path, "deep/a.yaml", RASA)
    written(tmp_path, "responses.yml", "responses: {}\n")
    written(tmp_path, "notes.txt", "to do")
    assert len(read_dataset(tmp_path).examples) == 3
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="no examples"):
        read_dataset(tmp_path / "empty")


def test_nasty_texts_come_back_as_they_were(tmp_path: Path) -> None:
    examples = [
        Example(text, f"topic {i % 3}", [None, "en"][i % 2], ["far", None][i % 2]) for i, text in enumerate(NASTY)
    ]
    path = tmp_path / "nlu.yml"
    write_rasa(examples, path)
    assert Counter(read_dataset(path).examples) == Counter(examples)
    # Else Rasa reads it as Python source.
    assert not path.read_text(encoding="utf-8").isascii()


def test_what_looks_like_an_entity_stays_a_text(tmp_path: Path) -> None:
    path = tmp_path / "nlu.yml"
    write_rasa([Example(text, "a") for text in ENTITIES], path)
    read = [example.text for example in read_dataset(path).examples]
    assert [text.replace("［", "[") for text in read] == list(ENTITIES)
    assert read[0] == "［this](for example)"


def test_half_an_emoji_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / "nlu.yml"
    write_rasa([Example("half \ud83d", "a")], path)
    assert read_dataset(path).examples == (Example("half ?", "a"),)


# --- folds --------------------------------------------------------------------------------------


def many(label: str, count: int, language: str | None = None) -> list[Example]:
    return [Example(f"{label} {language} {i}", label, language) for i in range(count)]


def test_every_example_is_in_one_fold() -> None:
    examples = [*many("a", 31, "en"), *many("a", 17, "zh"), *many("b", 5), *many("c", 1)]
    folds = make_folds(examples, 5)
    assert Counter(example for fold in folds for example in fold) == Counter(examples)
    assert {len(fold) for fold in folds} <= {10, 11}


def test_intents_and_languages_are_alike_in_all_folds() -> None:
    folds = make_folds([*many("a", 31, "en"), *many("a", 17, "zh"), *many("b", 5)], 5)
    for stratum, few, most in ((("a", "en"), 6, 7), (("a", "zh"), 3, 4), (("b", None), 1, 1)):
        counts = [sum((example.label, example.language) == stratum for example in fold) for fold in folds]
        assert (min(counts), max(counts)) == (few, most)


def test_folds_are_the_same_every_time() -> None:
    examples = many("a", 50)
    assert make_folds(examples, 3) == make_folds(examples, 3)
    assert make_folds(examples, 3) != make_folds(examples, 3, seed=1)


def test_twins_stay_together_and_doubles_count_once() -> None:
    twins = [
        Example("Where is my money?", "a"),
        Example("where is my  money", "a"),
        Example("WHERE IS MY MONEY!!", "b"),
    ]
    folds = make_folds([*twins, twins[0], *many("a", 20), Example("?", "a"), Example("!", "a")], 4)
    homes = {i for i, fold in enumerate(folds) for example in fold if example in twins}
    assert len(homes) == 1
    assert sum(len(fold) for fold in folds) == 25
    # Without a letter a text is its own: "?" is no twin of "!".
    assert sum(example.text in "?!" for fold in folds for example in fold) == 2


@pytest.mark.parametrize("count", [1, 4])
def test_too_many_folds_or_too_few(count: int) -> None:
    with pytest.raises(DatasetError, match=rf"3 different examples cannot be dealt into {count} folds"):
        make_folds(many("a", 3), count)
