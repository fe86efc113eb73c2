"""The people of the world: who they are, how active they are, and what interests them."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql.functions import expr

from otklik.world.draws import Draws, text, texts
from otklik.world.timeline import DELIVERED_AT, FIRST_MOMENT

#: No customer has more events than this.
MOST_EVENTS = 999

# Pairs of the name in Cyrillic and in the e-mail address; a woman's family name takes an "а".
_FAMILY_NAMES = (
    ("Ахметов", "akhmetov"), ("Сулейменов", "suleimenov"), ("Оспанов", "ospanov"), ("Касымов", "kasymov"),
    ("Абдрахманов", "abdrakhmanov"), ("Жумабаев", "zhumabaev"), ("Нургалиев", "nurgaliev"), ("Ибраев", "ibraev"),
    ("Байжанов", "baizhanov"), ("Искаков", "iskakov"), ("Смагулов", "smagulov"), ("Турсунов", "tursunov"),
    ("Мукашев", "mukashev"), ("Калиев", "kaliev"), ("Иванов", "ivanov"), ("Петров", "petrov"),
    ("Кузнецов", "kuznetsov"), ("Попов", "popov"), ("Соколов", "sokolov"), ("Новиков", "novikov"),
    ("Морозов", "morozov"), ("Волков", "volkov"), ("Никитин", "nikitin"), ("Ильин", "ilin"),
)  # fmt: skip
_WOMEN = (
    ("Айгуль", "aigul"), ("Динара", "dinara"), ("Әсел", "asel"), ("Гүлнар", "gulnar"), ("Жанар", "zhanar"),
    ("Мадина", "madina"), ("Сәуле", "saule"), ("Аружан", "aruzhan"), ("Анна", "anna"), ("Елена", "elena"),
    ("Ольга", "olga"), ("Наталья", "natalya"), ("Татьяна", "tatyana"), ("Мария", "maria"), ("Екатерина", "ekaterina"),
)  # fmt: skip
_MEN = (
    ("Нұрлан", "nurlan"), ("Ерлан", "erlan"), ("Дәурен", "dauren"), ("Асқар", "askar"), ("Марат", "marat"),
    ("Тимур", "timur"), ("Алишер", "alisher"), ("Бауыржан", "bauyrzhan"), ("Александр", "alexander"),
    ("Дмитрий", "dmitry"), ("Сергей", "sergey"), ("Андрей", "andrey"), ("Михаил", "mikhail"), ("Иван", "ivan"),
)  # fmt: skip

CITIES = {
    "Алматы": 30, "Астана": 22, "Шымкент": 13, "Караганда": 8, "Актобе": 6, "Тараз": 5, "Павлодар": 4,
    "Усть-Каменогорск": 4, "Костанай": 3, "Атырау": 3, "Уральск": 2,
}  # fmt: skip
EDUCATION = {"среднее": 22, "среднее специальное": 34, "высшее": 38, "учёная степень": 6}
MARITAL_STATUS = {"в браке": 55, "не в браке": 27, "в разводе": 12, "вдовство": 6}

NETWORKS = {"instagram": 30, "telegram": 26, "vk": 24, "facebook": 11, "ok": 9}
TOPICS = {"deposits": 10, "loans": 17, "cards": 20, "mortgage": 11, "travel": 20, "events": 17, "complaints": 5}
#: Topic of a burst of interest: everybody has one in the six months.
_INTERESTS = {"deposits": 34, "loans": 14, "cards": 14, "mortgage": 8, "travel": 12, "events": 6, "complaints": 12}
#: Format of a customer's number in the files.
CUSTOMER_ID = "concat('C', lpad(number + 1, 7, '0')) AS customer_id"
_LANGUAGES = {"ru": 60, "kk": 30, "en": 10}
#: Hour of the day around which a person is active: commuters, office people, evening people, night owls.
_BUSIEST_HOURS = {"8": 25, "13": 25, "20": 38, "1": 12}


def numbers(blank: DataFrame, customers: int) -> DataFrame:
    """The customers' numbers, from a range padded to whole parts."""
    return blank.where(f"id < {customers}L").withColumnRenamed("id", "number")


