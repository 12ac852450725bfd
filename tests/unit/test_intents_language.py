from __future__ import annotations

import pytest

from intents.language import detect


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("忘记密码了怎么办", "zh"),
        ("提幣一直沒到帳", "zh"),
        ("usdt 没到", "zh"),
        ("我转到binance的usdt withdraw pending 3小时了", "zh"),
        ("我的钱包の问题很严重", "zh"),
        ("パスワードを忘れました", "ja"),
        ("お金が届かない", "ja"),
        ("비밀번호를 잊어버렸어요", "ko"),
        ("где мои деньги", "ru"),
        ("أين أموالي من فضلك", "ar"),
        ("ลืมรหัสผ่าน", "th"),
        ("no puedo entrar en mi cuenta", "es"),
        ("j'ai oublié mon mot de passe", "fr"),
        ("Wo ist mein Geld geblieben", "de"),
        ("esqueci a minha senha", "pt"),
        ("şifremi unuttum ne yapmalıyım", "tr"),
        ("tiền của tôi đâu rồi", "vi"),
        ("uang saya belum masuk", "id"),
        ("my usdt is stuck for 3 hours", "en"),
        ("cant login", "en"),
        ("WHERE IS MY MONEY", "en"),
    ],
)
def test_it_is_told_from_the_text_whatever_the_hint(text: str, language: str) -> None:
    assert detect(text) == language
    assert detect(text, "fr") == language


@pytest.mark.parametrize(
    "text", ["", "   ", "👍", "😂😂", "123", "0.5 + 1", "ok", "thx", "kyc?", "wtf", "lol", "hi", "usdt"]
)
def test_too_little_to_tell_follows_the_hint(text: str) -> None:
    assert detect(text) is None
    assert detect(text, "zh-hans") == "zh"
    assert detect(text, "pt_BR") == "pt"
