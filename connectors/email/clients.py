"""How mail programs write what stands around a quotation, in the languages of their users: data and comparisons of one
line."""

from __future__ import annotations

import re
from dataclasses import dataclass

_BLANKS = str.maketrans(
    {
        **dict.fromkeys("\u00a0\u202f\u2007\u2009\u200a\u3000\t", " "),
        **dict.fromkeys("\u200b\u200e\u200f\u202a\u202c\u2060\ufeff\u2068\u2069"),
    }
)

HEADERS = {
    "from": "from|von|差出人|送信者|送信元|发件人|发信人|寄件者|寄件人|發件人|de|da|van|от|от кого|보낸사람|보낸"
    " 사람|från|fra|od|expéditeur",
    "date": "sent|date|gesendet|datum|送信日時|日付|日時|送信日|发送时间|发送日期|日期|时间|傳送時間|寄件日期|寄"
    "件時間|發送時間|"
    "envoyé|fecha|enviado|enviado el|data|inviato|verzonden|дата|отправлено|보낸날짜|보낸 날짜|날짜|skickat|"
    "sendt|dato|wysłano|odesláno",
    "to": "to|an|宛先|受信者|收件人|收信人|收件者|à|para|a|aan|кому|받는사람|받는 사람|till|til|do|komu|destinataire",
    "cc": "cc|kopie|抄送|抄送人|副本|копия|참조|kopia|copie à|copia|bcc|reply-to|antwort an|回复至|返信先|"
    "priority|importance|wichtigkeit|重要性|"
    "organization|attachments|anlagen|附件|添付ファイル",
    "subject": "subject|betreff|件名|标题|主题|主旨|objet|asunto|assunto|oggetto|onderwerp|тема|제목|ämne|emne|"
    "temat|předmět",
}
"""The labels of the lines that stand above a quoted mail."""
_LABELS = {label: name for name, labels in HEADERS.items() for label in labels.split("|")}
_HEADER = re.compile(r"\*{0,2}_?([^\W\d_][\w\- ]{0,20}?)\s*[:：]\s*\*{0,2}(.*)$")
_TABLE = re.compile(r"(发件人|日期|收件人|抄送人|主题|标题|From|Date|To|Cc|Subject)\s{1,20}(\S.*)$")
"""NetEase's telephone program: a table without colons."""

_ORIGINAL = (
    "original message|original|original email|original mail|reply message|replied message|"
    "ursprüngliche nachricht|originalnachricht|original-nachricht|"
    "原始邮件|原邮件|邮件原件|原始信息|原始郵件|原始訊息|原始消息|回复的原邮件|回复的邮件|答复邮件|回复邮件|"
    "元のメッセージ|元のメール|オリジナル メッセージ|オリジナルメッセージ|original メッセージ|"
    "message d'origine|message original|mensaje original|mensagem original|messaggio originale|oorspronkelijk bericht|"
    "исходное сообщение|원본 메시지|원본 메일|ursprungligt meddelande|oprindelig meddelelse"
)
_FORWARDED = (
    "forwarded message|begin forwarded message|forwarded email|forward message|forwarded mail|"
    "weitergeleitete nachricht|anfang der weitergeleiteten nachricht|anfang der weitergeleiteten e-mail|"
    "转发的邮件|转发邮件信息|转发的邮件信息|转发邮件|转发的信件|开始转发的邮件|下面是被转发的邮件|轉寄郵件|轉寄"
    "的郵件|轉寄訊息|已轉寄郵件|開始轉寄訊息|以下是被转发的邮件|"
    "転送メッセージ|転送されたメッセージ|転送されたメール|転送メール|以下、転送されたメッセージ|"
    "message transféré|début du message transféré|début du message réexpédié|mensaje reenviado|inicio del "
    "mensaje reenviado|"
    "mensagem encaminhada|messaggio inoltrato|inizio messaggio inoltrato|doorgestuurd bericht|begin "
    "doorgestuurd bericht|"
    "пересылаемое сообщение|пересланное сообщение|vidarebefordrat meddelande|전달된 메시지"
)
_DASHED = re.compile(
    rf"[-—–─_=*]{{2,}}\s*(?:(?P<original>{_ORIGINAL})|(?P<forward>{_FORWARDED}))\s*[:：]?\s*[-—–─_=*]{{2,}}", re.I
)
_BARE_FORWARD = re.compile(rf"(?:{_FORWARDED})\s*[:：]", re.IGNORECASE)
_RULE = re.compile(r"[-—–─_=*]{10,}")

