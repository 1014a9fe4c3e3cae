"""The engine behind Optibench: convert, compress, measure and compare trained models.

Importing this package, or anything the dashboard needs of it, loads neither torch nor ONNX Runtime.
"""

__version__ = "0.1.0"
