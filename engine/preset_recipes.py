"""The recipes of the presets: a label, a recipe, and for what uploads it makes sense.

M: modules and exported programs. S: TorchScript. O: ONNX. D: needs a data set.
"""

from __future__ import annotations

Candidates = tuple[tuple[str, str, str], ...]

CPU_QUICK: Candidates = (
    ("TorchScript · traced, frozen", "trace > freeze > torchscript", "M"),
    ("TorchScript · frozen", "freeze > torchscript", "S"),
    ("ONNX Runtime", "onnxruntime", "MS"),
    ("ONNX Runtime · INT8", "dynamic-int8 > onnxruntime", "MSO"),
    ("TorchScript · scripted, frozen", "script > freeze > torchscript", "M"),
    ("TorchScript · for inference", "freeze > torchscript(optimize_for_inference=true)", "MS"),
    ("TorchScript", "torchscript", "S"),
    ("ONNX Runtime · simplified", "onnx-simplify > onnxruntime", "O"),
    ("ONNX Runtime · basic optimization", "onnxruntime(graph_optimization=basic)", "O"),
)
CPU_MORE: Candidates = (
    ("PyTorch eager", "eager", "SO"),
    ("PyTorch eager · channels-last", "eager(channels_last=true)", "M"),
    ("PyTorch eager · BF16", "bfloat16 > eager", "M"),
    ("TorchScript", "torchscript", "M"),
    ("TorchScript · oneDNN fusion", "freeze > torchscript(onednn_fusion=true)", "MS"),
    ("torch.compile", "torch-compile", "MO"),
    ("AOTInductor", "aoti", "M"),
    ("ONNX Runtime · simplified", "onnx-simplify > onnxruntime", "MS"),
    ("ONNX Runtime · TorchScript exporter", "trace > onnx(exporter=torchscript) > onnxruntime", "M"),
    ("ONNX Runtime · static INT8", "int8-qdq > onnxruntime", "MSOD"),
    ("LibTorch · C++", "libtorch", "MS"),
    ("AOTInductor · C++", "libtorch-aoti", "M"),
)
CUDA_QUICK: Candidates = (
    ("PyTorch eager · FP16", "half > eager", "M"),
    ("TorchScript · FP16", "half > freeze > torchscript", "S"),
    ("TensorRT · FP16 · CUDA graph", "half > tensorrt(cuda_graph=true) [static]", "MSO"),
    ("ONNX Runtime · FP16", "half > onnxruntime", "MSO"),
    ("TorchScript · FP16", "half > trace > freeze > torchscript", "M"),
    ("ONNX Runtime", "onnxruntime", "MS"),
    ("TorchScript · frozen", "freeze > torchscript", "S"),
    ("ONNX Runtime · CUDA graph", "onnxruntime(cuda_graph=true) [static]", "O"),
)
CUDA_MORE: Candidates = (
    ("PyTorch eager", "eager", "SO"),
    ("PyTorch eager · TF32", "eager(tf32=true)", "M"),
    ("PyTorch eager · FP16 autocast", "eager(autocast=fp16)", "M"),
    ("PyTorch eager · BF16", "bfloat16 > eager", "M"),
    ("PyTorch eager · FP16 · channels-last", "half > eager(channels_last=true)", "M"),
    ("PyTorch eager · FP16 · CUDA graph", "half > eager(cuda_graph=true)", "M"),
    ("TorchScript · FP16 · CUDA graph", "half > freeze > torchscript(cuda_graph=true)", "MS"),
    ("torch.compile · FP16", "half > torch-compile", "MO"),
    ("torch.compile · FP16 · reduce-overhead", "half > torch-compile(mode=reduce-overhead)", "M"),
    ("torch.compile · FP16 · max-autotune", "half > torch-compile(mode=max-autotune)", "M"),
    ("AOTInductor · FP16 · CUDA graph", "half > aoti(cuda_graph=true)", "M"),
    ("ONNX Runtime · TF32", "onnxruntime(tf32=true)", "MSO"),
    ("ONNX Runtime · FP16 · CUDA graph", "half > onnxruntime(cuda_graph=true, nhwc=true) [static]", "MSO"),
    ("ONNX Runtime · TensorRT · FP16", "half > onnxruntime-tensorrt", "MSO"),
    ("ONNX Runtime · TensorRT for RTX · FP16", "half > onnxruntime-tensorrt-rtx", "MSO"),
    ("TensorRT · FP32 · CUDA graph", "tensorrt(cuda_graph=true) [static]", "MSO"),
    ("TensorRT · TF32 · CUDA graph", "tensorrt-build(tf32=true) > tensorrt(cuda_graph=true) [static]", "MSO"),
    ("TensorRT · FP16 · dynamic batch", "half > tensorrt", "MSO"),
    ("TensorRT · BF16 · CUDA graph", "bfloat16 > tensorrt(cuda_graph=true) [static]", "MSO"),
    ("TensorRT · FP8", "fp8-qdq > tensorrt(cuda_graph=true) [static]", "MSOD"),
    ("Torch-TensorRT · FP16", "half > torch-tensorrt-runtime", "MS"),
    ("Torch-TensorRT · JIT · FP16", "half > torch-tensorrt-jit", "M"),
    ("LibTorch · C++ · FP16", "half > freeze > libtorch", "MS"),
)

SMALLER: Candidates = (
    ("Half the weights zero", "prune-magnitude(amount=0.5) > onnxruntime", "MSO"),
    ("FP16 weights", "half > onnxruntime", "MSO"),
    ("INT8 weights", "dynamic-int8 > onnxruntime", "MSO"),
    ("Half the channels, fine-tuned", "prune-channels(ratio=0.5) > finetune > onnxruntime", "MD"),
    ("Half the channels, fine-tuned, INT8", "prune-channels(ratio=0.5) > finetune > dynamic-int8 > onnxruntime", "MD"),
)
FASTER_CPU: Candidates = (
    ("ONNX Runtime", "onnxruntime", "MS"),
    ("ONNX Runtime · INT8", "dynamic-int8 > onnxruntime", "MSO"),
    ("ONNX Runtime · static INT8", "int8-qdq > onnxruntime", "MSOD"),
    ("Half the channels · ONNX Runtime", "prune-channels(ratio=0.5) > finetune > onnxruntime", "MD"),
)
FASTER_CUDA: Candidates = (
    ("TensorRT · FP16", "half > tensorrt(cuda_graph=true) [static]", "MSO"),
    (
        "TensorRT · FP16 · 2:4 sparse",
        "prune-2to4 > half > tensorrt-build(sparse=true) > tensorrt(cuda_graph=true) [static]",
        "MO",
    ),
    ("TensorRT · FP8", "fp8-qdq > tensorrt(cuda_graph=true) [static]", "MSOD"),
    (
        "Half the channels · TensorRT · FP16",
        "prune-channels(ratio=0.5) > finetune > half > tensorrt(cuda_graph=true) [static]",
        "MD",
    ),
)
SMALLEST: Candidates = (
    ("INT8 weights", "dynamic-int8 > onnxruntime", "MSO"),
    ("90 % of the weights zero, fine-tuned", "prune-magnitude(amount=0.9) > finetune > onnxruntime", "MD"),
    ("Half the channels, fine-tuned, INT8", "prune-channels(ratio=0.5) > finetune > dynamic-int8 > onnxruntime", "MD"),
    ("Deep Compression", "deep-compression > eager", "MD"),
)