_DATE = (
    r"(?:\d{4}\s?[-/.年]\s?\d{1,2}\s?[-/.月]\s?\d{1,2}|\d{1,2}[./]\d{1,2}[./]\d{2,4}|\d{1,2}:\d{2}"
    r"|\b\d{1,2}(?:st|nd|rd|th|\.)?,? [^\W\d_]{3,10}\.?,? (?:\d{2}|\d{4})\b|[^\W\d_]{3,10}\.? \d{1,2}(?:st|nd|"
    r"rd|th)?,? \d{4})"
)
_MAIL = r"[^\s<>@()]{1,64}@[^\s<>()]{1,100}"
_SAID = (
    # en
    r"(?:on|at|am|le|el|il|em|den|op|dne|dnia|w dniu)\b.{5,300}?\b"
    r"(?:wrote|writes|said|schrieb|hat .{1,120} geschrieben|folgendes geschrieben|a écrit|escribió|ha scritto|"
    r"escreveu|skrev|schreef|"
    r"heeft .{0,80}geschreven|napsal(?:\(a\))?|napisał(?:\(a\)|a)?|napisa[łl]\(a\))\b.{0,120}?"
)
_ATTRIBUTION = (
    re.compile(rf"-*\s*{_SAID}\s*[:：]\s*-*", re.IGNORECASE),
    re.compile(r"-{2,}\s*(?:on|am|在|于)\b.{5,300}(?:wrote|schrieb|写道|書きました).{0,150}-{2,}", re.IGNORECASE),
    re.compile(r".{0,200}\d.{0,200}(?:写道|寫道|写到|写着|编写|寫)\s*[:：]\s*-*"),
    re.compile(
        r".{0,200}\d.{0,250}(?:のメール|さんは書きました|さんが書きました|が書きました|が書き込みました|のメッセ"
        r"ージ|は書きました|書きました|"
        r"wrote|님이 작성|님이 작성하였습니다|написал(?:\(а\)|а)?)\s*[:：]"
    ),
    re.compile(
        rf"(?:\d{{4}}年\d{{1,2}}月\d{{1,2}}日|\d{{4}}/\d{{1,2}}/\d{{1,2}}|\d{{4}}-\d{{1,2}}-\d{{1,2}}).{{0,120}}<{_MAIL}>\s*[:：]?"
    ),
    re.compile(rf".{{0,80}}<{_MAIL}>.{{0,40}}\d{{4}}.{{0,40}}(?:[:：]|-{{2,}})"),
    re.compile(rf"-{{2,}}\s*{_MAIL}\s*(?:写道|wrote).{{0,60}}", re.IGNORECASE),
)
_TIME = re.compile(_DATE, re.IGNORECASE)
_ADDRESS = re.compile(_MAIL)

