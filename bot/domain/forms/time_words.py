"""How customers name times and lengths of time, in the languages that write most. Tables; ``times`` reads them."""

from __future__ import annotations

from collections.abc import Mapping

MINUTE, HOUR, DAY = 1, 60, 24 * 60
WEEK, MONTH, YEAR = 7 * DAY, 30 * DAY, 365 * DAY
"""In minutes."""

SHORT = {MINUTE: "min", HOUR: "h", DAY: "d", WEEK: "weeks", MONTH: "months", YEAR: "years"}


def alternatives(*words: str) -> str:
    """A pattern of all of them, the longer first. Each argument may hold several, with ``|`` between."""
    return "|".join(sorted("|".join(words).split("|"), key=len, reverse=True))


UNITS: Mapping[int, tuple[str, ...]] = {
    MINUTE: (
        "minutes|minute|mins|min|minutos|minuto|minuten|минуты|минут|мин|dakika|dk|menit|phút|นาที|دقیقه",
        "分钟|分鐘|分|분",
    ),
    HOUR: (
        "hours|hour|hrs|hr|h|horas|hora|heures|heure|stunden|stunde|std|часов|часа|час|ч|saat|jam|giờ|tiếng|ชั่วโมง|ساعت",
        "个小时|個小時|小时|小時|个钟头|个钟|钟头|時間|시간",
    ),
    DAY: (
        "days|day|d|días|dias|dia|día|jours|jour|tagen|tage|tag|дней|дня|день|gün|hari|ngày|วัน|روز",
        "天|日間|日|일",
    ),
    WEEK: (
        "weeks|week|wks|wk|w|semanas|semana|semaines|semaine|wochen|woche|недель|недели|неделю|неделя|hafta|minggu|tuần",
        "สัปดาห์|هفته|个星期|個星期|星期|个礼拜|個禮拜|礼拜|禮拜|周|週間|주",
    ),
    MONTH: (
        "months|month|mos|meses|mes|mês|mois|monaten|monate|monat|месяцев|месяца|месяц|ay|bulan|tháng|เดือน|ماه",
        "个月|個月|か月|ヶ月|개월",
    ),
    YEAR: (
        "years|year|yrs|yr|años|año|anos|ano|ans|jahre|jahr|лет|года|год|yıl|tahun|năm|ปี|سال",
        "年间|年了",
    ),
}
LENGTH = {word: minutes for minutes, words in UNITS.items() for word in "|".join(words).split("|")}
UNIT = alternatives(*LENGTH)

NEEDS_DIGITS = frozenset({"分", "周", "星期", "일", "주", "분", "d", "w", "h", "ч", "ay", "день", "tag"})
"""Units that are other words, too: 十分 is "very", 一日 a date."""

AGO_BEFORE = alternatives("hace", "vor", "il y a", "há")
AGO = alternatives("ago|before|back|前|之前|以前|назад|atrás|önce|전|前に|yang lalu|lalu|trước")

NOW = alternatives(
    "just now|right now|a moment ago|moments ago|刚才|剛才|刚刚|剛剛|方才|только что|az önce|방금|さっき",
    "hace un momento|ahora mismo",
)

_AGES: Mapping[int | None, tuple[str, ...]] = {
    3 * DAY: ("大前天|大前日",),
    2 * DAY: (
        "the day before yesterday|позавчера|anteayer|anteontem|vorgestern|avant-hier",
        "前天|前日|前晚|그저께",
    ),
    DAY: (
        "yesterday|last night|вчера|ayer|ontem|anoche|gestern|hier|dün|kemarin|hôm qua|دیروز",
        "昨天|昨日|昨晚|昨夜|어제",
    ),
    WEEK: (
        "last week|semana pasada|прошлой неделе|geçen hafta|minggu lalu",
        "上周|上週|上星期|上礼拜|上禮拜|지난주",
    ),
    MONTH: ("last month|上个月|上個月|上月",),
    YEAR: ("last year|去年",),
    None: (
        "this morning|this afternoon|this evening|tonight|today|сегодня|hoy|hoje|heute|bugün|hari ini|امروز",
        "今天|今早|今晚|今日|오늘",
    ),
}
AGES = {word: age for age, words in _AGES.items() for word in "|".join(words).split("|")}
"""How long ago that is; None where it depends on the time of day."""
RELATIVE = alternatives(*AGES)

MONTHS = (
    "jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|"
    "nov(?:ember)?|dec(?:ember)?"
)
WEEKDAYS = alternatives(
    "mondays?|tuesdays?|wednesdays?|thursdays?|fridays?|saturdays?|sundays?|tues|thurs",
    "понедельник|вторник|среду|четверг|пятницу|субботу|воскресенье",
    "lunes|martes|miércoles|jueves|viernes|sábado|domingo",
    "montag|dienstag|mittwoch|donnerstag|freitag|samstag|sonntag",
    "월요일|화요일|수요일|목요일|금요일|토요일|일요일",
)
PARTS = alternatives(
    "morning|noon|afternoon|evening|night|midnight|утром|днём|вечером|ночью",
    "凌晨|清晨|早上|早晨|上午|中午|下午|傍晚|晚上|半夜|夜里|夜裡",
)
"""Of a day."""
