"""Passwords and one-time codes that are given as such: by the words before or behind them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.guard.secrets.finding import Certainty, Finding, SecretKind, Span
from bot.guard.secrets.view import View, denied
from bot.guard.secrets.words import FUNCTION

BY_WORD = (
    r"密[码碼]|密马|蜜码|口令|pin ?码|暗証番号|パスワード|비밀 ?번호|암호|كلمة المرور|पासवर्ड|รหัสผ่าน|"
    r"(?<![0-9a-zа-яà-ÿ])(?:pass ?words?|pass?wr?o?r?ds?|passwd|pass(?: ?code| ?phrase)?|pwd|pw|psw|"
    r"pin(?: code| number)?|mima|"
    r"contraseña|contrasena|clave|"
    r"mot de passe|mdp|пароль|паролем|passwort|kennwort|senha|şifrem?|sifrem?|parolam?|mật khẩu|mat khau|(?<![._/-])mk|"
    r"(?:kata )?sandi|"
    r"password nya|hasło|haslo|heslo|wachtwoord|lösenord|salasana|adgangskode)(?![0-9a-zа-яà-ÿ])"
)
_OF = (
    r"(?:\s(?:saya|anda|của (?:tôi|mình|em)|mia|mio|mi|mon|meu|minha|my|от \S{2,14}|для \S{2,14}|"
    r"for (?:my|the) \w{1,12},?|of (?:my|the) \w{1,12},?|"
    r"i (?:always |usually |normally |just |have )?"
    r"(?:use|used|type|typed|set|put|tried|try|enter|entered|chose|made))){0,2}"
)
"""Whose it is, or what for."""
_IS = (
    r"\s{0,3}(?:(?:还|都|就|也|应该|好像|一直|现在)?(?:是|为|為|设(?:置|成|的是|为)|改成了?|换成了?|用的?是|叫)|"
    r"(?:to log ?in |for (?:my|the) \w{1,12} |of (?:my|the) \w{1,12} |i (?:use|set|used) )?"
    r"(?:is|was|es|est|ist|é|è|это|jest|là|adalah)(?![a-zа-яà-ÿ])|'s(?![a-z])|は、?|는|은|이|=>?|->|[:：—]|\s[-–]\s)"
    r"(?:\s{0,2}(?:[:：=]|(?:still|now|just|this|probably)(?![a-z])))?[\s\"'“”‘’「」『』`*<(（【]{0,4}"
)
_VALUE = r"((?![,.;:)\]])[!-~]{3,72}|[一-鿿]{1,6}\d{6,12})"
_GIVEN = re.compile(f"(?:{BY_WORD}){_OF}{_IS}{_VALUE}")
_SEVERAL = re.compile(
    f"(?:{BY_WORD}){_OF}{_IS}"
    r"((?:[a-z]{2,12} ){1,5}[a-z]{2,12}\d{1,6}(?![0-9a-z])|(?<=[\"'“「])[!-~]{2,20}(?: [!-~]{2,20}){1,5}(?=[\"'”」]))"
)
"""Several words: the last with a number, or all in quotation marks."""
_LOOSE = re.compile(r"(?:密[码碼]|密马|口令)([^\n!-~。？]{1,8})\s?((?=[!-~]{0,71}\d)[!-~]{6,72})")
_NOT_LOOSE = re.compile(r"错|錯|忘|重置|找回|提示|位|几|吗|多少|次|改|客服|验证|短信|号|后|时|在|的是")
_MINE = re.compile(r"我|发|發|输|輸|用")
_BESIDE = re.compile(
    f"(?<!忘记)(?<!重置)(?<!修改)(?<!找回)(?<!忘了)(?<!更改)(?<!输入)(?:{BY_WORD}){_OF}"
    f"[\\s\"'“”「」(（【]{{0,3}}((?![,.;:=)\\]])[!-~]{{6,72}})"
)
_PIN = re.compile(
    r"(?<![a-z0-9])pin(?:[ -]?(?:code|number)|码)?(?: i (?:set|use|have|chose))?[\s:=]{0,3}"
    r"(?:is\s)?(\d{4,8})(?![0-9a-z]|[.,:/-]\d)"
)
_BEHIND = re.compile(
    r"(?<![!-~])[\"'“”「」`(（]?([!-~]{4,72}?)[\"'“”「」`)）]?[\s,，]{0,2}"
    rf"(?:(?:这个|這個|这)?(?:就)?(?:是|为|当|作|做)(?:我的?|我们的?|他的?|这个|旧的?|新的?|原来的?|钱包的?|登录|账号的?|账户的?|支付|交易)*\s?(?:{BY_WORD})|"
    rf"(?:这个|這個|这)\s?(?:{BY_WORD})|(?:提示|说|显示)(?:{BY_WORD})(?:错误|错|不对|不正确)|"
    rf"\((?:my |the )?(?:{BY_WORD})\)|<[-=]+ ?(?:my )?(?:\w{{1,12}} (?:and|&|/) )?(?:{BY_WORD})|"
    rf"where (?:it|they|the app) asks? (?:for )?(?:my |the )?(?:{BY_WORD})|"
    rf"(?:is|was|=|as|for|that'?s|thats) (?:my |the |our |his |her |that |old |new |current |login |wallet |"
    rf"account )*(?:{BY_WORD}))"
)
_STOP = frozenset(
    """wrong incorrect right correct not no none null invalid expired the a an being too required forgotten lost weak
    strong reset locked different same changed my your it this that what where how why when who which always never
    still also only just very already needed necessary empty blank missing hidden unknown safe secure secret saved
    stored forgot error failed false true ok okay fine good bad ready easy hard simple short long old new please pls
    help yes and or but if in on at to for from with so then there here accepted rejected valid protected encrypted
    working asked rejecting denied unable unavailable case-sensitive used gone leaked stolen hacked compromised
    important password passwords code problem issue question usdt trc20 erc20 bep20 web3 2fa app ios android iphone
    windows manager protection
    incorrecta incorrecto correcta olvidada falsch vergessen oublié неверный неправильный errada errado sbagliata
    yanlış sai salah""".split()  # noqa: SIM905
)
_UNIT = re.compile(
    r"\s{0,2}(?:位|个|個|次|秒|分|小时|小時|天|年|月|号|字符|字母|数字|digits?\b|char|times?\b|letters?\b|symbols?\b|seconds?\b|secs?\b|"
    r"minutes?\b|mins?\b|hours?\b|days?\b|usdt|usd|btc|eth|块|元|%|x\b)"
)
_DEVICE = re.compile(
    r"(?:v?\d+(?:\.\d+)+|(?:i?phone|ios|android|win(?:dows)?|mate|mi|redmi|galaxy|pro)[ -]?\w{0,6}|0x[0-9a-f]{6,}|"
    r"https?:.*|--?[a-z].*|[\w.\[-]+\(\w?.*|www\..*|[\w.+-]+@[\w-]+\.\w.*)\Z"
)
_PRODUCTS = re.compile(
    "(?i:wallet|token|trust|mask|link|pay|chain|swap|phone|book|tube|app|hub|keep|pal|pocket|chat|store|scan|auth|bit|coin|"
    "defi|dex|gram|key|lite|script|soft|mail|drive|one)"
)
"""Parts of names of products, which have capitals inside as well."""
_FIRST_CHINESE = "\u2e80"
_VERB = re.compile("pass(?= (?!word|code|phrase))")
_OWNED = re.compile(r"(?:my|the|our|your|his|her|new|old|login|user|wallet)\s\Z")
"""Before "pass" where it is a password and no verb."""
_CLOSING = "\"'“”‘’「」『』`*>)）】].,;!?、，。；！？"

CODE = (
    r"(?:短信|手机|邮箱|邮件|谷歌|动态|登录|登陆|安全|收到的?|二次|身份)?(?:验证[码碼]|驗證碼|校验码|动态[码密]码?|动态口令|短信码|谷歌码|授权码|确认码)|"
    r"短信里?的?(?:数字|号码)|谷歌验证器?|認証コード|確認コード|인증 ?(?:번호|코드)|mã (?:xác|otp)[ a-zậhựcmin]{0,10}|"
    r"doğrulama kodu|kode (?:verifikasi|otp)|"
    r"(?<![a-zа-яà-ÿ])(?:otp|totp|tan|(?:one[ -]time|verification|verify|verifying|auth(?:entication|enticator|"
    r"orization)?|2fa|sms|security|login|log-in|"
    r"sign-in|google|email|confirmation|access)(?: pass)?(?:code| code| pin| number)|2fa|passcode|"
    r"authenticator|google auth|"
    r"código(?: de (?:verificación|verificação|seguridad))?|codigo|code de (?:vérification|sécurité|confirmation)|"
    r"код(?: подтверждения| из смс)?|bestätigungscode|codice(?: di verifica)?)(?![a-zа-яà-ÿ])"
)
_NUMBER = (
    r"((?:[a-z]{1,2}-)?(?:\d{3}[ -]?\d{3}|\d{4,8}|\d{2} \d{2} \d{2}|\d{4} \d{4}|\d(?: \d){5}))"
    r"(?![0-9a-z]|[ -]?\d|[.,:/]\d)"
)
_DIGITS = r"(?<![\w.,:/+$#-])" + _NUMBER
_CODE_GIVEN = re.compile(f"(?:{CODE})([^\\d\\n。.!?！？;；]{{0,24}}?)(?<![a-z0-9.,/+$#-]){_NUMBER}")
_OTHER_CODE = re.compile(
    r"(?:error|zip|post(?:al)?|area|country|promo|invite|invitation|referral|status|bank|sort|swift|discount|voucher|"
    r"product|qr|exit|reference|coupon|[a-z]code)[ -]?\Z"
)
"""Before "code": no code to sign in with."""
_CODE_PLAIN = re.compile(
    r"(?<![a-z])(?:codes?|kode?)((?: (?:is|was|es|est|they (?:sent|texted)(?: me)?|you sent|that came|here|"
    r"i (?:just )?(?:got|rec[ei]{2}ved|have|see)|from (?:the |my |an? )?(?:sms|e-?mail|text|app|message)|"
    r"it (?:gave|shows)(?: me)?))*\s?[:=-]?)\s{0,2}"
    r"(?<!\d)(\d{3}[ -]\d{3}|\d{4,8})(?!\d|[ -]?\d|[.,]\d)"
)
_CODE_BEHIND = re.compile(
    f"{_DIGITS}[\\s,，、:：()（）\"'”-]{{0,4}}"
    f"(?:(?:这个|这|這|就|应该|以上|上面|is|was|as|=|that's|thats|this is|es|est|это)\\s?){{0,2}}"
    rf"(?:是|为)?(?:刚才|刚刚|刚|收到|发来|你们|我|的|手机|邮箱|my|the|your|a|an|mi|el|mon|le|latest|new|google|telegram|binance|account|\s){{0,6}}(?:{CODE}|"
    rf"(?<![a-z])code(?![a-z]))"
)
_NO_CODE = re.compile(
    r"错误|錯誤|失败|失敗|报错|error|fail|收不到|没收到|没有收到|时间|客服|电话|号码|尾号|金额|订单|工单|ticket|order|phone|"
    r"ending|sms from"
)
_YEAR = re.compile(r"(?:19|20)\d{2}")
_MOST = 100_000
"""Characters of a message that are read for these: a password in a book is nobody's."""
_WORD = re.compile(BY_WORD)
_CODE_WORD = re.compile(f"{CODE}|code")
_BEFORE, _AFTER = 150, 250
"""Characters before and after a word that names a secret in which the secret may be."""

