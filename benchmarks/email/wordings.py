"""What customers write in mails, in four languages: our own words."""

from __future__ import annotations

SUBJECTS = {
    "en": ("Withdrawal has not arrived", "I cannot sign in", "Question about fees", "Your message", "Refund?"),
    "zh": ("提现没有到账", "无法登录", "关于手续费", "您的邮件", "咨询"),
    "de": ("Auszahlung nicht angekommen", "Anmeldung geht nicht", "Frage zu Gebühren", "Ihre Nachricht", "Rückfrage"),
    "ja": ("出金が届きません", "ログインできません", "手数料について", "ご連絡の件", "お問い合わせ"),
}
OURS = {
    "en": "Thank you for writing to us.\n\nPlease send us the transaction hash, the network and the time of the "
    "withdrawal.\n"
    "You find all three under Assets, History.\n\nYour support team",
    "zh": "感谢您的来信。\n\n请提供交易哈希、网络和提现时间。\n这三项可以在“资产 – 历史记录”中找到。\n\n客服团队",
    "de": "vielen Dank für Ihre Nachricht.\n\nBitte nennen Sie uns den Transaktions-Hash, das Netzwerk und die "
    "Uhrzeit der Auszahlung.\n"
    "Alles steht unter Vermögen, Verlauf.\n\nIhr Support",
    "ja": "お問い合わせありがとうございます。\n\nトランザクションハッシュ、ネットワーク、出金の時刻をお知らせく"
    "ださい。\n"
    "いずれも「資産」の「履歴」にあります。\n\nサポートチーム",
}
REPLIES = {
    "en": (
        "The hash is 0x9f2c41d7. It says confirmed.",
        'Hi,\n\nI did that already on Monday. On my phone it still says "pending".\n\nWhat now?',
        "Network: TRC20\nTime: about 14:20\nHash: see above",
        "No.",
        "Two things:\n\n- the withdrawal of 250 USDT\n- the fee of 1 USDT, which I was not told about\n\nBoth "
        "happened on 11/26/2026 at 9:15.",
        "You wrote that I should wait. I wrote back that I did wait. From my side everything is done: please look.",
        "Thanks, it has arrived!",
        "I sent it from: Kraken\nand the address to: my wallet\n\nIs that a problem?",
        "My colleague bob@example.net said: it takes an hour. It has been three hours now.",
        "Original message was never answered, so I ask again: where is my money?",
        "Please see the attached screenshot.\n\n1. step one worked\n2. step two shows error 4031\n\nI tried it "
        "in Chrome and in Safari - same thing.",
    ),
    "zh": (
        "哈希是 0x9f2c41d7，显示已确认。",
        "您好，\n\n周一已经按您说的做了，手机上还是显示“处理中”。\n\n现在怎么办？",
        "网络：TRC20\n时间：下午2点20分左右\n哈希：见上",
        "没有。",
        "两件事：\n\n- 250 USDT 的提现\n- 1 USDT 的手续费，事先没有告诉我\n\n都是 2026年11月26日 9:15 的事。",
        "你们上次写道要等，我已经等了三天。请帮我查一下。",
        "谢谢，已经到账了！",
        "我是从币安转出的\n收款的是我自己的钱包\n\n这样有问题吗？",
        "同事 bob@example.net 说一个小时就到，现在已经三个小时了。",
        "之前的邮件一直没有人回复，所以再问一次：我的钱在哪里？",
        "请看附件截图。\n\n1. 第一步可以\n2. 第二步提示错误 4031\n\n手机和电脑都试过了，一样。",
    ),
    "de": (
        "Der Hash ist 0x9f2c41d7, Status bestätigt.",
        'Guten Tag,\n\ndas habe ich am Montag schon gemacht. Auf dem Handy steht immer noch "in '
        'Bearbeitung".\n\nWas jetzt?',
        "Netzwerk: TRC20\nUhrzeit: etwa 14:20\nHash: siehe oben",
        "Nein.",
        "Zwei Dinge:\n\n- die Auszahlung von 250 USDT\n- die Gebühr von 1 USDT, von der niemand "
        "sprach\n\nBeides am 26.11.2026 um 9:15 Uhr.",
        "Sie schrieben, ich solle warten. Ich schrieb zurück, dass ich gewartet habe. Von mir aus ist alles erledigt.",
        "Danke, ist angekommen!",
        "Gesendet habe ich es von Kraken\nan meine eigene Wallet\n\nIst das ein Problem?",
        "Mein Kollege bob@example.net sagte: Es dauert eine Stunde. Jetzt sind es drei.",
        "Meine ursprüngliche Nachricht wurde nie beantwortet, deshalb noch einmal: Wo ist mein Geld?",
        "Siehe Screenshot im Anhang.\n\n1. Schritt eins ging\n2. Schritt zwei zeigt Fehler 4031\n\nIn Chrome "
        "und in Safari - überall gleich.",
    ),
    "ja": (
        "ハッシュは 0x9f2c41d7 で、確認済みと表示されています。",
        "お世話になっております。\n\n月曜日に試しましたが、スマートフォンではまだ「処理中」です。\n\nどうすれば"
        "よいでしょうか。",
        "ネットワーク：TRC20\n時刻：14時20分ごろ\nハッシュ：上記のとおり",
        "いいえ。",
        "二点あります。\n\n- 250 USDT の出金\n- 聞いていない 1 USDT の手数料\n\nどちらも 2026年11月26日 9:15 です。",
        "待つようにとのメールでしたので、三日待ちました。ご確認をお願いします。",
        "ありがとうございます。届きました！",
        "送ったのは取引所から\n受け取りは自分のウォレットです\n\n問題ありますか。",
        "同僚の bob@example.net は一時間と言っていましたが、もう三時間です。",
        "前のメールに返事がないため、もう一度伺います。お金はどこですか。",
        "添付の画像をご覧ください。\n\n1. 手順一はできました\n2. 手順二でエラー 4031 が出ます\n\nChrome でも "
        "Safari でも同じです。",
    ),
}
CLOSINGS = {
    "en": ("Best regards,\n{name}", "Thanks,\n{name}", "{name}"),
    "zh": ("此致\n敬礼\n{name}", "谢谢\n{name}", "{name}"),
    "de": ("Mit freundlichen Grüßen\n{name}", "Viele Grüße\n{name}", "{name}"),
    "ja": ("よろしくお願いいたします。\n{name}", "以上、よろしくお願いします。", "{name}"),
}
SIGNATURES = {
    "en": "{name}\nExample Trading Ltd.\n+44 20 7946 0000",
    "zh": "{name}\n示例贸易有限公司\n电话：010-5550 0000",
    "de": "{name}\nBeispiel Handel GmbH\nTel. +49 30 901820",
    "ja": "{name}\n株式会社サンプル\nTEL 03-5550-0000",
}
NAMES = {
    "en": ("Alice Carter", "Bob O'Neill", "carol"),
    "zh": ("张三", "李小明", "wang"),
    "de": ("Jürgen Groß", "Anna-Lena Vogt", "m.keller"),
    "ja": ("佐藤 花子", "鈴木一郎", "tanaka"),
}
