"""What customers write, by topic, whether they praise or complain, in Chinese and in English."""

from __future__ import annotations

from typing import NamedTuple


class Phrase(NamedTuple):
    """One comment; `topic` is `none` where it says nothing in particular."""

    topic: str
    is_praise: bool
    is_english: bool
    text: str


_PHRASES: dict[tuple[str, bool], tuple[tuple[str, ...], tuple[str, ...]]] = {
    ("quality", True): (
        ("茶叶品质很好，香气足", "口感醇厚，回甘明显", "茶叶新鲜，味道一如既往", "质量不错，会推荐给朋友"),
        ("Great quality and a lovely aroma", "The tea tastes fresh every time", "Excellent taste, will recommend"),
    ),
    ("quality", False): (
        ("茶叶质量不如以前，碎末多", "味道很淡，香气不足", "收到的茶有霉味，质量太差", "口感差，和描述不符"),
        ("The quality has gone down, mostly dust", "Tastes stale, poor quality", "Not fresh, it smelled musty"),
    ),
    ("delivery", True): (
        ("物流很快，第二天就到了", "发货及时，配送员态度好", "快递很给力"),
        ("Fast delivery, arrived the next day", "Shipping was quick and easy to track"),
    ),
    ("delivery", False): (
        ("物流太慢，等了一个星期", "快递延误，没有人通知", "配送送错地址了", "发货慢，催了三次才发"),
        ("Delivery was very late", "Shipping took more than a week", "The parcel went to the wrong address"),
    ),
    ("packaging", True): (
        ("包装精美，送人很有面子", "包装很用心，没有破损"),
        ("Beautiful packaging, perfect as a gift", "Packed with care, nothing broken"),
    ),
    ("packaging", False): (
        ("包装破损，茶壶碎了", "盒子压扁了，包装太简陋", "过度包装，不环保"),
        ("The box was crushed and the teapot broken", "Packaging was damaged", "Far too much packaging"),
    ),
    ("price", True): (
        ("性价比很高，活动价格实惠", "价格公道，优惠券很好用"),
        ("Good value for the price", "Fair price, and the coupon was a nice touch"),
    ),
    ("price", False): (
        ("价格越来越贵", "太贵了，性价比不高", "刚买完就降价，感觉不值", "优惠券用不了"),
        ("Too expensive for what it is", "The price went up again", "The coupon would not work"),
    ),
    ("service", True): (
        ("客服态度很好，回复及时", "店员讲解很耐心，服务周到"),
        ("Friendly staff and helpful service", "Customer service answered right away"),
    ),
    ("service", False): (
        ("客服态度差，一直不回复", "投诉了没人处理，服务太差", "店员爱理不理", "客服回复慢，问题没解决"),
        ("Customer service never answered", "Rude staff, poor service", "My complaint was ignored"),
    ),
    ("returns", True): (
        ("退换货很方便，退款快", "退款当天就到账了"),
        ("The refund was quick and easy", "Returning it was no trouble at all"),
    ),
    ("returns", False): (
        ("退款一直没到账", "退货流程太麻烦", "不给退换，太失望了"),
        ("Still waiting for my refund", "Returning it was a hassle", "They refused to exchange it"),
    ),
    ("app", True): (
        ("小程序很好用，下单方便", "应用界面清楚"),
        ("The app is easy to use", "Checkout on the website is smooth"),
    ),
    ("app", False): (
        ("小程序老是闪退", "页面卡顿，支付失败", "APP 登录不上"),
        ("The app keeps crashing", "Payment failed twice on the website", "I cannot log in to the app"),
    ),
    ("loyalty", True): (
        ("会员积分很划算", "会员日活动很多，喜欢"),
        ("I love collecting points", "The membership perks are worth it"),
    ),
    ("loyalty", False): (
        ("积分过期了也不提醒", "会员权益没什么用"),
        ("My points expired without a warning", "The membership perks are useless"),
    ),
    # words of no topic: a share of comments that no list of phrases explains
    ("none", True): (
        ("一直在这里买", "挺好的", "加油！", "👍👍"),
        ("Keep it up", "All good :)", "Been coming here for years"),
    ),
    ("none", False): (("一般般吧", "不会再来了", "……", "有点失望"), ("Meh.", "Not coming back", "Expected more")),
}

PHRASES = tuple(
    Phrase(topic, is_praise, is_english, text)
    for (topic, is_praise), languages in _PHRASES.items()
    for is_english, texts in zip((False, True), languages, strict=True)
    for text in texts
)

MENTIONS = (
    "今天在兰亭茶社喝到了很好的龙井 #兰亭茶社",
    "兰亭茶社的礼盒颜值好高，送长辈很合适",
    "打卡兰亭茶社新店，环境不错",
    "兰亭茶社双十一囤货，快递有点慢",
    "安利一款冷泡茶，兰亭茶社家的，夏天必备",
    "兰亭茶社客服回复太慢了，差评",
    "Lanting Tea's jasmine is my new favourite 🍵",
    "Waited ten days for my order from Lanting Tea",
    "Tasting evening at Lanting Tea was lovely",
    "兰亭茶社的茶又涨价了……",
)