Areas = list[tuple[int, int]]


def find(views: list[View]) -> Iterator[Finding]:
    """Every password and one-time code that is said to be one."""
    for message, view in enumerate(views):
        lower = view.lower[:_MOST]
        yield from _passwords(lower, view.plain, message)
        if any(digit in lower for digit in "0123456789"):
            yield from _codes(lower, message)


def _areas(word: re.Pattern[str], lower: str) -> Areas:
    """What stands around the words that name a secret: the patterns are slow, and are tried only there."""
    areas: Areas = []
    for match in word.finditer(lower):
        start, end = max(0, match.start() - _BEFORE), min(len(lower), match.end() + _AFTER)
        if areas and start <= areas[-1][1]:
            areas[-1] = (areas[-1][0], end)
        else:
            areas.append((start, end))
    return areas


def _in(areas: Areas, pattern: re.Pattern[str], lower: str) -> Iterator[re.Match[str]]:
    for start, end in areas:
        yield from pattern.finditer(lower, start, end)


def _passwords(lower: str, plain: str, message: int) -> Iterator[Finding]:
    areas = _areas(_WORD, lower)
    for match in _in(areas, _GIVEN, lower):
        start, end = match.span(1)
        end = _trimmed(lower, start, end)
        if is_password(lower, plain, start, end, said=True) and not denied(lower, match.start()):
            yield told_by(SecretKind.PASSWORD, message, start, end)
    for match in _in(areas, _SEVERAL, lower):
        if not set(match[1].split()) & (_STOP | FUNCTION) and not denied(lower, match.start()):
            yield told_by(SecretKind.PASSWORD, message, *match.span(1))
    for match in _in(areas, _LOOSE, lower):
        start, end = match.span(2)
        value, between = lower[start : _trimmed(lower, start, end)], match[1]
        mixed = any(c.isalpha() for c in value) or (len(value) >= 8 and _MINE.search(between))
        if mixed and not _NOT_LOOSE.search(between) and is_password(lower, plain, start, start + len(value), said=True):
            yield told_by(SecretKind.PASSWORD, message, start, start + len(value))
    for match in _in(areas, _BESIDE, lower):
        start, end = match.span(1)
        end = _trimmed(lower, start, end)
        if (
            match.start()
            and _VERB.match(lower, match.start())
            and not _OWNED.search(lower, max(0, match.start() - 12), match.start())
        ):
            continue
        value = lower[start:end]
        mixed = (
            _scrambled(plain[start:end])
            or _is_camel(plain[start:end])
            or (
                any(c.isdigit() for c in value)
                and (any(c.isalpha() for c in value) or not value.isalnum() or len(value) >= 6)
            )
        )
        if len(value) >= 6 and mixed and is_password(lower, plain, start, end, said=True):
            yield told_by(SecretKind.PASSWORD, message, start, end)
    for match in _in(areas, _PIN, lower):
        if not _UNIT.match(lower, match.end()):
            yield told_by(SecretKind.PASSWORD, message, *match.span(1))
    for match in _in(areas, _BEHIND, lower):
        start, end = match.span(1)
        end = _trimmed(lower, start, end)
        odd = any(not c.isalpha() for c in lower[start:end]) or plain[start:end] != lower[start:end]
        if odd and is_password(lower, plain, start, end, said=False):
            yield told_by(SecretKind.PASSWORD, message, start, end)


