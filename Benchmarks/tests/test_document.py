"""The document's tables come from the results, and nothing else of it changes."""

import unittest
from pathlib import Path

from puckbench import document, report
from puckbench.deadline import Failure

PAGE = "# Title\n\n<!-- table simulator -->\nold\n<!-- end -->\n\ntext 7.6\n"


class DocumentTests(unittest.TestCase):
    def test_a_table_is_replaced_and_the_rest_stays(self) -> None:
        text, left = document.filled(PAGE, {"pucksim": {"simulated_hours_per_second": 9.5}}, {})
        self.assertIn("9.50 simulated hours", text)
        self.assertNotIn("old", text)
        self.assertTrue(text.startswith("# Title\n") and text.endswith("\n\ntext 7.6\n"))
        self.assertEqual(left, [])

    def test_a_table_without_results_stays_and_is_named(self) -> None:
        text, left = document.filled(PAGE, {}, {})
        self.assertEqual(text, PAGE)
        self.assertEqual(left, ["simulator (no pucksim)"])

    def test_an_unknown_table_is_refused(self) -> None:
        with self.assertRaisesRegex(Failure, "a table 'other'"):
            document.filled("<!-- table other -->\n<!-- end -->", {}, {})

    def test_the_page_has_every_table(self) -> None:
        page = (Path(__file__).parents[2] / "docs/BENCHMARKS.md").read_text()
        self.assertEqual({found[1] for found in document.BLOCK.findall(page)}, set(document.TABLES))


class ThresholdTests(unittest.TestCase):
    def test_more_is_over_and_less_is_over_where_it_is_the_least(self) -> None:
        limits = {"puckd": {"pss_mib": 6, "ping_least_share_of_echo": 0.7}}
        self.assertEqual(report.compare({"puckd": {"pss_mib": 6, "ping_least_share_of_echo": 0.7}}, limits), 0)
        self.assertEqual(report.compare({"puckd": {"pss_mib": 6.1}}, limits), 1)
        self.assertEqual(report.compare({"puckd": {"ping_least_share_of_echo": 0.6}}, limits), 1)
