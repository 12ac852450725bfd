"""Whether a message may be one of several that make a secret together: asked of each message, so it must be quick."""

from __future__ import annotations

import re

from bot.guard.secrets import chinese, phrases
from bot.guard.secrets.rows import Row
from bot.guard.secrets.schemes import is_monero_piece
from bot.guard.secrets.view import View
from bot.guard.secrets.words import lists

_LONG = 2_000
"""Characters behind which a message is a part without being looked at: nearly nobody writes so many, and a chunk of a
keystore or of a PEM block has as many."""
_MOST_WORDS = 50
"""Words of a message that may be a part of a phrase: 24 and as many others."""
_TAIL = 40
"""Characters at the end of a message in which it says what the next one will be."""
_FEW = 4
"""Words of a message that announces a secret by its name alone: "my seed phrase"."""

_CHUNK = re.compile(
    r"(?<![!-~])(?=[!-~]{0,63}[0-9+/=_!@#$%^&*])[!-~]{16}|"  # of a key
    r"(?<![0-9a-z])(?=[a-z]{0,20}\d)(?=\d{0,20}[a-z])[0-9a-z]{8}|"
    r"[{}\[\]\"]\s*[\"{}\[\]]|[\"']\s{0,3}:|-----|"  # of JSON or PEM
    r"(?:\d{1,3}\s{0,2},\s{0,2}){6}|(?<![0-9a-z])(?:[0-9a-f]{4}\s){4}"  # of an array of bytes, or digits in groups
)
_BARE = re.compile(r"[\"'“”「」`(]?(?=[!-~]*[^A-Za-z\s])[!-~]{3,72}\Z")
"""One word with a digit or sign in it: a password, a code, a line of a key."""
_DIGITS = re.compile(r"[\d\s.,:;/|-]+\Z")

_CLOSING = " \t\n.。:：=-—–…,，\"'“”‘’「」『』*`(（)）!！⬇👇↓"
_LEADS = frozenset(
    """is are was here as follows below next coming following this these it es est ist sono é son jest это like
    the in one message now""".split()  # noqa: SIM905
)
"""Words between the name of a secret and the end of the message that announces it."""
_LEADS_CHINESE = (
    "是",
    "为",
    "為",
    "如下",
    "在下面",
    "在下边",
    "发给你",
    "发你",
    "这个",
    "就是",
    "下面",
    "这样",
    "は",
    "です",
    "는",
    "은",
    "입니다",
)
_NAMES = frozenset(
    """password passwords passwd pass passcode passphrase pwd pw psw pin mima contraseña contrasena clave
    пароль passwort kennwort senha şifrem sifrem parolam sandi hasło haslo heslo wachtwoord code codes
    otp 2fa código codigo код codice phrase phrases words seed seeds mnemonic mnemonics srp key keys
    secret secrets token keystore json fraza semilla фраза сид мнемоника ключ""".split()  # noqa: SIM905
)
_NAMES_ELSEWHERE = (
    "密码", "密碼", "口令", "pin码", "验证码", "驗證碼", "校验码", "动态码", "动态密码", "授权码", "确认码",
    "谷歌码", "助记词", "助記詞", "助记詞", "备份词", "恢复词", "注记词", "助计词", "記憶詞", "记忆词", "种子",
    "私钥", "私鑰", "私密", "秘钥", "秘鑰", "密钥", "密鑰", "暗証番号", "パスワード", "認証コード",
    "確認コード", "シード", "フレーズ", "ニーモニック", "秘密鍵", "비밀번호", "인증번호", "인증코드", "시드",
    "구문", "문구", "니모닉", "개인키", "암호", "単語", "单词", "mot de passe", "mật khẩu", "kata sandi",
)  # fmt: skip


def continues(text: str) -> bool:
    """Whether this message may be a part of a secret that is spread over several, or announces one.

    True for each message in which ``search`` finds a part of a secret that has others, and for one that ends by naming
    a secret ("my password is"). Of ordinary messages for few; for some 10 µs of work.
    """
    if len(text) > _LONG:
        return True
    view = View(text)
    lower = view.lower.strip()
    if not lower:
        return False
    if _BARE.match(lower) or _CHUNK.search(lower) or _DIGITS.match(lower):
        return True
    return _announces(lower) or _has_words(view) or (not lower.isascii() and chinese.has_piece(view))


def _announces(lower: str) -> bool:
    """Whether the message ends by naming a secret, and says that it follows, or says nothing else."""
    rest = lower[-_TAIL:]
    tail = rest.rstrip(_CLOSING)
    leads = rest[len(tail) :].strip() not in ("", ".", "。", "!", "！", ")", "）")
    for _ in range(4):
        cut = tail.rpartition(" ")[2]
        if cut in _LEADS:
            shorter = tail[: -len(cut)]
        elif tail.endswith(_LEADS_CHINESE):
            shorter = tail[: -max(len(lead) for lead in _LEADS_CHINESE if tail.endswith(lead))]
        else:
            break
        tail, leads = shorter.rstrip(_CLOSING), True
    named = tail.rpartition(" ")[2] in _NAMES or tail.endswith(_NAMES_ELSEWHERE)
    return named and (leads or lower.count(" ") < _FEW - 1)


def _has_words(view: View) -> bool:
    """Whether the words of a list are a good part of the message."""
    row = Row(view, 0)
    if len(row) > _MOST_WORDS:
        return False
    places = row.of_piece()
    keys, bits = [row.keys[place] for place in places], [row.bits[place] for place in places]
    if is_monero_piece(keys):
        return True
    if not phrases.is_piece(keys, bits, None):
        return False
    every = 0
    for some in bits:
        every |= some
    for words in lists():
        if words.bit & every:
            listed = [some & words.bit for some in bits]
            if words.is_short and (len(listed) < 2 or not all(listed)):
                continue
            if phrases.is_piece(keys, listed, None):
                return True
    return False
