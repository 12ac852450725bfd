"""How twenty mail programs write a reply, in four languages: what stands above the quotation, how it is marked,
and what the program adds below the reply. Written down from what these programs send; none of their users' mails is
here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from html import escape

from babel.dates import format_datetime

LANGUAGES = ("zh", "en", "de", "ja")
_BABEL = {"zh": "zh_CN", "en": "en_US", "de": "de_DE", "ja": "ja_JP"}


@dataclass(frozen=True, slots=True)
class Original:
    """The mail that is answered."""

    name: str
    address: str
    to: str
    to_name: str
    subject: str
    text: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Quoted:
    head: str
    """The lines above the quotation, which may be several."""
    marked: bool = True
    """Each quoted line has a ``>``."""
    head_marked: bool = False
    """So has the line above (Apple)."""
    added: str = ""
    """What the program writes below the reply."""
    html_only: bool = False
    gap: str = "\n\n"


Client = Callable[[Original, str], Quoted]


def _at(original: Original, language: str, pattern: str) -> str:
    return format_datetime(original.at, pattern, locale=_BABEL[language])


def _pick(language: str, **by: str) -> str:
    return by.get(language, by["en"])


def gmail(o: Original, language: str) -> Quoted:
    who = f"{o.name} <{o.address}>"
    head = {
        "en": f"On {_at(o, 'en', 'EEE, MMM d, y')} at {_at(o, 'en', 'h:mm')}\u202f{_at(o, 'en', 'a')} {who}\nwrote:",
        "zh": f"{who} 于{_at(o, 'zh', 'y年M月d日EEE HH:mm')}写道：",
        "de": f"Am {_at(o, 'de', 'EEE, d. MMM y')} um {_at(o, 'de', 'HH:mm')} Uhr schrieb {who}:",
        "ja": f"{_at(o, 'ja', 'y年M月d日(EEE) H:mm')} {who}:",
    }[language]
    return Quoted(head)


def apple(o: Original, language: str) -> Quoted:
    head = {
        "en": f"On {_at(o, 'en', 'MMM d, y')}, at {_at(o, 'en', 'h:mm a')}, {o.name} <{o.address}> wrote:",
        "zh": f"{_at(o, 'zh', 'y年M月d日 HH:mm')}，{o.name} <{o.address}> 写道：",
        "de": f"Am {_at(o, 'de', 'dd.MM.y')} um {_at(o, 'de', 'HH:mm')} schrieb {o.name} <{o.address}>:",
        "ja": f"{_at(o, 'ja', 'y/MM/dd H:mm')}、{o.name} <{o.address}>のメール:",
    }[language]
    return Quoted(head, head_marked=True)


def iphone(o: Original, language: str) -> Quoted:
    head = {
        "en": f"On {_at(o, 'en', 'MMM d, y')}, at {_at(o, 'en', 'h:mm a')}, {o.name} <{o.address}> wrote:",
        "zh": f"在 {_at(o, 'zh', 'y年M月d日')}，{_at(o, 'zh', 'HH:mm')}，{o.name} <{o.address}> 写道：",
        "de": f"Am {_at(o, 'de', 'dd.MM.y')} um {_at(o, 'de', 'HH:mm')} schrieb {o.name} <{o.address}>:",
        "ja": f"{_at(o, 'ja', 'y/MM/dd H:mm')}、{o.name} <{o.address}>のメール:",
    }[language]
    added = _pick(
        language, en="Sent from my iPhone", zh="发自我的 iPhone", de="Von meinem iPhone gesendet", ja="iPhoneから送信"
    )
    return Quoted(head, head_marked=True, added=added)


def _outlook_block(o: Original, language: str) -> str:
    labels = {
        "en": ("From", "Sent", "To", "Subject", ": "),
        "zh": ("发件人", "发送时间", "收件人", "主题", ": "),
        "de": ("Von", "Gesendet", "An", "Betreff", ": "),
        "ja": ("差出人", "送信日時", "宛先", "件名", ": "),
    }[language]
    time = _at(
        o,
        language,
        {"en": "EEEE, MMMM d, y h:mm a", "zh": "y年M月d日 H:mm", "de": "EEEE, d. MMMM y HH:mm", "ja": "y年M月d日 H:mm"}[
            language
        ],
    )
    values = (f"{o.name} <{o.address}>", time, f"{o.to_name} <{o.to}>", o.subject)
    return "\n".join(f"{label}{labels[4]}{value}" for label, value in zip(labels, values, strict=False))


def outlook(o: Original, language: str) -> Quoted:
    return Quoted(_outlook_block(o, language), marked=False)


def outlook_old(o: Original, language: str) -> Quoted:
    rule = _pick(
        language,
        en="-----Original Message-----",
        zh="-----邮件原件-----",
        de="-----Ursprüngliche Nachricht-----",
        ja="-----Original Message-----",
    )
    return Quoted(f"{rule}\n{_outlook_block(o, language)}", marked=False)


def outlook_web(o: Original, language: str) -> Quoted:
    return Quoted(f"________________________________\n{_outlook_block(o, language)}", marked=False, html_only=True)


def outlook_phone(o: Original, language: str) -> Quoted:
    added = _pick(
        language,
        en="Get Outlook for iOS<https://aka.ms/o0ukef>",
        zh="获取 Outlook for iOS<https://aka.ms/o0ukef>",
        de="Outlook für iOS beziehen<https://aka.ms/o0ukef>",
        ja="Outlook for iOS を入手<https://aka.ms/o0ukef>",
    )
    return Quoted(f"________________________________\n{_outlook_block(o, language)}", marked=False, added=added)


def thunderbird(o: Original, language: str) -> Quoted:
    head = {
        "en": f"On {_at(o, 'en', 'M/d/yy h:mm a')}, {o.name} wrote:",
        "zh": f"在 {_at(o, 'zh', 'y/M/d HH:mm')}, {o.name} 写道:",
        "de": f"Am {_at(o, 'de', 'dd.MM.yy')} um {_at(o, 'de', 'HH:mm')} schrieb {o.name}:",
        "ja": f"On {_at(o, 'ja', 'y/MM/dd H:mm')}, {o.name} wrote:",
    }[language]
    return Quoted(head)


def yahoo(o: Original, language: str) -> Quoted:
    who = f"{o.name} <{o.address}>"
    head = {
        "en": f"On {_at(o, 'en', 'EEEE, MMMM d, y')} at {_at(o, 'en', 'hh:mm:ss a')} GMT+8, {who} wrote:  ",
        "zh": f"在 {_at(o, 'zh', 'y年M月d日EEEE')} {_at(o, 'zh', 'ahh:mm:ss')} [GMT+8]，{who} 写道：  ",
        "de": f"Am {_at(o, 'de', 'EEEE, d. MMMM y')} um {_at(o, 'de', 'HH:mm:ss')} MEZ hat {who} Folgendes "
        f"geschrieben:  ",
        "ja": f"{_at(o, 'ja', 'y年M月d日EEEE H:mm:ss')} JST、{who}が書き込みました:  ",
    }[language]
    return Quoted(f"    {head}\n ", marked=False)


def qq(o: Original, language: str) -> Quoted:
    if language == "zh":
        when = f"{_at(o, 'zh', 'y年M月d日(EEEE)')} {_at(o, 'zh', 'ah:mm')}"
        head = (
            "------------------\u00a0原始邮件\u00a0------------------\n"
            f'发件人:\u00a0"{o.name}"<{o.address}>;\n发送时间:\u00a0{when}\n收件人'
            f':\u00a0"{o.to_name}"<{o.to}>;\n\n主题:\u00a0{o.subject}\n'
        )
    else:
        head = (
            "------------------\u00a0Original\u00a0------------------\n"
            f'From:\u00a0"{o.name}"<{o.address}>;\nDate:\u00a0{_at(o, "en", "EEE, MMM d, y hh:mm a")}\n'
            f'To:\u00a0"{o.to_name}"<{o.to}>;\n\nSubject:\u00a0{o.subject}\n'
        )
    return Quoted(head, marked=False, html_only=language in ("zh", "en"))


def foxmail(o: Original, language: str) -> Quoted:
    labels = (
        ("发件人", "发送时间", "收件人", "主题", "： ") if language == "zh" else ("From", "Date", "To", "Subject", ": ")
    )
    when = _at(o, "en", "y-MM-dd HH:mm")
    block = "\n".join(
        f"{label}{labels[4]}{value}" for label, value in zip(labels, (o.name, when, o.to_name, o.subject), strict=False)
    )
    return Quoted(f" \n{block}", marked=False)


def netease(o: Original, language: str) -> Quoted:
    when = _at(o, "en", "y-MM-dd HH:mm:ss")
    if language == "zh":
        return Quoted(f'在 {when}，"{o.name}" <{o.address}> 写道：')
    return Quoted(f'At {when}, "{o.name}" <{o.address}> wrote:')


def netease_phone(o: Original, language: str) -> Quoted:
    zh = language == "zh"
    labels = ("发件人", "日期", "收件人", "主题") if zh else ("From", "Date", "To", "Subject")
    when = _at(o, "zh", "y年MM月dd日 HH:mm") if zh else _at(o, "en", "M/d/y HH:mm")
    rows = zip(labels, (f"{o.name}<{o.address}>", when, f"{o.to_name}<{o.to}>", o.subject), strict=False)
    rule = "---- 回复的原邮件 ----" if zh else "---- Replied Message ----"
    table = "\n".join(f"{label}\t{value}" for label, value in rows)
    return Quoted(f"{rule}\n{table}", marked=False)


def aliyun(o: Original, language: str) -> Quoted:
    rule = "-" * 66
    if language == "zh":
        head = (
            f"{rule}\n发件人：{o.name} <{o.address}>\n日　期：{_at(o, 'zh', 'y年MM月dd日 HH:mm:ss')}\n"
            f"收件人：{o.to_name} <{o.to}>\n主　题：{o.subject}"
        )
    else:
        head = (
            (
                f"{rule}\nSender:{o.name} <{o.address}>\nFrom:{o.name} <{o.address}>\n"
                f"Send Time:{_at(o, 'en', 'y MMM. d (EEE) HH:mm')}\nTo:{o.to_name} <{o.to}>\nSubject:{o.subject}"
            )
            .replace(f"Sender:{o.name} <{o.address}>\n", "")
            .replace("Send Time", "Sent")
        )
    return Quoted(head, marked=False)


def proton(o: Original, language: str) -> Quoted:
    day = o.at.day
    nth = "th" if 10 <= day % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
    head = {
        "en": f"On {_at(o, 'en', 'EEEE, MMMM')} {day}{nth}, {o.at.year} at {_at(o, 'en', 'h:mm a')}, {o.name} "
        f"<{o.address}> wrote:",
        "zh": f"{_at(o, 'zh', 'y年M月d日EEEE HH:mm')}，{o.name} <{o.address}> 写道：",
        "de": f"{o.name} <{o.address}> schrieb am {_at(o, 'de', 'EEEE, d. MMMM y')} um {_at(o, 'de', 'HH:mm')}:",
        "ja": f"{_at(o, 'ja', 'y年M月d日EEEE H:mm')}、{o.name} <{o.address}> さんが書きました:",
    }[language]
    return Quoted(f"{head}\n", added="Sent with Proton Mail secure email." if language == "en" else "")


def gmx(o: Original, language: str) -> Quoted:
    if language == "de":
        head = (
            f"Gesendet: {_at(o, 'de', 'EEEE, d. MMMM y')} um {_at(o, 'de', 'HH:mm')} Uhr\n"
            f'Von: "{o.name}" <{o.address}>\nAn: {o.to}\nBetreff: {o.subject}'
        )
    else:
        head = (
            f"Sent: {_at(o, 'en', 'EEEE, MMMM d, y')} at {_at(o, 'en', 'h:mm a')}\n"
            f'From: "{o.name}" <{o.address}>\nTo: {o.to}\nSubject: {o.subject}'
        )
    return Quoted(f" \n{head}", marked=False)


def samsung(o: Original, language: str) -> Quoted:
    rule, labels = {
        "en": ("-------- Original message --------", ("From", "Date", "To", "Subject")),
        "zh": ("-------- 原始邮件 --------", ("发件人", "日期", "收件人", "主题")),
        "de": ("-------- Ursprüngliche Nachricht --------", ("Von", "Datum", "An", "Betreff")),
        "ja": ("-------- 元のメッセージ --------", ("差出人", "日付", "宛先", "件名")),
    }[language]
    when = _at(
        o, language, {"en": "M/d/yy HH:mm", "zh": "y/M/d HH:mm", "de": "dd.MM.yy HH:mm", "ja": "y/MM/dd H:mm"}[language]
    )
    separator = "： " if language == "zh" else ": "
    values = (f"{o.name} <{o.address}> ", f"{when} (GMT+08:00) ", f"{o.to} ", f"{o.subject} ")
    block = "\n".join(f"{label}{separator}{value}" for label, value in zip(labels, values, strict=False))
    added = _pick(
        language,
        en="Sent from my Galaxy",
        zh="从我的 Galaxy 手机发送",
        de="Von meinem Galaxy gesendet",
        ja="Galaxyから送信",
    )
    return Quoted(f"{rule}\n{block} ", marked=False, added=added)


def k9(o: Original, language: str) -> Quoted:
    head = {
        "en": f"On {_at(o, 'en', 'MMMM d, y h:mm:ss a')} GMT+08:00, {o.name} <{o.address}> wrote:",
        "zh": f"于 {_at(o, 'zh', 'y年M月d日')} GMT+08:00 {_at(o, 'zh', 'ah:mm:ss')}, {o.name} <{o.address}> 写到:",
        "de": f"Am {_at(o, 'de', 'd. MMMM y HH:mm:ss')} MEZ schrieb {o.name} <{o.address}>:",
        "ja": f"{_at(o, 'ja', 'y年M月d日 H:mm:ss')} JST、{o.name} <{o.address}> のメール:",
    }[language]
    return Quoted(head)


def roundcube(o: Original, language: str) -> Quoted:
    when = _at(o, "en", "y-MM-dd HH:mm")
    head = {
        "en": f"On {when}, {o.name} wrote:",
        "zh": f"在 {when}，{o.name} 写道：",
        "de": f"Am {when}, schrieb {o.name}:",
        "ja": f"{when} に {o.name} さんは書きました:",
    }[language]
    return Quoted(head)


def zoho(o: Original, language: str) -> Quoted:
    when = _at(o, "en", "EEE, dd MMM y HH:mm:ss")
    head = {
        "en": f"---- On {when} +0800 {o.name} <{o.address}> wrote ----",
        "zh": f"---- 在 {when} +0800 {o.name} <{o.address}> 写道 ----",
        "de": f"---- Am {when} +0100 {o.name} <{o.address}> schrieb ----",
        "ja": f"---- On {when} +0900 {o.name} <{o.address}> wrote ----",
    }[language]
    return Quoted(head)


CLIENTS: dict[str, Client] = {
    "Gmail": gmail,
    "Apple Mail": apple,
    "iPhone": iphone,
    "Outlook": outlook,
    "Outlook, older": outlook_old,
    "Outlook on the web": outlook_web,
    "Outlook on a telephone": outlook_phone,
    "Thunderbird": thunderbird,
    "Yahoo": yahoo,
    "QQ": qq,
    "Foxmail": foxmail,
    "163": netease,
    "163 on a telephone": netease_phone,
    "Aliyun": aliyun,
    "Proton": proton,
    "GMX": gmx,
    "Samsung": samsung,
    "K-9": k9,
    "Roundcube": roundcube,
    "Zoho": zoho,
}
ANSWERS_BELOW = frozenset({"Thunderbird", "K-9", "Roundcube", "163", "Gmail"})
"""Programs in which some people write below what they answer, or between."""


def as_html(text: str) -> str:
    """As programs that write HTML alone do: a block a line, and nothing else that tells the parts."""
    lines = (
        '<hr style="display:inline-block;width:98%">' if set(line) == {"_"} else f"<div>{escape(line) or '<br>'}</div>"
        for line in text.split("\n")
    )
    return f'<html><head><meta charset="utf-8"></head><body>{"".join(lines)}</body></html>'
