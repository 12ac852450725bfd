"""How customers give a secret: wordings in several languages, and ways to write a phrase."""

from __future__ import annotations

import random

PHRASE = (
    "{}",
    "my seed phrase is {}",
    "hi, here are my words: {} please check why the balance is zero",
    "I restored with {} and there is nothing",
    "can you import this for me? {}",
    "{}\nwhat is wrong with it",
    "助记词 {}",
    "我的助记词是{}，帮我看看为什么余额是零",
    "麻烦帮我恢复一下钱包 {} 谢谢",
    "{} 这个导入不了",
    "我抄下来的是 {} 你看对不对",
    "mi frase es {} ayuda por favor",
    "voici mes mots {} merci",
    "моя фраза {} помогите",
    "シードフレーズは {} です",
)
INSIDE = (
    "我的助记词是{}帮我看看",
    "我用{}导入钱包之后余额是零怎么办",
    "您好我的钱包打不开了{}这是我抄的",
    "昨天备份的是{}现在提示不对",
    "{}",
    "助记词{}",
    "你看一下{}哪里错了",
)
KEY = (
    "private key: {}",
    "my private key is {} help",
    "I exported the key {} from MetaMask and cannot import it",
    "here is the secret key {}",
    "私钥 {}",
    "我的私钥是{}",
    "用私钥{}导入不了",
    "{} 这个私钥导入显示余额为0",
    "clave privada {}",
    "приватный ключ {}",
    "秘密鍵は {} です",
    "privkey={}",
    "{}\nthat is my private key, please restore",
    "I have the pk {} but no balance shows",
)
FORM = (
    "{}",
    "here it is {} thanks",
    "导入这个 {} 失败了",
    "this does not work: {}",
    "钱包里导出来的是这个{}",
    "por favor {}",
)
HASH = (
    "tx hash {}",
    "transaction id: {}",
    "my hash is {} please check",
    "交易哈希 {}",
    "哈希值是{}，查一下到账没有",
    "txid={}",
    "转账记录 {}",
    "https://tronscan.org/#/transaction/{}",
    "https://etherscan.io/tx/0x{}",
    "the transaction {} is still pending",
    "хеш транзакции {}",
    "I never shared my private key, but the money is gone: hash {}",
    "这是交易哈希不是私钥 {}",
)
API = (
    "API secret: {}",
    "api密钥 {}",
    "my binance secret key is {}",
    "secret={}",
    "apiSecret: {}",
    "API Secret是{}，为什么提示无效",
)
PASSWORD = (
    "my password is {}",
    "password: {}",
    "密码是{}",
    "我的登录密码是{}，登录不上",
    "密码：{}",
    "pw {}",
    "密码{}不对",
    "{} 是我的密码",
    "{} is my password and it does not work",
    "账号 13800000000 密码 {}",
    "mi contraseña es {}",
    "mot de passe: {}",
    "мой пароль {}",
    "支付密码改成了{}还是不行",
    "passwort ist {}",
    "I set the wallet password to be safe, password = {}",
)
CODE = (
    "验证码 {}",
    "验证码是{}",
    "收到的验证码{}输进去没用",
    "{} 这是验证码",
    "{}是我收到的验证码",
    "the verification code is {}",
    "code: {}",
    "my otp {}",
    "{} is the code I got",
    "google authenticator code {}",
    "动态码 {} 不对",
    "the code I received is {}",
    "код {}",
    "mi código es {}",
)
CARD = ("{}", "card number {}", "我的银行卡号是{}", "卡号{}", "charged twice on {}", "visa {} declined")
IDENTITY = ("{}", "身份证号 {}", "我的身份证是{}，实名通不过", "证件号码：{}", "ID {}")


def written(rnd: random.Random, words: list[str]) -> str:
    """In a row, one a line, numbered, with commas, in two columns, full-width, capital."""
    ways = (
        lambda: " ".join(words),
        lambda: "\n".join(words),
        lambda: "\n".join(f"{n}. {w}" for n, w in enumerate(words, 1)),
        lambda: " ".join(f"{n}.{w}" for n, w in enumerate(words, 1)),
        lambda: ", ".join(words),
        lambda: "，".join(words),
        lambda: "\n".join(
            f"{n + 1}. {words[n]}   {n + 1 + len(words) // 2}. {words[n + len(words) // 2]}"
            for n in range(len(words) // 2)
        ),
        lambda: " ".join(words).upper(),
        lambda: " ".join(word.capitalize() for word in words),
        lambda: "".join(
            chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else "\u3000" if c == " " else c for c in " ".join(words)
        ),
        lambda: "\n".join(f"word {n}: {w}" for n, w in enumerate(words, 1)),
        lambda: "_".join(words) + ".txt",
    )
    return rnd.choice(ways)()