def _trimmed(lower: str, start: int, end: int) -> int:
    """Without what closes the sentence; a password may end so too, and loses that much of its blank."""
    while end > start + 1 and lower[end - 1] in _CLOSING:
        end -= 1
    return end


def is_password(lower: str, plain: str, start: int, end: int, *, said: bool) -> bool:
    value = lower[start:end]
    if len(value) < 3 or value in _STOP or value[0] in "[\\" or _DEVICE.match(value):
        return False
    if value.isdigit() and (
        len(value) < 4 or _UNIT.match(lower, end) or (len(value) == 4 and _YEAR.fullmatch(value) and not said)
    ):
        return False
    if re.fullmatch(r"\d{1,2}[-~]\d{1,3}", value) or (_UNIT.match(lower, end) and value[-1].isdigit()):
        return False
    if value.isalpha() and value.isascii():
        # A mere word is one only where nothing goes on: "password: sunshine", not "password: please help".
        rest = lower[end : end + 12].lstrip("\"'“”‘’」』`*")
        goes_on = (
            rest[:1] == " "
            and rest.strip()[:1].isalpha()
            and rest.strip()[:1] < _FIRST_CHINESE
            and rest.split()[0] not in ("and", "pls", "please", "user", "username", "login")
        )
        # "is blocked", "is missing": what became of it, after a verb; behind a colon it is one.
        state = value.endswith(("ed", "ing")) and lower[start - 1] == " " and lower[:start].rstrip()[-1:].isalpha()
        return (
            _scrambled(plain[start:end])
            or _is_camel(plain[start:end])
            or (said and not state and not goes_on and len(value) >= 4)
        )
    if re.fullmatch(r"[a-z]+(?:['’-][a-z]+)+|[a-z]+/[a-z/]+|\.{2,}|[*xX•.?]+", value):
        return "-" in value and any(c.isupper() for c in plain[start:end])
    return True


