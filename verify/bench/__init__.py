"""`verify bench`: throughput of a device and cost of the guard, with spread and limits."""
