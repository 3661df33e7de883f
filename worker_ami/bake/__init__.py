"""Makes a model folder, once: defines the network in torch, loads its weights, exports it and proves the export."""