_SENT_FROM = (
    # Added by the program, not by its owner.
    r"sent from (?:my |mail for |yahoo mail|outlook|the|a |samsung|proton|icloud|gmail|huawei|xiaomi|spark|zoho|"
    r"an? ).{0,80}",
    r"sent (?:with|via|using) .{0,60}(?:mail|spark|mailbird|app|secure email|iphone|android|phone|superhuman|"
    r"shortwave).{0,40}",
    r"(?:get|download) outlook for (?:ios|android|mac).{0,100}",
    r"(?:(?:von )?meinem? .{2,40} gesendet|gesendet (?:von|mit|über|aus) .{2,80}|diese nachricht wurde von "
    r"meinem .{2,60} gesendet\.?)",
    r"(?:holen sie sich outlook für|outlook für (?:ios|android) (?:beziehen|herunterladen)|laden sie outlook "
    r"für).{0,100}",
    r"(?:发自|来自|發自|從|从|由|通过|透過|使用).{0,3}(?:我的|my )?.{0,30}(?:iphone|ipad|手机|手機|mail|邮箱|邮"
    r"件|android|安卓|客户端|大师|"
    r"华为|小米|三星|foxmail|outlook|qq|vivo|oppo|荣耀|發送|发送|傳送)[^。？?！!]{0,30}",
    r"(?:获取|下载|取得) ?outlook for (?:ios|android).{0,100}",
    r"(?:iphone|ipad|android|スマートフォン|携帯|xperia|galaxy|pixel|私の.{1,20})から送信(?:しました|されました)?\.?",
    r"(?:outlook for (?:ios|android) ?を入手|yahoo! ?メール(?:アプリ)?から送信|gmail ?から送信).{0,100}",
    r"(?:envoyé (?:de|depuis|à partir de)|enviado desde|inviato da(?:l)?|enviado do|verzonden (?:vanaf|met)|"
    r"отправлено (?:с|из)|skickat från|"
    r"sendt fra|나의 .{1,20}에서 보냄|wysłano z|odesláno z).{2,80}",
    r"(?:this email has been checked for viruses by|diese e-mail wurde von .{2,40} auf viren geprüft|"
    r"virus-free\.|virenfrei\.).{0,120}",
    r"(?:sent from|envoyé via|发自|来自).{0,3}<?https?://\S{1,200}>?",
)
_ADDED = re.compile(rf"[\[(（]?(?:{'|'.join(_SENT_FROM)})[\])）]?(?:\s*<?https?://\S{{1,300}}>?)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Separator:
    forward: bool
    needs_headers: bool
    """A mere line across the page: only headers below it make it one."""


def tidy(line: str) -> str:
    """With one kind of blank, and without marks that nobody sees."""
    return line.translate(_BLANKS).strip("\r\n")


def separator(line: str) -> Separator | None:
    text = line.strip(" >")
    if match := _DASHED.fullmatch(text):
        return Separator(match["forward"] is not None, needs_headers=False)
    if _BARE_FORWARD.fullmatch(text):
        return Separator(forward=True, needs_headers=True)
    return Separator(forward=False, needs_headers=True) if _RULE.fullmatch(text) else None


def header(line: str) -> str | None:
    """Which header it is: from, date, to, cc or subject."""
    line = line.strip()
    # Some programs stretch short labels: "日　期".
    if (match := _HEADER.match(line)) and (name := _LABELS.get(_label(match[1]))):
        return name
    if match := _TABLE.match(line):
        return _LABELS.get(match[1].lower())
    return _LABELS.get(line.rstrip(":：").lower()) if line.endswith((":", "：")) else None


def _label(text: str) -> str:
    text = text.strip().lower()
    return text if text.isascii() else "".join(text.split()) if len(text) <= 4 else text


def may_begin(text: str) -> bool:
    """Whether "… wrote:" may begin with this line: the lines below it are looked at, too."""
    return bool(
        _TIME.search(text)
        or _ADDRESS.search(text)
        or re.match(r"(?:-+\s*)?(?:on|am|at|在|于|le|el|il|op|den|em)\b", text, re.I)
    )


def attribution(text: str) -> bool | None:
    """Whether the line is a program's "On … wrote:": true if it has a time, and an end that says so; false if it is
    likely one; None if it is none."""
    if (
        len(text) > 400
        or not text.endswith((":", "：", "-", ">"))
        or not any(one.fullmatch(text) for one in _ATTRIBUTION)
    ):
        return None
    dated = _TIME.search(text) is not None
    if not dated and not _ADDRESS.search(text):
        return None
    return dated and not text.endswith(">")


def is_delimiter(line: str) -> bool:
    """The two hyphens above a signature; programs lose the blank behind them."""
    return line.rstrip() in ("--", "- --") or re.fullmatch(r"(?:——|—|__)", line.strip()) is not None


def is_rule(line: str) -> bool:
    return _RULE.fullmatch(line.strip()) is not None


def is_added(line: str) -> bool:
    """Whether a mail program, or a virus scanner, wrote it below what people write."""
    text = line.strip()
    return len(text) < 300 and _ADDED.fullmatch(text) is not None
