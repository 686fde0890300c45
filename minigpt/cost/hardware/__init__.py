"""Named hardware: what it computes, holds and costs, and what a training on it takes in time, money and energy."""

from minigpt.cost.hardware.bill import Bill, Site, training_bill, training_seconds
from minigpt.cost.hardware.devices import DEVICES, Device
from minigpt.cost.hardware.names import Cluster, parse_hardware
from minigpt.cost.hardware.runs import DEFAULT_MFU, PUBLISHED_RUNS, PublishedRun

__all__ = [
    "DEFAULT_MFU",
    "DEVICES",
    "PUBLISHED_RUNS",
    "Bill",
    "Cluster",
    "Device",
    "PublishedRun",
    "Site",
    "parse_hardware",
    "training_bill",
    "training_seconds",
]
