"""Texts that YAML, Markdown or Rasa's training format would mistake for something else."""

NASTY = (
    *("- -5 dollars", "-5", "a: b", "# no comment", "[x", "a # b", "'single'", '"double"', "yes", "null", "1.5"),
    *("2020-01-01", "${HOME}", "\\u4f60", "a\\nb", "\\", "{a}", "%d", "|", "> x", "*a", "&b", "!c", "@d", "`e"),
    *(
        "[a]b",
        "two\nlines",
        "- one\n- two",
        "tab\there",
        "\x00",
        "\x07bell",
        "nel\x85x",
        "a\u2028b",
        "a\x0bb",
        "\x7f",
    ),
    *(
        "😂",
        "👩‍👩‍👧 x",
        "\ufeffbom",
        "忘记密码：怎么办？",
        "כסף",
        "~",
        "?",
        "? x",
        "---",
        "...",
        "a" * 3000,
        "｀",
        "<b>&amp;",
    ),
)

ENTITIES = ("[this](for example)", "[[](x)a](b)", "[[a](b)](c)", "[a]{oops}", '[a][{"entity": "b"}]')
