"""A worker that reads as engine `cpu` and notes when."""
