"""Readings: how classes are read from frozen features and the labels of a few rows."""

from metaplastic.readings.base import AbstractReading
from metaplastic.readings.pool import READINGS, ReadingPool, check_reading
from metaplastic.readings.settings import ReadingSettings

__all__ = ["READINGS", "AbstractReading", "ReadingPool", "ReadingSettings", "check_reading"]
