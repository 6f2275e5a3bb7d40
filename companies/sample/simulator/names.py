"""Names of people and places, in Chinese and in English."""

from __future__ import annotations


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


SURNAMES_ZH = tuple(
    "王李张刘陈杨黄赵周吴徐孙马朱胡郭何林高罗郑梁谢宋唐许韩冯邓曹彭曾肖田董潘袁蔡蒋余于杜叶程魏苏吕丁任卢姚沈钟姜崔谭陆"
)
SURNAMES_PINYIN = _words(
    "wang li zhang liu chen yang huang zhao zhou wu xu sun ma zhu hu guo he lin gao luo zheng liang xie song tang "
    "xu han feng deng cao peng zeng xiao tian dong pan yuan cai jiang yu yu du ye cheng wei su lv ding ren lu yao "
    "shen zhong jiang cui tan lu"
)
GIVEN_ZH = _words(
    "伟 芳 娜 敏 静 丽 强 磊 洋 艳 勇 军 杰 娟 涛 明 超 秀英 霞 平 刚 桂英 建华 文 玉兰 子轩 梓涵 欣怡 浩然 一诺 "
    "宇轩 诗涵 雨桐 子墨 若曦 思远 嘉怡 晓东 海燕 志强 春梅 国栋 雪 婷 鹏 飞 慧 俊杰 佳 晨 悦"
)
GIVEN_PINYIN = _words(
    "wei fang na min jing li qiang lei yang yan yong jun jie juan tao ming chao xiuying xia ping gang guiying "
    "jianhua wen yulan zixuan zihan xinyi haoran yinuo yuxuan shihan yutong zimo ruoxi siyuan jiayi xiaodong "
    "haiyan zhiqiang chunmei guodong xue ting peng fei hui junjie jia chen yue"
)
SURNAMES_EN = _words(
    "Smith Johnson Brown Taylor Wilson Davies Evans Thomas Walker White Hughes Green Hall Wood Clarke O'Brien "
    "García Müller Rossi Dubois Novák Silva Kim Tanaka"
)
GIVEN_EN = _words(
    "Emma Olivia Liam Noah Ava Sophia James Lucas Mia Charlotte Henry Amelia Jack Grace Daniel Chloé Zoë José "
    "Hannah Oscar Ella Thomas Ruby Max"
)

# province, city, share of the customers
CITIES = (
    ("上海市", "上海", 0.20),
    ("北京市", "北京", 0.14),
    ("浙江省", "杭州", 0.13),
    ("江苏省", "苏州", 0.08),
    ("江苏省", "南京", 0.06),
    ("广东省", "广州", 0.08),
    ("广东省", "深圳", 0.07),
    ("四川省", "成都", 0.08),
    ("福建省", "厦门", 0.06),
    ("湖北省", "武汉", 0.05),
    ("云南省", "昆明", 0.05),
)
GENDERS = (("female", 0.56), ("male", 0.38), ("other", 0.01), ("unknown", 0.05))
INCOME_BANDS = (("under_100k", 0.30), ("100k_200k", 0.35), ("200k_400k", 0.18), ("400k_plus", 0.07), (None, 0.10))
OCCUPATIONS = (
    ("office", 0.30),
    ("service", 0.15),
    ("teacher", 0.08),
    ("engineer", 0.14),
    ("student", 0.12),
    ("self_employed", 0.09),
    ("retired", 0.07),
    (None, 0.05),
)
MAIL_DOMAINS = ("example.com", "example.cn", "mail.example.org", "post.example.net")
