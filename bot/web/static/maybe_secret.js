// Whether a text may hold a secret, seen from afar: what may is never written into the browser's storage, where values
// stay on the disk after they are replaced. It errs on the safe side; the desk, which gets the text, judges it exactly.

/** Pairs of characters that ordinary Chinese is full of, and that words drawn from a list hardly ever form. */
const PAIRS = new Set(`
怎么 你们 什么 钱包 密码 没有 手机 我的 登录 不是 交易 一直 一个 地址 可以 客服 账户 验证 还是
给我 显示 现在 不到 转账 失败 手续 续费 收到 那个 是不 在哪 一下 多少 出来 时候 没了 余额 么办
提示 不了 问题 提币 邮箱 记词 助记 账号 有人 确认 不能 了一 了怎 的钱 这个 更新 能不 帮我 的那
都没 是我 哪个 收不 那笔 还没 的币 证码 工单 小时 邮件 为什 忘了 我想 自己 有没 不上 也没 我要
一次 出去 处理 的时 没收 了没 去了 比特 就是 审核 进去 让我 今天 多久 是什 哪里 易所 不出 人工
还在 打开 请问 已经 转走 安全 记录 支持 身份 电话 注册 没到 恢复 一笔 发送 看不 回来 扣了 转到
们的 走了 短信 认证 点了 我这 浏览 览器 不会 的吗 成功 支付 取消 几个 以后 知道 联系 里面 如何
找回 把我 里的 了我 到账 提现 不见 公司 机号 的地 是你 你是 真的 一样 天了 网络 转了 注销 我转
的是 两个 到你 包里 这笔 进来 了两 服务 谢谢 没人 币安 矿工 重置 错误 了还 来了 我没 只有 不动
么时 昨天 重新 报错 按钮 换了 私钥 状态 用了 升级 不足 转不 第一 系统 冻结 之后 退款 等了 登不
朋友 一点 特币 一步 那边 都不 成交 来的 但是 以前 转给 订单 不对 的号 打不 转的 错了 个人 银行
的人 的账 起来 看到 这么 不去 我在 忘记 写着 怎麼 个地 没来 官方 密碼 不想 我不 之前 空的 登入
来吗 不要 别的 导入 反应 建议 实名 结果 被盗 工费 记得 码忘 时间 意思 被转 不开 需要 丢了 对方
转出 我一 少了 每次 时了 设置 通知 申请 人在 是真 提交 去的 谷歌 我有 币没 一半 个词 还有 可是
会不 我看 哪些 过来 是没 新的 机器 了个 个小 资产 我那 不行 自动 的邮 份证 还能 特派 面的 到一
微信 了吗 不起 去哪 到底 沒有 到了 号码 被骗 代币 页面 是空 钱没 好的 过去 通过 别人 备份 指纹
能量 的手 明明 找不 给你 了三 才能 次都 这样 们这 提的 绑定 充值 骗子 合约 要多 单词 没动 没反
完成 没用 麻烦 过期 期了 发的 歌验 进不 欧易 完了 闪退 卡在 不一 号被 是啥 么意 想把 前的 链接
新版 是一 正常 有个 能用 一般 币的 办法 器人 软件 见了 版本 人吗 請問 天没 链上 三天 要不 新手
试了 直没 人脸 早上 便宜 我把 另一 网页 这边 么改 被人 不用 驗證 分钟 器上 要等 哈希 个问 突然
发出 撤回 錢包 个号 付密 限制 用户 打包 好几 了好 想不 等到 上去 平台 半天 不清 你哋 看看 异常
上了
`.trim().split(/\s+/));

/** So many Chinese characters in a row without such a pair, and so many with one at most, are not ordinary. */
const WITHOUT = 9;
const WITH_ONE = 12;
/** Words of a list in a row, in their lengths and without these, of which English is full and no list has any. */
const WORDS = 6;
const ORDINARY = new Set(`
the and how for not wallet from with your was get are but send coins does login did why words which its dont has see
lost cant wont failed reset doesnt shows who would last days missing sending went pending every whats didnt without set
took ago times wants fees funds waiting asks had thanks keeps could moved than done going tried told goes opened thats
were yes works arrived rejected asked gave none years closed low been into them very also because should please
`.trim().split(/\s+/));
/** Korean sentences have more of them. */
const KOREAN = 10;

const CHINESE = /\p{sc=Han}(?:[\s,，、.。\d]*\p{sc=Han})*/gu;
const SPACED = /(?:\p{sc=Han}[\s,，、]+){7}\p{sc=Han}(?!\p{sc=Han})/u;
/** A keystore, an array of bytes, PEM. */
const KEYS = [
  /-----BEGIN/,
  /"(?:crypto|ciphertext|kdf)"/i,
  /(?:\d{1,3}\s*,\s*){15}\d/,
];
/** What has letters and digits like a password, and six digits like a code. */
const MIXED = /\S{8,}/g;
const SIX = /(?<!\d)\d{3}[ -]?\d{3}(?!\d)/;
/** Words for what is given as a secret, and something behind or before them. */
const TOLD = [
  /(?:pass(?:word|code|phrase|wd)?|pwd|pin|otp|secret|seed|mnemonic|cvv)\b["'”]?\s*(?:is\b|was\b|[:=：])\s*\S/i,
  /(?:pass(?:word|code|wd)?|pwd|pin|otp|code|secret|cvv)\b.{0,20}\d{3}|\d{3}.{0,20}\b(?:pass(?:word|code)|pin|otp|code)\b/i,
  /(?:密码|密碼|口令|助记词|助記詞|私钥|私鑰|密钥|验证码|驗證碼)\s*(?:是|为|為|[:=：])?\s*[\w!-/@-]{4}|\d{4}.{0,8}(?:密码|口令|验证码)/i,
];
/** Cards and identity papers. */
const NUMBERS = /(?:\d[ -]?){13,19}/;

export function mayBeSecret(text) {
  const plain = text.normalize("NFKC");
  if ([...KEYS, ...TOLD, NUMBERS, SIX, SPACED].some((form) => form.test(plain))) return true;
  if (plain.match(MIXED)?.some((one) => /[\d#$%^&*]/.test(one) && /[a-z]/i.test(one))) return true;
  return mayBeWords(plain) || mayBeChinese(plain);
}

function mayBeWords(text) {
  let [row, korean] = [0, 0];
  for (const word of text.split(/[^\p{L}\p{M}]+/u)) {
    if (!word) continue;
    if (/\p{sc=Hangul}/u.test(word)) {
      korean = word.length > 1 && word.length < 6 ? korean + 1 : 0;
      if (korean >= KOREAN) return true;
    }
    const listed = word.length > 2 && word.length < 13 && !/[\p{sc=Hangul}\p{sc=Han}]/u.test(word);
    row = listed && !ORDINARY.has(word.toLowerCase()) ? row + 1 : 0;
    if (row >= WORDS) return true;
  }
  return false;
}

function mayBeChinese(text) {
  for (const [run] of text.matchAll(CHINESE)) {
    const characters = [...run].filter((one) => /\p{sc=Han}/u.test(one));
    let [last, before] = [0, 0];
    for (let place = 1; place < characters.length; place++) {
      if (PAIRS.has(characters[place - 1] + characters[place])) [before, last] = [last, place];
      if (place + 1 - last >= WITHOUT || place + 1 - before >= WITH_ONE) return true;
    }
  }
  return false;
}
