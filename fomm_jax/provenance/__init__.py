"""Marks that say a film or picture was generated."""
