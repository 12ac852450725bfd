"""Devices, systems and versions of the app."""

from __future__ import annotations

import re

from bot.domain.forms.detail import Detail, Kind
from bot.domain.forms.reading import BEGIN, Reading, Scan, beginnings

_BRANDS = (
    "iphone|ipad|ipod|macbook|samsung galaxy|samsung|galaxy|google pixel|pixel|xiaomi|redmi|poco|huawei|honor|"
    "oppo|vivo|iqoo|oneplus|realme|"
    "motorola|moto|nokia|sony xperia|xperia|asus|zenfone|rog phone|nothing phone|tecno|infinix|itel|lenovo|zte|"
    "nubia|meizu|blackview|fairphone|"
    "苹果|三星|小米|红米|紅米|华为|華為|荣耀|榮耀|一加|真我|魅族|努比亚|中兴|联想|黑鲨|摩托罗拉|诺基亚|谷歌|锤子|酷派"
)
_LINES = (
    "mate|nova|pura|enjoy|畅享|note|find|reno|mi|redmi|galaxy|pro|max|plus|ultra|mini|lite|edge|fold|flip|magic|"
    "play|gt|neo|nord|ace|spark|camon|"
    "hot|civi|mix|air|se|fe|tab|pad|z|x|s|k|v|y|f|p|a|m|g|c"
)
_TAIL = r"(?:\s?(?:pro\s?max|pro\s?plus|pro\+?|plus|max|ultra|mini|lite|fe|se|fold|flip|5g|air|青春版|至尊版))*"
_DEVICE = Scan(
    rf"{BEGIN}(?:{_BRANDS})(?:手机)?(?:\s?(?:{_LINES})(?![a-z])){{0,2}}\s?[a-z]{{0,2}}\d{{1,4}}[a-z]{{0,2}}(?![\d.%天个号块元])(?<!gb){_TAIL}(?![a-z0-9])"
    rf"|(?<![a-z])(?:iphone|ipad)\s?(?:x[rs]?|se)(?:\s?max)?(?![a-z0-9])",
    beginnings(_BRANDS),
    numbers=False,
)
_BRAND = Scan(rf"{BEGIN}(?:{_BRANDS})(?![a-z])(?:手机)?", beginnings(_BRANDS), numbers=False)
_SYSTEMS = {
    "ios": "iOS",
    "ipados": "iPadOS",
    "苹果系统": "iOS",
    "android": "Android",
    "安卓": "Android",
    "안드로이드": "Android",
    "андроид": "Android",
    "harmonyos": "HarmonyOS",
    "harmony": "HarmonyOS",
    "鸿蒙": "HarmonyOS",
    "鴻蒙": "HarmonyOS",
    "one ui": "One UI",
    "oneui": "One UI",
    "miui": "MIUI",
    "hyperos": "HyperOS",
    "澎湃": "HyperOS",
    "emui": "EMUI",
    "magicos": "MagicOS",
    "coloros": "ColorOS",
    "originos": "OriginOS",
    "funtouch": "Funtouch OS",
    "oxygenos": "OxygenOS",
    "flyme": "Flyme",
    "windows": "Windows",
    "win": "Windows",
    "macos": "macOS",
    "ubuntu": "Ubuntu",
    "linux": "Linux",
    "chrome": "Chrome",
    "谷歌浏览器": "Chrome",
    "safari": "Safari",
    "firefox": "Firefox",
    "edge": "Edge",
}
_NAMES = "|".join(sorted(map(re.escape, _SYSTEMS), key=len, reverse=True))
_SYSTEM = Scan(
    rf"{BEGIN}(?P<name>{_NAMES})(?:\s?(?:系统|版本|version|v|"
    rf"os))?[\s:：]?(?P<number>\d{{1,4}}(?:\.\d{{1,5}}){{0,3}})(?![\d天个号次万]|\s?(?:钱包|wallets?\b))",
    beginnings(_NAMES),
    numbers=False,
)
_SYSTEM_ALONE = Scan(rf"{BEGIN}(?P<name>{_NAMES})(?![a-z])", beginnings(_NAMES), numbers=False)
_VERSION = Scan(
    r"(?<![a-z0-9.])(?P<word>(?:app|bitpie|比特派|wallet|client)?\s?(?:version|versión|versão|versi|версия|sürüm|"
    r"ver|build|app|版本号?|버전|バージョン|v)"
    r"[\s.:：是为]{0,3}v?)(?P<said>\d{1,4}(?:\.\d{1,5}){1,4}(?:[-+]?(?:beta|rc|alpha)\.?\d{0,3})?)(?![\d.]?\d)",
    "比版버バ",
    numbers=False,
)
_VERSION_BEHIND = Scan(
    r"(?<![\d.a-z])(?P<said>\d{1,3}(?:\.\d{1,5}){1,3})\s?(?:版|版本|老版|version|ver)(?![a-z])", words=False
)
_POINTS = Scan(r"(?<![0-9a-z.,:/@$€-])(?P<said>\d{1,4}(?:\.\d{1,5}){1,4})(?![.,]?\d|[a-z%@/:-]|\.[a-z])", words=False)
_LATEST = Scan(
    BEGIN + r"(?:latest|newest|最新版本?|最新的?(?=[^一-鿿]|$)|última)(?:\sversion|\sone|\sapp)?(?![a-z])",
    "最",
    numbers=False,
)
_WHOLE = Scan(BEGIN + r"(?:version|ver|v|版本号?)\s?(?P<said>\d{1,3})(?![\d.%]|st|nd|rd|th)", "版", numbers=False)
_MODEL = Scan(
    rf"{BEGIN}(?:(?:mate|nova|note|find|reno|edge|magic|neo|mi|spark|hot)\s?\d{{1,3}}[a-z]{{0,2}}|[a-z]{{1,2}}\d{{1,3}}[a-z]{{0,2}}){_TAIL}(?![a-z0-9])"
    r"|(?<![\d.a-z])\d{1,2}\s?(?:pro\s?max|pro|plus|mini|ultra)(?![a-z0-9])"
)
"""A model without its maker, which counts only where it was asked for."""
_YEAR = re.compile(r"(?:19|20)\d{2}")


