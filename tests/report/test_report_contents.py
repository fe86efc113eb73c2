from otklik.report.contents import contents


def test_each_report_is_one_link_and_titles_are_text() -> None:
    page = contents([("bank_full.html", "Кому звонить"), ("a.html", "<b>")], "ru")
    assert '<a href="bank_full.html">Кому звонить</a>' in page
    assert "&lt;b&gt;" in page
    assert 'lang="ru"' in page
