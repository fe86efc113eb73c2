"""Texts of pages in both languages: common ones, and those that a kind adds."""

from __future__ import annotations

from collections.abc import Mapping

from otklik.kind import Finding
from otklik.page.formats import Formats, Language
from otklik.settings import Text


def texts(**pairs: tuple[str, str]) -> dict[str, Text]:
    """`section__key=(English, Russian)` → `section.key`."""
    return {key.replace("__", "."): Text(en=en, ru=ru) for key, (en, ru) in pairs.items()}


#: Texts of every page, whatever the kind of question.
FRAME = texts(
    head__report=("Report", "Отчёт"),
    head__as_of=("As of {moment}", "По состоянию на {moment}"),
    head__run=("run {run}", "запуск {run}"),
    toc=("Contents", "Содержание"),
    toc__skip=("Skip to the answer", "Сразу к ответу"),
    section__answer=("The answer", "Ответ"),
    index__title=("Answers", "Ответы"),
    index__lead=(
        "One card per question: the answer, how certain it is, and where to read more.",
        "Одна карточка на каждый вопрос: ответ, его надёжность и ссылка на подробности.",
    ),
    verdict__gain=("Worth using", "Стоит применять"),
    verdict__no_gain=("Nothing to gain here", "Выигрыша здесь нет"),
    verdict__too_little_data=("Too little data to tell", "Данных слишком мало для вывода"),
    verdict__invalid=("The data do not allow a conclusion", "Данные не позволяют сделать вывод"),
    verdict__descriptive=("A description, not a proof", "Описание, а не доказательство"),
    card__baseline=("baseline {value}", "базовое значение {value}"),
    index__untimed=("no moment", "без момента"),
    section__noticed=("Data findings", "Замечания к данным"),
    section__remarks=("What to know about this data", "Что нужно знать об этих данных"),
    finding__rows_left_out=(
        "{n} of {rows} rows have no usable {subject} and were excluded.",
        "Строк без пригодного значения {subject}: {n} из {rows}; они не учтены.",
    ),
    finding__rows_later=(
        "{n} rows of {subject} are later than the as-of moment and were excluded.",
        "Строк {subject} позже заданного момента: {n}; они не учтены.",
    ),
    section__quality=("Data quality", "Качество данных"),
    section__origin=("Where every number comes from", "Откуда взято каждое число"),
    quality__takeaway=(
        "{rows} records in {files} {files_word}: {accepted} accepted, {rejected} rejected, {duplicates} "
        "duplicates; {balance}.",
        "Поступило записей: {rows}, файлов: {files}. Принято {accepted}, отклонено {rejected}, дублей "
        "{duplicates}; {balance}.",
    ),
    quality__replaced=(
        " Files replaced by later ones of the same name, not counted: {n}.",
        " Не учтены файлы, которые заменены более поздними того же имени: {n}.",
    ),
    quality__withdrawn=(
        " Files withdrawn, not counted: {n}.",
        " Не учтены отозванные файлы: {n}.",
    ),
    quality__refused=(
        " Files refused as a whole, their records not counted: {n}.",
        " Отклонено файлов целиком (их записи не подсчитаны): {n}.",
    ),
    quality__balanced=("every file balances exactly", "по каждому файлу баланс сходится точно"),
    quality__unbalanced=("files with an incorrect balance: {files}", "не сходится баланс файлов: {files}"),
    quality__caption=("Balance of every file", "Баланс каждого файла"),
    quality__none=("No files are in the ledger.", "В журнале нет файлов."),
    quality__source=("Source", "Источник"),
    quality__file=("File", "Файл"),
    quality__rows=("Records", "Записей"),
    quality__accepted=("Accepted", "Принято"),
    quality__inserted=("New", "Новых"),
    quality__updated=("Updated", "Обновлено"),
    quality__rejected=("Rejected", "Отклонено"),
    quality__duplicates=("Duplicates", "Дублей"),
    quality__status=("Status", "Статус"),
    quality__warnings=("Warnings", "Предупреждения"),
    status__loaded=("loaded", "загружен"),
    status__rejected=("refused", "отклонён"),
    status__replaced=("replaced", "заменён"),
    status__withdrawn=("withdrawn", "отозван"),
    origin__caption=("The run", "Запуск"),
    origin__tables=("Tables and their versions", "Таблицы и их версии"),
    origin__table=("Table", "Таблица"),
    origin__version=("Version", "Версия"),
    origin__run=("Run", "Запуск"),
    origin__task=("Task", "Задача"),
    origin__as_of=("As of", "По состоянию на"),
    origin__code=("Code", "Код"),
    footer=(
        "Made by Otklik. The same inputs give the same page.",
        "Составлено программой «Отклик». Одинаковые данные дают одинаковую страницу.",
    ),
)


class Words:
    """The texts in one language: `words("key", name=value)`.

    Args:
        language: ru or en.
        own: the texts of a kind, which take precedence over the common ones.
    """

    def __init__(self, language: Language, own: Mapping[str, Text]) -> None:
        self.language = language
        self._texts = {**FRAME, **own}

    def __call__(self, key: str, **values: object) -> str:
        """The text under a key, with its placeholders filled."""
        return self._texts[key][self.language].format(**values)

    def has(self, key: str) -> bool:
        """Whether there is a text under a key."""
        return key in self._texts

    def known(self, prefix: str, key: str) -> str:
        """The text under `prefix.key`, or the key itself if there is none (a kind of another package)."""
        text = self._texts.get(f"{prefix}.{key.replace(' ', '_')}")
        return key if text is None else text[self.language]


class Voice:
    """One language: its words and how it writes numbers.

    Args:
        language: ru or en.
        own: the texts of a kind.
    """

    def __init__(self, language: Language, own: Mapping[str, Text]) -> None:
        self.language = language
        self.words = Words(language, own)
        self.formats = Formats(language)

    def told(self, finding: Finding, prefix: str = "finding") -> str:
        """A finding or a reason in words, with its numbers formatted for the language."""
        values = {name: self._value(name, value) for name, value in finding.parameters.items()}
        key = f"{prefix}.{finding.code}"
        return self.words(key, subject=finding.subject, **values) if self.words.has(key) else finding.code

    def _value(self, name: str, value: float | int | str) -> str:
        if name == "p":
            return self.formats.p_equation(float(value))
        if isinstance(value, str):
            return value
        return self.formats.integer(value) if isinstance(value, int) else self.formats.decimal(value, 3)

    def estimate(self, value: float | None, low: float | None, high: float | None, digits: int = 3) -> str:
        """A number with its interval in brackets, if it has one."""
        text = self.formats.decimal(value, digits)
        interval = self.formats.interval(low, high, lambda x: self.formats.decimal(x, digits))
        return f"{text} [{interval}]" if interval else text
