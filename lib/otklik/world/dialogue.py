"""Customers' consents and messages to support, and the shop's posts on its own pages."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from pyspark.sql import DataFrame, SparkSession

from otklik.world import people
from otklik.world.draws import Draws, by_value, texts
from otklik.world.timeline import microseconds_of_local_day
from otklik.world.trials import DAYS, FIRST_DAY

#: Channel → percentage of customers who consent to be contacted by it when asked.
AGREE = {"email": 70, "sms": 55, "phone": 35, "messenger": 60}
#: Share of consents that are withdrawn later.
WITHDRAWN_SHARE = 0.15

#: Mean number of messages per customer; percentages of the topics; share that an agent files under a random topic.
MEAN_MESSAGES, MISFILED_SHARE = 0.6, 0.05
MESSAGE_TOPICS = {"delivery": 35, "refund": 25, "payment": 25, "bonus": 15}
ASKED: Mapping[str, tuple[str, ...]] = {
    "delivery": ("где мой заказ", "курьер не приехал", "когда привезут продукты", "опоздали с доставкой на два часа",
                 "тапсырыс әлі келген жоқ", "where is my order"),
    "refund": ("хочу вернуть товар", "привезли не то, верните деньги", "как оформить возврат", "товар просрочен, верну",
               "ақшамды қайтарыңыз", "I want my money back"),
    "payment": ("не проходит оплата картой", "деньги списали дважды", "как оплатить наличными", "чек не пришёл",
                "төлем өтпей тұр", "my card was declined"),
    "bonus": ("куда пропали бонусы", "как потратить баллы", "не начислили кешбэк", "карта лояльности не работает",
              "бонустар қайда", "how do I use my points"),
}  # fmt: skip
_OPENINGS = ("", "", "здравствуйте, ", "добрый день, ", "сәлем, ", "подскажите, ", "hi, ")
_ENDINGS = ("", "", "?", "!", "...", " спасибо", " рақмет")

#: Number of posts on the shop's pages; percentages of the formats; factor of each on reactions.
POSTS = 400
FORMATS, FORMAT_FACTORS = {"photo": 50, "video": 25, "text": 25}, {"photo": 1.0, "video": 2.0, "text": 0.6}
_TOPICS = ("скидки", "рецепты", "новинки", "вакансии")
#: Mean number of reactions to a photo; standard deviation of their logarithm.
MEAN_REACTIONS, REACTIONS_SPREAD = 120.0, 0.4


def consents(customers: DataFrame, draws: Draws) -> DataFrame:
    """One row each time a customer is asked for consent or withdraws it.

    Returns:
        number, n (from 0), consent_id, customer_id, channel, state (granted, refused, withdrawn), us, is_allowed (the
        final state of this customer and channel).
    """
    start = microseconds_of_local_day(FIRST_DAY)
    shares = by_value("channel", {name: f"{share / 100}D" for name, share in AGREE.items()})
    asked = f"{start}L + CAST({draws.uniform('asked', 'channel')} * {DAYS / 2 * 86_400}D AS BIGINT) * 1000000L"
    later = f"CAST((1D + {draws.uniform('withdrawn on', 'channel')} * {DAYS / 2 - 2}D) * 86400D AS BIGINT) * 1000000L"
    return (
        customers.selectExpr(
            "number", people.CUSTOMER_ID,
            f"posexplode({texts(list(AGREE))}) AS (place, channel)",
        )
        .selectExpr(
            "*", f"{draws.uniform('agrees', 'channel')} < {shares} AS agrees",
            f"{draws.uniform('withdraws', 'channel')} < {WITHDRAWN_SHARE}D AS withdraws", f"{asked} AS asked_us",
        )
        .selectExpr(
            "number", "place", "customer_id", "channel", "agrees AND NOT withdraws AS is_allowed",
            f"""inline(array_compact(array(
                struct(0 AS later, if(agrees, 'granted', 'refused') AS state, asked_us AS us),
                if(agrees AND withdraws, struct(1 AS later, 'withdrawn' AS state, asked_us + {later} AS us), NULL)
            )))""",
        )
        .selectExpr(
            "number", "2 * place + later AS n",
            "concat('N', lpad(number * 10 + 2 * place + later, 9, '0')) AS consent_id",
            "customer_id", "channel", "state", "us", "is_allowed",
        )
    )  # fmt: skip


def support_messages(customers: DataFrame, draws: Draws, without: Collection[str]) -> DataFrame:
    """One row per message to the support, and one per customer without messages.

    Returns:
        number, i (from 1; null: no message), message_id, customer_id, us, text, topic (under which an agent filed it),
        true_topic.
    """
    count = f"CAST(floor(-{MEAN_MESSAGES}D * ln(1D - {draws.uniform('messages')})) AS INT)"
    # If switched off, texts do not depend on the topic.
    said_of = draws.one_of(list(ASKED), "said of", "i") if "support_topics" in without else "true_topic"
    asked = by_value(said_of, {topic: draws.one_of(phrases, "phrase", "i") for topic, phrases in ASKED.items()})
    opening, ending = draws.one_of(_OPENINGS, "opening", "i"), draws.one_of(_ENDINGS, "ending", "i")
    misfiled = f"{draws.uniform('misfiled', 'i')} < {MISFILED_SHARE}D"
    start = microseconds_of_local_day(FIRST_DAY)
    return (
        customers.selectExpr("number", f"explode_outer(if({count} = 0, array(), sequence(1, {count}))) AS i")
        .selectExpr("*", f"{draws.weighted(MESSAGE_TOPICS, 'message topic', 'i')} AS true_topic")
        .selectExpr(
            "number", "i", f"lower(hex({draws.bits('message id', 'i')})) AS message_id",
            people.CUSTOMER_ID,
            f"{start}L + CAST({draws.uniform('written', 'i')} * {DAYS * 86_400}D AS BIGINT) * 1000000L AS us",
            f"{opening} || {asked} || {ending} AS text",
            f"if({misfiled}, {draws.one_of(list(MESSAGE_TOPICS), 'filed', 'i')}, true_topic) AS topic", "true_topic",
        )
    )  # fmt: skip


def posts(spark: SparkSession, draws: Draws, without: Collection[str]) -> DataFrame:
    """One row per post on the shop's own pages: number, post_id, network, us, format, topic, reactions, comments,
    expected (mean number of reactions).
    """
    by_format = by_value("format", {name: f"{factor}D" for name, factor in FORMAT_FACTORS.items()})
    factor = "1D" if "post_formats" in without else by_format
    noise = f"exp({REACTIONS_SPREAD}D * {draws.normal('post reactions')} - {REACTIONS_SPREAD**2 / 2}D)"
    start = microseconds_of_local_day(FIRST_DAY)
    return (
        spark.range(0, POSTS, 1, 1)
        .withColumnRenamed("id", "number")
        .selectExpr(
            "number", f"lower(hex({draws.bits('post id')})) AS post_id",
            f"{draws.weighted(people.NETWORKS, 'post network')} AS network",
            f"{start}L + CAST({draws.uniform('posted')} * {DAYS * 86_400}D AS BIGINT) * 1000000L AS us",
            f"{draws.weighted(FORMATS, 'format')} AS format", f"{draws.one_of(_TOPICS, 'post topic')} AS topic",
        )
        .selectExpr("*", f"{MEAN_REACTIONS}D * {factor} AS expected")
        .selectExpr(
            "*", f"CAST(round(expected * {noise}) AS INT) AS reactions",
            f"CAST({draws.below(20, 'post comments')} AS INT) AS comments",
        )
    )  # fmt: skip
