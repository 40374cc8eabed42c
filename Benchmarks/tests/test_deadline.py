"""Whatever a measurement does, it ends and says why."""

import subprocess
import sys
import time
import unittest

from puckbench import deadline
from puckbench.deadline import Failure


def python(program: str) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, bufsize=0)


class DeadlineTests(unittest.TestCase):
    def test_an_endless_loop_is_ended(self) -> None:
        with self.assertRaisesRegex(Failure, "puckd: latency was not finished after 0"), deadline.within(0.1, "puckd: latency"):
            while True:
                pass

    def test_an_endless_wait_is_ended(self) -> None:
        with self.assertRaisesRegex(Failure, "was not finished"), deadline.within(0.1, "a sleep"):
            time.sleep(60)

    def test_what_ends_in_time_is_left_alone(self) -> None:
        with deadline.within(0.05, "quick"):
            pass
        time.sleep(0.1)

    def test_a_condition_that_does_not_come_true(self) -> None:
        with self.assertRaisesRegex(Failure, "the port did not happen within 0 s"):
            deadline.wait_for("the port", 0.05, lambda: False)

    def test_a_condition_that_cannot_come_true_is_not_waited_for(self) -> None:
        with self.assertRaisesRegex(Failure, "the port did not happen: puckd ended with status 78"):
            deadline.wait_for("the port", 60, lambda: False, lambda: "puckd ended with status 78")

    def test_a_program_that_says_nothing(self) -> None:
        with python("import time; time.sleep(60)") as child:
            with self.assertRaisesRegex(Failure, "the answer did not happen within"):
                deadline.line_of(child, "the answer", 0.1)
            child.kill()

    def test_a_program_that_ends_instead_of_answering(self) -> None:
        with python("raise SystemExit(3)") as child:
            with self.assertRaisesRegex(Failure, "the answer did not happen: the program ended with status 3"):
                deadline.line_of(child, "the answer", 60)

    def test_a_program_that_does_not_end_is_ended(self) -> None:
        with self.assertRaisesRegex(Failure, "a sleeper was not finished"):
            deadline.run([sys.executable, "-c", "import time; time.sleep(60)"], "a sleeper", 0.2)

    def test_a_program_that_fails_is_quoted(self) -> None:
        with self.assertRaisesRegex(Failure, "the tool failed with status 1: no such thing"):
            deadline.run([sys.executable, "-c", "raise SystemExit('no such thing')"], "the tool", 60)
