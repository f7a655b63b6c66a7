"""What tests of several folders share: real peers, counters of what is left behind."""
