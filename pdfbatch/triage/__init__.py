"""Train what decides which pages need the model, from pages that were read both ways, and keep it in a registry."""
