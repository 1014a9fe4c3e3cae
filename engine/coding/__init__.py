"""Small files for pruned and quantized networks: codebooks, entropy coders, and the container that holds them."""

LOSSY = "Pruning and weight sharing change the outputs on purpose; accuracy is what counts."
