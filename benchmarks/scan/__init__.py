"""Dense scans against every way to do the same with other people's libraries, beside the machine's measured peak."""
