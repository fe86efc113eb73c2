"""The page of an assortment task: what the set retains, which products it keeps, and which transfer it assumes."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from otklik.decisions.assortment.judging import METHODS
from otklik.decisions.assortment.kind import AssortmentTask
from otklik.kind import Reader
from otklik.page.blocks import Block, Bullets, Cell, Figure, Paragraph, Section, TableBlock, head, heads, number
from otklik.page.figures import Series, lines
from otklik.page.rendering import Answer, KeyFigure, Page
from otklik.page.words import Voice, texts

#: Maximum number of products in each table.
_MOST_PRODUCTS = 12

TEXTS = texts(
    reason__few_earlier=(
        "{customers} customers in the earlier period: {minimum} are needed to choose a set.",
        "В более раннем периоде клиентов: {customers}; для выбора нужно {minimum}.",
    ),
    reason__few_later=(
        "{customers} customers in the later period: {minimum} are needed to evaluate the set.",
        "В более позднем периоде клиентов: {customers}; для проверки нужно {minimum}.",
    ),
    reason__nothing_to_choose=(
        "There are places for all {products} products: none has to be dropped.",
        "Места хватает всем товарам ({products}): убирать ничего не нужно.",
    ),
    reason__same_set=(
        "The chosen set is the {places} best sellers: no other set was found that retains more.",
        "Выбранный набор — это и есть самые продаваемые товары ({places}): лучшего набора не нашлось.",
    ),
    reason__keeps_more=(
        "Of every 1,000 of later value the set of {places} products retains {kept}, the {places} best sellers {naive} "
        "({customers} customers).",
        "Из каждой 1000 последующей выручки набор из {places} товаров сохраняет {kept}, столько же самых продаваемых "
        "товаров — {naive} (клиентов: {customers}).",
    ),
    reason__little_more=(
        "Of every 1,000 of later value the set of {places} products retains {kept}, the {places} best sellers {naive} "
        "({customers} customers): significantly more, but too little to be worth a change.",
        "Из каждой 1000 последующей выручки набор из {places} товаров сохраняет {kept}, столько же самых продаваемых "
        "товаров — {naive} (клиентов: {customers}): разница значима, но слишком мала, чтобы что-то менять.",
    ),
    reason__not_better=(
        "It is not shown that another set is better than the {places} best sellers: of every 1,000 of later value it "
        "retains {kept}, they retain {naive} ({customers} customers).",
        "Не доказано, что другой набор лучше {places} самых продаваемых товаров: из каждой 1000 последующей выручки "
        "он сохраняет {kept}, они — {naive} (клиентов: {customers}).",
    ),
    finding__new_products=(
        "Products first sold in the later period: {n}, with {percent}% of its value. No rule could choose them; they "
        "are not counted.",
        "Товаров, впервые проданных в более позднем периоде: {n}, на них {percent} % его выручки. Выбрать их не могло "
        "ни одно правило, они не учтены.",
    ),
    finding__several_categories=(
        "Products with more than one category: {n}; the most frequent one is used.",
        "Товаров с несколькими категориями: {n}; учтена самая частая.",
    ),
    finding__transfer_unclear=(
        "The transfer to other products could not be estimated precisely enough ({days} product-days out of stock in "
        "{weeks} weeks): the declared share is used.",
        "Сколько переходит на другие товары, измерить достаточно точно не удалось (дней без товара: {days}, недель: "
        "{weeks}); взята заданная доля.",
    ),
    answer__declared=(
        "Assumption: {transfer} of a dropped product's value goes to other products that its buyers also buy.",
        "Допущение: {transfer} выручки убранного товара переходит на другие товары, которые его покупатели тоже берут.",
    ),
    answer__measured=(
        "When a product was out of stock, {transfer} of its value went to other products that its buyers also buy.",
        "Когда товара не было, {transfer} его выручки переходило на другие товары, которые его покупатели тоже берут.",
    ),
    answer__break_even=(
        "The chosen set retains more than the best sellers if this share is at least {share}.",
        "Выбранный набор сохраняет больше, чем самые продаваемые товары, если эта доля не меньше {share}.",
    ),
    answer__always=(
        "The chosen set retains more than the best sellers whatever this share is.",
        "Выбранный набор сохраняет больше, чем самые продаваемые товары, какой бы ни была эта доля.",
    ),
    key__kept=("Later value retained", "Сохранено последующей выручки"),
    key__gain=("Gain over the best sellers", "Выигрыш против хитов продаж"),
    key__reach=("Customers who find one of their products", "Клиентов, которые находят свой товар"),
    key__naive=("best sellers: {value}", "хиты продаж: {value}"),
    section__curve=("What sets of each size retain", "Сколько сохраняют наборы каждого размера"),
    curve__title=(
        "Later value retained, by number of products kept",
        "Сохранённая последующая выручка по числу товаров",
    ),
    curve__takeaway=(
        "Chosen on earlier purchases, evaluated on later ones.",
        "Выбрано по более ранним покупкам, проверено на более поздних.",
    ),
    curve__alt=(
        "Share of later value retained by sets of each size: the chosen set, the best sellers, a random set",
        "Доля сохранённой последующей выручки по размеру набора: выбранный набор, самые продаваемые, случайный набор",
    ),
    curve__x=("products kept", "оставлено товаров"),
    curve__y=("value retained", "сохранено"),
    curve__mark=("places", "мест"),
    method__chosen=("chosen set", "выбранный"),
    method__best_sellers=("best sellers", "хиты продаж"),
    method__random=("random set", "случайный"),
    judged__caption=("Sets of the same size", "Наборы одного размера"),
    judged__method=("Set", "Набор"),
    judged__kept=("Value retained, later", "Сохранено, позже"),
    judged__earlier=("Earlier", "Раньше"),
    judged__kept_itself=("By kept products alone", "Самими товарами"),
    judged__needs=("Needs met", "Закрыто потребностей"),
    judged__reach=("Reach, customers", "Охват клиентов"),
    judged__note=(
        "A need is what a customer buys in a category within the period; it is met if at least one of these products "
        "is kept. Needs are weighted by value.",
        "Потребность — то, что клиент покупает в категории за период; она закрыта, если оставлен хотя бы "
        "один из этих товаров. Потребности взвешены по выручке.",
    ),
    section__products=("Which products", "Какие товары"),
    products__in=("Kept instead of better sellers", "Оставлены вместо более продаваемых"),
    products__out=("Best sellers that are dropped", "Убраны из самых продаваемых"),
    products__top=("Kept products whose loss would cost most", "Оставленные товары, потеря которых дороже всего"),
    products__product=("Product", "Товар"),
    products__value=("Earlier value", "Прежняя выручка"),
    products__later=("Later value", "Последующая"),
    products__lost=("Loss without it", "Потери без него"),
    products__substitute=("Nearest substitute", "Ближайшая замена"),
    products__none=("none in its category", "нет в категории"),
    products__takeaway=(
        "{n} of {places} places go to products that are not best sellers. All products: gold.{task}_products.",
        "Мест, занятых не самыми продаваемыми товарами: {n} из {places}. Все товары: gold.{task}_products.",
    ),
    products__same=(
        "No other set is shown to be worth a change: keep the best sellers. All products: gold.{task}_products.",
        "Не доказано, что другой набор стоит перемен: оставьте самые продаваемые товары. Все товары: "
        "gold.{task}_products.",
    ),
    products__note=(
        "Loss without it includes what its buyers spend on it instead of dropped products; for a dropped product it is "
        "what keeping it would add.",
        "Потери без него включают то, что покупатели тратят на него вместо убранных товаров; для убранного товара это "
        "то, что он добавил бы.",
    ),
    section__transfer=("Transfer to other products", "Переход спроса на другие товары"),
    transfer__caption=(
        "Share of a dropped product's value that goes to others",
        "Доля выручки убранного товара, переходящая на другие",
    ),
    transfer__source=("Source", "Источник"),
    transfer__share=("Share", "Доля"),
    transfer__days=("Product-days out of stock", "Дней без товара"),
    transfer__missed=("Lost value", "Недополучено"),
    transfer__gained=("Gain of others", "Прирост других"),
    transfer__used=("used", "используется"),
    source__declared=("declared", "задана"),
    source__measured=("measured", "измерена"),
    section__method=("How this was counted", "Как это посчитано"),
    how__kept=(
        "A kept product retains all its value. Of a dropped one the share above is retained if the customer buys "
        "another, kept product of the category within {days} days, otherwise nothing.",
        "Выручка оставленного товара сохраняется вся. От убранного остаётся указанная доля, если клиент за {days} дн. "
        "покупает другой, оставленный товар категории, и ничего, если не покупает.",
    ),
    how__chosen=(
        "Greedy selection: products enter the set one by one, each time the one that adds most. Such a set retains at "
        "least 63% of what the best set of its size retains, usually nearly all of it (Nemhauser, Wolsey, Fisher "
        "1978).",
        "Жадный выбор: товары входят в набор по одному, каждый раз тот, который добавляет больше всего. Такой набор "
        "сохраняет не менее 63 % того, что сохраняет лучший набор этого размера, а обычно почти всё (Nemhauser, "
        "Wolsey, Fisher 1978).",
    ),
    how__judged=(
        "The set is chosen on purchases before the last {days} days and evaluated on those days. Intervals: jackknife "
        "over customers, conditional on the sets.",
        "Набор выбран по покупкам до последних {days} дн. и проверен на них. Интервалы — методом складного ножа "
        "(jackknife) по клиентам при данных наборах.",
    ),
    how__limits=(
        "This is a projection: no data show the shop without the dropped products. Customers who come for one product "
        "and buy others as well may stay away. Drop a few products in some stores first, and compare.",
        "Это прогноз: данных о магазине без убранных товаров нет. Клиент, который приходит за одним товаром и покупает "
        "другие, может не прийти: сначала уберите несколько товаров в части магазинов и сравните.",
    ),
)  # fmt: skip


def section(read: Reader, task: AssortmentTask, voice: Voice) -> Page:
    """The page: the value that the set retains, its products, and the assumptions."""
    words = voice.words
    products = read.table("products").toPandas()
    sections = []
    if read.measure("gain", split="later") is not None:
        sections += [
            Section("curve", words("section.curve"), _curve(read, products, voice)),
            Section("products", words("section.products"), _products(products, task, voice)),
        ]
    transfers = read.table("transfer").orderBy("source").toPandas()
    if len(transfers) > 1:
        sections.append(Section("transfer", words("section.transfer"), [_transfer(transfers, voice)]))
    days = voice.formats.integer(task.test_days)
    method = [words(f"how.{name}", days=days) for name in ("kept", "chosen", "judged", "limits")]
    sections.append(Section("method", words("section.method"), [Bullets(method)]))
    return Page(task.title[voice.language], task.question[voice.language], _answer(read, voice), sections)


def _answer(read: Reader, voice: Voice) -> Answer:
    words, formats = voice.words, voice.formats
    sentences = [voice.told(reason, "reason") for reason in read.verdict.reasons]
    transfer, turn = read.measure("transfer", split="earlier"), read.measure("break_even", split="later")
    if transfer is not None:
        is_measured = bool(read.table("transfer").where("source = 'measured' AND is_used").count())
        share = formats.percent(transfer.value, 0)
        sentences.append(words("answer.measured" if is_measured else "answer.declared", transfer=share))
    if turn is not None and turn.value is not None and math.isfinite(turn.value):
        said = words("answer.break_even", share=formats.percent(turn.value, 0))
        sentences.append(said if turn.value else words("answer.always"))
    figures = []
    for key, name, subject in (("kept", "kept", "chosen"), ("gain", "gain", ""), ("reach", "reach", "chosen")):
        one = read.measure(name, subject, "later")
        if one is None:
            continue
        note = formats.percent_interval(one.low, one.high)
        if subject:
            note = f"{note}; {words('key.naive', value=formats.percent(one.baseline))}".lstrip("; ")
        figures.append(KeyFigure(words(f"key.{key}"), formats.percent(one.value), note))
    warnings = [voice.told(finding) for finding in read.findings if finding.is_warning]
    verdict = read.verdict.verdict
    return Answer(verdict, words(f"verdict.{verdict}"), sentences, figures, warnings)


def _curve(read: Reader, products: pd.DataFrame, voice: Voice) -> list[Block]:
    words, formats = voice.words, voice.formats
    curve = read.table("curve").where("split = 'later'").toPandas().sort_values("places")
    series = []
    for method, role in (("random", "other"), ("best_sellers", "baseline"), ("chosen", "main")):
        own = curve[curve["method"] == method]
        x, y = (np.append(0.0, own[name].to_numpy(float)) for name in ("places", "kept"))
        series.append(Series(words(f"method.{method}"), x, y, role=role))  # type: ignore[arg-type]
    picture = lines(
        "kept", series, words("curve.alt"), (formats.short, lambda share: formats.percent(share, 0)),
        (words("curve.x"), words("curve.y")), mark=(float(products["is_kept"].sum()), words("curve.mark")),
    )  # fmt: skip
    rows = []
    for method in METHODS:
        cells = [head(words(f"method.{method}"))]
        for name, split in (
            ("kept", "later"),
            ("kept", "earlier"),
            ("kept_itself", "later"),
            ("needs", "later"),
            ("reach", "later"),
        ):
            one = read.measure(name, method, split)
            assert one is not None
            cells.append(number(formats.percent(one.value), formats.percent_interval(one.low, one.high)))
        rows.append(cells)
    titles = heads(
        *(words(f"judged.{name}") for name in ("method", "kept", "earlier", "kept_itself", "needs", "reach"))
    )
    return [
        Figure(words("curve.title"), words("curve.takeaway"), picture),
        TableBlock(words("judged.caption"), titles, rows, note=words("judged.note")),
    ]


def _products(products: pd.DataFrame, task: AssortmentTask, voice: Voice) -> list[Block]:
    words = voice.words
    is_seller = products["is_best_seller"]
    is_in, is_out = products["is_kept"] & ~is_seller, ~products["is_kept"] & is_seller
    parts = {"in": products[is_in], "out": products[is_out]} if is_in.any() else {"top": products[products["is_kept"]]}
    places = voice.formats.integer(products["is_kept"].sum())
    n = voice.formats.integer(is_in.sum())
    said = words("products.takeaway" if is_in.any() else "products.same", n=n, places=places, task=task.name)
    blocks: list[Block] = [Paragraph(said, "takeaway")]
    for name, rows in parts.items():
        ordered = rows.sort_values(["lost_without", "group", "product"], ascending=[False, True, True])
        blocks.append(_listed(words(f"products.{name}"), ordered.head(_MOST_PRODUCTS), voice))
    return [*blocks, Paragraph(words("products.note"), "note")]


def _listed(caption: str, rows: pd.DataFrame, voice: Voice) -> TableBlock:
    words, formats = voice.words, voice.formats
    has_groups = rows["group"].nunique() > 1
    cells = []
    for row in rows.to_dict("records"):
        small = ", ".join(
            str(row[name]) for name in ("group", "category") if row[name] and (name == "category" or has_groups)
        )
        substitute = words("products.none") if row["substitute"] is None else str(row["substitute"])
        share = "" if row["substitute"] is None else formats.percent(row["substitute_share"], 0)
        cells.append(
            [
                head(str(row["product"]), small),
                *(number(formats.money(row[name])) for name in ("value", "later_value", "lost_without")),
                Cell(substitute, "text", share),
            ]
        )
    titles = heads(*(words(f"products.{name}") for name in ("product", "value", "later", "lost", "substitute")))
    titles[-1] = Cell(titles[-1].text)
    return TableBlock(caption, titles, cells)


def _transfer(transfers: pd.DataFrame, voice: Voice) -> TableBlock:
    words, formats = voice.words, voice.formats
    rows = []
    for row in transfers.to_dict("records"):
        mark = words("transfer.used") if row["is_used"] else ""
        rows.append(
            [
                head(words(f"source.{row['source']}"), mark),
                number(formats.percent(row["transfer"]), formats.percent_interval(row["low"], row["high"])),
                number(formats.integer(row["days"])),
                *(number(formats.money(row[name])) for name in ("missed", "gained")),
            ]
        )
    titles = heads(*(words(f"transfer.{name}") for name in ("source", "share", "days", "missed", "gained")))
    return TableBlock(words("transfer.caption"), titles, rows)
