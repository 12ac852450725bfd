// Whether words may hold a secret (a seed phrase, a key, a password), as a coarse and generous guess. What may is never put
// into the browser's storage, whose files keep what was deleted; the desk, not this, decides what a secret is.

import { PAIRS } from "./pairs.js";

/** Words without which hardly anybody writes three others: they end a row. */
const COMMON = new Set(`a about add after again all already also always an and any anybody anyone are around as ask at back be because been
before being bitpie but by call can cannot case change check come could day days did do does doing don done email ever every find fix for forgot from funds
get gets getting give go goes going got had has have having hello help her here him his how if in into is it its just keep know last let like login
long look make many may me means minute minutes money month more my need never new no nobody not nothing now of off on one only open or other our
out over phone please problem put really received reset right same say says see send sent should show shows since so some somebody someone something
start still support sure take tell than thank thanks that the their them then there these they thing this those time times to today told
too took transfer tried try trying two under until up us use used using very want wants was way we week well were what when where which while
who whom why will with withdraw withdrawal within without work working would wrong yes yesterday yet you your
account app address coin coins deposit fee fees wallet order ticket password seed phrase hours hour minutes person agent human question
de la el los las un una que en es por para con mi me no se le les des du pour pas je est et dans sur mon ma une le
o os as um uma com não meu minha eu e do da em il lo di che non per mio mia sono ho nel ich ist das der die und nicht mein meine ein eine zu mit auf`.split(/\s+/));

const SECRET = "\\bpw\\b|pass\\s?(?:word|code|phrase|wd)s?|pwd|pin|otp|2fa|seed|mnemonic|srp|(?:private|secret|api|recovery|backup)\\s?(?:key|words?|phrase)s?|keystore|contraseña|clave|пароль|passwort|senha|mot de passe|密码|密碼|口令|助记词|助記詞|备份词|恢复词|私钥|私鑰|密钥|秘钥";
const CODE = "code|otp|2fa|pin|验证码|驗證碼|校验码|动态码|确认码|код|código";
const RULES = [
  new RegExp(`(?:${SECRET})\\s*(?:is|are|was|es|ist|:|：|=|＝|->|是|为|為|就是|这个)\\s*["'“「]?\\S`, "i"),
  new RegExp(`^(?=[^]*(?:${SECRET}))[^]*?(?<![!-~])(?=[!-~]{0,80}[0-9@#$%^&*_+=~])[!-~]{5,}`, "i"), // named, and something that may be it
  new RegExp(`(?:${SECRET})[!-~]{0,80}[0-9]`, "i"),
  new RegExp(`(?:${CODE})\\D{0,20}\\d[\\d\\s-]{3,10}`, "i"),
  new RegExp(`\\d[\\d\\s-]{3,10}\\D{0,10}(?:${CODE})`, "i"),
  /^\s*["'“]?(?=\S*[0-9])(?=\S*[^0-9\s])[!-~]{5,}["'”]?\s*$/, // one word, with a digit in it
  /^\s*\d{3}\s?\d{1,5}\s*$/, // a code by itself
  /(?<![!-~])(?=[!-~]{0,80}[0-9])(?=[!-~]{0,80}[A-Za-z])[!-~]{0,80}?[A-Za-z0-9+/=_-]{16}|[A-Za-z0-9+/=]{24}/, // keys, and much that is none
  /(?:[0-9a-f]{4,8}[\s:-]+){4}/i,
  /(?:\d{1,3}\s*,\s*){5}/,
  /(?:\d[ -]?){12,}/, // cards, papers
  /-----|cipher|"crypto"/i,
];
const WORD = /[\p{Script=Latin}\p{Script=Cyrillic}\p{M}'’]+/gu;
const LISTED = /^[\p{L}\p{M}]{3,9}$/u;
const ROW = 4;
/** Syllables of words of other scripts, in a row, that hardly anybody writes with spaces between them; of Korean more. */
const KANA = /(?:(?<![\p{Script=Hiragana}ー])[\p{Script=Hiragana}ー]{2,8}[\s\d.,、，_|-]+){3}/u;
const HANGUL = /(?:(?<!\p{Script=Hangul})\p{Script=Hangul}{1,5}[\s\d.,_|-]+){6}/u;
const SINGLE = /(?:(?<!\p{Script=Han})\p{Script=Han}[\s,，、.。;；|/\d:-]+){3}/u;
const HAN = /\p{Script=Han}+/gu;
/** Characters in a row that may be a phrase, or the beginning of one. */
const HAN_ROW = 10;
const HAN_BEGINNING = 7;

export function mayBeSecret(text) {
  const said = text.normalize("NFC");
  return RULES.some((rule) => rule.test(said)) || hasWords(said) || hasCharacters(said);
}

function hasWords(text) {
  let row = 0;
  for (const [word] of text.matchAll(WORD)) {
    row = LISTED.test(word) && !COMMON.has(word.toLowerCase()) ? row + 1 : 0;
    if (row >= ROW) return true;
  }
  return KANA.test(text) || HANGUL.test(text) || SINGLE.test(text);
}

function hasCharacters(text) {
  const rows = text.replace(/[\s\d,，、.:：;；_|/-]+/g, "").match(HAN) ?? [];
  return rows.some((row) => {
    let apart = 1; // characters in a row of which no two are a common pair
    for (let at = 1; at < row.length; at += 1) {
      apart = PAIRS.has(row.slice(at - 1, at + 1)) ? 1 : apart + 1;
      if (apart >= HAN_ROW) return true;
    }
    return row.length >= HAN_BEGINNING && apart === row.length;
  });
}
