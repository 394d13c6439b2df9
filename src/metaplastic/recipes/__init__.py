"""Complete experiments: the only floor that maps names to constructors."""