def find(reading: Reading) -> None:
    """Takes devices, systems and versions."""
    lower = reading.lower
    if reading.has_digit or "iphone" in lower or "ipad" in lower:
        for match in _DEVICE.find(lower):
            reading.take(Detail(Kind.DEVICE, reading.words(*match.span()), *match.span()))
    if reading.has_digit:
        for match in _SYSTEM.find(lower):
            if match["name"] == "win" and match["number"] not in ("7", "8", "10", "11"):
                continue
            value = f"{_SYSTEMS[match['name']]} {match['number']}"
            reading.take(Detail(Kind.SYSTEM, value, *match.span()))
        for pattern in (_VERSION, _VERSION_BEHIND) if "." in lower else ():
            for match in pattern.find(lower):
                reading.take(Detail(Kind.VERSION, match["said"], *match.span()))
        for match in _POINTS.find(lower) if "." in lower else ():
            if _is_version(reading, match["said"]):
                reading.take(Detail(Kind.VERSION, match["said"], *match.span()))
    if reading.expects((Kind.VERSION,)):
        for match in _WHOLE.find(lower):
            reading.take(Detail(Kind.VERSION, match["said"], *match.span()))
    if reading.expects((Kind.DEVICE, Kind.SYSTEM)):
        for match in _BRAND.find(lower):
            reading.take(Detail(Kind.DEVICE, reading.words(*match.span()), *match.span()))
        if not any(detail.kind is Kind.DEVICE for detail in reading.found):
            for match in _MODEL.find(lower):
                reading.take(Detail(Kind.DEVICE, reading.words(*match.span()), *match.span()))
        for match in _SYSTEM_ALONE.find(lower):
            reading.take(Detail(Kind.SYSTEM, _SYSTEMS[match["name"]], *match.span()))
    if reading.expects((Kind.VERSION,)):
        for match in _LATEST.find(lower):
            reading.take(Detail(Kind.VERSION, "latest", *match.span()))


def _is_version(reading: Reading, said: str) -> bool:
    parts = said.split(".")
    expected = Kind.VERSION in reading.expecting
    if len(parts) == 2:
        return expected and len(parts[0]) <= 2 and not reading.expects((Kind.AMOUNT, Kind.TIME))
    if len(parts) == 3:
        if _YEAR.fullmatch(parts[0]) or _YEAR.fullmatch(parts[2]):
            return False  # a date
        as_date = int(parts[0]) <= 31 and int(parts[1]) <= 12 and len(parts[2]) == 2
        return not (as_date and Kind.TIME in reading.expecting and not expected)
    if len(parts) == 4 and all(int(part) <= 255 for part in parts):
        return expected  # without the question, a machine's address
    return True
