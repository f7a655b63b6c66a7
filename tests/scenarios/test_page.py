"""The page about differences says what the table says."""

from tests.scenarios import page
from tests.scenarios.differing import rows
from tests.scenarios.scenario import every


def test_the_page_is_written_from_the_table() -> None:
    assert page.PAGE.read_text() == page.text(), "run python -m tests.scenarios.page"


def test_every_row_is_about_scenarios_that_there_are() -> None:
    names = {one.name for one in every()}
    assert [row.scenario for row in rows() if "*" not in row.scenario and row.scenario not in names] == []


def test_there_are_enough_scenarios() -> None:
    assert len(every()) >= 150
