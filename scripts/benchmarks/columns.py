"""What the made-up files hold, for those who read them. Imports nothing: a peer's process holds the peer only."""

#: The bank-like file's columns in its order, with their types in SQL that Spark and DuckDB both read.
BANK = {
    "customer_id": "STRING", "age": "BIGINT", "job": "STRING", "marital": "STRING", "education": "STRING",
    "default": "STRING", "balance": "BIGINT", "housing": "STRING", "loan": "STRING", "contact": "STRING",
    "day": "BIGINT", "month": "STRING", "duration": "BIGINT", "campaign": "BIGINT", "pdays": "BIGINT",
    "previous": "BIGINT", "poutcome": "STRING", "y": "STRING",
}  # fmt: skip
#: Those that are known before the decision, as texts with their levels, and as numbers.
LEVELS = {
    "job": (
        "admin.", "blue-collar", "entrepreneur", "housemaid", "management", "retired", "self-employed", "services",
        "student", "technician", "unemployed", "unknown",
    ),
    "marital": ("married", "single", "divorced"),
    "education": ("primary", "secondary", "tertiary", "unknown"),
    "default": ("yes", "no"),
    "housing": ("yes", "no"),
    "loan": ("yes", "no"),
    "contact": ("cellular", "telephone", "unknown"),
    "month": ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"),
    "poutcome": ("success", "failure", "other", "unknown"),
}  # fmt: skip
TEXTS = tuple(LEVELS)
NUMBERS = ("age", "balance", "day", "campaign", "pdays", "previous")
#: One customer in so many, by number, is held out: models are judged on them.
HELD_OUT_EVERY = 20

#: Levels of the events, and the windows that conf/activity.toml counts them in.
KINDS = ("like", "comment", "repost", "view", "follow")
TOPICS = ("deposits", "loans", "cards", "mortgage", "travel", "events", "complaints")
NETWORKS = ("instagram", "telegram", "vk", "facebook", "ok")
WINDOWS_DAYS = (7, 30, 90)
HORIZON_DAYS = 90
EVENTS_PER_CUSTOMER = 20