def _scrambled(value: str) -> bool:
    """A sign inside, or capitals after small letters more than once: no word and no product's name has these."""
    inner = value[1:-1]
    return any(c in "!@#$%^&*" for c in inner) or len(re.findall("[a-z][A-Z]", value)) > 1


def _is_camel(value: str) -> bool:
    """Two words without a space, and no name of a product: "moonIloveyou"."""
    return len(value) >= 8 and bool(re.search("[a-z][A-Z]", value)) and value.isalpha() and not _PRODUCTS.search(value)


def _codes(lower: str, message: int) -> Iterator[Finding]:
    areas = _areas(_CODE_WORD, lower)
    for match in _in(areas, _CODE_GIVEN, lower):
        between = match[1]
        if _NO_CODE.search(between) or _UNIT.match(lower, match.end()) or _plain_year(match[2], between):
            continue
        yield told_by(SecretKind.ONE_TIME_CODE, message, *match.span(2))
    for match in _in(areas, _CODE_PLAIN, lower):
        other = _OTHER_CODE.search(lower[max(0, match.start() - 12) : match.start()])
        sure = len(match[2].replace(" ", "").replace("-", "")) == 6 or match[1].strip(" -")
        if sure and not other and not _UNIT.match(lower, match.end()) and not _plain_year(match[2], match[1]):
            yield told_by(SecretKind.ONE_TIME_CODE, message, *match.span(2))
    for match in _in(areas, _CODE_BEHIND, lower):
        if not _plain_year(match[1], "") and not re.search(
            r"error|错误|报错|代码", lower[max(0, match.start() - 12) : match.start()]
        ):
            yield told_by(SecretKind.ONE_TIME_CODE, message, *match.span(1))


def _plain_year(digits: str, between: str) -> bool:
    return bool(_YEAR.fullmatch(digits)) and not re.search(r"是|is|[:：=]", between)


def told_by(kind: SecretKind, message: int, start: int, end: int) -> Finding:
    return Finding(kind, (Span(message, start, end),), Certainty.LIKELY)
