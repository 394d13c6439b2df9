"""Readings: how classes are read from frozen features and the labels of a few rows."""
