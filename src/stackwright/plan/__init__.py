"""Model + observed state → what to do, and why. Pure: no I/O, no clock."""
