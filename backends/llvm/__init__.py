"""The LLVM backend: graphs to kernels, kernels to native code."""
