"""Encoders for use elsewhere: as ONNX, or as plain arrays that ten lines of NumPy apply."""

from metaplastic.export.arrays import export_arrays
from metaplastic.export.onnx_model import OPSET, export_onnx, onnx_model, require_onnx

__all__ = ["OPSET", "export_arrays", "export_onnx", "onnx_model", "require_onnx"]
