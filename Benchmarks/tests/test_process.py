"""What /proc/PID/smaps says is counted once."""

import unittest

from puckbench import process


def mapping(first: int, end: int, kibibytes: int, file: str = "") -> str:
    head = f"{first:x}-{end:x} rw-p 00000000 00:00 0 {file}".rstrip()
    return f"{head}\nSize: 1 kB\nRss: {kibibytes} kB\nPss: {kibibytes} kB\nAnonymous: {kibibytes} kB\nVmFlags: rd wr\n"


class MemoryTests(unittest.TestCase):
    def test_mappings_are_added_and_those_of_the_rig_are_left_out(self):
        smaps = mapping(0x1000, 0x2000, 1024) + mapping(0x2000, 0x3000, 512, "/x/rig.so") + mapping(0x4000, 0x5000, 2048)
        self.assertEqual(process.memory_of(smaps, {"rig.so"}), {"pss_mib": 3, "rss_mib": 3, "anonymous_mib": 3})

    def test_a_heap_that_grows_while_it_is_read_counts_once(self):
        smaps = mapping(0x1000, 0x2000, 1024, "[heap]") + mapping(0x1000, 0x3000, 1536, "[heap]") + mapping(0x4000, 0x5000, 512)
        self.assertEqual(process.memory_of(smaps, set())["anonymous_mib"], 2)


if __name__ == "__main__":
    unittest.main()
