"""The public comparison of drift detectors: who is in it, on what, and how it is scored."""