def with_person(customers: DataFrame, draws: Draws) -> DataFrame:
    """Add the attributes of each customer, and the hidden traits behind their engagement.

    Args:
        customers: one row per customer, with `number`.
        draws: the draws of this world.

    Returns:
        The same rows with customer_id, name, email, phone, birth_date, sex, city, education, marital_status, children,
        income (tenge a month, null for one in 25), has_loan, has_housing_loan, registered_us, and the hidden language,
        event_count, talkativeness, busiest_hour, weekend_share, favourite_network, interest, interest_day.
    """
    delivered = text(DELIVERED_AT.date().isoformat())
    age = f"(18D + 64D * (0.6D * {draws.uniform('age one')} + 0.4D * {draws.uniform('age two')}))"
    return (
        customers.selectExpr(
            "*",
            CUSTOMER_ID,
            f"{draws.weighted({'ж': 54, 'м': 46}, 'sex')} AS sex",
            f"1 + CAST({draws.below(len(_FAMILY_NAMES), 'family name')} AS INT) AS family",
            f"1 + CAST({draws.below(len(_WOMEN), 'woman')} AS INT) AS woman",
            f"1 + CAST({draws.below(len(_MEN), 'man')} AS INT) AS man",
            f"lpad({draws.below(10_000_000, 'phone')}, 7, '0') AS phone_digits",
            f"{draws.one_of(['701', '702', '705', '707', '747', '775', '777', '778'], 'operator')} AS operator",
            f"date_sub(date({delivered}), CAST({age} * 365.25D AS INT)) AS birth_date",
            f"{draws.weighted(CITIES, 'city')} AS city",
            f"{draws.weighted(EDUCATION, 'education')} AS education",
            f"{draws.weighted(MARITAL_STATUS, 'marital status')} AS marital_status",
            f"{draws.weighted({'0': 38, '1': 24, '2': 22, '3': 11, '4': 5}, 'children')} AS children",
            f"{draws.normal('income')} AS income_z",
            f"{draws.uniform('no income')} < 0.04D AS has_no_income",
            f"{draws.weighted({'нет': 76, 'да': 24}, 'loan')} AS has_loan",
            f"{draws.uniform('housing loan')} AS housing_u",
            # Registered in the seven years before the first event, to the minute.
            f"unix_micros(timestamp'{FIRST_MOMENT:%Y-%m-%d %H:%M:%S}') - 60000000L * (1L + "
            f"{draws.below(7 * 365 * 24 * 60, 'registered')}) AS registered_us",
            f"{draws.weighted(_LANGUAGES, 'language')} AS language",
            # Log-normal: a median of 12 events in the six months, a mean of about 25.
            f"least({MOST_EVENTS}L, 1L + CAST(12D * exp(1.2D * {draws.normal('activity')}) AS BIGINT)) AS event_count",
            f"0.02D + 0.25D * pow({draws.uniform('talkative')}, 2) AS talkativeness",
            f"CAST({draws.weighted(_BUSIEST_HOURS, 'busiest hour')} AS DOUBLE) AS busiest_hour",
            f"{draws.uniform('weekend')} AS weekend_share",
            f"{draws.weighted(NETWORKS, 'favourite network')} AS favourite_network",
            f"{draws.weighted(_INTERESTS, 'interest')} AS interest",
            f"{draws.uniform('interest day')} AS interest_day",
        )
        .withColumns(
            {
                "name": expr(
                    f"element_at({texts([n for n, _ in _FAMILY_NAMES])}, family)"
                    " || if(sex = 'ж', 'а', '') || ' ' || "
                    f"if(sex = 'ж', element_at({texts([n for n, _ in _WOMEN])}, woman), "
                    f"element_at({texts([n for n, _ in _MEN])}, man))"
                ),
                "email": expr(
                    f"if(sex = 'ж', element_at({texts([n for _, n in _WOMEN])}, woman), "
                    f"element_at({texts([n for _, n in _MEN])}, man)) || '.' || "
                    f"element_at({texts([n for _, n in _FAMILY_NAMES])}, family) || number || '@example.com'"
                ),
                "phone": expr("concat('+7 ', operator, ' ', left(phone_digits, 3), ' ', right(phone_digits, 4))"),
                "age_now": expr(f"datediff(date({delivered}), birth_date) / 365.25D"),
            }
        )
        .withColumns(
            {
                # Older customers have paid off their flats.
                "has_housing_loan": expr("if(housing_u < if(age_now >= 60D, 0.06D, 0.38D), 'да', 'нет')"),
                "income": expr(
                    "if(has_no_income, NULL, round(exp(12.4D + 0.45D * income_z + if(education IN "
                    "('высшее', 'учёная степень'), 0.3D, 0D) - if(age_now >= 60D, 0.4D, 0D)), 2))"
                ),
            }
        )
    )
