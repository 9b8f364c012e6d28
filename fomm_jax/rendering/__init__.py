"""Make films from a user's pictures and videos."""
