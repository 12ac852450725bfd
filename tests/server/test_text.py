"""One spelling of what customers type."""

from __future__ import annotations

import unittest

from encoders.text import MAX_CHARACTERS, normalise


class Normalise(unittest.TestCase):
    def assert_spellings(self, *cases: tuple[str, str]) -> None:
        for typed, seen in cases:
            with self.subTest(typed=ascii(typed[:40])):
                self.assertEqual(normalise(typed), seen)

    def test_white_space(self) -> None:
        self.assert_spellings(
            ("  hello \n\t world ", "hello world"),
            ("\u3000你好\u3000", "你好"),
            ("a\u00a0\u2003b", "a b"),
            (" \n ", ""),
            ("", ""),
        )

    def test_full_width_and_other_forms_of_a_letter(self) -> None:
        self.assert_spellings(
            ("ＵＳＤＴ没到账！", "USDT没到账!"),
            ("／greet", "/greet"),
            ("１２３．４５", "123.45"),
            ("ﾊﾟｽﾜｰﾄﾞ", "パスワード"),
            ("𝐇𝐞𝐥𝐩 ①", "Help 1"),
            ("cafe\u0301", "café"),
        )

    def test_invisible_characters(self) -> None:
        self.assert_spellings(
            ("ze\u200bro\ufeff width", "zero width"),
            ("\u202eright to left", "right to left"),
            ("soft\u00adhyphen", "softhyphen"),
            ("\u200b\ufeff\u2060", ""),
            ("he\u200be\u200be\u200belp", "heelp"),
        )

    def test_repeated_letters(self) -> None:
        self.assert_spellings(
            ("heeeeelp meee", "heelp mee"),
            ("哈哈哈哈哈", "哈哈"),
            ("没到账！！！！", "没到账!!"),
            ("。。。。", "。。"),
            ("มากกกกก", "มากก"),
            ("too", "too"),
        )

    def test_amounts_keep_their_digits(self) -> None:
        self.assert_spellings(
            ("sent 100000 usdt", "sent 100000 usdt"),
            ("１０００００", "100000"),
            ("٣٠٠٠٠", "٣٠٠٠٠"),
        )

    def test_emoji_beside_words_go(self) -> None:
        self.assert_spellings(
            ("没到账😭😭😭", "没到账"),
            ("help👍🏽 me", "help me"),
            ("I ❤️ it", "I it"),
            ("👨‍👩‍👧 family", "family"),
            ("🇨🇳 你好 🏴󠁧󠁢󠁥󠁮󠁧󠁿", "你好"),
            ("☎️123", "123"),
        )

    def test_an_emoji_alone_stays(self) -> None:
        self.assert_spellings(
            ("😂", "😂"),
            (" 😂\n", "😂"),
            ("👍🏽", "👍🏽"),
            ("🇨🇳", "🇨🇳"),
            ("😂😂😂😂😂", "😂😂"),
            ("😭！！！", "😭!!"),
        )

    def test_keycaps_keep_their_digit(self) -> None:
        for typed in ("1️⃣", "5️⃣5️⃣5️⃣", "选 2️⃣", "*️⃣", "#️⃣ 1"):
            with self.subTest(typed=typed):
                self.assertEqual([c for c in normalise(typed) if c.isdigit()], [c for c in typed if c.isdigit()])

    def test_traditional_chinese_becomes_simplified(self) -> None:
        self.assert_spellings(
            ("到帳", "到账"),
            ("账号 賬號 帐号 帳號", "账号 账号 账号 账号"),
            ("為什麼還沒到帳", "为什么还没到账"),
            ("說好的餘額", "说好的余额"),
            ("USDT 轉帳 not received", "USDT 转账 not received"),
            ("後來", "后来"),
            ("皇后", "皇后"),
        )

    def test_japanese_keeps_its_characters(self) -> None:
        self.assert_spellings(
            ("送金が完了しました、残高を確認", "送金が完了しました、残高を確認"),
            ("パスワード變更", "パスワード變更"),
            ("國の口座", "國の口座"),
        )

    def test_other_languages_stay_as_they_are(self) -> None:
        for text in ("비밀번호를 잊어버렸어요", "نسيت كلمة المرور", "Tôi quên mật khẩu", "забыл пароль", "ลืมรหัสผ่าน"):
            with self.subTest(text=text):
                self.assertEqual(normalise(text), text)

    def test_the_limit(self) -> None:
        self.assert_spellings(
            ("ab" * 400, "ab" * (MAX_CHARACTERS // 2)), ("帳號" * 400, "账号" * (MAX_CHARACTERS // 2))
        )
        # One character that NFKC writes as eighteen, and space that does not count.
        for typed in ("\ufdfa" * 600, "﷽ " * 600, "㍿" * 600, " ".join("ab" * 600)):
            with self.subTest(typed=typed[:2]):
                self.assertLessEqual(len(normalise(typed)), MAX_CHARACTERS)
        self.assertEqual(normalise(" " * 1000 + "help"), "help")

    def test_what_is_no_text_upsets_nothing(self) -> None:
        for typed in (
            "",
            "\ud800",
            "\udfffabc",
            "為\ud83d沒到帳",
            "\x00",
            "a\x00b",
            "\uffff",
            "\U0010ffff",
            "\ufe0f",
            "\u0301" * 9,
        ):
            with self.subTest(typed=ascii(typed)):
                # The encoders behind it take only what can be written as UTF-8.
                normalise(typed).encode("utf-8")

    def test_once_is_enough(self) -> None:
        for typed in ("heeeelp👍🏽 me！！！", "為什麼 還沒😭到帳。。。", "ＵＳＤＴ\u200b１００００", "1️⃣ 号", "I ❤️ it"):
            with self.subTest(typed=typed):
                self.assertEqual(normalise(normalise(typed)), normalise(typed))


if __name__ == "__main__":
    unittest.main()
